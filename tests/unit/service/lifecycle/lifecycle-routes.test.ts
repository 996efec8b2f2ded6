import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { limits } from '../../../../service/conversation/limits.ts';
import { httpApi, userHeaders } from '../http-api.ts';

const { send } = httpApi();
const create = async (headers?: Record<string, string>, body = {}) =>
  (await send('POST', '/v1/conversations', body, headers)).body;
const say = (...texts: string[]) => ({ messages: texts.map((content) => ({ role: 'user', content })) });
const begun = async (texts: string[], headers?: Record<string, string>) => {
  const { id } = await create(headers);
  await send('POST', `/v1/conversations/${id}/messages`, say(...texts), headers);
  return `/v1/conversations/${id}`;
};

describe('Idempotency-Key', () => {
  it('begins one conversation for each caller', async () => {
    const [user, another] = [await userHeaders(), await userHeaders()];
    const key = { 'idempotency-key': 'order-66' };
    const first = await send('POST', '/v1/conversations', { title: 'one' }, { ...user, ...key });
    expect(first.status).toBe(201);
    const again = await send('POST', '/v1/conversations', { title: 'one' }, { ...user, ...key });
    expect(again).toMatchObject({ status: 200, body: { id: first.body.id, title: 'one' } });
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    const ids = [first.body.id];
    for (const headers of [another, {}]) {
      const reply = await send('POST', '/v1/conversations', {}, { ...headers, ...key });
      expect(reply.status).toBe(201);
      ids.push(reply.body.id);
    }
    expect(new Set(ids).size).toBe(3);
    await send('DELETE', `/v1/conversations/${first.body.id}`, undefined, user);
    expect(await send('POST', '/v1/conversations', {}, { ...user, ...key })).toMatchObject({
      status: 409,
      body: { code: 'idempotency_key_used' },
    });
  });

  it('names the messages that have no name', async () => {
    const { id } = await create();
    const body = {
      messages: [...say('a').messages, { role: 'user', content: 'b', client_message_id: 'own' }, ...say('c').messages],
    };
    const key = { 'idempotency-key': 'k' };
    const path = `/v1/conversations/${id}/messages`;
    const names = ['k:0', 'own', 'k:2'].map((client_message_id) => ({ client_message_id }));
    expect(await send('POST', path, body, key)).toMatchObject({ status: 201, body: { messages: names } });
    expect(await send('POST', path, body, key)).toMatchObject({ status: 200, body: { last_seq: 3, messages: names } });
    const clash = {
      messages: [
        { role: 'user', content: 'a', client_message_id: 'q:1' },
        { role: 'user', content: 'b' },
      ],
    };
    expect(await send('POST', path, clash, { 'idempotency-key': 'q' })).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', errors: [{ path: 'messages.1.client_message_id' }] },
    });
  });

  it.each(['', 'with space', 'é', 'x'.repeat(limits.idempotencyKeyLength + 1)])(
    'is refused when it is "%s"',
    async (key) => {
      const { id } = await create();
      for (const [path, body] of [
        ['/v1/conversations', {}],
        [`/v1/conversations/${id}/messages`, say('a')],
      ] as const) {
        expect(await send('POST', path, body, { 'idempotency-key': key })).toMatchObject({
          status: 400,
          body: { code: 'invalid_request', errors: [{ path: 'Idempotency-Key' }] },
        });
      }
    },
  );
});

