import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { RecordUnavailable } from '../../../service/conversation/errors.ts';
import { limits } from '../../../service/conversation/limits.ts';
import { MemoryStore } from '../../../service/storage/memory/memory-store.ts';
import { httpApi, userHeaders } from './http-api.ts';

const { send } = httpApi();
const create = async (headers?: Record<string, string>) =>
  (await send('POST', '/v1/conversations', {}, headers)).body.id;
const said = (content: unknown, client_message_id?: string) => ({ role: 'user', content, client_message_id });

describe('POST /v1/conversations', () => {
  it('begins a conversation and says where it is', async () => {
    const reply = await send('POST', '/v1/conversations', { title: 'A title', metadata: { a: [1] } });
    expect(reply.status).toBe(201);
    expect(reply.body).toMatchObject({ title: 'A title', metadata: { a: [1] }, last_seq: 0, user_id: null });
    expect(reply.headers.get('location')).toBe(`/v1/conversations/${reply.body.id}`);
    expect(reply.headers.get('etag')).toBe('"0"');
    expect(reply.headers.get('x-storage-tier')).toBe('memory');
  });

  it('keeps keys that are names of methods', async () => {
    const metadata = { constructor: 1, toString: { hasOwnProperty: 2 }, '': 3 };
    const { body } = await send('POST', '/v1/conversations', { metadata });
    expect(body.metadata).toEqual(metadata);
  });

  it('refuses metadata beyond its limit', async () => {
    const metadata = { text: 'x'.repeat(limits.conversationMetadataBytes) };
    expect(await send('POST', '/v1/conversations', { metadata })).toMatchObject({
      status: 413,
      body: { code: 'message_too_large' },
    });
  });
});

describe('POST /v1/conversations/{id}/messages', () => {
  it('appends, and says where the messages stand', async () => {
    const id = await create();
    const reply = await send('POST', `/v1/conversations/${id}/messages`, { messages: [said('a', 'm1'), said('b')] });
    expect(reply.status).toBe(201);
    expect(reply.headers.get('etag')).toBe('"2"');
    expect(reply.body).toMatchObject({
      conversation_id: id,
      last_seq: 2,
      durability: 'record',
      messages: [
        { client_message_id: 'm1', seq: 1, duplicate: false },
        { seq: 2, duplicate: false },
      ],
    });
  });

  it('answers 200 when every message was there', async () => {
    const path = `/v1/conversations/${await create()}/messages`;
    const body = { messages: [said('a', 'm1')] };
    expect((await send('POST', path, body)).status).toBe(201);
    expect(await send('POST', path, body)).toMatchObject({
      status: 200,
      body: { messages: [{ seq: 1, duplicate: true }] },
    });
    const more = { messages: [said('a', 'm1'), said('b', 'm2')] };
    expect((await send('POST', path, more)).status).toBe(201);
  });

  it('answers 409 with the message whose id says something else', async () => {
    const path = `/v1/conversations/${await create()}/messages`;
    await send('POST', path, { messages: [said('a', 'm1')] });
    expect(await send('POST', path, { messages: [said('b', 'm1')] })).toMatchObject({
      status: 409,
      body: { code: 'client_message_id_reused', client_message_id: 'm1', seq: 1 },
    });
  });

  it.each(['"1"', '1', 'W/"1"', ' "1" '])(
    'takes %s for the expected seq, and answers 409 with what was missed',
    async (header) => {
      const path = `/v1/conversations/${await create()}/messages`;
      await send('POST', path, { messages: [said('a')] });
      const fits = await send('POST', path, { messages: [said('b')] }, { 'if-match': header });
      expect(fits.status).toBe(201);
      expect(await send('POST', path, { messages: [said('c')] }, { 'if-match': header })).toMatchObject({
        status: 409,
        body: { code: 'seq_conflict', last_seq: 2, missed: [{ seq: 2, content: 'b' }] },
      });
      expect((await send('POST', path, { messages: [said('c')] }, { 'if-match': '*' })).status).toBe(201);
    },
  );

  it.each(['x', '-1', '1.5', '"1", "2"', '2147483647', '4294967296', '""'])(
    'answers 400 to the expected seq %s',
    async (header) => {
      const path = `/v1/conversations/${await create()}/messages`;
      const reply = await send('POST', path, { messages: [said('a')] }, { 'if-match': header });
      expect(reply).toMatchObject({ status: 400, body: { code: 'invalid_request', errors: [{ path: 'If-Match' }] } });
    },
  );

  it('lists everything that is wrong, and stores nothing', async () => {
    const id = await create();
    const reply = await send('POST', `/v1/conversations/${id}/messages`, {
      messages: [
        said('fine', 'm1'),
        { role: 'robot', content: 'x' },
        { role: 'user', content: 7 },
        { role: 'user', content: [{ text: 'no type' }] },
        { role: 'user', content: 'x', seq: 9 },
        said('the same id', 'm1'),
        said('', ''),
      ],
    });
    expect(reply).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    const paths = reply.body.errors.map(({ path }: { path: string }) => path);
    expect(paths).toEqual(
      expect.arrayContaining(['messages.1.role', 'messages.2.content', 'messages.6.client_message_id']),
    );
    expect(reply.body.errors).toContainEqual({
      path: 'messages.2.content',
      message: expect.stringContaining('takes a text, or a list of parts'),
    });
    expect((await send('GET', `/v1/conversations/${id}`)).body.messages).toEqual([]);
  });

  it('names an id that is in the request twice', async () => {
    const path = `/v1/conversations/${await create()}/messages`;
    const reply = await send('POST', path, { messages: [said('a', 'm1'), said('b', 'm1')] });
    expect(reply.body).toMatchObject({ code: 'invalid_request', errors: [{ path: 'messages.1.client_message_id' }] });
  });

  it('refuses a message that is too large, and names it', async () => {
    const path = `/v1/conversations/${await create()}/messages`;
    const reply = await send('POST', path, { messages: [said('a'), said('é'.repeat(limits.messageBytes / 2))] });
    expect(reply).toMatchObject({ status: 413, body: { code: 'message_too_large' } });
    expect(reply.body.detail).toContain('message 1');
  });
});

