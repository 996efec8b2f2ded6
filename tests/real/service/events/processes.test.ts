import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { startRecord, startTestRedis, type TestRecord, type TestRedis, type TestUser } from '../servers.ts';
import { type Installation, install, type RunningService } from '../service-process.ts';
import { SocketClient } from './socket-client.ts';

let record: TestRecord;
let redis: TestRedis;
let installation: Installation;
let user: TestUser;
let one: RunningService;
let other: RunningService;
const clients: SocketClient[] = [];

const unlimited = { RATE_LIMIT_USER: '0', RATE_LIMIT_SERVER: '0' };

beforeAll(async () => {
  [record, redis] = await Promise.all([startRecord(), startTestRedis()]);
  const secrets = { ...record.settings, redisPassword: redis.password };
  installation = await install(secrets, { supabase: record.settings.url, redis: redis.settings.url });
  user = await record.signUp();
});
beforeEach(async () => {
  [one, other] = await Promise.all([installation.start(unlimited), installation.start(unlimited)]);
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.terminate();
  await Promise.all([one?.stop('SIGKILL'), other?.stop('SIGKILL')]);
});
afterAll(async () => {
  await installation?.remove();
  await redis?.stop();
  await record?.close();
});

const conversationReply = z.object({ id: z.string() });
const appendReply = z.object({ durability: z.string(), messages: z.array(z.object({ seq: z.number().nullable() })) });

async function post(service: RunningService, path: string, body: object): Promise<unknown> {
  const reply = await fetch(service.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${user.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer: unknown = await reply.json();
  if (!reply.ok) throw new Error(`${reply.status}: ${JSON.stringify(answer)}`);
  return answer;
}
const begin = async () => conversationReply.parse(await post(one, '/v1/conversations', {})).id;
const say = async (service: RunningService, id: string, content: string) =>
  appendReply.parse(await post(service, `/v1/conversations/${id}/messages`, { messages: [{ role: 'user', content }] }));
const sayDirectly = (id: string, text: string) =>
  record.sql`insert into messages (conversation_id, client_message_id, role, content)
    values (${id}, ${randomUUID()}, 'user', ${record.sql.json(text)})`;
async function open(service: RunningService): Promise<SocketClient> {
  const client = await SocketClient.open(service.url, `Bearer ${user.token}`);
  clients.push(client);
  return client;
}
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, index) => first + index);
const contents = (client: SocketClient) =>
  client.heard.flatMap((each) => (each.type === 'message' ? [each.message.content] : []));

describe('two processes', () => {
  it('tell subscribers of both the same messages in the same order, with 16 writers at once', async () => {
    const id = await begin();
    const subscribers = await Promise.all([one, one, other, other].map(open));
    await Promise.all(subscribers.map((client) => client.subscribe(id, 0)));
    await Promise.all(
      upTo(16).map(async (writer) => {
        for (const message of upTo(20)) await say(writer % 2 ? one : other, id, `${writer}.${message}`);
      }),
    );
    await Promise.all(subscribers.map((client) => client.untilSeq(320)));
    const stored = await record.sql`select content from messages where conversation_id = ${id} order by seq`;
    for (const client of subscribers) {
      expect(client.seqs()).toEqual(upTo(320));
      expect(contents(client)).toEqual(stored.map(({ content }) => content));
    }
  });

  it('tell of what a phone writes around them, and that a conversation is gone', async () => {
    const id = await begin();
    const subscribers = await Promise.all([one, other].map(open));
    await Promise.all(subscribers.map((client) => client.subscribe(id, 0)));
    for (const text of ['a', 'b']) {
      const written = Date.now();
      await sayDirectly(id, text);
      await Promise.all(subscribers.map((client) => client.next('message', ({ message }) => message.content === text)));
      expect(Date.now() - written).toBeLessThan(5_000);
    }
    await record.sql`update conversations set title = 'by hand' where id = ${id}`;
    await Promise.all(
      subscribers.map((client) => client.next('changed', ({ conversation }) => conversation.title === 'by hand')),
    );
    await record.sql`delete from conversations where id = ${id}`;
    await Promise.all(subscribers.map((client) => client.next('deleted')));
    for (const client of subscribers) expect(contents(client)).toEqual(['a', 'b']);
  });

  it('tell of each other while Redis is away', async () => {
    const id = await begin();
    const client = await open(other);
    await client.subscribe(id, 0);
    await redis.kill();
    try {
      for (const message of upTo(3)) await say(one, id, String(message));
      await client.untilSeq(3);
    } finally {
      await redis.restart();
    }
    await say(one, id, '4');
    await client.untilSeq(4);
    expect(client.seqs()).toEqual(upTo(4));
  });
});

