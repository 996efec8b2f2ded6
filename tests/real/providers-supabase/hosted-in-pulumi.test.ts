import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { ManagementApi } from '../../support/management-api/management-api.ts';
import { PulumiProject } from '../../support/pulumi-project.ts';
import { dataOf, type Fixture, startFixture } from '../embedded-supabase/support.ts';

/**
 * The hosted path as a person meets it: the real engine, the provider, the Management API on loopback, and an embedded
 * Supabase as what stands behind the project.
 */
let supabase: Fixture;
let api: ManagementApi;
let project: PulumiProject;

vi.setConfig({ testTimeout: 600_000 }); // many runs of the engine

const token = () => ({ SUPABASE_ACCESS_TOKEN: api.token });

beforeAll(async () => {
  supabase = await startFixture({ maxFileSize: 100_000_000 });
  const { publishableKey, secretKey, jwtSecret, database } = supabase.settings;
  api = await ManagementApi.start({ publishableKey, secretKey, jwtSecret, database });
});
afterAll(async () => {
  await api.close();
  await supabase.close();
});
beforeEach(async () => {
  api.reset();
  project = await newProject();
});
afterEach(() => project.end());

async function newProject(): Promise<PulumiProject> {
  return new PulumiProject('supabase', {
    ...token(),
    TEST_MANAGEMENT_URL: api.url,
    TEST_PROJECT_URL: supabase.url,
    TEST_PASSWORD: supabase.settings.database.password,
  })
    .write({ 'migrations/20250101000000_notes.sql': 'create table public.notes (id int primary key);\n' })
    .start();
}

const provider = `
  const provider = new supabase.Provider('management', {
    managementUrl: process.env.TEST_MANAGEMENT_URL,
    projectUrl: process.env.TEST_PROJECT_URL,
  });`;
const hosted = (more = '') => `${provider}
  const project = new supabase.Project('project', {
    organization: 'acme',
    name: 'conversations',
    region: 'eu-central-1',
    databasePassword: pulumi.secret(process.env.TEST_PASSWORD ?? ''),
    ${more}
  }, { provider });
  new supabase.ProjectSettings('settings', { ref: project.ref, siteUrl: 'https://example.com', maxRows: 50 }, { provider });`;
const whole = (more = '') => `${hosted(more)}
  const inProject = new supabase.Provider('in-project', {
    url: project.apiUrl,
    secretKey: project.secretKey,
    databaseUrl: project.databaseUrl.apply((url) => url ?? ''),
  });
  const schema = new supabase.Migrations('schema', { directory: 'migrations' }, { provider: inProject });
  new supabase.Bucket('files', { name: 'files', fileSizeLimit: '1MB' }, { provider: inProject, dependsOn: schema });`;

const secrets = () => [
  api.token,
  supabase.settings.database.password,
  supabase.settings.secretKey,
  supabase.settings.publishableKey,
  supabase.settings.jwtSecret,
];

async function run(...args: string[]) {
  const outcome = await project.pulumi(...args);
  for (const secret of secrets()) expect(outcome.text).not.toContain(secret);
  return outcome;
}

async function succeed(...args: string[]): Promise<string> {
  const { exitCode, text } = await run(...args);
  expect(exitCode, text).toBe(0);
  return text;
}

async function fail(...args: string[]): Promise<string> {
  const { exitCode, text } = await run(...args);
  expect(exitCode, text).not.toBe(0);
  return text;
}

const up = () => succeed('up', '--yes', '--skip-preview');

