import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { Caller } from '../../../../service/conversation/conversation.ts';
import { HttpServer } from '../../../../service/http/server.ts';
import type { SocketLimits } from '../../../../service/http/websocket/socket-limits.ts';
import { socketProbe } from '../../../../service/http/websocket/socket-probe.ts';
import { MemoryStore } from '../../../../service/storage/memory/memory-store.ts';
import { httpApi, secretKey, userHeaders } from '../../../unit/service/http-api.ts';
import { SocketClient } from './socket-client.ts';

const server: Caller = { kind: 'server' };
const asServer = `Bearer ${secretKey}`;
let api: ReturnType<typeof httpApi>;
let http: HttpServer;
let url: string;
let isStopping: boolean;
let now: number | undefined;

async function start(socketLimits: Partial<SocketLimits> = {}): Promise<void> {
  isStopping = false;
  now = undefined;
  const store = new MemoryStore(() => now ?? Date.now());
  api = httpApi({ store, socketLimits, isStopping: () => isStopping });
  http = await HttpServer.listen(api.app, { host: '127.0.0.1', port: 0 }, api.sockets);
  url = `http://127.0.0.1:${http.port}`;
}
beforeEach(() => start());
afterEach(() => http.stop(500));

/** Another server, with these limits. */
async function limited(limits: Partial<SocketLimits>): Promise<void> {
  await http.stop(100);
  await start(limits);
}

async function conversation(count = 0, caller: Caller = server): Promise<string> {
  const { conversation } = await api.conversations.create(caller, { title: null, metadata: {} });
  if (count > 0) await append(conversation.id, count, caller);
  return conversation.id;
}
const append = (id: string, count = 1, caller: Caller = server, text = 'hi') =>
  api.conversations.append(
    caller,
    id,
    Array.from({ length: count }, () => ({ role: 'user' as const, content: text, metadata: {} })),
  );
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, index) => first + index);
const rejected = (work: Promise<unknown>) =>
  work.then(
    () => 'opened',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );

describe('opening a socket', () => {
  it('takes the token from the Authorization header, or from the protocols', async () => {
    const client = await SocketClient.open(url, asServer);
    expect(client.socket.protocol).toBe('');
    const browser = await SocketClient.open(url, undefined, ['conversation-kit.v1', `bearer.${secretKey}`]);
    expect(browser.socket.protocol).toBe('conversation-kit.v1');
    expect(browser.socket.extensions).toBe('');
    for (const each of [client, browser]) expect(await each.close()).toBe(1000);
    expect(api.lines.map((line) => JSON.parse(line)).filter(({ path }) => path === '/ws')).toMatchObject([
      { status: 101 },
      { status: 101 },
    ]);
  });

  it('is refused with a status before it begins', async () => {
    const { authorization: expired } = await userHeaders(randomUUID(), '-1m');
    expect(await rejected(SocketClient.open(url, undefined))).toMatch('401');
    expect(await rejected(SocketClient.open(url, 'Bearer nonsense'))).toMatch('401');
    expect(await rejected(SocketClient.open(url, expired))).toMatch('401');
    expect(await rejected(SocketClient.open(`${url}/other`, asServer))).toMatch('404');
    expect(await rejected(SocketClient.open(url, asServer, ['mqtt']))).toMatch('400');
    isStopping = true;
    expect(await rejected(SocketClient.open(url, asServer))).toMatch('503');
    expect(api.sockets.open).toBe(0);
  });

  it('is what that address is for only, and documented', async () => {
    expect(await api.send('GET', '/ws')).toMatchObject({ status: 426, body: { code: 'upgrade_required' } });
    const { body } = await api.send('GET', '/openapi.json');
    expect(Object.keys(body.paths['/ws'].get.responses)).toEqual(expect.arrayContaining(['101', '401', '426']));
    expect(body.components.schemas).toHaveProperty('SocketServerMessage');
  });

  it('leaves other upgrades alone', async () => {
    const response = await fetch(`${url}/livez`, { headers: { upgrade: 'h2c' } }).catch(() => undefined);
    expect(response === undefined || response.status === 200).toBe(true);
    const raw = await new Promise<string>((resolve) => {
      const socket = connect(http.port, '127.0.0.1', () =>
        socket.write('GET /livez HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'),
      );
      socket.once('data', (data) => {
        resolve(String(data));
        socket.destroy();
      });
    });
    expect(raw).toMatch(/^HTTP\/1\.1 200/);
  });

  it('is limited for each user, and in all', async () => {
    await limited({ sockets: 3, socketsPerUser: 2 });
    const [{ authorization: ada }, { authorization: bob }] = [await userHeaders(), await userHeaders()];
    const first = await SocketClient.open(url, ada);
    await SocketClient.open(url, ada);
    expect(await rejected(SocketClient.open(url, ada))).toMatch('429');
    await SocketClient.open(url, bob);
    expect(await rejected(SocketClient.open(url, bob))).toMatch('429');
    await first.close();
    await vi.waitFor(() => expect(api.sockets.open).toBe(2));
    await SocketClient.open(url, bob);
  });
});

