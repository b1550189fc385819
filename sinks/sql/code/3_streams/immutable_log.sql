-- The immutable log: every entry, and what it says of contracts, missions and errors.

SELECT cube.describe('cube.fact_agentic_events', 'One row an entry of the immutable log; natural primary key.', $$
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
SELECT cube.define_fact_link('fact_agentic_events', 'verification_executions', 'SELECT contract_id FROM %s WHERE names_mission AND contract_id IS NOT NULL');
SELECT cube.define_rollup('rollup_events_daily', 'fact_agentic_events',
	ARRAY['day date = cube.day_of(f.time_key)', 'subsystem text = coalesce(f.subsystem, ''unknown'')', 'action text = coalesce(f.action, ''unknown'')'],
	ARRAY['events bigint = 1']);

CREATE OR REPLACE FUNCTION cube.link_log_mission() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		PERFORM cube.relink_verification_executions(ARRAY(SELECT DISTINCT contract_id FROM new_rows WHERE names_mission));
	ELSIF TG_OP = 'DELETE' THEN
		PERFORM cube.relink_verification_executions(ARRAY(SELECT DISTINCT contract_id FROM old_rows WHERE names_mission));
		-- an error that was made of the entry goes with it
		DELETE FROM cube.fact_error_events e USING old_rows o, cube.key_error_events k
		WHERE k.error_id = cube.error_of_entry(o.sequence) AND e.error_id = k.error_id AND e.created_at = k.created_at;
		UPDATE cube.key_error_events k SET created_at = NULL FROM old_rows o
		WHERE k.error_id = cube.error_of_entry(o.sequence) AND k.created_at >= cube.closed_before('fact_error_events');
	ELSE
		PERFORM cube.relink_verification_executions(ARRAY(SELECT contract_id FROM new_rows WHERE names_mission UNION SELECT contract_id FROM old_rows WHERE names_mission));
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION cube.link_log_mission() IS 'Tells contracts which mission the log names for them.';

SELECT cube.define_trigger('link_log_mission_insert', 'insert', 'fact_agentic_events', 'NEW TABLE AS new_rows', 'link_log_mission');
SELECT cube.define_trigger('link_log_mission_update', 'update', 'fact_agentic_events', 'OLD TABLE AS old_rows NEW TABLE AS new_rows', 'link_log_mission');
SELECT cube.define_trigger('link_log_mission_delete', 'delete', 'fact_agentic_events', 'OLD TABLE AS old_rows', 'link_log_mission');

-- Is the chain whole? A link needs its neighbour, which no rollup knows; but both ends of each link can be summed on their own: an entry says
-- of its own place which hash should stand before it, and of the next place which hash does. A block of 256 places in which 256 entries
-- are, and in which the first ends less the second ends are nothing, is complete, each entry once, with no broken link: were a place empty, its
-- next one would have the first end of a link and not the second. So only the other blocks are read entry by entry: the newest one, and where
-- something is wrong. 54 bits of a hash, of which a difference fits a bigint; their sum is a numeric, because a log may give the same numbers
-- as often as it likes.
CREATE OR REPLACE FUNCTION cube.link_hash(p_hash text, p_sequence bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT hashtextextended(coalesce(p_hash, 'none'), p_sequence) & 18014398509481983
$$;
COMMENT ON FUNCTION cube.link_hash(text, bigint) IS 'One end of a link of the log: which hash stands before the entry with this sequence number.';

SELECT cube.define_rollup('rollup_log_chain', 'fact_agentic_events', ARRAY['block bigint = e.block', 'day date = cube.day_of(f.time_key)'],
	ARRAY['entries bigint = e.entries', 'changed bigint = e.changed', 'links numeric = e.links'], p_beside => 'CROSS JOIN LATERAL (VALUES
		(f.sequence >> 8, 1, coalesce(NOT f.hash_matches, false)::int, cube.link_hash(f.previous_hash, f.sequence)),
		((f.sequence + 1) >> 8, 0, 0, -cube.link_hash(f.entry_hash, f.sequence + 1))) e (block, entries, changed, links)');
-- What it was until 0018, for as long as programs of before read it. No month was closed by then: retention is of the same release.
SELECT cube.define_rollup('rollup_log_blocks', 'fact_agentic_events',
	ARRAY['block bigint = f.sequence >> 8', 'day date = cube.day_of(f.time_key)'],
	ARRAY['entries bigint = 1', 'changed bigint = coalesce(NOT f.hash_matches, false)::int', 'links bigint = cube.link_hash(f.previous_hash, f.sequence)'])
WHERE to_regclass('cube.rollup_log_blocks') IS NOT NULL;
SELECT cube.define_rollup('rollup_log_links', 'fact_agentic_events',
	ARRAY['block bigint = (f.sequence + 1) >> 8'], ARRAY['links bigint = cube.link_hash(f.entry_hash, f.sequence + 1)'])
WHERE to_regclass('cube.rollup_log_links') IS NOT NULL;
