import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRecord, type TestRecord } from '../servers.ts';

let record: TestRecord;
let sql: postgres.Sql;
let ada: string;
let bob: string;

beforeAll(async () => {
  record = await startRecord();
  sql = record.sql;
  [ada, bob] = [(await record.signUp()).id, (await record.signUp()).id];
});
afterAll(() => record?.close());

/** Runs as PostgREST does: the role and the claims of one request, in one transaction. */
async function as<T>(sub: string | null, work: (tx: postgres.TransactionSql) => Promise<T>) {
  const role = sub === null ? 'service_role' : 'authenticated';
  return sql.begin(async (tx) => {
    await tx`select set_config('request.jwt.claims', ${JSON.stringify({ role, sub })}, true), set_config('role', ${role}, true)`;
    return work(tx);
  });
}
const code = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no error',
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
  );
const refused = '42501';

async function conversationOf(owner: string | null, ttlSeconds: number | null = null, messages = 2): Promise<string> {
  const [row] =
    await sql`insert into conversations (user_id, ttl_seconds) values (${owner}, ${ttlSeconds}) returning id`;
  for (let turn = 1; turn <= messages; turn += 1) {
    await sql`insert into messages (conversation_id, client_message_id, role, content)
              values (${row?.id}, ${`m${turn}`}, 'user', '"hi"')`;
  }
  return row?.id;
}
const status = async (sub: string | null, name: string, id: string): Promise<string> => {
  const [row] = await as(sub, (tx) => tx`select ${tx(`${name}_conversation`)}(${id}) ->> 'status' as status`);
  return row?.status;
};

describe('a user', () => {
  it('sees nothing of what was deleted, not even in messages, and gets it back by undeleting only', async () => {
    const id = await conversationOf(ada);
    expect(await status(ada, 'delete', id)).toBe('deleted');
    await as(ada, async (tx) => {
      expect(await tx`select from conversations where id = ${id}`).toHaveLength(0);
      expect(await tx`select from messages where conversation_id = ${id}`).toHaveLength(0);
      expect(await tx`update conversations set deleted_at = null where id = ${id} returning id`).toHaveLength(0);
    });
    expect(await status(ada, 'undelete', id)).toBe('undeleted');
    expect(await as(ada, (tx) => tx`select from messages where conversation_id = ${id}`)).toHaveLength(2);
  });

  it('neither sees, changes nor finds what others own, through any of the functions', async () => {
    const [theirs, servers] = [await conversationOf(bob), await conversationOf(null)];
    for (const id of [theirs, servers]) {
      for (const name of ['clear', 'extend', 'fork', 'delete', 'undelete']) {
        expect(await status(ada, name, id), name).toBe('not_found');
      }
      const [row] = await as(
        ada,
        (tx) => tx`select update_conversation(${id}, '{"title":"x"}') ->> 'status' as status`,
      );
      expect(row?.status).toBe('not_found');
    }
    const [list] = await as(ada, (tx) => tx`select list_conversations(${bob}) -> 'conversations' as found`);
    expect(list?.found).toEqual([]);
    const [toErase] = await as(
      ada,
      (tx) => tx`select list_conversations_to_erase(${bob}) -> 'conversation_ids' as ids`,
    );
    expect(toErase?.ids).toEqual([]);
    await as(ada, (tx) => tx`select erase_conversations(${bob}, ${[theirs]}::uuid[])`);
    await as(ada, (tx) => tx`select erase_conversations(${ada}, ${[theirs, servers]}::uuid[])`);
    expect(await sql`select id from conversations where id in ${sql([theirs, servers])}`).toHaveLength(2);
  });

  it('does not see the ended ones in what the same request does after such a function', async () => {
    const id = await conversationOf(ada);
    await as(ada, async (tx) => {
      await tx`select delete_conversation(${id}), conversation_stats(), list_conversations_to_erase(${ada})`;
      await tx`select continue_conversation(${randomUUID()})`;
      expect(await tx`select from conversations where id = ${id}`).toHaveLength(0);
    });
  });

  it('forks nothing of others by inserting a row, and nothing that has ended', async () => {
    const [theirs, servers, ended] = [await conversationOf(bob), await conversationOf(null), await conversationOf(ada)];
    await status(ada, 'delete', ended);
    for (const id of [theirs, servers, ended, randomUUID()]) {
      const fork = as(
        ada,
        (tx) => tx`insert into conversations (forked_from) values (${tx.json({ conversation_id: id, seq: 2 })})`,
      );
      expect(await code(fork)).toBe(refused);
    }
    const mine = await conversationOf(ada);
    const [row] = await as(
      ada,
      (tx) =>
        tx`insert into conversations (forked_from) values (${tx.json({ conversation_id: mine, seq: 1 })}) returning id`,
    );
    expect(await sql`select seq from messages where conversation_id = ${row?.id}`).toEqual([{ seq: 1 }]);
  });

  it.each([
    '{}',
    '[]',
    '"x"',
    '{"conversation_id": "x", "seq": 1}',
    `{"conversation_id": "${randomUUID()}", "seq": -1}`,
  ])('can not say that a conversation is a fork of %s', async (text) => {
    const fork = as(ada, (tx) => tx`insert into conversations (forked_from) values (${text}::text::jsonb)`);
    expect(await code(fork)).toMatch(/23514|22P02/);
  });

  it('clears by cleared_seq alone: no further than there are messages, and never back', async () => {
    const id = await conversationOf(ada, null, 3);
    const set = async (seq: number) => {
      const [row] = await as(
        ada,
        (tx) => tx`update conversations set cleared_seq = ${seq} where id = ${id} returning cleared_seq`,
      );
      const left = await sql`select seq from messages where conversation_id = ${id} order by seq`;
      return [row?.cleared_seq, ...left.map(({ seq: each }) => each)];
    };
    expect(await set(1)).toEqual([1, 2, 3]);
    expect(await set(0)).toEqual([1, 2, 3]);
    expect(await set(99)).toEqual([3]);
    expect(await code(as(ada, (tx) => tx`delete from messages where conversation_id = ${id}`))).toBe(refused);
  });

  it('deletes through the function only: a row can not vanish from the sight of whoever changes it', async () => {
    const id = await conversationOf(ada);
    expect(await code(as(ada, (tx) => tx`update conversations set deleted_at = now() where id = ${id}`))).toBe(refused);
    expect(await sql`select from conversations where id = ${id} and deleted_at is null`).toHaveLength(1);
  });

  it('may not clean up', async () => {
    expect(await code(as(ada, (tx) => tx`select clean_up_conversations()`))).toBe(refused);
  });
});

