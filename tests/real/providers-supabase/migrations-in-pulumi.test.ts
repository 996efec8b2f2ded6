import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startPostgres, type TestPostgres } from '../../support/containers.ts';
import { PulumiProject } from '../../support/pulumi-project.ts';
import { ask, freshDatabase, ledgerVersions, tables } from './migration-fixtures.ts';

/** The resource as a person meets it: a program, the real engine, a real PostgreSQL. */
let server: TestPostgres;
let url: string;
let project: PulumiProject;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
beforeEach(async () => {
  url = await freshDatabase(server);
  project = await new PulumiProject('supabase', { TEST_DATABASE_URL: url })
    .program(
      `const schema = new supabase.Migrations('schema', {
         directory: 'migrations',
         databaseUrl: process.env.TEST_DATABASE_URL ?? '',
       });
       export const { head, applied } = schema;`,
    )
    .write({
      'migrations/20250101000000_users.sql': 'create table users (id int primary key);\n',
      'migrations/20250102000000_posts.sql': 'create table posts (id int primary key);\n',
    })
    .start();
});
afterEach(() => project.end());

/** Runs a command that has to work. */
async function succeed(...args: string[]): Promise<string> {
  const { exitCode, text } = await project.pulumi(...args);
  expect(exitCode, text).toBe(0);
  expect(text).not.toContain(server.password);
  return text;
}

/** Runs a command that has to fail. */
async function fail(...args: string[]): Promise<string> {
  const { exitCode, text } = await project.pulumi(...args);
  expect(exitCode, text).not.toBe(0);
  expect(text).not.toContain(server.password);
  return text;
}

const outputs = () => project.outputsOf('supabase:index:Migrations');

test('preview lists the files, up runs them, then nothing changes, an added file is the plan; no password anywhere', async () => {
  expect(await succeed('preview')).toContain('2 would run: 20250101000000_users.sql, 20250102000000_posts.sql');
  expect(await tables(url)).toEqual([]);

  await succeed('up', '--yes', '--skip-preview');
  expect(outputs()).toMatchObject({
    applied: ['20250101000000_users', '20250102000000_posts'],
    head: '20250102000000',
  });
  expect(await tables(url)).toEqual(['posts', 'users']);
  expect(project.state()).not.toContain(server.password);

  await succeed('preview', '--refresh', '--expect-no-changes');

  project.write({ 'migrations/20250103000000_likes.sql': 'create table likes ();\n' });
  const preview = await succeed('preview', '--diff');
  expect(preview).toContain('1 would run: 20250103000000_likes.sql');
  expect(preview).toMatch(/\+ 20250103000000_likes\.sql: "[0-9a-f]{64}"/);
});

test('a mistake in a file is a mistake in the plan, with its line, also while the database is not known yet', async () => {
  project.write({ 'migrations-of-first/1_fine.sql': 'select 1' });
  project.write({ 'migrations/20250103000000_bad.sql': 'create table likes ();\n\ncreate tabel more ();\n' }).program(
    `const { id } = new supabase.Migrations('first', {
       directory: 'migrations-of-first',
       databaseUrl: process.env.TEST_DATABASE_URL,
     });
     new supabase.Migrations('schema', {
       directory: 'migrations',
       databaseUrl: pulumi.interpolate\`postgres://postgres:\${id}@127.0.0.1/postgres\`,
     });`,
  );
  expect(await fail('preview')).toContain('20250103000000_bad.sql:3: syntax error at or near "tabel"');
});

