import type { HonoContext } from '@supabase/lite';
import type { MiddlewareHandler } from 'hono';
import { errors } from 'jose';
import { ZodError } from 'zod';
import type { EmbeddedConnection } from '../database/connection.ts';
import { currentScope } from '../request-scope.ts';
import { folderListing } from './folder-listing.ts';
import { KeyedLock } from './keyed-lock.ts';
import { isLiteStorage, type LiteStorage } from './lite-storage.ts';
import { refuse, storageError } from './refusal.ts';
import { applyHostedReplies } from './replies.ts';
import { applyUploadRules } from './upload-rules.ts';

/** Makes the storage service of each request behave as hosted Storage does. `maxFileSize` in bytes. */
export function storageAdjustments(
  connection: EmbeddedConnection,
  maxFileSize: number,
): MiddlewareHandler<HonoContext> {
  const lock = new KeyedLock();
  return async (context, next) => {
    if (context.req.path.startsWith('/storage/v1/')) {
      const service: object = context.get('storageService');
      if (!isLiteStorage(service))
        throw new Error('this version of @supabase/lite has another storage service: adapt storage/lite-storage.ts');
      applyUploadRules(service, lock, maxFileSize);
      applyHostedReplies(service);
      applyHostedRules(service, connection, lock);
    }
    await next();
  };
}

function applyHostedRules(service: LiteStorage, connection: EmbeddedConnection, lock: KeyedLock): void {
  const updateBucket = service.updateBucket.bind(service);
  const verifySignedUrl = service.verifySignedUrl.bind(service);
  const move = service.move.bind(service);
  const copy = service.copy.bind(service);

  // lite's route takes no nulls, which lift a limit; they come by the scope.
  service.updateBucket = (id, changes) => updateBucket(id, { ...changes, ...currentScope()?.bucketNulls });

  // lite empties the whole bucket for whoever may see one object of it.
  service.emptyBucket = async (id) => {
    await service.getBucket(id);
    const rows = await service.repo.listObjects(id);
    await service.remove(
      id,
      rows.map((row) => row.name),
    );
  };

  service.list = async (bucket, prefix, options) => {
    await service.getBucketBypass(bucket); // 404 for one that does not exist
    const query = listingOrRefusal(bucket, { ...options, prefix });
    const { rows } = await connection.withContext(service.access.vars(), (db) => query.execute(db));
    return rows;
  };

  service.verifySignedUrl = async (token) => {
    try {
      return await verifySignedUrl(token);
    } catch (error) {
      if (error instanceof errors.JOSEError) refuse(storageError(400, 'InvalidJWT', error.message));
      throw error;
    }
  };

  service.move = (bucket, from, to, toBucket = bucket) =>
    lock.run(`${toBucket}/${to}`, () => move(bucket, from, to, toBucket));
  service.copy = (bucket, from, to, toBucket = bucket, upsert = false) =>
    lock.run(`${toBucket}/${to}`, () => copy(bucket, from, to, toBucket, upsert));
}

function listingOrRefusal(bucket: string, options: unknown): ReturnType<typeof folderListing> {
  try {
    // JSON leaves out what was undefined, so that the defaults apply.
    return folderListing(bucket, JSON.parse(JSON.stringify(options)));
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    const mistakes = error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    return refuse(storageError(400, 'InvalidRequest', mistakes));
  }
}