describe('clean-up', () => {
  it('never removes what was extended, however close they come', async () => {
    const begun = await sql<{ id: string; expires: number }[]>`
      insert into conversations (user_id, ttl_seconds, accessed_at)
      select null, 3600, now() - interval '1 hour' + make_interval(secs => 1 + n * 0.05) from generate_series(1, 40) n
      returning id, (extract(epoch from expires_at) * 1000)::float8 as expires`;
    const [cleaner, extender] = [1, 4].map((max) => postgres(record.postgres.url, { max, onnotice() {} }));
    if (cleaner === undefined || extender === undefined) throw new Error('there are two');
    let extending = true;
    const cleaning = (async () => {
      while (extending) await cleaner`select clean_up_conversations(5, 0, 0)`;
    })();
    const extended = new Set<string>();
    await Promise.all(
      begun.map(async ({ id, expires }, index) => {
        // Some well before they expire, some in the very moment, some when they may be removed already.
        await delay(expires - Date.now() - ([400, 10, 2, -20][index % 4] ?? 0));
        const [row] = await extender`select extend_conversation(${id}, 7200) ->> 'status' as status`;
        if (row?.status === 'extended') extended.add(id);
      }),
    );
    extending = false;
    await cleaning;
    await cleaner`select clean_up_conversations(100, 0, 0)`;
    await Promise.all([cleaner.end(), extender.end()]);
    const left = await sql`select id from conversations where id in ${sql(begun.map(({ id }) => id))}`;
    expect(new Set(left.map(({ id }) => id))).toEqual(extended);
    expect(extended.size).toBeGreaterThan(0);
    expect(extended.size).toBeLessThan(begun.length);
  });

  it('passes over what is being written, and is done by one at a time', async () => {
    const id = await conversationOf(null, 60);
    await sql`update conversations set accessed_at = now() - interval '1 hour' where id = ${id}`;
    await sql.begin(async (tx) => {
      await tx`select from conversations where id = ${id} for no key update`;
      const [row] = await sql`select clean_up_conversations(100, 0, 0) -> 'removed' as removed`;
      expect(row?.removed).not.toContain(id);
      await tx`select pg_advisory_xact_lock(hashtext('conversation_kit.clean_up_conversations'))`;
      const [busy] = await sql`select clean_up_conversations(100, 0, 0) as answer`;
      expect(busy?.answer).toEqual({ removed: [], expired: 0, deleted: 0, rest: 'busy' });
    });
    const [row] = await sql`select clean_up_conversations(100, 0, 0) -> 'removed' as removed`;
    expect(row?.removed).toContain(id);
    expect(await sql`select from messages where conversation_id = ${id}`).toHaveLength(0);
  });

  it('finds what is due by an index, and so do lists', async () => {
    const plans = [
      `select id from conversations where deleted_at is null and expires_at < now() order by expires_at limit 9`,
      `select id from conversations where deleted_at < now() order by deleted_at limit 9`,
      `select id from conversations where user_id is null and created_at <= now() and (created_at < now() or id > '${bob}') order by created_at desc, id limit 9`,
      `select id from conversations where user_id = '${ada}' and created_at <= now() and (created_at < now() or id > '${bob}') order by created_at desc, id limit 9`,
    ];
    for (const query of plans) {
      const plan = await sql.begin(async (tx) => {
        await tx`select set_config(name, 'off', true) from unnest(array['enable_seqscan', 'enable_bitmapscan', 'enable_sort']) name`;
        return tx.unsafe(`explain ${query}`);
      });
      const text = plan.map((line) => line['QUERY PLAN']).join('\n');
      expect(text, query).toMatch(/Index/);
      expect(text, query).not.toMatch(/Seq Scan|Sort/);
    }
  });
});
