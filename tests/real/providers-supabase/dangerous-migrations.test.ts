import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startPostgres, type TestPostgres } from '../../support/containers.ts';
import { ask, freshDatabase, ledgerVersions, MigrationFolder, run, tables } from './migration-fixtures.ts';

/** What the rules ask of a database is asked of a real one; the rules themselves are tested in tests/unit. */
let server: TestPostgres;
let url: string;
let folder: MigrationFolder;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
beforeEach(async () => {
  url = await freshDatabase(server);
  folder = new MigrationFolder().write({
    '1_tables.sql':
      'create table filled (a int, short varchar(5)); create table empty (a int); create index filled_a on filled (a);',
  });
  await run(url, folder);
  await ask(url, 'insert into filled values (1)');
});
afterEach(() => folder.remove());

async function refusal(sql: string): Promise<string | undefined> {
  folder.write({ '2_change.sql': sql });
  const error = await run(url, folder).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error === undefined) return undefined;
  return error instanceof Error ? error.message : expect.fail('no error');
}

test.each([
  ['create index on filled (a)', 'index'],
  ['create index on "filled" (a)', 'index'],
  ['reindex index filled_a', 'index'],
  ['alter table filled add b uuid default gen_random_uuid()', 'table-rewrite'],
  ['alter table filled alter column a type bigint', 'table-rewrite'],
  ['alter table filled add b int not null', 'not-null'],
  ['alter table filled alter column a set not null', 'set-not-null'],
])('%s is refused, and nothing of any file is run', async (sql, rule) => {
  folder.write({ '3_more.sql': 'create table more ()' });
  expect(await refusal(`create table beside ();\n${sql};`)).toMatch(
    new RegExp(`nothing was run:\\n- 2_change\\.sql:2: .*-- allow: ${rule}: <reason>`, 's'),
  );
  expect(await tables(url)).toEqual(['empty', 'filled']);
  expect(await ledgerVersions(url)).toEqual(['1']);
});

test.each([
  'create index on empty (a)',
  'alter table empty alter column a type bigint, alter column a set not null, add b uuid default gen_random_uuid()',
  'alter table filled add b timestamptz not null default now()',
  'alter table filled alter column short type text',
  'alter table filled add constraint c check (a > 0) not valid',
  'create table own as select 1 as a; create index on own (a)',
])('%s runs', async (sql) => {
  expect(await refusal(sql)).toBeUndefined();
});

test('set not null runs after a check that was validated, by whomever, and not after one that was not', async () => {
  await ask(url, 'alter table filled add constraint c check (a is not null) not valid');
  expect(await refusal('alter table filled alter column a set not null')).toContain('set not null on public.filled.a');
  await ask(url, 'alter table filled validate constraint c');
  expect(await refusal('alter table filled alter column a set not null')).toBeUndefined();
});

test('a table whose rows are hidden from us is not taken for empty', async () => {
  const user = `reader_${crypto.randomUUID().slice(0, 8)}`;
  await ask(
    url,
    `create role ${user} login password 'x'; grant create on database ${new URL(url).pathname.slice(1)} to ${user};
     grant usage, create on schema supabase_migrations to ${user}; grant ${user} to postgres;
     alter table supabase_migrations.schema_migrations owner to ${user};
     alter table supabase_migrations.migration_files owner to ${user};
     alter table filled owner to ${user}; alter table filled enable row level security;
     alter table filled force row level security; grant create on schema public to ${user}`,
  );
  const theirs = new URL(url);
  theirs.username = user;
  theirs.password = 'x';
  folder.write({ '2_change.sql': 'create index on filled (a)' });
  await expect(run(theirs.href, folder)).rejects.toThrow('-- allow: index: <reason>');
});

test('what is applied is not judged again', async () => {
  expect(await refusal('-- allow: drop: made by mistake\ndrop table empty;')).toBeUndefined();
  expect(await refusal('-- allow: drop: made by mistake\ndrop table empty;')).toBeUndefined();
  expect((await run(url, folder)).progress).toEqual([]);
});

test('the ledger keeps why a contract migration takes something away, also in one that an older kit made', async () => {
  await ask(url, 'alter table supabase_migrations.migration_files drop column contract');
  expect(await refusal('-- contract: nothing reads it since release 12\ndrop table empty;')).toBeUndefined();
  expect(await ask(url, 'select version, contract from supabase_migrations.migration_files order by 1')).toEqual([
    { version: '1', contract: null },
    { version: '2', contract: 'nothing reads it since release 12' },
  ]);
});

test('a do block is said to be one that could not be looked into', async () => {
  folder.write({ '2_change.sql': `do $$ begin execute 'create table made ()'; end $$` });
  expect((await run(url, folder)).warnings).toEqual([
    '2_change.sql:1: not looked into: execute, whose statement is put together when it runs.',
  ]);
});
