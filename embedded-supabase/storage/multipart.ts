import { storageError, tooLarge } from './refusal.ts';

/** Room for the boundaries and the other fields of a form, in bytes. */
const overhead = 1024 * 1024;

export interface MultipartUpload {
  readonly file: Blob;
  readonly cacheControl: string | undefined;
  /** JSON of the user metadata. */
  readonly metadata: string | undefined;
}

/**
 * The upload in a multipart form, which is how storage-js sends a Blob: the file in a field without a name. Reads the
 * form into memory, at most `maxFileSize` and a little. A Response is the refusal.
 */
export async function readMultipart(
  request: Request,
  contentType: string,
  maxFileSize: number,
): Promise<MultipartUpload | Response> {
  const limit = maxFileSize + overhead;
  if (Number(request.headers.get('content-length') ?? 0) > limit) return tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size <= limit) chunks.push(chunk); // the rest is read and dropped: an answer needs a read request
  }
  if (size > limit) return tooLarge();
  let form: FormData;
  try {
    form = await new Response(Buffer.concat(chunks), { headers: { 'content-type': contentType } }).formData();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return storageError(400, 'InvalidRequest', `the multipart form can't be read: ${reason}`);
  }
  const file = [...form.values()].find((value) => typeof value !== 'string');
  if (file === undefined) return storageError(400, 'InvalidRequest', 'the multipart form holds no file');
  return { file, cacheControl: text(form, 'cacheControl'), metadata: text(form, 'metadata') };
}

function text(form: FormData, name: string): string | undefined {
  const value = form.get(name);
  return typeof value === 'string' ? value : undefined;
}
