-- Errors: security alerts, error-like log entries and the errors of the trigger mesh, one row each.

SELECT cube.describe('cube.fact_error_events', 'One row an error; natural primary key.', $$
	error_id: natural key: security_event:<id>, log:<sequence> or error:<error_id>
	time_key: dim_time, the minute of created_at
	component_key: dim_component: the record's own, else the actor of the latest log entry about it, else a declared one that its actor names
	actor_key: dim_actor
	error_type: the record's action
	severity: low, medium, high, critical, …; unknown where none is given
	source: the record's resource
	was_auto_resolved: resolved, and the resolution note names no user:
	resolution_time_seconds: resolved_at − created_at, seconds
	playbook_triggered: playbook of the highest playbook run whose diagnosis names the error; unknown for a run without one
	required_human_intervention: the note names a user:, or the mesh asked for approval or could not act alone
	status: as the record has it
	resolution_note: free text
	created_at: when it was raised
	resolved_at: when it was resolved
	loaded_at: when the row was last written
$$);

-- GC_ERROR_OF_… in transforms/rules/targets.h are the same prefixes, and stated there; tests/contract/error_ids.csv is their cases, run through both.
CREATE OR REPLACE FUNCTION cube.error_stream(error_id text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN error_id LIKE 'security\_event:%' THEN 'security_events' WHEN error_id LIKE 'log:%' THEN 'immutable_log' WHEN error_id LIKE 'error:%' THEN 'trigger_events' END
$$;
COMMENT ON FUNCTION cube.error_stream(text) IS 'Which stream told of an error, as its id says.';

CREATE OR REPLACE FUNCTION cube.error_of_entry(sequence bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT 'log:' || sequence
$$;
COMMENT ON FUNCTION cube.error_of_entry(bigint) IS 'The id of the error that an entry of the log is.';

CREATE OR REPLACE FUNCTION cube.entry_of_error(error_id text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN cube.error_stream(error_id) = 'immutable_log' THEN substr(error_id, 5)::bigint END
$$;
COMMENT ON FUNCTION cube.entry_of_error(text) IS 'The sequence of the entry of the log that is this error, NULL of another one.';

-- gc_error_derive() in transforms/rules/error_events.c has the same rules, and rules/targets.h states them; tests/contract/errors.csv is their
-- cases, run through both. Errors of alerts and of the log are judged there, those of the mesh here.
CREATE OR REPLACE FUNCTION cube.severity_of(p_severity text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT coalesce(nullif(p_severity, ''), 'unknown')
$$;
COMMENT ON FUNCTION cube.severity_of(text) IS 'Severity of an error: unknown where none is given.';

CREATE OR REPLACE FUNCTION cube.is_auto_resolved(p_resolved_at timestamptz, p_by_person boolean) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT p_resolved_at IS NOT NULL AND NOT coalesce(p_by_person, false)
$$;
COMMENT ON FUNCTION cube.is_auto_resolved(timestamptz, boolean) IS 'Was an error resolved, and not by a person?';

SELECT cube.define_fact('fact_error_events', 'error_events',
	p_keeps => ARRAY['resolution_note'],
	p_key_columns => ARRAY['own_component_key int', 'component_is_explicit boolean', 'own_human boolean'],
	p_link_columns => '{
		"log_component_key int": "(SELECT e.component_key FROM cube.fact_agentic_events e WHERE e.error_id = k.error_id AND e.component_key <> 0 ORDER BY e.sequence + 0 DESC LIMIT 1)",
		"playbook text": "(SELECT coalesce(r.playbook_id, ''unknown'') FROM cube.fact_playbook_runs r WHERE r.error_id = k.error_id ORDER BY r.run_number DESC LIMIT 1)"}',
	p_links => '{
		"component_key": "CASE WHEN k.component_is_explicit THEN k.own_component_key ELSE coalesce(k.log_component_key, k.own_component_key, 0) END",
		"playbook_triggered": "k.playbook",
		"required_human_intervention": "coalesce(k.own_human, false)"}',
	-- an alert whose resolution note is left out, because it is large and did not change
	p_key_keeps => ARRAY['own_human'],
	p_defaults => '{"was_auto_resolved": "cube.is_auto_resolved(f.resolved_at, k.own_human)"}');

-- An error that is made of a log entry lives as long as the entry. The delete of an entry takes its error along; here is the error of
-- an entry whose delete came before it, or with it: the delete knew the entry's id, the error is named by its sequence.
CREATE OR REPLACE FUNCTION cube.drop_errors_without_entry() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE gone text[];
BEGIN
	gone := ARRAY(SELECT n.error_id FROM new_rows n WHERE cube.error_stream(n.error_id) = 'immutable_log' AND n.created_at >= cube.closed_before('fact_agentic_events') AND NOT EXISTS (
		SELECT FROM cube.fact_agentic_events e WHERE e.sequence = cube.entry_of_error(n.error_id) AND e.created_at = n.created_at) ORDER BY 1);
	IF cardinality(gone) > 0 THEN
		DELETE FROM cube.fact_error_events e USING new_rows n
		WHERE n.error_id = ANY (gone) AND e.error_id = n.error_id AND e.created_at = n.created_at;
		UPDATE cube.key_error_events SET created_at = NULL WHERE error_id = ANY (gone);
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION cube.drop_errors_without_entry() IS 'Takes away errors of log entries that were deleted.';

SELECT cube.define_trigger('drop_errors_without_entry', 'insert', 'fact_error_events', 'NEW TABLE AS new_rows', 'drop_errors_without_entry');

SELECT cube.define_rollup('rollup_errors_daily', 'fact_error_events',
	ARRAY['day date = cube.day_of(f.time_key)', 'severity text = f.severity', 'component_key int = f.component_key'],
	ARRAY['errors bigint = 1', 'auto_resolved bigint = f.was_auto_resolved::int', 'human bigint = f.required_human_intervention::int',
		'resolution_n bigint = (f.resolution_time_seconds IS NOT NULL)::int', 'resolution_us bigint = round(f.resolution_time_seconds * 1e6)::bigint']);

SELECT cube.define_rollup('rollup_errors_by_status', 'fact_error_events',
	ARRAY['day date = cube.day_of(f.time_key)', 'severity text = f.severity', 'status text = coalesce(f.status, ''unknown'')', 'component_key int = f.component_key'],
	ARRAY['errors bigint = 1', 'resolution_n bigint = (f.resolution_time_seconds IS NOT NULL)::int', 'resolution_us bigint = round(f.resolution_time_seconds * 1e6)::bigint']);

SELECT cube.describe('cube.dim_severity', 'Which severity is worse than which. Add rows for words of your sources that are missing, by INSERT; `migrate` and `rebuild` leave them as they are.', $$
	severity: as the records have it, trimmed, lower case
	severity_order: the higher the worse: 0 unknown, 10 info, 20 low, 30 medium, 40 high, 50 critical, 60 sev0
$$);
CREATE OR REPLACE FUNCTION cube.is_open_error(p_status text, p_resolved_at timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT p_resolved_at IS NULL AND (p_status NOT IN ('archived', 'closed', 'false_positive', 'ignored', 'resolved'))
$$;
COMMENT ON FUNCTION cube.is_open_error(text, timestamptz) IS 'Is an error neither resolved nor laid aside (archived, closed, ignored, a false positive)? NULL where no status is given, as of errors of the log.';

-- Whole hours for the parts of days at the edges: without them a busy day's errors were read one by one.
SELECT cube.define_rollup('rollup_errors_hourly', 'fact_error_events', ARRAY['hour int = f.time_key / 60', 'severity text = f.severity'],
	ARRAY['errors bigint = 1', 'auto_resolved bigint = f.was_auto_resolved::int']);
SELECT cube.define_rollup('rollup_error_types_daily', 'fact_error_events',
	ARRAY['day date = cube.day_of(f.time_key)', 'error_type text = coalesce(f.error_type, ''unknown'')', 'severity text = f.severity',
		'component_key int = f.component_key'],
	ARRAY['errors bigint = 1', 'auto_resolved bigint = f.was_auto_resolved::int']);
