import { randomUUID } from 'node:crypto';
import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startRecord, type TestRecord } from '../servers.ts';

const answerShape = z.object({
  cursor: z.string(),
  complete: z.boolean(),
  changes: z.array(
    z.object({
      conversation_id: z.string(),
      altered: z.boolean(),
      rewritten: z.boolean(),
      conversation: z.object({ last_seq: z.number(), deleted_at: z.string().nullable() }).nullable(),
    }),
  ),
});

let record: TestRecord;
let sql: postgres.Sql;

beforeAll(async () => {
  record = await startRecord();
  sql = record.sql;
});
afterAll(() => record?.close());

async function changesSince(cursor: string | null, max = 1000) {
  const [row] = await sql`select public.changes_since(${cursor}, ${max}) as answer`;
  return answerShape.parse(row?.answer);
}

/** A cursor that has everything up to now. */
const now = async () => (await changesSince(null)).cursor;
const idsSince = async (cursor: string) =>
  (await changesSince(cursor)).changes.map(({ conversation_id }) => conversation_id).sort();

async function conversation(owner: string | null = null): Promise<string> {
  const [row] = await sql`insert into conversations (user_id, ttl_seconds) values (${owner}, 3600) returning id`;
  return row?.id;
}
const say = (tx: postgres.ISql, id: string) =>
  tx`insert into messages (conversation_id, client_message_id, role, content)
     values (${id}, ${randomUUID()}, 'user', '"hi"')`;

