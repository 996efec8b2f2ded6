import { afterAll, beforeAll, expect, test } from 'vitest';

import { eventually, type Fixture, startFixture } from './support.ts';

let kit: Fixture;

beforeAll(async () => {
  kit = await startFixture();
});

afterAll(() => kit?.close());

const status = async (table: string) => (await kit.server.from(table).select()).status;

test('a new table is served after the migration that made it, and no longer after the one that dropped it', async () => {
  expect(await status('fresh')).toBe(404);
  await kit.sql.begin(async (sql) => {
    await sql`create table public.fresh (id int primary key)`;
    await sql`notify pgrst, 'reload schema'`;
  });
  await eventually(() => status('fresh')).toBe(200);
  await kit.sql`alter table public.fresh add column added text default 'yes'`;
  await expect
    .poll(async () => (await kit.server.from('fresh').insert({ id: 1 }).select('added')).data)
    .toEqual([{ added: 'yes' }]);
  await kit.sql`drop table public.fresh`;
  await eventually(() => status('fresh')).toBe(404);
});

test('a new function and a new enum are known without a restart', async () => {
  await kit.sql.unsafe(`
    create type public.colour as enum ('red', 'green');
    create function public.colours() returns setof public.colour[] language sql as $$ select '{red,green}'::public.colour[] $$;
  `);
  await eventually(async () => (await kit.server.rpc('colours')).data).toEqual([['red', 'green']]);
});

test('no request sees half a schema while it changes all the time', async () => {
  await kit.sql`create table public.steady (id int primary key, text text)`;
  await kit.sql`insert into public.steady values (1, 'one')`;
  await eventually(() => status('steady')).toBe(200);
  let changing = true;
  const answers: { status: number; data: unknown }[] = [];
  const ask = async () => {
    while (changing) answers.push(await kit.server.from('steady').select('id, text').eq('id', 1));
  };
  const asking = [ask(), ask(), ask()];
  for (let round = 0; round < 10; round += 1) {
    await kit.sql.begin(async (sql) => {
      await sql.unsafe(`create table public.passing_${round} (id int primary key references public.steady)`);
      await sql.unsafe(`alter table public.steady add column extra_${round} int`);
      if (round > 0) await sql.unsafe(`drop table public.passing_${round - 1}`);
      await sql`notify pgrst, 'reload schema'`;
    });
    const before = answers.length;
    await eventually(() => answers.length).toBeGreaterThan(before + 3);
  }
  changing = false;
  await Promise.all(asking);
  expect(answers.filter((answer) => answer.status !== 200)).toEqual([]);
  expect(answers.every((answer) => JSON.stringify(answer.data) === '[{"id":1,"text":"one"}]')).toBe(true);
});

test('what changed while the listener was cut off is known once it is back', async () => {
  const listeners = () => kit.sql`
    select pid from pg_stat_activity where application_name = 'embedded-supabase' and query in ('listen pgrst', 'select 1') and state = 'idle'`;
  const before = await listeners();
  await kit.sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'embedded-supabase'`;
  await kit.sql`create table public.meanwhile (id int)`;
  await eventually(() => status('meanwhile')).toBe(200);
  expect(before.length).toBeGreaterThan(0);
  await kit.sql`create table public.afterwards (id int)`;
  await eventually(() => status('afterwards')).toBe(200);
});

test('grants, roles and helpers are those of hosted Supabase', async () => {
  await kit.sql`create table public.granted (id serial)`;
  const [rights] = await kit.sql`
    select has_table_privilege('anon', 'public.granted', 'select') as anon_table,
           has_sequence_privilege('authenticated', 'public.granted_id_seq', 'usage') as user_sequence,
           has_schema_privilege('anon', 'public', 'create') as anon_create,
           has_table_privilege('authenticated', 'auth.users', 'select') as user_auth,
           has_schema_privilege('authenticated', 'auth', 'usage') as user_uid,
           (select rolbypassrls from pg_roles where rolname = 'service_role') as service_bypasses,
           (select rolbypassrls from pg_roles where rolname = 'authenticated') as user_bypasses,
           (select count(*)::int from pg_tables where schemaname in ('auth', 'storage') and not rowsecurity) as open_tables,
           extensions.digest('a', 'sha256') is not null as has_pgcrypto,
           exists (select from pg_publication where pubname = 'supabase_realtime') as has_publication`;
  expect(rights).toEqual({
    anon_table: true,
    user_sequence: true,
    anon_create: false,
    user_auth: false,
    user_uid: true,
    service_bypasses: true,
    user_bypasses: false,
    open_tables: 0,
    has_pgcrypto: true,
    has_publication: true,
  });
});