describe('a subscription', () => {
  it('sends what is there behind a seq, over many pages, then what comes', async () => {
    const id = await conversation(100);
    for (const _ of upTo(4)) await append(id, 100);
    const client = await SocketClient.open(url, asServer);
    expect(await client.subscribe(id, 37)).toMatchObject({ after: 37, conversation: { id, last_seq: 500 } });
    await append(id, 3);
    await client.untilSeq(503);
    expect(client.seqs()).toEqual(upTo(503, 38));
  });

  it('sends what comes from now on when no seq is given', async () => {
    const id = await conversation(5);
    const client = await SocketClient.open(url, asServer);
    expect(await client.subscribe(id)).toMatchObject({ after: 5 });
    await append(id, 2);
    await client.untilSeq(7);
    expect(client.seqs()).toEqual([6, 7]);
  });

  it('misses nothing that is written while it begins', async () => {
    const id = await conversation(1);
    const clients = await Promise.all(upTo(10).map(() => SocketClient.open(url, asServer)));
    const writing = (async () => {
      for (const _ of upTo(200)) await append(id);
    })();
    await Promise.all(clients.map((client) => client.subscribe(id, 0)));
    await writing;
    await Promise.all(clients.map((client) => client.untilSeq(201)));
    for (const client of clients) expect(client.seqs()).toEqual(upTo(201));
  });

  it('goes on behind the seq that was seen last, on another socket', async () => {
    const id = await conversation(3);
    const first = await SocketClient.open(url, asServer);
    await first.subscribe(id, 0);
    await first.untilSeq(3);
    first.socket.terminate();
    await append(id, 4);
    const second = await SocketClient.open(url, asServer);
    await second.subscribe(id, first.seqs().at(-1));
    await second.untilSeq(7);
    expect([...first.seqs(), ...second.seqs()]).toEqual(upTo(7));
  });

  it('tells of changes, of what was cleared, and of the end', async () => {
    const id = await conversation(3);
    const client = await SocketClient.open(url, asServer);
    await client.subscribe(id, 0);
    await api.conversations.update(server, id, { title: 'new' });
    expect(await client.next('changed')).toMatchObject({ conversation: { title: 'new' } });
    await api.conversations.clear(server, id);
    expect(await client.next('cleared')).toMatchObject({ cleared_seq: 3 });
    await append(id);
    await client.untilSeq(4);
    await api.conversations.delete(server, id);
    await client.next('deleted');
    expect(client.seqs()).toEqual(upTo(4));
    expect(client.heard.filter(({ type }) => type === 'changed')).toHaveLength(1);
    expect(api.events.isHeard).toBe(false);
  });

  it('ends by itself when the conversation expires', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const id = await conversation(1);
      const client = await SocketClient.open(url, asServer);
      await client.subscribe(id, 0);
      await client.untilSeq(1);
      now = Date.now() + 3600_000;
      await vi.advanceTimersByTimeAsync(3600_000 + 20);
      await client.next('deleted');
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is not to be had for what the caller may not read, or what is not there', async () => {
    const [ada, bob] = [randomUUID(), randomUUID()];
    const id = await conversation(1, { kind: 'user', id: ada, token: '' });
    const client = await SocketClient.open(url, (await userHeaders(bob)).authorization);
    client.say({ type: 'subscribe', conversation_id: id, after: 0 });
    expect(await client.next('error')).toMatchObject({ code: 'conversation_not_found', conversation_id: id });
    const missing = randomUUID();
    client.say({ type: 'subscribe', conversation_id: missing });
    await client.next('error', (error) => error.conversation_id === missing && error.code === 'conversation_not_found');
    await append(id, 1, { kind: 'user', id: ada, token: '' });
    client.say({ type: 'ping' });
    await client.next('pong');
    expect(client.seqs()).toEqual([]);
    expect(api.events.isHeard).toBe(false);
  });

  it('behind a seq that is not there is a conflict', async () => {
    const id = await conversation(2);
    const client = await SocketClient.open(url, asServer);
    client.say({ type: 'subscribe', conversation_id: id, after: 3 });
    expect(await client.next('error')).toMatchObject({ code: 'seq_conflict', last_seq: 2, conversation_id: id });
  });

  it('ends when the client says so, and begins anew when it asks again', async () => {
    const id = await conversation(1);
    const client = await SocketClient.open(url, asServer);
    await client.subscribe(id, 0);
    await client.untilSeq(1);
    client.say({ type: 'unsubscribe', conversation_id: id });
    await client.next('unsubscribed');
    expect(api.events.isHeard).toBe(false);
    await append(id);
    client.heard.length = 0;
    await client.subscribe(id, 0);
    await client.untilSeq(2);
    await client.subscribe(id, 1);
    expect(client.seqs().slice(0, 2)).toEqual([1, 2]);
    client.say({ type: 'ping' });
    await client.next('pong');
    expect(client.seqs()).toEqual([1, 2, 2]);
  });

  it('is one of so many on one socket', async () => {
    await limited({ subscriptionsPerSocket: 2 });
    const client = await SocketClient.open(url, asServer);
    await client.subscribe(await conversation());
    await client.subscribe(await conversation());
    client.say({ type: 'subscribe', conversation_id: await conversation() });
    await client.next('error', (error) => error.code === 'too_many_subscriptions');
  });
});

