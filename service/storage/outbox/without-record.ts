import { randomUUID } from 'node:crypto';
import type {
  Caller,
  Conversation,
  NamedMessage,
  NewConversation,
  PendingMessage,
} from '../../conversation/conversation.ts';
import type { Created, Stored } from '../../conversation/conversation-lifecycle.ts';
import { type Appended, mayReach, type PageRequest, type ThreadRead } from '../../conversation/conversation-store.ts';
import { ConversationNotFound, RecordUnavailable } from '../../conversation/errors.ts';
import { pageOf } from '../../conversation/thread-page.ts';
import type { HotCopies } from '../hot-copies/hot-copies.ts';
import type { KnownHeads } from './known-heads.ts';
import { isOver, type Outbox, type QueuedConversation } from './outbox.ts';
import type { RecordState } from './record-state.ts';

export interface WithoutRecordParts {
  readonly outbox: Outbox;
  readonly hot: HotCopies | undefined;
  readonly heads: KnownHeads;
  readonly state: RecordState;
}

/** What is done without the record: what is said is queued, and what is known is read, unconfirmed. */
export class WithoutRecord {
  readonly #parts: WithoutRecordParts;

  constructor(parts: WithoutRecordParts) {
    this.#parts = parts;
  }

  async create(caller: Caller, { title, metadata }: NewConversation, ttlSeconds: number, id: string): Promise<Created> {
    const known = await this.#known(id);
    if (known !== undefined && mayReach(caller, known))
      return { tier: 'outbox', conversation: known, expires_in_ms: msUntil(known.expires_at), created: false };
    const now = Date.now();
    const begun = new Date(now).toISOString();
    const head: Conversation = {
      id,
      user_id: caller.kind === 'user' ? caller.id : null,
      continuation_id: randomUUID(),
      title,
      metadata,
      last_seq: 0,
      cleared_seq: 0,
      forked_from: null,
      created_at: begun,
      updated_at: begun,
      accessed_at: begun,
      expires_at: new Date(now + ttlSeconds * 1000).toISOString(),
      deleted_at: null,
    };
    const queued = await this.#parts.outbox.create(head, ttlSeconds);
    return { ...storedOf(queued), created: queued.created };
  }

  async append(caller: Caller, id: string, messages: readonly NamedMessage[], reason: unknown): Promise<Appended> {
    const queued = await this.#parts.outbox.append(caller, id, await this.#known(id), messages);
    if (queued === undefined) throw unavailable(reason);
    return { ...storedOf(queued), durability: 'queued', receipts: queued.receipts };
  }

  /** What is known of the thread: its hot copy, and what waits. */
  async read(caller: Caller, id: string, page: PageRequest, reason: unknown): Promise<ThreadRead> {
    const { outbox, hot, state } = this.#parts;
    const queued = outbox.find(id);
    const copy = await hot?.known(id);
    const head = copy?.conversation ?? queued?.head ?? this.#parts.heads.get(id);
    if (head === undefined) throw unavailable(reason);
    const life = Math.max(queued === undefined ? 0 : lifeOf(queued), msUntil(head.expires_at) ?? Infinity);
    if (!mayReach(caller, head) || life <= 0) throw new ConversationNotFound();
    const window = copy?.window ?? (queued?.isNew ? { messages: [], hasEarlier: false } : undefined);
    const held = window && pageOf(window, page);
    if (held === undefined) throw unavailable(reason);
    const isNewest = page.before === undefined && !held.has_later;
    return {
      tier: copy === undefined ? 'outbox' : 'redis',
      conversation: head,
      expires_in_ms: Number.isFinite(life) ? life : null,
      ...held,
      pending: isNewest && queued !== undefined ? notAmong(held.messages, outbox.pending(id)) : [],
      confirmed: state.isThere,
    };
  }

  /** The conversation as the record told of it the last time, to this process or another. */
  async #known(id: string): Promise<Conversation | undefined> {
    const seen = this.#parts.heads.get(id);
    if (seen !== undefined && (msUntil(seen.expires_at) ?? 1) > 0) return seen;
    return (await this.#parts.hot?.known(id))?.conversation ?? seen;
  }
}

function storedOf(queued: QueuedConversation): Stored {
  const life = lifeOf(queued);
  return { tier: 'outbox', conversation: queued.head, expires_in_ms: Number.isFinite(life) ? life : null };
}

/** Milliseconds; 0 when it is over. */
function lifeOf(queued: QueuedConversation): number {
  const now = Date.now();
  if (isOver(queued, now)) return 0;
  return queued.aliveUntil === null ? Infinity : queued.aliveUntil - now;
}

function msUntil(timestamp: string | null): number | null {
  return timestamp === null ? null : Date.parse(timestamp) - Date.now();
}

function notAmong(
  messages: readonly { readonly client_message_id: string }[],
  pending: readonly PendingMessage[],
): PendingMessage[] {
  const there = new Set(messages.map(({ client_message_id: name }) => name));
  return pending.filter(({ client_message_id: name }) => !there.has(name));
}

/** What somebody is told whose request takes the record. */
export function unavailable(reason: unknown): RecordUnavailable {
  return reason instanceof RecordUnavailable ? reason : new RecordUnavailable({ cause: reason });
}
