-- Executions: by day, hour, tier, mission; durations, confidence; one by one, and the whole story of one. Windows are exact to the minute: whole
-- hours or days come from the rollup, the two edges from the facts.

-- Which cells of these rollups a filter means.
CREATE OR REPLACE FUNCTION cube.component_cell(p_component text) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	IF p_component IS NULL THEN RETURN -1; END IF;
	RETURN (SELECT c.component_key FROM cube.dim_component c WHERE c.component_name = p_component);
END $$;
COMMENT ON FUNCTION cube.component_cell(text) IS 'component_key in rollups of executions: of a component, or -1, all of them, for NULL; NULL when there is no such component.';

-- What narrows an answer reaches the rollups' keys: that is why these are functions, and the views their rows without limits.
CREATE OR REPLACE FUNCTION cube.daily_verification(p_from date, p_to timestamptz, p_tier text, p_component text)
RETURNS TABLE (year int, month int, day int, tier_name text, total_executions bigint, successful_executions bigint, avg_confidence double precision,
	avg_duration_seconds double precision, rollbacks bigint, with_snapshot bigint) LANGUAGE sql STABLE AS $$
	SELECT date_part('year', d.day)::int, date_part('month', d.day)::int, date_part('day', d.day)::int, t.tier_name,
		d.executions, d.successful, d.avg_confidence, d.avg_duration, d.rollbacks, d.with_snapshot
	FROM (SELECT cube.day_of(h.hour * 60) AS day, h.tier_key, cube.total(h.executions) AS executions, cube.total(h.successful) AS successful,
			cube.mean(sum(h.confidence_ppb), cube.total(h.confidence_n), 1e9) AS avg_confidence,
			cube.mean(sum(h.duration_us), cube.total(h.duration_n), 1e6) AS avg_duration,
			cube.total(h.rollbacks) AS rollbacks, cube.total(h.with_snapshot) AS with_snapshot
		FROM cube.rollup_verification_hourly h
		WHERE h.hour >= coalesce((p_from - date '1970-01-01') * 24, 0) AND h.hour < coalesce(cube.days_until(p_to) * 24, 4000000)
			AND h.component_key = (SELECT cube.component_cell(p_component))
		GROUP BY 1, 2 HAVING cube.total(h.executions) <> 0) d
	JOIN cube.dim_tier t USING (tier_key)
	WHERE p_tier IS NULL OR t.tier_code = p_tier
$$;
COMMENT ON FUNCTION cube.daily_verification(date, timestamptz, text, text) IS 'Rows of cube_daily_verification_by_tier for the UTC days that touch a window; NULL means no begin, no end, all tiers, all components.';

SELECT cube.define_view('cube_daily_verification_by_tier', $$
SELECT v.*, make_date(v.year, v.month, v.day) AS date FROM cube.daily_verification(NULL, NULL, NULL, NULL) v$$);
SELECT cube.describe('cube.cube_daily_verification_by_tier', 'Executions, successes, rollbacks and averages by UTC day and tier.', $$
	year: of the UTC day
	month: of the UTC day
	day: of the UTC day
	tier_name: tier, unknown where none is given
	total_executions: contracts created on that day
	successful_executions: those of them that are verified
	avg_confidence: mean confidence_score, 0 to 1
	avg_duration_seconds: mean duration of those that have one, seconds
	rollbacks: those of them that were rolled back
	with_snapshot: those of them that have a snapshot
	date: the UTC day
$$);

-- ----
SELECT cube.define_view('cube_mission_metrics', $$
SELECT d.mission_type, t.tier_name, d.total_missions, d.successful_missions, d.avg_confidence, d.executions
-- the tier is joined to the few that are left: before, the planner expected few missions and looked each of them up
FROM (SELECT m.mission_type, r.tier_key, count(*) AS total_missions, count(*) FILTER (WHERE m.final_status = 'success') AS successful_missions,
		cube.mean(sum(r.confidence_ppb), cube.total(r.confidence_n), 1e9) AS avg_confidence, cube.total(r.executions) AS executions
	FROM (SELECT mission_key, tier_key, cube.total(executions) AS executions, sum(confidence_ppb) AS confidence_ppb, cube.total(confidence_n) AS confidence_n
		FROM cube.rollup_mission_executions GROUP BY 1, 2 HAVING cube.total(executions) <> 0) r
	JOIN cube.dim_mission m USING (mission_key) GROUP BY m.mission_type, r.tier_key) d
JOIN cube.dim_tier t USING (tier_key)$$);
SELECT cube.describe('cube.cube_mission_metrics', 'Missions that have executions, by type of mission and tier of execution; a mission with executions of two tiers counts in both.', $$
	mission_type: type of mission, unknown where none is given
	tier_name: tier of the executions
	total_missions: missions
	successful_missions: those of them whose final_status is success
	avg_confidence: mean confidence_score of their executions, 0 to 1
	executions: their executions
$$);

