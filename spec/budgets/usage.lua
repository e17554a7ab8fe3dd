-- Read counters. ARGV: 4 and on, keys of counters; none stands for all.
local known = mark()
if not known then return {'LOST', now_us()} end
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
