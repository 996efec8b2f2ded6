import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Settings } from './config.ts';
import { ConversationService } from './conversation/conversation-service.ts';
import type { ConversationStore } from './conversation/conversation-store.ts';
import { createApp } from './http/app.ts';
import type { Drain } from './http/health-routes.ts';
import { DualStore } from './storage/dual-store.ts';
import { HotCopies } from './storage/hot-copies.ts';
import { MemoryStore } from './storage/memory-store.ts';
import { openRedis } from './storage/redis-connection.ts';
import { RedisStore } from './storage/redis-store.ts';
import { openSupabaseConnection } from './storage/supabase-connection.ts';
import { SupabaseStore } from './storage/supabase-store.ts';

/** The one store of this process, as configured, with what a person has to be told about it. */
export interface OpenStore {
  readonly store: ConversationStore;
  readonly warnings: readonly string[];
}

/**
 * Opens the configured store and asks it. A backend that does not answer is an error, or, only where the settings say
 * so, replaced by memory, with a warning.
 */
export async function openStore(settings: Settings, log: Logger): Promise<OpenStore> {
  const store = await configuredStore(settings, log);
  const failing = (await store.health(AbortSignal.timeout(10_000))).filter(({ status }) => status === 'unhealthy');
  if (failing.length === 0) return { store, warnings: [] };
  const what = failing.map(({ tier, reason }) => `${tier} (${reason})`).join(', ');
  await store.close();
  if (settings.fallback === undefined) {
    throw new Error(
      `storage backend ${settings.backend} can't start: ${what}. It has to answer, ` +
        'or CONVERSATION_STORAGE_FALLBACK=memory has to allow a service that forgets everything when it stops',
    );
  }
  const warning = `storage backend ${settings.backend} can't start: ${what}. Conversations are kept in memory and gone when this process ends.`;
  return { store: new MemoryStore(settings.ttl), warnings: [warning] };
}

async function configuredStore(settings: Settings, log: Logger): Promise<ConversationStore> {
  const { backend, ttl } = settings;
  const redis = async () => {
    if (!settings.redis) throw new Error(`backend ${backend} has no Redis`);
    const opened = openRedis(settings.redis, log);
    // Reconnecting is the client's own; what can't be reached now shows in the health that is asked next.
    await opened.connect().catch(() => undefined);
    return opened;
  };
  const record = () => {
    if (!settings.supabase) throw new Error(`backend ${backend} has no Supabase`);
    return new SupabaseStore(settings.supabase, openSupabaseConnection(), ttl / 1000);
  };
  switch (backend) {
    case 'memory':
      return new MemoryStore(ttl);
    case 'redis':
      return new RedisStore(await redis(), ttl);
    case 'supabase':
      return record();
    case 'dual':
      return new DualStore(new HotCopies(await redis(), { ttl, boot: bootId(), log }), record());
  }
}

/** Names this run of the machine; containers see the host's. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Puts the service together over an open store. */
export function composeApp({ store, warnings }: OpenStore, settings: Settings, drain: Drain, log: Logger) {
  const { releaseId, serverKey, jwtSecret } = settings;
  return createApp(new ConversationService(store), { releaseId, serverKey, jwtSecret, warnings }, drain, log);
}
