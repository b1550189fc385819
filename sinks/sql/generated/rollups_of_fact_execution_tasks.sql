-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.rollup_fact_execution_tasks_delete()
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
	INSERT INTO cube.rollup_execution_tasks_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.task_key, f.time_key, f.component_key, f.actor_key, f.task_id, f.task_type, f.status, f.was_successful, f.has_failed, f.progress, f.queue_seconds, f.run_seconds, f.error, f.created_at, f.started_at, f.completed_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_tasks_daily AS r (day, task_type, lane, tasks, completed, failed, queue_n, queue_us, run_n, run_us) SELECT day, task_type, my_lane, coalesce(sum(tasks), 0), coalesce(sum(completed), 0), coalesce(sum(failed), 0), coalesce(sum(queue_n), 0), coalesce(sum(queue_us), 0), coalesce(sum(run_n), 0), coalesce(sum(run_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.task_type, 'unknown') AS task_type, -(1) AS tasks, -(f.was_successful::int) AS completed, -(f.has_failed::int) AS failed, -((f.queue_seconds IS NOT NULL)::int) AS queue_n, -(round(f.queue_seconds * 1e6)::bigint) AS queue_us, -((f.run_seconds IS NOT NULL)::int) AS run_n, -(round(f.run_seconds * 1e6)::bigint) AS run_us FROM old_rows f  WHERE true) d GROUP BY day, task_type HAVING coalesce(sum(tasks), 0) <> 0 OR coalesce(sum(completed), 0) <> 0 OR coalesce(sum(failed), 0) <> 0 OR coalesce(sum(queue_n), 0) <> 0 OR coalesce(sum(queue_us), 0) <> 0 OR coalesce(sum(run_n), 0) <> 0 OR coalesce(sum(run_us), 0) <> 0 ORDER BY day, task_type
		ON CONFLICT (day, task_type, lane) DO UPDATE SET tasks = r.tasks + excluded.tasks, completed = r.completed + excluded.completed, failed = r.failed + excluded.failed, queue_n = r.queue_n + excluded.queue_n, queue_us = r.queue_us + excluded.queue_us, run_n = r.run_n + excluded.run_n, run_us = r.run_us + excluded.run_us
		RETURNING greatest(abs(r.queue_us), abs(r.run_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_tasks_daily', my_lane); END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_execution_tasks_insert()
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
	INSERT INTO cube.rollup_execution_tasks_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.task_key, f.time_key, f.component_key, f.actor_key, f.task_id, f.task_type, f.status, f.was_successful, f.has_failed, f.progress, f.queue_seconds, f.run_seconds, f.error, f.created_at, f.started_at, f.completed_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_tasks_daily AS r (day, task_type, lane, tasks, completed, failed, queue_n, queue_us, run_n, run_us) SELECT day, task_type, my_lane, coalesce(sum(tasks), 0), coalesce(sum(completed), 0), coalesce(sum(failed), 0), coalesce(sum(queue_n), 0), coalesce(sum(queue_us), 0), coalesce(sum(run_n), 0), coalesce(sum(run_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.task_type, 'unknown') AS task_type, (1) AS tasks, (f.was_successful::int) AS completed, (f.has_failed::int) AS failed, ((f.queue_seconds IS NOT NULL)::int) AS queue_n, (round(f.queue_seconds * 1e6)::bigint) AS queue_us, ((f.run_seconds IS NOT NULL)::int) AS run_n, (round(f.run_seconds * 1e6)::bigint) AS run_us FROM new_rows f  WHERE true) d GROUP BY day, task_type HAVING coalesce(sum(tasks), 0) <> 0 OR coalesce(sum(completed), 0) <> 0 OR coalesce(sum(failed), 0) <> 0 OR coalesce(sum(queue_n), 0) <> 0 OR coalesce(sum(queue_us), 0) <> 0 OR coalesce(sum(run_n), 0) <> 0 OR coalesce(sum(run_us), 0) <> 0 ORDER BY day, task_type
		ON CONFLICT (day, task_type, lane) DO UPDATE SET tasks = r.tasks + excluded.tasks, completed = r.completed + excluded.completed, failed = r.failed + excluded.failed, queue_n = r.queue_n + excluded.queue_n, queue_us = r.queue_us + excluded.queue_us, run_n = r.run_n + excluded.run_n, run_us = r.run_us + excluded.run_us
		RETURNING greatest(abs(r.queue_us), abs(r.run_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_tasks_daily', my_lane); END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_execution_tasks_update()
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
	INSERT INTO cube.rollup_execution_tasks_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.task_key, f.time_key, f.component_key, f.actor_key, f.task_id, f.task_type, f.status, f.was_successful, f.has_failed, f.progress, f.queue_seconds, f.run_seconds, f.error, f.created_at, f.started_at, f.completed_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.task_key, f.time_key, f.component_key, f.actor_key, f.task_id, f.task_type, f.status, f.was_successful, f.has_failed, f.progress, f.queue_seconds, f.run_seconds, f.error, f.created_at, f.started_at, f.completed_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_tasks_daily AS r (day, task_type, lane, tasks, completed, failed, queue_n, queue_us, run_n, run_us) SELECT day, task_type, my_lane, coalesce(sum(tasks), 0), coalesce(sum(completed), 0), coalesce(sum(failed), 0), coalesce(sum(queue_n), 0), coalesce(sum(queue_us), 0), coalesce(sum(run_n), 0), coalesce(sum(run_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.task_type, 'unknown') AS task_type, (1) AS tasks, (f.was_successful::int) AS completed, (f.has_failed::int) AS failed, ((f.queue_seconds IS NOT NULL)::int) AS queue_n, (round(f.queue_seconds * 1e6)::bigint) AS queue_us, ((f.run_seconds IS NOT NULL)::int) AS run_n, (round(f.run_seconds * 1e6)::bigint) AS run_us FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, coalesce(f.task_type, 'unknown') AS task_type, -(1) AS tasks, -(f.was_successful::int) AS completed, -(f.has_failed::int) AS failed, -((f.queue_seconds IS NOT NULL)::int) AS queue_n, -(round(f.queue_seconds * 1e6)::bigint) AS queue_us, -((f.run_seconds IS NOT NULL)::int) AS run_n, -(round(f.run_seconds * 1e6)::bigint) AS run_us FROM old_rows f  WHERE true) d GROUP BY day, task_type HAVING coalesce(sum(tasks), 0) <> 0 OR coalesce(sum(completed), 0) <> 0 OR coalesce(sum(failed), 0) <> 0 OR coalesce(sum(queue_n), 0) <> 0 OR coalesce(sum(queue_us), 0) <> 0 OR coalesce(sum(run_n), 0) <> 0 OR coalesce(sum(run_us), 0) <> 0 ORDER BY day, task_type
		ON CONFLICT (day, task_type, lane) DO UPDATE SET tasks = r.tasks + excluded.tasks, completed = r.completed + excluded.completed, failed = r.failed + excluded.failed, queue_n = r.queue_n + excluded.queue_n, queue_us = r.queue_us + excluded.queue_us, run_n = r.run_n + excluded.run_n, run_us = r.run_us + excluded.run_us
		RETURNING greatest(abs(r.queue_us), abs(r.run_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_tasks_daily', my_lane); END IF;
	RETURN NULL;
END $function$;