test('project, settings, schema and bucket: up, up again, by hand and back, destroy refused and allowed', async () => {
  project.program(whole());
  const preview = await succeed('preview');
  expect(preview).toContain('+ 7 to create'); // with two providers and the stack
  expect(api.calls).toEqual([]);

  await up();
  const { ref } = api.theProject();
  expect(dataOf(await supabase.server.storage.getBucket('files'))).toMatchObject({ file_size_limit: 1_000_000 });
  expect(await supabase.sql`select from public.notes`).toHaveLength(0);
  expect(api.theProject()).toMatchObject({ auth: { site_url: 'https://example.com' }, rest: { max_rows: 50 } });
  for (const secret of secrets()) expect(project.state()).not.toContain(secret);
  await succeed('up', '--yes', '--skip-preview', '--expect-no-changes');
  await succeed('preview', '--refresh', '--expect-no-changes');

  api.theProject().auth.site_url = 'https://by.hand';
  expect(await succeed('refresh', '--yes', '--diff')).toMatch(
    /siteUrl\s*: "https:\/\/example.com" => "https:\/\/by.hand"/,
  );
  await up();
  expect(api.theProject().auth.site_url).toBe('https://example.com');

  expect(await fail('destroy', '--yes', '--skip-preview')).toContain(`project conversations (${ref}) is not deleted`);
  expect(api.theProject().ref).toBe(ref);
  project.program(whole('allowDelete: true,'));
  await up();
  await succeed('destroy', '--yes', '--skip-preview');
  expect(api.projects.size).toBe(0);
  expect(project.resources()).toEqual([]);
  expect(api.misunderstood).toEqual([]);
});

test('an existing project, its settings and a bucket in it are imported, and then managed', async () => {
  const there = api.add({ name: 'conversations' });
  there.auth.site_url = 'https://of.before';
  dataOf(await supabase.server.storage.createBucket('imported', { public: false, fileSizeLimit: 5 }));
  project.program(`${provider}
    new supabase.Provider('in-project', { url: process.env.TEST_PROJECT_URL, secretKey: '${supabase.settings.secretKey}' });`);
  await up();
  const from = (name: string) => `${name}=urn:pulumi:test::supabase-provider-test::pulumi:providers:supabase::${name}`;
  const adopt = (type: string, name: string, id: string, by: string) =>
    succeed('import', type, name, id, '--yes', '--protect=false', '--generate-code=false', '--provider', from(by));
  await adopt('supabase:index:Project', 'project', there.ref, 'management');
  await adopt('supabase:index:ProjectSettings', 'settings', there.ref, 'management');
  await adopt('supabase:index:Bucket', 'imported', 'imported', 'in-project');

  project.program(`${hosted()}
    const inProject = new supabase.Provider('in-project', { url: project.apiUrl, secretKey: project.secretKey });
    new supabase.Bucket('imported', { name: 'imported', fileSizeLimit: '2MB' }, { provider: inProject });`);
  const text = await up();
  expect(text).toContain('~ 3 updated');
  expect(text).not.toContain('created');
  expect(api.theProject()).toMatchObject({ ref: there.ref, auth: { site_url: 'https://example.com' } });
  expect(dataOf(await supabase.server.storage.getBucket('imported'))).toMatchObject({ file_size_limit: 2_000_000 });
  expect(api.misunderstood).toEqual([]);
});

test('a project is adopted by its ref and a token alone: the schema goes in through a login role', async () => {
  const there = api.add();
  const before = structuredClone(there);
  const roles: string[] = [];
  api.makeRole = async () => {
    const role = `cli_login_${randomBytes(6).toString('hex')}`;
    const password = randomBytes(12).toString('hex');
    await supabase.sql.unsafe(`create role ${role} login password '${password}' in role postgres`);
    roles.push(role);
    return { role, password };
  };
  project.write({ 'migrations/20250101000000_notes.sql': 'create table public.adopted (id int primary key);\n' });
  project.program(`${provider}
    const project = new supabase.Project('project', { ref: '${there.ref}' }, { provider });
    const inProject = new supabase.Provider('in-project', {
      managementUrl: process.env.TEST_MANAGEMENT_URL,
      url: project.apiUrl,
      secretKey: project.secretKey,
      projectRef: project.ref,
    });
    new supabase.Migrations('schema', { directory: 'migrations' }, { provider: inProject });`);
  await supabase.sql`drop schema if exists supabase_migrations cascade`;
  await up();
  await succeed('up', '--yes', '--skip-preview', '--expect-no-changes');
  const owners = await supabase.sql`select tableowner as owner from pg_tables where tablename = 'adopted'`;
  expect(owners).toEqual([{ owner: 'postgres' }]);
  expect(roles.length).toBeGreaterThan(0);
  expect(api.theProject()).toEqual(before);
  expect(api.misunderstood).toEqual([]);
});
