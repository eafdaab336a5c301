-- The job as a whole.

-- Return the number of the round: a new one, unless the crawl has requests.
CREATE FUNCTION begin_again(me integer, number bigint) RETURNS integer LANGUAGE plpgsql AS $$
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
    UPDATE worker SET wrote = number WHERE id = me;
    RETURN began;
END $$;

-- Queue failed requests again, and return their number; null while there are workers, whose counts include them.
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
    UPDATE past_worker SET failed = 0, counts = (c - 'incomplete' || jsonb_build_object(
            'failed', 0, 'failures', '{}'::jsonb, 'kinds', '{}'::jsonb,
            'samples', (c -> 'samples') - 'incomplete' - ARRAY(SELECT jsonb_object_keys((c -> 'failures') || (c -> 'kinds')))
        ))::text
    FROM (SELECT id AS of, counts::jsonb AS c FROM past_worker WHERE counts IS NOT NULL) AS kept
    WHERE id = kept.of;
    RETURN queued;
END $$;
