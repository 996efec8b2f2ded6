import { differences } from '../../plugin/difference.ts';
import { isUnknown, unknownValue } from '../../plugin/property-values.ts';
import { InitializationError, type ResourceContext, type ResourceDefinition } from '../../plugin/resource.ts';
import type { SupabaseConfig } from '../config.ts';
import { databaseIdOf, withDatabase } from '../database/connection.ts';
import { DatabaseUnreachableError } from '../database/database.ts';
import type { DocumentedResource } from '../schema/documented-resource.ts';
import { readLedger } from './ledger.ts';
import { MigrationDirectoryError, readMigrationDirectory } from './migration-directory.ts';
import { formatProblem } from './migration-file.ts';
import { ledgerDrift, rememberedLedger, tellPlan } from './preview.ts';
import {
  type AppliedMigration,
  hashesOf,
  type MigrationsInputs,
  type MigrationsOutputs,
  migrationsInputs,
  migrationsOutputs,
  nameOf,
  summary,
} from './properties.ts';
import { MigrationRunError, runMigrations } from './run.ts';

const definition: ResourceDefinition<MigrationsInputs, MigrationsOutputs, SupabaseConfig> = {
  token: 'supabase:index:Migrations',
  inputs: migrationsInputs,
  replaceOnChanges: [],
  runsAtPreview: true,

  /** The program only names the directory; what is in it becomes part of the inputs, and so of the plan. */
  defaults(given) {
    if (isUnknown(given.directory)) return { ...given, files: unknownValue };
    return typeof given.directory === 'string' ? { ...given, files: hashesIn(given.directory) } : given;
  },

  async diff(old, news, context) {
    const changes = differences(comparable(old.inputs), comparable(news));
    return changes.length > 0 ? changes : ledgerDrift(news, context);
  },

  async create(wanted, context) {
    const id = databaseIdOf(wanted, context);
    return { id, outputs: await bringUp(id, wanted, undefined, context) };
  },

  async update(id, old, wanted, context) {
    return bringUp(id, wanted, old.outputs, context);
  },

  async read(id, { inputs: stored, outputs: known }, context) {
    if (!stored || !known) {
      throw new Error(
        'supabase:index:Migrations is not imported: declare it, and it takes over what the ledger says is applied',
      );
    }
    try {
      const { entries } = await withDatabase(stored, context, 'preview', readLedger);
      const isApplied = (fileName: string) => entries.some(({ version }) => fileName.startsWith(`${version}_`));
      const files = Object.fromEntries(Object.entries(stored.files).filter(([fileName]) => isApplied(fileName)));
      return { id, inputs: { ...stored, files }, outputs: { ...known, files, ...summary(entries) } };
    } catch (error) {
      if (!(error instanceof DatabaseUnreachableError)) throw error;
      // It may be what the update that asks is about to start again.
      context.warn(`${error.message}. Not checked: whether everything is still applied there.`);
      return { id, inputs: stored, outputs: known };
    }
  },

  async delete(_id, { applied }, context) {
    context.warn(`The schema, the data and the ledger stay as they are (${applied.length} migrations).`);
  },
};

export const migrations: DocumentedResource<MigrationsInputs, MigrationsOutputs> = {
  definition,
  inputs: migrationsInputs,
  outputs: migrationsOutputs,
  description: `A directory of SQL migrations, applied in order to a PostgreSQL database.

- Every file is one transaction, together with its row in the ledger \`supabase_migrations.schema_migrations\`, which the
  Supabase CLI reads and writes as well. With it, PostgREST is told to reload the schema.
- A file with one statement that can't run in a transaction, such as \`create index concurrently\`, begins with the line
  \`-- migrate: no-transaction\`.
- Every file is parsed by PostgreSQL's own parser before any runs. An error names file and line, nothing of that file
  is applied, and the next update goes on from there.
- The preview lists the files that would run, and says so when the database can't be reached.
- What would stop or break a service that runs is refused before anything runs, with the safe form: table rewrites, indexes
  and constraints built under a lock on a table with rows, drops, renames, row-level security switched off. \`-- allow: <rule>:
  <reason>\` above a statement lets it through; a file that takes away what earlier releases use says so in its header,
  \`-- contract: <reason>\`. Rules: [migrations](../migrations.md).
- An applied file that was edited or is missing, and a new file before the newest applied one, are errors that say how to
  go on. Applied migrations are never undone: deleting the resource leaves schema, data and ledger.
- Of two updates at once the second waits.`,
  example: `const schema = new supabase.Migrations('schema', {
  directory: 'migrations',
  databaseUrl: new pulumi.Config().requireSecret('databaseUrl'),
});
export const head = schema.head;`,
};

function hashesIn(path: string): Record<string, string> {
  try {
    return hashesOf(readMigrationDirectory(path).files);
  } catch (error) {
    if (error instanceof MigrationDirectoryError) return {}; // the validation that follows says so
    throw error;
  }
}

/** Where the directory lies is no difference, nor what it need not have; what is in it is. */
const comparable = ({ directory: _, ahead: __, ...others }: MigrationsInputs) => others;

/** Applies what is pending; at preview, says what that is. */
async function bringUp(
  id: string,
  wanted: MigrationsInputs,
  known: MigrationsOutputs | undefined,
  context: ResourceContext<SupabaseConfig>,
): Promise<MigrationsOutputs> {
  const { files, problems } = readMigrationDirectory(wanted.directory);
  if (problems.length > 0) throw new Error(problems.map(formatProblem).join('\n'));
  const outputs = (entries: readonly AppliedMigration[]): MigrationsOutputs => ({
    directory: wanted.directory,
    files: hashesOf(files),
    ...summary(entries),
  });
  if (context.preview) {
    await tellPlan(wanted, files, known, context);
    return outputs([...files, ...aheadOf(files, wanted, known)]);
  }
  if (differences(wanted.files, hashesOf(files)).length > 0) {
    throw new Error(`the files in ${wanted.directory} changed while the update ran: run it again`);
  }
  try {
    const ledger = await withDatabase(wanted, context, 'update', (database) =>
      runMigrations(database, files, context, wanted.ahead),
    );
    return outputs(ledger.entries);
  } catch (error) {
    if (!(error instanceof MigrationRunError)) throw error;
    throw new InitializationError({ id, outputs: outputs(error.entries), reasons: [error.message] }, { cause: error });
  }
}

/** What was applied after the newest file, as far as the state tells. */
function aheadOf(
  files: readonly AppliedMigration[],
  { ahead = [] }: MigrationsInputs,
  known: MigrationsOutputs | undefined,
): AppliedMigration[] {
  const own = new Set(files.map(({ version }) => version));
  return rememberedLedger(known).filter((entry) => !own.has(entry.version) && ahead.includes(nameOf(entry)));
}
