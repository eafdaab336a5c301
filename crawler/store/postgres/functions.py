"""The functions of a job in PostgreSQL: each call of the store is one of them, and so one transaction and round trip.

Rows are locked in one order, so that no two calls wait for each other: the row of the owner, lanes that are new, keys,
lanes, the version of the states, states, cookies; within each of these by their keys. Times are those of the server.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FUNCTIONS"]

CLOCK: Final = """
CREATE FUNCTION clock() RETURNS double precision LANGUAGE sql AS
$$ SELECT extract(epoch FROM clock_timestamp())::double precision $$;
"""

WAKE: Final = """
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
"""
"""Wake the owners that wait for a change. Commits with notifications wait for each other, so an owner is woken once
until it has asked what has changed."""

TOTALS: Final = """
CREATE FUNCTION totals(me integer) RETURNS bigint[] LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT ARRAY[
        sum(live), (SELECT exhausted::integer FROM crawl),
        coalesce(sum(greatest(logged - coalesce(stored, logged), 0)) FILTER (WHERE id < me), 0),
        coalesce(sum(pages) FILTER (WHERE id <> me), 0), coalesce(sum(items) FILTER (WHERE id <> me), 0),
        coalesce(sum(failed) FILTER (WHERE id <> me), 0), coalesce(sum(logged) FILTER (WHERE id = me), 0)
    ]::bigint[] FROM worker);
END $$;
"""
"""What each answer says of the job: live, exhausted, behind; pages, items and failed of other owners; logged. It is in
PL/pgSQL, which keeps its plan; SQL would make one in each transaction."""

REMOVE: Final = """
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
"""
"""`take_items` gives the items that sinks of a removed owner have not stored to another owner. An owner without sinks
that has committed something wanted none."""

REAP: Final = """
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
    IF last < at - lease / 2 THEN
        PERFORM FROM worker WHERE id > 0 ORDER BY id FOR NO KEY UPDATE;
        UPDATE worker SET lease_until = lease_until + at - last, seen_at = at WHERE id > 0;
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
"""
"""Remove the owners whose leases have ended. One that commits at this moment is not removed. Time in which no owner
could reach the server does not count."""

JOIN: Final = """
CREATE FUNCTION join_job(name text, lease double precision, OUT me integer) LANGUAGE plpgsql AS $$
DECLARE
    at double precision := clock();
BEGIN
    PERFORM reap(-1, lease);
    INSERT INTO worker (name, joined, seen_at, lease_until) VALUES (join_job.name, at, at, at + lease)
    RETURNING id INTO me;
    PERFORM reap(me, lease);
END $$;

