#!/usr/bin/env bash
# What is wrong with the database makes no dead letter: a month taken away, a constraint that nothing fits, a time zone that is not there,
# batches that are too much at once. It waits, halts the one partition, or goes on with less, and says so.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

new_cube
own_topics
export CUBE_TEST_PARTITIONS=1
number=0
tell() { # tell STREAM COUNT [DAY] → so many new records
	local _
	for _ in $(seq "$2"); do
		number=$((number + 1))
		printf '{"topic": "%s.%s", "value": "{\\"id\\": \\"%s\\", \\"created_at\\": \\"%sT10:00:00Z\\", \\"status\\": \\"pending\\"}"}\n' "$CUBE_TEST_PREFIX" "$1" "$number" "${3:-2026-11-20}"
	done >told.jsonl
	publish told.jsonl
}
facts() { sql -c "SELECT count(*) FROM cube.fact_$1"; }
dead_letters() { sql -c 'SELECT count(*) FROM cube.etl_dead_letter'; }
no_dead_letters() { equal "$1: dead letters" "$(dead_letters)" 0; }
says() { grep -q "$1" run.log; }
port=$(free_port)
asked() { python3 -B -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:$port/readyz?verbose').read().decode())" >asked; }

# --- A month is taken away ---
tell action_contracts 10 2026-09-10
start run "$CUBE_TEST_BIN" run -s run.workers=1 -s http.listen="127.0.0.1:$port"
run=$PID
reaches 10 30
sql -c 'ALTER TABLE cube.fact_verification_executions DETACH PARTITION cube.fact_verification_executions_2026_09'
tell action_contracts 10 2026-09-11
tell approval_requests 10
wait_until 30 says 'a partition is halted.*no_partition' || fail "no word of the month: $(tail -n 2 run.log)"
reaches 20 30
equal 'approvals beside it' "$(facts approvals)" 10
is_told() { asked && grep -q 'the table of a month was taken away' asked; }
wait_until 20 is_told || fail "/readyz does not tell: $(cat asked)" # it was claimed anew when the other topic came
contains 'what to do' asked 'ATTACH it again'
no_dead_letters 'a month that was detached'
verify_finds 'a month that was detached' 'months are attached'
equal 'what verify says of it' "$FOUND" 'fact_verification_executions_2026_09 stands apart; ALTER TABLE cube.fact_verification_executions ATTACH PARTITION cube.fact_verification_executions_2026_09'
sql -c "ALTER TABLE cube.fact_verification_executions ATTACH PARTITION cube.fact_verification_executions_2026_09 FOR VALUES FROM ('2026-09-01+0') TO ('2026-10-01+0')"
reaches 30 40
says 'it is read again' || fail 'nothing says that it is over'
equal contracts "$(facts verification_executions)" 20
verify_agrees
shown 'a month detached under a run: that partition halts before the record and says what to do, others go on; attached again: nothing is missing'

tell action_contracts 10 2026-07-10
reaches 40 30
sql -c "DELETE FROM cube.fact_verification_executions WHERE created_at < '2026-08-01Z'" -c 'DROP TABLE cube.fact_verification_executions_2026_07'
tell action_contracts 10 2026-07-11
reaches 50 30
no_dead_letters 'a month that was dropped'
equal contracts "$(facts verification_executions)" 30
shown 'a month dropped under a run: made anew, no dead letter'

# --- Refusals one after another ---
sql -c 'ALTER TABLE cube.fact_approvals ADD CONSTRAINT nothing_fits CHECK (false) NOT VALID'
tell approval_requests 40
tell action_contracts 10
wait_until 30 says 'refuses one record after another.*nothing_fits' || fail "no word of the constraint: $(tail -n 2 run.log)"
reaches 69 30
equal 'dead letters before it stops' "$(dead_letters)" 9
sql -c 'ALTER TABLE cube.fact_approvals DROP CONSTRAINT nothing_fits'
reaches 100 60
equal 'dead letters' "$(dead_letters)" 9
equal approvals "$(facts approvals)" 41
shown 'a constraint that nothing fits: nine dead letters, then that partition halts with one sentence; without it the other 31 land'

kill -TERM "$run"
ends "$run" 20
equal 'exit code' "$STATUS" 0

# --- Too much at once ---
sql <<-'SQL'
	CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.002 * (SELECT count(*) FROM n)); RETURN NULL; END$$;
	CREATE TRIGGER zz AFTER INSERT ON cube.fact_verification_executions REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION slow();
