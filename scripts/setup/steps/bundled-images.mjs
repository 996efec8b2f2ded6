import { join } from 'node:path';
import { bundleFolder, installedBundle } from '../bundle.mjs';
import { askTool } from '../child-process.mjs';
import { kitEnvironment } from '../environment.mjs';

/** @import { Step } from '../step-runner.mjs' */

/**
 * The images that a bundle has brought, on the engine: those of the stack, and what they are built from.
 *
 * @type {Step}
 */
export const bundledImages = {
  name: 'Bundled images',
  about: 'the images of the bundle, for the engine',
  after: ['Node.js', 'Docker engine'],
  disk: () => [{ what: 'Images', path: '/var/lib', bytes: 0.7e9 }],

  async check(kit) {
    const list = installedBundle(kit)?.images.list;
    if (!list) return 'no bundle';
    const references = list.map(({ reference }) => reference);
    const args = ['image', 'inspect', '--format', '{{.Id}}', ...references];
    const ids = await askTool('docker', args, { env: kitEnvironment(kit) });
    return ids === undefined ? undefined : `${list.length} there`;
  },

  async run(kit, job) {
    const images = join(bundleFolder(kit), 'images.tar.zst');
    await job.tool(join(kit.bin, 'node'), ['--no-warnings', join('scripts', 'setup', 'load-images.mjs'), images]);
  },
};
