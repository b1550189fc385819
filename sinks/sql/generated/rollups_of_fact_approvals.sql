-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.rollup_fact_approvals_delete()
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
	INSERT INTO cube.rollup_approvals_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.approval_id, f.time_key, f.tier_key, f.actor_key, f.approval_type, f.action_description, f.was_approved, f.decision_time_seconds, f.risk_score, f.created_at, f.decided_at, f.status, f.contract_id, f.error_id, f.requested_by, f.decision_reason, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_approvals_daily AS r (day, tier_key, actor_key, lane, approvals, approved, rejected, decision_n, decision_us) SELECT day, tier_key, actor_key, my_lane, coalesce(sum(approvals), 0), coalesce(sum(approved), 0), coalesce(sum(rejected), 0), coalesce(sum(decision_n), 0), coalesce(sum(decision_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.tier_key AS tier_key, f.actor_key AS actor_key, -(1) AS approvals, -(coalesce(f.was_approved, false)::int) AS approved, -(coalesce(NOT f.was_approved, false)::int) AS rejected, -((f.decision_time_seconds IS NOT NULL)::int) AS decision_n, -(round(f.decision_time_seconds * 1e6)::bigint) AS decision_us FROM old_rows f  WHERE true) d GROUP BY day, tier_key, actor_key HAVING coalesce(sum(approvals), 0) <> 0 OR coalesce(sum(approved), 0) <> 0 OR coalesce(sum(rejected), 0) <> 0 OR coalesce(sum(decision_n), 0) <> 0 OR coalesce(sum(decision_us), 0) <> 0 ORDER BY day, tier_key, actor_key
		ON CONFLICT (day, tier_key, actor_key, lane) DO UPDATE SET approvals = r.approvals + excluded.approvals, approved = r.approved + excluded.approved, rejected = r.rejected + excluded.rejected, decision_n = r.decision_n + excluded.decision_n, decision_us = r.decision_us + excluded.decision_us
		RETURNING greatest(abs(r.decision_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_approvals_daily', my_lane); END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_approvals_insert()
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
	INSERT INTO cube.rollup_approvals_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.approval_id, f.time_key, f.tier_key, f.actor_key, f.approval_type, f.action_description, f.was_approved, f.decision_time_seconds, f.risk_score, f.created_at, f.decided_at, f.status, f.contract_id, f.error_id, f.requested_by, f.decision_reason, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_approvals_daily AS r (day, tier_key, actor_key, lane, approvals, approved, rejected, decision_n, decision_us) SELECT day, tier_key, actor_key, my_lane, coalesce(sum(approvals), 0), coalesce(sum(approved), 0), coalesce(sum(rejected), 0), coalesce(sum(decision_n), 0), coalesce(sum(decision_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.tier_key AS tier_key, f.actor_key AS actor_key, (1) AS approvals, (coalesce(f.was_approved, false)::int) AS approved, (coalesce(NOT f.was_approved, false)::int) AS rejected, ((f.decision_time_seconds IS NOT NULL)::int) AS decision_n, (round(f.decision_time_seconds * 1e6)::bigint) AS decision_us FROM new_rows f  WHERE true) d GROUP BY day, tier_key, actor_key HAVING coalesce(sum(approvals), 0) <> 0 OR coalesce(sum(approved), 0) <> 0 OR coalesce(sum(rejected), 0) <> 0 OR coalesce(sum(decision_n), 0) <> 0 OR coalesce(sum(decision_us), 0) <> 0 ORDER BY day, tier_key, actor_key
		ON CONFLICT (day, tier_key, actor_key, lane) DO UPDATE SET approvals = r.approvals + excluded.approvals, approved = r.approved + excluded.approved, rejected = r.rejected + excluded.rejected, decision_n = r.decision_n + excluded.decision_n, decision_us = r.decision_us + excluded.decision_us
		RETURNING greatest(abs(r.decision_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_approvals_daily', my_lane); END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_approvals_update()
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
	INSERT INTO cube.rollup_approvals_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.approval_id, f.time_key, f.tier_key, f.actor_key, f.approval_type, f.action_description, f.was_approved, f.decision_time_seconds, f.risk_score, f.created_at, f.decided_at, f.status, f.contract_id, f.error_id, f.requested_by, f.decision_reason, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.approval_id, f.time_key, f.tier_key, f.actor_key, f.approval_type, f.action_description, f.was_approved, f.decision_time_seconds, f.risk_score, f.created_at, f.decided_at, f.status, f.contract_id, f.error_id, f.requested_by, f.decision_reason, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	WITH kept AS (INSERT INTO cube.rollup_approvals_daily AS r (day, tier_key, actor_key, lane, approvals, approved, rejected, decision_n, decision_us) SELECT day, tier_key, actor_key, my_lane, coalesce(sum(approvals), 0), coalesce(sum(approved), 0), coalesce(sum(rejected), 0), coalesce(sum(decision_n), 0), coalesce(sum(decision_us), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.tier_key AS tier_key, f.actor_key AS actor_key, (1) AS approvals, (coalesce(f.was_approved, false)::int) AS approved, (coalesce(NOT f.was_approved, false)::int) AS rejected, ((f.decision_time_seconds IS NOT NULL)::int) AS decision_n, (round(f.decision_time_seconds * 1e6)::bigint) AS decision_us FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, f.tier_key AS tier_key, f.actor_key AS actor_key, -(1) AS approvals, -(coalesce(f.was_approved, false)::int) AS approved, -(coalesce(NOT f.was_approved, false)::int) AS rejected, -((f.decision_time_seconds IS NOT NULL)::int) AS decision_n, -(round(f.decision_time_seconds * 1e6)::bigint) AS decision_us FROM old_rows f  WHERE true) d GROUP BY day, tier_key, actor_key HAVING coalesce(sum(approvals), 0) <> 0 OR coalesce(sum(approved), 0) <> 0 OR coalesce(sum(rejected), 0) <> 0 OR coalesce(sum(decision_n), 0) <> 0 OR coalesce(sum(decision_us), 0) <> 0 ORDER BY day, tier_key, actor_key
		ON CONFLICT (day, tier_key, actor_key, lane) DO UPDATE SET approvals = r.approvals + excluded.approvals, approved = r.approved + excluded.approved, rejected = r.rejected + excluded.rejected, decision_n = r.decision_n + excluded.decision_n, decision_us = r.decision_us + excluded.decision_us
		RETURNING greatest(abs(r.decision_us)) >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;
	IF is_full THEN PERFORM cube.set_aside('rollup_approvals_daily', my_lane); END IF;
	RETURN NULL;
END $function$;