CREATE FUNCTION leave_job(me integer, clean boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    is_behind boolean;
BEGIN
    SELECT logged > coalesce(stored, logged) INTO is_behind FROM worker WHERE id = me FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE lane SET owner = NULL, epoch = epoch + 1, is_unclean = NOT clean WHERE owner = me;
    IF is_behind THEN
        UPDATE worker SET lease_until = '-infinity' WHERE id = me;
    ELSE
        PERFORM remove_owner(me, false);
    END IF;
    PERFORM wake(me);
END $$;
"""
"""An owner that leaves after an error may have something in flight. One whose sinks lag is removed by another owner,
which takes the items."""

EXTEND: Final = """
CREATE FUNCTION extend_lease(
    me integer, lease double precision,
    OUT alive boolean, OUT grew text[], OUT wanted text[], OUT surplus bigint, OUT totals bigint[], OUT free boolean
) LANGUAGE plpgsql AS $$
DECLARE
    share bigint;
    mine bigint;
BEGIN
    PERFORM reap(me, lease);
    UPDATE worker SET lease_until = clock() + lease, seen_at = clock(), is_listening = true,
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
"""
"""`fair_share` is the number of groups that an owner may hold: everybody's part of those that have requests. While many
are free, there is no need to divide them."""

CLAIM: Final = """
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
    UPDATE worker SET held = held + cardinality(others), lease_until = at + lease, seen_at = at, is_listening = true
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

CREATE FUNCTION release_lane(me integer, lane_id bigint, old_epoch bigint, new_state bytea, wait double precision)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    had_requests boolean;
BEGIN
    PERFORM FROM worker WHERE id = me FOR NO KEY UPDATE;
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
"""
"""A claim that is repeated, since its answer was lost, returns the groups that it has leased before as well. Both lock
their lanes against requests that are being added, so that the owner sees them or is notified of them."""

ADD: Final = """
CREATE FUNCTION add_lanes(ids bigint[], names text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(ids) = 0 THEN
        RETURN;
    END IF;
    INSERT INTO lane (id, name, has_requests)
    SELECT n.id, n.name, true FROM unnest(ids, names) AS n (id, name) ORDER BY n.id ON CONFLICT (id) DO NOTHING;
    IF EXISTS (SELECT FROM unnest(ids, names) AS n (id, name) JOIN lane USING (id) WHERE lane.name <> n.name) THEN
        RAISE EXCEPTION 'two lanes have the same number';
    END IF;
END $$;

CREATE FUNCTION add_requests(
    me integer, keys uuid[], lanes bigint[], tiers bigint[], urls text[], depths integer[], callbacks text[],
    rests bytea[], OUT fresh integer, OUT places bigint[], OUT numbers bigint[], OUT free boolean
) LANGUAGE plpgsql AS $$
DECLARE
    unmarked bigint[];
    is_announced boolean;
BEGIN
    WITH link AS MATERIALIZED (
        SELECT * FROM unnest(keys, lanes, tiers, urls, depths, callbacks, rests) WITH ORDINALITY
            AS link (key, lane, tier, url, depth, callback, rest, place)
    ), first AS MATERIALIZED (
        SELECT DISTINCT ON (key) key, place FROM link WHERE key IS NOT NULL ORDER BY key, place
    ), added AS (
        INSERT INTO seen SELECT key FROM first ORDER BY key ON CONFLICT DO NOTHING RETURNING key
    ), numbered AS MATERIALIZED (
        SELECT link.*, nextval('number') AS number
        FROM (SELECT place FROM added JOIN first USING (key) UNION ALL SELECT place FROM link WHERE key IS NULL) AS kept
        JOIN link USING (place) ORDER BY place
    ), stored AS (
        INSERT INTO pending (lane, tier, number, url, depth, callback, rest)
        SELECT lane, tier, number, url, depth, callback, rest FROM numbered
    ), held AS MATERIALIZED (
        SELECT id, owner, has_requests FROM lane WHERE id IN (SELECT lane FROM numbered) ORDER BY id FOR KEY SHARE
    ), announced AS (
        INSERT INTO grown SELECT owner, id FROM held WHERE owner <> me RETURNING 1
    )
    SELECT count(*), array_agg(place ORDER BY place) FILTER (WHERE owner = me),
        array_agg(number ORDER BY place) FILTER (WHERE owner = me), coalesce(bool_or(owner IS NULL), false),
        coalesce(bool_or(owner <> me), false), array_agg(DISTINCT held.id) FILTER (WHERE NOT has_requests)
    INTO fresh, places, numbers, free, is_announced, unmarked
    FROM numbered JOIN held ON held.id = lane;
    IF unmarked IS NOT NULL THEN
        PERFORM FROM lane WHERE id = ANY (unmarked) ORDER BY id FOR NO KEY UPDATE;
        WITH marked AS (
            UPDATE lane SET has_requests = true WHERE id = ANY (unmarked) AND NOT has_requests RETURNING owner
        )
        UPDATE worker SET held = held + (SELECT count(*) FROM marked WHERE owner = me) WHERE id = me;
    END IF;
    IF free OR is_announced THEN
        PERFORM wake(me);
    END IF;
END $$;

CREATE FUNCTION ingest(
    me integer, number bigint, lease double precision, is_last boolean, new_ids bigint[], new_names text[],
    keys uuid[], lanes bigint[], tiers bigint[], urls text[], depths integer[], callbacks text[], rests bytea[],
    OUT alive boolean, OUT repeated boolean, OUT fresh integer, OUT places bigint[], OUT numbers bigint[],
    OUT free boolean, OUT totals bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    last bigint;
    answer integer[];
BEGIN
    fresh := 0;
    free := false;
    repeated := false;
    SELECT call, w.answer INTO last, answer FROM worker AS w WHERE id = me FOR NO KEY UPDATE;
    alive := FOUND;
    IF NOT alive THEN
        RETURN;
    END IF;
    IF last = number THEN
        repeated := true;
        fresh := answer[1];
        totals := totals(me);
        RETURN;
    END IF;
    IF cardinality(lanes) > 0 THEN
        PERFORM add_lanes(new_ids, new_names);
        SELECT a.fresh, a.places, a.numbers, a.free INTO fresh, places, numbers, free
        FROM add_requests(me, keys, lanes, tiers, urls, depths, callbacks, rests) AS a;
    END IF;
    UPDATE worker SET live = live + fresh, lease_until = clock() + lease, call = number, answer = ARRAY[fresh]
    WHERE id = me;
    IF is_last THEN
        UPDATE crawl SET exhausted = true, seeds = NULL;
        PERFORM wake(me);
    END IF;
    totals := totals(me);
END $$;
"""
"""`add_requests` adds those whose keys are not known, and returns which of them are on lanes of this owner. Its lock on
the lanes keeps `release_lane` waiting until they are visible."""

COMMIT: Final = """
CREATE FUNCTION commit_outcomes(
    me integer, number bigint, lease double precision,
    o_lanes bigint[], o_epochs bigint[], o_tiers bigint[], o_numbers bigint[], o_retries boolean[],
    o_attempts integer[], o_not_before double precision[], o_pages text[], o_keys text[], o_digests bytea[],
    o_versions bigint[], o_stages bigint[],
    new_ids bigint[], new_names text[],
    l_outcomes integer[], keys uuid[], lanes bigint[], tiers bigint[], urls text[], depths integer[], callbacks text[],
    rests bytea[],
    i_outcomes integer[], i_keys text[], i_types text[], i_data text[],
    f_outcomes integer[], f_reasons text[], f_messages text[], f_tracebacks text[], f_requests bytea[],
    s_outcomes integer[], s_owners text[], s_names text[], s_values bytea[],
    OUT verdicts integer[], OUT repeated boolean, OUT known integer, OUT grew text[], OUT places bigint[],
    OUT numbers bigint[], OUT free boolean, OUT totals bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    last bigint;
    answer integer[];
    held integer[] := '{}';
    conflicts integer[] := '{}';
    settled integer[] := '{}';
    ended integer[] := '{}';
    same integer[] := '{}';
    kept integer[];
    stages bigint[];
    places_of integer[];
    added_items integer := 0;
    fresh integer := 0;
    more_fresh integer := 0;
    changed bigint;
BEGIN
    known := 0;
    free := false;
    repeated := false;
    SELECT call, w.answer INTO last, answer FROM worker AS w WHERE id = me FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        verdicts := array_fill(2, ARRAY[cardinality(o_lanes)]);
        RETURN;
    END IF;
    IF last = number THEN
        repeated := true;
        known := answer[1];
        verdicts := answer[2:];
        totals := totals(me);
        RETURN;
    END IF;
    held := ARRAY(
        SELECT o.place FROM unnest(o_lanes, o_epochs) WITH ORDINALITY AS o (id, epoch, place)
        JOIN lane USING (id, epoch) WHERE owner = me);
    IF cardinality(s_outcomes) > 0 THEN
        PERFORM FROM crawl FOR NO KEY UPDATE;
        SELECT coalesce(max(version), 0) INTO changed FROM state WHERE writer <> me;
        conflicts := ARRAY(
            SELECT DISTINCT s.place FROM unnest(s_outcomes) AS s (place)
            WHERE s.place > 0 AND o_versions[s.place] < changed);
    END IF;
    WITH outcome AS MATERIALIZED (
        SELECT * FROM unnest(o_lanes, o_tiers, o_numbers, o_retries, o_attempts, o_not_before) WITH ORDINALITY
            AS o (lane, tier, number, retry, attempts, not_before, place)
        WHERE place = ANY (held) AND place <> ALL (conflicts)
    ), again AS (
        UPDATE pending AS p SET attempts = o.attempts, not_before = o.not_before FROM outcome AS o
        WHERE o.retry AND p.lane = o.lane AND p.tier = o.tier AND p.number = o.number RETURNING o.place
    ), gone AS (
        DELETE FROM pending AS p USING outcome AS o
        WHERE NOT o.retry AND p.lane = o.lane AND p.tier = o.tier AND p.number = o.number RETURNING o.place
    )
    SELECT ARRAY(SELECT place FROM again UNION ALL SELECT place FROM gone), ARRAY(SELECT place FROM gone ORDER BY place)
    INTO settled, ended;
    kept := ended;
    IF cardinality(array_remove(o_digests, NULL)) > 0 THEN
        WITH page AS MATERIALIZED (
            SELECT DISTINCT ON (d.digest) d.digest, d.place FROM unnest(o_digests) WITH ORDINALITY AS d (digest, place)
            WHERE d.digest IS NOT NULL AND d.place = ANY (ended) ORDER BY d.digest, d.place
        ), added AS (
            INSERT INTO content SELECT digest FROM page ORDER BY digest ON CONFLICT DO NOTHING RETURNING digest
        )
        SELECT ARRAY(
            SELECT d.place FROM unnest(o_digests) WITH ORDINALITY AS d (digest, place)
            WHERE d.digest IS NOT NULL AND d.place = ANY (ended)
                AND d.place NOT IN (SELECT page.place FROM added JOIN page USING (digest)))
        INTO same;
        kept := ARRAY(SELECT k FROM unnest(ended) AS k WHERE k <> ALL (same));
    END IF;
    verdicts := ARRAY(
        SELECT CASE WHEN i <> ALL (held) THEN 2 WHEN i = ANY (conflicts) THEN 3 WHEN i = ANY (same) THEN 4
            WHEN i = ANY (settled) THEN 0 ELSE 1 END
        FROM generate_subscripts(o_lanes, 1) AS i ORDER BY i);

    IF cardinality(lanes) > 0 THEN
        places_of := ARRAY(
            SELECT i FROM generate_subscripts(l_outcomes, 1) AS i WHERE l_outcomes[i] = ANY (kept) ORDER BY i);
        IF cardinality(places_of) < cardinality(lanes) THEN
            SELECT array_agg(keys[i] ORDER BY i), array_agg(lanes[i] ORDER BY i), array_agg(tiers[i] ORDER BY i),
                array_agg(urls[i] ORDER BY i), array_agg(depths[i] ORDER BY i), array_agg(callbacks[i] ORDER BY i),
                array_agg(rests[i] ORDER BY i)
            INTO keys, lanes, tiers, urls, depths, callbacks, rests FROM unnest(places_of) AS i;
        END IF;
        IF cardinality(places_of) > 0 THEN
            PERFORM add_lanes(new_ids, new_names);
            SELECT a.fresh, ARRAY(SELECT places_of[i] FROM unnest(a.places) WITH ORDINALITY AS u (i, k) ORDER BY k),
                a.numbers, a.free
            INTO fresh, places, numbers, free
            FROM add_requests(me, keys, lanes, tiers, urls, depths, callbacks, rests) AS a;
            known := cardinality(places_of) - fresh;
        END IF;
    END IF;
    stages := ARRAY(SELECT o_stages[i] FROM unnest(kept) AS i WHERE o_stages[i] <> 0);
    IF cardinality(stages) > 0 THEN
        SELECT array_agg(s.key ORDER BY s.stage, s.number), array_agg(s.lane ORDER BY s.stage, s.number),
            array_agg(s.tier ORDER BY s.stage, s.number), array_agg(s.url ORDER BY s.stage, s.number),
            array_agg(s.depth ORDER BY s.stage, s.number), array_agg(s.callback ORDER BY s.stage, s.number),
            array_agg(s.rest ORDER BY s.stage, s.number)
        INTO keys, lanes, tiers, urls, depths, callbacks, rests
        FROM staged AS s WHERE s.owner = me AND s.stage = ANY (stages) AND s.lane IS NOT NULL;
        IF cardinality(lanes) > 0 THEN
            SELECT a.fresh, ARRAY(SELECT DISTINCT name FROM unnest(a.places) AS i JOIN lane ON lane.id = lanes[i]),
                commit_outcomes.free OR a.free
            INTO more_fresh, grew, free
            FROM add_requests(me, keys, lanes, tiers, urls, depths, callbacks, rests) AS a;
            known := known + cardinality(lanes) - more_fresh;
        END IF;
    END IF;
    IF cardinality(i_outcomes) > 0 OR cardinality(stages) > 0 THEN
        WITH added AS (
            INSERT INTO item (part, number, key, page, type, data)
            SELECT me, w.logged + row_number() OVER (ORDER BY o, is_last, place) - 1, i.key, o_pages[o], i.type, i.data
            FROM worker AS w, (
                SELECT i.o, true AS is_last, i.place, i.key, i.type, i.data::json
                FROM unnest(i_outcomes, i_keys, i_types, i_data) WITH ORDINALITY AS i (o, key, type, data, place)
                WHERE i.o = ANY (kept)
                UNION ALL
                SELECT o.place, false, s.number,
                    o_keys[o.place] || row_number() OVER (PARTITION BY s.stage ORDER BY s.number) - 1, s.type, s.item
                FROM unnest(stages) AS stage_of (stage)
                JOIN unnest(o_stages) WITH ORDINALITY AS o (stage, place) USING (stage)
                JOIN staged AS s ON s.owner = me AND s.stage = o.stage AND s.item IS NOT NULL
            ) AS i (o, is_last, place, key, type, data)
            WHERE w.id = me RETURNING 1
        )
        SELECT count(*) INTO added_items FROM added;
    END IF;
    DELETE FROM staged WHERE owner = me AND stage = ANY (ARRAY(SELECT o_stages[i] FROM unnest(ended) AS i));
    IF cardinality(f_outcomes) > 0 THEN
        INSERT INTO failed
        SELECT o_lanes[o], o_tiers[o], o_numbers[o], o_pages[o], reason, message, traceback, o_attempts[o], clock(),
            request
        FROM unnest(f_outcomes, f_reasons, f_messages, f_tracebacks, f_requests)
            AS f (o, reason, message, traceback, request)
        WHERE o = ANY (ended) ON CONFLICT DO NOTHING;
    END IF;
    IF cardinality(s_outcomes) > 0 THEN
        UPDATE crawl SET version = version + 1;
        INSERT INTO state
        SELECT DISTINCT ON (owner, name) owner, name, value, (SELECT version FROM crawl), me
        FROM unnest(s_outcomes, s_owners, s_names, s_values) WITH ORDINALITY AS s (o, owner, name, value, place)
        WHERE o = 0 OR o = ANY (ended) ORDER BY owner, name, place DESC
        ON CONFLICT (owner, name) DO UPDATE SET value = EXCLUDED.value, version = EXCLUDED.version, writer = me;
    END IF;
    UPDATE worker SET live = live + fresh + more_fresh - cardinality(ended), logged = logged + added_items,
        lease_until = clock() + lease, call = number, answer = known || verdicts
    WHERE id = me;
    totals := totals(me);
    IF totals[1] = 0 THEN
        PERFORM wake(me);
    END IF;
END $$;
"""
"""The verdicts: 0 OK, 1 DUP, 2 FENCED, 3 CONFLICT, 4 SAME_CONTENT. A commit that is repeated, since its answer was
lost, changes nothing and has the same verdicts."""

OBSERVE: Final = """
CREATE FUNCTION observe(
    me integer, verdicts integer[], repeated boolean,
    lanes bigint[], epochs bigint[], states bytea[],
    c_sessions text[], c_domains text[], c_paths text[], c_names text[], c_values bytea[],
    r_origins text[], r_statuses integer[], r_bodies bytea[], r_ats double precision[],
    n_names text[], n_values bytea[],
    new_counts bytea, new_pages bigint, new_items bigint, new_failed bigint,
    k_names text[], k_cursors bigint[], k_positions bytea[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM worker WHERE id = me FOR NO KEY UPDATE;
    IF NOT FOUND OR repeated THEN
        RETURN;
    END IF;
    IF cardinality(lanes) > 0 THEN
        UPDATE lane SET state = s.state FROM unnest(lanes, epochs, states) AS s (id, epoch, state)
        WHERE lane.id = s.id AND s.epoch IN (lane.epoch, -1) AND lane.owner = me;
    END IF;
    IF cardinality(c_sessions) > 0 THEN
        INSERT INTO cookie
        SELECT DISTINCT ON (session, domain, path, name) session, domain, path, name, value, me, pg_current_xact_id()
        FROM unnest(c_sessions, c_domains, c_paths, c_names, c_values) WITH ORDINALITY
            AS c (session, domain, path, name, value, place)
        ORDER BY session, domain, path, name, place DESC
        ON CONFLICT (session, domain, path, name)
        DO UPDATE SET value = EXCLUDED.value, writer = me, change = EXCLUDED.change;
    END IF;
    IF cardinality(r_origins) > 0 THEN
        INSERT INTO robots
        SELECT DISTINCT ON (origin) origin, status, body, at
        FROM unnest(r_origins, r_statuses, r_bodies, r_ats) AS r (origin, status, body, at) ORDER BY origin, at DESC
        ON CONFLICT (origin) DO UPDATE SET status = EXCLUDED.status, body = EXCLUDED.body, at = EXCLUDED.at;
    END IF;
    IF cardinality(n_names) > 0 THEN
        INSERT INTO note SELECT name, me, value, pg_current_xact_id() FROM unnest(n_names, n_values) AS n (name, value)
        ORDER BY name ON CONFLICT (name, writer) DO UPDATE SET value = EXCLUDED.value, change = EXCLUDED.change;
    END IF;
    IF new_counts IS NOT NULL AND NOT verdicts && ARRAY[2, 3] THEN
        UPDATE worker SET counts = new_counts, pages = new_pages, items = new_items, failed = new_failed WHERE id = me;
    END IF;
    PERFORM advance(me, k_names, k_cursors, k_positions);
END $$;

CREATE FUNCTION advance(me integer, names text[], cursors bigint[], positions bytea[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(names) > 0 AND EXISTS (SELECT FROM worker WHERE id = me) THEN
        UPDATE sink SET cursor = s.cursor, position = s.position FROM unnest(names, cursors, positions)
            AS s (name, cursor, position) WHERE sink.part = me AND sink.name = s.name;
        UPDATE worker SET stored = (SELECT min(cursor) FROM sink WHERE part = me) WHERE id = me;
    END IF;
END $$;

CREATE FUNCTION follow(me integer, sink_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM worker WHERE id = me FOR NO KEY UPDATE) THEN
        INSERT INTO sink (part, name) VALUES (me, sink_name) ON CONFLICT DO NOTHING;
        UPDATE worker SET stored = (SELECT min(cursor) FROM sink WHERE part = me) WHERE id = me;
    END IF;
END $$;
"""
BEGIN_AGAIN: Final = """
CREATE FUNCTION begin_again(me integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    began integer;
BEGIN
    SELECT round INTO began FROM crawl FOR NO KEY UPDATE;
    IF (SELECT exhausted FROM crawl) AND (SELECT sum(live) FROM worker) = 0 THEN
        TRUNCATE seen, failed, content;
        UPDATE crawl SET round = round + 1, exhausted = false, seeds = NULL RETURNING round INTO began;
        UPDATE worker SET pages = 0, items = 0, failed = 0, counts = NULL;
        UPDATE past_worker SET pages = 0, items = 0, failed = 0, counts = NULL;
    END IF;
    RETURN began;
END $$;
"""
"""Return the number of the round: a new one, unless the crawl has requests."""
RETRY_FAILED: Final = """
CREATE FUNCTION retry_failed() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    queued bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(1668440439, hashtext(current_schema()));
    PERFORM FROM worker WHERE id = 0 FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM worker WHERE id > 0 AND lease_until >= clock()) THEN
        RETURN NULL;
    END IF;
    PERFORM FROM lane WHERE id IN (SELECT lane FROM failed) ORDER BY id FOR UPDATE;
    UPDATE lane SET has_requests = true WHERE id IN (SELECT lane FROM failed);
    WITH again AS (DELETE FROM failed RETURNING lane, tier, number, url, request), queued_again AS (
        INSERT INTO pending (lane, tier, number, url, depth, rest)
        SELECT lane, tier, nextval('number'), url, 0, request FROM (SELECT * FROM again ORDER BY tier, number) AS a
        RETURNING 1
    )
    SELECT count(*) INTO queued FROM queued_again;
    UPDATE worker SET live = live + queued, failed = 0 WHERE id = 0;
    UPDATE past_worker SET failed = 0, counts = convert_to((c || jsonb_build_object(
            'failed', 0, 'failures', '{}'::jsonb, 'kinds', '{}'::jsonb,
            'samples', (c -> 'samples') - ARRAY(SELECT jsonb_object_keys((c -> 'failures') || (c -> 'kinds')))
        ))::text, 'UTF8')
    FROM (SELECT id AS of, convert_from(counts, 'UTF8')::jsonb AS c FROM past_worker WHERE counts IS NOT NULL) AS kept
    WHERE id = kept.of;
    RETURN queued;
END $$;
"""
"""Queue failed requests again, and return their number; null while there are workers, whose counts include them."""
FUNCTIONS: Final = (
    CLOCK + WAKE + TOTALS + REMOVE + REAP + JOIN + EXTEND + CLAIM + ADD + COMMIT + OBSERVE + BEGIN_AGAIN + RETRY_FAILED
)
