-- Makes a large cube of what was consumed, for tests/bench_api, which sets :rows. The triggers keep the rollups meanwhile.
\set ON_ERROR_STOP on
BEGIN;

-- Executions: a few captured ones, many times. Theirs become three months, eight components, a
-- sixteenth of each bad end, and durations from 50 ms to an hour.
SELECT cube.ensure_partition('verification_executions', m) FROM generate_series(678, 684) m;
SELECT cube.ensure_hours(ARRAY(SELECT DISTINCT h - 24 * d FROM generate_series(0, 89) d, (SELECT DISTINCT time_key / 60 AS h FROM cube.fact_verification_executions) t));
UPDATE cube.key_verification_executions SET created_at = created_at - make_interval(days => 30 * (hashtext(contract_id) & 255) / 86) WHERE created_at >= '2026-10-20';
ALTER TABLE cube.fact_verification_executions DISABLE TRIGGER check_contract_step; -- these steps are nobody's fault
UPDATE cube.fact_verification_executions f SET created_at = k.created_at, time_key = cube.time_key(k.created_at),
	component_key = CASE WHEN hashtext(f.contract_id) & 3 = 0 THEN (hashtext(f.contract_id) >> 4 & 7) + 1 ELSE f.component_key END,
	duration_seconds = f.duration_seconds + 0.05 * exp(abs(hashtext(f.contract_id || 'd')) / 2147483648.0 * 11),
	confidence_score = abs(hashtext(f.contract_id || 'c')) / 2147483648.0,
	contract_status = s.status, was_successful = s.status = 'verified', was_rolled_back = s.status = 'rolled_back'
FROM cube.key_verification_executions k,
	LATERAL (SELECT (ARRAY['failed', 'rolled_back', 'partial_success', 'verified'])[least(abs(hashtext(k.contract_id || 's')) % 16 + 1, 4)] AS status) s
WHERE k.contract_id = f.contract_id;
ALTER TABLE cube.fact_verification_executions ENABLE TRIGGER check_contract_step;

-- The other facts. Copies get keys of their own and name no contract, error or run, so that one story stays as long as it was.
CREATE SCHEMA bench;
CREATE FUNCTION bench.multiply(p_fact text, p_rows bigint, p_overrides jsonb DEFAULT '{}', p_condition text DEFAULT 'true') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	f cube.fact := (SELECT f FROM cube.fact f WHERE f.fact = p_fact);
	n bigint;
	overrides jsonb := jsonb_build_object(f.key_column, format('s.%I || ''~'' || i', f.key_column), 'contract_id', 'NULL', 'error_id', 'NULL') || p_overrides;
BEGIN
	EXECUTE format('SELECT count(*) FROM cube.%I s WHERE %s', p_fact, p_condition) INTO n;
	IF n = 0 THEN RETURN; END IF;
	EXECUTE (SELECT format('INSERT INTO cube.key_%1$s (%2$s) SELECT %3$s FROM cube.key_%1$s s, generate_series(1, %4$s) i WHERE s.created_at IS NOT NULL AND s.%5$I IN (SELECT s.%5$I FROM cube.%6$I s WHERE %7$s) ORDER BY 1',
			f.target, string_agg(format('%I', attname), ', ' ORDER BY attnum), string_agg(coalesce(overrides ->> attname, format('s.%I', attname)), ', ' ORDER BY attnum),
			p_rows / n, f.key_column, p_fact, p_condition)
		FROM pg_attribute WHERE attrelid = format('cube.key_%s', f.target)::regclass AND attnum > 0 AND NOT attisdropped);
	EXECUTE (SELECT format('INSERT INTO cube.%1$I (%2$s) SELECT %3$s FROM cube.%1$I s, generate_series(1, %4$s) i WHERE %5$s',
			p_fact, string_agg(format('%I', attname), ', ' ORDER BY attnum), string_agg(coalesce(overrides ->> attname, format('s.%I', attname)), ', ' ORDER BY attnum), p_rows / n, p_condition)
		FROM pg_attribute WHERE attrelid = format('cube.%I', p_fact)::regclass AND attnum > 0 AND NOT attisdropped);
END $$;
-- the log: without the holes that made traffic has, in the order of time, and each copy links to the one before
CREATE TABLE bench.place AS SELECT entry_id, 4 * row_number() OVER w AS place, lag(entry_hash) OVER w AS before FROM cube.fact_agentic_events WINDOW w AS (ORDER BY created_at, sequence);
ALTER TABLE bench.place ADD PRIMARY KEY (entry_id);
UPDATE cube.fact_agentic_events f SET sequence = p.place, previous_hash = p.before, hash_matches = true FROM bench.place p WHERE p.entry_id = f.entry_id;
SELECT bench.multiply('fact_agentic_events', (SELECT 3 * count(*) FROM bench.place), '{"names_mission": "false", "previous_hash": "s.entry_hash",
	"sequence": "s.sequence + i"}');
SELECT bench.multiply('fact_error_events', :rows, '{"error_id": "s.error_id || ''~'' || i"}', 's.error_id LIKE ''security_event:%''');
SELECT bench.multiply('fact_approvals', :rows);
SELECT bench.multiply('fact_governance_sessions', :rows / 10, '{"created_at": "s.created_at + i * interval ''37 s''",
	"time_key": "cube.time_key(s.created_at + i * interval ''37 s'')"}');
SELECT bench.multiply('fact_governance_votes', :rows, '{"governance_session_id": "s.governance_session_id || ''~'' || i % 1000 + 1"}');
SELECT bench.multiply('fact_playbook_runs', :rows / 2);
SELECT bench.multiply('fact_playbook_step_runs', :rows, '{"run_id": "NULL"}');
SELECT bench.multiply(f, :rows) FROM unnest('{fact_benchmark_runs,fact_snapshots,fact_agentic_insights,fact_healing_actions,fact_compliance_checks,fact_execution_tasks}'::text[]) f;

-- forty shards that beat once a minute for the days of the capture; one beat in a hundred is missing
INSERT INTO cube.key_shard_heartbeats (heartbeat_id, created_at)
SELECT format('shard_%s@%s', s, extract(epoch FROM t)::bigint * 1000000), t
FROM (SELECT max(created_at) AS last FROM cube.fact_verification_executions WHERE created_at < now()) m, generate_series(1, 40) s,
	generate_series(last - make_interval(mins => (:rows / 40)::int), last, '1 minute') t WHERE hashint8(extract(epoch FROM t)::bigint + s) % 100 <> 0 ORDER BY 1;
INSERT INTO cube.fact_shard_heartbeats (heartbeat_id, time_key, component_key, actor_key, shard_id, status, load, created_at)
SELECT heartbeat_id, cube.time_key(created_at), 0, 0, split_part(heartbeat_id, '@', 1), 'ok', 0.5, created_at FROM cube.key_shard_heartbeats;
SELECT cube.ensure_hours(ARRAY(SELECT DISTINCT time_key / 60 FROM cube.fact_shard_heartbeats));

INSERT INTO cube.etl_quality_issue (topic, partition, kafka_offset, number, kafka_timestamp, stream, record_key, field, raw_value, rule)
SELECT 'bench', 0, n, 0, now(), (ARRAY['action_contracts', 'security_events', 'immutable_log'])[n % 3 + 1], 'record-' || n, 'field_' || n % 7, '?', 'rule ' || n % 5
FROM generate_series(1, :rows / 10) n;
DROP SCHEMA bench CASCADE;
COMMIT;
