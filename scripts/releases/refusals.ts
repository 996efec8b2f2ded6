import { isDeepStrictEqual } from 'node:util';
import { isSecret } from './stack-configuration.ts';
import { liveUpdate, type Update } from './updates.ts';

/**
 * Why an update can't be gone back to, as far as the history tells, each with what can be done; empty where it can.
 * Whether its images and its program are still there is for `redeploy` to see.
 *
 * @param updates all of the stack's, the newest first
 */
export function refusals(update: Update, updates: readonly Update[]): string[] {
  if (update.damage) return [`the backend's files of it can't be relied on: ${update.damage}. Take another release`];
  if (update.kind === 'destroy') return ['it took the stack down: there is nothing in it to go back to'];
  if (update.result !== 'succeeded') return ['it did not succeed: take one that did'];
  if (!update.manifest) {
    return ['it says nothing of its program and images: it is from before releases had a manifest. Deploy its commit'];
  }
  const { snapshot } = update.manifest.program;
  return [
    ...(isLive(update, updates) ? ['it is live'] : []),
    ...(snapshot === null ? ['its program was not kept: there was no git repository. Deploy it from where it is'] : []),
    ...contractsSince(update, updates),
    ...elsewhere(update, updates),
    ...otherEncryption(update, updates),
  ];
}

/** Whether what runs is what that update deployed: not known while a later one failed or ended midway. */
export function isLive(update: Update, updates: readonly Update[]): boolean {
  const live = liveUpdate(updates);
  return live !== undefined && live === updates[0] && isSameRelease(update, live);
}

/** Whether two updates deployed the same: program, configuration, images. */
export function isSameRelease(left: Update, right: Update): boolean {
  return (
    isDeepStrictEqual(left.manifest?.program, right.manifest?.program) &&
    isDeepStrictEqual(left.manifest?.images, right.manifest?.images) &&
    isDeepStrictEqual(left.config.values, right.config.values)
  );
}

/** Migrations after it that took away what it uses. */
function contractsSince(update: Update, updates: readonly Update[]): string[] {
  const applied = Object.assign({}, ...updates.map(({ contracts }) => contracts).reverse());
  return Object.entries<string>(applied)
    .filter(([name]) => !(name in update.contracts))
    .map(
      ([name, reason]) =>
        `migration ${name} took away what it uses (${reason}), and migrations are never undone: repair what is wrong ` +
        'in a new release, or restore a backup from before that migration',
    );
}

/** A configuration that names another place would leave the data where it is, and begin anew elsewhere. */
function elsewhere(update: Update, updates: readonly Update[]): string[] {
  const now = updates.find(({ manifest }) => manifest);
  if (!now) return [];
  const engine = ({ config }: Update) => config.values['conversation-kit:dockerHost'];
  const places = [
    { key: 'namespace', before: update.namespace, now: now.namespace },
    { key: 'dockerHost', before: engine(update), now: engine(now) },
    { key: 'supabase', before: update.record, now: now.record },
  ];
  return places
    .filter(({ key, before, now }) => before !== now && !(key === 'supabase' && now === undefined))
    .map(
      ({ key, before, now }) =>
        `its data was elsewhere (${key}: ${before ?? 'not set'}, now ${now ?? 'not set'}): a rollback moves no data. ` +
        'Move it first, or deploy its commit with the configuration of today',
    );
}

function otherEncryption(update: Update, updates: readonly Update[]): string[] {
  const now = updates.find(({ config }) => Object.keys(config.encryption).length > 0);
  if (!now || !Object.values(update.config.values).some(isSecret)) return [];
  if (isDeepStrictEqual(update.config.encryption, now.config.encryption)) return [];
  return [
    'the secrets in its configuration are encrypted with a passphrase or key that is not the stack’s any more: ' +
      'deploy its commit, and set them again',
  ];
}
