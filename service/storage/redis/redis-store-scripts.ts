/**
 * Conversations with Redis as their record, each step at once. For one conversation:
 *
 *     head      hash: the fields of `answer` below, and its ttl (s); '' for what there is not
 *     messages  list: "<created in ms>:<JSON>", in the order of seq, those behind cleared_seq
 *     names     hash: client_message_id → "<seq>:<created in ms>:<digest of what it says>"
 *
 * and for all of them
 *
 *     all, of:<owner>  sorted sets: ids by when they were created
 *     expiries         sorted set: ids by expiry, without the deleted
 *     deletions        sorted set: ids by when they were deleted
 *     continuations    hash: continuation id → id
 *
 * None has a time to live in Redis: what has one may be evicted, and this is the record. All keys must be on one server.
 * Owners and callers are "server" or "user:<id>". Every script gets as ARGV: id, caller, and what it says below.
 */
const prelude = `
local root = 'conversation-kit:record:'
local expiries, deletions, continuations = root .. 'expiries', root .. 'deletions', root .. 'continuations'
local id, caller = ARGV[1], ARGV[2]

local function keys_of(of)
  local head = root .. '{' .. of .. '}'
  return head, head .. ':messages', head .. ':names'
end
local head, messages, names = keys_of(id)

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function text(number)
  return string.format('%.0f', number)
end

local function ended(expires, deleted)
  return deleted ~= '' or (expires ~= '' and tonumber(expires) <= now())
end

-- Whether the caller may reach it, and it has not ended.
local function reaches()
  local found = redis.call('HMGET', head, 'owner', 'expires', 'deleted')
  return found[1] and (caller == 'server' or caller == found[1]) and not ended(found[2], found[3])
end

local function touch()
  local time, ttl = now(), redis.call('HGET', head, 'ttl')
  local expires = ttl == '' and '' or text(time + ttl * 1000)
  redis.call('HSET', head, 'accessed', text(time), 'expires', expires)
  if expires == '' then redis.call('ZREM', expiries, id) else redis.call('ZADD', expiries, expires, id) end
end

local function has_changed()
  redis.call('HSET', head, 'updated', text(now()))
  touch()
end

-- status, and 14 texts
local function answer(status, of)
  local found = redis.call('HMGET', (keys_of(of or id)), 'id', 'owner', 'continuation', 'title', 'metadata', 'last_seq',
    'cleared_seq', 'forked', 'created', 'updated', 'accessed', 'expires', 'deleted')
  table.insert(found, 1, status)
  table.insert(found, found[13] == '' and '' or text(found[13] - now()))
  return found
end

local function last_and_cleared()
  local found = redis.call('HMGET', head, 'last_seq', 'cleared_seq')
  return tonumber(found[1]), tonumber(found[2])
end

-- given: continuation id, created (ms), title, metadata (JSON), ttl
local function begin(owner, given, forked)
  local time = text(now())
  redis.call('HSET', head, 'id', id, 'owner', owner, 'continuation', given[1], 'title', given[3], 'metadata', given[4],
    'last_seq', 0, 'cleared_seq', 0, 'forked', forked, 'created', given[2], 'updated', time, 'deleted', '', 'ttl', given[5])
  redis.call('ZADD', root .. 'all', given[2], id)
  redis.call('ZADD', root .. 'of:' .. owner, given[2], id)
  redis.call('HSET', continuations, given[1], id)
  touch()
end

local function remove(of)
  local its_head, its_messages, its_names = keys_of(of)
  local found = redis.call('HMGET', its_head, 'owner', 'continuation')
  redis.call('UNLINK', its_head, its_messages, its_names)
  redis.call('ZREM', root .. 'all', of)
  redis.call('ZREM', expiries, of)
  redis.call('ZREM', deletions, of)
  if found[1] then
    redis.call('ZREM', root .. 'of:' .. found[1], of)
    redis.call('HDEL', continuations, found[2])
  end
end

-- A run of messages that is no larger than a page: backwards from 'to', or forwards from 'from'.
local function run(from, to, limit, max_bytes, backwards)
  local _, cleared = last_and_cleared()
  from = math.max(from, cleared + 1)
  if backwards then from = math.max(from, to - limit + 1) else to = math.min(to, from + limit - 1) end
  local found = from <= to and redis.call('LRANGE', messages, from - cleared - 1, to - cleared - 1) or {}
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

/** ARGV: continuation id, created, title, metadata, ttl. Returns answer('created' | 'there') | 'ended'. */
export const create = `${prelude}
if redis.call('EXISTS', head) == 0 then
  begin(caller, { ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7] }, '')
  return answer('created')
