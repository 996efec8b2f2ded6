import postgres from 'postgres';
import { type Database, DatabaseCancelledError } from '../database/database.ts';
import { clearHalfBuiltIndex } from './concurrent-index.ts';
import { recordApplied, recordStarted } from './ledger.ts';
import { formatProblem, type MigrationFile } from './migration-file.ts';
import { lineOfCharacter, type SqlStatement } from './sql-statements.ts';

/** A file could not be applied. The message names the file, the line, and what is left of it: nothing, if it can be helped. */
export class MigrationFailedError extends Error {
  override readonly name = 'MigrationFailedError';
}

/**
 * The server is to notice within seconds that we were killed, or a long statement would hold the lock to its end.
 * PostgreSQL before 14, and some systems that it runs on, can't.
 */
const noticeDeadClients = `do $$ begin
  perform set_config('client_connection_check_interval', '2s', false);
exception when undefined_object or invalid_parameter_value then null;
end $$`;

/** What the run knows of a file beside its content. */
export interface FileRun {
  /** An earlier run of this file, outside a transaction, has no known end. */
  readonly wasInterrupted: boolean;
  /** Number of files that this run applied before. */
  readonly appliedBefore: number;
  progress(message: string): void;
}

/** Runs one file and records it. Throws {@link MigrationFailedError}; the connection is not to be used after that. */
export async function applyFile(database: Database, file: MigrationFile, run: FileRun): Promise<void> {
  // Whatever an earlier file set, such as the search_path or a role, must not reach this one.
  await database.resetRole();
  await database.run('reset all');
  await database.run(noticeDeadClients);
  if (file.inTransaction) return applyInTransaction(database, file, run);
  await clearHalfBuiltIndex(database, file, run);
  await recordStarted(database, file);
  // There is one statement, so it can't lift its role's time limit itself.
  await database.run("set statement_timeout = '0'");
  await runStatements(database, file, `It runs outside a transaction: see what is left of it. ${wayOn(run)}`);
  await transaction(database, () => record(database, file));
}

async function applyInTransaction(database: Database, file: MigrationFile, run: FileRun): Promise<void> {
  const left = `Nothing of this file was applied. ${wayOn(run)}`;
  try {
    await transaction(database, async () => {
      await runStatements(database, file, left);
      await record(database, file);
    });
  } catch (error) {
    if (error instanceof MigrationFailedError || error instanceof DatabaseCancelledError) throw error;
    // Checks that are deferred to the end of the transaction, or the connection broke: no statement to point at.
    throw failure(
      file,
      undefined,
      error,
      isServerError(error) ? left : 'The next run finds out whether it was applied.',
    );
  }
}

function wayOn({ appliedBefore }: FileRun): string {
  const earlier = appliedBefore === 1 ? 'the file before it stays' : `the ${appliedBefore} files before it stay`;
  return `Mend it and run the update again${appliedBefore > 0 ? `; ${earlier} applied` : ''}.`;
}

/** Without a rollback on errors: the caller closes the connection, which is one. */
async function transaction(database: Database, work: () => Promise<void>): Promise<void> {
  await database.run('begin');
  await work();
  await database.run('commit');
}

async function record(database: Database, file: MigrationFile): Promise<void> {
  await database.resetRole(); // the file may have taken on a role that can't write the ledger
  await recordApplied(database, file);
  // In the same transaction, so that the API never goes on with a schema that is not there any more.
  await database.run(`notify pgrst, 'reload schema'`);
}

async function runStatements(database: Database, file: MigrationFile, left: string): Promise<void> {
  for (const statement of file.statements) {
    if (!statement.node) continue;
    try {
      await database.run(statement.text);
    } catch (error) {
      if (error instanceof DatabaseCancelledError) {
        throw new DatabaseCancelledError(`cancelled while ${file.fileName}:${statement.line} ran. ${left}`, {
          cause: error,
        });
      }
      throw failure(file, statement, error, left);
    }
  }
}

const isServerError = (error: unknown) => error instanceof postgres.PostgresError;

function failure(file: MigrationFile, statement: SqlStatement | undefined, error: unknown, left: string) {
  const problem = { fileName: file.fileName, message: describe(error) };
  const line = statement && lineOfError(statement, error);
  const text = formatProblem(line === undefined ? problem : { ...problem, line });
  return new MigrationFailedError(`${text}\n${left}`, { cause: error });
}

function lineOfError(statement: SqlStatement, error: unknown): number {
  const position = error instanceof postgres.PostgresError ? Number(error.position) : Number.NaN;
  if (!(position > 0)) return statement.line;
  return statement.textLine + lineOfCharacter(statement.text, position - 1) - 1;
}

function describe(error: unknown): string {
  if (!(error instanceof postgres.PostgresError)) {
    return `the connection to the database broke: ${error instanceof Error ? error.message : String(error)}`;
  }
  const { message, code, detail, hint, where } = error;
  const more = Object.entries({ detail, hint, where }).flatMap(([name, text]) => (text ? [`  ${name}: ${text}`] : []));
  return [`${message} (SQLSTATE ${code})`, ...more].join('\n');
}
