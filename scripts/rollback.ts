import { hostname, userInfo } from 'node:os';
import { commandArguments, exitCode, misused } from './arguments.ts';
import { changesOf, changeTable } from './deploy/changes.ts';
import { confirmed } from './deploy/confirmation.ts';
import { lockDeploys } from './deploy/deploy-lock.ts';
import { failedDeploys, readDeployLog } from './deploy/deploy-log.ts';
import { runLastHook } from './deploy/hooks.ts';
import { timestamp } from './deploy/timestamp.ts';
import type { PreviewedStep } from './pulumi-update.ts';
import { redeploy } from './releases/redeploy.ts';
import { changeLines } from './releases/release-changes.ts';
import { changesSince, failureOf, type ListedRelease, listReleases, releaseTable } from './releases/release-list.ts';
import { removeOldReleases } from './releases/retention.ts';
import { liveUpdate, readUpdates, type Update } from './releases/updates.ts';
import { announce, fail } from './report.ts';
import { exitCodeOf, interruption } from './setup/child-process.mjs';
import { duration } from './setup/duration.mjs';
import { Interrupted } from './setup/setup-error.mjs';
import { showSmokeTest } from './smoke/report.ts';
import { stackExists, stackOutputs } from './stack.ts';

const usage = `npm run rollback -- [options]

Without --to: lists the releases of a stack, what each brought, and which of them can be gone back to.
With it: deploys program, configuration and images of that update again, and tests them without interrupting anybody.
Nothing is built or pulled. Data and migrations stay as they are. docs/rollback.md

  --stack <name>  local (default), ryzen, optiplex, or one of your own
  --to <number>   the update to go back to, by its number in the list
  --yes           go on without asking
  --no-smoke      leave the smoke tests out
  --json          print the result as JSON on standard output
  --help

Exit: 0 listed, rolled back, or declined; 1 failed or refused; 2 misused; 130 interrupted.`;

interface Options {
  readonly stack: string;
  readonly yes: boolean;
  readonly json: boolean;
  readonly smoke: boolean;
}

async function main(): Promise<number> {
  const given = commandArguments(usage, {
    stack: { type: 'string', default: 'local' },
    to: { type: 'string' },
    yes: { type: 'boolean', default: false },
    'no-smoke': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  const { stack, to, yes, json } = given;
  if (to !== undefined && !/^[1-9]\d*$/.test(to)) return misused(usage, `--to ${to}: must be the number of an update`);
  if (to !== undefined && !yes && !process.stdin.isTTY) {
    return misused(usage, 'There is nobody to ask whether to go back: standard input is no terminal. Say --yes.');
  }
  if (!(await stackExists(stack)))
    throw new Error(`There is no stack ${stack}. Deploy it: npm run up -- --stack ${stack}`);
  if (to === undefined) return list(stack, json);
  const { signal, stop } = interruption();
  try {
    return await rollBack(Number(to), { stack, yes, json, smoke: !given['no-smoke'] }, signal);
  } catch (error) {
    if (error instanceof Interrupted) return exitCodeOf(error.signal);
    throw error;
  } finally {
    stop();
  }
}

async function list(stack: string, json: boolean): Promise<number> {
  const releases = await listReleases(await readUpdates(stack), failedDeploys(readDeployLog(stack)));
  if (json) console.log(JSON.stringify({ stack, releases }));
  else if (releases.length === 0) console.log(`Stack ${stack} has no release yet: npm run up -- --stack ${stack}`);
  else console.log(`${releaseTable(releases)}\n\n${howToGoBack(stack, releases)}`);
  return exitCode.done;
}

function howToGoBack(stack: string, releases: readonly ListedRelease[]): string {
  return releases.some(({ live, refusals }) => !live && refusals.length === 0)
    ? `Go back with: npm run rollback -- --stack ${stack} --to <#>`
    : 'There is none to go back to.';
}

async function rollBack(number: number, options: Options, signal: AbortSignal): Promise<number> {
  const { stack, yes, json, smoke } = options;
  const started = performance.now();
  const lock = await lockDeploys(stack, signal);
  try {
    const updates = await readUpdates(stack);
    const update = updates.find((one) => one.number === number);
    if (!update)
      throw new Error(`Stack ${stack} has no update ${number}. See which: npm run rollback -- --stack ${stack}`);
    const live = liveUpdate(updates);
    announce(`Stack ${stack}: back to update ${number}, release ${update.manifest?.release ?? 'unknown'}`);
    const failure = failureOf(update, failedDeploys(readDeployLog(stack)));
    if (failure !== undefined) console.error(`The deploy that brought it failed: ${failure}`);
    if (live) await showDifference(update, live);
    const confirm = async (preview: readonly PreviewedStep[]) => {
      const changes = changesOf(preview);
      console.error(changes.length === 0 ? '\nNothing would change.' : `\n${changeTable(changes)}`);
      return yes || confirmed(`Go back to release ${update.manifest?.release}?`, signal);
    };
    const done = await redeploy(stack, update, { confirm, signal, holding: lock.file });
    if (!done) {
      if (json) console.log(JSON.stringify({ stack, rolledBack: false }));
      else console.log('Not rolled back: you said no.');
      return exitCode.done;
    }
    if (smoke && !(await isSmokeTested(stack, signal))) return exitCode.failed;
    await removeOldReleases(stack);
    const milliseconds = Math.round(performance.now() - started);
    await tell(stack, live, update, milliseconds);
    const release = update.manifest?.release;
    if (json)
      console.log(JSON.stringify({ stack, rolledBack: true, from: live?.manifest?.release, release, milliseconds }));
    else console.log(aftermath(stack, update, milliseconds));
    return exitCode.done;
  } finally {
    lock.release();
  }
}

/** What the live release has that the other one has not: it goes away. */
async function showDifference(update: Update, live: Update): Promise<void> {
  const lines = changeLines(await changesSince(update, live));
  if (lines.length > 0) console.error(`What came since then, with update ${live.number}:\n  ${lines.join('\n  ')}`);
}

async function isSmokeTested(stack: string, signal: AbortSignal): Promise<boolean> {
  announce('Smoke tests');
  const { broken } = await showSmokeTest(await stackOutputs(stack), { restarts: false, signal });
  return broken === undefined;
}

/** Tells the hook for it. */
async function tell(stack: string, live: Update | undefined, { manifest }: Update, milliseconds: number) {
  const facts = {
    stack,
    deploy: timestamp(new Date()),
    who: userInfo().username,
    machine: hostname(),
    from: live?.manifest?.release ?? '',
    to: manifest?.release ?? '',
    commit: manifest?.program.commit ?? '',
    verdict: 'rolled back',
    reason: '',
    seconds: String(Math.round(milliseconds / 1000)),
  };
  await runLastHook('after-rollback', facts);
}

function aftermath(stack: string, { number, manifest }: Update, milliseconds: number): string {
  return [
    `\nStack ${stack} is back at update ${number}: release ${manifest?.release} serves (${duration(milliseconds)}).`,
    'Data and migrations are as they were before the rollback. Your working tree and its configuration still have the',
    `newer program: the next "npm run up -- --stack ${stack}" or deploy from it brings that out again. Mend it first:`,
    `git revert what was wrong, or set back the configuration (pulumi config set <key> <value> -s ${stack}).`,
  ].join('\n');
}

process.exitCode = await main().catch((error: unknown) => fail(error, exitCode.failed));
