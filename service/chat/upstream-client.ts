import { setTimeout as delay } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import { ConversationError, UpstreamBusy, UpstreamFailed, UpstreamTimeout } from '../conversation/errors.ts';
import type { ModelParameters } from './chat.ts';
import { type CompletionPiece, completionPieces, errorCode, NoCompletion } from './completion.ts';
import type { Upstream } from './upstream.ts';
import type { UpstreamMessage } from './upstream-messages.ts';

export interface CompletionRequest extends ModelParameters {
  readonly model: string;
  readonly messages: readonly UpstreamMessage[];
}

/** Milliseconds: the first wait before a request is sent again, doubled each time, and how long one is put up with. */
const waits = { first: 500, longest: 10_000 } as const;

/** What of the body of an error is looked at. */
const errorBytes = 64 * 1024;

/** Errors of a connection that never brought an answer. */
const connectionFailures: ReadonlySet<unknown> = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
]);
const timeouts: ReadonlySet<unknown> = new Set([
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
]);

/** Why one try failed; with `waitMs`, another one may succeed after that time. */
interface FailedTry {
  readonly failure: ConversationError;
  readonly waitMs?: number;
}

/** Asks one upstream. */
export class UpstreamClient {
  readonly #upstream: Upstream;
  readonly #pool: Pool;
  readonly #path: string;

  constructor(upstream: Upstream) {
    const url = new URL(upstream.url);
    this.#upstream = upstream;
    this.#path = `${url.pathname.replace(/\/+$/, '')}/chat/completions`;
    this.#pool = new Pool(url.origin, {
      connections: 100,
      pipelining: 1,
      connect: { timeout: upstream.timeouts.connect },
      headersTimeout: upstream.timeouts.first_byte,
      bodyTimeout: upstream.timeouts.between_bytes,
    });
  }

  /**
   * The completion, as it comes. Throws `UpstreamFailed`, `UpstreamTimeout`, `UpstreamBusy`; when `signal` is aborted,
   * its reason. Tries again what never got an answer, and nothing that did.
   */
  async *complete(request: CompletionRequest, signal: AbortSignal): AsyncGenerator<CompletionPiece, void> {
    const total = AbortSignal.timeout(this.#upstream.timeouts.total);
    const either = AbortSignal.any([signal, total]);
    let isAnswering = false;
    try {
      const { body, headers } = await this.#answered(request, either);
      isAnswering = true;
      yield* completionPieces(body, String(headers['content-type'] ?? ''));
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (total.aborted) throw new UpstreamTimeout(this.#upstream.name, { cause: error });
      throw this.#failureOf(error, isAnswering ? 'broke off' : 'could not be reached');
    }
  }

  /** Cuts what is under way. */
  close(): Promise<void> {
    return this.#pool.destroy();
  }

  async #answered(request: CompletionRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const body = JSON.stringify({ ...request, stream: true, stream_options: { include_usage: true } });
    for (let tries = 0; ; tries += 1) {
      const outcome = await this.#once(body, tries, signal);
      if (!('failure' in outcome)) return outcome;
      if (outcome.waitMs === undefined || tries >= this.#upstream.retries) throw outcome.failure;
      await delay(outcome.waitMs, undefined, { signal });
    }
  }

  async #once(body: string, tries: number, signal: AbortSignal): Promise<Dispatcher.ResponseData | FailedTry> {
    const { api_key } = this.#upstream;
    const backoff = waits.first * 2 ** tries * (0.75 + Math.random() / 2);
    let response: Dispatcher.ResponseData;
    try {
      response = await this.#pool.request({
        path: this.#path,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'text/event-stream',
          ...(api_key === undefined ? {} : { authorization: `Bearer ${api_key}` }),
        },
        body,
        signal,
      });
    } catch (error) {
      if (signal.aborted || !connectionFailures.has(codeOf(error))) throw error;
      return { failure: this.#failureOf(error, 'could not be reached'), waitMs: backoff };
    }
    return response.statusCode === 200 ? response : this.#refused(response, backoff);
  }

  async #refused({ statusCode, headers, body }: Dispatcher.ResponseData, backoff: number): Promise<FailedTry> {
    const { name } = this.#upstream;
    const code = errorCode(await beginning(body));
    const asked = retryAfter(headers['retry-after']);
    const failure =
      statusCode === 429
        ? new UpstreamBusy(name, Math.max(1, Math.ceil((asked ?? 1_000) / 1_000)))
        : new UpstreamFailed(name, `answered with HTTP ${statusCode}${code === undefined ? '' : ` (${code})`}`);
    const mayPass = (statusCode === 429 && code !== 'insufficient_quota') || statusCode >= 500;
    const waitMs = asked ?? backoff;
    return mayPass && waitMs <= waits.longest ? { failure, waitMs } : { failure };
  }

  #failureOf(error: unknown, what: string): ConversationError {
    if (error instanceof ConversationError) return error;
    const { name } = this.#upstream;
    if (error instanceof NoCompletion) {
      return error.isBusy ? new UpstreamBusy(name, 1) : new UpstreamFailed(name, error.message, { cause: error });
    }
    return timeouts.has(codeOf(error))
      ? new UpstreamTimeout(name, { cause: error })
      : new UpstreamFailed(name, what, { cause: error });
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** Milliseconds; the header has seconds or a date. */
function retryAfter(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string') return undefined;
  if (/^\d{1,6}$/.test(header.trim())) return Number(header) * 1_000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** The beginning of a body; what comes behind it is not waited for. */
async function beginning(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.byteLength;
    if (size > errorBytes) break; // leaving the loop ends the connection
  }
  return Buffer.concat(chunks).toString('utf8');
}
