import { createHash, timingSafeEqual } from 'node:crypto';
import { errors, jwtVerify } from 'jose';

/** Who asks: the kind of API key, and the claims under which PostgreSQL sees the request (`role` among them). */
export interface Identity {
  readonly type: 'publishable' | 'secret';
  readonly claims: Record<string, unknown>;
}

export interface KeySettings {
  readonly publishableKey: string;
  readonly secretKey: string;
  readonly jwtSecret: string;
}

/** The API key and the bearer token of a request, as sent. */
export interface Credentials {
  readonly apiKey: string | undefined;
  readonly bearer: string | undefined;
}

export function credentialsOf(request: Request, url: URL): Credentials {
  return {
    apiKey: request.headers.get('apikey') ?? url.searchParams.get('apikey') ?? undefined,
    bearer: /^Bearer\s+(.+)$/i.exec(request.headers.get('authorization') ?? '')?.[1],
  };
}

/**
 * Verifies API keys (`sb_publishable_…`, `sb_secret_…`, and the legacy anon and service_role tokens) and users' tokens
 * (HS256 under the JWT secret).
 */
export class Keyring {
  readonly #publishable: Buffer;
  readonly #secret: Buffer;
  readonly #jwtKey: Uint8Array;

  constructor(settings: KeySettings) {
    this.#publishable = digest(settings.publishableKey);
    this.#secret = digest(settings.secretKey);
    this.#jwtKey = new TextEncoder().encode(settings.jwtSecret);
  }

  /** The identity of an API key; undefined for a wrong one. */
  async resolveKey(key: string): Promise<Identity | undefined> {
    const presented = digest(key);
    if (timingSafeEqual(presented, this.#publishable)) return { type: 'publishable', claims: { role: 'anon' } };
    if (timingSafeEqual(presented, this.#secret)) return { type: 'secret', claims: { role: 'service_role' } };
    const claims = await this.verifyToken(key);
    if (claims?.role === 'anon') return { type: 'publishable', claims };
    if (claims?.role === 'service_role') return { type: 'secret', claims };
    return undefined;
  }

  /** The claims of a token signed with the JWT secret and not expired; undefined for any other text. */
  async verifyToken(token: string): Promise<Record<string, unknown> | undefined> {
    if (token.split('.').length !== 3) return undefined;
    try {
      const { payload } = await jwtVerify(token, this.#jwtKey, { algorithms: ['HS256'] });
      return payload;
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }

  /**
   * Who asks. The key decides whether the request gets in; a user's token, where there is one, as whom. Undefined when
   * the key is missing or wrong, or the token is not valid: lite then words the refusal.
   */
  async identify({ apiKey, bearer }: Credentials): Promise<Identity | undefined> {
    if (apiKey === undefined) return undefined;
    const identity = await this.resolveKey(apiKey);
    if (identity === undefined || bearer === undefined || bearer === apiKey || bearer.startsWith('sb_'))
      return identity;
    const claims = await this.verifyToken(bearer);
    return claims === undefined ? undefined : { type: identity.type, claims };
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