describe('GET /v1/conversations', () => {
  it('lists page by page', async () => {
    const user = await userHeaders();
    const ids = new Set<string>();
    for (let turn = 0; turn < 5; turn += 1) ids.add((await create(user)).id);
    const found: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const reply = await send('GET', `/v1/conversations?limit=2${cursor && `&cursor=${cursor}`}`, undefined, user);
      expect(reply.status).toBe(200);
      expect(reply.headers.get('x-storage-tier')).toBe('memory');
      found.push(...reply.body.conversations.map(({ id }: { id: string }) => id));
      cursor = reply.body.next_cursor;
    }
    expect(found).toHaveLength(5);
    expect(new Set(found)).toEqual(ids);
  });

  it.each([
    'limit=0',
    'limit=101',
    'limit=x',
    'cursor=x',
    'cursor=',
    `cursor=${Buffer.from('["now","x"]').toString('base64url')}`,
    `cursor=${'x'.repeat(501)}`,
    'user_id=me',
    'order=asc',
  ])('answers 400 to ?%s', async (search) => {
    expect(await send('GET', `/v1/conversations?${search}`)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    });
  });

  it('shows the server whose it asks for; users no others than their own', async () => {
    const user = await userHeaders();
    const { id, user_id } = await create(user);
    for (const headers of [{}, user]) {
      const { body } = await send('GET', `/v1/conversations?user_id=${user_id.toUpperCase()}`, undefined, headers);
      expect(body.conversations.map((each: { id: string }) => each.id)).toEqual([id]);
    }
    const { body } = await send('GET', '/v1/conversations');
    expect(body.conversations.map((each: { id: string }) => each.id)).not.toContain(id);
    expect(await send('GET', `/v1/conversations?user_id=${randomUUID()}`, undefined, user)).toMatchObject({
      status: 403,
      body: { code: 'server_only' },
    });
  });
});

describe('GET /v1/conversations/{id}/messages', () => {
  it.each([
    ['', [1, 2, 3, 4, 5, 6], false],
    ['?limit=2', [1, 2], true],
    ['?after=2&limit=2', [3, 4], true],
    ['?after=4&limit=2', [5, 6], false],
    ['?after=1&before=4', [2, 3], false],
    ['?after=1&before=4&limit=2', [2, 3], false],
    ['?after=1&before=5&limit=2', [2, 3], true],
    ['?before=3', [1, 2], false],
    ['?after=6', [], false],
    ['?after=99', [], false],
    ['?before=1', [], false],
    ['?after=4&before=5', [], false],
    ['?order=desc', [6, 5, 4, 3, 2, 1], false],
    ['?order=desc&limit=2', [6, 5], true],
    ['?order=desc&before=5&limit=2', [4, 3], true],
    ['?order=desc&before=5&after=1&limit=3', [4, 3, 2], false],
    ['?order=desc&before=5&after=0&limit=3', [4, 3, 2], true],
    ['?order=desc&after=4', [6, 5], false],
    ['?order=desc&before=1', [], false],
  ])('%s', async (search, seqs, has_more) => {
    const path = await begun(['a', 'b', 'c', 'd', 'e', 'f']);
    const { status, body } = await send('GET', `${path}/messages${search}`);
    expect(status).toBe(200);
    expect(body.messages.map(({ seq }: { seq: number }) => seq)).toEqual(seqs);
    expect(body).toMatchObject({ has_more, last_seq: 6, pending: [] });
  });

  it.each(['limit=0', 'limit=101', 'order=up', 'before=-1', 'after=x', 'after=2147483647', 'page=1'])(
    'answers 400 to ?%s',
    async (search) => {
      const path = await begun([]);
      expect(await send('GET', `${path}/messages?${search}`)).toMatchObject({
        status: 400,
        body: { code: 'invalid_request' },
      });
    },
  );
});

