-- What the API and the dashboard ask beyond the streams' own views: rates over a rolling window, hours, the heat map, and one flat
-- view a fact. Windows are exact to the minute: whole hours or days come from the rollup, the two edges from the facts.

-- A minute belongs to a window when it begins in it, which is how a join with dim_time on "timestamp" reads.
CREATE FUNCTION cube.first_minute(t timestamptz, otherwise int) RETURNS int LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN t IS NULL THEN otherwise ELSE ceil(date_part('epoch', t) / 60)::int END
$$;
COMMENT ON FUNCTION cube.first_minute(timestamptz, int) IS 'The first minute (time_key) that begins at or after a time; `otherwise` for NULL.';

-- 200000000 minutes are behind every time that the cube accepts.
CREATE FUNCTION cube.window_of(p_from timestamptz, p_to timestamptz, p_grain int)
RETURNS TABLE (from_minute int, to_minute int, from_whole int, to_whole int) LANGUAGE sql STABLE AS $$
	SELECT w.from_minute, w.to_minute, w.from_whole, greatest(w.to_minute / p_grain, w.from_whole)
	FROM (SELECT m.from_minute, m.to_minute, (m.from_minute + p_grain - 1) / p_grain AS from_whole
		FROM (SELECT cube.first_minute(p_from, 0) AS from_minute, cube.first_minute(p_to, 200000000) AS to_minute) m) w
$$;
COMMENT ON FUNCTION cube.window_of(timestamptz, timestamptz, int) IS 'The minutes of a window, and the whole hours (grain 60) or days (grain 1440) in it; the ends are not included.';

CREATE FUNCTION cube.minute_at(p_minute int) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT to_timestamp(p_minute * 60.0::double precision)
$$;
COMMENT ON FUNCTION cube.minute_at(int) IS 'When a minute (time_key) begins.';

CREATE FUNCTION cube.as_of() RETURNS timestamptz LANGUAGE sql STABLE AS $$
	SELECT coalesce((SELECT max(updated_at) FROM cube.etl_offset), (SELECT max(applied_at) FROM cube.schema_version))
$$;
COMMENT ON FUNCTION cube.as_of() IS 'The newest commit that the cube holds; before the first one, when the cube was made.';

-- Transactions take their time when they begin and may end in another order: two states of the cube can be as of the same time.
-- Every one of them moves a position, and none moves one back, so this sum tells the states apart.
CREATE FUNCTION cube.records_read() RETURNS bigint LANGUAGE sql STABLE AS $$
	SELECT coalesce(sum(next_offset - first_offset), 0)::bigint FROM cube.etl_offset
$$;
COMMENT ON FUNCTION cube.records_read() IS 'How many records the cube accounts for. It grows with every commit: answers with the same number are of the same commit.';

-- Verification ------------------------------------------------------------------------------------------------------------------

-- created_at is bounded beside time_key so that only the partitions of the edges are looked at.
CREATE FUNCTION cube.verification_success_rate(p_tier text, p_component text, p_from timestamptz, p_to timestamptz)
RETURNS TABLE (tier_name text, total bigint, successful bigint, success_rate_pct double precision) LANGUAGE sql STABLE AS $$
	WITH w AS MATERIALIZED (SELECT * FROM cube.window_of(p_from, p_to, 60)),
	parts AS (
		SELECT r.tier_key, cube.total(r.executions) AS total, cube.total(r.successful) AS successful FROM cube.rollup_verification_hourly r
		WHERE r.hour >= (SELECT from_whole FROM w) AND r.hour < (SELECT to_whole FROM w)
			AND r.component_key = (SELECT cube.component_cell(p_component))
		GROUP BY r.tier_key
		UNION ALL
		SELECT f.tier_key, count(*), count(*) FILTER (WHERE f.was_successful) FROM cube.fact_verification_executions f
		WHERE f.time_key >= (SELECT from_minute FROM w) AND f.time_key < (SELECT least(from_whole * 60, to_minute) FROM w)
			AND f.created_at >= (SELECT cube.minute_at(from_minute) FROM w) AND f.created_at < (SELECT cube.minute_at(from_whole * 60) FROM w)
			AND (p_component IS NULL OR f.component_key = (SELECT cube.component_cell(p_component)))
		GROUP BY f.tier_key
		UNION ALL
		SELECT f.tier_key, count(*), count(*) FILTER (WHERE f.was_successful) FROM cube.fact_verification_executions f
		WHERE f.time_key >= (SELECT to_whole * 60 FROM w) AND f.time_key < (SELECT to_minute FROM w)
			AND f.created_at >= (SELECT cube.minute_at(to_whole * 60) FROM w) AND f.created_at < (SELECT cube.minute_at(to_minute) FROM w)
			AND (p_component IS NULL OR f.component_key = (SELECT cube.component_cell(p_component)))
		GROUP BY f.tier_key)
	SELECT t.tier_name, cube.total(p.total), cube.total(p.successful), round(100.0 * cube.total(p.successful) / cube.total(p.total), 2)::double precision
	FROM parts p JOIN cube.dim_tier t USING (tier_key)
	WHERE p_tier IS NULL OR t.tier_code = p_tier
	GROUP BY t.tier_code, t.tier_name HAVING cube.total(p.total) <> 0 ORDER BY t.tier_code
