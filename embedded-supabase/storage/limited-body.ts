import type { UploadBody } from './lite-storage.ts';
import { refuse, tooLarge } from './refusal.ts';

/** How much more than the limit is read and thrown away, so that the client gets its answer and keeps its connection. */
const patience = 64 * 1024 * 1024;

/**
 * The same bytes; more than `limit` of them refuse the request (413), after the rest has been read. Who stops reading
 * early leaves the rest in `body`.
 */
export async function* limitBody(body: Exclude<UploadBody, Uint8Array>, limit: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of body.values({ preventCancel: true })) {
    size += chunk.byteLength;
    if (size <= limit) yield chunk;
    else if (size > limit + patience) break;
  }
  if (size > limit) refuse(tooLarge());
}
