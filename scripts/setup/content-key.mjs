import { createHash } from 'node:crypto';

/**
 * Name of something made from `parts`: the same parts give the same key, anything else gives another one. The parts'
 * names count, their order does not.
 *
 * @param {Readonly<Record<string, string | Uint8Array>>} parts
 */
export function contentKey(parts) {
  const hash = createHash('sha256');
  for (const [name, content] of Object.entries(parts).sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${name.length}:${name}:${content.length}:`).update(content);
  }
  return hash.digest('hex').slice(0, 12);
}
