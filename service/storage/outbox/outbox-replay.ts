import type { Logger } from 'pino';
import type { Message } from '../../conversation/conversation.ts';
import { type Appended, storedMessages } from '../../conversation/conversation-store.ts';
import { ConversationError, RecordUnavailable } from '../../conversation/errors.ts';
import { limits } from '../../conversation/limits.ts';
import type { HotCopies } from '../hot-copies/hot-copies.ts';
import type { Chunk, Outbox } from './outbox.ts';
import { leaseTimes, type OutboxLease } from './outbox-lease.ts';
import type { OutboxRecord } from './outbox-record.ts';
import type { OutboxRefused } from './outbox-refused.ts';
import { isAway, type RecordState } from './record-state.ts';

/**
 * `look`: milliseconds until a look at what other processes have queued. A conversation that fails though the record
 * answers is tried again with more and more time between, and so often before a person has to look at it.
 */
export const replayTimes = { look: 500, firstRetry: 200, longestRetry: 30_000, tries: 20 } as const;

/** Conversations that are replayed at once. */
const atOnce = 4;

export interface ReplayParts {
  readonly outbox: Outbox;
  readonly refused: OutboxRefused;
  readonly record: OutboxRecord;
  readonly state: RecordState;
  readonly hot: HotCopies | undefined;
  readonly lease: OutboxLease;
  /** Held by whoever erases a user: nothing is replayed meanwhile. */
  readonly erasure: OutboxLease;
  readonly log: Logger;
}

/**
 * Brings what waits in the outbox into the record: in the order in which it was acknowledged in each conversation, four
 * conversations at once, by one process of the box at a time. A chunk is removed from the outbox after the record has
 * said that it has it; whoever is stopped in between sends it again, and the record knows the names of the messages.
 */
export class OutboxReplay {
  readonly #parts: ReplayParts;
  readonly #closed = new AbortController();
  readonly #failures = new Map<string, { readonly count: number; readonly until: number }>();
  /** Resolved when there may be something to do. */
  #roused = Promise.withResolvers<void>();
  #replayed = 0;
  #holdsLease = false;
  #done: Promise<void> | undefined;

  constructor(parts: ReplayParts) {
    this.#parts = parts;
  }

  /** Messages that this process has replayed. */
  get replayed(): number {
    return this.#replayed;
  }

  start(): void {
    this.#parts.outbox.on('queued', this.#rouse);
    this.#parts.state.on('there', this.#rouse);
    this.#done = this.#run();
  }

  /** Finishes what is under way, and lets another process go on. */
  async stop(): Promise<void> {
    this.#closed.abort();
    this.#rouse();
    this.#parts.outbox.off('queued', this.#rouse);
    this.#parts.state.off('there', this.#rouse);
    await this.#done;
  }

  readonly #rouse = (): void => this.#roused.resolve();

  async #run(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      this.#roused = Promise.withResolvers();
      try {
        await this.#turn();
      } catch (error) {
        this.#parts.log.error({ err: error }, 'the outbox could not be replayed: trying again');
      }
      if (this.#closed.signal.aborted) return;
      // What other processes queue does not rouse this one: hence the look.
      const look = setTimeout(this.#rouse, replayTimes.look);
      await this.#roused.promise;
      clearTimeout(look);
    }
  }

