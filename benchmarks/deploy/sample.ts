import { quantile } from '../statistics.ts';

/** One request of the load. Milliseconds, on the clock of `performance.now()`. */
export interface Sample {
  readonly kind: 'append' | 'read';
  /** When it was to be sent. */
  readonly due: number;
  /** From then until it was answered, or had failed. */
  readonly took: number;
  /** What was wrong with the answer; undefined where nothing was. */
  readonly failure: string | undefined;
  /** Which release answered. */
  readonly release: string | undefined;
}

export interface Window {
  readonly from: number;
  readonly to: number;
}

/** What a client saw in a window, of the requests that were due in it. */
export interface Summary {
  readonly requests: number;
  readonly failed: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
}

/** Whole windows of one length, one after the other; what is left over at the end is in none. */
export function slices({ from, to }: Window, length: number): Window[] {
  const count = Math.max(0, Math.floor((to - from) / length));
  return Array.from({ length: count }, (_, index) => ({
    from: from + index * length,
    to: from + (index + 1) * length,
  }));
}

/** Throws when nothing was due in the window: no load, no figure. */
export function summarize(samples: readonly Sample[], window: Window): Summary {
  const own = samples.filter(({ due }) => due >= window.from && due < window.to);
  const took = own.map((sample) => sample.took);
  return {
    requests: own.length,
    failed: own.filter(({ failure }) => failure !== undefined).length,
    p50: quantile(took, 0.5),
    p99: quantile(took, 0.99),
    worst: quantile(took, 1),
  };
}

/** When `release` gave its first answer to what was asked from then on; undefined when it gave none. */
export function firstAnswerOf(samples: readonly Sample[], release: string, from: number): number | undefined {
  const asked = samples.filter((sample) => sample.release === release && sample.due >= from);
  const answered = asked.map(({ due, took }) => due + took);
  return answered.length === 0 ? undefined : Math.min(...answered);
}

/** How long, in ms, others answered in a window than who answered at its beginning and at its end. */
export function timeOfOthers(samples: readonly Sample[], { from, to }: Window): number {
  const answers = samples
    .flatMap(({ due, took, release }) => (release === undefined ? [] : [{ at: due + took, release }]))
    .filter(({ at }) => at >= from && at < to)
    .toSorted((left, right) => left.at - right.at);
  const others = answers.filter(({ release }) => release !== answers[0]?.release).map(({ at }) => at);
  return others.length === 0 ? 0 : Math.max(...others) - Math.min(...others);
}
