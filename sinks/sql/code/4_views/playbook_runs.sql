-- Playbooks and their steps.

SELECT cube.define_view('cube_playbook_performance', $$
SELECT r.day, r.playbook_id, c.component_name, cube.total(r.runs) AS runs, cube.total(r.ended) AS ended, cube.total(r.successful) AS successful,
	cube.mean(sum(r.duration_us), cube.total(r.duration_n), 1e6) AS avg_duration_seconds, cube.total(r.duration_n) AS timed_runs,
	(sum(r.duration_us) / 1e6)::double precision AS sum_duration_seconds
FROM cube.rollup_playbooks_daily r JOIN cube.dim_component c USING (component_key)
GROUP BY r.day, r.playbook_id, c.component_name HAVING cube.total(r.runs) <> 0$$);
SELECT cube.describe('cube.cube_playbook_performance', 'Playbook runs by UTC day, playbook and component. Of all tiers, whoever asks.', $$
	day: UTC day
	playbook_id: playbook; unknown where the run has none
	component_name: the service that is repaired
	runs: runs
	ended: those of them that ended
	successful: those of them that succeeded
	avg_duration_seconds: mean duration, seconds
	timed_runs: runs of which the duration is known
	sum_duration_seconds: what they took together, seconds: of several rows the mean is sum(sum_duration_seconds) / sum(timed_runs)
$$);

-- ----
SELECT cube.define_view('cube_playbook_steps', $$
SELECT r.day, c.component_name, r.step_order, cube.total(r.steps) AS steps, cube.total(r.successful) AS successful, cube.total(r.failed) AS failed,
	cube.mean(sum(r.duration_us), cube.total(r.duration_n), 1e6) AS avg_duration_seconds
FROM cube.rollup_steps_daily r JOIN cube.dim_component c USING (component_key)
GROUP BY r.day, c.component_name, r.step_order HAVING cube.total(r.steps) <> 0$$);
SELECT cube.describe('cube.cube_playbook_steps', 'Steps of playbook runs by UTC day, component and position. Steps per run: steps of all positions over steps of position 1. Of all tiers, whoever asks.', $$
	day: UTC day
	component_name: the component that is repaired
	step_order: position in the run
	steps: steps
	successful: those of them that succeeded
	failed: those of them that failed
	avg_duration_seconds: mean duration, seconds
$$);
