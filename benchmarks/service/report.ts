import { cpus, loadavg, release, totalmem } from 'node:os';
import type { Candidate } from './candidate.ts';
import type { Servers } from './servers.ts';
import { median, type Series } from './workloads.ts';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memory_gib: number;
  readonly kernel: string;
  readonly node: string;
  readonly postgresql: string;
  readonly redis: string;
  /** Processes that wanted to run when it began, over one minute. */
  readonly load: number;
}

export async function describeMachine({ sql, redisVersion }: Servers): Promise<Machine> {
  const [version] = await sql<{ server_version: string }[]>`show server_version`;
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.versions.node,
    postgresql: version?.server_version ?? 'unknown',
    redis: await redisVersion(),
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
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
    const ratio = limit === undefined || limit === own ? '' : spread(ratios(own, limit));
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
      return own === undefined || base === undefined ? '–' : `${spread(own.rounds)}, × ${spread(ratios(own, base))}`;
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

/** Round by round: what disturbed one of them disturbed the other, too. */
export function ratios(own: Series, limit: Series): number[] {
  return own.rounds.map((value, round) => value / (limit.rounds[round] ?? Number.NaN));
}

/** Median, and from the least to the greatest. */
export function spread(values: readonly number[]): string {
  return `${figure(median(values))} (${figure(Math.min(...values))}–${figure(Math.max(...values))})`;
}

function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(2);
}

export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
