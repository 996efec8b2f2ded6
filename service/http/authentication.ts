import { createHash, timingSafeEqual } from 'node:crypto';
import { errors, jwtVerify } from 'jose';
import { z } from 'zod';
import type { Caller } from '../conversation/conversation.ts';
import { Problem } from './problem.ts';

export interface AuthenticationSettings {
  /** Who has it is the server itself. */
  readonly serverKey: string;
  /** Signs the users' tokens (HS256). */
  readonly jwtSecret: string;
}

const userClaims = z.object({ sub: z.uuid(), role: z.literal('authenticated'), exp: z.number() });

/** Tells who calls from the `Authorization` header. Throws {@link Problem} `unauthorized`, without saying why. */
export function authentication(settings: AuthenticationSettings): (header: string | undefined) => Promise<Caller> {
  const serverKey = digest(settings.serverKey);
  const signing = new TextEncoder().encode(settings.jwtSecret);
  return async (header) => {
    const token = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
    if (token === undefined) throw new Problem('unauthorized');
    // Digests have one length, so that the comparison tells nothing about the key.
    if (timingSafeEqual(digest(token), serverKey)) return { kind: 'server' };
    try {
      const { payload } = await jwtVerify(token, signing, { algorithms: ['HS256'] });
      const claims = userClaims.safeParse(payload);
      if (claims.success) return { kind: 'user', id: claims.data.sub, token };
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
    }
    throw new Problem('unauthorized');
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
