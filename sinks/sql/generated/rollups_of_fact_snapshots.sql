-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.link_fact_snapshots_verification_executions()
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

CREATE OR REPLACE FUNCTION cube.rollup_fact_snapshots_delete()
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
	INSERT INTO cube.rollup_snapshots_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.snapshot_id, f.time_key, f.actor_key, f.contract_id, f.snapshot_type, f.status, f.system_health_score, f.is_golden, f.is_validated, f.validation_seconds, f.triggered_by, f.notes, f.created_at, f.validated_at, f.restored_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_snapshots_daily AS r (day, lane, snapshots, validated, restored) SELECT day, my_lane, coalesce(sum(snapshots), 0), coalesce(sum(validated), 0), coalesce(sum(restored), 0) FROM (SELECT cube.day_of(f.time_key) AS day, -(1) AS snapshots, -(coalesce(f.is_validated, false)::int) AS validated, -((f.restored_at IS NOT NULL)::int) AS restored FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(snapshots), 0) <> 0 OR coalesce(sum(validated), 0) <> 0 OR coalesce(sum(restored), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET snapshots = r.snapshots + excluded.snapshots, validated = r.validated + excluded.validated, restored = r.restored + excluded.restored;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_snapshots_insert()
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
	INSERT INTO cube.rollup_snapshots_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.snapshot_id, f.time_key, f.actor_key, f.contract_id, f.snapshot_type, f.status, f.system_health_score, f.is_golden, f.is_validated, f.validation_seconds, f.triggered_by, f.notes, f.created_at, f.validated_at, f.restored_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_snapshots_daily AS r (day, lane, snapshots, validated, restored) SELECT day, my_lane, coalesce(sum(snapshots), 0), coalesce(sum(validated), 0), coalesce(sum(restored), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS snapshots, (coalesce(f.is_validated, false)::int) AS validated, ((f.restored_at IS NOT NULL)::int) AS restored FROM new_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(snapshots), 0) <> 0 OR coalesce(sum(validated), 0) <> 0 OR coalesce(sum(restored), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET snapshots = r.snapshots + excluded.snapshots, validated = r.validated + excluded.validated, restored = r.restored + excluded.restored;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_snapshots_update()
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
	INSERT INTO cube.rollup_snapshots_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.snapshot_id, f.time_key, f.actor_key, f.contract_id, f.snapshot_type, f.status, f.system_health_score, f.is_golden, f.is_validated, f.validation_seconds, f.triggered_by, f.notes, f.created_at, f.validated_at, f.restored_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.snapshot_id, f.time_key, f.actor_key, f.contract_id, f.snapshot_type, f.status, f.system_health_score, f.is_golden, f.is_validated, f.validation_seconds, f.triggered_by, f.notes, f.created_at, f.validated_at, f.restored_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_snapshots_daily AS r (day, lane, snapshots, validated, restored) SELECT day, my_lane, coalesce(sum(snapshots), 0), coalesce(sum(validated), 0), coalesce(sum(restored), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS snapshots, (coalesce(f.is_validated, false)::int) AS validated, ((f.restored_at IS NOT NULL)::int) AS restored FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, -(1) AS snapshots, -(coalesce(f.is_validated, false)::int) AS validated, -((f.restored_at IS NOT NULL)::int) AS restored FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(snapshots), 0) <> 0 OR coalesce(sum(validated), 0) <> 0 OR coalesce(sum(restored), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET snapshots = r.snapshots + excluded.snapshots, validated = r.validated + excluded.validated, restored = r.restored + excluded.restored;
	RETURN NULL;
END $function$;
