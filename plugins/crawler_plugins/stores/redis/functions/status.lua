-- The number of groups with requests that an owner may hold.
local function share_of_each()
  local owners, all = call('ZRANGE', key('owners'), 0, -1), call('ZCARD', key('free'))
  for _, owner in ipairs(owners) do all = all + call('SCARD', key('h', owner)) end
  return math.max(1, math.ceil(all / math.max(1, #owners))), owners
end

-- What each answer says about the job: live, exhausted, behind, unclaimed, pages, items and failed of the others, logged,
-- the version of the states, the round of the job, and the news since the entry of the stream that the owner has named.
local function status(me, seen)
  local values = call('HMGET', key('meta'),
    'live', 'exhausted', 'pages', 'items', 'failed', 'state_version', 'round', 'unsure_until')
  local own = call('HMGET', key('o', me), 'pages', 'items', 'failed', 'logged')
  local behind = 0
  if number_of(values[1]) == 0 then  -- else nobody asks
    for _, owner in ipairs(call('ZRANGE', key('owners'), 0, -1)) do
      if tonumber(owner) < tonumber(me) then behind = behind + behind_of(owner) end
    end
    for _, owner in ipairs(call('SMEMBERS', key('left'))) do behind = behind + behind_of(owner) end
  end
  local at = now()
  local free = call('ZCOUNT', key('free'), '-inf', text(at))
  if free > 0 and (call('SCARD', key('h', me)) >= share_of_each() or is_unsure(me, at, values[8])) then free = 0 end
  local news = {}
  local last = seen
  for _, entry in ipairs(call('XRANGE', key('news'), '(' .. seen, '+')) do
    last = entry[1]
    if entry[2][2] ~= me then news[#news + 1] = {entry[2][4], entry[2][6]} end
  end
  return {
    number_of(values[1]), values[2] and 1 or 0, behind, free,
    number_of(values[3]) - number_of(own[1]), number_of(values[4]) - number_of(own[2]),
    number_of(values[5]) - number_of(own[3]), number_of(own[4]), number_of(values[6]), number_of(values[7]), last,
    news,
  }
end

local function tell(me, kind, value)
  call('XADD', key('news'), '*', 'owner', me, 'kind', kind, 'value', value)
  wake_others(me)
end

-- Call `act` once for each number, and give a repeated call the answer of the first one. An owner whose acknowledged calls
-- the server has lost in a crash gets this as its answer: what it believes to be settled is not, so it has to leave. Until then, or until the end of its lease, it may ask its hosts, so they do not come free.
local function once(a, kind, act)
  local record = key('o', a.me)
  if number_of(call('HGET', record, 'last')) < a.acknowledged then return {'lost'} end
  if call('HGET', record, 'call:' .. kind) == a.call then
    call('HSET', record, 'last', a.call)  -- a write: WAIT waits for those of its own connection, which may be a new one
    return cmsgpack.unpack(call('HGET', record, 'answer:' .. kind))
  end
  local answer = act()
  call('HSET', record, 'last', a.call, 'call:' .. kind, a.call, 'answer:' .. kind, cmsgpack.pack(answer))
  return answer
end

-- Make a function callable. An owner of a job that is gone must not become an owner of the one that has its place now.
local function register(name, act)
  redis.register_function('crawler_job_6_' .. name, function(keys, argv)
    P = keys[1]
    local a = cjson.decode(argv[1])
    if a.job and meta('name') ~= a.job then return {'gone'} end
    return act(a)
  end)
end
