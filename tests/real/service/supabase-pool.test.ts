import { afterAll, beforeAll, expect, it } from 'vitest';
import { poolLimits } from '../../../service/storage/supabase/supabase-pool.ts';
import { SupabaseStore } from '../../../service/storage/supabase/supabase-store.ts';
import { type ApiProxy, door, startApiProxy } from './api-proxy.ts';
import { say, server } from './dual.ts';
import { startRecord, type TestRecord } from './servers.ts';

let record: TestRecord;
let proxy: ApiProxy;

beforeAll(async () => {
  record = await startRecord();
  proxy = await startApiProxy(record.settings.url);
});
afterAll(async () => {
  await proxy?.close();
  await record?.close();
});
const open = () => new SupabaseStore({ ...record.settings, url: proxy.url });
const until = async (met: () => Promise<boolean>) => {
  while (!(await met())) await new Promise((resolve) => setTimeout(resolve, 50));
};

it('opens a hundred connections at most, keeps twenty, and none when it is closed', async () => {
  const store = open();
  const held = door();
  proxy.onCall = () => held.opened;
  const calls = Array.from({ length: 150 }, () => store.create(server, { title: null, metadata: {} }, 60));
  await until(async () => (await proxy.connections()) === poolLimits.connections);
  held.open();
  await Promise.all(calls);
  await until(async () => (await proxy.connections()) === poolLimits.keptAlive);
  await store.close();
  await until(async () => (await proxy.connections()) === 0);
});

it('is warm when it is ready', async () => {
  const store = open();
  await store.untilReady(AbortSignal.timeout(10_000));
  expect(await proxy.connections()).toBeGreaterThanOrEqual(1);
  await store.close();
});

it('leaks no connection over a thousand calls, a hundred of them cut or given up', async () => {
  const store = open();
  const { conversation } = await store.create(server, { title: null, metadata: {} }, 3600);
  let replies = 0;
  proxy.onReply = async () => (++replies % 20 === 0 ? 'cut' : 'pass');
  for (let batch = 0; batch < 50; batch += 1) {
    const given = new AbortController();
    const work = Array.from({ length: 20 }, (_, index) =>
      index === 0
        ? store.read(server, conversation.id, { limit: 1 }, given.signal)
        : store.append(server, conversation.id, [say(`${batch}/${index}`)], undefined),
    );
    given.abort();
    const results = await Promise.allSettled(work);
    expect(results.some(({ status }) => status === 'fulfilled')).toBe(true);
  }
  proxy.onReply = async () => 'pass';
  expect(await proxy.connections()).toBeLessThanOrEqual(poolLimits.keptAlive);
  await store.close();
  await until(async () => (await proxy.connections()) === 0);
});
