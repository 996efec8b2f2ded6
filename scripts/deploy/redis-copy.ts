import { setTimeout as delay } from 'node:timers/promises';
import { $ } from 'zx';
import { type CopyOptions, copyOutput, readInto } from './copy-stream.ts';

/** What Redis says about its snapshots. */
export interface SnapshotState {
  /** How many it has begun since its start. */
  readonly saves: number;
  readonly isSaving: boolean;
  readonly isLastGood: boolean;
}

/** Reads `INFO persistence`. */
export function snapshotState(info: string): SnapshotState {
  const fields = new Map(info.split(/\r?\n/).map((line) => [line.split(':')[0], line.split(':')[1]]));
  return {
    saves: Number(fields.get('rdb_saves')),
    isSaving: fields.get('rdb_bgsave_in_progress') === '1',
    isLastGood: fields.get('rdb_last_bgsave_status') === 'ok',
  };
}

const patience = 10 * 60_000;

/** Has Redis write a snapshot of now, and copies it out of the container. */
export async function copyRedis(container: string, path: string, options: CopyOptions): Promise<void> {
  await takeSnapshot(container, options);
  await copyOutput(['docker', 'exec', container, 'cat', '/data/dump.rdb'], path, options);
  await readInto(['docker', 'exec', '-i', container, 'redis-check-rdb', '/dev/stdin'], path, options);
}

/** A snapshot that is already being written began before now: that one is waited for, and another one asked for. */
async function takeSnapshot(container: string, { env, signal }: CopyOptions): Promise<void> {
  const quiet = $({ quiet: true, env });
  const state = async () => snapshotState((await quiet`docker exec ${container} redis-admin INFO persistence`).stdout);
  const deadline = Date.now() + patience;
  const until = async (is: (state: SnapshotState) => boolean) => {
    for (;;) {
      const now = await state();
      if (is(now)) return now;
      if (Date.now() > deadline)
        throw new Error(`Redis has not written a snapshot within ${patience / 60_000} minutes`);
      await delay(100, undefined, { signal });
    }
  };
  for (;;) {
    const before = await until(({ isSaving }) => !isSaving);
    // SCHEDULE: behind a rewrite of the append-only file, where one is under way.
    const asked = await quiet`docker exec ${container} redis-admin BGSAVE SCHEDULE`;
    if (asked.stdout.includes('already in progress')) continue; // it began one by itself in between
    const after = await until(({ saves, isSaving }) => saves > before.saves && !isSaving);
    if (after.isLastGood) return;
    throw new Error(`Redis could not write a snapshot. What says why: docker logs ${container}`);
  }
}
