import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startPostgres, type TestPostgres } from '../../support/containers.ts';
import { ask, freshDatabase, ledgerVersions, MigrationFolder, run, tables } from './migration-fixtures.ts';

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
    '20250101000000_users.sql': 'create table users (id int primary key);\n',
    '20250102000000_posts.sql':
      '-- posts of users\ncreate table posts (id int primary key, user_id int references users);\ninsert into users values (1);\n',
  });
});
afterEach(() => folder.remove());

test('a fresh database gets every file in order, with its row in the ledger', async () => {
  const { applied, progress, warnings } = await run(url, folder);
  expect(applied).toEqual(['20250101000000', '20250102000000']);
  expect(progress).toEqual(['running 20250101000000_users.sql (1 of 2)', 'running 20250102000000_posts.sql (2 of 2)']);
  expect(warnings).toEqual([]);
  expect(await tables(url)).toEqual(['posts', 'users']);
  expect(await ask(url, 'select * from supabase_migrations.schema_migrations order by version')).toEqual([
    { version: '20250101000000', name: 'users', statements: ['create table users (id int primary key)'] },
    {
      version: '20250102000000',
      name: 'posts',
      statements: [
        '-- posts of users\ncreate table posts (id int primary key, user_id int references users)',
        'insert into users values (1)',
      ],
    },
  ]);
});

test('a second run does nothing', async () => {
  await run(url, folder);
  const { applied, progress } = await run(url, folder);
  expect(applied).toEqual(['20250101000000', '20250102000000']);
  expect(progress).toEqual([]);
});

test('an added file is the only one that runs', async () => {
  await run(url, folder);
  folder.write({ '20250103000000_likes.sql': 'create table likes ()' });
  const { progress } = await run(url, folder);
  expect(progress).toEqual(['running 20250103000000_likes.sql (1 of 1)']);
  expect(await tables(url)).toEqual(['likes', 'posts', 'users']);
});

test('the hashes are kept where no API role can see them', async () => {
  await run(url, folder);
  expect(
    await ask(
      url,
      `select relname, relrowsecurity from pg_class where relnamespace = 'supabase_migrations'::regnamespace
         and relkind = 'r' and relname = 'migration_files'`,
    ),
  ).toEqual([{ relname: 'migration_files', relrowsecurity: true }]);
  await ask(url, 'create role reader_of_hashes');
  await expect(
    ask(url, 'set role reader_of_hashes; select * from supabase_migrations.migration_files'),
  ).rejects.toThrow('permission denied for schema supabase_migrations');
});

test('an applied file that was edited is an error that names it and the way on; nothing runs', async () => {
  await run(url, folder);
  folder.write({
    '20250101000000_users.sql': 'create table users (id bigint primary key);\n',
    '20250103000000_likes.sql': 'create table likes ()',
  });
  await expect(run(url, folder)).rejects.toThrow(
    /do not fit the ledger of 127\.0\.0\.1:\d+\/test_\w+; nothing was run:\n- 20250101000000_users\.sql: was edited after it was applied.*supabase migration repair --status applied 20250101000000/s,
  );
  expect(await tables(url)).toEqual(['posts', 'users']);
});

test('line ends of another checkout are no edit', async () => {
  await run(url, folder);
  folder.write({ '20250101000000_users.sql': 'create table users (id int primary key);\r\n' });
  expect((await run(url, folder)).progress).toEqual([]);
});

test('an applied file that is gone is an error that names it and the way on', async () => {
  await run(url, folder);
  folder.remove('20250101000000_users.sql');
  await expect(run(url, folder)).rejects.toThrow(
    /20250101000000_users\.sql: was applied to this database, but the directory does not have it.*supabase migration fetch/s,
  );
});

test('a new file before the newest applied one is an error that names it; nothing runs', async () => {
  await run(url, folder);
  folder.write({
    '20250101120000_late.sql': 'create table late ()',
    '20250103000000_likes.sql': 'create table likes ()',
  });
  await expect(run(url, folder)).rejects.toThrow(
    '20250101120000_late.sql: is new, but comes before 20250102000000, which is applied: rename it to a later version',
  );
  expect(await tables(url)).toEqual(['posts', 'users']);
});

