import { Agent, fetch as undiciFetch } from 'undici';

/** The pool of connections to Supabase: 20 stay open, 100 at most, 30 s idle, 5 s to connect, 10 s for an answer. */
export interface SupabaseConnection {
  /** A `fetch` over the pool; ends with a time-out after 10 s, whatever is still to come. */
  readonly fetch: typeof globalThis.fetch;
  close(): Promise<void>;
}

const connectTimeout = 5_000;
const totalTimeout = 10_000;

export function openSupabaseConnection(): SupabaseConnection {
  const agent = new Agent({
    connections: 100,
    pipelining: 1,
    connectTimeout,
    keepAliveTimeout: 30_000,
    keepAliveMaxTimeout: 60_000,
    headersTimeout: totalTimeout,
    bodyTimeout: totalTimeout,
  });
  const pooled: typeof globalThis.fetch = (input, init) => {
    const deadline = AbortSignal.timeout(totalTimeout);
    const signal = init?.signal ? AbortSignal.any([init.signal, deadline]) : deadline;
    // The types of undici's own fetch and of the global one, which is undici, too, differ in name only.
    return undiciFetch(input as string, {
      ...(init as object),
      signal,
      dispatcher: agent,
    }) as unknown as Promise<Response>;
  };
  return { fetch: pooled, close: () => agent.close() };
}
