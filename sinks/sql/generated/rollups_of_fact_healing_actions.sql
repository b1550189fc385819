-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.rollup_fact_healing_actions_delete()
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
	INSERT INTO cube.rollup_healing_actions_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.action_id, f.time_key, f.component_key, f.actor_key, f.action, f.result, f.detail, f.created_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_healing_daily AS r (day, component_key, action, lane, actions, successful, failed) SELECT day, component_key, action, my_lane, coalesce(sum(actions), 0), coalesce(sum(successful), 0), coalesce(sum(failed), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.component_key AS component_key, coalesce(f.action, 'unknown') AS action, -(1) AS actions, -(coalesce(f.result = 'success', false)::int) AS successful, -(coalesce(f.result = 'failed', false)::int) AS failed FROM old_rows f  WHERE true) d GROUP BY day, component_key, action HAVING coalesce(sum(actions), 0) <> 0 OR coalesce(sum(successful), 0) <> 0 OR coalesce(sum(failed), 0) <> 0 ORDER BY day, component_key, action
		ON CONFLICT (day, component_key, action, lane) DO UPDATE SET actions = r.actions + excluded.actions, successful = r.successful + excluded.successful, failed = r.failed + excluded.failed;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_healing_actions_insert()
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
	INSERT INTO cube.rollup_healing_actions_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.action_id, f.time_key, f.component_key, f.actor_key, f.action, f.result, f.detail, f.created_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_healing_daily AS r (day, component_key, action, lane, actions, successful, failed) SELECT day, component_key, action, my_lane, coalesce(sum(actions), 0), coalesce(sum(successful), 0), coalesce(sum(failed), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.component_key AS component_key, coalesce(f.action, 'unknown') AS action, (1) AS actions, (coalesce(f.result = 'success', false)::int) AS successful, (coalesce(f.result = 'failed', false)::int) AS failed FROM new_rows f  WHERE true) d GROUP BY day, component_key, action HAVING coalesce(sum(actions), 0) <> 0 OR coalesce(sum(successful), 0) <> 0 OR coalesce(sum(failed), 0) <> 0 ORDER BY day, component_key, action
		ON CONFLICT (day, component_key, action, lane) DO UPDATE SET actions = r.actions + excluded.actions, successful = r.successful + excluded.successful, failed = r.failed + excluded.failed;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_healing_actions_update()
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
	INSERT INTO cube.rollup_healing_actions_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.action_id, f.time_key, f.component_key, f.actor_key, f.action, f.result, f.detail, f.created_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.action_id, f.time_key, f.component_key, f.actor_key, f.action, f.result, f.detail, f.created_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_healing_daily AS r (day, component_key, action, lane, actions, successful, failed) SELECT day, component_key, action, my_lane, coalesce(sum(actions), 0), coalesce(sum(successful), 0), coalesce(sum(failed), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.component_key AS component_key, coalesce(f.action, 'unknown') AS action, (1) AS actions, (coalesce(f.result = 'success', false)::int) AS successful, (coalesce(f.result = 'failed', false)::int) AS failed FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, f.component_key AS component_key, coalesce(f.action, 'unknown') AS action, -(1) AS actions, -(coalesce(f.result = 'success', false)::int) AS successful, -(coalesce(f.result = 'failed', false)::int) AS failed FROM old_rows f  WHERE true) d GROUP BY day, component_key, action HAVING coalesce(sum(actions), 0) <> 0 OR coalesce(sum(successful), 0) <> 0 OR coalesce(sum(failed), 0) <> 0 ORDER BY day, component_key, action
		ON CONFLICT (day, component_key, action, lane) DO UPDATE SET actions = r.actions + excluded.actions, successful = r.successful + excluded.successful, failed = r.failed + excluded.failed;
	RETURN NULL;
END $function$;