$$;
COMMENT ON FUNCTION cube.verification_success_rate(text, text, timestamptz, timestamptz) IS 'Success rate by tier of the contracts created in a window, exact to the minute; NULL means all tiers, all components, no begin, no end.';

CREATE VIEW cube.cube_verification_success_rate AS
SELECT * FROM cube.verification_success_rate(NULL, NULL, now() - interval '7 days', NULL);
COMMENT ON VIEW cube.cube_verification_success_rate IS 'Success rate by tier of the last 7 days, exact to the minute.';
SELECT cube.comment_columns('cube.cube_verification_success_rate', $$
	tier_name: tier, unknown where none is given
	total: contracts created in the window
	successful: those of them that are verified
	success_rate_pct: successful of total, per cent, two decimals
$$);

CREATE FUNCTION cube.hourly_verification(p_tier text, p_component text, p_from timestamptz, p_to timestamptz)
RETURNS TABLE (hour timestamptz, tier_name text, tier_code text, total_executions bigint, successful_executions bigint, rollbacks bigint,
	avg_confidence double precision, avg_duration_seconds double precision) LANGUAGE sql STABLE AS $$
	SELECT cube.minute_at(r.hour * 60), t.tier_name, t.tier_code, r.executions, r.successful, r.rollbacks, r.avg_confidence, r.avg_duration
	FROM (SELECT h.hour, h.tier_key, cube.total(h.executions) AS executions, cube.total(h.successful) AS successful, cube.total(h.rollbacks) AS rollbacks,
			cube.mean(cube.total(h.confidence_ppb), cube.total(h.confidence_n), 1e9) AS avg_confidence,
			cube.mean(cube.total(h.duration_us), cube.total(h.duration_n), 1e6) AS avg_duration
		FROM cube.rollup_verification_hourly h
		WHERE h.hour >= coalesce(floor(date_part('epoch', p_from) / 3600)::int, 0) AND h.hour < coalesce(ceil(date_part('epoch', p_to) / 3600)::int, 4000000)
			AND h.component_key = (SELECT cube.component_cell(p_component))
		GROUP BY h.hour, h.tier_key HAVING cube.total(h.executions) <> 0) r
	JOIN cube.dim_tier t USING (tier_key)
	WHERE p_tier IS NULL OR t.tier_code = p_tier
$$;
COMMENT ON FUNCTION cube.hourly_verification(text, text, timestamptz, timestamptz) IS 'Rows of cube_hourly_verification for every hour that touches a window; NULL means all tiers, all components, no begin, no end.';

CREATE VIEW cube.cube_hourly_verification AS SELECT * FROM cube.hourly_verification(NULL, NULL, NULL, NULL);
COMMENT ON VIEW cube.cube_hourly_verification IS 'Executions, successes, rollbacks and averages by hour and tier.';
SELECT cube.comment_columns('cube.cube_hourly_verification', $$
	hour: when the hour begins
	tier_name: tier
	tier_code: its code
	total_executions: contracts created in the hour
	successful_executions: those of them that are verified
	rollbacks: those of them that were rolled back
	avg_confidence: mean confidence_score, 0 to 1
	avg_duration_seconds: mean duration of those that have one, seconds
$$);

