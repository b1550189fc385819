#!/usr/bin/env bash
# The design document's own queries, in PostgreSQL's syntax, run against facts and dimensions and agree with the views; everything
# in the schema is commented; a role that only writes can run the consumer and nothing behind the triggers' back.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
writer=${CUBE_TEST_PREFIX}_writer reader=${CUBE_TEST_PREFIX}_reader

new_cube
# Roles belong to the whole server: those of this scenario go with it.
owner=$GRACECUBE_POSTGRES_DSN
drop_roles() { GRACECUBE_POSTGRES_DSN=$owner sql -c "DROP ROLE IF EXISTS $writer" -c "DROP ROLE IF EXISTS $reader" >&2 || true; }
trap drop_roles EXIT
sql -c "CREATE ROLE $writer LOGIN IN ROLE gracecube_writer" -c "CREATE ROLE $reader LOGIN IN ROLE gracecube_reader"

# --- A role that only writes ---
new_topics capture
publish capture/*
GRACECUBE_POSTGRES_DSN=${owner/user=$CUBE_TEST_PGUSER/user=$writer}
catch_up
equal 'records read by a role that only writes' "$(summary records)" "$(read_records capture)"
refused() { # refused STATEMENT
	if sql -c "$1" >refused.out 2>&1; then fail "$writer may do this: $1"; fi
	grep -Eq 'permission denied|must be owner' refused.out || fail "not refused for want of rights: $1: $(cat refused.out)"
	count=$((${count:-0} + 1))
}
fact=cube.fact_verification_executions
partition=cube.$(sql -c "SELECT min(relid::regclass::text) FROM pg_partition_tree('$fact') WHERE isleaf" | sed 's/^cube\.//')
for table in "$fact" "$partition" cube.rollup_verification_hourly cube.etl_offset cube.key_verification_executions cube.dim_mission; do
	refused "TRUNCATE $table"
	refused "ALTER TABLE $table DISABLE TRIGGER ALL"
	refused "DELETE FROM $table"
	refused "INSERT INTO $table OVERRIDING SYSTEM VALUE SELECT * FROM $table"
	refused "DROP TABLE $table CASCADE"
done
refused "SET session_replication_role = replica"
refused "CREATE TABLE cube.mine (a int)"
refused "CREATE OR REPLACE FUNCTION cube.lane() RETURNS smallint LANGUAGE sql AS 'SELECT 0::smallint'"
GRACECUBE_POSTGRES_DSN=${owner/user=$CUBE_TEST_PGUSER/user=$reader}
refused "SELECT cube.ensure_partition('approvals', 1)"
refused "SELECT cube.claim('g', 'o', ARRAY['s'], ARRAY['t'], ARRAY[0], ARRAY[0::bigint])"
sql -c 'SELECT count(*) FROM cube.cube_daily_verification_by_tier, cube.cube_duration_percentiles, cube.cube_freshness' >&2
GRACECUBE_POSTGRES_DSN=$owner
answers_are
verify_agrees
shown "a member of gracecube_writer runs the consumer; $count other things were refused to it or to gracecube_reader"

# --- The document's queries ---
differences=$(sql -v ON_ERROR_STOP=1 -f "$CUBE_TEST_ROOT/tests/lib/documents.sql")
[ -z "$differences" ] || fail "the document's queries and the views differ: $differences"
shown "the document's queries: daily verification by tier, mission success, success rate of 1, 7, 30, 90 and 36,500 days with and without tier, error trends, watermark: they run and agree with the views"

# --- Comments ---
missing=$(sql <<-'SQL'
	SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
		AND obj_description(c.oid, 'pg_class') IS NULL
	UNION ALL
	SELECT format('%s.%s', c.oid::regclass, a.attname) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
		AND col_description(c.oid, a.attnum) IS NULL
	UNION ALL
	SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'cube'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
SQL
)
[ -z "$missing" ] || fail "without a comment: ${missing//$'\n'/ }"
shown "$(sql -c "SELECT format('%s tables and views, %s columns, %s functions: each has its comment', count(*) FILTER (WHERE kind = 't'), sum(n) FILTER (WHERE kind = 't'), count(*) FILTER (WHERE kind = 'f')) FROM (SELECT 't' AS kind, relnatts AS n FROM pg_class WHERE relnamespace = 'cube'::regnamespace AND relkind IN ('r', 'p', 'v') UNION ALL SELECT 'f', 0 FROM pg_proc WHERE pronamespace = 'cube'::regnamespace) o")"

# --- The examples of the pages ---
examples() { sed -n '/^```sql$/,/^```$/{/^```/d;p}' "$CUBE_TEST_ROOT/README.md" "$CUBE_TEST_ROOT/sinks/sql/README.md"; }
examples >examples.sql
grep -v 'cube\.cube_api_audit' examples.sql >analyst.sql
GRACECUBE_POSTGRES_DSN=${owner/user=$CUBE_TEST_PGUSER/user=$reader}
sql -f analyst.sql >examples.out || fail 'an example of a README does not run for an analyst'
GRACECUBE_POSTGRES_DSN=$owner
sql -f examples.sql >examples.out || fail 'an example of a README does not run'
while read -r view; do
	grep -qE "cube\.$view\b" examples.sql || fail "no README has an example of $view"
done < <(sql -c "SELECT relname FROM pg_class WHERE relnamespace = 'cube'::regnamespace AND relkind = 'v' AND relname LIKE 'cube\_%'")
shown "$(grep -c ';' examples.sql) examples of the READMEs run, one at least for each view"
