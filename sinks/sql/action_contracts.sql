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

SELECT cube.define_fact('fact_verification_executions', 'verification_executions',
	p_keeps => ARRAY['error_message'],
	p_own => ARRAY['own_mission_key int', 'mission_ref text', 'safe_hold_snapshot_id text'],
	p_link_columns => '{
		"log_mission_key int": "(SELECT e.mission_key FROM cube.fact_agentic_events e WHERE e.contract_id = k.contract_id AND e.names_mission ORDER BY e.sequence DESC LIMIT 1)",
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
SELECT cube.define_rollup('rollup_verification_hourly', 'fact_verification_executions',
	ARRAY['hour int = f.time_key / 60', 'tier_key int = f.tier_key'],
	ARRAY['executions bigint = 1', 'successful bigint = f.was_successful::int', 'rollbacks bigint = f.was_rolled_back::int',
		'with_snapshot bigint = f.created_snapshot::int',
		'duration_n bigint = (f.duration_seconds IS NOT NULL)::int', 'duration_us bigint = round(f.duration_seconds * 1e6)::bigint',
		'confidence_n bigint = (f.confidence_score IS NOT NULL)::int', 'confidence_ppb bigint = round(f.confidence_score * 1e9)::bigint']);
SELECT cube.define_rollup('rollup_verification_mission', 'fact_verification_executions',
	ARRAY['mission_key int = f.mission_key', 'tier_key int = f.tier_key'],
	ARRAY['executions bigint = 1', 'successful bigint = f.was_successful::int', 'confidence_n bigint = (f.confidence_score IS NOT NULL)::int',
		'confidence_ppb bigint = round(f.confidence_score * 1e9)::bigint'], 'f.mission_key <> 0');
SELECT cube.define_rollup('rollup_verification_duration', 'fact_verification_executions',
	ARRAY['day date = cube.day_of(f.time_key)', 'tier_key int = f.tier_key', 'bucket int = cube.log_bucket(f.duration_seconds)'],
	ARRAY['executions bigint = 1'], 'f.duration_seconds IS NOT NULL');
SELECT cube.define_rollup('rollup_verification_confidence', 'fact_verification_executions',
	ARRAY['day date = cube.day_of(f.time_key)', 'tier_key int = f.tier_key', 'bucket int = least(floor(f.confidence_score * 20)::int, 19)'],
	ARRAY['executions bigint = 1', 'successful bigint = f.was_successful::int'], 'f.confidence_score IS NOT NULL');

-- Steps that Grace's own code never makes. rank_of() in transforms/events/action_contracts.c is the same table.
CREATE FUNCTION cube.contract_rank(status text) RETURNS int LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE status WHEN 'pending' THEN 1 WHEN 'executing' THEN 2 WHEN 'verified' THEN 3 WHEN 'partial_success' THEN 3 WHEN 'failed' THEN 3
		WHEN 'rolled_back' THEN 4 END
$$;
COMMENT ON FUNCTION cube.contract_rank(text) IS 'A contract goes to higher ranks only; NULL is not judged.';
CREATE FUNCTION cube.check_contract_step() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
BEGIN
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

CREATE VIEW cube.cube_daily_verification_by_tier AS
SELECT date_part('year', d.day)::int AS year, date_part('month', d.day)::int AS month, date_part('day', d.day)::int AS day, t.tier_name,
	d.total_executions, d.successful_executions, d.avg_confidence, d.avg_duration_seconds, d.rollbacks, d.with_snapshot
FROM (
	SELECT cube.day_of(hour * 60) AS day, tier_key, sum(executions)::bigint AS total_executions, sum(successful)::bigint AS successful_executions,
		(sum(confidence_ppb) / nullif(sum(confidence_n), 0) / 1e9)::double precision AS avg_confidence,
		(sum(duration_us) / nullif(sum(duration_n), 0) / 1e6)::double precision AS avg_duration_seconds,
		sum(rollbacks)::bigint AS rollbacks, sum(with_snapshot)::bigint AS with_snapshot
	FROM cube.rollup_verification_hourly GROUP BY 1, 2 HAVING sum(executions) <> 0) d
JOIN cube.dim_tier t USING (tier_key);
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
SELECT m.mission_type, t.tier_name, count(*) AS total_missions, count(*) FILTER (WHERE m.final_status = 'success') AS successful_missions,
	(sum(r.confidence_ppb) / nullif(sum(r.confidence_n), 0) / 1e9)::double precision AS avg_confidence, sum(r.executions)::bigint AS executions
FROM (SELECT mission_key, tier_key, sum(executions) AS executions, sum(confidence_ppb) AS confidence_ppb, sum(confidence_n) AS confidence_n
	FROM cube.rollup_verification_mission GROUP BY 1, 2 HAVING sum(executions) <> 0) r
JOIN cube.dim_mission m USING (mission_key) JOIN cube.dim_tier t USING (tier_key)
GROUP BY m.mission_type, t.tier_name;
COMMENT ON VIEW cube.cube_mission_metrics IS 'Missions that have executions, by type of mission and tier of execution; a mission with executions of two tiers counts in both.';
SELECT cube.comment_columns('cube.cube_mission_metrics', $$
	mission_type: type of mission, unknown where none is given
	tier_name: tier of the executions
	total_missions: missions
	successful_missions: those of them whose final_status is success
	avg_confidence: mean confidence_score of their executions, 0 to 1
	executions: their executions
$$);

CREATE VIEW cube.cube_duration_percentiles AS
SELECT d.day, t.tier_name, max(total)::bigint AS executions,
	cube.bucket_value(min(bucket) FILTER (WHERE running >= 0.50 * total)) AS p50_seconds,
	cube.bucket_value(min(bucket) FILTER (WHERE running >= 0.95 * total)) AS p95_seconds,
	cube.bucket_value(min(bucket) FILTER (WHERE running >= 0.99 * total)) AS p99_seconds
FROM (SELECT day, tier_key, bucket, sum(n) OVER (PARTITION BY day, tier_key ORDER BY bucket) AS running, sum(n) OVER (PARTITION BY day, tier_key) AS total
	FROM (SELECT day, tier_key, bucket, sum(executions) AS n FROM cube.rollup_verification_duration GROUP BY 1, 2, 3 HAVING sum(executions) <> 0) b) d
JOIN cube.dim_tier t USING (tier_key)
GROUP BY d.day, t.tier_name;
COMMENT ON VIEW cube.cube_duration_percentiles IS 'Percentiles of the duration by UTC day and tier, from logarithmic buckets: within 1 %.';
SELECT cube.comment_columns('cube.cube_duration_percentiles', $$
	day: UTC day
	tier_name: tier
	executions: contracts that have a duration
	p50_seconds: half of them took at most this long
	p95_seconds: 95 % of them took at most this long
	p99_seconds: 99 % of them took at most this long
$$);

CREATE VIEW cube.cube_confidence_distribution AS
SELECT r.day, t.tier_name, r.bucket, r.bucket / 20.0::double precision AS confidence_from, (r.bucket + 1) / 20.0::double precision AS confidence_to,
	sum(r.executions)::bigint AS executions, sum(r.successful)::bigint AS successful_executions
FROM cube.rollup_verification_confidence r JOIN cube.dim_tier t USING (tier_key)
GROUP BY r.day, t.tier_name, r.bucket HAVING sum(r.executions) <> 0;
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
