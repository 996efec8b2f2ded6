import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ToolError } from '../child-process.mjs';
import { pulumiReleasesAnswer } from '../pulumi-releases.mjs';

/**
 * @import { Kit } from '../kit.mjs'
 * @import { Step } from '../step-runner.mjs'
 */

/**
 * The stand-in is this checkout's own program; the plugin folder only holds what starts it. It finds the checkout from
 * where it lies (`.kit/pulumi-home/plugins/resource-docker-v…`), so that a checkout may be moved.
 */
const standIn = `#!/bin/sh
# Stand-in for the official docker plugin: infra/providers/docker of the checkout that this lies in.
checkout=$(cd "$(dirname "$0")/../../../.." && pwd) || exit 1
exec "$checkout/.kit/bin/node" "$checkout/infra/providers/docker/main.ts" "$@"
`;

/**
 * The plugin behind \`@pulumi/docker\`: the official one, else the stand-in.
 *
 * @type {Step}
 */
export const dockerPlugin = {
  name: 'Docker plugin',
  about: 'Pulumi’s plugin for Docker',
  after: ['Node.js', 'Pulumi CLI'],
  disk: (kit) => [{ what: 'Docker plugin', path: kit.pulumiHome, bytes: 0.1e9 }],

  check(kit) {
    const version = pluginVersion(kit);
    const program = join(pluginFolder(kit, version), 'pulumi-resource-docker');
    if (!existsSync(program) || (statSync(program).mode & 0o100) === 0) return undefined;
    if (statSync(program).size > 4096) return `official release ${version}`;
    return readFileSync(program, 'utf8') === standIn ? `the stand-in for ${version}` : undefined;
  },

  async run(kit, job) {
    const version = pluginVersion(kit);
    const install = ['plugin', 'install', 'resource', 'docker', version];
    rmSync(pluginFolder(kit, version), { recursive: true, force: true }); // not what it should be, or not there
    if (await pulumiReleasesAnswer(kit)) {
      try {
        await job.tool('pulumi', install, { timeout: 180_000 });
        return;
      } catch (error) {
        if (!(error instanceof ToolError)) throw error; // we were stopped
      }
    }
    job.say('the official release can’t be downloaded here; using the stand-in of this checkout: a fallback');
    const folder = job.temporaryFolder();
    writeFileSync(join(folder, 'pulumi-resource-docker'), standIn);
    chmodSync(join(folder, 'pulumi-resource-docker'), 0o755);
    await job.tool('pulumi', [...install, '--file', folder, '--reinstall']);
  },
};

/**
 * @param {Kit} kit
 * @param {string} version
 */
function pluginFolder(kit, version) {
  return join(kit.pulumiHome, 'plugins', `resource-docker-v${version}`);
}

/** The plugin has the version of its SDK.
 *
 * @param {Kit} kit
 * @returns {string}
 */
function pluginVersion(kit) {
  /** @type {{ dependencies: Record<string, string> }} */
  const { dependencies } = JSON.parse(readFileSync(join(kit.root, 'package.json'), 'utf8'));
  const version = dependencies['@pulumi/docker'];
  if (!version) throw new Error('package.json does not depend on @pulumi/docker');
  return version;
}
