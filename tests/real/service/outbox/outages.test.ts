import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  ClientMessageIdReused,
  ConversationNotFound,
  RecordUnavailable,
} from '../../../../service/conversation/errors.ts';
import { door } from '../api-proxy.ts';
import { say } from '../dual.ts';
import type { TestUser } from '../servers.ts';
import {
  append,
  type Box,
  type BoxProcess,
  begin,
  drained,
  read,
  server,
  startBox,
  stored,
  texts,
  until,
} from './box.ts';

let box: Box;
let one: BoxProcess;
let user: TestUser;
beforeAll(async () => {
  box = await startBox();
  one = await box.process();
  user = await box.record.signUp();
});
afterEach(async () => {
  box.back();
  await until(() => one.desk.report(false).record === 'there');
  await drained(one);
});
afterAll(() => box?.close());

const awayAgain = async () => {
  box.cut();
  await expect(begin(one)).resolves.toBeDefined();
  await until(() => one.desk.report(false).record === 'away');
};

describe('while the record is away', () => {
  it('appends are acknowledged as queued, and read as pending; then they are stored in their order', async () => {
    const id = await begin(one, user);
    await append(one, id, [say('a')], user);
    box.cut();
    const queued = await append(one, id, [say('b', 'b'), say('c')], user);
    expect(queued).toMatchObject({ tier: 'outbox', durability: 'queued', conversation: { id, last_seq: 1 } });
    expect(queued.receipts).toMatchObject([
      { client_message_id: 'b', seq: null, duplicate: false },
      { seq: null, duplicate: false },
    ]);
    await append(one, id, [say('d')], user);
    await until(() => one.desk.report(false).record === 'away');
    expect(one.store.tiers()).toEqual(['redis', 'outbox']);
    const thread = await read(one, id, user);
    expect(thread).toMatchObject({ tier: 'redis', confirmed: false });
    expect(thread.messages.map(({ content }) => content)).toEqual(['a']);
    expect(thread.pending.map(({ content }) => content)).toEqual(['b', 'c', 'd']);
    box.back();
    await drained(one);
    expect((await stored(box, id)).map(({ seq, content }) => [seq, content])).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
      [4, 'd'],
    ]);
    expect(await read(one, id, user)).toMatchObject({ confirmed: true, pending: [], conversation: { last_seq: 4 } });
    expect(await append(one, id, [say('b', 'b')], user)).toMatchObject({ receipts: [{ seq: 2, duplicate: true }] });
  });

  it('conversations begin, are read and written, and are stored with the id that was told', async () => {
    box.cut();
    const created = await one.store.create(user, { title: 'Offline', metadata: { a: 1 } }, 3600);
    expect(created).toMatchObject({ tier: 'outbox', created: true, conversation: { user_id: user.id, last_seq: 0 } });
    const { id } = created.conversation;
    await append(one, id, [say('a')], user);
    expect(await read(one, id, user)).toMatchObject({
      tier: 'outbox',
      confirmed: false,
      messages: [],
      pending: [{ content: 'a' }],
      conversation: { title: 'Offline', metadata: { a: 1 } },
    });
    await expect(read(one, id, { ...user, id: randomUUID() })).rejects.toThrow(ConversationNotFound);
    box.back();
    await drained(one);
    const thread = await read(one, id, user);
    expect(thread).toMatchObject({
      conversation: { title: 'Offline', continuation_id: created.conversation.continuation_id },
    });
    expect(texts(thread)).toEqual(['a']);
    expect(Date.parse(thread.conversation.created_at)).toBe(Date.parse(created.conversation.created_at));
  });

  it('the same again is a duplicate, other content under the name is refused, and an expected seq is not checked', async () => {
    const id = await begin(one);
    box.cut();
    await append(one, id, [say('a', 'm')]);
    expect(await append(one, id, [say('a', 'm')])).toMatchObject({
      durability: 'queued',
      receipts: [{ seq: null, duplicate: true }],
    });
    await expect(append(one, id, [say('b', 'm')])).rejects.toThrow(ClientMessageIdReused);
    await expect(one.store.append(server, id, [say('c')], 0)).rejects.toThrow(RecordUnavailable);
    box.back();
    await drained(one);
    expect((await stored(box, id)).map(({ content }) => content)).toEqual(['a']);
  });

  it('what says the same twice on purpose is there twice', async () => {
    const id = await begin(one);
    box.cut();
    await append(one, id, [say('yes')]);
    await append(one, id, [say('yes')]);
    box.back();
    await drained(one);
    expect((await stored(box, id)).map(({ content }) => content)).toEqual(['yes', 'yes']);
  });

  it('nothing is acknowledged for a conversation that nobody here knows, or that is somebody else’s', async () => {
    const id = await begin(one, user);
    const other = await box.record.signUp();
    const [{ id: unseen } = { id: '' }] = await box.record.sql<{ id: string }[]>`
      insert into conversations (user_id) values (${user.id}) returning id`;
    await awayAgain();
    await expect(append(one, unseen, [say('x')], user)).rejects.toThrow(RecordUnavailable);
    await expect(read(one, unseen, user)).rejects.toThrow(RecordUnavailable);
    await expect(append(one, id, [say('x')], other)).rejects.toThrow(ConversationNotFound);
    await expect(read(one, id, other)).rejects.toThrow(ConversationNotFound);
    await expect(one.store.clear(user, id)).rejects.toThrow(RecordUnavailable);
    box.back();
    await drained(one);
    expect(await stored(box, id)).toEqual([]);
  });

  it('another process knows a conversation by its hot copy', async () => {
    const id = await begin(one, user);
    await append(one, id, [say('a')], user);
    const two = await box.process();
    box.cut();
    expect(await append(two, id, [say('b')], user)).toMatchObject({ durability: 'queued' });
    expect(texts(await read(two, id, user))).toEqual(['a', 'b']);
    expect(texts(await read(one, id, user))).toEqual(['a', 'b']);
    box.back();
    await drained(two);
    expect((await stored(box, id)).map(({ content }) => content)).toEqual(['a', 'b']);
    await two.close();
  });

  it('goes on without Redis, too', async () => {
    const id = await begin(one, user);
    await box.redis.kill();
    try {
      await until(() => !one.store.tiers().includes('redis'));
      await awayAgain();
      expect(await append(one, id, [say('a')], user)).toMatchObject({ durability: 'queued' });
      await expect(read(one, id, user)).rejects.toThrow(RecordUnavailable); // its messages are not known here
      const fresh = await begin(one, user);
      await append(one, fresh, [say('b')], user);
      expect(texts(await read(one, fresh, user))).toEqual(['b']);
    } finally {
      await box.redis.restart();
    }
    box.back();
    await drained(one);
    expect((await stored(box, id)).map(({ content }) => content)).toEqual(['a']);
  });

  it('serves no conversation that has expired, and keeps what was acknowledged before it did', async () => {
    const short = await begin(one, user, 2);
    const other = await begin(one, user, 2);
    await append(one, other, [say('a')], user);
    await awayAgain();
    await append(one, short, [say('in time')], user);
    const life = delay(2_000); // that the append gave it
    await until(() =>
      box.record.sql`select 1 from conversations where id = ${short} and expires_at < now()`.then(
        ({ length }) => length > 0,
      ),
    );
    await life;
    await expect(append(one, short, [say('late')], user)).rejects.toThrow(ConversationNotFound);
    await expect(append(one, other, [say('late')], user)).rejects.toThrow(ConversationNotFound);
    await expect(read(one, other, user)).rejects.toThrow(ConversationNotFound);
    expect(await one.store.cleanUp()).toMatchObject({ rest: 'busy' });
    box.back();
    await drained(one);
    expect(texts(await read(one, short, user))).toEqual(['in time']);
  });

  it('a phone writes into the database meanwhile: both are kept', async () => {
    const id = await begin(one, user);
    box.cut();
    await append(one, id, [say('box 1')], user);
    await box.record.sql`insert into messages (conversation_id, client_message_id, role, content)
      values (${id}, 'phone', 'user', '"phone"')`;
    await append(one, id, [say('box 2')], user);
    box.back();
    await drained(one);
    expect((await stored(box, id)).map(({ content }) => content)).toEqual(['phone', 'box 1', 'box 2']);
    expect(texts(await read(one, id, user))).toEqual(['phone', 'box 1', 'box 2']);
  });
});

