import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RecordUnavailable } from '../../../service/conversation/errors.ts';
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

beforeAll(async () => {
  kit = await startDual();
});
afterAll(() => kit?.close());
beforeEach(async () => {
  kit.proxy.onCall = async () => undefined;
  kit.proxy.onReply = async () => 'pass';
  one = await kit.process();
});

const ready = (process: Process) => process.redis.untilReady(AbortSignal.timeout(20_000));
const away = async ({ redis }: Process) => {
  if (redis.readySince === undefined) return;
  await new Promise<void>((resolve) => redis.once('away', () => resolve()));
};
async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await work;
  expect(performance.now() - started).toBeLessThan(milliseconds);
  return result;
}

describe('without Redis', () => {
  it('goes on with Supabase alone and says so; when Redis is back, nothing old is served', async () => {
    const id = await conversationOf(one, 'a');
    expect(await heard(one, id)).toEqual(['redis', 'a']);
    await kit.redis.kill();
    await away(one);
    expect(one.store.tiers()).toEqual(['supabase']);
    await append(one, id, 'b');
    expect(await heard(one, id)).toEqual(['supabase', 'a', 'b']);
    const other = await conversationOf(one, 'x');
    await kit.redis.restart();
    await ready(one);
    expect(one.store.tiers()).toEqual(['redis', 'supabase']);
    // Redis has read from its log a copy that lacks what was written in the meantime.
    expect(await heard(one, id)).toEqual(['supabase', 'a', 'b']);
    expect(await heard(one, id)).toEqual(['redis', 'a', 'b']);
    expect(await heard(one, other)).toEqual(['supabase', 'x']);
  });

  it('serves from Redis what came back from its log, once it was compared with the record', async () => {
    const id = await conversationOf(one, 'a', 'b');
    await kit.redis.restart();
    await ready(one);
    kit.proxy.calls.length = 0;
    expect(await heard(one, id)).toEqual(['redis', 'a', 'b']);
    expect(kit.proxy.calls.splice(0)).toEqual(['read_thread']);
    expect(await heard(one, id)).toEqual(['redis', 'a', 'b']);
    expect(kit.proxy.calls).toEqual([]);
  });

  it('does not trust what a reader brings that began before Redis went away', async () => {
    await one.redis.client.config('SET', 'appendfsync', 'always'); // its right to bring a copy survives
    const id = await conversationOf(one, 'a');
    await one.redis.client.unlink(keyOf(id));
    const fetched = door();
    const goOn = door();
    kit.proxy.onReply = async (name) => {
      if (name === 'read_thread') {
        fetched.open();
        await goOn.opened;
      }
      return 'pass';
    };
    const reading = heard(one, id);
    await fetched.opened;
    await kit.redis.kill();
    await away(one);
    await append(one, id, 'b');
    await kit.redis.restart();
    await ready(one);
    goOn.open();
    expect(await reading).toEqual(['supabase', 'a']);
    expect(await one.redis.client.llen(keyOf(id))).toBe(3); // there it is: control, conversation, "a"
    expect(await heard(one, id)).toEqual(['supabase', 'a', 'b']);
  });

  it('drops what a reader brings while Redis missed that somebody writes', async () => {
    const id = await conversationOf(one, 'a');
    await one.redis.client.unlink(keyOf(id));
    const committing = door();
    const goOn = door();
    kit.proxy.onCall = async (name) => {
      if (name === 'append_messages') {
        committing.open();
        await goOn.opened;
      }
    };
    await kit.redis.kill();
    await away(one);
    const writing = append(one, id, 'b');
    await committing.opened;
    await kit.redis.restart();
    await ready(one);
    expect(await heard(one, id)).toEqual(['supabase', 'a']);
    expect(await heard(one, id)).toEqual(['redis', 'a']); // "b" is not written yet
    goOn.open();
    await writing;
    expect((await heard(one, id)).slice(1)).toEqual(['a', 'b']);
  });

  it('does not wait for a Redis that hangs, and takes it back when it answers again', async () => {
    const id = await conversationOf(one, 'a');
    await kit.redis.container.pause();
    try {
      await within(3000, append(one, id, 'b'));
      for (let turn = 0; turn < 5; turn += 1) await within(1500, heard(one, id));
      await within(1500, append(one, id, 'c'));
    } finally {
      await kit.redis.container.unpause();
    }
    await ready(one);
    expect((await heard(one, id)).slice(1)).toEqual(['a', 'b', 'c']);
    await append(one, id, 'd');
    expect((await heard(one, id)).slice(1)).toEqual(['a', 'b', 'c', 'd']);
    expect((await read(one, await conversationOf(one, 'x'))).tier).toBe('redis');
  });
});

