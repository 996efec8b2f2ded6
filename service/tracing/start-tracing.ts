import {
  context,
  DiagLogLevel,
  diag,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { listenToCalls, redisCommands } from '../observed-calls.ts';
import { type SupabaseCall, supabaseCalls } from '../storage/supabase/supabase-pool.ts';

export interface TracingSettings {
  /** Of the OTLP receiver, over HTTP. */
  readonly endpoint: string;
  /** Of the traces that begin here, 0 to 1. */
  readonly share: number;
}

export interface Tracing {
  /** Sends what waits to be sent, for a few seconds at most. */
  stop(): Promise<void>;
}

/** Milliseconds that the receiver has to answer, also at the end of the process. */
const patience = 3_000;

/**
 * Turns the spans of this process on: until then they cost nothing. This module brings all of OpenTelemetry's SDK, so
 * it is loaded only where it is needed.
 */
export function startTracing(settings: TracingSettings, releaseId: string, onTrouble: () => void): Tracing {
  const silent = () => undefined;
  // Its messages quote what a receiver answered.
  diag.setLogger({ error: onTrouble, warn: silent, info: silent, debug: silent, verbose: silent }, DiagLogLevel.ERROR);
  const exporter = new OTLPTraceExporter({
    url: `${settings.endpoint.replace(/\/$/, '')}/v1/traces`,
    timeoutMillis: patience,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'conversation-service', 'service.version': releaseId }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(settings.share) }),
    spanProcessors: [new BatchSpanProcessor({ exporter, exportTimeoutMillis: patience })],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  const stopListening = [traceSupabase(), traceRedis()];
  return {
    async stop() {
      for (const stop of stopListening) stop();
      const { promise, resolve } = Promise.withResolvers<void>();
      const deadline = setTimeout(resolve, patience);
      await Promise.race([provider.shutdown().catch(onTrouble), promise]);
      clearTimeout(deadline);
    },
  };
}

/** A span for each request to Supabase, which hears of the trace. */
function traceSupabase(): () => void {
  const tracer = trace.getTracer('supabase');
  const spans = new WeakMap<SupabaseCall, Span>();
  return listenToCalls(supabaseCalls, {
    begins: (call) => {
      const attributes = { 'http.request.method': call.method };
      const span = tracer.startSpan(`supabase ${call.name}`, { kind: SpanKind.CLIENT, attributes });
      propagation.inject(trace.setSpan(context.active(), span), call.headers);
      spans.set(call, span);
    },
    ends: (call, { failed }) => {
      const span = spans.get(call);
      if (call.status !== undefined) span?.setAttribute('http.response.status_code', call.status);
      endSpan(span, failed || (call.status ?? 0) >= 500);
    },
  });
}

/** A span for each Redis command that belongs to something: not for those that look after the connection. */
function traceRedis(): () => void {
  const tracer = trace.getTracer('redis');
  const spans = new WeakMap<object, Span>();
  return listenToCalls(redisCommands, {
    begins: (command) => {
      if (trace.getActiveSpan() === undefined) return;
      const name = command.command.toLowerCase();
      const attributes = { 'db.system.name': 'redis', 'db.operation.name': name };
      spans.set(command, tracer.startSpan(`redis ${name}`, { kind: SpanKind.CLIENT, attributes }));
    },
    ends: (command, { failed }) => endSpan(spans.get(command), failed),
  });
}

function endSpan(span: Span | undefined, failed: boolean): void {
  if (failed) span?.setStatus({ code: SpanStatusCode.ERROR });
  span?.end();
}
