import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { TierHealth } from '../conversation/conversation-store.ts';

export interface RedisSettings {
  readonly url: string;
  readonly password: string | undefined;
}

/**
 * One connection to Redis. A command that can't be sent at once fails at once: waiting for Redis is worse than asking the
 * record. It reconnects by itself for as long as it is open.
 */
export function openRedis({ url, password }: RedisSettings, log: Logger): Redis {
  const redis = new Redis(url, {
    ...(password === undefined ? {} : { password }),
    lazyConnect: true,
    enableOfflineQueue: false,
    enableAutoPipelining: true,
    maxRetriesPerRequest: 0,
    connectTimeout: 2_000,
    commandTimeout: 2_000,
    keepAlive: 30_000,
    retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, 1_000),
  });
  let away = false;
  redis.on('error', (error: Error) => {
    if (!away) log.warn({ error: error.message }, 'redis does not answer');
    away = true;
  });
  redis.on('ready', () => {
    if (away) log.info('redis answers again');
    away = false;
  });
  return redis;
}

/** How Redis answers a ping. */
export async function pingRedis(redis: Redis, signal: AbortSignal): Promise<TierHealth> {
  const started = performance.now();
  const answered = (health: Pick<TierHealth, 'status' | 'reason'>): TierHealth => ({
    tier: 'redis',
    ...health,
    response_time_ms: Math.round(performance.now() - started),
  });
  try {
    signal.throwIfAborted();
    await redis.ping();
    return answered({ status: 'healthy' });
  } catch (error) {
    return answered({ status: 'unhealthy', reason: error instanceof Error ? error.message : String(error) });
  }
}
