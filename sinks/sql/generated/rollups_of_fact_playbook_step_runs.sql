-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.rollup_fact_playbook_step_runs_delete()
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
	INSERT INTO cube.rollup_playbook_step_runs_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.step_run_id, f.time_key, f.component_key, f.actor_key, f.run_id, f.step_order, f.status, f.was_successful, f.duration_seconds, f.log, f.created_at, f.ended_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_steps_daily AS r (day, component_key, step_order, lane, steps, successful, failed, duration_n, duration_us) SELECT day, component_key, step_order, my_lane, coalesce(sum(steps), 0), coalesce(sum(successful), 0), coalesce(sum(failed), 0), coalesce(sum(duration_n), 0), coalesce(sum(duration_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.component_key AS component_key, coalesce(f.step_order, 0) AS step_order, -(1) AS steps, -(f.was_successful::int) AS successful, -(coalesce(f.status = 'failed', false)::int) AS failed, -((f.duration_seconds IS NOT NULL)::int) AS duration_n, -(round(f.duration_seconds * 1e6)::bigint) AS duration_us FROM old_rows f  WHERE true) d GROUP BY day, component_key, step_order HAVING coalesce(sum(steps), 0) <> 0 OR coalesce(sum(successful), 0) <> 0 OR coalesce(sum(failed), 0) <> 0 OR coalesce(sum(duration_n), 0) <> 0 OR coalesce(sum(duration_us), 0) <> 0 ORDER BY day, component_key, step_order
		ON CONFLICT (day, component_key, step_order, lane) DO UPDATE SET steps = r.steps + excluded.steps, successful = r.successful + excluded.successful, failed = r.failed + excluded.failed, duration_n = r.duration_n + excluded.duration_n, duration_us = r.duration_us + excluded.duration_us
		RETURNING greatest(abs(r.duration_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_steps_daily', my_lane); END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_playbook_step_runs_insert()
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
	INSERT INTO cube.rollup_playbook_step_runs_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.step_run_id, f.time_key, f.component_key, f.actor_key, f.run_id, f.step_order, f.status, f.was_successful, f.duration_seconds, f.log, f.created_at, f.ended_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_steps_daily AS r (day, component_key, step_order, lane, steps, successful, failed, duration_n, duration_us) SELECT day, component_key, step_order, my_lane, coalesce(sum(steps), 0), coalesce(sum(successful), 0), coalesce(sum(failed), 0), coalesce(sum(duration_n), 0), coalesce(sum(duration_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.component_key AS component_key, coalesce(f.step_order, 0) AS step_order, (1) AS steps, (f.was_successful::int) AS successful, (coalesce(f.status = 'failed', false)::int) AS failed, ((f.duration_seconds IS NOT NULL)::int) AS duration_n, (round(f.duration_seconds * 1e6)::bigint) AS duration_us FROM new_rows f  WHERE true) d GROUP BY day, component_key, step_order HAVING coalesce(sum(steps), 0) <> 0 OR coalesce(sum(successful), 0) <> 0 OR coalesce(sum(failed), 0) <> 0 OR coalesce(sum(duration_n), 0) <> 0 OR coalesce(sum(duration_us), 0) <> 0 ORDER BY day, component_key, step_order
		ON CONFLICT (day, component_key, step_order, lane) DO UPDATE SET steps = r.steps + excluded.steps, successful = r.successful + excluded.successful, failed = r.failed + excluded.failed, duration_n = r.duration_n + excluded.duration_n, duration_us = r.duration_us + excluded.duration_us
		RETURNING greatest(abs(r.duration_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_steps_daily', my_lane); END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_playbook_step_runs_update()
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
	INSERT INTO cube.rollup_playbook_step_runs_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.step_run_id, f.time_key, f.component_key, f.actor_key, f.run_id, f.step_order, f.status, f.was_successful, f.duration_seconds, f.log, f.created_at, f.ended_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.step_run_id, f.time_key, f.component_key, f.actor_key, f.run_id, f.step_order, f.status, f.was_successful, f.duration_seconds, f.log, f.created_at, f.ended_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_steps_daily AS r (day, component_key, step_order, lane, steps, successful, failed, duration_n, duration_us) SELECT day, component_key, step_order, my_lane, coalesce(sum(steps), 0), coalesce(sum(successful), 0), coalesce(sum(failed), 0), coalesce(sum(duration_n), 0), coalesce(sum(duration_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.component_key AS component_key, coalesce(f.step_order, 0) AS step_order, (1) AS steps, (f.was_successful::int) AS successful, (coalesce(f.status = 'failed', false)::int) AS failed, ((f.duration_seconds IS NOT NULL)::int) AS duration_n, (round(f.duration_seconds * 1e6)::bigint) AS duration_us FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, f.component_key AS component_key, coalesce(f.step_order, 0) AS step_order, -(1) AS steps, -(f.was_successful::int) AS successful, -(coalesce(f.status = 'failed', false)::int) AS failed, -((f.duration_seconds IS NOT NULL)::int) AS duration_n, -(round(f.duration_seconds * 1e6)::bigint) AS duration_us FROM old_rows f  WHERE true) d GROUP BY day, component_key, step_order HAVING coalesce(sum(steps), 0) <> 0 OR coalesce(sum(successful), 0) <> 0 OR coalesce(sum(failed), 0) <> 0 OR coalesce(sum(duration_n), 0) <> 0 OR coalesce(sum(duration_us), 0) <> 0 ORDER BY day, component_key, step_order
		ON CONFLICT (day, component_key, step_order, lane) DO UPDATE SET steps = r.steps + excluded.steps, successful = r.successful + excluded.successful, failed = r.failed + excluded.failed, duration_n = r.duration_n + excluded.duration_n, duration_us = r.duration_us + excluded.duration_us
		RETURNING greatest(abs(r.duration_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_steps_daily', my_lane); END IF;
	RETURN NULL;
END $function$;
