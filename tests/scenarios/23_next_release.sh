#!/usr/bin/env bash
# A next release, of which only the SQL is another (tests/upgrade/next), wants a column, indexes, two rollups of facts that are there, and to take
# something away. `migrate` to it is killed at each of its long steps while records come and somebody reads; the step that takes away waits
# for the processes of before, and says who they are.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
next=${CUBE_TEST_BIN%/*}/tests/gracecube_next
[ -x "$next" ] || fail "there is no $next: cmake -DGRACECUBE_TESTS=ON"

one() { sql -c "SELECT $1"; }
holds() { [ "$(one "$1")" = t ]; }
becomes() { wait_until 60 holds "$1" || fail "it does not become true that $1"; }
# begun → migrate, which is killed, and its backend, as soon as what `killed WHEN` says is true
begun() { start killed "$next" migrate; }
killed() {
	local PID=$PID
	wait_until 60 holds "$1" || fail "migrate ended before it was true that $1: $(tail -n 3 killed.out killed.log)"
	kill -KILL "$PID" 2>/dev/null || fail "migrate had ended when it became true that $1: $(tail -n 3 killed.out)"
	wait "$PID" 2>/dev/null || true
	sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gracecube migrate' AND datname = current_database()" >&2
	becomes "NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'gracecube migrate' AND datname = current_database())"
}
# opened NAME SQL → a transaction that has run this and stays open until `closed NAME SQL`
declare -A DESCRIPTOR OPENED
opened() {
	local PID descriptor
	mkfifo "$1.in"
	start "$1" psql -X -q -At -v ON_ERROR_STOP=1 -d "$GRACECUBE_POSTGRES_DSN" -f "$1.in"
	OPENED[$1]=$PID
	exec {descriptor}>"$1.in"
	DESCRIPTOR[$1]=$descriptor
	printf 'BEGIN;\n%s;\n\\echo open\n' "$2" >&"$descriptor"
	wait_until 20 grep -qx open "$1.out" || fail "$1: $(cat "$1.log")"
}
closed() {
	local descriptor=${DESCRIPTOR[$1]}
	printf '%s;\nCOMMIT;\n\\q\n' "$2" >&"$descriptor"
	exec {descriptor}>&-
	ends "${OPENED[$1]}" 20
	equal "exit code of the transaction $1" "$STATUS" 0
}
progress_of() { one "coalesce(max(filled_before)::text, 'nothing') || ' ' || count(filled_at) FROM cube.rollup_fill WHERE rollup LIKE 'rollup_next%'"; }

new_cube
new_topics capture
more_traffic before 41 400 20
publish capture/* before/*
catch_up
verify_agrees
sql -c "ALTER DATABASE $CUBE_TEST_DATABASE SET gracecube.fill_facts = 100" >&2
start old "$CUBE_TEST_BIN" run
old_pid=$PID
(for seed in 42 43 44 45; do
	more_traffic "more$seed" $seed 40
	publish "more$seed"/*
done) &
sender=$!
# what somebody who reads the views sees: nothing, or all that is there
cat >reader.sql <<-'SQL'
	SELECT to_regclass('cube.cube_next') IS NOT NULL AND to_regclass('cube.cube_next_status') IS NOT NULL AS there \gset
	\if :there
	SELECT CASE WHEN (SELECT sum(executions) FROM cube.cube_next) = count(*) AND (SELECT sum(executions) FROM cube.cube_next_status) = count(*)
		THEN 'whole' ELSE 'half' END FROM cube.fact_verification_executions;
	\else
	SELECT 'none';
	\endif
SQL
(while :; do sql -f reader.sql; done) >reader.out 2>reader.log &
reader=$!

# --- Killed on its way ---
# a transaction that changes facts by the triggers of before, and goes on after those of today are there
contracts=$(one "string_agg(quote_literal(contract_id), ', ') FROM (SELECT contract_id FROM cube.fact_verification_executions WHERE action_type IS NOT NULL ORDER BY 1 LIMIT 20) c")
opened before_the_code 'LOCK TABLE cube.rollup IN SHARE MODE'
begun
becomes "EXISTS (SELECT FROM cube.schema_file WHERE file = 'tables/9000_next.sql')"
opened before_the_rollups "UPDATE cube.fact_verification_executions SET action_type = 'by hand' WHERE contract_id IN ($contracts)"
closed before_the_code 'SELECT'
killed "EXISTS (SELECT FROM cube.rollup_fill WHERE rollup = 'rollup_next_daily') AND NOT EXISTS (SELECT FROM cube.unprotected_tables())"
equal 'what is filled while a transaction of before is open' "$(progress_of)" 'nothing 0'
closed before_the_rollups "UPDATE cube.fact_verification_executions SET action_type = 'by hand again' WHERE contract_id IN ($contracts)"
"$next" migrate --dry-run >plan.out
contains 'the plan after a kill' plan.out 'fill      rollup_next_daily, which has 0 of'
contains 'the plan after a kill' plan.out 'code/4_views/next.sql'
if "$next" check >check.out 2>&1; then fail 'check is content with rollups that are not filled'; fi
contains 'check after a kill' check.out "run \`gracecube migrate\`"
equal 'what verify says after a kill' "$(one "string_agg(check_name || ' ' || differing, ', ') FROM cube.verify() WHERE differing > 0")" 'rollups are filled 2'
# a fill waits where somebody writes by hand into a cell of a later day
opened between_two_days "INSERT INTO cube.rollup_next_daily SELECT cube.day_of(time_key), coalesce(action_type, 'unknown'), 0, 0, 0
	FROM cube.fact_verification_executions ORDER BY time_key DESC LIMIT 1"
begun
killed "EXISTS (SELECT FROM cube.rollup_fill WHERE filled_before IS NOT NULL AND filled_at IS NULL)"
closed between_two_days ROLLBACK
filled=$(progress_of)
[ "$filled" != 'nothing 0' ] || fail 'what was filled before a kill is gone'
# CREATE INDEX CONCURRENTLY waits for it, and is killed then
opened before_the_index "UPDATE cube.key_verification_executions SET lsn = lsn WHERE contract_id IN ($contracts)"
begun
killed "EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname = 'key_verification_executions_created_at' AND NOT i.indisvalid)"
holds "EXISTS (SELECT FROM pg_index WHERE NOT indisvalid AND indexrelid = 'cube.key_verification_executions_created_at'::regclass)" || fail 'no index is left half made'
closed before_the_index 'SELECT'
shown "migrate was killed while it waited for a transaction of before, when rollups were filled up to ${filled% *}, and with an index half made"

# --- Done, but for what takes away ---
"$next" migrate >done.out 2>done.log || fail "migrate ended with $?: $(tail -n 3 done.log)"
contains 'migrate with an older process' done.out 'all is there that schema version 9000 needs'
contains 'migrate with an older process' done.out 'gracecube worker'
holds "to_regclass('cube.dim_mission_mission_type_idx') IS NOT NULL" || fail 'what an older process needs is taken away while it is connected'
equal 'indexes that are not valid' "$(one "count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'cube'::regnamespace AND NOT i.indisvalid")" 0
equal 'partitions without the new index' "$(one "count(*) FROM cube.index_partitions('fact_verification_executions_playbook_run')")" 0
"$next" migrate >again.out
contains 'migrate once more' again.out 'gracecube worker'
wait "$sender" || fail 'the traffic could not be sent'
directories='capture before more42 more43 more44 more45'
# shellcheck disable=SC2086 # words
records=$(read_records $directories)
reaches "$records" 60

# --- A rolling change of processes ---
start new "$next" run
new_pid=$PID
kill -TERM "$old_pid"
ends "$old_pid" 60
more_traffic more46 46 40
publish more46/*
directories+=' more46'
# shellcheck disable=SC2086 # words
records=$(read_records $directories)
reaches "$records" 60
"$next" migrate >complete.out
contains 'the last migrate' complete.out 'now it is 9000'
holds "to_regclass('cube.dim_mission_mission_type_idx') IS NULL" || fail 'what only older processes needed is still there'
if "$CUBE_TEST_BIN" run --until-caught-up >refused.out 2>&1; then fail 'an older program works on a cube that is complete without it'; fi
contains 'the refusal' refused.out 'use a newer gracecube'
kill -TERM "$new_pid"
ends "$new_pid" 60
kill "$reader"
[ ! -s reader.log ] || fail "a reader had an error: $(head -n 1 reader.log)"
equal 'what readers saw' "$(sort -u reader.out | tr '\n' ' ')" 'none whole '

CUBE_TEST_BIN=$next
verify_agrees
sql -c "UPDATE cube.fact_verification_executions SET action_type = 'again'" >&2
verify_agrees
ledger_is "$records"
# shellcheck disable=SC2086 # words
expect $directories
answers_are
shown "done by a later one: $(one 'count(*) FROM cube.rollup_next_daily') cells of $(one 'count(*) FROM cube.fact_verification_executions') facts; a reader who looked $(wc -l <reader.out) times saw nothing or all; the step that takes away waited for the process of before"
