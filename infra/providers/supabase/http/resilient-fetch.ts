import { setTimeout as delay } from 'node:timers/promises';

export interface ResilienceOptions {
  /** Cancels requests and waits. */
  readonly signal: AbortSignal;
  progress(message: string): void;
  /** Requests of one call, the first included. */
  readonly attempts?: number;
  /** Milliseconds before the second request, up to half of it by chance; each further wait is twice as long. */
  readonly firstDelay?: number;
  /** Milliseconds for one request and its reply. */
  readonly timeout?: number;
  /** Milliseconds for one call: all its requests and the waits between them. */
  readonly deadline?: number;
}

/** Whether a request does the same when it is done twice. */
export type IsRepeatable = (method: string, url: URL) => boolean;

/**
 * A `fetch` that asks again, a few times and visibly, where that is safe: after 429 always, since such a request was not
 * carried out; after a 5xx or a cut connection only what is repeatable. Never after another 4xx. Replies come whole.
 */
export function resilientFetch(options: ResilienceOptions, isRepeatable: IsRepeatable): typeof fetch {
  const { signal, progress, attempts = 5, firstDelay = 500, timeout = 15_000, deadline = 120_000 } = options;
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : String(input));
    const repeatable = isRepeatable(init?.method ?? 'GET', url);
    const end = Date.now() + deadline;
    for (let attempt = 1; ; attempt++) {
      const backOff = withJitter(firstDelay * 2 ** (attempt - 1));
      const isLast = (wait: number) => attempt === attempts || Date.now() + wait >= end;
      let failure: string;
      let wait = backOff;
      try {
        const limit = AbortSignal.timeout(Math.max(1, Math.min(timeout, end - Date.now())));
        const response = await whole(await fetch(input, { ...init, signal: AbortSignal.any([signal, limit]) }));
        wait = retryAfter(response) ?? backOff;
        const isTransient = response.status === 429 || (response.status >= 500 && repeatable);
        if (!isTransient || isLast(wait)) return response;
        failure = `answered ${response.status}`;
      } catch (error) {
        if (signal.aborted || !repeatable || isLast(wait)) throw error;
        failure = `did not answer (${reasonOf(error)})`;
      }
      const seconds = Math.round(wait / 100) / 10;
      progress(`${url.host} ${failure}: asking again in ${seconds} s (${attempt + 1} of ${attempts})`);
      await delay(wait, undefined, { signal });
    }
  };
}

/** Between a half and the whole of it, so that many who failed together do not ask again together. */
const withJitter = (milliseconds: number) => milliseconds * (1 - Math.random() / 2);

/** With its body read: one that is cut is a request that failed. */
async function whole(response: Response): Promise<Response> {
  const { status, statusText, headers } = response;
  const body = await response.arrayBuffer();
  return new Response(body.byteLength === 0 ? null : body, { status, statusText, headers });
}

/** Milliseconds that the server asks for, half a minute at most. */
function retryAfter(response: Response): number | undefined {
  const header = response.headers.get('retry-after');
  if (header === null) return undefined;
  const wait = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), 30_000);
}

/** What a person can use of a failed `fetch`: the cause, where there is one. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return reasonOf(error.cause);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return error.message || (code ?? error.name);
}
