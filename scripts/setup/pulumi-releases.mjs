import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { installedBundle } from './bundle.mjs';
import { kitEnvironment } from './environment.mjs';

/** @import { Kit } from './kit.mjs' */

const address = 'https://get.pulumi.com/releases/';

/** @type {Map<string, Promise<boolean>>} */
const answers = new Map();

/**
 * Whether the host of Pulumi's releases (of the CLI and of the plugins) can be reached. Asked once per run, with a short
 * time-out, because the tools that download from it try for long. Needs the kit's Node.js, which knows about proxies.
 *
 * @param {Kit} kit
 * @returns {Promise<boolean>}
 */
export function pulumiReleasesAnswer(kit) {
  const known = answers.get(kit.root) ?? probe(kit);
  answers.set(kit.root, known);
  return known;
}

/**
 * @param {Kit} kit
 * @returns {Promise<boolean>}
 */
function probe(kit) {
  if (installedBundle(kit)) return Promise.resolve(false); // no need to wait for it
  const script = `fetch(${JSON.stringify(address)}, { method: 'HEAD', signal: AbortSignal.timeout(8000) })
    .then(() => process.exit(0), () => process.exit(1))`;
  return new Promise((resolve) => {
    const child = spawn(join(kit.bin, 'node'), ['-e', script], {
      env: { ...kitEnvironment(kit), NODE_USE_ENV_PROXY: '1' },
      stdio: 'ignore',
    });
    child.on('error', () => resolve(false));
    child.on('close', (code) => resolve(code === 0));
  });
}
