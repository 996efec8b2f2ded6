import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { connect } from '../../../infra/providers/supabase/database/database.ts';
import { parseDatabaseUrl } from '../../../infra/providers/supabase/database/database-url.ts';
import { type AuditSettings, auditDatabase } from '../../../infra/providers/supabase/security-audit/audit.ts';
import { auditRules, exceptionFor } from '../../../infra/providers/supabase/security-audit/finding.ts';
import {
  type ScratchDatabase,
  type ScratchDatabases,
  startScratchDatabases,
} from '../row-level-security/scratch-databases.ts';

let databases: ScratchDatabases;
let database: ScratchDatabase;

beforeAll(async () => {
  databases = await startScratchDatabases();
});
afterAll(() => databases?.close());
beforeEach(async () => {
  database = await databases.make();
});
afterEach(() => database?.drop());

async function audit(settings: Partial<AuditSettings> = {}, url = database.url) {
  const connection = await connect(parseDatabaseUrl(url), {
    signal: new AbortController().signal,
    connectTimeout: 5,
    startupTimeout: 5,
    progress() {},
  });
  try {
    return await auditDatabase(connection, { schemas: ['public'], forced: ['public'], exceptions: {}, ...settings });
  } finally {
    await connection.close();
  }
}

const notes = `
  create table notes (id int, user_id uuid references auth.users, kind text);
  alter table notes enable row level security; alter table notes force row level security;
  create policy own on notes for all to authenticated using (user_id = auth.uid());
  grant all on notes to service_role;`;
const policy = (rest: string) => `${notes} create policy p on notes ${rest};`;
const routine = (rest: string) => `create function f() returns int language sql ${rest} as 'select 1';`;

test('the kit’s own database has no finding, and says what was looked at', async () => {
  const { findings, checked, accepted, unused } = await audit();
  expect({ findings, accepted, unused }).toEqual({ findings: [], accepted: [], unused: [] });
  expect(checked.tables).toBeGreaterThanOrEqual(4);
  expect(checked.policies).toBeGreaterThanOrEqual(10);
});

/** What is opened, what is found, and whether the SQL of the finding mends it as it stands. */
const cases: [opened: string, found: string[], mends?: false][] = [
  ['alter table messages disable row level security', ['no-rls public.messages']],
  ['alter table messages no force row level security', ['rls-not-forced public.messages']],
  ['alter table storage.objects disable row level security', ['no-rls storage.objects']],
  ['create table "No RLS" (); grant all on "No RLS" to service_role', ['no-rls public."No RLS"'], false],
  [`${notes} drop policy own on notes`, ['no-policy public.notes'], false],
  [policy('for select to anon using (true)'), ['policy-for-anon public.notes "p"'], false],
  [policy('for select using (true)'), ['policy-for-anon public.notes "p"'], false],
  [policy(`for select using (kind = 'open')`), ['policy-for-anon public.notes "p"'], false],
  [policy('for insert to anon with check (true)'), ['policy-for-anon public.notes "p"'], false],
  [policy('for select to authenticated using (true)'), ['policy-for-everyone public.notes "p"'], false],
  [policy('for insert to authenticated with check (true)'), ['policy-for-everyone public.notes "p"'], false],
  [
    policy(
      'for all to authenticated using (user_id = auth.uid()) with check (user_id is null or user_id = auth.uid())',
    ),
    ['policy-null-owner public.notes "p"'],
    false,
  ],
  [
    policy('for select to authenticated using (user_id is null or user_id = (select auth.uid()))'),
    ['policy-null-owner public.notes "p"'],
    false,
  ],
  [
    'alter policy "conversation-kit: users reach their own folder" on storage.objects using (true)',
    ['policy-for-everyone storage.objects "conversation-kit: users reach their own folder"'],
    false,
  ],
  [
    'alter policy "users see their own until it ends" on conversations to public using (user_id is not distinct from auth.uid())',
    ['policy-for-anon public.conversations "users see their own until it ends"'],
    false,
  ],
  [
    policy(`for select to authenticated using (${Array.from({ length: 13 }, (_, n) => `kind = '${n}'`).join(' or ')})`),
    ['policy-unclear public.notes "p"'],
    false,
  ],
  ['create view v as select 1', ['view-of-its-owner public.v']],
  ['create view v with (security_invoker = false) as select 1', ['view-of-its-owner public.v']],
  ['create materialized view m as select 1; grant select on m to authenticated', ['materialized-view public.m']],
  [
    `create extension file_fdw; create server files foreign data wrapper file_fdw;
     create foreign table t (a text) server files options (filename '/dev/null'); grant select on t to authenticated`,
    ['foreign-table public.t'],
  ],
  [`${routine('security definer')} revoke all on function f from public, anon`, ['definer-search-path public.f()']],
  [routine(`security definer set search_path = ''`), ['definer-for-anon public.f()']],
  [routine(''), ['function-for-anon public.f()']],
  ['grant select on messages to anon', ['granted-to-anon public.messages']],
  ['grant update (title) on conversations to public', ['granted-to-anon public.conversations']],
  ['create sequence s; grant usage on sequence s to anon', ['granted-to-anon public.s']],
  [
    'alter default privileges in schema public grant select on tables to anon',
    ['default-privileges tables in schema public made by postgres'],
  ],
  ['alter default privileges grant execute on functions to anon', ['default-privileges functions made by postgres']],
  ['grant create on schema public to public', ['schema-create public']],
  ['revoke insert on messages from service_role', ['server-locked-out public.messages']],
];

