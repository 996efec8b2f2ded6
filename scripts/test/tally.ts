import { z } from 'zod';

/** The parts of the JSON report of vitest that count. */
export const testReport = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.enum(['passed', 'failed']),
      startTime: z.number(),
      endTime: z.number(),
      assertionResults: z.array(
        z.object({ status: z.enum(['passed', 'failed', 'skipped', 'pending', 'todo', 'disabled', 'focused']) }),
      ),
    }),
  ),
});
export type TestReport = z.output<typeof testReport>;

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Counts tests. A file that fails before its first test, or beside its tests, counts as one that failed. */
export function tally({ testResults }: TestReport): Tally {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { status, assertionResults } of testResults) {
    const failedBefore = counts.failed;
    for (const test of assertionResults) {
      if (test.status === 'passed' || test.status === 'failed') counts[test.status] += 1;
      else counts.skipped += 1;
    }
    if (status === 'failed' && counts.failed === failedBefore) counts.failed += 1;
  }
  return counts;
}

/** Milliseconds per kind of test (`tests/<kind>/…`), files of one kind added up, the longest first. */
export function timePerKind({ testResults }: TestReport): [kind: string, milliseconds: number][] {
  const times = new Map<string, number>();
  for (const { name, startTime, endTime } of testResults) {
    const kind = /\/tests\/([^/]+)\//.exec(name)?.[1] ?? 'other';
    times.set(kind, (times.get(kind) ?? 0) + Math.max(0, endTime - startTime));
  }
  return [...times].sort(([, a], [, b]) => b - a);
}

export interface Verdict {
  readonly passed: number;
  readonly failed: number;
  /** Why something that is no failed test counts as one. */
  readonly reasons: readonly string[];
}

/**
 * What the whole run comes to. `report` is undefined where vitest wrote none; `isFiltered` says that tests were left
 * out on purpose. No run is good in which nothing was tested, and nothing may be skipped in silence.
 */
export function verdict(run: {
  readonly failedChecks: readonly string[];
  readonly report: TestReport | undefined;
  readonly exitCode: number;
  readonly isFiltered: boolean;
}): Verdict {
  const counts = run.report ? tally(run.report) : { passed: 0, failed: 0, skipped: 0 };
  const reasons = run.failedChecks.map((name) => `the check of ${name} failed`);
  let failed = counts.failed + run.failedChecks.length;
  if (counts.skipped > 0 && !run.isFiltered) {
    reasons.push(`${counts.skipped} tests were skipped, which counts as failed: whatever one needs, set-up brings it`);
    failed += counts.skipped;
  }
  if (counts.passed + counts.failed === 0) {
    reasons.push('no test ran');
    failed += 1;
  } else if (run.exitCode !== 0 && counts.failed === 0) {
    reasons.push(
      `vitest ended with exit code ${run.exitCode} although every test passed (an error between the tests?)`,
    );
    failed += 1;
  }
  return { passed: counts.passed, failed, reasons };
}
