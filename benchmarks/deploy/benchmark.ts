import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { describeMachine } from '../machine.ts';
import { composeCommand } from './compose-command.ts';
import { OwnStack } from './own-stack.ts';
import { type MachineWithEngine, page } from './report.ts';
import { type Effort, type Results, runRounds } from './rounds.ts';

const usage = `npm run benchmark -- deploy [options]

Measures what clients notice of a release, and how long it takes, on a stack of its own that is removed afterwards; and
the same of Docker Compose with the same containers. Writes benchmarks/deploy/results.md and results.json.

  --rounds <n>   3
  --rate <n>     30: requests per second
  --quick        1 round with fewer releases; writes no file
  --help`;

const thorough: Effort = { rounds: 3, rate: 30, releases: ['good', 'good', 'bad', 'good', 'good'], changes: 4 };
const quick: Effort = { rounds: 1, rate: 30, releases: ['good', 'bad', 'good'], changes: 1 };

const options = {
  rounds: { type: 'string' },
  rate: { type: 'string' },
  quick: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** Runs with the arguments of the command; the result is on standard output. */
export async function deployBenchmark(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options });
  if (values.help) {
    console.log(usage);
    return;
  }
  const base = values.quick ? quick : thorough;
  const effort = { ...base, rounds: Number(values.rounds ?? base.rounds), rate: Number(values.rate ?? base.rate) };
  const say = (step: string) => console.error(`  ${step}`);
  const machine = describeMachine(); // how busy it was before
  say('Docker Compose, built where it is not installed');
  const compose = await composeCommand();
  say('a stack of its own');
  const stack = await OwnStack.open();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      say(`told to end (${signal}): the stack is removed`);
      void stack.remove().finally(() => process.exit(1));
    });
  }
  try {
    const { composeVersion, ...results } = await runRounds(stack, compose, effort, say);
    const described = { ...machine, docker: await engineVersion(), docker_compose: composeVersion };
    const text = page(described, effort, results);
    console.log(text);
    if (!values.quick) await save(text, { machine: described, effort, ...results });
  } finally {
    await stack.remove();
  }
}

async function engineVersion(): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', ['version', '--format', '{{.Server.Version}}']);
  return stdout.trim();
}

async function save(text: string, results: Results & { machine: MachineWithEngine; effort: Effort }): Promise<void> {
  await writeFile(join(import.meta.dirname, 'results.md'), `${text}\n`);
  await writeFile(join(import.meta.dirname, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
}
