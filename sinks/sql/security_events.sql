-- Errors: security alerts, error-like log entries and the errors of the trigger mesh, one row each.

CREATE TABLE cube.fact_error_events (
	error_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	error_type text,
	severity text NOT NULL,
	source text,
	was_auto_resolved boolean NOT NULL,
	resolution_time_seconds double precision,
	playbook_triggered text,
	required_human_intervention boolean NOT NULL,
	status text,
	resolution_note text,
	created_at timestamptz NOT NULL,
	resolved_at timestamptz,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (error_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_error_events (time_key);
CREATE INDEX ON cube.fact_error_events (component_key, time_key);
CREATE INDEX ON cube.fact_error_events (error_type, time_key);
CREATE INDEX ON cube.fact_error_events (status, time_key);
COMMENT ON TABLE cube.fact_error_events IS 'One row an error; natural primary key.';
SELECT cube.comment_columns('cube.fact_error_events', $$
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
SELECT cube.define_fact('fact_error_events', 'error_events',
	p_keeps => ARRAY['resolution_note'],
	p_own => ARRAY['own_component_key int', 'component_is_explicit boolean', 'own_human boolean'],
	p_link_columns => '{
		"log_component_key int": "(SELECT e.component_key FROM cube.fact_agentic_events e WHERE e.error_id = k.error_id AND e.component_key <> 0 ORDER BY e.sequence + 0 DESC LIMIT 1)",
		"playbook text": "(SELECT coalesce(r.playbook_id, ''unknown'') FROM cube.fact_playbook_runs r WHERE r.error_id = k.error_id ORDER BY r.run_number DESC LIMIT 1)"}',
	p_links => '{
		"component_key": "CASE WHEN k.component_is_explicit THEN k.own_component_key ELSE coalesce(k.log_component_key, k.own_component_key, 0) END",
		"playbook_triggered": "k.playbook",
		"required_human_intervention": "coalesce(k.own_human, false)"}',
	-- an alert whose resolution note is left out, because it is large and did not change
	p_own_keeps => ARRAY['own_human'],
	p_open => '{"was_auto_resolved": "f.resolved_at IS NOT NULL AND NOT coalesce(k.own_human, false)"}');

-- An error that is made of a log entry lives as long as the entry. The delete of an entry takes its error along; here is the error of
-- an entry whose delete came before it, or with it: the delete knew the entry's id, the error is named by its sequence.
CREATE FUNCTION cube.drop_errors_without_entry() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE gone text[];
BEGIN
	gone := ARRAY(SELECT n.error_id FROM new_rows n WHERE n.error_id LIKE 'log:%' AND NOT EXISTS (
		SELECT FROM cube.fact_agentic_events e WHERE e.sequence = substr(n.error_id, 5)::bigint AND e.created_at = n.created_at) ORDER BY 1);
	IF cardinality(gone) > 0 THEN
		DELETE FROM cube.fact_error_events e USING new_rows n
		WHERE n.error_id = ANY (gone) AND e.error_id = n.error_id AND e.created_at = n.created_at;
		UPDATE cube.key_error_events SET created_at = NULL WHERE error_id = ANY (gone);
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION cube.drop_errors_without_entry() IS 'Takes away errors of log entries that were deleted.';
CREATE TRIGGER drop_errors_without_entry AFTER INSERT ON cube.fact_error_events REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION cube.drop_errors_without_entry();

SELECT cube.define_rollup('rollup_errors_daily', 'fact_error_events',
	ARRAY['day date = cube.day_of(f.time_key)', 'severity text = f.severity', 'component_key int = f.component_key'],
	ARRAY['errors bigint = 1', 'auto_resolved bigint = f.was_auto_resolved::int', 'human bigint = f.required_human_intervention::int',
		'resolution_n bigint = (f.resolution_time_seconds IS NOT NULL)::int', 'resolution_us bigint = round(f.resolution_time_seconds * 1e6)::bigint']);

CREATE VIEW cube.cube_error_trends AS
SELECT date_part('year', day)::int AS year, date_part('month', day)::int AS month, date_part('day', day)::int AS day, severity,
	cube.total(errors) AS error_count, cube.total(auto_resolved) AS auto_resolved_count, cube.total(human) AS human_count,
	cube.mean(cube.total(resolution_us), cube.total(resolution_n), 1e6) AS avg_resolution_seconds
FROM cube.rollup_errors_daily GROUP BY rollup_errors_daily.day, severity HAVING cube.total(errors) <> 0;
COMMENT ON VIEW cube.cube_error_trends IS 'Errors by UTC day and severity.';
SELECT cube.comment_columns('cube.cube_error_trends', $$
	year: of the UTC day
	month: of the UTC day
	day: of the UTC day
	severity: low, medium, high, critical, unknown, …
	error_count: errors raised on that day
	auto_resolved_count: those of them that were resolved without a person
	human_count: those of them that needed a person
	avg_resolution_seconds: mean time to resolve, seconds
$$);

CREATE VIEW cube.cube_errors_by_component AS
SELECT c.component_name, cube.total(r.errors) AS errors, cube.total(r.auto_resolved) AS auto_resolved, cube.total(r.human) AS human
FROM cube.rollup_errors_daily r JOIN cube.dim_component c USING (component_key)
GROUP BY c.component_name HAVING cube.total(r.errors) <> 0;
COMMENT ON VIEW cube.cube_errors_by_component IS 'Errors by component.';
SELECT cube.comment_columns('cube.cube_errors_by_component', $$
	component_name: component
	errors: errors
	auto_resolved: those of them that were resolved without a person
	human: those of them that needed a person
$$);
