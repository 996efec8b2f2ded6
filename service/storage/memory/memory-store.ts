import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type {
  Caller,
  Conversation,
  ConversationChanges,
  Message,
  NamedMessage,
  NewConversation,
  NewFork,
  Receipt,
  Tier,
} from '../../conversation/conversation.ts';
import type {
  Continued,
  ConversationList,
  Created,
  ListPosition,
  ListRequest,
  Stored,
} from '../../conversation/conversation-lifecycle.ts';
import {
  type Appended,
  type ConversationStore,
  mayReach,
  type PageRequest,
  type Probe,
  type ThreadRead,
} from '../../conversation/conversation-store.ts';
import type { CleanedUp, Erased, Stats } from '../../conversation/conversation-upkeep.ts';
import {
  ClientMessageIdReused,
  ConversationNotFound,
  IdempotencyKeyUsed,
  SeqConflict,
} from '../../conversation/errors.ts';
import { limits } from '../../conversation/limits.ts';
import { pageOf, type SizedMessage } from '../../conversation/thread-page.ts';

interface Entry {
  conversation: Conversation;
  /** Null: it stays for good. */
  ttlSeconds: number | null;
  /** Those behind `cleared_seq`. */
  readonly messages: SizedMessage[];
  readonly byName: Map<string, SizedMessage>;
}

/** Conversations in this process: gone when it ends, unknown to any other. For trying things out. */
export class MemoryStore implements ConversationStore {
  readonly probes: readonly Probe[] = [];
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  tiers(): readonly Tier[] {
    return ['memory'];
  }

