import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { dataOf, type Fixture, startFixture } from './support.ts';

let kit: Fixture;

beforeAll(async () => {
  kit = await startFixture();
  // No table has row-level security yet: the first request must not decide for those that come later.
  await kit.migrate('create table public.open_table (id int)');
  await kit.server.from('open_table').select();
  await kit.migrate(`
    create table public.notes (
      id uuid primary key default gen_random_uuid(),
      user_id uuid not null default auth.uid() references auth.users on delete cascade,
      text text not null
    );
    alter table public.notes enable row level security;
    create policy own on public.notes to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
    create table public.closed (id int);
    revoke all on public.closed from anon, authenticated;
    create function public.who_am_i() returns jsonb language sql stable as $$
      select jsonb_build_object('user', current_user, 'session', session_user, 'uid', auth.uid(), 'role', auth.role(),
                                'email', auth.email(), 'claims', auth.jwt())
    $$;
    create function public.try_to_escape() returns text language plpgsql as $$
      begin reset role; return current_user; end
    $$;
  `);
});

afterAll(() => kit?.close());

test('a user sees and changes own rows only', async () => {
  const ada = await kit.signedUp();
  const bob = await kit.signedUp();
  const note = dataOf(await ada.client.from('notes').insert({ text: 'mine' }).select().single());
  expect(note.user_id).toBe(ada.id);
  expect(dataOf(await bob.client.from('notes').select())).toEqual([]);
  expect(dataOf(await bob.client.from('notes').update({ text: 'theirs' }).eq('id', note.id).select())).toEqual([]);
  expect(dataOf(await bob.client.from('notes').delete().eq('id', note.id).select())).toEqual([]);
  expect(dataOf(await ada.client.from('notes').select('text'))).toEqual([{ text: 'mine' }]);
});

test('a row for somebody else is refused with 403', async () => {
  const ada = await kit.signedUp();
  const bob = await kit.signedUp();
  const answer = await ada.client.from('notes').insert({ text: 'forged', user_id: bob.id });
  expect(answer).toMatchObject({ status: 403, error: { code: '42501' } });
});

test('anon sees nothing and is refused with 401', async () => {
  expect(dataOf(await kit.client().from('notes').select())).toEqual([]);
  expect(await kit.client().from('notes').insert({ text: 'x' })).toMatchObject({
    status: 401,
    error: { code: '42501' },
  });
});

test('the secret key sees every row', async () => {
  const { client } = await kit.signedUp();
  dataOf(await client.from('notes').insert({ text: 'for the server' }).select());
  expect(dataOf(await kit.server.from('notes').select().eq('text', 'for the server'))).toHaveLength(1);
});

test('what a migration revoked stays revoked', async () => {
  const { client } = await kit.signedUp();
  expect(await client.from('closed').select()).toMatchObject({ status: 403, error: { code: '42501' } });
  expect(await kit.client().from('closed').select()).toMatchObject({ status: 401, error: { code: '42501' } });
  expect((await kit.server.from('closed').select()).error).toBeNull();
});

test('a function sees the role and the claims of its caller', async () => {
  const { client, id, email } = await kit.signedUp();
  expect(dataOf(await client.rpc('who_am_i'))).toMatchObject({
    user: 'authenticated',
    session: 'authenticator',
    uid: id,
    role: 'authenticated',
    email,
    claims: { sub: id, email },
  });
  expect(dataOf(await kit.client().rpc('who_am_i'))).toMatchObject({ user: 'anon', uid: null, role: 'anon' });
  expect(dataOf(await kit.server.rpc('who_am_i'))).toMatchObject({ user: 'service_role', role: 'service_role' });
});

test('resetting the role inside a function does not lead to the superuser', async () => {
  expect(dataOf(await kit.client().rpc('try_to_escape'))).toBe('authenticator');
});

test('a token can take no role that authenticator was not given', async () => {
  const token = await kit.token({ role: 'postgres' });
  const client = createClient(kit.url, kit.settings.publishableKey, { accessToken: async () => token });
  expect(await client.from('notes').select()).toMatchObject({ error: { code: '42501' } });
});

test('roles and claims of one request never reach the next on the same session', async () => {
  const { client, id } = await kit.signedUp();
  const calls = Array.from({ length: 60 }, (_, index) => (index % 2 === 0 ? client : kit.client()).rpc('who_am_i'));
  const uids = (await Promise.all(calls)).map((answer) => dataOf(answer).uid);
  expect(uids).toEqual(Array.from({ length: 60 }, (_, index) => (index % 2 === 0 ? id : null)));
});
