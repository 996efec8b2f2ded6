import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestPostgres } from '../../support/containers.ts';
import type { Fault, ManagementApi } from '../../support/management-api/management-api.ts';
import { contextFor, definition, inputs, type Kept, leftBy, startManagementApi, up } from './project-fixtures.ts';

let api: ManagementApi;
let database: TestPostgres;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ api, database, close } = await startManagementApi());
});
afterAll(() => close());
beforeEach(() => api.reset());

const wanted = (more = {}) =>
  inputs({
    organization: 'acme',
    name: 'conversations',
    region: 'eu-central-1',
    databasePassword: database.password,
    instanceSize: 'small',
    ...more,
  });
const update = definition.update ?? expect.fail('a project can be changed');

test('a project is made, waited for with progress, and told with its keys and its connection', async () => {
  const context = contextFor(api);
  const { id, outputs } = await definition.create(wanted(), context);
  expect(outputs).toEqual({
    ref: id,
    organization: 'acme',
    name: 'conversations',
    region: 'eu-central-1',
    instanceSize: 'small',
    allowDelete: false,
    apiUrl: `https://${id}.supabase.co`,
    jwksUrl: `https://${id}.supabase.co/auth/v1/.well-known/jwks.json`,
    databaseHost: database.host,
    databaseUrl: `postgres://postgres:${database.password}@${database.host}:${database.port}/postgres`,
    publishableKey: expect.stringMatching(/^sb_publishable_/),
    secretKey: expect.stringMatching(/^sb_secret_/),
    jwtSecret: expect.any(String),
  });
  expect(context.said.progress).toEqual([
    `project ${id}: COMING_UP`,
    `project ${id}: waiting for pooler`,
    `project ${id}: ACTIVE_HEALTHY`,
  ]);
  expect(api.theProject()).toMatchObject({ ref: id, size: 'small', password: database.password });
  expect(api.misunderstood).toEqual([]);
});

describe('an update that meets a fault can be run again and ends with one project', () => {
  const faults: Record<string, Fault> = {
    'cut before it took effect': { kind: 'cut', when: 'before' },
    'cut after it took effect': { kind: 'cut', when: 'after' },
    'half a reply': { kind: 'half-reply' },
    'a 500 without effect': { kind: 'status', status: 500, when: 'before' },
    'a 502 with effect': { kind: 'status', status: 502, when: 'after' },
    'a 403 without effect': { kind: 'status', status: 403, when: 'before' },
    'a 403 with effect, all the same': { kind: 'status', status: 403, when: 'after' },
    'a 429': { kind: 'status', status: 429, when: 'before', retryAfter: '0' },
    'a slow reply': { kind: 'slow', milliseconds: 50 },
  };

  test.each(Object.entries(faults))('%s, at every call', async (_, fault) => {
    const calls = (await undisturbed()).calls.length;
    for (let at = 0; at < calls; at++) {
      api.reset();
      api.fault = (index) => (index === at ? fault : undefined);
      let kept: Kept | undefined;
      let failures = 0;
      for (let done = false; !done; ) {
        try {
          kept = await up(api, wanted(), kept);
          done = true;
        } catch (error) {
          expect(++failures, `call ${at}: ${String(error)}`).toBe(1);
          expect(String(error)).not.toContain(database.password);
          expect(String(error)).not.toContain(api.token);
          kept = leftBy(error);
        }
      }
      const { ref, name, size } = api.theProject();
      expect({ id: kept?.id, name, size }, `call ${at}: ${api.calls[at]}`).toEqual({
        id: ref,
        name: 'conversations',
        size: 'small',
      });
      expect(kept?.outputs?.databaseUrl).toContain(database.password);
      expect(api.misunderstood).toEqual([]);
    }
  });

  test('the request that makes a project is sent once, whatever becomes of it', async () => {
    api.fault = (_, call) => (call === 'POST /v1/projects' ? { kind: 'cut', when: 'before' } : undefined);
    await expect(definition.create(wanted(), contextFor(api))).rejects.toThrow('making project conversations failed');
    expect(api.calls.filter((call) => call === 'POST /v1/projects')).toHaveLength(1);
  });

  async function undisturbed(): Promise<{ calls: readonly string[] }> {
    api.reset();
    await definition.create(wanted(), contextFor(api));
    return { calls: [...api.calls] };
  }
});

describe('a project of the same name', () => {
  test('is taken over when its database opens with this password', async () => {
    const { ref } = api.add({ name: 'conversations' });
    expect((await definition.create(wanted(), contextFor(api))).id).toBe(ref);
  });

  test('is left alone when it does not, and nothing is made', async () => {
    const { ref } = api.add({ name: 'conversations' });
    await expect(
      definition.create(wanted({ databasePassword: 'another one altogether' }), contextFor(api)),
    ).rejects.toThrow(new RegExp(`project conversations in eu-central-1 already \\(${ref}\\).* set ref`));
    expect(api.theProject().password).toBe('a password of before');
  });

  test.each([
    ['in another organization', { organization_slug: 'umbrella' }],
    ['in another region', { region_selection: { type: 'specific', code: 'us-east-1' } }],
  ] as const)('%s is another project', async (_, there) => {
    const { ref } = api.add({ name: 'conversations', ...there });
    expect((await definition.create(wanted(), contextFor(api))).id).not.toBe(ref);
  });

  test('that is being deleted does not count', async () => {
    const old = api.add({ name: 'conversations' });
    old.statuses = ['GOING_DOWN'];
    expect((await definition.create(wanted(), contextFor(api))).id).not.toBe(old.ref);
  });
});

