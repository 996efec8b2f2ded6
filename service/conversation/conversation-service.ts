import { randomUUID } from 'node:crypto';
import type { AppendOutcome, Conversation, NewConversation, NewMessage, Page, Thread, Tier } from './conversation.ts';
import type { Call, ConversationStore, TierHealth } from './conversation-store.ts';
import { ConversationNotFoundError, SequenceConflictError } from './errors.ts';

export interface Health {
  readonly status: 'healthy' | 'degraded' | 'unhealthy';
  readonly checks: readonly TierHealth[];
}

type Appended = Extract<AppendOutcome, { outcome: 'appended' }>;

/** A message as a client sends it: the id may be left out by those who do not mean to repeat the request. */
export type SentMessage = Omit<NewMessage, 'client_message_id'> & { client_message_id?: string | undefined };

/** What can be done with conversations. Knows the store by its interface only. */
export class ConversationService {
  readonly #store: ConversationStore;
  constructor(store: ConversationStore) {
    this.#store = store;
  }

  create(call: Call, wanted: NewConversation): Promise<{ tier: Tier; conversation: Conversation }> {
    return this.#store.create(call, wanted);
  }

  /**
   * Appends messages in the order given, all or none. Throws {@link ConversationNotFoundError}, and
   * {@link SequenceConflictError} where `expectedSeq` is not the newest `seq`.
   */
  async append(
    call: Call,
    conversationId: string,
    messages: readonly SentMessage[],
    expectedSeq: number | undefined,
  ): Promise<{ tier: Tier; appended: Appended }> {
    const named = messages.map((message) => ({
      ...message,
      client_message_id: message.client_message_id ?? randomUUID(),
    }));
    const { tier, result } = await this.#store.append(call, conversationId, named, expectedSeq);
    if (result.outcome === 'not_found') throw new ConversationNotFoundError(conversationId);
    if (result.outcome === 'conflict') throw new SequenceConflictError(result.last_seq, result.messages);
    return { tier, appended: result };
  }

  /** Throws {@link ConversationNotFoundError}. */
  async read(call: Call, conversationId: string, page: Page): Promise<{ tier: Tier; thread: Thread }> {
    const found = await this.#store.read(call, conversationId, page);
    if (!found) throw new ConversationNotFoundError(conversationId);
    return found;
  }

  /** Unhealthy: the last tier, which is the record, does not answer. Degraded: one before it does not. */
  async health(signal: AbortSignal): Promise<Health> {
    const checks = await this.#store.health(signal);
    const record = this.#store.tiers.at(-1);
    const failing = checks.filter(({ status }) => status === 'unhealthy');
    if (failing.length === 0) return { status: 'healthy', checks };
    return { status: failing.some(({ tier }) => tier === record) ? 'unhealthy' : 'degraded', checks };
  }
}
