-- Groups

-- Offer a group that nobody holds: to the first owner that waits for it, else to all if it has requests.
local function offer(name, me)
  local first = call('LINDEX', key('w', name), 0)
  if first then
    call('ZREM', key('free'), name)
    wake(first)
  elseif call('EXISTS', key('q', name)) == 1 then
    call('ZADD', key('free'), number_of(call('HGET', key('g', name), 'ready')), name)
    wake_others(me)
  end
end

local function lease(name, me, set)
  local group = key('g', name)
  call('HINCRBY', group, 'epoch', 1)
  call('HSET', group, 'owner', me)
  call('ZREM', key('free'), name)
  call('SADD', key(set, me), name)
end

local function stop_waiting(name, me)
  call('LREM', key('w', name), 0, me)
  call('SREM', key('waits', me), name)
end

-- Add requests that are not known. Return how many there were, and, of those of groups that `me` holds, their places
-- and numbers.
local function add(requests, me)
  local fresh, places, numbers, handlers, held = 0, {}, {}, {}, {}
  local number = number_of(meta('number'))
  for place, request in ipairs(requests) do
    local name = request.group
    if not request.print or call('SADD', key('s', request.shard), request.print) == 1 then
      number = number + 1
      fresh = fresh + 1
      local order = request.tier .. string.format('%010x', number)
      call('ZADD', key('q', name), 0, order .. '0||' .. request.record)
      for _, handler in ipairs(request.handlers) do handlers[handler] = (handlers[handler] or 0) + 1 end
      if held[name] == nil then held[name] = call('HGET', key('g', name), 'owner') end
      if held[name] == me then
        places[#places + 1] = place - 1
        numbers[#numbers + 1] = number
      end
    end
    if held[name] == false and not call('ZSCORE', key('free'), name) then offer(name, me) end
  end
  for name, owner in pairs(held) do
    if owner and owner ~= me and call('SADD', key('grew', owner), name) == 1 then wake(owner) end
  end
  for handler, n in pairs(handlers) do call('HINCRBY', key('handlers'), handler, n) end
  if fresh > 0 then call('HSET', key('meta'), 'number', string.format('%d', number)) end
  return fresh, places, numbers
end
