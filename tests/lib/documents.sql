-- The design document's queries, word for word where PostgreSQL allows it (booleans are cast, GROUP BY is complete, "? days" is a
-- number). Each stands beside the view that has its name; a line is printed where they differ.
SET search_path = cube;
\pset format unaligned

CREATE FUNCTION pg_temp.near(a double precision, b double precision) RETURNS boolean LANGUAGE sql AS
	$$ SELECT (a IS NULL) = (b IS NULL) AND coalesce(abs(a - b) < 1e-6, true) $$;

-- "Create rollup: Daily verification metrics by tier"
CREATE TEMP VIEW document_daily AS
SELECT
	t.year,
	t.month,
	t.day,
	tier.tier_name,
	COUNT(*) AS total_executions,
	SUM(CAST(was_successful AS INTEGER)) AS successful_executions,
	AVG(confidence_score) AS avg_confidence,
	AVG(duration_seconds) AS avg_duration_seconds,
	SUM(CAST(was_rolled_back AS INTEGER)) AS rollbacks
FROM fact_verification_executions f
JOIN dim_time t ON f.time_key = t.time_key
JOIN dim_tier tier ON f.tier_key = tier.tier_key
GROUP BY t.year, t.month, t.day, tier.tier_name;

SELECT 'daily verification by tier', d, v FROM document_daily d FULL JOIN cube_daily_verification_by_tier v USING (year, month, day, tier_name)
WHERE (d.total_executions, d.successful_executions, d.rollbacks) IS DISTINCT FROM (v.total_executions, v.successful_executions, v.rollbacks)
	OR NOT pg_temp.near(d.avg_confidence, v.avg_confidence) OR NOT pg_temp.near(d.avg_duration_seconds, v.avg_duration_seconds);

-- "Create rollup: Mission success rate"; the unknown member, which the document does not have, is no mission
CREATE TEMP VIEW document_missions AS
SELECT
	m.mission_type,
	tier.tier_name,
	COUNT(DISTINCT m.mission_id) AS total_missions,
	COUNT(DISTINCT CASE WHEN m.final_status = 'success' THEN m.mission_id END) AS successful_missions,
	AVG(f.confidence_score) AS avg_confidence
FROM dim_mission m
JOIN fact_verification_executions f ON m.mission_key = f.mission_key
JOIN dim_tier tier ON f.tier_key = tier.tier_key
WHERE m.mission_key <> 0
GROUP BY m.mission_type, tier.tier_name;

SELECT 'mission success', d, v FROM document_missions d FULL JOIN cube_mission_metrics v USING (mission_type, tier_name)
WHERE (d.total_missions, d.successful_missions) IS DISTINCT FROM (v.total_missions, v.successful_missions) OR NOT pg_temp.near(d.avg_confidence, v.avg_confidence);

-- "Get verification success rate, optionally filtered by tier". The document counts back from the present moment, the views have
-- whole days: "now" is the end of the newest captured day, so that the answer does not depend on the calendar.
SELECT max(timestamp)::date + 1 AS now FROM fact_verification_executions JOIN dim_time USING (time_key) \gset
PREPARE success_rate (int) AS
SELECT
	tier.tier_name,
	COUNT(*) AS total,
	SUM(CAST(was_successful AS INTEGER)) AS successful,
	ROUND(100.0 * SUM(CAST(was_successful AS INTEGER)) / COUNT(*), 2) AS success_rate_pct
FROM fact_verification_executions f
JOIN dim_tier tier ON f.tier_key = tier.tier_key
JOIN dim_time t ON f.time_key = t.time_key
WHERE t.timestamp >= CURRENT_TIMESTAMP - $1 * INTERVAL '1 day'
GROUP BY tier.tier_name;
\o /dev/null
EXECUTE success_rate (7);
EXECUTE success_rate (90);
\o

CREATE TEMP VIEW document_success AS
SELECT
	days, tier.tier_name, tier.tier_code,
	COUNT(*) AS total,
	SUM(CAST(was_successful AS INTEGER)) AS successful,
	ROUND(100.0 * SUM(CAST(was_successful AS INTEGER)) / COUNT(*), 2) AS success_rate_pct
FROM (VALUES (1), (7), (30), (90), (36500)) AS wanted (days), fact_verification_executions f
JOIN dim_tier tier ON f.tier_key = tier.tier_key
JOIN dim_time t ON f.time_key = t.time_key
WHERE t.timestamp >= :'now'::timestamptz - days * INTERVAL '1 day'
GROUP BY days, tier.tier_name, tier.tier_code;