-- Summed by hour of the week before the names are joined: a join with every row of the rollup takes longer than all the rest.
CREATE FUNCTION cube.activity_heatmap(p_tier text, p_component text, p_from timestamptz, p_to timestamptz)
RETURNS TABLE (iso_weekday int, hour int, tier_code text, executions bigint, successful bigint) LANGUAGE sql STABLE AS $$
	-- hours are counted since a Thursday's midnight
	SELECT (w.hour / 24 + 3) % 7 + 1, w.hour % 24, t.tier_code, w.executions, w.successful
	FROM (SELECT h.hour % 168 AS hour, h.tier_key, cube.total(h.executions) AS executions, cube.total(h.successful) AS successful
		FROM cube.rollup_verification_hourly h
		WHERE h.hour >= coalesce(floor(date_part('epoch', p_from) / 3600)::int, 0) AND h.hour < coalesce(ceil(date_part('epoch', p_to) / 3600)::int, 4000000)
			AND h.component_key = (SELECT cube.component_cell(p_component))
		GROUP BY 1, 2 HAVING cube.total(h.executions) <> 0) w
	JOIN cube.dim_tier t USING (tier_key)
	WHERE p_tier IS NULL OR t.tier_code = p_tier
$$;
COMMENT ON FUNCTION cube.activity_heatmap(text, text, timestamptz, timestamptz) IS 'Rows of cube_activity_heatmap for the hours that touch a window; NULL means all tiers, all components, no begin, no end.';

CREATE VIEW cube.cube_activity_heatmap AS SELECT * FROM cube.activity_heatmap(NULL, NULL, NULL, NULL);
COMMENT ON VIEW cube.cube_activity_heatmap IS 'Executions by weekday and hour of the day in UTC, and tier.';
SELECT cube.comment_columns('cube.cube_activity_heatmap', $$
	iso_weekday: 1 is Monday, 7 is Sunday
	hour: 0 to 23
	tier_code: tier
	executions: contracts created then
	successful: those of them that are verified
$$);

-- Errors ------------------------------------------------------------------------------------------------------------------------

-- Whole hours for the parts of days at the edges: without them a busy day's errors were read one by one.
SELECT cube.define_rollup('rollup_errors_hourly', 'fact_error_events', ARRAY['hour int = f.time_key / 60', 'severity text = f.severity'],
	ARRAY['errors bigint = 1', 'auto_resolved bigint = f.was_auto_resolved::int']);

CREATE FUNCTION cube.error_trends(p_from timestamptz, p_to timestamptz)
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
		SELECT cube.day_of(f.time_key), f.severity, 1, f.was_auto_resolved::int FROM cube.fact_error_events f
		WHERE f.time_key >= (SELECT from_minute FROM h) AND f.time_key < (SELECT least(from_whole * 60, to_minute) FROM h)
			AND f.created_at >= (SELECT cube.minute_at(from_minute) FROM h) AND f.created_at < (SELECT cube.minute_at(from_whole * 60) FROM h)
		UNION ALL
		SELECT cube.day_of(f.time_key), f.severity, 1, f.was_auto_resolved::int FROM cube.fact_error_events f
		WHERE f.time_key >= (SELECT to_whole * 60 FROM h) AND f.time_key < (SELECT to_minute FROM h)
			AND f.created_at >= (SELECT cube.minute_at(to_whole * 60) FROM h) AND f.created_at < (SELECT cube.minute_at(to_minute) FROM h))
	SELECT date_part('year', p.day)::int, date_part('month', p.day)::int, date_part('day', p.day)::int, p.severity,
		cube.total(p.errors), cube.total(p.auto_resolved)
	FROM parts p GROUP BY p.day, p.severity HAVING cube.total(p.errors) <> 0 ORDER BY p.day, p.severity
$$;
COMMENT ON FUNCTION cube.error_trends(timestamptz, timestamptz) IS 'Errors by UTC day and severity of a window, exact to the minute: the first and the last day may be parts of days.';

SELECT cube.define_rollup('rollup_error_types_daily', 'fact_error_events',
	ARRAY['day date = cube.day_of(f.time_key)', 'error_type text = coalesce(f.error_type, ''unknown'')', 'severity text = f.severity',
		'component_key int = f.component_key'],
	ARRAY['errors bigint = 1', 'auto_resolved bigint = f.was_auto_resolved::int']);

