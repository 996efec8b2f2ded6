import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startRecord, type TestRecord, type TestUser } from '../service/servers.ts';
import { guardedTables } from './rows.ts';

/** The same through the API, for a few: that requests arrive under the role and the claims that the matrix sets itself. */
let record: TestRecord;
let ada: TestUser;
let bob: TestUser;

beforeAll(async () => {
  record = await startRecord();
  ada = await record.signUp();
  bob = await record.signUp();
  const people = { ada: ada.id, bob: bob.id, carol: bob.id };
  await record.sql.unsafe(guardedTables.map((table) => table.seed(people)).join('\n'));
});
afterAll(() => record?.close());

/** As a client with this key, and this user's token where there is one. */
const client = (key: string, user?: TestUser) =>
  createClient(record.settings.url, key, {
    auth: { persistSession: false },
    ...(user ? { accessToken: async () => user.token } : {}),
  });
const anon = () => client(record.settings.publishableKey);
const as = (user: TestUser) => client(record.settings.publishableKey, user);
const server = () => client(record.settings.secretKey);

describe.each(guardedTables.map(({ name }) => name).filter((name) => name.startsWith('public.')))('%s', (name) => {
  const table = name.replace('public.', '');

  test('is closed without a user, for reading and for writing', async () => {
    expect((await anon().from(table).select()).error?.code).toBe('42501');
    const [column] = await record.sql<{ name: string }[]>`
      select attname as name from pg_attribute where attrelid = ${name}::regclass and attnum > 0 order by attnum limit 1`;
    expect(
      (
        await anon()
          .from(table)
          .insert({ [column?.name ?? '']: null })
      ).error?.code,
    ).toBe('42501');
    const deleted = await anon()
      .from(table)
      .delete()
      .not(column?.name ?? '', 'is', null);
    expect(deleted.error?.code).toBe('42501');
  });

  test('is the server’s with the secret key', async () => {
    const { data, error } = await server().from(table).select();
    expect(error).toBeNull();
    expect(data?.length).toBeGreaterThan(0);
  });
});

test.each(['conversations', 'messages', 'conversation_threads'])('users see their own %s only', async (table) => {
  const [hers, his, all] = await Promise.all(
    [as(ada), as(bob), server()].map(async (caller) => (await caller.from(table).select()).data ?? []),
  );
  expect([hers?.length, his?.length]).toEqual([1, 1]);
  expect(all?.length).toBeGreaterThan(2);
  expect(hers).not.toEqual(his);
});

test.each(['user-files', 'generated-files', 'mcp-files'])('users reach their own folder of %s only', async (bucket) => {
  const note = new Blob(['note'], { type: 'text/plain' });
  const own = `${ada.id}/mine.txt`;
  expect((await as(ada).storage.from(bucket).upload(own, note)).error).toBeNull();
  expect((await as(ada).storage.from(bucket).upload(`${bob.id}/forged.txt`, note)).error).not.toBeNull();
  expect((await anon().storage.from(bucket).upload('anonymous.txt', note)).error).not.toBeNull();

  const read = async (caller: ReturnType<typeof anon>) =>
    (await caller.storage.from(bucket).download(own)).data?.text();
  expect(await read(as(ada))).toBe('note');
  expect(await read(server())).toBe('note');
  expect(await read(as(bob))).toBeUndefined();
  expect(await read(anon())).toBeUndefined();
});
