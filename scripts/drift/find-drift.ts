import { docker, dockerHostOf } from '../engine.ts';
import { removeStaleLock } from '../stale-lock.ts';
import { type Difference, differencesOf } from './differences.ts';
import { lookAtReality } from './reality.ts';
import { labelledContainers, placeOf, straysOf } from './strays.ts';
import { unseenOf } from './unseen.ts';

export type { Difference } from './differences.ts';

export interface Drift {
  /** What was changed by hand; empty where everything is as the last update left it. */
  readonly differences: readonly Difference[];
  /** What could not be looked at, and why: a line each. */
  readonly unseen: readonly string[];
}

/**
 * What was changed by hand since the last update: the stack's state against what is really there. Changes neither.
 * Throws when nothing can be told: no such stack, an engine that does not answer, another update under way.
 */
export async function findDrift(stack: string, { signal }: { signal?: AbortSignal } = {}): Promise<Drift> {
  await removeStaleLock(stack);
  // Every resource would wait for an engine that is away, and complain.
  await docker(dockerHostOf(stack), 'version', '--format', '{{.Server.Version}}');
  const { resources, complaints } = await lookAtReality(stack, signal);
  const place = placeOf(resources);
  const strays = place ? straysOf(resources, await labelledContainers(place)) : [];
  return { differences: [...differencesOf(resources), ...strays], unseen: unseenOf(complaints) };
}
