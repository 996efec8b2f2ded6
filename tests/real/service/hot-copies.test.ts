import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ConversationNotFound, RecordUnavailable, SeqConflict } from '../../../service/conversation/errors.ts';
import { door } from './api-proxy.ts';
import {
  append,
  conversationOf,
  type DualFixture,
  heard,
  keyOf,
  type Process,
  read,
  say,
  server,
  startDual,
} from './dual.ts';

let kit: DualFixture;
let one: Process;
let two: Process;

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
  one.troubles.length = 0;
});
const raw = () => one.redis.client;
/** Forgets what there is in Redis of a thread. */
const drop = (id: string) => raw().unlink(keyOf(id));

describe('calls to Supabase', () => {
  it('are one for a conversation, one for an append, none for a hot read, one for a cold one', async () => {
    const id = await conversationOf(one);
    expect(kit.proxy.calls.splice(0)).toEqual(['create_conversation']);
    await append(one, id, 'a', 'b', 'c');
    expect(kit.proxy.calls.splice(0)).toEqual(['append_messages']);
    expect(await heard(one, id)).toEqual(['redis', 'a', 'b', 'c']);
    expect(kit.proxy.calls.splice(0)).toEqual([]);
    await drop(id);
    expect(await heard(one, id)).toEqual(['supabase', 'a', 'b', 'c']);
    expect(kit.proxy.calls.splice(0)).toEqual(['read_thread']);
    expect(await heard(two, id)).toEqual(['redis', 'a', 'b', 'c']);
    expect(kit.proxy.calls.splice(0)).toEqual([]);
  });

  it('are one for a page that the copy does not hold', async () => {
    const id = await conversationOf(one);
    for (let turn = 0; turn < 3; turn += 1)
      await append(one, id, ...Array.from({ length: 50 }, (_, index) => `${turn}/${index}`));
    kit.proxy.calls.length = 0;
    const page = { limit: 20, before: 60 };
    expect(await one.store.read(server, id, page, new AbortController().signal)).toMatchObject({ tier: 'supabase' });
    expect(kit.proxy.calls).toEqual(['read_thread']);
  });
});

describe('every key', () => {
  it('has a time to live, at each point of its life', async () => {
    const ids: string[] = [];
    const withoutEnd = async () => {
      const keys = await raw().keys('*');
      const ttls = await Promise.all(keys.map((key) => raw().pttl(key)));
      return keys.filter((_, index) => (ttls[index] ?? -1) < 0);
    };
    const id = await conversationOf(one);
    ids.push(id);
    expect(await withoutEnd()).toEqual([]);
    kit.proxy.onReply = async () => {
      expect(await withoutEnd()).toEqual([]);
      return 'pass';
    };
    await append(one, id, 'a');
    await drop(id);
    await read(one, id);
    await drop(id);
    await append(one, id, 'b');
    await expect(read(one, randomUUID())).rejects.toThrow(ConversationNotFound);
    expect(await withoutEnd()).toEqual([]);
    expect(await raw().exists(keyOf(id))).toBe(0); // an append alone does not know the thread, and keeps nothing of it
  });

  it('ends with its conversation', async () => {
    const { conversation } = await one.store.create(server, { title: null, metadata: {} }, 100);
    expect(await raw().pttl(keyOf(conversation.id))).toBeLessThanOrEqual(100_000);
    await append(one, conversation.id, 'a');
    expect(await raw().pttl(keyOf(conversation.id))).toBeLessThanOrEqual(100_000);
  });
});

