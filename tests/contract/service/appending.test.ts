import { describe, expect, it } from 'vitest';
import { ClientMessageIdReused, SeqConflict } from '../../../service/conversation/errors.ts';
import { day, describeBackends, say, server, texts } from './suite.ts';

describeBackends('appending', (kit) => {
  const { begin, append, read } = kit;

  describe('creating', () => {
    it('gives back what was given, with an id, times and no messages', async () => {
      const metadata = { source: 'test', nested: { list: [1, 'two', null] } };
      const { conversation, expires_in_ms } = await kit.store.create(server, { title: 'A title', metadata }, 60);
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
      const user = await kit.backend.signUp();
      const { conversation } = await kit.store.create(user, { title: null, metadata: {} }, day);
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
});
