import { z } from 'zod';
import { differences } from '../../plugin/difference.ts';
import { isUnknown, unknownValue } from '../../plugin/property-values.ts';
import {
  InitializationError,
  type PropertyDiff,
  type ResourceContext,
  type ResourceDefinition,
} from '../../plugin/resource.ts';
import { required, type SupabaseConfig } from '../config.ts';
import { connect, type Database, DatabaseUnreachableError } from '../database/database.ts';
import { databaseUrlSchema, parseDatabaseUrl, placeOf } from '../database/database-url.ts';
import type { DocumentedResource } from '../schema/documented-resource.ts';
import { type LedgerEntry, readLedger } from './ledger.ts';
import { MigrationDirectoryError, readMigrationDirectory } from './migration-directory.ts';
import { formatProblem, type MigrationFile } from './migration-file.ts';
import { type MigrationPlan, planMigrations } from './plan.ts';
import { MigrationRunError, previewMigrations, refuseConflicts, runMigrations } from './run.ts';

const directory = z
  .string()
  .min(1, 'must not be empty')
  .describe(
    'Directory of files named `<version>_<name>.sql`, relative to the folder of `Pulumi.yaml`. The versions are digits, all of the same length.',
  );
const files = z.record(z.string(), z.string());

const inputs = z.strictObject({
  // Here, and not in `check`, so that a mistake in a file shows even when the database is not known yet.
  directory: directory.superRefine((path, check) => {
    for (const message of problemsIn(path)) check.addIssue({ code: 'custom', message });
  }),
  databaseUrl: databaseUrlSchema
    .optional()
    .describe(
      'Connection to the database, for example `postgres://postgres:<password>@<host>:5432/postgres?sslmode=require`: direct, or the session pooler. Default: that of the provider. Given here, the files are checked at preview even when it is not known yet.',
    )
    .meta({ secret: true }),
  files: files.default({}).meta({ computed: true }),
});
type Inputs = z.output<typeof inputs>;

const outputs = z.strictObject({
  directory,
  files: files.describe('SHA-256 of each file, by its name.'),
  applied: z.array(z.string()).describe('Applied migrations, `<version>_<name>`, in order: what the ledger says.'),
  head: z.string().describe('Version of the newest applied migration; empty when there is none.'),
});
type Outputs = z.output<typeof outputs>;
type Context = ResourceContext<SupabaseConfig>;

const definition: ResourceDefinition<Inputs, Outputs, SupabaseConfig> = {
  token: 'supabase:index:Migrations',
  inputs,
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
    const id = placeOf(addressOf(wanted, context));
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
    const { entries } = await withDatabase(stored, context, readLedger);
    const isApplied = (fileName: string) => entries.some(({ version }) => fileName.startsWith(`${version}_`));
    const left = Object.fromEntries(Object.entries(stored.files).filter(([fileName]) => isApplied(fileName)));
    return { id, inputs: { ...stored, files: left }, outputs: { ...known, files: left, ...summary(entries) } };
  },

  async delete(_id, { applied }, context) {
    context.warn(`The schema, the data and the ledger stay as they are (${applied.length} migrations).`);
  },
};

export const migrations: DocumentedResource<Inputs, Outputs> = {
  definition,
  inputs,
  outputs,
  description: `A directory of SQL migrations, applied in order to a PostgreSQL database.

- Every file is one transaction, together with its row in the ledger \`supabase_migrations.schema_migrations\`, which the
  Supabase CLI reads and writes as well. After it, PostgREST is told to reload the schema.
- A file with one statement that can't run in a transaction, such as \`create index concurrently\`, begins with the line
  \`-- migrate: no-transaction\`.
- Every file is parsed by PostgreSQL's own parser before any runs. An error names file and line, nothing of that file
  is applied, and the next update goes on from there.
- The preview shows the files that would run, and says so when the database can't be reached.
- An applied file that was edited or is missing, and a new file before the newest applied one, are errors that say how to
  go on. Applied migrations are never undone: deleting the resource leaves schema, data and ledger.
- Of two updates at once the second waits.`,
  example: `const schema = new supabase.Migrations('schema', {
  directory: 'migrations',
  databaseUrl: config.requireSecret('databaseUrl'),
});
export const head = schema.head;`,
};

function problemsIn(path: string): string[] {
  try {
    return readMigrationDirectory(path).problems.map(formatProblem);
  } catch (error) {
    if (error instanceof MigrationDirectoryError) return [error.message];
    throw error;
  }
}