SQL
tell action_contracts 3000
at=$(position)
"$CUBE_TEST_BIN" run --until-caught-up --progress none --streams action_contracts -s postgres.statement_timeout=1s >slow.out 2>slow.log ||
	fail "run: $(tail -n 2 slow.log)"
equal 'records applied' $(($(position) - at)) 3000
equal 'dead letters' "$(dead_letters)" 9
contains 'the log' slow.log 'so many records at once are too much for the database'
sql -c 'DROP TRIGGER zz ON cube.fact_verification_executions'
verify_agrees
shown "3,000 records that take 6 s with a statement_timeout of 1 s: halved $(grep -c 'so many records at once' slow.log) times, all applied, no dead letter"

# What is too much only for a while: slices grow again.
first=$number
sql <<-SQL
	CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \$\$BEGIN
		IF (SELECT count(*) > 40 AND min(contract_id::int) <= $((first + 100)) FROM n) THEN PERFORM pg_sleep(10); END IF;
		RETURN NULL;
	END\$\$;
	CREATE TRIGGER zz AFTER INSERT ON cube.fact_verification_executions REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION slow();
SQL
tell action_contracts 1000
"$CUBE_TEST_BIN" run --until-caught-up --progress none --streams action_contracts -s postgres.statement_timeout=1s -s run.batch_records=50 >grown.out 2>grown.log ||
	fail "run: $(tail -n 2 grown.log)"
contains 'the log' grown.log 'so many records at once are too much for the database'
contains 'the log' grown.log 'batches are as large as run.batch_records allows again'
sql -c 'DROP TRIGGER zz ON cube.fact_verification_executions'
shown 'too much for the first hundred records: batches are halved, and grow again'

# --- Times of all centuries ---
centuries=$number
seq 0 13 2759 | awk -v topic="$CUBE_TEST_PREFIX.action_contracts" -v n="$number" '{ year = 1970 + int($1 / 12); month = 1 + $1 % 12
	printf "{\"topic\": \"%s\", \"value\": \"{\\\"id\\\": \\\"%d\\\", \\\"created_at\\\": \\\"%d-%02d-20T10:00:00Z\\\", \\\"status\\\": \\\"pending\\\"}\"}\n", topic, ++n, year, month }' >told.jsonl
publish told.jsonl
catch_up
equal 'contracts of all centuries' "$(sql -c "SELECT count(*) FROM cube.cube_executions WHERE contract_id::int > $centuries")" 213
equal 'one of them' "$(sql -c "SELECT created_at AT TIME ZONE 'UTC' FROM cube.fact_verification_executions WHERE contract_id = '$((centuries + 213))'")" '2199-09-20 10:00:00'
tables() { sql -c "SELECT count(*) FROM pg_inherits WHERE inhparent = 'cube.fact_verification_executions'::regclass"; }
tables=$(tables)
[ "$tables" -le 80 ] || fail "contracts of 213 months are in $tables tables"
locks=$(sql -c 'BEGIN; SELECT count(*) FROM cube.cube_executions; SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid(); COMMIT' | tail -n 1)
verify_agrees
# A month that comes near is cut off; a fixed day would not be near for long.
sql -c "SELECT cube.cut_off('fact_verification_executions', cube.month_of(now()) + 40)" >&2
equal 'contracts' "$(sql -c "SELECT count(*) FROM cube.cube_executions WHERE contract_id::int > $centuries")" 213
verify_agrees
"$CUBE_TEST_BIN" retention -s retention.facts=2920d >retention.out 2>&1 || fail "retention: $(tail -n 3 retention.out)"
equal 'contracts older than eight years' "$(sql -c "SELECT count(*) FROM cube.fact_verification_executions WHERE created_at < now() - interval '2950 days'")" 0
equal 'wide tables of these years' "$(sql -c "SELECT count(*) FROM cube.wide_tables('fact_verification_executions') WHERE cube.begin_of(to_month) < now() - interval '2950 days'")" 0
verify_agrees
shown "213 contracts of 1970 to 2199: $tables tables, $locks locks of who reads them all; months that come near, or are dropped, are cut off; verify: all equal"

