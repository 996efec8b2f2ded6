import type { BlockList } from 'node:net';
import type { MiddlewareHandler } from 'hono';
import type { Authentication } from './authentication.ts';
import { clientAddress } from './client-address.ts';
import type { Environment, RequestContext } from './environment.ts';
import { Problem } from './problem.ts';
import { type RateLimits, rateLimitHeaders, type Standing } from './rate-limits.ts';

export interface AdmissionParts {
  readonly authentication: Authentication;
  readonly rateLimits: RateLimits;
  /** Proxies whose word about the client's address is taken. */
  readonly trustedProxies: BlockList;
}

/** Lets in who may ask, and not more often than they may. Behind it `caller` is set. */
export function admission(parts: AdmissionParts): MiddlewareHandler<Environment> {
  return async (c, next) => {
    const caller = await identified(c, parts);
    c.set('caller', caller);
    const counted = parts.rateLimits.count(caller);
    const standing = counted instanceof Promise ? await counted : counted;
    if (standing !== undefined) {
      if (standing.exceeded) throw rateLimited(standing);
      for (const [name, value] of Object.entries(rateLimitHeaders(standing))) c.header(name, value);
    }
    await next();
  };
}

/**
 * Whose request it is. An address that has failed too often gets 429 in place of 401; a good token from there is taken
 * all the same, since one address may be that of a whole household.
 */
async function identified(c: RequestContext, { authentication, rateLimits, trustedProxies }: AdmissionParts) {
  try {
    return await authentication.identify(c.req.header('authorization'));
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error;
    const address = clientAddress(c.env, c.req.header('x-forwarded-for'), trustedProxies);
    const standing = address === undefined ? undefined : await rateLimits.countFailure(address);
    if (standing?.exceeded) throw rateLimited(standing, error);
    throw error;
  }
}

function rateLimited(standing: Standing, cause?: Problem): Problem {
  const { policy, limit, resetSeconds } = standing;
  const what = policy === 'failed' ? 'failed authentications' : 'requests';
  const detail = `these are more than ${limit} ${what} a minute: wait ${resetSeconds} s`;
  const headers = { 'retry-after': String(resetSeconds), ...rateLimitHeaders(standing) };
  return new Problem(429, 'rate_limited', detail, { headers, cause });
}
