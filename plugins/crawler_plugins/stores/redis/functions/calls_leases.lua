-- Become an owner of the job, which is created by the first one.
register('join', function(a)
  if call('HSETNX', key('meta'), 'version', a.version) == 1 then
    call('HSET', key('meta'), 'lease', a.lease, 'name', a.name, 'round', 1, 'live', 0)
  end
  if meta('version') ~= a.version then return {'version'} end
  if a.identity then call('HSET', key('meta'), 'identity', a.identity) end
  look_at_server(now(), tonumber(meta('lease')))
  local me = string.format('%d', call('HINCRBY', key('meta'), 'owners', 1))
  call('ZADD', key('owners'), text(now() + tonumber(meta('lease'))), me)
  call('HSET', key('o', me), 'logged', 0, 'joined', text(now()), 'seen', text(now()), 'host', a.host, 'kept', a.kept and 1 or 0)
  reap(me)
  adopt(me)
  local last = call('XREVRANGE', key('news'), '+', '-', 'COUNT', 1)[1]
  return {me, meta('name'), meta('round'), meta('lease'), last and last[1] or '0-0', text(now())}
end)

register('leave', function(a)
  if is_gone(a.me) then return 0 end
  local undelivered = behind_of(a.me) > 0
  remove(a.me)
  if undelivered then call('SADD', key('left'), a.me) end
  return 1
end)

register('extend', function(a)
  return once(a, 'extend', function()
    reap(a.me)
    if is_gone(a.me) then return {} end
    confirm(a.me)
    adopt(a.me)
    call('ZADD', key('owners'), text(now() + tonumber(meta('lease'))), a.me)
    call('HSET', key('o', a.me), 'news', a.seen, 'seen', text(now()))
    local oldest = a.seen
    local owners = call('ZRANGE', key('owners'), 0, -1)
    for _, owner in ipairs(owners) do
      local seen = call('HGET', key('o', owner), 'news')
      if not seen then oldest = nil
      elseif oldest and tonumber(string.match(seen, '^%d+')) < tonumber(string.match(oldest, '^%d+')) then oldest = seen end
    end
    if oldest then call('XTRIM', key('news'), 'MINID', oldest) end
    local grew, wanted = call('SMEMBERS', key('grew', a.me)), {}
    call('DEL', key('grew', a.me))
    for _, name in ipairs(call('SMEMBERS', key('want', a.me))) do
      if call('EXISTS', key('w', name)) == 1 and call('HGET', key('g', name), 'owner') == a.me then
        wanted[#wanted + 1] = name
      else
        call('SREM', key('want', a.me), name)
      end
    end
    local surplus = 0
    if call('ZCARD', key('free')) == 0 then  -- else the others may take those
      local share, least = share_of_each(), math.huge
      for _, owner in ipairs(owners) do
        if owner ~= a.me then least = math.min(least, call('SCARD', key('h', owner))) end
      end
      local mine = call('SCARD', key('h', a.me))
      if least < share - 1 or (least < share and mine > share) then surplus = math.max(0, mine - share) end
    end
    return {grew, wanted, surplus, status(a.me, a.seen)}
  end)
end)

register('claim', function(a)
  return once(a, 'claim', function()
    local me, at = a.me, now()
    reap(me)
    if is_gone(me) then return {} end
    confirm(me)
    local leased, next_at, asked = {}, math.huge, {}
    local unsure_until = meta('unsure_until')
    local unsure = is_unsure(me, at, unsure_until)
    if unsure then next_at = number_of(unsure_until) end
    for _, name in ipairs(a.names) do asked[name] = true end
    for _, name in ipairs(call('SMEMBERS', key('waits', me))) do
      if not asked[name] then
        stop_waiting(name, me)
        if call('HEXISTS', key('g', name), 'owner') == 0 then offer(name, me) end
      end
    end
    for _, name in ipairs(a.names) do
      local group = call('HMGET', key('g', name), 'owner', 'ready')
      local first = call('LINDEX', key('w', name), 0)
      local ready = number_of(group[2])
      if group[1] == me then
        stop_waiting(name, me)
      elseif not group[1] and not unsure and ready <= at and (not first or first == me) then
        stop_waiting(name, me)
        lease(name, me, 'b')
        leased[#leased + 1] = name
        if call('EXISTS', key('w', name)) == 1 then call('SADD', key('want', me), name) end
      else
        if call('SADD', key('waits', me), name) == 1 then call('RPUSH', key('w', name), me) end
        call('ZREM', key('free'), name)
        if group[1] then
          if call('SADD', key('want', group[1]), name) == 1 then wake(group[1]) end
        elseif ready > at then
          next_at = math.min(next_at, ready)
        end
      end
    end
    local share, owners = share_of_each()
    share = share - call('SCARD', key('h', me))
    local most = math.min(a.groups, share)
    if most > 0 and not unsure then
      for _, name in ipairs(call('ZRANGEBYSCORE', key('free'), '-inf', text(at), 'LIMIT', 0, most)) do
        lease(name, me, 'h')
        leased[#leased + 1] = name
      end
    end
    local waiting = call('ZRANGEBYSCORE', key('free'), '(' .. text(at), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if waiting[2] then next_at = math.min(next_at, tonumber(waiting[2])) end
    local groups = {}
    for _, name in ipairs(leased) do
      local group = call('HMGET', key('g', name), 'epoch', 'state', 'unclean')
      groups[#groups + 1] = {
        name, group[1], group[2] or '', group[3] and 1 or 0, read_after(name, '', a.n + 1),
        call('HGET', key('robots'), name) or '',
      }
    end
    for _, owner in ipairs(owners) do
      if owner ~= me and call('SCARD', key('h', owner)) + call('SCARD', key('b', owner)) > 0 then
        next_at = math.min(next_at, tonumber(call('ZSCORE', key('owners'), owner)))
      end
    end
    local seeds = 0
    if not meta('exhausted') then
      call('HSETNX', key('meta'), 'seeds', me)
      seeds = meta('seeds') == me and 1 or 0
    end
    return {groups, next_at == math.huge and '' or text(next_at), seeds, status(me, a.seen)}
  end)
end)

register('release', function(a)
  return once(a, 'release', function()
    local group = key('g', a.group)
    local held = call('HMGET', group, 'owner', 'epoch')
    if held[1] ~= a.me or held[2] ~= a.epoch then return 0 end
    call('HDEL', group, 'owner', 'unclean')
    call('HSET', group, 'ready', text(now() + a.wait))
    if a.state then call('HSET', group, 'state', a.state) end
    call('SREM', key('h', a.me), a.group)
    call('SREM', key('b', a.me), a.group)
    call('SREM', key('want', a.me), a.group)
    call('SREM', key('grew', a.me), a.group)
    offer(a.group, a.me)
    return 1
  end)
end)
