import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRecord, startTestRedis, type TestRecord, type TestRedis, type TestUser } from '../service/servers.ts';
import { type Installation, install, type RunningService } from '../service/service-process.ts';

let record: TestRecord;
let redis: TestRedis;
let installation: Installation;
let service: RunningService;
let ada: TestUser;
let bob: TestUser;

beforeAll(async () => {
  [record, redis] = await Promise.all([startRecord(), startTestRedis()]);
  const secrets = { ...record.settings, redisPassword: redis.password };
  installation = await install(secrets, { supabase: record.settings.url, redis: redis.settings.url });
  service = await installation.start();
  ada = await record.signUp();
  bob = await record.signUp();
});
afterAll(async () => {
  await service?.stop();
  await installation?.remove();
  await redis?.stop();
  await record?.close();
});

const bearer = (user: TestUser | 'server') => ({
  authorization: `Bearer ${user === 'server' ? record.settings.secretKey : user.token}`,
});
interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a reply holds is what the tests are about
  readonly body: any;
}
async function send(user: TestUser | 'server', method: string, path: string, body?: unknown): Promise<Reply> {
  const response = await fetch(service.url + path, {
    method,
    headers: { ...bearer(user), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson =
    response.headers.get('content-type')?.includes('json') && !response.headers.get('content-type')?.includes('jsonl');
  return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined };
}
async function importText(user: TestUser | 'server', text: string | Uint8Array<ArrayBuffer>, more = '') {
  const response = await fetch(`${service.url}/v1/import${more}`, {
    method: 'POST',
    headers: { ...bearer(user), 'content-type': 'application/jsonl' },
    body: text,
  });
  // biome-ignore lint/suspicious/noExplicitAny: what a reply holds is what the tests are about
  return { status: response.status, body: (await response.json()) as any };
}
const exported = async (user: TestUser | 'server', id: string) =>
  (await send(user, 'GET', `/v1/conversations/${id}/export`)).text;
const thread = async (user: TestUser | 'server', id: string) => send(user, 'GET', `/v1/conversations/${id}`);

/** A conversation of ada's with everything that a file keeps. */
async function conversation(user: TestUser, title = 'Ünïcödé "title" \u2028'): Promise<string> {
  const { id } = (await send(user, 'POST', '/v1/conversations', { title, metadata: { deep: [{ a: 1.5 }], b: null } }))
    .body;
  const append = (messages: object[]) => send(user, 'POST', `/v1/conversations/${id}/messages`, { messages });
  await append([
    { role: 'system', content: 'cleared' },
    { role: 'user', content: 'cleared, too' },
  ]);
  await send(user, 'DELETE', `/v1/conversations/${id}/messages`);
  await append([
    {
      role: 'user',
      content: 'Hi 😀\n\t\u0001 "quoted" \\ /',
      client_message_id: 'chosen name',
      metadata: { z: 1, a: 2 },
    },
    {
      role: 'assistant',
      content: [
        { type: 'text', text: 'שלום' },
        { type: 'tool', input: { 10: 'x', 9: [] } },
      ],
    },
    { role: 'tool', content: '' },
  ]);
  return id;
}

/** The same file, of another conversation. */
function renamed(text: string): { text: string; id: string } {
  const id = randomUUID();
  const [head = '', ...messages] = text.split('\n');
  const line = JSON.parse(head);
  line.conversation = { ...line.conversation, id, continuation_id: randomUUID() };
  return { text: [JSON.stringify(line), ...messages].join('\n'), id };
}
const hash = (text: string) => createHash('sha256').update(text).digest('hex');

describe('a file of a conversation', () => {
  it('has a line for it, and one for each message that is there', async () => {
    const id = await conversation(ada);
    const reply = await send(ada, 'GET', `/v1/conversations/${id}/export`);
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toBe('application/jsonl');
    expect(reply.headers.get('content-disposition')).toBe(`attachment; filename="conversation-${id}.jsonl"`);
    const lines = reply.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatchObject({
      version: 1,
      kind: 'conversation',
      conversation: { id, cleared_seq: 2, last_seq: 5 },
    });
    expect(lines.slice(1).map(({ kind, message }) => [kind, message.seq])).toEqual([
      ['message', 3],
      ['message', 4],
      ['message', 5],
    ]);
    const { messages } = (await thread(ada, id)).body;
    expect(lines.slice(1).map(({ message }) => message)).toEqual(messages);
  });

  it('is not for others, and not there for what is not there', async () => {
    const id = await conversation(ada);
    for (const [user, path] of [
      [bob, id],
      [ada, randomUUID()],
      [ada, 'x'],
    ] as const) {
      const reply = await send(user, 'GET', `/v1/conversations/${path}/export`);
      expect([reply.status, reply.body.code]).toEqual([404, 'conversation_not_found']);
    }
  });

  it('comes back byte for byte: gone, imported, and exported again', async () => {
    const id = await conversation(ada);
    const file = await exported(ada, id);
    await record.sql`delete from conversations where id = ${id}`;
    const { status, body } = await importText(ada, file);
    expect([status, body]).toEqual([
      200,
      { conversations: { created: 1, existing: 0 }, messages: { imported: 3, unchanged: 0 }, incomplete: [] },
    ]);
    expect(await exported(ada, id)).toBe(file);
    const { conversations } = (await send(ada, 'GET', '/v1/conversations')).body;
    expect(conversations.find((each: { id: string }) => each.id === id)).toMatchObject({ user_id: ada.id });
    const next = await send(ada, 'POST', `/v1/conversations/${id}/messages`, {
      messages: [{ role: 'user', content: 'on' }],
    });
    expect(next.body.messages[0].seq).toBe(6);
  });

  it('sent again changes nothing', async () => {
    const file = await exported(ada, await conversation(ada));
    for (const _ of [1, 2]) {
      expect((await importText(ada, file)).body).toEqual({
        conversations: { created: 0, existing: 1 },
        messages: { imported: 0, unchanged: 3 },
        incomplete: [],
      });
    }
  });

  it('goes on where it ended the last time, and shows in the thread at once', async () => {
    const file = renamed(await exported(ada, await conversation(ada)));
    const lines = file.text.split('\n');
    const part = await importText(ada, `${lines.slice(0, 2).join('\n')}\n`);
    expect(part.body.incomplete).toEqual([{ conversation_id: file.id, last_seq: 5, missing_from: 4 }]);
    expect((await thread(ada, file.id)).body.messages).toHaveLength(1); // that makes a hot copy
    expect((await importText(ada, file.text)).body.messages).toEqual({ imported: 2, unchanged: 1 });
    expect((await thread(ada, file.id)).body.messages).toHaveLength(3);
  });

  it('belongs to whoever imports it, or to the user that the server names', async () => {
    const file = await exported(ada, await conversation(ada));
    const [his, servers, named] = [renamed(file), renamed(file), renamed(file)];
    await importText(bob, his.text);
    expect((await thread(bob, his.id)).body.user_id).toBe(bob.id);
    await importText('server', servers.text);
    expect((await thread('server', servers.id)).body.user_id).toBeNull();
    expect((await thread(bob, servers.id)).status).toBe(404);
    expect((await importText('server', named.text, `?user_id=${bob.id}`)).status).toBe(200);
    expect((await thread(bob, named.id)).body.user_id).toBe(bob.id);
    const nobody = await importText('server', renamed(file).text, `?user_id=${randomUUID()}`);
    expect([nobody.status, nobody.body.code]).toEqual([422, 'unknown_user']);
    const forged = await importText(ada, renamed(file).text, `?user_id=${bob.id}`);
    expect([forged.status, forged.body.code]).toEqual([403, 'server_only']);
  });

  it('with an id that is not free is refused, and nothing is changed', async () => {
    const id = await conversation(ada);
    const file = await exported(ada, id);
    for (const text of [
      file,
      JSON.stringify({
        ...JSON.parse(file.split('\n')[0] ?? ''),
        conversation: { ...JSON.parse(file.split('\n')[0] ?? '').conversation, id: randomUUID() },
      }),
    ]) {
      const { status, body } = await importText(bob, text);
      expect([status, body.code, body.line]).toEqual([409, 'conversation_id_taken', 1]);
    }
    await send(ada, 'DELETE', `/v1/conversations/${id}`);
    expect((await importText(ada, file)).body.code).toBe('conversation_id_taken');
    await send(ada, 'POST', `/v1/conversations/${id}/undelete`);
    expect(await exported(ada, id)).toBe(file);
  });

  it('that says something else than what is stored is refused at its line', async () => {
    const id = await conversation(ada);
    const file = await exported(ada, id);
    const lines = file.trimEnd().split('\n');
    const other = lines.with(2, (lines[2] ?? '').replace('שלום', 'other'));
    const { status, body } = await importText(ada, other.join('\n'));
    expect([status, body.code, body.line]).toEqual([409, 'import_conflict', 3]);
    await send(ada, 'POST', `/v1/conversations/${id}/messages`, { messages: [{ role: 'user', content: 'went on' }] });
    const further = [
      ...lines,
      (lines[3] ?? '')
        .replace('"seq":5', '"seq":6')
        .replace(/"client_message_id":"[^"]*"/, '"client_message_id":"new"'),
    ];
    expect((await importText(ada, further.join('\n'))).body).toMatchObject({ code: 'import_conflict', line: 5 });
    const twice = renamed([...lines, (lines[1] ?? '').replace('"seq":3', '"seq":6')].join('\n'));
    expect((await importText(ada, twice.text)).body).toMatchObject({ code: 'import_conflict', line: 5 });
    expect((await thread(ada, twice.id)).body.last_seq).toBe(5);
  });
});

describe('a broken file', () => {
  let lines: string[];
  beforeAll(async () => {
    lines = (await exported(ada, await conversation(ada))).trimEnd().split('\n');
  });
  const broken = (change: (fresh: string[]) => string) => {
    const { text, id } = renamed(lines.join('\n'));
    return { id, text: change(text.split('\n')) };
  };

  it.each<[string, (fresh: string[]) => string, number, string, number, number | undefined]>([
    ['no JSON', (l) => l.with(2, 'nonsense').join('\n'), 400, 'import_line_invalid', 3, 3],
    ['cut in the middle of a line', (l) => l.join('\n').slice(0, -10), 400, 'import_line_invalid', 4, 4],
    [
      'another shape',
      (l) => l.with(2, '{"version":1,"kind":"message","message":{}}').join('\n'),
      400,
      'import_line_invalid',
      3,
      3,
    ],
    ['another kind', (l) => l.with(2, '{"version":1,"kind":"file"}').join('\n'), 400, 'import_line_invalid', 3, 3],
    [
      'a newer version',
      (l) => l.map((x) => x.replace('"version":1', '"version":2')).join('\n'),
      422,
      'import_version_unsupported',
      1,
      undefined,
    ],
    ['a message before its conversation', (l) => l.slice(1).join('\n'), 400, 'import_line_invalid', 1, undefined],
    ['a message left out', (l) => l.toSpliced(2, 1).join('\n'), 400, 'import_line_invalid', 3, 3],
    [
      'messages in another order',
      (l) =>
        l
          .with(1, l[2] ?? '')
          .with(2, l[1] ?? '')
          .join('\n'),
      400,
      'import_line_invalid',
      2,
      2,
    ],
    ['a NUL', (l) => l.with(2, (l[2] ?? '').replace('שלום', '\\u0000')).join('\n'), 400, 'import_line_invalid', 3, 3],
    [
      'half a surrogate pair',
      (l) => l.with(2, (l[2] ?? '').replace('שלום', '\\ud800')).join('\n'),
      400,
      'import_line_invalid',
      3,
      3,
    ],
    [
      'a date that there is not',
      (l) => l.with(2, (l[2] ?? '').replace(/"created_at":"[^"]*"/, '"created_at":"2026-02-31T00:00:00Z"')).join('\n'),
      400,
      'import_line_invalid',
      3,
      3,
    ],
    [
      'a year that PostgreSQL does not know',
      (l) => l.with(2, (l[2] ?? '').replace(/"created_at":"[^"]*"/, '"created_at":"0000-01-01T00:00:00Z"')).join('\n'),
      400,
      'import_line_invalid',
      3,
      3,
    ],
    [
      'a line beyond the limit',
      (l) => l.with(2, (l[2] ?? '').replace('שלום', 'x'.repeat(4_200_000))).join('\n'),
      413,
      'import_line_too_large',
      3,
      3,
    ],
    [
      'a message beyond the limit of the database',
      (l) => l.with(2, (l[2] ?? '').replace('שלום', 'x'.repeat(2_200_000))).join('\n'),
      413,
      'import_line_too_large',
      3,
      3,
    ],
  ])('is refused at its line, and what is before it stays: %s', async (_what, change, status, code, line, lastSeq) => {
    const { id, text } = broken(change);
    const reply = await importText(ada, text);
    expect([reply.status, reply.body.code, reply.body.line]).toEqual([status, code, line]);
    const stored = await thread(ada, id);
    expect(stored.status === 404 ? undefined : stored.body.last_seq).toBe(lastSeq);
    expect(reply.body.detail).not.toMatch(/quoted|שלום|xxxx/);
  });

  it('that is no UTF-8 is refused at its line', async () => {
    const { text } = broken((l) => l.join('\n'));
    const bytes = Buffer.from(text.replace('Hi', '§§'));
    bytes[bytes.indexOf('§')] = 0xff;
    expect((await importText(ada, bytes)).body).toMatchObject({ code: 'import_line_invalid', line: 2 });
  });

  it('of nothing, or of empty lines and other line ends, is no error', async () => {
    const nothing = {
      conversations: { created: 0, existing: 0 },
      messages: { imported: 0, unchanged: 0 },
      incomplete: [],
    };
    expect((await importText(ada, '')).body).toEqual(nothing);
    expect((await importText(ada, '\n\r\n  \n')).body).toEqual(nothing);
    const { text } = broken((l) => `\r\n${l.join('\r\n\r\n')}\r\n`);
    expect((await importText(ada, text)).body.messages).toEqual({ imported: 3, unchanged: 0 });
  });

  it('of another type is not looked at', async () => {
    const { status, body } = await send(ada, 'POST', '/v1/import', {});
    expect([status, body.code]).toEqual([415, 'unsupported_media_type']);
  });
});

describe('all conversations', () => {
  it('are one file of a user’s own, which comes back as it was for another user', async () => {
    const [from, to] = [await record.signUp(), await record.signUp()];
    for (const title of ['one', 'two', 'three']) await conversation(from, title);
    await send(from, 'POST', '/v1/conversations', {});
    const file = (await send(from, 'GET', '/v1/export')).text;
    expect(file.split('\n').filter((line) => line.includes('"kind":"conversation"'))).toHaveLength(4);
    expect((await send('server', 'GET', `/v1/export?user_id=${from.id}`)).text).toBe(file);
    expect((await send(to, 'GET', `/v1/export?user_id=${from.id}`)).status).toBe(403);
    expect((await send(to, 'GET', '/v1/export')).text).toBe('');
    await record.sql`delete from conversations where user_id = ${from.id}`;
    const { body } = await importText(to, file);
    expect(body).toMatchObject({ conversations: { created: 4 }, messages: { imported: 9 }, incomplete: [] });
    expect(hash((await send(to, 'GET', '/v1/export')).text)).toBe(hash(file));
  });
});
