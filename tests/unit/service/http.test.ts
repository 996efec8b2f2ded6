import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Probe } from '../../../service/conversation/conversation-store.ts';
import { limits } from '../../../service/conversation/limits.ts';
import { problemShape } from '../../../service/http/problem.ts';
import { httpApi, userHeaders } from './http-api.ts';

const { send, app, lines } = httpApi();
const canary = 'nobody-may-read-this';

describe('every reply', () => {
  it('has the request’s id and the release’s', async () => {
    const own = await send('GET', '/livez', undefined, { 'x-request-id': 'from-the-client:1' });
    expect(own.headers.get('x-request-id')).toBe('from-the-client:1');
    expect(own.headers.get('x-release-id')).toBe('r1');
    const made = await send('GET', '/nowhere', undefined, { 'x-request-id': 'not an id; "x"' });
    expect(made.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(made.body.request_id).toBe(made.headers.get('x-request-id'));
  });

  it('is not kept by anybody on its way', async () => {
    expect((await send('GET', '/livez')).headers.get('cache-control')).toBe('no-store');
  });

  it('that is an error is a problem document', async () => {
    const reply = await send('GET', '/nowhere');
    expect(reply.headers.get('content-type')).toBe('application/problem+json');
    expect(problemShape.parse(reply.body)).toMatchObject({ status: 404, code: 'route_not_found', title: 'Not Found' });
  });
});

describe('without a key', () => {
  it.each([
    ['GET', '/v1/conversations/x'],
    ['POST', '/v1/conversations'],
    ['DELETE', '/v1/conversations'],
    ['GET', '/openapi.json'],
    ['GET', '/nowhere'],
  ])('%s %s is 401', async (method, path) => {
    const reply = await send(method, path, undefined, { authorization: '' });
    expect(reply).toMatchObject({ status: 401, body: { code: 'unauthorized' } });
    expect(reply.headers.get('www-authenticate')).toBe('Bearer');
  });

  it.each(['/livez', '/readyz', '/health'])('GET %s is answered', async (path) => {
    const reply = await send('GET', path, undefined, { authorization: '' });
    expect(reply.status).toBe(200);
    expect(Object.keys(reply.body)).toEqual(['status']);
  });
});

describe('a body is refused', () => {
  const post = (body: unknown, headers?: Record<string, string>) => send('POST', '/v1/conversations', body, headers);
  it.each<[string, unknown, number, string]>([
    ['that is no JSON', '{"title":', 400, 'malformed_json'],
    ['that is empty', '', 400, 'malformed_json'],
    ['that has something after the JSON', '{} {}', 400, 'malformed_json'],
    ['that is no UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 400, 'malformed_json'],
    ['that is a list', '[]', 400, 'invalid_request'],
    ['that is null', 'null', 400, 'invalid_request'],
    ['with a field that nobody knows', { titel: 'x' }, 400, 'invalid_request'],
    ['with a NUL', '{"title":"\\u0000"}', 400, 'invalid_text'],
    ['with half a surrogate pair', '{"title":"\\ud83d"}', 400, 'invalid_text'],
    ['with a number that would be rounded', '{"metadata":{"n":9007199254740993}}', 400, 'number_out_of_range'],
    ['that goes 60 levels deep', `{"metadata":{"a":${'['.repeat(60)}${']'.repeat(60)}}}`, 400, 'too_deep'],
    ['with a prototype', '{"metadata":{"__proto__":{"x":1}}}', 400, 'invalid_key'],
    ['that is too large', { title: 'x'.repeat(limits.bodyBytes) }, 413, 'body_too_large'],
  ])('%s', async (_what, body, status, code) => {
    expect(await post(body)).toMatchObject({ status, body: { code } });
  });

  it('that is not called JSON, or was compressed', async () => {
    expect(await post('{}', { 'content-type': 'text/plain' })).toMatchObject({ status: 415 });
    expect(await post('{}', { 'content-type': '' })).toMatchObject({ status: 415 });
    const compressed = await post(new Uint8Array(gzipSync('{}')), { 'content-encoding': 'gzip' });
    expect(compressed).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } });
    expect(await post('{}', { 'content-type': 'Application/JSON; charset=utf-8' })).toMatchObject({ status: 201 });
  });

  it('that announces more than it may have, unread', async () => {
    const reply = await post('{}', { 'content-length': String(limits.bodyBytes + 1) });
    expect(reply).toMatchObject({ status: 413, body: { code: 'body_too_large' } });
    expect(reply.headers.get('connection')).toBe('close');
  });
});

it.each([
  ['DELETE', '/v1/conversations', 'POST, GET, HEAD'],
  ['PUT', '/v1/conversations/x', 'GET, HEAD, PATCH, DELETE'],
  ['PUT', '/v1/conversations/x/messages', 'POST, GET, HEAD, DELETE'],
  ['GET', '/v1/conversations/x/fork', 'POST'],
  ['POST', '/livez', 'GET, HEAD'],
])('%s %s is 405 and says what can be done', async (method, path, allow) => {
  const reply = await send(method, path);
  expect(reply).toMatchObject({ status: 405, body: { code: 'method_not_allowed' } });
  expect(reply.headers.get('allow')).toBe(allow);
});

