import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { DatabaseFacts } from '../../../infra/providers/supabase/migrations/danger/facts.ts';
import { noFacts } from '../../../infra/providers/supabase/migrations/danger/facts.ts';
import { findDangers } from '../../../infra/providers/supabase/migrations/danger/find-dangers.ts';
import { dangerRules } from '../../../infra/providers/supabase/migrations/danger/rules.ts';
import { formatProblem, parseMigrationFile } from '../../../infra/providers/supabase/migrations/migration-file.ts';

/** A database in which every table but `empty` holds rows. */
const database: DatabaseFacts = {
  rowsIn: async ({ relname }) => (relname === 'empty' ? 'none' : 'some'),
  isVolatile: async ([name]) => name !== 'now',
  hasNotNullCheck: async (_table, column) => column === 'checked',
  typeOf: async (_table, column) => (column === 'short' ? 'character varying(20)' : 'integer'),
};

/** Files that run one after the other; each is one string. */
async function find(contents: readonly string[], facts = database) {
  const files = contents.map((content, index) => {
    const { file, problems } = parseMigrationFile(`${index + 1}_t.sql`, content);
    expect(problems).toEqual([]);
    return file ?? expect.fail('no migration');
  });
  return findDangers(files, facts);
}

/** `line rule` of each refusal in one file. */
async function refused(content: string, facts = database) {
  const report = await find([content], facts);
  return report.refused.map(({ line, message }) => `${line} ${/-- allow: ([a-z-]+):/.exec(message)?.[1]}`);
}

describe.each([
  ['table-rewrite', 'alter table t alter column c type bigint'],
  ['table-rewrite', 'alter table t alter column short type varchar(10)'],
  ['table-rewrite', 'alter table t alter column c type text'],
  ['table-rewrite', 'alter table t add c uuid default gen_random_uuid()'],
  ['table-rewrite', 'alter table t add c uuid not null default coalesce(null, gen_random_uuid())'],
  ['table-rewrite', 'alter table t add c bigserial'],
  ['table-rewrite', 'alter table t add c int generated always as identity'],
  ['table-rewrite', 'alter table t add c int generated always as (a + 1) stored'],
  ['table-rewrite', 'alter table t set unlogged'],
  ['table-rewrite', 'alter table t set logged'],
  ['table-rewrite', 'cluster t using i'],
  ['table-rewrite', 'vacuum full t'],
  ['table-rewrite', 'vacuum (full, analyze) t'],
  ['table-rewrite', 'alter materialized view t set tablespace fast'],
  ['not-null', 'alter table t add c int not null'],
  ['set-not-null', 'alter table t alter column c set not null'],
  ['index', 'create index i on t (c)'],
  ['index', 'create unique index on public.t (c)'],
  ['index', 'reindex table t'],
  ['constraint', 'alter table t add constraint c check (a > 0)'],
  ['constraint', 'alter table t add unique (a)'],
  ['constraint', 'alter table t add primary key (a)'],
  ['constraint', 'alter table t add exclude using gist (a with &&)'],
  ['constraint', 'alter table t add c int check (c > 0)'],
  ['constraint', 'alter domain d add constraint c check (value > 0)'],
  ['foreign-key', 'alter table t add foreign key (a) references u (id)'],
  ['foreign-key', 'alter table t add c int references u (id)'],
  ['drop', 'drop table t'],
  ['drop', 'drop table if exists t cascade'],
  ['drop', 'alter table t drop column c'],
  ['drop', 'drop view v'],
  ['drop', 'drop function f(int)'],
  ['drop', 'drop type y'],
  ['drop', 'drop policy p on t'],
  ['drop', 'drop schema s cascade'],
  ['drop', 'drop extension x'],
  ['rename', 'alter table t rename to u'],
  ['rename', 'alter table t rename column a to b'],
  ['rename', 'alter function f(int) rename to g'],
  ['rename', 'alter type y rename to z'],
  ['rename', `alter type y rename value 'a' to 'b'`],
  ['rename', 'alter table t set schema s'],
  ['disable-rls', 'alter table t disable row level security'],
  ['disable-rls', 'alter table t no force row level security'],
  ['truncate', 'truncate t'],
  ['lock-table', 'lock table t in share mode'],
])('%s: %s', (rule, sql) => {
  test('is refused, with its line', async () => {
    expect(await refused(`select 1;\n\n${sql};`)).toEqual([`3 ${rule}`]);
  });
  test('goes with a reason on the line above, and with no other rule’s', async () => {
    expect(await refused(`select 1;\n-- allow: ${rule}: nothing runs yet\n${sql};`)).toEqual([]);
    const other = rule === 'drop' ? 'rename' : 'drop';
    expect(await refused(`select 1;\n-- allow: ${other}: nothing runs yet\n${sql};`)).toEqual([`3 ${rule}`]);
  });
  test('is found in a do block as well', async () => {
    expect(await refused(`do $$\nbegin\n  ${sql};\nend $$;`)).toEqual([`3 ${rule}`]);
  });
});

