-- What every script begins with. ARGV: 1 the prefix of all keys, 2 the mark that the process knows ('' if none yet),
-- 3 one for a namespace that has none. KEYS name what is touched, for the routing of a cluster.
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
