-- Charge actuals in place of what is reserved. ARGV: 4 id, 5 legs, 6 actuals, 7 state, 8 seconds that the record is kept.
local known = mark()
if not known then return {'LOST', now_us()} end
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
