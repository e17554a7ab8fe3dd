-- Let an open reservation live longer. ARGV: 4 id, 5 expires.
local known = mark()
if not known then return {'LOST', now_us()} end
local done = redis.call('ZADD', prefix .. 'open', 'XX', 'CH', ARGV[5], ARGV[4])
local open = redis.call('ZSCORE', prefix .. 'open', ARGV[4])
return {'DONE', now_us(), known, open and '1' or '0', tostring(done)}