describe('adopting', () => {
  test('needs the ref only, and leaves what is not stated as it is', async () => {
    const there = api.add({ desired_instance_size: 'large' });
    const { id, outputs } = await definition.create(inputs({ ref: there.ref }), contextFor(api));
    expect(id).toBe(there.ref);
    expect(outputs).toMatchObject({ name: 'existing', organization: 'acme', publishableKey: expect.any(String) });
    expect(outputs).not.toHaveProperty('databaseUrl');
    expect(api.calls.filter((call) => !call.startsWith('GET'))).toEqual([]);
  });

  test('gives a project without current keys its first ones', async () => {
    const there = api.add();
    there.keys = there.keys.filter(({ type }) => type === 'legacy');
    await definition.create(inputs({ ref: there.ref }), contextFor(api));
    expect(there.keys.map(({ type, name }) => `${type} ${name}`)).toEqual([
      'legacy anon',
      'publishable default',
      'secret default',
    ]);
  });

  test('a project in another region than stated is refused', async () => {
    const { ref } = api.add();
    await expect(definition.create(inputs({ ref, region: 'us-east-1' }), contextFor(api))).rejects.toThrow(
      `region of project ${ref} is eu-central-1, not us-east-1`,
    );
  });

  test('one that is paused says how it goes on', async () => {
    const there = api.add();
    there.statuses = ['INACTIVE'];
    await expect(definition.create(inputs({ ref: there.ref }), contextFor(api))).rejects.toThrow(
      'it is paused: restore it',
    );
  });
});

describe('changing', () => {
  test('name, size and password happens in place', async () => {
    const first = await definition.create(wanted(), contextFor(api));
    const news = wanted({ name: 'renamed', instanceSize: 'medium', databasePassword: 'quite another password' });
    const old = { id: first.id, inputs: wanted(), outputs: first.outputs };
    const diff = await definition.diff?.(old, news, contextFor(api));
    expect(diff?.map(({ path, replace }) => ({ path, replace: replace === true }))).toEqual([
      { path: 'databasePassword', replace: false },
      { path: 'name', replace: false },
      { path: 'instanceSize', replace: false },
    ]);
    const outputs = await update(first.id, old, news, contextFor(api));
    expect(outputs).toMatchObject({
      name: 'renamed',
      databaseUrl: expect.stringContaining('quite%20another%20password'),
    });
    expect(api.theProject()).toMatchObject({ name: 'renamed', size: 'medium', password: 'quite another password' });
  });

  test.each(['region', 'organization'])(
    'of %s is refused before anything is deleted, unless that is allowed',
    async (key) => {
      const first = await definition.create(wanted({ allowDelete: true }), contextFor(api));
      const news = wanted({ allowDelete: true, [key]: key === 'region' ? 'us-east-1' : 'umbrella' });
      const old = { id: first.id, inputs: wanted({ allowDelete: true }), outputs: first.outputs };
      expect(await definition.diff?.(old, news, contextFor(api))).toEqual([
        { path: key, kind: 'update', replace: true },
      ]);
      const guarded = { ...old, outputs: { ...first.outputs, allowDelete: false } };
      await expect(definition.diff?.(guarded, news, contextFor(api))).rejects.toThrow(
        `${key} of project ${first.id} can't be changed`,
      );
    },
  );

  test('by hand shows in what is read; what the program does not state does not', async () => {
    const { id, outputs } = await definition.create(wanted(), contextFor(api));
    Object.assign(api.theProject(), { name: 'by hand', size: 'medium' });
    const all = await definition.read(id, { inputs: wanted(), outputs }, contextFor(api));
    expect(all?.inputs).toEqual({ ...wanted(), name: 'by hand', instanceSize: 'medium' });
    const adopted = inputs({ ref: id });
    expect((await definition.read(id, { inputs: adopted, outputs }, contextFor(api)))?.inputs).toEqual(adopted);
  });
});

describe('deleting', () => {
  test('is refused, with the ways to go on', async () => {
    const { id, outputs } = await definition.create(wanted(), contextFor(api));
    await expect(definition.delete(id, outputs, contextFor(api))).rejects.toThrow(/is not deleted.*allowDelete: true/);
    expect(api.theProject().ref).toBe(id);
  });

  test('where it is allowed ends when the project is gone, and can be done again', async () => {
    const { id, outputs } = await definition.create(wanted({ allowDelete: true }), contextFor(api));
    await definition.delete(id, outputs, contextFor(api));
    expect(api.projects.size).toBe(0);
    await definition.delete(id, outputs, contextFor(api));
    expect(await definition.read(id, { inputs: wanted(), outputs }, contextFor(api))).toBeUndefined();
  });
});

describe('the access token', () => {
  test('that is wrong is told without being repeated', async () => {
    const wrong = `sbp_${'f'.repeat(40)}`;
    const error = await definition.create(wanted(), contextFor(api, { accessToken: wrong })).catch(String);
    expect(error).toContain('HTTP 401): is SUPABASE_ACCESS_TOKEN');
    expect(error).not.toContain(wrong);
  });

  test('is not in the error of an API that nobody reaches', async () => {
    const nowhere = contextFor(api, { managementUrl: 'http://127.0.0.1:9' });
    const error = await definition
      .read('a'.repeat(20), { inputs: undefined, outputs: undefined }, nowhere)
      .catch(String);
    expect(error).toContain('no answer from 127.0.0.1:9');
    expect(error).not.toContain(api.token);
  });
});