# --- A mission that very many contracts had named; one that is sent again and again ---
# many FIRST LAST STREAM ROW → records, in whose row N is a number
many() { seq "$1" "$2" | awk -v topic="$CUBE_TEST_PREFIX.$3" -v row="$4" '{ r = row; gsub(/N/, $1, r); gsub(/"/, "\\\"", r); printf "{\"topic\": \"%s\", \"value\": \"%s\"}\n", topic, r }' >told.jsonl && publish told.jsonl; }
linked() { sql -c "SELECT count(*) FROM cube.fact_verification_executions f JOIN cube.dim_mission USING (mission_key) WHERE mission_id = 'many'"; }
queue() { sql -c "SELECT coalesce(min(after_key), 'is empty') FROM cube.relink_queue"; }
second_slice() { [ "$(queue)" != 'is empty' ] && [ -n "$(queue)" ]; }
waits() { jq '[.checks[] | select(.check == "links wait for their slice")] | length' verify.json; }
many 100001 112000 action_contracts '{"id": "N", "created_at": "2026-05-20T10:00:00Z", "status": "pending", "triggered_by": "cognition:many"}'
catch_up
# Everybody is killed in the second slice.
sql <<-'SQL'
	CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
		IF EXISTS (SELECT FROM cube.relink_queue WHERE after_key <> '') AND EXISTS (SELECT FROM n) THEN PERFORM pg_sleep(600); END IF;
		RETURN NULL;
	END$$;
	CREATE TRIGGER zz AFTER UPDATE ON cube.fact_verification_executions REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION stuck();
SQL
many 1 1 mission_timelines '{"id": "N", "mission_id": "many", "mission_name": "a", "started_at": "2026-05-20T09:00:00Z", "status": "running", "created_at": "2026-05-20T09:00:00Z"}'
start killed "$CUBE_TEST_BIN" run -s run.workers=1
wait_until 60 second_slice || fail "no second slice: $(tail -n 2 killed.log)"
kill -KILL "$PID"
sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'gracecube worker%'" \
	-c 'DROP TRIGGER zz ON cube.fact_verification_executions' >&2
