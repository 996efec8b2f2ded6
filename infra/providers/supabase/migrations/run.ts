import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { applyFile } from './apply.ts';
import { factsOf } from './danger/facts.ts';
import { type DangerousMigrationError, findDangers, refuseDangers } from './danger/find-dangers.ts';
import { type Ledger, prepareLedger, readLedger, recordHash } from './ledger.ts';
import { formatProblem, type MigrationFile } from './migration-file.ts';
import { planMigrations } from './plan.ts';
import type { AppliedMigration } from './properties.ts';

/** Where a run tells what it does. */
export interface Report {
  /** A line that may pass by. */
  progress(message: string): void;
  /** A line to be kept. */
  warn(message: string): void;
}

/** The files and the ledger contradict each other: nothing was run. */
export class MigrationConflictError extends Error {
  override readonly name = 'MigrationConflictError';
}

/** A file could not be applied. The message is that of the cause; `entries` is the ledger without that file. */
export class MigrationRunError extends Error {
  override readonly name = 'MigrationRunError';
  readonly entries: readonly AppliedMigration[];
  constructor(entries: MigrationRunError['entries'], cause: Error) {
    super(cause.message, { cause });
    this.entries = entries;
  }
}

/**
 * Brings the database to the state of the files: in order, each in a transaction with its row in the ledger, one run at
 * a time. Returns the ledger as it is then. What was applied before an error stays applied, and the next run goes on
 * from there. Throws {@link MigrationConflictError}, {@link DangerousMigrationError}, {@link MigrationRunError}.
 *
 * @param ahead names of applied migrations that need no file
 */
export async function runMigrations(
  database: Database,
  files: readonly MigrationFile[],
  report: Report,
  ahead: readonly string[] = [],
): Promise<Ledger> {
  await lock(database, report);
  await prepareLedger(database);
  const ledger = await readLedger(database);
  const plan = planMigrations(files, ledger, ahead);
  refuseConflicts(plan.conflicts.map(formatProblem), database.place);
  const dangers = await findDangers(plan.pending, factsOf(database));
  refuseDangers(dangers);
  for (const line of dangers.unseen) report.warn(line);
  for (const file of plan.unverified) {
    report.warn(
      `${file.fileName}: taken as applied unchanged: the ledger has its version only, so it can't be compared`,
    );
  }
  for (const file of plan.unrecorded) await recordHash(database, file);
  for (const [index, file] of plan.pending.entries()) {
    report.progress(`running ${file.fileName} (${index + 1} of ${plan.pending.length})`);
    try {
      await applyFile(database, file, {
        wasInterrupted: ledger.unfinished.includes(file.version),
        appliedBefore: index,
        progress: (line) => report.progress(line),
      });
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      throw new MigrationRunError([...ledger.entries, ...plan.pending.slice(0, index)], error);
    }
  }
  return readLedger(database);
}

/**
 * What a run would do, as far as the ledger tells, and what could not be looked at. Changes nothing. Throws
 * {@link MigrationConflictError}, {@link DangerousMigrationError}.
 */
export async function previewMigrations(
  database: Database,
  files: readonly MigrationFile[],
  ahead: readonly string[] = [],
) {
  const plan = planMigrations(files, await readLedger(database), ahead);
  refuseConflicts(plan.conflicts.map(formatProblem), database.place);
  const dangers = await findDangers(plan.pending, factsOf(database));
  refuseDangers(dangers);
  return { plan, unseen: dangers.unseen };
}

export function refuseConflicts(conflicts: readonly string[], place: string): void {
  if (conflicts.length === 0) return;
  throw new MigrationConflictError(
    `the migrations do not fit the ledger of ${place}; nothing was run:\n${conflicts.map((text) => `- ${text}`).join('\n')}`,
  );
}

const lockKey = `hashtextextended('supabase_migrations.schema_migrations', 0)`;
const lockRow = z.tuple([z.object({ locked: z.boolean() })]);
const holderRow = z.object({ pid: z.number(), application: z.string(), since: z.string() });

/** Held until the connection ends, however it ends. */
async function lock(database: Database, report: Report): Promise<void> {
  const [{ locked }] = lockRow.parse(await database.query(`select pg_try_advisory_lock(${lockKey}) as locked`));
  if (locked) return;
  const [holder] = z.array(holderRow).parse(
    await database.query(
      `select a.pid, a.application_name as application, to_char(a.backend_start, 'HH24:MI:SS') as since
         from pg_locks l join pg_stat_activity a using (pid)
        where l.locktype = 'advisory' and l.granted and l.objsubid = 1
          and (l.classid::bigint << 32 | l.objid::bigint) = ${lockKey}`,
    ),
  );
  const who = holder ? ` (${holder.application}, server process ${holder.pid}, connected since ${holder.since})` : '';
  report.progress(`waiting: another run of migrations is at work on ${database.place}${who}`);
  await database.query(`select pg_advisory_lock(${lockKey})`);
}
