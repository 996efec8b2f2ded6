import type { Logger } from 'pino';
import { DatabaseUnavailable } from '../database/outage.ts';
import { type RequestScope, runInScope } from '../request-scope.ts';
import { hostedOnly, notFound, unavailable } from './answers.ts';
import { answerAuth } from './auth.ts';
import { answerRest } from './rest.ts';
import { answerStorage } from './storage.ts';
import type { Call, SurfaceParts } from './surface.ts';

const surfaces: Readonly<Record<string, (call: Call, parts: SurfaceParts) => Promise<Response>>> = {
  rest: answerRest,
  auth: answerAuth,
  storage: answerStorage,
  realtime: async () => hostedOnly('Realtime'),
  functions: async () => hostedOnly('edge functions'),
  graphql: async () => hostedOnly('GraphQL'),
};

/**
 * Answers requests to the API: the shim before lite, lite, the shim after it. Every other address is 404, lite's own
 * endpoints (/_system shows the database's password) among them. While PostgreSQL is away the answer is 503.
 */
export class Gateway {
  readonly #parts: SurfaceParts;
  readonly #log: Logger;

  constructor(parts: SurfaceParts, log: Logger) {
    this.#parts = parts;
    this.#log = log;
  }

  async answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const name = /^\/([a-z]+)\/v1(?:\/|$)/.exec(url.pathname)?.[1] ?? '';
    const surface = Object.hasOwn(surfaces, name) ? surfaces[name] : undefined;
    if (surface === undefined) return notFound();
    if (request.method === 'OPTIONS') return this.#parts.lite.fetch(request);
    const scope: RequestScope = {};
    return runInScope(scope, async () => {
      try {
        const response = await surface({ request, url, scope }, this.#parts);
        if (scope.outage !== undefined) throw scope.outage;
        if (response.status === 500) {
          const { method } = request;
          this.#log.warn({ method, path: url.pathname }, 'answered 500; with LOG_LEVEL=debug the line before says why');
        }
        return response;
      } catch (error) {
        if (!(error instanceof DatabaseUnavailable)) throw error;
        this.#log.debug({ err: error, method: request.method, path: url.pathname }, 'answered 503');
        return unavailable("PostgreSQL can't be reached at the moment; try again");
      }
    });
  }
}
