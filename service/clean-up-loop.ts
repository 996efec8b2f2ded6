import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds: from the start to the first time, and from one time to the next. */
const times = { first: 60_000, between: 3_600_000 } as const;

export interface CleanUpLoopParts {
  /** Removes what is to be removed; ends soon after `signal` is aborted. */
  readonly work: (signal: AbortSignal) => Promise<void>;
  readonly onFailure: (error: unknown) => void;
  readonly times?: { readonly first: number; readonly between: number };
}

/** Cleans up every hour, as long as the service runs. A failure is told, and an hour later it is tried again. */
export class CleanUpLoop {
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;

  constructor(parts: CleanUpLoopParts) {
    this.#ended = this.#run(parts, this.#stopping.signal);
  }

  /** Resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#ended;
  }

  async #run({ work, onFailure, times: { first, between } = times }: CleanUpLoopParts, signal: AbortSignal) {
    for (let wait = first; await passed(wait, signal); wait = between) await work(signal).catch(onFailure);
  }
}

/** False when `signal` was aborted before that time had passed. Keeps no process alive. */
async function passed(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(milliseconds, undefined, { signal, ref: false });
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
