import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller, Message, NamedMessage } from '../../../service/conversation/conversation.ts';
import type { ConversationStore, PageRequest } from '../../../service/conversation/conversation-store.ts';
import { ClientMessageIdReused, ConversationNotFound, SeqConflict } from '../../../service/conversation/errors.ts';
import { type Backend, backends } from './backends.ts';

const server: Caller = { kind: 'server' };
const nobody = '00000000-0000-4000-8000-000000000000';
const day = 86_400;
const running = new AbortController().signal;

describe.each(Object.entries(backends))('conversations in %s', (name, start) => {
  let backend: Backend;
  let store: ConversationStore;

  beforeAll(async () => {
    backend = await start();
    store = await backend.open();
  });
  afterAll(() => backend?.close());

  const begin = async (caller: Caller = server, ttl = day) =>
    (await store.create(caller, { title: null, metadata: {} }, ttl)).conversation.id;
  const say = (text: string, client_message_id: string = randomUUID()): NamedMessage => ({
    client_message_id,
    role: 'user',
    content: text,
    metadata: {},
  });
  const append = (id: string, messages: NamedMessage[], caller: Caller = server, expectedSeq?: number) =>
    store.append(caller, id, messages, expectedSeq);
  const read = (id: string, page: Partial<PageRequest> = {}, caller: Caller = server) =>
    store.read(caller, id, { limit: 100, ...page }, running);
  const texts = (messages: readonly Message[]) => messages.map(({ content }) => content);

  describe('creating', () => {
    it('gives back what was given, with an id, times and no messages', async () => {
      const metadata = { source: 'test', nested: { list: [1, 'two', null] } };
      const { conversation, expires_in_ms } = await store.create(server, { title: 'A title', metadata }, 60);
      expect(conversation).toMatchObject({ title: 'A title', metadata, last_seq: 0, user_id: null });
      const lives = Date.parse(conversation.expires_at ?? '') - Date.parse(conversation.created_at);
      expect(lives).toBeGreaterThan(59_000);
      expect(lives).toBeLessThan(61_000);
      expect(expires_in_ms).toBeGreaterThan(58_000);
      const thread = await read(conversation.id);
      expect(thread).toMatchObject({ messages: [], has_earlier: false, has_later: false });
      expect(thread.conversation).toMatchObject({ title: 'A title', metadata });
    });

    it('makes a user the owner', async () => {
      const user = await backend.signUp();
      const { conversation } = await store.create(user, { title: null, metadata: {} }, day);
      expect(conversation.user_id).toBe(user.id);
    });
  });

  describe('appending', () => {
    it('numbers messages from 1 without a gap, and reads them back in that order', async () => {
      const id = await begin();
      const first = await append(id, [say('a'), say('b')]);
      const second = await append(id, [say('c')]);
      expect([...first.receipts, ...second.receipts].map(({ seq }) => seq)).toEqual([1, 2, 3]);
      expect(second.conversation.last_seq).toBe(3);
      const thread = await read(id);
      expect(texts(thread.messages)).toEqual(['a', 'b', 'c']);
      expect(thread.messages.map(({ seq }) => seq)).toEqual([1, 2, 3]);
      expect(thread.conversation.last_seq).toBe(3);
    });

    it('keeps texts, parts and metadata as they were sent', async () => {
      const id = await begin();
      const contents = [
        '',
        'true',
        'null',
        '0123',
        '1.50',
        '{"a":1}',
        '[1,2]',
        '\\x41 \\u0041',
        'é 😀 \u2028',
        "'; drop table messages; --",
        '*1\r\n$4\r\nPING\r\n',
        '2026-01-01T00:00:00Z',
      ];
      const parts = [
        { type: 'text', text: '42' },
        { type: 'tool_call', arguments: { deep: [{ er: [1.5, -7, 9_007_199_254_740_991, false, null] }] } },
      ];
      const metadata = { model: 'm', tokens: 17, empty: {}, list: [], text: 'false' };
      const messages = [...contents, parts].map((content) => ({
        ...say(''),
        role: 'assistant' as const,
        content,
        metadata,
      }));
      await append(id, messages);
      for (const attempt of [1, 2]) {
        const thread = await read(id);
        expect(
          thread.messages.map(({ content }) => content),
          `read ${attempt}`,
        ).toEqual([...contents, parts]);
        for (const message of thread.messages) expect(message).toMatchObject({ role: 'assistant', metadata });
      }
    });

    it('is idempotent by client message id', async () => {
      const id = await begin();
      const message = say('once');
      const first = await append(id, [message]);
      await append(id, [say('in between')]);
      const again = await append(id, [message]);
      expect(first.receipts).toMatchObject([{ seq: 1, duplicate: false }]);
      expect(again.receipts).toMatchObject([{ seq: 1, duplicate: true, created_at: first.receipts[0]?.created_at }]);
      expect(texts((await read(id)).messages)).toEqual(['once', 'in between']);
    });

    it('keeps two messages that say the same under different ids', async () => {
      const id = await begin();
      await append(id, [say('twice'), say('twice')]);
      expect(texts((await read(id)).messages)).toEqual(['twice', 'twice']);
    });

    it('appends what is new of a batch that was there in part', async () => {
      const id = await begin();
      const known = say('known');
      await append(id, [known]);
      const { receipts } = await append(id, [say('new'), known, say('newer')]);
      expect(receipts.map(({ seq, duplicate }) => [seq, duplicate])).toEqual([
        [2, false],
        [1, true],
        [3, false],
      ]);
      expect(texts((await read(id)).messages)).toEqual(['known', 'new', 'newer']);
    });

    it('refuses a known id that says something else, and stores nothing of that batch', async () => {
      const id = await begin();
      const message = say('one thing');
      await append(id, [message]);
      const forged = append(id, [say('new'), { ...message, content: 'another' }]);
      await expect(forged).rejects.toThrow(ClientMessageIdReused);
      await expect(append(id, [{ ...message, role: 'tool' }])).rejects.toMatchObject({ seq: 1 });
      expect(texts((await read(id)).messages)).toEqual(['one thing']);
    });

    it('takes the same parts with their keys in another order for the same', async () => {
      const id = await begin();
      const message = { ...say(''), content: [{ type: 'image', width: 1, height: 2 }] };
      await append(id, [message]);
      const { receipts } = await append(id, [{ ...message, content: [{ height: 2, width: 1, type: 'image' }] }]);
      expect(receipts).toMatchObject([{ seq: 1, duplicate: true }]);
    });

    it('appends at the expected seq only, and says what was missed otherwise', async () => {
      const id = await begin();
      await append(id, [say('a')], server, 0);
      await append(id, [say('b'), say('c')], server, 1);
      const late = append(id, [say('late')], server, 1);
      await expect(late).rejects.toThrow(SeqConflict);
      const conflict = await late.catch((error: unknown) => error);
      expect(conflict).toMatchObject({
        lastSeq: 3,
        missed: [
          { seq: 2, content: 'b' },
          { seq: 3, content: 'c' },
        ],
      });
      await expect(append(id, [say('early')], server, 9)).rejects.toMatchObject({ lastSeq: 3, missed: [] });
      expect((await read(id)).messages).toHaveLength(3);
    });

    it('answers a repeated append with an expected seq as it did the first time', async () => {
      const id = await begin();
      const message = say('a');
      await append(id, [message], server, 0);
      const { receipts } = await append(id, [message], server, 0);
      expect(receipts).toMatchObject([{ seq: 1, duplicate: true }]);
    });
  });

  describe('16 concurrent writers of two processes', () => {
    it('leave no gap and no duplicate, and every reader sees one order', async () => {
      const id = await begin();
      const other = await backend.open();
      const writers = Array.from({ length: 16 }, async (_, writer) => {
        const through = writer % 2 === 0 ? store : other;
        const seqs: number[] = [];
        for (let turn = 0; turn < 5; turn += 1) {
          const { receipts } = await through.append(server, id, [say(`${writer}/${turn}`)], undefined);
          seqs.push(...receipts.map(({ seq }) => Number(seq)));
          const thread = await through.read(server, id, { limit: 100 }, running);
          // Whoever has the word that it is appended finds it.
          expect(texts(thread.messages)).toContain(`${writer}/${turn}`);
        }
        return seqs;
      });
      const seqs = (await Promise.all(writers)).flat();
      const all = Array.from({ length: 80 }, (_, index) => index + 1);
      expect(seqs.toSorted((left, right) => left - right)).toEqual(all);
      const [mine, theirs] = await Promise.all([read(id), other.read(server, id, { limit: 100 }, running)]);
      expect(mine.messages.map(({ seq }) => seq)).toEqual(all);
      expect(theirs.messages).toEqual(mine.messages);
      for (let writer = 0; writer < 16; writer += 1) {
        const own = texts(mine.messages).filter((text) => String(text).startsWith(`${writer}/`));
        expect(own).toEqual([0, 1, 2, 3, 4].map((turn) => `${writer}/${turn}`));
      }
    });

    it('that all expect the same seq: exactly one is let in', async () => {
      const id = await begin();
      const attempts = Array.from({ length: 16 }, () => append(id, [say('mine')], server, 0));
      const settled = await Promise.allSettled(attempts);
      expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const result of settled) if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(SeqConflict);
      expect((await read(id)).conversation.last_seq).toBe(1);
    });

    it('that all send the same message: it is there once', async () => {
      const id = await begin();
      const message = say('the same');
      const results = await Promise.all(Array.from({ length: 16 }, () => append(id, [message])));
      expect(results.flatMap(({ receipts }) => receipts).filter(({ duplicate }) => !duplicate)).toHaveLength(1);
      expect(new Set(results.flatMap(({ receipts }) => receipts.map(({ seq }) => seq)))).toEqual(new Set([1]));
      expect((await read(id)).messages).toHaveLength(1);
    });
  });

  describe('reading', () => {
    let id: string;
    beforeAll(async () => {
      id = await begin();
      for (const batch of [0, 1, 2]) {
        await append(
          id,
          Array.from({ length: 50 }, (_, index) => say(String(batch * 50 + index + 1))),
        );
      }
    });
    const seqs = async (page: Partial<PageRequest>) => {
      const thread = await read(id, page);
      const numbers = thread.messages.map(({ seq }) => seq);
      expect(texts(thread.messages)).toEqual(numbers.map(String));
      return [numbers[0], numbers.at(-1), numbers.length, thread.has_earlier, thread.has_later];
    };

    it.each([
      ['the newest', {}, [51, 150, 100, true, false]],
      ['the newest ten', { limit: 10 }, [141, 150, 10, true, false]],
      ['before a seq in the hot part', { limit: 10, before: 100 }, [90, 99, 10, true, true]],
      ['before a seq, across the edge of the hot part', { limit: 10, before: 55 }, [45, 54, 10, true, true]],
      ['before an early seq', { limit: 10, before: 6 }, [1, 5, 5, false, true]],
      ['before the first', { before: 1 }, [undefined, undefined, 0, false, true]],
      ['after a seq', { limit: 10, after: 140 }, [141, 150, 10, true, false]],
      ['after a seq, with more to come', { limit: 10, after: 60 }, [61, 70, 10, true, true]],
      ['after nothing', { limit: 10, after: 0 }, [1, 10, 10, false, true]],
      ['after the last', { after: 150 }, [undefined, undefined, 0, true, false]],
      ['after what is not there yet', { after: 500 }, [undefined, undefined, 0, true, false]],
      ['before what is not there yet', { limit: 5, before: 500 }, [146, 150, 5, true, false]],
    ])('gives the page %s', async (_what, page, expected) => {
      expect(await seqs(page)).toEqual(expected);
      expect(await seqs(page)).toEqual(expected);
    });

    it('finds every message by going back, and by going on', async () => {
      const back: Message[] = [];
      for (let before: number | undefined; ; before = back[0]?.seq) {
        const thread = await read(id, { limit: 40, ...(before === undefined ? {} : { before }) });
        back.unshift(...thread.messages);
        if (!thread.has_earlier) break;
      }
      const on: Message[] = [];
      for (let after = 0; ; after = on.at(-1)?.seq ?? 0) {
        const thread = await read(id, { limit: 40, after });
        on.push(...thread.messages);
        if (!thread.has_later) break;
      }
      expect(back.map(({ seq }) => seq)).toEqual(Array.from({ length: 150 }, (_, index) => index + 1));
      expect(on).toEqual(back);
    });

    it('ends a page before it gets too large', async () => {
      const large = await begin();
      const megabyte = 'x'.repeat(900_000);
      for (let turn = 0; turn < 7; turn += 1) await append(large, [say(megabyte)]);
      for (const attempt of [1, 2]) {
        const newest = await read(large);
        expect(
          newest.messages.map(({ seq }) => seq),
          `read ${attempt}`,
        ).toEqual([3, 4, 5, 6, 7]);
        expect(newest).toMatchObject({ has_earlier: true, has_later: false });
      }
      const oldest = await read(large, { after: 0 });
      expect(oldest.messages.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
      expect(oldest).toMatchObject({ has_earlier: false, has_later: true });
    });
  });

  describe('who may', () => {
    it('the owner and the server; anybody else finds nothing', async () => {
      const [owner, stranger] = [await backend.signUp(), await backend.signUp()];
      const id = await begin(owner);
      await append(id, [say('mine')], owner);
      await append(id, [say('an answer')], server);
      expect(texts((await read(id, {}, owner)).messages)).toEqual(['mine', 'an answer']);
      await expect(read(id, {}, stranger)).rejects.toThrow(ConversationNotFound);
      await expect(read(id, { after: 0 }, stranger)).rejects.toThrow(ConversationNotFound);
      await expect(append(id, [say('forged')], stranger)).rejects.toThrow(ConversationNotFound);
      expect((await read(id)).messages).toHaveLength(2);
    });

    it('no user finds what is the server’s', async () => {
      const id = await begin(server);
      await append(id, [say('internal')]);
      const user = await backend.signUp();
      await expect(read(id, {}, user)).rejects.toThrow(ConversationNotFound);
      await expect(append(id, [say('x')], user)).rejects.toThrow(ConversationNotFound);
    });

    it('nobody finds what is not there', async () => {
      await expect(read(nobody)).rejects.toThrow(ConversationNotFound);
      await expect(append(nobody, [say('x')])).rejects.toThrow(ConversationNotFound);
    });
  });

  it('serves nothing that has expired, from whichever tier', async () => {
    const id = await begin(server, 1);
    await append(id, [say('brief')]);
    expect((await read(id)).messages).toHaveLength(1);
    await delay(1200); // a look at it would let it live on
    await expect(read(id)).rejects.toThrow(ConversationNotFound);
    await expect(append(id, [say('too late')])).rejects.toThrow(ConversationNotFound);
  });

  it('lets a conversation live on as long as it is read, or written', async () => {
    const [looked, written] = [await begin(server, 2), await begin(server, 2)];
    for (const ends = Date.now() + 4500; Date.now() < ends; await delay(300)) {
      await read(looked);
      await append(written, [say('still here')]);
    }
    expect((await read(looked, { after: 0 })).conversation.expires_at).toBeTruthy();
    await read(written, { after: 0 });
  });

  it('says which tier answers', async () => {
    const record = name === 'dual' ? 'supabase' : name;
    const id = await begin();
    expect((await append(id, [say('a')])).tier).toBe(record);
    expect((await read(id)).tier).toBe(name === 'dual' ? 'redis' : record);
    expect(store.tiers()).toEqual(name === 'dual' ? ['redis', 'supabase'] : [record]);
  });

  it('answers its probes', async () => {
    for (const probe of store.probes) await probe.answer(AbortSignal.timeout(5000));
    expect(store.probes.map((probe) => probe.name)).toEqual(
      { memory: [], redis: ['redis'], supabase: ['supabase', 'database'], dual: ['supabase', 'database', 'redis'] }[
        name
      ],
    );
  });
});
