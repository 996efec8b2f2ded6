import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller, Content, NamedMessage } from '../../../service/conversation/conversation.ts';
import type { SearchHit, SearchRequest } from '../../../service/conversation/search.ts';
import { SupabaseSearch } from '../../../service/storage/supabase/supabase-search.ts';
import { SupabaseStore } from '../../../service/storage/supabase/supabase-store.ts';
import { startRecord, type TestRecord, type TestUser } from '../service/servers.ts';

const server: Caller = { kind: 'server' };
const running = new AbortController().signal;
const day = 86_400;

let record: TestRecord;
let store: SupabaseStore;
let search: SupabaseSearch;
let ada: TestUser;
let bob: TestUser;

beforeAll(async () => {
  record = await startRecord();
  store = new SupabaseStore(record.settings);
  search = new SupabaseSearch(store.calls);
  ada = await record.signUp();
  bob = await record.signUp();
});
afterAll(async () => {
  await store?.close();
  await record?.close();
});

async function conversationOf(caller: Caller, title: string | null, ...contents: Content[]): Promise<string> {
  const { conversation } = await store.create(caller, { title, metadata: {} }, day);
  const messages = contents.map((content): NamedMessage => {
    return { client_message_id: randomUUID(), role: 'user', content, metadata: {} };
  });
  if (messages.length > 0) await store.append(caller, conversation.id, messages, undefined);
  return conversation.id;
}
const ask = (query: string, caller: Caller, more: Partial<SearchRequest> = {}) =>
  search.search(
    caller,
    {
      query,
      limit: 20,
      conversationId: undefined,
      role: undefined,
      from: undefined,
      to: undefined,
      userId: undefined,
      cursor: undefined,
      ...more,
    },
    running,
  );
const found = async (query: string, caller: Caller = ada, more: Partial<SearchRequest> = {}) =>
  (await ask(query, caller, more)).hits.map(({ conversation_id: id, seq }) => [id, seq]);
const marked = ({ snippet, highlights }: SearchHit) => highlights.map(([from, to]) => snippet.slice(from, to));

describe('words', () => {
  let id: string;
  beforeAll(async () => {
    id = await conversationOf(
      ada,
      'Gardening notes',
      'The quick brown fox <b>jumps</b> over the lazy dog',
      [
        { type: 'text', text: 'Tomatoes want sunlight; use Array<string> in service/http/app.ts' },
        { type: 'image', url: 'https://example.com/hedgehog.png', text: 7 },
      ],
      'ÄPFEL und Birnen, naïve café',
      'שלום עולם — مرحبا بالعالم',
      '今天天气很好 😀 emoji',
    );
  });

  it.each([
    ['quick', [1], ['quick']],
    ['QUICK fox', [1], ['quick', 'fox']],
    ['tom', [2], ['Tomatoes']],
    ['jumps', [1], ['jumps']],
    ['string', [2], ['string']],
    ['app.ts', [2], ['app.ts']],
    ['äpfel', [3], ['ÄPFEL']],
    ['café', [3], ['café']],
    ['עולם', [4], ['עולם']],
    ['مرحبا', [4], ['مرحبا']],
    ['今天', [5], ['今天天气很好']],
    ['"brown fox"', [1], ['brown', 'fox']],
    ['"fox brown"', [], []],
    ['quick -lazy', [], []],
    ['hedgehog', [], []],
    ['tomatoes or birnen', [2, 3], ['Tomatoes', 'Birnen']],
  ])('%s', async (query, seqs, highlighted) => {
    const { hits } = await ask(query, ada, { conversationId: id });
    expect(hits.map(({ seq }) => seq).toSorted()).toEqual(seqs);
    expect(hits.flatMap(marked).toSorted()).toEqual(highlighted.toSorted());
  });

  it('stand in a passage that is what was said, whatever it looks like', async () => {
    const [hit] = (await ask('jumps', ada, { conversationId: id })).hits;
    expect(hit?.snippet).toBe('The quick brown fox <b>jumps</b> over the lazy dog');
  });

  it('are found in titles, before messages', async () => {
    await conversationOf(ada, null, 'gardening in general');
    const { hits } = await ask('gardening', ada);
    expect(hits[0]).toMatchObject({ conversation_id: id, seq: null, role: null, title: 'Gardening notes' });
    expect(hits).toHaveLength(2);
    expect((await ask('gardening', ada, { role: 'user' })).hits).toHaveLength(1);
  });

  it('are found deep in a long text, with the passage around them', async () => {
    const text = `${'filler words here. '.repeat(5000)} the zebra sleeps ${'and more of it. '.repeat(500)}`;
    const long = await conversationOf(ada, null, text);
    const [hit] = (await ask('zebra', ada)).hits;
    expect(hit).toMatchObject({ conversation_id: long, seq: 1 });
    expect(hit && marked(hit)).toEqual(['zebra']);
    expect(hit?.snippet.length).toBeLessThan(2000);
  });

  it('that a message marks itself are not taken for highlights', async () => {
    await conversationOf(ada, null, 'forged \u0002marks\u0003 around platypus \u0001x\u0004y');
    const [hit] = (await ask('platypus', ada)).hits;
    expect(hit && marked(hit)).toEqual(['platypus']);
    expect(hit?.snippet).toBe('forged marks around platypus xy');
  });
});

