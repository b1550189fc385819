-- Members of the parliament.

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
COMMENT ON TABLE cube.fact_governance_members IS 'One row a member of the parliament, current state; natural primary key.';
SELECT cube.comment_columns('cube.fact_governance_members', $$
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

