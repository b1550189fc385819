-- Benchmark runs after actions.

SELECT cube.describe('cube.fact_benchmark_runs', 'One row a benchmark run; natural primary key.', $$
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
