-- Tasks of the concurrent executor.

SELECT cube.describe('cube.fact_execution_tasks', 'One row a queued task; natural primary key.', $$
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
