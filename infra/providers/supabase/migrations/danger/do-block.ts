import type { DoStmt, Node } from 'libpg-query';
import { parsePlPgSQLSync, parseSync } from '../../sql-parser.ts';

/** The SQL in a `do` block: what can be read of it, and what can't. */
export interface DoBlock {
  readonly statements: readonly { readonly node: Node; readonly line: number }[];
  /** Lines with statements that are put together only when the block runs. */
  readonly dynamicLines: readonly number[];
  /** Why nothing of it can be read. */
  readonly unreadable?: string;
}

/** `text` is the statement without the comments before it; its first line is `firstLine` of the file. */
export function readDoBlock({ args = [] }: DoStmt, text: string, firstLine: number): DoBlock {
  const language = args.flatMap((arg) =>
    'DefElem' in arg && arg.DefElem.defname === 'language' && arg.DefElem.arg && 'String' in arg.DefElem.arg
      ? (arg.DefElem.arg.String.sval ?? '')
      : [],
  )[0];
  if (language !== undefined && language !== 'plpgsql') return unreadable(`its language is ${language}`);
  const statements: { node: Node; line: number }[] = [];
  const dynamicLines: number[] = [];
  try {
    // Lines of the block count from the one on which its text begins; that is the first, as it is usually written.
    walk(parsePlPgSQLSync(text), (kind, line, query) => {
      if (query === undefined) dynamicLines.push(firstLine + line - 1);
      else if (kind === 'PLpgSQL_stmt_execsql')
        for (const { stmt } of parseSync(query).stmts ?? [])
          if (stmt) statements.push({ node: stmt, line: firstLine + line - 1 });
    });
  } catch (error) {
    return unreadable(error instanceof Error ? error.message : String(error));
  }
  return { statements, dynamicLines };
}

const unreadable = (reason: string): DoBlock => ({ statements: [], dynamicLines: [], unreadable: reason });

/** Calls `found` for each statement of the block: with its SQL, or with undefined where that is made at run time. */
function walk(value: unknown, found: (kind: string, line: number, query: string | undefined) => void): void {
  if (Array.isArray(value)) for (const item of value) walk(item, found);
  if (!isObject(value)) return;
  for (const [kind, child] of Object.entries(value)) {
    if (isObject(child)) {
      const line = typeof child.lineno === 'number' ? child.lineno : 1;
      if (kind === 'PLpgSQL_stmt_dynexecute' || kind === 'PLpgSQL_stmt_dynfors') found(kind, line, undefined);
      if (kind === 'PLpgSQL_stmt_execsql') found(kind, line, queryOf(child.sqlstmt));
    }
    walk(child, found);
  }
}

function queryOf(expression: unknown): string | undefined {
  const inner = isObject(expression) ? expression.PLpgSQL_expr : undefined;
  return isObject(inner) && typeof inner.query === 'string' ? inner.query : undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
