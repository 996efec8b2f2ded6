import { randomBytes, randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { ResourceDefinition } from '../plugin/resource.ts';
import type { KitConfig } from './config.ts';

const inputs = z.strictObject({
  bytes: z.int().min(16, 'must be at least 16').max(128, 'must be at most 128'),
  prefix: z.string(),
  generation: z.int().min(1, 'must be at least 1'),
});
type Inputs = z.output<typeof inputs>;
type Outputs = Inputs & { value: string };

const made = (from: Inputs): Outputs => ({
  ...from,
  value: from.prefix + randomBytes(from.bytes).toString('base64url'),
});

/**
 * A random secret that lives in the stack's state and nowhere else. Every change makes a new value in place: as a
 * replacement it would be refused, since the resource is protected from deletion.
 */
export const secret: ResourceDefinition<Inputs, Outputs, KitConfig> = {
  token: 'kit:index:Secret',
  inputs,
  replaceOnChanges: [],
  secretOutputs: ['value'],
  create: async (from) => ({ id: randomUUID(), outputs: made(from) }),
  read: async (id, { inputs, outputs }) => {
    if (!inputs || !outputs) throw new Error('A kit:index:Secret can not be imported: it exists in a state only.');
    return { id, inputs, outputs };
  },
  update: async (_id, _old, from) => made(from),
  delete: async () => {},
};