CREATE VIEW cube.cube_top_error_types AS
SELECT r.day, r.error_type, r.severity, c.component_name, cube.total(r.errors) AS errors, cube.total(r.auto_resolved) AS auto_resolved
FROM cube.rollup_error_types_daily r JOIN cube.dim_component c USING (component_key)
GROUP BY r.day, r.error_type, r.severity, c.component_name HAVING cube.total(r.errors) <> 0;
COMMENT ON VIEW cube.cube_top_error_types IS 'Errors by UTC day, type, severity and component.';
SELECT cube.comment_columns('cube.cube_top_error_types', $$
	day: UTC day
	error_type: type of error, unknown where none is given
	severity: low, medium, high, critical, unknown, …
	component_name: component
	errors: errors raised on that day
	auto_resolved: those of them that were resolved without a person
$$);

-- Components --------------------------------------------------------------------------------------------------------------------

CREATE VIEW cube.cube_components AS
SELECT component_name, subsystem, tier_default, description, is_inferred FROM cube.dim_component;
COMMENT ON VIEW cube.cube_components IS 'The components by which answers can be narrowed.';
SELECT cube.comment_columns('cube.cube_components', $$
	component_name: component
	subsystem: what it belongs to
	tier_default: tier that its actions usually have
	description: what it does
	is_inferred: known only from records that name it
$$);

-- Freshness ---------------------------------------------------------------------------------------------------------------------

CREATE VIEW cube.cube_lag AS
SELECT stream, records_read, data_through, seconds_since_commit FROM cube.cube_freshness;
COMMENT ON VIEW cube.cube_lag IS 'How much of each stream was read, how far it reaches, and how long ago it last moved.';
SELECT cube.comment_columns('cube.cube_lag', $$
	stream: the kind of record
	records_read: records read so far
	data_through: Kafka's timestamp of the newest record in the cube
	seconds_since_commit: how long ago the stream last moved
$$);

-- The facts, flat ---------------------------------------------------------------------------------------------------------------

-- Each of these has a view and, with the same columns of the same collations, a function that filters.
-- A filter by a dimension's name must reach the fact as a key, and early: the planner looks a STABLE function up while it estimates, so it knows
-- whether a key is on every second fact, then it reads the newest ones and filters, or on three, then it takes the key's index.
CREATE FUNCTION cube.tier_key_of(p_code text) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN RETURN (SELECT d.tier_key FROM cube.dim_tier d WHERE d.tier_code = p_code); END $$;
COMMENT ON FUNCTION cube.tier_key_of(text) IS 'Key of a tier; NULL when there is no such one.';
CREATE FUNCTION cube.actor_key_of(p_id text) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN RETURN (SELECT d.actor_key FROM cube.dim_actor d WHERE d.actor_id = p_id); END $$;
COMMENT ON FUNCTION cube.actor_key_of(text) IS 'Key of an actor; NULL when there is no such one.';
CREATE FUNCTION cube.mission_key_of(p_id text) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN RETURN (SELECT d.mission_key FROM cube.dim_mission d WHERE d.mission_id = p_id); END $$;
COMMENT ON FUNCTION cube.mission_key_of(text) IS 'Key of a mission; NULL when there is no such one.';
DO $do$
DECLARE flat constant text := $$
SELECT f.contract_id, f.created_at, t.tier_code, t.tier_name, c.component_name, a.actor_id, m.mission_id, f.action_type, f.contract_status,
	f.was_successful, f.was_rolled_back, f.duration_seconds, f.confidence_score, f.drift_score, f.created_snapshot, f.passed_benchmark,
	f.playbook_id, f.executed_at, f.verified_at, f.triggered_by, f.error_message, f.time_key
FROM cube.fact_verification_executions f JOIN cube.dim_tier t USING (tier_key) JOIN cube.dim_component c USING (component_key)
JOIN cube.dim_actor a USING (actor_key) JOIN cube.dim_mission m USING (mission_key)
$$;
BEGIN
	EXECUTE 'CREATE VIEW cube.cube_executions AS ' || flat;
	EXECUTE 'CREATE FUNCTION cube.executions(p_tier text, p_component text, p_actor text, p_mission text) RETURNS SETOF cube.cube_executions LANGUAGE sql STABLE AS $f$ ' || flat || $$
WHERE (p_tier IS NULL OR f.tier_key = cube.tier_key_of(p_tier)) AND (p_component IS NULL OR f.component_key = cube.component_cell(p_component))
	AND (p_actor IS NULL OR f.actor_key = cube.actor_key_of(p_actor)) AND (p_mission IS NULL OR f.mission_key = cube.mission_key_of(p_mission)) $f$ $$;
