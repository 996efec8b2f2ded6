import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ConversationStore } from '../../../../service/conversation/conversation-store.ts';
import { ConversationNotFound, RecordUnavailable } from '../../../../service/conversation/errors.ts';
import { RedisStore } from '../../../../service/storage/redis/redis-store.ts';
import { type DualFixture, keyOf, type Process, say, server, startDual } from '../dual.ts';
import type { TestUser } from '../servers.ts';
import { keysWith, tablesWith } from './find-text.ts';

let kit: DualFixture;
let one: Process;
let two: Process;
const running = new AbortController().signal;

beforeAll(async () => {
  kit = await startDual();
  one = await kit.process();
  two = await kit.process();
});
afterAll(() => kit?.close());
beforeEach(() => {
  kit.proxy.onCall = async () => undefined;
  kit.proxy.onReply = async () => 'pass';
});
const raw = () => one.redis.client;
const read = (store: ConversationStore, id: string, caller: TestUser | typeof server = server) =>
  store.read(caller, id, { limit: 100 }, running);

/** Says the canary in a title, in metadata, in messages; in conversations that are alive, cleared, forked, deleted. */
async function sayEverywhere(store: ConversationStore, user: TestUser, canary: string): Promise<string[]> {
  const begin = async () =>
    (await store.create(user, { title: `about ${canary}`, metadata: { [canary]: [canary] } }, 3600)).conversation.id;
  const ids = [await begin(), await begin(), await begin()];
  for (const id of ids) {
    await store.append(user, id, [say(canary, `name ${canary}`), say('b')], undefined);
    await read(store, id, user);
  }
  const [alive = '', cleared = '', deleted = ''] = ids;
  const fork = await store.fork(user, alive, {});
  await store.clear(user, cleared);
  await store.delete(user, deleted);
  await read(store, alive);
  await read(store, fork.conversation.id);
  await read(store, cleared);
  return [...ids, fork.conversation.id];
}

describe('erasing a user', () => {
  it('leaves nothing of what was said in PostgreSQL or in Redis', async () => {
    const [user, other] = [await kit.record.signUp(), await kit.record.signUp()];
    const [canary, kept] = [randomUUID(), randomUUID()];
    const ids = await sayEverywhere(one.store, user, canary);
    await sayEverywhere(one.store, other, kept);
    expect(await tablesWith(kit.record.sql, canary)).toEqual(
      expect.arrayContaining(['public.conversations', 'public.messages']),
    );
    expect(await keysWith(raw(), canary)).not.toEqual([]);
    expect(await two.store.eraseUser(user, user.id)).toMatchObject({ conversations: 4 });
    expect(await tablesWith(kit.record.sql, canary)).toEqual([]);
    expect(await keysWith(raw(), canary)).toEqual([]);
    for (const id of ids) await expect(read(one.store, id)).rejects.toThrow(ConversationNotFound);
    expect(await keysWith(raw(), kept)).not.toEqual([]);
    expect(await tablesWith(kit.record.sql, kept)).not.toEqual([]);
  });

  it('while its conversations are read and written all the time', async () => {
    const user = await kit.record.signUp();
    const canary = randomUUID();
    const ids = await sayEverywhere(one.store, user, canary);
    let erased = false;
    const busy = ids.flatMap((id) =>
      [one, two].map(async ({ store }) => {
        while (!erased) {
          await Promise.allSettled([
            read(store, id, user),
            store.append(user, id, [say(canary)], undefined),
            store.read(user, id, { limit: 5, before: 2 }, running),
          ]);
        }
      }),
    );
    try {
      await two.store.eraseUser(server, user.id);
    } finally {
      erased = true; // also when it fails: they would never end, and nor would the run
    }
    await Promise.all(busy);
    expect(await tablesWith(kit.record.sql, canary)).toEqual([]);
    expect(await keysWith(raw(), canary)).toEqual([]);
  });

  it('that breaks off in the middle leaves no copy of what is gone, and is done by the next attempt', async () => {
    const user = await kit.record.signUp();
    const canary = randomUUID();
    await sayEverywhere(one.store, user, canary);
    kit.proxy.onReply = async (name) => (name === 'erase_conversations' ? 'cut' : 'pass');
    await expect(two.store.eraseUser(user, user.id)).rejects.toThrow(RecordUnavailable);
    kit.proxy.onReply = async () => 'pass';
    expect(await tablesWith(kit.record.sql, canary)).toEqual([]); // done, though nobody heard of it
    expect(await keysWith(raw(), canary)).toEqual([]);
    expect(await two.store.eraseUser(user, user.id)).toMatchObject({ conversations: 0 });
  });

  it('is not for anybody else', async () => {
    const [user, stranger] = [await kit.record.signUp(), await kit.record.signUp()];
    const canary = randomUUID();
    await sayEverywhere(one.store, user, canary);
    // Past the service, which refuses that: row-level security finds nothing of others to erase.
    expect(await one.store.eraseUser(stranger, user.id)).toMatchObject({ conversations: 0 });
    expect(await tablesWith(kit.record.sql, canary)).toContain('public.messages');
  });

  it('leaves nothing where Redis is the record', async () => {
    const store = new RedisStore(await kit.redis.connect(true));
    const user: TestUser = { kind: 'user', id: randomUUID(), token: 'not looked at' };
    const canary = randomUUID();
    await sayEverywhere(store, user, canary);
    expect(await keysWith(raw(), canary)).not.toEqual([]);
    expect(await store.eraseUser(user, user.id)).toMatchObject({ conversations: 4 });
    expect(await keysWith(raw(), canary)).toEqual([]);
    expect(await keysWith(raw(), user.id)).toEqual([]);
  });
});

describe('a user who is deleted in auth.users', () => {
  it('takes every row along, and no copy is served once it was compared', async () => {
    const user = await kit.record.signUp();
    const canary = randomUUID();
    const [alive = '', , , fork = ''] = await sayEverywhere(one.store, user, canary);
    await kit.record.sql`delete from auth.users where id = ${user.id}`;
    expect(await tablesWith(kit.record.sql, canary)).toEqual([]);
    // A process that was not there has to compare, and so has one whose change feed does not reach back.
    const late = await kit.process();
    one.copies.watched = { since: Number.POSITIVE_INFINITY, until: 0 };
    for (const { store } of [late, one]) {
      for (const id of [alive, fork]) {
        await expect(read(store, id)).rejects.toThrow(ConversationNotFound);
        expect(await raw().lrange(keyOf(id), 0, -1)).not.toContainEqual(expect.stringContaining(canary));
      }
    }
    expect(await one.store.eraseUser(server, user.id)).toMatchObject({ conversations: 0 });
  });
});
