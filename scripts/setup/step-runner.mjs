import { accessSync, appendFileSync, constants, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { demandNetwork } from './bundle.mjs';
import { runTool } from './child-process.mjs';
import { demandDiskSpace } from './disk-space.mjs';
import { kitEnvironment } from './environment.mjs';
import { acquireLock } from './lock.mjs';
import { SetupError } from './setup-error.mjs';

/**
 * @import { Kit } from './kit.mjs'
 * @import { Progress } from './progress.mjs'
 * @import { DiskNeed } from './disk-space.mjs'
 */

/**
 * One thing that set-up puts in place.
 *
 * @typedef {object} Step
 * @property {string} name
 * @property {string} about  what it does, for the person who waits
 * @property {string} [fetches]  what it gets over the network, for the person whose machine has none
 * @property {readonly string[]} [after]  names of the steps, earlier in the list, that it builds on
 * @property {(kit: Kit) => Promise<string | undefined> | string | undefined} check
 *   Looks, quickly and for real, whether it is in place: what is there, in a few words; undefined where it has to run.
 * @property {(kit: Kit, job: Job) => Promise<void>} run  Puts it in place. Can be run again after ending anywhere.
 * @property {(kit: Kit) => readonly DiskNeed[]} [disk]  what it takes, at most
 */

/**
 * What a running step works with.
 *
 * @typedef {object} Job
 * @property {string} log  its log file
 * @property {AbortSignal} signal
 * @property {(text: string) => void} say  tells the person what they must know, such as a fallback
 * @property {(command: string, args: readonly string[], options?: ToolSettings) => Promise<void>} tool
 *   runs a tool with the kit's environment in the checkout; see runTool
 * @property {() => string} temporaryFolder  a new one, gone when the step ends; rename what was made out of it
 */

/** @typedef {{ env?: NodeJS.ProcessEnv, cwd?: string, timeout?: number, stopSignal?: NodeJS.Signals, grace?: number }} ToolSettings */

/** A step that failed; `cause` is why. */
export class StepFailed extends Error {
  /** @override */
  name = 'StepFailed';

  /**
   * @param {string} step
   * @param {string} log
   * @param {unknown} cause
   */
  constructor(step, log, cause) {
    super(`${step} failed`, { cause });
    this.step = step;
    this.log = log;
  }
}

/**
 * Sees to it that all steps are done: runs those that are not, as many at once as their order allows. Returns, per
 * step, what is in place. When one fails, the others are stopped; rejects with a {@link StepFailed}, or with the
 * signal's reason.
 *
 * @param {readonly Step[]} steps
 * @param {{ kit: Kit, progress: Progress, signal: AbortSignal, command: string }} options
 * @returns {Promise<Map<string, string>>}
 */
export async function ensureSteps(steps, { kit, progress, signal, command }) {
  const found = await checkSteps(steps, kit);
  if (found.size === steps.length) return found;

  makeFolder(kit);
  const lock = await acquireLock(kit.lock, {
    command,
    signal,
    onWait: (holder) =>
      progress.note(
        holder
          ? `Waiting for "${holder.command}" (process ${holder.pid}, since ${holder.since}), which sets up the same checkout.`
          : 'Waiting for another process, which sets up the same checkout.',
      ),
  });
  try {
    // What a killed run left: nobody else is at work now.
    rmSync(kit.temporary, { recursive: true, force: true });
    for (const folder of [kit.logs, kit.temporary, kit.toolchain]) mkdirSync(folder, { recursive: true });
    return await runMissing(steps, await checkSteps(steps, kit), { kit, progress, signal });
  } finally {
    rmSync(kit.temporary, { recursive: true, force: true });
    lock.release();
  }
}

/** @param {Kit} kit */
function makeFolder({ root, directory }) {
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.W_OK);
  } catch (cause) {
    throw new SetupError(`The folder ${directory} can't be written to`, {
      remedy: `It belongs to somebody else, perhaps because of an earlier run with sudo: sudo chown -R "$(id -u):$(id -g)" ${root}`,
      cause,
    });
  }
}