-- ----
SELECT cube.define_view('cube_missions', $$
SELECT mission_id, mission_name, mission_type, started_at, completed_at, final_status, final_status IS NULL AS is_running,
	cube.seconds_between(started_at, completed_at) AS duration_seconds, is_inferred
FROM cube.dim_mission WHERE mission_key <> 0$$);
SELECT cube.describe('cube.cube_missions', 'One row a mission, as it is now. Of all tiers, whoever asks.', $$
	mission_id: the mission
	mission_name: its name
	mission_type: type of mission, unknown where none is given
	started_at: begin
	completed_at: end; NULL while it is running
	final_status: success, failed, partial, rolled_back; NULL while it is running
	is_running: it has no final_status yet
	duration_seconds: completed_at − started_at, seconds
	is_inferred: known only from records that name it
$$);

-- ----
SELECT cube.define_view('cube_missions_by_type', $$
SELECT mission_type, count(*) AS missions, count(*) FILTER (WHERE final_status = 'success') AS successful, count(*) FILTER (WHERE final_status = 'partial') AS partial,
	count(*) FILTER (WHERE final_status = 'failed') AS failed, count(*) FILTER (WHERE final_status = 'rolled_back') AS rolled_back,
	count(*) FILTER (WHERE is_running) AS running, avg(duration_seconds) AS avg_duration_seconds, count(duration_seconds) AS timed_missions
FROM cube.cube_missions GROUP BY mission_type$$);
SELECT cube.describe('cube.cube_missions_by_type', 'Missions by type, each once: of these counts the sum is right, unlike that of cube_mission_metrics over tiers. Of all tiers, whoever asks.', $$
	mission_type: type of mission, unknown where none is given
	missions: missions
	successful: those of them whose final_status is success
	partial: those of them whose final_status is partial
	failed: those of them whose final_status is failed
	rolled_back: those of them whose final_status is rolled_back
	running: those of them that have none yet; they neither succeeded nor failed
	avg_duration_seconds: mean duration of those that ended, seconds
	timed_missions: missions of which the duration is known, and avg_duration_seconds the mean
$$);

-- ----
-- The first of a row's buckets by which `p_rank` of the counts are reached; `p_before` were in smaller ones.
CREATE OR REPLACE FUNCTION cube.bucket_at(p_group int, p_before double precision, p_rank double precision, p_counts bigint[]) RETURNS int
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE running double precision := p_before;
BEGIN
	FOR i IN 1..16 LOOP
		running := running + p_counts[i];
		IF running >= p_rank THEN RETURN p_group * 16 + i - 1; END IF;
	END LOOP;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION cube.bucket_at(int, double precision, double precision, bigint[]) IS 'Which logarithmic bucket of a row of sixteen holds a rank.';

