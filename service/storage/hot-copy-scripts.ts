/**
 * The life of a hot copy, in Redis itself, so that each step is one round trip and nothing happens between a look and a
 * change. Two keys with one hash tag: a hash `KEYS[1]` and a list of messages `KEYS[2]`.
 *
 * hash fields: `head` (the conversation), `last_seq` of the list, `version` (counts every change),
 * `pending` (appends under way) with `pending_until` (milliseconds), `broken` (a pending append did not fit).
 *
 * An append marks the copy before it goes to the record and settles it afterwards; a marked copy is not served. So a
 * process that dies between the two leaves a copy that nobody reads, until the mark is older than any append can be.
 */
const clock = `
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
`;

const forget = `
local function forget()
  redis.call('DEL', KEYS[2])
  redis.call('HDEL', KEYS[1], 'head', 'last_seq', 'broken')
end
`;

/** ARGV: longest time an append takes (ms), time to live (ms). Before an append to the record. */
export const mark = `${clock}
local pending_until = redis.call('HGET', KEYS[1], 'pending_until')
if pending_until and now > tonumber(pending_until) then
  redis.call('HDEL', KEYS[1], 'pending')
  redis.call('HSET', KEYS[1], 'broken', 1)
end
redis.call('HINCRBY', KEYS[1], 'pending', 1)
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HSET', KEYS[1], 'pending_until', now + ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`;

/**
 * ARGV: 'appended', 'nothing' or 'unknown', time to live (ms), messages kept at most, then, where it was appended, previous
 * seq, head, new messages … After an append: the copy is extended where that fits, and forgotten where it does not.
 */
export const settle = `${forget}
local pending = redis.call('HINCRBY', KEYS[1], 'pending', -1)
redis.call('HINCRBY', KEYS[1], 'version', 1)
local last = redis.call('HGET', KEYS[1], 'last_seq')
if ARGV[1] == 'appended' and redis.call('HEXISTS', KEYS[1], 'broken') == 0 and (last or '0') == ARGV[4] then
  local added = #ARGV - 5
  if added > 0 then redis.call('RPUSH', KEYS[2], unpack(ARGV, 6)) end
  redis.call('LTRIM', KEYS[2], -tonumber(ARGV[3]), -1)
  redis.call('HSET', KEYS[1], 'head', ARGV[5], 'last_seq', tonumber(ARGV[4]) + added)
elseif ARGV[1] ~= 'nothing' then
  redis.call('HSET', KEYS[1], 'broken', 1)
end
if pending <= 0 then
  redis.call('HDEL', KEYS[1], 'pending', 'pending_until')
  if redis.call('HEXISTS', KEYS[1], 'broken') == 1 then forget() end
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1`;

/** ARGV: how many of the newest. Returns the version, then, where there is a copy to be served, head and messages. */
export const read = `
local version, head, pending = unpack(redis.call('HMGET', KEYS[1], 'version', 'head', 'pending'))
if pending or not head then return { version or '0' } end
return { version, head, unpack(redis.call('LRANGE', KEYS[2], -tonumber(ARGV[1]), -1)) }`;

/**
 * ARGV: version of the look before the record was read, time to live (ms), last seq, head, messages … Puts back what the
 * record gave, unless the copy has changed since. A mark that nobody can settle any more is taken away.
 */
export const fill = `${clock}${forget}
local version, pending, pending_until = unpack(redis.call('HMGET', KEYS[1], 'version', 'pending', 'pending_until'))
if (version or '0') ~= ARGV[1] then return 0 end
if pending and now < tonumber(pending_until or '0') then return 0 end
forget()
redis.call('HDEL', KEYS[1], 'pending', 'pending_until')
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HSET', KEYS[1], 'head', ARGV[4], 'last_seq', ARGV[3])
if #ARGV > 4 then redis.call('RPUSH', KEYS[2], unpack(ARGV, 5)) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1`;

/** ARGV: time to live (ms). For a copy that missed an append while Redis was away. */
export const drop = `${forget}
forget()
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1`;
