import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import {
  type Caller,
  type Conversation,
  type NamedMessage,
  type PendingMessage,
  pendingMessage,
  type Receipt,
} from '../../conversation/conversation.ts';
import { mayReach } from '../../conversation/conversation-store.ts';
import { ClientMessageIdReused, ConversationNotFound } from '../../conversation/errors.ts';
import { limits } from '../../conversation/limits.ts';
import type { OutboxFile } from './outbox-file.ts';
import { conversationRow, json } from './outbox-rows.ts';

/** A conversation of which something waits, as its owner was told of it; `aliveUntil` in ms since 1970, null for good. */
export interface QueuedConversation {
  readonly head: Conversation;
  /** The record is yet to hear of the conversation itself. */
  readonly isNew: boolean;
  readonly ttlSeconds: number | null;
  readonly aliveUntil: number | null;
}

/** What is to be replayed next of a conversation: whole appends, the oldest first. */
export interface Chunk extends QueuedConversation {
  readonly appends: number;
  readonly positions: readonly number[];
  readonly messages: readonly PendingMessage[];
}

interface Events {
  /** Something waits that did not wait before. */
  queued: [];
  /** The record has messages that waited; the conversation is as it is after them. */
  replayed: [stored: Conversation];
  /** Nothing of this conversation waits any more. */
  settled: [id: string];
}

const messageRow = z.object({
  position: z.number(),
  append_id: z.string(),
  message: json(pendingMessage),
  bytes: z.number(),
});
const totals = z.object({ messages: z.number(), conversations: z.number(), oldest: z.number().nullable() });

/** What waits for the record, in the order in which it was acknowledged. All methods reject as `OutboxFile` does. */
export class Outbox extends EventEmitter<Events> {
  readonly #file: OutboxFile;
  readonly #now: () => number;

  constructor(file: OutboxFile, now: () => number = Date.now) {
    super();
    this.setMaxListeners(0);
    this.#file = file;
    this.#now = now;
  }

  holds(id: string): boolean {
    return this.#file.first('select 1 from conversations where id = ?', id) !== undefined;
  }

  find(id: string): QueuedConversation | undefined {
    const row = this.#file.first('select * from conversations where id = ?', id);
    return row === undefined ? undefined : queued(row);
  }

  pending(id: string): PendingMessage[] {
    const rows = this.#file.all('select message from messages where conversation_id = ? order by position', id);
    return z
      .array(messageRow.pick({ message: true }))
      .parse(rows)
      .map(({ message }) => message);
  }

  /** Queues a conversation to be created. One that waits already stays as it is. */
  async create(head: Conversation, ttlSeconds: number): Promise<QueuedConversation & { readonly created: boolean }> {
    const outcome = await this.#file.write(() => {
      const created = this.#begin(head, ttlSeconds, true);
      const found = this.find(head.id);
      if (found === undefined || found.head.user_id !== head.user_id || isOver(found, this.#now()))
        throw new ConversationNotFound();
      return { ...found, created };
    });
    this.emit('queued');
    return outcome;
  }

