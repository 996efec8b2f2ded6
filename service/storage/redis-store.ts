import { randomUUID } from 'node:crypto';
import type { Redis, Result } from 'ioredis';
import { z } from 'zod';
import {
  type Conversation,
  conversationSchema,
  type Message,
  mayRead,
  messageSchema,
  type NewConversation,
  type NewMessage,
  type Page,
  pageLimit,
  type Tier,
} from '../conversation/conversation.ts';
import {
  type Call,
  type ConversationStore,
  StoreUnavailableError,
  type TierHealth,
} from '../conversation/conversation-store.ts';
import { pingRedis } from './redis-connection.ts';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    recordAppend(
      head: string,
      messages: string,
      ids: string,
      expected: string,
      ...drafts: string[]
    ): Result<unknown, Context>;
  }
}

/**
 * ARGV: expected `seq` or '', then, message by message, client id and JSON without `seq`. Returns the seq before it, and
 * the seq of each message; nothing where the conversation is gone; only the seq where another one was expected.
 */
const append = `
if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
local last = redis.call('LLEN', KEYS[2])
if ARGV[1] ~= '' and tonumber(ARGV[1]) ~= last then
  local repetition = true
  for index = 2, #ARGV, 2 do
    repetition = repetition and redis.call('HEXISTS', KEYS[3], ARGV[index]) == 1
  end
  if not repetition then return { last } end
end
local seqs = { last }
for index = 2, #ARGV, 2 do
  local seq = redis.call('HGET', KEYS[3], ARGV[index])
  if not seq then
    seq = redis.call('RPUSH', KEYS[2], ARGV[index + 1])
    redis.call('HSET', KEYS[3], ARGV[index], seq)
  end
  seqs[#seqs + 1] = tonumber(seq)
end
local left = redis.call('PTTL', KEYS[1])
redis.call('PEXPIRE', KEYS[2], left)
redis.call('PEXPIRE', KEYS[3], left)
return seqs`;

const draft = messageSchema.omit({ seq: true });
const head = conversationSchema.omit({ last_seq: true });
const seqs = z.array(z.int()).min(1).nullable();

/**
 * Conversations in Redis alone: as durable as its log, which is synced every second. For those who want no Supabase; the
 * head in one key, the messages in a list (the place is the `seq`), the client's ids in a hash.
 */
export class RedisStore implements ConversationStore {
  readonly tiers: readonly Tier[] = ['redis'];
  readonly #redis: Redis;
  readonly #ttl: number;

  /** @param ttl milliseconds that a conversation lives */
  constructor(redis: Redis, ttl: number) {
    this.#redis = redis;
    this.#ttl = ttl;
    redis.defineCommand('recordAppend', { numberOfKeys: 3, lua: append });
  }

  async create({ caller }: Call, wanted: NewConversation) {
    const now = new Date().toISOString();
    const created = {
      ...wanted,
      id: randomUUID(),
      user_id: caller.kind === 'user' ? caller.id : null,
      continuation_id: randomUUID(),
      created_at: now,
      updated_at: now,
      expires_at: new Date(Date.now() + this.#ttl).toISOString(),
    };
    await this.#asking(() => this.#redis.set(keysOf(created.id)[0], JSON.stringify(created), 'PX', this.#ttl));
    return { tier: 'redis' as const, conversation: { ...created, last_seq: 0 } };
  }

  async append(call: Call, id: string, messages: readonly NewMessage[], expectedSeq: number | undefined) {
    const tier = 'redis' as const;
    if (!(await this.#visible(call, id))) return { tier, result: { outcome: 'not_found' as const } };
    const created_at = new Date().toISOString();
    const drafts = messages.flatMap((message) => [
      message.client_message_id,
      JSON.stringify({ ...message, id: randomUUID(), created_at }),
    ]);
    const reply = await this.#asking(() =>
      this.#redis.recordAppend(...keysOf(id), String(expectedSeq ?? ''), ...drafts),
    );
    const [before, ...placed] = seqs.parse(reply ?? null) ?? [];
    const conversation = await this.#visible(call, id);
    if (before === undefined || !conversation) return { tier, result: { outcome: 'not_found' as const } };
    if (placed.length === 0) {
      const missed = await this.#messages(id, { limit: pageLimit, after: expectedSeq });
      return { tier, result: { outcome: 'conflict' as const, last_seq: before, messages: missed } };
    }
    const appended: (Message & { duplicate: boolean })[] = [];
    for (const seq of placed) {
      const [message] = await this.#messages(id, { limit: 1, after: seq - 1 });
      if (message) appended.push({ ...message, duplicate: seq <= before });
    }
    return { tier, result: { outcome: 'appended' as const, previous_seq: before, conversation, messages: appended } };
  }

  async read(call: Call, id: string, page: Page) {
    const conversation = await this.#visible(call, id);
    if (!conversation) return undefined;
    return { tier: 'redis' as const, thread: { conversation, messages: await this.#messages(id, page) } };
  }

  async health(signal: AbortSignal): Promise<TierHealth[]> {
    return [await pingRedis(this.#redis, signal)];
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
  }

  async #visible({ caller }: Call, id: string): Promise<Conversation | undefined> {
    const [headKey, messagesKey] = keysOf(id);
    const [text, last_seq] = await this.#asking(() =>
      Promise.all([this.#redis.get(headKey), this.#redis.llen(messagesKey)]),
    );
    if (text === null) return undefined;
    const conversation = { ...head.parse(JSON.parse(text)), last_seq };
    return mayRead(caller, conversation) ? conversation : undefined;
  }

  async #messages(id: string, { limit, before, after }: Page): Promise<Message[]> {
    const [, key] = keysOf(id);
    const end = before === undefined ? -1 : before - 2; // a list counts from 0, and its ends are inclusive
    if (end < -1) return [];
    const newest = end === -1 ? await this.#asking(() => this.#redis.llen(key)) : end + 1;
    const last = after === undefined ? newest : Math.min(newest, after + limit);
    const first = Math.max(after ?? 0, after === undefined ? newest - limit : 0) + 1;
    if (last < first) return [];
    const texts = await this.#asking(() => this.#redis.lrange(key, first - 1, last - 1));
    return texts.map((text, index) => ({ ...draft.parse(JSON.parse(text)), seq: first + index }));
  }

  async #asking<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw new StoreUnavailableError('redis', error);
    }
  }
}

function keysOf(id: string): [head: string, messages: string, ids: string] {
  return [`ck:conversation:{${id}}`, `ck:conversation:{${id}}:messages`, `ck:conversation:{${id}}:ids`];
}
