-- The cube's answers as the CSV files that oracle.py writes: psql -v directory=… -f answers.sql
-- Taken from the views where there is one, so that rollups are what is compared.
\set file :directory '/daily_verification_by_tier.csv'
\o :file
COPY (SELECT make_date(year, month, day) AS day, tier_name, total_executions, successful_executions, rollbacks, with_snapshot,
		avg_confidence, avg_duration_seconds
	FROM cube.cube_daily_verification_by_tier) TO STDOUT (FORMAT csv, HEADER);

\set file :directory '/mission_metrics.csv'
\o :file
COPY (SELECT mission_type, tier_name, total_missions, successful_missions, executions, avg_confidence
	FROM cube.cube_mission_metrics) TO STDOUT (FORMAT csv, HEADER);

\set file :directory '/missions.csv'
\o :file
COPY (SELECT mission_id, mission_type, final_status, count(f.contract_id) AS executions
	FROM cube.dim_mission LEFT JOIN cube.fact_verification_executions f USING (mission_key)
	WHERE mission_key <> 0 GROUP BY 1, 2, 3) TO STDOUT (FORMAT csv, HEADER);

\set file :directory '/error_trends.csv'
\o :file
COPY (SELECT make_date(year, month, day) AS day, severity, error_count, auto_resolved_count, human_count, avg_resolution_seconds
	FROM cube.cube_error_trends) TO STDOUT (FORMAT csv, HEADER);

\set file :directory '/errors_by_component.csv'
\o :file
COPY (SELECT component_name, errors, auto_resolved FROM cube.cube_errors_by_component) TO STDOUT (FORMAT csv, HEADER);

\set file :directory '/daily_approvals.csv'
\o :file
COPY (SELECT day, total, approved, rejected, pending, avg_decision_seconds FROM cube.cube_daily_approvals)
	TO STDOUT (FORMAT csv, HEADER);

\set file :directory '/approvals_by_approver.csv'
\o :file
COPY (SELECT actor_id, decided, approved FROM cube.cube_approvals_by_approver) TO STDOUT (FORMAT csv, HEADER);

\set file :directory '/executions_by_actor.csv'
\o :file
COPY (SELECT actor_id, count(*) AS executions, count(*) FILTER (WHERE was_successful) AS successful
	FROM cube.fact_verification_executions JOIN cube.dim_actor USING (actor_key) GROUP BY 1) TO STDOUT (FORMAT csv, HEADER);

\set file :directory '/executions_by_component.csv'
\o :file
COPY (SELECT component_name, count(*) AS executions, count(*) FILTER (WHERE was_successful) AS successful
	FROM cube.fact_verification_executions JOIN cube.dim_component USING (component_key) GROUP BY 1)
	TO STDOUT (FORMAT csv, HEADER);

-- Facts that this cube has; compare.py names those it has not.
\set file :directory '/counts.csv'
\o :file
COPY (SELECT relname AS "table", (xpath('/row/n/text()', query_to_xml(format(
		'SELECT count(*) AS n FROM cube.%I %s', relname, CASE relname WHEN 'dim_mission' THEN 'WHERE mission_key <> 0' END),
		false, true, '')))[1] AS rows
	FROM pg_class WHERE relnamespace = 'cube'::regnamespace AND NOT relispartition AND relkind IN ('r', 'p')
		AND (relname LIKE 'fact\_%' OR relname = 'dim_mission')) TO STDOUT (FORMAT csv, HEADER);
\o
