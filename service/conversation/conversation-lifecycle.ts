import type { Caller, Conversation, ConversationChanges, NewConversation, NewFork, Tier } from './conversation.ts';

/** What is stored of a conversation, and how long it stays; `expires_in_ms` is null when it stays for good. */
export interface Stored {
  readonly tier: Tier;
  readonly conversation: Conversation;
  readonly expires_in_ms: number | null;
}

export interface Created extends Stored {
  /** False: it was there already. */
  readonly created: boolean;
}

/** `reason`: why another conversation was begun; null when the one that was asked for is continued. */
export interface Continued extends Stored {
  readonly reason: 'unknown' | 'expired' | 'none' | null;
}

/** A place in a list: behind this conversation. */
export interface ListPosition {
  readonly created_at: string;
  readonly id: string;
}

export interface ListRequest {
  /** Whose conversations: a user's, or those of the server itself (null). */
  readonly owner: string | null;
  /** 1 to `limits.conversationsPerPage`. */
  readonly limit: number;
  readonly after: ListPosition | undefined;
}

export interface ConversationList {
  readonly tier: Tier;
  /** Newest first, by `created_at`, which never changes. */
  readonly conversations: readonly Conversation[];
  readonly has_more: boolean;
}

/**
 * What happens to a conversation between its first message and its end. Whatever is about one conversation throws
 * `ConversationNotFound` when there is none, when it is somebody else's, and when it has ended.
 */
export interface ConversationLifecycle {
  /**
   * The caller owns it. `ttlSeconds` is counted from when it was last read or written, kept to the minute. With an `id`
   * that is there already, nothing is created, and that one is returned; `IdempotencyKeyUsed` when it has ended.
   */
  create(caller: Caller, conversation: NewConversation, ttlSeconds: number, id?: string): Promise<Created>;

  /** The conversation of that continuation id; where there is none, one that is begun with what is given. */
  continueOrCreate(
    caller: Caller,
    continuationId: string | undefined,
    conversation: NewConversation,
    ttlSeconds: number,
  ): Promise<Continued>;

  /** Those that have not ended. Does not count as reading them. Gives up with `CallerGone` when `signal` is aborted. */
  list(caller: Caller, request: ListRequest, signal: AbortSignal): Promise<ConversationList>;

  update(caller: Caller, id: string, changes: ConversationChanges): Promise<Stored>;

  /** Removes all messages that are there. */
  clear(caller: Caller, id: string): Promise<Stored>;

  /** It lives so many seconds from now on, and from whenever it is read or written; null: for good. Never shortens. */
  extend(caller: Caller, id: string, ttlSeconds: number | null): Promise<Stored>;

  /**
   * Begins a conversation of the same owner with the messages of this one up to a seq, numbered anew from 1. Throws
   * `SeqConflict` for a seq that is not there yet.
   */
  fork(caller: Caller, id: string, fork: NewFork): Promise<Stored>;

  delete(caller: Caller, id: string): Promise<Stored>;

  /** Within `limits.undeleteSeconds`, also when it has expired since. One that has not ended stays as it is. */
  undelete(caller: Caller, id: string): Promise<Stored>;
}
