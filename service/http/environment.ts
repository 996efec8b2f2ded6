import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Caller, Tier } from '../conversation/conversation.ts';

/** What goes with a request through the middleware. */
export interface Environment {
  Variables: {
    requestId: string;
    /** Set behind the authentication. */
    caller: Caller;
    /** Where the answer is from, once there is one. */
    tier?: Tier;
    /** The code of the problem that is answered. */
    code?: string;
    /** The status that the client gets where it is not that of the reply: no reply of the app's can be a 101. */
    answered?: number;
  };
}

export type App = OpenAPIHono<Environment>;
export type RequestContext = Context<Environment>;

/** The status that the client gets. */
export function statusOf(c: RequestContext): number {
  return c.get('answered') ?? c.res.status;
}

/** Names the tier in the reply and in the log. */
export function answeredBy(c: RequestContext, tier: Tier): void {
  c.set('tier', tier);
  c.header('x-storage-tier', tier);
}
