import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { median } from '../statistics.ts';
import type { Candidate } from './candidate.ts';

export interface Soak {
  readonly minutes: number;
  readonly appends: number;
  readonly reads: number;
  /** Resident memory of the service in MiB, every few seconds. */
  readonly memory: readonly number[];
  /** Median of the last quarter over that of the second one: the first is where it warms up. */
  readonly growth: number;
}

const clients = 8;
const threadCount = 200;
const sampleEvery = 5_000;

/** Appends and reads for so many minutes with eight clients, and looks at the memory of process `pid` meanwhile. */
export async function soak(
  candidate: Candidate & { readonly pid: number },
  minutes: number,
  onSample: (mebibytes: number) => void,
): Promise<Soak> {
  const threads = Array.from({ length: threadCount }, () => randomUUID());
  for (const thread of threads) await candidate.prepare(thread, 100);
  const end = performance.now() + minutes * 60_000;
  const done = { appends: 0, reads: 0 };
  const memory: number[] = [];
  const client = async (first: number) => {
    for (let turn = first; performance.now() < end; turn += clients) {
      await candidate.append(threads[turn % threadCount] ?? '', 1);
      await candidate.read([threads[(turn * 7) % threadCount] ?? ''], 100);
      done.appends += 1;
      done.reads += 1;
    }
  };
  const sampler = async () => {
    while (performance.now() < end) {
      memory.push(await residentMemory(candidate.pid));
      onSample(memory.at(-1) ?? 0);
      await delay(Math.max(0, Math.min(sampleEvery, end - performance.now())));
    }
  };
  await Promise.all([...Array.from({ length: clients }, (_, index) => client(index)), sampler()]);
  const quarter = Math.ceil(memory.length / 4);
  const growth = median(memory.slice(-quarter)) / median(memory.slice(quarter, 2 * quarter));
  return { minutes, ...done, memory, growth };
}

async function residentMemory(pid: number): Promise<number> {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kibibytes === undefined) throw new Error(`process ${pid} has no resident memory: it ended`);
  return Number(kibibytes) / 1024;
}
