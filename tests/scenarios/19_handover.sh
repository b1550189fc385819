#!/usr/bin/env bash
# Groups that give and take single partitions: cooperative-sticky, and KIP-848 (group.protocol=consumer), to which a group is switched and
# from which it goes back while records come. Members are killed, frozen, join and leave meanwhile: nothing is lost and nothing doubled.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
. "$CUBE_TEST_ROOT/tests/lib/librdkafka.sh"
# shellcheck source=/dev/null
. "$CUBE_TEST_ROOT/deploy/lib/kafka.sh"

use_librdkafka_since 2.12.0 "$PWD/library"
version=$("$CUBE_TEST_BIN" --version | sed -n 's/.*librdkafka \([0-9.]*\).*/\1/p')

# A broker whose heartbeats are frequent: those of KIP-848 are its own to set.
export KAFKA_PARTITIONS=$CUBE_TEST_PARTITIONS KAFKA_EXTRA='group.min.session.timeout.ms=500
	group.consumer.min.heartbeat.interval.ms=500
	group.consumer.heartbeat.interval.ms=500
	group.consumer.min.session.timeout.ms=1500
	group.consumer.session.timeout.ms=3000
	log.message.timestamp.after.max.ms=9223372036854775807'
trap 'kafka_stop "$PWD/kafka"' EXIT
kafka_start "$PWD/kafka" >&2
CUBE_TEST_BROKERS=$(kafka_brokers "$PWD/kafka")

classic=(-X session.timeout.ms=1500 -X heartbeat.interval.ms=250)
cooperative=("${classic[@]}" -X partition.assignment.strategy=cooperative-sticky)
kip848=(-X group.protocol=consumer)
member() { start "$1" "$CUBE_TEST_BIN" run -s run.workers="${WORKERS:-1}" -s run.batch_records=20 --json "${@:2}"; }
wait_for_member() { wait_until 40 owns "$1" || fail "$2 gets no partition: $(tail -n 2 "$3.log")"; }
owns_all() { [ "$(sql -c "SELECT count(*) FROM cube.etl_offset WHERE owner NOT LIKE '%:$1:%'")" = 0 ]; }
leaves() {
	kill -TERM "$1"
	ends "$1" 30
	equal "exit code of $2" "$STATUS" 0
}
dies() {
	kill -KILL "$1"
	wait "$1" 2>/dev/null || true
}
# a cube, topics and a group of their own, and records that come for a while
begin() {
	new_cube "$1"
	rm -rf capture generated
	new_topics capture "${CUBE_TEST_PREFIX}_$1"
	unset GRACECUBE_KAFKA_PROPERTIES_HEARTBEAT_INTERVAL_MS # each member says what it takes
	more_traffic generated 19 "$2"
	expect capture generated
	records=$(read_records capture generated)
	publish capture/*
	publish --rate 150 generated/* &
	publisher=$!
}
is_exact() {
	wait "$publisher" || fail 'publish did not end well'
	reaches "$records" 90
	answers_are
	verify_agrees
	ledger_is "$records"
}
strategy() { # strategy → the assignor by which the group's partitions are given
	(kafka_java "$PWD/kafka" org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$CUBE_TEST_BROKERS" \
		--describe --state --group "$GRACECUBE_KAFKA_GROUP_ID") 2>/dev/null | awk -v group="$GRACECUBE_KAFKA_GROUP_ID" '$1 == group { print $4 }'
}

# --- cooperative-sticky ---
begin sticky 250
member zero "${classic[@]}" && zero=$PID
wait_for_member "$zero" 'one with roundrobin' zero
member one "${cooperative[@]}" && one=$PID
waits() { grep -q 'Kafka reported an error; reading goes on.*INCONSISTENT_GROUP_PROTOCOL' one.log; }
wait_until 20 waits || fail "cooperative-sticky beside roundrobin: $(tail -n 2 one.log)"
leaves "$zero" 'the one with roundrobin'
wait_for_member "$one" 'the first' one
WORKERS=2 member two "${cooperative[@]}" && two=$PID
wait_for_member "$two" 'a second' two
equal 'the assignor' "$(strategy)" cooperative-sticky
dies "$one"
member three "${cooperative[@]}" && three=$PID
wait_for_member "$three" 'who takes the place of one that was killed' three
kill -STOP "$two"
wait_until 30 owns_all "$three" || fail 'nobody took over the partitions of the frozen process'
kill -CONT "$two"
member guest "${cooperative[@]}"
wait_for_member "$PID" 'a guest' guest
leaves "$PID" 'a guest'
is_exact
leaves "$two" 'the second'
leaves "$three" 'the third'
shown "cooperative-sticky: killed, frozen past its session, one more and one less: $records records, each counted once, after $(cat three.out two.out | jq -s 'map(.rebalances) | add') rebalances"
catch_up -s run.workers=2 "${cooperative[@]}"

# --- From classic to KIP-848 and back ---
begin protocol 450
member first "${classic[@]}" && one=$PID
member second "${classic[@]}" && two=$PID
wait_for_member "$one" 'the first' first
wait_for_member "$two" 'the second' second
member third "${kip848[@]}" && three=$PID
wait_for_member "$three" 'the first of the new protocol' third
leaves "$one" 'the first'
WORKERS=2 member fourth "${kip848[@]}" && four=$PID
wait_for_member "$four" 'the second of the new protocol' fourth
leaves "$two" 'the second'
equal 'the assignor after the switch' "$(strategy)" uniform
dies "$three"
member fifth "${kip848[@]}" && five=$PID
wait_for_member "$five" 'who takes the place of one that was killed' fifth
kill -STOP "$four"
wait_until 30 owns_all "$five" || fail 'nobody took over the partitions of the frozen process'
kill -CONT "$four"
member sixth "${classic[@]}" && six=$PID
wait_for_member "$six" 'one of the old protocol' sixth
leaves "$four" 'the fourth'
leaves "$five" 'the fifth'
is_exact
leaves "$six" 'the sixth'
catch_up -s run.workers=2 "${kip848[@]}"
equal 'records read again' "$(summary records)" 0
shown "group.protocol=consumer (KIP-848) on librdkafka $version and Kafka $KAFKA_VERSION: switched member by member while records come, killed, frozen, and back to classic: $records records, each counted once"

# --- Static membership, and more members than partitions ---
member static "${kip848[@]}" -X group.instance.id=pod && static=$PID
wait_for_member "$static" 'a member with an id of its own' static
dies "$static"
member again "${kip848[@]}" -X group.instance.id=pod && static=$PID
wait_for_member "$static" 'who has the id of one that was killed' again
contains 'its log' again.log 'joining the group again'
rm -rf generated
more_traffic generated 20 50
publish generated/*
reaches $((records + $(read_records generated))) 60
leaves "$static" 'the member with an id of its own'
catch_up -s run.workers=6 --streams agentic_insights "${kip848[@]}"
verify_agrees
shown 'group.instance.id with KIP-848: who was killed has his id again when its session has ended; six workers of four partitions'
