import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execute, pythonEnvironment } from '../../tests/support/python-environment.ts';
import { machineRows } from '../machine.ts';
import { markdown } from '../markdown.ts';
import { spread } from '../statistics.ts';
import type { Candidate } from './candidate.ts';
import { inProcess, overHttp, postgresCall, supabaseCall } from './conversation-service.ts';
import { rawPostgres, rawRedis } from './limits.ts';
import { peerCandidates } from './peers.ts';
import { describeServers, type MachineWithServers, tablesOf } from './report.ts';
import { startServers } from './servers.ts';
import { soak } from './soak.ts';
import { type Effort, measureAll, type Series } from './workloads.ts';

const usage = `npm run benchmark -- [service] [options]

Measures the conversation service beside the limit and beside what a user would pick instead, on one Redis and one
PostgreSQL, and writes benchmarks/service/results.md and results.json.

  --rounds <n>   5
  --times <n>    100: operations behind each p50
  --quick        1 round, short threads; writes no file
  --soak <min>   instead: so many minutes of load, and the memory of the service meanwhile; writes soak.json
  --help`;

const thorough: Effort = {
  rounds: 5,
  times: 100,
  timesOnLongThreads: 20,
  writers: 64,
  appendsPerWriter: 10,
  lengths: [100, 1_000, 10_000, 100_000],
};
const quick: Effort = {
  rounds: 1,
  times: 20,
  timesOnLongThreads: 5,
  writers: 16,
  appendsPerWriter: 5,
  lengths: [100, 1_000],
};

const options = {
  rounds: { type: 'string' },
  times: { type: 'string' },
  quick: { type: 'boolean', default: false },
  soak: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

/** Runs with the arguments of the command; the result is on standard output. */
export async function serviceBenchmark(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options });
  if (values.help) console.log(usage);
  else if (values.soak !== undefined) await runSoak(Number(values.soak));
  else await run(values);
}

async function run(values: { rounds?: string; times?: string; quick?: boolean }): Promise<void> {
  const base = values.quick ? quick : thorough;
  const effort = {
    ...base,
    rounds: Number(values.rounds ?? base.rounds),
    times: Number(values.times ?? base.times),
  };
  const python = await installPeers();
  const servers = await startServers();
  const candidates: Candidate[] = [];
  try {
    const machine = await describeServers(servers);
    const open = [rawRedis, rawPostgres, postgresCall, supabaseCall, inProcess, overHttp, ...peerCandidates(python)];
    for (const opening of open) candidates.push(await opening(servers));
    const series = await measureAll(candidates, servers, effort, (step) => console.error(`  ${step}`));
    const text = page(machine, effort, series, candidates);
    console.log(text);
    if (!values.quick) await save(text, { machine, effort, series });
  } finally {
    for (const candidate of candidates.reverse()) await candidate.close();
    await servers.close();
  }
}

async function runSoak(minutes: number): Promise<void> {
  const servers = await startServers();
  try {
    const machine = await describeServers(servers);
    const service = await overHttp(servers);
    const result = await soak(service, minutes, (mebibytes) => console.error(`  ${mebibytes.toFixed(1)} MiB`));
    await service.close();
    await writeFile(join(import.meta.dirname, 'soak.json'), `${JSON.stringify({ machine, ...result }, null, 2)}\n`);
    const { appends, reads, memory, growth } = result;
    console.log(
      `${appends} appends and ${reads} reads in ${minutes} min; ${figures(memory)} MiB; at the end × ${growth.toFixed(3)} of the second quarter`,
    );
  } finally {
    await servers.close();
  }
}

function figures(memory: readonly number[]): string {
  return `${Math.min(...memory).toFixed(0)} to ${Math.max(...memory).toFixed(0)}`;
}

/** Installs the peers at the versions that are pinned, where they are not there yet. Returns their Python. */
async function installPeers(): Promise<string> {
  const directory = join(import.meta.dirname, 'peers');
  await execute('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'], directory);
  return join(await pythonEnvironment('benchmark-python', join(directory, 'requirements.txt')), 'python');
}

function page(
  machine: MachineWithServers,
  effort: Effort,
  series: readonly Series[],
  candidates: readonly Candidate[],
): string {
  return [
    '# Benchmark of the conversation service',
    '',
    `${effort.rounds} rounds, one candidate after the other in each, ${effort.times} operations behind each p50: the median`,
    'of the rounds, and their range. Ratios are taken within a round. `npm run benchmark` writes this file.',
    '',
    markdown(['machine', ''], machineRows(machine)),
    '',
    ...ownShare(series),
    tablesOf(series, candidates),
  ].join('\n');
}

/** What the service adds to the one call that it makes, round by round. */
function ownShare(series: readonly Series[]): string[] {
  const rows = ['append one message', 'read the last 100 after FLUSHALL'].flatMap((workload) => {
    const of = (candidate: string) =>
      series.find((entry) => entry.workload === workload && entry.length === 100 && entry.candidate === candidate);
    const own = of('conversation-kit, in process');
    const call = of('the call to Supabase alone');
    if (own === undefined || call === undefined) return [];
    return [[workload, spread(own.rounds.map((value, round) => value - (call.rounds[round] ?? Number.NaN)))]];
  });
  return [
    'The service’s own share, in ms p50 beyond the call to Supabase that it makes:',
    '',
    markdown(['', 'ms'], rows),
    '',
  ];
}

async function save(
  text: string,
  results: { machine: MachineWithServers; effort: Effort; series: Series[] },
): Promise<void> {
  await writeFile(join(import.meta.dirname, 'results.md'), `${text}\n`);
  await writeFile(join(import.meta.dirname, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
}