END $do$;
COMMENT ON FUNCTION cube.executions(text, text, text, text) IS 'Rows of cube_executions of a tier, a component, an actor and a mission; NULL means all.';
COMMENT ON VIEW cube.cube_executions IS 'One row a contract, with the names of its dimensions.';
SELECT cube.comment_columns('cube.cube_executions', $$
	contract_id: the contract
	created_at: creation
	tier_code: tier
	tier_name: its name
	component_name: component
	actor_id: who triggered it
	mission_id: mission, unknown where there is none
	action_type: what was done
	contract_status: pending, executing, verified, partial_success, failed, rolled_back
	was_successful: status is verified
	was_rolled_back: status is rolled_back
	duration_seconds: verified_at − created_at, seconds
	confidence_score: 0 to 1; NULL where none or senseless
	drift_score: of the latest benchmark run that names the contract
	created_snapshot: it has a snapshot
	passed_benchmark: of the latest benchmark run that names the contract
	playbook_id: playbook it belongs to
	executed_at: begin of execution
	verified_at: end of verification
	triggered_by: raw text
	error_message: the record's own
	time_key: the minute of created_at
$$);

DO $do$
DECLARE flat constant text := $$
SELECT f.error_id, f.created_at, f.error_type, f.severity, c.component_name, a.actor_id, f.source, f.status, f.was_auto_resolved,
	f.required_human_intervention, f.resolution_time_seconds, f.playbook_triggered, f.resolved_at, f.resolution_note, f.time_key
FROM cube.fact_error_events f JOIN cube.dim_component c USING (component_key) JOIN cube.dim_actor a USING (actor_key)
$$;
BEGIN
	EXECUTE 'CREATE VIEW cube.cube_errors AS ' || flat;
	EXECUTE 'CREATE FUNCTION cube.errors(p_component text) RETURNS SETOF cube.cube_errors LANGUAGE sql STABLE AS $f$ ' || flat || $$
WHERE p_component IS NULL OR f.component_key = cube.component_cell(p_component) $f$ $$;
END $do$;
COMMENT ON FUNCTION cube.errors(text) IS 'Rows of cube_errors of a component; NULL means all.';
COMMENT ON VIEW cube.cube_errors IS 'One row an error, with the names of its dimensions.';
SELECT cube.comment_columns('cube.cube_errors', $$
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

DO $do$
DECLARE flat constant text := $$
SELECT f.approval_id, f.created_at, f.status, f.was_approved, t.tier_code, t.tier_name, a.actor_id, f.requested_by, f.approval_type,
	f.action_description, f.risk_score, f.decision_time_seconds, f.decided_at, f.decision_reason, f.contract_id, f.error_id, f.time_key
FROM cube.fact_approvals f JOIN cube.dim_tier t USING (tier_key) JOIN cube.dim_actor a USING (actor_key)
$$;
BEGIN
	EXECUTE 'CREATE VIEW cube.cube_approvals AS ' || flat;
	EXECUTE 'CREATE FUNCTION cube.approvals(p_tier text) RETURNS SETOF cube.cube_approvals LANGUAGE sql STABLE AS $f$ ' || flat || $$
WHERE p_tier IS NULL OR f.tier_key = cube.tier_key_of(p_tier) $f$ $$;
END $do$;
COMMENT ON FUNCTION cube.approvals(text) IS 'Rows of cube_approvals of a tier; NULL means all.';
COMMENT ON VIEW cube.cube_approvals IS 'One row an approval, with the names of its dimensions.';
SELECT cube.comment_columns('cube.cube_approvals', $$
	approval_id: the approval
	created_at: when it was asked for
	status: pending, approved, rejected, …
	was_approved: true, false, NULL while it is pending
	tier_code: tier
	tier_name: its name
	actor_id: who decided
	requested_by: who asked
	approval_type: kind of approval, where the source gives one
	action_description: what was to be approved
	risk_score: 0 to 1, where the source gives one
	decision_time_seconds: decided_at − created_at, seconds
	decided_at: when it was decided
	decision_reason: free text
	contract_id: the contract it is about
	error_id: the error it is about
	time_key: the minute of created_at
$$);
