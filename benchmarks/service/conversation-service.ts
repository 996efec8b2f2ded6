import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { pino } from 'pino';
import postgres from 'postgres';
import { Pool } from 'undici';
import { z } from 'zod';
import { ConversationService } from '../../service/conversation/conversation-service.ts';
import { openEvents } from '../../service/events/open-events.ts';
import { openStorage } from '../../service/storage/open-storage.ts';
import { install } from '../../tests/real/service/service-process.ts';
import type { Candidate } from './candidate.ts';
import { measured } from './measured.mjs';
import { textOf } from './message.mjs';
import type { Servers } from './servers.ts';

type Described = Pick<Candidate, 'kind' | 'durable' | 'longestThread'>;
const described: Described = { kind: 'ours', durable: 'committed in PostgreSQL', longestThread: 100_000 };
const callAlone: Described = { ...described, kind: 'limit' };

/** The service's own code with `dual` storage, called without HTTP. */
export async function inProcess(servers: Servers): Promise<Candidate> {
  const log = pino({ level: 'silent' });
  const redis = { url: `redis://${servers.redis.host}:${servers.redis.port}`, password: servers.redis.password };
  const storage = await openStorage(
    {
      backend: 'dual',
      fallback: undefined,
      supabase: servers.supabase,
      redis,
      outboxDirectory: join(servers.directory, 'outbox'),
    },
    log,
    AbortSignal.timeout(30_000),
  );
  const { events, close: closeEvents } = openEvents(storage, redis, log);
  const service = new ConversationService({
    store: storage.store,
    events,
    lifetimeSeconds: 86_400,
    onOperation() {},
  });
  const server = { kind: 'server' } as const;
  const threads = new Threads(servers);
  const signal = new AbortController().signal;
  return {
    name: 'conversation-kit, in process',
    ...described,
    ...measured({
      prepare: (thread, messages) => threads.prepare(thread, messages),
      async append(thread) {
        await service.append(server, threads.idOf(thread), [
          { role: 'user', content: threads.nextText(thread), metadata: {} },
        ]);
      },
      async read(thread, count) {
        const { messages } = await service.read(server, threads.idOf(thread), { limit: count }, signal);
        return messages.length;
      },
      close: async () => undefined,
    }),
    async close() {
      await closeEvents();
      await storage.close();
    },
  };
}

/** The bundle of the service in the process `pid`, over HTTP. */
export async function overHttp(servers: Servers): Promise<Candidate & { readonly pid: number }> {
  const installation = await install(
    { ...servers.supabase, redisPassword: servers.redis.password },
    { supabase: servers.supabase.url, redis: `redis://${servers.redis.host}:${servers.redis.port}` },
  );
  const running = await installation.start({ RATE_LIMIT_SERVER: '0' });
  const pool = new Pool(running.url, { connections: 64 });
  const threads = new Threads(servers);
  const headers = { authorization: `Bearer ${servers.supabase.secretKey}`, 'content-type': 'application/json' };
  const { pid } = running.process;
  if (pid === undefined) throw new Error('the service has no process');
  return {
    pid,
    name: 'conversation-kit, over HTTP',
    ...described,
    ...measured({
      prepare: (thread, messages) => threads.prepare(thread, messages),
      async append(thread) {
        const body = JSON.stringify({ messages: [{ role: 'user', content: threads.nextText(thread) }] });
        const path = `/v1/conversations/${threads.idOf(thread)}/messages`;
        await answered(await pool.request({ method: 'POST', path, headers, body }), 201);
      },
      async read(thread, count) {
        const path = `/v1/conversations/${threads.idOf(thread)}?limit=${count}`;
        return page.parse(await answered(await pool.request({ method: 'GET', path, headers }), 200)).messages.length;
      },
      close: async () => undefined,
    }),
    async close() {
      await pool.close();
      await running.stop();
      await installation.remove();
    },
  };
}

