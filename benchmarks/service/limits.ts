import { Redis } from 'ioredis';
import postgres from 'postgres';
import type { Candidate } from './candidate.ts';
import { measured } from './measured.mjs';
import { textOf } from './message.mjs';
import type { Servers } from './servers.ts';

/** A list in Redis and nothing around it: one pipeline for an append, one LRANGE for a read. */
export async function rawRedis({ redis: server }: Servers): Promise<Candidate> {
  const redis = new Redis(server.url);
  const key = (thread: string) => `raw:${thread}`;
  const encoded = (index: number) => JSON.stringify({ role: 'user', content: textOf(index) });
  return {
    name: 'Redis: RPUSH + EXPIRE, LRANGE',
    kind: 'limit',
    durable: 'in Redis, on disk within a second',
    longestThread: 100_000,
    ...measured({
      async prepare(thread, messages) {
        for (let from = 0; from < messages; from += 1000) {
          const length = Math.min(1000, messages - from);
          await redis.rpush(key(thread), ...Array.from({ length }, (_, index) => encoded(from + index + 1)));
        }
      },
      async append(thread) {
        await redis.pipeline().rpush(key(thread), encoded(1)).expire(key(thread), 86_400).exec();
      },
      async read(thread, count) {
        const list = await redis.lrange(key(thread), -count, -1);
        return list.map((text): unknown => JSON.parse(text)).length;
      },
      close: async () => undefined,
    }),
    close: async () => {
      await redis.quit();
    },
  };
}

/** A table and nothing around it: one INSERT … RETURNING for an append, one SELECT for a read. */
export async function rawPostgres({ postgres: server }: Servers): Promise<Candidate> {
  const sql = postgres(server.url, { max: 64, onnotice() {} });
  await sql`create schema raw`;
  await sql`create table raw.messages (id bigint generated always as identity primary key, thread text not null,
    role text not null, content jsonb not null, created_at timestamptz not null default now())`;
  await sql`create index on raw.messages (thread, id)`;
  return {
    name: 'PostgreSQL: INSERT … RETURNING, SELECT',
    kind: 'limit',
    durable: 'committed in PostgreSQL',
    longestThread: 100_000,
    ...measured({
      async prepare(thread, messages) {
        await sql`insert into raw.messages (thread, role, content)
          select ${thread}, 'user', to_jsonb(${textOf(1)}::text) from generate_series(1, ${messages})`;
      },
      async append(thread) {
        await sql`insert into raw.messages (thread, role, content) values (${thread}, 'user', ${sql.json(textOf(1))})
          returning id, created_at`;
      },
      async read(thread, count) {
        const rows = await sql`select id, role, content, created_at from raw.messages where thread = ${thread}
          order by id desc limit ${count}`;
        return rows.length;
      },
      close: async () => undefined,
    }),
    close: () => sql.end({ timeout: 1 }),
  };
}
