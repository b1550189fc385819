#!/usr/bin/env bash
# SIGTERM in the middle drains and leaves with 0; a second SIGTERM leaves at once with 143; Ctrl-C is the same. None of them
# loses or doubles anything.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

new_cube
new_topics capture
more_traffic generated 7 700
expect capture generated
publish capture/* generated/*
records=$(read_records capture generated)
run_slowly() { start "$1" "$CUBE_TEST_BIN" run -s run.batch_records=10 -s run.workers=2 -X session.timeout.ms=1500 --json; }

# leaves SIGNAL AT → the run that stands at record AT or further gets SIGNAL, drains and says so
leaves() {
	run_slowly "$1"
	reaches "$2" 30
	kill -"$1" "$PID"
	ends "$PID" 20
	equal "exit code after SIG$1" "$STATUS" 0
	contains "SIG$1" "$1.log" draining
	stood=$(position)
	[ "$stood" -lt "$records" ] || fail "SIG$1 came after the end"
	equal "records that the run says it applied" "$(jq .records "$1.out")" $((stood - before))
	before=$stood
	shown "SIG$1 at record $stood of $records: drained, exit code 0, its summary is the ledger's"
}
before=0
leaves TERM $((records / 8))
leaves INT $((before + records / 8))

# A transaction that waits for a lock keeps the drain waiting; a second signal does not wait for it.
run_slowly twice
reaches $((before + records / 8)) 30
sql -c 'BEGIN; LOCK TABLE cube.etl_offset IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)' >&2 2>&1 &
holds_lock() { [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE relation = 'cube.etl_offset'::regclass AND mode = 'AccessExclusiveLock' AND granted")" = 1 ]; }
wait_until 10 holds_lock || fail 'the lock was not granted'
waits_for_lock() { [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE relation = 'cube.etl_offset'::regclass AND NOT granted")" -gt 0 ]; }
wait_until 20 waits_for_lock || fail 'no transaction waits for the lock'
kill -TERM "$PID"
stays 1 lives_on "$PID" || fail 'it left although a transaction was waiting'
asked=$(now_ms)
kill -TERM "$PID"
ends "$PID" 3
equal 'exit code after a second SIGTERM' "$STATUS" 143
shown "a second SIGTERM during the drain: gone after $(seconds_since "$asked"), exit code 143"
sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()" >&2
wait || true

catch_up
answers_are
verify_agrees
ledger_is "$records"

# Nothing to read: a signal is answered at once.
start idle "$CUBE_TEST_BIN" run
wait_until 20 owns "$PID" || fail 'an idle run gets no partition'
asked=$(now_ms)
kill -TERM "$PID"
ends "$PID" 10
equal 'exit code of an idle run' "$STATUS" 0
shown "SIGTERM to an idle run: gone after $(seconds_since "$asked"), exit code 0"