it('a client that is cut off again and again, and goes on elsewhere, misses nothing', async () => {
  const id = await begin();
  let isWriting = true;
  const writing = (async () => {
    for (const message of upTo(300)) await say(message % 2 ? one : other, id, String(message));
  })().finally(() => {
    isWriting = false;
  });
  const seqs: number[] = [];
  for (let turn = 0; isWriting; turn++) {
    const client = await open(turn % 2 ? one : other);
    await client.subscribe(id, seqs.at(-1) ?? 0);
    await vi.waitFor(() => expect(client.seqs().length > 20 || !isWriting).toBe(true), {
      timeout: 20_000,
      interval: 5,
    });
    client.socket.terminate();
    await client.closed;
    seqs.push(...client.seqs());
  }
  await writing;
  const last = await open(one);
  await last.subscribe(id, seqs.at(-1) ?? 0);
  if (seqs.at(-1) !== 300) await last.untilSeq(300);
  expect([...seqs, ...last.seqs()]).toEqual(upTo(300));
});

it('a process that is told to stop closes its sockets with 1012 and is gone; clients go on elsewhere', async () => {
  const id = await begin();
  const client = await open(one);
  await client.subscribe(id, 0);
  await say(other, id, 'before');
  await client.untilSeq(1);
  const began = Date.now();
  const stopped = one.stop('SIGTERM');
  expect(await client.closed).toBe(1012);
  expect(await stopped).toMatchObject({ exitCode: 0 });
  expect(Date.now() - began).toBeLessThan(5_000);
  await say(other, id, 'between');
  const next = await open(other);
  await next.subscribe(id, 1);
  await next.untilSeq(2);
  expect(contents(next)).toEqual(['between']);
});

it('a process that is killed takes nothing with it that was acknowledged', async () => {
  const id = await begin();
  const client = await open(one);
  await client.subscribe(id, 0);
  const acknowledged: (number | null | undefined)[] = [];
  const writing = (async () => {
    for (;;) acknowledged.push((await say(one, id, 'x')).messages[0]?.seq);
  })().catch(() => undefined);
  await client.untilSeq(20);
  await one.stop('SIGKILL');
  expect(await client.closed).toBe(1006);
  await writing;
  const next = await open(other);
  await next.subscribe(id, client.seqs().at(-1));
  await say(other, id, 'after');
  await next.next('message', ({ message }) => message.content === 'after');
  const seqs = [...client.seqs(), ...next.seqs()];
  expect(seqs).toEqual(upTo(seqs.length));
  expect(seqs).toEqual(expect.arrayContaining(acknowledged));
});

it('messages that were queued while the record was away come with their seq when it is back', async () => {
  const id = await begin();
  await say(one, id, 'before');
  const client = await open(other);
  await client.subscribe(id, 0);
  await client.untilSeq(1);
  await record.stopApi();
  try {
    expect(await say(one, id, 'queued')).toMatchObject({ durability: 'queued', messages: [{ seq: null }] });
  } finally {
    await record.startApi();
  }
  await client.next('message', ({ message }) => message.content === 'queued' && message.seq === 2);
  expect(client.seqs()).toEqual([1, 2]);
});

it('a user hears nothing of the conversations of another, in whichever process', async () => {
  const id = await begin();
  await say(one, id, 'secret');
  const bob = await record.signUp();
  for (const service of [one, other]) {
    const client = await SocketClient.open(service.url, `Bearer ${bob.token}`);
    clients.push(client);
    client.say({ type: 'subscribe', conversation_id: id, after: 0 });
    expect(await client.next('error')).toMatchObject({ code: 'conversation_not_found' });
    expect(client.seqs()).toEqual([]);
  }
});

it('the health report has the WebSocket', async () => {
  const reply = await fetch(`${one.url}/health`, {
    headers: { authorization: `Bearer ${record.settings.secretKey}` },
  });
  expect(await reply.json()).toMatchObject({ checks: { websocket: { status: 'up' } } });
});