test.each([
  'alter table t add c int',
  'alter table t add c timestamptz not null default now()',
  'alter table t add c timestamptz default current_timestamp',
  'alter table t alter column short type text',
  'alter table t alter column checked set not null',
  'alter table t alter column c drop not null, alter column c set default 1',
  'alter table t add constraint c check (a > 0) not valid',
  'alter table t add foreign key (a) references u (id) not valid',
  'alter table t add constraint c unique using index i',
  'alter table t validate constraint c',
  'alter table t drop constraint c',
  'alter index i rename to j',
  'alter table t rename constraint a to b',
  `alter type y add value 'c'`,
  'drop index i',
  'drop trigger g on t',
  'create or replace view v as select 1',
  'create or replace function f() returns int language sql as $$select 1$$',
  'vacuum t',
  'create index concurrently i on t (c)',
  `select 'drop table t; truncate t'`,
  'create index i on empty (c)',
  'alter table empty alter column c type bigint, add d int not null, add unique (a)',
])('%s is fine', async (sql) => {
  expect(await refused(sql)).toEqual([]);
});

test.each([
  'create table t (a int); create index i on t (a); alter table public.t add b int not null, add unique (a);',
  'create table t (a int); alter table t rename a to b; truncate t; lock table t; drop table t;',
  'alter table t add c int; alter table t rename column c to d;',
  'create view v as select 1; drop view v;',
  `create type y as enum ('a'); alter type y rename value 'a' to 'b'; drop type y;`,
  'create schema s; drop schema s;',
])('what a file makes itself is its own: %s', async (sql) => {
  expect(await refused(sql)).toEqual([]);
});

test('"if not exists" may have found a table that was there before', async () => {
  expect(await refused('create table if not exists t (a int);\ncreate index i on t (a);')).toEqual(['2 index']);
});

describe('what is dropped and made again in the same file', () => {
  test('a policy is replaced by another one of its table', async () => {
    expect(await refused('drop policy p on t;\ncreate policy q on t using (true);')).toEqual([]);
    expect(await refused('drop policy p on t;\ncreate policy p on u using (true);')).toEqual(['1 drop']);
    expect(await refused('create policy q on t using (true);\ndrop policy p on t;')).toEqual(['2 drop']);
  });

  test('a function is replaced by one that takes every call of the old one', async () => {
    const then = (parameters: string) =>
      refused(
        `drop function f(int, text);\ncreate function f(${parameters}) returns int language sql as $$select 1$$;`,
      );
    expect(await then('a int, b text')).toEqual([]);
    expect(await then('a integer, b text default null, c uuid default null, out d int')).toEqual([]);
    expect(await then('a int, b text, c uuid')).toEqual(['1 drop']);
    expect(await then('a int, b uuid')).toEqual(['1 drop']);
    expect(await then('a int')).toEqual(['1 drop']);
  });
});

test('not null in three files is fine, in one it is not', async () => {
  const add = 'alter table t add constraint c check (a is not null) not valid;\n';
  const validate = 'alter table t validate constraint c;\n';
  const set = 'alter table t alter column a set not null;';
  expect((await find([add, validate, set])).refused).toEqual([]);
  expect((await find([add, set])).refused.map(({ fileName }) => fileName)).toEqual(['2_t.sql']);
  expect(await refused(`${add}${validate}`)).toEqual(['2 constraint']);
});

