import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Completion } from './running-answer.ts';

const tracer = trace.getTracer('chat');

/** The span of an answer that has ended, within the span that is active. */
export function traceCompletion({ upstream, model, milliseconds, status, cause }: Completion): void {
  const startTime = Date.now() - milliseconds;
  const attributes = { 'chat.upstream': upstream, 'chat.model': model, 'chat.status': status };
  const span = tracer.startSpan('chat completion', { kind: SpanKind.CLIENT, startTime, attributes });
  if (cause !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: cause.code });
  span.end();
}
