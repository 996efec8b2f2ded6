import { table } from '../report.ts';
import { duration } from '../setup/duration.mjs';
import type { SmokeOutcome, SmokeReport } from './smoke-test.ts';

export function showOutcome({ step, milliseconds, verdict }: SmokeOutcome): void {
  console.error(`  ${verdict === 'kept' ? '✓' : '✗'} ${step} (${duration(milliseconds)})`);
}

export function showOutcomes(outcomes: readonly SmokeOutcome[]): void {
  const rows = outcomes.map(({ step, tier, milliseconds, verdict }) => [
    step,
    tier ?? '-',
    String(Math.round(milliseconds)),
    verdict,
  ]);
  console.error(`\n${table(['step', 'tier', 'ms', 'verdict'], rows)}`);
}

export function showBroken({ step, reason, suspect, log }: NonNullable<SmokeReport['broken']>): void {
  console.error(`\nBroken: ${step}: ${reason}`);
  console.error(`\nLast lines of the log of ${suspect}:\n${log}`);
}
