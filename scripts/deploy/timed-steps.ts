import { announce, table } from '../report.ts';
import { duration } from '../setup/duration.mjs';
import type { TimedStep } from './deploy-log.ts';

/** The steps of a deploy, in order, with the time that each took. */
export class TimedSteps {
  readonly taken: TimedStep[] = [];
  readonly #signal: AbortSignal;

  /** @param signal ends the deploy before its next step */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.#signal.throwIfAborted();
    announce(name);
    const started = performance.now();
    let result: TimedStep['result'] = 'failed';
    try {
      const outcome = await work();
      result = 'done';
      return outcome;
    } finally {
      this.taken.push({ name, milliseconds: Math.round(performance.now() - started), result });
    }
  }

  table(): string {
    return table(
      [],
      this.taken.map(({ name, milliseconds, result }) => [result === 'done' ? '✓' : '✗', name, duration(milliseconds)]),
    );
  }
}
