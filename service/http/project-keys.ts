import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWKSCacheInput,
  type JWTVerifyGetKey,
  jwksCache,
} from 'jose';
import type { KeptKeys } from './kept-keys.ts';

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
  /** Kept keys that are older are not trusted: what the project took back meanwhile would be good again. */
  kept: 7 * 24 * 3_600_000,
} as const;

/** The key of a token is not known, and the project can't be asked whether it is a new one of its own. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

/**
 * The public keys of a Supabase project, from its JWKS document. They are kept in memory: while the project is away a
 * key that is known stays good, and one that is not throws {@link KeysUnavailable}. A process that starts while it is
 * away begins with those that were kept in a file, if they are not too old.
 */
export class ProjectKeys {
  readonly #document: URL;
  readonly #kept: KeptKeys | undefined;
  readonly #onTrouble: (error: unknown) => void;
  #cache: JWKSCacheInput = {};
  #keys: ReturnType<typeof createRemoteJWKSet>;
  #keptAt = 0;
  #askedAt = 0;
  #failedAt = 0;

  constructor(document: URL, kept: KeptKeys | undefined, onTrouble: (error: unknown) => void) {
    this.#document = document;
    this.#kept = kept;
    this.#onTrouble = onTrouble;
    this.#keys = this.#from({});
  }

  /** The key for a token. Throws jose's errors for a token that fits none. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const isFirst = this.#keys.jwks() === undefined;
    if (isFirst) this.#askedAt = Date.now();
    else this.#renew();
    if (!this.#knows(header.kid) && Date.now() - this.#failedAt < keyTimes.afterFailure) {
      throw new KeysUnavailable('the project did not answer a moment ago');
    }
    try {
      const key = await this.#keys(header, token);
      this.#keep();
      return key;
    } catch (cause) {
      if (isAboutToken(cause)) throw cause;
      this.#failedAt = Date.now();
      this.#onTrouble(cause);
      if (isFirst) this.#goOnWithKept();
      if (isFirst && this.#knows(header.kid)) return this.#keys(header, token);
      throw new KeysUnavailable('the public keys of the project can not be had', { cause });
    }
  };

  #from(cache: JWKSCacheInput): ReturnType<typeof createRemoteJWKSet> {
    this.#cache = cache;
    return createRemoteJWKSet(this.#document, {
      cacheMaxAge: Number.POSITIVE_INFINITY, // what is old is renewed below, without letting a request wait or fail
      cooldownDuration: keyTimes.unknownKey,
      timeoutDuration: keyTimes.answer,
      [jwksCache]: cache,
    });
  }

  #knows(kid: string | undefined): boolean {
    return this.#keys.jwks()?.keys.some((key) => key.kid === kid) === true;
  }

  /** Those that the project has shown since they were kept the last time. */
  #keep(): void {
    const { uat: at, jwks } = this.#cache;
    if (at === undefined || jwks === undefined || at === this.#keptAt) return;
    this.#keptAt = at;
    try {
      this.#kept?.write(at, jwks.keys);
    } catch (error) {
      this.#onTrouble(error);
    }
  }

  #goOnWithKept(): void {
    try {
      const kept = this.#kept?.read(keyTimes.kept);
      if (kept === undefined || this.#keys.jwks() !== undefined) return;
      this.#keptAt = kept.at;
      this.#keys = this.#from({ uat: kept.at, jwks: { keys: kept.keys } });
      this.#askedAt = Date.now() - keyTimes.fresh + keyTimes.unknownKey;
    } catch (error) {
      this.#onTrouble(error);
    }
  }

  #renew(): void {
    const now = Date.now();
    if (now - this.#askedAt < keyTimes.fresh) return;
    this.#askedAt = now;
    this.#keys
      .reload()
      .then(() => this.#keep())
      .catch((error: unknown) => {
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
