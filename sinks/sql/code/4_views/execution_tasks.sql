-- Tasks by day and type.

SELECT cube.define_view('cube_task_throughput', $$
SELECT day, task_type, cube.total(tasks) AS tasks, cube.total(completed) AS completed, cube.total(failed) AS failed,
	(100.0 * cube.total(failed) / nullif(cube.total(completed + failed), 0))::double precision AS failure_rate_pct,
	cube.mean(sum(queue_us), cube.total(queue_n), 1e6) AS avg_queue_seconds,
	cube.mean(sum(run_us), cube.total(run_n), 1e6) AS avg_run_seconds
FROM cube.rollup_tasks_daily GROUP BY day, task_type HAVING cube.total(tasks) <> 0$$);
SELECT cube.describe('cube.cube_task_throughput', 'Tasks by the UTC day on which they were queued, and type. Of all tiers, whoever asks.', $$
	day: UTC day
	task_type: type
	tasks: queued
	completed: completed
	failed: failed
	failure_rate_pct: failed of ended, per cent
	avg_queue_seconds: mean time in the queue, seconds
	avg_run_seconds: mean time of the run, seconds
$$);
