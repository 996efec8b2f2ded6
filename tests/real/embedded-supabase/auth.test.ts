import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { dataOf, type Fixture, startFixture } from './support.ts';

let kit: Fixture;

beforeAll(async () => {
  kit = await startFixture();
});

afterAll(() => kit?.close());

describe('a user', () => {
  test('signs up, out, in again and refreshes the session', async () => {
    const { client, id, email } = await kit.signedUp();
    expect((await client.auth.signOut()).error).toBeNull();
    const session = dataOf(await client.auth.signInWithPassword({ email, password: 'correct horse' })).session;
    expect(session?.user.id).toBe(id);
    const refreshed = dataOf(await client.auth.refreshSession()).session;
    expect(refreshed?.refresh_token).not.toBe(session?.refresh_token);
    expect(dataOf(await client.auth.getUser()).user.email).toBe(email);
  });

  test('is refused with a wrong password', async () => {
    const { email } = await kit.signedUp();
    const { error } = await kit.client().auth.signInWithPassword({ email, password: 'wrong' });
    expect(error).toMatchObject({ status: 400, code: 'invalid_credentials' });
  });

  test('can sign in under a password that looks like a number', async () => {
    const email = 'digits@example.com';
    dataOf(await kit.client().auth.signUp({ email, password: '12345678901234567890' }));
    expect((await kit.client().auth.signInWithPassword({ email, password: '12345678901234567890' })).error).toBeNull();
  });

  test('keeps metadata as a document that triggers can read, digit by digit', async () => {
    const response = await fetch(`${kit.url}/auth/v1/signup`, {
      method: 'POST',
      headers: { apikey: kit.settings.publishableKey, 'content-type': 'application/json' },
      body: '{"email":"meta@example.com","password":"correct horse","data":{"name":"Ada","big":9007199254740993}}',
    });
    expect(await response.text()).toContain('"big":9007199254740993');
    const [row] = await kit.sql`
      select raw_user_meta_data ->> 'name' as name, raw_user_meta_data ->> 'big' as big, raw_app_meta_data ->> 'provider' as provider
      from auth.users where email = 'meta@example.com'`;
    expect(row).toEqual({ name: 'Ada', big: '9007199254740993', provider: 'email' });
  });
});

describe('the admin API', () => {
  test('creates, reads, changes, lists and deletes users', async () => {
    const { admin } = kit.server.auth;
    const created = dataOf(
      await admin.createUser({
        email: 'Grace@Example.com',
        password: 'correct horse',
        email_confirm: true,
        user_metadata: { name: 'Grace', nickname: 'G' },
        app_metadata: { plan: 'free' },
      }),
    ).user;
    expect(created).toMatchObject({
      email: 'grace@example.com',
      role: 'authenticated',
      user_metadata: { name: 'Grace' },
      app_metadata: { plan: 'free', provider: 'email', providers: ['email'] },
      identities: [{ provider: 'email', user_id: created.id }],
    });
    expect(created.email_confirmed_at).toMatch(/^\d{4}-\d\d-\d\dT.*\+00:00$/);
    expect(dataOf(await admin.getUserById(created.id)).user.email).toBe('grace@example.com');

    const changed = dataOf(
      await admin.updateUserById(created.id, {
        password: 'battery staple',
        user_metadata: { nickname: null, age: 37 },
      }),
    );
    expect(changed.user.user_metadata).toEqual({ name: 'Grace', age: 37 });
    const { error } = await kit
      .client()
      .auth.signInWithPassword({ email: 'grace@example.com', password: 'battery staple' });
    expect(error).toBeNull();

    const pages = await admin.listUsers({ page: 1, perPage: 1 });
    expect(dataOf(pages).users).toHaveLength(1);
    expect(pages.data).toMatchObject({ nextPage: 2 });
    expect(dataOf(await admin.listUsers()).users.map((user) => user.id)).toContain(created.id);

    expect((await admin.deleteUser(created.id)).error).toBeNull();
    expect((await admin.getUserById(created.id)).error).toMatchObject({ status: 404, code: 'user_not_found' });
    expect(await kit.sql`select from auth.identities where user_id = ${created.id}`).toHaveLength(0);
  });

  test('leaves a user unconfirmed unless told', async () => {
    const { admin } = kit.server.auth;
    dataOf(await admin.createUser({ email: 'waiting@example.com', password: 'correct horse' }));
    const { error } = await kit
      .client()
      .auth.signInWithPassword({ email: 'waiting@example.com', password: 'correct horse' });
    expect(error).toMatchObject({ code: 'email_not_confirmed' });
  });

  test('refuses what is wrong in words of hosted Auth', async () => {
    const { admin } = kit.server.auth;
    const { email } = await kit.signedUp();
    expect((await admin.createUser({ email })).error).toMatchObject({ status: 422, code: 'email_exists' });
    expect((await admin.createUser({ email: 'no address' })).error).toMatchObject({
      status: 400,
      code: 'validation_failed',
    });
    expect((await admin.createUser({})).error).toMatchObject({ status: 400, code: 'validation_failed' });
    expect((await admin.createUser({ email: 'a@example.com', password: '123' })).error).toMatchObject({
      status: 422,
      code: 'weak_password',
    });
    expect((await admin.createUser({ email: 'a@example.com', ban_duration: '1h' })).error).toMatchObject({
      status: 501,
      message: expect.stringContaining('hosted Supabase only'),
    });
  });

  test('takes hostile texts as texts', async () => {
    const { admin } = kit.server.auth;
    const name = `'); drop table auth.users; --`;
    const { user } = dataOf(await admin.createUser({ email: 'hostile@example.com', user_metadata: { name } }));
    expect(dataOf(await admin.updateUserById(user.id, { app_metadata: { name } })).user.app_metadata).toMatchObject({
      name,
    });
    expect(user.user_metadata).toEqual({ name });
  });

  test('answers the secret key only', async () => {
    const { client } = await kit.signedUp();
    expect((await client.auth.admin.listUsers()).error).toMatchObject({ status: 403, code: 'not_admin' });
    expect((await kit.client().auth.admin.listUsers()).error).toMatchObject({ status: 403, code: 'not_admin' });
  });
});