describe('a conversation', () => {
  it('is read without its messages', async () => {
    const path = await begun(['a']);
    const { status, body, headers } = await send('GET', `${path}/head`);
    expect([status, headers.get('etag')]).toEqual([200, '"1"']);
    expect(body).toMatchObject({ last_seq: 1, cleared_seq: 0, forked_from: null, deleted_at: null });
    expect(body).not.toHaveProperty('messages');
  });

  it('gets another title and other metadata', async () => {
    const path = await begun(['a']);
    expect(await send('PATCH', path, { title: 'T', metadata: { a: 1 } })).toMatchObject({
      status: 200,
      body: { title: 'T', metadata: { a: 1 }, last_seq: 1 },
    });
    expect((await send('PATCH', path, { title: null })).body).toMatchObject({ title: null, metadata: { a: 1 } });
    for (const wrong of [
      { title: '' },
      { title: 'x'.repeat(501) },
      { metadata: [] },
      { last_seq: 9 },
      { user_id: null },
      [],
    ]) {
      expect((await send('PATCH', path, wrong)).status, JSON.stringify(wrong)).toBe(400);
    }
    const large = { metadata: { text: 'x'.repeat(limits.conversationMetadataBytes) } };
    expect((await send('PATCH', path, large)).body.code).toBe('message_too_large');
  });

  it('is cleared, deleted, undeleted, forked and extended', async () => {
    const path = await begun(['a', 'b']);
    const fork = await send('POST', `${path}/fork`, { seq: 1, title: 'F' });
    expect(fork).toMatchObject({ status: 201, body: { title: 'F', last_seq: 1, forked_from: { seq: 1 } } });
    expect((await send('GET', fork.headers.get('location') ?? '')).body.messages).toMatchObject([
      { seq: 1, content: 'a' },
    ]);
    expect(await send('POST', `${path}/fork`, { seq: 3 })).toMatchObject({
      status: 409,
      body: { code: 'seq_conflict', last_seq: 2 },
    });
    expect(await send('DELETE', `${path}/messages`)).toMatchObject({
      status: 200,
      body: { cleared_seq: 2, last_seq: 2 },
    });
    expect((await send('GET', `${path}/messages`)).body.messages).toEqual([]);
    const deleted = await send('DELETE', path);
    expect(deleted.status).toBe(200);
    expect(deleted.body.deleted_at).toMatch(/^20/);
    for (const [method, at, body] of [
      ['DELETE', ''],
      ['GET', ''],
      ['GET', '/head'],
      ['GET', '/messages'],
      ['PATCH', '', {}],
      ['DELETE', '/messages'],
      ['POST', '/fork', {}],
      ['POST', '/extend', { ttl_seconds: 60 }],
      ['POST', '/messages', say('c')],
    ] as const) {
      expect(await send(method, path + at, body), `${method} ${at}`).toMatchObject({
        status: 404,
        body: { code: 'conversation_not_found' },
      });
    }
    expect(await send('POST', `${path}/undelete`)).toMatchObject({ status: 200, body: { deleted_at: null } });
    expect((await send('POST', `${path}/undelete`)).status).toBe(200);
    const { body } = await send('POST', `${path}/extend`, { ttl_seconds: 86_400 });
    expect(Date.parse(body.expires_at) - Date.now()).toBeGreaterThan(86_000_000);
  });

  it('is kept for good by the server only', async () => {
    const user = await userHeaders();
    const path = await begun(['a'], user);
    expect(await send('POST', `${path}/extend`, { ttl_seconds: null }, user)).toMatchObject({
      status: 403,
      body: { code: 'server_only' },
    });
    expect((await send('POST', `${path}/extend`, { ttl_seconds: null })).body.expires_at).toBeNull();
    for (const ttl_seconds of [0, -1, 1.5, '60', limits.lifetimeSeconds + 1, undefined]) {
      expect((await send('POST', `${path}/extend`, { ttl_seconds })).status).toBe(400);
    }
  });

  it.each(['x', randomUUID(), '..%2f..', '%00'])('under the id %s is nobody’s', async (id) => {
    for (const [method, at, body] of [
      ['GET', '/head'],
      ['GET', '/messages'],
      ['PATCH', '', {}],
      ['DELETE', ''],
      ['DELETE', '/messages'],
      ['POST', '/fork', {}],
      ['POST', '/undelete'],
      ['POST', '/extend', { ttl_seconds: 60 }],
    ] as const) {
      expect((await send(method, `/v1/conversations/${id}${at}`, body)).body.code, `${method} ${at}`).toBe(
        'conversation_not_found',
      );
    }
  });
});