CREATE TEMP VIEW view_success AS
SELECT days, tier_name, sum(total_executions) AS total, sum(successful_executions) AS successful,
	ROUND(100.0 * sum(successful_executions) / sum(total_executions), 2) AS success_rate_pct
FROM (VALUES (1), (7), (30), (90), (36500)) AS wanted (days), cube_daily_verification_by_tier
WHERE make_date(year, month, day) >= :'now'::date - days
GROUP BY days, tier_name;

SELECT 'success rate of the last days', d, v FROM document_success d FULL JOIN view_success v USING (days, tier_name)
WHERE (d.total, d.successful, d.success_rate_pct) IS DISTINCT FROM (v.total, v.successful, v.success_rate_pct);
SELECT 'success rate of tier_2', d, v FROM (SELECT * FROM document_success WHERE tier_code = 'tier_2') d
FULL JOIN (SELECT * FROM view_success WHERE tier_name = 'Tactical') v USING (days)
WHERE (d.total, d.successful, d.success_rate_pct) IS DISTINCT FROM (v.total, v.successful, v.success_rate_pct);
SELECT 'no success rate at all' WHERE NOT EXISTS (SELECT FROM document_success WHERE days = 7) OR NOT EXISTS (SELECT FROM document_success WHERE tier_code = 'tier_2');

-- "Get error event trends over time"
CREATE TEMP VIEW document_errors AS
SELECT
	t.year,
	t.month,
	t.day,
	e.severity,
	COUNT(*) AS error_count,
	SUM(CAST(was_auto_resolved AS INTEGER)) AS auto_resolved_count
FROM fact_error_events e
JOIN dim_time t ON e.time_key = t.time_key
WHERE t.timestamp >= CURRENT_TIMESTAMP - 36500 * INTERVAL '1 day'
GROUP BY t.year, t.month, t.day, e.severity
ORDER BY t.year, t.month, t.day;

SELECT 'error trends', d, v FROM document_errors d FULL JOIN cube_error_trends v USING (year, month, day, severity)
WHERE (d.error_count, d.auto_resolved_count) IS DISTINCT FROM (v.error_count, v.auto_resolved_count);

-- "SELECT * FROM cube_mission_metrics WHERE mission_type = ?", and the watermark
\o /dev/null
SELECT * FROM cube_mission_metrics WHERE mission_type = 'deployment';
\o
SELECT 'no watermark' FROM (SELECT MAX(last_load_timestamp) AS watermark FROM cube_etl_metadata) w WHERE watermark IS NULL;

-- Columns that the document gives its tables, but for the surrogate keys of facts.
SELECT 'no column ' || relation || '.' || name FROM (VALUES
	('dim_time', 'time_key timestamp minute hour day week month quarter year day_of_week is_business_hours is_weekend'),
	('dim_mission', 'mission_key mission_id mission_name mission_type started_at completed_at final_status is_current effective_from effective_to'),
	('dim_component', 'component_key component_name subsystem tier_default description'),
	('dim_tier', 'tier_key tier_code tier_name requires_approval requires_snapshot requires_benchmark risk_level description is_current effective_from effective_to'),
	('dim_actor', 'actor_key actor_id actor_type actor_name is_trusted'),
	('fact_verification_executions', 'time_key mission_key component_key tier_key actor_key contract_id action_type playbook_id duration_seconds confidence_score'
		' drift_score was_successful was_rolled_back created_snapshot passed_benchmark contract_status error_message created_at'),
	('fact_error_events', 'time_key component_key actor_key error_id error_type severity source was_auto_resolved resolution_time_seconds playbook_triggered'
		' required_human_intervention created_at'),
	('fact_approvals', 'time_key tier_key actor_key approval_id approval_type action_description was_approved decision_time_seconds risk_score created_at decided_at'))
	AS d (relation, names), unnest(string_to_array(names, ' ')) name
WHERE NOT EXISTS (SELECT FROM information_schema.columns c WHERE c.table_schema = 'cube' AND c.table_name = relation AND c.column_name = name);
-- Measures are numbers that notebooks understand; sums that have no end are read through views, as a mean, or compared.
SELECT 'a numeric column: ' || table_name || '.' || column_name FROM information_schema.columns
WHERE table_schema = 'cube' AND data_type = 'numeric' AND (table_name, column_name) NOT IN (('rollup_mission_executions', 'confidence_ppb'), ('rollup_log_chain', 'links'));
