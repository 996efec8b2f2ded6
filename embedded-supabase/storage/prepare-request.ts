import { z } from 'zod';
import type { RequestScope } from '../request-scope.ts';
import { isMimeTypeRule } from './mime-type.ts';
import { readMultipart } from './multipart.ts';
import { storageError, tooLarge } from './refusal.ts';
import { parseSize } from './size.ts';

const fileSize = z
  .union([z.number(), z.string()])
  .transform((size, context) => {
    const bytes = parseSize(size);
    if (bytes !== undefined) return bytes;
    context.addIssue({ code: 'custom', message: `file_size_limit is no size: ${size}` });
    return z.NEVER;
  })
  .nullish();

const bucket = z.looseObject({
  file_size_limit: fileSize,
  allowed_mime_types: z
    .array(z.string().refine(isMimeTypeRule, { error: (issue) => `mime type ${String(issue.input)} is not supported` }))
    .nullish(),
});

const signing = z.object({ expiresIn: z.number(), paths: z.array(z.string()) });

/**
 * A storage request in the form that lite takes: sizes such as "50MB" as bytes, nulls beside it in the scope, a
 * multipart upload as a plain one. Or the answer that refuses it.
 */
export async function prepareStorageRequest(
  request: Request,
  url: URL,
  scope: RequestScope,
  maxFileSize: number,
): Promise<Request | Response> {
  if (request.method === 'GET' || request.method === 'HEAD') return request;
  const isUpload =
    request.method !== 'DELETE' &&
    /^\/storage\/v1\/object\/(?:upload\/sign\/|(?!(?:list|move|copy|sign|info|public)(?:\/|$)))/.test(url.pathname);
  if (isUpload) return prepareUpload(request, scope, maxFileSize);

  const text = await request.text();
  const body = text === '' ? {} : parseJson(text);
  if (body === undefined) return storageError(400, 'InvalidRequest', 'the body is no JSON');
  if (/^\/storage\/v1\/bucket(?:\/[^/]+)?$/.test(url.pathname) && request.method !== 'DELETE') {
    return prepareBucket(request, body, scope, maxFileSize);
  }
  if (/^\/storage\/v1\/object\/sign\/[^/]+$/.test(url.pathname)) {
    const names = signing.safeParse(body);
    if (!names.success) return storageError(400, 'InvalidRequest', 'expiresIn and paths are needed');
    scope.namesToSign = names.data.paths;
  }
  return withBody(request, text);
}

async function prepareUpload(request: Request, scope: RequestScope, maxFileSize: number): Promise<Request | Response> {
  const contentType = request.headers.get('content-type') ?? '';
  if (contentType.toLowerCase().startsWith('multipart/form-data')) {
    return prepareMultipart(request, contentType, scope, maxFileSize);
  }
  const metadata = request.headers.get('x-metadata');
  return metadata === null ? request : withMetadata(request, Buffer.from(metadata, 'base64').toString('utf8'), scope);
}

function prepareBucket(request: Request, json: unknown, scope: RequestScope, maxFileSize: number): Request | Response {
  const body = bucket.safeParse(json);
  if (!body.success) {
    const wrongType = body.error.issues.some((issue) => issue.path[0] === 'allowed_mime_types');
    const message = body.error.issues.map((issue) => issue.message).join('; ');
    return storageError(wrongType ? 415 : 400, wrongType ? 'invalid_mime_type' : 'InvalidRequest', message);
  }
  const { file_size_limit: limit, allowed_mime_types: types, ...rest } = body.data;
  if (typeof limit === 'number' && limit > maxFileSize) return tooLarge();
  scope.bucketNulls = {
    ...(limit === null ? { file_size_limit: null } : {}),
    ...(types === null ? { allowed_mime_types: null } : {}),
  };
  const forLite = {
    ...rest,
    ...(typeof limit === 'number' ? { file_size_limit: limit } : {}),
    ...(Array.isArray(types) ? { allowed_mime_types: types } : {}),
  };
  return withBody(request, JSON.stringify(forLite));
}

async function prepareMultipart(
  request: Request,
  contentType: string,
  scope: RequestScope,
  maxFileSize: number,
): Promise<Request | Response> {
  const upload = await readMultipart(request, contentType, maxFileSize);
  if (upload instanceof Response) return upload;
  const prepared = withBody(request, upload.file, {
    'content-type': upload.file.type === '' ? 'application/octet-stream' : upload.file.type,
    'content-length': String(upload.file.size),
    ...(upload.cacheControl === undefined ? {} : { 'cache-control': `max-age=${upload.cacheControl}` }),
  });
  return upload.metadata === undefined ? prepared : withMetadata(prepared, upload.metadata, scope);
}

function withMetadata(request: Request, json: string, scope: RequestScope): Request | Response {
  const parsed = z.record(z.string(), z.unknown()).safeParse(parseJson(json));
  if (!parsed.success) return storageError(400, 'InvalidRequest', 'the metadata of the upload must be a JSON object');
  scope.userMetadata = json;
  return request;
}

/** The same request with another body, and with its length left to the new one unless `headers` says it. */
function withBody(request: Request, body: string | Blob, headers: Record<string, string> = {}): Request {
  const all = new Headers(request.headers);
  all.delete('content-length');
  all.delete('transfer-encoding');
  for (const [name, value] of Object.entries(headers)) all.set(name, value);
  return new Request(request.url, { method: request.method, headers: all, body, duplex: 'half' });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no JSON is no valid body: the schemas say so
  }
}
