import { setTimeout as delay } from 'node:timers/promises';
import { ClientMessageIdReused, ConversationError, ConversationNotFound } from '../conversation/errors.ts';
import type { AnswerJournal, AnswerKey, JournalEntry } from './answer-journal.ts';

/** Milliseconds: how often the journal hears of answers under way, how often it is searched, and asked for a turn. */
const intervals = { beat: 1_000, search: 5_000, turn: 250 } as const;

export interface AnswerKeeperParts {
  /** Without it an answer dies with its process, and other processes may ask for the same one. */
  readonly journal: AnswerJournal | undefined;
  /** Appends the answer to its conversation. */
  readonly store: (entry: JournalEntry) => Promise<unknown>;
  /** The journal failed, or an answer of another process could not be stored yet. Answers go on without. */
  readonly onTrouble: (error: unknown) => void;
}

/** The turn of one process at one answer. */
export interface Turn {
  /** Another process was at it before, and may have answered. */
  readonly hasWaited: boolean;
  /** From now on the journal has what `snapshot` says. */
  follow(snapshot: () => JournalEntry): void;
  /** Nothing more is to be done; nothing happens if it was left. */
  end(): void;
  /** The answer is as it should be, but could not be stored: with a journal it is tried again until it is. */
  leave(entry: JournalEntry): void;
}

/** Sees to it that one process at a time is at an answer, and that what one leaves behind is stored. */
export class AnswerKeeper {
  readonly #parts: AnswerKeeperParts;
  readonly #followed = new Map<string, () => JournalEntry>();
  readonly #left = new Map<string, JournalEntry>();
  readonly #timers: readonly NodeJS.Timeout[];
  #search: Promise<void> = Promise.resolve();

  constructor(parts: AnswerKeeperParts) {
    this.#parts = parts;
    this.#timers =
      parts.journal === undefined
        ? []
        : [
            setInterval(() => this.#beat(), intervals.beat).unref(),
            setInterval(() => this.#searchAgain(), intervals.search).unref(),
          ];
    this.#searchAgain();
  }

  /** Waits while another process of this box is at it. Throws the reason of the signal, or why what is left can't be stored. */
  async turn(key: AnswerKey, signal: AbortSignal): Promise<Turn> {
    const name = keyName(key);
    let hasWaited = false;
    while (!this.#claim(key)) {
      hasWaited = true;
      const left = this.#left.get(name);
      if (left !== undefined) await this.#settle(left);
      else await pause(signal);
    }
    const empty = { ...key, content: '', metadata: undefined };
    this.#followed.set(name, () => empty);
    let isLeft = false;
    return {
      hasWaited,
      follow: (snapshot) => void this.#followed.set(name, snapshot),
      end: () => {
        if (isLeft) return;
        this.#followed.delete(name);
        this.#tried((journal) => journal.release(key));
      },
      leave: (entry) => {
        if (this.#parts.journal === undefined) return;
        isLeft = true;
        this.#followed.delete(name);
        this.#tried((journal) => journal.keep([entry]));
        this.#left.set(name, entry);
      },
    };
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#search;
    this.#parts.journal?.close();
  }

  /** True without a journal, and when it fails: an answer is worth more than not asking twice. */
  #claim(key: AnswerKey): boolean {
    return this.#tried((journal) => journal.claim(key)) ?? true;
  }

  #beat(): void {
    if (this.#followed.size === 0) return;
    this.#tried((journal) => journal.keep([...this.#followed.values()].map((snapshot) => snapshot())));
  }

  #searchAgain(): void {
    this.#search = this.#search.then(() => this.#storeLeft());
  }

  async #storeLeft(): Promise<void> {
    this.#beat(); // after a long halt: what is ours is not abandoned
    const abandoned = this.#tried((journal) => journal.takeAbandoned()) ?? [];
    for (const entry of [...this.#left.values(), ...abandoned]) {
      try {
        await this.#settle(entry);
      } catch (error) {
        if (!(error instanceof ConversationError)) throw error;
        this.#left.set(keyName(entry), entry);
        this.#parts.onTrouble(error);
      }
    }
  }

  async #settle(entry: JournalEntry): Promise<void> {
    if (entry.metadata !== undefined && (entry.content !== '' || entry.metadata.finish_reason !== undefined)) {
      await this.#parts.store(entry).catch((error: unknown) => {
        // Answered already, or nobody is left to read it.
        if (!(error instanceof ClientMessageIdReused || error instanceof ConversationNotFound)) throw error;
      });
    }
    this.#left.delete(keyName(entry));
    this.#tried((journal) => journal.release(entry));
  }

  #tried<T>(work: (journal: AnswerJournal) => T): T | undefined {
    const { journal, onTrouble } = this.#parts;
    if (journal === undefined) return undefined;
    try {
      return work(journal);
    } catch (error) {
      onTrouble(error);
      return undefined;
    }
  }
}

/** One name for an answer in whatever conversation. */
export function keyName({ conversationId, name }: AnswerKey): string {
  return `${conversationId} ${name}`;
}

async function pause(signal: AbortSignal): Promise<void> {
  await delay(intervals.turn, undefined, { signal }).catch((error: unknown) => {
    throw signal.aborted ? signal.reason : error;
  });
}
