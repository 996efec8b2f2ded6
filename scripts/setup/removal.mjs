import { readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';

/**
 * Removes what earlier versions of a tool left: the folders of that prefix, but for the one to keep.
 *
 * @param {string} parent
 * @param {string} prefix
 * @param {string} keep
 */
export function removeOthers(parent, prefix, keep) {
  for (const name of readdirSync(parent)) {
    if (name.startsWith(prefix) && name !== basename(keep))
      rmSync(join(parent, name), { recursive: true, force: true });
  }
}
