import type { Node } from 'libpg-query';
import { hasSqlDetails, parseSync, scanSync } from '../sql-parser.ts';

/** One statement of a migration file, or a comment that stands alone between two semicolons. */
export interface SqlStatement {
  /** As written, with the comments before it, without outer white space and semicolon: as the ledger keeps it. */
  readonly text: string;
  /** Line of the file on which `text` begins, from 1. */
  readonly textLine: number;
  /** Line of the statement's first word. */
  readonly line: number;
  /** What PostgreSQL understood; undefined when there are only comments. */
  readonly node: Node | undefined;
}

/** PostgreSQL's parser can't read a text. */
export class SqlSyntaxError extends Error {
  override readonly name = 'SqlSyntaxError';
  readonly line: number;
  constructor(message: string, line: number, options?: ErrorOptions) {
    super(message, options);
    this.line = line;
  }
}

/**
 * Cuts SQL at the semicolons between statements: those in strings, comments, function bodies (`begin atomic`) and rules
 * do not count. Gives the array that the Supabase CLI writes into its ledger. Throws {@link SqlSyntaxError}.
 */
export function splitStatements(sql: string): SqlStatement[] {
  if (sql.trim() === '') return [];
  const bytes = Buffer.from(sql); // the parser counts in bytes of UTF-8
  const parsed = parseStatements(sql).map(({ stmt, stmt_location: start = 0, stmt_len: length }) => ({
    node: stmt,
    start,
    end: length ? start + length : bytes.length,
  }));
  const lineAt = lineCounter(bytes);

  const statements: SqlStatement[] = [];
  let next = 0; // the first parsed statement that is not in `statements` yet
  const take = (from: number, to: number) => {
    const raw = bytes.subarray(from, to).toString();
    const text = raw.trim();
    const textLine = lineAt(from + Buffer.byteLength(raw) - Buffer.byteLength(raw.trimStart()));
    const own = parsed[next];
    const isOwn = own !== undefined && own.start < to;
    if (isOwn) next++;
    if (text !== '') {
      statements.push({
        text,
        textLine,
        line: isOwn ? lineAt(own.start) : textLine,
        node: isOwn ? own.node : undefined,
      });
    }
  };
  let from = 0;
  for (const { start, end } of scanSync(sql).tokens) {
    if (end - start !== 1 || bytes[start] !== semicolon) continue;
    const own = parsed[next];
    if (own && own.start < start && start < own.end) continue;
    take(from, start);
    from = start + 1;
  }
  take(from, bytes.length);
  return statements;
}

const semicolon = ';'.charCodeAt(0);
const lineFeed = '\n'.charCodeAt(0);

function parseStatements(sql: string) {
  try {
    return parseSync(sql).stmts ?? [];
  } catch (error) {
    if (!hasSqlDetails(error) || !error.sqlDetails) throw error;
    const { message, cursorPosition } = error.sqlDetails;
    throw new SqlSyntaxError(message, lineOfCharacter(sql, cursorPosition), { cause: error });
  }
}

/** Line, from 1, of the character (Unicode code point, as PostgreSQL counts them) at an index from 0. */
export function lineOfCharacter(text: string, index: number): number {
  let line = 1;
  let at = 0;
  for (const character of text) {
    if (at++ >= index) break;
    if (character === '\n') line++;
  }
  return line;
}

/** Line of a byte offset, from 1; offsets must not go down from call to call. */
function lineCounter(bytes: Buffer): (offset: number) => number {
  let line = 1;
  let feed = bytes.indexOf(lineFeed);
  return (offset) => {
    for (; feed !== -1 && feed < offset; feed = bytes.indexOf(lineFeed, feed + 1)) line++;
    return line;
  };
}
