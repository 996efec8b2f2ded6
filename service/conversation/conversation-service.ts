import { randomUUID } from 'node:crypto';
import { trace } from '@opentelemetry/api';
import type {
  Caller,
  ConversationChanges,
  Metadata,
  NamedMessage,
  NewConversation,
  NewFork,
  NewMessages,
  Tier,
} from './conversation.ts';
import type { ConversationEvents } from './conversation-events.ts';
import type { Continued, ConversationList, Created, ListPosition } from './conversation-lifecycle.ts';
import type { Appended, ConversationStore, PageRequest, Stored, ThreadRead } from './conversation-store.ts';
import type { CleanedUp, Erased, Stats } from './conversation-upkeep.ts';
import { ConversationError, ServerOnly, TooLarge } from './errors.ts';
import { conversationIdOf } from './idempotency.ts';
import { limits } from './limits.ts';
import { type MessageList, type MessageRange, messagesInRange, pageOfRange } from './message-range.ts';
import { ownerOf } from './owner.ts';

/** One use case that came to its end: how long it took, which tier answered, or which error code there was instead. */
export interface Operation {
  readonly name:
    | 'create'
    | 'continue'
    | 'list'
    | 'append'
    | 'read'
    | 'update'
    | 'clear'
    | 'extend'
    | 'fork'
    | 'delete'
    | 'undelete'
    | 'stats'
    | 'clean_up'
    | 'erase';
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

const tracer = trace.getTracer('conversation');

/** What can be done with conversations. Throws the errors of `errors.ts`. */
export class ConversationService {
  readonly #parts: ConversationServiceParts;

  constructor(parts: ConversationServiceParts) {
    this.#parts = parts;
  }

  /** With a key: once, however often it is sent. */
  async create(caller: Caller, conversation: NewConversation, idempotencyKey?: string): Promise<Created> {
    const { store, lifetimeSeconds } = this.#parts;
    refuseLargeMetadata(conversation.metadata);
    const id = idempotencyKey === undefined ? undefined : conversationIdOf(caller, idempotencyKey);
    return this.#observed('create', () => store.create(caller, conversation, lifetimeSeconds, id));
  }

  async continueOrCreate(
    caller: Caller,
    continuationId: string | undefined,
    conversation: NewConversation,
  ): Promise<Continued> {
    const { store, lifetimeSeconds } = this.#parts;
    refuseLargeMetadata(conversation.metadata);
    return this.#observed('continue', () =>
      store.continueOrCreate(caller, continuationId, conversation, lifetimeSeconds),
    );
  }

  /** The caller's own conversations; for the server, also those of a user. */
  async list(
    caller: Caller,
    { owner, limit, after }: { owner: string | undefined; limit: number; after: ListPosition | undefined },
    signal: AbortSignal,
  ): Promise<ConversationList> {
    const whose = ownerOf(caller, owner, 'listing the conversations of others');
    return this.#observed('list', () => this.#parts.store.list(caller, { owner: whose, limit, after }, signal));
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

  /** The conversation without its messages; counts as reading it. */
  async head(caller: Caller, id: string, signal: AbortSignal): Promise<ThreadRead> {
    return this.read(caller, id, { limit: 0 }, signal);
  }

  async messages(caller: Caller, id: string, range: MessageRange, signal: AbortSignal): Promise<MessageList> {
    return messagesInRange(await this.read(caller, id, pageOfRange(range), signal), range);
  }

  async update(caller: Caller, id: string, changes: ConversationChanges): Promise<Stored> {
    if (changes.metadata !== undefined) refuseLargeMetadata(changes.metadata);
    return this.#changed('update', 'changed', () => this.#parts.store.update(caller, id, changes));
  }

  /** Removes all its messages. */
  async clear(caller: Caller, id: string): Promise<Stored> {
    return this.#changed('clear', 'cleared', () => this.#parts.store.clear(caller, id));
  }

  /** Null: for good, which only the server may. */
  async extend(caller: Caller, id: string, ttlSeconds: number | null): Promise<Stored> {
    if (ttlSeconds === null && caller.kind === 'user') throw new ServerOnly('keeping a conversation for good');
    return this.#changed('extend', 'changed', () => this.#parts.store.extend(caller, id, ttlSeconds));
  }

  async fork(caller: Caller, id: string, fork: NewFork): Promise<Stored> {
    return this.#observed('fork', () => this.#parts.store.fork(caller, id, fork));
  }

  /** It can be undeleted for `limits.undeleteSeconds`. */
  async delete(caller: Caller, id: string): Promise<Stored> {
    return this.#changed('delete', 'deleted', () => this.#parts.store.delete(caller, id));
  }

  async undelete(caller: Caller, id: string): Promise<Stored> {
    return this.#changed('undelete', 'changed', () => this.#parts.store.undelete(caller, id));
  }

  async stats(caller: Caller, signal: AbortSignal): Promise<Stats & { readonly ttl_hours: number }> {
    const stats = await this.#observed('stats', () => this.#parts.store.stats(caller, signal));
    return { ...stats, ttl_hours: this.#parts.lifetimeSeconds / 3600 };
  }

  /** Removes what has ended long enough ago, `limits.removedAtOnce` at a time, until there is no more or it was a lot. */
  async cleanUp(caller: Caller, signal: AbortSignal): Promise<CleanedUp> {
    if (caller.kind === 'user') throw new ServerOnly('cleaning up');
    let total = await this.#observed('clean_up', () => this.#parts.store.cleanUp());
    for (let turn = 1; total.rest === 'more' && turn < limits.cleanUpTurns && !signal.aborted; turn += 1) {
      const more = await this.#observed('clean_up', () => this.#parts.store.cleanUp());
      total = {
        tier: more.tier,
        removed: [...total.removed, ...more.removed],
        expired: total.expired + more.expired,
        deleted: total.deleted + more.deleted,
        rest: more.rest,
      };
    }
    return total;
  }

  /** Removes everything that a user has said, for good. */
  async eraseUser(caller: Caller, userId: string): Promise<Erased> {
    ownerOf(caller, userId, 'erasing the conversations of others');
    return this.#observed('erase', () => this.#parts.store.eraseUser(caller, userId));
  }

  async #changed(
    name: Operation['name'],
    kind: 'changed' | 'cleared' | 'deleted',
    work: () => Promise<Stored>,
  ): Promise<Stored> {
    const stored = await this.#observed(name, work);
    this.#parts.events.publish({ kind, conversation_id: stored.conversation.id });
    return stored;
  }

  async #observed<R extends { readonly tier: Tier }>(name: Operation['name'], work: () => Promise<R>): Promise<R> {
    const started = performance.now();
    let tier: Tier | undefined;
    let code: string | undefined;
    return tracer.startActiveSpan(`conversation ${name}`, async (span) => {
      try {
        const result = await work();
        tier = result.tier;
        return result;
      } catch (error) {
        code = error instanceof ConversationError ? error.code : 'internal_error';
        throw error;
      } finally {
        span.setAttributes({ 'conversation.tier': tier ?? 'none', 'conversation.code': code ?? 'ok' }).end();
        this.#parts.onOperation({ name, milliseconds: performance.now() - started, tier, code });
      }
    });
  }
}

function refuseLargeMetadata(metadata: Metadata): void {
  const limit = limits.conversationMetadataBytes;
  if (jsonBytes(metadata) > limit) throw new TooLarge('the metadata of the conversation', limit);
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
