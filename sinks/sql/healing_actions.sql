-- Remediation actions of components.

CREATE TABLE cube.fact_healing_actions (
	action_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	action text,
	result text,
	detail text,
	created_at timestamptz NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (action_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_healing_actions (time_key);
COMMENT ON TABLE cube.fact_healing_actions IS 'One row a remediation action; natural primary key.';
SELECT cube.comment_columns('cube.fact_healing_actions', $$
	action_id: natural key, the source's id as text
	time_key: dim_time, the minute of created_at
	component_key: dim_component: the component that is healed
	actor_key: dim_actor: who acted, where the source says
	action: what was done
	result: success, failed; NULL while it is open
	detail: free text
	created_at: when
	loaded_at: when the row was last written
$$);
SELECT cube.define_fact('fact_healing_actions', 'healing_actions', p_keeps => ARRAY['detail']);

SELECT cube.define_rollup('rollup_healing_daily', 'fact_healing_actions',
	ARRAY['day date = cube.day_of(f.time_key)', 'component_key int = f.component_key', 'action text = coalesce(f.action, ''unknown'')'],
	ARRAY['actions bigint = 1', 'successful bigint = coalesce(f.result = ''success'', false)::int', 'failed bigint = coalesce(f.result = ''failed'', false)::int']);

CREATE VIEW cube.cube_healing_outcomes AS
SELECT r.day, c.component_name, r.action, cube.total(r.actions) AS actions, cube.total(r.successful) AS successful, cube.total(r.failed) AS failed
FROM cube.rollup_healing_daily r JOIN cube.dim_component c USING (component_key)
GROUP BY r.day, c.component_name, r.action HAVING cube.total(r.actions) <> 0;
COMMENT ON VIEW cube.cube_healing_outcomes IS 'Healing actions and their outcomes by UTC day, component and action.';
SELECT cube.comment_columns('cube.cube_healing_outcomes', $$
	day: UTC day
	component_name: the component that is healed
	action: what was done
	actions: actions
	successful: those of them that succeeded
	failed: those of them that failed
$$);
