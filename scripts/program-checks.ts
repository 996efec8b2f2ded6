import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { $ } from 'zx';

const check = z.object({ name: z.string(), found: z.string(), problems: z.array(z.string()) });
const report = z.object({ checks: z.array(check) });
const configuration = z.record(z.string(), z.object({ value: z.string().optional() }));

export type ProgramCheck = z.output<typeof check>;

/** Throws with every mistake that the stack's configuration would have with these values; nothing is set. */
export async function checkConfiguration(
  stack: string,
  assignments: readonly (readonly [key: string, value: string])[],
): Promise<void> {
  await askProgram(stack, 'configuration', assignments);
}

/** What the program itself looks at on the box before an update, and what it finds. Throws when it can't even begin. */
export function inspectBox(stack: string): Promise<ProgramCheck[]> {
  return askProgram(stack, 'box', []);
}

/** The configuration goes over standard input: there are secrets in it. */
async function askProgram(
  stack: string,
  what: 'configuration' | 'box',
  assignments: readonly (readonly [key: string, value: string])[],
): Promise<ProgramCheck[]> {
  const shown = await $({ quiet: true })`pulumi config --json --show-secrets -s ${stack}`;
  const config = configuration.parse(JSON.parse(shown.stdout));
  const values = [
    ...Object.entries(config).map(([key, { value }]) => [key, value]),
    ...assignments.map(([key, value]) => [key.includes(':') ? key : `conversation-kit:${key}`, value]),
  ];
  const child = spawn(process.execPath, ['infra/preflight-report.ts'], { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end(JSON.stringify({ stack, what, config: Object.fromEntries(values) }));
  const [out, complaints, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve)),
  ]);
  if (code !== 0) throw new Error(complaints.trim() || `infra/preflight-report.ts ended with ${code}`);
  return report.parse(JSON.parse(out)).checks;
}
