import type { Caller, Tier } from './conversation.ts';

/** Numbers of a user's own conversations; of all, for the server. */
export interface Stats {
  readonly tier: Tier;
  /** Those that have not ended. */
  readonly total_conversations: number;
  /** Their messages. */
  readonly total_messages: number;
  /** Those that have expired, and are not cleaned up yet. */
  readonly expired_conversations: number;
}

/** What was removed at once. */
export interface CleanedUp {
  readonly tier: Tier;
  /** Which ones: the expired and the deleted. */
  readonly removed: readonly string[];
  readonly expired: number;
  readonly deleted: number;
  /** `more`: there may be more to remove. `busy`: another process cleans up at this moment. */
  readonly rest: 'none' | 'more' | 'busy';
}

export interface Erased {
  readonly tier: Tier;
  readonly conversations: number;
}

/** What concerns many conversations at once. */
export interface ConversationUpkeep {
  /** Gives up with `CallerGone` when `signal` is aborted. */
  stats(caller: Caller, signal: AbortSignal): Promise<Stats>;

  /**
   * Removes for good, `limits.removedAtOnce` at most, what has been expired for `limits.expiredSeconds` or deleted for
   * `limits.undeleteSeconds`.
   */
  cleanUp(): Promise<CleanedUp>;

  /** Removes every conversation of a user for good, the ended ones too: nothing that was said in them is kept anywhere. */
  eraseUser(caller: Caller, userId: string): Promise<Erased>;
}