-- A rank lies in one row of sixteen buckets, and only that row is taken apart. With p_whole the days are one.
CREATE OR REPLACE FUNCTION cube.duration_percentiles(p_from date, p_to timestamptz, p_tier text, p_component text, p_whole boolean)
RETURNS TABLE (day date, tier_name text, executions bigint, p50_seconds double precision, p95_seconds double precision, p99_seconds double precision)
LANGUAGE sql STABLE AS $$
	SELECT p.day, t.tier_name, p.total::bigint, cube.bucket_value(p.p50), cube.bucket_value(p.p95), cube.bucket_value(p.p99)
	FROM (SELECT r.day, r.tier_key, max(r.total) AS total,
			min(cube.bucket_at(r.bucket_group, r.up_to - r.n, 0.50 * r.total, r.counts)) FILTER (WHERE r.up_to >= 0.50 * r.total AND r.up_to - r.n < 0.50 * r.total) AS p50,
			min(cube.bucket_at(r.bucket_group, r.up_to - r.n, 0.95 * r.total, r.counts)) FILTER (WHERE r.up_to >= 0.95 * r.total AND r.up_to - r.n < 0.95 * r.total) AS p95,
			min(cube.bucket_at(r.bucket_group, r.up_to - r.n, 0.99 * r.total, r.counts)) FILTER (WHERE r.up_to >= 0.99 * r.total AND r.up_to - r.n < 0.99 * r.total) AS p99
		FROM (SELECT g.*, sum(g.n) OVER (PARTITION BY g.day, g.tier_key ORDER BY g.bucket_group) AS up_to, sum(g.n) OVER (PARTITION BY g.day, g.tier_key) AS total
			FROM (SELECT CASE WHEN NOT p_whole THEN d.day END AS day, d.tier_key, d.bucket_group, cube.total(d.executions)::double precision AS n,
					ARRAY[sum(d.n0), sum(d.n1), sum(d.n2), sum(d.n3), sum(d.n4), sum(d.n5), sum(d.n6), sum(d.n7),
						sum(d.n8), sum(d.n9), sum(d.n10), sum(d.n11), sum(d.n12), sum(d.n13), sum(d.n14), sum(d.n15)] AS counts
				FROM cube.rollup_verification_duration d
				WHERE d.day >= coalesce(p_from, '1970-01-01') AND d.day < coalesce(date '1970-01-01' + cube.days_until(p_to), '2500-01-01')
					AND d.component_key = (SELECT cube.component_cell(p_component))
				GROUP BY 1, 2, 3 HAVING cube.total(d.executions) <> 0) g) r
		GROUP BY 1, 2) p
	JOIN cube.dim_tier t USING (tier_key)
	WHERE p_tier IS NULL OR t.tier_code = p_tier
$$;
COMMENT ON FUNCTION cube.duration_percentiles(date, timestamptz, text, text, boolean) IS 'Percentiles of the duration for the UTC days that touch a window, by day or of all days together; NULL means no begin, no end, all tiers, all components.';

SELECT cube.define_view('cube_duration_percentiles', $$SELECT * FROM cube.duration_percentiles(NULL, NULL, NULL, NULL, false)$$);
SELECT cube.describe('cube.cube_duration_percentiles', 'Percentiles of the duration by UTC day and tier, from logarithmic buckets: within 1 %.', $$
	day: UTC day
	tier_name: tier
	executions: contracts that have a duration
	p50_seconds: half of them took at most this long
	p95_seconds: 95 % of them took at most this long
	p99_seconds: 99 % of them took at most this long
$$);

-- ----
SELECT cube.define_view('cube_window_durations', $$
SELECT tier_name, executions, p50_seconds, p95_seconds, p99_seconds FROM cube.duration_percentiles(NULL, NULL, NULL, NULL, true)$$);
SELECT cube.describe('cube.cube_window_durations', 'Percentiles of the duration by tier over all time, from the same buckets; the API answers for any window of days.', $$
	tier_name: tier
	executions: contracts that have a duration
	p50_seconds: half of them took at most this long
	p95_seconds: 95 % of them took at most this long
	p99_seconds: 99 % of them took at most this long
$$);

-- ----
-- With p_whole the days are one, as a page shows them: a thirtieth of the rows.
CREATE OR REPLACE FUNCTION cube.confidence_distribution(p_from date, p_to timestamptz, p_tier text, p_component text, p_whole boolean)
RETURNS TABLE (day date, tier_name text, bucket int, confidence_from double precision, confidence_to double precision, executions bigint,
	successful_executions bigint) LANGUAGE sql STABLE AS $$
	SELECT r.day, t.tier_name, r.bucket, r.bucket / 20.0::double precision, (r.bucket + 1) / 20.0::double precision, r.executions, r.successful
	FROM (SELECT CASE WHEN NOT p_whole THEN f.day END AS day, f.tier_key, f.bucket, cube.total(f.executions) AS executions, cube.total(f.successful) AS successful
		FROM cube.rollup_verification_confidence f
		WHERE f.day >= coalesce(p_from, '1970-01-01') AND f.day < coalesce(date '1970-01-01' + cube.days_until(p_to), '2500-01-01')
			AND f.component_key = (SELECT cube.component_cell(p_component))
		GROUP BY 1, 2, 3 HAVING cube.total(f.executions) <> 0) r
	JOIN cube.dim_tier t USING (tier_key)
	WHERE p_tier IS NULL OR t.tier_code = p_tier
