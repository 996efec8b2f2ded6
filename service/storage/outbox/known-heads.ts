import { LRUCache } from 'lru-cache';
import type { Conversation } from '../../conversation/conversation.ts';

/** Bytes of JSON, about, that may be kept. */
const room = 32 * 1024 * 1024;

/** Conversations that this process has seen lately, as the record told of them: whose they are, and how long they live. */
export class KnownHeads {
  readonly #heads = new LRUCache<string, Conversation>({ maxSize: room, sizeCalculation: sizeOf });

  get(id: string): Conversation | undefined {
    return this.#heads.get(id);
  }

  /** Remembers it, and gives it back. */
  see<T extends { readonly conversation: Conversation }>(stored: T): T {
    this.#heads.set(stored.conversation.id, stored.conversation);
    return stored;
  }

  forget(id: string): void {
    this.#heads.delete(id);
  }

  forgetUser(userId: string): void {
    for (const [id, head] of this.#heads) if (head.user_id === userId) this.#heads.delete(id);
  }
}

function sizeOf({ metadata, title }: Conversation): number {
  return 600 + (title?.length ?? 0) + JSON.stringify(metadata).length;
}
