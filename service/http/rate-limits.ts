import type { Redis } from 'ioredis';
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Caller } from '../conversation/conversation.ts';

/** Requests a minute; 0 is no limit. */
export interface RateLimitSettings {
  readonly user: number;
  readonly server: number;
  /** Failed authentications of one client address. */
  readonly failed: number;
}

export type RateLimitPolicy = keyof RateLimitSettings;

/** How one who asks stands with a limit. */
export interface Standing {
  readonly policy: RateLimitPolicy;
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until `remaining` is `limit` again. */
  readonly resetSeconds: number;
  readonly exceeded: boolean;
}

const windowSeconds = 60;

/**
 * Counts requests in Redis, so that all processes count together; while Redis is away each process counts by itself.
 * Nobody waits for Redis who is far from the limit.
 */
export class RateLimits {
  /** How often each limit refused, since the start of the process. */
  readonly refused: Record<RateLimitPolicy, number> = { user: 0, server: 0, failed: 0 };
  readonly #limits: Readonly<Record<RateLimitPolicy, RateLimit | undefined>>;

  constructor(settings: RateLimitSettings, redis: Redis | undefined) {
    const limit = (policy: RateLimitPolicy) =>
      settings[policy] === 0 ? undefined : new RateLimit(policy, settings[policy], redis);
    this.#limits = { user: limit('user'), server: limit('server'), failed: limit('failed') };
  }

  /** Counts a request. Undefined where there is no limit. */
  count(caller: Caller): Promise<Standing | undefined> | Standing | undefined {
    const standing =
      caller.kind === 'server' ? this.#limits.server?.count('server') : this.#limits.user?.count(caller.id);
    return standing instanceof Promise ? standing.then((later) => this.#noted(later)) : this.#noted(standing);
  }

  /** Counts a failed authentication from this address. */
  async countFailure(address: string): Promise<Standing | undefined> {
    return this.#noted(await this.#limits.failed?.count(address));
  }

  #noted(standing: Standing | undefined): Standing | undefined {
    if (standing?.exceeded) this.refused[standing.policy]++;
    return standing;
  }
}

/** What is known of one key without asking: what Redis said last, and how many requests it has not counted yet. */
interface Known {
  remaining: number;
  resetsAt: number;
  underWay: number;
}

/** So many keys are remembered before those of past windows are dropped. */
const rememberedKeys = 10_000;

class RateLimit {
  readonly #policy: RateLimitPolicy;
  readonly #limit: number;
  readonly #limiter: RateLimiterAbstract;
  readonly #known = new Map<string, Known>();

  constructor(policy: RateLimitPolicy, limit: number, redis: Redis | undefined) {
    this.#policy = policy;
    this.#limit = limit;
    const options = { keyPrefix: `conversation-kit:rate:${policy}`, points: limit, duration: windowSeconds };
    const alone = new RateLimiterMemory(options);
    this.#limiter =
      redis === undefined
        ? alone
        : new RateLimiterRedis({
            ...options,
            storeClient: redis,
            rejectIfRedisNotReady: true,
            inMemoryBlockOnConsumed: limit + 1, // who is over the limit costs no more commands until the window ends
            insuranceLimiter: alone,
          });
  }

  /**
   * At once when it is clear without Redis that the limit is not reached: the last tenth of it is left to what other
   * processes, and requests under way, may have used.
   */
  count(key: string): Standing | Promise<Standing> {
    const known = this.#known.get(key);
    const isClear =
      known !== undefined &&
      known.resetsAt > Date.now() &&
      known.remaining - known.underWay > Math.max(10, this.#limit / 10);
    const asked = this.#ask(key);
    return isClear ? this.#standing(known.remaining - known.underWay, known.resetsAt, false) : asked;
  }

  async #ask(key: string): Promise<Standing> {
    const known = this.#known.get(key) ?? this.#remember(key);
    known.underWay++;
    const { result, exceeded } = await this.#consumed(key);
    known.underWay--;
    known.remaining = result.remainingPoints;
    known.resetsAt = Date.now() + result.msBeforeNext;
    return this.#standing(known.remaining, known.resetsAt, exceeded);
  }

  async #consumed(key: string): Promise<{ result: RateLimiterRes; exceeded: boolean }> {
    try {
      return { result: await this.#limiter.consume(key), exceeded: false };
    } catch (reason) {
      if (reason instanceof RateLimiterRes) return { result: reason, exceeded: true };
      throw reason;
    }
  }

  #remember(key: string): Known {
    if (this.#known.size >= rememberedKeys) {
      const now = Date.now();
      for (const [name, { resetsAt, underWay }] of this.#known) {
        if (resetsAt < now && underWay === 0) this.#known.delete(name);
      }
    }
    const known = { remaining: 0, resetsAt: 0, underWay: 0 };
    this.#known.set(key, known);
    return known;
  }

  #standing(remaining: number, resetsAt: number, exceeded: boolean): Standing {
    const resetSeconds = Math.max(1, Math.ceil((resetsAt - Date.now()) / 1000));
    return { policy: this.#policy, limit: this.#limit, remaining: Math.max(0, remaining), resetSeconds, exceeded };
  }
}

/** The header fields of the IETF's draft "RateLimit header fields for HTTP". */
export function rateLimitHeaders({ policy, limit, remaining, resetSeconds }: Standing): Record<string, string> {
  return {
    'ratelimit-policy': `"${policy}";q=${limit};w=${windowSeconds}`,
    ratelimit: `"${policy}";r=${remaining};t=${resetSeconds}`,
  };
}
