-- Owners

-- Note that an owner holds what this server says, or nothing.
local function confirm(owner)
  if call('SREM', key('unsure'), owner) == 1 and call('EXISTS', key('unsure')) == 0 then wake_others(owner) end
end

-- Return whether owners may hold groups that seem free. If the calls of an owner outlive a server (`kept`), this one knows
-- all owners, and it suffices that each has been heard of.
local function is_unsure(me, at, unsure_until)
  if number_of(unsure_until) <= at then return false end
  return call('EXISTS', key('unsure')) == 1 or call('HGET', key('o', me), 'kept') ~= '1'
end

-- Put the rows of a log that some of its sinks have not stored into the log of another owner.
local function hand_over(from, to)
  local cursors = call('HGETALL', key('c', from))
  local next_row = '-'
  repeat
    local rows = call('XRANGE', key('i', from), next_row, '+', 'COUNT', ROWS_AT_ONCE)
    for _, row in ipairs(rows) do
      local number = tonumber(string.match(row[1], '^(%d+)')) - 1
      local only = {}
      for i = 1, #cursors, 2 do
        if tonumber(cursors[i + 1]) <= number then only[#only + 1] = cursors[i] end
      end
      if #cursors == 0 or #only > 0 then
        local fields = row[2]  -- key, page, type, data, sinks
        local before = cjson.decode(fields[10])
        if #before == 0 and #only == #cursors / 2 then only = {} end  -- all of them
        if #before > 0 then
          local both = {}
          for _, sink in ipairs(only) do
            for _, other in ipairs(before) do if sink == other then both[#both + 1] = sink end end
          end
          only = #cursors == 0 and before or both
        end
        if #only > 0 or #before == 0 then
          local logged = call('HINCRBY', key('o', to), 'logged', 1)
          fields[10] = #only > 0 and cjson.encode(only) or '[]'
          call('XADD', key('i', to), string.format('%d-0', logged), unpack(fields))
        end
      end
    end
    if #rows > 0 then next_row = '(' .. rows[#rows][1] end
  until #rows < ROWS_AT_ONCE
end

-- Remove an owner: groups that it has not released come free, and what it has in flight of them is not known. Its `heir`,
-- if there is one, stores what its sinks have not.
local function remove(owner, heir)
  for _, set in ipairs({'h', 'b'}) do
    for _, name in ipairs(call('SMEMBERS', key(set, owner))) do
      local group = key('g', name)
      call('HINCRBY', group, 'epoch', 1)
      call('HDEL', group, 'owner')
      call('HSET', group, 'unclean', 1)
      offer(name, owner)
    end
  end
  for _, name in ipairs(call('SMEMBERS', key('waits', owner))) do
    call('LREM', key('w', name), 0, owner)
    if call('HEXISTS', key('g', name), 'owner') == 0 then offer(name, owner) end
  end
  for _, stage in ipairs(call('SMEMBERS', key('sts', owner))) do call('DEL', key('st', owner, stage)) end
  if meta('seeds') == owner then call('HDEL', key('meta'), 'seeds') end
  if heir then
    hand_over(owner, heir)
    call('DEL', key('i', owner), key('c', owner))
  end
  for _, kind in ipairs({'h', 'b', 'waits', 'grew', 'want', 'wake', 'sts'}) do call('DEL', key(kind, owner)) end
  if call('EXISTS', key('p', owner)) == 1 then call('SADD', key('gone'), owner) end
  call('ZREM', key('owners'), owner)
  confirm(owner)
  wake_others(owner)
end

-- Look whether another server serves the job than before: after a crash or a failover, this one may not know the last
-- calls. Until each owner has been heard of, or has no lease any more, an owner may hold a group that seems free. An owner
-- whose joining is not known keeps its number to itself.
local function look_at_server(at, seconds)
  local server = string.match(call('INFO', 'server'), 'run_id:(%x+)') or ''  -- a hosted server may hide it
  local before = meta('server')
  if server == before then return end
  call('HSET', key('meta'), 'server', server)
  if before then
    call('HINCRBY', key('meta'), 'owners', SPARE_NUMBERS)
    call('HSET', key('meta'), 'unsure_until', text(at + seconds))
    for _, owner in ipairs(call('ZRANGE', key('owners'), 0, -1)) do call('SADD', key('unsure'), owner) end
  end
end

-- Remove the owners whose leases have ended. Time in which the server served nobody does not count.
local function reap(me)
  local at, seconds = now(), tonumber(meta('lease'))
  look_at_server(at, seconds)
  local last = tonumber(meta('served') or at)
  if at - last > seconds / 2 then
    for _, owner in ipairs(call('ZRANGE', key('owners'), 0, -1)) do
      call('ZINCRBY', key('owners'), text(at - last), owner)
    end
  end
  call('HSET', key('meta'), 'served', text(at))
  for _, owner in ipairs(call('ZRANGEBYSCORE', key('owners'), '-inf', text(at))) do
    if owner ~= me then
      remove(owner, me)
      call('HINCRBY', key('meta'), 'lost', 1)
    end
  end
end

-- Logs of owners that left with items that their sinks have not stored.
local function adopt(me)
  for _, owner in ipairs(call('SMEMBERS', key('left'))) do
    hand_over(owner, me)
    call('DEL', key('i', owner), key('c', owner))
    call('SREM', key('left'), owner)
  end
end

-- Number of items of an owner that one of its sinks has not stored.
local function behind_of(owner)
  local cursors = call('HVALS', key('c', owner))
  local logged = number_of(call('HGET', key('o', owner), 'logged'))
  local lag = 0
  for _, cursor in ipairs(cursors) do lag = math.max(lag, logged - tonumber(cursor)) end
  return lag
end
