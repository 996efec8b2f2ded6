import { type ContainerEvent, type ReleaseParts, releaseParts } from './docker-events.ts';
import type { Load, Outcome } from './load.ts';
import { firstAnswerOf, type Summary, slices, summarize, timeOfOthers, type Window } from './sample.ts';
import type { Interruption } from './subscriber.ts';

/** Every window that is compared has this length, in ms: the longer one looks, the longer the worst stall. */
export const windowLength = 10_000;
/** Of the window of a switch, this much lies before it. */
const before = 2_000;

export interface Measurement {
  /** What was done, in the words of the report. */
  readonly operation: string;
  readonly round: number;
  /** The whole command, in ms. */
  readonly took: number;
  /** From the command until a client had the first answer of the new release, in ms. */
  readonly toSwitch: number | undefined;
  readonly parts: ReleaseParts | undefined;
  /** Of a command that rolled back by itself: how long that took, and how long the bad release answered clients. */
  readonly rollback: { readonly took: number; readonly exposed: number } | undefined;
  /** The last window before the command, with nothing going on. */
  readonly idle: Summary;
  /** The window of the switch; of whatever else interrupts, from its beginning. */
  readonly switching: Summary | undefined;
  /** Windows of the command in which nothing was switched. */
  readonly preparing: readonly Summary[];
  /** The command, and what it leaves behind for a second. */
  readonly whole: Summary;
  /** Of each subscriber that was cut: ms until it was subscribed again, the close code, and refused attempts. */
  readonly gaps: readonly { ms: number | undefined; code: number; refused: number }[];
}

/** Requests of one phase and what became of what they wrote. */
export interface Phase extends Outcome {
  readonly who: 'conversation-kit' | 'Docker Compose';
  readonly round: number;
  readonly requests: number;
  readonly failed: number;
  /** What failed, each kind once. */
  readonly failures: readonly string[];
}

export interface Looked {
  readonly operation: string;
  readonly round: number;
  readonly command: Window;
  readonly load: Load;
  readonly events: readonly ContainerEvent[];
  /** Of the command that changed the release. */
  readonly release?: string;
  /** When the interruption begins, where it is not the switch of a release. */
  readonly interruptedAt?: number;
  /** Milliseconds of a rollback that was part of the command. */
  readonly rollback?: number;
}

/** What clients saw of a command. To be called a window after it has ended. */
export function measure(looked: Looked): Measurement {
  const { operation, round, command, load, events, release, rollback } = looked;
  const { samples } = load;
  const parts = release === undefined ? undefined : releaseParts(events, command);
  const switched = looked.interruptedAt ?? parts?.switchedAt;
  const around = switched === undefined ? undefined : { from: switched - before, to: switched - before + windowLength };
  const answered = release === undefined ? undefined : firstAnswerOf(samples, release, command.from);
  return {
    operation,
    round,
    took: command.to - command.from,
    toSwitch: answered === undefined ? undefined : answered - command.from,
    parts,
    rollback: rollback === undefined ? undefined : { took: rollback, exposed: timeOfOthers(samples, command) },
    idle: summarize(samples, { from: command.from - windowLength, to: command.from }),
    switching: around && summarize(samples, around),
    preparing: slices({ from: command.from, to: around?.from ?? command.to }, windowLength).map((window) =>
      summarize(samples, window),
    ),
    whole: summarize(samples, { from: command.from, to: command.to + 1000 }),
    gaps: gapsIn(load.interruptions, { from: command.from, to: command.to + 1000 }),
  };
}

function gapsIn(interruptions: readonly Interruption[], { from, to }: Window): Measurement['gaps'] {
  return interruptions
    .filter(({ closed }) => closed >= from && closed < to)
    .map(({ closed, resumed, code, refused }) => ({
      ms: resumed === undefined ? undefined : resumed - closed,
      code,
      refused,
    }));
}

/** Ends the load of a phase, and counts. */
export async function conclude(who: Phase['who'], round: number, load: Load): Promise<Phase> {
  const outcome = await load.finish();
  const failed = load.samples.filter((sample) => sample.failure !== undefined);
  return {
    who,
    round,
    requests: load.samples.length,
    failed: failed.length,
    failures: [...new Set(failed.map(({ failure }) => failure ?? ''))].slice(0, 5),
    ...outcome,
  };
}
