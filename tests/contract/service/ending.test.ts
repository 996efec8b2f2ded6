import { describe, expect, it } from 'vitest';
import type { Caller } from '../../../service/conversation/conversation.ts';
import { ConversationNotFound } from '../../../service/conversation/errors.ts';
import { limits } from '../../../service/conversation/limits.ts';
import { day, describeBackends, running, say, server, texts } from './suite.ts';

describeBackends('ending', (kit) => {
  const { begin, append, read } = kit;
  const expectGone = async (id: string, caller: Caller = server) => {
    await expect(read(id, {}, caller)).rejects.toThrow(ConversationNotFound);
    await expect(read(id, { after: 0 }, caller)).rejects.toThrow(ConversationNotFound);
    await expect(append(id, [say('too late')], caller)).rejects.toThrow(ConversationNotFound);
    await expect(kit.store.update(caller, id, { title: 'too late' })).rejects.toThrow(ConversationNotFound);
    await expect(kit.store.clear(caller, id)).rejects.toThrow(ConversationNotFound);
    await expect(kit.store.extend(caller, id, day)).rejects.toThrow(ConversationNotFound);
    await expect(kit.store.fork(caller, id, {})).rejects.toThrow(ConversationNotFound);
    await expect(kit.store.delete(caller, id)).rejects.toThrow(ConversationNotFound);
  };
  const cleanUp = async () => {
    const removed: string[] = [];
    for (;;) {
      const turn = await kit.store.cleanUp();
      removed.push(...turn.removed);
      if (turn.rest !== 'more') return removed;
    }
  };

  describe('deleting', () => {
    it('hides it from everybody at once, and undeleting brings all of it back', async () => {
      const owner = await kit.backend.signUp();
      const other = await kit.backend.open();
      const id = await begin(owner);
      await append(id, [say('a'), say('b')], owner);
      await read(id);
      const { conversation } = await kit.store.delete(owner, id);
      expect(Math.abs(Date.parse(conversation.deleted_at ?? '') - Date.parse(conversation.updated_at))).toBeLessThan(
        60_000,
      );
      await expect(other.read(server, id, { limit: 100 }, running)).rejects.toThrow(ConversationNotFound);
      await expectGone(id, owner);
      await expectGone(id, server);
      expect((await kit.store.undelete(owner, id)).conversation).toMatchObject({ deleted_at: null, last_seq: 2 });
      expect(texts((await read(id, {}, owner)).messages)).toEqual(['a', 'b']);
      expect((await append(id, [say('c')], owner)).receipts).toMatchObject([{ seq: 3 }]);
      expect(texts((await other.read(server, id, { limit: 100 }, running)).messages)).toEqual(['a', 'b', 'c']);
    });

    it('can be taken back twice, and by the server; what was not deleted stays as it is', async () => {
      const owner = await kit.backend.signUp();
      const id = await begin(owner);
      await kit.store.delete(server, id);
      for (const caller of [server, owner, server]) {
        expect((await kit.store.undelete(caller, id)).conversation.deleted_at).toBeNull();
      }
    });

    it('can be taken back until the deadline, also when it has expired since, and not after it', async () => {
      const id = await begin(server, 60);
      await append(id, [say('a')]);
      await kit.store.delete(server, id);
      await kit.backend.age(id, limits.undeleteSeconds - 60);
      expect((await kit.store.undelete(server, id)).expires_in_ms).toBeGreaterThan(55_000);
      expect(texts((await read(id)).messages)).toEqual(['a']);
      await kit.store.delete(server, id);
      await kit.backend.age(id, limits.undeleteSeconds);
      await expect(kit.store.undelete(server, id)).rejects.toThrow(ConversationNotFound);
    });

    it('by many at once succeeds once', async () => {
      const id = await begin();
      const other = await kit.backend.open();
      const attempts = Array.from({ length: 8 }, (_, index) => (index % 2 ? kit.store : other).delete(server, id));
      const settled = await Promise.allSettled(attempts);
      expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      await expectGone(id);
    });
  });

  describe('cleaning up', () => {
    it('removes what was deleted past its deadline, or has expired for long, and nothing else', async () => {
      const [deleted, expired, undeletable, late, alive] = [
        await begin(server, 365 * day),
        await begin(server, 60),
        await begin(server, 365 * day),
        await begin(server, 365 * day),
        await begin(server, 365 * day),
      ];
      for (const id of [deleted, expired, undeletable, late, alive]) await append(id, [say('a')]);
      await kit.store.delete(server, deleted);
      await kit.backend.age(deleted, limits.undeleteSeconds + 1);
      await kit.backend.age(expired, limits.expiredSeconds + 61);
      await kit.store.delete(server, undeletable);
      await kit.store.delete(server, late);
      await kit.backend.age(late, 60);
      const removed = await cleanUp();
      expect(removed).toEqual(expect.arrayContaining([deleted, expired]));
      for (const id of [undeletable, late, alive]) expect(removed).not.toContain(id);
      await expect(kit.store.undelete(server, deleted)).rejects.toThrow(ConversationNotFound);
      await kit.store.undelete(server, undeletable);
      await kit.store.undelete(server, late);
      for (const id of [undeletable, late, alive]) expect(texts((await read(id)).messages)).toEqual(['a']);
      expect(await cleanUp()).not.toEqual(expect.arrayContaining([deleted]));
    });

    it('goes on in turns, and several processes do not get into each other’s way', async () => {
      const other = await kit.backend.open();
      const ids = await Promise.all(Array.from({ length: limits.removedAtOnce + 20 }, () => begin(server, 1)));
      if (kit.name === 'memory') await kit.backend.age('', limits.expiredSeconds + 2);
      else for (const id of ids) await kit.backend.age(id, limits.expiredSeconds + 2);
      const removed: string[] = [];
      const all = async (store: typeof other) => {
        for (;;) {
          const turn = await store.cleanUp();
          expect(turn.removed.length).toBe(turn.expired + turn.deleted);
          removed.push(...turn.removed);
          if (turn.rest === 'none') return;
        }
      };
      await Promise.all([all(kit.store), all(other)]);
      expect(new Set(removed).size).toBe(removed.length);
      expect(removed).toEqual(expect.arrayContaining(ids));
    });
  });

  it('counts what there is of a user, and of all for the server', async () => {
    const [user, another] = [await kit.backend.signUp(), await kit.backend.signUp()];
    const stats = (caller: Caller) => kit.store.stats(caller, running);
    expect(await stats(user)).toMatchObject({ total_conversations: 0, total_messages: 0, expired_conversations: 0 });
    const before = await stats(server);
    const [one, two, brief, deleted] = [await begin(user), await begin(user), await begin(user, 60), await begin(user)];
    for (const id of [one, two, brief, deleted, await begin(another), await begin()])
      await append(id, [say('a'), say('b')]);
    await kit.store.clear(user, two);
    await append(two, [say('c')], user);
    await kit.store.delete(user, deleted);
    await kit.backend.age(brief, 61);
    expect(await stats(user)).toMatchObject({ total_conversations: 2, total_messages: 3, expired_conversations: 1 });
    expect(await stats(another)).toMatchObject({ total_conversations: 1, total_messages: 2, expired_conversations: 0 });
    const after = await stats(server);
    expect(after.total_conversations - before.total_conversations).toBe(4);
    expect(after.total_messages - before.total_messages).toBe(7);
    expect(after.expired_conversations - before.expired_conversations).toBe(1);
  });

  describe('erasing a user', () => {
    it('removes everything of that user, the ended ones too, and nothing of others', async () => {
      const [user, another] = [await kit.backend.signUp(), await kit.backend.signUp()];
      const [alive, deleted, brief] = [await begin(user), await begin(user), await begin(user, 60)];
      const others = [await begin(another), await begin(server)];
      for (const id of [alive, deleted, brief, ...others]) await append(id, [say('a')]);
      await kit.store.delete(user, deleted);
      await kit.backend.age(brief, 61);
      expect(await kit.store.eraseUser(user, user.id)).toMatchObject({ conversations: 3 });
      for (const id of [alive, deleted, brief]) {
        await expectGone(id, user);
        await expect(kit.store.undelete(server, id)).rejects.toThrow(ConversationNotFound);
      }
      for (const id of others) expect(texts((await read(id)).messages)).toEqual(['a']);
      expect(await kit.store.stats(user, running)).toMatchObject({ total_conversations: 0, expired_conversations: 0 });
      expect(await kit.store.eraseUser(server, user.id)).toMatchObject({ conversations: 0 });
      await append(await begin(user), [say('again')], user);
      expect(await kit.store.eraseUser(server, user.id)).toMatchObject({ conversations: 1 });
    });

    it('of whom there is much', async () => {
      const user = await kit.backend.signUp();
      await Promise.all(Array.from({ length: limits.removedAtOnce + 5 }, () => begin(user)));
      expect(await kit.store.eraseUser(server, user.id)).toMatchObject({ conversations: limits.removedAtOnce + 5 });
    });
  });
});
