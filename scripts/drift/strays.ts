import { z } from 'zod';
import { docker } from '../engine.ts';
import type { Difference } from './differences.ts';
import type { ComparedResource } from './reality.ts';

/** A container that carries the stack's label, as the engine lists it. */
export interface LabelledContainer {
  readonly id: string;
  readonly name: string;
  readonly status: string;
}

/** Where a stack runs, as its own resources in the state say. */
export interface Place {
  readonly namespace: string;
  readonly dockerHost: string | undefined;
}

const stackOutputs = z.object({ namespace: z.string(), dockerHost: z.string().nullish() });

/** Undefined before the first update that came to its end. */
export function placeOf(resources: readonly ComparedResource[]): Place | undefined {
  const stack = resources.find(({ oldState }) => oldState?.type === 'pulumi:pulumi:Stack');
  const outputs = stackOutputs.safeParse(stack?.oldState?.outputs);
  return outputs.success ? { ...outputs.data, dockerHost: outputs.data.dockerHost ?? undefined } : undefined;
}

/** Containers that say that they are the stack's, and that its state does not know. */
export function straysOf(resources: readonly ComparedResource[], labelled: readonly LabelledContainer[]): Difference[] {
  const known = new Set(resources.flatMap(({ oldState }) => oldState?.id ?? []));
  const strays = labelled.filter(({ id }) => !known.has(id));
  return strays.map(({ name, status }) => ({
    thing: `container ${name}`,
    what: `not of the last update (${status}): started by hand, or left behind`,
    remedy: `leaves it: docker rm -f ${name}`,
  }));
}

export async function labelledContainers({ namespace, dockerHost }: Place): Promise<LabelledContainer[]> {
  const filter = `label=conversation-kit.stack=${namespace}`;
  const format = '{{.ID}}\t{{.Names}}\t{{.Status}}';
  const listed = await docker(dockerHost, 'ps', '--all', '--no-trunc', '--filter', filter, '--format', format);
  return listed.lines().flatMap((line) => {
    const [id, name, status] = line.split('\t');
    return id && name && status ? [{ id, name, status }] : [];
  });
}
