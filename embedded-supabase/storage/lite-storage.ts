import type { App, VarsContext } from '@supabase/lite';

export type UploadBody = Parameters<NonNullable<App['_storageAdapter']>['uploadObject']>[3];

export interface BucketRow {
  readonly file_size_limit: number | null;
  readonly allowed_mime_types: string[] | null;
}

export interface ObjectRow {
  readonly id: string;
  readonly name: string;
  readonly version: string | null;
  readonly bucket_id: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly last_accessed_at: string;
  readonly user_metadata: unknown;
}

export interface UploadOptions {
  readonly contentType?: string;
  readonly contentLength?: number;
}

/**
 * The insides of lite 0.10.0's storage service that are adjusted here. lite makes one service for each request, so that
 * its methods can be replaced without touching anything else.
 */
export interface LiteStorage {
  repo: {
    findBucketById(id: string): Promise<BucketRow | null>;
    listObjects(bucket: string): Promise<ObjectRow[]>;
    createObject(row: object): Promise<ObjectRow>;
    updateObject(id: string, row: object): Promise<ObjectRow>;
  };
  /** Reads and writes as the one who asks. */
  access: { vars(): VarsContext };
  getBucket(id: string): Promise<unknown>;
  getBucketBypass(id: string): Promise<unknown>;
  updateBucket(id: string, changes: object): Promise<unknown>;
  emptyBucket(id: string): Promise<void>;
  uploadInternal(
    bucket: string,
    name: string,
    body: UploadBody,
    options: UploadOptions | undefined,
    trusted: boolean,
    owner: string | null,
  ): Promise<ObjectRow>;
  uploadSigned(bucket: string, name: string, body: UploadBody, options: object): Promise<ObjectRow>;
  list(bucket: string, prefix: string | undefined, options: object): Promise<unknown>;
  remove(bucket: string, names: string[]): Promise<unknown>;
  move(bucket: string, from: string, to: string, toBucket?: string): Promise<void>;
  copy(bucket: string, from: string, to: string, toBucket?: string, upsert?: boolean): Promise<unknown>;
  info(bucket: string, name: string): Promise<unknown>;
  createSignedUrl(bucket: string, name: string, seconds: number): Promise<unknown>;
  createSignedUrls(bucket: string, names: string[], seconds: number): Promise<unknown>;
  createSignedUploadUrl(bucket: string, name: string, upsert: boolean, options: object): Promise<unknown>;
  verifySignedUrl(token: string): Promise<unknown>;
}

const methods = [
  'getBucket',
  'getBucketBypass',
  'updateBucket',
  'emptyBucket',
  'uploadInternal',
  'uploadSigned',
  'list',
  'remove',
  'move',
  'copy',
  'info',
  'createSignedUrl',
  'createSignedUrls',
  'createSignedUploadUrl',
  'verifySignedUrl',
] satisfies (keyof LiteStorage)[];

/** Whether a storage service has what is adjusted: false after an update of lite that moved it. */
export function isLiteStorage(service: object): service is LiteStorage {
  return (
    methods.every((name) => typeof Reflect.get(service, name) === 'function') &&
    'repo' in service &&
    'access' in service
  );
}