describe('health', () => {
  const up: Probe = { name: 'a', required: true, answer: async () => undefined };
  const down = (required: boolean): Probe => ({
    name: 'b',
    required,
    answer: async () => {
      throw new Error('refused', { cause: new Error('nobody there') });
    },
  });

  it('is healthy when every probe answers', async () => {
    const { body, status } = await httpApi({ probes: [up] }).send('GET', '/health');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: 'healthy',
      release_id: 'r1',
      storage: { backend: 'memory', tiers: ['memory'] },
      checks: { a: { status: 'up', response_time_ms: expect.any(Number) } },
    });
  });

  it('is degraded without what is not required, and goes on', async () => {
    const { body, status } = await httpApi({ probes: [up, down(false)] }).send('GET', '/health');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: 'degraded',
      checks: { b: { status: 'down', error: 'refused: nobody there' } },
    });
  });

  it('is degraded as long as another backend runs than the one configured', async () => {
    const { body } = await httpApi({ warning: 'in memory' }).send('GET', '/health');
    expect(body).toMatchObject({ status: 'degraded', storage: { warning: 'in memory' } });
  });

  it('is unhealthy without what is required', async () => {
    const { body, status } = await httpApi({ probes: [up, down(true)] }).send('GET', '/health');
    expect(status).toBe(503);
    expect(body.status).toBe('unhealthy');
  });

  it('asks its neighbours once for a crowd that has no key, and tells it no more than the status', async () => {
    let asked = 0;
    const counting: Probe = { name: 'a', required: true, answer: async () => void asked++ };
    const { send: ask } = httpApi({ probes: [counting] });
    const headers = { authorization: '' };
    const replies = await Promise.all(Array.from({ length: 20 }, () => ask('GET', '/health', undefined, headers)));
    expect(asked).toBe(1);
    expect(new Set(replies.map(({ body }) => JSON.stringify(body)))).toEqual(new Set(['{"status":"healthy"}']));
    expect((await ask('GET', '/health', undefined, await userHeaders())).body).toEqual({ status: 'healthy' });
  });
});

it('is not ready any more when it was told to stop, and asks clients to leave', async () => {
  let stopping = false;
  const { send: ask } = httpApi({ isStopping: () => stopping });
  expect(await ask('GET', '/readyz')).toMatchObject({ status: 200, body: { status: 'ready' } });
  stopping = true;
  const reply = await ask('GET', '/readyz');
  expect(reply).toMatchObject({ status: 503, body: { status: 'stopping' } });
  expect(reply.headers.get('connection')).toBe('close');
  expect((await ask('GET', '/livez')).status).toBe(200);
});

it('logs each request once, without what it says and without a key', async () => {
  lines.length = 0;
  const { body } = await send(
    'POST',
    '/v1/conversations',
    { title: canary, metadata: { canary } },
    { 'x-request-id': 'one' },
  );
  await send('POST', `/v1/conversations/${body.id}/messages?${canary}`, {
    messages: [{ role: 'user', content: canary }],
  });
  await send('POST', '/v1/conversations', `{"${canary}`);
  await send('POST', '/v1/conversations', { metadata: canary });
  await send('GET', '/v1/conversations/x', undefined, { authorization: `Bearer ${canary}` });
  expect(lines).toHaveLength(5);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 'info',
    request_id: 'one',
    method: 'POST',
    path: '/v1/conversations',
    status: 201,
    tier: 'memory',
    caller: 'server',
  });
  expect(JSON.parse(lines[2] ?? '')).toMatchObject({ status: 400, code: 'malformed_json' });
  expect(lines.join('')).not.toContain(canary);
  expect(lines.join('')).not.toContain('sb_secret_');
});

describe('/openapi.json', () => {
  it('describes every route, and only those', async () => {
    const { body } = await send('GET', '/openapi.json');
    expect(body.openapi).toBe('3.1.0');
    const described = Object.entries<object>(body.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const routes = app.routes
      .filter(({ method, path }) => method !== 'ALL' && path !== '/openapi.json')
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
    expect(described.toSorted()).toEqual([...new Set(routes)].toSorted());
  });

  it('names the schemas, and the problems of each route', async () => {
    const { body } = await send('GET', '/openapi.json');
    expect(Object.keys(body.components.schemas)).toEqual(
      expect.arrayContaining(['Conversation', 'Message', 'Thread', 'Append', 'Appended', 'Problem', 'HealthReport']),
    );
    const append = body.paths['/v1/conversations/{id}/messages'].post;
    expect(Object.keys(append.responses)).toEqual([
      '200',
      '201',
      '202',
      '400',
      '401',
      '404',
      '409',
      '413',
      '415',
      '422',
      '429',
      '503',
      'default',
    ]);
    expect(append.requestBody.content['application/json'].schema.$ref).toBe('#/components/schemas/Append');
    expect(body.components.schemas.Append.additionalProperties).toBe(false);
    expect(body.components.schemas.Append.properties.messages.maxItems).toBe(limits.messagesPerAppend);
  });
});
