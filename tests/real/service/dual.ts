import { randomUUID } from 'node:crypto';
import type { Caller, NamedMessage } from '../../../service/conversation/conversation.ts';
import type { ConversationStore, ThreadRead } from '../../../service/conversation/conversation-store.ts';
import { DualStore } from '../../../service/storage/dual-store.ts';
import { HotCopies, type Watched } from '../../../service/storage/hot-copies/hot-copies.ts';
import type { RedisConnection } from '../../../service/storage/redis/redis-connection.ts';
import { SupabaseStore } from '../../../service/storage/supabase/supabase-store.ts';
import { type ApiProxy, startApiProxy } from './api-proxy.ts';
import { startRecord, startTestRedis, type TestRecord, type TestRedis } from './servers.ts';

export const server: Caller = { kind: 'server' };

/** As if a change feed told of everything: copies are trusted as long as with one. */
export const alwaysWatched: Watched = { since: 0, until: Number.POSITIVE_INFINITY };

/** A dual store as one process has it. */
export interface Process {
  readonly store: ConversationStore;
  readonly copies: HotCopies;
  readonly redis: RedisConnection;
  /** What could not be kept in Redis. */
  readonly troubles: unknown[];
}

/** Dual stores over one record and one Redis, with a proxy before the API. */
export interface DualFixture {
  readonly record: TestRecord;
  readonly redis: TestRedis;
  readonly proxy: ApiProxy;
  process(): Promise<Process>;
  close(): Promise<void>;
}

export async function startDual(): Promise<DualFixture> {
  const [record, redis] = await Promise.all([startRecord(), startTestRedis()]);
  const proxy = await startApiProxy(record.settings.url);
  const processes: Process[] = [];
  return {
    record,
    redis,
    proxy,
    async process() {
      const connection = await redis.connect();
      const troubles: unknown[] = [];
      const hot = new HotCopies(connection, (error) => troubles.push(error));
      hot.watched = alwaysWatched;
      const store = new DualStore(new SupabaseStore({ ...record.settings, url: proxy.url }), hot, connection.probe);
      const opened = { store, copies: hot, redis: connection, troubles };
      processes.push(opened);
      return opened;
    },
    async close() {
      for (const { store, redis: connection } of processes) {
        await connection.close();
        await store.close();
      }
      await proxy.close();
      await redis.stop();
      await record.close();
    },
  };
}

export function say(text: string, client_message_id: string = randomUUID()): NamedMessage {
  return { client_message_id, role: 'user', content: text, metadata: {} };
}

/** A conversation with these messages. */
export async function conversationOf({ store }: Process, ...texts: string[]): Promise<string> {
  const { conversation } = await store.create(server, { title: null, metadata: {} }, 86_400);
  if (texts.length > 0)
    await store.append(
      server,
      conversation.id,
      texts.map((text) => say(text)),
      undefined,
    );
  return conversation.id;
}

export function read({ store }: Process, id: string): Promise<ThreadRead> {
  return store.read(server, id, { limit: 100 }, new AbortController().signal);
}

export function append({ store }: Process, id: string, ...texts: string[]) {
  return store.append(
    server,
    id,
    texts.map((text) => say(text)),
    undefined,
  );
}

/** The tier and what was said. */
export async function heard(process: Process, id: string): Promise<[string, ...unknown[]]> {
  const { tier, messages } = await read(process, id);
  return [tier, ...messages.map(({ content }) => content)];
}

export function keyOf(id: string): string {
  return `conversation-kit:hot:{${id}}`;
}
