import type { MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { Metrics } from '../metrics/metrics.ts';
import { type Environment, type RequestContext, statusOf } from './environment.ts';

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Takes the time of every request. */
export function requestMetrics(metrics: Metrics): MiddlewareHandler<Environment> {
  return async (c, next) => {
    const started = performance.now();
    await next();
    metrics.requestAnswered({
      method: methods.has(c.req.method) ? c.req.method : 'other',
      route: routeOf(c),
      status: statusOf(c),
      tier: c.get('tier') ?? 'none',
      seconds: (performance.now() - started) / 1000,
    });
  };
}

/** The pattern of the address that was asked for; `none` where there is no such address. */
export function routeOf(c: RequestContext): string {
  return matchedRoutes(c).findLast(({ path }) => !path.endsWith('*'))?.path ?? 'none';
}
