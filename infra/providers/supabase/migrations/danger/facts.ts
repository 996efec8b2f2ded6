import type { Node, RangeVar } from 'libpg-query';
import { z } from 'zod';
import type { Database } from '../../database/database.ts';
import { parseSync } from '../../sql-parser.ts';
import { partsOf, quotedTable } from './names.ts';

/** What rules ask of the database that the files are for. */
export interface DatabaseFacts {
  /** A table that is not there holds none; one that can't be looked into counts as filled. */
  rowsIn(table: RangeVar): Promise<'some' | 'none' | 'unknown'>;
  /** Whether a function, or one that shares its name, gives another value for each row. */
  isVolatile(functionName: readonly string[]): Promise<boolean>;
  /** Whether a validated check says that the column is not null. */
  hasNotNullCheck(table: RangeVar, column: string): Promise<boolean>;
  /** As PostgreSQL writes it, for example `character varying(20)`. */
  typeOf(table: RangeVar, column: string): Promise<string | undefined>;
}

/** For a preview without the database: the worst is assumed, and said to be assumed. */
export const noFacts: DatabaseFacts = {
  rowsIn: async () => 'unknown',
  isVolatile: async () => true,
  hasNotNullCheck: async () => false,
  typeOf: async () => undefined,
};

const tableRow = z.object({ name: z.string(), is_readable: z.boolean(), is_filtered: z.boolean() });
const existsRow = z.tuple([z.object({ some: z.boolean() })]);
const volatileRow = z.tuple([z.object({ volatile: z.boolean() })]);
const checkRow = z.object({ definition: z.string() });
const typeRow = z.object({ type: z.string() });

export function factsOf(database: Database): DatabaseFacts {
  return {
    async rowsIn(table) {
      const [found] = z.array(tableRow).parse(
        await database.query(
          `select t.oid::regclass::text as name, has_table_privilege(t.oid, 'select') as is_readable,
                  row_security_active(t.oid) as is_filtered
             from pg_class given
             left join pg_index i on i.indexrelid = given.oid
             join pg_class t on t.oid = coalesce(i.indrelid, given.oid)
            where given.oid = to_regclass($1) and t.relkind in ('r', 'p', 'm')`,
          [quotedTable(table)],
        ),
      );
      if (!found) return 'none';
      if (!found.is_readable || found.is_filtered) return 'some';
      const [{ some }] = existsRow.parse(await database.query(`select exists (select from ${found.name}) as some`));
      return some ? 'some' : 'none';
    },

    async isVolatile(functionName) {
      const [{ volatile }] = volatileRow.parse(
        await database.query(
          `select coalesce(bool_or(p.provolatile = 'v'), true) as volatile
             from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where p.proname = $1 and ($2::text is null or n.nspname = $2)`,
          [functionName.at(-1) ?? '', functionName.length > 1 ? (functionName.at(-2) ?? null) : null],
        ),
      );
      return volatile;
    },

    async hasNotNullCheck(table, column) {
      const checks = z.array(checkRow).parse(
        await database.query(
          `select pg_get_expr(conbin, conrelid) as definition from pg_constraint
            where conrelid = to_regclass($1) and contype = 'c' and convalidated`,
          [quotedTable(table)],
        ),
      );
      return checks.some(({ definition }) => saysNotNull(definition, column));
    },

    async typeOf(table, column) {
      const [found] = z.array(typeRow).parse(
        await database.query(
          `select format_type(atttypid, atttypmod) as type from pg_attribute
            where attrelid = to_regclass($1) and attname = $2 and not attisdropped`,
          [quotedTable(table), column],
        ),
      );
      return found?.type;
    },
  };
}

function saysNotNull(definition: string, column: string): boolean {
  const [statement] = parseSync(`select ${definition}`).stmts ?? [];
  const select = statement?.stmt && 'SelectStmt' in statement.stmt ? statement.stmt.SelectStmt : undefined;
  const [target] = select?.targetList ?? [];
  const value = target && 'ResTarget' in target ? target.ResTarget.val : undefined;
  return value !== undefined && notNullColumn(value) === column;
}

/** The column that a check `<column> is not null` is about. */
export function notNullColumn(check: Node): string | undefined {
  if (!('NullTest' in check) || check.NullTest.nulltesttype !== 'IS_NOT_NULL') return undefined;
  const { arg } = check.NullTest;
  return arg && 'ColumnRef' in arg ? partsOf(arg.ColumnRef.fields).at(-1) : undefined;
}