describe('a torn hot copy is never served, and is made anew:', () => {
  it.each<[string, (key: string) => Promise<unknown>]>([
    ['its last message is missing', (key) => raw().rpop(key)],
    ['a message in the middle is missing', async (key) => raw().lrem(key, 1, (await raw().lindex(key, 3)) ?? '')],
    ['a message is there twice', async (key) => raw().rpush(key, (await raw().lindex(key, -1)) ?? '')],
    [
      'a byte of a message is flipped',
      async (key) => raw().lset(key, 3, ((await raw().lindex(key, 3)) ?? '').replace('"b"', '"B"')),
    ],
    [
      'a byte of the conversation is flipped',
      async (key) => raw().lset(key, 1, ((await raw().lindex(key, 1)) ?? '').replace('null', 'nulL')),
    ],
    ['its control is damaged', (key) => raw().lset(key, 0, '{"format":1')],
    ['it is of another format', (key) => raw().lset(key, 0, '{"format":99,"writers":{}}')],
    [
      'it is something else altogether',
      async (key) => {
        await raw().del(key);
        await raw().set(key, 'text', 'EX', 60);
      },
    ],
  ])('%s', async (_what, damage) => {
    const id = await conversationOf(one, 'a', 'b', 'c');
    expect(await heard(two, id)).toEqual(['redis', 'a', 'b', 'c']);
    await damage(keyOf(id));
    expect(await heard(two, id)).toEqual(['supabase', 'a', 'b', 'c']);
    expect(await heard(two, id)).toEqual(['redis', 'a', 'b', 'c']);
  });

  it.each<[string, (key: string) => Promise<unknown>]>([
    ['its control is damaged', (key) => raw().lset(key, 0, '{"format":1')],
    [
      'it is something else',
      async (key) => {
        await raw().del(key);
        await raw().set(key, 'text', 'EX', 60);
      },
    ],
  ])('an append drops it when %s', async (_what, damage) => {
    const id = await conversationOf(one, 'a');
    await damage(keyOf(id));
    await append(one, id, 'b');
    expect(await heard(one, id)).toEqual(['supabase', 'a', 'b']);
    expect(one.troubles).toEqual([]);
  });
});

