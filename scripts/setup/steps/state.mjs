import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, linkSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { usesOwnPassphrase } from '../environment.mjs';
import { SetupError } from '../setup-error.mjs';

/**
 * @import { Kit } from '../kit.mjs'
 * @import { Step } from '../step-runner.mjs'
 */

/**
 * Where the stacks' state is kept, and what their secrets are encrypted with. PULUMI_BACKEND_URL names the place to the
 * CLI, so that no login is needed.
 *
 * @type {Step}
 */
export const state = {
  name: 'Stack state',
  about: 'a folder for the state of the stacks, and the passphrase of their secrets',

  check(kit) {
    const backend = kit.env.PULUMI_BACKEND_URL;
    if (!backend && !existsSync(kit.state)) return undefined;
    if (usesOwnPassphrase(kit) && !existsSync(kit.passphrase)) return undefined;
    return backend ? 'where PULUMI_BACKEND_URL says' : 'in .kit/state';
  },

  async run(kit, job) {
    mkdirSync(kit.state, { recursive: true, mode: 0o700 });
    if (usesOwnPassphrase(kit)) makePassphrase(kit, job.temporaryFolder());
  },
};

/**
 * @param {Kit} kit
 * @param {string} temporary
 */
function makePassphrase(kit, temporary) {
  if (existsSync(kit.passphrase)) return;
  if (holdsStacks(kit)) {
    throw new SetupError(`${kit.passphrase} is gone, and the secrets in ${kit.state} are encrypted with it`, {
      remedy:
        'Put the file back, or set PULUMI_CONFIG_PASSPHRASE to what it held. Without it the secrets can’t be read any more:\n' +
        `to begin anew, remove the containers and volumes of the stacks (docker) and ${kit.state}.`,
    });
  }
  const made = join(temporary, 'passphrase');
  writeFileSync(made, randomBytes(32).toString('base64url'), { mode: 0o600 });
  chmodSync(made, 0o600); // whatever the umask says
  linkSync(made, kit.passphrase); // fails where there is one by now: it is never overwritten
}

/** @param {Kit} kit */
function holdsStacks(kit) {
  const stacks = join(kit.state, '.pulumi', 'stacks');
  if (!existsSync(stacks)) return false;
  const projects = readdirSync(stacks, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return projects.some(({ name }) => readdirSync(join(stacks, name)).some((file) => file.endsWith('.json')));
}
