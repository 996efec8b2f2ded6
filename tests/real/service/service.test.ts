import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../service/conversation/limits.ts';
import { type ApiProxy, door, startApiProxy } from './api-proxy.ts';
import { startRecord, startTestRedis, type TestRecord, type TestRedis, type TestUser } from './servers.ts';
import { type Installation, install, type RunningService } from './service-process.ts';

let record: TestRecord;
let redis: TestRedis;
let proxy: ApiProxy;
let installation: Installation;
let service: RunningService;
let user: TestUser;

beforeAll(async () => {
  [record, redis] = await Promise.all([startRecord(), startTestRedis()]);
  proxy = await startApiProxy(record.settings.url);
  const secrets = { ...record.settings, redisPassword: redis.password };
  installation = await install(secrets, { supabase: proxy.url, redis: redis.settings.url });
  user = await record.signUp();
});
afterAll(async () => {
  await installation?.remove();
  await proxy?.close();
  await redis?.stop();
  await record?.close();
});

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what a reply holds is what the tests are about
  readonly body: any;
}
async function send(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const response = await fetch(service.url + path, {
    method,
    headers: {
      authorization: `Bearer ${record.settings.secretKey}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
}
const asUser = () => ({ authorization: `Bearer ${user.token}` });
const begin = async (headers = {}) => (await send('POST', '/v1/conversations', {}, headers)).body.id;
const say = (content: unknown) => ({ messages: [{ role: 'user', content }] });

describe('the service', () => {
  beforeAll(async () => {
    service = await installation.start();
  });
  afterAll(() => service?.stop());

  it('keeps what users and the server say, and shows each their own', async () => {
    const id = await begin(asUser());
    const path = `/v1/conversations/${id}`;
    expect((await send('POST', `${path}/messages`, say('a question'), asUser())).status).toBe(201);
    expect((await send('POST', `${path}/messages`, say([{ type: 'text', text: 'an answer' }]))).status).toBe(201);
    const thread = await send('GET', path, undefined, asUser());
    expect(thread.headers.get('x-storage-tier')).toBe('redis');
    expect(thread.body.messages.map(({ content }: { content: unknown }) => content)).toEqual([
      'a question',
      [{ type: 'text', text: 'an answer' }],
    ]);
    const stranger = await record.signUp();
    const foreign = await send('GET', path, undefined, { authorization: `Bearer ${stranger.token}` });
    expect(foreign).toMatchObject({ status: 404, body: { code: 'conversation_not_found' } });
  });

  it('asks a user who was deleted to sign in again', async () => {
    const gone = await record.signUp();
    await record.sql`delete from auth.users where id = ${gone.id}`;
    const reply = await send('POST', '/v1/conversations', {}, { authorization: `Bearer ${gone.token}` });
    expect(reply).toMatchObject({ status: 401, body: { code: 'unauthorized' } });
  });

  it('says how it is: to its server everything, to anybody the status', async () => {
    const { body } = await send('GET', '/health');
    expect(body).toMatchObject({
      status: 'healthy',
      release_id: 'under-test',
      storage: { backend: 'dual', tiers: ['redis', 'supabase'] },
      checks: {
        supabase: { status: 'up' },
        database: { status: 'up' },
        storage: { status: 'up' },
        redis: { status: 'up' },
      },
    });
    for (const check of Object.values<{ response_time_ms: number }>(body.checks))
      expect(check.response_time_ms).toBeGreaterThan(0);
    expect((await send('GET', '/health', undefined, { authorization: '' })).body).toEqual({ status: 'healthy' });
  });

  it('answers its own health check, as text and as JSON', async () => {
    const environment = { PORT: String(service.port) };
    const text = await installation.run(['--health'], environment);
    expect(text.exitCode).toBe(0);
    expect(text.output).toMatch(
      /^healthy: release under-test, storage dual, tiers redis, supabase\n( {2}\w+ +up +[\d.]+ ms\n){5,}$/,
    );
    const json = await installation.run(['--health', '--format', 'json'], environment);
    expect(JSON.parse(json.output)).toMatchObject({ status: 'healthy', checks: { redis: { status: 'up' } } });
  });

  it('tells by its exit code what is wrong with the health check', async () => {
    expect(await installation.run(['--health', '--format', 'xml'])).toMatchObject({ exitCode: 2 });
    expect(await installation.run(['--health', '--endpoint', 'here'])).toMatchObject({ exitCode: 2 });
    const nobody = await installation.run(['--health', '--format', 'json'], { PORT: '9' });
    expect(nobody.exitCode).toBe(3);
    expect(JSON.parse(nobody.output)).toMatchObject({ status: 'unavailable' });
  });

  it.each<[string, unknown, number]>([
    [
      'an array of the smallest numbers, which are long in the database',
      [{ type: 'x', n: Array.from({ length: 100_000 }, () => 5e-324) }],
      413,
    ],
    ['a text of escapes', '\u0001'.repeat(100_000), 201],
    ['parts without number', Array.from({ length: 20_000 }, () => ({ type: 'text' })), 201],
    ['SQL', "'); drop table messages; --", 201],
    ['a text that looks like a number', '1e400', 201],
    ['a text in all planes', '\u{10ffff}\u{1f600}\ufffe\u2028', 201],
  ])('takes or refuses %s, and never fails', async (_what, content, status) => {
    const id = await begin();
    const reply = await send('POST', `/v1/conversations/${id}/messages`, say(content));
    expect(reply.status, JSON.stringify(reply.body).slice(0, 500)).toBe(status);
    for (const headers of [{}, asUser()]) {
      const { body } = await send('GET', `/v1/conversations/${id}`, undefined, headers);
      if (status === 201 && 'messages' in body) expect(body.messages[0].content).toEqual(content);
    }
  });

  it('refuses a body without an announced end when it gets too large', async () => {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536).fill(0x20));
        if (sent > 4 * limits.bodyBytes) controller.close();
      },
    });
    const response = await fetch(`${service.url}/v1/conversations`, {
      method: 'POST',
      body,
      duplex: 'half',
      headers: { authorization: `Bearer ${record.settings.secretKey}`, 'content-type': 'application/json' },
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ code: 'body_too_large' });
  });

  it.each([
    ['what is no HTTP', 'hello\r\n\r\n', /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*"code":"malformed_request"/],
    [
      'headers without end',
      `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431 [\s\S]*"code":"headers_too_large"/,
    ],
    [
      'two lengths',
      'POST /v1/conversations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
      /^HTTP\/1\.1 400 /,
    ],
    ['a host that is none', 'GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n', /^HTTP\/1\.1 (400|200) /],
  ])('answers %s', async (_what, request, answer) => {
    const socket = connect(service.port, '127.0.0.1');
    socket.end(request);
    expect(Buffer.concat(await socket.toArray()).toString()).toMatch(answer);
  });

  it('is not troubled by clients that vanish, in the middle of a request or of its answer', async () => {
    const id = await begin();
    const called = door();
    const goOn = door();
    proxy.onCall = async () => {
      called.open();
      await goOn.opened;
    };
    const head = `Host: x\r\nAuthorization: Bearer ${record.settings.secretKey}\r\n`;
    const half = connect(service.port, '127.0.0.1');
    half.write(
      `POST /v1/conversations/${id}/messages HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"mess`,
    );
    const waiting = connect(service.port, '127.0.0.1');
    await redis.connect().then(async (connection) => {
      await connection.client.flushall();
      await connection.close();
    });
    waiting.write(`GET /v1/conversations/${id} HTTP/1.1\r\n${head}\r\n`);
    await called.opened;
    half.destroy();
    waiting.destroy();
    await service.until(/"code":"caller_gone"[^\n]*\n[\s\S]*"code":"caller_gone"/);
    goOn.open();
    proxy.onCall = async () => undefined;
    expect((await send('GET', `/v1/conversations/${id}`)).body.messages).toEqual([]);
    expect(service.output()).not.toContain('"msg":"defect"');
  });

  it('has logged no content and no secret', async () => {
    const canary = 'canary-4711';
    const id = await begin(asUser());
    const path = `/v1/conversations/${id}/messages`;
    const message = { role: 'user', content: canary, metadata: { canary }, client_message_id: 'c1' };
    await send('POST', path, { messages: [message] }, asUser());
    await send('POST', path, { messages: [{ ...message, content: `other ${canary}` }] }, asUser());
    await send('POST', path, { messages: [message], [canary]: 1 }, asUser());
    await send('POST', path, `{"messages": ${canary}`, asUser());
    await send(
      'POST',
      path,
      {
        messages: [
          {
            ...message,
            client_message_id: 'c2',
            content: [{ type: canary, n: Array.from({ length: 100_000 }, () => 5e-324) }],
          },
        ],
      },
      asUser(),
    );
    await redis.kill();
    await send('POST', path, { messages: [{ ...message, client_message_id: 'c3' }] }, asUser());
    await redis.restart();
    const { secretKey, publishableKey, jwtSecret } = record.settings;
    for (const secret of [canary, secretKey, publishableKey, jwtSecret, redis.password, user.token]) {
      expect(service.output()).not.toContain(secret);
    }
  });

  it('says that Redis is away, goes on, and takes it back', async () => {
    const id = await begin();
    await service.until(/"msg":"Redis is there"/);
    await redis.kill();
    await service.until(/"msg":"Redis is away: going on without hot copies"/);
    expect((await send('GET', '/health')).body).toMatchObject({ status: 'degraded', storage: { tiers: ['supabase'] } });
    const append = await send('POST', `/v1/conversations/${id}/messages`, say('x'));
    expect([append.status, append.headers.get('x-storage-tier')]).toEqual([201, 'supabase']);
    const environment = { PORT: String(service.port) };
    expect(await installation.run(['--health'], environment)).toMatchObject({
      exitCode: 0,
      output: expect.stringMatching(/^degraded: /),
    });
    await redis.restart();
    while ((await send('GET', '/health')).body.status !== 'healthy')
      await new Promise((resolve) => setTimeout(resolve, 50));
    await send('GET', `/v1/conversations/${id}`);
    expect((await send('GET', `/v1/conversations/${id}`)).headers.get('x-storage-tier')).toBe('redis');
  });

  it('says that Supabase is away, queues what is appended, and stores it when it is back', async () => {
    const id = await begin();
    await record.stopApi();
    const away = await send('POST', `/v1/conversations/${id}/messages`, say('x'));
    expect(away).toMatchObject({ status: 202, body: { durability: 'queued', messages: [{ seq: null }] } });
    expect(away.headers.get('x-storage-tier')).toBe('outbox');
    expect(await send('GET', '/health')).toMatchObject({ status: 200, body: { status: 'degraded' } });
    const command = await installation.run(['--health'], { PORT: String(service.port) });
    expect(command).toMatchObject({ exitCode: 0, output: expect.stringContaining('degraded') });
    expect((await send('PATCH', `/v1/conversations/${id}`, { title: 'x' })).body.code).toBe('record_unavailable');
    expect((await send('GET', '/livez')).status).toBe(200);
    await record.startApi();
    await expect.poll(async () => (await send('GET', '/health')).body.status, { timeout: 20_000 }).toBe('healthy');
    await expect
      .poll(async () => (await send('GET', `/v1/conversations/${id}`)).body, { timeout: 20_000 })
      .toMatchObject({ messages: [{ seq: 1, content: 'x' }], pending: [] });
  });
});

