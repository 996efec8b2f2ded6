import { table } from '../report.ts';
import { isLive, refusals } from './refusals.ts';
import { changeLines, type ReleaseChanges, releaseChanges } from './release-changes.ts';
import { type ListedImage, listImages, missingImages } from './release-images.ts';
import { subjectsBetween } from './repository.ts';
import type { Update } from './updates.ts';

/** An update as people choose among them. */
export interface ListedRelease {
  readonly number: number;
  readonly at: string;
  readonly message: string;
  readonly release: string | null;
  readonly commit: string | null;
  readonly schemaHead: string | null;
  readonly live: boolean;
  /** Why it can't be gone back to, each with what can be done; empty where it can, and for the live one. */
  readonly refusals: readonly string[];
  /** Why the deploy that brought it failed, where one did: it was rolled back, or needed a person. */
  readonly failure: string | null;
  /** What it brought; null where that can't be told. */
  readonly changes: ReleaseChanges | null;
}

/** How many are shown. */
const shown = 20;

/**
 * The newest updates, each with what it brought and whether it can be gone back to.
 *
 * @param failedDeploys by id, why they failed
 */
export async function listReleases(
  updates: readonly Update[],
  failedDeploys: ReadonlyMap<string, string>,
): Promise<ListedRelease[]> {
  const engines = new Map<string, Promise<ListedImage[] | string>>();
  const listed: ListedRelease[] = [];
  for (const [index, update] of updates.slice(0, shown).entries()) {
    const live = isLive(update, updates);
    const before = updates.slice(index + 1).find(({ manifest }) => manifest);
    const reasons = live ? [] : refusals(update, updates);
    if (reasons.length === 0 && update.manifest && !live) {
      const engine = JSON.stringify(update.config.values['conversation-kit:dockerHost'] ?? null);
      const images = engines.get(engine) ?? listImages(update).catch((error: Error) => error.message);
      engines.set(engine, images);
      const there = await images;
      reasons.push(...(typeof there === 'string' ? [there] : missingImages(update.manifest, there)));
    }
    listed.push({
      number: update.number,
      at: update.at.toISOString(),
      message: update.message,
      release: update.manifest?.release ?? null,
      commit: update.manifest?.program.commit ?? null,
      schemaHead: update.manifest?.schemaHead ?? null,
      live,
      refusals: reasons,
      failure: failureOf(update, failedDeploys) ?? null,
      changes: update.manifest && before ? await changesSince(before, update) : null,
    });
  }
  return listed;
}

/** Why the deploy that made the update failed; undefined where none did. */
export function failureOf({ message }: Update, failedDeploys: ReadonlyMap<string, string>): string | undefined {
  return failedDeploys.get(/^deploy (\S+)/.exec(message)?.[1] ?? '');
}

export async function changesSince(before: Update, after: Update): Promise<ReleaseChanges> {
  const [from, to] = [before.manifest?.program.commit, after.manifest?.program.commit];
  const subjects = from && to && from !== to ? await subjectsBetween(from, to) : [];
  return releaseChanges(before, after, subjects);
}

export function releaseTable(releases: readonly ListedRelease[]): string {
  const rows = releases.map((one) => [
    String(one.number),
    one.at.slice(0, 16).replace('T', ' '),
    one.release ?? '–',
    one.commit?.slice(0, 10) ?? '–',
    one.schemaHead ?? '–',
    whetherToGoBack(one),
    wrapped([
      one.message,
      ...(one.changes ? changeLines(one.changes) : []),
      ...(one.failure === null ? [] : [`✗ it failed: ${one.failure.split('\n')[0]}`]),
      ...one.refusals.map((why) => `✗ ${why}`),
    ]),
  ]);
  return table(['#', 'when (UTC)', 'release', 'commit', 'schema', 'go back', 'what it brought'], rows);
}

function whetherToGoBack({ live, refusals, failure }: ListedRelease): string {
  if (live) return 'live';
  if (refusals.length > 0) return 'no';
  return failure === null ? 'yes' : 'failed';
}

/** Lines of at most this many characters, so that the table keeps its columns. */
const width = 100;

function wrapped(lines: readonly string[]): string {
  return lines
    .flatMap((line) => line.split('\n'))
    .flatMap((line) => line.match(new RegExp(`.{1,${width}}(?:\\s|$)|.{${width}}`, 'g')) ?? [])
    .map((line) => line.trimEnd())
    .join('\n');
}
