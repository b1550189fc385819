-- Approvals: asked for, then decided by a person.

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
COMMENT ON TABLE cube.fact_approvals IS 'One row an approval; natural primary key.';
SELECT cube.comment_columns('cube.fact_approvals', $$
	approval_id: natural key, the source's id as text
	time_key: dim_time, the minute of created_at
	tier_key: dim_tier: the record's own, else that of the contract it names
	actor_key: dim_actor: who decided
	approval_type: kind of approval, where the source gives one
	action_description: what was to be approved (the source's reason)
	was_approved: true, false, NULL while it is pending
	decision_time_seconds: decided_at − created_at, seconds
	risk_score: 0 to 1, where the source gives one
	created_at: when it was asked for
	decided_at: when it was decided
	status: pending, approved, rejected, …
	contract_id: the contract it is about, where it names one
	error_id: the error it is about, as in fact_error_events, where it names one
	requested_by: who asked
	decision_reason: free text
	loaded_at: when the row was last written
$$);
SELECT cube.define_fact('fact_approvals', 'approvals',
	p_keeps => ARRAY['action_description', 'decision_reason'],
	p_own => ARRAY['own_tier_key int', 'contract_id text COLLATE "C"'],
	p_link_columns => '{"contract_tier_key int": "(SELECT f.tier_key FROM cube.key_verification_executions c JOIN cube.fact_verification_executions f ON f.contract_id = c.contract_id AND f.created_at = c.created_at WHERE c.contract_id = k.contract_id)"}',
	p_links => '{"tier_key": "coalesce(nullif(k.own_tier_key, 0), k.contract_tier_key, 0)"}',
	p_parents => ARRAY['contract_id = fact_verification_executions']);

SELECT cube.define_rollup('rollup_approvals_daily', 'fact_approvals',
	ARRAY['day date = cube.day_of(f.time_key)', 'tier_key int = f.tier_key', 'actor_key int = f.actor_key'],
	ARRAY['approvals bigint = 1', 'approved bigint = coalesce(f.was_approved, false)::int', 'rejected bigint = coalesce(NOT f.was_approved, false)::int',
		'decision_n bigint = (f.decision_time_seconds IS NOT NULL)::int', 'decision_us bigint = round(f.decision_time_seconds * 1e6)::bigint']);

CREATE VIEW cube.cube_daily_approvals AS
SELECT day, cube.total(approvals) AS total, cube.total(approved) AS approved, cube.total(rejected) AS rejected,
	cube.total(approvals - approved - rejected) AS pending,
	cube.mean(cube.total(decision_us), cube.total(decision_n), 1e6) AS avg_decision_seconds, cube.total(decision_n) AS timed_decisions
FROM cube.rollup_approvals_daily GROUP BY day HAVING cube.total(approvals) <> 0;
COMMENT ON VIEW cube.cube_daily_approvals IS 'Approvals by the UTC day on which they were asked for.';
SELECT cube.comment_columns('cube.cube_daily_approvals', $$
	day: UTC day
	total: approvals asked for
	approved: approved
	rejected: rejected
	pending: neither
	avg_decision_seconds: mean time to a decision, seconds
	timed_decisions: decisions of which the time is known, and avg_decision_seconds the mean
$$);

CREATE VIEW cube.cube_approvals_by_approver AS
SELECT a.actor_id, cube.total(r.approved + r.rejected) AS decided, cube.total(r.approved) AS approved,
	cube.mean(cube.total(r.decision_us), cube.total(r.decision_n), 1e6) AS avg_decision_seconds
FROM cube.rollup_approvals_daily r JOIN cube.dim_actor a USING (actor_key)
GROUP BY a.actor_id HAVING cube.total(r.approved + r.rejected) <> 0;
COMMENT ON VIEW cube.cube_approvals_by_approver IS 'Decisions by the one who decided.';
SELECT cube.comment_columns('cube.cube_approvals_by_approver', $$
	actor_id: who decided
	decided: decisions
	approved: those of them that approved
	avg_decision_seconds: mean time to a decision, seconds
$$);
