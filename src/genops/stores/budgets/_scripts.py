"""The Lua scripts of the Redis store: one per operation, each run by the server at once or not at all.

All keys of a namespace share one hash tag, so they live on one node of a cluster. A counter is a hash (s: spent,
r: reserved, m: alert mask), a reservation is a hash, `open` has the open reservations by expiry, `index` the counters
by how long they are kept. Amounts travel as decimal strings and are added by HINCRBY, which is exact; Lua compares
them as doubles, which are exact below 2^53, and no budget is larger.

`mark` tells whether this is still the data that the process knows: a server that lost it answers LOST.
"""

from __future__ import annotations

__all__ = ["ADJUST", "EXPIRE", "EXTEND", "RESERVE", "SETTLE", "USAGE"]

# ARGV: 1 the prefix of all keys, 2 the mark the process knows ('' if none yet), 3 one for a namespace that has none.
_COMMON = """
local prefix = ARGV[1]
local function now_us()
  local time = redis.call('TIME')
  return time[1] .. string.format('%06d', time[2])
end
local function mark()
  local found = redis.call('GET', prefix .. 'mark')
  if found then
    if ARGV[2] == '' or ARGV[2] == found then return found end
    local rebuilt = redis.call('GET', prefix .. 'rebuilt')
    if rebuilt == found then return found end
    return nil
  end
  if ARGV[2] ~= '' then return nil end
  redis.call('SET', prefix .. 'mark', ARGV[3])
  return ARGV[3]
end
local function used(key, also)
  local found = redis.call('HMGET', prefix .. 'c:' .. key, 's', 'r')
  local sum = tonumber(found[1] or '0') + tonumber(found[2] or '0')
  for _, older in ipairs(also) do
    found = redis.call('HMGET', prefix .. 'c:' .. older, 's', 'r')
    sum = sum + tonumber(found[1] or '0') + tonumber(found[2] or '0')
  end
  return sum
end
local function negative(text)
  if text == '0' then return '0' end
  if string.sub(text, 1, 1) == '-' then return string.sub(text, 2) end
  return '-' .. text
end
local function keep(key, till)
  local first = redis.call('ZADD', prefix .. 'index', 'NX', till == 0 and '+inf' or till, key) == 1
  if first and till > 0 then redis.call('EXPIREAT', prefix .. 'c:' .. key, till) end
end
local function words(text)
  local found = {}
  for word in string.gmatch(text, '%S+') do found[#found + 1] = word end
  return found
end
local function charge(legs, more, less, crossings)
  for place, leg in ipairs(legs) do
    local name = prefix .. 'c:' .. leg[1]
    redis.call('HINCRBY', name, 's', more[place])
    if less then redis.call('HINCRBY', name, 'r', negative(less[place])) end
    keep(leg[1], leg[5])
    if #leg[3] > 0 then
      local found = redis.call('HMGET', name, 's', 'm')
      local spent, masks = tonumber(found[1]), {found[2] or ''}
      for _, older in ipairs(leg[4]) do
        found = redis.call('HMGET', prefix .. 'c:' .. older, 's', 'm')
        spent = spent + tonumber(found[1] or '0')
        masks[#masks + 1] = found[2] or ''
      end
      local mask = table.concat(masks)
      for which, threshold in ipairs(leg[3]) do
        local bit = '<' .. which .. '>'
        if spent >= tonumber(threshold) and not string.find(mask, bit, 1, true) then
          redis.call('HSET', name, 'm', (redis.call('HGET', name, 'm') or '') .. bit)
          crossings[#crossings + 1] = leg[1]
          crossings[#crossings + 1] = tostring(which - 1)
          crossings[#crossings + 1] = string.format('%.0f', spent)
        end
      end
    end
  end
end
local known = mark()
if not known then return {'LOST', now_us()} end
"""

# ARGV: 4 id, 5 now, 6 expires, 7 legs, 8 amounts, 9 charges, 10 limits. KEYS are for the cluster's routing.
RESERVE = (
    _COMMON
    + """
local id, legs, amounts, limits = ARGV[4], cjson.decode(ARGV[7]), words(ARGV[8]), words(ARGV[10])
local record = prefix .. 'r:' .. id
local found = redis.call('HMGET', record, 'state', 'charges')
local repeated = found[1] == '0'
if found[1] and not repeated then return {'ENDED', now_us(), known, found[1], found[2]} end
local tightest, remaining, least, over = 0, 0, math.huge, {}
for place, leg in ipairs(legs) do
  local amount, limit = tonumber(amounts[place]), tonumber(string.sub(limits[place], 2))
  if repeated then amount = 0 end
  local sum = used(leg[1], leg[4])
  local left = limit - sum - amount
  if left < 0 and amount > 0 then
    if string.sub(limits[place], 1, 1) == 'h' then
      return {'REFUSED', now_us(), known, tostring(place - 1), string.format('%.0f', sum)}
    end
    over[#over + 1] = tostring(place - 1)
  end
  local share = left / (limit == 0 and 1 or limit)
  if share < least then tightest, remaining, least = place - 1, left, share end
end
if not repeated then
  for place, leg in ipairs(legs) do
    redis.call('HINCRBY', prefix .. 'c:' .. leg[1], 'r', amounts[place])
    keep(leg[1], leg[5])
  end
  redis.call('HSET', record, 'state', '0', 'legs', ARGV[7], 'amounts', ARGV[8], 'charges', ARGV[9])
  redis.call('ZADD', prefix .. 'open', ARGV[6], id)
end
return {'GRANTED', now_us(), known, tostring(tightest), string.format('%.0f', remaining),
  table.concat(over, ' '), repeated and '1' or '0'}
"""
)

