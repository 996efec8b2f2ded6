import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ApiProxy, door, startApiProxy } from '../api-proxy.ts';
import { startRecord, startTestRedis, type TestRecord, type TestRedis } from '../servers.ts';
import { type Installation, install, type RunningService } from '../service-process.ts';
import { stored, until } from './box.ts';

// The bundle of the service in processes of its own, which share one outbox: what happens to a box.

let record: TestRecord;
let redis: TestRedis;
let proxy: ApiProxy;
let installation: Installation;
beforeAll(async () => {
  [record, redis] = await Promise.all([startRecord(), startTestRedis()]);
  proxy = await startApiProxy(record.settings.url);
  installation = await install(
    { ...record.settings, redisPassword: redis.password },
    { supabase: proxy.url, redis: redis.settings.url },
  );
});
afterAll(async () => {
  await installation?.remove();
  await proxy?.close();
  await redis?.stop();
  await record?.close();
});
beforeEach(back);

function cut(): void {
  proxy.onCall = () => Promise.reject(new Error('cut'));
}
function back(): void {
  proxy.onCall = async () => undefined;
  proxy.onReply = async () => 'pass';
}

interface Reply {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what a reply holds is what the tests are about
  readonly body: any;
}

async function send(service: RunningService, method: string, path: string, body?: unknown): Promise<Reply> {
  const response = await fetch(service.url + path, {
    method,
    headers: { authorization: `Bearer ${record.settings.secretKey}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

async function begin(service: RunningService): Promise<string> {
  const { body } = await send(service, 'POST', '/v1/conversations', {});
  return body.id;
}

/** What a client knows of a message: when it sent it first, and when it was told that it is safe. */
interface Sent {
  readonly writer: number;
  readonly name: string;
  readonly began: number;
  readonly acknowledged: number;
}

/** Writers that send one message after the other, and send it again, anywhere, until they are told that it is safe. */
function startWriters(count: number, conversations: readonly string[], services: () => readonly RunningService[]) {
  const sent: Sent[] = [];
  const stopped = new AbortController();
  const writers = Array.from({ length: count }, async (_, writer) => {
    const id = conversations[writer % conversations.length] ?? '';
    for (let turn = 0; !stopped.signal.aborted; turn += 1) {
      const name = `${writer}/${turn}`;
      const began = performance.now();
      for (let attempt = writer; ; attempt += 1) {
        const here = services();
        const service = here[attempt % here.length];
        if (service !== undefined && (await isSafe(service, id, name))) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      sent.push({ writer, name, began, acknowledged: performance.now() });
    }
  });
  return {
    sent,
    reach: (more: number) => {
      const goal = sent.length + more;
      return until(() => sent.length >= goal);
    },
    stop: async () => {
      stopped.abort();
      await Promise.all(writers);
    },
  };
}

async function isSafe(service: RunningService, id: string, name: string): Promise<boolean> {
  const messages = [{ role: 'user', content: `text ${name}`, client_message_id: name }];
  try {
    const { status } = await send(service, 'POST', `/v1/conversations/${id}/messages`, { messages });
    return status < 300;
  } catch {
    return false; // the process was killed: the writer goes on with another one
  }
}

async function drained(service: RunningService): Promise<void> {
  await until(async () => {
    const { body } = await send(service, 'GET', '/v1/outbox');
    expect(body.refused).toEqual([]);
    return body.waiting.conversations === 0;
  });
}

/** Everything acknowledged is stored once, and nothing stands before what was acknowledged before it was sent. */
async function expectWhole(conversations: readonly string[], sent: readonly Sent[]): Promise<void> {
  const byName = new Map(sent.map((each) => [each.name, each]));
  let found = 0;
  for (const id of conversations) {
    const rows = await stored({ record }, id);
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1));
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
    let latest = 0;
    for (const { name, content } of rows) {
      expect(content).toBe(`text ${name}`);
      const each = byName.get(name);
      if (each === undefined) throw new Error(`${name} is stored, and nobody was told so`);
      found += 1;
      if (each.acknowledged < latest) throw new Error(`${name} stands behind what was sent after its acknowledgement`);
      latest = Math.max(latest, each.began);
    }
  }
  expect(found).toBe(sent.length);
}

describe('Supabase is killed under 16 writers of two processes', () => {
  it('and everything acknowledged is there in its order, once', async () => {
    const services = await Promise.all([installation.start(), installation.start()]);
    const conversations = await Promise.all(services.flatMap((service) => [begin(service), begin(service)]));
    const writers = startWriters(16, conversations, () => services);
    await writers.reach(100);
    await record.stopApi();
    await writers.reach(300);
    await record.startApi();
    await writers.reach(100);
    await record.postgres.kill();
    await writers.reach(200);
    await record.postgres.restart();
    await writers.reach(100);
    await writers.stop();
    for (const service of services) await drained(service);
    await expectWhole(conversations, writers.sent);
    for (const service of services) expect((await service.stop()).exitCode).toBe(0);
  });
});

describe('a process is killed', () => {
  it('in the middle of queueing: what it acknowledged is replayed by the next one', async () => {
    let service = await installation.start();
    const conversations = await Promise.all([begin(service), begin(service)]);
    const writers = startWriters(8, conversations, () => [service]);
    await writers.reach(20);
    cut();
    for (let round = 0; round < 3; round += 1) {
      await writers.reach(60);
      await service.stop('SIGKILL');
      service = await installation.start(); // the line is still down
    }
    await writers.reach(60);
    back();
    await writers.reach(20);
    await writers.stop();
    await drained(service);
    await expectWhole(conversations, writers.sent);
    await service.stop();
  });

  it('in the middle of replaying: another one takes over, and nothing is there twice', async () => {
    let service = await installation.start();
    const conversations = await Promise.all(Array.from({ length: 6 }, () => begin(service)));
    const writers = startWriters(12, conversations, () => [service]);
    await writers.reach(24);
    cut();
    await until(async () => (await send(service, 'GET', '/v1/outbox')).body.record === 'away');
    await writers.reach(600);
    await writers.stop();
    const replies = Array.from({ length: 4 }, door);
    let held = 0;
    back();
    proxy.onReply = async (name) => {
      if (name !== 'replay_messages') return 'pass';
      replies[held]?.open();
      held += 1;
      return new Promise(() => undefined); // it is stored, and nobody hears of it
    };
    const other = await installation.start();
    await Promise.race(replies.map(({ opened }) => opened));
    // Whichever of the two it is that replays: both go.
    await Promise.all([service.stop('SIGKILL'), other.stop('SIGKILL')]);
    back();
    service = await installation.start();
    await drained(service);
    await expectWhole(conversations, writers.sent);
    await service.stop();
  });
});

describe('two releases side by side', () => {
  it('hand over: the old one is told to stop in the middle of replaying, and the new one goes on', async () => {
    const old = await installation.start({ RELEASE_ID: 'old' });
    const conversations = await Promise.all(Array.from({ length: 6 }, () => begin(old)));
    let services: RunningService[] = [old];
    const writers = startWriters(12, conversations, () => services);
    await writers.reach(24);
    cut();
    await writers.reach(300);
    const fresh = await installation.start({ RELEASE_ID: 'fresh' });
    services = [old, fresh];
    await writers.reach(300);
    services = [fresh]; // the switch
    const replaying = door();
    back();
    proxy.onReply = async (name) => {
      if (name === 'replay_messages') replaying.open();
      return 'pass';
    };
    await replaying.opened;
    const stopped = await old.stop();
    expect(stopped.exitCode).toBe(0);
    await writers.reach(50);
    await writers.stop();
    await drained(fresh);
    await expectWhole(conversations, writers.sent);
    await fresh.stop();
  });
});

describe('a release that does not get past its gate', () => {
  it('and is killed in the middle of replaying, again and again, takes nothing from the one that serves', async () => {
    const live = await installation.start({ RELEASE_ID: 'live' });
    const conversations = await Promise.all(Array.from({ length: 6 }, () => begin(live)));
    const writers = startWriters(12, conversations, () => [live]);
    await writers.reach(24);
    for (let round = 0; round < 3; round += 1) {
      cut();
      await writers.reach(150);
      const rejected = await installation.start({ RELEASE_ID: 'rejected' });
      const replaying = door();
      back();
      proxy.onReply = async (name) => {
        if (name === 'replay_messages') replaying.open();
        return 'pass';
      };
      await replaying.opened; // by one of the two
      await rejected.stop('SIGKILL');
    }
    await writers.reach(50);
    await writers.stop();
    await drained(live);
    await expectWhole(conversations, writers.sent);
    expect((await live.stop()).exitCode).toBe(0);
  });
});

describe('a box that starts while the line is down', () => {
  it('and while Redis is away too acknowledges, reads what waits, and says so loudly', async () => {
    let service = await installation.start();
    const known = await begin(service);
    cut();
    await redis.kill();
    const id = await begin(service);
    for (const text of ['a', 'b']) expect((await append(service, id, text)).status).toBe(202);
    expect((await append(service, known, 'c')).status).toBe(202);
    await service.stop('SIGKILL');

    service = await installation.start();
    expect(service.output()).toMatch(/started without Supabase and without Redis: it was reached before from here/);
    expect((await append(service, id, 'd')).body).toMatchObject({ durability: 'queued', messages: [{ seq: null }] });
    expect((await append(service, known, 'e')).status).toBe(202);
    const thread = await send(service, 'GET', `/v1/conversations/${id}`);
    expect(thread.body.pending.map(({ content }: { content: string }) => content)).toEqual(['a', 'b', 'd']);
    expect((await append(service, randomUUID(), 'x')).body.code).toBe('record_unavailable');
    const { body: health } = await send(service, 'GET', '/health');
    expect(health).toMatchObject({
      status: 'degraded',
      storage: { tiers: ['outbox'] },
      checks: { outbox: { status: 'down', error: expect.stringContaining('the record is away') } },
    });
    back();
    await redis.restart();
    await drained(service);
    expect((await stored({ record }, id)).map(({ content }) => content)).toEqual(['a', 'b', 'd']);
    expect((await stored({ record }, known)).map(({ content }) => content)).toEqual(['c', 'e']);
    await until(async () => (await send(service, 'GET', '/health')).body.status === 'healthy');
    await service.stop();
  });

  function append(service: RunningService, id: string, text: string): Promise<Reply> {
    return send(service, 'POST', `/v1/conversations/${id}/messages`, { messages: [{ role: 'user', content: text }] });
  }
});
