-- Healing actions and their outcomes.

SELECT cube.define_view('cube_healing_outcomes', $$
SELECT r.day, c.component_name, r.action, cube.total(r.actions) AS actions, cube.total(r.successful) AS successful, cube.total(r.failed) AS failed
FROM cube.rollup_healing_daily r JOIN cube.dim_component c USING (component_key)
GROUP BY r.day, c.component_name, r.action HAVING cube.total(r.actions) <> 0$$);
SELECT cube.describe('cube.cube_healing_outcomes', 'Healing actions and their outcomes by UTC day, component and action. Of all tiers, whoever asks.', $$
	day: UTC day
	component_name: the component that is healed
	action: what was done
	actions: actions
	successful: those of them that succeeded
	failed: those of them that failed
$$);
