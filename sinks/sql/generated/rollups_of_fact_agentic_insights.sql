-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.rollup_fact_agentic_insights_delete()
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
	INSERT INTO cube.rollup_agentic_insights_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.insight_id, f.time_key, f.mission_key, f.component_key, f.actor_key, f.run_id, f.phase, f.signal_type, f.plan_type, f.outcome, f.guardrails_passed, f.approval_required, f.was_verified, f.confidence_score, f.risk_score, f.mission_ref, f.created_at, f.approved_at, f.executed_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_insights_daily AS r (day, phase, lane, insights, guardrails_checked, guardrails_passed, verified, confidence_n, confidence_ppb, risk_n, risk_ppb) SELECT day, phase, my_lane, coalesce(sum(insights), 0), coalesce(sum(guardrails_checked), 0), coalesce(sum(guardrails_passed), 0), coalesce(sum(verified), 0), coalesce(sum(confidence_n), 0), coalesce(sum(confidence_ppb), 0), coalesce(sum(risk_n), 0), coalesce(sum(risk_ppb), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.phase, 'unknown') AS phase, -(1) AS insights, -((f.guardrails_passed IS NOT NULL)::int) AS guardrails_checked, -(coalesce(f.guardrails_passed, false)::int) AS guardrails_passed, -(coalesce(f.was_verified, false)::int) AS verified, -((f.confidence_score IS NOT NULL)::int) AS confidence_n, -(round(f.confidence_score * 1e9)::bigint) AS confidence_ppb, -((f.risk_score IS NOT NULL)::int) AS risk_n, -(round(f.risk_score * 1e9)::bigint) AS risk_ppb FROM old_rows f  WHERE true) d GROUP BY day, phase HAVING coalesce(sum(insights), 0) <> 0 OR coalesce(sum(guardrails_checked), 0) <> 0 OR coalesce(sum(guardrails_passed), 0) <> 0 OR coalesce(sum(verified), 0) <> 0 OR coalesce(sum(confidence_n), 0) <> 0 OR coalesce(sum(confidence_ppb), 0) <> 0 OR coalesce(sum(risk_n), 0) <> 0 OR coalesce(sum(risk_ppb), 0) <> 0 ORDER BY day, phase
		ON CONFLICT (day, phase, lane) DO UPDATE SET insights = r.insights + excluded.insights, guardrails_checked = r.guardrails_checked + excluded.guardrails_checked, guardrails_passed = r.guardrails_passed + excluded.guardrails_passed, verified = r.verified + excluded.verified, confidence_n = r.confidence_n + excluded.confidence_n, confidence_ppb = r.confidence_ppb + excluded.confidence_ppb, risk_n = r.risk_n + excluded.risk_n, risk_ppb = r.risk_ppb + excluded.risk_ppb;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_agentic_insights_insert()
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
	INSERT INTO cube.rollup_agentic_insights_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.insight_id, f.time_key, f.mission_key, f.component_key, f.actor_key, f.run_id, f.phase, f.signal_type, f.plan_type, f.outcome, f.guardrails_passed, f.approval_required, f.was_verified, f.confidence_score, f.risk_score, f.mission_ref, f.created_at, f.approved_at, f.executed_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_insights_daily AS r (day, phase, lane, insights, guardrails_checked, guardrails_passed, verified, confidence_n, confidence_ppb, risk_n, risk_ppb) SELECT day, phase, my_lane, coalesce(sum(insights), 0), coalesce(sum(guardrails_checked), 0), coalesce(sum(guardrails_passed), 0), coalesce(sum(verified), 0), coalesce(sum(confidence_n), 0), coalesce(sum(confidence_ppb), 0), coalesce(sum(risk_n), 0), coalesce(sum(risk_ppb), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.phase, 'unknown') AS phase, (1) AS insights, ((f.guardrails_passed IS NOT NULL)::int) AS guardrails_checked, (coalesce(f.guardrails_passed, false)::int) AS guardrails_passed, (coalesce(f.was_verified, false)::int) AS verified, ((f.confidence_score IS NOT NULL)::int) AS confidence_n, (round(f.confidence_score * 1e9)::bigint) AS confidence_ppb, ((f.risk_score IS NOT NULL)::int) AS risk_n, (round(f.risk_score * 1e9)::bigint) AS risk_ppb FROM new_rows f  WHERE true) d GROUP BY day, phase HAVING coalesce(sum(insights), 0) <> 0 OR coalesce(sum(guardrails_checked), 0) <> 0 OR coalesce(sum(guardrails_passed), 0) <> 0 OR coalesce(sum(verified), 0) <> 0 OR coalesce(sum(confidence_n), 0) <> 0 OR coalesce(sum(confidence_ppb), 0) <> 0 OR coalesce(sum(risk_n), 0) <> 0 OR coalesce(sum(risk_ppb), 0) <> 0 ORDER BY day, phase
		ON CONFLICT (day, phase, lane) DO UPDATE SET insights = r.insights + excluded.insights, guardrails_checked = r.guardrails_checked + excluded.guardrails_checked, guardrails_passed = r.guardrails_passed + excluded.guardrails_passed, verified = r.verified + excluded.verified, confidence_n = r.confidence_n + excluded.confidence_n, confidence_ppb = r.confidence_ppb + excluded.confidence_ppb, risk_n = r.risk_n + excluded.risk_n, risk_ppb = r.risk_ppb + excluded.risk_ppb;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_agentic_insights_update()
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
	INSERT INTO cube.rollup_agentic_insights_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.insight_id, f.time_key, f.mission_key, f.component_key, f.actor_key, f.run_id, f.phase, f.signal_type, f.plan_type, f.outcome, f.guardrails_passed, f.approval_required, f.was_verified, f.confidence_score, f.risk_score, f.mission_ref, f.created_at, f.approved_at, f.executed_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.insight_id, f.time_key, f.mission_key, f.component_key, f.actor_key, f.run_id, f.phase, f.signal_type, f.plan_type, f.outcome, f.guardrails_passed, f.approval_required, f.was_verified, f.confidence_score, f.risk_score, f.mission_ref, f.created_at, f.approved_at, f.executed_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_insights_daily AS r (day, phase, lane, insights, guardrails_checked, guardrails_passed, verified, confidence_n, confidence_ppb, risk_n, risk_ppb) SELECT day, phase, my_lane, coalesce(sum(insights), 0), coalesce(sum(guardrails_checked), 0), coalesce(sum(guardrails_passed), 0), coalesce(sum(verified), 0), coalesce(sum(confidence_n), 0), coalesce(sum(confidence_ppb), 0), coalesce(sum(risk_n), 0), coalesce(sum(risk_ppb), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.phase, 'unknown') AS phase, (1) AS insights, ((f.guardrails_passed IS NOT NULL)::int) AS guardrails_checked, (coalesce(f.guardrails_passed, false)::int) AS guardrails_passed, (coalesce(f.was_verified, false)::int) AS verified, ((f.confidence_score IS NOT NULL)::int) AS confidence_n, (round(f.confidence_score * 1e9)::bigint) AS confidence_ppb, ((f.risk_score IS NOT NULL)::int) AS risk_n, (round(f.risk_score * 1e9)::bigint) AS risk_ppb FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, coalesce(f.phase, 'unknown') AS phase, -(1) AS insights, -((f.guardrails_passed IS NOT NULL)::int) AS guardrails_checked, -(coalesce(f.guardrails_passed, false)::int) AS guardrails_passed, -(coalesce(f.was_verified, false)::int) AS verified, -((f.confidence_score IS NOT NULL)::int) AS confidence_n, -(round(f.confidence_score * 1e9)::bigint) AS confidence_ppb, -((f.risk_score IS NOT NULL)::int) AS risk_n, -(round(f.risk_score * 1e9)::bigint) AS risk_ppb FROM old_rows f  WHERE true) d GROUP BY day, phase HAVING coalesce(sum(insights), 0) <> 0 OR coalesce(sum(guardrails_checked), 0) <> 0 OR coalesce(sum(guardrails_passed), 0) <> 0 OR coalesce(sum(verified), 0) <> 0 OR coalesce(sum(confidence_n), 0) <> 0 OR coalesce(sum(confidence_ppb), 0) <> 0 OR coalesce(sum(risk_n), 0) <> 0 OR coalesce(sum(risk_ppb), 0) <> 0 ORDER BY day, phase
		ON CONFLICT (day, phase, lane) DO UPDATE SET insights = r.insights + excluded.insights, guardrails_checked = r.guardrails_checked + excluded.guardrails_checked, guardrails_passed = r.guardrails_passed + excluded.guardrails_passed, verified = r.verified + excluded.verified, confidence_n = r.confidence_n + excluded.confidence_n, confidence_ppb = r.confidence_ppb + excluded.confidence_ppb, risk_n = r.risk_n + excluded.risk_n, risk_ppb = r.risk_ppb + excluded.risk_ppb;
	RETURN NULL;
END $function$;
