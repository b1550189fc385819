#!/usr/bin/env bash
# What the writer's and the reader's role cannot reach: the rights of the cube's owner by a temporary table of the right name, and the raw
# records. Nobody may make temporary tables, and missions and tiers come all the same. check is content with a proper writer.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
owner=${CUBE_TEST_PREFIX}_owner writer=${CUBE_TEST_PREFIX}_writer reader=${CUBE_TEST_PREFIX}_reader

new_database
super=$GRACECUBE_POSTGRES_DSN
drop_roles() {
	GRACECUBE_POSTGRES_DSN=$super sql -c "DROP OWNED BY $owner CASCADE" -c "DROP ROLE IF EXISTS $owner" -c "DROP ROLE IF EXISTS $writer" -c "DROP ROLE IF EXISTS $reader" >&2 || true
}
trap drop_roles EXIT
as() { GRACECUBE_POSTGRES_DSN=${super/user=$CUBE_TEST_PGUSER/user=$1}; }
# the roles of gracecube belong to the whole server; an owner that may not make roles finds them there
sql -c "CREATE ROLE $owner LOGIN" -c "GRANT CREATE ON DATABASE $CUBE_TEST_DATABASE TO $owner"
new_cube roles
GRACECUBE_POSTGRES_DSN=$super
sql -c "CREATE ROLE $writer LOGIN IN ROLE gracecube_writer" -c "CREATE ROLE $reader LOGIN IN ROLE gracecube_reader"
as "$owner"
"$CUBE_TEST_BIN" migrate >&2

# --- A temporary table with a trigger, made by the writer before the owner's function needs one of its name ---
as "$writer"
attack=0
for target in missions tiers; do
	dim=${target%s}
	sql >>attack.out 2>&1 <<-SQL
		CREATE TEMP TABLE wanted_$target (LIKE cube.dim_${dim}_history);
		CREATE FUNCTION pg_temp.evil() RETURNS trigger LANGUAGE plpgsql AS \$\$
		BEGIN
			EXECUTE 'GRANT ALL ON cube.fact_verification_executions TO $writer';
			RETURN NEW;
		END \$\$;
		CREATE TRIGGER evil BEFORE INSERT ON wanted_$target FOR EACH ROW EXECUTE FUNCTION pg_temp.evil();
		GRANT ALL ON wanted_$target TO PUBLIC;
		SELECT cube.resolve_$dim(ARRAY['m-1']);
		SELECT 'merged', cube.merge_missions(source_id => ARRAY['m-$target'], mission_key => ARRAY[(SELECT max(mission_key) FROM cube.dim_mission)], mission_name => ARRAY['n'],
			mission_type => ARRAY['t'], started_at => ARRAY[now()], completed_at => ARRAY[NULL::timestamptz], final_status => ARRAY[NULL::text],
			deleted => ARRAY[false], lsn => ARRAY[5::bigint], source_us => ARRAY[1::bigint], kafka_us => ARRAY[1::bigint], record_offset => ARRAY[0::bigint],
			offset_id => ARRAY[NULL::bigint]);
	SQL
	attack=$((attack + 1))
done
equal 'merges beside a temporary table of the name that was used before' "$(grep -c '^merged|0' attack.out)" "$attack"
as "$owner"
equal 'rights that the writer has won' "$(sql -c "SELECT has_table_privilege('$writer', 'cube.fact_verification_executions', 'DELETE')")" f
equal 'functions with the rights of the owner that make temporary tables' \
	"$(sql -c "SELECT string_agg(proname, ' ') FROM pg_proc WHERE pronamespace = 'cube'::regnamespace AND prosecdef AND prosrc ~* 'CREATE\s+(GLOBAL\s+|LOCAL\s+)?TEMP'")" ''
shown "temporary tables of the writer's are used by no function that runs with the owner's rights"

# --- A database in which nobody may make temporary tables ---
as "$CUBE_TEST_PGUSER"
sql -c "REVOKE TEMPORARY ON DATABASE $CUBE_TEST_DATABASE FROM PUBLIC"
new_topics capture
publish capture/*
as "$writer"
catch_up
equal 'records read where nobody may make temporary tables' "$(summary records)" "$(read_records capture)"
status=0
"$CUBE_TEST_BIN" check --json >check.json 2>>check.log || status=$?
equal 'check of a proper writer' "$(jq -r '.checks[] | select(.check == "rights") | .outcome' check.json)" ok
as "$owner"
sql -c "DELETE FROM cube.version_missions WHERE source_id LIKE 'm-%'" >&2
shown "a writer without temporary tables read $(position) records, missions and tiers among them; check: $(jq -r '.checks[] | select(.check == "rights") | .text' check.json)"

# --- What analysts do not read ---
as "$reader"
for table in etl_dead_letter setting key_verification_executions version_missions mesh_aspect api_token api_audit; do
	if sql -c "SELECT count(*) FROM cube.$table" >refused.out 2>&1; then fail "gracecube_reader reads cube.$table"; fi
	contains "reading $table" refused.out 'permission denied'
done
as "$writer"
if sql -c "SELECT cube.create_api_token('x', 'x', 'x', 'operator', NULL, NULL)" >refused.out 2>&1; then fail 'gracecube_writer makes tokens of the API'; fi
for step in "raise_horizon('fact_approvals', '2026-11-01')" "prepare_month('fact_approvals', '2026-11-01')" "detach_month('fact_approvals', '2026-11-01')" "drop_month('fact_approvals', '2026-11-01')" \
	"rebuild_missions('{1}')" "relink_approvals('{a}')" "merge_mesh_errors('{a}')" "ensure_partition('approvals', 1)" "drop_dead_letters(1, 1, true)"; do
	if sql -c "SELECT cube.$step" >refused.out 2>&1; then fail "gracecube_writer calls cube.$step"; fi
	contains "cube.$step" refused.out 'permission denied'
done
as "$reader"
sql -c 'SELECT count(*) FROM cube.cube_quality_issues, cube.cube_executions' -c "SELECT * FROM cube.cube_execution_timeline('x')" >&2
shown 'an analyst reads views, facts, dimensions and rollups, not raw records, keys, versions, settings nor tokens'
