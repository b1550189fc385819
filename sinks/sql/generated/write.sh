#!/usr/bin/env bash
# usage: write.sh DSN [DIRECTORY]   writes the functions that the engine generates, as they are in a cube, one file a stream's target or fact.
# They are there to be read and to show in a review what a change of the engine does; nothing runs them.
set -euo pipefail
dsn=$1 directory=${2:-${0%/*}}

# sql ARGUMENT… → bare values
sql() { psql -X -q -At -v ON_ERROR_STOP=1 -d "$dsn" "$@"; }

# write FILE PATTERN → the functions whose names match
write() {
	{
		printf -- '-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.\n'
		sql -c "SELECT E'\n' || rtrim(pg_get_functiondef(p.oid), E'\n') || ';' FROM pg_proc p WHERE p.pronamespace = 'cube'::regnamespace
			AND p.prokind = 'f' AND p.proname ~ '^($2)\$' ORDER BY p.proname COLLATE \"C\""
	} >"$directory/$1"
}

rm -f "$directory"/*.sql
while IFS='|' read -r target fact; do
	write "merge_$target.sql" "(merge|lock|relink|forget|follow)_$target|parent_.*_of_$target"
	write "rollups_of_$fact.sql" "rollup_${fact}_(insert|update|delete)|link_${fact}_.*"
done < <(sql -c 'SELECT target, fact FROM cube.fact ORDER BY 1')
write rollups_of_etl_quality_issue.sql 'rollup_etl_quality_issue_(insert|update|delete)'
write resolve.sql 'resolve_(actor|component|mission|tier)'
for target in $(sql -c "SELECT substr(proname, 12) FROM pg_proc WHERE pronamespace = 'cube'::regnamespace AND proname ~ '^history_of_' ORDER BY 1"); do
	write "merge_$target.sql" "(merge|rebuild|history_of|base_of)_$target"
done
