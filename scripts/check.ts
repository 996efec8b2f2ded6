import { exitCode } from './arguments.ts';
import { fail } from './report.ts';
import { runChecks } from './test/checks.ts';

async function check(): Promise<void> {
  const outcomes = await runChecks();
  if (!outcomes.every(({ passed }) => passed)) process.exit(exitCode.failed);
}

await check().catch((error: unknown) => fail(error, exitCode.failed));
