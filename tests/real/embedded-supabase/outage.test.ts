import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { startEmbeddedSupabase } from '../../../embedded-supabase/start.ts';
import { dataOf, eventually, type Fixture, startFixture } from './support.ts';

let kit: Fixture;

beforeAll(async () => {
  kit = await startFixture();
  await kit.migrate('create table public.ledger (id int primary key)');
});

afterAll(() => kit?.close());

const health = async () => (await fetch(`${kit.url}/health`)).status;
const get = (path: string) =>
  fetch(`${kit.url}${path}`, { headers: { apikey: kit.settings.secretKey }, signal: AbortSignal.timeout(10_000) });

test('PostgreSQL killed under load: 503 meanwhile, back by itself, every acknowledged row there', async () => {
  const acknowledged: number[] = [];
  const statuses = new Set<number>();
  let writing = true;
  let next = 0;
  const write = async () => {
    while (writing) {
      next += 1;
      const id = next;
      const { status } = await kit.server.from('ledger').insert({ id });
      statuses.add(status);
      if (status === 201) acknowledged.push(id);
      else await delay(20); // as a client backs off
    }
  };
  const writers = Array.from({ length: 8 }, write);
  await eventually(() => acknowledged.length).toBeGreaterThan(100);

  await kit.postgres.kill();
  expect(await health()).toBe(503);
  const before = performance.now();
  const refused = await get('/rest/v1/ledger');
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(await refused.json()).toMatchObject({ code: 'database_unavailable' });
  expect((await get('/storage/v1/bucket')).status).toBe(503);
  expect((await get('/auth/v1/admin/users')).status).toBe(503);
  const { error } = await kit.client().auth.signInWithPassword({ email: 'a@example.com', password: 'correct horse' });
  expect(error?.status).toBe(503);
  expect(performance.now() - before).toBeLessThan(8_000);

  const sofar = acknowledged.length;
  await kit.postgres.restart();
  await eventually(health).toBe(200);
  await eventually(() => acknowledged.length).toBeGreaterThan(sofar + 50);
  writing = false;
  await Promise.all(writers);

  const stored = new Set((await kit.sql`select id from ledger`).map((row) => row.id));
  expect(acknowledged.filter((id) => !stored.has(id))).toEqual([]);
  expect([...statuses].sort()).toEqual([201, 503]);
});

test('PostgreSQL that hangs does not hang requests', async () => {
  await kit.postgres.container.pause();
  try {
    expect(await health()).toBe(503);
    expect((await fetch(`${kit.url}/rest/v1/ledger`, { headers: { apikey: kit.settings.secretKey } })).status).toBe(
      503,
    );
  } finally {
    await kit.postgres.container.unpause();
  }
  await eventually(health).toBe(200);
  expect(dataOf(await kit.server.from('ledger').select('id').limit(1))).toHaveLength(1);
});

test('a change of the schema during the outage is known afterwards', async () => {
  await kit.postgres.kill();
  await kit.postgres.restart();
  await kit.sql`create table public.later (id int)`;
  await eventually(async () => (await kit.server.from('later').select()).status).toBe(200);
});

test('started while PostgreSQL is away it waits, and is ready when PostgreSQL comes', async () => {
  await kit.postgres.kill();
  const second = await startEmbeddedSupabase({ ...kit.settings, port: 0 }, pino({ level: 'silent' }));
  try {
    const answer = await fetch(`${second.url}/health`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({
      status: 'unhealthy',
      checks: [
        { name: 'database', status: 'unhealthy', response_time_ms: expect.any(Number) },
        { name: 'schema', status: 'unhealthy' },
        { name: 'storage', status: 'healthy' },
      ],
    });
    expect((await fetch(`${second.url}/rest/v1/ledger`, { headers: { apikey: kit.settings.secretKey } })).status).toBe(
      503,
    );
    await kit.postgres.restart();
    await second.ready;
    expect((await fetch(`${second.url}/health`)).status).toBe(200);
  } finally {
    await second.close();
  }
});

test('several that start at once on an empty database all get ready', async () => {
  await kit.sql.unsafe('drop schema auth cascade; drop schema storage cascade; drop schema extensions cascade');
  const many = await Promise.all(
    Array.from({ length: 4 }, () => startEmbeddedSupabase({ ...kit.settings, port: 0 }, pino({ level: 'silent' }))),
  );
  try {
    await Promise.all(many.map(({ ready }) => ready));
    expect(await kit.sql`select from auth.users`).toHaveLength(0);
  } finally {
    await Promise.all(many.map((each) => each.close()));
  }
});

test('a wrong password is said, not waited out', async () => {
  const wrong = { ...kit.settings, port: 0, database: { ...kit.settings.database, password: 'wrong' } };
  const supabase = await startEmbeddedSupabase(wrong, pino({ level: 'silent' }));
  await expect(supabase.ready).rejects.toMatchObject({ code: '28P01' });
  await supabase.close();
});
