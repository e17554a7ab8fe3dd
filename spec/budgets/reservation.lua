-- Read a reservation as it stands. ARGV: 4 id.
local known = mark()
if not known then return {'LOST', now_us()} end
local found = redis.call('HMGET', prefix .. 'r:' .. ARGV[4], 'state', 'legs', 'amounts', 'charges')
if not found[1] then return {'NONE', now_us(), known} end
return {'DONE', now_us(), known, found[1], found[2], found[3], found[4]}
