import { hostname, userInfo } from 'node:os';
import { $ } from 'zx';
import { findDrift } from '../drift/find-drift.ts';
import { prepareStack } from '../prepare-stack.ts';
import { pulumiPreview, pulumiUp, showPulumiPreview } from '../pulumi-update.ts';
import { removeOldReleases } from '../releases/retention.ts';
import type { Update } from '../releases/updates.ts';
import { announce, reasons, table } from '../report.ts';
import { Interrupted } from '../setup/setup-error.mjs';
import { showSmokeTest } from '../smoke/report.ts';
import { stackOutputs } from '../stack.ts';
import { UpdateUnderWay } from '../stale-lock.ts';
import { rollBackTo, updateBefore } from './automatic-rollback.ts';
import { changesOf, changeTable } from './changes.ts';
import { confirmed } from './confirmation.ts';
import { type DeployLock, lockDeploys } from './deploy-lock.ts';
import {
  appendToDeployLog,
  type DeployBegin,
  type DeployEnd,
  interruptedDeploys,
  readDeployLog,
} from './deploy-log.ts';
import { type Hook, type HookFacts, runHook, runLastHook } from './hooks.ts';
import { lastUpdateChangedSomething } from './last-update.ts';
import { preflight } from './preflight.ts';
import { keepSafetyCopies, removeHalfWritten } from './safety-copies.ts';
import { TimedSteps } from './timed-steps.ts';
import { timestamp } from './timestamp.ts';

export interface DeployOptions {
  readonly stack: string;
  /** Goes on without asking. */
  readonly yes: boolean;
  /** Shows every property that would change. */
  readonly diff: boolean;
  /** Without a copy of the database. */
  readonly withoutDump: boolean;
  readonly smoke: 'without restarts' | 'with restarts' | 'none';
  /** Interrupts the deploy. */
  readonly signal: AbortSignal;
}

export interface DeployResult {
  readonly begin: DeployBegin;
  readonly end: DeployEnd;
  readonly steps: TimedSteps;
  /** Folder of the safety copies, where there are any. */
  readonly copies: string | undefined;
}

/** What a deploy has come to when it ends without an error. */
type Ending = Pick<DeployEnd, 'verdict' | 'to'> & { readonly reason?: string };

/**
 * One update of a stack with all that makes it safe, and a log of it. Throws only where there is nothing to log: another
 * deploy runs.
 */
export async function deploy(options: DeployOptions): Promise<DeployResult> {
  const { stack, signal } = options;
  const lock = await lockDeploys(stack, signal);
  try {
    await cleanUp(stack);
    await prepareStack(stack);
    const before = await liveBefore(stack);
    const begin = await beginning(stack, before.update);
    appendToDeployLog(stack, begin);
    const run = new DeployRun(options, lock, begin, before);
    const ending = await run.walk();
    const end: DeployEnd = {
      event: 'end',
      id: begin.id,
      at: new Date().toISOString(),
      reason: null,
      steps: run.steps.taken,
      ...ending,
    };
    try {
      appendToDeployLog(stack, end);
    } catch (error) {
      // What was deployed is deployed.
      console.error(`The end of this deploy is missing in its log: ${reasons(error)}`);
    }
    await run.tell(end);
    return { begin, end, steps: run.steps, copies: run.copies };
  } finally {
    lock.release();
  }
}

interface Before {
  readonly update: Update | undefined;
  /** Why there is none to roll back to. */
  readonly reason: string | undefined;
}

class DeployRun {
  readonly steps: TimedSteps;
  copies: string | undefined;
  readonly #options: DeployOptions;
  readonly #lock: DeployLock;
  readonly #begin: DeployBegin;
  readonly #before: Before;
  readonly #started = performance.now();

  constructor(options: DeployOptions, lock: DeployLock, begin: DeployBegin, before: Before) {
    this.#options = options;
    this.#lock = lock;
    this.#begin = begin;
    this.#before = before;
    this.steps = new TimedSteps(options.signal);
  }

