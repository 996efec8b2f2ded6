import { createLocalJWKSet, createRemoteJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';

/** Milliseconds. */
export const keyTimes = {
  /** So old, the keys are asked for again, beside the requests: what the project took back is refused after that. */
  fresh: 10 * 60_000,
  /** The project is not asked for a key that it has not got more often than this. */
  unknownKey: 30_000,
  /** It is not asked again so soon after it did not answer. */
  afterFailure: 1_000,
  /** The longest that a request waits for it. */
  answer: 3_000,
} as const;

/** The key of a token is not known, and the project can't be asked whether it is a new one of its own. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

/**
 * The public keys of a Supabase project, from its JWKS document. They are kept in memory: while the project is away a
 * key that is known stays good, and one that is not throws {@link KeysUnavailable}.
 */
export class ProjectKeys {
  readonly #keys: ReturnType<typeof createRemoteJWKSet>;
  readonly #onTrouble: (error: unknown) => void;
  #askedAt = 0;
  #failedAt = 0;

  constructor(document: URL, onTrouble: (error: unknown) => void) {
    this.#keys = createRemoteJWKSet(document, {
      cacheMaxAge: Number.POSITIVE_INFINITY, // what is old is renewed below, without letting a request wait or fail
      cooldownDuration: keyTimes.unknownKey,
      timeoutDuration: keyTimes.answer,
    });
    this.#onTrouble = onTrouble;
  }

  /** The key for a token. Throws jose's errors for a token that fits none. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const known = this.#keys.jwks()?.keys;
    if (known === undefined) this.#askedAt = Date.now();
    else this.#renew();
    const isKnown = known?.some(({ kid }) => kid === header.kid) === true;
    if (!isKnown && Date.now() - this.#failedAt < keyTimes.afterFailure) {
      throw new KeysUnavailable('the project did not answer a moment ago');
    }
    try {
      return await this.#keys(header, token);
    } catch (cause) {
      if (isAboutToken(cause)) throw cause;
      this.#failedAt = Date.now();
      this.#onTrouble(cause);
      throw new KeysUnavailable('the public keys of the project can not be had', { cause });
    }
  };

  #renew(): void {
    const now = Date.now();
    if (now - this.#askedAt < keyTimes.fresh) return;
    this.#askedAt = now;
    this.#keys.reload().catch((error: unknown) => {
      this.#askedAt = now - keyTimes.fresh + keyTimes.unknownKey;
      this.#onTrouble(error);
    });
  }
}

/** Whether the project showed its keys, and the token fits none of them. */
function isAboutToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

/** Public keys that do not change as long as the process runs. */
export function fixedKeys(keys: JSONWebKeySet): JWTVerifyGetKey {
  return createLocalJWKSet(keys);
}
