import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Message } from '../../../service/conversation/conversation.ts';
import type { PageRequest } from '../../../service/conversation/conversation-store.ts';
import { ConversationNotFound } from '../../../service/conversation/errors.ts';
import { describeBackends, nobody, say, server, texts } from './suite.ts';

describeBackends('reading', (kit) => {
  const { begin, append, read } = kit;

  describe('a page', () => {
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
      const [owner, stranger] = [await kit.backend.signUp(), await kit.backend.signUp()];
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
      const user = await kit.backend.signUp();
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
    const isDual = kit.name === 'dual' || kit.name === 'outbox';
    const record = isDual ? 'supabase' : kit.name;
    const id = await begin();
    expect((await append(id, [say('a')])).tier).toBe(record);
    expect((await read(id)).tier).toBe(isDual ? 'redis' : record);
    expect(kit.store.tiers()).toEqual(isDual ? ['redis', 'supabase'] : [record]);
  });

  it('answers its probes', async () => {
    for (const probe of kit.store.probes) await probe.answer(AbortSignal.timeout(5000));
    expect(kit.store.probes.map((probe) => probe.name)).toEqual(
      {
        memory: [],
        redis: ['redis'],
        supabase: ['supabase', 'database', 'storage'],
        dual: ['supabase', 'database', 'storage', 'redis'],
        outbox: ['supabase', 'database', 'storage', 'redis', 'outbox'],
      }[kit.name],
    );
  });
});
