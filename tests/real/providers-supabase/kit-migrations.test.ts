import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { startEmbeddedSupabase } from '../../../embedded-supabase/start.ts';
import { connect } from '../../../infra/providers/supabase/database/database.ts';
import { parseDatabaseUrl } from '../../../infra/providers/supabase/database/database-url.ts';
import { readMigrationDirectory } from '../../../infra/providers/supabase/migrations/migration-directory.ts';
import { runMigrations } from '../../../infra/providers/supabase/migrations/run.ts';
import { auditDatabase } from '../../../infra/providers/supabase/security-audit/audit.ts';
import { freePort, startPostgres } from '../../support/containers.ts';

test('the kit’s migrations run on a fresh project, once, and the audit after them has no finding', async () => {
  const server = await startPostgres();
  const storageDirectory = await mkdtemp(join(tmpdir(), 'kit-migrations-'));
  const port = await freePort();
  const api = await startEmbeddedSupabase(
    {
      publishableKey: `sb_publishable_${randomBytes(12).toString('hex')}`,
      secretKey: `sb_secret_${randomBytes(12).toString('hex')}`,
      jwtSecret: randomBytes(24).toString('hex'),
      host: '127.0.0.1',
      port,
      database: { ...server, name: server.database },
      storageDirectory,
      siteUrl: 'http://localhost:3000',
      maxFileSize: 1024,
    },
    pino({ level: 'silent' }),
  );
  const lines: string[] = [];
  try {
    await api.ready;
    const database = await connect(parseDatabaseUrl(server.url), {
      signal: new AbortController().signal,
      connectTimeout: 5,
      startupTimeout: 5,
      progress() {},
    });
    const { files, problems } = readMigrationDirectory('migrations');
    expect(problems).toEqual([]);
    const report = { progress: (line: string) => lines.push(line), warn: (line: string) => lines.push(`! ${line}`) };
    const { entries } = await runMigrations(database, files, report);
    expect(entries).toHaveLength(files.length);
    expect(lines).toEqual(files.map(({ fileName }, n) => `running ${fileName} (${n + 1} of ${files.length})`));
    await runMigrations(database, files, report);
    expect(lines).toHaveLength(files.length);
    const { findings } = await auditDatabase(database, { schemas: ['public'], forced: ['public'], exceptions: {} });
    expect(findings).toEqual([]);
    await database.close();
  } finally {
    await api.close();
    await server.stop();
    await rm(storageDirectory, { recursive: true, force: true });
  }
});
