#!/usr/bin/env bash
# What changes under the consumer: partitions are added under load, so that one contract is in two of them; the time of a contract
# is corrected over the end of a month; people change facts by hand.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

new_cube
new_topics capture
more_traffic generated 11 500
expect capture generated
records=$(read_records capture generated)

# --- Partitions are added: topics grow from 1 to 4, one by one, in the middle of each file. The group assigns anew all the time, also
# --- before a worker has answered the assignment before.
mkdir early late
for file in capture/* generated/*; do
	lines=$(wc -l <"$file")
	head -n $((lines / 2)) "$file" >"early/${file//\//-}"
	tail -n +$((lines / 2 + 1)) "$file" >"late/${file//\//-}"
done
CUBE_TEST_PARTITIONS=1 publish early/*
start run "$CUBE_TEST_BIN" run -s run.batch_records=50 -s run.workers=2 -X topic.metadata.refresh.interval.ms=100
for partitions in 2 3 4; do
	for stream in $(known_streams); do
		if compgen -G "late/*.$stream.jsonl" >/dev/null; then
			python3 -B "$CUBE_TEST_ROOT/tests/lib/kafka.py" "$CUBE_TEST_BROKERS" grow "$CUBE_TEST_PREFIX.$stream" $partitions
		fi
	done
done
publish --rate 900 late/*
reaches "$records" 60
kill -TERM "$PID"
ends "$PID" 20
answers_are
verify_agrees
ledger_is "$records"
equal 'partitions read' "$(sql -c "SELECT count(*) FROM cube.etl_offset WHERE topic LIKE '%.action_contracts'")" 4
both=$(for partition in 0 1 2 3; do
	kcat -q -b "$CUBE_TEST_BROKERS" -C -e -t "$CUBE_TEST_PREFIX.action_contracts" -p $partition -f '%k\n' | sort -u
done | sort | uniq -d | wc -l)
[ "$both" -gt 20 ] || fail "only $both contracts are in two partitions"
shown "topics grown from 1 to 4 partitions under load, $both contracts in two partitions: exact"

# --- The time of a contract is corrected ---
tell() { # tell LSN CREATED_AT STATUS…
	printf '{"topic": "%s", "key": "moved", "value": "{\\"after\\": {\\"id\\": \\"moved\\", \\"created_at\\": \\"%s\\", \\"status\\": \\"%s\\", \\"confidence_score\\": 0.5}, \\"op\\": \\"u\\", \\"source\\": {\\"lsn\\": %s}}"}\n' \
		"$CUBE_TEST_PREFIX.action_contracts" "$2" "$3" "$1" >told.jsonl
	publish told.jsonl
	catch_up
}
moved_is() {
	equal 'the contract' "$(sql -F ' ' -c "SELECT to_char(created_at, 'YYYY-MM-DD'), contract_status, tableoid::regclass FROM cube.fact_verification_executions WHERE contract_id = 'moved'")" "$1"
	verify_agrees
}
tell 1000 2026-11-30T23:59:59Z pending
moved_is '2026-11-30 pending cube.fact_verification_executions_2026_11'
tell 1100 2024-02-29T00:00:00Z verified
moved_is '2024-02-29 verified cube.fact_verification_executions_2024_02'
tell 1050 2025-01-01T00:00:00Z failed # late and older
moved_is '2024-02-29 verified cube.fact_verification_executions_2024_02'
tell 1200 2026-12-01T00:00:00Z verified
moved_is '2026-12-01 verified cube.fact_verification_executions_2026_12'
shown 'a contract whose created_at is corrected over the end of a month moves: one row, rollups follow'

# --- People change facts by hand ---
count() { sql -c "SELECT sum($1) FROM cube.cube_daily_verification_by_tier"; }
was=$(count successful_executions)
successful=$(sql -c "SELECT count(*) FROM cube.fact_verification_executions WHERE was_successful AND contract_id < 'contract-11000500'")
sql -c "UPDATE cube.fact_verification_executions SET was_successful = false, confidence_score = NULL, tier_key = 1 WHERE contract_id < 'contract-11000500'"
equal 'successful executions after an UPDATE by hand' "$(count successful_executions)" $((was - successful))
verify_agrees
was=$(count total_executions)
deleted=$(sql -c "WITH d AS (DELETE FROM cube.fact_verification_executions WHERE contract_id < 'contract-11000500' RETURNING 1) SELECT count(*) FROM d")
equal 'executions after a DELETE by hand' "$(count total_executions)" $((was - deleted))
verify_agrees
sql -c "DELETE FROM cube.fact_error_events WHERE severity = 'low'" -c "UPDATE cube.fact_approvals SET was_approved = NOT was_approved, status = 'changed'"
verify_agrees
[ "$successful" -gt 5 ] && [ "$deleted" -gt 20 ] || fail "only $successful successful and $deleted deleted"
shown "$deleted facts changed and deleted by hand: rollups follow, verify: all equal"
