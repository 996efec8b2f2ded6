import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { ConversationError, RecordUnavailable } from '../../conversation/errors.ts';
import { SupabaseFailure } from '../supabase/supabase-error.ts';
import { OutboxNotWritten } from './outbox-file.ts';

/** Milliseconds: when a call that has no answer raises a question, how long that one is given, and the back-off of the next. */
export const recordTimes = { slow: 2_000, question: 3_000, firstRetry: 200, longestRetry: 5_000 } as const;

interface Events {
  there: [];
  away: [reason: unknown];
}

/**
 * Whether the record is there, by what calls and questions to it have found. While it is away nobody needs to call it to
 * find that out again: one question after the other is asked, with more and more time between them.
 */
export class RecordState extends EventEmitter<Events> {
  readonly #ask: (signal: AbortSignal) => Promise<void>;
  readonly #closed = new AbortController();
  #reason: { readonly error: unknown } | undefined;
  #asking: Promise<void> | undefined;

  /** `ask` resolves when the record answers. */
  constructor(ask: (signal: AbortSignal) => Promise<void>) {
    super();
    this.setMaxListeners(0);
    this.#ask = ask;
  }

  get isThere(): boolean {
    return this.#reason === undefined;
  }

  /** A call failed as if the record were away: whether it is gets asked at once. */
  suspect(): void {
    this.#asking ??= this.#find().finally(() => {
      this.#asking = undefined;
    });
  }

  /**
   * The result of a call to the record. Rejects with {@link RecordUnavailable} at once while it is away, and as soon as
   * it is found away: nobody waits for the time-out. What the call did is unknown then, and it goes on.
   */
  async unlessAway<T>(call: () => Promise<T>): Promise<T> {
    if (this.#reason !== undefined) throw unavailable(this.#reason.error);
    const away = Promise.withResolvers<never>();
    const giveUp = (reason: unknown) => away.reject(unavailable(reason));
    this.once('away', giveUp);
    const slow = setTimeout(() => this.suspect(), recordTimes.slow);
    try {
      return await Promise.race([call(), away.promise]);
    } catch (error) {
      if (isAway(error)) this.suspect();
      throw error;
    } finally {
      clearTimeout(slow);
      this.off('away', giveUp);
    }
  }

  /** The record was not there when the service started. */
  startAway(error: unknown): void {
    this.#reason = { error };
    this.suspect();
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#asking;
  }

  async #find(): Promise<void> {
    const { signal } = this.#closed;
    for (let pause: number = recordTimes.firstRetry; !signal.aborted; ) {
      try {
        await this.#answer(AbortSignal.any([signal, AbortSignal.timeout(recordTimes.question)]));
        const wasAway = this.#reason !== undefined;
        this.#reason = undefined;
        if (wasAway) this.emit('there');
        return;
      } catch (error) {
        if (signal.aborted) return;
        const wasThere = this.#reason === undefined;
        this.#reason = { error };
        if (wasThere) this.emit('away', error);
      }
      await delay(pause * (0.8 + 0.4 * Math.random()), undefined, { signal, ref: false }).catch(() => undefined);
      pause = Math.min(pause * 2, recordTimes.longestRetry);
    }
  }

  /** An answer that says no is one, too: it is for the calls to find that out. */
  async #answer(signal: AbortSignal): Promise<void> {
    try {
      await this.#ask(signal);
    } catch (error) {
      if (isAway(error) || !(error instanceof ConversationError)) throw error;
    }
  }
}

function unavailable(reason: unknown): RecordUnavailable {
  return new RecordUnavailable({ cause: reason instanceof RecordUnavailable ? reason.cause : reason });
}

/**
 * Whether this is the error of a record that is away or fails, so that what a call did is unknown or nothing. An answer
 * that says no, whatever to, is none.
 */
export function isAway(error: unknown): boolean {
  if (!(error instanceof RecordUnavailable)) return false;
  const { cause } = error;
  if (cause instanceof OutboxNotWritten) return false;
  if (!(cause instanceof SupabaseFailure)) return true;
  return cause.status === 0 || cause.status === 408 || cause.status === 429 || cause.status >= 500;
}
