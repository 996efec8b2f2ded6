import { afterEach, describe, expect, it, vi } from 'vitest';
import { limits } from '../../../service/conversation/limits.ts';
import { httpApi, secretKey, userHeaders } from '../service/http-api.ts';

const { send, app } = httpApi();

describe('a backend that can not search or import', () => {
  it.each([
    ['GET', '/v1/search?q=word', undefined, {}],
    [
      'POST',
      '/v1/import',
      '{"version":1,"kind":"conversation","conversation":{"id":"11111111-1111-4111-8111-111111111111","continuation_id":"11111111-1111-4111-8111-111111111112","title":null,"metadata":{},"cleared_seq":0,"last_seq":0,"created_at":"2026-01-01T00:00:00Z"}}',
      { 'content-type': 'application/jsonl' },
    ],
  ])('says so, and which ones can: %s %s', async (method, path, body, headers) => {
    const reply = await send(method, path, body, headers);
    expect([reply.status, reply.body.code]).toEqual([501, 'not_supported_by_backend']);
    expect(reply.body.detail).toContain('dual or supabase');
  });
});

describe('a search', () => {
  it.each([
    ['', 'q'],
    ['q=', 'q'],
    [`q=${'x'.repeat(limits.searchQueryLength + 1)}`, 'q'],
    ['q=a%00b', 'q'],
    ['q=a&limit=0', 'limit'],
    [`q=a&limit=${limits.searchHitsPerPage + 1}`, 'limit'],
    ['q=a&cursor=nonsense', 'cursor'],
    ['q=a&cursor=e30', 'cursor'],
    ['q=a&conversation_id=1', 'conversation_id'],
    ['q=a&role=robot', 'role'],
    ['q=a&from=yesterday', 'from'],
    ['q=a&to=2026-01-01', 'to'],
    ['q=a&q=b', 'q'],
  ])('is refused with what is wrong: %s', async (parameters, path) => {
    const { status, body } = await send('GET', `/v1/search?${parameters}`);
    expect([status, body.code, body.errors?.[0]?.path]).toEqual([400, 'invalid_request', path]);
  });

  it('of what others said is for the server only', async () => {
    const path = '/v1/search?q=a&user_id=11111111-1111-4111-8111-111111111111';
    const { status, body } = await send('GET', path, undefined, await userHeaders());
    expect([status, body.code]).toEqual([403, 'server_only']);
  });
});

describe('the document of a thread', () => {
  it('is put, read and removed', async () => {
    const put = await send('PUT', '/v1/threads/a.b:c~1', { document: { a: 1 }, ttl_seconds: 60 });
    expect(put.status).toBe(200);
    expect(put.headers.get('x-storage-tier')).toBe('memory');
    expect((await send('GET', '/v1/threads/a.b:c~1')).body).toEqual({ ...put.body, document: { a: 1 } });
    expect((await send('DELETE', '/v1/threads/a.b:c~1')).body).toEqual({ thread_id: 'a.b:c~1' });
    const gone = await send('GET', '/v1/threads/a.b:c~1');
    expect([gone.status, gone.body.code]).toEqual([404, 'thread_not_found']);
  });

  it('lives as long as a conversation when it says nothing about it', async () => {
    const { body } = await send('PUT', '/v1/threads/t', { document: {} });
    expect(Date.parse(body.expires_at) - Date.parse(body.updated_at)).toBe(3_600_000);
  });

  it.each([
    ['/v1/threads/with%20space', { document: {} }],
    [`/v1/threads/${'x'.repeat(201)}`, { document: {} }],
    ['/v1/threads/a%2Fb', { document: {} }],
    ['/v1/threads/a%00', { document: {} }],
    ['/v1/threads/t', { document: [] }],
    ['/v1/threads/t', { document: null }],
    ['/v1/threads/t', {}],
    ['/v1/threads/t', { document: {}, ttl_seconds: 0 }],
    ['/v1/threads/t', { document: {}, ttl_seconds: limits.lifetimeSeconds + 1 }],
    ['/v1/threads/t', { document: {}, other: 1 }],
  ])('is refused: %s %j', async (path, body) => {
    const reply = await send('PUT', path, body);
    expect([reply.status, reply.body.code]).toEqual([400, 'invalid_request']);
  });

  it('beyond its limit is refused', async () => {
    const { status, body } = await send('PUT', '/v1/threads/t', {
      document: { text: 'x'.repeat(limits.threadDocumentBytes) },
    });
    expect([status, body.code]).toEqual([413, 'message_too_large']);
  });
});

describe('an export', () => {
  it('works with every backend, and cuts the connection when it can not go on', async () => {
    const { id } = (await send('POST', '/v1/conversations', {})).body;
    for (let part = 0; part < 3; part += 1) {
      const messages = Array.from({ length: 100 }, () => ({ role: 'user', content: 'said' }));
      await send('POST', `/v1/conversations/${id}/messages`, { messages });
    }
    const ask = () =>
      app.request(`/v1/conversations/${id}/export`, { headers: { authorization: `Bearer ${secretKey}` } });
    expect((await (await ask()).text()).trimEnd().split('\n')).toHaveLength(301);
    const torn = await ask();
    await send('DELETE', `/v1/conversations/${id}/messages`);
    await expect(torn.text()).rejects.toThrow(/cleared/);
  });
});

describe('a body of JSON', () => {
  afterEach(() => vi.useRealTimers());

  it('that does not arrive in time is given up', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const reply = app.request('/v1/conversations', {
      method: 'POST',
      headers: { authorization: `Bearer ${secretKey}`, 'content-type': 'application/json' },
      body: new ReadableStream({}),
      duplex: 'half',
    } as RequestInit);
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
    await vi.advanceTimersByTimeAsync(30_000);
    const { status } = await reply;
    expect(status).toBe(408);
  });
});

describe('the OpenAPI document', () => {
  it('has every address of search, threads, export and import', async () => {
    const { body } = await send('GET', '/openapi.json');
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining([
        '/v1/search',
        '/v1/threads/{id}',
        '/v1/conversations/{id}/export',
        '/v1/export',
        '/v1/import',
      ]),
    );
  });
});
