import { type ParseArgsConfig, parseArgs } from 'node:util';

/** Exit codes of every command. */
export const exitCode = { done: 0, failed: 1, misused: 2 } as const;

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * Parses a command's arguments. `--help` prints `usage` and ends with 0; what can't be understood prints what is wrong
 * and the usage, and ends with 2.
 */
export function commandArguments<const O extends Options>(usage: string, options: O) {
  const all = { help: { type: 'boolean', short: 'h' }, ...options } as const;
  try {
    const { values } = parseArgs({ options: all, allowPositionals: false });
    if ('help' in values && values.help) {
      console.log(usage);
      process.exit(exitCode.done);
    }
    return values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    process.exit(exitCode.misused);
  }
}