end
if not reaches() then return { 'ended' } end
touch()
return answer('there')
`;

/** ARGV: as create (its id is for a new one), then the continuation id in question or ''. Returns answer('continued' | why not). */
export const continueOrCreate = `${prelude}
local reason, asked = 'none', ARGV[8]
if asked ~= '' then
  local fresh, found = id, redis.call('HGET', continuations, asked)
  reason = 'unknown'
  if found then
    id = found
    head, messages, names = keys_of(id)
    if reaches() then
      touch()
      return answer('continued')
    end
    local known = redis.call('HMGET', head, 'owner', 'deleted')
    if known[2] == '' and (caller == 'server' or caller == known[1]) then reason = 'expired' end
    id = fresh
    head, messages, names = keys_of(id)
  end
end
begin(caller, { ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7] }, '')
return answer(reason)
`;

/** ARGV: owner, how many, created of the last one or '+inf', its id or ''. Returns 'listed', then 14 texts for each. */
export const list = `${prelude}
local result, limit, behind, last = { 'listed' }, tonumber(ARGV[4]), ARGV[5], ARGV[6]
local count, offset, step = 0, 0, 100
while count < limit do
  local found = redis.call('ZREVRANGEBYSCORE', root .. 'of:' .. ARGV[3], behind, '-inf', 'WITHSCORES', 'LIMIT', offset, step)
  for index = 1, #found, 2 do
    local each = found[index]
    if count < limit and (last == '' or tonumber(found[index + 1]) < tonumber(behind) or each < last) then
      local values = answer('', each)
      if not ended(values[13], values[14]) then
        count = count + 1
        for value = 2, #values do table.insert(result, values[value]) end
      end
    end
  end
  if #found < step * 2 then break end
  offset = offset + step
end
return result
`;

/** ARGV: title or '', metadata or ''. Returns 'not_found' | answer('updated'). */
export const update = `${prelude}
if not reaches() then return { 'not_found' } end
if ARGV[3] ~= '' then redis.call('HSET', head, 'title', ARGV[3]) end
if ARGV[4] ~= '' then redis.call('HSET', head, 'metadata', ARGV[4]) end
has_changed()
return answer('updated')
`;

/** Returns 'not_found' | answer('cleared'). */
export const clear = `${prelude}
if not reaches() then return { 'not_found' } end
redis.call('UNLINK', messages, names)
redis.call('HSET', head, 'cleared_seq', redis.call('HGET', head, 'last_seq'))
has_changed()
return answer('cleared')
`;

/** ARGV: ttl (s), or '' for good. Returns 'not_found' | answer('extended'). */
export const extend = `${prelude}
if not reaches() then return { 'not_found' } end
local ttl = redis.call('HGET', head, 'ttl')
if ARGV[3] == '' or (ttl ~= '' and tonumber(ARGV[3]) > tonumber(ttl)) then redis.call('HSET', head, 'ttl', ARGV[3]) end
touch()
return answer('extended')
`;

/** ARGV: id of the fork, its continuation id, created, title or '', up to which seq or ''. Returns 'not_found' | 'conflict', last_seq | answer('forked'). */
export const fork = `${prelude}
if not reaches() then return { 'not_found' } end
local last, cleared = last_and_cleared()
local up_to = ARGV[7] == '' and last or tonumber(ARGV[7])
if up_to > last then return { 'conflict', text(last) } end
local source = redis.call('HMGET', head, 'owner', 'title', 'metadata', 'ttl')
local from_id, from_messages, from_names = id, messages, names
id = ARGV[3]
head, messages, names = keys_of(id)
local title = ARGV[6] == '' and source[2] or ARGV[6]
begin(source[1], { ARGV[4], ARGV[5], title, source[3], source[4] }, from_id .. ':' .. text(up_to))
local count = math.max(up_to - cleared, 0)
for first = 0, count - 1, 1000 do
  redis.call('RPUSH', messages, unpack(redis.call('LRANGE', from_messages, first, math.min(first + 1000, count) - 1)))