describe('told to stop', () => {
  beforeEach(async () => {
    proxy.onCall = async () => undefined;
    service = await installation.start();
  });
  afterEach(() => service?.stop('SIGKILL'));

  it('it finishes what is under way, is not ready any more, and ends', async () => {
    const id = await begin();
    const called = door();
    const goOn = door();
    proxy.onCall = async () => {
      called.open();
      await goOn.opened;
    };
    const append = send('POST', `/v1/conversations/${id}/messages`, say('the last word'));
    await called.opened;
    const ended = service.stop();
    await service.until(/"msg":"told to stop"/);
    expect(await send('GET', '/readyz')).toMatchObject({ status: 503, body: { status: 'stopping' } });
    goOn.open();
    expect((await append).status).toBe(201);
    expect(await ended).toMatchObject({ exitCode: 0, output: expect.stringContaining('"msg":"stopped"') });
    const [row] = await record.sql`select count(*)::int as count from messages where conversation_id = ${id}`;
    expect(row?.count).toBe(1);
  });

  it('it ends at once when nothing is under way, though connections are open', async () => {
    const idle = connect(service.port, '127.0.0.1');
    await send('GET', '/livez');
    const started = performance.now();
    expect(await service.stop()).toMatchObject({ exitCode: 0 });
    expect(performance.now() - started).toBeLessThan(2500);
    idle.destroy();
  });

  it('it takes SIGINT, too', async () => {
    expect(await service.stop('SIGINT')).toMatchObject({ exitCode: 0 });
  });
});

describe('it does not start', () => {
  it('with a wrong environment, and lists every mistake', async () => {
    const { exitCode, output } = await installation.run([], { PORT: 'x', LOG_LEVEL: 'loud', REDIS_URL: '' });
    expect(exitCode).toBe(2);
    expect(output).toMatch(/PORT is no number[\s\S]*LOG_LEVEL is none of[\s\S]*REDIS_URL is missing/);
  });

  it('with a password that Redis refuses', async () => {
    const { exitCode, output } = await installation.run([], { REDIS_PASSWORD_FILE: '' });
    expect(exitCode).toBe(2);
    expect(output).toContain('Redis refuses the connection');
  });

  it('on a port that is taken', async () => {
    const { exitCode, output } = await installation.run([], { PORT: String(redis.port) });
    expect(exitCode).toBe(2);
    expect(output).toMatch(/can't listen on 127\.0\.0\.1:\d+: choose another HOST or PORT/);
  });
});