  /**
   * Queues messages, all or none, behind those that wait. `known`: the conversation as the record told of it; undefined
   * when only one that waits will do. Resolves with undefined when the conversation is known from neither.
   */
  async append(
    caller: Caller,
    id: string,
    known: Conversation | undefined,
    messages: readonly NamedMessage[],
  ): Promise<(QueuedConversation & { readonly receipts: readonly Receipt[] }) | undefined> {
    const outcome = await this.#file.write(() => {
      const now = this.#now();
      const there = this.find(id) ?? (known && queuedFrom(known));
      if (there === undefined) return undefined;
      if (!mayReach(caller, there.head) || isOver(there, now)) throw new ConversationNotFound();
      this.#begin(there.head, there.ttlSeconds, false);
      const receipts = this.#place(id, messages, now);
      const aliveUntil = there.ttlSeconds === null ? null : now + there.ttlSeconds * 1000;
      this.#file.run('update conversations set alive_until = ? where id = ?', aliveUntil, id);
      return { ...there, aliveUntil, receipts };
    });
    if (outcome !== undefined) this.emit('queued');
    return outcome;
  }

  /** Conversations of which something waits, the longest waiting first. */
  waiting(limit: number): string[] {
    const rows = this.#file.all('select id from conversations order by queued_at, id limit ?', limit);
    return z
      .array(z.object({ id: z.string() }))
      .parse(rows)
      .map(({ id }) => id);
  }

  /** What is to be replayed next: so many appends at most, and no more than one request takes. */
  next(id: string, maxAppends: number): Chunk | undefined {
    const there = this.find(id);
    if (there === undefined) return undefined;
    const rows = z.array(messageRow).parse(
      this.#file.all(
        `select position, append_id, message, octet_length(message) as bytes from messages
           where conversation_id = ? order by position limit ?`,
        id,
        limits.messagesPerAppend * 2,
      ),
    );
    const chosen: typeof rows = [];
    let appends = 0;
    let bytes = 0;
    for (const appendId of new Set(rows.map((row) => row.append_id))) {
      const append = rows.filter((row) => row.append_id === appendId);
      bytes += append.reduce((sum, row) => sum + row.bytes, 0);
      const isTooMuch = chosen.length + append.length > limits.messagesPerAppend || bytes > limits.bodyBytes;
      if (appends > 0 && (appends >= maxAppends || isTooMuch)) break;
      chosen.push(...append);
      appends += 1;
    }
    return {
      ...there,
      appends,
      positions: chosen.map(({ position }) => position),
      messages: chosen.map(({ message }) => message),
    };
  }

  /** The record has the conversation itself. */
  async created(id: string): Promise<void> {
    await this.#file.write(() => {
      this.#file.run('update conversations set is_new = 0 where id = ?', id);
      this.#endIfEmpty(id);
    });
    this.tellIfSettled(id);
  }

  /** The record has these messages. */
  async replayed(id: string, positions: readonly number[]): Promise<void> {
    await this.#file.write(() => {
      for (const position of positions) this.#file.run('delete from messages where position = ?', position);
      this.#endIfEmpty(id);
    });
    this.tellIfSettled(id);
  }

  /** Removes whatever there is of a user, so that no byte of what was said is left in the file. */
  async erase(userId: string): Promise<void> {
    const ids = z
      .array(z.object({ id: z.string() }))
      .parse(this.#file.all('select id from conversations where user_id = ?', userId));
    const changed = await this.#file.write(
      () =>
        this.#file.run('delete from conversations where user_id = ?', userId) +
        this.#file.run('delete from refused where user_id = ?', userId),
    );
    if (changed > 0 && !this.#file.forget()) throw new Error('another process reads the outbox all the time');
    for (const { id } of ids) this.emit('settled', id);
  }

  /** To whoever waits for it. */
  tellIfSettled(id: string): void {
    if (!this.holds(id)) this.emit('settled', id);
  }

  /** Resolves when nothing of the conversation waits in this process' eyes, or after so many milliseconds. */
  async untilSettled(id: string, milliseconds: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const listener = (settled: string) => {
      if (settled === id) resolve();
    };
    this.on('settled', listener);
    const patience = setTimeout(resolve, milliseconds);
    await promise;
    clearTimeout(patience);
    this.off('settled', listener);
  }

  /** Takes out of the journal what is not in the file any more. Whoever reads at this moment prevents that. */
  tidy(): void {
    this.#file.forget();
  }

  /** How much waits, and since when (ms since 1970). */
  totals(): z.output<typeof totals> {
    return totals.parse(
      this.#file.first(
        `select (select count(*) from messages) as messages, count(*) as conversations, min(queued_at) as oldest
         from conversations`,
      ),
    );
  }

  #begin(head: Conversation, ttlSeconds: number | null, isNew: boolean): boolean {
    const aliveUntil = head.expires_at === null ? null : Date.parse(head.expires_at);
    return (
      this.#file.run(
        `insert into conversations (id, user_id, head, ttl_seconds, is_new, alive_until, queued_at)
         values (?, ?, ?, ?, ?, ?, ?) on conflict (id) do nothing`,
        head.id,
        head.user_id,
        JSON.stringify(head),
        ttlSeconds,
        isNew ? 1 : 0,
        aliveUntil,
        this.#now(),
      ) > 0
    );
  }

  #place(id: string, messages: readonly NamedMessage[], now: number): Receipt[] {
    const appendId = randomUUID();
    return messages.map((message) => {
      const { client_message_id } = message;
      const row = this.#file.first(
        'select message from messages where conversation_id = ? and client_message_id = ?',
        id,
        client_message_id,
      );
      if (row !== undefined) {
        const there = messageRow.pick({ message: true }).parse(row).message;
        if (there.role !== message.role || !isDeepStrictEqual(there.content, message.content))
          throw new ClientMessageIdReused(client_message_id, null);
        return { client_message_id, seq: null, created_at: there.created_at, duplicate: true };
      }
      const created_at = new Date(now).toISOString();
      this.#file.run(
        `insert into messages (conversation_id, append_id, client_message_id, message, acknowledged_at)
         values (?, ?, ?, ?, ?)`,
        id,
        appendId,
        client_message_id,
        JSON.stringify({ ...message, created_at }),
        now,
      );
      return { client_message_id, seq: null, created_at, duplicate: false };
    });
  }

  #endIfEmpty(id: string): void {
    this.#file.run(
      `delete from conversations where id = ? and is_new = 0
         and not exists (select 1 from messages where conversation_id = conversations.id)`,
      id,
    );
  }
}

export function isOver({ aliveUntil }: QueuedConversation, now: number): boolean {
  return aliveUntil !== null && aliveUntil <= now;
}

function queued(row: unknown): QueuedConversation {
  const { head, is_new, ttl_seconds, alive_until } = conversationRow.parse(row);
  return { head, isNew: is_new === 1, ttlSeconds: ttl_seconds, aliveUntil: alive_until };
}

/** A conversation that the record told of, so that its life is known from its times. */
function queuedFrom(head: Conversation): QueuedConversation {
  if (head.expires_at === null) return { head, isNew: false, ttlSeconds: null, aliveUntil: null };
  const aliveUntil = Date.parse(head.expires_at);
  return { head, isNew: false, ttlSeconds: (aliveUntil - Date.parse(head.accessed_at)) / 1000, aliveUntil };
}
