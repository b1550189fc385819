-- Views over bookkeeping, and last touches that need everything else to be there.

CREATE VIEW cube.cube_etl_metadata AS
SELECT group_id, topic, partition, stream, next_offset, last_record_at AS last_load_timestamp, updated_at, applied, superseded, dead, ignored,
	applied + superseded + dead + ignored = next_offset - first_offset AS ledger_closed
FROM cube.etl_offset;
COMMENT ON VIEW cube.cube_etl_metadata IS 'Watermark and ledger of each topic and partition.';
SELECT cube.comment_columns('cube.cube_etl_metadata', $$
	group_id: Kafka consumer group
	topic: Kafka topic
	partition: Kafka partition
	stream: the kind of record the topic carries
	next_offset: the next offset to be read
	last_load_timestamp: Kafka's timestamp of the newest record read
	updated_at: when the position last moved
	applied: records applied
	superseded: records older than what the cube holds, and duplicates
	dead: records in the dead letters
	ignored: records that mean nothing here
	ledger_closed: all of these together are what was read
$$);

CREATE VIEW cube.cube_freshness AS
SELECT stream, max(last_record_at) AS data_through, max(updated_at) AS last_commit_at,
	date_part('epoch', now() - max(updated_at)) AS seconds_since_commit,
	sum(next_offset - first_offset)::bigint AS records_read, sum(dead)::bigint AS dead_letters
FROM cube.etl_offset GROUP BY stream;
COMMENT ON VIEW cube.cube_freshness IS 'How far each stream has come.';
SELECT cube.comment_columns('cube.cube_freshness', $$
	stream: the kind of record
	data_through: Kafka's timestamp of the newest record in the cube
	last_commit_at: when the stream last moved
	seconds_since_commit: how long ago that is
	records_read: records read so far
	dead_letters: those of them that are in the dead letters
$$);

SELECT cube.define_rollup('rollup_quality_issues', 'etl_quality_issue', ARRAY['stream text = f.stream', 'field text = f.field', 'rule text = f.rule'], ARRAY['issues bigint = 1']);

CREATE VIEW cube.cube_quality_issues AS
SELECT r.*, (SELECT max(i.found_at) FROM cube.etl_quality_issue i WHERE i.stream = r.stream AND i.field = r.field AND i.rule = r.rule) AS last_found_at
FROM (SELECT stream, field, rule, cube.total(issues) AS issues FROM cube.rollup_quality_issues GROUP BY 1, 2, 3 HAVING cube.total(issues) <> 0) r;
COMMENT ON VIEW cube.cube_quality_issues IS 'Quality issues, counted by what was wrong.';
SELECT cube.comment_columns('cube.cube_quality_issues', $$
	stream: the kind of record, or the fact where two versions of one did not fit together
	field: the field
	rule: the rule that was broken
	issues: how often
	last_found_at: when it was last found
$$);

CREATE FUNCTION cube.cube_tier_as_of(p_tier_code text, p_at timestamptz) RETURNS SETOF cube.dim_tier_history LANGUAGE sql STABLE AS $$
	SELECT * FROM cube.dim_tier_history
	WHERE tier_code = p_tier_code AND effective_from <= p_at AND (effective_to IS NULL OR p_at < effective_to)
$$;
COMMENT ON FUNCTION cube.cube_tier_as_of(text, timestamptz) IS 'The policy of a tier that held at a time; join a fact to it by LATERAL.';

CREATE FUNCTION cube.cube_execution_timeline(p_contract_id text)
RETURNS TABLE (at timestamptz, what text, detail text, fact text, key text) LANGUAGE sql STABLE AS $$
	SELECT * FROM (
		SELECT f.created_at, 'contract created', format('%s by %s', f.action_type, coalesce(f.triggered_by, 'nobody')), 'fact_verification_executions', f.contract_id
		FROM cube.fact_verification_executions f WHERE f.contract_id = p_contract_id
		UNION ALL SELECT f.executed_at, 'contract executed', NULL, 'fact_verification_executions', f.contract_id
		FROM cube.fact_verification_executions f WHERE f.contract_id = p_contract_id AND f.executed_at IS NOT NULL
		UNION ALL SELECT f.verified_at, 'contract ' || coalesce(f.contract_status, 'verified'), format('confidence %s', f.confidence_score), 'fact_verification_executions', f.contract_id
		FROM cube.fact_verification_executions f WHERE f.contract_id = p_contract_id AND f.verified_at IS NOT NULL
		UNION ALL SELECT s.created_at, 'snapshot taken', s.snapshot_type, 'fact_snapshots', s.snapshot_id FROM cube.fact_snapshots s WHERE s.contract_id = p_contract_id
		UNION ALL SELECT s.restored_at, 'snapshot restored', s.snapshot_type, 'fact_snapshots', s.snapshot_id
		FROM cube.fact_snapshots s WHERE s.contract_id = p_contract_id AND s.restored_at IS NOT NULL
		UNION ALL SELECT b.created_at, 'benchmark ' || CASE WHEN b.passed THEN 'passed' ELSE 'failed' END, format('drift %s', b.drift_score), 'fact_benchmark_runs', b.benchmark_id
		FROM cube.fact_benchmark_runs b WHERE b.contract_id = p_contract_id
		UNION ALL SELECT c.created_at, 'compliance ' || CASE WHEN c.is_compliant THEN 'passed' ELSE 'failed' END, format('score %s', c.compliance_score), 'fact_compliance_checks', c.check_id
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

-- Roles: gracecube_writer runs the consumers and owns nothing, so it can neither truncate, nor disable a trigger, nor write a
-- partition behind the triggers' back; everything goes through functions of the owner. gracecube_reader is for analysts.
DO $$
DECLARE wanted name;
BEGIN
	FOREACH wanted IN ARRAY ARRAY['gracecube_writer', 'gracecube_reader'] LOOP
		BEGIN
			IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN EXECUTE format('CREATE ROLE %I NOLOGIN', wanted); END IF;
		EXCEPTION
			WHEN insufficient_privilege THEN RAISE NOTICE 'no right to create roles: % is left out', wanted;
			WHEN duplicate_object OR unique_violation THEN RAISE NOTICE '% was made by somebody else', wanted; -- for another database
		END;
	END LOOP;
END $$;
DO $$
BEGIN
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'gracecube_writer') THEN
		REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cube FROM PUBLIC;
		GRANT USAGE ON SCHEMA cube TO gracecube_writer, gracecube_reader;
		GRANT SELECT ON ALL TABLES IN SCHEMA cube TO gracecube_writer, gracecube_reader;
		GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cube TO gracecube_writer;
		ALTER DEFAULT PRIVILEGES IN SCHEMA cube GRANT SELECT ON TABLES TO gracecube_writer, gracecube_reader;
		-- what views and analysts call
		GRANT EXECUTE ON FUNCTION cube.cube_tier_as_of(text, timestamptz), cube.cube_execution_timeline(text), cube.day_of(int), cube.time_key(timestamptz), cube.bucket_value(int), cube.log_bucket(double precision), cube.lane()
			TO gracecube_reader;
	END IF;
END $$;
