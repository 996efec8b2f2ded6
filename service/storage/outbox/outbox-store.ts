import { randomUUID } from 'node:crypto';
import type {
  Caller,
  ConversationChanges,
  NamedMessage,
  NewConversation,
  NewFork,
  Tier,
} from '../../conversation/conversation.ts';
import type {
  Continued,
  ConversationList,
  Created,
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
import { ConversationNotFound } from '../../conversation/errors.ts';
import type { HotCopies } from '../hot-copies/hot-copies.ts';
import { KnownHeads } from './known-heads.ts';
import type { Outbox } from './outbox.ts';
import { type OutboxLease, whileHeld } from './outbox-lease.ts';
import { isAway, type RecordState } from './record-state.ts';
import { unavailable, WithoutRecord } from './without-record.ts';
import { WriteTurns } from './write-turns.ts';

/**
 * Milliseconds: how long a call waits for what is queued before it to be replayed, how often it looks whether another
 * process has done that, and how long an erasure waits for the replay to pause.
 */
export const outboxPatience = { settled: 2_000, look: 25, erasure: 15_000 } as const;

export interface OutboxStoreParts {
  /** The record, with hot copies in front of it or without. */
  readonly inner: ConversationStore;
  readonly hot: HotCopies | undefined;
  readonly outbox: Outbox;
  readonly state: RecordState;
  readonly probe: Probe;
  /** Whoever erases a user holds both. */
  readonly erasure: OutboxLease;
  readonly replay: OutboxLease;
  /** Ends the replay and closes the file. */
  closeOutbox(): Promise<void>;
}

/**
 * Acknowledges while the record is away: what is created and appended waits in the outbox then, and what is known of a
 * thread is read unconfirmed. Whatever else is asked for takes the record. What waits of a conversation comes first: its
 * next write waits for that, or waits behind it. Writes that don't get their turn in time are treated as if the record
 * were away: nobody asks it whether it is.
 */
export class OutboxStore implements ConversationStore {
  readonly #parts: OutboxStoreParts;
  readonly #heads = new KnownHeads();
  readonly #turns = new WriteTurns();
  readonly #without: WithoutRecord;
  readonly probes: readonly Probe[];

  constructor(parts: OutboxStoreParts) {
    this.#parts = parts;
    this.#without = new WithoutRecord({ ...parts, heads: this.#heads });
    parts.state.on('away', (reason) => this.#turns.giveUp(reason));
    // The service does its work without the record, and says that it does less.
    this.probes = [...parts.inner.probes.map((probe) => ({ ...probe, required: false })), parts.probe];
  }

  tiers(): readonly Tier[] {
    const { inner, state } = this.#parts;
    return state.isThere ? inner.tiers() : [...inner.tiers().filter((tier) => tier !== 'supabase'), 'outbox'];
  }

  async create(
    caller: Caller,
    conversation: NewConversation,
    ttlSeconds: number,
    id: string = randomUUID(),
  ): Promise<Created> {
    const { inner, state } = this.#parts;
    if (await this.#canGoAhead(id)) {
      try {
        const stored = await state.unlessAway(() => inner.create(caller, conversation, ttlSeconds, id));
        return this.#heads.see(stored);
      } catch (error) {
        if (!isAway(error)) throw error;
      }
    }
    return this.#without.create(caller, conversation, ttlSeconds, id);
  }

  async append(
    caller: Caller,
    id: string,
    messages: readonly NamedMessage[],
    expectedSeq: number | undefined,
  ): Promise<Appended> {
    const { inner, state } = this.#parts;
    let reason: unknown = new Error('earlier messages of this conversation wait in the outbox');
    if (await this.#canGoAhead(id)) {
      try {
        const appended = await this.#turns.take(id, () =>
          state.unlessAway(() => inner.append(caller, id, messages, expectedSeq)),
        );
        return this.#heads.see(appended);
      } catch (error) {
        if (!isAway(error)) throw error;
        reason = error;
      }
    }
    // What the last seq is nobody knows now.
    if (expectedSeq !== undefined) throw unavailable(reason);
    return this.#without.append(caller, id, messages, reason);
  }

  async read(caller: Caller, id: string, page: PageRequest, signal: AbortSignal): Promise<ThreadRead> {
    const { inner, state, outbox } = this.#parts;
    for (let turn = 1; ; turn += 1) {
      const waited = outbox.holds(id) ? outbox.pending(id) : undefined;
      try {
        const thread = this.#heads.see(await state.unlessAway(() => inner.read(caller, id, page, signal)));
        if (waited === undefined || thread.has_later || page.before !== undefined) return thread;
        const read = new Set(thread.messages.map(({ client_message_id: name }) => name));
        const pending = outbox.pending(id).filter(({ client_message_id: name }) => !read.has(name));
        // Those that waited before and do not wait now were replayed in between: after the thread was read, perhaps.
        const found = new Set([...read, ...pending.map(({ client_message_id: name }) => name)]);
        const isWhole = waited.every(({ client_message_id: name }) => found.has(name));
        if (isWhole || turn === 3) return { ...thread, pending };
      } catch (error) {
        const isUnheardOf = error instanceof ConversationNotFound && waited !== undefined && state.isThere;
        if (isUnheardOf && turn < 3 && (await this.#untilSettled(id))) continue;
        if (isUnheardOf || isAway(error)) return this.#without.read(caller, id, page, error);
        throw error;
      }
    }
  }

  continueOrCreate(
    caller: Caller,
    continuationId: string | undefined,
    conversation: NewConversation,
    ttlSeconds: number,
  ): Promise<Continued> {
    const { inner } = this.#parts;
    return this.#seen(() => inner.continueOrCreate(caller, continuationId, conversation, ttlSeconds));
  }

  list(caller: Caller, request: ListRequest, signal: AbortSignal): Promise<ConversationList> {
    return this.#parts.state.unlessAway(() => this.#parts.inner.list(caller, request, signal));
  }

  update(caller: Caller, id: string, changes: ConversationChanges): Promise<Stored> {
    return this.#afterWhatWaits(id, (inner) => inner.update(caller, id, changes));
  }

  clear(caller: Caller, id: string): Promise<Stored> {
    return this.#afterWhatWaits(id, (inner) => inner.clear(caller, id));
  }

  extend(caller: Caller, id: string, ttlSeconds: number | null): Promise<Stored> {
    return this.#afterWhatWaits(id, (inner) => inner.extend(caller, id, ttlSeconds));
  }

  fork(caller: Caller, id: string, fork: NewFork): Promise<Stored> {
    return this.#afterWhatWaits(id, (inner) => inner.fork(caller, id, fork));
  }

  async delete(caller: Caller, id: string): Promise<Stored> {
    const stored = await this.#afterWhatWaits(id, (inner) => inner.delete(caller, id));
    this.#heads.forget(id);
    return stored;
  }

  undelete(caller: Caller, id: string): Promise<Stored> {
    return this.#afterWhatWaits(id, (inner) => inner.undelete(caller, id));
  }

  stats(caller: Caller, signal: AbortSignal): Promise<Stats> {
    return this.#parts.state.unlessAway(() => this.#parts.inner.stats(caller, signal));
  }

  /** What waits may be of a conversation that has expired since, and touches it: that comes first. */
  async cleanUp(): Promise<CleanedUp> {
    const { inner, state, outbox } = this.#parts;
    if (outbox.waiting(1).length > 0) return { tier: 'outbox', removed: [], expired: 0, deleted: 0, rest: 'busy' };
    return state.unlessAway(() => inner.cleanUp());
  }

  async eraseUser(caller: Caller, userId: string): Promise<Erased> {
    const { inner, state, outbox, erasure, replay } = this.#parts;
    if (!mayReach(caller, { user_id: userId })) return inner.eraseUser(caller, userId); // it says why not
    return whileHeld([erasure, replay], outboxPatience.erasure, async () => {
      await outbox.erase(userId);
      this.#heads.forgetUser(userId);
      return state.unlessAway(() => inner.eraseUser(caller, userId));
    });
  }

  async close(): Promise<void> {
    await this.#parts.closeOutbox();
    await this.#parts.inner.close();
  }

  /** Whether a write to this conversation may go to the record now: it is there, and nothing waits that comes first. */
  async #canGoAhead(id: string): Promise<boolean> {
    return this.#parts.state.isThere && (await this.#untilSettled(id));
  }

  /** False when it takes too long, or the record is away. */
  async #untilSettled(id: string): Promise<boolean> {
    const { outbox, state } = this.#parts;
    const deadline = performance.now() + outboxPatience.settled;
    while (outbox.holds(id)) {
      if (!state.isThere || performance.now() > deadline) return false;
      await outbox.untilSettled(id, outboxPatience.look);
    }
    return true;
  }

  async #afterWhatWaits(id: string, work: (inner: ConversationStore) => Promise<Stored>): Promise<Stored> {
    const { inner, state } = this.#parts;
    if (!(await this.#untilSettled(id)) && state.isThere)
      throw unavailable(new Error('messages of this conversation wait in the outbox, and come first'));
    return this.#turns.take(id, () => this.#seen(() => work(inner)));
  }

  async #seen<T extends Stored>(call: () => Promise<T>): Promise<T> {
    return this.#heads.see(await this.#parts.state.unlessAway(call));
  }
}