describe('a hot copy that lacks something is not served:', () => {
  it('an append that does not fit drops it', async () => {
    const id = await conversationOf(one, 'a');
    // Another release, or a phone, wrote to the record without a word to Redis.
    await kit.record.sql`select append_messages(${id}, ${kit.record.sql.json([{ role: 'user', content: 'b' }])})`;
    await append(one, id, 'c');
    expect(await raw().exists(keyOf(id))).toBe(0);
    expect(await heard(one, id)).toEqual(['supabase', 'a', 'b', 'c']);
    expect(await heard(one, id)).toEqual(['redis', 'a', 'b', 'c']);
  });

  it('while somebody writes, readers ask the record; then it is hot again, with what was written', async () => {
    const id = await conversationOf(one, 'a');
    const committed = door();
    const goOn = door();
    kit.proxy.onReply = async (name) => {
      if (name === 'append_messages') {
        committed.open();
        await goOn.opened;
      }
      return 'pass';
    };
    const writing = append(one, id, 'b');
    await committed.opened;
    expect(await heard(two, id)).toEqual(['supabase', 'a', 'b']);
    goOn.open();
    await writing;
    expect(await heard(two, id)).toEqual(['redis', 'a', 'b']);
  });

  it('a reader that fetched before a write can not put back what it has', async () => {
    const id = await conversationOf(one, 'a');
    await drop(id);
    const fetched = door();
    const goOn = door();
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
    await append(one, id, 'b');
    goOn.open();
    expect(await reading).toEqual(['supabase', 'a']); // it began before the append was acknowledged
    expect(await heard(two, id)).toEqual(['supabase', 'a', 'b']);
  });

  it('nor while the write is under way', async () => {
    const id = await conversationOf(one, 'a');
    await drop(id);
    const doors = { read_thread: [door(), door()], append_messages: [door(), door()] } as const;
    kit.proxy.onReply = async (name) => {
      if (name === 'read_thread' || name === 'append_messages') {
        doors[name][0].open();
        await doors[name][1].opened;
      }
      return 'pass';
    };
    const reading = heard(two, id);
    await doors.read_thread[0].opened;
    const writing = append(one, id, 'b');
    await doors.append_messages[0].opened;
    doors.read_thread[1].open();
    expect(await reading).toEqual(['supabase', 'a']);
    expect(await heard(two, id)).toEqual(['supabase', 'a', 'b']); // written, though not yet acknowledged
    doors.append_messages[1].open();
    await writing;
    expect(await heard(two, id)).toEqual(['supabase', 'a', 'b']);
  });

  it('nor when Redis evicted the word that somebody writes', async () => {
    const id = await conversationOf(one, 'a');
    const [called, write, fetched, goOn] = [door(), door(), door(), door()];
    kit.proxy.onCall = async (name) => {
      if (name === 'append_messages') {
        called.open();
        await write.opened;
      }
    };
    kit.proxy.onReply = async (name) => {
      if (name === 'read_thread') {
        fetched.open();
        await goOn.opened;
      }
      return 'pass';
    };
    const writing = append(one, id, 'b');
    await called.opened;
    await drop(id);
    const reading = heard(two, id);
    await fetched.opened;
    write.open();
    await writing;
    goOn.open();
    expect(await reading).toEqual(['supabase', 'a']);
    expect(await heard(two, id)).toEqual(['supabase', 'a', 'b']);
  });

  it('a reader that fetched while a write was under way can not either, whichever is done first', async () => {
    const id = await conversationOf(one, 'a');
    await drop(id);
    const called = door();
    const goOn = door();
    kit.proxy.onCall = async (name) => {
      if (name === 'append_messages') {
        called.open();
        await goOn.opened;
      }
    };
    const writing = append(one, id, 'b');
    await called.opened;
    expect(await heard(two, id)).toEqual(['supabase', 'a']);
    goOn.open();
    await writing;
    expect(await heard(two, id)).toEqual(['supabase', 'a', 'b']);
  });

  it('when the reply to an append is lost, and what it wrote is not known', async () => {
    const id = await conversationOf(one, 'a');
    kit.proxy.onReply = async () => 'cut';
    const lost = say('b');
    await expect(one.store.append(server, id, [lost], undefined)).rejects.toThrow(RecordUnavailable);
    kit.proxy.onReply = async () => 'pass';
    expect(await heard(two, id)).toEqual(['supabase', 'a', 'b']);
    const { receipts } = await one.store.append(server, id, [lost], undefined);
    expect(receipts).toMatchObject([{ seq: 2, duplicate: true }]);
    expect(await heard(two, id)).toEqual(['supabase', 'a', 'b']);
  });

  it('when a writer died between the record and Redis', async () => {
    const id = await conversationOf(one, 'a');
    // What is left in Redis of a process that was killed: its announcement. The record has its message.
    const dead = await kit.process();
    kit.proxy.onReply = async () => {
      dead.redis.client.disconnect();
      return 'pass';
    };
    await append(dead, id, 'b');
    kit.proxy.onReply = async () => 'pass';
    expect(await heard(two, id)).toEqual(['supabase', 'a', 'b']);
    const control = JSON.parse((await raw().lindex(keyOf(id), 0)) ?? '{}');
    expect(Object.keys(control.writers)).toHaveLength(1);
    // Its deadline is over.
    const overdue = Object.fromEntries(Object.keys(control.writers).map((writer) => [writer, Date.now() - 1]));
    await raw().lset(keyOf(id), 0, JSON.stringify({ ...control, writers: overdue }));
    // Whoever finds that out may be cut off before it can bring what the record has.
    kit.proxy.onReply = async () => 'cut';
    await expect(read(two, id)).rejects.toThrow(RecordUnavailable);
    kit.proxy.onReply = async () => 'pass';
    expect(await heard(two, id)).toEqual(['supabase', 'a', 'b']);
    expect(await heard(two, id)).toEqual(['redis', 'a', 'b']);
  });

  it('but what the record refused changes nothing', async () => {
    const id = await conversationOf(one, 'a');
    await expect(one.store.append(server, id, [say('b')], 7)).rejects.toThrow(SeqConflict);
    const stranger = await kit.record.signUp();
    await expect(one.store.append(stranger, id, [say('b')], undefined)).rejects.toThrow(ConversationNotFound);
    kit.proxy.calls.length = 0;
    expect(await heard(two, id)).toEqual(['redis', 'a']);
    expect(kit.proxy.calls).toEqual([]);
  });

  it('and a repeated append leaves it as it is', async () => {
    const id = await conversationOf(one);
    const message = say('a');
    for (let turn = 0; turn < 3; turn += 1) await one.store.append(server, id, [message], undefined);
    await one.store.append(server, id, [message, say('b')], undefined);
    expect(await heard(two, id)).toEqual(['redis', 'a', 'b']);
  });
});

