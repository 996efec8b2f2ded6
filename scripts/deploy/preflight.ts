import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { $ } from 'zx';

const check = z.object({ name: z.string(), found: z.string(), problems: z.array(z.string()) });
const report = z.object({ checks: z.array(check) });
const configuration = z.record(z.string(), z.object({ value: z.string().optional() }));

/**
 * Looks at the box before anything else, with the program's own checks, and says what it finds. Throws with everything
 * that stands in the way.
 */
export async function preflight(stack: string): Promise<void> {
  const { checks } = await askProgram(stack);
  for (const { name, found, problems } of checks) {
    console.error(`  ${problems.length === 0 ? '✓' : '✗'} ${name}: ${found}`);
  }
  const problems = checks.flatMap((check) => check.problems);
  if (problems.length > 0) throw new Error(problems.map((problem) => `  - ${problem}`).join('\n'));
}

/** The configuration goes over standard input: there are secrets in it. */
async function askProgram(stack: string): Promise<z.output<typeof report>> {
  const shown = await $({ quiet: true })`pulumi config --json --show-secrets -s ${stack}`;
  const config = configuration.parse(JSON.parse(shown.stdout));
  const child = spawn(process.execPath, ['infra/preflight-report.ts'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const values = Object.entries(config).map(([key, { value }]) => [key, value]);
  child.stdin.end(JSON.stringify({ stack, config: Object.fromEntries(values) }));
  const [out, complaints, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve)),
  ]);
  if (code !== 0) throw new Error(complaints.trim() || `infra/preflight-report.ts ended with ${code}`);
  return report.parse(JSON.parse(out));
}
