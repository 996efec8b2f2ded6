import { parseExactJson } from '../database/exact-values.ts';
import { currentScope } from '../request-scope.ts';
import type { KeyedLock } from './keyed-lock.ts';
import { limitBody } from './limited-body.ts';
import type { LiteStorage } from './lite-storage.ts';
import { isMimeTypeAllowed } from './mime-type.ts';
import { refuse, storageError, tooLarge } from './refusal.ts';

/**
 * Uploads as hosted Storage takes them: `image/*` in a bucket's types, limits that also hold for a body of unannounced
 * length, user metadata kept. Two uploads under one name come one after the other (lite would let both write).
 */
export function applyUploadRules(service: LiteStorage, lock: KeyedLock, maxFileSize: number): void {
  const { repo } = service;
  const findBucket = repo.findBucketById.bind(repo);
  const upload = service.uploadInternal.bind(service);
  const createObject = repo.createObject.bind(repo);
  const updateObject = repo.updateObject.bind(repo);

  service.uploadInternal = async (bucketId, name, body, options, trusted, owner) => {
    const bucket = await findBucket(bucketId);
    if (bucket === null) return upload(bucketId, name, body, options, trusted, owner); // lite words that refusal
    const type = options?.contentType ?? 'application/octet-stream';
    const rules = bucket.allowed_mime_types ?? [];
    if (rules.length > 0 && !isMimeTypeAllowed(type, rules)) {
      refuse(storageError(415, 'invalid_mime_type', `mime type ${type} is not supported`));
    }
    const limit = Math.min(bucket.file_size_limit ?? maxFileSize, maxFileSize);
    if ((options?.contentLength ?? 0) > limit) refuse(tooLarge());
    repo.findBucketById = async () => ({ ...bucket, file_size_limit: limit, allowed_mime_types: null }); // checked above
    const limited = body instanceof Uint8Array ? body : ReadableStream.from(limitBody(body, limit));
    return lock.run(`${bucketId}/${name}`, () => upload(bucketId, name, limited, options, trusted, owner));
  };

  const withUserMetadata = (row: object) => {
    const json = currentScope()?.userMetadata;
    return json === undefined ? row : { ...row, user_metadata: parseExactJson(json) };
  };
  repo.createObject = (row) => createObject(withUserMetadata(row));
  repo.updateObject = (id, row) => updateObject(id, withUserMetadata(row));
}
