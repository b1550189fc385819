-- Remediation actions of components.

SELECT cube.describe('cube.fact_healing_actions', 'One row a remediation action; natural primary key.', $$
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
