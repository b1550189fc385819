-- The log: entries by day, and whether its hash chain is whole.

SELECT cube.define_view('cube_daily_events', $$
SELECT day, subsystem, action, cube.total(events) AS events FROM cube.rollup_events_daily GROUP BY day, subsystem, action HAVING cube.total(events) <> 0$$);
SELECT cube.describe('cube.cube_daily_events', 'Entries of the immutable log by UTC day, subsystem and action. Of all tiers, whoever asks.', $$
	day: UTC day
	subsystem: subsystem that wrote them
	action: what happened
	events: entries
$$);

-- ----
-- With the rights of the owner: a chain of which somebody sees a part only is not broken. What comes out are sums of days.
CREATE OR REPLACE FUNCTION cube.log_integrity()
RETURNS TABLE (day date, entries bigint, missing_entries bigint, broken_links bigint, changed_entries bigint, first_sequence bigint, last_sequence bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = cube, pg_temp AS $$
WITH cells AS (
	SELECT block, day, cube.total(entries) AS entries, cube.total(changed) AS changed, sum(links) AS links FROM cube.rollup_log_chain GROUP BY 1, 2),
suspects AS (SELECT block FROM cells GROUP BY 1 HAVING sum(entries) <> 0 AND (sum(entries) <> 256 OR sum(links) <> 0)),
many AS (SELECT count(*) > 64 AS are FROM suspects),
found AS (
	SELECT e.day, sum(greatest(e.sequence - e.before - 1, 0))::bigint AS missing,
		count(*) FILTER (WHERE e.before = e.sequence - 1 AND e.hash_before IS DISTINCT FROM e.previous_hash) AS broken
	FROM (
		SELECT f.* FROM suspects s, LATERAL (
			SELECT f.day, f.sequence, f.previous_hash, f.is_inside, lag(f.sequence) OVER w AS before, lag(f.entry_hash) OVER w AS hash_before
			FROM (SELECT cube.day_of(i.time_key) AS day, i.sequence, i.entry_hash, i.previous_hash, true AS is_inside
				FROM cube.fact_agentic_events i WHERE i.sequence >= s.block * 256 AND i.sequence < (s.block + 1) * 256
				UNION ALL (SELECT NULL, o.sequence, o.entry_hash, NULL, false
				FROM cube.fact_agentic_events o WHERE o.sequence < s.block * 256 ORDER BY o.sequence DESC LIMIT 1)) f
			WINDOW w AS (ORDER BY f.sequence)) f
		WHERE NOT (SELECT are FROM many)
		UNION ALL
		-- a log full of holes is read from end to end
		SELECT cube.day_of(i.time_key), i.sequence, i.previous_hash, true, lag(i.sequence) OVER w, lag(i.entry_hash) OVER w
		FROM cube.fact_agentic_events i WHERE (SELECT are FROM many) WINDOW w AS (ORDER BY i.sequence)) e
	WHERE e.is_inside GROUP BY 1)
SELECT d.day, d.entries, coalesce(f.missing, 0) AS missing_entries, coalesce(f.broken, 0) AS broken_links, d.changed AS changed_entries,
	(SELECT min(e.sequence) FROM cube.fact_agentic_events e WHERE e.sequence >= d.first_block * 256 AND e.sequence < (d.first_block + 1) * 256 AND cube.day_of(e.time_key) = d.day) AS first_sequence,
	(SELECT max(e.sequence) FROM cube.fact_agentic_events e WHERE e.sequence >= d.last_block * 256 AND e.sequence < (d.last_block + 1) * 256 AND cube.day_of(e.time_key) = d.day) AS last_sequence
FROM (SELECT day, cube.total(entries) AS entries, cube.total(changed) AS changed, min(block) AS first_block, max(block) AS last_block FROM cells WHERE entries <> 0 GROUP BY day) d
LEFT JOIN found f USING (day)
$$;
COMMENT ON FUNCTION cube.log_integrity() IS 'Rows of cube_log_integrity.';

SELECT cube.define_view('cube_log_integrity', $$
SELECT day, entries, missing_entries, broken_links, changed_entries, first_sequence, last_sequence FROM cube.log_integrity()$$);
SELECT cube.describe('cube.cube_log_integrity', 'Is the hash chain of the immutable log whole, by UTC day? From rollups; only blocks of 256 places in which something is not right are read from the facts. Of all tiers, whoever asks.', $$
	day: UTC day
	entries: entries of that day
	missing_entries: sequence numbers that are missing before entries of that day
	broken_links: entries whose previous_hash is not the entry_hash of the entry before
	changed_entries: entries whose entry_hash is not the sha256 of what they say
	first_sequence: lowest sequence number of that day
	last_sequence: highest sequence number of that day
$$);
