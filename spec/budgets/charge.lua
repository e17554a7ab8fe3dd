-- Charge what was spent without a reservation, once for each id; an id that is known in any state is left as it is.
-- The answer ends with what is used of each leg after it.
-- ARGV: 4 id, 5 legs, 6 actuals, 7 seconds that the record is kept.
local known = mark()
if not known then return {'LOST', now_us()} end
local record = prefix .. 'r:' .. ARGV[4]
local found = redis.call('HMGET', record, 'state', 'charges')
local legs, crossings, after = cjson.decode(ARGV[5]), {}, {}
if not found[1] then charge(legs, words(ARGV[6]), nil, crossings) end
for place, leg in ipairs(legs) do after[place] = string.format('%.0f', used(leg[1], leg[4])) end
after = table.concat(after, ' ')
if found[1] then return {'DONE', now_us(), known, found[1], 'repeated', found[2], after} end
redis.call('HSET', record, 'state', '1', 'legs', ARGV[5], 'amounts', ARGV[6], 'charges', ARGV[6])
redis.call('EXPIRE', record, ARGV[7])
return {'DONE', now_us(), known, '1', 'unknown', ARGV[6], after, unpack(crossings)}
