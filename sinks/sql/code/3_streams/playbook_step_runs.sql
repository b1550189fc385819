-- Steps of playbook runs. Component and actor are those of the run, whichever comes first.

SELECT cube.describe('cube.fact_playbook_step_runs', 'One row a step of a playbook run; natural primary key.', $$
	step_run_id: natural key, the source's id as text
	time_key: dim_time, the minute of created_at
	component_key: dim_component: that of the run
	actor_key: dim_actor: that of the run
	run_id: the run, as in fact_playbook_runs
	step_order: 1 for the first
	status: running, succeeded, failed
	was_successful: status is succeeded
	duration_seconds: ended_at − created_at, seconds
	log: what it printed
	created_at: begin
	ended_at: end
	loaded_at: when the row was last written
$$);

SELECT cube.define_fact('fact_playbook_step_runs', 'playbook_step_runs', p_keeps => ARRAY['log'],
	p_key_columns => ARRAY['run_id text COLLATE "C"'],
	p_link_columns => '{
		"run_component_key int": "(SELECT r.component_key FROM cube.key_playbook_runs p JOIN cube.fact_playbook_runs r ON r.run_id = p.run_id AND r.created_at = p.created_at WHERE p.run_id = k.run_id)",
		"run_actor_key int": "(SELECT r.actor_key FROM cube.key_playbook_runs p JOIN cube.fact_playbook_runs r ON r.run_id = p.run_id AND r.created_at = p.created_at WHERE p.run_id = k.run_id)"}',
	p_links => '{"component_key": "coalesce(k.run_component_key, 0)", "actor_key": "coalesce(k.run_actor_key, 0)"}',
	p_depends_on => ARRAY['run_id = fact_playbook_runs']);
SELECT cube.define_rollup('rollup_steps_daily', 'fact_playbook_step_runs',
	ARRAY['day date = cube.day_of(f.time_key)', 'component_key int = f.component_key', 'step_order int = coalesce(f.step_order, 0)'],
	ARRAY['steps bigint = 1', 'successful bigint = f.was_successful::int', 'failed bigint = coalesce(f.status = ''failed'', false)::int', 'duration_n bigint = (f.duration_seconds IS NOT NULL)::int', 'duration_us bigint = round(f.duration_seconds * 1e6)::bigint']);
