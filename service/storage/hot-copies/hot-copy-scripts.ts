/**
 * What happens to a hot copy, each step at once. A copy is one list, so that it is evicted or expires as a whole:
 *
 *     0  control: a JSON object that these scripts read and write
 *     1  the conversation, with its checksum     ─┐ absent as long as
 *     2… its newest messages, with checksums     ─┘ control.last is
 *
 * control = { format, writers: {token: deadline}, filler?, last, count, bytes, earlier, checked }
 *
 * - A **writer** announces itself before it writes to the record, and finishes after it. While one is announced, the
 *   copy is not served, for it may lack what was just written. A writer that is not back by its deadline never will be:
 *   what it wrote is unknown, and the copy goes.
 * - A **filler** is a reader that found no copy, or an old one, and asks the record. A writer that announces itself takes
 *   its turn away: what it brings may be older than what is written.
 *
 * Conversations and messages pass through as texts: Lua's JSON would change them.
 */
const writerPatience = 30_000; // ms: longer than a call to the record can have an effect

const prelude = `
local key = KEYS[1]
local format = 1
local patience = ${writerPatience}

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function load()
  local raw = redis.pcall('LINDEX', key, 0)
  if not raw then return nil end
  if type(raw) == 'string' then
    local valid, control = pcall(cjson.decode, raw)
    if valid and type(control) == 'table' and control.format == format and type(control.writers) == 'table' then
      return control
    end
  end
  redis.call('UNLINK', key) -- of another release, or damaged
  return nil
end

local function save(control)
  if redis.call('EXISTS', key) == 1 then
    redis.call('LSET', key, 0, cjson.encode(control))
  else
    redis.call('RPUSH', key, cjson.encode(control))
  end
  if not control.last then redis.call('PEXPIRE', key, patience) end
end

-- What is left without the messages: who writes at this moment.
local function stripped(control)
  redis.call('UNLINK', key)
  return { format = format, writers = control and control.writers or {} }
end
`;

/** KEYS: copy. ARGV: token. A writer is about to write to the record. */
export const announce = `${prelude}
local control = load()
-- A copy that ends before the writer's deadline would take the announcement with it.
if not control or (control.last and redis.call('PTTL', key) < patience) then control = stripped(control) end
control.filler = nil
control.writers[ARGV[1]] = now() + patience
save(control)
return 'announced'
`;

/** KEYS: copy. ARGV: token. The writer wrote nothing, or the filler brings nothing. */
export const withdraw = `${prelude}
local control = load()
if not control then return 'absent' end
control.writers[ARGV[1]] = nil
if control.filler == ARGV[1] then control.filler = nil end
if not control.last and not control.filler and not next(control.writers) then
  redis.call('UNLINK', key)
else
  save(control)
end
return 'withdrawn'
`;

/**
 * KEYS: copy. ARGV: token or ''. The writer of that token is back, and the copy does not fit any more. Without a token it
 * is unknown what was written: the announcement stays until its deadline.
 */
export const doubt = `${prelude}
local control = load()
if control then
  control = stripped(control)
  control.writers[ARGV[1]] = nil
  if ARGV[1] == '' or next(control.writers) then save(control) end
end
return 'dropped'
`;

/**
 * KEYS: copy. ARGV: token, checked, ttl, maxCount, maxBytes, last, conversation, new messages … The writer wrote these,
 * and `last` is the record's last seq after them. A copy that they do not fit is dropped.
 */
export const extend = `${prelude}
local token, checked, ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local max_count, max_bytes, last = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local fresh = #ARGV - 7
local control = load()
if not control then return 'absent' end
control.writers[token] = nil
local outcome = 'absent'
if control.last and control.last + fresh == last then
  outcome = 'extended'
  redis.call('LPOP', key, 2)
  for index = 8, #ARGV do
    redis.call('RPUSH', key, ARGV[index])
    control.bytes = control.bytes + #ARGV[index]
  end
  control.count = control.count + fresh
  -- Cut as a page is: the oldest goes when those after it fill one.
  local oldest = redis.call('LINDEX', key, 0)
  while oldest and (control.count > max_count or control.bytes - #oldest >= max_bytes) do
    redis.call('LPOP', key)
    control.bytes = control.bytes - #oldest
    control.count = control.count - 1
    control.earlier = true
    oldest = redis.call('LINDEX', key, 0)
  end
  control.last = last
  control.checked = checked
  redis.call('LPUSH', key, ARGV[7], cjson.encode(control))
  redis.call('PEXPIRE', key, ttl)
elseif control.last and control.last >= last then
  outcome = 'held' -- filled after the write, with what was written
  save(control)
elseif control.last then
  outcome = 'dropped'
  control = stripped(control)
end
if not control.last then
  if next(control.writers) then save(control) else redis.call('UNLINK', key) end
end
return outcome
`;

/** KEYS: copy. ARGV: token, 'keep' or 'drop' what is there. A reader is about to fetch from the record. */
export const claim = `${prelude}
local control = load()
if control then
  local time, doubtful = now(), ARGV[2] == 'drop'
  for writer, deadline in pairs(control.writers) do
    if deadline <= time then
      control.writers[writer] = nil
      doubtful = true
    end
  end
  if doubtful then
    control = stripped(control)
    if next(control.writers) then save(control) end
  end
  if next(control.writers) then return 'busy' end
else
  control = stripped()
end
control.filler = ARGV[1]
save(control)
return 'claimed'
`;

/**
 * KEYS: copy. ARGV: token, ttl, control, conversation, messages … The reader has the copy; refused when others wrote in
 * the meantime. With an empty token: of a conversation that was created just now, and refused when there is one.
 */
export const fill = `${prelude}
local control = load()
if ARGV[1] == '' then
  if control then return 'refused' end
elseif not control or control.filler ~= ARGV[1] then
  return 'refused'
end
redis.call('UNLINK', key)
for index = 3, #ARGV do redis.call('RPUSH', key, ARGV[index]) end
redis.call('PEXPIRE', key, ARGV[2])
return 'filled'
`;

/** KEYS: copy. ARGV: token, ttl, checked, last, conversation. The record says that the copy still fits. */
export const confirm = `${prelude}
local control = load()
if not control or control.filler ~= ARGV[1] or control.last ~= tonumber(ARGV[4]) then return 'refused' end
control.filler = nil
control.checked = tonumber(ARGV[3])
redis.call('LSET', key, 1, ARGV[5])
save(control)
redis.call('PEXPIRE', key, ARGV[2])
return 'confirmed'
`;
