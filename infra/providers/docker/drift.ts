import type { z } from 'zod';
import { type Comparison, sameInput } from './input-difference.ts';

/**
 * Inputs for `refresh`: those stored, each with what the engine has now where that is something else. What the program
 * did not ask for stays out, except the `watched` ones: those that can be changed by hand in place.
 * On import, when nothing is stored, everything that is an input and was read.
 */
export function driftedInputs<Inputs extends object>(
  schema: z.ZodObject & z.ZodType<Inputs>,
  stored: Inputs | undefined,
  outputs: object,
  comparison: Comparison,
  watched: readonly string[] = [],
): Inputs {
  const now = new Map<string, unknown>(Object.entries(outputs));
  const names = Object.keys(schema.shape);
  if (!stored) {
    const read = names.filter((name) => now.has(name) && !sameInput(name, undefined, now.get(name), comparison));
    return schema.parse(Object.fromEntries(read.map((name) => [name, now.get(name)])));
  }
  const before = new Map<string, unknown>(Object.entries(stored));
  const relevant = names.filter((name) => before.has(name) || (watched.includes(name) && now.has(name)));
  const entries = relevant.flatMap((name): [string, unknown][] => {
    const kept = before.get(name);
    if (!now.has(name) || sameInput(name, kept, now.get(name), comparison))
      return before.has(name) ? [[name, kept]] : [];
    return [[name, now.get(name)]];
  });
  return { ...stored, ...Object.fromEntries(entries) };
}
