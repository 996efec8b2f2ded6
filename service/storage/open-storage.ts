import type { Logger } from 'pino';
import type { ConversationStore } from '../conversation/conversation-store.ts';
import { type BesideConversations, besideConversations } from './beside-conversations.ts';
import { DualStore } from './dual-store.ts';
import { HotCopies } from './hot-copies/hot-copies.ts';
import { MemoryStore } from './memory/memory-store.ts';
import { OpenOutbox } from './outbox/open-outbox.ts';
import type { OutboxDesk } from './outbox/outbox-desk.ts';
import { OutboxFailed } from './outbox/outbox-file.ts';
import { RedisConnection, type RedisSettings } from './redis/redis-connection.ts';
import { RedisStore } from './redis/redis-store.ts';
import { RecordChanges } from './supabase/record-changes.ts';
import type { SupabaseSettings } from './supabase/supabase-calls.ts';
import { SupabaseStore } from './supabase/supabase-store.ts';
import { isRefusal, type Missing, wayToStart } from './way-to-start.ts';

export const backends = ['dual', 'redis', 'supabase', 'memory'] as const;

export interface StorageSettings {
  readonly backend: (typeof backends)[number];
  /** `memory`: a backend that can't start is a warning. Left out: it is an error. */
  readonly fallback: 'memory' | undefined;
  /** For `dual` and `supabase`. */
  readonly supabase: SupabaseSettings | undefined;
  /** For `dual` and `redis`. */
  readonly redis: RedisSettings | undefined;
  /** For `dual` and `supabase`: where the outbox is, which all processes of the box share. */
  readonly outboxDirectory: string | undefined;
}

export interface StorageFigures {
  readonly hotCopyLooks?: () => HotCopies['looks'];
  readonly supabaseConnections?: () => SupabaseStore['connections'];
}

export interface Storage {
  readonly store: ConversationStore;
  /** What the backend that runs offers beside keeping conversations. */
  readonly beside: BesideConversations;
  /** Set when another backend runs than the one configured: what that means. */
  readonly warning: string | undefined;
  /** The connection to Redis, for what is kept there besides conversations. */
  readonly redis: RedisConnection | undefined;
  /** What can be measured of the parts. Left out: there is no such part. */
  readonly figures: StorageFigures;
  /** Set where there is an outbox. */
  readonly outbox: OutboxDesk | undefined;
  /** Set where the record can tell of changes that were made around the service, and where there are copies of it. */
  readonly changes?: RecordChanges | undefined;
  readonly copies?: HotCopies | undefined;
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
    this.refused = isRefusal(cause) || cause instanceof OutboxFailed;
  }
}

/**
 * Milliseconds that the start waits on a box that has reached this Supabase before: it can do its work without it, and
 * has to, when it starts while the line is down.
 */
const patienceOfKnownBox = 5_000;

/**
 * Opens the configured backend, and waits for what it needs until `signal` is aborted. Throws
 * {@link StorageFailedError}, or warns where the fallback says so. On a box that has reached this Supabase before,
 * neither Supabase nor Redis has to be there: what refuses us is an error always, and so is an outbox that can't be used.
 */
export async function openStorage(settings: StorageSettings, log: Logger, start: AbortSignal): Promise<Storage> {
  const { backend, fallback } = settings;
  const outbox = openOutbox(settings);
  const isKnownBox = outbox?.wasReached ?? false;
  const redis = settings.redis && openRedis(settings.redis, backend === 'redis', log);
  const supabase = settings.supabase && new SupabaseStore(settings.supabase);
  const signal = isKnownBox ? AbortSignal.any([start, AbortSignal.timeout(patienceOfKnownBox)]) : start;
  const missing = await missingOf(supabase?.untilReady(signal), redis?.untilReady(signal));
  if (missing.supabase === undefined && !isKnownBox) await outbox?.noteReached();

  const err = missing.supabase ?? missing.redis;
  const way = wayToStart({ backend, fallback, missing, isKnownBox, isOver: start.aborted });
  if (way === 'failed' || way === 'memory') {
    await supabase?.close();
    outbox?.close();
    await redis?.close();
    const failure = new StorageFailedError(backend, err);
    if (way === 'failed') throw failure;
    log.warn({ err: failure }, 'started in memory');
    return inMemory(backend);
  }
  if (way === 'known box') log.error({ err }, `${startedWithout(missing)}: it was reached before from here`);
  if (way === 'cold') log.warn({ err }, 'started without hot copies');
  return assembled({ supabase, redis, outbox, startError: missing.supabase, log });
}

async function missingOf(supabase: Promise<void> | undefined, redis: Promise<void> | undefined): Promise<Missing> {
  const [supabaseStart, redisStart] = await Promise.allSettled([supabase, redis]);
  const reasonOf = (each: PromiseSettledResult<void>) => (each.status === 'rejected' ? each.reason : undefined);
  return { supabase: reasonOf(supabaseStart), redis: reasonOf(redisStart) };
}

function startedWithout({ supabase, redis }: Missing): string {
  const names = [...(supabase === undefined ? [] : ['Supabase']), ...(redis === undefined ? [] : ['Redis'])];
  return `started without ${names.join(' and without ')}`;
}

function inMemory(backend: string): Storage {
  const store = new MemoryStore();
  return {
    store,
    beside: besideConversations(undefined, undefined, undefined),
    warning: `"${backend}" could not start: conversations are in the memory of this process, until it ends`,
    redis: undefined,
    figures: {},
    outbox: undefined,
    close: () => store.close(),
  };
}

interface Parts {
  readonly supabase: SupabaseStore | undefined;
  readonly redis: RedisConnection | undefined;
  readonly outbox: OpenOutbox | undefined;
  /** Why Supabase was not there at the start; undefined when it was. */
  readonly startError: unknown;
  readonly log: Logger;
}

function assembled({ supabase, redis, outbox, startError, log }: Parts): Storage {
  const hot = redis && supabase && openHotCopies(redis, log);
  const inner = storeOf(redis, supabase, hot);
  const around = supabase && outbox?.around({ inner, supabase, hot, startError, log });
  const store = around?.store ?? inner;
  return {
    store,
    beside: besideConversations(redis, supabase, hot),
    warning: undefined,
    redis,
    figures: {
      ...(hot === undefined ? {} : { hotCopyLooks: () => hot.looks }),
      ...(supabase === undefined ? {} : { supabaseConnections: () => supabase.connections }),
    },
    changes: supabase && new RecordChanges(supabase.calls),
    copies: hot,
    outbox: around?.desk,
    close: async () => {
      await store.close();
      await redis?.close();
    },
  };
}

function openOutbox({ backend, supabase, outboxDirectory }: StorageSettings): OpenOutbox | undefined {
  if (supabase === undefined || outboxDirectory === undefined) return undefined;
  try {
    return new OpenOutbox(outboxDirectory, supabase);
  } catch (error) {
    throw error instanceof OutboxFailed ? new StorageFailedError(backend, error) : error;
  }
}

function openHotCopies(redis: RedisConnection, log: Logger): HotCopies {
  return new HotCopies(redis, (error) => log.warn({ err: error }, 'a hot copy could not be kept'));
}

function storeOf(
  redis: RedisConnection | undefined,
  supabase: SupabaseStore | undefined,
  hot: HotCopies | undefined,
): ConversationStore {
  if (redis !== undefined && supabase !== undefined && hot !== undefined)
    return new DualStore(supabase, hot, redis.probe);
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