# ARGV: 4 id, 5 legs, 6 actuals, 7 state, 8 seconds that the record is kept
SETTLE = (
    _COMMON
    + """
local id, actuals = ARGV[4], words(ARGV[6])
local record = prefix .. 'r:' .. id
local found = redis.call('HMGET', record, 'state', 'legs', 'amounts', 'charges')
local crossings, how = {}, 'open'
if not found[1] then
  how = 'unknown'
  charge(cjson.decode(ARGV[5]), actuals, nil, crossings)
  redis.call('HSET', record, 'legs', ARGV[5], 'amounts', ARGV[6])
elseif found[1] == '0' then
  charge(cjson.decode(found[2]), actuals, words(found[3]), crossings)
elseif found[1] == '3' then
  how = 'late'
  local more, charged = {}, words(found[4])
  for place, actual in ipairs(actuals) do
    more[place] = string.format('%.0f', tonumber(actual) - tonumber(charged[place]))
  end
  charge(cjson.decode(found[2]), more, nil, crossings)
elseif found[4] ~= ARGV[6] then
  return {'ENDED', now_us(), known, found[1], found[4]}
else
  return {'DONE', now_us(), known, found[1], 'repeated', found[4]}
end
redis.call('HSET', record, 'state', ARGV[7], 'charges', ARGV[6])
redis.call('EXPIRE', record, ARGV[8])
redis.call('ZREM', prefix .. 'open', id)
return {'DONE', now_us(), known, ARGV[7], how, ARGV[6], unpack(crossings)}
"""
)

# ARGV: 4 id, 5 expires
EXTEND = (
    _COMMON
    + """
local done = redis.call('ZADD', prefix .. 'open', 'XX', 'CH', ARGV[5], ARGV[4])
local open = redis.call('ZSCORE', prefix .. 'open', ARGV[4])
return {'DONE', now_us(), known, open and '1' or '0', tostring(done)}
"""
)

# ARGV: 4 now, 5 how many at most, 6 seconds that the records are kept
EXPIRE = (
    _COMMON
    + """
local answer = {'DONE', now_us(), known}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'open', '-inf', ARGV[4], 'LIMIT', 0, ARGV[5])) do
  local record = prefix .. 'r:' .. id
  local found = redis.call('HMGET', record, 'state', 'legs', 'amounts', 'charges')
  redis.call('ZREM', prefix .. 'open', id)
  if found[1] == '0' then
    local crossings = {}
    charge(cjson.decode(found[2]), words(found[4]), words(found[3]), crossings)
    redis.call('HSET', record, 'state', '3')
    redis.call('EXPIRE', record, ARGV[6])
    answer[#answer + 1] = id
    answer[#answer + 1] = found[4]
    answer[#answer + 1] = tostring(#crossings)
    for _, part in ipairs(crossings) do answer[#answer + 1] = part end
  end
end
redis.call('ZREMRANGEBYSCORE', prefix .. 'index', '-inf', '(' .. ARGV[4])
return answer
"""
)

# ARGV: 4 and on: keys of counters; none stands for all
USAGE = (
    _COMMON
    + """
local names, answer = {}, {'DONE', now_us(), known}
for place = 4, #ARGV do names[#names + 1] = ARGV[place] end
if #names == 0 then names = redis.call('ZRANGE', prefix .. 'index', 0, -1) end
for _, name in ipairs(names) do
  local found = redis.call('HMGET', prefix .. 'c:' .. name, 's', 'r')
  answer[#answer + 1] = name
  answer[#answer + 1] = found[1] or '0'
  answer[#answer + 1] = found[2] or '0'
end
return answer
"""
)

# ARGV: 4 key, 5 spent. An operator's repair: whatever the mark is, it is the right one from here on.
ADJUST = (
    _COMMON.replace("local known = mark()", "local known = redis.call('GET', prefix .. 'mark') or ARGV[3]")
    + """
redis.call('SET', prefix .. 'mark', known)
redis.call('SET', prefix .. 'rebuilt', known)
redis.call('HSET', prefix .. 'c:' .. ARGV[4], 's', ARGV[5])
redis.call('ZADD', prefix .. 'index', 'NX', '+inf', ARGV[4])
return {'DONE', now_us(), known}
"""
)