test('a file that fails is named with its line; what ran before it is in the state, and the next up goes on', async () => {
  project.write({
    'migrations/20250103000000_likes.sql': 'create table likes ();\n',
    'migrations/20250104000000_bad.sql': 'create table half ();\ninsert into nowhere values (1);\n',
  });
  const text = await fail('up', '--yes', '--skip-preview');
  expect(text).toContain('20250104000000_bad.sql:2: relation "nowhere" does not exist (SQLSTATE 42P01)');
  expect(text).toContain('Nothing of this file was applied.');
  expect(await tables(url)).toEqual(['likes', 'posts', 'users']);
  expect(outputs()).toMatchObject({ head: '20250103000000' });

  project.write({ 'migrations/20250104000000_bad.sql': 'create table whole ();\n' });
  expect(await succeed('up', '--yes')).toContain('1 would run: 20250104000000_bad.sql');
  expect(outputs()).toMatchObject({ head: '20250104000000' });
});

test('an edited file stops the preview, by its name', async () => {
  await succeed('up', '--yes', '--skip-preview');
  project.write({ 'migrations/20250101000000_users.sql': 'create table users (id bigint primary key);\n' });
  expect(await fail('preview')).toContain('20250101000000_users.sql: was edited after it was applied');
});

test('a preview without the database says so, what it goes by, and what it could not check; an up is an error', async () => {
  await succeed('up', '--yes', '--skip-preview');
  const port = 1; // where nobody listens, and no other test does in the meantime
  const away = new URL(url);
  away.port = String(port);
  project.program(
    `new supabase.Migrations('schema', { directory: 'migrations', databaseUrl: ${JSON.stringify(away.href)} });`,
  );
  project.write({ 'migrations/20250103000000_likes.sql': 'create table likes ();\n' });
  const text = await succeed('preview');
  expect(text).toContain(`the database at 127.0.0.1:${port}/${away.pathname.slice(1)} can't be reached`);
  expect(text).toContain(
    'Going by the last update, 1 would run: 20250103000000_likes.sql. Not checked: what is applied',
  );
  expect(await fail('up', '--yes', '--skip-preview')).toContain("can't be reached: nothing listens there");

  project.write({ 'migrations/20250101000000_users.sql': 'create table users (id bigint primary key);\n' });
  expect(await fail('preview')).toContain('do not fit the ledger of the last update');
});

test('what was removed from the ledger by hand shows in a preview and in a refresh, and is applied again', async () => {
  await succeed('up', '--yes', '--skip-preview');
  await ask(
    url,
    `delete from supabase_migrations.schema_migrations where version = '20250102000000'; drop table posts`,
  );
  expect(await succeed('preview')).toContain('1 would run: 20250102000000_posts.sql');

  await succeed('refresh', '--yes');
  expect(outputs()).toMatchObject({ applied: ['20250101000000_users'] });
  await succeed('up', '--yes', '--skip-preview');
  expect(await tables(url)).toEqual(['posts', 'users']);
});

test('an update that is killed leaves nothing half-applied, and the next one goes on', async () => {
  project.write({ 'migrations/20250103000000_slow.sql': 'create table slow ();\nselect pg_sleep(600);\n' });
  const isSleeping = `select from pg_stat_activity where query = 'select pg_sleep(600)' and state = 'active'`;
  const killed = await project.killedWhen(
    async () => (await ask(url, isSleeping)).length > 0,
    'up',
    '--yes',
    '--skip-preview',
  );
  expect(killed.exitCode).not.toBe(0);
  expect(await ledgerVersions(url)).toEqual(['20250101000000', '20250102000000']);

  project.write({ 'migrations/20250103000000_slow.sql': 'create table slow ();\n' });
  await succeed('cancel', '--yes'); // the engine's own lock on the stack, which the kill left
  await succeed('up', '--yes', '--skip-preview');
  expect(await tables(url)).toEqual(['posts', 'slow', 'users']);
});

test('destroy leaves schema, data and ledger, and says so', async () => {
  await succeed('up', '--yes', '--skip-preview');
  expect(await succeed('destroy', '--yes', '--skip-preview')).toContain(
    'The schema, the data and the ledger stay as they are (2 migrations).',
  );
  expect(await tables(url)).toEqual(['posts', 'users']);
  expect(await ledgerVersions(url)).toEqual(['20250101000000', '20250102000000']);
});
