import type { Logger } from 'pino';
import { answerAdminRequest } from '../auth/admin-api.ts';
import { authErrorResponse } from '../auth/auth-error.ts';
import { credentialsOf, type Keyring } from '../auth/identity.ts';
import type { EmbeddedConnection } from '../database/connection.ts';
import { withExactFilters } from '../database/exact-filters.ts';
import { isMarked, markDocumentBody, markPlainBody, markRowsBody, unmark } from '../database/exact-values.ts';
import { DatabaseUnavailable } from '../database/outage.ts';
import { type RequestScope, runInScope } from '../request-scope.ts';
import { prepareStorageRequest } from '../storage/prepare-request.ts';
import { withErrorCode } from '../storage/refusal.ts';
import { hostedOnly, invalidKey, notFound, unavailable } from './answers.ts';

export interface GatewayParts {
  readonly lite: { fetch(request: Request): Promise<Response> };
  readonly connection: EmbeddedConnection;
  readonly keyring: Keyring;
  readonly maxFileSize: number;
  readonly log: Logger;
}

/** Answers requests to the API: the shim before lite, lite, the shim after it. Every other address is 404. */
export class Gateway {
  readonly #parts: GatewayParts;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  async answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const surface = /^\/(rest|auth|storage|realtime|functions|graphql)\/v1(?:\/|$)/.exec(url.pathname)?.[1];
    if (surface === undefined) return notFound();
    const scope: RequestScope = {};
    return runInScope(scope, async () => {
      try {
        const response = await this.#dispatch(surface, request, url, scope);
        if (scope.outage !== undefined) throw scope.outage;
        if (surface !== 'storage') return response;
        const { storageReply } = scope;
        return await withErrorCode(
          storageReply === undefined ? response : withCrossOriginHeaders(storageReply, response),
        );
      } catch (error) {
        if (!(error instanceof DatabaseUnavailable)) throw error;
        this.#parts.log.debug({ err: error, method: request.method, path: url.pathname }, 'answered 503');
        return unavailable("PostgreSQL can't be reached at the moment; try again");
      }
    });
  }

  async #dispatch(surface: string, request: Request, url: URL, scope: RequestScope): Promise<Response> {
    if (request.method === 'OPTIONS') return this.#parts.lite.fetch(request);
    switch (surface) {
      case 'rest':
        return this.#rest(request, url, scope);
      case 'auth':
        return this.#auth(request, url, scope);
      case 'storage':
        return this.#storage(request, url, scope);
      default:
        return hostedOnly(
          { realtime: 'Realtime', functions: 'edge functions', graphql: 'GraphQL' }[surface] ?? surface,
        );
    }
  }

  async #rest(request: Request, url: URL, scope: RequestScope): Promise<Response> {
    const identified = await this.#identify(request, url, scope);
    const exact = new Request(withExactFilters(url), identified);
    const response = await this.#parts.lite.fetch(await withMarkedBody(exact, markRowsBody));
    return withoutMarks(response);
  }

  async #auth(request: Request, url: URL, scope: RequestScope): Promise<Response> {
    const { lite, keyring, connection } = this.#parts;
    const { pathname } = url;
    if (pathname.startsWith('/auth/v1/admin') || pathname === '/auth/v1/invite') {
      const identified = await this.#identify(request, url, scope);
      if (scope.identity?.claims.role !== 'service_role') {
        const { apiKey } = credentialsOf(request, url);
        if (apiKey === undefined || (await keyring.resolveKey(apiKey)) === undefined) return invalidKey();
        return authErrorResponse(403, 'not_admin', 'User not allowed');
      }
      return withoutMarks(await answerAdminRequest(identified, url, connection.kysely));
    }
    const marked = await withMarkedBody(request, markDocumentBody);
    if (pathname === '/auth/v1/signup' && request.method === 'POST' && (await isAnonymous(marked))) {
      return hostedOnly('anonymous sign-in');
    }
    return withoutMarks(await lite.fetch(marked));
  }

  async #storage(request: Request, url: URL, scope: RequestScope): Promise<Response> {
    const { keyring, lite, maxFileSize } = this.#parts;
    const { apiKey } = credentialsOf(request, url);
    if (apiKey !== undefined && (await keyring.resolveKey(apiKey)) === undefined) return invalidKey();
    if (/^\/storage\/v1\/(?:render|object\/list-v2)(?:\/|$)/.test(url.pathname))
      return hostedOnly(url.pathname.split('/').slice(3, 5).join('/'));
    const identified = await this.#identify(request, url, scope);
    const prepared = await prepareStorageRequest(identified, url, scope, maxFileSize);
    if (prepared instanceof Response) return prepared;
    const response = await lite.fetch(prepared);
    const download = url.searchParams.get('download');
    if (download !== null && response.ok && request.method === 'GET') {
      const name = download === '' ? decodeURIComponent(url.pathname.split('/').at(-1) ?? '') : download;
      response.headers.set('content-disposition', `attachment; filename*=UTF-8''${encodeURIComponent(name)}`);
    }
    const isFile = request.method === 'GET' && /^\/storage\/v1\/object\/(?!info\/)/.test(url.pathname);
    return isFile ? response : withoutMarks(response);
  }

  /**
   * Verifies who asks, and leaves it in the scope; the request then goes on without its token, which lite would
   * otherwise look up in the database once more. Without a valid identity the request stays as it is: lite refuses it.
   */
  async #identify(request: Request, url: URL, scope: RequestScope): Promise<Request> {
    const identity = await this.#parts.keyring.identify(credentialsOf(request, url));
    if (identity === undefined) return request;
    scope.identity = identity;
    const headers = new Headers(request.headers);
    headers.delete('authorization');
    // The same body stream, not a copy of it: what is left of it can still be read when the answer is ready.
    return new Request(request.url, { method: request.method, headers, body: request.body, duplex: 'half' });
  }
}

