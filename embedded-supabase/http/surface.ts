import { credentialsOf, type Keyring } from '../auth/identity.ts';
import type { EmbeddedConnection } from '../database/connection.ts';
import type { RequestScope } from '../request-scope.ts';

/** What the surfaces of the API (/rest, /auth, /storage) work with. */
export interface SurfaceParts {
  readonly lite: { fetch(request: Request): Promise<Response> };
  readonly connection: EmbeddedConnection;
  readonly keyring: Keyring;
  /** Bytes. */
  readonly maxFileSize: number;
}

/** One request on its way; `url` is its parsed address. */
export interface Call {
  readonly request: Request;
  readonly url: URL;
  readonly scope: RequestScope;
}

/**
 * Verifies who asks, and leaves it in the scope. Gives the headers with which the request goes on: without its token,
 * which lite would otherwise look up in the database once more. Without a valid identity they stay: lite refuses them.
 */
export async function identify({ request, url, scope }: Call, keyring: Keyring): Promise<Headers> {
  const headers = new Headers(request.headers);
  const identity = await keyring.identify(credentialsOf(request, url));
  if (identity !== undefined) {
    scope.identity = identity;
    headers.delete('authorization');
  }
  return headers;
}