describe('a client', () => {
  it.each([
    ['no JSON', 'nonsense', 'malformed_json'],
    ['no object', '[]', 'invalid_request'],
    ['an unknown type', '{"type":"dance"}', 'invalid_request'],
    ['no id', '{"type":"subscribe","conversation_id":"1"}', 'invalid_request'],
    ['a seq that is none', `{"type":"subscribe","conversation_id":"${randomUUID()}","after":-1}`, 'invalid_request'],
    ['something more', '{"type":"ping","more":1}', 'invalid_request'],
  ])('that sends %s is told, and goes on', async (_, text, code) => {
    const client = await SocketClient.open(url, asServer);
    client.say(text);
    expect(await client.next('error')).toMatchObject({ code });
    client.say({ type: 'ping' });
    await client.next('pong');
  });

  it.each([
    ['binary frames', (socket: WebSocket) => socket.send(Buffer.from([1, 2, 3])), 1003],
    ['too large a message', (socket: WebSocket) => socket.send('x'.repeat(20_000)), 1009],
    ['text that is no UTF-8', (socket: WebSocket) => socket.send(Buffer.from([0xff, 0xfe]), { binary: false }), 1007],
    ['too many frames', (socket: WebSocket) => upTo(150).map(() => socket.send('{"type":"ping"}')), 4429],
  ])('that sends %s is closed', async (_, send, code) => {
    const client = await SocketClient.open(url, asServer);
    send(client.socket);
    expect(await client.closed).toBe(code);
    await vi.waitFor(() => expect(api.sockets.open).toBe(0));
  });

  it('that sends too many pings is cut off', async () => {
    const client = await SocketClient.open(url, asServer);
    for (const _ of upTo(150)) client.socket.ping();
    expect([4429, 1006]).toContain(await client.closed);
    await vi.waitFor(() => expect(api.sockets.open).toBe(0));
  });

  it('that breaks the framing is cut off, and nobody else minds', async () => {
    const other = await SocketClient.open(url, asServer);
    const broken = connect(http.port, '127.0.0.1');
    broken.on('error', () => undefined);
    broken.write(
      `GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: ${asServer}\r\n\r\n`,
    );
    await new Promise((resolve) => broken.once('data', resolve));
    broken.write(Buffer.from([0x81, 0x05, 1, 2, 3, 4, 5])); // not masked
    await new Promise((resolve) => broken.once('close', resolve));
    other.say({ type: 'ping' });
    await other.next('pong');
  });

  it('that does not answer pings is gone', async () => {
    await limited({ heartbeat: 100 });
    const client = new WebSocket(`${url.replace('http', 'ws')}/ws`, {
      headers: { authorization: asServer },
      autoPong: false,
    });
    const alive = await SocketClient.open(url, asServer);
    expect(await new Promise((resolve) => client.on('close', resolve))).toBe(1006);
    await vi.waitFor(() => expect(api.sockets.open).toBe(1));
    expect(alive.socket.readyState).toBe(WebSocket.OPEN);
  });

  it('that does not take what it is sent is dropped, and no more than a page is held for it', async () => {
    await limited({ untilTaken: 1_000, goodbye: 2_000 });
    const id = await conversation();
    const large = 'x'.repeat(200_000);
    for (const _ of upTo(200)) await append(id, 1, server, large);
    const slow = await SocketClient.open(url, asServer);
    const quick = await SocketClient.open(url, asServer);
    await slow.subscribe(id);
    slow.socket.pause();
    const reads = vi.spyOn(api.conversations, 'read');
    slow.say({ type: 'subscribe', conversation_id: id, after: 0 });
    await vi.waitFor(() => expect(reads).toHaveBeenCalled());
    // Two pages of 4 MiB at most, of 40 MB, are read for it before it is given up.
    await vi.waitFor(() => expect(api.events.isHeard).toBe(false), 10_000);
    expect(reads.mock.calls.length).toBeLessThan(6);
    slow.socket.resume();
    expect([4408, 1006]).toContain(await slow.closed);
    expect(slow.seqs().length).toBeLessThan(200);
    await quick.subscribe(id, 0);
    await quick.untilSeq(200);
    expect(quick.seqs()).toEqual(upTo(200));
  });

  it('hears in time that its token ends, unless it brings another one', async () => {
    const id = randomUUID();
    const short = (await userHeaders(id, '2s')).authorization;
    const [leaving, staying, cheating] = await Promise.all([1, 2, 3].map(() => SocketClient.open(url, short)));
    if (!leaving || !staying || !cheating) throw new Error('three were opened');
    const token = async (owner: string) => (await userHeaders(owner)).authorization.slice('Bearer '.length);
    staying.say({ type: 'authenticate', token: await token(id) });
    expect(Date.parse((await staying.next('authenticated')).expires_at ?? '')).toBeGreaterThan(Date.now() + 3_500_000);
    cheating.say({ type: 'authenticate', token: await token(randomUUID()) });
    await cheating.next('error', ({ code }) => code === 'unauthorized');
    staying.say({ type: 'authenticate', token: 'nonsense' });
    await staying.next('error', ({ code }) => code === 'unauthorized');
    expect(await leaving.closed).toBe(4401);
    expect(await cheating.closed).toBe(4401);
    staying.say({ type: 'ping' });
    await staying.next('pong');
  });
});

