import { commandArguments, exitCode, misused } from './arguments.ts';
import { deploy } from './deploy/deploy.ts';
import { deployExit, verdictSentence } from './deploy/verdict.ts';
import { fail } from './report.ts';
import { exitCodeOf, interruption } from './setup/child-process.mjs';
import { duration } from './setup/duration.mjs';
import { Interrupted } from './setup/setup-error.mjs';

const usage = `npm run deploy -- [options]

Deploys a stack that people use: looks at the box and at what was changed by hand, shows what would change and asks,
copies the data, updates, tests, and rolls back by itself when that fails. docs/deploy.md

  --stack <name>  local (default), ryzen, optiplex, or one of your own
  --yes           go on without asking
  --diff          show every property that would change
  --no-dump       without a copy of the database
  --no-smoke      leave the smoke tests out
  --restarts      smoke tests that restart containers, too: they show more, and interrupt what the stack serves
  --json          print the result as JSON on standard output
  --help

Exit: 0 deployed, or nothing to do; 1 not deployed, and what served before serves; 2 misused; 3 failed and not rolled
back: a person has to look; 130 interrupted.`;

async function main(): Promise<number> {
  const options = commandArguments(usage, {
    stack: { type: 'string', default: 'local' },
    yes: { type: 'boolean', default: false },
    diff: { type: 'boolean', default: false },
    'no-dump': { type: 'boolean', default: false },
    'no-smoke': { type: 'boolean', default: false },
    restarts: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  const { stack, yes, diff, restarts, json } = options;
  if (options['no-smoke'] && restarts) return misused(usage, '--no-smoke and --restarts contradict each other');
  if (!yes && !process.stdin.isTTY) {
    return misused(usage, 'There is nobody to ask whether to deploy: standard input is no terminal. Say --yes.');
  }
  const started = performance.now();
  const { signal, stop } = interruption();
  try {
    const smoke = options['no-smoke'] ? 'none' : restarts ? 'with restarts' : 'without restarts';
    const result = await deploy({ stack, yes, diff, withoutDump: options['no-dump'], smoke, signal });
    const { begin, end, steps, copies } = result;
    const took = performance.now() - started;
    console.error(`\n${steps.table()}`);
    if (end.reason !== null && end.verdict !== 'interrupted') console.error(`\n${end.reason}`);
    console.error(`\n${verdictSentence(end.verdict, { stack, from: begin.from, to: end.to })} (${duration(took)})`);
    if (json) {
      const { verdict, to, reason } = end;
      const milliseconds = Math.round(took);
      const { id: deploy, from } = begin;
      console.log(JSON.stringify({ stack, deploy, verdict, from, to, reason, copies, milliseconds, steps: end.steps }));
    }
    return end.verdict === 'interrupted' ? interruptedExit(signal) : deployExit[end.verdict];
  } catch (error) {
    if (error instanceof Interrupted) return exitCodeOf(error.signal);
    throw error;
  } finally {
    stop();
  }
}

function interruptedExit({ reason }: AbortSignal): number {
  return exitCodeOf(reason instanceof Interrupted ? reason.signal : 'SIGINT');
}

process.exitCode = await main().catch((error: unknown) => fail(error, exitCode.failed));
