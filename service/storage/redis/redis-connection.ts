import { EventEmitter } from 'node:events';
import { Redis } from 'ioredis';
import type { Probe } from '../../conversation/conversation-store.ts';

export interface RedisSettings {
  /** `redis://host:port/db` or `rediss://…`, without a password. */
  readonly url: string;
  readonly password: string | undefined;
}

/** Milliseconds. A Redis that does not answer in time counts as away until it accepts a new connection. */
export const redisTimes = { connect: 2_000, command: 500, firstRetry: 25, longestRetry: 500 } as const;

/** Redis refused the password, the database, or the user: waiting does not mend that. */
export class RedisRefused extends Error {
  override readonly name = 'RedisRefused';
}

interface Events {
  ready: [];
  away: [reason: Error | undefined];
}

/**
 * The one connection to Redis. It connects by itself, again and again; while there is none, commands fail at once and
 * nothing is queued or sent twice.
 */
export class RedisConnection extends EventEmitter<Events> {
  readonly client: Redis;
  readonly probe: Probe;
  #readySince: number | undefined;
  #lastError: Error | undefined;

  constructor({ url, password }: RedisSettings, required: boolean) {
    super();
    this.client = new Redis(url, {
      ...(password === undefined ? {} : { password }),
      connectionName: 'conversation-service',
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectTimeout: redisTimes.connect,
      commandTimeout: redisTimes.command,
      retryStrategy: (times) => Math.min(redisTimes.firstRetry * 2 ** (times - 1), redisTimes.longestRetry),
    });
    this.client.on('error', (error) => {
      this.#lastError = error;
    });
    this.client.on('ready', () => {
      this.#readySince = Date.now();
      this.#lastError = undefined;
      this.emit('ready');
    });
    this.client.on('close', () => {
      if (this.#readySince === undefined) return;
      this.#readySince = undefined;
      this.emit('away', this.#lastError);
    });
    this.probe = { name: 'redis', required, answer: () => this.#ping() };
  }

  /** When this connection came to be (ms since 1970); undefined while there is none. What was in Redis before is older. */
  get readySince(): number | undefined {
    return this.#readySince;
  }

  /** Resolves when Redis answers; rejects with {@link RedisRefused}, or with the last error when `signal` is aborted. */
  async untilReady(signal: AbortSignal): Promise<void> {
    if (this.#readySince !== undefined) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = () => reject(new Error('Redis does not answer', { cause: this.#lastError ?? signal.reason }));
    const refused = (error: Error) => {
      if (isRefusal(error))
        reject(new RedisRefused(`Redis refuses the connection: ${error.message}`, { cause: error }));
    };
    this.once('ready', resolve);
    this.client.on('error', refused);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      if (this.#lastError !== undefined) refused(this.#lastError);
      if (signal.aborted) giveUp();
      await promise;
    } finally {
      this.off('ready', resolve);
      this.client.off('error', refused);
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Ends this connection and begins a new one: after a missed deadline nobody knows what Redis did. */
  renew(): void {
    this.client.disconnect(true);
  }

  /** Waits for the answers that are due, then closes. */
  async close(): Promise<void> {
    if (this.#readySince === undefined) {
      this.client.disconnect();
      return;
    }
    try {
      await this.client.quit();
    } catch {
      this.client.disconnect(); // it went away just now: nothing is due any more
    }
  }

  async #ping(): Promise<void> {
    if (this.#readySince === undefined) throw new Error('there is no connection', { cause: this.#lastError });
    await this.client.ping();
  }
}

export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Command timed out';
}

function isRefusal({ message }: Error): boolean {
  return /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR DB index|ERR invalid password)/.test(message);
}
