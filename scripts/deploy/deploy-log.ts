import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';

/**
 * How a deploy ended.
 *
 * - `deployed`: the new release serves, and was tested
 * - `unchanged`: there was nothing to do
 * - `declined`: somebody said no to what it would do
 * - `stopped`: it failed before anything was changed
 * - `rolled back`: it failed, and what served before serves again
 * - `not rolled back`: it failed, and needs a person
 * - `interrupted`: somebody ended it, or it was killed
 */
const verdicts = [
  'deployed',
  'unchanged',
  'declined',
  'stopped',
  'rolled back',
  'not rolled back',
  'interrupted',
] as const;
export type Verdict = (typeof verdicts)[number];

const timedStep = z.object({
  name: z.string(),
  milliseconds: z.number(),
  result: z.enum(['done', 'failed']),
});
export type TimedStep = z.output<typeof timedStep>;

const begin = z.object({
  event: z.literal('begin'),
  /** Names the deploy: its time, as in `20260401_093000`, and the process. */
  id: z.string(),
  at: z.iso.datetime(),
  who: z.string(),
  machine: z.string(),
  /** The release that served when it began; null where there was none. */
  from: z.string().nullable(),
  /** HEAD of the checkout; null where that is no git repository. */
  commit: z.string().nullable(),
});
export type DeployBegin = z.output<typeof begin>;

const end = z.object({
  event: z.literal('end'),
  id: z.string(),
  at: z.iso.datetime(),
  verdict: z.enum(verdicts),
  /** The release that serves now, as far as the deploy knows. */
  to: z.string().nullable(),
  reason: z.string().nullable(),
  steps: z.array(timedStep),
});
export type DeployEnd = z.output<typeof end>;

/** A deploy as the log tells it; without an `end` while it runs, or when it was killed. */
export interface LoggedDeploy {
  readonly begin: DeployBegin;
  readonly end: DeployEnd | undefined;
}

export interface DeployLog {
  /** The oldest first. */
  readonly deploys: readonly LoggedDeploy[];
  /** Lines that nobody can read, such as the last one before a power cut. */
  readonly tornLines: number;
}

export const deployLogFile = (stack: string) => join('.kit', 'deploys', `${stack}.jsonl`);

/** Reads a log. What can't be read is counted, and keeps nothing else from being read. */
export function parseDeployLog(text: string): DeployLog {
  const deploys = new Map<string, LoggedDeploy>();
  let tornLines = 0;
  for (const line of text.split('\n').filter((line) => line !== '')) {
    const entry = entryOf(line);
    const known = entry && deploys.get(entry.id);
    if (entry?.event === 'begin') deploys.set(entry.id, { begin: entry, end: known?.end });
    else if (entry && known) deploys.set(entry.id, { ...known, end: entry });
    else tornLines += 1;
  }
  return { deploys: [...deploys.values()], tornLines };
}

function entryOf(line: string): DeployBegin | DeployEnd | undefined {
  try {
    return z.discriminatedUnion('event', [begin, end]).parse(JSON.parse(line));
  } catch {
    return undefined; // the caller counts it
  }
}

/** The log of a stack's deploys from this checkout; empty where there were none. */
export function readDeployLog(stack: string): DeployLog {
  try {
    return parseDeployLog(readFileSync(deployLogFile(stack), 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { deploys: [], tornLines: 0 };
    throw error;
  }
}

/** Adds a line, which is on disk when this returns. A line before it that was torn stays one of its own. */
export function appendToDeployLog(stack: string, entry: DeployBegin | DeployEnd): void {
  const path = deployLogFile(stack);
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, 'a+', 0o600);
  try {
    const isTorn = !['', '\n'].includes(readFileSync(path, 'utf8').slice(-1));
    writeSync(file, `${isTorn ? '\n' : ''}${JSON.stringify(entry)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Why deploys failed though their update came through, by the deploy's id: what they brought should not come back. */
export function failedDeploys({ deploys }: DeployLog): ReadonlyMap<string, string> {
  const failed = deploys.flatMap(({ end }) =>
    end?.verdict === 'rolled back' || end?.verdict === 'not rolled back' ? [[end.id, end.reason ?? ''] as const] : [],
  );
  return new Map(failed);
}

/** Deploys that have begun and not ended. To be asked by who holds the lock: then none of them runs any more. */
export function interruptedDeploys({ deploys }: DeployLog): DeployBegin[] {
  return deploys.flatMap(({ begin, end }) => (end ? [] : [begin]));
}
