-- An operator's repair: whatever the mark is, it is the right one from here on. ARGV: 4 key, 5 spent.
local known = redis.call('GET', prefix .. 'mark') or ARGV[3]
redis.call('SET', prefix .. 'mark', known)
redis.call('SET', prefix .. 'rebuilt', known)
redis.call('HSET', prefix .. 'c:' .. ARGV[4], 's', ARGV[5])
redis.call('ZADD', prefix .. 'index', 'NX', '+inf', ARGV[4])
return {'DONE', now_us(), known}
