#!/usr/bin/env bash
# Kafka no longer has what is to be read next: retention overtakes a consumer that is away, and one that runs; a topic is made anew.
# What is lost is counted to the record; what cannot be continued is not.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

new_cube
own_topics
TOPIC=$CUBE_TEST_PREFIX.action_contracts
contracts() { # contracts FROM TO [OPTION…]
	local n
	for n in $(seq "$1" "$2"); do
		printf '{"topic": "%s", "key": "{\\"id\\": \\"c%s\\"}", "value": "{\\"id\\": \\"c%s\\", \\"created_at\\": \\"2026-11-20T10:00:00Z\\", \\"status\\": \\"pending\\"}"}\n' "$TOPIC" "$n" "$n"
	done >contracts.jsonl
	publish "${@:3}" contracts.jsonl
}
delete_below() { python3 -B "$CUBE_TEST_ROOT/tests/lib/kafka.py" "$CUBE_TEST_BROKERS" delete-records "$TOPIC" 0 "$1"; }
facts() { sql -c 'SELECT count(*) FROM cube.fact_verification_executions'; }
gaps() { sql -c "SELECT string_agg(format('%s-%s', from_offset, to_offset), ' ' ORDER BY from_offset) FROM cube.etl_gap"; }
CUBE_TEST_PARTITIONS=1

contracts 1 20
catch_up --streams action_contracts
contracts 21 70
delete_below 47
catch_up --streams action_contracts
equal 'facts' "$(facts)" 43
equal 'gaps' "$(gaps)" 20-47
equal 'records lost, by status' "$("$CUBE_TEST_BIN" status --json | jq .totals.lost_to_retention)" 27
contains 'the log' run.log 'records were deleted by retention before they were read'
verify_agrees
ledger_is 70
shown 'retention overtook a consumer that was away: 27 records are a gap, to the record, and the ledger is closed'

# The fetch that waits at the broker is answered when the first records arrive: the gap begins behind these.
start run "$CUBE_TEST_BIN" run --streams action_contracts -X session.timeout.ms=30000 -X fetch.message.max.bytes=1000
at_end() { [ "$(sql -c "SELECT owner FROM cube.etl_offset WHERE owner LIKE '%:$PID:%'" | wc -l)" = 1 ]; }
wait_until 20 at_end || fail 'nobody claims'
sleep 1 # nobody tells when the fetch has come to the broker and waits there
kill -STOP "$PID"
contracts 71 170 --rate 200
delete_below 160
kill -CONT "$PID"
reaches 170 60
kill -TERM "$PID"
ends "$PID" 20
equal 'exit code' "$STATUS" 0
lost=$(sql -c 'SELECT sum(to_offset - from_offset) - 27 FROM cube.etl_gap')
equal 'facts' "$(facts)" $((143 - lost))
[ "$lost" -gt 0 ] || fail 'retention did not overtake it'
verify_agrees
ledger_is 170
shown "retention overtook a consumer that ran: $lost records are a gap, the others are in the cube, and it goes on"

python3 -B "$CUBE_TEST_ROOT/tests/lib/kafka.py" "$CUBE_TEST_BROKERS" delete-topic "$TOPIC"
is_deleted() { ! kcat -b "$CUBE_TEST_BROKERS" -L | grep -F "\"$TOPIC\"" >/dev/null; }
wait_until 20 is_deleted || fail 'the topic is still there'
contracts 201 210
STATUS=0
"$CUBE_TEST_BIN" run --until-caught-up --streams action_contracts --progress none >again.out 2>again.log || STATUS=$?
equal 'exit code with a topic made anew' "$STATUS" 78
contains 'a topic made anew' again.log 'the topic was truncated or made anew'
contains 'a topic made anew' again.log 'kafka.group_id'
equal 'facts' "$(facts)" $((143 - lost))
shown 'a topic made anew with fewer records: exit code 78, what to do is said, nothing is written'

# With more records than the cube has read it looks like the old one; the record before the position tells.
contracts 211 400
STATUS=0
"$CUBE_TEST_BIN" run --until-caught-up --streams action_contracts --progress none >again.out 2>again.log || STATUS=$?
equal 'exit code with a longer topic made anew' "$STATUS" 78
contains 'a longer topic made anew' again.log 'is not the one that the cube has read'
equal 'facts' "$(facts)" $((143 - lost))
sql -c 'UPDATE cube.etl_offset SET last_record_hash = NULL'
catch_up --streams action_contracts
equal 'facts, once it is said that this is right' "$(facts)" $((143 - lost + 30))
shown 'the same with more records: the record before the position is not the one that was read'
