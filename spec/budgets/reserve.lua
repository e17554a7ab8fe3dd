-- Reserve on all legs or on none. ARGV: 4 id, 5 now, 6 expires, 7 legs, 8 amounts, 9 charges on expiry, 10 limits.
local known = mark()
if not known then return {'LOST', now_us()} end
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
