-- Runs of self-healing playbooks.

CREATE TABLE cube.fact_playbook_runs (
	run_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	run_number bigint NOT NULL,
	playbook_id text,
	status text,
	was_successful boolean NOT NULL,
	diagnosis_code text,
	error_id text COLLATE "C",
	approval_id text,
	queue_seconds double precision,
	duration_seconds double precision,
	created_at timestamptz NOT NULL,
	started_at timestamptz,
	ended_at timestamptz,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (run_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_playbook_runs (time_key);
COMMENT ON TABLE cube.fact_playbook_runs IS 'One row a playbook run; natural primary key.';
SELECT cube.comment_columns('cube.fact_playbook_runs', $$
	run_id: natural key, the source's id as text
	time_key: dim_time, the minute of created_at
	component_key: dim_component: the service that is repaired
	actor_key: dim_actor: who asked for it
	run_number: the same id as a number: the highest run of an error is the one that counts
	playbook_id: the playbook, as text; NULL when the run has none
	status: proposed, running, succeeded, failed, aborted, rolled_back
	was_successful: status is succeeded
	diagnosis_code: code of the diagnosis
	error_id: the error that the diagnosis names, as in fact_error_events
	approval_id: the approval it waited for, as in fact_approvals
	queue_seconds: started_at − created_at, seconds
	duration_seconds: ended_at − started_at, seconds
	created_at: creation
	started_at: begin
	ended_at: end
	loaded_at: when the row was last written
$$);
SELECT cube.define_fact('fact_playbook_runs', 'playbook_runs', p_keeps => ARRAY['diagnosis_code', 'error_id']);
SELECT cube.define_link('fact_playbook_runs', 'error_id', 'error_events');
SELECT cube.define_rollup('rollup_playbooks_daily', 'fact_playbook_runs',
	ARRAY['day date = cube.day_of(f.time_key)', 'playbook_id text = coalesce(f.playbook_id, ''unknown'')', 'component_key int = f.component_key'],
	ARRAY['runs bigint = 1', 'successful bigint = f.was_successful::int', 'ended bigint = (f.ended_at IS NOT NULL)::int',
		'duration_n bigint = (f.duration_seconds IS NOT NULL)::int', 'duration_us bigint = round(f.duration_seconds * 1e6)::bigint']);

CREATE VIEW cube.cube_playbook_performance AS
SELECT r.day, r.playbook_id, c.component_name, cube.total(r.runs) AS runs, cube.total(r.ended) AS ended, cube.total(r.successful) AS successful,
	cube.mean(cube.total(r.duration_us), cube.total(r.duration_n), 1e6) AS avg_duration_seconds
FROM cube.rollup_playbooks_daily r JOIN cube.dim_component c USING (component_key)
GROUP BY r.day, r.playbook_id, c.component_name HAVING cube.total(r.runs) <> 0;
COMMENT ON VIEW cube.cube_playbook_performance IS 'Playbook runs by UTC day, playbook and component.';
SELECT cube.comment_columns('cube.cube_playbook_performance', $$
	day: UTC day
	playbook_id: playbook; unknown where the run has none
	component_name: the service that is repaired
	runs: runs
	ended: those of them that ended
	successful: those of them that succeeded
	avg_duration_seconds: mean duration, seconds
$$);
