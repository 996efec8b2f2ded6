import { currentScope } from '../request-scope.ts';

/** The answer of Storage to a request that it refuses: HTTP 400 with the status proper in the body, as hosted does. */
export function storageError(status: number, error: string, message: string): Response {
  return Response.json({ statusCode: String(status), error, message }, { status: 400 });
}

export const tooLarge = () => storageError(413, 'Payload too large', 'The object exceeded the maximum allowed size');

/** Ends a storage request inside lite; the answer goes round lite, which knows no refusals but its own. */
export function refuse(answer: Response): never {
  const scope = currentScope();
  if (scope !== undefined) scope.storageReply = answer;
  throw new StorageRefusal('refused');
}

class StorageRefusal extends Error {
  override readonly name = 'StorageRefusal';
}
