-- Votes. The member and the session are looked up, whichever comes first.

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
COMMENT ON TABLE cube.fact_governance_votes IS 'One row a vote; natural primary key.';
SELECT cube.comment_columns('cube.fact_governance_votes', $$
	vote_id: natural key, the source's id as text
	time_key: dim_time, the minute of created_at
	component_key: dim_component: parliament_engine
	actor_key: dim_actor: the member
	governance_session_id: the session, as in fact_governance_sessions
	governance_member_id: the member, as in fact_governance_members
	vote: approve, reject, abstain
	vote_weight: weight
	is_automated: cast by a machine
	confidence_score: 0 to 1
	verification_status: state of its signature
	session_outcome: outcome of the session; NULL while it is open
	created_at: when
	loaded_at: when the row was last written
$$);
SELECT cube.define_fact('fact_governance_votes', 'governance_votes',
	p_own => ARRAY['governance_session_id text COLLATE "C"', 'governance_member_id text COLLATE "C"'],
	p_link_columns => '{
		"member_actor_key int": "(SELECT m.actor_key FROM cube.key_governance_members p JOIN cube.fact_governance_members m ON m.governance_member_id = p.governance_member_id AND m.created_at = p.created_at WHERE p.governance_member_id = k.governance_member_id)",
		"outcome text": "(SELECT s.outcome FROM cube.key_governance_sessions p JOIN cube.fact_governance_sessions s ON s.governance_session_id = p.governance_session_id AND s.created_at = p.created_at WHERE p.governance_session_id = k.governance_session_id)"}',
	p_links => '{"actor_key": "coalesce(k.member_actor_key, 0)", "session_outcome": "k.outcome"}',
	p_parents => ARRAY['governance_session_id = fact_governance_sessions', 'governance_member_id = fact_governance_members']);

SELECT cube.define_rollup('rollup_votes', 'fact_governance_votes',
	ARRAY['governance_session_id text COLLATE "C" = coalesce(f.governance_session_id, ''unknown'')', 'actor_key int = f.actor_key'],
	ARRAY['votes bigint = 1', 'approve bigint = coalesce(f.vote = ''approve'', false)::int', 'reject bigint = coalesce(f.vote = ''reject'', false)::int', 'abstain bigint = coalesce(f.vote = ''abstain'', false)::int']);

CREATE VIEW cube.cube_votes_by_session AS
SELECT s.governance_session_id, s.session_id, s.created_at, s.status, s.outcome, s.risk_level, coalesce(v.votes, 0)::bigint AS votes,
	coalesce(v.approve, 0)::bigint AS approve, coalesce(v.reject, 0)::bigint AS reject, coalesce(v.abstain, 0)::bigint AS abstain, s.quorum_required,
	(coalesce(v.votes, 0) / nullif(m.members, 0)::double precision) AS turnout, s.decision_seconds, s.time_key
FROM cube.fact_governance_sessions s
LEFT JOIN LATERAL (SELECT sum(r.votes) AS votes, sum(r.approve) AS approve, sum(r.reject) AS reject, sum(r.abstain) AS abstain
	FROM cube.rollup_votes r WHERE r.governance_session_id = s.governance_session_id) v ON true
CROSS JOIN (SELECT count(*) AS members FROM cube.fact_governance_members WHERE coalesce(is_active, true) AND NOT coalesce(is_suspended, false)) m;
COMMENT ON VIEW cube.cube_votes_by_session IS 'Sessions of the parliament with their votes and turnout.';
SELECT cube.comment_columns('cube.cube_votes_by_session', $$
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

CREATE VIEW cube.cube_votes_by_member AS
SELECT a.actor_id, cube.total(r.votes) AS votes, cube.total(r.approve) AS approve, cube.total(r.reject) AS reject, cube.total(r.abstain) AS abstain
FROM cube.rollup_votes r JOIN cube.dim_actor a USING (actor_key) GROUP BY a.actor_id HAVING cube.total(r.votes) <> 0;
COMMENT ON VIEW cube.cube_votes_by_member IS 'Votes by member.';
SELECT cube.comment_columns('cube.cube_votes_by_member', $$
	actor_id: the member
	votes: votes cast
	approve: for
	reject: against
	abstain: neither
$$);
