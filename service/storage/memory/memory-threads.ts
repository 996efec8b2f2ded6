import type { Caller } from '../../conversation/conversation.ts';
import { ThreadNotFound } from '../../conversation/errors.ts';
import { limits } from '../../conversation/limits.ts';
import type { StoredThread, ThreadDocument, ThreadDocuments, ThreadHead } from '../../conversation/thread-documents.ts';

interface Entry {
  readonly owner: string;
  readonly thread: StoredThread;
}

/** Documents of threads in this process: gone when it ends. */
export class MemoryThreads implements ThreadDocuments {
  readonly tier = 'memory' as const;
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  async put(caller: Caller, id: string, document: ThreadDocument, ttlSeconds: number): Promise<ThreadHead> {
    const now = this.#now();
    const head = {
      thread_id: id,
      created_at: this.#find(caller, id)?.created_at ?? iso(now),
      updated_at: iso(now),
      expires_at: iso(now + ttlSeconds * 1000),
    };
    const thread = { ...head, document: structuredClone(document) };
    this.#entries.set(keyOf(caller, id), { owner: ownerOf(caller), thread });
    return head;
  }

  async get(caller: Caller, id: string): Promise<StoredThread> {
    const thread = this.#find(caller, id);
    if (thread === undefined) throw new ThreadNotFound();
    return structuredClone(thread);
  }

  async delete(caller: Caller, id: string): Promise<void> {
    const there = this.#find(caller, id);
    this.#entries.delete(keyOf(caller, id));
    if (there === undefined) throw new ThreadNotFound();
  }

  async cleanUp(): Promise<number> {
    const due = [...this.#entries].filter(([, { thread }]) => this.#hasExpired(thread)).slice(0, limits.removedAtOnce);
    for (const [key] of due) this.#entries.delete(key);
    return due.length;
  }

  async eraseUser(_caller: Caller, userId: string): Promise<number> {
    const theirs = [...this.#entries].filter(([, { owner }]) => owner === userId);
    for (const [key] of theirs) this.#entries.delete(key);
    return theirs.length;
  }

  #find(caller: Caller, id: string): StoredThread | undefined {
    const thread = this.#entries.get(keyOf(caller, id))?.thread;
    return thread === undefined || this.#hasExpired(thread) ? undefined : thread;
  }

  #hasExpired({ expires_at: expires }: StoredThread): boolean {
    return Date.parse(expires) <= this.#now();
  }
}

function ownerOf(caller: Caller): string {
  return caller.kind === 'server' ? '' : caller.id;
}

function keyOf(caller: Caller, id: string): string {
  return `${ownerOf(caller)}/${id}`;
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
