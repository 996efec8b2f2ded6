import { z } from 'zod';
import { type Caller, conversation } from '../../conversation/conversation.ts';
import type { Stored } from '../../conversation/conversation-lifecycle.ts';
import { ConversationNotFound, RecordUnavailable } from '../../conversation/errors.ts';
import { isTimeout, type RedisConnection } from './redis-connection.ts';
import type { RedisScript } from './redis-script.ts';

const texts = z.array(z.string());
const { title, metadata } = conversation.shape;

/** How many texts a script answers for a conversation. */
export const textsOfConversation = 14;

/** Calls of `redis-store-scripts.ts`. */
export class RedisRecord {
  readonly redis: RedisConnection;

  constructor(redis: RedisConnection) {
    this.redis = redis;
  }

  /** What the script answers. Throws `ConversationNotFound` where that is its status, and `RecordUnavailable`. */
  async run(
    script: RedisScript,
    id: string,
    caller: Caller,
    args: readonly (string | number)[] = [],
  ): Promise<readonly string[]> {
    let answer: unknown;
    try {
      answer = await script.run(this.redis.client, [], [id, ownerText(caller), ...args]);
    } catch (cause) {
      if (isTimeout(cause)) this.redis.renew();
      throw new RecordUnavailable({ cause });
    }
    const found = texts.parse(answer);
    if (found[0] === 'not_found') throw new ConversationNotFound();
    return found;
  }
}

export function ownerText(owner: Caller | string | null): string {
  if (owner === null) return 'server';
  if (typeof owner === 'string') return `user:${owner}`;
  return owner.kind === 'server' ? 'server' : `user:${owner.id}`;
}

/** From the texts of a conversation, without the status before them. */
export function storedOf(answer: readonly string[]): Stored {
  const [id = '', owner = '', continuation = '', named = '', about = '', last, cleared, forked = '', ...times] = answer;
  const [created = '', updated = '', accessed = '', expires = '', deleted = '', expiresInMs = ''] = times;
  const [source, seq] = forked.split(':');
  return {
    tier: 'redis',
    conversation: {
      id,
      user_id: owner === 'server' ? null : owner.slice('user:'.length),
      continuation_id: continuation,
      title: title.parse(JSON.parse(named)),
      metadata: metadata.parse(JSON.parse(about)),
      last_seq: Number(last),
      cleared_seq: Number(cleared),
      forked_from: source === undefined || seq === undefined ? null : { conversation_id: source, seq: Number(seq) },
      created_at: iso(created),
      updated_at: iso(updated),
      accessed_at: iso(accessed),
      expires_at: expires === '' ? null : iso(expires),
      deleted_at: deleted === '' ? null : iso(deleted),
    },
    expires_in_ms: expiresInMs === '' ? null : Number(expiresInMs),
  };
}

export function iso(milliseconds: string | undefined): string {
  return new Date(Number(milliseconds)).toISOString();
}
