import { randomUUID } from 'node:crypto';
import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRecord, type TestRecord } from './servers.ts';

let record: TestRecord;
let sql: postgres.Sql;
let ada: string;
let bob: string;

beforeAll(async () => {
  record = await startRecord();
  sql = record.sql;
  ada = (await record.signUp()).id;
  bob = (await record.signUp()).id;
});
afterAll(() => record?.close());

/** Runs as PostgREST does: the role and the claims of one request, in one transaction. */
async function as<T>(
  role: 'anon' | 'authenticated' | 'service_role',
  sub: string | null,
  work: (tx: postgres.TransactionSql) => Promise<T>,
) {
  const claims = JSON.stringify(sub === null ? { role } : { role, sub });
  return sql.begin(async (tx) => {
    await tx`select set_config('request.jwt.claims', ${claims}, true), set_config('role', ${role}, true)`;
    return work(tx);
  });
}
const code = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof Error && 'code' in error ? String(error.code) : `no error: ${JSON.stringify(error)}`;
};
const refused = '42501';

/** A conversation with one message. */
async function conversationOf(owner: string | null, ttlSeconds: number | null = null): Promise<string> {
  const [row] =
    await sql`insert into conversations (user_id, ttl_seconds) values (${owner}, ${ttlSeconds}) returning id`;
  await sql`insert into messages (conversation_id, client_message_id, role, content) values (${row?.id}, 'm1', 'user', '"hi"')`;
  return row?.id;
}
const message = (tx: postgres.TransactionSql, conversation: string, name: string = randomUUID()) =>
  tx`insert into messages (conversation_id, client_message_id, role, content)
     values (${conversation}, ${name}, 'user', '"hi"') returning seq`;

describe('nobody without a key', () => {
  it.each(['conversations', 'messages'])('reads, adds, changes or deletes any of %s', async (table) => {
    await conversationOf(null);
    const statements = [
      `select from public.${table}`,
      `insert into public.${table} default values`,
      `update public.${table} set metadata = '{}'`,
      `delete from public.${table}`,
      `truncate public.${table}`,
    ];
    for (const statement of statements) {
      expect(await code(as('anon', null, (tx) => tx.unsafe(statement))), statement).toBe(refused);
    }
  });

  it('calls any function of ours', async () => {
    const functions = await sql<{ call: string }[]>`
      select format('%I(%s)', proname, array_to_string(array_fill('null'::text, array[pronargs::int]), ',')) as call
      from pg_proc where pronamespace = 'public'::regnamespace`;
    expect(functions.length).toBeGreaterThanOrEqual(5);
    for (const { call } of functions) {
      expect(await code(as('anon', null, (tx) => tx.unsafe(`select public.${call}`))), call).toMatch(/42501|0A000/);
      const [may] = await sql`
        select has_function_privilege('anon', oid, 'execute') as anon from pg_proc
        where pronamespace = 'public'::regnamespace and proname = ${call.split('(')[0] ?? ''}`;
      expect(may?.anon, call).toBe(false);
    }
  });
});

