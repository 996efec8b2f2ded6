import { createClient, StorageApiError } from '@supabase/supabase-js';
import { z } from 'zod';
import { type ResilienceOptions, reasonOf, resilientFetch } from '../http/resilient-fetch.ts';

/** What can be set on a bucket; null is "no limit of its own". */
export interface BucketSettings {
  readonly public: boolean;
  /** Bytes. */
  readonly fileSizeLimit: number | null;
  readonly allowedMimeTypes: readonly string[] | null;
}

/** A request to the Storage API failed for good. */
export class StorageRequestError extends Error {
  override readonly name = 'StorageRequestError';
  readonly isNotFound: boolean;
  readonly isConflict: boolean;
  /** True when it can't be told whether the request was carried out. */
  readonly isUncertain: boolean;

  constructor(what: string, url: string, cause: unknown) {
    const api = cause instanceof StorageApiError ? cause : undefined;
    const original = cause instanceof Error && 'originalError' in cause ? cause.originalError : cause;
    const reason = api ? `${api.message} (HTTP ${api.status})` : reasonOf(original);
    const hint = api ? hintOf(api) : '';
    super(`${what} at ${url} failed: ${reason}${hint}`, { cause });
    // The hosted API answers 400 and puts the real status into the body.
    this.isNotFound = api?.status === 404 || api?.statusCode === '404';
    this.isConflict = api?.status === 409 || api?.statusCode === '409';
    this.isUncertain = !api || api.status >= 500;
  }
}

function hintOf({ status, statusCode }: StorageApiError): string {
  const isStatus = (code: number) => status === code || statusCode === String(code);
  if (isStatus(401) || isStatus(403)) return ': is the secret key the one of this project?';
  if (isStatus(413)) return ": fileSizeLimit is above the project's own limit, which its Storage settings hold";
  return '';
}

const bucketReply = z.object({
  public: z.boolean(),
  file_size_limit: z.coerce.number().nullish(),
  allowed_mime_types: z.array(z.string()).nullish(),
});
const listReply = z.array(z.object({ name: z.string(), id: z.string().nullable() }));

/** In Supabase's Storage API everything but making a bucket can be done twice; a listing is a POST as well. */
const isRepeatable = (method: string, { pathname }: URL) => method !== 'POST' || pathname.includes('/object/list/');

export type StorageApi = ReturnType<typeof storageApi>;

/** The part of Supabase's Storage API that buckets are managed with. Every call throws {@link StorageRequestError}. */
export function storageApi(url: string, secretKey: string, options: ResilienceOptions) {
  const { storage } = createClient(url, secretKey, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: { fetch: resilientFetch(options, isRepeatable) },
  });
  const parse = <T>(what: string, reply: { data: unknown; error: unknown }, schema: z.ZodType<T>): T => {
    if (reply.error) throw new StorageRequestError(what, url, reply.error);
    const parsed = schema.safeParse(reply.data);
    if (!parsed.success)
      throw new StorageRequestError(what, url, new Error(`unexpected reply: ${parsed.error.message}`));
    return parsed.data;
  };
  const settingsOf = ({ public: isPublic, fileSizeLimit, allowedMimeTypes }: BucketSettings) => ({
    public: isPublic,
    fileSizeLimit,
    allowedMimeTypes: allowedMimeTypes ? [...allowedMimeTypes] : null,
  });
  return {
    /** Undefined when there is no such bucket. */
    async getBucket(name: string): Promise<BucketSettings | undefined> {
      try {
        const reply = parse(`reading bucket ${name}`, await storage.getBucket(name), bucketReply);
        return {
          public: reply.public,
          fileSizeLimit: reply.file_size_limit ?? null,
          allowedMimeTypes: reply.allowed_mime_types ?? null,
        };
      } catch (error) {
        if (error instanceof StorageRequestError && error.isNotFound) return undefined;
        throw error;
      }
    },
    async createBucket(name: string, settings: BucketSettings): Promise<void> {
      parse(`making bucket ${name}`, await storage.createBucket(name, settingsOf(settings)), z.unknown());
    },
    async updateBucket(name: string, settings: BucketSettings): Promise<void> {
      parse(`changing bucket ${name}`, await storage.updateBucket(name, settingsOf(settings)), z.unknown());
    },
    /** Refused by the API while there are objects (a conflict). */
    async deleteBucket(name: string): Promise<void> {
      parse(`deleting bucket ${name}`, await storage.deleteBucket(name), z.unknown());
    },
    /** Up to `limit` entries directly below a folder (`''` is the root); folders are entries of their own. */
    async list(name: string, folder: string, limit: number): Promise<{ path: string; isFolder: boolean }[]> {
      const reply = await storage.from(name).list(folder, { limit });
      return parse(`listing bucket ${name}`, reply, listReply).map((entry) => ({
        path: folder === '' ? entry.name : `${folder}/${entry.name}`,
        isFolder: entry.id === null,
      }));
    },
    async remove(name: string, paths: readonly string[]): Promise<void> {
      parse(`removing objects of bucket ${name}`, await storage.from(name).remove([...paths]), z.unknown());
    },
  };
}