describe('GET /v1/conversations/{id}', () => {
  it('gives the conversation with its newest messages', async () => {
    const id = await create();
    await send('POST', `/v1/conversations/${id}/messages`, { messages: ['a', 'b', 'c'].map((text) => said(text)) });
    const reply = await send('GET', `/v1/conversations/${id}?limit=2`);
    expect(reply.body).toMatchObject({
      id,
      last_seq: 3,
      messages: [{ seq: 2 }, { seq: 3 }],
      has_earlier: true,
      has_later: false,
    });
    expect(reply.headers.get('etag')).toBe('"3"');
    const later = await send('GET', `/v1/conversations/${id}?after=1`);
    expect(later.body.messages.map(({ content }: { content: string }) => content)).toEqual(['b', 'c']);
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['limit=x', 'limit'],
    ['limit=', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['limit=1e1000', 'limit'],
    ['limit=1e1', 'limit'],
    ['limit=0x5', 'limit'],
    ['limit=%205', 'limit'],
    ['limit=5.0', 'limit'],
    ['before=1e1', 'before'],
    ['before=-1', 'before'],
    ['after=1.5', 'after'],
    ['after=99999999999', 'after'],
    ['before=1&after=1', 'after'],
    ['limits=1', ''],
  ])('answers 400 to ?%s', async (search, path) => {
    const reply = await send('GET', `/v1/conversations/${await create()}?${search}`);
    expect(reply).toMatchObject({ status: 400, body: { code: 'invalid_request', errors: [{ path }] } });
  });
});

describe('a conversation that is not there', () => {
  it.each([
    randomUUID(),
    'x',
    '00000000-0000-0000-0000-000000000000',
    "1' or '1'='1",
    '*3%0d%0a$3%0d%0aSET',
    '%00',
    '%ff',
    '%E0%A4%A',
    '..%2f..%2fetc',
    `${randomUUID()}%00`,
    'a'.repeat(5000),
  ])('is 404 under the id %s', async (id) => {
    expect(await send('GET', `/v1/conversations/${id}`)).toMatchObject({
      status: 404,
      body: { code: 'conversation_not_found' },
    });
    const append = await send('POST', `/v1/conversations/${id}/messages`, { messages: [said('x')] });
    expect(append).toMatchObject({ status: 404, body: { code: 'conversation_not_found' } });
  });

  it('is 404 when it is somebody else’s, too', async () => {
    const [owner, stranger] = [await userHeaders(), await userHeaders()];
    const id = await create(owner);
    expect((await send('GET', `/v1/conversations/${id}`, undefined, owner)).status).toBe(200);
    const missing = await send('GET', `/v1/conversations/${randomUUID()}`, undefined, stranger);
    const foreign = await send('GET', `/v1/conversations/${id}`, undefined, stranger);
    expect(foreign.status).toBe(404);
    expect({ ...foreign.body, request_id: '' }).toEqual({ ...missing.body, request_id: '' });
    const append = await send('POST', `/v1/conversations/${id}/messages`, { messages: [said('x')] }, stranger);
    expect(append.status).toBe(404);
  });

  it('has the same id in capital letters', async () => {
    const id: string = await create();
    expect((await send('GET', `/v1/conversations/${id.toUpperCase()}`)).body.id).toBe(id);
  });
});

it('answers 503 and asks to come back while the record is away', async () => {
  class Away extends MemoryStore {
    override async create(): Promise<never> {
      throw new RecordUnavailable({ cause: new Error('connection refused') });
    }
  }
  const { send, lines } = httpApi({ store: new Away() });
  const reply = await send('POST', '/v1/conversations', {});
  expect(reply).toMatchObject({ status: 503, body: { code: 'record_unavailable' } });
  expect(reply.headers.get('retry-after')).toBe('1');
  expect(lines.join('')).toContain('connection refused');
});

it('answers 500 to a defect, with nothing of it but a request id that the log has', async () => {
  class Broken extends MemoryStore {
    override async create(): Promise<never> {
      throw new Error('an inner detail');
    }
  }
  const { send, lines } = httpApi({ store: new Broken() });
  const reply = await send('POST', '/v1/conversations', {});
  expect(reply).toMatchObject({ status: 500, body: { code: 'internal_error' } });
  expect(JSON.stringify(reply.body)).not.toContain('inner detail');
  const entry = lines.map((line) => JSON.parse(line)).find(({ level }) => level === 'error');
  expect(entry).toMatchObject({ request_id: reply.body.request_id, err: { message: 'an inner detail' } });
});