/** The one call to Supabase that the service makes, by itself. */
export async function supabaseCall(servers: Servers): Promise<Candidate> {
  const { url, secretKey } = servers.supabase;
  const pool = new Pool(url, { connections: 64 });
  const headers = { apikey: secretKey, 'content-type': 'application/json' };
  const call = async (name: string, input: object) => {
    const path = `/rest/v1/rpc/${name}`;
    return answered(await pool.request({ method: 'POST', path, headers, body: JSON.stringify(input) }), 200);
  };
  return { name: 'the call to Supabase alone', ...callAlone, ...calling(servers, call), close: () => pool.close() };
}

/** The same function of the database, without Supabase's API in between. */
export async function postgresCall(servers: Servers): Promise<Candidate> {
  const sql = postgres(servers.postgres.url, { max: 64, onnotice() {}, connection: { role: 'service_role' } });
  const call = async (name: string, input: object) => {
    const names = Object.keys(input);
    const values = Object.values(input).map((value) => (Array.isArray(value) ? JSON.stringify(value) : value));
    const list = names.map(
      (argument, index) => `${argument} => $${index + 1}${argument === 'messages' ? '::text::jsonb' : ''}`,
    );
    const [row] = await sql.unsafe(`select public.${name}(${list.join(', ')}) as answer`, values, { prepare: true });
    return row?.answer;
  };
  return {
    name: 'the same function over a PostgreSQL connection',
    ...callAlone,
    ...calling(servers, call),
    close: () => sql.end({ timeout: 1 }),
  };
}

function calling(servers: Servers, call: (name: string, input: object) => Promise<unknown>) {
  const threads = new Threads(servers);
  return measured({
    prepare: (thread, messages) => threads.prepare(thread, messages),
    async append(thread) {
      const message = {
        client_message_id: randomUUID(),
        role: 'user',
        content: threads.nextText(thread),
        metadata: {},
      };
      const answer = await call('append_messages', { conversation_id: threads.idOf(thread), messages: [message] });
      z.object({ status: z.literal('appended') }).parse(answer);
    },
    async read(thread, count) {
      const answer = await call('read_thread', { conversation_id: threads.idOf(thread), max_messages: count });
      return page.parse(answer).messages.length;
    },
    close: async () => undefined,
  });
}

const page = z.object({ messages: z.array(z.unknown()) });

async function answered(reply: Awaited<ReturnType<Pool['request']>>, status: number): Promise<unknown> {
  const text = await reply.body.text();
  if (reply.statusCode !== status) throw new Error(`answered ${reply.statusCode} instead of ${status}: ${text}`);
  return JSON.parse(text);
}

/** Conversations that are made in the database itself: a hundred thousand messages through an API take minutes. */
class Threads {
  readonly #sql: postgres.Sql;
  readonly #known = new Map<string, { readonly id: string; length: number }>();

  constructor({ sql }: Servers) {
    this.#sql = sql;
  }

  async prepare(thread: string, messages: number): Promise<void> {
    const id = randomUUID();
    await this.#sql.begin(async (sql) => {
      await sql`set local session_replication_role = replica`; // each row would be numbered by itself
      await sql`insert into public.conversations (id, user_id, last_seq, ttl_seconds, expires_at)
        values (${id}, null, ${messages}, 86400, now() + interval '1 day')`;
      await sql`insert into public.messages (conversation_id, seq, client_message_id, role, content, created_at)
        select ${id}, n, ${id} || ':' || n, 'user', to_jsonb(${textOf(1)}::text), now()
        from generate_series(1, ${messages}::integer) n`;
    });
    this.#known.set(thread, { id, length: messages });
  }

  idOf(thread: string): string {
    return this.#entry(thread).id;
  }

  nextText(thread: string): string {
    const entry = this.#entry(thread);
    entry.length += 1;
    return textOf(entry.length);
  }

  #entry(thread: string) {
    const entry = this.#known.get(thread);
    if (entry === undefined) throw new Error(`thread ${thread} was not prepared`);
    return entry;
  }
}
