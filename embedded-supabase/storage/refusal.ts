import { z } from 'zod';
import { currentScope } from '../request-scope.ts';

/** The answer of Storage to a request that it refuses: HTTP 400 with the status proper in the body, as hosted does. */
export function storageError(status: number, error: string, message: string): Response {
  return Response.json({ statusCode: String(status), error, message }, { status: 400 });
}

export const tooLarge = () => storageError(413, 'Payload too large', 'The object exceeded the maximum allowed size');

/** Codes of hosted Storage, by the name of the error that lite gives; storage-js reads some of them. */
const codes: Readonly<Record<string, string>> = {
  'Bucket not found': 'NoSuchBucket',
  not_found: 'NoSuchKey',
  Duplicate: 'KeyAlreadyExists',
  ResourceNotEmpty: 'BucketNotEmpty',
  invalid_mime_type: 'InvalidMimeType',
  'Payload too large': 'EntityTooLarge',
  'Invalid key': 'InvalidKey',
  Unauthorized: 'AccessDenied',
  InvalidJWT: 'InvalidJWT',
  InvalidRequest: 'InvalidRequest',
};

const errorBody = z.object({ statusCode: z.string(), error: z.string(), message: z.string() });

/** A refusal of Storage with the code that hosted Storage adds to it; any other answer as it is. */
export async function withErrorCode(response: Response): Promise<Response> {
  if (response.ok || !(response.headers.get('content-type') ?? '').includes('json')) return response;
  const text = await response.text();
  const body = errorBody.safeParse(JSON.parse(text));
  const code = body.success ? codes[body.data.error] : undefined;
  const headers = new Headers(response.headers);
  headers.delete('content-length');
  const answer = code === undefined ? text : JSON.stringify({ ...body.data, code });
  return new Response(answer, { status: response.status, headers });
}

/** Ends a storage request inside lite; the answer goes round lite, which knows no refusals but its own. */
export function refuse(answer: Response): never {
  const scope = currentScope();
  if (scope !== undefined) scope.storageReply = answer;
  throw new StorageRefusal('refused');
}

class StorageRefusal extends Error {
  override readonly name = 'StorageRefusal';
}
