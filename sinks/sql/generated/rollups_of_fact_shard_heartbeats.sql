-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.rollup_fact_shard_heartbeats_delete()
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
	INSERT INTO cube.rollup_shard_heartbeats_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.heartbeat_id, f.time_key, f.component_key, f.actor_key, f.shard_id, f.status, f.load, f.created_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_heartbeats_daily AS r (day, shard_id, lane, heartbeats, load_n, load_micro) SELECT day, shard_id, my_lane, coalesce(sum(heartbeats), 0), coalesce(sum(load_n), 0), coalesce(sum(load_micro), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.shard_id AS shard_id, -(1) AS heartbeats, -((f.load IS NOT NULL)::int) AS load_n, -(round(f.load * 1e6)::bigint) AS load_micro FROM old_rows f  WHERE true) d GROUP BY day, shard_id HAVING coalesce(sum(heartbeats), 0) <> 0 OR coalesce(sum(load_n), 0) <> 0 OR coalesce(sum(load_micro), 0) <> 0 ORDER BY day, shard_id
		ON CONFLICT (day, shard_id, lane) DO UPDATE SET heartbeats = r.heartbeats + excluded.heartbeats, load_n = r.load_n + excluded.load_n, load_micro = r.load_micro + excluded.load_micro
		RETURNING greatest(abs(r.load_micro)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_heartbeats_daily', my_lane); END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_shard_heartbeats_insert()
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
	INSERT INTO cube.rollup_shard_heartbeats_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.heartbeat_id, f.time_key, f.component_key, f.actor_key, f.shard_id, f.status, f.load, f.created_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_heartbeats_daily AS r (day, shard_id, lane, heartbeats, load_n, load_micro) SELECT day, shard_id, my_lane, coalesce(sum(heartbeats), 0), coalesce(sum(load_n), 0), coalesce(sum(load_micro), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.shard_id AS shard_id, (1) AS heartbeats, ((f.load IS NOT NULL)::int) AS load_n, (round(f.load * 1e6)::bigint) AS load_micro FROM new_rows f  WHERE true) d GROUP BY day, shard_id HAVING coalesce(sum(heartbeats), 0) <> 0 OR coalesce(sum(load_n), 0) <> 0 OR coalesce(sum(load_micro), 0) <> 0 ORDER BY day, shard_id
		ON CONFLICT (day, shard_id, lane) DO UPDATE SET heartbeats = r.heartbeats + excluded.heartbeats, load_n = r.load_n + excluded.load_n, load_micro = r.load_micro + excluded.load_micro
		RETURNING greatest(abs(r.load_micro)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_heartbeats_daily', my_lane); END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_shard_heartbeats_update()
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
	INSERT INTO cube.rollup_shard_heartbeats_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.heartbeat_id, f.time_key, f.component_key, f.actor_key, f.shard_id, f.status, f.load, f.created_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.heartbeat_id, f.time_key, f.component_key, f.actor_key, f.shard_id, f.status, f.load, f.created_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_heartbeats_daily AS r (day, shard_id, lane, heartbeats, load_n, load_micro) SELECT day, shard_id, my_lane, coalesce(sum(heartbeats), 0), coalesce(sum(load_n), 0), coalesce(sum(load_micro), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.shard_id AS shard_id, (1) AS heartbeats, ((f.load IS NOT NULL)::int) AS load_n, (round(f.load * 1e6)::bigint) AS load_micro FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, f.shard_id AS shard_id, -(1) AS heartbeats, -((f.load IS NOT NULL)::int) AS load_n, -(round(f.load * 1e6)::bigint) AS load_micro FROM old_rows f  WHERE true) d GROUP BY day, shard_id HAVING coalesce(sum(heartbeats), 0) <> 0 OR coalesce(sum(load_n), 0) <> 0 OR coalesce(sum(load_micro), 0) <> 0 ORDER BY day, shard_id
		ON CONFLICT (day, shard_id, lane) DO UPDATE SET heartbeats = r.heartbeats + excluded.heartbeats, load_n = r.load_n + excluded.load_n, load_micro = r.load_micro + excluded.load_micro
		RETURNING greatest(abs(r.load_micro)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_heartbeats_daily', my_lane); END IF;
	RETURN NULL;
END $function$;