end
local known = redis.call('HGETALL', from_names)
for index = 1, #known, 2 do
  local seq, rest = string.match(known[index + 1], '^(%d+)(:.*)$')
  if tonumber(seq) <= up_to then redis.call('HSET', names, known[index], text(seq - cleared) .. rest) end
end
redis.call('HSET', head, 'last_seq', text(count))
return answer('forked')
`;

/** Returns 'not_found' | answer('deleted'). */
export const remove = `${prelude}
if not reaches() then return { 'not_found' } end
local time = text(now())
redis.call('HSET', head, 'deleted', time)
redis.call('ZREM', expiries, id)
redis.call('ZADD', deletions, time, id)
return answer('deleted')
`;

/** ARGV: within which time (ms). Returns 'not_found' | answer('undeleted'). */
export const undelete = `${prelude}
local found = redis.call('HMGET', head, 'owner', 'deleted')
local mine = found[1] and (caller == 'server' or caller == found[1])
if mine and found[2] ~= '' and now() - found[2] < tonumber(ARGV[3]) then
  redis.call('HSET', head, 'deleted', '')
  redis.call('ZREM', deletions, id)
elseif not reaches() then
  return { 'not_found' }
end
touch()
return answer('undeleted')
`;

/** Returns 'counted', conversations, messages, expired conversations: the caller's own, or all for the server. */
export const stats = `${prelude}
local conversations, total, expired = 0, 0, 0
for _, each in ipairs(redis.call('ZRANGE', caller == 'server' and root .. 'all' or root .. 'of:' .. caller, 0, -1)) do
  local found = redis.call('HMGET', (keys_of(each)), 'expires', 'deleted', 'last_seq', 'cleared_seq')
  if not ended(found[1], found[2]) then
    conversations = conversations + 1
    total = total + found[3] - found[4]
  elseif found[2] == '' then
    expired = expired + 1
  end
end
return { 'counted', text(conversations), text(total), text(expired) }
`;

/** ARGV: how many at most, expired since (ms), deleted since (ms). Returns 'cleaned', how many had expired, ids … */
export const cleanUp = `${prelude}
local limit = tonumber(ARGV[3])
local removed = redis.call('ZRANGEBYSCORE', expiries, '-inf', text(now() - ARGV[4]), 'LIMIT', 0, limit)
local expired = #removed
local deleted = redis.call('ZRANGEBYSCORE', deletions, '-inf', text(now() - ARGV[5]), 'LIMIT', 0, limit - expired)
for _, each in ipairs(deleted) do table.insert(removed, each) end
for _, each in ipairs(removed) do remove(each) end
return { 'cleaned', text(expired), unpack(removed) }
`;

/** ARGV: owner, how many at most. Returns 'erased', how many. */
export const erase = `${prelude}
local found = redis.call('ZRANGE', root .. 'of:' .. ARGV[3], 0, ARGV[4] - 1)
for _, each in ipairs(found) do remove(each) end
return { 'erased', text(#found) }
`;

/**
 * ARGV: expected seq or '', page limit, page bytes, then for each message: name, digest, JSON.
 * Returns 'not_found' | 'reused', name, seq | 'conflict', last_seq, first seq, messages …
 *   | answer('appended'), then for each message: seq, created, 'duplicate' or 'new'.
 */
export const append = `${prelude}
if not reaches() then return { 'not_found' } end
local last = last_and_cleared()
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

/** ARGV: limit, page bytes, before or '', after or ''. Returns 'not_found' | answer('found'), first seq, messages … */
export const read = `${prelude}
if not reaches() then return { 'not_found' } end
touch()
local result = answer('found')
local last = last_and_cleared()
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
