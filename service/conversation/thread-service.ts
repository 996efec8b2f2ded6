import type { Caller } from './conversation.ts';
import { TooLarge } from './errors.ts';
import { limits } from './limits.ts';
import { ownerOf } from './owner.ts';
import type { StoredThread, ThreadDocument, ThreadDocuments, ThreadHead } from './thread-documents.ts';

/** What can be done with documents of threads. Throws the errors of `errors.ts`. */
export class ThreadService {
  readonly #documents: ThreadDocuments;
  readonly #lifetimeSeconds: number;

  /** `lifetimeSeconds`: how long a document lives that says nothing about it. */
  constructor(documents: ThreadDocuments, lifetimeSeconds: number) {
    this.#documents = documents;
    this.#lifetimeSeconds = lifetimeSeconds;
  }

  get tier() {
    return this.#documents.tier;
  }

  async put(caller: Caller, id: string, document: ThreadDocument, ttlSeconds: number | undefined): Promise<ThreadHead> {
    const limit = limits.threadDocumentBytes;
    if (Buffer.byteLength(JSON.stringify(document)) > limit) throw new TooLarge('the document', limit);
    return this.#documents.put(caller, id, document, ttlSeconds ?? this.#lifetimeSeconds);
  }

  get(caller: Caller, id: string, signal: AbortSignal): Promise<StoredThread> {
    return this.#documents.get(caller, id, signal);
  }

  delete(caller: Caller, id: string): Promise<void> {
    return this.#documents.delete(caller, id);
  }

  /** Of the user that calls, or that the server names. Returns how many there were. */
  async eraseUser(caller: Caller, userId: string): Promise<number> {
    ownerOf(caller, userId, 'erasing the threads of others');
    return this.#documents.eraseUser(caller, userId);
  }

  /** Removes what has expired, until there is no more or `signal` is aborted. Returns how many there were. */
  async cleanUp(signal: AbortSignal): Promise<number> {
    let removed = 0;
    let some: number = limits.removedAtOnce;
    for (; some === limits.removedAtOnce && !signal.aborted; removed += some) some = await this.#documents.cleanUp();
    return removed;
  }
}
