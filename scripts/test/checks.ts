import { type ProcessOutput, $ as shell } from 'zx';
import { duration } from '../setup/duration.mjs';

const $ = shell({ quiet: true, nothrow: true, preferLocal: true, stdio: ['ignore', 'pipe', 'pipe'] });

const checks = [
  { name: 'types', run: () => $`tsc -p .` },
  { name: 'style and import boundaries', run: () => $`biome ci --colors=off .` },
  { name: 'dead code', run: () => $`knip` },
] as const satisfies { name: string; run(): Promise<ProcessOutput> }[];

export interface CheckOutcome {
  readonly name: string;
  readonly passed: boolean;
}

/** Runs all checks at once; shows each with its time, and what it found where it found something. */
export async function runChecks(): Promise<CheckOutcome[]> {
  return Promise.all(
    checks.map(async (check) => {
      const started = performance.now();
      const { exitCode, stdall } = await check.run();
      const passed = exitCode === 0;
      console.error(`  ${passed ? '✓' : '✗'} ${check.name} (${duration(performance.now() - started)})`);
      if (!passed) console.error(stdall.trimEnd());
      return { name: check.name, passed };
    }),
  );
}
