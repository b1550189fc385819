-- Steps of playbook runs. Component and actor are those of the run, whichever comes first.

CREATE TABLE cube.fact_playbook_step_runs (
	step_run_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	run_id text COLLATE "C",
	step_order int,
	status text,
	was_successful boolean NOT NULL,
	duration_seconds double precision,
	log text,
	created_at timestamptz NOT NULL,
	ended_at timestamptz,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (step_run_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_playbook_step_runs (time_key);
COMMENT ON TABLE cube.fact_playbook_step_runs IS 'One row a step of a playbook run; natural primary key.';
SELECT cube.comment_columns('cube.fact_playbook_step_runs', $$
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
	p_own => ARRAY['run_id text COLLATE "C"'],
	p_link_columns => '{
		"run_component_key int": "(SELECT r.component_key FROM cube.key_playbook_runs p JOIN cube.fact_playbook_runs r ON r.run_id = p.run_id AND r.created_at = p.created_at WHERE p.run_id = k.run_id)",
		"run_actor_key int": "(SELECT r.actor_key FROM cube.key_playbook_runs p JOIN cube.fact_playbook_runs r ON r.run_id = p.run_id AND r.created_at = p.created_at WHERE p.run_id = k.run_id)"}',
	p_links => '{"component_key": "coalesce(k.run_component_key, 0)", "actor_key": "coalesce(k.run_actor_key, 0)"}',
	p_parents => ARRAY['run_id = fact_playbook_runs']);

SELECT cube.define_rollup('rollup_steps_daily', 'fact_playbook_step_runs',
	ARRAY['day date = cube.day_of(f.time_key)', 'component_key int = f.component_key', 'step_order int = coalesce(f.step_order, 0)'],
	ARRAY['steps bigint = 1', 'successful bigint = f.was_successful::int', 'failed bigint = coalesce(f.status = ''failed'', false)::int', 'duration_n bigint = (f.duration_seconds IS NOT NULL)::int', 'duration_us bigint = round(f.duration_seconds * 1e6)::bigint']);

CREATE VIEW cube.cube_playbook_steps AS
SELECT r.day, c.component_name, r.step_order, cube.total(r.steps) AS steps, cube.total(r.successful) AS successful, cube.total(r.failed) AS failed,
	cube.mean(cube.total(r.duration_us), cube.total(r.duration_n), 1e6) AS avg_duration_seconds
FROM cube.rollup_steps_daily r JOIN cube.dim_component c USING (component_key)
GROUP BY r.day, c.component_name, r.step_order HAVING cube.total(r.steps) <> 0;
COMMENT ON VIEW cube.cube_playbook_steps IS 'Steps of playbook runs by UTC day, component and position. Steps per run: steps of all positions over steps of position 1.';
SELECT cube.comment_columns('cube.cube_playbook_steps', $$
	day: UTC day
	component_name: the component that is repaired
	step_order: position in the run
	steps: steps
	successful: those of them that succeeded
	failed: those of them that failed
	avg_duration_seconds: mean duration, seconds
$$);
