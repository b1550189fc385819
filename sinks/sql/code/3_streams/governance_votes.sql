-- Votes. The member and the session are looked up, whichever comes first.

SELECT cube.describe('cube.fact_governance_votes', 'One row a vote; natural primary key.', $$
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
	p_key_columns => ARRAY['governance_session_id text COLLATE "C"', 'governance_member_id text COLLATE "C"'],
	p_link_columns => '{
		"member_actor_key int": "(SELECT m.actor_key FROM cube.key_governance_members p JOIN cube.fact_governance_members m ON m.governance_member_id = p.governance_member_id AND m.created_at = p.created_at WHERE p.governance_member_id = k.governance_member_id)",
		"outcome text": "(SELECT s.outcome FROM cube.key_governance_sessions p JOIN cube.fact_governance_sessions s ON s.governance_session_id = p.governance_session_id AND s.created_at = p.created_at WHERE p.governance_session_id = k.governance_session_id)"}',
	p_links => '{"actor_key": "coalesce(k.member_actor_key, 0)", "session_outcome": "k.outcome"}',
	p_depends_on => ARRAY['governance_session_id = fact_governance_sessions', 'governance_member_id = fact_governance_members']);
SELECT cube.define_rollup('rollup_votes_daily', 'fact_governance_votes',
	ARRAY['governance_session_id text COLLATE "C" = coalesce(f.governance_session_id, ''unknown'')', 'actor_key int = f.actor_key', 'day date = cube.day_of(f.time_key)'],
	ARRAY['votes bigint = 1', 'approve bigint = coalesce(f.vote = ''approve'', false)::int', 'reject bigint = coalesce(f.vote = ''reject'', false)::int', 'abstain bigint = coalesce(f.vote = ''abstain'', false)::int']);
-- What it was until 0018, for as long as programs of before read it. No month was closed by then: retention is of the same release.
SELECT cube.define_rollup('rollup_votes', 'fact_governance_votes',
	ARRAY['governance_session_id text COLLATE "C" = coalesce(f.governance_session_id, ''unknown'')', 'actor_key int = f.actor_key'],
	ARRAY['votes bigint = 1', 'approve bigint = coalesce(f.vote = ''approve'', false)::int', 'reject bigint = coalesce(f.vote = ''reject'', false)::int', 'abstain bigint = coalesce(f.vote = ''abstain'', false)::int'])
WHERE to_regclass('cube.rollup_votes') IS NOT NULL;
