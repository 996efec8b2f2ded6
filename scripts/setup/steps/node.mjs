import { copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { askTool } from '../child-process.mjs';
import { contentKey } from '../content-key.mjs';
import { isInside, linkedTool, linkTool } from '../kit.mjs';
import { npmCleanInstall } from '../npm.mjs';
import { removeOthers } from '../removal.mjs';
import { SetupError } from '../setup-error.mjs';
import { isAtLeast } from '../version.mjs';

/**
 * @import { Kit } from '../kit.mjs'
 * @import { Step } from '../step-runner.mjs'
 */

/** The first one that runs TypeScript without being asked to. */
const minimum = '22.18';

/**
 * Node.js for everything but set-up itself: the machine's own where it is new enough, else the one that
 * `toolchain/node` pins.
 *
 * @type {Step}
 */
export const node = {
  name: 'Node.js',
  about: `a Node.js that is at least ${minimum}`,
  disk: (kit) => [{ what: 'Node.js', path: kit.toolchain, bytes: 0.4e9 }],

  async check(kit) {
    const linked = linkedTool(kit, 'node');
    if (linked === undefined) return undefined;
    if (linked === ownNode()) return `${process.version}, this machine's`;
    if (!isInside(linked, realpathSync(folder(kit)))) return undefined;
    const version = await askTool(linked, ['--version'], { env: kit.env });
    return isAtLeast(version, minimum) ? `${version}, from npm` : undefined;
  },

  async run(kit, job) {
    const own = ownNode();
    if (own) {
      linkTool(kit, 'node', own);
      return;
    }
    const made = join(folder(kit), 'bin', 'node');
    if (!existsSync(made)) {
      job.say(`this machine's is ${process.version}; using the one from npm, in .kit only`);
      const project = job.temporaryFolder();
      for (const file of ['package.json', 'package-lock.json']) {
        copyFileSync(join(kit.root, 'toolchain', 'node', file), join(project, file));
      }
      const { command, args, env } = npmCleanInstall(kit);
      await job.tool(command, args, { cwd: project, env });
      const unpacked = join(project, 'node_modules', `node-linux-${process.arch}`, 'bin');
      if (!existsSync(unpacked)) {
        throw new SetupError(`npm has no Node.js for this processor (${process.arch})`, {
          remedy: `Install Node.js ${minimum} or newer yourself, then run the same command again.`,
        });
      }
      mkdirSync(folder(kit), { recursive: true });
      renameSync(unpacked, join(folder(kit), 'bin'));
      removeOthers(kit.toolchain, 'node-', folder(kit));
    }
    linkTool(kit, 'node', made);
  },
};

/** The Node.js that runs this, where it is good enough for everything else, too. */
function ownNode() {
  return isAtLeast(process.version, minimum) ? realpathSync(process.execPath) : undefined;
}

/** @param {Kit} kit */
function folder(kit) {
  const lock = readFileSync(join(kit.root, 'toolchain', 'node', 'package-lock.json'));
  return join(kit.toolchain, `node-${contentKey({ lock, arch: process.arch })}`);
}
