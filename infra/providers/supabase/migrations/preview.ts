import type { PropertyDiff, ResourceContext } from '../../plugin/resource.ts';
import type { SupabaseConfig } from '../config.ts';
import { withDatabase } from '../database/connection.ts';
import { DatabaseUnreachableError } from '../database/database.ts';
import { noFacts } from './danger/facts.ts';
import { findDangers, refuseDangers } from './danger/find-dangers.ts';
import { type LedgerEntry, readLedger } from './ledger.ts';
import { formatProblem, type MigrationFile } from './migration-file.ts';
import { type MigrationPlan, planMigrations } from './plan.ts';
import { type MigrationsInputs, type MigrationsOutputs, nameOf } from './properties.ts';
import { previewMigrations, refuseConflicts } from './run.ts';

type Context = ResourceContext<SupabaseConfig>;

/**
 * Differences between what the state says is applied and the database itself: a ledger that was emptied, or that others
 * wrote to, is an update to be made, not something that only `pulumi refresh` finds.
 */
export async function ledgerDrift(wanted: MigrationsInputs, context: Context): Promise<readonly PropertyDiff[]> {
  try {
    const { entries } = await withDatabase(wanted, context, 'preview', readLedger);
    const hashes = new Map(Object.entries(wanted.files).map(([fileName, hash]) => [fileName.split('_')[0], hash]));
    const own = entries.filter((entry) => hashes.has(entry.version) || !wanted.ahead?.includes(nameOf(entry)));
    const isSame =
      own.length === hashes.size &&
      own.every(({ version, hash }) => hashes.has(version) && (hash === undefined || hash === hashes.get(version)));
    return isSame ? [] : [{ path: 'applied', kind: 'update' }];
  } catch (error) {
    if (!(error instanceof DatabaseUnreachableError)) throw error;
    context.warn(`${error.message}. Not checked: whether everything is still applied there.`);
    return [];
  }
}

/**
 * Says what would run, and what could not be checked. Throws on conflicts with the ledger, or with the last update, and
 * on what is dangerous to a service that runs.
 */
export async function tellPlan(
  wanted: MigrationsInputs,
  files: readonly MigrationFile[],
  known: MigrationsOutputs | undefined,
  context: Context,
): Promise<void> {
  try {
    const { plan, unseen } = await withDatabase(wanted, context, 'preview', (database) =>
      previewMigrations(database, files, wanted.ahead),
    );
    context.progress(listing(plan));
    for (const line of unseen) context.warn(line);
  } catch (error) {
    if (!(error instanceof DatabaseUnreachableError)) throw error;
    const plan = planMigrations(files, { entries: rememberedLedger(known), unfinished: [] }, wanted.ahead);
    refuseConflicts(plan.conflicts.map(formatProblem), 'the last update');
    const dangers = await findDangers(plan.pending, noFacts);
    refuseDangers(dangers);
    for (const line of dangers.unseen) context.warn(line);
    const basis = known ? 'Going by the last update' : 'If the database is empty';
    context.warn(
      `${error.message}. ${basis}, ${listing(plan)}. Not checked: what is applied there, and whether it was edited since.`,
    );
  }
}

function listing({ pending }: MigrationPlan): string {
  if (pending.length === 0) return 'nothing would run';
  return `${pending.length} would run: ${pending.map(({ fileName }) => fileName).join(', ')}`;
}

/** What the stored state says is applied. */
export function rememberedLedger(known: MigrationsOutputs | undefined): LedgerEntry[] {
  return (known?.applied ?? []).map((applied) => {
    const [version = '', ...name] = applied.split('_');
    return {
      version,
      name: name.join('_'),
      statements: undefined,
      hash: known?.files[`${applied}.sql`],
      contract: known?.contracts[applied],
    };
  });
}
