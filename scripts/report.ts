import Table from 'cli-table3';

/** A table without frills, for a terminal of any width. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const plain = new Table({
    head: [...head],
    style: { head: [], border: [] },
    chars: {
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '  ',
      'left-mid': '',
      mid: '',
      'mid-mid': '',
      right: '',
      'right-mid': '',
      middle: '  ',
    },
  });
  plain.push(...rows.map((row) => [...row]));
  return plain.toString();
}

/** Says that a step of a command begins. Everything that people read while it runs goes to standard error. */
export function announce(step: string): void {
  console.error(`\n▸ ${step}`);
}

/** Ends the process with one readable message: the error's and those of its causes, no stack. */
export function fail(error: unknown, code: number): never {
  for (let cause = error, indent = ''; cause !== undefined; indent = '  because: ') {
    console.error(`${indent}${cause instanceof Error ? cause.message : String(cause)}`);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  process.exit(code);
}