/**
 * All at once; a step is not looked at as long as one that it builds on is missing.
 *
 * @param {readonly Step[]} steps
 * @param {Kit} kit
 * @returns {Promise<Map<string, string>>} what is in place
 */
async function checkSteps(steps, kit) {
  /** @type {Map<string, Promise<string | undefined>>} */
  const checks = new Map();
  for (const step of steps) {
    const before = Promise.all((step.after ?? []).map((name) => demand(checks, name, step)));
    checks.set(
      step.name,
      before.then((words) => (words.includes(undefined) ? undefined : step.check(kit))),
    );
  }
  const words = await Promise.all(checks.values());
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const [index, { name }] of steps.entries()) {
    const there = words[index];
    if (there !== undefined) found.set(name, there);
  }
  return found;
}

/**
 * @param {readonly Step[]} steps
 * @param {Map<string, string>} found
 * @param {{ kit: Kit, progress: Progress, signal: AbortSignal }} options
 */
async function runMissing(steps, found, { kit, progress, signal }) {
  const missing = steps.filter(({ name }) => !found.has(name));
  demandDiskSpace(missing.flatMap((step) => step.disk?.(kit) ?? []));

  const failure = new AbortController();
  const stop = () => failure.abort(signal.reason);
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  /** @type {Map<string, Promise<void>>} */
  const runs = new Map(steps.filter(({ name }) => found.has(name)).map(({ name }) => [name, Promise.resolve()]));
  try {
    for (const [index, step] of missing.entries()) {
      const position = `${index + 1}/${missing.length}`;
      const before = (step.after ?? []).map((name) => demand(runs, name, step));
      const run = Promise.all(before)
        .then(() => runStep(step, position, { kit, progress, signal: failure.signal }))
        .then((words) => void found.set(step.name, words));
      run.catch((error) => failure.abort(error));
      runs.set(step.name, run);
    }
    await Promise.allSettled(runs.values());
    if (failure.signal.aborted) throw failure.signal.reason;
    return new Map(steps.map(({ name }) => [name, found.get(name) ?? '']));
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/**
 * @param {Step} step
 * @param {string} position
 * @param {{ kit: Kit, progress: Progress, signal: AbortSignal }} options
 * @returns {Promise<string>} what is in place now
 */
async function runStep(step, position, { kit, progress, signal }) {
  signal.throwIfAborted();
  const log = join(kit.logs, `${step.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}.log`);
  rmSync(log, { force: true });
  // It may be in place by now: what it builds on was missing when everything was looked at.
  const already = step.after?.length ? await step.check(kit) : undefined;
  if (already !== undefined) {
    progress.found(step.name, position, already);
    return already;
  }
  /** @type {string[]} */
  const folders = [];
  progress.started(step.name, position, step.about);
  try {
    if (step.fetches) demandNetwork(kit, step.fetches);
    await step.run(kit, {
      log,
      signal,
      say(text) {
        appendFileSync(log, `! ${text}\n`);
        progress.said(step.name, text);
      },
      tool: (command, args, settings = {}) =>
        runTool(command, args, {
          env: kitEnvironment(kit),
          cwd: kit.root,
          ...settings,
          log,
          signal,
          onLine: (line) => progress.line(step.name, line),
        }),
      temporaryFolder() {
        const folder = mkdtempSync(join(kit.temporary, 'step-'));
        folders.push(folder);
        return folder;
      },
    });
    const words = await step.check(kit);
    if (words === undefined) throw new Error('its tools had no complaint, and still it is not in place');
    progress.finished(step.name, words);
    return words;
  } catch (error) {
    progress.ended(step.name, signal.aborted ? 'stopped' : 'failed');
    if (signal.aborted) throw signal.reason; // it was stopped because of that
    throw new StepFailed(step.name, log, error);
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @template T
 * @param {Map<string, T>} steps
 * @param {string} name
 * @param {Step} wanting
 * @returns {T}
 */
function demand(steps, name, wanting) {
  const step = steps.get(name);
  if (step === undefined) throw new TypeError(`step ${wanting.name} builds on ${name}, which is not before it`);
  return step;
}
