import { ImportLineInvalid, ImportVersionUnsupported } from './import-faults.ts';
import { findJsonFault } from './json-value.ts';
import { newerVersion, type TransferLine, transferLine } from './transfer-format.ts';

/** A line of a file, counted from 1. */
export interface FileLine {
  readonly number: number;
  readonly text: string;
}

/** What the line says. Throws the errors of `import-faults.ts`. */
export function parseLine({ number, text }: FileLine): TransferLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ImportLineInvalid(number, 'is not JSON: the file may have been cut', { cause });
  }
  const fault = findJsonFault(value);
  if (fault !== undefined) throw new ImportLineInvalid(number, `${fault.message} (${fault.path})`);
  const newer = newerVersion(value);
  if (newer !== undefined) {
    throw new ImportVersionUnsupported(number, `is of version ${newer} of the format: import it with a newer release`);
  }
  const line = transferLine.safeParse(value);
  if (line.success) return line.data;
  const [issue] = line.error.issues;
  throw new ImportLineInvalid(number, `is not of the format: ${issue?.path.join('.')} ${issue?.message}`);
}
