import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { MiddlewareHandler } from 'hono';
import { type Environment, statusOf } from './environment.ts';
import { routeOf } from './request-metrics.ts';

const tracer = trace.getTracer('http');

const headers = {
  keys: (carrier: Headers) => [...carrier.keys()],
  get: (carrier: Headers, name: string) => carrier.get(name) ?? undefined,
};

/** The span around everything that a request causes; it goes on with the trace of whoever asks. */
export function requestSpan(): MiddlewareHandler<Environment> {
  return (c, next) => {
    const theirs = propagation.extract(context.active(), c.req.raw.headers, headers);
    return tracer.startActiveSpan(c.req.method, { kind: SpanKind.SERVER }, theirs, async (span) => {
      await next();
      if (span.isRecording()) {
        const [route, status] = [routeOf(c), statusOf(c)];
        span.updateName(`${c.req.method} ${route}`);
        span.setAttributes({
          'http.request.method': c.req.method,
          'http.route': route,
          'http.response.status_code': status,
          'conversation.tier': c.get('tier') ?? 'none',
          'conversation.code': c.get('code') ?? 'ok',
          'conversation.request_id': c.get('requestId'),
        });
        if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
    });
  };
}
