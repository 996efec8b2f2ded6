import { setTimeout as delay } from 'node:timers/promises';

export interface ResilienceOptions {
  /** Cancels requests and waits. */
  readonly signal: AbortSignal;
  progress(message: string): void;
  /** Requests of one call, the first included. */
  readonly attempts?: number;
  /** Milliseconds before the second request; each further wait is twice as long. */
  readonly firstDelay?: number;
  /** Milliseconds for one request and its reply. */
  readonly timeout?: number;
}

/**
 * A `fetch` that asks again, a few times and visibly, where that is safe: after 429 always, since such a request was not
 * carried out; after a 5xx or a cut connection only what does the same when done twice. Never after another 4xx.
 */
export function resilientFetch(options: ResilienceOptions): typeof fetch {
  const { signal, progress, attempts = 5, firstDelay = 500, timeout = 15_000 } = options;
  return async (input, init) => {
    const isRepeatable = repeatable(input, init);
    for (let attempt = 1; ; attempt++) {
      const isLast = attempt === attempts;
      let failure: string;
      let wait = firstDelay * 2 ** (attempt - 1);
      try {
        const response = await fetch(input, {
          ...init,
          signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
        });
        const isTransient = response.status === 429 || (response.status >= 500 && isRepeatable);
        if (!isTransient || isLast) return response;
        await response.body?.cancel();
        failure = `answered ${response.status}`;
        wait = retryAfter(response) ?? wait;
      } catch (error) {
        if (signal.aborted || !isRepeatable || isLast) throw error;
        failure = `did not answer (${reasonOf(error)})`;
      }
      progress(`${hostOf(input)} ${failure}: asking again in ${wait / 1000} s (${attempt + 1} of ${attempts})`);
      await delay(wait, undefined, { signal });
    }
  };
}

type Target = Parameters<typeof fetch>[0];

/** In Supabase's Storage API everything but making a bucket can be done twice; a listing is a POST as well. */
function repeatable(input: Target, init: RequestInit | undefined): boolean {
  const method = init?.method ?? 'GET';
  return method !== 'POST' || new URL(urlOf(input)).pathname.includes('/object/list/');
}

const urlOf = (input: Target) => (input instanceof Request ? input.url : String(input));
const hostOf = (input: Target) => new URL(urlOf(input)).host;

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