equal 'contracts of the mission after a slice' "$(linked)" 5000
verify_agrees
equal 'links that verify says are waiting' "$(waits)" 1
"$CUBE_TEST_BIN" verify --repair >repair.out 2>&1 || fail "verify --repair: $(tail -n 3 repair.out)"
equal 'contracts of the mission after a repair' "$(linked)" 5000
# While another session is at them, they wait, and the metrics say so.
start other sql -c "SET application_name = 'other'; BEGIN" -c 'SELECT FROM cube.relink_queue FOR UPDATE' -c 'SELECT pg_sleep(600)'
is_locked() { [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'other' AND query ~ 'sleep'")" = 1 ]; }
wait_until 20 is_locked || fail 'no session is at the queue'
catch_up
equal 'contracts of the mission while another session links them' "$(linked)" 5000
start run "$CUBE_TEST_BIN" run -s run.workers=1 -s http.listen="127.0.0.1:$port"
run=$PID
metric() { python3 -B -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:$port/metrics').read().decode())" | grep "^$1 "; }
is_waiting() { [ "$(metric gracecube_links_waiting)" = 'gracecube_links_waiting 1' ] && [ "$(metric gracecube_links_waiting_seconds | cut -d. -f1)" != 'gracecube_links_waiting_seconds 0' ]; }
wait_until 20 is_waiting || fail "metrics: $(metric 'gracecube_links_waiting.*')"
sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'other'" >&2
all_are_linked() { [ "$(queue)" = 'is empty' ]; }
wait_until 60 all_are_linked || fail "the queue: $(queue)"
equal 'contracts of the mission' "$(linked)" 12000
# A BEGIN that is forgotten keeps old row versions from being cleaned away: who it is, and how to end it, is said.
start notebook sql -c "SET application_name = 'notebook'; BEGIN ISOLATION LEVEL REPEATABLE READ" -c 'SELECT count(*) FROM cube.etl_offset' -c 'SELECT pg_sleep(600)'
notebook() { sql -c "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'notebook' AND query ~ 'sleep'"; }
is_held() { [ -n "$(notebook)" ]; }
wait_until 20 is_held || fail 'no notebook'
sql -c 'SET synchronous_commit = off' -c "DO 'BEGIN FOR i IN 1..100001 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END'"
"$CUBE_TEST_BIN" check >check.out 2>&1 || fail "check: $(grep BAD check.out)"
contains check check.out "session $(notebook) (notebook, user $CUBE_TEST_PGUSER) has held one for"
contains check check.out "pg_terminate_backend($(notebook))"
is_old() { [ "$(metric gracecube_snapshot_age_transactions | cut -d' ' -f2 | cut -d. -f1)" -gt 100000 ]; }
wait_until 60 is_old || fail "metrics: $(metric gracecube_snapshot_age_transactions)"
sql -c "SELECT pg_terminate_backend($(notebook))" >&2
"$CUBE_TEST_BIN" check >check.out 2>&1 || fail "check: $(grep BAD check.out)"
contains 'check afterwards' check.out 'nobody holds an old one'
shown 'a forgotten BEGIN: check names process, application and user, and what ends it; the metrics have its age'
kill -TERM "$run"
ends "$run" 20
verify_agrees
equal 'links that wait' "$(waits)" 0
many 1 1000 mission_timelines '{"id": "2", "mission_id": "often", "mission_name": "b", "started_at": "2026-11-20T09:00:00Z", "status": "running", "completed_tasks": N, "created_at": "2026-11-20T09:00:00Z"}'
catch_up
sql >versions <<-'SQL'
	SELECT source_id, mission_key, mission_name, mission_type, started_at, place_us, kafka_us, tie FROM cube.version_missions WHERE source_id = '2'
	ORDER BY place_us DESC, tie DESC LIMIT 1 \gset
	BEGIN;
	SET LOCAL enable_seqscan = off;
	SELECT seq_tup_read + idx_tup_fetch AS before FROM pg_stat_xact_user_tables WHERE relname = 'version_missions' \gset
	SELECT cube.merge_missions(ARRAY[:'source_id'], ARRAY[:mission_key], ARRAY[:'mission_name'], ARRAY[:'mission_type'], ARRAY[:'started_at'::timestamptz], ARRAY[NULL::timestamptz],
		ARRAY[NULL::text], ARRAY[false], ARRAY[0::bigint], ARRAY[:place_us + 1000::bigint], ARRAY[:kafka_us + 1000::bigint], ARRAY[:tie + 1::bigint], ARRAY[NULL::bigint]);
	SELECT seq_tup_read + idx_tup_fetch - :before FROM pg_stat_xact_user_tables WHERE relname = 'version_missions';
	ROLLBACK;
SQL
equal 'versions of it' "$(sql -c "SELECT count(*) FROM cube.version_missions WHERE source_id = '2'")" 1000
versions=$(tail -n 1 versions)
[ "$versions" -le 20 ] || fail "one more version of 1,000 reads $versions"
# What another session has just added is the version before, though it is not committed yet.
policy() { printf "SELECT cube.merge_tiers(ARRAY['5'], ARRAY[(SELECT tier_key FROM cube.dim_tier WHERE tier_code = 'tier_5')], ARRAY['%s'], ARRAY[false], ARRAY[false], ARRAY[false], ARRAY['low'], ARRAY[''],
	ARRAY[NULL::timestamptz], ARRAY[false], ARRAY[0::bigint], ARRAY[%s::bigint], ARRAY[%s::bigint], ARRAY[%s::bigint], ARRAY[NULL::bigint])" "$1" "$2" "$2" "$2"; }
sql -c "SELECT cube.resolve_tier(ARRAY['tier_5'])" -c "$(policy a 1795428000000000)" >&2
start between sql -c "SET application_name = 'other'; BEGIN" -c "$(policy b 1795428001000000)" -c 'SELECT pg_sleep(1)' -c COMMIT
wait_until 20 is_locked || fail 'no session is between two versions'
sql -c "$(policy a 1795428002000000)" >&2
ends "$PID" 20
equal 'versions of the policy' "$(sql -c "SELECT string_agg(tier_name, ' ' ORDER BY version_number) FROM cube.dim_tier_history WHERE tier_code = 'tier_5'")" 'a b a'
verify_agrees
shown "a mission that 12,000 contracts had named is linked slice by slice, also after a kill between two; verify and metrics know of it; the version after 1,000 that say the same reads $versions"

# --- A zone that the server does not know ---
STATUS=0
GRACECUBE_CUBE_BUSINESS_ZONE=Europe/Kyiw "$CUBE_TEST_BIN" migrate >zone.out 2>&1 || STATUS=$?
equal 'migrate with an unknown zone: exit code' "$STATUS" 78
contains 'migrate with an unknown zone' zone.out 'knows no time zone Europe/Kyiw'
# by hand it is refused, too; but a server may know less than the one before
sql -c 'SET session_replication_role = replica' -c "UPDATE cube.setting SET value = 'Europe/Kyiw' WHERE name = 'cube.business_zone'"
tell approval_requests 20 2026-03-03
STATUS=0
"$CUBE_TEST_BIN" run --until-caught-up --progress none >zone.out 2>&1 || STATUS=$?
equal 'run with an unknown zone: exit code' "$STATUS" 78
contains 'run with an unknown zone' zone.out cube.business_zone
equal 'dead letters' "$(dead_letters)" 9
sql -c "UPDATE cube.setting SET value = 'UTC' WHERE name = 'cube.business_zone'"
catch_up
equal 'dead letters' "$(dead_letters)" 9
verify_agrees
shown 'a time zone that the server does not know: migrate refuses it; in a cube that has it run stops and says so; no dead letter'

# --- A month goes while links of it wait ---
sql -c "WITH u AS (UPDATE cube.fact_verification_executions SET mission_key = 0 WHERE mission_ref = 'many' AND contract_id > '105000' RETURNING 1)
	INSERT INTO cube.relink_queue (target, column_name, value, after_key) SELECT 'verification_executions', 'mission_ref', 'many', '105000' FROM (SELECT count(*) FROM u) n"
"$CUBE_TEST_BIN" retention -s retention.facts=100d >retention.out 2>&1 || fail "retention: $(tail -n 3 retention.out)"
equal 'contracts of the mission that are there' "$(linked)" 0
equal 'executions of the mission' "$(sql -c "SELECT sum(executions) FROM cube.rollup_mission_executions JOIN cube.dim_mission USING (mission_key) WHERE mission_id = 'many'")" 12000
verify_agrees
shown "links that wait are made before their month goes: the sums of the mission stay"
