import { tracingChannel } from 'node:diagnostics_channel';
import { Client, Pool } from 'undici';

/** Milliseconds and numbers of connections of the pool to Supabase. */
export const poolLimits = {
  connections: 100,
  /** So many connections stay open for `idle`; those beyond them close soon after their work. */
  keptAlive: 20,
  idle: 30_000,
  idleBeyondKept: 1_000,
  connect: 5_000,
  total: 10_000,
  untilNextTry: 500,
} as const;

/** One request to Supabase, as it is told to whoever measures. */
export interface SupabaseCall {
  /** The function that is called, or the first part of the address: `rpc/append_messages`, `auth`, `storage`. */
  readonly name: string;
  readonly method: string;
  /** Go out with it: a listener may add to them at its start. */
  readonly headers: Record<string, string>;
  /** Of the answer, once there is one. */
  status?: number;
}

/** Tells of each request, at its start and its end. Costs nothing while nobody listens. */
export const supabaseCalls = tracingChannel<'conversation-kit:supabase', SupabaseCall>('conversation-kit:supabase');

/** One pool of connections to one Supabase, as a `fetch` for supabase-js. Nothing is retried. */
export class SupabasePool {
  readonly #pool: Pool;

  constructor(url: string) {
    const kept = new Set<Client>();
    this.#pool = new Pool(new URL(url).origin, {
      connections: poolLimits.connections,
      pipelining: 1,
      allowH2: false,
      connect: { timeout: poolLimits.connect },
      headersTimeout: poolLimits.total,
      bodyTimeout: poolLimits.total,
      factory: (origin, options) => {
        for (const client of kept) if (client.closed || client.destroyed) kept.delete(client);
        const stays = kept.size < poolLimits.keptAlive;
        const idle = stays ? poolLimits.idle : poolLimits.idleBeyondKept;
        const client = new Client(origin, { ...options, keepAliveTimeout: idle, keepAliveMaxTimeout: idle });
        if (stays) kept.add(client);
        return client;
      },
    });
  }

  /** Takes what supabase-js sends: text bodies. Rejects with undici's error, or the reason of the signal. */
  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const body = init?.body ?? null;
    if (body !== null && typeof body !== 'string') throw new TypeError('this fetch sends text only');
    const call: SupabaseCall = {
      name: callName(url.pathname),
      method: init?.method ?? 'GET',
      headers: Object.fromEntries(new Headers(init?.headers)),
    };
    return supabaseCalls.tracePromise(() => this.#send(url, call, body, init?.signal ?? null), call);
  };

  async #send(url: URL, call: SupabaseCall, body: string | null, signal: AbortSignal | null): Promise<Response> {
    const {
      statusCode,
      headers,
      body: answer,
    } = await this.#pool.request({
      path: url.pathname + url.search,
      method: call.method,
      headers: call.headers,
      body,
      signal,
    });
    call.status = statusCode;
    const text = await answer.text();
    return new Response(text === '' ? null : text, { status: statusCode, headers: flattened(headers) });
  }

  /** How the connections are at this moment; `pending`: requests that wait for one. */
  get connections(): { readonly open: number; readonly free: number; readonly pending: number } {
    const { connected, free, pending } = this.#pool.stats;
    return { open: connected, free, pending };
  }

  /** Connections that are open at this moment. */
  get open(): number {
    return this.#pool.stats.connected;
  }

  /** Lets requests that are under way finish, then closes every connection. */
  close(): Promise<void> {
    return this.#pool.close();
  }
}

/** Of a bounded set: no id is in it. */
function callName(path: string): string {
  const [, api = '', , ...rest] = path.split('/');
  return api === 'rest' && rest[0] === 'rpc' ? rest.slice(0, 2).join('/') : api;
}

function flattened(headers: Record<string, string | string[] | undefined>): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
  );
}