describe('keys', () => {
  const status = async (path: string, headers: Record<string, string>) =>
    (await fetch(`${kit.url}${path}`, { headers })).status;

  beforeAll(async () => {
    await kit.migrate('create table public.things (id int)');
  });

  test.each(['/rest/v1/things', '/auth/v1/settings', '/storage/v1/bucket', '/auth/v1/admin/users'])(
    'that are wrong get 401 at %s',
    async (path) => {
      for (const apikey of ['nonsense', 'sb_secret_0123456789abcdef0123', `${kit.settings.secretKey}x`, 'a.b.c']) {
        expect(await status(path, { apikey }), apikey).toBe(401);
      }
    },
  );

  test('that are missing get 401', async () => {
    expect(await status('/rest/v1/things', {})).toBe(401);
    expect(await status('/rest/v1/things', { authorization: `Bearer ${kit.settings.secretKey}` })).toBe(401);
  });

  test('in the address work as well', async () => {
    expect(await status(`/rest/v1/things?apikey=${kit.settings.publishableKey}`, {})).toBe(200);
  });

  test('of the legacy kind work: anon and service_role tokens', async () => {
    const anon = await kit.token({ role: 'anon' });
    const service = await kit.token({ role: 'service_role' });
    expect((await createClient(kit.url, anon).from('things').select()).error).toBeNull();
    expect((await createClient(kit.url, service).auth.admin.listUsers()).error).toBeNull();
    expect((await createClient(kit.url, anon).auth.admin.listUsers()).error).toMatchObject({ status: 403 });
  });

  test('a user’s token is no API key', async () => {
    const token = await kit.token({ role: 'authenticated', sub: crypto.randomUUID() });
    expect(await status('/rest/v1/things', { apikey: token })).toBe(401);
  });

  test('a token that is forged, expired or no token at all gets 401', async () => {
    const { publishableKey: apikey } = kit.settings;
    const expired = await kit.token({ role: 'authenticated', sub: crypto.randomUUID() }, '-1h');
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"role":"service_role"}').toString('base64url')}.`;
    for (const token of [expired, `${expired.slice(0, -4)}AAAA`, unsigned, 'nonsense']) {
      expect(await status('/rest/v1/things', { apikey, authorization: `Bearer ${token}` }), token).toBe(401);
      expect(await status('/storage/v1/bucket', { apikey, authorization: `Bearer ${token}` }), token).toBe(401);
    }
  });
});