describe('without Supabase', () => {
  it('acknowledges nothing, serves what it knows to be new, and goes on when Supabase is back', async () => {
    const id = await conversationOf(one, 'a');
    await kit.record.stopApi();
    const late = say('b');
    const refused = one.store.append(server, id, [late], undefined);
    await expect(within(2000, refused)).rejects.toThrow(RecordUnavailable);
    await expect(conversationOf(one)).rejects.toThrow(RecordUnavailable);
    await expect(read(one, id)).rejects.toThrow(RecordUnavailable); // it may have been written after all
    await kit.record.startApi();
    const { receipts } = await one.store.append(server, id, [late], undefined);
    expect(receipts).toMatchObject([{ seq: 2, duplicate: false }]);
    expect((await heard(one, id)).slice(1)).toEqual(['a', 'b']);
  });

  it('goes on reading hot threads', async () => {
    const id = await conversationOf(one, 'a');
    await kit.record.stopApi();
    try {
      expect(await heard(one, id)).toEqual(['redis', 'a']);
    } finally {
      await kit.record.startApi();
    }
  });

  it('gives up a call after ten seconds, and knows nothing of what it did', async () => {
    const id = await conversationOf(one, 'a');
    await kit.record.sql.begin(async (tx) => {
      await tx`select from conversations where id = ${id} for update`; // somebody holds the thread, and does not let go
      const started = performance.now();
      await expect(append(one, id, 'b')).rejects.toThrow(RecordUnavailable);
      expect(performance.now() - started).toBeLessThan(12_000);
    });
    expect((await heard(one, id))[0]).toBe('supabase');
  });
});

it('loses nothing and doubles nothing when PostgreSQL and Redis are killed under writers who try again', async () => {
  const two = await kit.process();
  const id = await conversationOf(one);
  const acknowledged = new Map<string, number>();
  let stop = false;
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    const { store } = writer % 2 === 0 ? one : two;
    for (let turn = 0; !stop; turn += 1) {
      const message = say(`${writer}/${turn}`, `${writer}/${turn}`);
      for (;;) {
        try {
          const { receipts } = await store.append(server, id, [message], undefined);
          acknowledged.set(message.client_message_id, receipts[0]?.seq ?? 0);
          break;
        } catch (error) {
          expect(error).toBeInstanceOf(RecordUnavailable);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }
    }
  });
  const untilAcknowledged = async (count: number) => {
    while (acknowledged.size < count) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await untilAcknowledged(50);
  await kit.redis.kill();
  await untilAcknowledged(100);
  await kit.redis.restart();
  await untilAcknowledged(150);
  await kit.record.postgres.kill();
  await kit.record.postgres.restart();
  await untilAcknowledged(acknowledged.size + 50);
  stop = true;
  await Promise.all(writers);

  const rows = await kit.record.sql<{ seq: number; name: string }[]>`
    select seq, client_message_id as name from messages where conversation_id = ${id} order by seq`;
  expect(rows.map(({ seq }) => seq)).toEqual(Array.from({ length: rows.length }, (_, index) => index + 1));
  expect(new Map(rows.map(({ name, seq }) => [name, seq]))).toEqual(acknowledged);
  const newest = rows.slice(-100).map(({ name }) => name);
  for (const process of [one, two, await kit.process()]) {
    await ready(process);
    expect((await heard(process, id)).slice(1)).toEqual(newest);
    expect((await heard(process, id)).slice(1)).toEqual(newest);
  }
});

it('stores a message once, though the replies to a hundred appends are lost', async () => {
  const id = await conversationOf(one);
  const messages = Array.from({ length: 100 }, (_, index) => say(String(index)));
  for (const message of messages) {
    let cut = false;
    kit.proxy.onReply = async () => {
      if (cut) return 'pass';
      cut = true;
      return 'cut';
    };
    await expect(one.store.append(server, id, [message], undefined)).rejects.toThrow(RecordUnavailable);
    const { receipts } = await one.store.append(server, id, [message], undefined);
    expect(receipts).toMatchObject([{ duplicate: true }]);
  }
  expect((await heard(one, id)).slice(1)).toEqual(messages.map(({ content }) => content));
});
