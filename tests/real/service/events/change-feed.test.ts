import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ConversationEvent } from '../../../../service/conversation/conversation-events.ts';
import { ChangeFeed, feedTimes } from '../../../../service/events/change-feed.ts';
import { LocalEvents } from '../../../../service/events/local-events.ts';
import { copyTimes } from '../../../../service/storage/hot-copies/hot-copies.ts';
import { RecordChanges } from '../../../../service/storage/supabase/record-changes.ts';
import { SupabaseCalls } from '../../../../service/storage/supabase/supabase-calls.ts';
import { door } from '../api-proxy.ts';
import { append, conversationOf, type DualFixture, heard, type Process, read, server, startDual } from '../dual.ts';

interface Watching extends Process {
  readonly events: LocalEvents;
  readonly lines: string[];
}

let dual: DualFixture;
const opened: { feed: ChangeFeed; calls: SupabaseCalls }[] = [];
beforeAll(async () => {
  dual = await startDual();
});
beforeEach(() => {
  dual.proxy.onCall = async () => undefined;
  dual.proxy.onReply = async () => 'pass';
});
afterEach(async () => {
  for (const { feed, calls } of opened.splice(0)) {
    await feed.close();
    await calls.close();
  }
});
afterAll(() => dual?.close());

/** A process as it runs: with a feed. Returns when that knows what the record has. */
async function watching(): Promise<Watching> {
  const process = await dual.process();
  const [events, lines]: [LocalEvents, string[]] = [new LocalEvents(), []];
  const calls = new SupabaseCalls({ ...dual.record.settings, url: dual.proxy.url });
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const began = callsOf('changes_since');
  await read(process, await conversationOf(process)); // so that there is something to watch
  opened.push({
    feed: new ChangeFeed({ changes: new RecordChanges(calls), copies: process.copies, events, log }),
    calls,
  });
  await vi.waitFor(() => expect(callsOf('changes_since')).toBeGreaterThan(began + 1), 5_000);
  return { ...process, events, lines };
}

const callsOf = (name: string) => dual.proxy.calls.filter((call) => call === name).length;
const sayDirectly = (id: string, text: string) =>
  dual.record.sql`insert into messages (conversation_id, client_message_id, role, content)
    values (${id}, ${randomUUID()}, 'user', ${dual.record.sql.json(text)})`;
/** Until the feed has looked again, from the beginning to the end of a look. */
async function oneLook(): Promise<void> {
  const before = callsOf('changes_since');
  await vi.waitFor(() => expect(callsOf('changes_since')).toBeGreaterThan(before + 1), 5_000);
}