  async #turn(): Promise<void> {
    const { outbox, lease, log } = this.#parts;
    if (!this.#isTime() || this.#due().length === 0) return;
    this.#holdsLease = await lease.take();
    if (!this.#holdsLease) return;
    const before = this.#replayed;
    const renewal = setInterval(() => void this.#renew(), leaseTimes.renewal);
    try {
      for (let due = this.#due(); due.length > 0 && this.#mayGoOn(); due = this.#due()) {
        await inParallel(due, (id) => this.#replay(id));
      }
    } finally {
      clearInterval(renewal);
      await lease.giveUp();
      if (outbox.waiting(1).length === 0) outbox.tidy();
      if (this.#replayed > before) {
        log.info({ messages: this.#replayed - before, waiting: outbox.totals().messages }, 'replayed the outbox');
      }
    }
  }

  #isTime(): boolean {
    return !this.#closed.signal.aborted && this.#parts.state.isThere && !this.#parts.erasure.isHeld();
  }

  #mayGoOn(): boolean {
    return this.#holdsLease && this.#isTime();
  }

  async #renew(): Promise<void> {
    try {
      this.#holdsLease = await this.#parts.lease.take();
    } catch (error) {
      this.#holdsLease = false;
      this.#parts.log.warn({ err: error }, 'the lease of the replay could not be renewed');
    }
  }

  #due(): string[] {
    const now = performance.now();
    const failing = [...this.#failures].filter(([, { until }]) => until > now).map(([id]) => id);
    return this.#parts.outbox.waiting(100 + failing.length).filter((id) => !failing.includes(id));
  }

  /** Everything of one conversation, as long as that goes well. */
  async #replay(id: string): Promise<void> {
    const { outbox, log } = this.#parts;
    let appends: number = this.#failures.has(id) ? 1 : limits.messagesPerAppend;
    while (this.#mayGoOn()) {
      const chunk = outbox.next(id, appends);
      if (chunk === undefined) break;
      try {
        await this.#send(chunk);
        this.#failures.delete(id);
        appends = limits.messagesPerAppend;
      } catch (error) {
        if (!(error instanceof ConversationError)) throw error;
        if (error instanceof RecordUnavailable) {
          await this.#failed(chunk, error);
          return;
        }
        // One of several appends was refused: one after the other tells which.
        if (chunk.appends > 1 && !chunk.isNew) appends = 1;
        else await this.#refuse(chunk, error.code, error);
      }
    }
    if (!outbox.holds(id)) log.debug({ conversation_id: id }, 'replayed');
  }

  async #send(chunk: Chunk): Promise<void> {
    const { outbox, record, state, hot } = this.#parts;
    const { id } = chunk.head;
    const since = Date.now();
    if (chunk.isNew) {
      const stored = await state.unlessAway(() => record.create(chunk));
      await hot?.begin(stored, since);
      await outbox.created(id);
      return;
    }
    const announced = hot?.announce(id);
    let appended: Appended;
    try {
      appended = await state.unlessAway(() => record.append(chunk, chunk.messages));
      const token = await announced;
      const fresh: Message[] = storedMessages(chunk.messages, appended.receipts);
      await (token === undefined ? hot?.doubt(id) : hot?.extend(id, token, appended, fresh, since));
    } catch (error) {
      const token = await announced;
      if (token === undefined) await hot?.doubt(id);
      else if (!(error instanceof RecordUnavailable)) await hot?.withdraw(id, token);
      throw error;
    }
    await outbox.replayed(id, chunk.positions);
    this.#replayed += chunk.positions.length;
    outbox.emit('replayed', appended.conversation);
  }

  /** The record is away, or fails with this conversation only. */
  async #failed(chunk: Chunk, error: RecordUnavailable): Promise<void> {
    const { state, log } = this.#parts;
    const { id } = chunk.head;
    const count = (this.#failures.get(id)?.count ?? 0) + 1;
    const pause = Math.min(replayTimes.firstRetry * 2 ** (count - 1), replayTimes.longestRetry);
    this.#failures.set(id, { count, until: performance.now() + pause });
    setTimeout(this.#rouse, pause).unref();
    log.warn({ conversation_id: id, tries: count, err: error.cause }, 'what is queued could not be replayed yet');
    if (!isAway(error) || !state.isThere || count < replayTimes.tries) return;
    await this.#refuse(chunk, error.code, error);
  }

  async #refuse(chunk: Chunk, code: string, error: Error): Promise<void> {
    const { outbox, refused, log } = this.#parts;
    const { id } = chunk.head;
    this.#failures.delete(id);
    const isAboutAll = chunk.isNew || code === 'conversation_not_found';
    await refused.add(id, code, isAboutAll ? 'all' : chunk.positions);
    outbox.tellIfSettled(id);
    log.error(
      { conversation_id: id, code, messages: chunk.positions.length, err: error.cause },
      'the record refused what was queued: GET /v1/outbox shows it, and it can be retried or discarded there',
    );
  }
}

/** Works on all of them, a few at once; ends with the first defect. */
async function inParallel(ids: readonly string[], work: (id: string) => Promise<void>): Promise<void> {
  const rest = ids.values();
  const worker = async () => {
    for (const id of rest) await work(id);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
