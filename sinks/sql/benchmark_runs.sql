-- Benchmark runs after actions.

CREATE TABLE cube.fact_benchmark_runs (
	benchmark_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	actor_key int NOT NULL,
	run_id text,
	contract_id text COLLATE "C",
	benchmark_type text,
	passed boolean,
	drift_detected boolean,
	drift_score double precision,
	duration_seconds double precision,
	baseline_id text,
	is_golden boolean,
	triggered_by text,
	created_at timestamptz NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (benchmark_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_benchmark_runs (time_key);
COMMENT ON TABLE cube.fact_benchmark_runs IS 'One row a benchmark run; natural primary key.';
SELECT cube.comment_columns('cube.fact_benchmark_runs', $$
	benchmark_id: natural key, the source's id as text
	time_key: dim_time, the minute of created_at
	actor_key: dim_actor: who triggered it
	run_id: name of the run
	contract_id: the contract it belongs to, where it names one
	benchmark_type: smoke, regression, …
	passed: all checks passed
	drift_detected: the source saw a drift
	drift_score: the row's own, else the largest |percent_change| of delta_from_baseline / 100; NULL without a baseline
	duration_seconds: how long it ran, seconds
	baseline_id: the run it was compared with
	is_golden: it is a baseline
	triggered_by: raw text
	created_at: when it ran
	loaded_at: when the row was last written
$$);
SELECT cube.define_fact('fact_benchmark_runs', 'benchmark_runs', p_keeps => ARRAY['drift_score']);
SELECT cube.define_link('fact_benchmark_runs', 'contract_id', 'verification_executions');
SELECT cube.define_rollup('rollup_benchmarks_daily', 'fact_benchmark_runs',
	ARRAY['day date = cube.day_of(f.time_key)', 'benchmark_type text = coalesce(f.benchmark_type, ''unknown'')'],
	ARRAY['runs bigint = 1', 'passed bigint = coalesce(f.passed, false)::int', 'drifted bigint = coalesce(f.drift_detected, false)::int',
		'duration_n bigint = (f.duration_seconds IS NOT NULL)::int', 'duration_us bigint = round(f.duration_seconds * 1e6)::bigint']);

CREATE VIEW cube.cube_daily_benchmarks AS
SELECT day, benchmark_type, cube.total(runs) AS runs, cube.total(passed) AS passed, cube.total(drifted) AS drifted,
	cube.mean(cube.total(duration_us), cube.total(duration_n), 1e6) AS avg_duration_seconds
FROM cube.rollup_benchmarks_daily GROUP BY day, benchmark_type HAVING cube.total(runs) <> 0;
COMMENT ON VIEW cube.cube_daily_benchmarks IS 'Benchmark runs by UTC day and type.';
SELECT cube.comment_columns('cube.cube_daily_benchmarks', $$
	day: UTC day
	benchmark_type: smoke, regression, …
	runs: runs
	passed: those of them that passed
	drifted: those of them that saw a drift
	avg_duration_seconds: mean duration, seconds
$$);