describe('whose', () => {
  it('a user finds their own, and the server all, or those of the user that it names', async () => {
    const word = `w${randomUUID().slice(0, 8)}`;
    const [hers, his, servers] = [
      await conversationOf(ada, null, `${word} a`),
      await conversationOf(bob, `${word} title`, `${word} b`),
      await conversationOf(server, null, `${word} c`),
    ];
    expect(await found(word, ada)).toEqual([[hers, 1]]);
    expect((await found(word, bob)).toSorted()).toEqual(
      [
        [his, null],
        [his, 1],
      ].toSorted(),
    );
    expect((await found(word, server)).map(([id]) => id)).toEqual(expect.arrayContaining([hers, his, servers]));
    expect(await found(word, server, { userId: ada.id })).toEqual([[hers, 1]]);
    expect(await found(word, ada, { userId: bob.id })).toEqual([]);
    expect(await found(word, ada, { conversationId: his })).toEqual([]);
  });

  it('places that a user may not look up are refused by the database', async () => {
    const direct = store.calls.answer(ada, 'all_matches', { words: 'a', owner: bob.id }, running);
    expect((await direct).error).not.toBeNull();
    const [row] = await record.sql`
      select has_function_privilege('authenticated', oid, 'execute') as may from pg_proc where proname = 'all_matches'`;
    expect(row?.may).toBe(false);
  });

  it('a token without a user finds nothing', async () => {
    const token = await record.token({ role: 'authenticated', aud: 'authenticated' });
    await conversationOf(server, null, 'ownerless aardvark');
    const answer = await store.calls.answer(
      { kind: 'user', id: ada.id, token },
      'search_messages',
      { query: 'aardvark' },
      running,
    );
    expect(JSON.stringify(answer.data)).not.toContain('aardvark');
  });
});

describe('what has ended', () => {
  it.each([
    ['deleted', (id: string) => store.delete(ada, id)],
    ['cleared', (id: string) => store.clear(ada, id)],
    [
      'expired',
      (id: string) =>
        record.sql`update conversations set ttl_seconds = 60, accessed_at = now() - interval '2 minutes' where id = ${id}`,
    ],
    ['erased', (id: string) => record.sql`delete from conversations where id = ${id}`],
  ])('is not found: %s', async (_how, end) => {
    const word = `w${randomUUID().slice(0, 8)}`;
    const id = await conversationOf(ada, 'kept title', `${word} said`);
    expect(await found(word)).toEqual([[id, 1]]);
    await end(id);
    expect(await found(word)).toEqual([]);
    expect(await found(word, server)).toEqual([]);
  });

  it('is found again when it is undeleted; what comes behind cleared messages is found', async () => {
    const word = `w${randomUUID().slice(0, 8)}`;
    const id = await conversationOf(ada, null, `${word} said`);
    await store.delete(ada, id);
    await store.undelete(ada, id);
    expect(await found(word)).toEqual([[id, 1]]);
    await store.clear(ada, id);
    await store.append(
      ada,
      id,
      [{ client_message_id: 'n', role: 'assistant', content: `${word} anew`, metadata: {} }],
      undefined,
    );
    expect(await found(word)).toEqual([[id, 2]]);
  });
});

