#!/usr/bin/env bash
# Rules that C applies within a batch and SQL where batches meet: the cases of tests/contract in SQL (tests/unit/test_contract.c has the C side),
# and the same two records in one batch and in two end the same.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
new_cube

# wrong QUERY → the cases of which SQL says something else, one a line
wrong() { sql -c "$1" -c "\\copy c FROM '$CUBE_TEST_ROOT/tests/contract/$2' CSV HEADER" -c "$3"; }
cases=$(wrong 'CREATE TEMP TABLE c (what text, a_lsn bigint, a_source bigint, a_kafka bigint, a_offset bigint, b_lsn bigint, b_source bigint, b_kafka bigint, b_offset bigint, relation text)' \
	version_order.csv "SELECT what FROM (SELECT *,
		cube.is_newer(b_lsn, b_source, b_kafka, b_offset, a_lsn, a_source, a_kafka, a_offset) AS is_newer,
		cube.is_newer(a_lsn, a_source, a_kafka, a_offset, b_lsn, b_source, b_kafka, b_offset) AS is_older FROM c) j
		WHERE is_older OR is_newer IS DISTINCT FROM (relation = 'newer')")
equal 'cases of the order of versions that SQL sees otherwise' "$cases" ''
cases=$(wrong 'CREATE TEMP TABLE c (note text, expected boolean)' persons.csv 'SELECT note FROM c WHERE cube.names_person(note) IS DISTINCT FROM expected')
equal 'notes that SQL reads otherwise' "$cases" ''
shown "$(($(cat "$CUBE_TEST_ROOT"/tests/contract/*.csv | wc -l) - 2)) cases of two rules, the same in C and in SQL"

# --- Equal log positions: the batch's end decides nothing ---
# change STATUS TIME OFFSET → a contract's change at one log position
change() {
	jq -cn --arg topic "$CUBE_TEST_PREFIX.action_contracts" --arg status "$1" --argjson ts "$2" --argjson offset "$3" '{topic: $topic, partition: 0, offset: $offset,
		timestamp: (1795410144990 + $offset), key: ({id: "c-1"} | tojson), value: ({before: null, op: "u", source: {lsn: 5000, ts_ms: $ts},
		after: {id: "c-1", status: $status, tier: "tier_1", created_at: "2026-11-20T10:00:00Z"}} | tojson)}'
}
for how in 'sent twice' 'later at the source'; do
	time=1795410000000
	[ "$how" = 'sent twice' ] || time=1795410000001
	change executing 1795410000000 0 >first.jsonl
	change verified $time 1 >second.jsonl
	for batches in one two; do
		new_cube "${how// /_}_$batches"
		own_topics "${CUBE_TEST_PREFIX}_${how// /_}_$batches"
		sed "s/\"topic\":\"[^\"]*\"/\"topic\":\"$GRACECUBE_KAFKA_GROUP_ID.action_contracts\"/" first.jsonl >first
		sed "s/\"topic\":\"[^\"]*\"/\"topic\":\"$GRACECUBE_KAFKA_GROUP_ID.action_contracts\"/" second.jsonl >second
		publish first
		[ $batches = one ] || catch_up
		publish second
		catch_up
		sql -c "SELECT contract_status FROM cube.fact_verification_executions" >"$batches.status"
	done
	diff one.status two.status >&2 || fail "a change $how: in one batch $(cat one.status), in two $(cat two.status)"
	seen+="${seen:+; }$how: $(cat one.status)"
done
shown "two changes at one log position end the same in one batch and in two: $seen"