describe('a contract migration', () => {
  test('may drop and rename, and nothing else', async () => {
    const contract = '-- contract: the last release that read it was 12\n';
    expect(await refused(`${contract}drop table t;\nalter table u rename a to b;\ntruncate v;`)).toEqual([
      '4 truncate',
    ]);
  });
  test('gives its reason', () => {
    expect(parseMigrationFile('1_t.sql', '-- contract: old\nselect 1').file?.contract).toBe('old');
    expect(parseMigrationFile('1_t.sql', 'select 1').file?.contract).toBeUndefined();
    expect(parseMigrationFile('1_t.sql', '\n-- contract:\nselect 1').problems.map(formatProblem)).toEqual([
      '1_t.sql:2: "contract:" gives no reason: say what it takes away, and since when nothing uses that',
    ]);
  });
});

test('a statement that breaks two rules needs a reason for each', async () => {
  const sql = 'alter table t add c int primary key;';
  expect(await refused(sql)).toEqual(['1 not-null', '1 constraint']);
  expect(await refused(`-- allow: not-null: empty soon\n${sql}`)).toEqual(['2 constraint']);
  expect(await refused(`-- allow: not-null: empty soon\n-- allow: constraint: empty soon\n${sql}`)).toEqual([]);
});

test('an allowance names a rule and a reason', async () => {
  const { refused: mistakes } = await find([
    'select 1;\n-- allow: drops: old\n-- allow: drop\n-- allow: drop:\nselect 2',
  ]);
  expect(mistakes.map(formatProblem)).toEqual([
    expect.stringContaining('1_t.sql:2: "allow: drops" names no rule: there are table-rewrite, not-null'),
    '1_t.sql:3: "allow: drop" gives no reason: -- allow: <rule>: <reason>',
    '1_t.sql:4: "allow: drop" gives no reason: -- allow: <rule>: <reason>',
  ]);
});

test('an allowance in a string, or of another statement, allows nothing', async () => {
  expect(await refused(`select '\n-- allow: drop: old\n';\ndrop table t;`)).toEqual(['4 drop']);
  expect(await refused('-- allow: drop: old\nselect 1;\ndrop table t;')).toEqual(['3 drop']);
});

test('a refusal says what, why, the safe form and how to let it through', async () => {
  const { refused: found } = await find(['drop table t']);
  expect(found.map(formatProblem)).toEqual([
    '1_t.sql:1: drop table public.t: a release that still runs, or that is rolled back to, may use it; and the data in it is gone. ' +
      'Instead: stop using it in one release, and drop it in a contract migration of a later one. ' +
      'Where that does not hold, say why on the line above: -- allow: drop: <reason>, ' +
      'or for the whole file in its header, which ends rollbacks to before it: -- contract: <reason>.',
  ]);
});

test('what can’t be seen is said: dynamic SQL, other languages, tables that can’t be looked at', async () => {
  expect(await find([`do $$\nbegin\n  execute 'drop table ' || 't';\nend $$;`, 'do language plperl $$ 1 $$'])).toEqual({
    refused: [],
    unseen: [
      '1_t.sql:3: not looked into: execute, whose statement is put together when it runs.',
      '2_t.sql:1: not looked into: this do block (its language is plperl).',
    ],
  });
  const { refused: certain, unseen } = await find(['create index i on t (c);\ndrop table t;'], noFacts);
  expect(certain.map(({ line }) => line)).toEqual([2]);
  expect(unseen).toEqual([expect.stringMatching(/^1_t\.sql:1: create index i .* only if public\.t holds rows\.$/)]);
});

test('the documentation has every rule, in the words of its refusal', () => {
  const text = readFileSync(new URL('../../../docs/migrations.md', import.meta.url), 'utf8');
  for (const [name, { why, safe }] of Object.entries(dangerRules)) {
    expect(text).toContain(`| \`${name}\` |`);
    expect(text).toContain(why);
    expect(text).toContain(safe);
  }
});

test('the kit’s own migrations are fine for a database in which every table holds rows', async () => {
  const folder = new URL('../../../migrations/', import.meta.url);
  const names = readdirSync(folder).filter((name) => name.endsWith('.sql'));
  expect(names.length).toBeGreaterThan(1);
  const files = names.sort().map((name) => {
    const { file } = parseMigrationFile(name, readFileSync(new URL(name, folder), 'utf8'));
    return file ?? expect.fail(`${name} is no migration`);
  });
  const { refused: found, unseen } = await findDangers(files, database);
  expect([...found.map(formatProblem), ...unseen]).toEqual([]);
});
