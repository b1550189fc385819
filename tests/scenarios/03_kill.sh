#!/usr/bin/env bash
# Killed without warning: two processes at once, and five times on the way one of them gets SIGKILL at a moment that a fixed
# seed chooses, and another takes its place. Small batches, so that there are many transactions to hit.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

new_cube
new_topics capture
more_traffic generated 3 1000
expect capture generated
publish capture/* generated/*
records=$(read_records capture generated)

RANDOM=20261123
start_one() { start "run$1" "$CUBE_TEST_BIN" run -s run.workers=1 -s run.batch_records=7 -X session.timeout.ms=1500; }
start_one 0 && pids[0]=$PID
start_one 1 && pids[1]=$PID
at=()
for kill in 1 2 3 4 5; do
	reaches $((records * (kill - 1) / 7 + RANDOM % (records / 8))) 60
	who=$((RANDOM % 2))
	kill -KILL "${pids[$who]}"
	wait "${pids[$who]}" 2>/dev/null || true
	at+=("$(position)")
	start_one $who && pids[who]=$PID
done
reaches "$records" 60
kill -TERM "${pids[@]}"
for pid in "${pids[@]}"; do
	ends "$pid" 20
	equal 'exit code after SIGTERM' "$STATUS" 0
done
[ "${at[4]}" -lt "$records" ] || fail "the last kill came after the end: at ${at[*]} of $records"

answers_are
verify_agrees
ledger_is "$records"
transactions=$(sql -c "SELECT count(DISTINCT xmin::text) FROM cube.fact_agentic_events")
shown "killed at record ${at[*]} of $records, at least $transactions transactions: every record counted once"
