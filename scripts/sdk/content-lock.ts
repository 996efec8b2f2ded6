import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** What generated files were made from and what they were: enough to tell, without generating them, that nothing changed. */
export interface ContentLock {
  /** SHA-256 of each source, by path. */
  readonly sources: Readonly<Record<string, string>>;
  /** SHA-256 of each generated file, by path. */
  readonly files: Readonly<Record<string, string>>;
}

const lockFile = z.object({
  sources: z.record(z.string(), z.string()),
  files: z.record(z.string(), z.string()),
});

export const lockName = 'generated.json';

export const digest = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');

/** Digests of every file below a folder but the lock itself. */
export function digestsOf(folder: string): Record<string, string> {
  const names = globSync(['**/*', '**/.*'], { cwd: folder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((name) => name !== lockName)
    .sort();
  return Object.fromEntries(names.map((name) => [name, digest(readFileSync(join(folder, name)))]));
}

export function readLock(folder: string): ContentLock {
  return lockFile.parse(JSON.parse(readFileSync(join(folder, lockName), 'utf8')));
}

/** One line per path whose digest is not the recorded one. */
export function deviations(
  recorded: Readonly<Record<string, string>>,
  actual: Readonly<Record<string, string>>,
): string[] {
  return [...new Set([...Object.keys(recorded), ...Object.keys(actual)])].sort().flatMap((name) => {
    if (recorded[name] === actual[name]) return [];
    if (recorded[name] === undefined) return [`${name} is new`];
    return [actual[name] === undefined ? `${name} is missing` : `${name} was changed`];
  });
}
