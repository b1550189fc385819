-- Benchmarks by day.

SELECT cube.define_view('cube_daily_benchmarks', $$
SELECT day, benchmark_type, cube.total(runs) AS runs, cube.total(passed) AS passed, cube.total(drifted) AS drifted,
	cube.mean(sum(duration_us), cube.total(duration_n), 1e6) AS avg_duration_seconds
FROM cube.rollup_benchmarks_daily GROUP BY day, benchmark_type HAVING cube.total(runs) <> 0$$);
SELECT cube.describe('cube.cube_daily_benchmarks', 'Benchmark runs by UTC day and type. Of all tiers, whoever asks.', $$
	day: UTC day
	benchmark_type: smoke, regression, …
	runs: runs
	passed: those of them that passed
	drifted: those of them that saw a drift
	avg_duration_seconds: mean duration, seconds
$$);
