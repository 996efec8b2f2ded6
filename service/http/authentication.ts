import { createHash, timingSafeEqual } from 'node:crypto';
import { errors, jwtVerify } from 'jose';
import { z } from 'zod';
import type { Caller } from '../conversation/conversation.ts';
import { Problem } from './problem.ts';

export interface AuthenticationSettings {
  /** Whoever has it is the server itself. */
  readonly secretKey: string;
  /** Signs users' tokens (HS256). */
  readonly jwtSecret: string;
}

const userClaims = z.object({ sub: z.guid(), role: z.literal('authenticated') });

/** Who a request is from, by its `Authorization` header. */
export class Authentication {
  readonly #secretKey: Buffer;
  readonly #jwtKey: Uint8Array;

  constructor({ secretKey, jwtSecret }: AuthenticationSettings) {
    this.#secretKey = digest(secretKey);
    this.#jwtKey = new TextEncoder().encode(jwtSecret);
  }

  /** Throws a 401 {@link Problem} for everything but a user's valid token and the secret key. */
  async identify(authorization: string | undefined): Promise<Caller> {
    const token = /^Bearer +([^\s]+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw unauthorized('it takes "Authorization: Bearer <a user’s token, or the secret key>"');
    if (this.isSecretKey(token)) return { kind: 'server' };
    try {
      const { payload } = await jwtVerify(token, this.#jwtKey, { algorithms: ['HS256'], requiredClaims: ['exp'] });
      const claims = userClaims.safeParse(payload);
      if (!claims.success) throw unauthorized('the token is not that of a signed-in user');
      return { kind: 'user', id: claims.data.sub.toLowerCase(), token };
    } catch (cause) {
      if (cause instanceof errors.JWTExpired) throw unauthorized('the token has expired: refresh the session', cause);
      if (cause instanceof errors.JOSEError) throw unauthorized('the token is not valid here', cause);
      throw cause;
    }
  }

  /** Takes the same time whatever it is given. */
  isSecretKey(token: string): boolean {
    return timingSafeEqual(digest(token), this.#secretKey);
  }
}

function unauthorized(detail: string, cause?: unknown): Problem {
  return new Problem(401, 'unauthorized', detail, { headers: { 'www-authenticate': 'Bearer' }, cause });
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
