import { describeMachine, type Machine } from '../machine.ts';
import { markdown } from '../markdown.ts';
import { ratios, spread } from '../statistics.ts';
import type { Candidate } from './candidate.ts';
import type { Servers } from './servers.ts';
import type { Series } from './workloads.ts';

export interface MachineWithServers extends Machine {
  readonly postgresql: string;
  readonly redis: string;
}

export async function describeServers({ sql, redisVersion }: Servers): Promise<MachineWithServers> {
  const [version] = await sql<{ server_version: string }[]>`show server_version`;
  return {
    ...describeMachine(),
    postgresql: version?.server_version ?? 'unknown',
    redis: await redisVersion(),
  };
}

/** One table for each workload: the median of the rounds with their range, and how it compares with the limit, round by round. */
export function tablesOf(series: readonly Series[], candidates: readonly Candidate[]): string {
  const workloads = [...new Set(series.map(({ workload }) => workload))];
  return workloads
    .map((workload) => {
      const own = series.filter((entry) => entry.workload === workload);
      const lengths = [...new Set(own.map(({ length }) => length))];
      return lengths.length === 1
        ? comparison(workload, own, candidates)
        : lengthTables(workload, own, lengths, candidates);
    })
    .join('\n');
}

function comparison(workload: string, series: readonly Series[], candidates: readonly Candidate[]): string {
  const unit = series[0]?.unit ?? '';
  const rows = candidates.flatMap((candidate) => {
    const own = series.find((entry) => entry.candidate === candidate.name);
    if (own === undefined) return [];
    const limit = limitFor(candidate, series, candidates);
    const ratio = limit === undefined || limit === own ? '' : spread(ratios(own.rounds, limit.rounds));
    return [[candidate.name, candidate.durable, spread(own.rounds), ratio]];
  });
  return `### ${workload}, ${unit}\n\n${markdown(['', 'when acknowledged', `${unit} (range)`, '× the limit'], rows)}\n`;
}

function lengthTables(
  workload: string,
  series: readonly Series[],
  lengths: readonly number[],
  candidates: readonly Candidate[],
): string {
  const [shortest, ...longer] = lengths;
  const first = comparison(
    `${workload}, thread of ${shortest}`,
    series.filter(({ length }) => length === shortest),
    candidates,
  );
  const rows = candidates.map(({ name }) => {
    const of = (length: number | undefined) =>
      series.find((entry) => entry.candidate === name && entry.length === length);
    const base = of(shortest);
    const cells = longer.map((length) => {
      const own = of(length);
      return own === undefined || base === undefined
        ? '–'
        : `${spread(own.rounds)}, × ${spread(ratios(own.rounds, base.rounds))}`;
    });
    return [name, ...cells];
  });
  const head = ['', ...longer.map((length) => `${length.toLocaleString('en')} messages`)];
  return `${first}\nLonger threads, in ms p50 and × the thread of ${shortest}:\n\n${markdown(head, rows)}\n`;
}

/** What bounds a candidate: the raw server that its acknowledgement rests on. */
function limitFor(
  candidate: Candidate,
  series: readonly Series[],
  candidates: readonly Candidate[],
): Series | undefined {
  const raw = candidates.find(({ kind, durable }) => kind === 'limit' && durable === candidate.durable);
  return series.find((entry) => entry.candidate === raw?.name);
}
