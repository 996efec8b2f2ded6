import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/** Tells which paths of a build context (relative, with `/`) are left out. Later patterns win; `!` takes back in. */
export class DockerIgnore {
  readonly #rules: readonly { readonly matches: RegExp; readonly takesIn: boolean }[];

  constructor(lines: readonly string[]) {
    this.#rules = lines.flatMap((line) => {
      const takesIn = line.startsWith('!');
      const pattern = cleaned(takesIn ? line.slice(1) : line);
      return pattern === '' ? [] : [{ matches: patternToRegExp(pattern), takesIn }];
    });
  }

  /** A pattern that matches a directory matches all that is in it. */
  ignores(path: string): boolean {
    const parts = path.split('/');
    const itselfAndParents = parts.map((_part, index) => parts.slice(0, index + 1).join('/'));
    return this.#rules.reduce(
      (ignored, { matches, takesIn }) => (itselfAndParents.some((one) => matches.test(one)) ? !takesIn : ignored),
      false,
    );
  }

  /** Without a pattern that takes something back in, nothing below an ignored directory needs to be looked at. */
  get takesBackIn(): boolean {
    return this.#rules.some(({ takesIn }) => takesIn);
  }
}

/** The patterns in the first of the files that exists. */
export function readIgnorePatterns(...files: readonly string[]): string[] {
  const file = files.find((one) => existsSync(one));
  if (!file) return [];
  return readFileSync(file, 'utf8')
    .replace(/^\uFEFF/, '')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** The builder needs the Dockerfile, and reads .dockerignore, whatever the patterns say. */
export function keepingBuildFiles(patterns: readonly string[], dockerfile: string): string[] {
  const ignore = new DockerIgnore(patterns);
  const needed = ['.dockerignore', dockerfile].filter((path) => !path.startsWith('../') && ignore.ignores(path));
  return [...patterns, ...needed.map((path) => `!${path}`)];
}

export const contextIgnoreFile = (context: string): string => join(context, '.dockerignore');

function cleaned(pattern: string): string {
  const text = pattern.trim();
  if (text === '') return '';
  const path = posix.normalize(text).replace(/(?<=.)\/$/, '');
  return path.length > 1 ? path.replace(/^\//, '') : path;
}

/** `*` and `?` stop at `/`, `**` does not, `[a-c]` is one of those characters, `\` takes the next one as it is. */
export function patternToRegExp(pattern: string): RegExp {
  let source = '';
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] ?? '';
    if (character === '*' && pattern[at + 1] === '*') {
      at += pattern[at + 2] === '/' ? 2 : 1;
      source += at + 1 >= pattern.length ? '.*' : '(.*/)?';
    } else if (character === '*') {
      source += '[^/]*';
    } else if (character === '?') {
      source += '[^/]';
    } else if (character === '\\' && at + 1 < pattern.length) {
      at += 1;
      source += `\\${pattern[at]}`;
    } else if (character === '[' || character === ']' || character === '-' || character === '^') {
      source += character;
    } else {
      source += /[\w/\s]/.test(character) ? character : `\\${character}`;
    }
  }
  try {
    return new RegExp(`^${source}$`, 's');
  } catch (error) {
    throw new Error(`"${pattern}" in .dockerignore is not a pattern`, { cause: error });
  }
}
