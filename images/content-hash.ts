import { createHash } from 'node:crypto';

/**
 * Twelve hexadecimal digits over named pieces of content, whatever their order. Lengths are hashed too, so that no two
 * sets of pieces run together into the same bytes.
 */
export function contentHash(pieces: Iterable<readonly [name: string, content: string | Uint8Array]>): string {
  const hash = createHash('sha256');
  for (const [name, content] of [...pieces].sort(([left], [right]) => (left < right ? -1 : 1))) {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    hash.update(`${name.length}:${name}${bytes.byteLength}:`).update(bytes);
  }
  return hash.digest('hex').slice(0, 12);
}
