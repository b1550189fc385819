-- Matters put to the vote.

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
COMMENT ON TABLE cube.fact_governance_sessions IS 'One row a matter put to the vote; natural primary key.';
SELECT cube.comment_columns('cube.fact_governance_sessions', $$
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

