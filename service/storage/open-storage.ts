import type { Logger } from 'pino';
import type { ConversationStore } from '../conversation/conversation-store.ts';
import { DualStore } from './dual-store.ts';
import { HotCopies } from './hot-copies.ts';
import { MemoryStore } from './memory-store.ts';
import { RedisConnection, RedisRefused, type RedisSettings } from './redis-connection.ts';
import { RedisStore } from './redis-store.ts';
import type { SupabaseSettings } from './supabase-calls.ts';
import { SupabaseRefused, SupabaseStore } from './supabase-store.ts';

export const backends = ['dual', 'redis', 'supabase', 'memory'] as const;

export interface StorageSettings {
  readonly backend: (typeof backends)[number];
  /** `memory`: a backend that can't start is a warning. Left out: it is an error. */
  readonly fallback: 'memory' | undefined;
  /** For `dual` and `supabase`. */
  readonly supabase: SupabaseSettings | undefined;
  /** For `dual` and `redis`. */
  readonly redis: RedisSettings | undefined;
}

export interface Storage {
  readonly store: ConversationStore;
  /** Set when another backend runs than the one configured: what that means. */
  readonly warning: string | undefined;
  /** The connection to Redis, for what is kept there besides conversations. */
  readonly redis: RedisConnection | undefined;
  close(): Promise<void>;
}

/** The configured backend can't start. `refused`: it answered, and does not let us in, so that waiting mends nothing. */
export class StorageFailedError extends Error {
  override readonly name = 'StorageFailedError';
  readonly refused: boolean;

  constructor(backend: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      `the storage backend "${backend}" can't start: ${reason}. Mend that, or choose another CONVERSATION_STORAGE_BACKEND; ` +
        'CONVERSATION_STORAGE_FALLBACK=memory starts without it, and loses what it is told when it ends',
      { cause },
    );
    this.refused = cause instanceof RedisRefused || cause instanceof SupabaseRefused;
  }
}

/**
 * Opens the configured backend, and waits for what it needs until `signal` is aborted. Throws
 * {@link StorageFailedError}, or warns where the fallback says so.
 */
export async function openStorage(settings: StorageSettings, log: Logger, signal: AbortSignal): Promise<Storage> {
  const { backend, fallback } = settings;
  const redis = settings.redis && openRedis(settings.redis, backend === 'redis', log);
  const supabase = settings.supabase && new SupabaseStore(settings.supabase);
  const close = async (store?: ConversationStore) => {
    await (store ?? supabase)?.close();
    await redis?.close();
  };
  const [redisStart, supabaseStart] = await Promise.allSettled([
    redis?.untilReady(signal),
    supabase?.untilReady(signal),
  ]);
  const failed =
    supabaseStart.status === 'rejected' ? supabaseStart : redisStart.status === 'rejected' ? redisStart : undefined;
  const failure = failed && new StorageFailedError(backend, failed.reason);

  if (failure !== undefined && fallback === undefined) {
    await close();
    throw failure;
  }
  // Without hot copies dual is slower, and nothing is lost; without its record any backend is no more than memory.
  const hasRecord = failure === undefined || (backend === 'dual' && supabaseStart.status === 'fulfilled');
  if (failure !== undefined) log.warn({ err: failure }, hasRecord ? 'started without hot copies' : 'started in memory');
  if (!hasRecord) {
    await close();
    const store = new MemoryStore();
    const warning = `"${backend}" could not start: conversations are in the memory of this process, until it ends`;
    return { store, warning, redis: undefined, close: () => store.close() };
  }
  const store = storeOf(redis, supabase, log);
  return { store, warning: undefined, redis, close: () => close(store) };
}

function storeOf(
  redis: RedisConnection | undefined,
  supabase: SupabaseStore | undefined,
  log: Logger,
): ConversationStore {
  if (redis !== undefined && supabase !== undefined) {
    const hot = new HotCopies(redis, (error) => log.warn({ err: error }, 'a hot copy could not be kept'));
    return new DualStore(supabase, hot, redis.probe);
  }
  if (redis !== undefined) return new RedisStore(redis);
  return supabase ?? new MemoryStore();
}

function openRedis(settings: RedisSettings, required: boolean, log: Logger): RedisConnection {
  const redis = new RedisConnection(settings, required);
  redis.on('away', (reason) =>
    log.warn({ err: reason }, required ? 'Redis is away' : 'Redis is away: going on without hot copies'),
  );
  redis.on('ready', () => log.info('Redis is there'));
  return redis;
}
