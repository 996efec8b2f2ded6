import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Caller, NamedMessage } from '../../../../service/conversation/conversation.ts';
import type { ConversationStore, ThreadRead } from '../../../../service/conversation/conversation-store.ts';
import { openStorage, type StorageSettings } from '../../../../service/storage/open-storage.ts';
import type { OutboxDesk } from '../../../../service/storage/outbox/outbox-desk.ts';
import { type ApiProxy, startApiProxy } from '../api-proxy.ts';
import { startRecord, startTestRedis, type TestRecord, type TestRedis } from '../servers.ts';

export const server: Caller = { kind: 'server' };

/** What one process of the box has opened. */
export interface BoxProcess {
  readonly store: ConversationStore;
  readonly desk: OutboxDesk;
  /** Lines of its log. */
  readonly lines: string[];
  close(): Promise<void>;
}

/** A box: a record with a proxy in front of it, a Redis, and a directory for the outbox. */
export interface Box {
  readonly record: TestRecord;
  readonly redis: TestRedis;
  readonly proxy: ApiProxy;
  readonly directory: string;
  readonly settings: StorageSettings;
  process(changes?: Partial<StorageSettings>): Promise<BoxProcess>;
  /** Every call is cut before it reaches the record, until `back`. */
  cut(): void;
  back(): void;
  close(): Promise<void>;
}

export async function startBox(): Promise<Box> {
  const [record, redis] = await Promise.all([startRecord(), startTestRedis()]);
  const proxy = await startApiProxy(record.settings.url);
  const directory = await mkdtemp(join(tmpdir(), 'outbox-'));
  const processes = new Set<BoxProcess>();
  const settings: StorageSettings = {
    backend: 'dual',
    fallback: undefined,
    supabase: { ...record.settings, url: proxy.url },
    redis: redis.settings,
    outboxDirectory: directory,
  };
  return {
    record,
    redis,
    proxy,
    directory,
    settings,
    async process(changes = {}) {
      const lines: string[] = [];
      const log = pino({}, { write: (line: string) => void lines.push(line) });
      const storage = await openStorage({ ...settings, ...changes }, log, AbortSignal.timeout(20_000));
      if (storage.outbox === undefined) throw new Error('this backend has no outbox');
      const opened = {
        store: storage.store,
        desk: storage.outbox,
        lines,
        close: async () => {
          processes.delete(opened);
          await storage.close();
        },
      };
      processes.add(opened);
      return opened;
    },
    cut() {
      proxy.onCall = () => Promise.reject(new Error('cut'));
    },
    back() {
      proxy.onCall = async () => undefined;
      proxy.onReply = async () => 'pass';
    },
    async close() {
      for (const { close } of processes) await close();
      await proxy.close();
      await redis.stop();
      await record.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export async function begin({ store }: BoxProcess, caller: Caller = server, ttlSeconds = 3600): Promise<string> {
  const { conversation } = await store.create(caller, { title: null, metadata: {} }, ttlSeconds);
  return conversation.id;
}

export function append({ store }: BoxProcess, id: string, messages: NamedMessage[], caller: Caller = server) {
  return store.append(caller, id, messages, undefined);
}

export function read({ store }: BoxProcess, id: string, caller: Caller = server): Promise<ThreadRead> {
  return store.read(caller, id, { limit: 100 }, new AbortController().signal);
}

/** What was said, stored or waiting. */
export function texts({ messages, pending }: ThreadRead): unknown[] {
  return [...messages, ...pending].map(({ content }) => content);
}

/** Returns when what waits in the outbox has gone. */
export async function drained({ desk }: BoxProcess): Promise<void> {
  await until(() => desk.report(false).waiting.conversations === 0);
}

/** Looks again and again, because what is waited for happens in another process or server. */
export async function until(condition: () => boolean | Promise<boolean>, milliseconds = 60_000): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${milliseconds} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Name, content and seq of what is in the record, by seq. */
export async function stored({ record }: Pick<Box, 'record'>, id: string) {
  return record.sql<{ seq: number; name: string; content: unknown; created_at: Date }[]>`
    select seq, client_message_id as name, content, created_at from messages where conversation_id = ${id} order by seq`;
}
