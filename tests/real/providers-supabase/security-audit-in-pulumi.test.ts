import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { PulumiProject } from '../../support/pulumi-project.ts';
import {
  type ScratchDatabase,
  type ScratchDatabases,
  startScratchDatabases,
} from '../row-level-security/scratch-databases.ts';

/** The audit as a person meets it: after migrations, in previews, refreshes and updates. */
let databases: ScratchDatabases;
let database: ScratchDatabase;
let project: PulumiProject;

const program = (url: string, exceptions = '{}') => `
  const schema = new supabase.Migrations('schema', { directory: 'migrations', databaseUrl: ${JSON.stringify(url)} });
  const audit = new supabase.SecurityAudit('audit', {
    databaseUrl: ${JSON.stringify(url)}, forced: ['public'], exceptions: ${exceptions}, schemaVersion: schema.head,
  });
  export const { digest, contracts } = { digest: audit.digest, contracts: schema.contracts };`;

beforeAll(async () => {
  databases = await startScratchDatabases();
});
afterAll(() => databases?.close());
beforeEach(async () => {
  database = await databases.make();
  project = await new PulumiProject('supabase')
    .program(program(database.url))
    .write({ 'migrations/1_notes.sql': notes('alter table notes enable row level security;') })
    .start();
});
afterEach(async () => {
  project?.end();
  await database?.drop();
});

const notes = (security: string) => `create table notes (id int, user_id uuid); ${security}
  create policy own on notes for all to authenticated using (user_id = (select auth.uid()));
  grant all on notes to service_role;`;

async function succeed(...args: string[]): Promise<string> {
  const { exitCode, text } = await project.pulumi(...args);
  expect(exitCode, text).toBe(0);
  expect(text).not.toContain(databases.password);
  return text;
}

async function fail(...args: string[]): Promise<string> {
  const { exitCode, text } = await project.pulumi(...args);
  expect(exitCode, text).not.toBe(0);
  expect(text).not.toContain(databases.password);
  return text;
}

const outputs = () => project.outputsOf('supabase:index:SecurityAudit');

test('an update fails on what a migration left open, with the SQL that mends it, and goes on once it is mended', async () => {
  const text = await fail('up', '--yes', '--skip-preview');
  expect(text).toContain('the security audit has one finding');
  expect(text).toContain('public.notes: row-level security is not forced');
  expect(text).toContain('mend it: alter table public.notes force row level security;');

  project.write({ 'migrations/2_force.sql': 'alter table public.notes force row level security;' });
  expect(await succeed('preview')).toContain('Before this update: the security audit has one finding');
  await succeed('up', '--yes', '--skip-preview');
  expect(outputs()).toMatchObject({ findings: [], accepted: [], checked: { tables: expect.any(Number) } });
  await succeed('preview', '--expect-no-changes');
  await succeed('preview', '--refresh', '--expect-no-changes');
  expect(project.state()).not.toContain(databases.password);
});

test('what is opened or dropped by hand shows in a preview and in a refresh; the update fails on it, or warns', async () => {
  project.write({ 'migrations/2_force.sql': 'alter table public.notes force row level security;' });
  await succeed('up', '--yes', '--skip-preview');

  await database.sql`drop policy "users delete their own" on conversations`;
  expect(await succeed('preview', '--diff')).toContain('- policy "users delete their own" on public.conversations');
  expect(await succeed('up', '--yes', '--skip-preview')).toContain(
    'changed since the last audit, and by no migration: policy "users delete their own" on public.conversations is gone',
  );
  await succeed('preview', '--expect-no-changes');

  await database.sql.unsafe(`create table by_hand (); alter table by_hand enable row level security;
    alter table by_hand force row level security; grant all on by_hand to service_role`);
  await succeed('refresh', '--yes');
  expect(outputs()).toMatchObject({ findings: ['no-policy public.by_hand', 'table public.by_hand is new'] });
  expect(await fail('up', '--yes', '--skip-preview')).toContain(
    'public.by_hand: row-level security without any policy',
  );

  project.program(program(database.url, `{ 'no-policy public.by_hand': 'the server alone uses it' }`));
  await succeed('up', '--yes', '--skip-preview');
  expect(outputs()).toMatchObject({ findings: [], accepted: ['no-policy public.by_hand'] });
  await succeed('preview', '--refresh', '--expect-no-changes');
});

test('what migrations stated is made again by the next update, also when another migration comes with it', async () => {
  project.write({
    'migrations/1_notes.sql': notes('alter table notes enable row level security;'),
    'migrations/2_force.sql': 'alter table public.notes force row level security;',
  });
  await succeed('up', '--yes', '--skip-preview');
  const before = await policiesOfNotes();
  await database.sql`alter policy own on notes using (true)`;
  await database.sql`alter table notes no force row level security`;
  await succeed('refresh', '--yes');
  project.write({ 'migrations/3_more.sql': 'alter table public.notes add column title text;' });
  expect(await succeed('up', '--yes', '--skip-preview')).toContain(
    'changed by hand, and made again as the migrations state it: table public.notes, policy "own" on public.notes',
  );
  expect(await policiesOfNotes()).toEqual(before);
  expect(outputs()).toMatchObject({ findings: [] });
  await succeed('preview', '--refresh', '--expect-no-changes');
});

const policiesOfNotes = () =>
  database.sql`select p::text as policy, relforcerowsecurity from pg_policies p, pg_class c
    where tablename = 'notes' and c.oid = 'notes'::regclass`;

test('a preview without the database says what it could not check', async () => {
  const away = new URL(database.url);
  away.port = '1';
  project.program(program(away.href));
  const text = await succeed('preview');
  expect(text).toContain(
    'Not checked: row-level security, policies, views, functions, grants and default privileges of public, storage.',
  );
  expect(await fail('up', '--yes', '--skip-preview')).toContain("can't be reached: nothing listens there");
});

test('an exception that names no rule is a mistake in the plan', async () => {
  project.program(program(database.url, `{ 'no-rlss public.notes': 'because' }`));
  expect(await fail('preview')).toContain('must be "<rule> <object>", as a finding names it');
});

test('contract migrations are an output', async () => {
  project.write({
    'migrations/2_drop.sql': '-- contract: nobody wrote a note since release 3\ndrop table public.notes;',
  });
  await succeed('up', '--yes', '--skip-preview');
  expect(project.outputsOf('supabase:index:Migrations')).toMatchObject({
    contracts: { '2_drop': 'nobody wrote a note since release 3' },
  });
});