function hashesIn(path: string): Record<string, string> {
  try {
    return hashesOf(readMigrationDirectory(path).files);
  } catch (error) {
    if (error instanceof MigrationDirectoryError) return {}; // the validation that follows says so
    throw error;
  }
}

const hashesOf = (all: readonly MigrationFile[]) =>
  Object.fromEntries(all.map(({ fileName, hash }) => [fileName, hash]));

/** Where the directory lies is no difference, what is in it is. */
const comparable = ({ directory: _, ...others }: Inputs) => others;

function addressOf({ databaseUrl }: Inputs, { config }: Context) {
  return parseDatabaseUrl(databaseUrl ?? required(config, 'databaseUrl'));
}

async function withDatabase<T>(
  wanted: Inputs,
  context: Context,
  work: (database: Database) => Promise<T>,
  timeouts = { connectTimeout: 15, startupTimeout: 30 },
): Promise<T> {
  const database = await connect(addressOf(wanted, context), {
    signal: context.signal,
    progress: (line) => context.progress(line),
    onNotice: (line) => context.progress(line),
    ...timeouts,
  });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** At preview nobody wants to wait for a database that is not there yet. */
const atPreview = { connectTimeout: 5, startupTimeout: 0 };

/** Differences between the files and the database itself, where the stored state does not show any. */
async function ledgerDrift(wanted: Inputs, context: Context): Promise<readonly PropertyDiff[]> {
  const { files: local } = readMigrationDirectory(wanted.directory);
  try {
    const ledger = await withDatabase(wanted, context, readLedger, atPreview);
    const { pending, conflicts } = planMigrations(local, ledger);
    return pending.length + conflicts.length > 0 ? [{ path: 'applied', kind: 'update' }] : [];
  } catch (error) {
    if (!(error instanceof DatabaseUnreachableError)) throw error;
    context.warn(`${error.message}. Not checked: whether everything is still applied there.`);
    return [];
  }
}

async function bringUp(id: string, wanted: Inputs, known: Outputs | undefined, context: Context): Promise<Outputs> {
  const { files: local, problems } = readMigrationDirectory(wanted.directory);
  if (problems.length > 0) throw new Error(problems.map(formatProblem).join('\n'));
  const made = (entries: readonly Pick<LedgerEntry, 'version' | 'name'>[]): Outputs => ({
    directory: wanted.directory,
    files: hashesOf(local),
    ...summary(entries),
  });
  if (context.preview) {
    await tellPlan(wanted, local, known, context);
    return made(local);
  }
  if (differences(wanted.files, hashesOf(local)).length > 0) {
    throw new Error(`the files in ${wanted.directory} changed while the update ran: run it again`);
  }
  try {
    return made((await withDatabase(wanted, context, (database) => runMigrations(database, local, context))).entries);
  } catch (error) {
    if (!(error instanceof MigrationRunError)) throw error;
    throw new InitializationError({ id, outputs: made(error.entries), reasons: [error.message] }, { cause: error });
  }
}

function summary(entries: readonly Pick<LedgerEntry, 'version' | 'name'>[]) {
  return { applied: entries.map(({ version, name }) => `${version}_${name}`), head: entries.at(-1)?.version ?? '' };
}

/** Says at preview what would run, and what could not be checked. */
async function tellPlan(wanted: Inputs, local: readonly MigrationFile[], known: Outputs | undefined, context: Context) {
  try {
    const plan = await withDatabase(wanted, context, (database) => previewMigrations(database, local), atPreview);
    context.progress(listing(plan));
  } catch (error) {
    if (!(error instanceof DatabaseUnreachableError)) throw error;
    const plan = planMigrations(local, { entries: rememberedLedger(known), unfinished: [] });
    refuseConflicts(plan.conflicts.map(formatProblem), 'the last update');
    const basis = known ? 'going by the last update, ' : 'if the database is empty, ';
    context.warn(
      `${error.message}. ${basis}${listing(plan)}. Not checked: what is applied there, and whether it was edited since.`,
    );
  }
}

function listing({ pending }: MigrationPlan): string {
  if (pending.length === 0) return 'nothing would run';
  return `${pending.length} would run: ${pending.map(({ fileName }) => fileName).join(', ')}`;
}

/** What the stored state says is applied. */
function rememberedLedger(known: Outputs | undefined): LedgerEntry[] {
  return (known?.applied ?? []).map((applied) => {
    const [version = '', ...name] = applied.split('_');
    return { version, name: name.join('_'), statements: undefined, hash: known?.files[`${applied}.sql`] };
  });
}
