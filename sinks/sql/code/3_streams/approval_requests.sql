-- Approvals: asked for, then decided by a person.

SELECT cube.describe('cube.fact_approvals', 'One row an approval; natural primary key.', $$
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
	contract_id: the contract it is about: its own field, else the id behind contract= in its reason
	error_id: the error it is about, as in fact_error_events, where it names one
	requested_by: who asked
	decision_reason: free text
	loaded_at: when the row was last written
$$);

-- gc_approval_names_contract() in transforms/rules/approvals.c is the same rule, and its statement is in include/gracecube/stream.h;
-- tests/contract/contracts_in_reasons.csv is its cases, run through both.
CREATE OR REPLACE FUNCTION cube.contract_in(p_reason text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT substring(p_reason FROM '(?:^|[^A-Za-z0-9_])contract=([^ \t\r\n,;)\]]+)')
$$;
COMMENT ON FUNCTION cube.contract_in(text) IS 'The contract that the reason of an approval names.';

SELECT cube.define_fact('fact_approvals', 'approvals',
	p_keeps => ARRAY['action_description', 'contract_id', 'decision_reason'],
	p_key_columns => ARRAY['own_tier_key int', 'contract_id text COLLATE "C"'],
	p_link_columns => '{"contract_tier_key int": "(SELECT f.tier_key FROM cube.key_verification_executions c JOIN cube.fact_verification_executions f ON f.contract_id = c.contract_id AND f.created_at = c.created_at WHERE c.contract_id = k.contract_id)"}',
	p_links => '{"tier_key": "coalesce(nullif(k.own_tier_key, 0), k.contract_tier_key, 0)"}',
	p_depends_on => ARRAY['contract_id = fact_verification_executions']);
SELECT cube.define_rollup('rollup_approvals_daily', 'fact_approvals',
	ARRAY['day date = cube.day_of(f.time_key)', 'tier_key int = f.tier_key', 'actor_key int = f.actor_key'],
	ARRAY['approvals bigint = 1', 'approved bigint = coalesce(f.was_approved, false)::int', 'rejected bigint = coalesce(NOT f.was_approved, false)::int',
		'decision_n bigint = (f.decision_time_seconds IS NOT NULL)::int', 'decision_us bigint = round(f.decision_time_seconds * 1e6)::bigint']);