describe('a user', () => {
  it('sees their own only: nothing of others, nothing of the server’s', async () => {
    const [mine, theirs, servers] = [await conversationOf(ada), await conversationOf(bob), await conversationOf(null)];
    await as('authenticated', ada, async (tx) => {
      const visible = await tx`select id from conversations where id in ${tx([mine, theirs, servers])}`;
      expect(visible.map(({ id }) => id)).toEqual([mine]);
      const said =
        await tx`select distinct conversation_id from messages where conversation_id in ${tx([mine, theirs, servers])}`;
      expect(said.map(({ conversation_id: id }) => id)).toEqual([mine]);
    });
  });

  it('with no id in the token sees nothing, not even what is nobody’s', async () => {
    await conversationOf(null);
    await as('authenticated', null, async (tx) => {
      expect(await tx`select from conversations`).toHaveLength(0);
      expect(await tx`select from messages`).toHaveLength(0);
    });
  });

  it('begins conversations of their own, and of nobody else', async () => {
    const [row] = await as(
      'authenticated',
      ada,
      (tx) => tx`insert into conversations (title) values ('mine') returning user_id`,
    );
    expect(row?.user_id).toBe(ada);
    const forged = (owner: string | null) =>
      as('authenticated', ada, (tx) => tx`insert into conversations (user_id) values (${owner})`);
    expect(await code(forged(bob))).toBe(refused);
    expect(await code(forged(null))).toBe(refused);
  });

  it('changes title, metadata and lifetime of their own, and nothing of others', async () => {
    const [mine, theirs] = [await conversationOf(ada), await conversationOf(bob)];
    await as('authenticated', ada, async (tx) => {
      const changed = await tx`update conversations set title = 'new', metadata = '{"a":1}', ttl_seconds = 60
                               where id in ${tx([mine, theirs])} returning id`;
      expect(changed.map(({ id }) => id)).toEqual([mine]);
    });
    for (const column of [
      'user_id = null',
      `user_id = '${bob}'`,
      'last_seq = 9',
      'id = gen_random_uuid()',
      'created_at = now()',
      'expires_at = null',
      'continuation_id = gen_random_uuid()',
    ]) {
      const change = as('authenticated', ada, (tx) =>
        tx.unsafe(`update conversations set ${column} where id = '${mine}'`),
      );
      expect(await code(change), column).toBe(refused);
    }
  });

  it('deletes their own, with its messages, and nothing of others', async () => {
    const [mine, theirs] = [await conversationOf(ada), await conversationOf(bob)];
    await as('authenticated', ada, (tx) => tx`delete from conversations where id in ${tx([mine, theirs])}`);
    expect(await sql`select from conversations where id = ${mine}`).toHaveLength(0);
    expect(await sql`select from messages where conversation_id = ${mine}`).toHaveLength(0);
    expect(await sql`select from conversations where id = ${theirs}`).toHaveLength(1);
  });

  it('writes messages into their own; into those of others, or into none, with the same refusal', async () => {
    const [mine, theirs, servers] = [await conversationOf(ada), await conversationOf(bob), await conversationOf(null)];
    const [row] = await as('authenticated', ada, (tx) => message(tx, mine));
    expect(row?.seq).toBe(2);
    const refusals = await Promise.all(
      [theirs, servers, randomUUID()].map((id) =>
        as('authenticated', ada, (tx) => message(tx, id)).then(
          () => 'written',
          (error: Error) => error.message,
        ),
      ),
    );
    expect(new Set(refusals)).toEqual(new Set(['new row violates row-level security policy for table "messages"']));
    for (const id of [theirs, servers]) {
      expect(await sql`select last_seq from conversations where id = ${id}`).toMatchObject([{ last_seq: 1 }]);
    }
  });

  it('neither numbers, dates, changes nor deletes messages', async () => {
    const mine = await conversationOf(ada);
    for (const statement of [
      `insert into messages (conversation_id, seq, client_message_id, role, content) values ('${mine}', 9, 'x', 'user', '""')`,
      `insert into messages (conversation_id, created_at, client_message_id, role, content) values ('${mine}', now(), 'x', 'user', '""')`,
      `update messages set content = '"x"' where conversation_id = '${mine}'`,
      `delete from messages where conversation_id = '${mine}'`,
      'truncate messages',
      'truncate conversations cascade',
    ]) {
      expect(await code(as('authenticated', ada, (tx) => tx.unsafe(statement))), statement).toBe(refused);
    }
  });

  it('appends and reads through the functions what is theirs, and finds nothing else', async () => {
    const [mine, theirs] = [await conversationOf(ada), await conversationOf(bob)];
    const append = (id: string) =>
      as(
        'authenticated',
        ada,
        (tx) => tx`
      select append_messages(${id}, ${tx.json([{ role: 'user', content: 'x' }])}) ->> 'status' as status`,
      );
    const read = (id: string) => as('authenticated', ada, (tx) => tx`select read_thread(${id}) ->> 'status' as status`);
    expect(await append(mine)).toMatchObject([{ status: 'appended' }]);
    expect(await read(mine)).toMatchObject([{ status: 'found' }]);
    expect(await append(theirs)).toMatchObject([{ status: 'not_found' }]);
    expect(await read(theirs)).toMatchObject([{ status: 'not_found' }]);
  });

  it('does not see what has expired', async () => {
    const mine = await conversationOf(ada, 60);
    await sql`update conversations set accessed_at = now() - interval '61 seconds' where id = ${mine}`;
    await as('authenticated', ada, async (tx) => {
      expect(await tx`select from conversations where id = ${mine}`).toHaveLength(0);
      expect(await tx`select from messages where conversation_id = ${mine}`).toHaveLength(0);
      expect(await tx`update conversations set ttl_seconds = null where id = ${mine} returning id`).toHaveLength(0);
    });
    expect(await code(as('authenticated', ada, (tx) => message(tx, mine)))).toBe(refused);
  });

  it('takes everything along when they go', async () => {
    const eve = (await record.signUp()).id;
    const hers = await conversationOf(eve);
    await sql`delete from auth.users where id = ${eve}`;
    expect(await sql`select from conversations where id = ${hers}`).toHaveLength(0);
    expect(await sql`select from messages where conversation_id = ${hers}`).toHaveLength(0);
  });
});

