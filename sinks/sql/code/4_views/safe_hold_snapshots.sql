-- Snapshots by day.

SELECT cube.define_view('cube_daily_snapshots', $$
SELECT day, cube.total(snapshots) AS snapshots, cube.total(validated) AS validated, cube.total(restored) AS restored
FROM cube.rollup_snapshots_daily GROUP BY day HAVING cube.total(snapshots) <> 0$$);
SELECT cube.describe('cube.cube_daily_snapshots', 'Snapshots by UTC day. Of all tiers, whoever asks.', $$
	day: UTC day
	snapshots: taken on that day
	validated: those of them that were validated
	restored: those of them that were restored
$$);
