-- Contracts: one row a contract, whatever state it is in. Primary fact of the cube.

CREATE TABLE cube.fact_verification_executions (
	contract_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	mission_key int NOT NULL,
	component_key int NOT NULL,
	tier_key int NOT NULL,
	actor_key int NOT NULL,
	action_type text,
	playbook_id text,
	duration_seconds double precision,
	confidence_score double precision,
	drift_score double precision,
	was_successful boolean NOT NULL,
	was_rolled_back boolean NOT NULL,
	created_snapshot boolean NOT NULL,
	passed_benchmark boolean,
	contract_status text,
	error_message text,
	created_at timestamptz NOT NULL,
	executed_at timestamptz,
	verified_at timestamptz,
	triggered_by text,
	mission_ref text,
	tier_text text,
	safe_hold_snapshot_id text,
	playbook_run_id bigint,
	requires_approval boolean,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (contract_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_verification_executions (time_key);
-- for lists of one tier, component, actor or mission; never of a status, or no change of state would be a HOT update
CREATE INDEX ON cube.fact_verification_executions (tier_key, time_key);
CREATE INDEX ON cube.fact_verification_executions (component_key, time_key);
CREATE INDEX ON cube.fact_verification_executions (actor_key, time_key);
CREATE INDEX ON cube.fact_verification_executions (mission_key, time_key);
COMMENT ON TABLE cube.fact_verification_executions IS 'One row a contract. The natural key is the primary key (with created_at, which finds the monthly partition); there is no surrogate key, because nothing refers to one.';
SELECT cube.comment_columns('cube.fact_verification_executions', $$
	contract_id: natural key
	time_key: dim_time, the minute of created_at
	mission_key: dim_mission: the contract's own mission_id, else a known mission named in triggered_by, else the one the log names
	component_key: dim_component: the contract's own, else a declared one named in triggered_by, else action_executor
	tier_key: dim_tier
	actor_key: dim_actor: who triggered it
	action_type: what was done
	playbook_id: playbook it belongs to
	duration_seconds: verified_at − created_at, seconds
	confidence_score: 0 to 1; NULL where none or senseless
	drift_score: of the latest benchmark run that names the contract: largest relative change from the baseline (0.1 is 10 %)
	was_successful: status is verified
	was_rolled_back: status is rolled_back
	created_snapshot: it names a snapshot, or a snapshot names it
	passed_benchmark: of the latest benchmark run that names the contract
	contract_status: trimmed, lower case
	error_message: the record's own error_message
	created_at: creation; decides partition and time_key
	executed_at: begin of execution
	verified_at: end of verification
	triggered_by: raw text
	mission_ref: text after the first colon of triggered_by, which may name a mission that is known later
	tier_text: raw text of the tier
	safe_hold_snapshot_id: the snapshot that the contract names
	playbook_run_id: the playbook run that the contract names (run_id)
	requires_approval: as the contract has it
	loaded_at: when the row was last written
$$);

-- sequence + 0: of the few entries of one contract the last; the plan shall not walk the index of all sequences instead, down from the newest
SELECT cube.define_fact('fact_verification_executions', 'verification_executions',
	p_keeps => ARRAY['error_message'],
	p_own => ARRAY['own_mission_key int', 'mission_ref text', 'safe_hold_snapshot_id text'],
	p_link_columns => '{
		"log_mission_key int": "(SELECT e.mission_key FROM cube.fact_agentic_events e WHERE e.contract_id = k.contract_id AND e.names_mission ORDER BY e.sequence + 0 DESC LIMIT 1)",
		"has_snapshot boolean": "EXISTS (SELECT FROM cube.fact_snapshots s WHERE s.contract_id = k.contract_id)",
		"drift_score double precision": "(SELECT b.drift_score FROM cube.fact_benchmark_runs b WHERE b.contract_id = k.contract_id ORDER BY b.created_at DESC, b.benchmark_id DESC LIMIT 1)",
		"passed_benchmark boolean": "(SELECT b.passed FROM cube.fact_benchmark_runs b WHERE b.contract_id = k.contract_id ORDER BY b.created_at DESC, b.benchmark_id DESC LIMIT 1)"}',
	p_links => '{
		"mission_key": "coalesce(nullif(k.own_mission_key, 0), (SELECT m.mission_key FROM cube.dim_mission m WHERE m.mission_id = k.mission_ref AND NOT m.is_inferred), k.log_mission_key, 0)",
		"created_snapshot": "k.safe_hold_snapshot_id IS NOT NULL OR coalesce(k.has_snapshot, false)",
		"drift_score": "k.drift_score",
		"passed_benchmark": "k.passed_benchmark"}');
CREATE INDEX ON cube.key_verification_executions (mission_ref) WHERE mission_ref IS NOT NULL;

-- Sums of seconds are µs; sums of confidence are parts per billion: with parts per million the sixth decimal of an average would be off.
-- Each execution is in two cells: that of its component, and that of all of them, component_key -1; so answers for all are not read from
-- nine times the rows.
SELECT cube.define_rollup('rollup_verification_hourly', 'fact_verification_executions',
	ARRAY['component_key int = c.component_key', 'hour int = f.hour', 'tier_key int = f.tier_key'],
	ARRAY(SELECT format('%1$s bigint = f.%1$s', s) FROM unnest('{executions,successful,rollbacks,with_snapshot,duration_n,duration_us,confidence_n,confidence_ppb}'::text[]) s),
	'true', 'CROSS JOIN LATERAL (VALUES (-1), (f.component_key)) c (component_key)',
	ARRAY['component_key = f.component_key', 'hour = f.time_key / 60', 'tier_key = f.tier_key'],
	ARRAY['executions = 1', 'successful = f.was_successful::int', 'rollbacks = f.was_rolled_back::int', 'with_snapshot = f.created_snapshot::int',
		'duration_n = (f.duration_seconds IS NOT NULL)::int', 'duration_us = round(f.duration_seconds * 1e6)::bigint',
		'confidence_n = (f.confidence_score IS NOT NULL)::int', 'confidence_ppb = round(f.confidence_score * 1e9)::bigint']);
SELECT cube.define_rollup('rollup_verification_mission', 'fact_verification_executions',
	ARRAY['mission_key int = f.mission_key', 'tier_key int = f.tier_key'],
	ARRAY['executions bigint = 1', 'successful bigint = f.was_successful::int', 'confidence_n bigint = (f.confidence_score IS NOT NULL)::int',
		'confidence_ppb bigint = round(f.confidence_score * 1e9)::bigint'], 'f.mission_key <> 0');
-- Sixteen neighbouring buckets are one row: a twelfth of the rows, and of the time, that one row a bucket took to read.
SELECT cube.define_rollup('rollup_verification_duration', 'fact_verification_executions',
	ARRAY['component_key int = c.component_key', 'day date = f.day', 'tier_key int = f.tier_key', 'bucket_group int = f.bucket >> 4'],
	ARRAY['executions bigint = f.n'] || ARRAY(SELECT format('n%s int = CASE WHEN f.bucket & 15 = %1$s THEN f.n ELSE 0 END', i) FROM generate_series(0, 15) i),
	'f.duration_seconds IS NOT NULL', 'CROSS JOIN LATERAL (VALUES (-1), (f.component_key)) c (component_key)',
	ARRAY['component_key = f.component_key', 'day = cube.day_of(f.time_key)', 'tier_key = f.tier_key', 'bucket = cube.log_bucket(f.duration_seconds)'],
	ARRAY['n = 1']);
SELECT cube.define_rollup('rollup_verification_confidence', 'fact_verification_executions',
	ARRAY['component_key int = c.component_key', 'day date = f.day', 'tier_key int = f.tier_key', 'bucket int = f.bucket'],
	ARRAY['executions bigint = f.executions', 'successful bigint = f.successful'],
	'f.confidence_score IS NOT NULL', 'CROSS JOIN LATERAL (VALUES (-1), (f.component_key)) c (component_key)',
	ARRAY['component_key = f.component_key', 'day = cube.day_of(f.time_key)', 'tier_key = f.tier_key', 'bucket = least(floor(f.confidence_score * 20)::int, 19)'],
	ARRAY['executions = 1', 'successful = f.was_successful::int']);

-- Which cells of these rollups a filter means.
CREATE FUNCTION cube.component_cell(p_component text) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	IF p_component IS NULL THEN RETURN -1; END IF;
	RETURN (SELECT c.component_key FROM cube.dim_component c WHERE c.component_name = p_component);
END $$;
COMMENT ON FUNCTION cube.component_cell(text) IS 'component_key in rollups of executions: of a component, or -1, all of them, for NULL; NULL when there is no such component.';

-- Steps that Grace's own code never makes. rank_of() in transforms/events/action_contracts.c is the same table.
CREATE FUNCTION cube.contract_rank(status text) RETURNS int LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE status WHEN 'pending' THEN 1 WHEN 'executing' THEN 2 WHEN 'verified' THEN 3 WHEN 'partial_success' THEN 3 WHEN 'failed' THEN 3
		WHEN 'rolled_back' THEN 4 END
$$;
COMMENT ON FUNCTION cube.contract_rank(text) IS 'A contract goes to higher ranks only; NULL is not judged.';
CREATE FUNCTION cube.check_contract_step() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
BEGIN
	-- rows that are all new come here too, and are most of them
	IF NOT EXISTS (SELECT FROM old_rows) THEN RETURN NULL; END IF;
	INSERT INTO cube.etl_quality_issue (topic, partition, kafka_offset, number, kafka_timestamp, stream, record_key, field, raw_value, rule)
	SELECT p.topic, p.partition, k.record_offset, 1000, to_timestamp(k.kafka_us / 1e6), 'verification_executions', n.contract_id, 'contract_status',
		format('%s -> %s', n.before, n.after), 'a step that the source never makes'
	-- grouped, not joined: a plan made for a small batch must hold for a large one
	FROM (SELECT contract_id, max(before) AS before, max(after) AS after
		FROM (SELECT contract_id, contract_status AS before, NULL AS after FROM old_rows
			UNION ALL SELECT contract_id, NULL, contract_status FROM new_rows) s
		GROUP BY contract_id HAVING max(before) <> max(after) AND cube.contract_rank(max(before)) >= cube.contract_rank(max(after))) n
	JOIN cube.key_verification_executions k ON k.contract_id = n.contract_id JOIN cube.etl_offset p ON p.offset_id = k.offset_id
	ON CONFLICT DO NOTHING;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION cube.check_contract_step() IS 'Lists steps of contracts that the source never makes as quality issues.';
CREATE TRIGGER check_contract_step AFTER UPDATE ON cube.fact_verification_executions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION cube.check_contract_step();

-- What narrows an answer reaches the rollups' keys: that is why these are functions, and the views their rows without limits.
CREATE FUNCTION cube.daily_verification(p_from date, p_to timestamptz, p_tier text, p_component text)
RETURNS TABLE (year int, month int, day int, tier_name text, total_executions bigint, successful_executions bigint, avg_confidence double precision,
	avg_duration_seconds double precision, rollbacks bigint, with_snapshot bigint) LANGUAGE sql STABLE AS $$
	SELECT date_part('year', d.day)::int, date_part('month', d.day)::int, date_part('day', d.day)::int, t.tier_name,
		d.executions, d.successful, d.avg_confidence, d.avg_duration, d.rollbacks, d.with_snapshot
	FROM (SELECT cube.day_of(h.hour * 60) AS day, h.tier_key, cube.total(h.executions) AS executions, cube.total(h.successful) AS successful,
			cube.mean(cube.total(h.confidence_ppb), cube.total(h.confidence_n), 1e9) AS avg_confidence,
			cube.mean(cube.total(h.duration_us), cube.total(h.duration_n), 1e6) AS avg_duration,
			cube.total(h.rollbacks) AS rollbacks, cube.total(h.with_snapshot) AS with_snapshot
		FROM cube.rollup_verification_hourly h
		WHERE h.hour >= coalesce((p_from - date '1970-01-01') * 24, 0) AND h.hour < coalesce(cube.days_until(p_to) * 24, 4000000)
			AND h.component_key = (SELECT cube.component_cell(p_component))
		GROUP BY 1, 2 HAVING cube.total(h.executions) <> 0) d
	JOIN cube.dim_tier t USING (tier_key)
	WHERE p_tier IS NULL OR t.tier_code = p_tier
$$;
COMMENT ON FUNCTION cube.daily_verification(date, timestamptz, text, text) IS 'Rows of cube_daily_verification_by_tier for the UTC days that touch a window; NULL means no begin, no end, all tiers, all components.';

CREATE VIEW cube.cube_daily_verification_by_tier AS SELECT * FROM cube.daily_verification(NULL, NULL, NULL, NULL);
COMMENT ON VIEW cube.cube_daily_verification_by_tier IS 'Executions, successes, rollbacks and averages by UTC day and tier.';
SELECT cube.comment_columns('cube.cube_daily_verification_by_tier', $$
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
$$);

CREATE VIEW cube.cube_mission_metrics AS
SELECT d.mission_type, t.tier_name, d.total_missions, d.successful_missions, d.avg_confidence, d.executions
-- the tier is joined to the few that are left: before, the planner expected few missions and looked each of them up
FROM (SELECT m.mission_type, r.tier_key, count(*) AS total_missions, count(*) FILTER (WHERE m.final_status = 'success') AS successful_missions,
		cube.mean(cube.total(r.confidence_ppb), cube.total(r.confidence_n), 1e9) AS avg_confidence, cube.total(r.executions) AS executions
	FROM (SELECT mission_key, tier_key, cube.total(executions) AS executions, cube.total(confidence_ppb) AS confidence_ppb, cube.total(confidence_n) AS confidence_n
		FROM cube.rollup_verification_mission GROUP BY 1, 2 HAVING cube.total(executions) <> 0) r
	JOIN cube.dim_mission m USING (mission_key) GROUP BY m.mission_type, r.tier_key) d
JOIN cube.dim_tier t USING (tier_key);
COMMENT ON VIEW cube.cube_mission_metrics IS 'Missions that have executions, by type of mission and tier of execution; a mission with executions of two tiers counts in both.';
SELECT cube.comment_columns('cube.cube_mission_metrics', $$
	mission_type: type of mission, unknown where none is given
	tier_name: tier of the executions
	total_missions: missions
	successful_missions: those of them whose final_status is success
	avg_confidence: mean confidence_score of their executions, 0 to 1
	executions: their executions
$$);

-- The first of a row's buckets by which `p_rank` of the counts are reached; `p_before` were in smaller ones.
CREATE FUNCTION cube.bucket_at(p_group int, p_before double precision, p_rank double precision, p_counts bigint[]) RETURNS int
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
CREATE FUNCTION cube.duration_percentiles(p_from date, p_to timestamptz, p_tier text, p_component text, p_whole boolean)
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

CREATE VIEW cube.cube_duration_percentiles AS SELECT * FROM cube.duration_percentiles(NULL, NULL, NULL, NULL, false);
COMMENT ON VIEW cube.cube_duration_percentiles IS 'Percentiles of the duration by UTC day and tier, from logarithmic buckets: within 1 %.';
SELECT cube.comment_columns('cube.cube_duration_percentiles', $$
	day: UTC day
	tier_name: tier
	executions: contracts that have a duration
	p50_seconds: half of them took at most this long
	p95_seconds: 95 % of them took at most this long
	p99_seconds: 99 % of them took at most this long
$$);

CREATE VIEW cube.cube_window_durations AS
SELECT tier_name, executions, p50_seconds, p95_seconds, p99_seconds FROM cube.duration_percentiles(NULL, NULL, NULL, NULL, true);
COMMENT ON VIEW cube.cube_window_durations IS 'Percentiles of the duration by tier over all time, from the same buckets; the API answers for any window of days.';
SELECT cube.comment_columns('cube.cube_window_durations', $$
	tier_name: tier
	executions: contracts that have a duration
	p50_seconds: half of them took at most this long
	p95_seconds: 95 % of them took at most this long
	p99_seconds: 99 % of them took at most this long
$$);

-- With p_whole the days are one, as a page shows them: a thirtieth of the rows.
CREATE FUNCTION cube.confidence_distribution(p_from date, p_to timestamptz, p_tier text, p_component text, p_whole boolean)
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

CREATE VIEW cube.cube_confidence_distribution AS SELECT * FROM cube.confidence_distribution(NULL, NULL, NULL, NULL, false);
COMMENT ON VIEW cube.cube_confidence_distribution IS 'How confident contracts were, and how often rightly, in steps of 0.05, by UTC day and tier.';
SELECT cube.comment_columns('cube.cube_confidence_distribution', $$
	day: UTC day
	tier_name: tier
	bucket: 0 to 19
	confidence_from: lower bound, included
	confidence_to: upper bound, not included but for the last
	executions: contracts in the bucket
	successful_executions: those of them that are verified
$$);

CREATE VIEW cube.cube_window_confidence AS
SELECT tier_name, bucket, confidence_from, confidence_to, executions, successful_executions FROM cube.confidence_distribution(NULL, NULL, NULL, NULL, true);
COMMENT ON VIEW cube.cube_window_confidence IS 'How confident contracts were, and how often rightly, in steps of 0.05, by tier over all time; the API answers for any window of days.';
SELECT cube.comment_columns('cube.cube_window_confidence', $$
	tier_name: tier
	bucket: 0 to 19
	confidence_from: lower bound, included
	confidence_to: upper bound, not included but for the last
	executions: contracts in the bucket
	successful_executions: those of them that are verified
$$);
