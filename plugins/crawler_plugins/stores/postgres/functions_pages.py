"""Functions of `functions`: requests that are added, and commits of their outcomes."""

from __future__ import annotations

from typing import Final

__all__ = ["PAGES"]

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
    UPDATE worker SET live = live + fresh, lease_until = clock() + lease, wrote = number, call = number,
        answer = ARRAY[fresh]
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
        lease_until = clock() + lease, wrote = number, call = number, answer = known || verdicts
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

CREATE FUNCTION follow(me integer, number bigint, sink_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM worker WHERE id = me FOR NO KEY UPDATE) THEN
        INSERT INTO sink (part, name) VALUES (me, sink_name) ON CONFLICT DO NOTHING;
        UPDATE worker SET wrote = number, stored = (SELECT min(cursor) FROM sink WHERE part = me) WHERE id = me;
    END IF;
END $$;
"""

PAGES: Final = ADD + COMMIT + OBSERVE
