import { randomUUID } from 'node:crypto';
import type {
  AppendOutcome,
  Caller,
  Conversation,
  Message,
  NewConversation,
  NewMessage,
  Page,
  Tier,
} from '../conversation/conversation.ts';
import { isExpired, mayRead, pageLimit } from '../conversation/conversation.ts';
import type { Call, ConversationStore, TierHealth } from '../conversation/conversation-store.ts';

interface Kept {
  conversation: Conversation;
  readonly messages: Message[];
}

/** Keeps conversations in this process: gone when it ends. For development, and as a fallback that says so loudly. */
export class MemoryStore implements ConversationStore {
  readonly tiers: readonly Tier[] = ['memory'];
  readonly #kept = new Map<string, Kept>();
  readonly #ttl: number;

  /** @param ttl milliseconds that a conversation lives */
  constructor(ttl: number) {
    this.#ttl = ttl;
  }

  async create({ caller }: Call, wanted: NewConversation) {
    const now = new Date().toISOString();
    const conversation: Conversation = {
      ...wanted,
      id: randomUUID(),
      user_id: caller.kind === 'user' ? caller.id : null,
      continuation_id: randomUUID(),
      last_seq: 0,
      created_at: now,
      updated_at: now,
      expires_at: new Date(Date.now() + this.#ttl).toISOString(),
    };
    this.#kept.set(conversation.id, { conversation, messages: [] });
    return { tier: 'memory' as const, conversation };
  }

  async append({ caller }: Call, id: string, messages: readonly NewMessage[], expectedSeq: number | undefined) {
    return { tier: 'memory' as const, result: this.#append(caller, id, messages, expectedSeq) };
  }

  #append(caller: Caller, id: string, sent: readonly NewMessage[], expectedSeq: number | undefined): AppendOutcome {
    const kept = this.#visible(caller, id);
    if (!kept) return { outcome: 'not_found' };
    const known = new Map(kept.messages.map((message) => [message.client_message_id, message]));
    const before = kept.conversation.last_seq;
    if (expectedSeq !== undefined && expectedSeq !== before && !sent.every((m) => known.has(m.client_message_id))) {
      const missed = kept.messages.filter(({ seq }) => seq > expectedSeq).slice(0, pageLimit);
      return { outcome: 'conflict', last_seq: before, messages: missed };
    }
    for (const message of sent) {
      if (known.has(message.client_message_id)) continue;
      const added: Message = {
        ...message,
        seq: kept.messages.length + 1,
        id: randomUUID(),
        created_at: new Date().toISOString(),
      };
      kept.messages.push(added);
      known.set(added.client_message_id, added);
    }
    kept.conversation = { ...kept.conversation, last_seq: kept.messages.length, updated_at: new Date().toISOString() };
    const appended = sent.flatMap(({ client_message_id }) => known.get(client_message_id) ?? []);
    return {
      outcome: 'appended',
      previous_seq: before,
      conversation: kept.conversation,
      messages: appended.map((message) => ({ ...message, duplicate: message.seq <= before })),
    };
  }

  async read({ caller }: Call, id: string, page: Page) {
    const kept = this.#visible(caller, id);
    if (!kept) return undefined;
    const { conversation, messages } = kept;
    return { tier: 'memory' as const, thread: { conversation, messages: pageOf(messages, page) } };
  }

  async health(): Promise<TierHealth[]> {
    return [{ tier: 'memory', status: 'healthy', response_time_ms: 0 }];
  }

  async close(): Promise<void> {}

  #visible(caller: Caller, id: string): Kept | undefined {
    const kept = this.#kept.get(id);
    if (kept && isExpired(kept.conversation, Date.now())) {
      this.#kept.delete(id);
      return undefined;
    }
    return kept && mayRead(caller, kept.conversation) ? kept : undefined;
  }
}

/** The page of messages that are given oldest first. */
export function pageOf(messages: readonly Message[], { limit, before, after }: Page): Message[] {
  const between = messages.filter(
    ({ seq }) => (before === undefined || seq < before) && (after === undefined || seq > after),
  );
  return after === undefined ? between.slice(-limit) : between.slice(0, limit);
}
