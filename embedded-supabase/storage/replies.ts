import { z } from 'zod';
import { currentScope } from '../request-scope.ts';
import type { LiteStorage } from './lite-storage.ts';

const signed = z.object({ signedUrl: z.string() });
const signedMany = z.array(z.object({ path: z.string(), signedUrl: z.string(), error: z.string().nullable() }));
const signedUpload = z.object({ signedUrl: z.string(), token: z.string() });
const details = z.object({
  id: z.string(),
  name: z.string(),
  version: z.string().nullable(),
  bucket_id: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
  last_accessed_at: z.string(),
  user_metadata: z.unknown(),
  httpMetadata: z.object({
    size: z.number(),
    mimetype: z.string(),
    cacheControl: z.string(),
    eTag: z.string(),
    lastModified: z.date().optional(),
  }),
});

const withoutBase = (path: string) => path.replace(/^\/storage\/v1/, '');

/** Answers in the shape of hosted Storage, which storage-js reads: relative addresses, keys with their bucket. */
export function applyHostedReplies(service: LiteStorage): void {
  const createSignedUrl = service.createSignedUrl.bind(service);
  const createSignedUploadUrl = service.createSignedUploadUrl.bind(service);
  const uploadSigned = service.uploadSigned.bind(service);
  const copy = service.copy.bind(service);
  const info = service.info.bind(service);
  const reply = (body: unknown) => {
    const scope = currentScope();
    if (scope !== undefined) scope.storageReply = Response.json(body);
  };

  service.createSignedUrl = async (bucket, name, seconds) => {
    const names = currentScope()?.namesToSign;
    if (names === undefined) {
      const { signedUrl } = signed.parse(await createSignedUrl(bucket, name, seconds));
      return { signedURL: withoutBase(signedUrl) };
    }
    service.createSignedUrl = createSignedUrl; // called for each name by the next line, which reads lite's own shape
    const links = signedMany.parse(await service.createSignedUrls(bucket, names, seconds));
    const signedURL = (link: (typeof links)[number]) => (link.error === null ? withoutBase(link.signedUrl) : null);
    return links.map((link) => ({ path: link.path, error: link.error, signedURL: signedURL(link) }));
  };
  service.createSignedUploadUrl = async (bucket, name, upsert, options) => {
    const { signedUrl, token } = signedUpload.parse(await createSignedUploadUrl(bucket, name, upsert, options));
    return { url: withoutBase(signedUrl), token };
  };
  service.uploadSigned = async (bucket, name, body, options) => {
    const row = await uploadSigned(bucket, name, body, options);
    reply({ Key: `${bucket}/${name}`, Id: row.id });
    return row;
  };
  service.copy = async (bucket, from, to, toBucket = bucket, upsert = false) => {
    const copied = await copy(bucket, from, to, toBucket, upsert);
    reply({ Key: `${toBucket}/${to}` });
    return copied;
  };
  service.info = async (bucket, name) => {
    const { httpMetadata: file, user_metadata: metadata, ...row } = details.parse(await info(bucket, name));
    return {
      ...row,
      metadata,
      size: file.size,
      content_type: file.mimetype,
      cache_control: file.cacheControl,
      etag: file.eTag,
      last_modified: file.lastModified ?? row.updated_at,
    };
  };
}
