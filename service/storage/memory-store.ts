import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type {
  Caller,
  Conversation,
  NamedMessage,
  NewConversation,
  Receipt,
  Tier,
} from '../conversation/conversation.ts';
import {
  type Appended,
  type ConversationStore,
  mayReach,
  type PageRequest,
  type Probe,
  type Stored,
  type ThreadRead,
} from '../conversation/conversation-store.ts';
import { ClientMessageIdReused, ConversationNotFound, SeqConflict } from '../conversation/errors.ts';
import { limits } from '../conversation/limits.ts';
import { pageOf, type SizedMessage } from '../conversation/thread-page.ts';

interface Entry {
  conversation: Conversation;
  readonly ttlSeconds: number;
  readonly messages: SizedMessage[];
  readonly seqByName: Map<string, number>;
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

  async create(caller: Caller, { title, metadata }: NewConversation, ttlSeconds: number): Promise<Stored> {
    this.#forgetExpired();
    const now = this.#time();
    const conversation: Conversation = {
      id: randomUUID(),
      user_id: caller.kind === 'user' ? caller.id : null,
      continuation_id: randomUUID(),
      title,
      metadata: structuredClone(metadata),
      last_seq: 0,
      created_at: now,
      updated_at: now,
      accessed_at: now,
      expires_at: null,
    };
    const entry = { conversation, ttlSeconds, messages: [], seqByName: new Map() };
    this.#entries.set(conversation.id, entry);
    return this.#touched(entry);
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
    if (entry === undefined || this.#isExpired(entry) || !mayReach(caller, entry.conversation))
      throw new ConversationNotFound();
    return entry;
  }

  #put(entry: Entry, { client_message_id, ...rest }: NamedMessage): Receipt {
    const there = entry.messages[(entry.seqByName.get(client_message_id) ?? 0) - 1]?.message;
    if (there !== undefined)
      return { client_message_id, seq: there.seq, created_at: there.created_at, duplicate: true };
    const seq = entry.conversation.last_seq + 1;
    const message = { seq, client_message_id, ...structuredClone(rest), created_at: this.#time() };
    entry.messages.push({ message, bytes: Buffer.byteLength(JSON.stringify(message)) });
    entry.seqByName.set(client_message_id, seq);
    entry.conversation = { ...entry.conversation, last_seq: seq };
    return { client_message_id, seq, created_at: message.created_at, duplicate: false };
  }

  #touched(entry: Entry): Stored {
    const now = this.#now();
    const expiresInMs = entry.ttlSeconds * 1000;
    const accessed = { accessed_at: iso(now), expires_at: iso(now + expiresInMs) };
    entry.conversation = { ...entry.conversation, ...accessed };
    return { tier: 'memory', conversation: structuredClone(entry.conversation), expires_in_ms: expiresInMs };
  }

  #isExpired({ conversation }: Entry): boolean {
    return conversation.expires_at !== null && Date.parse(conversation.expires_at) <= this.#now();
  }

  #forgetExpired(): void {
    for (const [id, entry] of this.#entries) if (this.#isExpired(entry)) this.#entries.delete(id);
  }

  #time(): string {
    return iso(this.#now());
  }
}

function isThere(entry: Entry, { client_message_id, role, content }: NamedMessage): boolean {
  const there = entry.messages[(entry.seqByName.get(client_message_id) ?? 0) - 1]?.message;
  if (there === undefined) return false;
  if (there.role === role && isDeepStrictEqual(there.content, content)) return true;
  throw new ClientMessageIdReused(client_message_id, there.seq);
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