describe('a hot copy that is watched', () => {
  it('shows what was written around the service within the interval, and reads take no call to the record', async () => {
    const process = await watching();
    const id = await conversationOf(process, 'one');
    expect(await heard(process, id)).toEqual(['redis', 'one']);
    await sayDirectly(id, 'two');
    const written = Date.now();
    let reads = 0;
    const readsOfTheRecord = callsOf('read_thread');
    for (; (await heard(process, id)).length < 3; reads++) await delay(5);
    expect(Date.now() - written).toBeLessThan(copyTimes.unwatched);
    expect(reads).toBeGreaterThan(3);
    expect(callsOf('read_thread') - readsOfTheRecord).toBe(1);
    expect(await heard(process, id)).toEqual(['redis', 'one', 'two']);
  });

  it('is served without a call to the record for longer than an unwatched one', async () => {
    const process = await watching();
    const id = await conversationOf(process, 'one');
    const readsOfTheRecord = callsOf('read_thread');
    for (const end = Date.now() + 2 * copyTimes.unwatched; Date.now() < end; await delay(20)) {
      expect(await heard(process, id)).toEqual(['redis', 'one']);
    }
    expect(callsOf('read_thread')).toBe(readsOfTheRecord);
  });

  it('is not thrown away for what the service itself writes', async () => {
    const [one, other] = [await watching(), await watching()];
    const id = await conversationOf(one, 'first');
    const readsOfTheRecord = callsOf('read_thread');
    const end = Date.now() + 4 * feedTimes.interval;
    let written = 1;
    // In turn: of two appends at once the later one may reach Redis first, which takes the copy away.
    for (; Date.now() < end; written += 2) for (const process of [one, other]) await append(process, id, 'more');
    await oneLook();
    expect(await read(one, id)).toMatchObject({ tier: 'redis', conversation: { last_seq: written } });
    expect(callsOf('read_thread')).toBe(readsOfTheRecord);
  });

  it.each([
    ['a message is changed', `update messages set content = '"other"' where conversation_id = $1`, ['other']],
    ['messages are cleared', 'update conversations set cleared_seq = last_seq where id = $1', []],
  ])('goes when %s by hand', async (_, statement, left) => {
    const process = await watching();
    const id = await conversationOf(process, 'one');
    await dual.record.sql.unsafe(statement, [id]);
    await oneLook();
    expect(await heard(process, id)).toEqual(['supabase', ...left]);
    expect(await heard(process, id)).toEqual(['redis', ...left]);
  });

  it('goes when the conversation does, or lives shorter', async () => {
    const process = await watching();
    const [deleted, expired] = [await conversationOf(process, 'one'), await conversationOf(process, 'one')];
    await dual.record.sql`delete from conversations where id = ${deleted}`;
    await dual.record
      .sql`update conversations set ttl_seconds = 1, accessed_at = now() - interval '1 hour' where id = ${expired}`;
    await oneLook();
    for (const id of [deleted, expired]) {
      await expect(read(process, id)).rejects.toMatchObject({ code: 'conversation_not_found' });
    }
  });

  it('is not filled with what was read before somebody wrote around the service', async () => {
    const process = await watching();
    const id = await conversationOf(process, 'one');
    await process.copies.doubt(id, 'nobody');
    const [answered, goOn] = [door(), door()];
    dual.proxy.onReply = async (name) => {
      if (name === 'read_thread') {
        answered.open();
        await goOn.opened;
      }
      return 'pass';
    };
    const early = heard(process, id);
    await answered.opened;
    await sayDirectly(id, 'two');
    await oneLook();
    goOn.open();
    expect(await early).toEqual(['supabase', 'one']);
    expect(await heard(process, id)).toEqual(['supabase', 'one', 'two']);
    expect(await heard(process, id)).toEqual(['redis', 'one', 'two']);
  });
});

describe('while changes can not be seen', () => {
  it('a copy is trusted no longer than the bound, and as before when they can', async () => {
    const process = await watching();
    const id = await conversationOf(process, 'one');
    const shut = door();
    dual.proxy.onCall = async (name) => (name === 'changes_since' ? shut.opened : undefined);
    await delay(feedTimes.patience); // a look that is under way ends
    await sayDirectly(id, 'two');
    const written = Date.now();
    while ((await heard(process, id)).length < 3) await delay(5);
    expect(Date.now() - written).toBeLessThan(copyTimes.unwatched + 200);
    await vi.waitFor(() => expect(process.lines.join()).toContain('changes in the record are not seen'), 5_000);
    shut.open();
    await vi.waitFor(() => expect(process.lines.join()).toContain('changes in the record are seen again'), 20_000);
    const readsOfTheRecord = callsOf('read_thread');
    await sayDirectly(id, 'three');
    await oneLook();
    expect(await heard(process, id)).toEqual(['supabase', 'one', 'two', 'three']);
    for (const end = Date.now() + copyTimes.unwatched + 500; Date.now() < end; await delay(50))
      await heard(process, id);
    expect(callsOf('read_thread')).toBe(readsOfTheRecord + 1);
  });

  it('nothing from before is trusted when the record has forgotten what has changed', async () => {
    const process = await watching();
    const id = await conversationOf(process, 'one');
    await dual.record.sql`truncate change_feed, conversation_changes`;
    await dual.record.sql`alter table conversations disable trigger user`;
    await dual.record.sql`update conversations set title = 'other' where id = ${id}`;
    await dual.record.sql`alter table conversations enable trigger user`;
    await oneLook();
    await delay(copyTimes.unwatched);
    const { conversation } = await read(process, id);
    expect(conversation.title).toBe('other');
  });
});

