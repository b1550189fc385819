-- Matters put to the vote.

SELECT cube.describe('cube.fact_governance_sessions', 'One row a matter put to the vote; natural primary key.', $$
	governance_session_id: natural key, the source's id as text
	time_key: dim_time, the minute of created_at
	component_key: dim_component: the one that asked, else parliament_engine
	actor_key: dim_actor: who asked
	session_id: name of the session
	policy_name: policy
	action_type: what is to be decided
	category: category
	committee: committee
	risk_level: low, medium, high, critical
	status: pending, voting, approved, rejected
	outcome: approved or rejected; NULL while it is open
	quorum_required: votes needed
	approval_threshold: share needed, 0 to 1
	total_votes: votes as the source counts them
	decision_seconds: decided_at − created_at, seconds
	created_at: when it was opened
	voting_started_at: begin of the vote
	decided_at: when it was decided
	expires_at: when it lapses
	loaded_at: when the row was last written
$$);

SELECT cube.define_fact('fact_governance_sessions', 'governance_sessions');
