-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.rollup_fact_compliance_checks_delete()
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
	INSERT INTO cube.rollup_compliance_checks_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.check_id, f.time_key, f.mission_key, f.component_key, f.tier_key, f.actor_key, f.contract_id, f.action_type, f.resource, f.is_compliant, f.compliance_score, f.principles_checked, f.principles_failed, f.failed_principles, f.created_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_compliance_daily AS r (day, actor_key, tier_key, lane, checks, compliant, principles_failed, score_n, score_ppb) SELECT day, actor_key, tier_key, my_lane, coalesce(sum(checks), 0), coalesce(sum(compliant), 0), coalesce(sum(principles_failed), 0), coalesce(sum(score_n), 0), coalesce(sum(score_ppb), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.actor_key AS actor_key, f.tier_key AS tier_key, -(1) AS checks, -(coalesce(f.is_compliant, false)::int) AS compliant, -(f.principles_failed) AS principles_failed, -((f.compliance_score IS NOT NULL)::int) AS score_n, -(round(f.compliance_score * 1e9)::bigint) AS score_ppb FROM old_rows f  WHERE true) d GROUP BY day, actor_key, tier_key HAVING coalesce(sum(checks), 0) <> 0 OR coalesce(sum(compliant), 0) <> 0 OR coalesce(sum(principles_failed), 0) <> 0 OR coalesce(sum(score_n), 0) <> 0 OR coalesce(sum(score_ppb), 0) <> 0 ORDER BY day, actor_key, tier_key
		ON CONFLICT (day, actor_key, tier_key, lane) DO UPDATE SET checks = r.checks + excluded.checks, compliant = r.compliant + excluded.compliant, principles_failed = r.principles_failed + excluded.principles_failed, score_n = r.score_n + excluded.score_n, score_ppb = r.score_ppb + excluded.score_ppb;
	INSERT INTO cube.rollup_failed_principles AS r (day, actor_key, tier_key, principle, lane, failures) SELECT day, actor_key, tier_key, principle, my_lane, coalesce(sum(failures), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.actor_key AS actor_key, f.tier_key AS tier_key, p.principle AS principle, -(1) AS failures FROM old_rows f CROSS JOIN LATERAL unnest(CASE WHEN f.principles_failed > 0 THEN cube.principles_of(f.failed_principles) END) AS p (principle) WHERE f.principles_failed > 0) d GROUP BY day, actor_key, tier_key, principle HAVING coalesce(sum(failures), 0) <> 0 ORDER BY day, actor_key, tier_key, principle
		ON CONFLICT (day, actor_key, tier_key, principle, lane) DO UPDATE SET failures = r.failures + excluded.failures;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_compliance_checks_insert()
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
	INSERT INTO cube.rollup_compliance_checks_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.check_id, f.time_key, f.mission_key, f.component_key, f.tier_key, f.actor_key, f.contract_id, f.action_type, f.resource, f.is_compliant, f.compliance_score, f.principles_checked, f.principles_failed, f.failed_principles, f.created_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_compliance_daily AS r (day, actor_key, tier_key, lane, checks, compliant, principles_failed, score_n, score_ppb) SELECT day, actor_key, tier_key, my_lane, coalesce(sum(checks), 0), coalesce(sum(compliant), 0), coalesce(sum(principles_failed), 0), coalesce(sum(score_n), 0), coalesce(sum(score_ppb), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.actor_key AS actor_key, f.tier_key AS tier_key, (1) AS checks, (coalesce(f.is_compliant, false)::int) AS compliant, (f.principles_failed) AS principles_failed, ((f.compliance_score IS NOT NULL)::int) AS score_n, (round(f.compliance_score * 1e9)::bigint) AS score_ppb FROM new_rows f  WHERE true) d GROUP BY day, actor_key, tier_key HAVING coalesce(sum(checks), 0) <> 0 OR coalesce(sum(compliant), 0) <> 0 OR coalesce(sum(principles_failed), 0) <> 0 OR coalesce(sum(score_n), 0) <> 0 OR coalesce(sum(score_ppb), 0) <> 0 ORDER BY day, actor_key, tier_key
		ON CONFLICT (day, actor_key, tier_key, lane) DO UPDATE SET checks = r.checks + excluded.checks, compliant = r.compliant + excluded.compliant, principles_failed = r.principles_failed + excluded.principles_failed, score_n = r.score_n + excluded.score_n, score_ppb = r.score_ppb + excluded.score_ppb;
	INSERT INTO cube.rollup_failed_principles AS r (day, actor_key, tier_key, principle, lane, failures) SELECT day, actor_key, tier_key, principle, my_lane, coalesce(sum(failures), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.actor_key AS actor_key, f.tier_key AS tier_key, p.principle AS principle, (1) AS failures FROM new_rows f CROSS JOIN LATERAL unnest(CASE WHEN f.principles_failed > 0 THEN cube.principles_of(f.failed_principles) END) AS p (principle) WHERE f.principles_failed > 0) d GROUP BY day, actor_key, tier_key, principle HAVING coalesce(sum(failures), 0) <> 0 ORDER BY day, actor_key, tier_key, principle
		ON CONFLICT (day, actor_key, tier_key, principle, lane) DO UPDATE SET failures = r.failures + excluded.failures;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_compliance_checks_update()
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
	INSERT INTO cube.rollup_compliance_checks_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.check_id, f.time_key, f.mission_key, f.component_key, f.tier_key, f.actor_key, f.contract_id, f.action_type, f.resource, f.is_compliant, f.compliance_score, f.principles_checked, f.principles_failed, f.failed_principles, f.created_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.check_id, f.time_key, f.mission_key, f.component_key, f.tier_key, f.actor_key, f.contract_id, f.action_type, f.resource, f.is_compliant, f.compliance_score, f.principles_checked, f.principles_failed, f.failed_principles, f.created_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_compliance_daily AS r (day, actor_key, tier_key, lane, checks, compliant, principles_failed, score_n, score_ppb) SELECT day, actor_key, tier_key, my_lane, coalesce(sum(checks), 0), coalesce(sum(compliant), 0), coalesce(sum(principles_failed), 0), coalesce(sum(score_n), 0), coalesce(sum(score_ppb), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.actor_key AS actor_key, f.tier_key AS tier_key, (1) AS checks, (coalesce(f.is_compliant, false)::int) AS compliant, (f.principles_failed) AS principles_failed, ((f.compliance_score IS NOT NULL)::int) AS score_n, (round(f.compliance_score * 1e9)::bigint) AS score_ppb FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, f.actor_key AS actor_key, f.tier_key AS tier_key, -(1) AS checks, -(coalesce(f.is_compliant, false)::int) AS compliant, -(f.principles_failed) AS principles_failed, -((f.compliance_score IS NOT NULL)::int) AS score_n, -(round(f.compliance_score * 1e9)::bigint) AS score_ppb FROM old_rows f  WHERE true) d GROUP BY day, actor_key, tier_key HAVING coalesce(sum(checks), 0) <> 0 OR coalesce(sum(compliant), 0) <> 0 OR coalesce(sum(principles_failed), 0) <> 0 OR coalesce(sum(score_n), 0) <> 0 OR coalesce(sum(score_ppb), 0) <> 0 ORDER BY day, actor_key, tier_key
		ON CONFLICT (day, actor_key, tier_key, lane) DO UPDATE SET checks = r.checks + excluded.checks, compliant = r.compliant + excluded.compliant, principles_failed = r.principles_failed + excluded.principles_failed, score_n = r.score_n + excluded.score_n, score_ppb = r.score_ppb + excluded.score_ppb;
	INSERT INTO cube.rollup_failed_principles AS r (day, actor_key, tier_key, principle, lane, failures) SELECT day, actor_key, tier_key, principle, my_lane, coalesce(sum(failures), 0) FROM (SELECT cube.day_of(f.time_key) AS day, f.actor_key AS actor_key, f.tier_key AS tier_key, p.principle AS principle, (1) AS failures FROM new_rows f CROSS JOIN LATERAL unnest(CASE WHEN f.principles_failed > 0 THEN cube.principles_of(f.failed_principles) END) AS p (principle) WHERE f.principles_failed > 0 UNION ALL SELECT cube.day_of(f.time_key) AS day, f.actor_key AS actor_key, f.tier_key AS tier_key, p.principle AS principle, -(1) AS failures FROM old_rows f CROSS JOIN LATERAL unnest(CASE WHEN f.principles_failed > 0 THEN cube.principles_of(f.failed_principles) END) AS p (principle) WHERE f.principles_failed > 0) d GROUP BY day, actor_key, tier_key, principle HAVING coalesce(sum(failures), 0) <> 0 ORDER BY day, actor_key, tier_key, principle
		ON CONFLICT (day, actor_key, tier_key, principle, lane) DO UPDATE SET failures = r.failures + excluded.failures;
	RETURN NULL;
END $function$;
