import { randomUUID } from 'node:crypto';
import { setImmediate as immediately } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Caller } from '../../../service/conversation/conversation.ts';
import type { ListPosition } from '../../../service/conversation/conversation-lifecycle.ts';
import { IdempotencyKeyUsed } from '../../../service/conversation/errors.ts';
import { day, describeBackends, running, say, server, texts } from './suite.ts';

describeBackends('finding', (kit) => {
  const { begin, append, read } = kit;
  const fresh = { title: null, metadata: {} };

  describe('a list', () => {
    const page = (caller: Caller, owner: string | null, limit: number, after?: ListPosition) =>
      kit.store.list(caller, { owner, limit, after }, running);
    const walk = async (caller: Caller, owner: string | null, limit: number, between = async () => {}) => {
      const ids: string[] = [];
      let after: ListPosition | undefined;
      do {
        const { conversations, has_more } = await page(caller, owner, limit, after);
        expect(conversations.length).toBeLessThanOrEqual(limit);
        ids.push(...conversations.map(({ id }) => id));
        after = has_more ? conversations.at(-1) : undefined;
        await between();
      } while (after !== undefined);
      return ids;
    };

    /** Of two that were begun in one millisecond, neither need be the newer one. */
    const beginLater = async (caller: Caller) => {
      const id = await begin(caller);
      for (const now = Date.now(); Date.now() === now; await immediately());
      return id;
    };

    it('has a user’s own, newest first, page by page', async () => {
      const [user, another] = [await kit.backend.signUp(), await kit.backend.signUp()];
      expect(await page(user, user.id, 5)).toMatchObject({ conversations: [], has_more: false });
      const ids: string[] = [];
      for (let turn = 0; turn < 7; turn += 1) {
        ids.unshift(await beginLater(user));
        await begin(another);
        await begin(server);
      }
      for (const limit of [1, 3, 7, 100]) expect(await walk(user, user.id, limit)).toEqual(ids);
      expect(await walk(server, user.id, 4)).toEqual(ids);
      const { conversations } = await page(user, user.id, 100);
      expect(conversations[0]).toMatchObject({ user_id: user.id, last_seq: 0, deleted_at: null });
    });

    it('holds its order while others are written, begun, changed and removed', async () => {
      const user = await kit.backend.signUp();
      const ids: string[] = [];
      for (let turn = 0; turn < 9; turn += 1) ids.unshift(await beginLater(user));
      let turn = 0;
      const found = await walk(user, user.id, 3, async () => {
        await beginLater(user); // newer than where the walk began
        await append(ids[turn] ?? '', [say('to one that was listed')], user);
        await append(ids[8 - turn] ?? '', [say('to one that comes')], user);
        await kit.store.update(user, ids[7] ?? '', { title: `turn ${turn}` });
        turn += 1;
      });
      expect(found).toEqual(ids);
    });

    it('of conversations begun at once has each once', async () => {
      const user = await kit.backend.signUp();
      const ids = await Promise.all(Array.from({ length: 25 }, () => begin(user)));
      const found = await walk(user, user.id, 4);
      expect(found).toHaveLength(25);
      expect(new Set(found)).toEqual(new Set(ids));
    });

    it('leaves out what has ended, and does not touch what it names', async () => {
      const user = await kit.backend.signUp();
      const [kept, brief, deleted, undeleted] = [
        await begin(user),
        await begin(user, 60),
        await begin(user),
        await begin(user),
      ];
      await kit.store.delete(user, deleted);
      await kit.store.delete(user, undeleted);
      await kit.store.undelete(user, undeleted);
      await kit.backend.age(brief, 50);
      expect(await walk(user, user.id, 2)).toContain(brief);
      await kit.backend.age(brief, 11);
      expect(new Set(await walk(user, user.id, 2))).toEqual(new Set([kept, undeleted]));
      expect(new Set(await walk(server, user.id, 2))).toEqual(new Set([kept, undeleted]));
    });

    it('has the server’s own for the server, and for no user', async () => {
      const [mine, user] = [await begin(server), await kit.backend.signUp()];
      const theirs = await begin(user);
      const found = await walk(server, null, 50);
      expect(found).toContain(mine);
      expect(found).not.toContain(theirs);
      const { conversations } = await page(user, null, 50);
      expect(conversations.map(({ id }) => id)).not.toContain(mine);
    });
  });

  describe('an id that the caller chose', () => {
    it('begins one conversation, however often and by however many it is sent', async () => {
      const user = await kit.backend.signUp();
      const other = await kit.backend.open();
      const id = randomUUID();
      const create = (turn: number) =>
        (turn % 2 ? kit.store : other).create(user, { title: 'T', metadata: {} }, day, id);
      const all = await Promise.all(Array.from({ length: 8 }, (_, turn) => create(turn)));
      expect(all.filter(({ created }) => created)).toHaveLength(1);
      expect(new Set(all.map(({ conversation }) => conversation.id))).toEqual(new Set([id]));
      await append(id, [say('a')], user);
      expect(await kit.store.create(user, fresh, day, id)).toMatchObject({
        created: false,
        conversation: { title: 'T', last_seq: 1 },
      });
      expect(texts((await read(id, {}, user)).messages)).toEqual(['a']);
    });

    it('is used up when that conversation has ended, or is somebody else’s', async () => {
      const [user, another] = [await kit.backend.signUp(), await kit.backend.signUp()];
      const [deleted, brief, taken] = [randomUUID(), randomUUID(), randomUUID()];
      await kit.store.create(user, fresh, day, deleted);
      await kit.store.delete(user, deleted);
      await kit.store.create(user, fresh, 60, brief);
      await kit.backend.age(brief, 61);
      await kit.store.create(another, fresh, day, taken);
      for (const id of [deleted, brief, taken]) {
        await expect(kit.store.create(user, fresh, day, id)).rejects.toThrow(IdempotencyKeyUsed);
      }
      expect((await read(taken, {}, another)).conversation.user_id).toBe(another.id);
    });
  });

  describe('a continuation id', () => {
    const goOn = (caller: Caller, id: string | undefined) =>
      kit.store.continueOrCreate(caller, id, { title: 'begun', metadata: { a: 1 } }, day);

    it('leads to its conversation, for its owner and the server', async () => {
      const user = await kit.backend.signUp();
      const { conversation } = await kit.store.create(user, fresh, day);
      await append(conversation.id, [say('a')], user);
      for (const caller of [user, server]) {
        expect(await goOn(caller, conversation.continuation_id)).toMatchObject({
          reason: null,
          conversation: { id: conversation.id, last_seq: 1, title: null },
        });
      }
    });

    it('lets it live on', async () => {
      const { conversation } = await kit.store.create(server, fresh, 60);
      for (const _turn of [1, 2, 3]) {
        await kit.backend.age(conversation.id, 40);
        expect((await goOn(server, conversation.continuation_id)).reason).toBeNull();
      }
    });

    it('that leads nowhere begins another one, and says why', async () => {
      const [user, another] = [await kit.backend.signUp(), await kit.backend.signUp()];
      const theirs = await kit.store.create(another, fresh, day);
      const brief = await kit.store.create(user, fresh, 60);
      await kit.backend.age(brief.conversation.id, 61);
      const deleted = await kit.store.create(user, fresh, day);
      await kit.store.delete(user, deleted.conversation.id);
      const cases = [
        [undefined, 'none'],
        [randomUUID(), 'unknown'],
        [theirs.conversation.continuation_id, 'unknown'],
        [deleted.conversation.continuation_id, 'unknown'],
        [brief.conversation.continuation_id, 'expired'],
      ] as const;
      for (const [id, reason] of cases) {
        const begun = await goOn(user, id);
        expect(begun, reason).toMatchObject({
          reason,
          conversation: { user_id: user.id, title: 'begun', metadata: { a: 1 }, last_seq: 0 },
        });
        expect(begun.conversation.continuation_id).not.toBe(id);
        await append(begun.conversation.id, [say('a')], user);
        expect((await goOn(user, begun.conversation.continuation_id)).conversation).toMatchObject({
          id: begun.conversation.id,
          last_seq: 1,
        });
      }
      expect((await goOn(another, brief.conversation.continuation_id)).reason).toBe('unknown');
    });
  });
});