  async create(caller: Caller, given: NewConversation, ttlSeconds: number, id?: string): Promise<Created> {
    const there = this.#entries.get(id ?? '');
    if (there === undefined)
      return { ...this.#touched(this.#begin(ownerOf(caller), given, ttlSeconds, id)), created: true };
    if (this.#hasEnded(there) || there.conversation.user_id !== ownerOf(caller)) throw new IdempotencyKeyUsed();
    return { ...this.#touched(there), created: false };
  }

  async continueOrCreate(
    caller: Caller,
    continuationId: string | undefined,
    given: NewConversation,
    ttlSeconds: number,
  ): Promise<Continued> {
    const entry = [...this.#entries.values()].find(
      ({ conversation }) => conversation.continuation_id === continuationId && mayReach(caller, conversation),
    );
    if (entry !== undefined && !this.#hasEnded(entry)) return { ...this.#touched(entry), reason: null };
    const isThere = entry !== undefined && entry.conversation.deleted_at === null;
    const reason = continuationId === undefined ? 'none' : isThere ? 'expired' : 'unknown';
    return { ...this.#touched(this.#begin(ownerOf(caller), given, ttlSeconds)), reason };
  }

  async list(caller: Caller, { owner, limit, after }: ListRequest): Promise<ConversationList> {
    const found = [...this.#entries.values()]
      .filter((entry) => !this.#hasEnded(entry) && entry.conversation.user_id === owner)
      .map(({ conversation }) => conversation)
      .filter((conversation) => mayReach(caller, conversation))
      .filter((conversation) => after === undefined || newestFirst(after, conversation) < 0)
      .sort(newestFirst);
    return { tier: 'memory', conversations: structuredClone(found.slice(0, limit)), has_more: found.length > limit };
  }

  async update(caller: Caller, id: string, { title, metadata }: ConversationChanges): Promise<Stored> {
    const entry = this.#reach(caller, id);
    const changes = {
      ...(title === undefined ? {} : { title }),
      ...(metadata === undefined ? {} : { metadata: structuredClone(metadata) }),
      updated_at: this.#time(),
    };
    entry.conversation = { ...entry.conversation, ...changes };
    return this.#touched(entry);
  }

  async clear(caller: Caller, id: string): Promise<Stored> {
    const entry = this.#reach(caller, id);
    const { last_seq: lastSeq } = entry.conversation;
    entry.conversation = { ...entry.conversation, cleared_seq: lastSeq, updated_at: this.#time() };
    entry.messages.length = 0;
    entry.byName.clear();
    return this.#touched(entry);
  }

  async extend(caller: Caller, id: string, ttlSeconds: number | null): Promise<Stored> {
    const entry = this.#reach(caller, id);
    const isLimited = entry.ttlSeconds !== null && ttlSeconds !== null;
    entry.ttlSeconds = isLimited ? Math.max(entry.ttlSeconds ?? 0, ttlSeconds) : null;
    return this.#touched(entry);
  }

  async fork(caller: Caller, id: string, fork: NewFork): Promise<Stored> {
    const source = this.#reach(caller, id);
    const { user_id: owner, metadata, last_seq: lastSeq } = source.conversation;
    const { seq: upTo = lastSeq, title = source.conversation.title } = fork;
    if (upTo > lastSeq) throw new SeqConflict(lastSeq, []);
    const entry = this.#begin(owner, { title, metadata }, source.ttlSeconds);
    for (const { message } of source.messages.filter(({ message: { seq } }) => seq <= upTo)) this.#add(entry, message);
    entry.conversation = { ...entry.conversation, forked_from: { conversation_id: id, seq: upTo } };
    return this.#touched(entry);
  }

  async delete(caller: Caller, id: string): Promise<Stored> {
    const entry = this.#reach(caller, id);
    entry.conversation = { ...entry.conversation, deleted_at: this.#time() };
    return this.#stored(entry);
  }

  async undelete(caller: Caller, id: string): Promise<Stored> {
    const entry = this.#entries.get(id);
    const deleted = entry?.conversation.deleted_at ?? null;
    if (entry === undefined || deleted === null) return this.#touched(this.#reach(caller, id));
    const isTooLate = this.#now() - Date.parse(deleted) >= limits.undeleteSeconds * 1000;
    if (isTooLate || !mayReach(caller, entry.conversation)) throw new ConversationNotFound();
    entry.conversation = { ...entry.conversation, deleted_at: null };
    return this.#touched(entry);
  }

  async stats(caller: Caller): Promise<Stats> {
    const own = [...this.#entries.values()].filter(
      ({ conversation }) => conversation.deleted_at === null && mayReach(caller, conversation),
    );
    const alive = own.filter((entry) => !this.#hasEnded(entry));
    return {
      tier: 'memory',
      total_conversations: alive.length,
      total_messages: alive.reduce((sum, { messages }) => sum + messages.length, 0),
      expired_conversations: own.length - alive.length,
    };
  }

  async cleanUp(): Promise<CleanedUp> {
    const since = (time: string | null) => (time === null ? 0 : this.#now() - Date.parse(time));
    const entries = [...this.#entries.values()].map(({ conversation }) => conversation);
    const expired = entries.filter((each) => !each.deleted_at && since(each.expires_at) > limits.expiredSeconds * 1000);
    const deleted = entries.filter((each) => since(each.deleted_at) > limits.undeleteSeconds * 1000);
    const removed = [...expired, ...deleted].map(({ id }) => id);
    for (const id of removed) this.#entries.delete(id);
    return { tier: 'memory', removed, expired: expired.length, deleted: deleted.length, rest: 'none' };
  }

  async eraseUser(_caller: Caller, userId: string): Promise<Erased> {
    const ids = [...this.#entries.values()].flatMap(({ conversation: { id, user_id: owner } }) =>
      owner === userId ? [id] : [],
    );
    for (const id of ids) this.#entries.delete(id);
    return { tier: 'memory', conversations: ids.length };
  }

  async append(
    caller: Caller,
    id: string,
    messages: readonly NamedMessage[],
    expectedSeq: number | undefined,
  ): Promise<Appended> {
    const entry = this.#reach(caller, id);
    const fresh = messages.filter((message) => !isThere(entry, message));
    const lastSeq = entry.conversation.last_seq;
    if (fresh.length > 0 && expectedSeq !== undefined && expectedSeq !== lastSeq) {
      const missed = pageOf(
        { messages: entry.messages, hasEarlier: false },
        { limit: limits.messagesPerPage, after: expectedSeq },
      );
      throw new SeqConflict(lastSeq, structuredClone(missed?.messages ?? []));
    }
    const receipts = messages.map((message) => this.#put(entry, message));
    if (fresh.length > 0) entry.conversation = { ...entry.conversation, updated_at: this.#time() };
    return { ...this.#touched(entry), durability: 'record', receipts };
  }

  async read(caller: Caller, id: string, page: PageRequest): Promise<ThreadRead> {
    const entry = this.#reach(caller, id);
    const found = pageOf({ messages: entry.messages, hasEarlier: false }, page);
    if (found === undefined) throw new Error('a window without earlier messages holds every page');
    return { ...this.#touched(entry), ...structuredClone(found), pending: [], confirmed: true };
  }

  async close(): Promise<void> {
    this.#entries.clear();
  }

  #reach(caller: Caller, id: string): Entry {
    const entry = this.#entries.get(id);
    if (entry === undefined || this.#hasEnded(entry) || !mayReach(caller, entry.conversation))
      throw new ConversationNotFound();
    return entry;
  }

  #begin(owner: string | null, { title, metadata }: NewConversation, ttlSeconds: number | null, id?: string): Entry {
    const now = this.#time();
    const conversation: Conversation = {
      id: id ?? randomUUID(),
      user_id: owner,
      continuation_id: randomUUID(),
      title,
      metadata: structuredClone(metadata),
      last_seq: 0,
      cleared_seq: 0,
      forked_from: null,
      created_at: now,
      updated_at: now,
      accessed_at: now,
      expires_at: null,
      deleted_at: null,
    };
    const entry = { conversation, ttlSeconds, messages: [], byName: new Map() };
    this.#entries.set(conversation.id, entry);
    return entry;
  }

  /** Under the next seq of the conversation. */
  #add(entry: Entry, { client_message_id, role, content, metadata, created_at }: Omit<Message, 'seq'>): number {
    const seq = entry.conversation.last_seq + 1;
    const message = structuredClone({ seq, client_message_id, role, content, metadata, created_at });
    const sized = { message, bytes: Buffer.byteLength(JSON.stringify(message)) };
    entry.messages.push(sized);
    entry.byName.set(client_message_id, sized);
    entry.conversation = { ...entry.conversation, last_seq: seq };
    return seq;
  }

  #put(entry: Entry, message: NamedMessage): Receipt {
    const { client_message_id } = message;
    const there = entry.byName.get(client_message_id)?.message;
    if (there !== undefined)
      return { client_message_id, seq: there.seq, created_at: there.created_at, duplicate: true };
    const created_at = this.#time();
    return { client_message_id, seq: this.#add(entry, { ...message, created_at }), created_at, duplicate: false };
  }

  #touched(entry: Entry): Stored {
    const now = this.#now();
    const expires = entry.ttlSeconds === null ? null : iso(now + entry.ttlSeconds * 1000);
    entry.conversation = { ...entry.conversation, accessed_at: iso(now), expires_at: expires };
    return this.#stored(entry);
  }

  #stored({ conversation }: Entry): Stored {
    const expiresInMs = conversation.expires_at === null ? null : Date.parse(conversation.expires_at) - this.#now();
    return { tier: 'memory', conversation: structuredClone(conversation), expires_in_ms: expiresInMs };
  }

  #hasEnded({ conversation: { deleted_at: deleted, expires_at: expires } }: Entry): boolean {
    return deleted !== null || (expires !== null && Date.parse(expires) <= this.#now());
  }

  #time(): string {
    return iso(this.#now());
  }
}

function isThere(entry: Entry, { client_message_id, role, content }: NamedMessage): boolean {
  const there = entry.byName.get(client_message_id)?.message;
  if (there === undefined) return false;
  if (there.role === role && isDeepStrictEqual(there.content, content)) return true;
  throw new ClientMessageIdReused(client_message_id, there.seq);
}

function ownerOf(caller: Caller): string | null {
  return caller.kind === 'user' ? caller.id : null;
}

function newestFirst(left: ListPosition, right: ListPosition): number {
  if (left.created_at !== right.created_at) return left.created_at > right.created_at ? -1 : 1;
  return left.id < right.id ? -1 : left.id === right.id ? 0 : 1;
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
