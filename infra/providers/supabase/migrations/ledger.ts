import { z } from 'zod';
import type { Database } from '../database/database.ts';
import type { MigrationFile } from './migration-file.ts';

/**
 * The ledger is the Supabase CLI's own table, `supabase_migrations.schema_migrations`, so that both can work on one
 * database. What the CLI has no place for is beside it, in `supabase_migrations.migration_files`: the hash of each file,
 * the reason of a contract migration, and when a run of it began and ended.
 */
export interface LedgerEntry {
  readonly version: string;
  readonly name: string;
  /** As the CLI splits them; undefined when an old CLI wrote the row. */
  readonly statements: readonly string[] | undefined;
  /** Hash of the file that ran; undefined when the CLI ran it. */
  readonly hash: string | undefined;
  /** Why it takes away what earlier releases use; undefined when it is no contract migration. */
  readonly contract: string | undefined;
}

export interface Ledger {
  /** By version. */
  readonly entries: readonly LedgerEntry[];
  /** Versions of files that began outside a transaction, and of which no end is known. */
  readonly unfinished: readonly string[];
}

const tables = z.tuple([z.object({ ledger: z.boolean(), files: z.boolean() })]);
// Rows as JSON: a table that an older CLI made has no `name` or `statements`, one of an older kit no `contract`.
const ledgerRow = z.object({
  row: z.object({
    version: z.string(),
    name: z.string().nullish(),
    statements: z.array(z.string()).nullish(),
  }),
});
const fileRow = z.object({
  row: z.object({
    version: z.string(),
    hash: z.string(),
    finished_at: z.string().nullish(),
    contract: z.string().nullish(),
  }),
});

async function existingTables(database: Database) {
  const [existing] = tables.parse(
    await database.query(
      `select to_regclass('supabase_migrations.schema_migrations') is not null as ledger,
              to_regclass('supabase_migrations.migration_files') is not null as files`,
    ),
  );
  return existing;
}

/** Changes nothing. A database without a ledger has an empty one. */
export async function readLedger(database: Database): Promise<Ledger> {
  const existing = await existingTables(database);
  const rows = existing.ledger
    ? await database.query('select to_jsonb(m) as row from supabase_migrations.schema_migrations m')
    : [];
  const files = existing.files
    ? await database.query('select to_jsonb(f) as row from supabase_migrations.migration_files f')
    : [];
  const entries = z.array(ledgerRow).parse(rows);
  const known = new Map(
    z
      .array(fileRow)
      .parse(files)
      .map(({ row }) => [row.version, row]),
  );
  return {
    entries: entries
      .map(({ row }) => ({
        version: row.version,
        name: row.name ?? '',
        statements: row.statements ?? undefined,
        hash: known.get(row.version)?.hash,
        contract: known.get(row.version)?.contract ?? undefined,
      }))
      .sort((a, b) => (a.version < b.version ? -1 : 1)),
    unfinished: [...known.values()].filter((row) => !row.finished_at).map(({ version }) => version),
  };
}

/** Makes what is missing of the two tables; the first exactly as the CLI makes it. */
export async function prepareLedger(database: Database): Promise<void> {
  const existing = await existingTables(database);
  if (existing.ledger && existing.files) {
    await database.run(withContract);
    return;
  }
  await database.run('begin');
  await database.run('create schema if not exists supabase_migrations');
  await database.run(
    'create table if not exists supabase_migrations.schema_migrations (version text not null primary key)',
  );
  await database.run('alter table supabase_migrations.schema_migrations add column if not exists statements text[]');
  await database.run('alter table supabase_migrations.schema_migrations add column if not exists name text');
  await database.run(
    `create table if not exists supabase_migrations.migration_files (
       version text not null primary key,
       hash text not null,
       started_at timestamptz not null default now(),
       finished_at timestamptz
     )`,
  );
  await database.run(withContract);
  await database.run('alter table supabase_migrations.migration_files enable row level security');
  await database.run('commit');
}

const withContract = 'alter table supabase_migrations.migration_files add column if not exists contract text';

/** Part of the transaction that runs the file, or of one right after it. */
export async function recordApplied(database: Database, file: MigrationFile): Promise<void> {
  await database.query(
    `insert into supabase_migrations.schema_migrations (version, name, statements)
     values ($1, $2, array(select s.text from jsonb_array_elements_text($3::text::jsonb) with ordinality as s (text, n) order by n))`,
    [file.version, file.name, JSON.stringify(file.statements.map(({ text }) => text))],
  );
  await recordHash(database, file);
}

/** Keeps the hash of a file that is applied, and its reason as a contract migration. */
export async function recordHash(database: Database, { version, hash, contract }: MigrationFile): Promise<void> {
  await database.query(
    `insert into supabase_migrations.migration_files (version, hash, contract, finished_at)
     values ($1, $2, $3, clock_timestamp())
     on conflict (version) do update
       set hash = excluded.hash, contract = excluded.contract, finished_at = excluded.finished_at`,
    [version, hash, contract ?? null],
  );
}

/** Before a file runs outside a transaction: if its end is never recorded, the next run knows of this one. */
export async function recordStarted(database: Database, { version, hash }: MigrationFile): Promise<void> {
  await database.query(
    `insert into supabase_migrations.migration_files (version, hash) values ($1, $2)
     on conflict (version) do update set hash = excluded.hash, started_at = now(), finished_at = null`,
    [version, hash],
  );
}
