import { $ } from 'zx';
import { duration } from '../report.ts';

const checks = [
  { name: 'types', command: ['tsc', '-p', '.'] },
  { name: 'style and import boundaries', command: ['biome', 'ci', '.'] },
  { name: 'dead code', command: ['knip'] },
] as const;

export interface CheckOutcome {
  readonly name: string;
  readonly passed: boolean;
}

/** Runs all checks at once; shows each with its time, and what it found where it found something. */
export async function runChecks(): Promise<CheckOutcome[]> {
  return Promise.all(
    checks.map(async ({ name, command }) => {
      const started = performance.now();
      const run = await $({
        quiet: true,
        nothrow: true,
        preferLocal: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      })`${command}`;
      const passed = run.exitCode === 0;
      const took = duration(performance.now() - started);
      console.error(`  ${passed ? '✓' : '✗'} ${name}: ${command.join(' ')} (${took})`);
      if (!passed) console.error(run.stdall.trimEnd());
      return { name, passed };
    }),
  );
}
