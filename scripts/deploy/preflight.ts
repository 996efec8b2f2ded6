import { inspectBox } from '../program-checks.ts';

/**
 * Looks at the box before anything else, with the program's own checks, and says what it finds. Throws with everything
 * that stands in the way.
 */
export async function preflight(stack: string): Promise<void> {
  const checks = await inspectBox(stack);
  for (const { name, found, problems } of checks) {
    console.error(`  ${problems.length === 0 ? '✓' : '✗'} ${name}: ${found}`);
  }
  const problems = checks.flatMap((check) => check.problems);
  if (problems.length > 0) throw new Error(problems.map((problem) => `  - ${problem}`).join('\n'));
}
