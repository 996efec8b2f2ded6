import { readdir, readlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { Agent } from 'undici';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { poolLimits } from '../../../../service/storage/supabase/supabase-pool.ts';
import type { RunningService } from '../service-process.ts';
import { begin, type RunningKit, say, sender, startKit } from './running-kit.ts';

let kit: RunningKit;
let service: RunningService;
let clients = new Agent();

beforeAll(async () => {
  kit = await startKit();
  service = await kit.installation.start({ RATE_LIMIT_FAILED: '0' });
});
afterAll(async () => {
  await clients.close();
  await service?.stop();
  await kit?.close();
});

const send = (method: string, path: string, body?: unknown) =>
  sender(service, kit.record.settings.secretKey, clients)(method, path, body);

/** What the process holds open, and the connections that its servers see. */
async function held() {
  await clients.close();
  clients = new Agent();
  const directory = `/proc/${service.process.pid}/fd`;
  const names = await readdir(directory);
  const targets = await Promise.all(names.map((name) => readlink(`${directory}/${name}`).catch(() => 'gone')));
  const connection = await kit.redis.connect();
  const list = String(await connection.client.call('CLIENT', 'LIST'));
  await connection.close();
  return {
    descriptors: targets.filter((target) => target !== 'gone').length,
    sockets: targets.filter((target) => target.startsWith('socket:')).length,
    supabase: await kit.proxy.connections(),
    redis: list.split('\n').filter((line) => line.includes('name=conversation-service')).length,
  };
}

/** So many at once, until all are done. */
async function crowd(total: number, width: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const one = async () => {
    while (next < total) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, one));
}

/** Errors of every kind: refused, malformed, cut by the client, cut by Supabase, without Redis. */
async function force(index: number, id: string): Promise<void> {
  const path = `/v1/conversations/${id}/messages`;
  const kinds: (() => Promise<unknown>)[] = [
    () => send('POST', path, '{"messages": ['),
    () => send('GET', '/v1/conversations/none'),
    () => sender(service, 'nothing', clients)('GET', path),
    () => send('POST', path, { messages: [{ role: 'nobody', content: index }] }),
    () => cutConnection(`GET /v1/conversations/${id} HTTP/1.1\r\nHost: x\r\n`),
    () =>
      cutConnection(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`),
    () => cutConnection('what is this\r\n\r\n'),
    () => send('PUT', path, {}),
  ];
  await kinds[index % kinds.length]?.();
}

async function cutConnection(text: string): Promise<void> {
  const socket = connect(service.port, '127.0.0.1');
  socket.on('error', () => undefined); // an answer to what was cut finds nobody
  await new Promise<void>((sent) => socket.write(text, () => sent()));
  socket.destroy();
}

it('no connection and no descriptor is left over after 10,000 requests and 100 errors of every kind', async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, () => begin(send)));
  const id = (index: number) => ids[index % ids.length] ?? '';
  await crowd(200, 20, (index) => send('POST', `/v1/conversations/${id(index)}/messages`, say('warm')));
  const settle = poolLimits.idle + 5_000;
  const before = await held();

  const statuses = new Map<number, number>();
  const request = async (index: number) => {
    const { status } =
      index % 20 === 0
        ? await send('POST', `/v1/conversations/${id(index / 20)}/messages`, say(`turn ${index}`))
        : await send('GET', `/v1/conversations/${id(index)}?limit=5`);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  };
  await crowd(5_000, 32, request);
  await crowd(60, 8, (index) => force(index, id(index)));
  kit.proxy.onReply = async () => 'cut';
  await crowd(30, 8, (index) => send('POST', `/v1/conversations/${id(index)}/messages`, say('cut')));
  kit.proxy.onReply = async () => 'pass';
  await kit.redis.kill();
  await crowd(10, 4, (index) => send('GET', `/v1/conversations/${id(index)}`));
  await kit.redis.restart();
  await vi.waitFor(async () => expect((await send('GET', '/health')).text).toContain('"healthy"'), 20_000);
  await crowd(5_000, 32, request);
  expect.soft(Object.fromEntries(statuses)).toEqual({ 200: 9_500, 201: 500 });

  await vi.waitFor(
    async () => {
      const after = await held();
      expect(after.redis).toBe(before.redis);
      expect(after.supabase).toBeLessThanOrEqual(poolLimits.keptAlive);
      expect(after.sockets - after.supabase).toBeLessThanOrEqual(before.sockets - before.supabase);
      expect(after.descriptors - after.sockets).toBeLessThanOrEqual(before.descriptors - before.sockets + 1);
    },
    { timeout: settle, interval: 1_000 },
  );
  // Nothing but what is kept alive: in the end the pool lets go of that, too.
  await vi.waitFor(async () => expect((await held()).supabase).toBeLessThanOrEqual(2), {
    timeout: settle,
    interval: 1_000,
  });
}, 300_000);
