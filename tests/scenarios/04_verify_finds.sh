#!/usr/bin/env bash
# verify says no, with exit code 1, and names the place, whatever is changed behind the cube's back; and yes again once it is
# put back. "Behind the back" is session_replication_role = replica: no trigger fires.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

new_cube
new_topics capture
publish capture/*
echo '{"topic": "'"$CUBE_TEST_PREFIX"'.security_events", "key": "x", "value": "not json"}' >dead.jsonl
publish dead.jsonl
catch_up
verify_agrees
quietly() { { echo 'SET session_replication_role = replica;'; cat; } | sql >&2; }

# Every rollup: one of its cells is one too high.
rollups=0
while IFS='|' read -r rollup column; do
	quietly <<<"UPDATE cube.$rollup SET $column = $column + 1 WHERE ctid = (SELECT min(ctid) FROM cube.$rollup)"
	rollups=$((rollups + 1))
done < <(sql -c "SELECT rollup, sums -> 0 ->> 0 FROM cube.rollup ORDER BY 1" >list && cat list)
while IFS='|' read -r rollup column; do
	[ "$(sql -c "SELECT count(*) FROM cube.$rollup")" -gt 0 ] || continue
	verify_finds "a cell of $rollup" 'rollup equals facts' "$rollup"
	case $FOUND in cell\ *) ;; *) fail "verify does not name the cell of $rollup: $FOUND" ;; esac
	echo "$rollup: $FOUND" >&2
	quietly <<<"UPDATE cube.$rollup SET $column = $column - 1 WHERE ctid = (SELECT max(ctid) FROM cube.$rollup WHERE xmin::text::bigint = (SELECT max(xmin::text::bigint) FROM cube.$rollup))"
done <list
verify_agrees
shown "$rollups rollups, one cell of each changed: found by cell, gone once it is put back"
