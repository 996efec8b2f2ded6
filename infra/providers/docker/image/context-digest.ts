import { createHash, type Hash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { isAbsolute, join, posix, relative, sep } from 'node:path';
import { contextEntries } from './build-context.ts';
import { contextIgnoreFile, DockerIgnore, readIgnorePatterns } from './dockerignore.ts';

/**
 * The digest that the official plugin keeps of what an `Image` is built from: of each file its path in the context, its
 * mode in Go's letters and its content, the Dockerfile first under a fixed name. It does not depend on where the context
 * lies, except through symbolic links, which count by the path they lead to.
 *
 * Written from the official plugin's source; not compared with a running one.
 */
export async function contextDigest(context: string, dockerfile: string): Promise<string> {
  const digest = createHash('sha256');
  add(digest, 'Dockerfile', '-'.repeat(10), await readFile(dockerfile));
  const ignore = new DockerIgnore(imageIgnorePatterns(context, dockerfile));
  for await (const { path, stats } of contextEntries(context, ignore)) {
    if (stats.isDirectory()) continue;
    const file = join(context, path);
    add(digest, posix.normalize(path), goFileMode(stats), await hashedContent(file, stats));
  }
  return digest.digest('hex');
}

/** Patterns made for one Dockerfile go before those of the context. */
export const imageIgnorePatterns = (context: string, dockerfile: string): string[] =>
  readIgnorePatterns(`${dockerfile}.dockerignore`, contextIgnoreFile(context));

function add(digest: Hash, name: string, mode: string, content: Buffer | string): void {
  digest.update(name).update(mode).update(createHash('sha256').update(content).digest()).update('\0');
}

async function hashedContent(file: string, stats: Stats): Promise<Buffer | string> {
  if (stats.isSymbolicLink()) return linkTarget(file);
  return stats.isFile() ? readFile(file) : '';
}

/** Where a link leads in the end; relative when the context was named so, as the official plugin sees it. */
async function linkTarget(file: string): Promise<string> {
  const target = await realpath(file);
  const path = isAbsolute(file) ? target : relative(await realpath('.'), target);
  return path.split(sep).join('/');
}

const special: readonly (readonly [bit: number, letter: string])[] = [
  [0o4000, 'u'],
  [0o2000, 'g'],
  [0o1000, 't'],
];

/** As Go prints a file's mode: `-rw-r--r--`, `Lrwxrwxrwx`, `ug` in front for set-user-id and set-group-id. */
export function goFileMode(stats: Stats): string {
  const type = stats.isSymbolicLink()
    ? 'L'
    : stats.isDirectory()
      ? 'd'
      : stats.isFIFO()
        ? 'p'
        : stats.isSocket()
          ? 'S'
          : stats.isCharacterDevice()
            ? 'Dc'
            : stats.isBlockDevice()
              ? 'D'
              : '';
  const letters = type + special.map(([bit, letter]) => (stats.mode & bit ? letter : '')).join('');
  const permissions = [...'rwxrwxrwx'].map((letter, index) => (stats.mode & (0o400 >> index) ? letter : '-')).join('');
  return (letters || '-') + permissions;
}
