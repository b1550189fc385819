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
SELECT r.day, r.error_type, r.severity, c.component_name, cube.total(r.errors) AS errors, cube.total(r.auto_resolved) AS auto_resolved, min(s.severity_order) AS severity_order
FROM cube.rollup_error_types_daily r JOIN cube.dim_component c USING (component_key) LEFT JOIN cube.dim_severity s USING (severity)
GROUP BY r.day, r.error_type, r.severity, c.component_name HAVING cube.total(r.errors) <> 0$$);
SELECT cube.describe('cube.cube_top_error_types', 'Errors by UTC day, type, severity and component. Of all tiers, whoever asks.', $$
	day: UTC day
	error_type: type of error, unknown where none is given
	severity: low, medium, high, critical, unknown, …
	component_name: component
	errors: errors raised on that day
	auto_resolved: those of them that were resolved without a person; false positives are resolved, too
	severity_order: the higher the worse, as dim_severity has it; NULL where it lacks the severity
$$);

-- ----
SELECT cube.define_flat_view('cube_errors', $$
SELECT f.error_id, f.created_at, f.error_type, f.severity, c.component_name, a.actor_id, f.source, f.status, f.was_auto_resolved,
	f.required_human_intervention, f.resolution_time_seconds, f.playbook_triggered, f.resolved_at, f.resolution_note, f.time_key,
	cube.is_open_error(f.status, f.resolved_at) AS is_open, coalesce(f.status = 'false_positive', false) AS is_false_positive, s.severity_order
FROM cube.fact_error_events f JOIN cube.dim_component c USING (component_key) JOIN cube.dim_actor a USING (actor_key)
LEFT JOIN cube.dim_severity s ON s.severity = f.severity
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
	was_auto_resolved: resolved without a person; a false positive is resolved, too
	required_human_intervention: a person was needed
	resolution_time_seconds: resolved_at − created_at, seconds
	playbook_triggered: playbook that it set off
	resolved_at: when it was resolved
	resolution_note: free text
	time_key: the minute of created_at
	is_open: neither resolved nor laid aside (archived, closed, ignored, a false positive); NULL where no status is given, as of errors of the log
	is_false_positive: status is false_positive
	severity_order: the higher the worse, as dim_severity has it; NULL where it lacks the severity
$$);

-- ----
-- Of months that were closed before schema version 17 only the first columns are known: their facts were gone already.
SELECT cube.define_view('cube_error_trends', $$
SELECT date_part('year', d.day)::int AS year, date_part('month', d.day)::int AS month, date_part('day', d.day)::int AS day, d.severity,
	d.error_count, d.auto_resolved_count, d.human_count, d.avg_resolution_seconds,
	d.day AS date, s.open_count, s.resolved_count, s.false_positive_count, s.other_count, s.avg_true_resolution_seconds, s.timed_true_resolutions, o.severity_order
FROM (SELECT r.day, r.severity, cube.total(r.errors) AS error_count, cube.total(r.auto_resolved) AS auto_resolved_count, cube.total(r.human) AS human_count,
		cube.mean(sum(r.resolution_us), cube.total(r.resolution_n), 1e6) AS avg_resolution_seconds
	FROM cube.rollup_errors_daily r GROUP BY r.day, r.severity HAVING cube.total(r.errors) <> 0) d
LEFT JOIN (SELECT r.day, r.severity, cube.total(r.errors) FILTER (WHERE r.status = 'open') AS open_count,
		cube.total(r.errors) FILTER (WHERE r.status = 'resolved') AS resolved_count,
		cube.total(r.errors) FILTER (WHERE r.status = 'false_positive') AS false_positive_count,
		cube.total(r.errors) FILTER (WHERE r.status NOT IN ('open', 'resolved', 'false_positive')) AS other_count,
		cube.mean(sum(r.resolution_us) FILTER (WHERE r.status <> 'false_positive'), cube.total(r.resolution_n) FILTER (WHERE r.status <> 'false_positive'), 1e6) AS avg_true_resolution_seconds,
		cube.total(r.resolution_n) FILTER (WHERE r.status <> 'false_positive') AS timed_true_resolutions
	FROM cube.rollup_errors_by_status r GROUP BY r.day, r.severity) s USING (day, severity)
LEFT JOIN cube.dim_severity o USING (severity)$$);
SELECT cube.describe('cube.cube_error_trends', 'Errors by UTC day and severity. Of all tiers, whoever asks.', $$
	year: of the UTC day
	month: of the UTC day
	day: of the UTC day
	severity: low, medium, high, critical, unknown, …
	error_count: errors raised on that day
	auto_resolved_count: those of them that were resolved without a person; false positives are resolved, too
	human_count: those of them that needed a person
	avg_resolution_seconds: mean time to resolve, seconds; false positives are in it
	date: the UTC day
	open_count: those of them whose status is open
	resolved_count: those of them whose status is resolved
	false_positive_count: those of them whose status is false_positive
	other_count: those of them with another status, such as archived, or with none
	avg_true_resolution_seconds: mean time to resolve without false positives, seconds
	timed_true_resolutions: errors that avg_true_resolution_seconds is the mean of
	severity_order: the higher the worse, as dim_severity has it; NULL where it lacks the severity
$$);

-- ----
SELECT cube.define_view('cube_errors_by_status', $$
SELECT r.day, r.severity, r.status, c.component_name, cube.total(r.errors) AS errors,
	cube.mean(sum(r.resolution_us), cube.total(r.resolution_n), 1e6) AS avg_resolution_seconds, cube.total(r.resolution_n) AS timed_resolutions
FROM cube.rollup_errors_by_status r JOIN cube.dim_component c USING (component_key)
GROUP BY r.day, r.severity, r.status, c.component_name HAVING cube.total(r.errors) <> 0$$);
SELECT cube.describe('cube.cube_errors_by_status', 'Errors by UTC day, severity, status and component: how they ended, false positives apart. Of all tiers, whoever asks.', $$
	day: UTC day
	severity: low, medium, high, critical, unknown, …
	status: open, resolved, false_positive, archived, …; unknown where none is given
	component_name: component
	errors: errors raised on that day
	avg_resolution_seconds: mean time to resolve, seconds
	timed_resolutions: errors that avg_resolution_seconds is the mean of
$$);

-- ----
SELECT cube.define_view('cube_severities', $$SELECT severity, severity_order FROM cube.dim_severity$$);
SELECT cube.describe('cube.cube_severities', 'Which severity is worse than which; dim_severity takes more.', $$
	severity: as the records have it
	severity_order: the higher the worse
$$);

-- ----
SELECT cube.define_view('cube_errors_by_component', $$
SELECT c.component_name, cube.total(r.errors) AS errors, cube.total(r.auto_resolved) AS auto_resolved, cube.total(r.human) AS human
FROM cube.rollup_errors_daily r JOIN cube.dim_component c USING (component_key)
GROUP BY c.component_name HAVING cube.total(r.errors) <> 0$$);
SELECT cube.describe('cube.cube_errors_by_component', 'Errors by component. Of all tiers, whoever asks.', $$
	component_name: component
	errors: errors
	auto_resolved: those of them that were resolved without a person; false positives are resolved, too
	human: those of them that needed a person
$$);