describe('the server', () => {
  it('sees, adds, changes and deletes everything, also where row-level security binds it', async () => {
    await sql`alter role service_role nobypassrls`;
    try {
      const [theirs, own] = [await conversationOf(ada), await conversationOf(null)];
      await as('service_role', null, async (tx) => {
        expect(await tx`select from conversations where id in ${tx([theirs, own])}`).toHaveLength(2);
        const [created] = await tx`insert into conversations (title) values ('server') returning id, user_id`;
        expect(created?.user_id).toBeNull();
        expect(await message(tx, theirs)).toMatchObject([{ seq: 2 }]);
        expect(await tx`update conversations set title = 'x' where id = ${theirs} returning id`).toHaveLength(1);
        expect(
          await tx`update messages set metadata = '{"a":1}' where conversation_id = ${own} returning seq`,
        ).toHaveLength(1);
        expect(await tx`delete from conversations where id in ${tx([theirs, own])} returning id`).toHaveLength(2);
      });
    } finally {
      await sql`alter role service_role bypassrls`;
    }
  });
});

describe('the seq of messages', () => {
  it('has no gap after a transaction that was taken back', async () => {
    const id = await conversationOf(null);
    await sql
      .begin(async (tx) => {
        await message(tx, id);
        await message(tx, id);
        throw new Error('taken back');
      })
      .catch(() => undefined);
    expect(await sql.begin((tx) => message(tx, id))).toMatchObject([{ seq: 2 }]);
  });

  it('is that of the database whatever is inserted, and agrees with last_seq', async () => {
    const id = await conversationOf(null);
    await sql`insert into messages (conversation_id, seq, client_message_id, role, content)
              values (${id}, 100, 'a', 'user', '""'), (${id}, 1, 'b', 'user', '""')`;
    const seqs =
      await sql`select seq, client_message_id as name from messages where conversation_id = ${id} order by seq`;
    expect(seqs.map(({ seq, name }) => [seq, name])).toEqual([
      [1, 'm1'],
      [2, 'a'],
      [3, 'b'],
    ]);
    expect(await sql`select last_seq from conversations where id = ${id}`).toMatchObject([{ last_seq: 3 }]);
  });

  it('rises with the time of the messages, though many write at once', async () => {
    const id = await conversationOf(null);
    await Promise.all(
      Array.from(
        { length: 40 },
        () => sql`select append_messages(${id}, ${sql.json([{ role: 'user', content: 'x' }])})`,
      ),
    );
    const rows =
      await sql`select seq, created_at > lag(created_at) over (order by seq) as later from messages where conversation_id = ${id}`;
    expect(rows.map(({ seq }) => seq).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 41 }, (_, index) => index + 1),
    );
    expect(rows.filter(({ later }) => later === false)).toEqual([]);
  });
});

