-- The tables of release 0.1.0, with the rows that they begin with. Everything that says what they mean is in ../code.

-- Settings, positions, dead letters, quality issues, gaps ------------------------------------------------------------------

CREATE SCHEMA IF NOT EXISTS cube;

CREATE TABLE cube.schema_version (
	version int PRIMARY KEY,
	program text NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cube.setting (
	name text PRIMARY KEY,
	value text NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cube.etl_offset (
	offset_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	group_id text NOT NULL,
	topic text NOT NULL,
	partition int NOT NULL,
	stream text NOT NULL,
	first_offset bigint NOT NULL,
	next_offset bigint NOT NULL,
	last_record_hash bigint,
	applied bigint NOT NULL DEFAULT 0,
	superseded bigint NOT NULL DEFAULT 0,
	dead bigint NOT NULL DEFAULT 0,
	ignored bigint NOT NULL DEFAULT 0,
	owner text,
	owner_pid int,
	owner_epoch bigint NOT NULL DEFAULT 0,
	claimed_at timestamptz,
	last_record_at timestamptz,
	updated_at timestamptz NOT NULL DEFAULT now(),
	UNIQUE (group_id, topic, partition),
	CONSTRAINT ledger_closed CHECK (applied + superseded + dead + ignored = next_offset - first_offset)
) WITH (fillfactor = 50);

CREATE TABLE cube.etl_dead_letter (
	dead_letter_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	group_id text NOT NULL,
	topic text NOT NULL,
	partition int NOT NULL,
	kafka_offset bigint NOT NULL,
	kafka_timestamp timestamptz,
	stream text NOT NULL,
	key bytea,
	value bytea,
	headers jsonb NOT NULL DEFAULT '[]',
	error_code text NOT NULL,
	error_where text NOT NULL,
	reason text NOT NULL,
	dead_at timestamptz NOT NULL DEFAULT now(),
	UNIQUE (group_id, topic, partition, kafka_offset)
);

CREATE TABLE cube.etl_quality_issue (
	topic text NOT NULL,
	partition int NOT NULL,
	kafka_offset bigint NOT NULL,
	number int NOT NULL,
	kafka_timestamp timestamptz,
	stream text NOT NULL,
	record_key text,
	field text NOT NULL,
	raw_value text,
	rule text NOT NULL,
	found_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (topic, partition, kafka_offset, number)
);
CREATE INDEX ON cube.etl_quality_issue (stream, field, rule, found_at);

CREATE TABLE cube.etl_gap (
	group_id text NOT NULL,
	topic text NOT NULL,
	partition int NOT NULL,
	from_offset bigint NOT NULL,
	to_offset bigint NOT NULL,
	reason text NOT NULL,
	detected_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (group_id, topic, partition, from_offset)
);

CREATE TABLE cube.rollup_quality_issues (
	stream text NOT NULL, field text NOT NULL, rule text NOT NULL, lane smallint NOT NULL, issues bigint NOT NULL,
	PRIMARY KEY (stream, field, rule, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- Dimensions; key 0 is the unknown member of each --------------------------------------------------------------------------

CREATE TABLE cube.dim_time (
	time_key int PRIMARY KEY,
	"timestamp" timestamptz NOT NULL UNIQUE,
	minute int NOT NULL,
	hour int NOT NULL,
	day int NOT NULL,
	week int NOT NULL,
	month int NOT NULL,
	quarter int NOT NULL,
	year int NOT NULL,
	day_of_week text NOT NULL,
	is_business_hours boolean NOT NULL,
	is_weekend boolean NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON cube.dim_time (year, month, day);

CREATE TABLE cube.dim_component (
	component_key int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	component_name text COLLATE "C" NOT NULL UNIQUE,
	subsystem text,
	tier_default text,
	description text,
	is_inferred boolean NOT NULL DEFAULT false,
	loaded_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO cube.dim_component OVERRIDING SYSTEM VALUE VALUES (0, 'unknown', NULL, NULL, 'No component is named.');
INSERT INTO cube.dim_component (component_name, subsystem, tier_default, description) VALUES
	('input_sentinel', 'error_handling', 'tier_1', 'Watches for errors and plans their repair.'),
	('action_executor', 'verification', 'tier_2', 'Executes contracts and verifies them.'),
	('hunter', 'security', 'tier_2', 'Raises security alerts.'),
	('cognition_authority', 'cognition', 'tier_1', 'Plans actions.'),
	('policy_engine', 'governance', 'tier_3', 'Decides what policy allows.'),
	('shard_orchestrator', 'concurrency', 'tier_1', 'Runs tasks on shards.'),
	('grace_autonomous', 'autonomy', 'tier_2', 'Runs missions on its own.'),
	('parliament_engine', 'governance', 'tier_3', 'Holds votes.');

CREATE TABLE cube.dim_tier (
	tier_key int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	tier_code text COLLATE "C" NOT NULL UNIQUE,
	tier_name text,
	requires_approval boolean,
	requires_snapshot boolean,
	requires_benchmark boolean,
	risk_level text,
	description text,
	is_current boolean NOT NULL DEFAULT true,
	effective_from timestamptz,
	effective_to timestamptz,
	is_inferred boolean NOT NULL DEFAULT false,
	loaded_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO cube.dim_tier (tier_key, tier_code, tier_name, effective_from) OVERRIDING SYSTEM VALUE VALUES (0, 'unknown', 'unknown', '1970-01-01Z');
INSERT INTO cube.dim_tier (tier_code, tier_name, requires_approval, requires_snapshot, requires_benchmark, risk_level, effective_from) VALUES
	('tier_1', 'Operational', false, false, false, 'low', '1970-01-01Z'),
	('tier_2', 'Tactical', false, true, true, 'medium', '1970-01-01Z'),
	('tier_3', 'Strategic', true, true, true, 'high', '1970-01-01Z');

CREATE TABLE cube.dim_mission (
	mission_key int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	mission_id text COLLATE "C" NOT NULL UNIQUE,
	mission_name text,
	mission_type text,
	started_at timestamptz,
	completed_at timestamptz,
	final_status text,
	is_current boolean NOT NULL DEFAULT true,
	effective_from timestamptz,
	effective_to timestamptz,
	is_inferred boolean NOT NULL DEFAULT false,
	loaded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON cube.dim_mission (mission_type);
INSERT INTO cube.dim_mission (mission_key, mission_id, mission_name, mission_type, effective_from) OVERRIDING SYSTEM VALUE
	VALUES (0, 'unknown', 'unknown', 'unknown', '1970-01-01Z');

CREATE TABLE cube.dim_actor (
	actor_key int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	actor_id text COLLATE "C" NOT NULL UNIQUE,
	actor_type text CHECK (actor_type IN ('human', 'system', 'agent')),
	actor_name text,
	is_trusted boolean NOT NULL DEFAULT false,
	loaded_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO cube.dim_actor (actor_key, actor_id, actor_name) OVERRIDING SYSTEM VALUE VALUES (0, 'unknown', 'unknown');

CREATE TABLE cube.version_missions (
	source_id text COLLATE "C" NOT NULL, lsn bigint NOT NULL, at_us bigint NOT NULL, tie bigint NOT NULL, mission_key int,
	deleted boolean NOT NULL, changed_at timestamptz NOT NULL, kafka_us bigint NOT NULL DEFAULT 0, mission_name text,
	mission_type text, started_at timestamptz, completed_at timestamptz, final_status text,
	loaded_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (source_id, lsn, at_us, tie)
);
CREATE INDEX ON cube.version_missions (mission_key);

CREATE TABLE cube.dim_mission_history (
	mission_key int NOT NULL, version_number int NOT NULL, mission_id text COLLATE "C" NOT NULL, mission_name text,
	mission_type text, started_at timestamptz, completed_at timestamptz, final_status text, is_current boolean NOT NULL,
	effective_from timestamptz NOT NULL, effective_to timestamptz, loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (mission_key, version_number), CHECK (effective_to >= effective_from)
);

CREATE TABLE cube.version_tiers (
	source_id text COLLATE "C" NOT NULL, lsn bigint NOT NULL, at_us bigint NOT NULL, tie bigint NOT NULL, tier_key int,
	deleted boolean NOT NULL, changed_at timestamptz NOT NULL, kafka_us bigint NOT NULL DEFAULT 0, tier_name text,
	requires_approval boolean, requires_snapshot boolean, requires_benchmark boolean, risk_level text, description text,
	policy_from timestamptz, loaded_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (source_id, lsn, at_us, tie)
);
CREATE INDEX ON cube.version_tiers (tier_key);

CREATE TABLE cube.dim_tier_history (
	tier_key int NOT NULL, version_number int NOT NULL, tier_code text COLLATE "C" NOT NULL, tier_name text,
	requires_approval boolean, requires_snapshot boolean, requires_benchmark boolean, risk_level text, description text,
	is_current boolean NOT NULL, effective_from timestamptz NOT NULL, effective_to timestamptz,
	loaded_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (tier_key, version_number), CHECK (effective_to >= effective_from)
);
-- the pre-filled policies hold from 1970 until the first one comes
INSERT INTO cube.version_tiers (source_id, lsn, at_us, tie, tier_key, deleted, changed_at, tier_name, requires_approval, requires_snapshot,
	requires_benchmark, risk_level, description)
SELECT tier_code, 0, 0, 0, tier_key, false, effective_from, tier_name, requires_approval, requires_snapshot, requires_benchmark, risk_level, description
FROM cube.dim_tier WHERE tier_key > 0;
INSERT INTO cube.dim_tier_history (tier_key, version_number, tier_code, tier_name, requires_approval, requires_snapshot, requires_benchmark,
	risk_level, description, is_current, effective_from)
SELECT tier_key, 1, tier_code, tier_name, requires_approval, requires_snapshot, requires_benchmark, risk_level, description, true, effective_from
FROM cube.dim_tier WHERE tier_key > 0;

-- Registry of facts and rollups, which ../code fills -----------------------------------------------------------------------

CREATE TABLE cube.fact (
	fact text PRIMARY KEY,
	target text NOT NULL UNIQUE,
	key_column text NOT NULL,
	links jsonb NOT NULL,
	link_columns jsonb NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cube.rollup (
	rollup text PRIMARY KEY,
	fact text NOT NULL,
	position int GENERATED ALWAYS AS IDENTITY,
	cells jsonb NOT NULL,
	sums jsonb NOT NULL,
	beside text NOT NULL,
	parts jsonb NOT NULL,
	condition text NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now()
);

-- action_contracts: fact_verification_executions, its keys and rollups -----------------------------------------------------

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

CREATE TABLE cube.key_verification_executions (
	contract_id text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz,
	lsn bigint NOT NULL DEFAULT 0, source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0,
	record_offset bigint NOT NULL DEFAULT 0, offset_id bigint, xid xid8, own_mission_key int, mission_ref text,
	safe_hold_snapshot_id text, log_mission_key int, has_snapshot boolean, passed_benchmark boolean,
	drift_score double precision
) WITH (fillfactor = 60);
CREATE INDEX ON cube.key_verification_executions (mission_ref) WHERE mission_ref IS NOT NULL;

CREATE TABLE cube.rollup_verification_executions_ledger (
	day date NOT NULL, lane smallint NOT NULL, row_count bigint NOT NULL, checksum bigint NOT NULL, PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_verification_hourly (
	component_key int NOT NULL, hour int NOT NULL, tier_key int NOT NULL, lane smallint NOT NULL, executions bigint NOT NULL,
	successful bigint NOT NULL, rollbacks bigint NOT NULL, with_snapshot bigint NOT NULL, duration_n bigint NOT NULL,
	duration_us bigint NOT NULL, confidence_n bigint NOT NULL, confidence_ppb bigint NOT NULL,
	PRIMARY KEY (component_key, hour, tier_key, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_verification_mission (
	mission_key int NOT NULL, tier_key int NOT NULL, lane smallint NOT NULL, executions bigint NOT NULL,
	successful bigint NOT NULL, confidence_n bigint NOT NULL, confidence_ppb bigint NOT NULL,
	PRIMARY KEY (mission_key, tier_key, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_verification_duration (
	component_key int NOT NULL, day date NOT NULL, tier_key int NOT NULL, bucket_group int NOT NULL, lane smallint NOT NULL,
	executions bigint NOT NULL, n0 int NOT NULL, n1 int NOT NULL, n2 int NOT NULL, n3 int NOT NULL, n4 int NOT NULL,
	n5 int NOT NULL, n6 int NOT NULL, n7 int NOT NULL, n8 int NOT NULL, n9 int NOT NULL, n10 int NOT NULL, n11 int NOT NULL,
	n12 int NOT NULL, n13 int NOT NULL, n14 int NOT NULL, n15 int NOT NULL,
	PRIMARY KEY (component_key, day, tier_key, bucket_group, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_verification_confidence (
	component_key int NOT NULL, day date NOT NULL, tier_key int NOT NULL, bucket int NOT NULL, lane smallint NOT NULL,
	executions bigint NOT NULL, successful bigint NOT NULL, PRIMARY KEY (component_key, day, tier_key, bucket, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- agentic_insights: fact_agentic_insights, its keys and rollups ------------------------------------------------------------

CREATE TABLE cube.fact_agentic_insights (
	insight_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	mission_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	run_id text,
	phase text,
	signal_type text,
	plan_type text,
	outcome text,
	guardrails_passed boolean,
	approval_required boolean,
	was_verified boolean,
	confidence_score double precision,
	risk_score double precision,
	mission_ref text,
	created_at timestamptz NOT NULL,
	approved_at timestamptz,
	executed_at timestamptz,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (insight_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_agentic_insights (time_key);

CREATE TABLE cube.key_agentic_insights (
	insight_id text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz, lsn bigint NOT NULL DEFAULT 0,
	source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0, record_offset bigint NOT NULL DEFAULT 0,
	offset_id bigint, xid xid8, mission_ref text
) WITH (fillfactor = 60);
CREATE INDEX ON cube.key_agentic_insights (mission_ref) WHERE mission_ref IS NOT NULL;

CREATE TABLE cube.rollup_agentic_insights_ledger (
	day date NOT NULL, lane smallint NOT NULL, row_count bigint NOT NULL, checksum bigint NOT NULL, PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_insights_daily (
	day date NOT NULL, phase text NOT NULL, lane smallint NOT NULL, insights bigint NOT NULL,
	guardrails_checked bigint NOT NULL, guardrails_passed bigint NOT NULL, verified bigint NOT NULL,
	confidence_n bigint NOT NULL, confidence_ppb bigint NOT NULL, risk_n bigint NOT NULL, risk_ppb bigint NOT NULL,
	PRIMARY KEY (day, phase, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- approval_requests: fact_approvals, its keys and rollups ------------------------------------------------------------------

CREATE TABLE cube.fact_approvals (
	approval_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	tier_key int NOT NULL,
	actor_key int NOT NULL,
	approval_type text,
	action_description text,
	was_approved boolean,
	decision_time_seconds double precision,
	risk_score double precision,
	created_at timestamptz NOT NULL,
	decided_at timestamptz,
	status text,
	contract_id text COLLATE "C",
	error_id text COLLATE "C",
	requested_by text,
	decision_reason text,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (approval_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_approvals (time_key);
CREATE INDEX ON cube.fact_approvals (status, time_key);
CREATE INDEX ON cube.fact_approvals (tier_key, time_key);

CREATE TABLE cube.key_approvals (
	approval_id text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz,
	lsn bigint NOT NULL DEFAULT 0, source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0,
	record_offset bigint NOT NULL DEFAULT 0, offset_id bigint, xid xid8, own_tier_key int, contract_id text COLLATE "C",
	contract_tier_key int
) WITH (fillfactor = 60);
CREATE INDEX ON cube.key_approvals (contract_id) WHERE contract_id IS NOT NULL;

CREATE TABLE cube.rollup_approvals_ledger (
	day date NOT NULL, lane smallint NOT NULL, row_count bigint NOT NULL, checksum bigint NOT NULL, PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_approvals_daily (
	day date NOT NULL, tier_key int NOT NULL, actor_key int NOT NULL, lane smallint NOT NULL, approvals bigint NOT NULL,
	approved bigint NOT NULL, rejected bigint NOT NULL, decision_n bigint NOT NULL, decision_us bigint NOT NULL,
	PRIMARY KEY (day, tier_key, actor_key, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- benchmark_runs: fact_benchmark_runs, its keys and rollups ----------------------------------------------------------------

CREATE TABLE cube.fact_benchmark_runs (
	benchmark_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	actor_key int NOT NULL,
	run_id text,
	contract_id text COLLATE "C",
	benchmark_type text,
	passed boolean,
	drift_detected boolean,
	drift_score double precision,
	duration_seconds double precision,
	baseline_id text,
	is_golden boolean,
	triggered_by text,
	created_at timestamptz NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (benchmark_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_benchmark_runs (time_key);
CREATE INDEX ON cube.fact_benchmark_runs (contract_id) WHERE contract_id IS NOT NULL;

CREATE TABLE cube.key_benchmark_runs (
	benchmark_id text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz,
	lsn bigint NOT NULL DEFAULT 0, source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0,
	record_offset bigint NOT NULL DEFAULT 0, offset_id bigint, xid xid8
) WITH (fillfactor = 60);

CREATE TABLE cube.rollup_benchmark_runs_ledger (
	day date NOT NULL, lane smallint NOT NULL, row_count bigint NOT NULL, checksum bigint NOT NULL, PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_benchmarks_daily (
	day date NOT NULL, benchmark_type text NOT NULL, lane smallint NOT NULL, runs bigint NOT NULL, passed bigint NOT NULL,
	drifted bigint NOT NULL, duration_n bigint NOT NULL, duration_us bigint NOT NULL, PRIMARY KEY (day, benchmark_type, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- constitutional_compliance: fact_compliance_checks, its keys and rollups --------------------------------------------------

CREATE TABLE cube.fact_compliance_checks (
	check_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	mission_key int NOT NULL,
	component_key int NOT NULL,
	tier_key int NOT NULL,
	actor_key int NOT NULL,
	contract_id text COLLATE "C",
	action_type text,
	resource text,
	is_compliant boolean,
	compliance_score double precision,
	principles_checked int,
	principles_failed int,
	failed_principles text,
	created_at timestamptz NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (check_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_compliance_checks (time_key);

CREATE TABLE cube.key_compliance_checks (
	check_id text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz, lsn bigint NOT NULL DEFAULT 0,
	source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0, record_offset bigint NOT NULL DEFAULT 0,
	offset_id bigint, xid xid8, contract_id text COLLATE "C", contract_tier_key int, contract_mission_key int
) WITH (fillfactor = 60);
CREATE INDEX ON cube.key_compliance_checks (contract_id) WHERE contract_id IS NOT NULL;

CREATE TABLE cube.rollup_compliance_checks_ledger (
	day date NOT NULL, lane smallint NOT NULL, row_count bigint NOT NULL, checksum bigint NOT NULL, PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_compliance_daily (
	day date NOT NULL, actor_key int NOT NULL, tier_key int NOT NULL, lane smallint NOT NULL, checks bigint NOT NULL,
	compliant bigint NOT NULL, principles_failed bigint NOT NULL, score_n bigint NOT NULL, score_ppb bigint NOT NULL,
	PRIMARY KEY (day, actor_key, tier_key, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_failed_principles (
	day date NOT NULL, actor_key int NOT NULL, tier_key int NOT NULL, principle text NOT NULL, lane smallint NOT NULL,
	failures bigint NOT NULL, PRIMARY KEY (day, actor_key, tier_key, principle, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- execution_tasks: fact_execution_tasks, its keys and rollups --------------------------------------------------------------

CREATE TABLE cube.fact_execution_tasks (
	task_key text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	task_id text,
	task_type text,
	status text,
	was_successful boolean NOT NULL,
	has_failed boolean NOT NULL,
	progress double precision,
	queue_seconds double precision,
	run_seconds double precision,
	error text,
	created_at timestamptz NOT NULL,
	started_at timestamptz,
	completed_at timestamptz,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (task_key, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_execution_tasks (time_key);

CREATE TABLE cube.key_execution_tasks (
	task_key text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz, lsn bigint NOT NULL DEFAULT 0,
	source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0, record_offset bigint NOT NULL DEFAULT 0,
	offset_id bigint, xid xid8
) WITH (fillfactor = 60);

CREATE TABLE cube.rollup_execution_tasks_ledger (
	day date NOT NULL, lane smallint NOT NULL, row_count bigint NOT NULL, checksum bigint NOT NULL, PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_tasks_daily (
	day date NOT NULL, task_type text NOT NULL, lane smallint NOT NULL, tasks bigint NOT NULL, completed bigint NOT NULL,
	failed bigint NOT NULL, queue_n bigint NOT NULL, queue_us bigint NOT NULL, run_n bigint NOT NULL, run_us bigint NOT NULL,
	PRIMARY KEY (day, task_type, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- governance_members: fact_governance_members, its keys and rollups --------------------------------------------------------

CREATE TABLE cube.fact_governance_members (
	governance_member_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	member_id text,
	member_type text,
	display_name text,
	role text,
	vote_weight double precision,
	is_active boolean,
	is_suspended boolean,
	created_at timestamptz NOT NULL,
	last_vote_at timestamptz,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (governance_member_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_governance_members (time_key);

CREATE TABLE cube.key_governance_members (
	governance_member_id text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz,
	lsn bigint NOT NULL DEFAULT 0, source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0,
	record_offset bigint NOT NULL DEFAULT 0, offset_id bigint, xid xid8
) WITH (fillfactor = 60);

CREATE TABLE cube.rollup_governance_members_ledger (
	day date NOT NULL, lane smallint NOT NULL, row_count bigint NOT NULL, checksum bigint NOT NULL, PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- governance_sessions: fact_governance_sessions, its keys and rollups ------------------------------------------------------

CREATE TABLE cube.fact_governance_sessions (
	governance_session_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	session_id text,
	policy_name text,
	action_type text,
	category text,
	committee text,
	risk_level text,
	status text,
	outcome text,
	quorum_required int,
	approval_threshold double precision,
	total_votes int,
	decision_seconds double precision,
	created_at timestamptz NOT NULL,
	voting_started_at timestamptz,
	decided_at timestamptz,
	expires_at timestamptz,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (governance_session_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_governance_sessions (time_key);

CREATE TABLE cube.key_governance_sessions (
	governance_session_id text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz,
	lsn bigint NOT NULL DEFAULT 0, source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0,
	record_offset bigint NOT NULL DEFAULT 0, offset_id bigint, xid xid8
) WITH (fillfactor = 60);

CREATE TABLE cube.rollup_governance_sessions_ledger (
	day date NOT NULL, lane smallint NOT NULL, row_count bigint NOT NULL, checksum bigint NOT NULL, PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- governance_votes: fact_governance_votes, its keys and rollups ------------------------------------------------------------

CREATE TABLE cube.fact_governance_votes (
	vote_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	governance_session_id text COLLATE "C",
	governance_member_id text COLLATE "C",
	vote text,
	vote_weight double precision,
	is_automated boolean,
	confidence_score double precision,
	verification_status text,
	session_outcome text,
	created_at timestamptz NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (vote_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_governance_votes (time_key);

CREATE TABLE cube.key_governance_votes (
	vote_id text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz, lsn bigint NOT NULL DEFAULT 0,
	source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0, record_offset bigint NOT NULL DEFAULT 0,
	offset_id bigint, xid xid8, governance_session_id text COLLATE "C", governance_member_id text COLLATE "C", outcome text,
	member_actor_key int
) WITH (fillfactor = 60);
CREATE INDEX ON cube.key_governance_votes (governance_session_id) WHERE governance_session_id IS NOT NULL;
CREATE INDEX ON cube.key_governance_votes (governance_member_id) WHERE governance_member_id IS NOT NULL;

CREATE TABLE cube.rollup_governance_votes_ledger (
	day date NOT NULL, lane smallint NOT NULL, row_count bigint NOT NULL, checksum bigint NOT NULL, PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_votes (
	governance_session_id text COLLATE "C" NOT NULL, actor_key int NOT NULL, lane smallint NOT NULL, votes bigint NOT NULL,
	approve bigint NOT NULL, reject bigint NOT NULL, abstain bigint NOT NULL,
	PRIMARY KEY (governance_session_id, actor_key, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- healing_actions: fact_healing_actions, its keys and rollups --------------------------------------------------------------

CREATE TABLE cube.fact_healing_actions (
	action_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	action text,
	result text,
	detail text,
	created_at timestamptz NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (action_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_healing_actions (time_key);

CREATE TABLE cube.key_healing_actions (
	action_id text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz, lsn bigint NOT NULL DEFAULT 0,
	source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0, record_offset bigint NOT NULL DEFAULT 0,
	offset_id bigint, xid xid8
) WITH (fillfactor = 60);

CREATE TABLE cube.rollup_healing_actions_ledger (
	day date NOT NULL, lane smallint NOT NULL, row_count bigint NOT NULL, checksum bigint NOT NULL, PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_healing_daily (
	day date NOT NULL, component_key int NOT NULL, action text NOT NULL, lane smallint NOT NULL, actions bigint NOT NULL,
	successful bigint NOT NULL, failed bigint NOT NULL, PRIMARY KEY (day, component_key, action, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- immutable_log: fact_agentic_events, its keys and rollups -----------------------------------------------------------------

CREATE TABLE cube.fact_agentic_events (
	entry_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	mission_key int NOT NULL,
	sequence bigint NOT NULL,
	actor text,
	action text,
	resource text,
	subsystem text,
	result text,
	severity text,
	contract_id text COLLATE "C",
	names_mission boolean NOT NULL,
	error_id text COLLATE "C",
	entry_hash text,
	previous_hash text,
	hash_matches boolean,
	created_at timestamptz NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (entry_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_agentic_events (time_key);
CREATE INDEX ON cube.fact_agentic_events (sequence);
-- Only entries that name a contract's mission tell the contract; most that mention a contract do not.
CREATE INDEX ON cube.fact_agentic_events (contract_id) WHERE contract_id IS NOT NULL;
CREATE INDEX ON cube.fact_agentic_events (error_id) WHERE error_id IS NOT NULL;

CREATE TABLE cube.key_agentic_events (
	entry_id text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz, lsn bigint NOT NULL DEFAULT 0,
	source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0, record_offset bigint NOT NULL DEFAULT 0,
	offset_id bigint, xid xid8
) WITH (fillfactor = 60);

CREATE TABLE cube.rollup_agentic_events_ledger (
	day date NOT NULL, lane smallint NOT NULL, row_count bigint NOT NULL, checksum bigint NOT NULL, PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_events_daily (
	day date NOT NULL, subsystem text NOT NULL, action text NOT NULL, lane smallint NOT NULL, events bigint NOT NULL,
	PRIMARY KEY (day, subsystem, action, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_log_blocks (
	block bigint NOT NULL, day date NOT NULL, lane smallint NOT NULL, entries bigint NOT NULL, changed bigint NOT NULL,
	links bigint NOT NULL, PRIMARY KEY (block, day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_log_links (
	block bigint NOT NULL, lane smallint NOT NULL, links bigint NOT NULL, PRIMARY KEY (block, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- playbook_runs: fact_playbook_runs, its keys and rollups ------------------------------------------------------------------

CREATE TABLE cube.fact_playbook_runs (
	run_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	run_number bigint NOT NULL,
	playbook_id text,
	status text,
	was_successful boolean NOT NULL,
	diagnosis_code text,
	error_id text COLLATE "C",
	approval_id text,
	queue_seconds double precision,
	duration_seconds double precision,
	created_at timestamptz NOT NULL,
	started_at timestamptz,
	ended_at timestamptz,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (run_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_playbook_runs (time_key);
CREATE INDEX ON cube.fact_playbook_runs (error_id) WHERE error_id IS NOT NULL;

CREATE TABLE cube.key_playbook_runs (
	run_id text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz, lsn bigint NOT NULL DEFAULT 0,
	source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0, record_offset bigint NOT NULL DEFAULT 0,
	offset_id bigint, xid xid8
) WITH (fillfactor = 60);

CREATE TABLE cube.rollup_playbook_runs_ledger (
	day date NOT NULL, lane smallint NOT NULL, row_count bigint NOT NULL, checksum bigint NOT NULL, PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_playbooks_daily (
	day date NOT NULL, playbook_id text NOT NULL, component_key int NOT NULL, lane smallint NOT NULL, runs bigint NOT NULL,
	successful bigint NOT NULL, ended bigint NOT NULL, duration_n bigint NOT NULL, duration_us bigint NOT NULL,
	PRIMARY KEY (day, playbook_id, component_key, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- playbook_step_runs: fact_playbook_step_runs, its keys and rollups --------------------------------------------------------

CREATE TABLE cube.fact_playbook_step_runs (
	step_run_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	run_id text COLLATE "C",
	step_order int,
	status text,
	was_successful boolean NOT NULL,
	duration_seconds double precision,
	log text,
	created_at timestamptz NOT NULL,
	ended_at timestamptz,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (step_run_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_playbook_step_runs (time_key);

CREATE TABLE cube.key_playbook_step_runs (
	step_run_id text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz,
	lsn bigint NOT NULL DEFAULT 0, source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0,
	record_offset bigint NOT NULL DEFAULT 0, offset_id bigint, xid xid8, run_id text COLLATE "C", run_actor_key int,
	run_component_key int
) WITH (fillfactor = 60);
CREATE INDEX ON cube.key_playbook_step_runs (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE cube.rollup_playbook_step_runs_ledger (
	day date NOT NULL, lane smallint NOT NULL, row_count bigint NOT NULL, checksum bigint NOT NULL, PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_steps_daily (
	day date NOT NULL, component_key int NOT NULL, step_order int NOT NULL, lane smallint NOT NULL, steps bigint NOT NULL,
	successful bigint NOT NULL, failed bigint NOT NULL, duration_n bigint NOT NULL, duration_us bigint NOT NULL,
	PRIMARY KEY (day, component_key, step_order, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- safe_hold_snapshots: fact_snapshots, its keys and rollups ----------------------------------------------------------------

CREATE TABLE cube.fact_snapshots (
	snapshot_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	actor_key int NOT NULL,
	contract_id text COLLATE "C",
	snapshot_type text,
	status text,
	system_health_score double precision,
	is_golden boolean,
	is_validated boolean,
	validation_seconds double precision,
	triggered_by text,
	notes text,
	created_at timestamptz NOT NULL,
	validated_at timestamptz,
	restored_at timestamptz,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (snapshot_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_snapshots (time_key);
CREATE INDEX ON cube.fact_snapshots (contract_id) WHERE contract_id IS NOT NULL;

CREATE TABLE cube.key_snapshots (
	snapshot_id text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz,
	lsn bigint NOT NULL DEFAULT 0, source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0,
	record_offset bigint NOT NULL DEFAULT 0, offset_id bigint, xid xid8
) WITH (fillfactor = 60);

CREATE TABLE cube.rollup_snapshots_ledger (
	day date NOT NULL, lane smallint NOT NULL, row_count bigint NOT NULL, checksum bigint NOT NULL, PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_snapshots_daily (
	day date NOT NULL, lane smallint NOT NULL, snapshots bigint NOT NULL, validated bigint NOT NULL, restored bigint NOT NULL,
	PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- security_events: fact_error_events, its keys and rollups -----------------------------------------------------------------

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

CREATE TABLE cube.key_error_events (
	error_id text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz, lsn bigint NOT NULL DEFAULT 0,
	source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0, record_offset bigint NOT NULL DEFAULT 0,
	offset_id bigint, xid xid8, own_component_key int, component_is_explicit boolean, own_human boolean, playbook text,
	log_component_key int
) WITH (fillfactor = 60);

CREATE TABLE cube.rollup_error_events_ledger (
	day date NOT NULL, lane smallint NOT NULL, row_count bigint NOT NULL, checksum bigint NOT NULL, PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_errors_daily (
	day date NOT NULL, severity text NOT NULL, component_key int NOT NULL, lane smallint NOT NULL, errors bigint NOT NULL,
	auto_resolved bigint NOT NULL, human bigint NOT NULL, resolution_n bigint NOT NULL, resolution_us bigint NOT NULL,
	PRIMARY KEY (day, severity, component_key, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_errors_hourly (
	hour int NOT NULL, severity text NOT NULL, lane smallint NOT NULL, errors bigint NOT NULL, auto_resolved bigint NOT NULL,
	PRIMARY KEY (hour, severity, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_error_types_daily (
	day date NOT NULL, error_type text NOT NULL, severity text NOT NULL, component_key int NOT NULL, lane smallint NOT NULL,
	errors bigint NOT NULL, auto_resolved bigint NOT NULL, PRIMARY KEY (day, error_type, severity, component_key, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- shard_heartbeats: fact_shard_heartbeats, its keys and rollups ------------------------------------------------------------

CREATE TABLE cube.fact_shard_heartbeats (
	heartbeat_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	shard_id text NOT NULL,
	status text,
	load double precision,
	created_at timestamptz NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (heartbeat_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_shard_heartbeats (time_key);
-- A gap needs its neighbours, which no rollup knows; but whether a shard is alive its last hundred beats tell, however many there were.
CREATE INDEX ON cube.fact_shard_heartbeats (shard_id, created_at);

CREATE TABLE cube.key_shard_heartbeats (
	heartbeat_id text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz,
	lsn bigint NOT NULL DEFAULT 0, source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0,
	record_offset bigint NOT NULL DEFAULT 0, offset_id bigint, xid xid8
) WITH (fillfactor = 60);

CREATE TABLE cube.rollup_shard_heartbeats_ledger (
	day date NOT NULL, lane smallint NOT NULL, row_count bigint NOT NULL, checksum bigint NOT NULL, PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

CREATE TABLE cube.rollup_heartbeats_daily (
	day date NOT NULL, shard_id text NOT NULL, lane smallint NOT NULL, heartbeats bigint NOT NULL, load_n bigint NOT NULL,
	load_micro bigint NOT NULL, PRIMARY KEY (day, shard_id, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

-- trigger_events -----------------------------------------------------------------------------------------------------------

CREATE TABLE cube.mesh_aspect (
	subject_id text COLLATE "C" NOT NULL,
	aspect text NOT NULL,
	at timestamptz NOT NULL,
	digest bigint NOT NULL,
	actor_key int NOT NULL,
	component_key int NOT NULL,
	component_is_explicit boolean NOT NULL,
	tier_key int NOT NULL,
	title text,
	severity text,
	source text,
	note text,
	needs_human boolean,
	error_id text COLLATE "C",
	contract_id text COLLATE "C",
	risk_score double precision,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (subject_id, aspect)
);
CREATE INDEX ON cube.mesh_aspect (error_id) WHERE error_id IS NOT NULL;

-- Runs of verify -----------------------------------------------------------------------------------------------------------

CREATE TABLE cube.etl_verification (
	verified_at timestamptz NOT NULL DEFAULT clock_timestamp() PRIMARY KEY,
	checks bigint NOT NULL,
	compared bigint NOT NULL,
	differing bigint NOT NULL,
	example text
);

-- Tokens and audit of the API ----------------------------------------------------------------------------------------------

CREATE TABLE cube.api_token (
	token_id text COLLATE "C" PRIMARY KEY,
	secret_sha256 bytea NOT NULL CHECK (octet_length(secret_sha256) = 32),
	name text NOT NULL,
	role text NOT NULL CHECK (role IN ('viewer', 'analyst', 'operator')),
	highest_tier text CHECK (highest_tier IN ('tier_1', 'tier_2', 'tier_3')),
	expires_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	created_by text NOT NULL DEFAULT session_user,
	revoked_at timestamptz,
	last_used_at timestamptz
);
CREATE UNIQUE INDEX ON cube.api_token (name) WHERE revoked_at IS NULL;

CREATE TABLE cube.api_audit (
	audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	asked_at timestamptz NOT NULL,
	token_id text,
	token_name text,
	method text NOT NULL,
	path text NOT NULL,
	query text,
	status int NOT NULL,
	row_count bigint,
	took_ms double precision NOT NULL,
	remote text
);
CREATE INDEX ON cube.api_audit (asked_at);
