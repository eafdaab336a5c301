-- Owners that join and leave, and the leases of their groups. Each call of the store is one function, and so one
-- transaction and round trip.
--
-- Rows are locked in one order, so that no two calls wait for each other: the row of the owner, lanes that are new, keys,
-- lanes, the version of the states, states, cookies; within each of these by their keys. Times are those of the server.

CREATE FUNCTION clock() RETURNS double precision LANGUAGE sql AS
$$ SELECT extract(epoch FROM clock_timestamp())::double precision $$;

-- Wake the owners that wait for a change. Commits with notifications wait for each other, so an owner is woken once until
-- it has asked what has changed.
CREATE FUNCTION wake(me integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    asleep integer[];
BEGIN
    asleep := ARRAY(SELECT id FROM worker WHERE is_listening AND id <> me AND id > 0 FOR NO KEY UPDATE SKIP LOCKED);
    IF cardinality(asleep) > 0 THEN
        UPDATE worker SET is_listening = false WHERE id = ANY (asleep);
        PERFORM pg_notify(current_schema(), '');
    END IF;
END $$;

-- The state of the job in each answer: live, exhausted, behind; pages, items and failed of other owners; logged. It is in
-- PL/pgSQL, which keeps its plan; SQL would make one in each transaction.
CREATE FUNCTION totals(me integer) RETURNS bigint[] LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT ARRAY[
        sum(live), (SELECT exhausted::integer FROM crawl),
        coalesce(sum(greatest(logged - coalesce(stored, logged), 0)) FILTER (WHERE id < me), 0),
        coalesce(sum(pages) FILTER (WHERE id <> me), 0), coalesce(sum(items) FILTER (WHERE id <> me), 0),
        coalesce(sum(failed) FILTER (WHERE id <> me), 0), coalesce(sum(logged) FILTER (WHERE id = me), 0)
    ]::bigint[] FROM worker);
END $$;

