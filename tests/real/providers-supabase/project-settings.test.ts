import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { projectSettings } from '../../../infra/providers/supabase/project-settings/project-settings.ts';
import type { HostedProject } from '../../support/management-api/hosted-projects.ts';
import { ManagementApi } from '../../support/management-api/management-api.ts';
import { contextFor } from './project-fixtures.ts';

const { definition } = projectSettings;
const update = definition.update ?? expect.fail('settings can be changed');

let api: ManagementApi;
let project: HostedProject;

beforeAll(async () => {
  const database = { host: '127.0.0.1', port: 1, user: 'postgres', name: 'postgres' };
  api = await ManagementApi.start({ publishableKey: 'p', secretKey: 's', jwtSecret: 'j', database });
});
afterAll(() => api.close());
beforeEach(() => {
  api.reset();
  project = api.add();
});

const inputs = (given: object) => definition.inputs.parse({ ref: project.ref, ...given });
const written = () => api.calls.filter((call) => !call.startsWith('GET'));

test('everything that can be stated arrives, in the API’s words', async () => {
  const wanted = inputs({
    siteUrl: 'https://example.com',
    redirectUrls: ['https://example.com/**', 'app://callback'],
    signUps: false,
    email: true,
    emailConfirmation: true,
    google: true,
    googleClientId: 'google-id',
    googleClientSecret: 'google secret',
    apple: true,
    appleClientId: 'com.example.app',
    appleClientSecret: 'apple secret',
    exposedSchemas: ['public', 'chat'],
    maxRows: 50,
    sslEnforced: true,
    allowedAddresses: ['203.0.113.0/24', '2001:db8::/32'],
  });
  const { outputs } = await definition.create(wanted, contextFor(api));
  expect(project).toMatchObject({
    auth: {
      site_url: 'https://example.com',
      uri_allow_list: 'https://example.com/**,app://callback',
      disable_signup: true,
      external_email_enabled: true,
      mailer_autoconfirm: false,
      external_google_enabled: true,
      external_google_client_id: 'google-id',
      external_google_secret: 'google secret',
      external_apple_enabled: true,
      external_apple_client_id: 'com.example.app',
      external_apple_secret: 'apple secret',
    },
    rest: { db_schema: 'public, chat', max_rows: 50 },
    sslEnforced: true,
    allowed: { v4: ['203.0.113.0/24'], v6: ['2001:db8::/32'] },
  });
  expect(api.misunderstood).toEqual([]);
  const read = await definition.read(project.ref, { inputs: wanted, outputs }, contextFor(api));
  expect(read).toEqual({ id: project.ref, inputs: wanted, outputs });
});

test('what is not stated is neither sent nor read', async () => {
  const before = structuredClone(project);
  const wanted = inputs({ maxRows: 7 });
  const { outputs } = await definition.create(wanted, contextFor(api));
  await definition.read(project.ref, { inputs: wanted, outputs }, contextFor(api));
  expect(project).toEqual({ ...before, rest: { ...before.rest, max_rows: 7 } });
  expect(api.calls).toEqual(
    ['PATCH', 'GET', 'GET'].map((method, at) => `${method} /v1/projects/{ref}${at === 1 ? '' : '/postgrest'}`),
  );
});

test('a change sends what changed; what leaves the program stays in the project', async () => {
  const olds = inputs({ siteUrl: 'https://old.example', google: true, googleClientId: 'id', maxRows: 9 });
  const { outputs } = await definition.create(olds, contextFor(api));
  api.calls.length = 0;
  const news = inputs({ siteUrl: 'https://new.example', google: true, googleClientId: 'id' });
  await update(project.ref, { inputs: olds, outputs }, news, contextFor(api));
  expect(written()).toEqual(['PATCH /v1/projects/{ref}/config/auth']);
  expect(project).toMatchObject({ auth: { site_url: 'https://new.example' }, rest: { max_rows: 9 } });
});

test('what was changed by hand shows, a secret as one that is gone; nothing shows for what is not stated', async () => {
  const wanted = inputs({ siteUrl: 'https://example.com', googleClientSecret: 'a secret', maxRows: 9 });
  const { outputs } = await definition.create(wanted, contextFor(api));
  Object.assign(project.auth, { site_url: 'https://by.hand', external_google_secret: 'by hand', disable_signup: true });
  const read = await definition.read(project.ref, { inputs: wanted, outputs }, contextFor(api));
  expect(read?.inputs).toEqual({ ref: project.ref, siteUrl: 'https://by.hand', maxRows: 9 });
  const diff = await definition.diff?.({ inputs: read?.inputs ?? wanted, outputs }, wanted, contextFor(api));
  expect(diff?.map(({ path }) => path).sort()).toEqual(['googleClientSecret', 'siteUrl']);
});

test('the order of addresses says nothing, that of schemas does', async () => {
  const olds = inputs({ redirectUrls: ['a://1', 'b://2'], allowedAddresses: ['10.0.0.0/8', '11.0.0.0/8'] });
  const news = inputs({ redirectUrls: ['b://2', 'a://1'], allowedAddresses: ['11.0.0.0/8', '10.0.0.0/8'] });
  const { outputs } = await definition.create(olds, contextFor(api));
  expect(await definition.diff?.({ inputs: olds, outputs }, news, contextFor(api))).toEqual([]);
  const schemas = (...exposedSchemas: string[]) => inputs({ exposedSchemas });
  const changed = await definition.diff?.({ inputs: schemas('a', 'b'), outputs }, schemas('b', 'a'), contextFor(api));
  expect(changed).not.toEqual([]);
});

test('a database that enforces TLS already is not restarted for it', async () => {
  project.sslEnforced = true;
  await definition.create(inputs({ sslEnforced: true }), contextFor(api));
  expect(written()).toEqual([]);
});

test('deleting leaves the settings, and says so; a project that is gone has none', async () => {
  const wanted = inputs({ maxRows: 7 });
  const { outputs } = await definition.create(wanted, contextFor(api));
  const context = contextFor(api);
  await definition.delete(project.ref, outputs, context);
  expect(project.rest.max_rows).toBe(7);
  expect(context.said.warnings).toEqual([expect.stringContaining('stay as they are')]);
  api.projects.clear();
  expect(await definition.read(project.ref, { inputs: wanted, outputs }, contextFor(api))).toBeUndefined();
});

test('a secret that the API repeats in its refusal is not shown', async () => {
  api.fault = (_, call) => (call.startsWith('PATCH') ? { kind: 'status', status: 422, when: 'before' } : undefined);
  const error = await definition.create(inputs({ googleClientSecret: 'injected' }), contextFor(api)).catch(String);
  expect(error).toContain('[secret] (HTTP 422)');
});

test.each([
  [{ siteUrl: 'no url' }, 'siteUrl'],
  [{ redirectUrls: ['https://a.example,https://b.example'] }, 'redirectUrls.0'],
  [{ allowedAddresses: ['203.0.113.7'] }, 'allowedAddresses.0'],
  [{ maxRows: 0 }, 'maxRows'],
  [{ exposedSchemas: [] }, 'exposedSchemas'],
  [{ colour: 'blue' }, ''],
])('%j is refused', (given, path) => {
  const { error } = definition.inputs.safeParse({ ref: project.ref, ...given });
  expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
});
