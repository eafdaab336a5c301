-- Requests that are added, and commits of their outcomes.

CREATE FUNCTION add_lanes(names json) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF names IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO lane (id, name, has_requests)
    SELECT n.value::bigint, n.key, true FROM json_each_text(names) AS n ORDER BY 1 ON CONFLICT (id) DO NOTHING;
    IF EXISTS (SELECT FROM json_each_text(names) AS n JOIN lane ON id = n.value::bigint WHERE name <> n.key) THEN
        RAISE EXCEPTION 'two lanes have the same number';
    END IF;
END $$;

-- Add the requests whose keys are not known, and return which of them are on lanes of this owner. The lock on the lanes
-- keeps `release_lane` waiting until they are visible.
CREATE FUNCTION add_requests(
    me integer, links links, OUT fresh integer, OUT places bigint[], OUT numbers bigint[], OUT free boolean
) LANGUAGE plpgsql AS $$
DECLARE
    unmarked bigint[];
    is_announced boolean;
BEGIN
    WITH link AS MATERIALIZED (
        SELECT * FROM unnest(
            links.keys, links.lanes, links.tiers, links.urls, links.depths, links.callbacks, links.rests
        ) WITH ORDINALITY AS link (key, lane, tier, url, depth, callback, rest, place)
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
    me integer, number bigint, lease double precision, is_last boolean, new_lanes json, links links,
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
    IF cardinality(links.lanes) > 0 THEN
        PERFORM add_lanes(new_lanes);
        SELECT a.* INTO fresh, places, numbers, free FROM add_requests(me, links) AS a;
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

-- The verdicts: 0 OK, 1 DUP, 2 FENCED, 3 CONFLICT, 4 SAME_CONTENT. A commit that is repeated, since its answer was lost,
-- changes nothing and has the same verdicts.
CREATE FUNCTION commit_outcomes(
    me integer, number bigint, lease double precision, batch batch,
    OUT verdicts integer[], OUT repeated boolean, OUT known integer, OUT grew text[], OUT places bigint[],
    OUT numbers bigint[], OUT free boolean, OUT totals bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    pages outcomes := batch.outcomes;
    links links := batch.links;
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
        verdicts := array_fill(2, ARRAY[cardinality(pages.lanes)]);
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
        SELECT o.place FROM unnest(pages.lanes, pages.epochs) WITH ORDINALITY AS o (id, epoch, place)
        JOIN lane USING (id, epoch) WHERE owner = me);
    IF batch.states IS NOT NULL THEN
        PERFORM FROM crawl FOR NO KEY UPDATE;
        SELECT coalesce(max(version), 0) INTO changed FROM state WHERE writer <> me;
        conflicts := ARRAY(
            SELECT DISTINCT s.page FROM json_to_recordset(batch.states) AS s (page integer)
            WHERE s.page > 0 AND pages.versions[s.page] < changed);
    END IF;
    WITH outcome AS MATERIALIZED (
        SELECT * FROM unnest(
            pages.lanes, pages.tiers, pages.numbers, pages.retries, pages.attempts, pages.not_before
        ) WITH ORDINALITY AS o (lane, tier, number, retry, attempts, not_before, place)
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
    IF cardinality(array_remove(pages.digests, NULL)) > 0 THEN
        WITH page AS MATERIALIZED (
            SELECT DISTINCT ON (d.digest) d.digest, d.place
            FROM unnest(pages.digests) WITH ORDINALITY AS d (digest, place)
            WHERE d.digest IS NOT NULL AND d.place = ANY (ended) ORDER BY d.digest, d.place
        ), added AS (
            INSERT INTO content SELECT digest FROM page ORDER BY digest ON CONFLICT DO NOTHING RETURNING digest
        )
        SELECT ARRAY(
            SELECT d.place FROM unnest(pages.digests) WITH ORDINALITY AS d (digest, place)
            WHERE d.digest IS NOT NULL AND d.place = ANY (ended)
                AND d.place NOT IN (SELECT page.place FROM added JOIN page USING (digest)))
        INTO same;
        kept := ARRAY(SELECT k FROM unnest(ended) AS k WHERE k <> ALL (same));
    END IF;
    verdicts := ARRAY(
        SELECT CASE WHEN i <> ALL (held) THEN 2 WHEN i = ANY (conflicts) THEN 3 WHEN i = ANY (same) THEN 4
            WHEN i = ANY (settled) THEN 0 ELSE 1 END
        FROM generate_subscripts(pages.lanes, 1) AS i ORDER BY i);

    IF cardinality(links.lanes) > 0 THEN
        places_of := ARRAY(
            SELECT i FROM generate_subscripts(links.pages, 1) AS i WHERE links.pages[i] = ANY (kept) ORDER BY i);
        IF cardinality(places_of) < cardinality(links.lanes) THEN
            SELECT NULL, array_agg(links.keys[i] ORDER BY i), array_agg(links.lanes[i] ORDER BY i),
                array_agg(links.tiers[i] ORDER BY i), array_agg(links.urls[i] ORDER BY i),
                array_agg(links.depths[i] ORDER BY i), array_agg(links.callbacks[i] ORDER BY i),
                array_agg(links.rests[i] ORDER BY i)
            INTO links FROM unnest(places_of) AS i;
        END IF;
        IF cardinality(places_of) > 0 THEN
            PERFORM add_lanes(batch.new_lanes);
            SELECT a.fresh, ARRAY(SELECT places_of[i] FROM unnest(a.places) WITH ORDINALITY AS u (i, k) ORDER BY k),
                a.numbers, a.free
            INTO fresh, places, numbers, free FROM add_requests(me, links) AS a;
            known := cardinality(places_of) - fresh;
        END IF;
    END IF;
    stages := ARRAY(SELECT pages.stages[i] FROM unnest(kept) AS i WHERE pages.stages[i] <> 0);
    IF cardinality(stages) > 0 THEN
        SELECT NULL, array_agg(s.key ORDER BY s.stage, s.number), array_agg(s.lane ORDER BY s.stage, s.number),
            array_agg(s.tier ORDER BY s.stage, s.number), array_agg(s.url ORDER BY s.stage, s.number),
            array_agg(s.depth ORDER BY s.stage, s.number), array_agg(s.callback ORDER BY s.stage, s.number),
            array_agg(s.rest ORDER BY s.stage, s.number)
        INTO links FROM staged AS s WHERE s.owner = me AND s.stage = ANY (stages) AND s.lane IS NOT NULL;
        IF cardinality(links.lanes) > 0 THEN
            SELECT a.fresh,
                ARRAY(SELECT DISTINCT name FROM unnest(a.places) AS i JOIN lane ON lane.id = links.lanes[i]),
                commit_outcomes.free OR a.free
            INTO more_fresh, grew, free FROM add_requests(me, links) AS a;
            known := known + cardinality(links.lanes) - more_fresh;
        END IF;
    END IF;
    IF batch.items IS NOT NULL OR cardinality(stages) > 0 THEN
        WITH added AS (
            INSERT INTO item (part, number, key, page, type, data)
            SELECT me, w.logged + row_number() OVER (ORDER BY o, is_last, place) - 1, i.key, pages.urls[o], i.type,
                i.data
            FROM worker AS w, (
                SELECT i.page, true AS is_last, i.place, i.key, i.type, i.data
                FROM ROWS FROM (
                    json_to_recordset(batch.items) AS (page integer, key text, type text, data json)
                ) WITH ORDINALITY AS i (page, key, type, data, place)
                WHERE i.page = ANY (kept)
                UNION ALL
                SELECT o.place, false, s.number,
                    pages.keys[o.place] || row_number() OVER (PARTITION BY s.stage ORDER BY s.number) - 1, s.type,
                    s.item
                FROM unnest(stages) AS stage_of (stage)
                JOIN unnest(pages.stages) WITH ORDINALITY AS o (stage, place) USING (stage)
                JOIN staged AS s ON s.owner = me AND s.stage = o.stage AND s.item IS NOT NULL
            ) AS i (o, is_last, place, key, type, data)
            WHERE w.id = me RETURNING 1
        )
        SELECT count(*) INTO added_items FROM added;
    END IF;
    DELETE FROM staged WHERE owner = me AND stage = ANY (ARRAY(SELECT pages.stages[i] FROM unnest(ended) AS i));
    IF batch.failures IS NOT NULL THEN
        INSERT INTO failed
        SELECT pages.lanes[page], pages.tiers[page], pages.numbers[page], pages.urls[page], reason, message, traceback,
            pages.attempts[page], clock(), request
        FROM json_to_recordset(batch.failures)
            AS f (page integer, reason text, message text, traceback text, request text)
        WHERE page = ANY (ended) ON CONFLICT DO NOTHING;
    END IF;
    IF batch.states IS NOT NULL THEN
        UPDATE crawl SET version = version + 1;
        INSERT INTO state
        SELECT DISTINCT ON (owner, name) owner, name, value, (SELECT version FROM crawl), me
        FROM ROWS FROM (
            json_to_recordset(batch.states) AS (page integer, owner text, name text, value text)
        ) WITH ORDINALITY AS s (page, owner, name, value, place)
        WHERE page = 0 OR page = ANY (ended) ORDER BY owner, name, place DESC
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

CREATE FUNCTION observe(me integer, verdicts integer[], repeated boolean, seen observations) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM worker WHERE id = me FOR NO KEY UPDATE;
    IF NOT FOUND OR repeated THEN
        RETURN;
    END IF;
    IF seen.lanes IS NOT NULL THEN
        UPDATE lane SET state = s.state
        FROM json_to_recordset(seen.lanes) AS s (id bigint, epoch bigint, state text)
        WHERE lane.id = s.id AND s.epoch IN (lane.epoch, -1) AND lane.owner = me;
    END IF;
    IF seen.cookies IS NOT NULL THEN
        INSERT INTO cookie
        SELECT DISTINCT ON (session, domain, path, name) session, domain, path, name, value, me, pg_current_xact_id()
        FROM ROWS FROM (
            json_to_recordset(seen.cookies) AS (session text, domain text, path text, name text, value text)
        ) WITH ORDINALITY AS c (session, domain, path, name, value, place)
        ORDER BY session, domain, path, name, place DESC
        ON CONFLICT (session, domain, path, name)
        DO UPDATE SET value = EXCLUDED.value, writer = me, change = EXCLUDED.change;
    END IF;
    IF seen.robots IS NOT NULL THEN
        INSERT INTO robots
        SELECT DISTINCT ON (origin) origin, status, body, at
        FROM json_to_recordset(seen.robots) AS r (origin text, status integer, body bytea, at double precision)
        ORDER BY origin, at DESC
        ON CONFLICT (origin) DO UPDATE SET status = EXCLUDED.status, body = EXCLUDED.body, at = EXCLUDED.at;
    END IF;
    IF seen.notes IS NOT NULL THEN
        INSERT INTO note SELECT key, me, value, pg_current_xact_id() FROM json_each_text(seen.notes)
        ORDER BY key ON CONFLICT (name, writer) DO UPDATE SET value = EXCLUDED.value, change = EXCLUDED.change;
    END IF;
    IF seen.counts IS NOT NULL AND NOT verdicts && ARRAY[2, 3] THEN
        UPDATE worker SET counts = seen.counts, pages = seen.pages, items = seen.items, failed = seen.failed
        WHERE id = me;
    END IF;
    PERFORM advance(me, seen.sinks);
END $$;

CREATE FUNCTION advance(me integer, sinks json) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF sinks IS NOT NULL AND EXISTS (SELECT FROM worker WHERE id = me) THEN
        UPDATE sink SET cursor = s.cursor, position = s.position
        FROM json_to_recordset(sinks) AS s (name text, cursor bigint, position text)
        WHERE sink.part = me AND sink.name = s.name;
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