$$;
COMMENT ON FUNCTION cube.confidence_distribution(date, timestamptz, text, text, boolean) IS 'Rows of cube_confidence_distribution for the UTC days that touch a window, by day or of all days together; NULL means no begin, no end, all tiers, all components.';

SELECT cube.define_view('cube_confidence_distribution', $$SELECT * FROM cube.confidence_distribution(NULL, NULL, NULL, NULL, false)$$);
SELECT cube.describe('cube.cube_confidence_distribution', 'How confident contracts were, and how often rightly, in steps of 0.05, by UTC day and tier.', $$
	day: UTC day
	tier_name: tier
	bucket: 0 to 19
	confidence_from: lower bound, included
	confidence_to: upper bound, not included but for the last
	executions: contracts in the bucket
	successful_executions: those of them that are verified
$$);

-- ----
SELECT cube.define_view('cube_window_confidence', $$
SELECT tier_name, bucket, confidence_from, confidence_to, executions, successful_executions FROM cube.confidence_distribution(NULL, NULL, NULL, NULL, true)$$);
SELECT cube.describe('cube.cube_window_confidence', 'How confident contracts were, and how often rightly, in steps of 0.05, by tier over all time; the API answers for any window of days.', $$
	tier_name: tier
	bucket: 0 to 19
	confidence_from: lower bound, included
	confidence_to: upper bound, not included but for the last
	executions: contracts in the bucket
	successful_executions: those of them that are verified
$$);

-- ----
-- created_at is bounded beside time_key so that only the partitions of the edges are looked at.
CREATE OR REPLACE FUNCTION cube.verification_success_rate(p_tier text, p_component text, p_from timestamptz, p_to timestamptz)
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

SELECT cube.define_view('cube_verification_success_rate', $$
SELECT * FROM cube.verification_success_rate(NULL, NULL, now() - interval '7 days', NULL)$$);
SELECT cube.describe('cube.cube_verification_success_rate', 'Success rate by tier of the last 7 days, exact to the minute.', $$
	tier_name: tier, unknown where none is given
	total: contracts created in the window
	successful: those of them that are verified
	success_rate_pct: successful of total, per cent, two decimals; pending and executing ones are in the total, and not successful yet
$$);

-- ----
CREATE OR REPLACE FUNCTION cube.hourly_verification(p_tier text, p_component text, p_from timestamptz, p_to timestamptz)
RETURNS TABLE (hour timestamptz, tier_name text, tier_code text, total_executions bigint, successful_executions bigint, rollbacks bigint,
	avg_confidence double precision, avg_duration_seconds double precision) LANGUAGE sql STABLE AS $$
	SELECT cube.minute_at(r.hour * 60), t.tier_name, t.tier_code, r.executions, r.successful, r.rollbacks, r.avg_confidence, r.avg_duration
	FROM (SELECT h.hour, h.tier_key, cube.total(h.executions) AS executions, cube.total(h.successful) AS successful, cube.total(h.rollbacks) AS rollbacks,
			cube.mean(sum(h.confidence_ppb), cube.total(h.confidence_n), 1e9) AS avg_confidence,
			cube.mean(sum(h.duration_us), cube.total(h.duration_n), 1e6) AS avg_duration
		FROM cube.rollup_verification_hourly h
		WHERE h.hour >= coalesce(floor(date_part('epoch', p_from) / 3600)::int, 0) AND h.hour < coalesce(ceil(date_part('epoch', p_to) / 3600)::int, 4000000)
			AND h.component_key = (SELECT cube.component_cell(p_component))
		GROUP BY h.hour, h.tier_key HAVING cube.total(h.executions) <> 0) r
	JOIN cube.dim_tier t USING (tier_key)
	WHERE p_tier IS NULL OR t.tier_code = p_tier
$$;
COMMENT ON FUNCTION cube.hourly_verification(text, text, timestamptz, timestamptz) IS 'Rows of cube_hourly_verification for every hour that touches a window; NULL means all tiers, all components, no begin, no end.';

