import { createHash } from 'node:crypto';
import { type SqlStatement, SqlSyntaxError, splitStatements } from './sql-statements.ts';

/** One file `<version>_<name>.sql`, read and parsed. */
export interface MigrationFile {
  readonly fileName: string;
  /** Digits, usually `YYYYMMDDhhmmss`: the order in which files run. */
  readonly version: string;
  readonly name: string;
  /** SHA-256 (hex) of the content, with line ends as LF: the same on every checkout. */
  readonly hash: string;
  readonly statements: readonly SqlStatement[];
  /** False when the file says `-- migrate: no-transaction` above its first statement. */
  readonly inTransaction: boolean;
  /**
   * Set when the file says `-- contract: <reason>` above its first statement: it takes away what earlier releases use, so
   * none of them can be rolled back to once it is applied.
   */
  readonly contract: string | undefined;
}

/** Something that keeps a file from being run. */
export interface MigrationProblem {
  readonly fileName: string;
  /** From 1; undefined when the whole file is meant. */
  readonly line?: number;
  /** What is wrong and how to go on. */
  readonly message: string;
}

export function formatProblem({ fileName, line, message }: MigrationProblem): string {
  return line === undefined ? `${fileName}: ${message}` : `${fileName}:${line}: ${message}`;
}

const fileNamePattern = /^(\d+)_(.+)\.sql$/;

/** Reads a file's name and content; what can't be read becomes problems. */
export function parseMigrationFile(
  fileName: string,
  content: string,
): { file?: MigrationFile; problems: MigrationProblem[] } {
  const [, version, name] = fileNamePattern.exec(fileName) ?? [];
  if (version === undefined || name === undefined) {
    const message = 'is not named <version>_<name>.sql, for example 20250131120000_add_users.sql: rename it';
    return { problems: [{ fileName, message }] };
  }
  if (content.startsWith('\uFEFF')) {
    const message = 'begins with a byte order mark: save it as UTF-8 without BOM';
    return { problems: [{ fileName, line: 1, message }] };
  }
  try {
    const statements = splitStatements(content);
    const { problems, ...directives } = readDirectives(fileName, content, statements);
    return { file: { fileName, version, name, hash: hashOf(content), statements, ...directives }, problems };
  } catch (error) {
    if (!(error instanceof SqlSyntaxError)) throw error;
    return { problems: [{ fileName, line: error.line, message: error.message }] };
  }
}

export function hashOf(content: string): string {
  return createHash('sha256').update(content.replaceAll('\r\n', '\n')).digest('hex');
}

/** Directives are comment lines `-- migrate: …` and `-- contract: …` above the first statement. */
function readDirectives(fileName: string, content: string, statements: readonly SqlStatement[]) {
  const problems: MigrationProblem[] = [];
  let inTransaction = true;
  let contract: string | undefined;
  const header = content.split('\n').slice(0, (statements.find(({ node }) => node)?.line ?? 1) - 1);
  for (const [index, text] of header.entries()) {
    const [, word, directive] = /^\s*--\s*(migrate|contract):\s*(.*?)\s*$/.exec(text) ?? [];
    if (directive === undefined) continue;
    if (word === 'contract') {
      contract = directive;
      if (directive !== '') continue;
      const message = '"contract:" gives no reason: say what it takes away, and since when nothing uses that';
      problems.push({ fileName, line: index + 1, message });
    } else if (directive === 'no-transaction') inTransaction = false;
    else {
      const message = `"migrate: ${directive}" is not known: what there is, is "migrate: no-transaction"`;
      problems.push({ fileName, line: index + 1, message });
    }
  }
  return { inTransaction, contract, problems };
}
