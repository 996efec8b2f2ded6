import { $ } from 'zx';
import { engineEnvironment } from '../engine.ts';
import type { Update } from './updates.ts';

/** How many releases of each stack keep their images on the engine. */
export const keptReleases = 5;

/**
 * Removes from the stack's engine the images of releases that nobody goes back to any more, and returns their names.
 * Images that no history here knows are somebody else's, and stay; so do those that a container uses.
 *
 * @param histories the updates of every stack of the backend, each the newest first
 */
export async function removeOldImages(stack: string, histories: readonly (readonly Update[])[]): Promise<string[]> {
  const docker = $({ quiet: true, env: engineEnvironment(stack) });
  const candidates = oldImages(histories);
  if (candidates.length === 0) return [];
  const format = '{{.Repository}}:{{.Tag}}';
  const listed = await docker`docker image ls --format ${format} --filter ${'reference=conversation-kit/*'}`;
  const used = await docker`docker ps --all --no-trunc --format {{.Image}}`;
  const there = new Set(listed.stdout.split('\n'));
  const inUse = new Set(used.stdout.split('\n'));
  const old = candidates.filter((reference) => there.has(reference) && !inUse.has(reference));
  if (old.length > 0) await docker`docker image rm ${old}`;
  return old;
}

/** Images that only releases beyond the newest five of every stack consist of. */
export function oldImages(histories: readonly (readonly Update[])[]): string[] {
  const known = new Set(histories.flatMap((updates) => updates.flatMap(imagesOf)));
  for (const updates of histories) {
    for (const update of newestReleases(updates)) for (const reference of imagesOf(update)) known.delete(reference);
  }
  return [...known].sort();
}

/** The newest update of each of the newest five releases: one that changed nothing is none of its own. */
function newestReleases(updates: readonly Update[]): Update[] {
  const newest = new Map<string, Update>();
  for (const update of updates) {
    const key = JSON.stringify(imagesOf(update));
    if (update.manifest && newest.size < keptReleases && !newest.has(key)) newest.set(key, update);
  }
  return [...newest.values()];
}

function imagesOf({ manifest }: Update): string[] {
  return Object.values(manifest?.images ?? {})
    .map(({ reference }) => reference)
    .sort();
}
