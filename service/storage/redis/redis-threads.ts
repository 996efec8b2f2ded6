import { z } from 'zod';
import type { Caller } from '../../conversation/conversation.ts';
import { RecordUnavailable, ThreadNotFound } from '../../conversation/errors.ts';
import { limits } from '../../conversation/limits.ts';
import {
  type StoredThread,
  type ThreadDocument,
  type ThreadDocuments,
  type ThreadHead,
  threadDocument,
} from '../../conversation/thread-documents.ts';
import { isTimeout, type RedisConnection } from './redis-connection.ts';
import { iso, ownerText } from './redis-record.ts';
import { RedisScript } from './redis-script.ts';

/**
 * For each owner a hash, thread id → "<created>:<updated>:<expires>:<JSON>" (ms); for all of them a sorted set of
 * "<owner>/<thread id>" by expiry. Nothing has a time to live in Redis: what has one may be evicted, and this is the
 * record. KEYS: hash, expiries. ARGV: owner, thread id.
 */
const prelude = `
local member = ARGV[1] .. '/' .. ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function text(number)
  return string.format('%.0f', number)
end

local function found()
  local thread = redis.call('HGET', KEYS[1], ARGV[2])
  if not thread then return nil end
  local created, updated, expires, at = string.match(thread, '^(%d+):(%d+):(%d+):()')
  if tonumber(expires) <= now then return nil end
  return { created, updated, expires, string.sub(thread, at) }
end
`;

/** ARGV[3]: seconds, ARGV[4]: JSON. Returns created, updated, expires. */
const put = new RedisScript(`${prelude}
local there = found()
local created = there and there[1] or text(now)
local expires = text(now + ARGV[3] * 1000)
redis.call('HSET', KEYS[1], ARGV[2], created .. ':' .. text(now) .. ':' .. expires .. ':' .. ARGV[4])
redis.call('ZADD', KEYS[2], expires, member)
return { created, text(now), expires }
`);

/** Returns created, updated, expires, JSON; or nothing. */
const get = new RedisScript(`${prelude}
return found() or {}
`);

/** Returns the same. */
const remove = new RedisScript(`${prelude}
local there = found()
redis.call('HDEL', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[2], member)
return there or {}
`);

/** Takes a thread away that has expired. Returns 'removed', or 'kept'. */
const expire = new RedisScript(`${prelude}
if found() then return { 'kept' } end
redis.call('HDEL', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[2], member)
return { 'removed' }
`);

/** Takes all threads of an owner away. Returns their ids. */
const erase = new RedisScript(`
local ids = redis.call('HKEYS', KEYS[1])
for _, id in ipairs(ids) do redis.call('ZREM', KEYS[2], ARGV[1] .. '/' .. id) end
redis.call('UNLINK', KEYS[1])
return ids
`);

const texts = z.array(z.string());
const expiries = 'conversation-kit:threads:expiries';

/** Documents of threads with Redis as their record. */
export class RedisThreads implements ThreadDocuments {
  readonly tier = 'redis' as const;
  readonly #redis: RedisConnection;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  async put(caller: Caller, id: string, document: ThreadDocument, ttlSeconds: number): Promise<ThreadHead> {
    return headOf(id, await this.#run(put, ownerText(caller), id, [ttlSeconds, JSON.stringify(document)]));
  }

  async get(caller: Caller, id: string): Promise<StoredThread> {
    const thread = await this.#run(get, ownerText(caller), id);
    const json = thread[3];
    if (json === undefined) throw new ThreadNotFound();
    return { ...headOf(id, thread), document: threadDocument.parse(JSON.parse(json)) };
  }

  async delete(caller: Caller, id: string): Promise<void> {
    const thread = await this.#run(remove, ownerText(caller), id);
    if (thread.length === 0) throw new ThreadNotFound();
  }

  async cleanUp(): Promise<number> {
    const due = await this.#attempt(() =>
      this.#redis.client.zrangebyscore(expiries, '-inf', Date.now(), 'LIMIT', 0, limits.removedAtOnce),
    );
    const ends = await Promise.all(due.map((member) => this.#expire(member)));
    return ends.filter((end) => end === 'removed').length;
  }

  async eraseUser(_caller: Caller, userId: string): Promise<number> {
    return (await this.#run(erase, ownerText(userId), '')).length;
  }

  async #expire(member: string): Promise<string | undefined> {
    const slash = member.indexOf('/');
    const [end] = await this.#run(expire, member.slice(0, slash), member.slice(slash + 1));
    return end;
  }

  async #run(script: RedisScript, owner: string, id: string, args: readonly (string | number)[] = []) {
    const keys = [`conversation-kit:threads:${owner}`, expiries];
    return texts.parse(await this.#attempt(() => script.run(this.#redis.client, keys, [owner, id, ...args])));
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (isTimeout(cause)) this.#redis.renew();
      throw new RecordUnavailable({ cause });
    }
  }
}

function headOf(id: string, [created, updated, expires]: readonly string[]): ThreadHead {
  return { thread_id: id, created_at: iso(created), updated_at: iso(updated), expires_at: iso(expires) };
}