async function isAnonymous(request: Request): Promise<boolean> {
  const text = await request.clone().text();
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== 'object' || body === null) return false;
    const has = (name: string) => typeof Reflect.get(body, name) === 'string' && Reflect.get(body, name) !== '';
    return !has('email') && !has('phone') && !has('password');
  } catch {
    return false; // lite words the refusal of what is no JSON
  }
}

async function withMarkedBody(request: Request, markJson: (json: string) => string): Promise<Request> {
  if (request.method === 'GET' || request.method === 'HEAD' || request.body === null) return request;
  const type = (request.headers.get('content-type') ?? 'application/json').toLowerCase();
  const isText = type.startsWith('text/') || type.startsWith('application/x-www-form-urlencoded');
  if (!isText && !type.includes('json')) return request;
  const body = await request.text();
  const headers = new Headers(request.headers);
  headers.delete('content-length');
  headers.delete('transfer-encoding');
  return new Request(request.url, {
    method: request.method,
    headers,
    body: isText ? markPlainBody(body) : markJson(body),
  });
}

async function withoutMarks(response: Response): Promise<Response> {
  const location = response.headers.get('location');
  if (location !== null) response.headers.set('location', unmark(location));
  const type = response.headers.get('content-type') ?? '';
  if (response.body === null || !/json|csv/.test(type)) return response;
  const bytes = Buffer.from(await response.arrayBuffer());
  const headers = new Headers(response.headers);
  if (!isMarked(bytes)) return new Response(bytes, { status: response.status, headers });
  headers.delete('content-length');
  return new Response(unmark(bytes.toString('utf8')), { status: response.status, headers });
}

/** The answer that takes the place of lite's, open to the same origins. */
function withCrossOriginHeaders(answer: Response, replaced: Response): Response {
  for (const [name, value] of replaced.headers) {
    if (name === 'vary' || name.startsWith('access-control-')) answer.headers.set(name, value);
  }
  return answer;
}
