import { ImportLineInvalid, ImportLineTooLarge } from '../conversation/import-faults.ts';
import type { FileLine } from '../conversation/import-line.ts';
import { limits } from '../conversation/limits.ts';

export const jsonLines = 'application/jsonl';

const lineFeed = 0x0a;

/** The lines of a body, each when it has come. Empty ones are counted and left out. Throws the errors of `import-faults.ts`. */
export async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<FileLine, void> {
  let number = 1;
  let pieces: Uint8Array[] = [];
  let size = 0;
  const add = (piece: Uint8Array) => {
    size += piece.byteLength;
    if (size > limits.importLineBytes) {
      throw new ImportLineTooLarge(number, `is larger than ${limits.importLineBytes} bytes`);
    }
    pieces.push(piece);
  };
  const ended = (): FileLine => {
    const line = { number, text: textOf(number, Buffer.concat(pieces)) };
    pieces = [];
    size = 0;
    number += 1;
    return line;
  };
  for await (const chunk of body) {
    let from = 0;
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, from)) {
      add(chunk.subarray(from, end));
      from = end + 1;
      const line = ended();
      if (line.text.trim() !== '') yield line;
    }
    add(chunk.subarray(from));
  }
  const last = ended();
  if (last.text.trim() !== '') yield last;
}

function textOf(line: number, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ImportLineInvalid(line, 'is not UTF-8', { cause });
  }
}
