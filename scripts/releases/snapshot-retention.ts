import { statSync } from 'node:fs';
import { git, gitText, snapshotRefs } from './repository.ts';
import type { Update } from './updates.ts';

/** How many releases of each stack keep their program. */
const keptPrograms = 20;
/** What a history here does not know may be that of another backend, or of an update under way. */
const keptDays = 30;

/**
 * Lets go of the programs of old releases, so that git may collect them, and returns their snapshots. Nothing outside of
 * `refs/conversation-kit/releases` is touched.
 */
export async function removeOldSnapshots(histories: readonly (readonly Update[])[]): Promise<string[]> {
  const listed = await git(['for-each-ref', '--format=%(objectname)', snapshotRefs]);
  if (listed.exitCode !== 0) return []; // no git, or no repository: nothing was ever kept
  const snapshots = listed.stdout.split('\n').filter((line) => line !== '');
  const written = new Map<string, Date>();
  for (const snapshot of snapshots) written.set(snapshot, await writtenAt(snapshot));
  const old = oldSnapshots(written, histories, new Date());
  for (const snapshot of old) await gitText(['update-ref', '-d', `${snapshotRefs}/${snapshot}`, snapshot]);
  return old;
}

/** When a snapshot was first kept; the beginning of time where git has packed that away. */
async function writtenAt(snapshot: string): Promise<Date> {
  const file = await gitText(['rev-parse', '--git-path', `${snapshotRefs}/${snapshot}`]);
  return statSync(file, { throwIfNoEntry: false })?.mtime ?? new Date(0);
}

/** Those that none of the newest twenty releases of a stack consists of, and that are older than a month. */
export function oldSnapshots(
  written: ReadonlyMap<string, Date>,
  histories: readonly (readonly Update[])[],
  now: Date,
): string[] {
  const needed = new Set(histories.flatMap(newestSnapshots));
  const limit = now.getTime() - keptDays * 86_400_000;
  return [...written].flatMap(([snapshot, at]) => (needed.has(snapshot) || at.getTime() > limit ? [] : [snapshot]));
}

function newestSnapshots(updates: readonly Update[]): string[] {
  const all = updates.flatMap(({ manifest }) => manifest?.program.snapshot ?? []);
  return [...new Set(all)].slice(0, keptPrograms);
}