describe('listeners', () => {
  it('that were there before the feed read what was written before its first look', async () => {
    const process = await dual.process();
    process.copies.watched = { since: Number.POSITIVE_INFINITY, until: 0 };
    const id = await conversationOf(process, 'one');
    const events = new LocalEvents();
    const calls = new SupabaseCalls(dual.record.settings);
    const found = Promise.withResolvers<unknown[]>();
    events.subscribe(id, () => void heard(process, id).then(found.resolve, found.reject));
    await sayDirectly(id, 'two');
    expect(await heard(process, id)).toEqual(['redis', 'one']);
    const log = pino({ level: 'silent' });
    opened.push({
      feed: new ChangeFeed({ changes: new RecordChanges(calls), copies: process.copies, events, log }),
      calls,
    });
    expect(await found.promise).toEqual(['supabase', 'one', 'two']);
  });

  it('hear of what was written around the service, and of what kind it was', async () => {
    const process = await watching();
    const [appended, renamed, deleted] = await Promise.all([1, 2, 3].map(() => conversationOf(process, 'one')));
    if (!appended || !renamed || !deleted) throw new Error('three were made');
    await oneLook();
    const events: ConversationEvent[] = [];
    for (const id of [appended, renamed, deleted]) process.events.subscribe(id, (event) => events.push(event));
    await sayDirectly(appended, 'two');
    await dual.record.sql`update conversations set title = 'other' where id = ${renamed}`;
    await dual.record.sql`delete from conversations where id = ${deleted}`;
    await vi.waitFor(() => expect(events).toHaveLength(3), 5_000);
    expect(events).toEqual(
      expect.arrayContaining([
        { kind: 'appended', conversation_id: appended, last_seq: 2 },
        { kind: 'changed', conversation_id: renamed },
        { kind: 'deleted', conversation_id: deleted },
      ]),
    );
  });

  it('keep the feed going; it rests when nobody listens and no copy was used for long', async () => {
    const process = await watching();
    vi.spyOn(process.copies, 'lastUsed', 'get').mockReturnValue(0);
    await delay(2 * feedTimes.interval); // a look that is under way ends
    const resting = callsOf('changes_since');
    await delay(3 * feedTimes.interval);
    expect(callsOf('changes_since') - resting).toBe(0);
    const stop = process.events.subscribe(randomUUID(), () => undefined);
    await oneLook();
    stop();
  });
});

it('no reader of two processes ever sees less than the record had a bound ago, whoever writes', async () => {
  const processes = [await watching(), await watching()];
  const [first] = processes;
  if (first === undefined) throw new Error('there are two');
  const id = await conversationOf(first, 'start');
  const history: { at: number; lastSeq: number }[] = [];
  const end = Date.now() + 12_000;
  const isGoingOn = () => Date.now() < end;
  const observe = async () => {
    for (; isGoingOn(); await delay(20)) {
      const [row] = await dual.record.sql`select last_seq from conversations where id = ${id}`;
      history.push({ at: Date.now(), lastSeq: row?.last_seq });
    }
  };
  const write = async (process: Process) => {
    for (; isGoingOn(); await delay(Math.random() * 400)) await append(process, id, 'through');
  };
  const writeAround = async () => {
    for (; isGoingOn(); await delay(Math.random() * 1_500)) await sayDirectly(id, 'around');
  };
  let [reads, hits] = [0, 0];
  const check = async (process: Process) => {
    for (; isGoingOn(); await delay(3)) {
      const began = Date.now();
      const { conversation, messages, tier } = await process.store.read(
        server,
        id,
        { limit: 100 },
        new AbortController().signal,
      );
      const known = history.findLast(({ at }) => at < began - copyTimes.unwatched)?.lastSeq ?? 0;
      expect(conversation.last_seq).toBeGreaterThanOrEqual(known);
      expect(messages.at(-1)?.seq).toBe(conversation.last_seq);
      reads++;
      if (tier === 'redis') hits++;
    }
  };
  await Promise.all([observe(), ...processes.map(write), writeAround(), ...processes.map(check)]);
  expect(reads).toBeGreaterThan(500);
  expect(hits / reads).toBeGreaterThan(0.3);
});
