import type { Logger } from 'pino';
import type { ConversationEvents } from '../conversation/conversation-events.ts';
import type { Storage } from '../storage/open-storage.ts';
import type { RedisSettings } from '../storage/redis/redis-connection.ts';
import { ChangeFeed } from './change-feed.ts';
import { LocalEvents } from './local-events.ts';
import { RedisEvents } from './redis-events.ts';

export interface OpenEvents {
  readonly events: ConversationEvents;
  close(): Promise<void>;
}

/** Events by all ways that this storage has: in this process, through Redis, and from the record. */
export function openEvents(storage: Storage, redis: RedisSettings | undefined, log: Logger): OpenEvents {
  const local = new LocalEvents();
  const shared = redis && storage.redis && new RedisEvents(redis, storage.redis, local, log);
  const feed =
    storage.changes && new ChangeFeed({ changes: storage.changes, copies: storage.copies, events: local, log });
  const close = async () => {
    await feed?.close();
    shared?.close();
  };
  return { events: shared ?? local, close };
}
