import { type ParseArgsConfig, parseArgs } from 'node:util';

/** Exit codes of every command. */
export const exitCode = { done: 0, failed: 1, misused: 2 } as const;

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * Parses a command's arguments. `--help` prints `usage` and ends with 0; what can't be understood prints what is wrong
 * and the usage, and ends with 2.
 */
export function commandArguments<const O extends Options>(usage: string, options: O) {
  return commandWords(usage, options, 0).values;
}

/** As {@link commandArguments}, for a command that takes that many words beside its options. */
export function commandWords<const O extends Options>(usage: string, options: O, count: number) {
  const all = { help: { type: 'boolean', short: 'h' }, ...options } as const;
  try {
    const { values, positionals: words } = parseArgs({ options: all, allowPositionals: count > 0 });
    if ('help' in values && values.help) {
      console.log(usage);
      process.exit(exitCode.done);
    }
    if (words.length === count) return { values, words };
    throw new TypeError(`${words.length} words are given, and ${count} are needed`);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    misused(usage, error.message);
  }
}

/** Says what can't be understood, and the usage, and ends with 2. */
export function misused(usage: string, reason: string): never {
  console.error(`${reason}\n\n${usage}`);
  process.exit(exitCode.misused);
}
