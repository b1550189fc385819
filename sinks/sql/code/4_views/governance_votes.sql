-- Votes by session and by member.

SELECT cube.define_view('cube_votes_by_session', $$
SELECT s.governance_session_id, s.session_id, s.created_at, s.status, s.outcome, s.risk_level, coalesce(v.votes, 0)::bigint AS votes,
	coalesce(v.approve, 0)::bigint AS approve, coalesce(v.reject, 0)::bigint AS reject, coalesce(v.abstain, 0)::bigint AS abstain, s.quorum_required,
	(coalesce(v.votes, 0) / nullif(m.members, 0)::double precision) AS turnout, s.decision_seconds, s.time_key
FROM cube.fact_governance_sessions s
LEFT JOIN LATERAL (SELECT sum(r.votes) AS votes, sum(r.approve) AS approve, sum(r.reject) AS reject, sum(r.abstain) AS abstain
	FROM cube.rollup_votes_daily r WHERE r.governance_session_id = s.governance_session_id) v ON true
CROSS JOIN (SELECT count(*) AS members FROM cube.fact_governance_members WHERE coalesce(is_active, true) AND NOT coalesce(is_suspended, false)) m$$);
SELECT cube.describe('cube.cube_votes_by_session', 'Sessions of the parliament with their votes and turnout. Of all tiers, whoever asks.', $$
	governance_session_id: session
	session_id: its name
	created_at: when it was opened
	status: pending, voting, approved, rejected
	outcome: approved or rejected; NULL while it is open
	risk_level: risk of the matter
	votes: votes cast
	approve: for
	reject: against
	abstain: neither
	quorum_required: votes needed
	turnout: votes over members that may vote today, 0 to 1
	decision_seconds: time to the decision, seconds
	time_key: the minute of created_at
$$);

-- ----
SELECT cube.define_view('cube_votes_by_member', $$
SELECT a.actor_id, cube.total(r.votes) AS votes, cube.total(r.approve) AS approve, cube.total(r.reject) AS reject, cube.total(r.abstain) AS abstain
FROM cube.rollup_votes_daily r JOIN cube.dim_actor a USING (actor_key) GROUP BY a.actor_id HAVING cube.total(r.votes) <> 0$$);
SELECT cube.describe('cube.cube_votes_by_member', 'Votes by member. Of all tiers, whoever asks.', $$
	actor_id: the member
	votes: votes cast
	approve: for
	reject: against
	abstain: neither
$$);
