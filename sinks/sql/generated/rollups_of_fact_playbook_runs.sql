-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.link_fact_playbook_runs_error_events()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF TG_OP = 'INSERT' THEN
		PERFORM cube.relink_error_events(ARRAY(SELECT DISTINCT error_id FROM new_rows WHERE error_id IS NOT NULL));
	ELSIF TG_OP = 'DELETE' THEN
		PERFORM cube.relink_error_events(ARRAY(SELECT DISTINCT error_id FROM old_rows WHERE error_id IS NOT NULL));
	ELSE
		PERFORM cube.relink_error_events(ARRAY(SELECT error_id FROM new_rows WHERE error_id IS NOT NULL UNION SELECT error_id FROM old_rows WHERE error_id IS NOT NULL));
	END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_playbook_runs_delete()
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
	INSERT INTO cube.rollup_playbook_runs_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.run_id, f.time_key, f.component_key, f.actor_key, f.run_number, f.playbook_id, f.status, f.was_successful, f.diagnosis_code, f.error_id, f.approval_id, f.queue_seconds, f.duration_seconds, f.created_at, f.started_at, f.ended_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_playbooks_daily AS r (day, playbook_id, component_key, lane, runs, successful, ended, duration_n, duration_us) SELECT day, playbook_id, component_key, my_lane, coalesce(sum(runs), 0), coalesce(sum(successful), 0), coalesce(sum(ended), 0), coalesce(sum(duration_n), 0), coalesce(sum(duration_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.playbook_id, 'unknown') AS playbook_id, f.component_key AS component_key, -(1) AS runs, -(f.was_successful::int) AS successful, -((f.ended_at IS NOT NULL)::int) AS ended, -((f.duration_seconds IS NOT NULL)::int) AS duration_n, -(round(f.duration_seconds * 1e6)::bigint) AS duration_us FROM old_rows f  WHERE true) d GROUP BY day, playbook_id, component_key HAVING coalesce(sum(runs), 0) <> 0 OR coalesce(sum(successful), 0) <> 0 OR coalesce(sum(ended), 0) <> 0 OR coalesce(sum(duration_n), 0) <> 0 OR coalesce(sum(duration_us), 0) <> 0 ORDER BY day, playbook_id, component_key
		ON CONFLICT (day, playbook_id, component_key, lane) DO UPDATE SET runs = r.runs + excluded.runs, successful = r.successful + excluded.successful, ended = r.ended + excluded.ended, duration_n = r.duration_n + excluded.duration_n, duration_us = r.duration_us + excluded.duration_us
		RETURNING greatest(abs(r.duration_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_playbooks_daily', my_lane); END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_playbook_runs_insert()
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
	INSERT INTO cube.rollup_playbook_runs_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.run_id, f.time_key, f.component_key, f.actor_key, f.run_number, f.playbook_id, f.status, f.was_successful, f.diagnosis_code, f.error_id, f.approval_id, f.queue_seconds, f.duration_seconds, f.created_at, f.started_at, f.ended_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_playbooks_daily AS r (day, playbook_id, component_key, lane, runs, successful, ended, duration_n, duration_us) SELECT day, playbook_id, component_key, my_lane, coalesce(sum(runs), 0), coalesce(sum(successful), 0), coalesce(sum(ended), 0), coalesce(sum(duration_n), 0), coalesce(sum(duration_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.playbook_id, 'unknown') AS playbook_id, f.component_key AS component_key, (1) AS runs, (f.was_successful::int) AS successful, ((f.ended_at IS NOT NULL)::int) AS ended, ((f.duration_seconds IS NOT NULL)::int) AS duration_n, (round(f.duration_seconds * 1e6)::bigint) AS duration_us FROM new_rows f  WHERE true) d GROUP BY day, playbook_id, component_key HAVING coalesce(sum(runs), 0) <> 0 OR coalesce(sum(successful), 0) <> 0 OR coalesce(sum(ended), 0) <> 0 OR coalesce(sum(duration_n), 0) <> 0 OR coalesce(sum(duration_us), 0) <> 0 ORDER BY day, playbook_id, component_key
		ON CONFLICT (day, playbook_id, component_key, lane) DO UPDATE SET runs = r.runs + excluded.runs, successful = r.successful + excluded.successful, ended = r.ended + excluded.ended, duration_n = r.duration_n + excluded.duration_n, duration_us = r.duration_us + excluded.duration_us
		RETURNING greatest(abs(r.duration_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_playbooks_daily', my_lane); END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_playbook_runs_update()
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
	INSERT INTO cube.rollup_playbook_runs_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.run_id, f.time_key, f.component_key, f.actor_key, f.run_number, f.playbook_id, f.status, f.was_successful, f.diagnosis_code, f.error_id, f.approval_id, f.queue_seconds, f.duration_seconds, f.created_at, f.started_at, f.ended_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.run_id, f.time_key, f.component_key, f.actor_key, f.run_number, f.playbook_id, f.status, f.was_successful, f.diagnosis_code, f.error_id, f.approval_id, f.queue_seconds, f.duration_seconds, f.created_at, f.started_at, f.ended_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_playbooks_daily AS r (day, playbook_id, component_key, lane, runs, successful, ended, duration_n, duration_us) SELECT day, playbook_id, component_key, my_lane, coalesce(sum(runs), 0), coalesce(sum(successful), 0), coalesce(sum(ended), 0), coalesce(sum(duration_n), 0), coalesce(sum(duration_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.playbook_id, 'unknown') AS playbook_id, f.component_key AS component_key, (1) AS runs, (f.was_successful::int) AS successful, ((f.ended_at IS NOT NULL)::int) AS ended, ((f.duration_seconds IS NOT NULL)::int) AS duration_n, (round(f.duration_seconds * 1e6)::bigint) AS duration_us FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, coalesce(f.playbook_id, 'unknown') AS playbook_id, f.component_key AS component_key, -(1) AS runs, -(f.was_successful::int) AS successful, -((f.ended_at IS NOT NULL)::int) AS ended, -((f.duration_seconds IS NOT NULL)::int) AS duration_n, -(round(f.duration_seconds * 1e6)::bigint) AS duration_us FROM old_rows f  WHERE true) d GROUP BY day, playbook_id, component_key HAVING coalesce(sum(runs), 0) <> 0 OR coalesce(sum(successful), 0) <> 0 OR coalesce(sum(ended), 0) <> 0 OR coalesce(sum(duration_n), 0) <> 0 OR coalesce(sum(duration_us), 0) <> 0 ORDER BY day, playbook_id, component_key
		ON CONFLICT (day, playbook_id, component_key, lane) DO UPDATE SET runs = r.runs + excluded.runs, successful = r.successful + excluded.successful, ended = r.ended + excluded.ended, duration_n = r.duration_n + excluded.duration_n, duration_us = r.duration_us + excluded.duration_us
		RETURNING greatest(abs(r.duration_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_playbooks_daily', my_lane); END IF;
	RETURN NULL;
END $function$;