SELECT cube.define_view('cube_hourly_verification', $$SELECT * FROM cube.hourly_verification(NULL, NULL, NULL, NULL)$$);
SELECT cube.describe('cube.cube_hourly_verification', 'Executions, successes, rollbacks and averages by hour and tier.', $$
	hour: when the hour begins
	tier_name: tier
	tier_code: its code
	total_executions: contracts created in the hour
	successful_executions: those of them that are verified
	rollbacks: those of them that were rolled back
	avg_confidence: mean confidence_score, 0 to 1
	avg_duration_seconds: mean duration of those that have one, seconds
$$);

-- ----
-- Summed by hour of the week before the names are joined: a join with every row of the rollup takes longer than all the rest.
CREATE OR REPLACE FUNCTION cube.activity_heatmap(p_tier text, p_component text, p_from timestamptz, p_to timestamptz)
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

SELECT cube.define_view('cube_activity_heatmap', $$SELECT * FROM cube.activity_heatmap(NULL, NULL, NULL, NULL)$$);
SELECT cube.describe('cube.cube_activity_heatmap', 'Executions by weekday and hour of the day in UTC, and tier.', $$
	iso_weekday: 1 is Monday, 7 is Sunday
	hour: 0 to 23
	tier_code: tier
	executions: contracts created then
	successful: those of them that are verified
$$);

-- ----
-- Each of these has a view and, with the same columns of the same collations, a function that filters.
-- A filter by a dimension's name must reach the fact as a key, and early: the planner looks a STABLE function up while it estimates, so it knows
-- whether a key is on every second fact, then it reads the newest ones and filters, or on three, then it takes the key's index.
CREATE OR REPLACE FUNCTION cube.tier_key_of(p_code text) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN RETURN (SELECT d.tier_key FROM cube.dim_tier d WHERE d.tier_code = p_code); END $$;
COMMENT ON FUNCTION cube.tier_key_of(text) IS 'Key of a tier; NULL when there is no such one.';

CREATE OR REPLACE FUNCTION cube.actor_key_of(p_id text) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN RETURN (SELECT d.actor_key FROM cube.dim_actor d WHERE d.actor_id = p_id); END $$;
COMMENT ON FUNCTION cube.actor_key_of(text) IS 'Key of an actor; NULL when there is no such one.';

CREATE OR REPLACE FUNCTION cube.mission_key_of(p_id text) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN RETURN (SELECT d.mission_key FROM cube.dim_mission d WHERE d.mission_id = p_id); END $$;
COMMENT ON FUNCTION cube.mission_key_of(text) IS 'Key of a mission; NULL when there is no such one.';

SELECT cube.define_flat_view('cube_executions', $$
SELECT f.contract_id, f.created_at, t.tier_code, t.tier_name, c.component_name, a.actor_id, m.mission_id, f.action_type, f.contract_status,
	f.was_successful, f.was_rolled_back, f.duration_seconds, f.confidence_score, f.drift_score, f.created_snapshot, f.passed_benchmark,
	f.playbook_id, f.executed_at, f.verified_at, f.triggered_by, f.error_message, f.time_key, f.target_resource,
	m.mission_type, f.requires_approval, f.contract_status IN ('pending', 'executing') AS is_open
FROM cube.fact_verification_executions f JOIN cube.dim_tier t USING (tier_key) JOIN cube.dim_component c USING (component_key)
JOIN cube.dim_actor a USING (actor_key) JOIN cube.dim_mission m USING (mission_key)
$$, 'executions', 'p_tier text, p_component text, p_actor text, p_mission text',
	$$(p_tier IS NULL OR f.tier_key = cube.tier_key_of(p_tier)) AND (p_component IS NULL OR f.component_key = cube.component_cell(p_component))
	AND (p_actor IS NULL OR f.actor_key = cube.actor_key_of(p_actor)) AND (p_mission IS NULL OR f.mission_key = cube.mission_key_of(p_mission))$$);
COMMENT ON FUNCTION cube.executions(text, text, text, text) IS 'Rows of cube_executions of a tier, a component, an actor and a mission; NULL means all.';
SELECT cube.describe('cube.cube_executions', 'One row a contract, with the names of its dimensions.', $$
	contract_id: the contract
	created_at: creation
	tier_code: tier
	tier_name: its name
	component_name: component
	actor_id: who triggered it
	mission_id: mission, unknown where there is none
	action_type: what was done
	contract_status: pending, executing, verified, partial_success, failed, rolled_back, cancelled
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
	target_resource: what it acts on, as its expected effect says
	mission_type: type of its mission, unknown where there is none
	requires_approval: as the contract has it
	is_open: pending or executing
$$);

