import { isDeepStrictEqual } from 'node:util';
import { isSecret } from './stack-configuration.ts';
import type { Update } from './updates.ts';

/** What an update brought, compared with the release before it. */
export interface ReleaseChanges {
  /** Subjects of its commits, the newest first; a line of its own says what had no commit. */
  readonly program: readonly string[];
  /** Keys that were set, changed or removed; of what is not secret with its values. */
  readonly config: readonly string[];
  /** Roles with another image. */
  readonly images: readonly string[];
  /** Names of the migrations that it applied. */
  readonly migrations: readonly string[];
}

/**
 * Compares two releases.
 *
 * @param subjects of the commits between their programs
 */
export function releaseChanges(before: Update, after: Update, subjects: readonly string[]): ReleaseChanges {
  const [old, now] = [before.manifest, after.manifest];
  return {
    program: programChanges(before, after, subjects),
    config: configChanges(before, after),
    images: rolesOf(old?.images, now?.images).filter((role) => old?.images[role]?.id !== now?.images[role]?.id),
    migrations: after.migrations.filter((name) => !before.migrations.includes(name)),
  };
}

function programChanges(before: Update, after: Update, subjects: readonly string[]): string[] {
  const [old, now] = [before.manifest?.program, after.manifest?.program];
  if (!now || isDeepStrictEqual(old, now)) return [];
  if (now.snapshot === null) return ['not known: it was not kept'];
  const isBack = now.commit !== old?.commit && subjects.length === 0;
  return [
    ...(isBack ? [`back to commit ${now.commit?.slice(0, 10)}`] : []),
    ...(now.clean ? [] : ['changes without a commit']),
    ...(now.clean && old?.clean === false && now.commit === old.commit
      ? ['without the changes that had no commit']
      : []),
    ...subjects,
  ];
}

function configChanges({ config: before }: Update, { config: after }: Update): string[] {
  const keys = rolesOf(before.values, after.values);
  return keys.flatMap((key) => {
    const [old, now] = [before.values[key], after.values[key]];
    if (isDeepStrictEqual(old, now)) return [];
    const name = key.replace(/^conversation-kit:/, '');
    if (isSecret(old) || isSecret(now)) return [`${name} (secret)`];
    const shown = (value: unknown) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? 'not set'));
    return [`${name}: ${shown(old)} → ${shown(now)}`];
  });
}

function rolesOf(left: object = {}, right: object = {}): string[] {
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].sort();
}

/** The newest few, and how many more there are. */
function shortened(subjects: readonly string[]): string[] {
  const most = 4;
  return subjects.length <= most ? [...subjects] : [...subjects.slice(0, most), `and ${subjects.length - most} more`];
}

/** In a line each; none where nothing changed. */
export function changeLines({ program, config, images, migrations }: ReleaseChanges): string[] {
  const line = (what: string, things: readonly string[]) =>
    things.length > 0 ? [`${what}: ${things.join('; ')}`] : [];
  return [
    ...line('program', shortened(program)),
    ...line('configuration', config),
    ...line('images', images),
    ...line('migrations', migrations),
  ];
}
