-- Tasks of the concurrent executor.

CREATE TABLE cube.fact_execution_tasks (
	task_key text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	task_id text,
	task_type text,
	status text,
	was_successful boolean NOT NULL,
	has_failed boolean NOT NULL,
	progress double precision,
	queue_seconds double precision,
	run_seconds double precision,
	error text,
	created_at timestamptz NOT NULL,
	started_at timestamptz,
	completed_at timestamptz,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (task_key, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_execution_tasks (time_key);
COMMENT ON TABLE cube.fact_execution_tasks IS 'One row a queued task; natural primary key.';
SELECT cube.comment_columns('cube.fact_execution_tasks', $$
	task_key: natural key, the source's id as text
	time_key: dim_time, the minute of created_at
	component_key: dim_component: the source's own, else shard_orchestrator
	actor_key: dim_actor: whose task it is
	task_id: name of the task
	task_type: ingest, train, report, …
	status: queued, running, completed, failed
	was_successful: status is completed
	has_failed: status is failed
	progress: 0 to 100
	queue_seconds: started_at − created_at, seconds
	run_seconds: completed_at − started_at, seconds
	error: free text
	created_at: when it was queued
	started_at: begin
	completed_at: end
	loaded_at: when the row was last written
$$);
SELECT cube.define_fact('fact_execution_tasks', 'execution_tasks', p_keeps => ARRAY['error']);

SELECT cube.define_rollup('rollup_tasks_daily', 'fact_execution_tasks',
	ARRAY['day date = cube.day_of(f.time_key)', 'task_type text = coalesce(f.task_type, ''unknown'')'],
	ARRAY['tasks bigint = 1', 'completed bigint = f.was_successful::int', 'failed bigint = f.has_failed::int', 'queue_n bigint = (f.queue_seconds IS NOT NULL)::int', 'queue_us bigint = round(f.queue_seconds * 1e6)::bigint', 'run_n bigint = (f.run_seconds IS NOT NULL)::int', 'run_us bigint = round(f.run_seconds * 1e6)::bigint']);

CREATE VIEW cube.cube_task_throughput AS
SELECT day, task_type, cube.total(tasks) AS tasks, cube.total(completed) AS completed, cube.total(failed) AS failed,
	(100.0 * cube.total(failed) / nullif(cube.total(completed + failed), 0))::double precision AS failure_rate_pct,
	cube.mean(cube.total(queue_us), cube.total(queue_n), 1e6) AS avg_queue_seconds,
	cube.mean(cube.total(run_us), cube.total(run_n), 1e6) AS avg_run_seconds
FROM cube.rollup_tasks_daily GROUP BY day, task_type HAVING cube.total(tasks) <> 0;
COMMENT ON VIEW cube.cube_task_throughput IS 'Tasks by the UTC day on which they were queued, and type.';
SELECT cube.comment_columns('cube.cube_task_throughput', $$
	day: UTC day
	task_type: type
	tasks: queued
	completed: completed
	failed: failed
	failure_rate_pct: failed of ended, per cent
	avg_queue_seconds: mean time in the queue, seconds
	avg_run_seconds: mean time of the run, seconds
$$);
