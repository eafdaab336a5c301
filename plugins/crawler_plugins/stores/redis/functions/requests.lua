-- Requests, cookies and states

local function read_row(name, order)
  return call('ZRANGEBYLEX', key('q', name), '[' .. order, '(' .. order .. '\255', 'LIMIT', 0, 1)[1]
end

local function read_after(name, after, n)
  local first = after == '' and '-' or '(' .. after .. '\255'
  return call('ZRANGEBYLEX', key('q', name), first, '+', 'LIMIT', 0, n)
end

local function save_states(me, states)
  if #states == 0 then return end
  local version = call('HINCRBY', key('meta'), 'state_version', 1)
  local writer = meta('writer')
  if writer and writer ~= me then call('HSET', key('meta'), 'other_version', meta('writer_version')) end
  call('HSET', key('meta'), 'writer', me, 'writer_version', version)
  for _, state in ipairs(states) do
    if state[2] == cjson.null then call('HDEL', key('state'), state[1])
    else call('HSET', key('state'), state[1], state[2]) end
  end
  tell(me, 'states', cjson.encode(states))
end

-- The version of the last change of a state by another owner.
local function version_of_others(me)
  if meta('writer') == me then return number_of(meta('other_version')) end
  return number_of(meta('writer_version'))
end

-- Write items of a page to the log. The first one is number `first` of the page.
local function write_items(me, outcome, items, first)
  for i, item in ipairs(items) do
    local number = call('HINCRBY', key('o', me), 'logged', 1)
    call('XADD', key('i', me), string.format('%d-0', number), 'key', outcome.prefix .. (first + i - 1),
      'page', outcome.url, 'type', item[1], 'data', item[2], 'sinks', '[]')
  end
end

local function observe(me, o)
  for _, cookie in ipairs(o.cookies) do
    if cookie[2] == cjson.null then call('HDEL', key('cookies'), cookie[1])
    else call('HSET', key('cookies'), cookie[1], cookie[2]) end
  end
  if #o.cookies > 0 then tell(me, 'cookies', cjson.encode(o.cookies)) end
  for _, budget in ipairs(o.budgets) do
    if call('HGET', key('g', budget[1]), 'owner') == me then call('HSET', key('g', budget[1]), 'state', budget[2]) end
  end
  for _, answer in ipairs(o.robots) do call('HSET', key('robots'), answer[1], answer[2]) end
  for _, note in ipairs(o.notes) do
    call('HSET', key('meta'), 'note:' .. note[1], note[2])
    tell(me, note[1], note[2])
  end
  save_states(me, o.states)
  if o.exhausted then call('HSET', key('meta'), 'exhausted', 1) end
end

local function count(me, stats)
  call('HSET', key('stats'), me, stats.json)
  for _, name in ipairs({'pages', 'items', 'failed'}) do
    local before = number_of(call('HGET', key('o', me), name))
    call('HINCRBY', key('meta'), name, stats[name] - before)
    call('HSET', key('o', me), name, stats[name])
  end
end

local function settle(me, outcome)
  local name = outcome.group
  local group = call('HMGET', key('g', name), 'owner', 'epoch')
  if group[1] ~= me or group[2] ~= outcome.epoch then return FENCED end
  local row = read_row(name, outcome.order)
  if not row then return DUP end
  if #outcome.states > 0 and version_of_others(me) > (outcome.version or 0) then return CONFLICT end
  call('ZREM', key('q', name), row)
  if outcome.retry then
    local request = string.match(row, '^[^|]*|[^|]*|(.*)$')
    call('ZADD', key('q', name), 0, table.concat({outcome.order .. (outcome.attempts or 0), outcome.not_before, request}, '|'))
    return OK
  end
  for _, handler in ipairs(outcome.handlers) do
    if call('HINCRBY', key('handlers'), handler, -1) <= 0 then call('HDEL', key('handlers'), handler) end
  end
  if outcome.failure then
    call('XADD', key('failed'), '*', 'row', outcome.failure, 'request', cjson.encode(outcome.again))
    call('HINCRBY', key('reasons'), outcome.reason, 1)
  end
  if outcome.digest and call('SADD', key('content'), outcome.digest) == 0 then return SAME_CONTENT end
  return OK
end

-- Commit the effects of one page. Return the numbers of its new and its known requests.
local function apply(me, outcome, index, fresh, grew)
  local added, repeats, written = 0, 0, 0
  if outcome.stage then
    local stage, first = key('st', me, outcome.stage), 0
    repeat
      local rows, items, requests = call('LRANGE', stage, first, first + ROWS_AT_ONCE - 1), {}, {}
      for _, row in ipairs(rows) do
        local effect = cjson.decode(row)
        if effect.record then requests[#requests + 1] = run_of(effect) else items[#items + 1] = effect end
      end
      write_items(me, outcome, items, written)
      written = written + #items
      local n, places = add(requests, me)
      for _, place in ipairs(places) do grew[requests[place + 1][1]] = true end
      added, repeats, first = added + n, repeats + #requests - n, first + #rows
    until #rows < ROWS_AT_ONCE
  end
  local n, places, numbers, all = add(outcome.requests, me)
  for i, place in ipairs(places) do fresh[#fresh + 1] = {index - 1, place, numbers[i]} end
  write_items(me, outcome, outcome.items, written)
  return added + n, repeats + all - n
end
