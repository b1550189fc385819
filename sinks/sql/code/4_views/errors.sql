-- Errors: by day, hour, type and component, and one by one.

-- Of all tiers, as the rollups of errors are, and so with the rights of the owner.
CREATE OR REPLACE FUNCTION cube.errors_of_minutes(p_from int, p_to int)
RETURNS TABLE (day date, severity text, errors bigint, auto_resolved bigint) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	SELECT cube.day_of(f.time_key), f.severity, count(*), count(*) FILTER (WHERE f.was_auto_resolved) FROM cube.fact_error_events f
	WHERE f.time_key >= p_from AND f.time_key < p_to AND f.created_at >= cube.minute_at(p_from) AND f.created_at < cube.minute_at(p_to) GROUP BY 1, 2
$$;
COMMENT ON FUNCTION cube.errors_of_minutes(int, int) IS 'Errors created from one minute until another, by UTC day and severity.';

CREATE OR REPLACE FUNCTION cube.error_trends(p_from timestamptz, p_to timestamptz)
RETURNS TABLE (year int, month int, day int, severity text, error_count bigint, auto_resolved_count bigint) LANGUAGE sql STABLE AS $$
	WITH d AS MATERIALIZED (SELECT * FROM cube.window_of(p_from, p_to, 1440)), h AS MATERIALIZED (SELECT * FROM cube.window_of(p_from, p_to, 60)),
	parts AS (
		SELECT r.day, r.severity, r.errors, r.auto_resolved FROM cube.rollup_errors_daily r
		WHERE r.day >= (SELECT cube.day_of(from_whole * 1440) FROM d) AND r.day < (SELECT cube.day_of(to_whole * 1440) FROM d)
		UNION ALL
		SELECT cube.day_of(r.hour * 60), r.severity, r.errors, r.auto_resolved FROM cube.rollup_errors_hourly r
		WHERE r.hour >= (SELECT from_whole FROM h) AND r.hour < (SELECT least(d.from_whole * 24, h.to_whole) FROM d, h)
		UNION ALL
		SELECT cube.day_of(r.hour * 60), r.severity, r.errors, r.auto_resolved FROM cube.rollup_errors_hourly r
		WHERE r.hour >= (SELECT d.to_whole * 24 FROM d) AND r.hour < (SELECT to_whole FROM h)
		UNION ALL
		SELECT e.* FROM h, cube.errors_of_minutes(h.from_minute, least(h.from_whole * 60, h.to_minute)) e
		UNION ALL
		SELECT e.* FROM h, cube.errors_of_minutes(h.to_whole * 60, h.to_minute) e)
	SELECT date_part('year', p.day)::int, date_part('month', p.day)::int, date_part('day', p.day)::int, p.severity,
		cube.total(p.errors), cube.total(p.auto_resolved)
	FROM parts p GROUP BY p.day, p.severity HAVING cube.total(p.errors) <> 0 ORDER BY p.day, p.severity
$$;
COMMENT ON FUNCTION cube.error_trends(timestamptz, timestamptz) IS 'Errors by UTC day and severity of a window, exact to the minute: the first and the last day may be parts of days.';

SELECT cube.define_view('cube_top_error_types', $$
SELECT r.day, r.error_type, r.severity, c.component_name, cube.total(r.errors) AS errors, cube.total(r.auto_resolved) AS auto_resolved
FROM cube.rollup_error_types_daily r JOIN cube.dim_component c USING (component_key)
GROUP BY r.day, r.error_type, r.severity, c.component_name HAVING cube.total(r.errors) <> 0$$);
SELECT cube.describe('cube.cube_top_error_types', 'Errors by UTC day, type, severity and component. Of all tiers, whoever asks.', $$
	day: UTC day
	error_type: type of error, unknown where none is given
	severity: low, medium, high, critical, unknown, …
	component_name: component
	errors: errors raised on that day
	auto_resolved: those of them that were resolved without a person
$$);

-- ----
SELECT cube.define_flat_view('cube_errors', $$
SELECT f.error_id, f.created_at, f.error_type, f.severity, c.component_name, a.actor_id, f.source, f.status, f.was_auto_resolved,
	f.required_human_intervention, f.resolution_time_seconds, f.playbook_triggered, f.resolved_at, f.resolution_note, f.time_key
FROM cube.fact_error_events f JOIN cube.dim_component c USING (component_key) JOIN cube.dim_actor a USING (actor_key)
$$, 'errors', 'p_component text',
	$$p_component IS NULL OR f.component_key = cube.component_cell(p_component)$$);
COMMENT ON FUNCTION cube.errors(text) IS 'Rows of cube_errors of a component; NULL means all.';
SELECT cube.describe('cube.cube_errors', 'One row an error, with the names of its dimensions.', $$
	error_id: the error
	created_at: when it was raised
	error_type: the record's action
	severity: low, medium, high, critical, unknown, …
	component_name: component
	actor_id: actor
	source: the record's resource
	status: as the record has it
	was_auto_resolved: resolved without a person
	required_human_intervention: a person was needed
	resolution_time_seconds: resolved_at − created_at, seconds
	playbook_triggered: playbook that it set off
	resolved_at: when it was resolved
	resolution_note: free text
	time_key: the minute of created_at
$$);

-- ----
SELECT cube.define_view('cube_error_trends', $$
SELECT date_part('year', day)::int AS year, date_part('month', day)::int AS month, date_part('day', day)::int AS day, severity,
	cube.total(errors) AS error_count, cube.total(auto_resolved) AS auto_resolved_count, cube.total(human) AS human_count,
	cube.mean(sum(resolution_us), cube.total(resolution_n), 1e6) AS avg_resolution_seconds
FROM cube.rollup_errors_daily GROUP BY rollup_errors_daily.day, severity HAVING cube.total(errors) <> 0$$);
SELECT cube.describe('cube.cube_error_trends', 'Errors by UTC day and severity. Of all tiers, whoever asks.', $$
	year: of the UTC day
	month: of the UTC day
	day: of the UTC day
	severity: low, medium, high, critical, unknown, …
	error_count: errors raised on that day
	auto_resolved_count: those of them that were resolved without a person
	human_count: those of them that needed a person
	avg_resolution_seconds: mean time to resolve, seconds
$$);

-- ----
SELECT cube.define_view('cube_errors_by_component', $$
SELECT c.component_name, cube.total(r.errors) AS errors, cube.total(r.auto_resolved) AS auto_resolved, cube.total(r.human) AS human
FROM cube.rollup_errors_daily r JOIN cube.dim_component c USING (component_key)
GROUP BY c.component_name HAVING cube.total(r.errors) <> 0$$);
SELECT cube.describe('cube.cube_errors_by_component', 'Errors by component. Of all tiers, whoever asks.', $$
	component_name: component
	errors: errors
	auto_resolved: those of them that were resolved without a person
	human: those of them that needed a person
$$);
