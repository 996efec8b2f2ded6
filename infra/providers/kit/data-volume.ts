import { z } from 'zod';
import { connectEngine } from '../docker/engine.ts';
import { EngineAway } from '../docker/engine-error.ts';
import { engineFind } from '../docker/engine-request.ts';
import { differences } from '../plugin/difference.ts';
import type { ResourceContext, ResourceDefinition } from '../plugin/resource.ts';
import type { KitConfig } from './config.ts';

const inputs = z.strictObject({
  volume: z.string().min(1, 'must name a volume'),
  /** Whose data is in it, for people. */
  holds: z.string().min(1, 'must say what is in it'),
  labels: z.record(z.string(), z.string()),
  dockerHost: z.string().optional(),
});
type Inputs = z.output<typeof inputs>;
/**
 * `mark`: the labels of the volume that is known, in one text. They can't be changed, and whoever makes a volume of the
 * name in passing (a container that names it, `docker volume create`) gives it none. The engine's date is no help: some
 * engines tell that of the last change. `found`: what is there, as far as is known.
 */
type Outputs = Inputs & { mark: string; found: Found };
type Found = 'same' | 'gone' | 'another';
type Context = ResourceContext<KitConfig>;

/** The data is not where it was, and nobody has said that it may go. */
export class DataLostError extends Error {
  override readonly name = 'DataLostError';
}

/**
 * Remembers that a volume with data was there. An engine makes a missing volume anew, empty, for
 * whoever names it; this one fails the preview and the update instead, until the data is back or its loss is accepted:
 * the volume's name in CONVERSATION_KIT_ACCEPT_VOLUME. What uses the volume is to depend on this.
 */
export const dataVolume: ResourceDefinition<Inputs, Outputs, KitConfig> = {
  token: 'kit:index:DataVolume',
  inputs,
  // Protected, it could not be replaced; and another address may well be the same engine.
  replaceOnChanges: [],
  runsAtPreview: true,

  // By refresh or not: an update must never pass over it.
  diff: async ({ inputs: old, outputs }, news, context) => {
    const changes = differences(old, news);
    if (changes.length > 0) return changes;
    try {
      const found = compare(outputs.mark, await markOf(news, context.signal));
      return found === 'same' ? [] : [{ path: 'found', kind: 'update' }];
    } catch (error) {
      if (!(error instanceof EngineAway)) throw error;
      context.warn(`${error.message}. Not checked: whether the volume ${news.volume} is still there.`);
      return [];
    }
  },

  create: async (wanted, context) => {
    const id = wanted.volume;
    if (context.preview) return { id, outputs: { ...wanted, mark: '', found: 'same' } };
    return { id, outputs: await ensured(wanted, context) };
  },

  read: async (id, { inputs: stored, outputs }, { signal }) => {
    if (!stored || !outputs) throw new Error('A kit:index:DataVolume can not be imported: it remembers a volume.');
    // Never "gone": the state would forget that there was one.
    const found = compare(outputs.mark, await markOf(stored, signal));
    return { id, inputs: stored, outputs: { ...outputs, found } };
  },

  update: async (_id, { outputs }, wanted, context) => {
    const found = compare(outputs.mark, await markOf(wanted, context.signal));
    if (found === 'same') return { ...outputs, ...wanted, found };
    if (!isAccepted(wanted)) throw new DataLostError(lost(wanted, found, context));
    context.warn(`the loss of what was in the volume ${wanted.volume} (${wanted.holds}) is accepted`);
    return context.preview ? { ...outputs, ...wanted, found: 'same' } : ensured(wanted, context);
  },

  // The volume itself is a resource of its own.
  delete: async () => {},
};

const inspected = z.object({ Labels: z.record(z.string(), z.string()).nullish() });

/** Undefined: there is no such volume. */
async function markOf({ volume, dockerHost }: Inputs, signal: AbortSignal): Promise<string | undefined> {
  const docker = await connectEngine(dockerHost);
  const there = await engineFind(docker, `/volumes/${encodeURIComponent(volume)}`, inspected, signal);
  if (!there) return undefined;
  const labels = Object.entries(there.Labels ?? {}).map(([name, value]) => `${name}=${value}`);
  return labels.sort().join(' ');
}

function compare(known: string, now: string | undefined): Found {
  if (now === undefined) return 'gone';
  return now === known ? 'same' : 'another';
}

/** Takes the volume that is there, or makes it. */
async function ensured(wanted: Inputs, context: Context): Promise<Outputs> {
  const { volume, dockerHost, labels } = wanted;
  const docker = await connectEngine(dockerHost);
  // One that is there stays as it is.
  await docker.createVolume({ Name: volume, Labels: labels, abortSignal: context.signal });
  const mark = await markOf(wanted, context.signal);
  if (mark === undefined) throw new Error(`the volume ${volume} was removed while it was being made`);
  return { ...wanted, mark, found: 'same' };
}

function isAccepted({ volume }: Inputs): boolean {
  return (process.env.CONVERSATION_KIT_ACCEPT_VOLUME ?? '').split(',').includes(volume);
}

function lost({ volume, holds }: Inputs, found: Found, { urn }: Context): string {
  const stack = /^urn:pulumi:([^:]+)::/.exec(urn)?.[1] ?? '<stack>';
  const what =
    found === 'gone'
      ? `the volume ${volume} with the data of ${holds} is gone. It is not made anew empty`
      : `the volume ${volume} is not the one with the data of ${holds}, somebody made another of that name. It is not taken for it`;
  return (
    `${what}: restore it (docs/drift.md, "A volume that is gone"). ` +
    `If it may be as it is now: npm run up -- --stack ${stack} --accept-volume ${volume}`
  );
}