describe('a record that hangs', () => {
  it('holds nobody up for ten seconds, and nobody at all once it is found out', async () => {
    const id = await begin(one);
    const shut = door();
    box.proxy.onCall = () => shut.opened;
    const timed = async (work: () => Promise<unknown>) => {
      const started = performance.now();
      await work();
      return performance.now() - started;
    };
    expect(await timed(() => append(one, id, [say('a')]))).toBeLessThan(7000);
    for (const text of ['b', 'c', 'd']) expect(await timed(() => append(one, id, [say(text)]))).toBeLessThan(500);
    expect(await timed(() => read(one, id))).toBeLessThan(500);
    expect(await timed(() => expect(one.store.clear(server, id)).rejects.toThrow(RecordUnavailable))).toBeLessThan(500);
    box.back();
    shut.open(); // what hung goes on now, and is there once all the same
    await drained(one);
    expect((await stored(box, id)).map(({ content }) => content)).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('as long as something waits', () => {
  it('the next append comes behind it, whichever process it is for', async () => {
    const two = await box.process();
    const id = await begin(one);
    await read(two, id);
    box.cut();
    await append(one, id, [say('a')]);
    const replaying = door();
    const goOn = door();
    box.proxy.onCall = async (name) => {
      if (name !== 'replay_messages') return;
      replaying.open();
      await goOn.opened;
    };
    await replaying.opened;
    const [mine, others] = [append(one, id, [say('b')]), append(two, id, [say('c')])];
    const thread = await read(two, id);
    expect(thread.confirmed).toBe(true);
    expect(thread.pending.map(({ content }) => content)).toEqual(['a']);
    goOn.open();
    expect(await Promise.all([mine, others])).toMatchObject([{ durability: 'record' }, { durability: 'record' }]);
    const contents = (await stored(box, id)).map(({ content }) => content);
    expect(contents[0]).toBe('a');
    expect(contents.toSorted()).toEqual(['a', 'b', 'c']);
    await two.close();
  });

  it('and takes long, the next append waits behind it, and a change waits for it in vain', async () => {
    const id = await begin(one);
    box.cut();
    await append(one, id, [say('a')]);
    const goOn = door();
    box.proxy.onCall = async (name) => {
      if (name === 'replay_messages') await goOn.opened;
    };
    await until(() => one.desk.report(false).record === 'there');
    const [queued, cleared] = await Promise.allSettled([append(one, id, [say('b')]), one.store.clear(server, id)]);
    expect(queued).toMatchObject({ value: { durability: 'queued' } });
    expect(cleared).toMatchObject({ reason: expect.any(RecordUnavailable) });
    goOn.open();
    await drained(one);
    expect((await stored(box, id)).map(({ content }) => content)).toEqual(['a', 'b']);
    expect(await one.store.clear(server, id)).toMatchObject({ conversation: { cleared_seq: 2 } });
  });
});

describe('what the record refuses', () => {
  const refusedOf = (id: string) => one.desk.report(true).refused.filter(({ conversation_id: of }) => of === id);
  const health = () => one.desk.probe.answer(AbortSignal.timeout(1000));
  afterEach(async () => {
    for (const { id } of one.desk.report(false).refused) await one.desk.discard(id);
  });

  it('because the user is gone is kept for a person, counted, and can be retried', async () => {
    const gone = await box.record.signUp();
    const id = await begin(one, gone);
    box.cut();
    await append(one, id, [say('a'), say('b')], gone);
    const begun = await begin(one, gone);
    await append(one, begun, [say('c')], gone);
    await box.record.sql`delete from auth.users where id = ${gone.id}`;
    box.back();
    await drained(one);
    expect(refusedOf(id)).toMatchObject([{ code: 'conversation_not_found', user_id: gone.id, message_count: 2 }]);
    expect(refusedOf(begun)).toMatchObject([{ code: 'user_not_found', is_new: true, message_count: 1 }]);
    expect(one.desk.refusedCount).toBe(2);
    await expect(health()).rejects.toThrow(/refused 2 entries/);
    expect(one.lines.filter((line) => line.includes(begun) && line.includes('refused'))).toHaveLength(1);

    await box.record.sql`insert into auth.users (id, email) values (${gone.id}, ${`${gone.id}@example.com`})`;
    for (const entry of refusedOf(begun)) expect(await one.desk.retry(entry.id)).toBe(true);
    await drained(one);
    expect((await stored(box, begun)).map(({ content }) => content)).toEqual(['c']);
    for (const entry of refusedOf(id)) expect(await one.desk.discard(entry.id)).toBe(true);
    await expect(health()).resolves.toBeUndefined();
  });

  it('takes nothing else with it: only the append that it refuses is left out', async () => {
    const id = await begin(one, user);
    box.cut();
    await append(one, id, [say('a')], user);
    await append(one, id, [say('taken', 'taken'), say('with it')], user);
    await append(one, id, [say('b')], user);
    await box.record.sql`insert into messages (conversation_id, client_message_id, role, content)
      values (${id}, 'taken', 'user', '"something else"')`;
    box.back();
    await drained(one);
    expect((await stored(box, id)).map(({ content }) => content)).toEqual(['something else', 'a', 'b']);
    expect(refusedOf(id)).toMatchObject([
      { code: 'client_message_id_reused', messages: [{ content: 'taken' }, { content: 'with it' }] },
    ]);
  });
});

describe('a user who is erased', () => {
  it('is erased from the outbox, too: nothing of theirs is replayed', async () => {
    const gone = await box.record.signUp();
    const id = await begin(one, gone);
    await awayAgain();
    await append(one, id, [say('a')], gone);
    const begun = await begin(one, gone);
    await expect(one.store.eraseUser(gone, gone.id)).rejects.toThrow(RecordUnavailable); // the record is yet to do it
    box.back();
    await until(() => one.desk.report(false).record === 'there');
    expect(await one.store.eraseUser(gone, gone.id)).toMatchObject({ conversations: 1 });
    await drained(one);
    for (const each of [id, begun]) {
      expect(await box.record.sql`select 1 from conversations where id = ${each}`).toHaveLength(0);
      await expect(read(one, each, gone)).rejects.toThrow(ConversationNotFound);
    }
    expect(one.desk.report(false).refused).toEqual([]);
  });

  it('waits for what is being replayed at this moment', async () => {
    const gone = await box.record.signUp();
    box.cut();
    const id = await begin(one, gone);
    await append(one, id, [say('a')], gone);
    const replaying = door();
    const goOn = door();
    box.proxy.onCall = async (name) => {
      if (name !== 'replay_messages') return;
      replaying.open();
      await goOn.opened;
    };
    await replaying.opened;
    const erasing = one.store.eraseUser(gone, gone.id);
    goOn.open();
    await erasing;
    await drained(one);
    expect(await box.record.sql`select 1 from conversations where user_id = ${gone.id}`).toHaveLength(0);
  });
});
