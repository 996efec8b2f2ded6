import { type ParseArgsConfig, parseArgs } from 'node:util';

/** Exit codes of every command. */
export const exitCode = { done: 0, failed: 1, misused: 2 } as const;

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * Parses a command's arguments. `--help` prints `usage` and ends with 0; what can't be understood prints what is wrong
 * and the usage, and ends with 2.
 */
export function commandArguments<const O extends Options>(usage: string, options: O) {
  return commandWords(usage, options, []).values;
}

/** As {@link commandArguments}, for a command that takes words beside its options. `expected`: what they are, for people. */
export function commandWords<const O extends Options>(usage: string, options: O, expected: readonly string[]) {
  const all = { help: { type: 'boolean', short: 'h' }, ...options } as const;
  try {
    const { values, positionals: words } = parseArgs({ options: all, allowPositionals: expected.length > 0 });
    if ('help' in values && values.help) {
      console.log(usage);
      process.exit(exitCode.done);
    }
    if (words.length === expected.length) return { values, words };
    throw new TypeError(
      `${words.length === 0 ? 'Nothing' : `"${words.join(' ')}"`} is given, and needed is: ${expected.join(' ')}`,
    );
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    misused(usage, error.message.replace(/\. To specify a positional argument starting with.*/s, ''));
  }
}

/** Says what can't be understood, and the usage, and ends with 2. */
export function misused(usage: string, reason: string): never {
  console.error(`${reason}\n\n${usage}`);
  process.exit(exitCode.misused);
}