-- ----
CREATE OR REPLACE FUNCTION cube.cube_tier_as_of(p_tier_code text, p_at timestamptz) RETURNS SETOF cube.dim_tier_history LANGUAGE sql STABLE AS $$
	SELECT * FROM cube.dim_tier_history
	WHERE tier_code = p_tier_code AND effective_from <= p_at AND (effective_to IS NULL OR p_at < effective_to)
$$;
COMMENT ON FUNCTION cube.cube_tier_as_of(text, timestamptz) IS 'The policy of a tier that held at a time; join a fact to it by LATERAL.';

CREATE OR REPLACE FUNCTION cube.cube_execution_timeline(p_contract_id text)
RETURNS TABLE (at timestamptz, what text, detail text, fact text, key text) LANGUAGE sql STABLE AS $$
	SELECT * FROM (
		SELECT f.created_at, 'contract created', format('%s by %s', f.action_type, coalesce(f.triggered_by, 'nobody')), 'fact_verification_executions', f.contract_id
		FROM cube.fact_verification_executions f WHERE f.contract_id = p_contract_id
		UNION ALL SELECT f.executed_at, 'contract executed', NULL, 'fact_verification_executions', f.contract_id
		FROM cube.fact_verification_executions f WHERE f.contract_id = p_contract_id AND f.executed_at IS NOT NULL
		UNION ALL SELECT f.verified_at, 'contract ' || coalesce(f.contract_status, 'verified'), 'confidence ' || f.confidence_score, 'fact_verification_executions', f.contract_id
		FROM cube.fact_verification_executions f WHERE f.contract_id = p_contract_id AND f.verified_at IS NOT NULL
		UNION ALL SELECT s.created_at, 'snapshot taken', s.snapshot_type, 'fact_snapshots', s.snapshot_id FROM cube.fact_snapshots s WHERE s.contract_id = p_contract_id
		UNION ALL SELECT s.restored_at, 'snapshot restored', s.snapshot_type, 'fact_snapshots', s.snapshot_id
		FROM cube.fact_snapshots s WHERE s.contract_id = p_contract_id AND s.restored_at IS NOT NULL
		UNION ALL SELECT b.created_at, 'benchmark ' || CASE WHEN b.passed THEN 'passed' ELSE 'failed' END, 'drift ' || b.drift_score, 'fact_benchmark_runs', b.benchmark_id
		FROM cube.fact_benchmark_runs b WHERE b.contract_id = p_contract_id
		UNION ALL SELECT c.created_at, 'compliance ' || CASE WHEN c.is_compliant THEN 'passed' ELSE 'failed' END, 'score ' || c.compliance_score, 'fact_compliance_checks', c.check_id
		FROM cube.key_compliance_checks k JOIN cube.fact_compliance_checks c ON c.check_id = k.check_id AND c.created_at = k.created_at WHERE k.contract_id = p_contract_id
		UNION ALL SELECT a.created_at, 'approval asked for', a.action_description, 'fact_approvals', a.approval_id
		FROM cube.key_approvals k JOIN cube.fact_approvals a ON a.approval_id = k.approval_id AND a.created_at = k.created_at WHERE k.contract_id = p_contract_id
		UNION ALL SELECT a.decided_at, 'approval ' || a.status, a.decision_reason, 'fact_approvals', a.approval_id
		FROM cube.key_approvals k JOIN cube.fact_approvals a ON a.approval_id = k.approval_id AND a.created_at = k.created_at
		WHERE k.contract_id = p_contract_id AND a.decided_at IS NOT NULL
		UNION ALL SELECT e.created_at, 'log: ' || coalesce(e.action, ''), concat_ws(' ', e.actor, e.resource, e.result), 'fact_agentic_events', e.entry_id
		FROM cube.fact_agentic_events e WHERE e.contract_id = p_contract_id) t (at, what, detail, fact, key)
	ORDER BY at, fact, key
$$;
COMMENT ON FUNCTION cube.cube_execution_timeline(text) IS 'One contract''s whole story in order: contract, snapshots, benchmarks, compliance, approvals, log.';
