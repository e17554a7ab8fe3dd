-- Charge reservations whose time is over. ARGV: 4 now, 5 how many at most, 6 seconds that the records are kept.
local known = mark()
if not known then return {'LOST', now_us()} end
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
