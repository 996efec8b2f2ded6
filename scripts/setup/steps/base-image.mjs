import { join } from 'node:path';
import { askTool } from '../child-process.mjs';
import { imageSource, kitEnvironment } from '../environment.mjs';

/** @import { Step } from '../step-runner.mjs' */

const program = join('images', 'base', 'ensure.ts');

/**
 * The image that all others are built from where no registry answers, and that the tests' servers run from everywhere.
 *
 * @param {{ for: 'tests' | 'stack' }} purpose
 * @returns {Step}
 */
export const baseImage = (purpose) => ({
  name: 'Base image',
  about: 'one image with all servers, from Debian packages',
  fetches: 'Debian packages',
  after: ['Node.js', 'npm packages', 'Bundled images', 'Image source'],
  disk: (kit) => [
    { what: 'Building the base image', path: kit.directory, bytes: 1e9 },
    { what: 'Base image', path: '/var/lib', bytes: 0.5e9 },
  ],

  async check(kit) {
    if (purpose.for === 'stack' && imageSource(kit) === 'registry') return 'not needed: the registry answers';
    const env = kitEnvironment(kit);
    const reference = await askTool(join(kit.bin, 'node'), [program, '--check'], { env, cwd: kit.root });
    return reference || undefined;
  },

  async run(kit, job) {
    await job.tool(join(kit.bin, 'node'), [program]);
  },
});