describe('filters', () => {
  it('leave what is of a role, and of a time', async () => {
    const word = `w${randomUUID().slice(0, 8)}`;
    const id = await conversationOf(ada, null, `${word} one`);
    await store.append(
      ada,
      id,
      [{ client_message_id: 'a', role: 'assistant', content: `${word} two`, metadata: {} }],
      undefined,
    );
    const [first] = (await ask(word, ada, { role: 'user' })).hits;
    const [second] = (await ask(word, ada, { role: 'assistant' })).hits;
    expect([first?.seq, second?.seq]).toEqual([1, 2]);
    expect(await found(word, ada, { from: second?.created_at })).toEqual([[id, 2]]);
    expect(await found(word, ada, { to: second?.created_at })).toEqual([[id, 1]]);
    expect(await found(word, ada, { from: '2100-01-01T00:00:00Z' })).toEqual([]);
  });
});

describe('anything that is typed', () => {
  it.each([
    "'; drop table public.messages; --",
    "' or '1'='1",
    '$$ select pg_sleep(10) $$',
    '%s %I %L {} \\x00 \\u0000',
    "it's o''reilly's",
    'a & b | !c <-> d <2> e:*A',
    '& | ! ( ) <-> :*',
    '"unclosed phrase',
    '-',
    '--- -"not this"',
    '-only -exclusions',
    'or or or',
    '😀😀😀',
    '\u202e\u200f‮',
    'x'.repeat(500),
    `${'w '.repeat(249)}w`,
    "\\\\ \\' ' '' \"\"",
    'http://user:pw@example.com:80/a?b=c#d <tag attr="v"> &amp;',
    '\t\n\r\u00a0',
    'null undefined NaN \u0002 \u0003',
  ])('is no error: %j', async (query) => {
    const { hits } = await ask(query, ada);
    expect(hits.every(({ conversation_id: id }) => id.length === 36)).toBe(true);
  });

  it.each([
    ['twenty words', Array.from({ length: 20 }, (_, n) => `t${n}x`).join(' ')],
    ['a phrase of twenty', `"${Array.from({ length: 20 }, (_, n) => `t${n}x`).join(' ')}"`],
    ['250 words', Array.from({ length: 125 }, (_, n) => `t${n % 40}x`).join(',')],
    ['a phrase that is not there', '"t1x t3x"'],
  ])('takes no time for a long text of nothing else: %s', async (_what, query) => {
    const text = Array.from({ length: 6000 }, (_, n) => `t${n % 40}x`).join(' ');
    await conversationOf(ada, null, text, text, text);
    await ask(query, ada); // slower than the time limit of the API, it would fail
  });

  it('that a database can not take is refused, with nothing of it in the error', async () => {
    await expect(ask('before \0 after', ada)).rejects.toMatchObject({ code: 'refused_by_record' });
  });
});

describe('messages that are hard to index', () => {
  it.each([
    [
      'of a megabyte of different words',
      Array.from({ length: 120_000 }, (_, n) => n.toString(36))
        .join(' ')
        .slice(0, 1_000_000),
    ],
    ['of one word', 'y'.repeat(1_000_000)],
    [
      'of one-letter words in four bytes each',
      Array.from({ length: 60_000 }, (_, n) => String.fromCodePoint(0x20000 + (n % 42_000))).join(' '),
    ],
    ['of nothing', ''],
    ['of controls', '\u0001\u0002\u0003\u0004 \u007f'],
  ])('are stored all the same: %s', async (_what, text) => {
    const id = await conversationOf(ada, null, text);
    const { messages } = await store.read(ada, id, { limit: 1 }, running);
    expect(messages[0]?.content).toBe(text);
  });
});

describe('pages', () => {
  it('together have every hit once, also beyond the 500 that are ranked at once', async () => {
    const word = `w${randomUUID().slice(0, 8)}`;
    const user = await record.signUp();
    for (let part = 0; part < 6; part += 1) {
      await conversationOf(
        user,
        `${word} ${part}`,
        ...Array.from({ length: 100 }, (_, n) => `${word} ${'x '.repeat(n % 7)}${n}`),
      );
    }
    const seen: string[] = [];
    let cursor: SearchRequest['cursor'];
    let scores: number[] = [];
    for (;;) {
      const page = await ask(word, user, { limit: 50, cursor });
      expect(page.hits.length).toBeLessThanOrEqual(50);
      seen.push(...page.hits.map(({ conversation_id: id, seq }) => `${id} ${seq}`));
      if (seen.length <= 500) scores = [...scores, ...page.hits.map(({ score }) => score)];
      if (page.cursor === null) break;
      cursor = page.cursor;
    }
    expect(seen).toHaveLength(606);
    expect(new Set(seen).size).toBe(606);
    expect(scores).toEqual(scores.toSorted((left, right) => right - left));
  });
});
