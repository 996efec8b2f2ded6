import { connect } from 'node:net';
import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type Fixture, startFixture } from './support.ts';

let kit: Fixture;

beforeAll(async () => {
  kit = await startFixture();
});

afterAll(() => kit?.close());

/** Sends a request as it stands, without a client that tidies its path. */
function raw(head: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(kit.url);
    let text = '';
    const socket = connect(Number(port), hostname, () =>
      socket.end(`${head}\r\nhost: ${hostname}\r\nconnection: close\r\n\r\n`),
    );
    socket.setEncoding('utf8').on('data', (part) => {
      text += part;
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

describe('lite’s own endpoints are closed', () => {
  test.each([
    '/_system/info',
    '/_system/config',
    '/_system/introspect',
    '/_system/ping',
    '/_SYSTEM/info',
    '/%5fsystem/info',
    '//_system/info',
    '/rest/v1/../../_system/info',
    '/rest/v1/..%2f..%2f_system/info',
    '/auth/v1/%2e%2e/%2e%2e/_system/info',
    '/rest/v1\\..\\..\\_system/info',
    '/studio',
    '/',
    '/pg/tables',
    '/restful/v1/x',
  ])('%s', async (path) => {
    const answer = await raw(`GET ${path} HTTP/1.1\r\napikey: ${kit.settings.secretKey}`);
    expect(answer).toMatch(/^HTTP\/1\.1 (?:404|400) /);
    for (const secret of [kit.settings.database.password, kit.settings.jwtSecret, kit.settings.secretKey])
      expect(answer).not.toContain(secret);
  });

  test('a request without a key is nobody’s, not the administrator’s', async () => {
    await kit.migrate('create table public.secrets (id int)');
    expect((await fetch(`${kit.url}/rest/v1/secrets`)).status).toBe(401);
    expect(await (await fetch(`${kit.url}/storage/v1/bucket`)).json()).toEqual([]);
  });

  test('tables of auth and storage can’t be had through /rest', async () => {
    const { error } = await kit.server.schema('auth').from('users').select();
    expect(error).toMatchObject({ code: 'PGRST106' });
    expect((await kit.server.from('auth.users').select()).status).toBe(404);
  });
});

describe('what only hosted Supabase does is answered 501 in words', () => {
  const words = 'hosted Supabase only';

  test('edge functions', async () => {
    const { error } = await kit.server.functions.invoke('hello');
    expect(error.context.status).toBe(501);
    expect(await error.context.text()).toContain(words);
  });

  test('anonymous sign-in', async () => {
    const { error } = await kit.client().auth.signInAnonymously();
    expect(error?.status).toBe(501);
    expect(error?.message).toContain(words);
  });

  test('Realtime', async () => {
    const answer = await raw(
      'GET /realtime/v1/websocket HTTP/1.1\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-key: x\r\nsec-websocket-version: 13',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 501 /);
    expect(answer).toContain(words);
    expect((await fetch(`${kit.url}/realtime/v1/api/broadcast`, { method: 'POST' })).status).toBe(501);
  });

  test('links and invitations by mail, image transformation, GraphQL', async () => {
    const { admin } = kit.server.auth;
    expect((await admin.inviteUserByEmail('a@example.com')).error?.status).toBe(501);
    expect((await admin.generateLink({ type: 'magiclink', email: 'a@example.com' })).error?.status).toBe(501);
    const headers = { apikey: kit.settings.secretKey };
    expect((await fetch(`${kit.url}/storage/v1/render/image/authenticated/b/a.png`, { headers })).status).toBe(501);
    expect((await fetch(`${kit.url}/graphql/v1`, { method: 'POST', headers })).status).toBe(501);
  });
});

test('a browser of another origin may ask, by key', async () => {
  const preflight = await fetch(`${kit.url}/rest/v1/secrets`, {
    method: 'OPTIONS',
    headers: {
      origin: 'http://localhost:3000',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'apikey',
    },
  });
  expect(preflight.ok).toBe(true);
  const answer = await fetch(`${kit.url}/rest/v1/secrets`, {
    headers: { apikey: kit.settings.publishableKey, origin: 'http://localhost:3000' },
  });
  expect(answer.headers.get('access-control-allow-origin')).toBe('*');
});

test('bodies that are no JSON are refused, and the next request is served', async () => {
  const headers = { apikey: kit.settings.secretKey, 'content-type': 'application/json' };
  for (const path of [
    '/rest/v1/secrets',
    '/auth/v1/signup',
    '/storage/v1/bucket',
    '/auth/v1/admin/users',
    '/storage/v1/object/list/b',
  ]) {
    const { status } = await fetch(`${kit.url}${path}`, { method: 'POST', headers, body: '{"id": ' });
    expect(status, path).toBe(400);
  }
  expect((await createClient(kit.url, kit.settings.secretKey).from('secrets').select()).status).toBe(200);
});