it('200 sockets that were opened and closed in every way leave nothing behind', async () => {
  const id = await conversation(3);
  const connections = () =>
    process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'Timeout').length;
  const before = connections();
  for (const round of upTo(4)) {
    const clients = await Promise.all(upTo(50).map(() => SocketClient.open(url, asServer)));
    await Promise.all(clients.map((client) => client.subscribe(id, 0)));
    await append(id);
    await Promise.all(clients.map((client) => client.untilSeq(3 + round)));
    await Promise.all(clients.map((client, index) => (index % 2 ? client.close() : void client.socket.terminate())));
  }
  await vi.waitFor(() => {
    expect(api.sockets.open).toBe(0);
    expect(api.events.isHeard).toBe(false);
    expect(connections()).toBeLessThanOrEqual(before + 2);
  });
});

it('a stop tells every client to connect again, also in the middle of a page, and waits for none of them', async () => {
  const id = await conversation();
  for (const _ of upTo(50)) await append(id, 1, server, 'x'.repeat(100_000));
  const clients = await Promise.all(upTo(5).map(() => SocketClient.open(url, asServer)));
  const deaf = await SocketClient.open(url, asServer);
  await deaf.subscribe(id, 0);
  deaf.socket.pause();
  await Promise.all(clients.map((client) => client.subscribe(id, 0)));
  isStopping = true;
  const began = Date.now();
  await http.stop(2_000);
  expect(Date.now() - began).toBeLessThan(2_500);
  expect(await Promise.all(clients.map(({ closed }) => closed))).toEqual(clients.map(() => 1012));
  expect(api.sockets.open).toBe(0);
});

it('a stop tells one client after the other, so that they do not all connect again at once', async () => {
  const betweenGoodbyes = 200;
  await limited({ betweenGoodbyes });
  const clients = await Promise.all(upTo(3).map(() => SocketClient.open(url, asServer)));
  const left = clients.map(async ({ closed }) => ({ code: await closed, at: performance.now() }));
  isStopping = true;
  await http.stop(20_000);
  const [first, second, third] = (await Promise.all(left)).sort((one, other) => one.at - other.at);
  expect([first?.code, second?.code, third?.code]).toEqual([1012, 1012, 1012]);
  expect((third?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(betweenGoodbyes);
});

describe('the probe', () => {
  it('opens a socket of the service and gets an answer', async () => {
    await socketProbe({ host: '0.0.0.0', port: http.port }, secretKey).answer(AbortSignal.timeout(2_000));
    await vi.waitFor(() => expect(api.sockets.open).toBe(0));
  });

  it('fails when the service lets nobody in, or is not there', async () => {
    const probe = (key: string, port: number) => socketProbe({ host: '127.0.0.1', port }, key);
    await expect(probe('sb_secret_other', http.port).answer(AbortSignal.timeout(2_000))).rejects.toThrow('401');
    await expect(probe(secretKey, 1).answer(AbortSignal.timeout(2_000))).rejects.toThrow('ECONNREFUSED');
  });
});
