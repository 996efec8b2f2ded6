import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import type { Logger } from 'pino';
import { type Environment, statusOf } from './environment.ts';

/** From so many milliseconds on, a request or an operation is worth a warning. */
export const slowMilliseconds = 500;

const quietPaths = new Set(['/livez', '/readyz', '/health']);

/** What takes as long as a model takes to answer. */
const longPaths = new Set(['/v1/chat']);

/** Gives every request an id and every reply the headers that all have; writes one line for each. */
export function requestLog(parts: {
  log: Logger;
  releaseId: string;
  isStopping(): boolean;
}): MiddlewareHandler<Environment> {
  const { log, releaseId, isStopping } = parts;
  return async (c, next) => {
    const started = performance.now();
    const requestId = acceptable(c.req.header('x-request-id')) ?? randomUUID();
    c.set('requestId', requestId);
    c.header('x-request-id', requestId);
    c.header('x-release-id', releaseId);
    c.header('cache-control', 'no-store');
    c.header('x-content-type-options', 'nosniff');
    if (isStopping()) c.header('connection', 'close');
    await next();
    const milliseconds = Math.round((performance.now() - started) * 10) / 10;
    const status = statusOf(c);
    const path = c.req.path.slice(0, 100);
    const isSlow = milliseconds > slowMilliseconds && !longPaths.has(path);
    const level = status >= 500 || isSlow ? 'warn' : quietPaths.has(path) ? 'debug' : 'info';
    log[level](
      {
        request_id: requestId,
        method: c.req.method,
        path,
        status,
        ms: milliseconds,
        tier: c.get('tier'),
        code: c.get('code'),
        caller: c.get('caller')?.kind,
        ...(isSlow ? { slow: true } : {}),
      },
      'request',
    );
  };
}

/** The client's own id, if it is one that can stand in a log. */
function acceptable(id: string | undefined): string | undefined {
  return id !== undefined && /^[\w.:-]{1,100}$/.test(id) ? id : undefined;
}
