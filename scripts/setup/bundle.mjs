import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './setup-error.mjs';

/** @import { Kit } from './kit.mjs' */

/**
 * What a checkout was installed from, where that was a bundle (scripts/bundle): then there is no network to be hoped for.
 *
 * @typedef {object} InstalledBundle
 * @property {string} version
 * @property {string} commit
 * @property {{ source: string, list: readonly { reference: string, id: string }[] }} images
 * @property {{ distribution: string, files: readonly string[] } | undefined} packages
 */

/**
 * @param {Kit} kit
 * @returns {InstalledBundle | undefined} undefined in any other checkout
 */
export function installedBundle(kit) {
  const manifest = join(bundleFolder(kit), 'manifest.json');
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')) : undefined;
}

/**
 * Where a bundle leaves what set-up takes from it: the manifest, the images, Debian packages.
 *
 * @param {Kit} kit
 */
export function bundleFolder(kit) {
  return join(kit.directory, 'bundle');
}

/**
 * Throws where the network would have to deliver what the bundle has not brought.
 *
 * @param {Kit} kit
 * @param {string} what
 */
export function demandNetwork(kit, what) {
  const bundle = installedBundle(kit);
  if (!bundle) return;
  throw new SetupError(
    `It is not in the bundle that this was installed from (${bundle.version}, ${bundle.commit.slice(0, 12)}): ${what} would be needed`,
    {
      remedy:
        'Make a bundle of this very program on a machine with internet (npm run bundle), and install it over this one.\n' +
        `Where this machine does reach the internet: rm -r ${bundleFolder(kit)}, then the same command again.`,
    },
  );
}

/**
 * Throws where an installation of a bundle was interrupted while it put things in their places.
 *
 * @param {Kit} kit
 */
export function demandWholeInstallation(kit) {
  if (!existsSync(join(kit.directory, 'incoming', 'placing'))) return;
  throw new SetupError(`The installation of a bundle in ${kit.root} was interrupted`, {
    remedy: `Finish it: sh <the bundle> ${kit.root}`,
  });
}
