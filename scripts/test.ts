import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { $ } from 'zx';
import { exitCode } from './arguments.ts';
import { announce } from './report.ts';
import { duration } from './setup/duration.mjs';
import { runChecks } from './test/checks.ts';
import { type TestReport, testReport, timePerKind, verdict } from './test/tally.ts';

const usage = `npm test [-- <arguments for vitest>]

Checks the code (types, style, import boundaries, dead code), then runs the tests. The last line is
"<n> passed, <n> failed"; a check that fails counts as one failed, and so does everything that keeps tests from running.

  npm test -- --project unit                 one kind: unit, contract, real or e2e
  npm test -- tests/real/infra -t preflight  one folder or file; one name

Exit: 0 all passed, 1 something failed.`;

const reportFile = join('.kit', 'logs', 'vitest.json');

async function test(args: readonly string[]): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(usage);
    return;
  }
  announce('Checks');
  const outcomes = await runChecks();

  announce('Tests');
  const { code, report } = await runTests(args);
  if (report) showTimes(report);

  const { passed, failed, reasons } = verdict({
    failedChecks: outcomes.filter(({ passed }) => !passed).map(({ name }) => name),
    report,
    exitCode: code,
    isFiltered: args.some((arg) => /^(-t|--testNamePattern)/.test(arg)),
  });
  for (const reason of reasons) console.error(`✗ ${reason}`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? exitCode.failed : exitCode.done;
}

async function runTests(args: readonly string[]): Promise<{ code: number; report: TestReport | undefined }> {
  await rm(reportFile, { force: true });
  const reporters = ['default', 'json', './scripts/test/long-running.ts'].map((name) => `--reporter=${name}`);
  // Where CI is set, vitest would colour its output for a log file, too.
  const colours = process.stderr.isTTY ? {} : { NO_COLOR: '1' };
  const run = await $({
    nothrow: true,
    preferLocal: true,
    env: { ...process.env, ...colours },
    stdio: ['ignore', 2, 2],
  })`vitest run ${reporters} --outputFile.json=${reportFile} ${args}`;
  const report = existsSync(reportFile) ? testReport.parse(JSON.parse(await readFile(reportFile, 'utf8'))) : undefined;
  return { code: run.exitCode ?? exitCode.failed, report };
}

function showTimes(report: TestReport): void {
  const times = timePerKind(report).map(([kind, milliseconds]) => `${kind} ${duration(milliseconds)}`);
  console.error(`Time in tests: ${times.join(', ')}`);
}

await test(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  console.log('0 passed, 1 failed');
  process.exitCode = exitCode.failed;
});
