import type { Ledger, LedgerEntry } from './ledger.ts';
import type { MigrationFile, MigrationProblem } from './migration-file.ts';
import { nameOf } from './properties.ts';

/** What a run would do. It is refused as a whole when there are conflicts. */
export interface MigrationPlan {
  readonly pending: readonly MigrationFile[];
  readonly conflicts: readonly MigrationProblem[];
  /** Applied files whose hash is not kept yet: the Supabase CLI ran them. */
  readonly unrecorded: readonly MigrationFile[];
  /** Of these, the ones that can't be compared: the ledger has the version only. */
  readonly unverified: readonly MigrationFile[];
}

/**
 * Compares the files with what the ledger says was applied.
 *
 * @param ahead names of applied migrations that need no file
 */
export function planMigrations(
  files: readonly MigrationFile[],
  { entries }: Ledger,
  ahead: readonly string[] = [],
): MigrationPlan {
  const applied = new Map(entries.map((entry) => [entry.version, entry]));
  const head = entries.at(-1)?.version ?? '';
  const pending = files.filter(({ version }) => !applied.has(version));
  const pairs = files.flatMap((file) => {
    const entry = applied.get(file.version);
    return entry ? [{ file, entry }] : [];
  });
  const unrecorded = pairs.filter(({ file, entry }) => entry.hash !== file.hash && !isEdited(file, entry));
  return {
    pending,
    conflicts: [
      ...pairs.filter(({ file, entry }) => isEdited(file, entry)).map(({ file }) => editedConflict(file)),
      ...entries
        .filter((entry) => !files.some(({ version }) => version === entry.version) && !ahead.includes(nameOf(entry)))
        .map(missingConflict),
      ...pending.filter(({ version }) => version < head).map((file) => orderConflict(file, head)),
    ],
    unrecorded: unrecorded.map(({ file }) => file),
    unverified: unrecorded.filter(({ entry }) => !entry.statements).map(({ file }) => file),
  };
}

/**
 * The statements in the ledger count as much as the hash: `supabase migration repair --status applied` writes them anew,
 * and so settles an edit that is meant.
 */
function isEdited(file: MigrationFile, { hash, statements }: LedgerEntry): boolean {
  if (hash === file.hash) return false;
  if (statements) return textOf(statements) !== textOf(file.statements.map(({ text }) => text));
  return hash !== undefined;
}

const textOf = (statements: readonly string[]) => statements.join(';\n').replaceAll('\r\n', '\n');

const remote = '--remote=<database URL>';

function editedConflict({ fileName, version }: MigrationFile): MigrationProblem {
  const message =
    'was edited after it was applied. Put it back as it was (from git, or "supabase migration fetch ' +
    `${remote}" writes it from the ledger) and make the change in a new file. If only its text changed, and the ` +
    `database is right as it is: supabase migration repair --status applied ${version} ${remote}`;
  return { fileName, message };
}

function missingConflict({ version, name }: LedgerEntry): MigrationProblem {
  const message =
    'was applied to this database, but the directory does not have it. Bring it back (from git, or "supabase ' +
    `migration fetch ${remote}" writes it from the ledger). If what it did is undone: ` +
    `supabase migration repair --status reverted ${version} ${remote}`;
  return { fileName: `${version}_${name}.sql`, message };
}

function orderConflict({ fileName }: MigrationFile, head: string): MigrationProblem {
  const message = `is new, but comes before ${head}, which is applied: rename it to a later version`;
  return { fileName, message };
}
