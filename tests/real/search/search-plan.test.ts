import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRecord, type TestRecord, type TestUser } from '../service/servers.ts';

let record: TestRecord;
let ada: TestUser;

/** 100,000 messages: 50,000 of one user, the rest of another; one of them has a word that no other has. */
beforeAll(async () => {
  record = await startRecord();
  ada = await record.signUp();
  const bob = await record.signUp();
  await record.sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`; // no trigger counts: that is not what this is about
    await tx`insert into conversations (user_id, last_seq, title)
      select case n % 2 when 0 then ${ada.id}::uuid else ${bob.id}::uuid end, 1000, 'title ' || n from generate_series(1, 100) n`;
    await tx`insert into messages (conversation_id, seq, client_message_id, role, content, created_at)
      select c.id, n, 'm' || n, 'user', to_jsonb('word' || (n * 7919 + c.place * 104729) % 5000 || ' common text ' || n), now() - make_interval(secs => n)
      from (select id, row_number() over () as place from conversations) c, generate_series(1, 1000) n`;
    await tx`update messages set content = '"a needle in the hay"'
      where (conversation_id, seq) = (select id, 500 from conversations where user_id = ${ada.id} limit 1)`;
  });
  await record.sql`analyze conversations, messages`;
}, 180_000);
afterAll(() => record?.close());

/** The plans of all statements within a search, as PostgreSQL logs them, and the hits. */
async function planOf(user: string, query: string) {
  const plans: string[] = [];
  const sql = postgres(record.postgres.url, { max: 1, onnotice: ({ message }) => plans.push(message ?? '') });
  try {
    const hits = await sql.begin(async (tx) => {
      await tx`load 'auto_explain'`;
      await tx`select set_config('auto_explain.log_min_duration', '0', true), set_config('auto_explain.log_nested_statements', 'on', true)`;
      await tx`select set_config('request.jwt.claims', ${JSON.stringify({ role: 'authenticated', sub: user })}, true), set_config('role', 'authenticated', true)`;
      await tx`select set_config('client_min_messages', 'log', true)`;
      const [row] = await tx`select public.search_messages(${query}) as found`;
      return row?.found.hits;
    });
    return { plan: plans.join('\n'), hits };
  } finally {
    await sql.end();
  }
}

describe('a search of a user among 100,000 messages', () => {
  it.each(['needle', '"needle in the hay"', 'need hay', 'needle or nowhere'])(
    'goes by the index: %s',
    async (query) => {
      const { plan, hits } = await planOf(ada.id, query);
      expect(hits).toHaveLength(1);
      expect(plan).toMatch(/Bitmap Index Scan on messages_words_idx/);
      expect(plan).not.toMatch(/Seq Scan on (public\.)?messages/);
    },
  );

  it('reads what it found by its key, under the rights of the user', async () => {
    const { plan } = await planOf(ada.id, 'needle');
    expect(plan).toMatch(/Index Scan using messages_pkey on (public\.)?messages/);
  });

  it('answers for a word that is in every message', async () => {
    const { hits } = await planOf(ada.id, 'common');
    expect(hits).toHaveLength(20);
  });
});

it('appends compute the words once, into the index and not into the table', async () => {
  const columns = await record.sql`
    select column_name as name from information_schema.columns where table_schema = 'public' and table_name = 'messages'`;
  expect(columns.map(({ name }) => name).toSorted()).toEqual(
    ['client_message_id', 'content', 'conversation_id', 'created_at', 'metadata', 'role', 'seq', 'size'].toSorted(),
  );
});
