import { randomUUID } from 'node:crypto';
import { median } from '../statistics.ts';
import type { Candidate } from './candidate.ts';
import type { Servers } from './servers.ts';

/** One number of one candidate for each round. */
export interface Series {
  readonly workload: string;
  readonly unit: 'ms p50' | 'appends per second';
  /** Messages in the thread when it is measured. */
  readonly length: number;
  readonly candidate: string;
  readonly rounds: number[];
}

export interface Effort {
  readonly rounds: number;
  /** Operations behind each p50; fewer on long threads, where some take a second each. */
  readonly times: number;
  readonly timesOnLongThreads: number;
  readonly writers: number;
  readonly appendsPerWriter: number;
  readonly lengths: readonly number[];
}

const page = 100;

/** Measures every candidate in every round, one after the other, beginning with another one each time. */
export async function measureAll(
  candidates: readonly Candidate[],
  servers: Servers,
  effort: Effort,
  onStep: (step: string) => void,
): Promise<Series[]> {
  const series = new Map<string, Series>();
  const note = (workload: string, unit: Series['unit'], length: number, { name }: Candidate, value: number) => {
    const key = JSON.stringify([workload, length, name]);
    const known = series.get(key) ?? { workload, unit, length, candidate: name, rounds: [] };
    known.rounds.push(value);
    series.set(key, known);
  };
  for (let round = 0; round < effort.rounds; round += 1) {
    const turn = [...candidates.slice(round % candidates.length), ...candidates.slice(0, round % candidates.length)];
    for (const length of effort.lengths) {
      const able = turn.filter(({ longestThread }) => longestThread >= length);
      const threads = new Map<Candidate, string>();
      for (const candidate of able) {
        const thread = `${randomUUID()}`;
        await candidate.prepare(thread, length);
        threads.set(candidate, thread);
      }
      await servers.sql`analyze`; // a table that was never looked at misleads the planner by a factor of 3 to 5
      for (const candidate of able) {
        onStep(`round ${round + 1} of ${effort.rounds}, ${length} messages: ${candidate.name}`);
        const thread = threads.get(candidate) ?? '';
        const times = length > page ? effort.timesOnLongThreads : effort.times;
        await candidate.append(thread, 5); // connections, statements, code that is compiled when it is first run
        await candidate.read([thread, thread, thread], page);
        note('append one message', 'ms p50', length, candidate, median(await candidate.append(thread, times)));
        const reads = Array<string>(times).fill(thread);
        note('read the last 100, warm', 'ms p50', length, candidate, median(await candidate.read(reads, page)));
      }
    }
    for (const candidate of turn) {
      onStep(`round ${round + 1} of ${effort.rounds}, ${effort.writers} writers: ${candidate.name}`);
      const threads = await prepared(candidate, effort.writers, 0);
      const perSecond = await candidate.write(threads, effort.appendsPerWriter);
      note(`${effort.writers} writers`, 'appends per second', 0, candidate, perSecond);
    }
    for (const candidate of turn.filter(({ durable }) => durable === 'committed in PostgreSQL')) {
      onStep(`round ${round + 1} of ${effort.rounds}, cold: ${candidate.name}`);
      const threads = await prepared(candidate, effort.times, page);
      await servers.sql`analyze`;
      await servers.flushRedis();
      note('read the last 100 after FLUSHALL', 'ms p50', page, candidate, median(await candidate.read(threads, page)));
    }
  }
  return [...series.values()];
}

async function prepared(candidate: Candidate, count: number, messages: number): Promise<string[]> {
  const threads = Array.from({ length: count }, () => randomUUID());
  for (const thread of threads) await candidate.prepare(thread, messages);
  return threads;
}