  async walk(): Promise<Ending> {
    const { from } = this.#begin;
    try {
      const plan = await this.#plan();
      if (plan === 'declined') return { verdict: 'declined', to: from };
      if (plan === 'nothing to do') {
        await this.#smoke();
        return { verdict: 'unchanged', to: from };
      }
      await this.#prepare();
    } catch (error) {
      return this.#stopped(error, { verdict: 'stopped', to: from });
    }
    try {
      const { stack, signal } = this.#options;
      const message = `deploy ${this.#begin.id} by ${this.#begin.who}`;
      await this.steps.run('Update', () => pulumiUp(stack, { signal, message, holding: this.#lock.file }));
    } catch (error) {
      const ended = this.#interruption(error);
      if (ended) return ended;
      if (error instanceof UpdateUnderWay || !(await lastUpdateChangedSomething(this.#options.stack)))
        return this.#stopped(error, { verdict: 'stopped', to: from });
      return this.#rollBack(error);
    }
    try {
      await this.#smoke();
      await removeOldReleases(this.#options.stack);
      return { verdict: 'deployed', to: (await stackOutputs(this.#options.stack)).releaseId };
    } catch (error) {
      return this.#interruption(error) ?? this.#rollBack(error);
    }
  }

  /** Tells the hooks how it ended. */
  async tell({ verdict, to, reason }: DeployEnd): Promise<void> {
    const hooks: Hook[] = [];
    if (verdict === 'deployed') hooks.push('after-deploy');
    if (['stopped', 'rolled back', 'not rolled back', 'interrupted'].includes(verdict)) hooks.push('deploy-failed');
    if (verdict === 'rolled back') hooks.push('after-rollback');
    for (const hook of hooks) await runLastHook(hook, this.#facts({ verdict, to, reason }));
  }

  /** What would be done, shown and confirmed. */
  async #plan(): Promise<'confirmed' | 'declined' | 'nothing to do'> {
    const { stack, yes, diff, signal } = this.#options;
    await this.steps.run('Preflight', () => preflight(stack));
    const drift =
      this.#begin.from === null
        ? undefined
        : await this.steps.run('Drift', async () => {
            const drift = await findDrift(stack, { signal });
            const rows = drift.differences.map(({ thing, what, remedy }) => [thing, what, `the deploy ${remedy}`]);
            console.error(rows.length === 0 ? '  nothing was changed by hand' : table([], rows));
            for (const line of drift.unseen) console.error(`  not looked at: ${line}`);
            return drift;
          });
    const changes = await this.steps.run('Preview', async () => {
      const changes = changesOf(await pulumiPreview(stack, { signal }));
      console.error(changes.length === 0 ? '  nothing to change' : changeTable(changes));
      if (diff) await showPulumiPreview(stack, { signal });
      return changes;
    });
    const repairs = drift?.differences.length ?? 0;
    if (changes.length === 0 && repairs === 0) return 'nothing to do';
    if (yes) return 'confirmed';
    const repair = repairs > 0 ? ' and repair what was changed by hand' : '';
    const isConfirmed = await confirmed(`Deploy this to stack ${stack}${repair}?`, signal);
    return isConfirmed ? 'confirmed' : 'declined';
  }

  /** What has to be at hand before anything is changed. */
  async #prepare(): Promise<void> {
    const { stack, withoutDump, signal } = this.#options;
    if (this.#begin.from !== null) {
      this.copies = await this.steps.run('Safety copies', async () => {
        const outputs = await stackOutputs(stack);
        const folder = await keepSafetyCopies({ stack, outputs, deploy: this.#begin.id, withoutDump, signal });
        console.error(`  ${withoutDump ? 'Redis only' : 'PostgreSQL and Redis'}: ${folder}`);
        return folder;
      });
    }
    signal.throwIfAborted();
    await runHook('before-deploy', this.#facts({ verdict: 'begun', to: null, reason: null }), signal);
  }

  async #smoke(): Promise<void> {
    const { stack, smoke, signal } = this.#options;
    if (smoke === 'none') return;
    await this.steps.run('Smoke tests', async () => {
      const restarts = smoke === 'with restarts';
      const { broken } = await showSmokeTest(await stackOutputs(stack), { restarts, signal });
      if (broken) throw new Error(`the smoke tests failed: ${broken.step}: ${broken.reason}`);
    });
  }

  async #rollBack(failure: unknown): Promise<Ending> {
    const { stack } = this.#options;
    const { update, reason } = this.#before;
    const failed = reasons(failure);
    announce(`Failed: ${failed}`);
    try {
      if (!update) throw new Error(reason ?? 'there is no update before it that succeeded and has a manifest');
      // Not with our signal: half a rollback is worse than one that takes a moment more.
      const steps = new TimedSteps(new AbortController().signal);
      const to = await steps
        .run(`Rollback to release ${update.manifest?.release}`, () => rollBackTo(stack, update, this.#lock.file))
        .finally(() => this.steps.taken.push(...steps.taken));
      return { verdict: 'rolled back', to, reason: failed };
    } catch (error) {
      return { verdict: 'not rolled back', to: null, reason: `${failed}\nNot rolled back: ${reasons(error)}` };
    }
  }

  #stopped(error: unknown, ending: Ending): Ending {
    return this.#interruption(error) ?? { ...ending, reason: reasons(error) };
  }

  #interruption(error: unknown): Ending | undefined {
    const { signal } = this.#options;
    const interrupted = signal.aborted ? signal.reason : error;
    if (!(interrupted instanceof Interrupted)) return undefined;
    return { verdict: 'interrupted', to: null, reason: interrupted.message };
  }

  #facts({ verdict, to, reason }: Pick<DeployEnd, 'to' | 'reason'> & { verdict: string }): HookFacts {
    const { id, who, machine, from, commit } = this.#begin;
    return {
      stack: this.#options.stack,
      deploy: id,
      who,
      machine,
      from: from ?? '',
      to: to ?? '',
      commit: commit ?? '',
      verdict,
      reason: reason ?? '',
      seconds: ((performance.now() - this.#started) / 1000).toFixed(1),
    };
  }
}

/** What earlier deploys that were killed have left: nobody else is at work now. */
async function cleanUp(stack: string): Promise<void> {
  for (const { id, who, at } of interruptedDeploys(readDeployLog(stack))) {
    appendToDeployLog(stack, {
      event: 'end',
      id,
      at: new Date().toISOString(),
      verdict: 'interrupted',
      to: null,
      reason: 'it was killed',
      steps: [],
    });
    console.error(
      `Deploy ${id} (${who}, ${at}) was killed midway: the log says so now, and this one goes on from there.`,
    );
  }
  if (await removeHalfWritten(stack)) console.error('Its half-written safety copy is taken away.');
}

async function liveBefore(stack: string): Promise<Before> {
  try {
    return { update: await updateBefore(stack), reason: undefined };
  } catch (error) {
    const reason = reasons(error);
    console.error(`This deploy could not be rolled back by itself: ${reason}`);
    return { update: undefined, reason };
  }
}

async function beginning(stack: string, before: Update | undefined): Promise<DeployBegin> {
  const at = new Date();
  const quiet = $({ quiet: true, nothrow: true });
  const [serving, head] = await Promise.all([
    quiet`pulumi stack output releaseId -s ${stack}`,
    quiet`git rev-parse HEAD`,
  ]);
  return {
    event: 'begin',
    id: `${timestamp(at)}-${process.pid}`,
    at: at.toISOString(),
    who: process.env.SUDO_USER ?? userInfo().username,
    machine: hostname(),
    from: before?.manifest?.release ?? (serving.exitCode === 0 ? serving.stdout.trim() || null : null),
    commit: head.exitCode === 0 ? head.stdout.trim() : null,
  };
}
