import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { PulumiProject } from '../../support/pulumi-project.ts';
import { dataOf, type Fixture, startFixture } from '../embedded-supabase/support.ts';

/** The resource as a person meets it: a program, the real engine, the embedded Supabase. */
let supabase: Fixture;
let project: PulumiProject;
let name: string;

beforeAll(async () => {
  supabase = await startFixture({ maxFileSize: 100_000_000 });
});
afterAll(() => supabase.close());
beforeEach(async () => {
  name = `bucket-${crypto.randomUUID()}`;
  project = await new PulumiProject('supabase', {
    TEST_URL: supabase.url,
    TEST_SECRET_KEY: supabase.settings.secretKey,
  }).start();
  declare(`{ name: '${name}', fileSizeLimit: '50MB', allowedMimeTypes: ['text/*', 'image/*'] }`);
});
afterEach(() => project.end());

function declare(args: string): void {
  project.program(
    `const provider = new supabase.Provider('project', {
       url: process.env.TEST_URL,
       secretKey: process.env.TEST_SECRET_KEY,
     });
     new supabase.Bucket('files', ${args}, { provider });`,
  );
}

async function succeed(...args: string[]): Promise<string> {
  const { exitCode, text } = await project.pulumi(...args);
  expect(exitCode, text).toBe(0);
  expect(text).not.toContain(supabase.settings.secretKey);
  return text;
}

async function fail(...args: string[]): Promise<string> {
  const { exitCode, text } = await project.pulumi(...args);
  expect(exitCode, text).not.toBe(0);
  expect(text).not.toContain(supabase.settings.secretKey);
  return text;
}

const bucket = async () => dataOf(await supabase.server.storage.getBucket(name));

test('a bucket is made, changed in place and deleted; in between nothing changes; the key is encrypted in the state', async () => {
  await succeed('up', '--yes', '--skip-preview');
  expect(await bucket()).toMatchObject({ public: false, file_size_limit: 50_000_000 });
  await succeed('preview', '--refresh', '--expect-no-changes');
  expect(project.state()).not.toContain(supabase.settings.secretKey);

  declare(`{ name: '${name}', fileSizeLimit: '10MB' }`);
  const preview = await succeed('preview', '--diff');
  expect(preview).toContain('~ fileSizeLimit');
  expect(preview).toContain('~ 1 to update');
  await succeed('up', '--yes', '--skip-preview');
  expect(await bucket()).toMatchObject({ file_size_limit: 10_000_000, allowed_mime_types: null });

  await succeed('destroy', '--yes', '--skip-preview');
  expect((await supabase.server.storage.getBucket(name)).error?.message).toContain('not found');
});

test('a limit changed by hand shows in a refresh, and the next up sets it back', async () => {
  await succeed('up', '--yes', '--skip-preview');
  dataOf(await supabase.server.storage.updateBucket(name, { public: false, fileSizeLimit: 7 }));
  expect(await succeed('refresh', '--yes', '--diff')).toMatch(/fileSizeLimit\s*: "50MB" => 7/);
  await succeed('up', '--yes', '--skip-preview');
  expect(await bucket()).toMatchObject({ file_size_limit: 50_000_000 });
});

test('an existing bucket is imported, and then managed', async () => {
  dataOf(await supabase.server.storage.createBucket(name, { public: true, fileSizeLimit: 5 }));
  await succeed('up', '--yes', '--skip-preview', '--target', '**project');
  await succeed(
    'import',
    'supabase:index:Bucket',
    'files',
    name,
    '--yes',
    '--protect=false',
    '--generate-code=false',
    '--provider',
    `project=${providerUrn()}`,
  );
  await succeed('up', '--yes', '--skip-preview');
  expect(await bucket()).toMatchObject({ public: false, file_size_limit: 50_000_000 });
});

test('a destroy stops at a bucket with objects, and says how to go on', async () => {
  await succeed('up', '--yes', '--skip-preview');
  dataOf(await supabase.server.storage.from(name).upload('note.txt', 'content', { contentType: 'text/plain' }));
  expect(await fail('destroy', '--yes', '--skip-preview')).toContain(`bucket ${name} holds objects and is not deleted`);
});

test('every mistake names its property', async () => {
  declare(`{ name: 'not a name', fileSizeLimit: 'plenty', allowedMimeTypes: ['text'] }`);
  const text = await fail('preview');
  for (const property of ['name', 'fileSizeLimit', 'allowedMimeTypes[0]'])
    expect(text).toContain(`property ${property} `);
});

function providerUrn(): string {
  const urn = /urn:pulumi:test::supabase-provider-test::pulumi:providers:supabase::project/.exec(project.state());
  return urn?.[0] ?? expect.fail('the provider is not in the state');
}
