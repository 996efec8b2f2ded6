import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { ConversationEvent } from '../conversation/conversation-events.ts';
import type { HotCopies } from '../storage/hot-copies/hot-copies.ts';
import type { RecordChange, RecordChanges } from '../storage/supabase/record-changes.ts';
import type { LocalEvents } from './local-events.ts';

/**
 * Milliseconds: from one look at the record to the next, longest while the record is away; how long a look may take; and
 * how long after the last use of a copy the looks go on.
 */
export const feedTimes = { interval: 750, longestInterval: 10_000, patience: 2_000, idle: 5 * 60_000 } as const;

export interface ChangeFeedParts {
  readonly changes: RecordChanges;
  /** Undefined where there are no copies. */
  readonly copies: HotCopies | undefined;
  readonly events: LocalEvents;
  readonly log: Logger;
}

/**
 * Looks again and again what has changed in the record, whoever changed it: copies that lack it go, and listeners of this
 * process hear of it. Rests while nobody listens and no copy is used. One for each process.
 */
export class ChangeFeed {
  readonly #parts: ChangeFeedParts;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  /** Changes that a writer at work may be about to bring to the copy. */
  #unsettled: readonly RecordChange[] = [];
  #watchedSince = Number.POSITIVE_INFINITY;
  #failures = 0;

  constructor(parts: ChangeFeedParts) {
    this.#parts = parts;
    this.#ended = this.#run();
  }

  /** Ends a look that is under way. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      if (this.#isNeeded()) await this.#look();
      const pause = Math.min(feedTimes.interval * 2 ** this.#failures, feedTimes.longestInterval);
      await delay(pause, undefined, { signal, ref: false }).catch(() => undefined); // told to stop
    }
  }

  #isNeeded(): boolean {
    const { copies, events } = this.#parts;
    return events.isHeard || (copies !== undefined && Date.now() - copies.lastUsed < feedTimes.idle);
  }

  async #look(): Promise<void> {
    const { changes: record, log } = this.#parts;
    const began = Date.now();
    try {
      const { complete, changes } = await record.next(
        AbortSignal.any([this.#stop.signal, AbortSignal.timeout(feedTimes.patience)]),
      );
      if (complete) await this.#settle(changes, began);
      else this.#beginAnew(began);
      if (this.#failures > 0) log.info('changes in the record are seen again');
      this.#failures = 0;
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      if (this.#failures === 0)
        log.warn({ err: error }, 'changes in the record are not seen: copies are trusted briefly');
      this.#failures++;
    }
  }

  async #settle(changes: readonly RecordChange[], began: number): Promise<void> {
    const { copies, events } = this.#parts;
    if (copies !== undefined) {
      const fresh = new Set(changes.map((change) => change.conversation_id));
      const open = [...changes, ...this.#unsettled.filter((change) => !fresh.has(change.conversation_id))];
      const settled = await Promise.all(open.map((change) => copies.settle(change)));
      this.#unsettled = open.filter((_, index) => !settled[index]);
      copies.watched = { since: this.#watchedSince, until: began };
    }
    for (const change of changes) events.publish(eventOf(change));
  }

  /** What was before is not known: a copy from then is compared first, and every listener looks for themselves. */
  #beginAnew(began: number): void {
    const { copies, events } = this.#parts;
    this.#unsettled = [];
    this.#watchedSince = Date.now();
    if (copies !== undefined) copies.watched = { since: this.#watchedSince, until: began };
    events.publishToAll();
  }
}

function eventOf({ conversation_id, altered, conversation }: RecordChange): ConversationEvent {
  if (conversation === null || conversation.deleted_at !== null) return { kind: 'deleted', conversation_id };
  if (altered) return { kind: 'changed', conversation_id };
  return { kind: 'appended', conversation_id, last_seq: conversation.last_seq };
}