describe('POST /v1/continuations', () => {
  const goOn = (body: object, headers?: Record<string, string>) => send('POST', '/v1/continuations', body, headers);

  it('goes on with the conversation, or begins one and says why', async () => {
    const user = await userHeaders();
    const first = await goOn({ title: 'T' }, user);
    expect(first).toMatchObject({
      status: 201,
      body: { continued: false, reason: 'none', conversation: { title: 'T' } },
    });
    const { continuation_id, id } = first.body.conversation;
    expect(first.headers.get('location')).toBe(`/v1/conversations/${id}`);
    expect(await goOn({ continuation_id: continuation_id.toUpperCase() }, user)).toMatchObject({
      status: 200,
      body: { continued: true, reason: null, conversation: { id } },
    });
    expect(await goOn({ continuation_id }, await userHeaders())).toMatchObject({
      status: 201,
      body: { continued: false, reason: 'unknown' },
    });
  });

  it('is all that its address takes', async () => {
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const { status, headers } = await send(method, '/v1/continuations', method === 'GET' ? undefined : {});
      expect([status, headers.get('allow')], method).toEqual([405, 'POST']);
    }
  });

  it.each([{ continuation_id: 'x' }, { continuation_id: null }, { id: randomUUID() }])(
    'answers 400 to %j',
    async (body) => {
      expect((await goOn(body)).status).toBe(400);
    },
  );
});

describe('upkeep', () => {
  it('counts', async () => {
    const user = await userHeaders();
    await begun(['a', 'b'], user);
    expect((await send('GET', '/v1/stats', undefined, user)).body).toEqual({
      total_conversations: 1,
      total_messages: 2,
      expired_conversations: 0,
      ttl_hours: 1,
    });
    expect((await send('GET', '/v1/stats')).body.total_messages).toBeGreaterThan(2);
  });

  it('cleans up for the server only', async () => {
    expect(await send('POST', '/v1/cleanup')).toMatchObject({
      status: 200,
      body: { expired: 0, deleted: 0, rest: 'none' },
    });
    expect((await send('POST', '/v1/cleanup', undefined, await userHeaders())).status).toBe(403);
  });

  it('erases for that user and for the server', async () => {
    const user = await userHeaders();
    const { user_id } = await create(user);
    await send('PUT', '/v1/threads/t', { document: {} }, user);
    const path = `/v1/users/${user_id}/data`;
    expect((await send('DELETE', path, undefined, await userHeaders())).status).toBe(403);
    expect(await send('DELETE', path, undefined, user)).toMatchObject({
      status: 200,
      body: { conversations: 1, threads: 1 },
    });
    expect((await send('GET', '/v1/threads/t', undefined, user)).status).toBe(404);
    expect(await send('DELETE', path)).toMatchObject({ status: 200, body: { conversations: 0, threads: 0 } });
    expect((await send('DELETE', '/v1/users/me/data')).status).toBe(400);
  });
});

it.each([
  ['GET', '/v1/conversations'],
  ['POST', '/v1/continuations'],
  ['GET', `/v1/conversations/${randomUUID()}/head`],
  ['PATCH', `/v1/conversations/${randomUUID()}`],
  ['DELETE', `/v1/conversations/${randomUUID()}`],
  ['DELETE', `/v1/conversations/${randomUUID()}/messages`],
  ['POST', `/v1/conversations/${randomUUID()}/undelete`],
  ['GET', '/v1/stats'],
  ['POST', '/v1/cleanup'],
  ['DELETE', `/v1/users/${randomUUID()}/data`],
])('%s %s is 401 without a key', async (method, path) => {
  expect(await send(method, path, undefined, { authorization: '' })).toMatchObject({
    status: 401,
    body: { code: 'unauthorized' },
  });
});