describe('the times of a conversation', () => {
  const timesOf = async (id: string) => {
    const [row] = await sql`select updated_at, accessed_at, expires_at, created_at from conversations where id = ${id}`;
    return row ?? {};
  };

  it('tell changes of what it holds from looks at it', async () => {
    const id = await conversationOf(null, 3600);
    await sql`update conversations set accessed_at = now() - interval '2 minutes' where id = ${id}`;
    const before = await timesOf(id);
    await sql`select read_thread(${id})`;
    const read = await timesOf(id);
    expect(read.updated_at).toEqual(before.updated_at);
    expect(read.accessed_at.getTime()).toBeGreaterThan(before.accessed_at.getTime());
    expect(read.expires_at.getTime() - read.accessed_at.getTime()).toBe(3_600_000);
    await sql.begin((tx) => message(tx, id));
    expect((await timesOf(id)).updated_at.getTime()).toBeGreaterThan(read.updated_at.getTime());
  });

  it('do not change with every message: accessed_at is kept to the minute', async () => {
    const id = await conversationOf(null, 3600);
    const before = await timesOf(id);
    await sql.begin((tx) => message(tx, id));
    await sql`select read_thread(${id})`;
    expect((await timesOf(id)).accessed_at).toEqual(before.accessed_at);
  });

  it('begin anew with a message', async () => {
    const id = await conversationOf(null, 3600);
    await sql`update conversations set accessed_at = now() - interval '30 minutes' where id = ${id}`;
    await sql.begin((tx) => message(tx, id));
    const { expires_at: expires } = await timesOf(id);
    expect(expires.getTime() - Date.now()).toBeGreaterThan(3_590_000);
  });

  it('do not let anybody put the last look into the future', async () => {
    const mine = await conversationOf(ada, 60);
    await as(
      'authenticated',
      ada,
      (tx) => tx`update conversations set accessed_at = now() + interval '1 year' where id = ${mine}`,
    );
    expect((await timesOf(mine)).accessed_at.getTime()).toBeLessThanOrEqual(Date.now() + 1000);
  });

  it('let a reader touch a conversation without waiting for its writer', async () => {
    const id = await conversationOf(null, 3600);
    await sql`update conversations set accessed_at = now() - interval '2 minutes' where id = ${id}`;
    await sql.begin(async (tx) => {
      await message(tx, id);
      await sql.begin(async (reader) => {
        await reader`set local statement_timeout = '2s'`;
        expect(await reader`select read_thread(${id}) ->> 'status' as status`).toMatchObject([{ status: 'found' }]);
      });
    });
  });
});

it('takes no message that is too large, of no known role, or of no known form', async () => {
  const id = await conversationOf(null);
  const insert = (role: string, content: unknown) =>
    sql`insert into messages (conversation_id, client_message_id, role, content) values (${id}, ${randomUUID()}, ${role}, ${sql.json(content as string)})`;
  expect(await code(insert('robot', 'x'))).toBe('23514');
  expect(await code(insert('user', { no: 'list' }))).toBe('23514');
  expect(await code(insert('user', 'x'.repeat(2 ** 21)))).toBe('23514');
  await insert('tool', [{ type: 'text' }]);
});

/** Each says in the migrations why, and does nothing but for the user that the token is of. */
const definersForUsers = new Set(['own_matches', 'import_messages']);

/** What users have no business with. */
const tablesOfTheServer = new Set(['conversation_changes', 'change_feed']);

