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

/** An error in words: its message and those of its causes, a line each, no stack. */
export function reasons(error: unknown): string {
  const lines: string[] = [];
  for (let cause = error; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined) {
    lines.push(`${lines.length === 0 ? '' : '  because: '}${cause instanceof Error ? cause.message : String(cause)}`);
  }
  return lines.join('\n');
}

/** Ends the process with one readable message. */
export function fail(error: unknown, code: number): never {
  console.error(reasons(error));
  process.exit(code);
}
