import { RecordUnavailable } from '../../conversation/errors.ts';

/** Writes of one conversation that are under way at once, and the milliseconds that one waits for its turn. */
export const turnLimits = { atOnce: 8, patience: 10_000 } as const;

interface Line {
  underWay: number;
  /** In the order in which they came. */
  readonly waiting: Set<PromiseWithResolvers<void>>;
}

/**
 * Writes to one conversation go one after the other in the record, which holds a connection for each that waits. So
 * they wait here: a few are under way, and the other connections are left to other conversations.
 */
export class WriteTurns {
  readonly #lines = new Map<string, Line>();

  /** What `write` resolves to. Rejects with `RecordUnavailable`, and never calls it, when its turn does not come. */
  async take<T>(id: string, write: () => Promise<T>): Promise<T> {
    await this.#begin(id);
    try {
      return await write();
    } finally {
      this.#end(id);
    }
  }

  /** Sends away whoever waits. */
  giveUp(reason: unknown): void {
    for (const { waiting } of this.#lines.values()) {
      for (const turn of waiting) turn.reject(new RecordUnavailable({ cause: reason }));
      waiting.clear();
    }
  }

  async #begin(id: string): Promise<void> {
    const line = this.#lines.get(id) ?? { underWay: 0, waiting: new Set() };
    this.#lines.set(id, line);
    if (line.underWay < turnLimits.atOnce) {
      line.underWay += 1;
      return;
    }
    const turn = Promise.withResolvers<void>();
    line.waiting.add(turn);
    const timer = setTimeout(() => {
      line.waiting.delete(turn);
      turn.reject(new RecordUnavailable({ cause: new Error('earlier writes to this conversation take too long') }));
    }, turnLimits.patience);
    try {
      await turn.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The place goes to the next in line. */
  #end(id: string): void {
    const line = this.#lines.get(id);
    if (line === undefined) return;
    const [next] = line.waiting;
    if (next !== undefined) {
      line.waiting.delete(next);
      next.resolve();
      return;
    }
    line.underWay -= 1;
    if (line.underWay === 0) this.#lines.delete(id);
  }
}