CREATE FUNCTION remove_owner(gone integer, lost boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM grown WHERE owner = gone;
    DELETE FROM waiter WHERE owner = gone;
    DELETE FROM staged WHERE owner = gone;
    UPDATE crawl SET seeds = NULL WHERE seeds = gone;
    UPDATE worker SET live = worker.live + w.live, pages = worker.pages + w.pages, items = worker.items + w.items,
        failed = worker.failed + w.failed
    FROM worker AS w WHERE worker.id = 0 AND w.id = gone;
    INSERT INTO past_worker
    SELECT id, name, joined, clock(), lost, pages, items, failed, counts FROM worker WHERE id = gone;
    DELETE FROM worker WHERE id = gone;
END $$;

-- Pass items that sinks of a removed owner have not stored to another owner. An owner without sinks that has committed
-- something wanted none.
CREATE FUNCTION take_items(me integer, gone integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    names text[] := ARRAY(SELECT name FROM sink WHERE part = gone ORDER BY name);
    first bigint := (SELECT coalesce(min(cursor), 0) FROM sink WHERE part = gone);
    taken bigint;
BEGIN
    IF cardinality(names) = 0 AND (SELECT call FROM worker WHERE id = gone) > 0 THEN
        RETURN;
    END IF;
    WITH behind AS (
        SELECT number, row_number() OVER (ORDER BY number) - 1 AS place, ARRAY(
            SELECT name FROM sink
            WHERE part = gone AND cursor <= item.number AND (name = ANY (item.sinks) OR cardinality(item.sinks) = 0)
            ORDER BY name) AS missing
        FROM item WHERE part = gone AND number >= first
    ), moved AS (
        UPDATE item SET part = me, number = (SELECT logged FROM worker WHERE id = me) + place,
            sinks = CASE WHEN cardinality(names) = 0 THEN sinks WHEN missing = names THEN '{}' ELSE missing END
        FROM behind
        WHERE part = gone AND item.number = behind.number AND (cardinality(names) = 0 OR cardinality(missing) > 0)
        RETURNING 1
    )
    SELECT count(*) INTO taken FROM moved;
    UPDATE worker SET logged = logged + taken WHERE id = me;
END $$;

-- Remove the owners whose leases have ended. One that commits at this moment is not removed. Time in which no owner could
-- reach the server does not count. That of an owner that joins, -1, is noted by its caller.
CREATE FUNCTION reap(me integer, lease double precision) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    at double precision := clock();
    last double precision := (SELECT max(seen_at) FROM worker WHERE id > 0);
    gone integer;
BEGIN
    IF last >= at - lease / 2 AND NOT EXISTS (SELECT FROM worker WHERE id > 0 AND id <> me AND lease_until < at) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(1668440439, hashtext(current_schema()));
    last := (SELECT max(seen_at) FROM worker WHERE id > 0);
    IF last < at - lease / 2 AND (me < 0 OR EXISTS (SELECT FROM worker WHERE id = me)) THEN
        PERFORM FROM worker WHERE id > 0 ORDER BY id FOR NO KEY UPDATE;
        UPDATE worker SET lease_until = lease_until + at - last WHERE id > 0;
        UPDATE worker SET seen_at = at WHERE id = me;
    END IF;
    PERFORM FROM worker WHERE id = me FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    FOR gone IN
        SELECT id FROM worker WHERE id > 0 AND id <> me AND lease_until < at ORDER BY id FOR UPDATE SKIP LOCKED
    LOOP
        UPDATE lane SET owner = NULL, epoch = epoch + 1, is_unclean = true WHERE owner = gone;
        PERFORM take_items(me, gone);
        PERFORM remove_owner(gone, true);
        PERFORM wake(me);
    END LOOP;
END $$;

CREATE FUNCTION join_job(name text, lease double precision, OUT me integer) LANGUAGE plpgsql AS $$
DECLARE
    at double precision := clock();
BEGIN
    PERFORM reap(-1, lease);
    INSERT INTO worker (name, joined, seen_at, lease_until) VALUES (join_job.name, at, at, at + lease)
    RETURNING id INTO me;
    PERFORM reap(me, lease);
END $$;

-- An owner that leaves may have something in flight of groups that it has not released. One whose sinks lag is removed by
-- another owner, which takes the items.
CREATE FUNCTION leave_job(me integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    is_behind boolean;
BEGIN
    SELECT logged > coalesce(stored, logged) INTO is_behind FROM worker WHERE id = me FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE lane SET owner = NULL, epoch = epoch + 1, is_unclean = true WHERE owner = me;
    IF is_behind THEN
        UPDATE worker SET lease_until = '-infinity' WHERE id = me;
    ELSE
        PERFORM remove_owner(me, false);
    END IF;
    PERFORM wake(me);
END $$;

CREATE FUNCTION extend_lease(
    me integer, number bigint, lease double precision,
    OUT alive boolean, OUT grew text[], OUT wanted text[], OUT surplus bigint, OUT totals bigint[], OUT free boolean
) LANGUAGE plpgsql AS $$
DECLARE
    share bigint;
    mine bigint;
BEGIN
    PERFORM reap(me, lease);
    UPDATE worker SET lease_until = clock() + lease, seen_at = clock(), is_listening = true, wrote = number,
        held = (SELECT count(*) FROM lane WHERE owner = me AND has_requests)
    WHERE id = me;
    alive := FOUND;
    IF NOT alive THEN
        RETURN;
    END IF;
    WITH gone AS (DELETE FROM grown WHERE owner = me RETURNING lane)
    SELECT array_agg(DISTINCT name) INTO grew FROM gone JOIN lane ON lane.id = gone.lane AND lane.owner = me;
    wanted := ARRAY(SELECT DISTINCT name FROM waiter JOIN lane ON lane.id = waiter.lane AND lane.owner = me);
    share := fair_share();
    mine := (SELECT held FROM worker WHERE id = me);
    free := EXISTS (SELECT FROM lane WHERE has_requests AND owner IS NULL);
    surplus := CASE WHEN NOT free AND EXISTS (SELECT FROM worker WHERE id > 0 AND id <> me AND held < share)
        THEN greatest(mine - share, 0) ELSE 0 END;
    free := free AND mine < share;
    totals := totals(me);
END $$;

-- The number of groups that an owner may hold: an equal part of those that have requests. While many are free, there is
-- no need to divide them.
CREATE FUNCTION fair_share() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    owners bigint;
    taken bigint;
    free bigint;
BEGIN
    SELECT greatest(count(*), 1), coalesce(sum(held), 0) INTO owners, taken FROM worker WHERE id > 0;
    SELECT count(*) INTO free
    FROM (SELECT FROM lane WHERE has_requests AND owner IS NULL LIMIT 1000 * owners) AS counted;
    IF free >= 1000 * owners THEN
        RETURN 1000000000;
    END IF;
    RETURN greatest(ceil((free + taken) / owners::double precision), 1);
END $$;

-- A claim that is repeated, since its answer was lost, returns the groups that it has leased before as well. It and
-- `release_lane` lock their lanes against requests that are being added, so that the owner sees them or is notified.
CREATE FUNCTION claim_lanes(
    me integer, number bigint, lease double precision, most integer, ids bigint[], names text[],
    OUT lanes bigint[], OUT short boolean, OUT next_at double precision, OUT seeds boolean, OUT totals bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    at double precision;
    room bigint;
    named bigint[] := '{}';
    others bigint[];
BEGIN
    PERFORM reap(me, lease);
    PERFORM FROM worker WHERE id = me FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    at := clock();
    DELETE FROM waiter WHERE owner = me AND lane <> ALL (ids);
    IF cardinality(ids) > 0 THEN
        INSERT INTO lane (id, name, has_requests)
        SELECT n.id, n.name, false FROM unnest(ids, names) AS n (id, name) ORDER BY n.id ON CONFLICT (id) DO NOTHING;
        PERFORM FROM lane WHERE id = ANY (ids) ORDER BY id FOR UPDATE;
        named := ARRAY(
            SELECT id FROM lane WHERE id = ANY (ids) AND owner IS NULL AND ready_at <= at AND me = coalesce(
                (SELECT owner FROM waiter WHERE waiter.lane = lane.id ORDER BY waiter.number LIMIT 1), me));
        DELETE FROM waiter WHERE owner = me AND lane = ANY (named);
        INSERT INTO waiter (lane, owner)
        SELECT id, me FROM lane WHERE id = ANY (ids) AND id <> ALL (named) AND owner IS DISTINCT FROM me ORDER BY id
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM wake(me);
        END IF;
    END IF;
    room := least(most, fair_share() - (SELECT held FROM worker WHERE id = me));
    others := ARRAY(
        SELECT id FROM lane
        WHERE has_requests AND owner IS NULL AND ready_at <= at AND id <> ALL (named)
            AND NOT EXISTS (SELECT FROM waiter WHERE waiter.lane = lane.id)
        ORDER BY ready_at, id LIMIT greatest(room, 0) FOR UPDATE SKIP LOCKED);
    UPDATE lane SET owner = me, epoch = epoch + 1, claimed_in = number WHERE id = ANY (named || others);
    UPDATE worker SET held = held + cardinality(others), lease_until = at + lease, seen_at = at, is_listening = true,
        wrote = number
    WHERE id = me;
    UPDATE crawl SET seeds = me WHERE crawl.seeds IS NULL AND NOT exhausted;
    lanes := ARRAY(SELECT id FROM lane WHERE owner = me AND claimed_in = number);
    short := cardinality(others) < most AND (cardinality(others) >= room OR NOT EXISTS (
        SELECT FROM lane WHERE has_requests AND owner IS NULL AND ready_at <= at
            AND NOT EXISTS (SELECT FROM waiter WHERE waiter.lane = lane.id)));
    next_at := least(
        (SELECT min(ready_at) FROM lane WHERE has_requests AND owner IS NULL AND ready_at > at),
        (SELECT min(ready_at) FROM lane WHERE id = ANY (ids) AND owner IS NULL AND ready_at > at),
        (SELECT min(lease_until) FROM worker WHERE id > 0 AND id <> me AND held > 0));
    seeds := EXISTS (SELECT FROM crawl WHERE crawl.seeds = me AND NOT exhausted);
    totals := totals(me);
END $$;

CREATE FUNCTION release_lane(
    me integer, number bigint, lane_id bigint, old_epoch bigint, new_state text, wait double precision
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    had_requests boolean;
BEGIN
    UPDATE worker SET wrote = number WHERE id = me;
    SELECT has_requests INTO had_requests FROM lane
    WHERE id = lane_id AND owner = me AND epoch = old_epoch FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE lane SET owner = NULL, epoch = epoch + 1, is_unclean = false, ready_at = clock() + wait,
        state = coalesce(new_state, state), has_requests = EXISTS (SELECT FROM pending WHERE lane = lane_id)
    WHERE id = lane_id;
    IF had_requests THEN
        UPDATE worker SET held = held - 1 WHERE id = me;
    END IF;
    IF EXISTS (SELECT FROM lane WHERE id = lane_id AND has_requests) OR EXISTS (SELECT FROM waiter WHERE lane = lane_id)
    THEN
        PERFORM wake(me);
    END IF;
END $$;
