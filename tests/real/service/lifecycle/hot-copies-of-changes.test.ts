import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ConversationNotFound, RecordUnavailable } from '../../../../service/conversation/errors.ts';
import { door } from '../api-proxy.ts';
import { append, conversationOf, type DualFixture, heard, keyOf, type Process, server, startDual } from '../dual.ts';

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
  kit.proxy.calls.length = 0;
});

it('takes one call to the record for each operation', async () => {
  const id = await conversationOf(one, 'a');
  kit.proxy.calls.length = 0;
  const { store } = one;
  const operations: [string, () => Promise<unknown>][] = [
    ['list_conversations', () => store.list(server, { owner: null, limit: 10, after: undefined }, running)],
    ['update_conversation', () => store.update(server, id, { title: 'T' })],
    ['extend_conversation', () => store.extend(server, id, 100_000)],
    ['fork_conversation', () => store.fork(server, id, {})],
    ['clear_conversation', () => store.clear(server, id)],
    ['delete_conversation', () => store.delete(server, id)],
    ['undelete_conversation', () => store.undelete(server, id)],
    ['continue_conversation', () => store.continueOrCreate(server, undefined, { title: null, metadata: {} }, 60)],
    ['conversation_stats', () => store.stats(server, running)],
    ['clean_up_conversations', () => store.cleanUp()],
  ];
  for (const [name, work] of operations) {
    await work();
    expect(kit.proxy.calls.splice(0)).toEqual([name]);
  }
});

it('keeps a conversation hot after a change: the next reader brings it, the one after that needs no call', async () => {
  const id = await conversationOf(one, 'a');
  for (const change of [
    () => one.store.update(server, id, { title: 'T' }),
    () => one.store.extend(server, id, 100_000),
    () => one.store.clear(server, id),
  ]) {
    await append(one, id, 'b');
    await change();
    expect((await heard(two, id))[0]).toBe('supabase');
    expect((await heard(one, id))[0]).toBe('redis');
  }
  await append(one, id, 'c');
  expect(await heard(two, id)).toEqual(['redis', 'c']);
});

describe('a copy that others made old is noticed', () => {
  it('after a clear around the service, by whoever compares, and by whoever appends', async () => {
    const [compared, appended] = [await conversationOf(one, 'a', 'b'), await conversationOf(one, 'a', 'b')];
    await kit.record
      .sql`update conversations set cleared_seq = last_seq where id in ${kit.record.sql([compared, appended])}`;
    const late = await kit.process();
    expect(await heard(late, compared)).toEqual(['supabase']);
    expect(await heard(late, compared)).toEqual(['redis']);
    await append(one, appended, 'c');
    expect(await heard(one, appended)).toEqual(['supabase', 'c']);
    expect(await heard(one, appended)).toEqual(['redis', 'c']);
  });

  it('by a release that knows nothing of clearing: it gets the whole thread', async () => {
    const id = await conversationOf(one, 'a');
    await one.store.clear(server, id);
    const [row] = await kit.record.sql`select read_thread(${id}, known_seq => 1) ->> 'status' as status`;
    expect(row?.status).toBe('found');
  });
});

describe('while a change is under way', () => {
  it('nobody puts back what it was before', async () => {
    const id = await conversationOf(one, 'a');
    await one.redis.client.unlink(keyOf(id));
    const [fetched, goOn] = [door(), door()];
    kit.proxy.onReply = async (name) => {
      if (name === 'read_thread') {
        kit.proxy.onReply = async () => 'pass';
        fetched.open();
        await goOn.opened;
      }
      return 'pass';
    };
    const reading = heard(two, id);
    await fetched.opened;
    await one.store.clear(server, id);
    goOn.open();
    expect(await reading).toEqual(['supabase', 'a']); // it began before the clear was acknowledged
    expect(await heard(two, id)).toEqual(['supabase']);
    expect(await heard(two, id)).toEqual(['redis']);
  });

  it('readers ask the record', async () => {
    const id = await conversationOf(one, 'a');
    const [committed, goOn] = [door(), door()];
    kit.proxy.onReply = async (name) => {
      if (name === 'delete_conversation') {
        committed.open();
        await goOn.opened;
      }
      return 'pass';
    };
    const deleting = one.store.delete(server, id);
    await committed.opened;
    await expect(heard(two, id)).rejects.toThrow(ConversationNotFound);
    goOn.open();
    await deleting;
    await expect(heard(one, id)).rejects.toThrow(ConversationNotFound);
  });

  it.each(['delete', 'clear'] as const)(
    'and its reply is lost: a %s that nobody heard of is seen all the same',
    async (change) => {
      const id = await conversationOf(one, 'a');
      kit.proxy.onReply = async () => 'cut';
      await expect(one.store[change](server, id)).rejects.toThrow(RecordUnavailable);
      kit.proxy.onReply = async () => 'pass';
      if (change === 'clear') expect(await heard(two, id)).toEqual(['supabase']);
      else await expect(heard(two, id)).rejects.toThrow(ConversationNotFound);
    },
  );

  it('and it is refused, the copy stays', async () => {
    const id = await conversationOf(one, 'a');
    const stranger = await kit.record.signUp();
    await expect(one.store.clear(stranger, id)).rejects.toThrow(ConversationNotFound);
    await expect(one.store.fork(server, id, { seq: 9 })).rejects.toMatchObject({ lastSeq: 1 });
    expect(await heard(two, id)).toEqual(['redis', 'a']);
  });
});

it('drops the copies of what is cleaned up', async () => {
  const id = await conversationOf(one, 'a');
  await kit.record.sql`update conversations set accessed_at = now() - interval '3 days' where id = ${id}`;
  expect((await two.store.cleanUp()).removed).toContain(id);
  await expect(heard(one, id)).rejects.toThrow(ConversationNotFound);
});
