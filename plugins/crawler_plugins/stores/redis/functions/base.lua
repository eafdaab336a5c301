#!lua name=crawler_job_6

-- The functions of a job in Redis or Valkey. Each call of the store is one of them, and so one round trip, and atomic.
--
-- KEYS[1] is the prefix of all keys of the job; its hash tag puts them into one slot of a cluster. ARGV[1] is the call as
-- JSON. Times are those of the server, in seconds.
--
--   P:meta        hash    identity and values of the whole job
--   P:owners      zset    owners by the end of their leases
--   P:o:N         hash    owner N: its counts, its log, its last calls and their answers
--   P:g:NAME      hash    a group: epoch, owner, state, ready, unclean
--   P:q:NAME      zset    its pending requests: 18 hexadecimal digits for their order, attempts|not before|request
--   P:free        zset    groups with requests that nobody holds or waits for, by when they may be leased
--   P:h:N, P:b:N  sets    groups that owner N holds since they have requests, since it needs them by name
--   P:w:NAME      list    owners that wait for a group by name; P:waits:N: the groups that owner N waits for
--   P:grew:N      set     groups of owner N to which others have added requests; P:want:N: those that others wait for
--   P:wake:N      list    one element if owner N should look
--   P:s:XXXX      set     63 bits of the keys of known requests, by the first 16 bits of their hashes
--   P:i:N         stream  the log of owner N, items by number; P:c:N: its sinks with the number of their next item
--   P:st:N:S      list    effects of a page whose callback is still running; P:sts:N: their numbers
--   P:news        stream  what other owners should know
--   P:p:N             hash    the last positions of the sinks of owner N; P:gone: owners that are gone and have one
--   P:unsure          set     owners that have not been heard of since another server serves the job
--   P:left            set     owners that left with items in their logs that their sinks have not stored
--   P:failed          stream  requests that failed permanently; P:reasons: their number by kind of failure
--   P:cookies, P:state, P:robots, P:handlers, P:stats, P:runs    hashes; P:content: a set

local OK, DUP, FENCED, CONFLICT, SAME_CONTENT = 0, 1, 2, 3, 4
local ROWS_AT_ONCE = 1000
local SPARE_NUMBERS = 100  -- numbers that owners may have got whom a server does not know after a crash
local MAX_INSPECTED = 10000  -- groups whose requests are counted

local P = ''  -- of the call that runs
local function call(...) return redis.call(...) end

local function key(a, b, c)
  if c then return P .. ':' .. a .. ':' .. b .. ':' .. c end
  if b then return P .. ':' .. a .. ':' .. b end
  return P .. ':' .. a
end

local function now()
  local t = call('TIME')
  return tonumber(t[1]) + tonumber(t[2]) / 1e6
end

local function text(seconds) return string.format('%.6f', seconds) end  -- tostring would round it

local function meta(name) return call('HGET', key('meta'), name) end

local function number_of(value) return tonumber(value or 0) end

local function wake(owner)
  local wakes = key('wake', owner)
  if call('EXISTS', wakes) == 0 then call('RPUSH', wakes, 1) end
end

local function wake_others(me)
  for _, owner in ipairs(call('ZRANGE', key('owners'), 0, -1)) do
    if owner ~= me then wake(owner) end
  end
end

local function is_gone(me) return not call('ZSCORE', key('owners'), me) end
