-- Approvals: by day, by approver, and one by one.

SELECT cube.define_view('cube_daily_approvals', $$
SELECT day, cube.total(approvals) AS total, cube.total(approved) AS approved, cube.total(rejected) AS rejected,
	cube.total(approvals - approved - rejected) AS pending,
	cube.mean(sum(decision_us), cube.total(decision_n), 1e6) AS avg_decision_seconds, cube.total(decision_n) AS timed_decisions
FROM cube.rollup_approvals_daily GROUP BY day HAVING cube.total(approvals) <> 0$$);
SELECT cube.describe('cube.cube_daily_approvals', 'Approvals by the UTC day on which they were asked for. Of the tiers that who asks may see.', $$
	day: UTC day
	total: approvals asked for
	approved: approved
	rejected: rejected
	pending: neither
	avg_decision_seconds: mean time to a decision, seconds
	timed_decisions: decisions of which the time is known, and avg_decision_seconds the mean
$$);

-- ----
SELECT cube.define_view('cube_approvals_by_approver', $$
SELECT a.actor_id, cube.total(r.approved + r.rejected) AS decided, cube.total(r.approved) AS approved,
	cube.mean(sum(r.decision_us), cube.total(r.decision_n), 1e6) AS avg_decision_seconds
FROM cube.rollup_approvals_daily r JOIN cube.dim_actor a USING (actor_key)
GROUP BY a.actor_id HAVING cube.total(r.approved + r.rejected) <> 0$$);
SELECT cube.describe('cube.cube_approvals_by_approver', 'Decisions by the one who decided. Of the tiers that who asks may see.', $$
	actor_id: who decided
	decided: decisions
	approved: those of them that approved
	avg_decision_seconds: mean time to a decision, seconds
$$);

-- ----
SELECT cube.define_flat_view('cube_approvals', $$
SELECT f.approval_id, f.created_at, f.status, f.was_approved, t.tier_code, t.tier_name, a.actor_id, f.requested_by, f.approval_type,
	f.action_description, f.risk_score, f.decision_time_seconds, f.decided_at, f.decision_reason, f.contract_id, f.error_id, f.time_key
FROM cube.fact_approvals f JOIN cube.dim_tier t USING (tier_key) JOIN cube.dim_actor a USING (actor_key)
$$, 'approvals', 'p_tier text',
	$$p_tier IS NULL OR f.tier_key = cube.tier_key_of(p_tier)$$);
COMMENT ON FUNCTION cube.approvals(text) IS 'Rows of cube_approvals of a tier; NULL means all.';
SELECT cube.describe('cube.cube_approvals', 'One row an approval, with the names of its dimensions.', $$
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
