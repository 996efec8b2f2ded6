import type {
  AppendOutcome,
  Caller,
  Conversation,
  NewConversation,
  NewMessage,
  Page,
  Thread,
  Tier,
} from './conversation.ts';

/** How one tier answers when it is asked for its health. */
export interface TierHealth {
  readonly tier: Tier;
  readonly status: 'healthy' | 'unhealthy';
  readonly response_time_ms: number;
  /** What is wrong, without secrets. */
  readonly reason?: string;
}

export interface Call {
  readonly caller: Caller;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/**
 * Where conversations are kept. Every implementation passes the same suite (tests/contract).
 *
 * A conversation that is not there, is another user's or has expired is `undefined` or `not_found`: three ways to say the
 * same. A store that can't answer throws {@link StoreUnavailableError}; what it acknowledged before then it has.
 */
export interface ConversationStore {
  /** Which tiers it has, the fastest first. */
  readonly tiers: readonly Tier[];
  create(call: Call, wanted: NewConversation): Promise<{ tier: Tier; conversation: Conversation }>;
  append(
    call: Call,
    conversationId: string,
    messages: readonly NewMessage[],
    expectedSeq: number | undefined,
  ): Promise<{ tier: Tier; result: AppendOutcome }>;
  read(call: Call, conversationId: string, page: Page): Promise<{ tier: Tier; thread: Thread } | undefined>;
  health(signal: AbortSignal): Promise<TierHealth[]>;
  close(): Promise<void>;
}

/** The store can't be asked, or did not answer in time. `cause` has why. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';
  readonly tier: Tier;
  constructor(tier: Tier, cause: unknown) {
    super(`${tier} does not answer`, { cause });
    this.tier = tier;
  }
}

/** The store refused what it was given as it can't be kept: the caller's to mend. */
export class StoreRefusedError extends Error {
  override readonly name = 'StoreRefusedError';
}
