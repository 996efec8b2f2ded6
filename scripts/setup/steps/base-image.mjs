import { join } from 'node:path';
import { installPackages, missingPackages, systemEnvironment } from '../apt.mjs';
import { askTool } from '../child-process.mjs';
import { imageSource, kitEnvironment } from '../environment.mjs';

/**
 * @import { Step } from '../step-runner.mjs'
 */

const program = join('images', 'base', 'ensure.ts');

/**
 * The image that all others are built from where no registry answers, and that the tests' servers run from everywhere.
 *
 * @param {{ for: 'tests' | 'stack' }} purpose
 * @returns {Step}
 */
export const baseImage = (purpose) => ({
  name: 'Base image',
  about: 'one image with the servers, from Debian packages',
  after: ['Node.js', 'npm packages', 'Image source'],
  disk: () => [{ what: 'Base image', path: '/var/lib', bytes: 2.5e9 }],

  async check(kit) {
    if (purpose.for === 'stack' && imageSource(kit) === 'registry') return 'not needed: the registry answers';
    const env = kitEnvironment(kit);
    const answer = await askTool(join(kit.bin, 'node'), [program, '--check'], { env, cwd: kit.root });
    return answer || undefined;
  },

  async run(kit, job) {
    if (imageSource(kit) === 'local') {
      const missing = await missingPackages(kit, ['debootstrap']);
      if (missing.length > 0)
        await installPackages(kit, job, missing, 'images are built here, which takes a tool for it');
    }
    const env = {
      ...systemEnvironment(kit),
      ...kitEnvironment(kit),
      PATH: `${kit.bin}:${systemEnvironment(kit).PATH}`,
    };
    await job.tool(join(kit.bin, 'node'), [program], { env });
  },
});
