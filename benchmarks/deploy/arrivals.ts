import { setTimeout as delay } from 'node:timers/promises';

/**
 * Calls `arrive` at a fixed rate until `signal` aborts, each time with the moment at which that arrival was due, in ms of
 * `performance.now()`. Nobody is waited for: whoever is late is late by the schedule, so a stall counts for everybody who
 * came while it lasted.
 */
export async function arrivals(
  perSecond: number,
  signal: AbortSignal,
  arrive: (due: number, index: number) => void,
): Promise<void> {
  const started = performance.now();
  for (let index = 0; !signal.aborted; index += 1) {
    const due = started + (index * 1000) / perSecond;
    const early = due - performance.now();
    if (early > 0) await delay(early);
    arrive(due, index);
  }
}