describe('a hot copy of which nobody can say that it is new', () => {
  it('is compared with the record once by a process that has just begun, and then served', async () => {
    const id = await conversationOf(one, 'a', 'b');
    const late = await kit.process();
    kit.proxy.calls.length = 0;
    expect(await heard(late, id)).toEqual(['redis', 'a', 'b']);
    expect(kit.proxy.calls.splice(0)).toEqual(['read_thread']);
    expect(await heard(late, id)).toEqual(['redis', 'a', 'b']);
    expect(kit.proxy.calls).toEqual([]);
  });

  it('is replaced when the record has more', async () => {
    const id = await conversationOf(one, 'a');
    await kit.record.sql`select append_messages(${id}, ${kit.record.sql.json([{ role: 'user', content: 'b' }])})`;
    const late = await kit.process();
    expect(await heard(late, id)).toEqual(['supabase', 'a', 'b']);
    expect(await heard(late, id)).toEqual(['redis', 'a', 'b']);
  });

  it('is dropped when the record has it no more', async () => {
    const id = await conversationOf(one, 'a');
    await kit.record.sql`delete from conversations where id = ${id}`;
    const late = await kit.process();
    await expect(read(late, id)).rejects.toThrow(ConversationNotFound);
    await expect(read(one, id)).rejects.toThrow(ConversationNotFound);
  });

  it('stays for its owner when a stranger asks', async () => {
    const id = await conversationOf(one, 'a');
    const late = await kit.process();
    const stranger = await kit.record.signUp();
    const asked = late.store.read(stranger, id, { limit: 1 }, new AbortController().signal);
    await expect(asked).rejects.toThrow(ConversationNotFound);
    expect(await heard(one, id)).toEqual(['redis', 'a']);
  });
});

it('keeps the newest hundred of a long thread, and no more than a page may hold', async () => {
  const id = await conversationOf(one);
  for (let turn = 0; turn < 3; turn += 1)
    await append(one, id, ...Array.from({ length: 50 }, (_, index) => `${turn * 50 + index + 1}`));
  expect(await raw().llen(keyOf(id))).toBe(102);
  const thread = await read(one, id);
  expect(thread).toMatchObject({ tier: 'redis', has_earlier: true });
  expect(thread.messages.map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, index) => index + 51));
  for (let turn = 0; turn < 7; turn += 1) await append(one, id, 'x'.repeat(900_000));
  expect(await raw().llen(keyOf(id))).toBe(7);
});

it('survives eviction of any key: what is gone is fetched again', async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, () => conversationOf(one, 'a', 'b')));
  await Promise.all(ids.filter((_, index) => index % 3 === 0).map(drop));
  for (const id of ids) expect((await heard(two, id)).slice(1)).toEqual(['a', 'b']);
});

it('drops the copy of which a step failed, and says so', async () => {
  const id = await conversationOf(one, 'a');
  await raw().config('SET', 'maxmemory-policy', 'noeviction');
  await raw().config('SET', 'maxmemory', '1mb');
  await append(one, id, 'b');
  expect(String(one.troubles[0])).toContain('OOM command not allowed');
  expect(await raw().exists(keyOf(id))).toBe(0);
  expect((await read(two, id)).messages).toHaveLength(2);
  await raw().config('SET', 'maxmemory', '0');
  await raw().config('SET', 'maxmemory-policy', 'volatile-lru');
  await read(one, id);
  expect((await read(one, id)).tier).toBe('redis');
});
