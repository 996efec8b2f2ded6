import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startPostgres, type TestPostgres } from '../../support/containers.ts';
import { ask, freshDatabase, MigrationFolder, run, tables } from './migration-fixtures.ts';
import { SupabaseCli } from './supabase-cli.ts';

/** The ledger is shared with the Supabase CLI: each must understand what the other wrote. */
let server: TestPostgres;
let cli: SupabaseCli;
let url: string;
let folder: MigrationFolder;

beforeAll(async () => {
  [server, cli] = await Promise.all([startPostgres(), SupabaseCli.fetch()]);
});
afterAll(async () => {
  cli.end();
  await server.stop();
});
beforeEach(async () => {
  url = await freshDatabase(server);
  folder = new MigrationFolder().write({
    '20250101000000_first.sql': [
      '-- é header ü; not a split',
      '',
      "create table a (x text default 'ñ;'); ;",
      '-- between',
      ';',
      'create function f() returns int language sql begin atomic select 1; select 2; end;',
      'create rule r as on insert to a do also (select 1; select 2);',
      "/* é; */ insert into a values (E'it\\'s; fine') ;",
      'do $x$ begin perform 1; end $x$;;',
      '-- tail é',
    ].join('\n'),
    '20250102000000_second_one.sql': 'create view v as\r\n  select 1 as one;\r\n\r\ncreate table b (y int)',
    '20250103000000_comments_only.sql': '-- nothing\n',
  });
});
afterEach(() => folder.remove());

const ledger = (of: string) => ask(of, 'select * from supabase_migrations.schema_migrations order by version');

test('it lists what we applied as applied, and has nothing left to push', async () => {
  await run(url, folder);
  const listed = await cli.run(folder.path, 'migration', 'list', `--remote=${url}`);
  for (const version of ['20250101000000', '20250102000000', '20250103000000']) {
    expect(listed).toMatch(new RegExp(`${version}\\W+${version}\\W+2025`));
  }
  expect(await cli.run(folder.path, 'db', 'push', '--dry-run', `--remote=${url}`)).toMatch(/up to date/i);
});

test('we write the same ledger as it does: versions, names, statements, columns', async () => {
  const other = await freshDatabase(server);
  await cli.run(folder.path, 'db', 'push', `--remote=${other}`);
  await run(url, folder);
  expect(await ledger(url)).toEqual(await ledger(other));
  const columns = `select column_name, data_type, is_nullable, column_default, ordinal_position from information_schema.columns
    where table_name = 'schema_migrations' order by ordinal_position`;
  expect(await ask(url, columns)).toEqual(await ask(other, columns));
});

test('what it applied is taken over: only new files run', async () => {
  await cli.run(folder.path, 'db', 'push', `--remote=${url}`);
  folder.write({ '20250104000000_ours.sql': 'create table ours ();' });
  expect((await run(url, folder)).progress).toEqual(['running 20250104000000_ours.sql (1 of 1)']);
  expect(await tables(url)).toEqual(['a', 'b', 'ours']);
});

test('the ways on that our errors name work: an edit and a removal are settled by "migration repair"', async () => {
  await run(url, folder);
  folder.write({ '20250102000000_second_one.sql': '-- Now with a comment.\ncreate view v as select 1 as one' });
  await expect(run(url, folder)).rejects.toThrow('supabase migration repair --status applied 20250102000000');
  await cli.run(folder.path, 'migration', 'repair', '--status', 'applied', '20250102000000', `--remote=${url}`);
  expect((await run(url, folder)).progress).toEqual([]);

  folder.remove('20250103000000_comments_only.sql');
  await expect(run(url, folder)).rejects.toThrow('supabase migration repair --status reverted 20250103000000');
  await cli.run(folder.path, 'migration', 'repair', '--status', 'reverted', '20250103000000', `--remote=${url}`);
  expect((await run(url, folder)).applied).toEqual(['20250101000000', '20250102000000']);
});
