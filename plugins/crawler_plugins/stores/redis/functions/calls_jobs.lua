-- Return the values of the job, to be compared with those of the worker.
register('open', function(a)
  return {call('HGETALL', key('meta')), call('ZCARD', key('owners'))}
end)

register('resume', function(a)
  local gone = {}
  for i, owner in ipairs(call('SMEMBERS', key('gone'))) do gone[i] = {owner, call('HGETALL', key('p', owner))} end
  return {
    call('HGETALL', key('state')), call('HGETALL', key('cookies')), call('HGETALL', key('handlers')),
    call('HGETALL', key('stats')), call('HGETALL', key('runs')),
    call('HMGET', key('meta'), 'note:networks', 'note:origins', 'exhausted', 'state_version'), gone,
    status(a.me, a.seen), text(now()),
  }
end)

register('record_run', function(a)
  call('HSET', key('runs'), a.me, a.run)
  return 1
end)

-- Begin a finished job again: forget its requests and the counts of owners that are gone, and keep everything else.
register('begin_again', function(a)
  if meta('exhausted') and number_of(meta('live')) == 0 then
    for shard = 0, 65535 do call('UNLINK', key('s', string.format('%04x', shard))) end
    call('UNLINK', key('failed'), key('reasons'), key('content'))
    call('HDEL', key('meta'), 'exhausted', 'seeds', 'pages', 'items', 'failed')
    for _, owner in ipairs(call('HKEYS', key('stats'))) do
      if is_gone(owner) then
        call('HDEL', key('stats'), owner)
      else
        for _, name in ipairs({'pages', 'items', 'failed'}) do
          call('HINCRBY', key('meta'), name, number_of(call('HGET', key('o', owner), name)))
        end
      end
    end
    call('HINCRBY', key('meta'), 'round', 1)
  end
  return status(a.me, a.seen)
end)

-- Queue the requests again that failed permanently; -1 if the job has workers.
register('retry_failed', function(a)
  reap('0')
  if call('ZCARD', key('owners')) > 0 then return -1 end
  local queued, first = 0, '-'
  repeat
    local rows, requests = call('XRANGE', key('failed'), first, '+', 'COUNT', ROWS_AT_ONCE), {}
    for i, row in ipairs(rows) do requests[i] = run_of(cjson.decode(row[2][4])) end
    queued = queued + add(requests, '0')
    if #rows > 0 then first = '(' .. rows[#rows][1] end
  until #rows < ROWS_AT_ONCE
  call('HINCRBY', key('meta'), 'live', queued)
  call('HSET', key('meta'), 'failed', 0)
  call('DEL', key('failed'), key('reasons'))
  return queued
end)

register('replace_stats', function(a)
  for _, row in ipairs(a.rows) do call('HSET', key('stats'), row[1], row[2]) end
  return #a.rows
end)

-- The state of the job: values, workers, requests of the first groups, reasons of failures, the first failures.
register('inspect', function(a)
  local at, workers, groups, waiting = now(), {}, call('ZCARD', key('free')), {}
  local function count(name) waiting[#waiting + 1] = {name, call('ZCARD', key('q', name))} end
  for _, name in ipairs(call('ZRANGE', key('free'), 0, MAX_INSPECTED - 1)) do count(name) end
  for _, owner in ipairs(call('ZRANGE', key('owners'), 0, -1)) do
    local held = call('SMEMBERS', key('h', owner))
    groups = groups + #held
    for _, name in ipairs(held) do if #waiting < MAX_INSPECTED then count(name) end end
    local row = call('HMGET', key('o', owner), 'host', 'joined', 'pages', 'seen')
    workers[#workers + 1] = {
      owner, row[1], text(at - tonumber(row[2])), text(at - tonumber(row[4] or row[2])),
      #held + call('SCARD', key('b', owner)), number_of(row[3]), behind_of(owner),
    }
  end
  return {
    call('HGETALL', key('meta')), workers, groups, call('ZCARD', key('free')), waiting, call('HGETALL', key('reasons')),
    call('XRANGE', key('failed'), '-', '+', 'COUNT', a.failures), call('HGETALL', key('stats')),
    call('HGETALL', key('runs')),
  }
end)

-- Items of a log that are still there, and whether all of the job's are.
register('items', function(a)
  return {
    meta('items_dropped') and 1 or 0, call('HGET', key('meta'), 'owners') or '0',
    call('XRANGE', key('i', a.owner), string.format('(%d-0', a.after), '+', 'COUNT', a.n),
  }
end)
