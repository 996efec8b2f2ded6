import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ConversationStore } from '../../../service/conversation/conversation-store.ts';
import { ConversationNotFound, SeqConflict } from '../../../service/conversation/errors.ts';
import { day, describeBackends, nobody, say, server, texts } from './suite.ts';

describeBackends('changing', (kit) => {
  const { begin, append, read } = kit;
  const numbers = async (id: string) => (await read(id)).messages.map(({ seq, content }) => [seq, content]);

  describe('title and metadata', () => {
    it('are those that were given last, and the rest stays', async () => {
      const { conversation } = await kit.store.create(server, { title: 'One', metadata: { a: 1 } }, day);
      const { id } = conversation;
      expect((await kit.store.update(server, id, { title: 'Two' })).conversation).toMatchObject({
        title: 'Two',
        metadata: { a: 1 },
        created_at: conversation.created_at,
      });
      const changed = await kit.store.update(server, id, { metadata: { b: [{}] } });
      expect(changed.conversation).toMatchObject({ title: 'Two', metadata: { b: [{}] } });
      expect(Date.parse(changed.conversation.updated_at)).toBeGreaterThanOrEqual(Date.parse(conversation.updated_at));
      expect((await kit.store.update(server, id, { title: null })).conversation.title).toBeNull();
      for (const _attempt of [1, 2]) {
        expect((await read(id)).conversation).toMatchObject({ title: null, metadata: { b: [{}] }, last_seq: 0 });
      }
    });

    it('are read in the thread at once, by every process', async () => {
      const id = await begin();
      await append(id, [say('a')]);
      const other = await kit.backend.open();
      await read(id);
      await kit.store.update(server, id, { title: 'New' });
      const thread = await other.read(server, id, { limit: 100 }, new AbortController().signal);
      expect([thread.conversation.title, ...texts(thread.messages)]).toEqual(['New', 'a']);
    });
  });

  describe('clearing', () => {
    it('removes all messages; the next one gets the seq behind them', async () => {
      const id = await begin();
      await append(id, [say('a'), say('b')]);
      await read(id);
      const { conversation } = await kit.store.clear(server, id);
      expect(conversation).toMatchObject({ last_seq: 2, cleared_seq: 2 });
      for (const _attempt of [1, 2]) {
        expect(await read(id)).toMatchObject({ messages: [], has_earlier: false, has_later: false });
      }
      expect((await append(id, [say('c')], server, 2)).receipts).toMatchObject([{ seq: 3 }]);
      for (const _attempt of [1, 2]) {
        expect(await numbers(id)).toEqual([[3, 'c']]);
        expect((await read(id, { after: 0 })).has_earlier).toBe(false);
        expect(await read(id, { before: 3 })).toMatchObject({ messages: [], has_earlier: false, has_later: true });
      }
    });

    it('twice, or with nothing there, changes nothing more', async () => {
      const id = await begin();
      expect((await kit.store.clear(server, id)).conversation).toMatchObject({ last_seq: 0, cleared_seq: 0 });
      await append(id, [say('a')]);
      await kit.store.clear(server, id);
      expect((await kit.store.clear(server, id)).conversation).toMatchObject({ last_seq: 1, cleared_seq: 1 });
      await append(id, [say('b')]);
      expect((await kit.store.clear(server, id)).conversation).toMatchObject({ last_seq: 2, cleared_seq: 2 });
    });

    it('lets a name be used again', async () => {
      const id = await begin();
      const message = say('a');
      await append(id, [message]);
      await kit.store.clear(server, id);
      expect((await append(id, [{ ...message, content: 'b' }])).receipts).toMatchObject([{ seq: 2, duplicate: false }]);
      expect(await numbers(id)).toEqual([[2, 'b']]);
    });

    it('says to whoever expects an earlier seq what is left of what was missed', async () => {
      const id = await begin();
      await append(id, [say('a'), say('b')]);
      await kit.store.clear(server, id);
      await append(id, [say('c')]);
      const late = append(id, [say('d')], server, 1);
      await expect(late).rejects.toMatchObject({ lastSeq: 3, missed: [{ seq: 3, content: 'c' }] });
    });

    it('while others append leaves what came after it, and no other, in every reader’s eyes', async () => {
      const id = await begin();
      const other = await kit.backend.open();
      const appended = new Map<number, string>();
      const write = async (store: ConversationStore) => {
        for (let turn = 0; turn < 8; turn += 1) {
          const text = randomUUID();
          const { receipts } = await store.append(server, id, [say(text)], undefined);
          appended.set(receipts[0]?.seq ?? 0, text);
        }
      };
      const clear = async () => {
        let cleared = 0;
        for (let turn = 0; turn < 4; turn += 1) {
          cleared = (await other.clear(server, id)).conversation.cleared_seq;
          const { conversation, messages } = await read(id);
          expect(conversation.cleared_seq).toBeGreaterThanOrEqual(cleared);
          expect(messages.map(({ seq }) => seq)).toEqual(
            messages.map((_, index) => conversation.cleared_seq + 1 + index),
          );
          expect(conversation.cleared_seq + messages.length).toBe(conversation.last_seq);
        }
        return cleared;
      };
      const [cleared] = await Promise.all([clear(), write(kit.store), write(other), write(kit.store)]);
      expect([...appended.keys()].sort((left, right) => left - right)).toEqual(
        Array.from({ length: 24 }, (_, at) => at + 1),
      );
      const left = [...appended].filter(([seq]) => seq > cleared).sort(([one], [two]) => one - two);
      for (const _attempt of [1, 2]) expect(await numbers(id)).toEqual(left);
    });
  });

  describe('extending', () => {
    it('lets it live so long from now on, and never shortens', async () => {
      const id = await begin(server, 60);
      const longer = await kit.store.extend(server, id, 3600);
      expect(longer.expires_in_ms).toBeGreaterThan(3_590_000);
      expect((await kit.store.extend(server, id, 5)).expires_in_ms).toBeGreaterThan(3_590_000);
      await kit.backend.age(id, 1800);
      expect((await read(id)).conversation.expires_at).toBeTruthy();
    });

    it('for good: it has no expiry any more', async () => {
      const id = await begin(server, 60);
      expect(await kit.store.extend(server, id, null)).toMatchObject({
        expires_in_ms: null,
        conversation: { expires_at: null },
      });
      expect((await kit.store.extend(server, id, 60)).conversation.expires_at).toBeNull();
      await append(id, [say('a')]);
      await kit.backend.age(id, 365 * day);
      for (const _attempt of [1, 2]) expect((await read(id)).conversation.expires_at).toBeNull();
    });
  });

  describe('forking', () => {
    it('begins another one with the messages up to a seq, numbered from 1', async () => {
      const { conversation: source } = await kit.store.create(server, { title: 'T', metadata: { a: 1 } }, 3600);
      const names = ['n1', 'n2', 'n3', 'n4'];
      await append(
        source.id,
        names.map((name) => say(`text of ${name}`, name)),
      );
      const { messages } = await read(source.id);
      const { conversation: fork, expires_in_ms } = await kit.store.fork(server, source.id, { seq: 3, title: 'F' });
      expect(fork).toMatchObject({
        title: 'F',
        metadata: { a: 1 },
        last_seq: 3,
        cleared_seq: 0,
        forked_from: { conversation_id: source.id, seq: 3 },
      });
      expect(fork.id).not.toBe(source.id);
      expect(fork.continuation_id).not.toBe(source.continuation_id);
      expect(expires_in_ms).toBeLessThanOrEqual(3_600_000);
      expect((await read(fork.id)).messages).toEqual(messages.slice(0, 3));
      const again = await append(fork.id, [say('text of n2', 'n2'), say('new')]);
      expect(again.receipts.map(({ seq, duplicate }) => [seq, duplicate])).toEqual([
        [2, true],
        [4, false],
      ]);
      expect((await read(source.id)).messages).toEqual(messages);
    });

    it('of one that was cleared counts from 1 all the same', async () => {
      const id = await begin();
      await append(id, [say('gone'), say('gone, too')]);
      await kit.store.clear(server, id);
      await append(id, [say('a'), say('b')]);
      const { conversation } = await kit.store.fork(server, id, {});
      expect(conversation).toMatchObject({ title: null, last_seq: 2, forked_from: { conversation_id: id, seq: 4 } });
      expect(await numbers(conversation.id)).toEqual([
        [1, 'a'],
        [2, 'b'],
      ]);
      const empty = await kit.store.fork(server, id, { seq: 1 });
      expect(empty.conversation.last_seq).toBe(0);
      expect((await append(empty.conversation.id, [say('c')])).receipts).toMatchObject([{ seq: 1 }]);
    });

    it('copies a long thread, and a fork of a fork', async () => {
      const id = await begin();
      for (let turn = 0; turn < 12; turn += 1)
        await append(
          id,
          Array.from({ length: 100 }, (_, index) => say(String(turn * 100 + index + 1))),
        );
      const first = await kit.store.fork(server, id, { seq: 1150 });
      const second = await kit.store.fork(server, first.conversation.id, { seq: 1120 });
      const thread = await read(second.conversation.id);
      expect(texts(thread.messages)).toEqual(Array.from({ length: 100 }, (_, index) => String(1021 + index)));
      expect(thread.conversation).toMatchObject({
        last_seq: 1120,
        forked_from: { conversation_id: first.conversation.id },
      });
    });

    it('refuses a seq that is not there yet', async () => {
      const id = await begin();
      await append(id, [say('a')]);
      const early = kit.store.fork(server, id, { seq: 2 });
      await expect(early).rejects.toThrow(SeqConflict);
      await expect(early).rejects.toMatchObject({ lastSeq: 1 });
    });

    it('belongs to the owner, whoever forks', async () => {
      const owner = await kit.backend.signUp();
      const id = await begin(owner);
      await append(id, [say('mine')], owner);
      for (const caller of [owner, server]) {
        const { conversation } = await kit.store.fork(caller, id, {});
        expect(conversation.user_id).toBe(owner.id);
        expect(texts((await read(conversation.id, {}, owner)).messages)).toEqual(['mine']);
      }
    });
  });

  it.each<
    [
      string,
      (store: ConversationStore, ...who: [Parameters<ConversationStore['clear']>[0], string]) => Promise<unknown>,
    ]
  >([
    ['changing', (store, caller, id) => store.update(caller, id, { title: 'x' })],
    ['clearing', (store, caller, id) => store.clear(caller, id)],
    ['extending', (store, caller, id) => store.extend(caller, id, 100 * day)],
    ['forking', (store, caller, id) => store.fork(caller, id, {})],
    ['deleting', (store, caller, id) => store.delete(caller, id)],
    ['undeleting', (store, caller, id) => store.undelete(caller, id)],
  ])('%s is not for others, nor for what is not there or has expired', async (_what, change) => {
    const [owner, stranger] = [await kit.backend.signUp(), await kit.backend.signUp()];
    const [mine, servers, brief] = [await begin(owner), await begin(server), await begin(owner, 60)];
    await append(mine, [say('mine')], owner);
    await append(servers, [say('internal')]);
    const [before, internal] = [await read(mine, {}, owner), await read(servers)];
    for (const id of [mine, servers, nobody])
      await expect(change(kit.store, stranger, id)).rejects.toThrow(ConversationNotFound);
    await expect(change(kit.store, owner, servers)).rejects.toThrow(ConversationNotFound);
    await expect(change(kit.store, server, nobody)).rejects.toThrow(ConversationNotFound);
    const after = await read(mine, {}, owner);
    expect(after.messages).toEqual(before.messages);
    expect(after.conversation).toMatchObject({ title: null, cleared_seq: 0 });
    expect((await read(servers)).messages).toEqual(internal.messages);
    await change(kit.store, owner, mine);
    await kit.backend.age(brief, 61);
    for (const caller of [owner, server])
      await expect(change(kit.store, caller, brief)).rejects.toThrow(ConversationNotFound);
  });
});
