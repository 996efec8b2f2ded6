import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { connect, type Database } from '../../../infra/providers/supabase/database/database.ts';
import { parseDatabaseUrl } from '../../../infra/providers/supabase/database/database-url.ts';
import { readMigrationDirectory } from '../../../infra/providers/supabase/migrations/migration-directory.ts';
import { runMigrations } from '../../../infra/providers/supabase/migrations/run.ts';
import type { TestPostgres } from '../../support/containers.ts';

/** A directory of migrations that a test writes to. */
export class MigrationFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'migrations-'));

  write(files: Readonly<Record<string, string>>): this {
    mkdirSync(this.path, { recursive: true });
    for (const [name, content] of Object.entries(files)) writeFileSync(join(this.path, name), content);
    return this;
  }

  remove(name = ''): void {
    rmSync(join(this.path, name), { recursive: true });
  }
}

/** An empty database of its own on the server. */
export async function freshDatabase(server: TestPostgres): Promise<string> {
  const name = `test_${crypto.randomUUID().replaceAll('-', '')}`;
  await ask(server.url, `create database ${name}`);
  return server.url.replace(/\/postgres$/, `/${name}`);
}

/** What a person would see in psql. */
export async function ask(url: string, query: string): Promise<readonly Record<string, unknown>[]> {
  const sql = postgres(url, { max: 1, onnotice() {} });
  try {
    return await sql.unsafe(query);
  } finally {
    await sql.end();
  }
}

export const ledgerVersions = async (url: string) =>
  (await ask(url, 'select version from supabase_migrations.schema_migrations order by 1')).map(
    ({ version }) => version,
  );

export const tables = async (url: string) =>
  (await ask(url, `select tablename from pg_tables where schemaname = 'public' order by 1`)).map(
    ({ tablename }) => tablename,
  );

export interface Run {
  readonly progress: string[];
  readonly warnings: string[];
  readonly applied: readonly string[];
}

/** One run of the folder's files, as an update does it. */
export async function run(
  url: string,
  folder: MigrationFolder,
  options: { signal?: AbortSignal; onConnected?(database: Database): void; onProgress?(line: string): void } = {},
): Promise<Run> {
  const progress: string[] = [];
  const warnings: string[] = [];
  const { files, problems } = readMigrationDirectory(folder.path);
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  const report = {
    progress: (line: string) => {
      progress.push(line);
      options.onProgress?.(line);
    },
    warn: (line: string) => warnings.push(line),
  };
  const database = await connect(parseDatabaseUrl(url), {
    signal: options.signal ?? new AbortController().signal,
    connectTimeout: 5,
    startupTimeout: 30,
    progress: report.progress,
  });
  options.onConnected?.(database);
  try {
    const { entries } = await runMigrations(database, files, report);
    return { progress, warnings, applied: entries.map(({ version }) => version) };
  } finally {
    await database.close();
  }
}
