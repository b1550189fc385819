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

-- By the joins that sinks/sql/README.md documents.
\set file :directory '/links.csv'
\o :file
COPY (
	WITH contract AS (SELECT * FROM cube.fact_verification_executions), error AS (SELECT * FROM cube.fact_error_events),
	run AS (SELECT * FROM cube.fact_playbook_runs),
	links (link, from_id, to_id) AS (
		SELECT 'contract mission', c.contract_id, m.mission_id FROM contract c JOIN cube.dim_mission m USING (mission_key) WHERE mission_key <> 0
		UNION ALL SELECT 'contract playbook run', c.contract_id, r.run_id FROM contract c JOIN run r ON c.playbook_run_id = r.run_number
		UNION ALL SELECT 'contract snapshot', contract_id, s.snapshot_id FROM contract JOIN cube.fact_snapshots s USING (contract_id)
		UNION ALL SELECT 'contract benchmark', contract_id, b.benchmark_id FROM contract JOIN cube.fact_benchmark_runs b USING (contract_id)
		UNION ALL SELECT 'contract compliance check', contract_id, k.check_id FROM contract JOIN cube.fact_compliance_checks k USING (contract_id)
		UNION ALL SELECT 'contract approval', contract_id, a.approval_id FROM contract JOIN cube.fact_approvals a USING (contract_id)
		UNION ALL SELECT 'contract log entry', contract_id, l.entry_id FROM contract JOIN cube.fact_agentic_events l USING (contract_id)
		UNION ALL SELECT 'error log entry', error_id, l.entry_id FROM error JOIN cube.fact_agentic_events l USING (error_id)
		UNION ALL SELECT 'error playbook run', error_id, r.run_id FROM error JOIN run r USING (error_id)
		UNION ALL SELECT 'error playbook', error_id, playbook_triggered FROM error WHERE playbook_triggered IS NOT NULL
		UNION ALL SELECT 'error approval', e.error_id, a.approval_id FROM error e JOIN run r USING (error_id) JOIN cube.fact_approvals a USING (approval_id)
		UNION ALL SELECT 'playbook run step', run_id, s.step_run_id FROM run JOIN cube.fact_playbook_step_runs s USING (run_id)
		UNION ALL SELECT 'session vote', governance_session_id, v.vote_id
			FROM cube.fact_governance_sessions JOIN cube.fact_governance_votes v USING (governance_session_id)
		UNION ALL SELECT 'member vote', governance_member_id, v.vote_id
			FROM cube.fact_governance_members JOIN cube.fact_governance_votes v USING (governance_member_id)
		UNION ALL SELECT 'mission insight', m.mission_id, i.insight_id FROM cube.dim_mission m JOIN cube.fact_agentic_insights i USING (mission_key)
			WHERE mission_key <> 0)
	SELECT link, from_id, string_agg(DISTINCT to_id COLLATE "C", ' ' ORDER BY to_id COLLATE "C") AS to_ids FROM links GROUP BY 1, 2)
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
