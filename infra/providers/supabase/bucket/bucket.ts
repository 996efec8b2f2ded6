import { z } from 'zod';
import { differences } from '../../plugin/difference.ts';
import type { ResourceContext, ResourceDefinition } from '../../plugin/resource.ts';
import { required, type SupabaseConfig } from '../config.ts';
import type { ResilienceOptions } from '../http/resilient-fetch.ts';
import type { DocumentedResource } from '../schema/documented-resource.ts';
import { emptyBucket } from './empty-bucket.ts';
import { bytesOf, fileSize } from './file-size.ts';
import { type BucketSettings, type StorageApi, StorageRequestError, storageApi } from './storage-api.ts';

const mimeType = /^([a-z0-9.+-]+\/(\*|[a-z0-9.+-]+)|\*\/\*)$/i;

const inputs = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,100}$/, 'must be 1 to 100 letters, digits, ".", "_" and "-"')
    .describe('Name of the bucket. Another name is another bucket.'),
  public: z.boolean().default(false).describe('Whether anybody can download its objects.'),
  fileSizeLimit: fileSize
    .optional()
    .describe(
      'Largest object: `"50MB"` (decimal), `"50MiB"` (binary) or a number of bytes. Left out: the limit of the project.',
    ),
  allowedMimeTypes: z
    .array(z.string().regex(mimeType, 'must be a MIME type such as image/png or image/*'))
    .min(1, 'must name a type; leave it out to allow every type')
    .optional()
    .describe('MIME types that can be uploaded, with wildcards such as `image/*`. Left out: every type.'),
  forceDestroy: z
    .boolean()
    .default(false)
    .describe('Whether deleting the bucket deletes its objects. Otherwise a bucket with objects is not deleted.'),
});
type Inputs = z.output<typeof inputs>;

/** A bucket of Supabase Storage, through the Storage API. Its id is its name. */
const definition: ResourceDefinition<Inputs, Inputs, SupabaseConfig> = {
  token: 'supabase:index:Bucket',
  inputs,
  replaceOnChanges: ['name'],

  diff: async (old, news) => differences(comparable(old.inputs), comparable(news), ['name']),

  async create(wanted, context) {
    const { name } = wanted;
    const api = apiOf(context);
    const settings = settingsOf(wanted);
    const existing = await api.getBucket(name);
    if (existing) await adopt(api, wanted, existing, context);
    else {
      try {
        await api.createBucket(name, settings);
      } catch (error) {
        // It was not there a moment ago, so if it is now as asked for, the request did arrive and only the reply did not.
        const made = isUncertain(error) ? await api.getBucket(name) : undefined;
        if (!made || !isSame(made, settings)) throw error;
      }
    }
    return { id: name, outputs: wanted };
  },

  async read(name, { inputs: stored }, context) {
    try {
      const found = await apiOf({ ...context, attempts: 2, timeout: 5000 }).getBucket(name);
      if (!found) return undefined;
      const current = inputsOf(name, found, stored);
      return { id: name, inputs: current, outputs: current };
    } catch (error) {
      if (!stored || !isUncertain(error) || !(error instanceof Error)) throw error;
      // It may be what the update that asks is about to start again.
      context.warn(`${error.message}. Not checked: whether the bucket ${name} is as it was.`);
      return { id: name, inputs: stored, outputs: stored };
    }
  },

  async update(name, _old, wanted, context) {
    try {
      await apiOf(context).updateBucket(name, settingsOf(wanted));
    } catch (error) {
      if (!(error instanceof StorageRequestError) || !error.isNotFound) throw error;
      throw new Error(`bucket ${name} is gone: "pulumi refresh" forgets it, the next update makes it anew`, {
        cause: error,
      });
    }
    return wanted;
  },

  async delete(name, { forceDestroy }, context) {
    const api = apiOf(context);
    try {
      if (forceDestroy) await emptyBucket(api, name, (message) => context.progress(message));
      await api.deleteBucket(name);
    } catch (error) {
      if (!(error instanceof StorageRequestError)) throw error;
      if (error.isNotFound) return;
      if (!error.isConflict) throw error;
      throw new Error(
        `bucket ${name} holds objects and is not deleted. To delete them with it: set forceDestroy: true, update, ` +
          `and delete again. To keep it, and have Pulumi forget it: pulumi state delete '${context.urn}'`,
        { cause: error },
      );
    }
  },
};

