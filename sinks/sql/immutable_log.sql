-- The immutable log: every entry, and what it says of contracts, missions and errors.

CREATE TABLE cube.fact_agentic_events (
	entry_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	mission_key int NOT NULL,
	sequence bigint NOT NULL,
	actor text,
	action text,
	resource text,
	subsystem text,
	result text,
	severity text,
	contract_id text COLLATE "C",
	names_mission boolean NOT NULL,
	error_id text COLLATE "C",
	entry_hash text,
	previous_hash text,
	hash_matches boolean,
	created_at timestamptz NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (entry_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_agentic_events (time_key);
CREATE INDEX ON cube.fact_agentic_events (sequence);
COMMENT ON TABLE cube.fact_agentic_events IS 'One row an entry of the immutable log; natural primary key.';
SELECT cube.comment_columns('cube.fact_agentic_events', $$
	entry_id: natural key, the source's id as text
	time_key: dim_time, the minute of created_at
	component_key: dim_component: of an entry about an error its actor, else a declared one that the actor names
	actor_key: dim_actor
	mission_key: dim_mission: the mission that the entry is about
	sequence: position in the log
	actor: raw text
	action: what happened
	resource: what it happened to
	subsystem: subsystem that wrote it
	result: outcome
	severity: of the payload
	contract_id: the contract that the payload names
	names_mission: the progression tracker says that this contract belongs to this mission
	error_id: the error that the entry is about, as in fact_error_events
	entry_hash: sha256 of the entry
	previous_hash: entry_hash of the entry before
	hash_matches: entry_hash is the sha256 of what the entry says; NULL where it could not be computed
	created_at: timestamp of the entry
	loaded_at: when the row was last written
$$);
SELECT cube.define_fact('fact_agentic_events', 'agentic_events', p_keeps => ARRAY['resource']);
SELECT cube.define_link('fact_agentic_events', 'error_id', 'error_events');
SELECT cube.define_rollup('rollup_events_daily', 'fact_agentic_events',
	ARRAY['day date = cube.day_of(f.time_key)', 'subsystem text = coalesce(f.subsystem, ''unknown'')', 'action text = coalesce(f.action, ''unknown'')'],
	ARRAY['events bigint = 1']);

-- Only entries that name a contract's mission tell the contract; most that mention a contract do not.
CREATE INDEX ON cube.fact_agentic_events (contract_id) WHERE contract_id IS NOT NULL;
CREATE FUNCTION cube.link_log_mission() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		PERFORM cube.relink_verification_executions(ARRAY(SELECT DISTINCT contract_id FROM new_rows WHERE names_mission));
	ELSIF TG_OP = 'DELETE' THEN
		PERFORM cube.relink_verification_executions(ARRAY(SELECT DISTINCT contract_id FROM old_rows WHERE names_mission));
		-- an error that was made of the entry goes with it
		DELETE FROM cube.fact_error_events e USING old_rows o, cube.key_error_events k
		WHERE k.error_id = 'log:' || o.sequence AND e.error_id = k.error_id AND e.created_at = k.created_at;
		UPDATE cube.key_error_events k SET created_at = NULL FROM old_rows o WHERE k.error_id = 'log:' || o.sequence;
	ELSE
		PERFORM cube.relink_verification_executions(ARRAY(SELECT contract_id FROM new_rows WHERE names_mission UNION SELECT contract_id FROM old_rows WHERE names_mission));
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION cube.link_log_mission() IS 'Tells contracts which mission the log names for them.';
CREATE TRIGGER link_log_mission_insert AFTER INSERT ON cube.fact_agentic_events REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION cube.link_log_mission();
CREATE TRIGGER link_log_mission_update AFTER UPDATE ON cube.fact_agentic_events REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION cube.link_log_mission();
CREATE TRIGGER link_log_mission_delete AFTER DELETE ON cube.fact_agentic_events REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION cube.link_log_mission();

CREATE VIEW cube.cube_daily_events AS
SELECT day, subsystem, action, cube.total(events) AS events FROM cube.rollup_events_daily GROUP BY day, subsystem, action HAVING cube.total(events) <> 0;
COMMENT ON VIEW cube.cube_daily_events IS 'Entries of the immutable log by UTC day, subsystem and action.';
SELECT cube.comment_columns('cube.cube_daily_events', $$
	day: UTC day
	subsystem: subsystem that wrote them
	action: what happened
	events: entries
$$);

-- Is the chain whole? A link needs its neighbour, which no rollup knows; but both ends of each link can be summed on their own: an entry says
-- of its own place which hash should stand before it, and of the next place which hash does. A block of 256 places in which 256 entries
-- are, and in which both sums are equal, is complete, each entry once, with no broken link: were a place empty, its next one would have
-- the first end of a link and not the second. So only the other blocks are read entry by entry: the newest one, and where something is wrong.
-- 54 bits of a hash, so that 256 of them fit an integer.
CREATE FUNCTION cube.link_hash(p_hash text, p_sequence bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT hashtextextended(coalesce(p_hash, 'none'), p_sequence) & 18014398509481983
$$;
COMMENT ON FUNCTION cube.link_hash(text, bigint) IS 'One end of a link of the log: which hash stands before the entry with this sequence number.';
SELECT cube.define_rollup('rollup_log_blocks', 'fact_agentic_events',
	ARRAY['block bigint = f.sequence >> 8', 'day date = cube.day_of(f.time_key)'],
	ARRAY['entries bigint = 1', 'changed bigint = coalesce(NOT f.hash_matches, false)::int', 'links bigint = cube.link_hash(f.previous_hash, f.sequence)']);
SELECT cube.define_rollup('rollup_log_links', 'fact_agentic_events',
	ARRAY['block bigint = (f.sequence + 1) >> 8'], ARRAY['links bigint = cube.link_hash(f.entry_hash, f.sequence + 1)']);

CREATE VIEW cube.cube_log_integrity AS
WITH cells AS (
	SELECT block, day, cube.total(entries) AS entries, cube.total(changed) AS changed, sum(links) AS links
	FROM cube.rollup_log_blocks GROUP BY 1, 2 HAVING cube.total(entries) <> 0),
suspects AS (
	SELECT b.block FROM (SELECT block, sum(entries) AS entries, sum(links) AS links FROM cells GROUP BY 1) b
	LEFT JOIN (SELECT block, sum(links) AS links FROM cube.rollup_log_links GROUP BY 1) l USING (block)
	WHERE b.entries <> 256 OR b.links IS DISTINCT FROM l.links),
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
FROM (SELECT day, cube.total(entries) AS entries, cube.total(changed) AS changed, min(block) AS first_block, max(block) AS last_block FROM cells GROUP BY day) d
LEFT JOIN found f USING (day);
COMMENT ON VIEW cube.cube_log_integrity IS 'Is the hash chain of the immutable log whole, by UTC day? From rollups; only blocks of 256 places in which something is not right are read from the facts.';
SELECT cube.comment_columns('cube.cube_log_integrity', $$
	day: UTC day
	entries: entries of that day
	missing_entries: sequence numbers that are missing before entries of that day
	broken_links: entries whose previous_hash is not the entry_hash of the entry before
	changed_entries: entries whose entry_hash is not the sha256 of what they say
	first_sequence: lowest sequence number of that day
	last_sequence: highest sequence number of that day
$$);