describe('an audit', () => {
  it('finds row-level security on and forced for every table, with policies for the server and for users, none for anon', async () => {
    const tables = await sql`
      select c.relname, c.relrowsecurity, c.relforcerowsecurity,
             array(select distinct r::regrole::text from pg_policy p, unnest(p.polroles) r where p.polrelid = c.oid order by 1) as roles
      from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'`;
    expect(tables.length).toBeGreaterThanOrEqual(2);
    for (const table of tables) {
      expect(table).toMatchObject({
        relrowsecurity: true,
        relforcerowsecurity: true,
        roles: tablesOfTheServer.has(table.relname) ? ['service_role'] : ['authenticated', 'service_role'],
      });
    }
  });

  it('finds a fixed search path on every function, and no definer that anybody can call', async () => {
    const functions = await sql`
      select proname, prosecdef, proconfig, has_function_privilege('authenticated', oid, 'execute') as users,
             has_function_privilege('public', oid, 'execute') as everybody
      from pg_proc where pronamespace = 'public'::regnamespace`;
    for (const each of functions) {
      expect(each.proconfig, each.proname).toEqual(['search_path=""']);
      expect(each.everybody, each.proname).toBe(false);
      if (each.prosecdef) expect(each.users, each.proname).toBe(definersForUsers.has(each.proname));
    }
  });

  it('finds no grant to anon', async () => {
    const grants = await sql`
      select table_name, privilege_type from information_schema.role_table_grants
      where grantee in ('anon', 'PUBLIC') and table_schema = 'public'`;
    expect(grants).toEqual([]);
  });

  it('finds an index behind every foreign key and every query', async () => {
    const id = await conversationOf(ada, 60);
    const plans = [
      `select from conversations where id = '${id}'`,
      `select from conversations where user_id = '${ada}' order by created_at desc, id limit 10`,
      'select from conversations where expires_at < now()',
      `select from messages where conversation_id = '${id}' and seq <= 10 order by seq desc limit 10`,
      `select from messages where conversation_id = '${id}' and client_message_id = 'm1'`,
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

describe('objects in storage', () => {
  const put = (role: 'anon' | 'authenticated' | 'service_role', sub: string | null, bucket: string, name: string) =>
    as(role, sub, (tx) => tx`insert into storage.objects (bucket_id, name) values (${bucket}, ${name}) returning id`);
  beforeAll(async () => {
    for (const bucket of ['user-files', 'generated-files', 'mcp-files', 'another']) {
      await sql`insert into storage.buckets (id, name) values (${bucket}, ${bucket})`;
    }
  });

  it.each(['user-files', 'generated-files', 'mcp-files'])(
    'of %s are reached by the user whose folder they are in',
    async (bucket) => {
      await put('authenticated', ada, bucket, `${ada}/notes/a.txt`);
      await put('service_role', null, bucket, `${bob}/b.txt`);
      await as('authenticated', ada, async (tx) => {
        const visible = await tx`select name from storage.objects where bucket_id = ${bucket}`;
        expect(visible.map(({ name }) => name)).toEqual([`${ada}/notes/a.txt`]);
        expect(
          await tx`update storage.objects set metadata = '{}' where bucket_id = ${bucket} returning name`,
        ).toHaveLength(1);
        expect(await tx`delete from storage.objects where bucket_id = ${bucket} returning name`).toHaveLength(1);
      });
      await as('service_role', null, async (tx) => {
        expect(await tx`select name from storage.objects where bucket_id = ${bucket}`).toHaveLength(1);
      });
    },
  );

  it('are put by users nowhere else', async () => {
    for (const name of [`${bob}/x`, 'x', ada, `/${ada}/x`, `x/${ada}/x`, `${ada.toUpperCase()}X/x`]) {
      expect(await code(put('authenticated', ada, 'user-files', name)), name).toBe(refused);
    }
    expect(await code(put('authenticated', ada, 'another', `${ada}/x`))).toBe(refused);
  });

  it('are not moved out of the own folder', async () => {
    await put('authenticated', ada, 'user-files', `${ada}/move`);
    const move = as(
      'authenticated',
      ada,
      (tx) => tx`update storage.objects set name = ${`${bob}/move`} where name = ${`${ada}/move`}`,
    );
    expect(await code(move)).toBe(refused);
  });

  it('are nothing to anybody without a key', async () => {
    expect(await code(put('anon', null, 'user-files', `${ada}/y`))).toBe(refused);
    expect(await as('anon', null, (tx) => tx`select from storage.objects`)).toHaveLength(0);
  });
});
