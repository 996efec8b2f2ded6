import type { RangeVar } from 'libpg-query';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { formatProblem, type MigrationFile } from './migration-file.ts';

const indexRow = z.object({ index: z.string() });

/**
 * A failed or interrupted `create index concurrently` leaves an index of that name which is maintained, but never used;
 * with `if not exists` the next run would take it for the real one. What an earlier run of the same file left is dropped;
 * anybody else's is an error.
 */
export async function clearHalfBuiltIndex(
  database: Database,
  file: MigrationFile,
  run: { readonly wasInterrupted: boolean; progress(message: string): void },
): Promise<void> {
  for (const { node, line } of file.statements) {
    if (!node || !('IndexStmt' in node) || !node.IndexStmt.concurrent) continue;
    const { relation, idxname } = node.IndexStmt;
    if (!relation || idxname === undefined) continue;
    const [found] = z.array(indexRow).parse(
      await database.query(
        `select format('%I.%I', n.nspname, c.relname) as index
           from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
          where i.indrelid = to_regclass($1) and c.relname = $2 and not i.indisvalid`,
        [qualifiedName(relation), idxname],
      ),
    );
    if (!found) continue;
    if (!run.wasInterrupted) {
      const message = `there is an unfinished index of that name already. Drop it: drop index concurrently ${found.index};`;
      throw new Error(formatProblem({ fileName: file.fileName, line, message }));
    }
    run.progress(`${file.fileName}: dropping the half-built index ${found.index} of the interrupted run`);
    await database.run(`drop index concurrently ${found.index}`);
  }
}

function qualifiedName({ schemaname, relname = '' }: RangeVar): string {
  return [...(schemaname === undefined ? [] : [schemaname]), relname].map(quoted).join('.');
}

const quoted = (identifier: string) => `"${identifier.replaceAll('"', '""')}"`;
