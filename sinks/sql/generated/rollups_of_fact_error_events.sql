-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.rollup_fact_error_events_delete()
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
	INSERT INTO cube.rollup_error_events_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.error_id, f.time_key, f.component_key, f.actor_key, f.error_type, f.severity, f.source, f.was_auto_resolved, f.resolution_time_seconds, f.playbook_triggered, f.required_human_intervention, f.status, f.resolution_note, f.created_at, f.resolved_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_errors_daily AS r (day, severity, component_key, lane, errors, auto_resolved, human, resolution_n, resolution_us) SELECT day, severity, component_key, my_lane, coalesce(sum(errors), 0), coalesce(sum(auto_resolved), 0), coalesce(sum(human), 0), coalesce(sum(resolution_n), 0), coalesce(sum(resolution_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.severity AS severity, f.component_key AS component_key, -(1) AS errors, -(f.was_auto_resolved::int) AS auto_resolved, -(f.required_human_intervention::int) AS human, -((f.resolution_time_seconds IS NOT NULL)::int) AS resolution_n, -(round(f.resolution_time_seconds * 1e6)::bigint) AS resolution_us FROM old_rows f  WHERE true) d GROUP BY day, severity, component_key HAVING coalesce(sum(errors), 0) <> 0 OR coalesce(sum(auto_resolved), 0) <> 0 OR coalesce(sum(human), 0) <> 0 OR coalesce(sum(resolution_n), 0) <> 0 OR coalesce(sum(resolution_us), 0) <> 0 ORDER BY day, severity, component_key
		ON CONFLICT (day, severity, component_key, lane) DO UPDATE SET errors = r.errors + excluded.errors, auto_resolved = r.auto_resolved + excluded.auto_resolved, human = r.human + excluded.human, resolution_n = r.resolution_n + excluded.resolution_n, resolution_us = r.resolution_us + excluded.resolution_us
		RETURNING greatest(abs(r.resolution_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_errors_daily', my_lane); END IF;
	INSERT INTO cube.rollup_errors_hourly AS r (hour, severity, lane, errors, auto_resolved) SELECT hour, severity, my_lane, coalesce(sum(errors), 0), coalesce(sum(auto_resolved), 0) FROM (SELECT f.time_key / 60 AS hour, f.severity AS severity, -(1) AS errors, -(f.was_auto_resolved::int) AS auto_resolved FROM old_rows f  WHERE true) d GROUP BY hour, severity HAVING coalesce(sum(errors), 0) <> 0 OR coalesce(sum(auto_resolved), 0) <> 0 ORDER BY hour, severity
		ON CONFLICT (hour, severity, lane) DO UPDATE SET errors = r.errors + excluded.errors, auto_resolved = r.auto_resolved + excluded.auto_resolved;
	INSERT INTO cube.rollup_error_types_daily AS r (day, error_type, severity, component_key, lane, errors, auto_resolved) SELECT day, error_type, severity, component_key, my_lane, coalesce(sum(errors), 0), coalesce(sum(auto_resolved), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.error_type, 'unknown') AS error_type, f.severity AS severity, f.component_key AS component_key, -(1) AS errors, -(f.was_auto_resolved::int) AS auto_resolved FROM old_rows f  WHERE true) d GROUP BY day, error_type, severity, component_key HAVING coalesce(sum(errors), 0) <> 0 OR coalesce(sum(auto_resolved), 0) <> 0 ORDER BY day, error_type, severity, component_key
		ON CONFLICT (day, error_type, severity, component_key, lane) DO UPDATE SET errors = r.errors + excluded.errors, auto_resolved = r.auto_resolved + excluded.auto_resolved;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_error_events_insert()
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
	INSERT INTO cube.rollup_error_events_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.error_id, f.time_key, f.component_key, f.actor_key, f.error_type, f.severity, f.source, f.was_auto_resolved, f.resolution_time_seconds, f.playbook_triggered, f.required_human_intervention, f.status, f.resolution_note, f.created_at, f.resolved_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_errors_daily AS r (day, severity, component_key, lane, errors, auto_resolved, human, resolution_n, resolution_us) SELECT day, severity, component_key, my_lane, coalesce(sum(errors), 0), coalesce(sum(auto_resolved), 0), coalesce(sum(human), 0), coalesce(sum(resolution_n), 0), coalesce(sum(resolution_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.severity AS severity, f.component_key AS component_key, (1) AS errors, (f.was_auto_resolved::int) AS auto_resolved, (f.required_human_intervention::int) AS human, ((f.resolution_time_seconds IS NOT NULL)::int) AS resolution_n, (round(f.resolution_time_seconds * 1e6)::bigint) AS resolution_us FROM new_rows f  WHERE true) d GROUP BY day, severity, component_key HAVING coalesce(sum(errors), 0) <> 0 OR coalesce(sum(auto_resolved), 0) <> 0 OR coalesce(sum(human), 0) <> 0 OR coalesce(sum(resolution_n), 0) <> 0 OR coalesce(sum(resolution_us), 0) <> 0 ORDER BY day, severity, component_key
		ON CONFLICT (day, severity, component_key, lane) DO UPDATE SET errors = r.errors + excluded.errors, auto_resolved = r.auto_resolved + excluded.auto_resolved, human = r.human + excluded.human, resolution_n = r.resolution_n + excluded.resolution_n, resolution_us = r.resolution_us + excluded.resolution_us
		RETURNING greatest(abs(r.resolution_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_errors_daily', my_lane); END IF;
	INSERT INTO cube.rollup_errors_hourly AS r (hour, severity, lane, errors, auto_resolved) SELECT hour, severity, my_lane, coalesce(sum(errors), 0), coalesce(sum(auto_resolved), 0) FROM (SELECT f.time_key / 60 AS hour, f.severity AS severity, (1) AS errors, (f.was_auto_resolved::int) AS auto_resolved FROM new_rows f  WHERE true) d GROUP BY hour, severity HAVING coalesce(sum(errors), 0) <> 0 OR coalesce(sum(auto_resolved), 0) <> 0 ORDER BY hour, severity
		ON CONFLICT (hour, severity, lane) DO UPDATE SET errors = r.errors + excluded.errors, auto_resolved = r.auto_resolved + excluded.auto_resolved;
	INSERT INTO cube.rollup_error_types_daily AS r (day, error_type, severity, component_key, lane, errors, auto_resolved) SELECT day, error_type, severity, component_key, my_lane, coalesce(sum(errors), 0), coalesce(sum(auto_resolved), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.error_type, 'unknown') AS error_type, f.severity AS severity, f.component_key AS component_key, (1) AS errors, (f.was_auto_resolved::int) AS auto_resolved FROM new_rows f  WHERE true) d GROUP BY day, error_type, severity, component_key HAVING coalesce(sum(errors), 0) <> 0 OR coalesce(sum(auto_resolved), 0) <> 0 ORDER BY day, error_type, severity, component_key
		ON CONFLICT (day, error_type, severity, component_key, lane) DO UPDATE SET errors = r.errors + excluded.errors, auto_resolved = r.auto_resolved + excluded.auto_resolved;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_error_events_update()
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
	INSERT INTO cube.rollup_error_events_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.error_id, f.time_key, f.component_key, f.actor_key, f.error_type, f.severity, f.source, f.was_auto_resolved, f.resolution_time_seconds, f.playbook_triggered, f.required_human_intervention, f.status, f.resolution_note, f.created_at, f.resolved_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.error_id, f.time_key, f.component_key, f.actor_key, f.error_type, f.severity, f.source, f.was_auto_resolved, f.resolution_time_seconds, f.playbook_triggered, f.required_human_intervention, f.status, f.resolution_note, f.created_at, f.resolved_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_errors_daily AS r (day, severity, component_key, lane, errors, auto_resolved, human, resolution_n, resolution_us) SELECT day, severity, component_key, my_lane, coalesce(sum(errors), 0), coalesce(sum(auto_resolved), 0), coalesce(sum(human), 0), coalesce(sum(resolution_n), 0), coalesce(sum(resolution_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.severity AS severity, f.component_key AS component_key, (1) AS errors, (f.was_auto_resolved::int) AS auto_resolved, (f.required_human_intervention::int) AS human, ((f.resolution_time_seconds IS NOT NULL)::int) AS resolution_n, (round(f.resolution_time_seconds * 1e6)::bigint) AS resolution_us FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, f.severity AS severity, f.component_key AS component_key, -(1) AS errors, -(f.was_auto_resolved::int) AS auto_resolved, -(f.required_human_intervention::int) AS human, -((f.resolution_time_seconds IS NOT NULL)::int) AS resolution_n, -(round(f.resolution_time_seconds * 1e6)::bigint) AS resolution_us FROM old_rows f  WHERE true) d GROUP BY day, severity, component_key HAVING coalesce(sum(errors), 0) <> 0 OR coalesce(sum(auto_resolved), 0) <> 0 OR coalesce(sum(human), 0) <> 0 OR coalesce(sum(resolution_n), 0) <> 0 OR coalesce(sum(resolution_us), 0) <> 0 ORDER BY day, severity, component_key
		ON CONFLICT (day, severity, component_key, lane) DO UPDATE SET errors = r.errors + excluded.errors, auto_resolved = r.auto_resolved + excluded.auto_resolved, human = r.human + excluded.human, resolution_n = r.resolution_n + excluded.resolution_n, resolution_us = r.resolution_us + excluded.resolution_us
		RETURNING greatest(abs(r.resolution_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_errors_daily', my_lane); END IF;
	INSERT INTO cube.rollup_errors_hourly AS r (hour, severity, lane, errors, auto_resolved) SELECT hour, severity, my_lane, coalesce(sum(errors), 0), coalesce(sum(auto_resolved), 0) FROM (SELECT f.time_key / 60 AS hour, f.severity AS severity, (1) AS errors, (f.was_auto_resolved::int) AS auto_resolved FROM new_rows f  WHERE true UNION ALL SELECT f.time_key / 60 AS hour, f.severity AS severity, -(1) AS errors, -(f.was_auto_resolved::int) AS auto_resolved FROM old_rows f  WHERE true) d GROUP BY hour, severity HAVING coalesce(sum(errors), 0) <> 0 OR coalesce(sum(auto_resolved), 0) <> 0 ORDER BY hour, severity
		ON CONFLICT (hour, severity, lane) DO UPDATE SET errors = r.errors + excluded.errors, auto_resolved = r.auto_resolved + excluded.auto_resolved;
	INSERT INTO cube.rollup_error_types_daily AS r (day, error_type, severity, component_key, lane, errors, auto_resolved) SELECT day, error_type, severity, component_key, my_lane, coalesce(sum(errors), 0), coalesce(sum(auto_resolved), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.error_type, 'unknown') AS error_type, f.severity AS severity, f.component_key AS component_key, (1) AS errors, (f.was_auto_resolved::int) AS auto_resolved FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, coalesce(f.error_type, 'unknown') AS error_type, f.severity AS severity, f.component_key AS component_key, -(1) AS errors, -(f.was_auto_resolved::int) AS auto_resolved FROM old_rows f  WHERE true) d GROUP BY day, error_type, severity, component_key HAVING coalesce(sum(errors), 0) <> 0 OR coalesce(sum(auto_resolved), 0) <> 0 ORDER BY day, error_type, severity, component_key
		ON CONFLICT (day, error_type, severity, component_key, lane) DO UPDATE SET errors = r.errors + excluded.errors, auto_resolved = r.auto_resolved + excluded.auto_resolved;
	RETURN NULL;
END $function$;
