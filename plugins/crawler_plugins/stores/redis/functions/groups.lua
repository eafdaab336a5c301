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

-- Add requests that are not known. They come in runs: group, tier, handlers, and a record, a shard and a print for each.
-- Return how many were new; of those in groups that `me` holds, their places and numbers; and how many there were.
local function add(runs, me)
  local fresh, places, numbers, handlers, held, place = 0, {}, {}, {}, {}, 0
  local number = number_of(meta('number'))
  for _, run in ipairs(runs) do
    local name, tier, rows, new = run[1], run[2], run[4], {}
    local owner = held[name]
    for i = 1, #rows, 3 do
      if rows[i + 2] == '' or call('SADD', key('s', rows[i + 1]), rows[i + 2]) == 1 then
        number = number + 1
        new[#new + 1] = 0
        new[#new + 1] = tier .. string.format('%010x', number) .. '0||' .. rows[i]
        if owner == nil then owner = call('HGET', key('g', name), 'owner') end
        if owner == me then
          places[#places + 1] = place
          numbers[#numbers + 1] = number
        end
      end
      place = place + 1
    end
    if #new > 0 then
      held[name] = owner
      for i = 1, #new, ROWS_AT_ONCE do
        call('ZADD', key('q', name), unpack(new, i, math.min(i + ROWS_AT_ONCE - 1, #new)))
      end
      for _, handler in ipairs(run[3]) do handlers[handler] = (handlers[handler] or 0) + #new / 2 end
      fresh = fresh + #new / 2
      if not owner and not call('ZSCORE', key('free'), name) then offer(name, me) end
    end
  end
  for name, owner in pairs(held) do
    if owner and owner ~= me and call('SADD', key('grew', owner), name) == 1 then wake(owner) end
  end
  for handler, n in pairs(handlers) do call('HINCRBY', key('handlers'), handler, n) end
  if fresh > 0 then call('HSET', key('meta'), 'number', string.format('%d', number)) end
  return fresh, places, numbers, place
end

-- A request that was kept, as a run of one.
local function run_of(kept)
  return {kept.group, kept.tier, kept.handlers, {kept.record, kept.shard or '', kept.print or ''}}
end
