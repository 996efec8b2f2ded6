import type { DockerContext } from './config.ts';

/** What the update that is under way has seen and made so far. */
interface Memory {
  /** Ids of containers that are in the stack's state: these were not left behind by an update that was killed. */
  readonly knownContainers: Set<string>;
  /** Names of images made: a resource that one of the same name replaces must not take it away at its end. */
  readonly madeImages: Set<string>;
}

const memories = new WeakMap<object, Memory>();

/** Pulumi configures a provider once in an update: its configuration stands for the update. */
export function thisUpdate({ config }: DockerContext): Memory {
  const known = memories.get(config);
  if (known) return known;
  const memory = { knownContainers: new Set<string>(), madeImages: new Set<string>() };
  memories.set(config, memory);
  return memory;
}
