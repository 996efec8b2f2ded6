import { table } from '../report.ts';
import { duration } from '../setup/duration.mjs';
import type { StackOutputs } from '../stack.ts';
import { type SmokeOptions, type SmokeOutcome, type SmokeReport, smokeTest } from './smoke-test.ts';

/** Smoke-tests a stack, and shows on standard error how it goes and what broke. */
export async function showSmokeTest(
  outputs: StackOutputs,
  options: Omit<SmokeOptions, 'onOutcome'>,
): Promise<SmokeReport> {
  const report = await smokeTest(outputs, { ...options, onOutcome: showOutcome });
  showOutcomes(report.outcomes);
  if (report.broken) showBroken(report.broken);
  return report;
}

function showOutcome({ step, milliseconds, verdict }: SmokeOutcome): void {
  console.error(`  ${verdict === 'kept' ? '✓' : '✗'} ${step} (${duration(milliseconds)})`);
}

function showOutcomes(outcomes: readonly SmokeOutcome[]): void {
  const rows = outcomes.map(({ step, tier, milliseconds, verdict }) => [
    step,
    tier ?? '-',
    String(Math.round(milliseconds)),
    verdict,
  ]);
  console.error(`\n${table(['step', 'tier', 'ms', 'verdict'], rows)}`);
}

function showBroken({ step, reason, suspect, log }: NonNullable<SmokeReport['broken']>): void {
  console.error(`\nBroken: ${step}: ${reason}`);
  console.error(`\nLast lines of the log of ${suspect}:\n${log}`);
}