describe('changes since a cursor', () => {
  it('are those that were made after it, each once', async () => {
    const [one, other] = [await conversation(), await conversation()];
    const start = await now();
    await say(sql, one);
    await say(sql, one);
    const first = await changesSince(start);
    expect(first).toMatchObject({
      complete: true,
      changes: [{ conversation_id: one, altered: false, rewritten: false, conversation: { last_seq: 2 } }],
    });
    await say(sql, other);
    expect(await idsSince(first.cursor)).toEqual([other]);
  });

  it('include what commits late, however long its transaction took, and nothing twice', async () => {
    const [late, early] = [await conversation(), await conversation()];
    const [written, committed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const start = await now();
    const transaction = sql.begin(async (tx) => {
      await say(tx, late);
      written.resolve();
      await committed.promise;
    });
    await written.promise;
    await say(sql, early);
    const first = await changesSince(start);
    expect(first.changes.map((each) => each.conversation_id)).toEqual([early]);
    const second = await changesSince(first.cursor);
    expect(second.changes).toEqual([]);
    committed.resolve();
    await transaction;
    const third = await changesSince(second.cursor);
    expect(third).toMatchObject({
      complete: true,
      changes: [{ conversation_id: late, conversation: { last_seq: 1 } }],
    });
    expect(await idsSince(third.cursor)).toEqual([]);
  });

  it('lose none of many writers at once, and tell none of them twice', async () => {
    const ids = await Promise.all(Array.from({ length: 200 }, () => conversation()));
    let cursor = await now();
    const heard: string[] = [];
    const listen = async () => {
      const { cursor: next, complete, changes } = await changesSince(cursor);
      expect(complete).toBe(true);
      heard.push(...changes.map((each) => each.conversation_id));
      cursor = next;
    };
    let isWriting = true;
    const writers = Promise.all(
      [0, 1, 2].map(async (writer) => {
        for (const id of ids.filter((_, index) => index % 3 === writer)) {
          await sql.begin(async (tx) => {
            await say(tx, id);
            await tx`select pg_sleep(random() * 0.02)`;
          });
        }
      }),
    ).finally(() => {
      isWriting = false;
    });
    while (isWriting) await listen();
    await writers;
    await listen();
    expect(heard.sort()).toEqual(ids.sort());
  });

  it('are those of a change that was not rolled back', async () => {
    const id = await conversation();
    const start = await now();
    await sql
      .begin(async (tx) => {
        await say(tx, id);
        throw new Error('never mind');
      })
      .catch(() => undefined);
    expect(await idsSince(start)).toEqual([]);
  });

  it.each([
    ['a title', 'update conversations set title = $$t$$ where id = $1'],
    ['metadata', `update conversations set metadata = '{"a": 1}' where id = $1`],
    ['a shorter life', 'update conversations set ttl_seconds = 5 where id = $1'],
    ['a life that began earlier', `update conversations set accessed_at = now() - interval '1 minute' where id = $1`],
    ['messages that were cleared', 'update conversations set cleared_seq = last_seq where id = $1'],
    ['a deletion', 'update conversations set deleted_at = now() where id = $1'],
  ])('tell of %s', async (_, statement) => {
    const id = await conversation();
    await say(sql, id);
    const start = await now();
    await sql.unsafe(statement, [id]);
    expect((await changesSince(start)).changes).toMatchObject([
      { conversation_id: id, altered: true, rewritten: false, conversation: { last_seq: 1 } },
    ]);
  });

  it('tell of conversations that are gone, also with their user', async () => {
    const user = await record.signUp();
    const [own, servers] = [await conversation(user.id), await conversation()];
    await say(sql, own);
    const start = await now();
    await sql`delete from conversations where id = ${servers}`;
    await sql`delete from auth.users where id = ${user.id}`;
    const { changes } = await changesSince(start);
    expect(changes.map((each) => [each.conversation_id, each.conversation]).sort()).toEqual(
      [
        [own, null],
        [servers, null],
      ].sort(),
    );
  });

  it.each([
    ['changed', `update messages set content = '"other"' where conversation_id = $1`],
    ['removed', 'delete from messages where conversation_id = $1'],
  ])('tell of messages that were %s by hand', async (_, statement) => {
    const id = await conversation();
    await say(sql, id);
    const start = await now();
    await sql.unsafe(statement, [id]);
    expect((await changesSince(start)).changes).toMatchObject([{ conversation_id: id, rewritten: true }]);
  });

  it('leave out that a conversation was read', async () => {
    const id = await conversation();
    await sql`update conversations set accessed_at = now() - interval '10 minutes' where id = ${id}`;
    const start = await now();
    await sql`select public.read_thread(${id})`;
    const [row] =
      await sql`select accessed_at > now() - interval '1 minute' as touched from conversations where id = ${id}`;
    expect(row?.touched).toBe(true);
    expect(await idsSince(start)).toEqual([]);
  });
});

describe('a cursor', () => {
  it('is not complete when more has changed than is told', async () => {
    const start = await now();
    for (const id of [await conversation(), await conversation(), await conversation()]) await say(sql, id);
    expect(await changesSince(start, 2)).toMatchObject({ complete: false, changes: [] });
    expect(await changesSince(start, 3)).toMatchObject({ complete: true, changes: { length: 3 } });
  });

  it('outlives the removal of old notes while it is used, and is not complete after it when it was not', async () => {
    const id = await conversation();
    const old = await now();
    await say(sql, id);
    const minutesPass = () => sql`update change_feed set marked_at = marked_at - interval '11 minutes'`;
    await minutesPass();
    const used = await changesSince(old);
    expect(used.complete).toBe(true);
    await say(sql, id);
    await minutesPass();
    expect(await changesSince(used.cursor)).toMatchObject({ complete: true, changes: [{ conversation_id: id }] });
    expect(await changesSince(old)).toMatchObject({ complete: false });
    const [left] = await sql`select count(*)::int as notes from conversation_changes`;
    expect(left?.notes).toBe(1);
  });

  it('is not complete after tables were truncated', async () => {
    const start = await now();
    await sql`truncate conversations cascade`;
    expect(await changesSince(start)).toMatchObject({ complete: false });
    expect(await changesSince(await now())).toMatchObject({ complete: true });
  });

  it('is not complete after PostgreSQL was killed', async () => {
    const start = await now();
    await record.postgres.kill();
    await record.postgres.restart();
    expect(await changesSince(start)).toMatchObject({ complete: false });
    expect(await changesSince(await now())).toMatchObject({ complete: true, changes: [] });
  });
});

it('only the server reads changes', async () => {
  const as = (role: string, statement: string) =>
    sql.begin(async (tx) => {
      await tx`select set_config('role', ${role}, true)`;
      await tx.unsafe(statement);
    });
  for (const role of ['anon', 'authenticated']) {
    for (const statement of [
      'select public.changes_since()',
      'select from public.conversation_changes',
      'delete from public.change_feed',
    ]) {
      await expect(as(role, statement)).rejects.toMatchObject({ code: '42501' });
    }
  }
  await as('service_role', 'select public.changes_since()');
});

it('a user who writes directly is heard', async () => {
  const user = await record.signUp();
  const id = await conversation(user.id);
  const start = await now();
  await sql.begin(async (tx) => {
    const claims = JSON.stringify({ role: 'authenticated', sub: user.id });
    await tx`select set_config('request.jwt.claims', ${claims}, true), set_config('role', 'authenticated', true)`;
    await say(tx, id);
  });
  expect(await idsSince(start)).toEqual([id]);
});
