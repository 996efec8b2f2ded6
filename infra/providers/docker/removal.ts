import { setTimeout as delay } from 'node:timers/promises';
import { EngineRefusal, orGone } from './engine-error.ts';

const usersLeaveWithin = 30_000;

/**
 * Removes something that containers use. Those that are being removed hold on to it for a moment longer, and the engine
 * has no event for their letting go: asked again until it works. `stuck` says who still uses it and what to do.
 */
export async function removeWhenUnused(
  remove: () => Promise<unknown>,
  inUse: RegExp,
  stuck: () => Promise<string>,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + usersLeaveWithin;
  for (;;) {
    try {
      await orGone(remove());
      return;
    } catch (error) {
      if (!(error instanceof EngineRefusal && inUse.test(error.message))) throw error;
      if (Date.now() > deadline) throw new Error(await stuck(), { cause: error });
      await delay(500, undefined, { signal });
    }
  }
}
