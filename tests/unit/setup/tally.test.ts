import { describe, expect, it } from 'vitest';
import { type TestReport, tally, timePerKind, verdict } from '../../../scripts/test/tally.ts';

type Status = TestReport['testResults'][number]['assertionResults'][number]['status'];

function file(statuses: Status[], status: 'passed' | 'failed' = 'passed', name = '/kit/tests/unit/a/a.test.ts') {
  return { name, status, startTime: 1000, endTime: 1500, assertionResults: statuses.map((each) => ({ status: each })) };
}
const report = (...testResults: TestReport['testResults']): TestReport => ({ testResults });
const run = { failedChecks: [], exitCode: 0, isFiltered: false };

describe('the tally', () => {
  it('counts tests', () => {
    const counts = tally(report(file(['passed', 'passed', 'failed'], 'failed'), file(['passed', 'skipped', 'todo'])));
    expect(counts).toEqual({ passed: 3, failed: 1, skipped: 2 });
  });

  it('counts a file that does not load, or whose hook fails, as one failed', () => {
    expect(tally(report(file([], 'failed'), file(['passed'], 'failed')))).toEqual({ passed: 1, failed: 2, skipped: 0 });
  });

  it('adds up the time of each kind, the longest first', () => {
    const slow = { ...file([], 'passed', '/kit/tests/real/b.test.ts'), endTime: 9000 };
    expect(timePerKind(report(file([]), slow, file([])))).toEqual([
      ['real', 8000],
      ['unit', 1000],
    ]);
  });
});

describe('the verdict', () => {
  it('is good when something was tested and all of it passed', () => {
    expect(verdict({ ...run, report: report(file(['passed'])) })).toEqual({ passed: 1, failed: 0, reasons: [] });
  });

  it('counts each failed check as one failed', () => {
    const { failed } = verdict({ ...run, failedChecks: ['types', 'dead code'], report: report(file(['passed'])) });
    expect(failed).toBe(2);
  });

  it.each([
    ['vitest wrote no report', undefined],
    ['no file matched', report()],
    ['every test was skipped by a filter', report(file(['skipped']))],
  ])('is bad when %s', (_, given) => {
    expect(verdict({ ...run, isFiltered: true, report: given, exitCode: 1 })).toEqual({
      passed: 0,
      failed: 1,
      reasons: ['no test ran'],
    });
  });

  it('is bad when a test was skipped that nobody left out on purpose', () => {
    const skipping = report(file(['passed', 'skipped']));
    expect(verdict({ ...run, report: skipping })).toMatchObject({ passed: 1, failed: 1 });
    expect(verdict({ ...run, isFiltered: true, report: skipping })).toMatchObject({ passed: 1, failed: 0 });
  });

  it('is bad when vitest fails between the tests', () => {
    expect(verdict({ ...run, exitCode: 1, report: report(file(['passed'])) })).toMatchObject({ passed: 1, failed: 1 });
  });
});
