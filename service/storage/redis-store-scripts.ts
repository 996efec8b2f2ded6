/**
 * Conversations with Redis as their record, each step at once. For one conversation:
 *
 *     head      hash: owner, fixed (JSON: what never changes), ttl (s), last_seq, updated, accessed, expires (ms)
 *     messages  list: "<created in ms>:<JSON>", in the order of seq
 *     names     hash: client_message_id → "<seq>:<created in ms>:<digest of what it says>"
 *
 * and for all of them `expiries`, a sorted set of ids by expiry. None has a time to live in Redis: what has one may be
 * evicted, and this is the record. All keys must be on one server.
 */
const prelude = `
local head, messages, names, expiries = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, caller = ARGV[1], ARGV[2]

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function text(number)
  return string.format('%.0f', number)
end

-- Whether the caller may reach it; takes away what has expired.
local function reaches()
  local found = redis.call('HMGET', head, 'owner', 'expires')
  if not found[1] then return false end
  if tonumber(found[2]) <= now() then
    redis.call('UNLINK', head, messages, names)
    redis.call('ZREM', expiries, id)
    return false
  end
  return caller == 'server' or caller == found[1]
end

local function touch()
  local time = now()
  local expires = time + redis.call('HGET', head, 'ttl') * 1000
  redis.call('HSET', head, 'accessed', text(time), 'expires', text(expires))
  redis.call('ZADD', expiries, text(expires), id)
end

-- status, fixed, last_seq, updated, accessed, expires, expires in ms
local function answer(status)
  local found = redis.call('HMGET', head, 'fixed', 'last_seq', 'updated', 'accessed', 'expires')
  table.insert(found, 1, status)
  table.insert(found, text(found[6] - now()))
  return found
end

-- A run of messages that is no larger than a page: backwards from 'to', or forwards from 'from'.
local function run(from, to, limit, max_bytes, backwards)
  if backwards then from = math.max(from, to - limit + 1) else to = math.min(to, from + limit - 1) end
  local found = from <= to and redis.call('LRANGE', messages, from - 1, to - 1) or {}
  local bytes, kept = 0, {}
  local first, last, step = 1, #found, 1
  if backwards then first, last, step = #found, 1, -1 end
  for index = first, last, step do
    if bytes >= max_bytes then break end
    bytes = bytes + #found[index]
    table.insert(kept, backwards and 1 or #kept + 1, found[index])
  end
  return kept, backwards and to - #kept + 1 or from
end
`;

/** ARGV: id, caller, fixed, ttl. */
export const create = `${prelude}
local time = text(now())
redis.call('HSET', head, 'owner', caller, 'fixed', ARGV[3], 'ttl', ARGV[4], 'last_seq', 0, 'updated', time)
touch()
return answer('created')
`;

/**
 * ARGV: id, caller, expected seq or '', page limit, page bytes, then for each message: name, digest, JSON.
 * Returns 'not_found' | 'reused', name, seq | 'conflict', last_seq, first seq, messages …
 *   | answer('appended'), then for each message: seq, created, 'duplicate' or 'new'.
 */
export const append = `${prelude}
if not reaches() then return { 'not_found' } end
local last = tonumber(redis.call('HGET', head, 'last_seq'))
local there, fresh = {}, 0
for index = 6, #ARGV, 3 do
  local known = redis.call('HGET', names, ARGV[index])
  if known then
    local seq, created, digest = string.match(known, '^(%d+):(%d+):(.*)$')
    if digest ~= ARGV[index + 1] then return { 'reused', ARGV[index], seq } end
    there[index] = { seq, created, 'duplicate' }
  else
    fresh = fresh + 1
  end
end
if fresh > 0 and ARGV[3] ~= '' and tonumber(ARGV[3]) ~= last then
  local missed, first = run(tonumber(ARGV[3]) + 1, last, tonumber(ARGV[4]), tonumber(ARGV[5]), false)
  return { 'conflict', text(last), text(first), unpack(missed) }
end
for index = 6, #ARGV, 3 do
  if not there[index] then
    local time = text(now())
    last = last + 1
    redis.call('RPUSH', messages, time .. ':' .. ARGV[index + 2])
    redis.call('HSET', names, ARGV[index], text(last) .. ':' .. time .. ':' .. ARGV[index + 1])
    there[index] = { text(last), time, 'new' }
  end
end
if fresh > 0 then redis.call('HSET', head, 'last_seq', text(last), 'updated', text(now())) end
touch()
local result = answer('appended')
for index = 6, #ARGV, 3 do
  for _, value in ipairs(there[index]) do table.insert(result, value) end
end
return result
`;

/** ARGV: id, caller, limit, page bytes, before or '', after or ''. Returns 'not_found' | answer('found'), first seq, messages … */
export const read = `${prelude}
if not reaches() then return { 'not_found' } end
touch()
local result = answer('found')
local last = tonumber(result[3])
local limit, max_bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local kept, first
if ARGV[6] ~= '' then
  kept, first = run(tonumber(ARGV[6]) + 1, last, limit, max_bytes, false)
else
  local to = last
  if ARGV[5] ~= '' then to = math.min(last, tonumber(ARGV[5]) - 1) end
  kept, first = run(1, to, limit, max_bytes, true)
end
table.insert(result, text(first))
for _, value in ipairs(kept) do table.insert(result, value) end
return result
`;

/** ARGV: id, 'server'. Takes it away if it has expired. */
export const expire = `${prelude}
reaches()
return 'looked'
`;
