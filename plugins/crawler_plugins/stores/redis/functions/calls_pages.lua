register('more', function(a) return read_after(a.group, a.after, a.n) end)

register('ingest', function(a)
  return once(a, 'ingest', function()
    if is_gone(a.me) then return {} end
    local n, places, numbers = add(a.requests, a.me)
    call('HINCRBY', key('meta'), 'live', n)
    if a.exhausted then call('HSET', key('meta'), 'exhausted', 1) end
    return {n, places, numbers, status(a.me, a.seen)}
  end)
end)

register('stage', function(a)
  return once(a, 'stage', function()
    if is_gone(a.me) then return {} end
    call('SADD', key('sts', a.me), a.stage)
    for _, effect in ipairs(a.effects) do call('RPUSH', key('st', a.me, a.stage), effect) end
    return {1}
  end)
end)

register('commit', function(a)
  return once(a, 'commit', function()
    local me, verdicts, fresh, grew, duplicates = a.me, {}, {}, {}, 0
    if is_gone(me) then return {} end
    local live, counted, conflict = 0, true, false
    for index, outcome in ipairs(a.outcomes) do
      local verdict = settle(me, outcome)
      verdicts[index] = verdict
      if verdict == FENCED or verdict == CONFLICT then counted = false end
      conflict = conflict or verdict == CONFLICT
      if verdict ~= FENCED and outcome.state then  -- what its limits have learned is true whatever becomes of the page
        call('HSET', key('g', outcome.group), 'state', outcome.state)
      end
      if not outcome.retry and (verdict == OK or verdict == SAME_CONTENT) then
        if verdict == OK then
          local added, repeats = apply(me, outcome, index, fresh, grew)
          live, duplicates = live + added, duplicates + repeats
        end
        if outcome.stage then
          call('DEL', key('st', me, outcome.stage))
          call('SREM', key('sts', me), outcome.stage)
        end
        save_states(me, outcome.states)
        live = live - 1
      end
    end
    call('HINCRBY', key('meta'), 'live', live)
    if a.observations then observe(me, a.observations) end
    if a.stats and counted then count(me, a.stats) end
    if number_of(meta('live')) == 0 then wake_others(me) end
    local grown = {}
    for name in pairs(grew) do grown[#grown + 1] = name end
    return {verdicts, fresh, grown, duplicates, conflict and call('HGETALL', key('state')) or {}, status(me, a.seen)}
  end)
end)

register('has_body', function(a) return call('SISMEMBER', key('content'), a.digest) end)

register('follow', function(a)
  call('HSETNX', key('c', a.me), a.sink, 0)
  return {call('HGET', key('c', a.me), a.sink), call('HGET', key('p', a.me), a.sink) or ''}
end)

register('read', function(a)
  return call('XRANGE', key('i', a.me), string.format('%d-0', a.after + 1), '+', 'COUNT', a.n)
end)

register('advance', function(a)
  if is_gone(a.me) then return 0 end
  call('HSET', key('c', a.me), a.sink, a.cursor)
  call('HSET', key('p', a.me), a.sink, a.position)
  local least = math.huge
  for _, cursor in ipairs(call('HVALS', key('c', a.me))) do least = math.min(least, tonumber(cursor)) end
  if call('XTRIM', key('i', a.me), 'MINID', string.format('%d-0', least + 1)) > 0 then
    call('HSET', key('meta'), 'items_dropped', 1)
  end
  return 1
end)
