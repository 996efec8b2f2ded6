import { cpus, loadavg, release, totalmem } from 'node:os';

/** What figures are worth nothing without. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memory_gib: number;
  readonly kernel: string;
  readonly node: string;
  /** Processes that wanted to run when it began, over one minute. */
  readonly load: number;
}

export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.versions.node,
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

/** A machine, and the versions of what runs on it, as rows of a table. */
export function machineRows(machine: Machine): string[][] {
  return Object.entries(machine).map(([name, value]) => [name.replaceAll('_', ' '), String(value)]);
}