export const bucket: DocumentedResource<Inputs, Inputs> = {
  definition,
  inputs,
  outputs: inputs,
  description: `A bucket of Supabase Storage, hosted or embedded.

A bucket that is there already is taken over when its settings are the same; otherwise \`pulumi import
supabase:index:Bucket <name> <bucket>\` brings it under management (with \`--provider <name>=<URN>\` where the program has a
provider of its own). Changes are made in place; another \`name\` makes another bucket. A bucket with objects is not deleted
unless \`forceDestroy\` is set. What was changed by hand shows in \`pulumi refresh\`.`,
  example: `const files = new supabase.Bucket(
  'user-files',
  { name: 'user-files', fileSizeLimit: '50MB', allowedMimeTypes: ['text/*', 'image/*', 'application/pdf'] },
  { provider },
);`,
};

type Context = ResourceContext<SupabaseConfig>;

function apiOf(context: Context & Partial<ResilienceOptions>): StorageApi {
  return storageApi(required(context.config, 'url'), required(context.config, 'secretKey'), context);
}

/**
 * A bucket that is there already and as asked for is taken over: an update that broke off can be run again, and data
 * that outlived a stack is found. Not when deleting it would delete objects that this stack never made.
 */
async function adopt(api: StorageApi, wanted: Inputs, existing: BucketSettings, context: Context): Promise<void> {
  const isAsWanted = isSame(existing, settingsOf(wanted));
  if (isAsWanted && (!wanted.forceDestroy || (await api.list(wanted.name, '', 1)).length === 0)) {
    context.progress(`bucket ${wanted.name} is there already, with these settings: taken over`);
    return;
  }
  const why = isAsWanted ? 'with objects that forceDestroy would delete' : 'with other settings';
  throw new Error(
    `bucket ${wanted.name} is there already, ${why}. To manage it from here: ` +
      `pulumi import supabase:index:Bucket ${context.urn.split('::').at(-1)} ${wanted.name} ` +
      '[--provider <name>=<URN>, where the program has a provider of its own]',
  );
}

const isUncertain = (error: unknown) => error instanceof StorageRequestError && error.isUncertain;

function settingsOf({ public: isPublic, fileSizeLimit, allowedMimeTypes }: Inputs): BucketSettings {
  return {
    public: isPublic,
    fileSizeLimit: fileSizeLimit === undefined ? null : (bytesOf(fileSizeLimit) ?? null),
    allowedMimeTypes: allowedMimeTypes ?? null,
  };
}

/** In one notation, so that neither the unit of a size nor the order of the types is a difference. */
function comparable(given: Inputs) {
  const { fileSizeLimit, allowedMimeTypes, ...others } = { ...given, ...settingsOf(given) };
  return {
    ...others,
    ...(fileSizeLimit === null ? {} : { fileSizeLimit }),
    ...(allowedMimeTypes ? { allowedMimeTypes: [...allowedMimeTypes].sort() } : {}),
  };
}

function isSame(a: BucketSettings, b: BucketSettings): boolean {
  const types = (settings: BucketSettings) => [...(settings.allowedMimeTypes ?? ['any'])].sort().join();
  return a.public === b.public && a.fileSizeLimit === b.fileSizeLimit && types(a) === types(b);
}

/** The bucket in the program's words, in its own notation where that still says the same. */
function inputsOf(name: string, found: BucketSettings, stored: Inputs | undefined): Inputs {
  const known = stored ? settingsOf(stored) : undefined;
  const isKnown = (key: 'fileSizeLimit' | 'allowedMimeTypes') =>
    known !== undefined && isSame({ ...known, [key]: found[key] }, known);
  const fileSizeLimit = isKnown('fileSizeLimit') ? stored?.fileSizeLimit : (found.fileSizeLimit ?? undefined);
  const allowedMimeTypes = isKnown('allowedMimeTypes')
    ? stored?.allowedMimeTypes
    : found.allowedMimeTypes
      ? [...found.allowedMimeTypes]
      : undefined;
  return {
    name,
    public: found.public,
    forceDestroy: stored?.forceDestroy ?? false,
    ...(fileSizeLimit === undefined ? {} : { fileSizeLimit }),
    ...(allowedMimeTypes === undefined ? {} : { allowedMimeTypes }),
  };
}
