-- Contracts: one row a contract, whatever state it is in. Primary fact of the cube.

SELECT cube.describe('cube.fact_verification_executions', 'One row a contract. The natural key is the primary key (with created_at, which finds the monthly partition); there is no surrogate key, because nothing refers to one.', $$
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
	target_resource: what it acts on, as its expected_effect says; NULL before that was read
	loaded_at: when the row was last written
$$);

-- sequence + 0: of the few entries of one contract the last; the plan shall not walk the index of all sequences instead, down from the newest
SELECT cube.define_fact('fact_verification_executions', 'verification_executions',
	p_keeps => ARRAY['error_message', 'target_resource'],
	p_key_columns => ARRAY['own_mission_key int', 'mission_ref text', 'safe_hold_snapshot_id text'],
	p_link_columns => '{
		"log_mission_key int": "(SELECT e.mission_key FROM cube.fact_agentic_events e WHERE e.contract_id = k.contract_id AND e.names_mission ORDER BY e.sequence + 0 DESC LIMIT 1)",
		"has_snapshot boolean": "(SELECT true FROM cube.fact_snapshots s WHERE s.contract_id = k.contract_id LIMIT 1)",
		"drift_score double precision": "(SELECT b.drift_score FROM cube.fact_benchmark_runs b WHERE b.contract_id = k.contract_id ORDER BY b.created_at DESC, b.benchmark_id DESC LIMIT 1)",
		"passed_benchmark boolean": "(SELECT b.passed FROM cube.fact_benchmark_runs b WHERE b.contract_id = k.contract_id ORDER BY b.created_at DESC, b.benchmark_id DESC LIMIT 1)"}',
	p_links => '{
		"mission_key": "coalesce(nullif(k.own_mission_key, 0), (SELECT m.mission_key FROM cube.dim_mission m WHERE m.mission_id = k.mission_ref AND NOT m.is_inferred), k.log_mission_key, 0)",
		"created_snapshot": "k.safe_hold_snapshot_id IS NOT NULL OR coalesce(k.has_snapshot, false)",
		"drift_score": "k.drift_score",
		"passed_benchmark": "k.passed_benchmark"}');

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
-- A mission may last for years: the only sum of measures here that no hour and no day ends is a numeric.
SELECT cube.define_rollup('rollup_mission_executions', 'fact_verification_executions',
	ARRAY['mission_key int = f.mission_key', 'tier_key int = f.tier_key'],
	ARRAY['executions bigint = 1', 'successful bigint = f.was_successful::int', 'confidence_n bigint = (f.confidence_score IS NOT NULL)::int',
		'confidence_ppb numeric = round(f.confidence_score * 1e9)::bigint'], 'f.mission_key <> 0');
-- What it was until 0008, for as long as programs of before read it. Months that are closed have no facts to fill the new one from.
SELECT cube.define_rollup('rollup_verification_mission', 'fact_verification_executions',
	ARRAY['mission_key int = f.mission_key', 'tier_key int = f.tier_key'],
	ARRAY['executions bigint = 1', 'successful bigint = f.was_successful::int', 'confidence_n bigint = (f.confidence_score IS NOT NULL)::int',
		'confidence_ppb bigint = round(f.confidence_score * 1e9)::bigint'], 'f.mission_key <> 0')
WHERE to_regclass('cube.rollup_verification_mission') IS NOT NULL;
DO $$
BEGIN
	IF to_regclass('cube.rollup_verification_mission') IS NULL THEN RETURN; END IF;
	PERFORM cube.hold_months();
	INSERT INTO cube.rollup_mission_executions (mission_key, tier_key, lane, executions, successful, confidence_n, confidence_ppb)
	SELECT mission_key, tier_key, lane, executions, successful, confidence_n, confidence_ppb FROM cube.rollup_verification_mission WHERE lane = -1
	ON CONFLICT DO NOTHING;
END $$;

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

-- Steps that Grace's own code never makes. is_backward() in transforms/streams/action_contracts.c is the same rule, and its statement is
-- there; tests/contract/contract_steps.csv is its cases, run through both.
CREATE OR REPLACE FUNCTION cube.contract_rank(status text) RETURNS int LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE status WHEN 'pending' THEN 1 WHEN 'executing' THEN 2 WHEN 'verified' THEN 3 WHEN 'partial_success' THEN 3 WHEN 'failed' THEN 3
		WHEN 'rolled_back' THEN 4 END
$$;
COMMENT ON FUNCTION cube.contract_rank(text) IS 'A contract goes to higher ranks only; NULL is not judged.';

CREATE OR REPLACE FUNCTION cube.is_backward_step(p_from text, p_to text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
	SELECT coalesce(p_from <> p_to AND cube.contract_rank(p_from) >= cube.contract_rank(p_to), false)
$$;
COMMENT ON FUNCTION cube.is_backward_step(text, text) IS 'Is it a step that the source never makes?';

CREATE OR REPLACE FUNCTION cube.check_contract_step() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
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
		GROUP BY contract_id HAVING cube.is_backward_step(max(before), max(after))) n
	JOIN cube.key_verification_executions k ON k.contract_id = n.contract_id JOIN cube.etl_offset p ON p.offset_id = k.offset_id
	ON CONFLICT DO NOTHING;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION cube.check_contract_step() IS 'Lists steps of contracts that the source never makes as quality issues.';

SELECT cube.define_trigger('check_contract_step', 'update', 'fact_verification_executions', 'OLD TABLE AS old_rows NEW TABLE AS new_rows', 'check_contract_step');
