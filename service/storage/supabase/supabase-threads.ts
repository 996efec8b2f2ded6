import { z } from 'zod';
import type { Caller } from '../../conversation/conversation.ts';
import { ThreadNotFound } from '../../conversation/errors.ts';
import { limits } from '../../conversation/limits.ts';
import {
  type StoredThread,
  storedThread,
  type ThreadDocument,
  type ThreadDocuments,
  type ThreadHead,
  threadHead,
} from '../../conversation/thread-documents.ts';
import type { SupabaseCalls } from './supabase-calls.ts';

const notFound = z.object({ status: z.literal('not_found') });
const found = z.discriminatedUnion('status', [
  notFound,
  z.object({ status: z.literal('found'), thread: storedThread }),
]);
const deleted = z.discriminatedUnion('status', [notFound, z.object({ status: z.literal('deleted') })]);
const removed = z.object({ removed: z.int() });

const server: Caller = { kind: 'server' };

/** Documents of threads in PostgreSQL: one call for each method. Nothing is kept of them in Redis. */
export class SupabaseThreads implements ThreadDocuments {
  readonly tier = 'supabase' as const;
  readonly #calls: SupabaseCalls;

  constructor(calls: SupabaseCalls) {
    this.#calls = calls;
  }

  put(caller: Caller, id: string, document: ThreadDocument, ttlSeconds: number): Promise<ThreadHead> {
    const input = { thread_id: id, document, ttl_seconds: ttlSeconds };
    return this.#calls.call(caller, 'put_thread', input, threadHead);
  }

  async get(caller: Caller, id: string, signal: AbortSignal): Promise<StoredThread> {
    const result = await this.#calls.call(caller, 'get_thread', { thread_id: id }, found, signal);
    if (result.status === 'not_found') throw new ThreadNotFound();
    return result.thread;
  }

  async delete(caller: Caller, id: string): Promise<void> {
    const { status } = await this.#calls.call(caller, 'delete_thread', { thread_id: id }, deleted);
    if (status === 'not_found') throw new ThreadNotFound();
  }

  async cleanUp(): Promise<number> {
    const input = { max_threads: limits.removedAtOnce };
    return (await this.#calls.call(server, 'clean_up_threads', input, removed)).removed;
  }

  async eraseUser(caller: Caller, userId: string): Promise<number> {
    return (await this.#calls.call(caller, 'erase_threads', { user_id: userId }, removed)).removed;
  }
}
