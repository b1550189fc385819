-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.link_fact_benchmark_runs_verification_executions()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF TG_OP = 'INSERT' THEN
		PERFORM cube.relink_verification_executions(ARRAY(SELECT DISTINCT contract_id FROM new_rows WHERE contract_id IS NOT NULL));
	ELSIF TG_OP = 'DELETE' THEN
		PERFORM cube.relink_verification_executions(ARRAY(SELECT DISTINCT contract_id FROM old_rows WHERE contract_id IS NOT NULL));
	ELSE
		PERFORM cube.relink_verification_executions(ARRAY(SELECT contract_id FROM new_rows WHERE contract_id IS NOT NULL UNION SELECT contract_id FROM old_rows WHERE contract_id IS NOT NULL));
	END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_benchmark_runs_delete()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
DECLARE
	my_lane constant smallint := cube.lane();
	is_full boolean;
BEGIN
	IF NOT EXISTS (SELECT FROM old_rows) THEN RETURN NULL; END IF;
	INSERT INTO cube.rollup_benchmark_runs_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.benchmark_id, f.time_key, f.actor_key, f.run_id, f.contract_id, f.benchmark_type, f.passed, f.drift_detected, f.drift_score, f.duration_seconds, f.baseline_id, f.is_golden, f.triggered_by, f.created_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_benchmarks_daily AS r (day, benchmark_type, lane, runs, passed, drifted, duration_n, duration_us) SELECT day, benchmark_type, my_lane, coalesce(sum(runs), 0), coalesce(sum(passed), 0), coalesce(sum(drifted), 0), coalesce(sum(duration_n), 0), coalesce(sum(duration_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.benchmark_type, 'unknown') AS benchmark_type, -(1) AS runs, -(coalesce(f.passed, false)::int) AS passed, -(coalesce(f.drift_detected, false)::int) AS drifted, -((f.duration_seconds IS NOT NULL)::int) AS duration_n, -(round(f.duration_seconds * 1e6)::bigint) AS duration_us FROM old_rows f  WHERE true) d GROUP BY day, benchmark_type HAVING coalesce(sum(runs), 0) <> 0 OR coalesce(sum(passed), 0) <> 0 OR coalesce(sum(drifted), 0) <> 0 OR coalesce(sum(duration_n), 0) <> 0 OR coalesce(sum(duration_us), 0) <> 0 ORDER BY day, benchmark_type
		ON CONFLICT (day, benchmark_type, lane) DO UPDATE SET runs = r.runs + excluded.runs, passed = r.passed + excluded.passed, drifted = r.drifted + excluded.drifted, duration_n = r.duration_n + excluded.duration_n, duration_us = r.duration_us + excluded.duration_us
		RETURNING greatest(abs(r.duration_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_benchmarks_daily', my_lane); END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_benchmark_runs_insert()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
DECLARE
	my_lane constant smallint := cube.lane();
	is_full boolean;
BEGIN
	IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;
	INSERT INTO cube.rollup_benchmark_runs_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.benchmark_id, f.time_key, f.actor_key, f.run_id, f.contract_id, f.benchmark_type, f.passed, f.drift_detected, f.drift_score, f.duration_seconds, f.baseline_id, f.is_golden, f.triggered_by, f.created_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_benchmarks_daily AS r (day, benchmark_type, lane, runs, passed, drifted, duration_n, duration_us) SELECT day, benchmark_type, my_lane, coalesce(sum(runs), 0), coalesce(sum(passed), 0), coalesce(sum(drifted), 0), coalesce(sum(duration_n), 0), coalesce(sum(duration_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.benchmark_type, 'unknown') AS benchmark_type, (1) AS runs, (coalesce(f.passed, false)::int) AS passed, (coalesce(f.drift_detected, false)::int) AS drifted, ((f.duration_seconds IS NOT NULL)::int) AS duration_n, (round(f.duration_seconds * 1e6)::bigint) AS duration_us FROM new_rows f  WHERE true) d GROUP BY day, benchmark_type HAVING coalesce(sum(runs), 0) <> 0 OR coalesce(sum(passed), 0) <> 0 OR coalesce(sum(drifted), 0) <> 0 OR coalesce(sum(duration_n), 0) <> 0 OR coalesce(sum(duration_us), 0) <> 0 ORDER BY day, benchmark_type
		ON CONFLICT (day, benchmark_type, lane) DO UPDATE SET runs = r.runs + excluded.runs, passed = r.passed + excluded.passed, drifted = r.drifted + excluded.drifted, duration_n = r.duration_n + excluded.duration_n, duration_us = r.duration_us + excluded.duration_us
		RETURNING greatest(abs(r.duration_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_benchmarks_daily', my_lane); END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_benchmark_runs_update()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
DECLARE
	my_lane constant smallint := cube.lane();
	is_full boolean;
BEGIN
	IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;
	INSERT INTO cube.rollup_benchmark_runs_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.benchmark_id, f.time_key, f.actor_key, f.run_id, f.contract_id, f.benchmark_type, f.passed, f.drift_detected, f.drift_score, f.duration_seconds, f.baseline_id, f.is_golden, f.triggered_by, f.created_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.benchmark_id, f.time_key, f.actor_key, f.run_id, f.contract_id, f.benchmark_type, f.passed, f.drift_detected, f.drift_score, f.duration_seconds, f.baseline_id, f.is_golden, f.triggered_by, f.created_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_benchmarks_daily AS r (day, benchmark_type, lane, runs, passed, drifted, duration_n, duration_us) SELECT day, benchmark_type, my_lane, coalesce(sum(runs), 0), coalesce(sum(passed), 0), coalesce(sum(drifted), 0), coalesce(sum(duration_n), 0), coalesce(sum(duration_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.benchmark_type, 'unknown') AS benchmark_type, (1) AS runs, (coalesce(f.passed, false)::int) AS passed, (coalesce(f.drift_detected, false)::int) AS drifted, ((f.duration_seconds IS NOT NULL)::int) AS duration_n, (round(f.duration_seconds * 1e6)::bigint) AS duration_us FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, coalesce(f.benchmark_type, 'unknown') AS benchmark_type, -(1) AS runs, -(coalesce(f.passed, false)::int) AS passed, -(coalesce(f.drift_detected, false)::int) AS drifted, -((f.duration_seconds IS NOT NULL)::int) AS duration_n, -(round(f.duration_seconds * 1e6)::bigint) AS duration_us FROM old_rows f  WHERE true) d GROUP BY day, benchmark_type HAVING coalesce(sum(runs), 0) <> 0 OR coalesce(sum(passed), 0) <> 0 OR coalesce(sum(drifted), 0) <> 0 OR coalesce(sum(duration_n), 0) <> 0 OR coalesce(sum(duration_us), 0) <> 0 ORDER BY day, benchmark_type
		ON CONFLICT (day, benchmark_type, lane) DO UPDATE SET runs = r.runs + excluded.runs, passed = r.passed + excluded.passed, drifted = r.drifted + excluded.drifted, duration_n = r.duration_n + excluded.duration_n, duration_us = r.duration_us + excluded.duration_us
		RETURNING greatest(abs(r.duration_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_benchmarks_daily', my_lane); END IF;
	RETURN NULL;
END $function$;
