import { randomUUID } from 'node:crypto';
import type { Caller, Metadata, NamedMessage, NewConversation, NewMessages, Tier } from './conversation.ts';
import type { ConversationEvents } from './conversation-events.ts';
import type { Appended, ConversationStore, PageRequest, Stored, ThreadRead } from './conversation-store.ts';
import { ConversationError, TooLarge } from './errors.ts';
import { limits } from './limits.ts';

/** One use case that came to its end: how long it took, which tier answered, or which error code there was instead. */
export interface Operation {
  readonly name: 'create' | 'append' | 'read';
  readonly milliseconds: number;
  readonly tier: Tier | undefined;
  readonly code: string | undefined;
}

export interface ConversationServiceParts {
  readonly store: ConversationStore;
  /** Hears of every write that has reached the record. */
  readonly events: ConversationEvents;
  /** How long a conversation lives after it was last read or written. */
  readonly lifetimeSeconds: number;
  readonly onOperation: (operation: Operation) => void;
}

/** What can be done with conversations. Throws the errors of `errors.ts`. */
export class ConversationService {
  readonly #parts: ConversationServiceParts;

  constructor(parts: ConversationServiceParts) {
    this.#parts = parts;
  }

  async create(caller: Caller, conversation: NewConversation): Promise<Stored> {
    const { store, lifetimeSeconds } = this.#parts;
    const limit = limits.conversationMetadataBytes;
    if (jsonBytes(conversation.metadata) > limit) throw new TooLarge('the metadata of the conversation', limit);
    return this.#observed('create', () => store.create(caller, conversation, lifetimeSeconds));
  }

  async append(caller: Caller, id: string, messages: NewMessages, expectedSeq?: number): Promise<Appended> {
    const named = messages.map(withName);
    const appended = await this.#observed('append', () => this.#parts.store.append(caller, id, named, expectedSeq));
    if (appended.durability === 'record' && appended.receipts.some(({ duplicate }) => !duplicate)) {
      this.#parts.events.publish({
        kind: 'appended',
        conversation_id: appended.conversation.id,
        last_seq: appended.conversation.last_seq,
      });
    }
    return appended;
  }

  async read(caller: Caller, id: string, page: PageRequest, signal: AbortSignal): Promise<ThreadRead> {
    return this.#observed('read', () => this.#parts.store.read(caller, id, page, signal));
  }

  async #observed<R extends Stored>(name: Operation['name'], work: () => Promise<R>): Promise<R> {
    const started = performance.now();
    let tier: Tier | undefined;
    let code: string | undefined;
    try {
      const result = await work();
      tier = result.tier;
      return result;
    } catch (error) {
      code = error instanceof ConversationError ? error.code : 'internal_error';
      throw error;
    } finally {
      this.#parts.onOperation({ name, milliseconds: performance.now() - started, tier, code });
    }
  }
}

function withName(message: NewMessages[number], index: number): NamedMessage {
  const { client_message_id = randomUUID(), role, content, metadata } = message;
  if (messageBytes(content, metadata) > limits.messageBytes)
    throw new TooLarge(`message ${index}`, limits.messageBytes);
  return { client_message_id, role, content, metadata };
}

function messageBytes(content: unknown, metadata: Metadata): number {
  return jsonBytes(content) + jsonBytes(metadata);
}

function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
