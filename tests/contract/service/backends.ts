import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { ConversationStore } from '../../../service/conversation/conversation-store.ts';
import { DualStore } from '../../../service/storage/dual-store.ts';
import { HotCopies } from '../../../service/storage/hot-copies/hot-copies.ts';
import { MemoryStore } from '../../../service/storage/memory/memory-store.ts';
import { OpenOutbox } from '../../../service/storage/outbox/open-outbox.ts';
import type { RedisConnection } from '../../../service/storage/redis/redis-connection.ts';
import { RedisStore } from '../../../service/storage/redis/redis-store.ts';
import { SupabaseStore } from '../../../service/storage/supabase/supabase-store.ts';
import {
  startRecord,
  startTestRedis,
  type TestRecord,
  type TestRedis,
  type TestUser,
} from '../../real/service/servers.ts';

/** One way of keeping conversations, with the servers that it needs. */
export interface Backend {
  /** Another store on the same conversations, as another process would have it; the same one where there can be only one. */
  open(): Promise<ConversationStore>;
  signUp(): Promise<TestUser>;
  /** As if it had been read, and deleted, so many seconds earlier. With `memory` that is true of all there are. */
  age(id: string, seconds: number): Promise<void>;
  close(): Promise<void>;
}

export const backends: Record<'memory' | 'redis' | 'supabase' | 'dual' | 'outbox', () => Promise<Backend>> = {
  memory: async () => {
    let ahead = 0;
    const store = new MemoryStore(() => Date.now() + ahead);
    const age = async (_id: string, seconds: number) => {
      ahead += seconds * 1000;
    };
    return { open: async () => store, signUp: async () => anyUser(), age, close: () => store.close() };
  },
  redis: async () => {
    const redis = await startTestRedis();
    const opened = new Opened();
    return {
      open: async () => new RedisStore(opened.connection(await redis.connect(true))),
      signUp: async () => anyUser(),
      age: (id, seconds) => ageInRedis(redis, id, seconds),
      close: () => opened.close(redis),
    };
  },
  supabase: async () => {
    const record = await startRecord();
    const opened = new Opened();
    return {
      open: async () => opened.store(new SupabaseStore(record.settings)),
      signUp: record.signUp,
      age: (id, seconds) => ageInRecord(record, id, seconds),
      close: () => opened.close(record),
    };
  },
  dual: () => startDual(({ inner }) => inner),
  outbox: async () => {
    const directory = await mkdtemp(join(tmpdir(), 'outbox-'));
    const log = pino({ level: 'silent' });
    const backend = await startDual((parts) => {
      const outbox = new OpenOutbox(directory, parts.settings);
      return outbox.around({ ...parts, startError: undefined, log }).store;
    });
    const close = async () => {
      await backend.close();
      await rm(directory, { recursive: true });
    };
    return { ...backend, close };
  },
};

interface DualParts {
  readonly inner: DualStore;
  readonly supabase: SupabaseStore;
  readonly hot: HotCopies;
  readonly settings: TestRecord['settings'];
}

async function startDual(around: (parts: DualParts) => ConversationStore): Promise<Backend> {
  const [record, redis] = await Promise.all([startRecord(), startTestRedis()]);
  const { settings } = record;
  const opened = new Opened();
  return {
    open: async () => {
      const connection = opened.connection(await redis.connect());
      const hot = new HotCopies(connection, (error) => {
        throw error;
      });
      hot.watched = { since: 0, until: Number.POSITIVE_INFINITY }; // nobody writes around these stores
      const supabase = new SupabaseStore(settings);
      const inner = new DualStore(supabase, hot, connection.probe);
      return opened.store(around({ inner, supabase, hot, settings }));
    },
    signUp: record.signUp,
    age: async (id, seconds) => {
      await ageInRecord(record, id, seconds);
      const connection = await redis.connect();
      await connection.client.unlink(`conversation-kit:hot:{${id}}`); // it would have run out by then
      await connection.close();
    },
    close: () => opened.close(record, redis),
  };
}

/** What a suite has opened, to be closed before its servers. */
class Opened {
  readonly #closing: (() => Promise<void>)[] = [];

  store<S extends ConversationStore>(store: S): S {
    this.#closing.push(() => store.close());
    return store;
  }

  connection(connection: RedisConnection): RedisConnection {
    this.#closing.push(() => connection.close());
    return connection;
  }

  async close(...servers: (TestRecord | TestRedis)[]): Promise<void> {
    for (const close of this.#closing.reverse()) await close();
    for (const server of servers) await ('stop' in server ? server.stop() : server.close());
  }
}

async function ageInRecord({ sql }: TestRecord, id: string, seconds: number): Promise<void> {
  await sql`
    update conversations set
      accessed_at = accessed_at - make_interval(secs => ${seconds}),
      deleted_at = deleted_at - make_interval(secs => ${seconds})
    where id = ${id}`;
}

async function ageInRedis(redis: TestRedis, id: string, seconds: number): Promise<void> {
  const connection = await redis.connect(true);
  const root = 'conversation-kit:record:';
  for (const [field, set] of [
    ['expires', 'expiries'],
    ['deleted', 'deletions'],
  ] as const) {
    const time = await connection.client.hget(`${root}{${id}}`, field);
    if (!time) continue;
    const earlier = Number(time) - seconds * 1000;
    await connection.client.hset(`${root}{${id}}`, field, earlier);
    await connection.client.zadd(`${root}${set}`, 'XX', earlier, id);
  }
  await connection.close();
}

function anyUser(): TestUser {
  return { kind: 'user', id: crypto.randomUUID(), token: 'not looked at by this backend' };
}