test('a broken file is named with its line and leaves nothing; the files before it stay; a mended one goes on', async () => {
  folder.write({
    '20250103000000_broken.sql': [
      '-- Größe 😀',
      'create table half_done (id int);',
      '',
      'insert into half_done',
      '  select missing_column from users;',
      '',
    ].join('\n'),
    '20250104000000_after.sql': 'create table after_it ()',
  });
  await expect(run(url, folder)).rejects.toThrow(
    '20250103000000_broken.sql:5: column "missing_column" does not exist (SQLSTATE 42703)\n' +
      'Nothing of this file was applied. Mend it and run the update again; the 2 files before it stay applied.',
  );
  expect(await tables(url)).toEqual(['posts', 'users']);
  expect(await ledgerVersions(url)).toEqual(['20250101000000', '20250102000000']);

  folder.write({ '20250103000000_broken.sql': 'create table half_done (id int);' });
  expect((await run(url, folder)).applied).toHaveLength(4);
  expect(await tables(url)).toEqual(['after_it', 'half_done', 'posts', 'users']);
});

test('an error without a position names the line of its statement, and where in a function it was', async () => {
  folder.write({
    '20250103000000_raises.sql': "\n-- a check\ndo $$\nbegin\n  raise exception 'no' using hint = 'say yes';\nend $$;",
  });
  await expect(run(url, folder)).rejects.toThrow(
    /20250103000000_raises\.sql:3: no \(SQLSTATE P0001\)\n {2}hint: say yes\n {2}where: PL\/pgSQL function inline_code_block line 3 at RAISE/,
  );
});

test('a check deferred to the end of the transaction names the file, and leaves nothing', async () => {
  folder.write({
    '20250103000000_deferred.sql':
      'create table a (user_id int references users deferrable initially deferred); insert into a values (99);',
  });
  await expect(run(url, folder)).rejects.toThrow(
    /20250103000000_deferred\.sql: insert or update on table "a" violates/,
  );
  expect(await tables(url)).toEqual(['posts', 'users']);
  expect(await ledgerVersions(url)).not.toContain('20250103000000');
});

test('what one file sets does not reach the next, nor its own row in the ledger', async () => {
  folder.write({
    '20250103000000_sets.sql':
      "create role somebody; set role somebody; set search_path = ''; set statement_timeout = '1h'",
    '20250104000000_plain.sql':
      "create table plain as select current_user as who, current_setting('statement_timeout') as t",
  });
  await run(url, folder);
  expect(await ask(url, 'select who, t from plain')).toEqual([{ who: 'postgres', t: '0' }]);
});

test('a file outside a transaction can build an index concurrently', async () => {
  folder.write({
    '20250103000000_index.sql':
      '-- migrate: no-transaction\ncreate index concurrently posts_user on posts (user_id);\n',
  });
  expect((await run(url, folder)).applied).toContain('20250103000000');
  expect(await ask(url, `select indisvalid from pg_index where indexrelid = 'posts_user'::regclass`)).toEqual([
    { indisvalid: true },
  ]);
  expect((await run(url, folder)).progress).toEqual([]);
});

test('the half-built index of a failed run is dropped by the next', async () => {
  await run(url, folder);
  await ask(url, 'insert into posts values (1, 1), (2, 1)');
  folder.write({
    '20250103000000_unique.sql':
      '-- migrate: no-transaction\n\ncreate unique index concurrently if not exists posts_one on posts (user_id);\n',
  });
  await expect(run(url, folder)).rejects.toThrow(
    /20250103000000_unique\.sql:3: could not create unique index "posts_one".*It runs outside a transaction/s,
  );
  const validity = `select indisvalid from pg_index where indexrelid = to_regclass('posts_one')`;
  expect(await ask(url, validity)).toEqual([{ indisvalid: false }]);

  await ask(url, 'delete from posts where id = 2');
  const { progress } = await run(url, folder);
  expect(progress).toContain(
    '20250103000000_unique.sql: dropping the half-built index public.posts_one of the interrupted run',
  );
  expect(await ask(url, validity)).toEqual([{ indisvalid: true }]);
});