test.each(cases)('%s', async (opened, found, mends) => {
  await database.sql.unsafe(opened);
  const { findings } = await audit();
  expect(findings.map(exceptionFor)).toEqual(found);
  if (mends === false) return;
  for (const { remedy } of findings) await database.sql.unsafe(remedy);
  expect((await audit()).findings).toEqual([]);
});

test('every rule has a case', () => {
  const covered = new Set(cases.flatMap(([, found]) => found.map((name) => name.split(' ')[0])));
  expect(Object.keys(auditRules).filter((rule) => !covered.has(rule))).toEqual([]);
});

test.each([
  policy('for select to public using (user_id = auth.uid())'),
  policy('as restrictive for select to public using (true)'),
  'create view v with (security_invoker) as select 1; revoke all on v from anon',
  'create materialized view m as select 1; revoke all on m from anon, authenticated',
  `${routine(`security definer set search_path = ''`)} revoke all on function f from public, anon`,
  'create schema hidden; create table hidden.open (); create view hidden.v as select 1',
  notes,
])('nothing is found: %s', async (made) => {
  await database.sql.unsafe(made);
  expect((await audit()).findings.map(exceptionFor)).toEqual([]);
});

test('a server without bypassrls needs a policy for every command', async () => {
  await database.sql.unsafe('alter role service_role nobypassrls');
  try {
    expect((await audit()).findings).toEqual([]);
    await database.sql.unsafe('drop policy "the server sees and writes all" on messages');
    expect((await audit()).findings).toMatchObject([
      {
        rule: 'server-locked-out',
        object: 'public.messages',
        what: 'no policy lets service_role select, insert, update, delete',
      },
    ]);
  } finally {
    await database.sql.unsafe('alter role service_role bypassrls');
  }
});

test('an exception is for one finding, and one for nothing is told', async () => {
  await database.sql.unsafe('create table a (); create table b (); grant all on a, b to service_role');
  const { findings, accepted, unused } = await audit({
    exceptions: { 'no-rls public.a': 'a list of countries', 'no-rls public.gone': 'was there once' },
  });
  expect(findings.map(exceptionFor)).toEqual(['no-rls public.b']);
  expect(accepted).toEqual(['no-rls public.a']);
  expect(unused).toEqual(['no-rls public.gone']);
});

test('the digest is the same for as long as nobody changes anything, in every copy; one dropped policy makes another', async () => {
  const first = await audit();
  await database.sql`insert into conversations (title) values ('rows do not matter')`;
  const other = await databases.make();
  const copy = await audit({}, other.url);
  await other.drop();
  expect([await audit(), copy].map(({ digest }) => digest)).toEqual([first.digest, first.digest]);
  await database.sql`drop policy "users delete their own" on conversations`;
  const now = await audit();
  expect(now.digest).not.toBe(first.digest);
  expect(Object.keys(first.fingerprints).filter((name) => !(name in now.fingerprints))).toEqual([
    'policy "users delete their own" on public.conversations',
  ]);
});

test('a database that is none of Supabase’s says so', async () => {
  // Roles are the server's, so it is another name that is missing here.
  await database.sql.unsafe('alter role anon rename to anon_elsewhere');
  try {
    await expect(audit()).rejects.toThrow(/has no role anon, so it is none of Supabase's/);
  } finally {
    await database.sql.unsafe('alter role anon_elsewhere rename to anon');
  }
});
