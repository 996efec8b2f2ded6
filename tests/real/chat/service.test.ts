import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { apiKey, type ChatUpstream, type Script, says, startChatUpstream } from '../../support/chat-upstream.ts';
import { door } from '../service/api-proxy.ts';
import { startRecord, startTestRedis, type TestRecord, type TestRedis, type TestUser } from '../service/servers.ts';
import { type Installation, install, type RunningService } from '../service/service-process.ts';
import { type ChatClient, chatClient, said, until } from './chat-client.ts';

let record: TestRecord;
let redis: TestRedis;
let upstream: ChatUpstream;
let installation: Installation;
let directory: string;
let services: RunningService[] = [];
let user: TestUser;

beforeAll(async () => {
  [record, redis, upstream] = await Promise.all([startRecord(), startTestRedis(), startChatUpstream()]);
  const secrets = { ...record.settings, redisPassword: redis.password };
  installation = await install(secrets, { supabase: record.settings.url, redis: redis.settings.url });
  directory = await mkdtemp(join(tmpdir(), 'chat-'));
  await writeFile(join(directory, 'upstreams.json'), upstream.file(), { mode: 0o600 });
  user = await record.signUp();
});
afterAll(async () => {
  await installation?.remove();
  await upstream?.close();
  await redis?.stop();
  await record?.close();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(() => {
  upstream.requests.length = 0;
});
afterEach(async () => {
  await Promise.all(services.map((service) => service.stop('SIGKILL')));
  for (const service of services) {
    expect(service.output()).not.toContain('"msg":"defect"');
    for (const secret of [apiKey, user.token, 'somebody']) expect(service.output()).not.toContain(secret);
  }
  services = [];
  expect(upstream.faults).toEqual([]);
});

async function start(): Promise<RunningService> {
  const service = await installation.start({ CHAT_UPSTREAMS_FILE: join(directory, 'upstreams.json') });
  services.push(service);
  return service;
}
const clientOf = ({ url }: RunningService, token = user.token): ChatClient => chatClient(url, token);

/** Messages as they are in PostgreSQL. */
const stored = (id: string) =>
  record.sql`select seq, role, content, metadata from messages where conversation_id = ${id} order by seq`;
const answerIn = (id: string) => until(async () => (await stored(id)).find(({ role }) => role === 'assistant'));

/** Says the first piece, the others when the door is opened. */
function saysInTwo(first: string, second: string, goOn: Promise<void>): Script {
  return async ({ begin, delta, finish, closed }) => {
    begin();
    delta({ role: 'assistant', content: first });
    await Promise.race([goOn, closed]);
    delta({ content: second });
    finish();
  };
}
/** Says this, and then nothing until the service goes away. */
const hangsAfter = (first: string) => saysInTwo(first, '', new Promise(() => undefined));

describe('an answer', () => {
  it('is stored with its question, where the user reads both', async () => {
    const client = clientOf(await start());
    upstream.next(says('Good ', 'morning, somebody'));
    const events = await (await client.stream({ message: 'Hello, I am somebody' })).rest();
    expect(said(events)).toBe('Good morning, somebody');
    const { data } = events.at(-1) ?? { data: undefined };
    expect(data).toMatchObject({ durability: 'record', answer: { seq: 2, metadata: { status: 'complete' } } });
    expect(await stored(data.conversation_id)).toMatchObject([
      { seq: 1, role: 'user', content: 'Hello, I am somebody' },
      { seq: 2, role: 'assistant', content: 'Good morning, somebody', metadata: data.answer.metadata },
    ]);
    expect((await client.thread(data.conversation_id)).messages).toHaveLength(2);
  });

  it('is stored though the client has gone away and its token has expired', async () => {
    const claims = { sub: user.id, role: 'authenticated', aud: 'authenticated' };
    const client = clientOf(await start(), await record.token(claims, '2s'));
    const expired = new Promise((resolve) => setTimeout(resolve, 3_000));
    upstream.next(
      saysInTwo(
        'so far',
        ' and to the end',
        expired.then(() => undefined),
      ),
    );
    const stream = await client.stream({ message: 'Hello' });
    const begun = await stream.next();
    await stream.next();
    stream.vanish();
    expect(await answerIn(begun?.data.conversation_id)).toMatchObject({
      content: 'so far and to the end',
      metadata: { status: 'complete' },
    });
  });

  it('that the upstream cut is kept as far as it came', async () => {
    const client = clientOf(await start());
    upstream.next(({ begin, delta, cut }) => {
      begin();
      delta({ content: 'so far' });
      setImmediate(cut);
    });
    const { status, body } = await client.post({ message: 'Hello' });
    expect([status, body.answer.content]).toEqual([200, 'so far']);
    expect((await stored(body.conversation_id))[1]).toMatchObject({
      content: 'so far',
      metadata: { status: 'incomplete', reason: 'upstream_failed' },
    });
  });

  it('waits for the record with its question, in their order', async () => {
    const service = await start();
    const client = clientOf(service, record.settings.secretKey);
    const { body: before } = await client.post({ message: 'one' });
    const id = before.conversation_id;
    await record.stopApi();
    const away = await client.post({ message: 'two', conversation_id: id });
    expect(away).toMatchObject({ status: 202, body: { durability: 'queued', answer: { seq: null } } });
    expect(upstream.requests.at(-1)?.messages.map(({ content }) => content)).toEqual(['one', 'Hello, world', 'two']);
    await record.startApi();
    const rows = await until(async () => {
      const found = await stored(id);
      return found.length === 4 && found;
    });
    expect(rows.map(({ role, content }) => [role, content])).toEqual([
      ['user', 'one'],
      ['assistant', 'Hello, world'],
      ['user', 'two'],
      ['assistant', 'Hello, world'],
    ]);
  });
});

describe('the same question at once', () => {
  it('is asked once by two processes, and both have the answer', async () => {
    const [one, two] = [clientOf(await start()), clientOf(await start())];
    const id = await one.begin();
    const goOn = door();
    upstream.next(saysInTwo('the ', 'answer', goOn.opened));
    const question = { message: 'Hello', conversation_id: id, client_message_id: 'q1' };
    const first = await one.stream(question);
    await first.next();
    await first.next();
    const [second, third] = [await two.stream(question), await one.stream(question)];
    expect([await second.next(), await third.next()]).toMatchObject([
      { event: 'conversation', data: { message: { duplicate: true } } },
      { event: 'conversation', data: { message: { duplicate: true } } },
    ]);
    goOn.open();
    for (const [stream, replayed] of [
      [first, false],
      [third, false],
      [second, true],
    ] as const) {
      expect((await stream.rest()).at(-1)).toMatchObject({
        event: 'done',
        data: { replayed, answer: { seq: 2, content: 'the answer' } },
      });
    }
    expect(upstream.requests).toHaveLength(1);
    expect(await stored(id)).toHaveLength(2);
  });
});

describe('a process that dies', () => {
  it('leaves what its clients had heard to the next one, which does not ask again', async () => {
    const dying = await start();
    upstream.next(hangsAfter('what had been said'));
    const question = { message: 'Hello', client_message_id: 'before the crash' };
    const stream = await clientOf(dying).stream(question);
    const begun = await stream.next();
    expect(await stream.next()).toMatchObject({ data: { text: 'what had been said' } });
    await new Promise((resolve) => setTimeout(resolve, 1_500)); // the journal hears of it every second
    await dying.stop('SIGKILL');
    stream.vanish();
    const next = await start();
    const reply = await clientOf(next).post({ ...question, conversation_id: begun?.data.conversation_id });
    expect(reply.body).toMatchObject({
      replayed: true,
      answer: { content: 'what had been said', metadata: { status: 'incomplete', reason: 'process_ended' } },
    });
    expect(upstream.requests).toHaveLength(1);
  });
});

describe('told to stop', () => {
  it('it lets an answer end, and keeps what there is of one that does not', async () => {
    const service = await start();
    const client = clientOf(service);
    const goOn = door();
    upstream.next(saysInTwo('all', ' of it', goOn.opened), hangsAfter('so far'));
    const quick = await client.stream({ message: 'quick' });
    await quick.next();
    await quick.next();
    const slow = await client.stream({ message: 'slow' });
    const begun = await slow.next();
    await slow.next();
    const ended = service.stop('SIGTERM');
    await service.until(/"msg":"told to stop"/);
    goOn.open();
    expect((await quick.rest()).at(-1)).toMatchObject({
      event: 'done',
      data: { answer: { content: 'all of it', metadata: { status: 'complete' } } },
    });
    expect((await slow.rest()).at(-1)).toMatchObject({
      event: 'done',
      data: { answer: { content: 'so far', metadata: { status: 'incomplete', reason: 'stopped' } } },
    });
    expect(await ended).toMatchObject({ exitCode: 0 });
    expect((await stored(begun?.data.conversation_id))[1]).toMatchObject({ content: 'so far' });
  });
});

describe('it does not start', () => {
  it('with a wrong file of upstreams, and lists every mistake without the key', async () => {
    const path = join(directory, 'wrong.json');
    await writeFile(path, upstream.file({ url: 'nowhere', model: '', api_key: 'two words' }));
    const { exitCode, output } = await installation.run([], { CHAT_UPSTREAMS_FILE: path });
    expect(exitCode).toBe(2);
    expect(output).toMatch(
      /upstreams\.local\.url is no address[\s\S]*local\.model is empty[\s\S]*local\.api_key is not/,
    );
    expect(output).not.toContain('two words');
  });
});
