-- Members of the parliament.

SELECT cube.describe('cube.fact_governance_members', 'One row a member of the parliament, current state; natural primary key.', $$
	governance_member_id: natural key, the source's id as text
	time_key: dim_time, the minute of created_at
	component_key: dim_component: parliament_engine
	actor_key: dim_actor: the member
	member_id: name of the member
	member_type: human or agent
	display_name: name for people
	role: role
	vote_weight: weight of its vote
	is_active: may vote
	is_suspended: suspended
	created_at: since when
	last_vote_at: its last vote
	loaded_at: when the row was last written
$$);

SELECT cube.define_fact('fact_governance_members', 'governance_members');
