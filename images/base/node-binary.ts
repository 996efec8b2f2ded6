import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from './command.ts';
import { BaseImageProblem } from './problem.ts';
import { type Architecture, recipe } from './recipe.ts';

/**
 * Puts the Node.js of the recipe at `target`: a copy of the one that runs this where that is the very one, else from
 * npm's package of the official binary.
 */
export async function placeNode(
  target: string,
  options: { architecture: Architecture; workspace: string; signal: AbortSignal; say(text: string): void },
): Promise<void> {
  const { version, sha256 } = recipe.node;
  const wanted = sha256[options.architecture];
  if ((await digest(process.execPath)) === wanted) {
    await copyFile(process.execPath, target);
  } else {
    const name = `node-linux-${options.architecture}@${version}`;
    options.say(`Node.js ${version} from npm`);
    const { signal, workspace } = options;
    const [file = ''] = (await run(['npm', 'pack', name, '--silent'], { signal, cwd: workspace })).trim().split('\n');
    await run(['tar', '-xzf', join(workspace, file), '-C', workspace, 'package/bin/node'], { signal });
    await copyFile(join(workspace, 'package/bin/node'), target);
    const found = await digest(target);
    if (found !== wanted) {
      throw new BaseImageProblem(`The Node.js in npm's ${name} is not the expected one (sha256 ${found})`, {
        remedy: 'Do not use it. See which registry npm asks: npm config get registry.',
      });
    }
  }
  await chmod(target, 0o755);
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