test("a half-built index of somebody else's is an error with the command that drops it", async () => {
  await run(url, folder);
  await ask(url, 'insert into posts values (1, 1), (2, 1)');
  await expect(ask(url, 'create unique index concurrently posts_one on posts (user_id)')).rejects.toThrow();
  folder.write({
    '20250103000000_unique.sql':
      '-- migrate: no-transaction\ncreate unique index concurrently if not exists posts_one on posts (user_id);\n',
  });
  await expect(run(url, folder)).rejects.toThrow(
    '20250103000000_unique.sql:2: there is an unfinished index of that name already. Drop it: drop index concurrently public.posts_one;',
  );
});

test('of two runs at once the second waits, says so, and finds nothing left to do', async () => {
  folder.write({ '20250103000000_slow.sql': 'select pg_sleep(1.5); create table slow ()' });
  let second: ReturnType<typeof run> | undefined;
  const first = run(url, folder, {
    onProgress: (line) => {
      if (line.includes('slow')) second = run(url, folder);
    },
  });
  expect((await first).progress).toHaveLength(3);
  const { progress, applied } = (await second) ?? expect.fail('the second run never began');
  expect(progress).toHaveLength(1);
  expect(progress[0]).toMatch(
    /^waiting: another run of migrations is at work on 127\.0\.0\.1:\d+\/test_\w+ \(pulumi-resource-supabase, server process \d+, connected since [\d:]+\)$/,
  );
  expect(applied).toHaveLength(3);
});

test('a cancelled run ends at once, leaves nothing of the file, and lets the next one in', async () => {
  folder.write({ '20250103000000_slow.sql': 'create table slow ();\nselect pg_sleep(60);' });
  const abort = new AbortController();
  const running = run(url, folder, {
    signal: abort.signal,
    onProgress: (line) => {
      if (line.includes('slow')) setTimeout(() => abort.abort(), 300);
    },
  });
  await expect(running).rejects.toThrow(/cancelled while 20250103000000_slow\.sql:2 ran\. Nothing of this file/);
  folder.write({ '20250103000000_slow.sql': 'create table slow ();' });
  expect((await run(url, folder)).applied).toHaveLength(3);
});

test('PostgreSQL killed in the middle of a file: an error that says so, nothing half-applied, the next run goes on', async () => {
  folder.write({ '20250103000000_slow.sql': 'create table slow ();\nselect pg_sleep(60);' });
  let killed: Promise<void> | undefined;
  const running = run(url, folder, {
    onProgress: (line) => {
      if (line.includes('slow')) killed = delay(300).then(() => server.kill());
    },
  });
  await expect(running).rejects.toThrow(
    /20250103000000_slow\.sql:2: the connection to the database broke: .*\nNothing of this file was applied/,
  );
  await killed;
  await server.restart();
  expect(await tables(url)).toEqual(['posts', 'users']);
  expect(await ledgerVersions(url)).toEqual(['20250101000000', '20250102000000']);
  folder.write({ '20250103000000_slow.sql': 'create table slow ();' });
  expect((await run(url, folder)).progress).toEqual(['running 20250103000000_slow.sql (1 of 1)']);
});

test('the API is told to read the schema anew, with the commit', async () => {
  const { default: postgres } = await import('postgres');
  const listener = postgres(url, { max: 1, onnotice() {} });
  try {
    const heard = new EventTarget();
    await listener.listen('pgrst', (payload) => heard.dispatchEvent(new MessageEvent('message', { data: payload })));
    const message = once(heard, 'message', { signal: AbortSignal.timeout(10_000) });
    await run(url, folder);
    expect((await message)[0]).toMatchObject({ data: 'reload schema' });
  } finally {
    await listener.end();
  }
});
