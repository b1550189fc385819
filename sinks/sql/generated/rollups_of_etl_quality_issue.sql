-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.rollup_etl_quality_issue_delete()
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
	INSERT INTO cube.rollup_quality_issues AS r (stream, field, rule, lane, issues) SELECT stream, field, rule, my_lane, coalesce(sum(issues), 0) FROM (SELECT f.stream AS stream, f.field AS field, f.rule AS rule, -(1) AS issues FROM old_rows f  WHERE true) d GROUP BY stream, field, rule HAVING coalesce(sum(issues), 0) <> 0 ORDER BY stream, field, rule
		ON CONFLICT (stream, field, rule, lane) DO UPDATE SET issues = r.issues + excluded.issues;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_etl_quality_issue_insert()
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
	INSERT INTO cube.rollup_quality_issues AS r (stream, field, rule, lane, issues) SELECT stream, field, rule, my_lane, coalesce(sum(issues), 0) FROM (SELECT f.stream AS stream, f.field AS field, f.rule AS rule, (1) AS issues FROM new_rows f  WHERE true) d GROUP BY stream, field, rule HAVING coalesce(sum(issues), 0) <> 0 ORDER BY stream, field, rule
		ON CONFLICT (stream, field, rule, lane) DO UPDATE SET issues = r.issues + excluded.issues;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_etl_quality_issue_update()
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
	INSERT INTO cube.rollup_quality_issues AS r (stream, field, rule, lane, issues) SELECT stream, field, rule, my_lane, coalesce(sum(issues), 0) FROM (SELECT f.stream AS stream, f.field AS field, f.rule AS rule, (1) AS issues FROM new_rows f  WHERE true UNION ALL SELECT f.stream AS stream, f.field AS field, f.rule AS rule, -(1) AS issues FROM old_rows f  WHERE true) d GROUP BY stream, field, rule HAVING coalesce(sum(issues), 0) <> 0 ORDER BY stream, field, rule
		ON CONFLICT (stream, field, rule, lane) DO UPDATE SET issues = r.issues + excluded.issues;
	RETURN NULL;
END $function$;
