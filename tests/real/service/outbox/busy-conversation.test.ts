import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RecordUnavailable } from '../../../../service/conversation/errors.ts';
import { turnLimits } from '../../../../service/storage/outbox/write-turns.ts';
import { door } from '../api-proxy.ts';
import { say } from '../dual.ts';
import { append, type Box, type BoxProcess, begin, drained, read, server, startBox, stored, until } from './box.ts';

let box: Box;
let one: BoxProcess;
beforeAll(async () => {
  box = await startBox();
  one = await box.process();
});
afterEach(async () => {
  box.back();
  await until(() => one.desk.report(false).record === 'there');
  await drained(one);
});
afterAll(() => box?.close());

/** More than the API has sessions with the database. */
const names = Array.from({ length: 40 }, (_, index) => `m${index}`);

/** Holds the row of a conversation as a write that takes long does. */
async function hold(id: string) {
  const held = door();
  const goOn = door();
  const done = box.record.sql.begin(async (sql) => {
    await sql`select from conversations where id = ${id} for no key update`;
    held.open();
    await goOn.opened;
  });
  await held.opened;
  return async () => {
    goOn.open();
    await done;
  };
}
const appendsCalled = () => box.proxy.calls.filter((name) => name === 'append_messages').length;

describe('many writers to one conversation', () => {
  it('leave the record to the other conversations, and all are stored', async () => {
    const [busy, other] = [await begin(one), await begin(one)];
    await append(one, other, [say('a')]);
    const release = await hold(busy);
    box.proxy.calls.length = 0;
    const appending = Promise.all(names.map((name) => append(one, busy, [say(name, name)])));
    await until(() => appendsCalled() === turnLimits.atOnce);
    const page = { limit: 10, after: 0 };
    const thread = await one.store.read(server, other, page, new AbortController().signal);
    expect(thread).toMatchObject({ confirmed: true, messages: [{ content: 'a' }] });
    expect(await append(one, other, [say('b')])).toMatchObject({ durability: 'record' });
    expect(await begin(one)).toBeDefined();
    expect(one.desk.report(false).record).toBe('there');
    await release();
    const receipts = (await appending).flatMap(({ receipts }) => receipts);
    expect(receipts.map(({ seq }) => seq).sort((a, b) => Number(a) - Number(b))).toEqual(names.map((_, i) => i + 1));
    expect(appendsCalled()).toBe(names.length + 1); // one call each
    const inRecord = new Map((await stored(box, busy)).map(({ name, seq }) => [name, seq]));
    for (const { client_message_id: name, seq } of receipts) expect(inRecord.get(name)).toBe(seq);
  });

  it('are refused each for itself', async () => {
    const busy = await begin(one);
    const results = await Promise.allSettled(
      names.map((name, index) => one.store.append(server, busy, [say(name)], index % 2 === 0 ? undefined : 1_000)),
    );
    expect(results.map(({ status }) => status)).toEqual(
      names.map((_, index) => (index % 2 === 0 ? 'fulfilled' : 'rejected')),
    );
    expect(await stored(box, busy)).toHaveLength(names.length / 2);
  });

  it('are queued when their turn does not come, with the record there', async () => {
    const busy = await begin(one);
    const release = await hold(busy);
    const appending = Promise.all(names.map((name) => append(one, busy, [say(name, name)])));
    const conditional = one.store.append(server, busy, [say('if')], 0);
    await expect(conditional).rejects.toThrow(RecordUnavailable);
    await until(() => one.desk.report(false).waiting.conversations === 1);
    expect(one.desk.report(false).record).toBe('there');
    expect(await read(one, busy)).toMatchObject({ confirmed: true });
    await release();
    const ways = (await appending).map(({ durability }) => durability);
    expect(ways.filter((way) => way === 'record')).toHaveLength(turnLimits.atOnce);
    await drained(one);
    expect((await stored(box, busy)).map(({ name }) => name).sort()).toEqual([...names].sort());
  }, 30_000);

  it('are queued, and not called for, when the record goes away while they wait', async () => {
    const busy = await begin(one);
    const called = door();
    const cut = door();
    box.proxy.calls.length = 0;
    box.proxy.onCall = async () => {
      called.open();
      await cut.opened;
      throw new Error('cut');
    };
    const appending = Promise.all(names.map((name) => append(one, busy, [say(name, name)])));
    const conditional = one.store.append(server, busy, [say('if')], 0);
    const refused = expect(conditional).rejects.toThrow(RecordUnavailable);
    await called.opened;
    cut.open();
    for (const { durability } of await appending) expect(durability).toBe('queued');
    await refused;
    box.back();
    await drained(one);
    expect((await stored(box, busy)).map(({ name }) => name).sort()).toEqual([...names].sort());
  });
});
