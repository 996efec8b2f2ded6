import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { parseConfig } from './config.ts';
import { inspectBox } from './preflight.ts';

// What the program looks at before an update, for who wants to know before there is one. Reads the stack's name and
// configuration, as `pulumi config --json` has it, from standard input: there are secrets in it. Prints the checks.
const given = z.object({
  stack: z.string(),
  /** `configuration`: whether that has mistakes, and nothing else. */
  what: z.enum(['configuration', 'box']),
  config: z.record(z.string(), z.string()),
});

try {
  const { stack, what, config } = given.parse(JSON.parse(await text(process.stdin)));
  const prefix = 'conversation-kit:';
  const own = Object.entries(config).filter(([key]) => key.startsWith(prefix));
  const settings = parseConfig(stack, Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value])));
  const checks = what === 'box' ? await inspectBox(stack, settings) : [];
  console.log(JSON.stringify({ checks }));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
