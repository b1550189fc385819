#!/usr/bin/env bash
# Servers and workers that stand still without a word: SIGTERM ends a process in its time whatever does not answer, and a worker that has
# vanished in the middle of a batch holds up nobody for long.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

new_cube
own_topics
export GRACECUBE_KAFKA_PROPERTIES_SESSION_TIMEOUT_MS=1500
number=0
tell() { # tell COUNT → so many new contracts
	local _
	for _ in $(seq "$1"); do
		number=$((number + 1))
		printf '{"topic": "%s.action_contracts", "value": "{\\"id\\": \\"%s\\", \\"created_at\\": \\"2026-11-20T10:00:00Z\\", \\"status\\": \\"pending\\"}"}\n' "$CUBE_TEST_PREFIX" "$number"
	done >told.jsonl
	publish told.jsonl
}
leaves_in_time() { # leaves_in_time WHAT PID LOG → with run.shutdown_timeout=6s
	local began
	began=$(now_ms)
	kill -TERM "$2"
	ends "$2" 12
	equal "$1: exit code" "$STATUS" 69
	contains "$1" "$3" 'not done within run.shutdown_timeout'
	shown "$1: SIGTERM ends the process after $(seconds_since "$began") of 6"
}

# --- PostgreSQL is frozen with a batch in flight ---
tell 10
start frozen "$CUBE_TEST_BIN" run -s run.shutdown_timeout=6s -s run.workers=2
run=$PID
reaches 10 30
mapfile -t backends < <(sql -c "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'gracecube %'")
kill -STOP "${backends[@]}"
tell 20
sleep 1 # the batch is on its way then; who could tell is frozen
leaves_in_time 'PostgreSQL frozen in mid batch' "$run" frozen.log
kill -CONT "${backends[@]}"
catch_up
equal 'records' "$(position)" 30
verify_agrees

# --- No PostgreSQL of a list answers ---
echo silent >gate.word
start gate python3 -B "$CUBE_TEST_ROOT/tests/lib/gate.py" gate.word 127.0.0.1 "$CUBE_TEST_PGPORT"
wait_until 5 test -s gate.out
silent=$(cat gate.out)
dsn=$GRACECUBE_POSTGRES_DSN
GRACECUBE_POSTGRES_DSN="host=127.0.0.1,127.0.0.1,127.0.0.1 port=$silent,$silent,$silent user=$CUBE_TEST_PGUSER password=$CUBE_TEST_PGPASSWORD dbname=$CUBE_TEST_DATABASE"
start silent "$CUBE_TEST_BIN" run -s run.shutdown_timeout=6s
run=$PID
is_connected() { grep -q ":$(printf %04X "$silent") 01 " /proc/net/tcp; }
wait_until 20 is_connected || fail 'nobody connects'
leaves_in_time 'a list of hosts, all silent' "$run" silent.log
GRACECUBE_POSTGRES_DSN=$dsn

# --- A worker has vanished in the middle of a batch ---
start half python3 -B "$CUBE_TEST_ROOT/tests/lib/half.py" "$CUBE_TEST_PGHOST" "$CUBE_TEST_PGPORT" "$CUBE_TEST_PGUSER" "$CUBE_TEST_DATABASE"
wait_until 10 grep -q sent half.out || fail "half a batch was not sent: $(cat half.log)"
tell 10
began=$(now_ms)
catch_up
took=$(($(now_ms) - began))
contains 'the log' run.log 'a former owner of these partitions stood still in the middle of a batch'
equal 'records' "$(position)" 40
verify_agrees
shown "a worker that vanished in the middle of a batch: its partitions are read again after $((took / 1000)) s"
