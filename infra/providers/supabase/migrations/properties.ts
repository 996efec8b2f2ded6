import { z } from 'zod';
import { databaseUrlSchema } from '../database/database-url.ts';
import type { LedgerEntry } from './ledger.ts';
import { MigrationDirectoryError, readMigrationDirectory } from './migration-directory.ts';
import { formatProblem, type MigrationFile } from './migration-file.ts';

const directory = z
  .string()
  .min(1, 'must not be empty')
  .describe(
    'Directory of files named `<version>_<name>.sql`, relative to the folder of `Pulumi.yaml`. The versions are digits, all of the same length.',
  );
const files = z.record(z.string(), z.string());

export const migrationsInputs = z.strictObject({
  // Parsed here, and not in `check`, so that a mistake in a file shows even when the database is not known yet.
  directory: directory.superRefine((path, check) => {
    for (const message of problemsIn(path)) check.addIssue({ code: 'custom', message });
  }),
  databaseUrl: databaseUrlSchema
    .optional()
    .describe(
      'Connection to the database, direct or through the session pooler: `postgres://postgres:<password>@<host>:5432/postgres?sslmode=require`. Default: that of the provider. Given here, the files are checked at preview even while it is not known yet.',
    )
    .meta({ secret: true }),
  ahead: z
    .array(z.string())
    .optional()
    .describe(
      'Applied migrations, `<version>_<name>`, that the directory need not have: those of newer releases, where an older one is gone back to.',
    ),
  files: files.default({}).meta({ computed: true }),
});
export type MigrationsInputs = z.output<typeof migrationsInputs>;

export const migrationsOutputs = z.strictObject({
  directory,
  files: files.describe('SHA-256 of each file, by its name.'),
  applied: z.array(z.string()).describe('Applied migrations, `<version>_<name>`, in order: what the ledger says.'),
  head: z.string().describe('Version of the newest applied migration; empty when there is none.'),
  contracts: z
    .record(z.string(), z.string())
    .describe(
      'The applied migrations that take away what earlier releases use, each with its reason: nothing from before one of them can be rolled back to.',
    ),
});
export type MigrationsOutputs = z.output<typeof migrationsOutputs>;

export const hashesOf = (migrations: readonly MigrationFile[]): Record<string, string> =>
  Object.fromEntries(migrations.map(({ fileName, hash }) => [fileName, hash]));

/** `<version>_<name>` */
export const nameOf = ({ version, name }: Pick<AppliedMigration, 'version' | 'name'>) => `${version}_${name}`;

/** What a ledger, or what one will be, comes to in the outputs. */
export function summary(entries: readonly AppliedMigration[]) {
  return {
    applied: entries.map(nameOf),
    head: entries.at(-1)?.version ?? '',
    contracts: Object.fromEntries(
      entries.flatMap((entry) => (entry.contract === undefined ? [] : [[nameOf(entry), entry.contract]])),
    ),
  };
}

/** What the ledger keeps of a migration, or will keep. */
export type AppliedMigration = Pick<LedgerEntry, 'version' | 'name' | 'contract'>;

function problemsIn(path: string): string[] {
  try {
    return readMigrationDirectory(path).problems.map(formatProblem);
  } catch (error) {
    if (error instanceof MigrationDirectoryError) return [error.message];
    throw error;
  }
}
