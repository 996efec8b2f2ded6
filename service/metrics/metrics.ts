import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Operation } from '../conversation/conversation-service.ts';
import { listenToCalls, redisCommands } from '../observed-calls.ts';
import { type SupabaseCall, supabaseCalls } from '../storage/supabase/supabase-pool.ts';

/** Seconds: from an answer out of Redis to one that a time-out ended. */
const durations = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What is asked at the moment of a scrape. Left out: there is no such thing, and no metric of it. */
export interface MetricSources {
  readonly hotCopyLooks?: () => Readonly<Record<string, number>>;
  readonly supabaseConnections?: () => { readonly open: number; readonly free: number; readonly pending: number };
  readonly isRedisThere?: () => boolean;
  readonly outbox?: {
    readonly depth: number;
    readonly oldestAgeSeconds: number;
    readonly refusedCount: number;
    readonly replayedCount: number;
  };
  readonly rateLimited?: () => Readonly<Record<string, number>>;
  readonly openSockets?: () => number;
}

/** One request that was answered. `route` is the pattern, never the address. */
export interface AnsweredRequest {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly tier: string;
  readonly seconds: number;
}

/** One answer of a model, or why there was none. */
export interface ChatCompletion {
  readonly outcome: string;
  readonly seconds: number;
}

/** What Prometheus is told. No label ever holds an id, an address or what somebody wrote: `docs/metrics.md` lists all. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Histogram<'method' | 'route' | 'status' | 'tier'>;
  readonly #operations: Histogram<'operation' | 'tier' | 'code'>;
  readonly #completions: Histogram<'outcome'>;
  readonly #stopListening: (() => void)[];

  constructor(releaseId: string) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    const release = new Gauge({
      name: 'conversation_service_info',
      help: 'Always 1; the label names the release.',
      labelNames: ['release_id'],
      registers,
    });
    release.set({ release_id: releaseId }, 1);
    const histogram = <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Histogram({ name, help, labelNames, buckets: durations, registers });
    this.#requests = histogram('http_request_duration_seconds', 'Time to the head of the answer.', [
      'method',
      'route',
      'status',
      'tier',
    ]);
    this.#operations = histogram('conversation_operation_duration_seconds', 'Time of one use case.', [
      'operation',
      'tier',
      'code',
    ]);
    this.#completions = histogram('chat_completion_duration_seconds', 'Time of one answer of a model.', ['outcome']);
    const calls = histogram('supabase_request_duration_seconds', 'Time of one request to Supabase.', [
      'request',
      'outcome',
    ]);
    const commands = histogram('redis_command_duration_seconds', 'Time of one command.', ['command', 'outcome']);
    this.#stopListening = [
      listenToCalls(supabaseCalls, {
        ends: (call, { seconds }) => calls.observe({ request: call.name, outcome: outcomeOf(call) }, seconds),
      }),
      listenToCalls(redisCommands, {
        ends: ({ command }, { seconds, failed }) =>
          commands.observe({ command: command.toLowerCase(), outcome: failed ? 'failed' : 'ok' }, seconds),
      }),
    ];
  }

  /** Adds what there is to ask. To be called once. */
  watch(sources: MetricSources): void {
    const { hotCopyLooks, supabaseConnections, isRedisThere, outbox, rateLimited, openSockets } = sources;
    if (hotCopyLooks) this.#counter('hot_copy_looks_total', 'Looks for a hot copy.', 'result', hotCopyLooks);
    if (rateLimited) this.#counter('rate_limited_requests_total', 'Requests refused.', 'policy', rateLimited);
    if (supabaseConnections) {
      this.#gauge('supabase_connections', 'Connections that are open.', () => supabaseConnections().open);
      this.#gauge('supabase_connections_free', 'Connections without a request.', () => supabaseConnections().free);
      this.#gauge('supabase_requests_pending', 'Requests that wait.', () => supabaseConnections().pending);
    }
    if (isRedisThere) this.#gauge('redis_up', '1 while there is a connection.', () => (isRedisThere() ? 1 : 0));
    if (outbox) {
      this.#gauge('outbox_messages', 'Acknowledged messages that wait for the record.', () => outbox.depth);
      this.#gauge('outbox_oldest_age_seconds', 'Age of the oldest of them.', () => outbox.oldestAgeSeconds);
      this.#gauge('outbox_refused_entries', 'Entries that the record did not take.', () => outbox.refusedCount);
      this.#total('outbox_replayed_messages_total', 'Messages that were replayed.', () => outbox.replayedCount);
    }
    if (openSockets) this.#gauge('websocket_connections', 'WebSockets that are open.', openSockets);
  }

  requestAnswered({ seconds, status, ...labels }: AnsweredRequest): void {
    this.#requests.observe({ ...labels, status: String(status) }, seconds);
  }

  operationEnded({ name, milliseconds, tier, code }: Operation): void {
    this.#operations.observe({ operation: name, tier: tier ?? 'none', code: code ?? 'ok' }, milliseconds / 1000);
  }

  completionEnded({ outcome, seconds }: ChatCompletion): void {
    this.#completions.observe({ outcome }, seconds);
  }

  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;

  /** All metrics in Prometheus' text format. */
  exposition(): Promise<string> {
    return this.#registry.metrics();
  }

  close(): void {
    for (const stop of this.#stopListening) stop();
    this.#registry.clear();
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(value());
      },
    });
  }

  #total(name: string, help: string, value: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  }

  #counter(name: string, help: string, label: string, values: () => Readonly<Record<string, number>>): void {
    new Counter({
      name,
      help,
      labelNames: [label],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [key, value] of Object.entries(values())) this.inc({ [label]: key }, value);
      },
    });
  }
}

/** `none`: there was no answer, or the caller did not wait for it. */
function outcomeOf({ status }: SupabaseCall): string {
  return status === undefined ? 'none' : `${Math.floor(status / 100)}xx`;
}
