import { createHash, timingSafeEqual } from 'node:crypto';
import { decodeProtectedHeader, errors, type JSONWebKeySet, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import type { Caller } from '../conversation/conversation.ts';
import { KeptKeys } from './kept-keys.ts';
import { Problem } from './problem.ts';
import { fixedKeys, KeysUnavailable, ProjectKeys } from './project-keys.ts';

export interface AuthenticationSettings {
  /** Whoever has it is the server itself. */
  readonly secretKey: string;
  /** Signs users' tokens (HS256). */
  readonly jwtSecret?: string | undefined;
  /** Public halves of the keys that sign users' tokens: a JWKS document, or the address of one. */
  readonly publicKeys?: JSONWebKeySet | URL | undefined;
  /** The directory where public keys from an address are kept for the next start; left out: they are not. */
  readonly keptKeysDirectory?: string | undefined;
  /** What `iss` of a token has to be; left out: anything. */
  readonly issuer?: string | undefined;
}

/** What each kind of key may have signed with. A token does not choose: its algorithm names one kind, or none. */
const algorithms = { secret: ['HS256'], publicKeys: ['ES256', 'RS256', 'EdDSA'] } as const;

/** Seconds that the clocks of Supabase and of this box may differ. */
const clockTolerance = 5;

const userClaims = z.object({ sub: z.guid(), role: z.literal('authenticated') });

/** Who a request is from, by its `Authorization` header. */
export class Authentication {
  readonly #secretKey: Buffer;
  readonly #jwtKey: Uint8Array | undefined;
  readonly #publicKeys: JWTVerifyGetKey | undefined;
  readonly #issuer: string | undefined;

  constructor(
    { secretKey, jwtSecret, publicKeys, keptKeysDirectory, issuer }: AuthenticationSettings,
    onTrouble: (error: unknown) => void = () => undefined,
  ) {
    this.#secretKey = digest(secretKey);
    this.#jwtKey = jwtSecret === undefined ? undefined : new TextEncoder().encode(jwtSecret);
    this.#publicKeys = publicKeys && keyFinder(publicKeys, keptKeysDirectory, onTrouble);
    this.#issuer = issuer;
  }

  /**
   * Throws a 401 {@link Problem} for everything but a user's valid token and the secret key, and 503 for a token whose
   * key nobody knows as long as the project can't be asked for it.
   */
  async identify(authorization: string | undefined): Promise<Caller> {
    const token = bearerToken(authorization);
    if (token === undefined) throw unauthorized('it takes "Authorization: Bearer <a user’s token, or the secret key>"');
    if (this.#isSecretKey(token)) return { kind: 'server' };
    try {
      const claims = userClaims.safeParse(await this.#verified(token));
      if (!claims.success) throw unauthorized('the token is not that of a signed-in user');
      return { kind: 'user', id: claims.data.sub.toLowerCase(), token };
    } catch (cause) {
      if (cause instanceof errors.JWTExpired) throw unauthorized('the token has expired: refresh the session', cause);
      if (cause instanceof errors.JOSEError) throw unauthorized('the token is not valid here', cause);
      if (cause instanceof KeysUnavailable) throw keysUnavailable(cause);
      throw cause;
    }
  }

  /** Whether an `Authorization` header holds the secret key. */
  isServer(authorization: string | undefined): boolean {
    const token = bearerToken(authorization);
    return token !== undefined && this.#isSecretKey(token);
  }

  /** Takes the same time whatever it is given. */
  #isSecretKey(token: string): boolean {
    return timingSafeEqual(digest(token), this.#secretKey);
  }

  async #verified(token: string): Promise<unknown> {
    const expected = {
      requiredClaims: ['exp'],
      audience: 'authenticated',
      clockTolerance,
      ...(this.#issuer === undefined ? {} : { issuer: this.#issuer }),
    };
    const algorithm = algorithmOf(token);
    if (this.#jwtKey !== undefined && isOneOf(algorithms.secret, algorithm)) {
      return (await jwtVerify(token, this.#jwtKey, { ...expected, algorithms: [...algorithms.secret] })).payload;
    }
    if (this.#publicKeys !== undefined && isOneOf(algorithms.publicKeys, algorithm)) {
      return (await jwtVerify(token, this.#publicKeys, { ...expected, algorithms: [...algorithms.publicKeys] }))
        .payload;
    }
    throw new errors.JOSEAlgNotAllowed('no key here signs with that algorithm');
  }
}

function keyFinder(
  keys: JSONWebKeySet | URL,
  directory: string | undefined,
  onTrouble: (error: unknown) => void,
): JWTVerifyGetKey {
  if (!(keys instanceof URL)) return fixedKeys(keys);
  const kept = directory === undefined ? undefined : new KeptKeys(directory, keys);
  return new ProjectKeys(keys, kept, onTrouble).find;
}

/** What the token says; {@link jwtVerify} holds it to that. */
function algorithmOf(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).alg;
  } catch (cause) {
    throw new errors.JWSInvalid('this is no token', { cause });
  }
}

function isOneOf(names: readonly string[], name: string | undefined): boolean {
  return name !== undefined && names.includes(name);
}

function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +([^\s]+)$/i.exec(authorization ?? '')?.[1];
}

function unauthorized(detail: string, cause?: unknown): Problem {
  return new Problem(401, 'unauthorized', detail, { headers: { 'www-authenticate': 'Bearer' }, cause });
}

function keysUnavailable(cause: KeysUnavailable): Problem {
  const detail = 'the token may be good, but its key is not known here and Supabase is away: try again';
  return new Problem(503, 'keys_unavailable', detail, { headers: { 'retry-after': '1' }, cause });
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
