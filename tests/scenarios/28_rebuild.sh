#!/usr/bin/env bash
# A rule has changed: the cube is made again from its topics beside the live one, while traffic flows, and killed at every stage. What was wrong
# is shown, the two change places, and `run` and `serve` go on without a restart: nothing is lost, nothing doubled, keys, tokens and dead letters
# stay. Then one stream alone is made again. Then Kafka loses the beginning of its topics: the rows of what cannot be read again stay, unless
# capture files have it.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

new_cube
new_topics capture
more_traffic generated 28 800
expect capture generated
records=$(read_records capture generated)

one() { sql -c "SELECT $1"; }
has() { [ "$(one "$1")" = t ]; }
# comes_to CONDITION → waits for a minute. Asked every few milliseconds, from within one session: some states are over sooner than a psql starts.
comes_to() {
	sql -c "DO \$\$ BEGIN FOR i IN 1..12000 LOOP IF $1 THEN RETURN; END IF; COMMIT; PERFORM pg_stat_clear_snapshot(), pg_sleep(0.005); END LOOP;
		RAISE 'not within a minute'; END \$\$" >&2
}
rebuild() { "$CUBE_TEST_BIN" rebuild --progress none "$@"; }

# --- A cube that is wrong, and in use ---------------------------------------------------------------------------------------------
# chunks of what is to come, published one after another until somebody is in a hurry
for file in generated/*.jsonl; do
	mkdir -p parts
	split -n l/60 -d "$file" parts/
	for part in parts/*; do
		mkdir -p "chunks/${part#parts/}"
		mv "$part" "chunks/${part#parts/}/${file##*/}"
	done
done
# the last ones are for later
mkdir later
mv chunks/5[89] later/
traffic() {
	local chunk
	for chunk in "${1:-chunks}"/*; do
		if [ -e hurry ]; then
			mkdir -p rest
			for file in "$chunk"/*; do cat "$file" >>"rest/${file##*/}"; done
		else
			publish --rate "${CUBE_TEST_RATE:-40}" "$chunk"/*
		fi
	done
	[ ! -e rest ] || publish rest/*
}

publish capture/*
printf '{"topic": "%s.approval_requests", "partition": 1, "key": "k", "value": "not a record"}\n' "$CUBE_TEST_PREFIX" "$CUBE_TEST_PREFIX" >garbage.jsonl
publish garbage.jsonl
# a rule that was wrong: durations were put into buckets that are too high
sql -c "CREATE OR REPLACE FUNCTION cube.log_bucket(v double precision) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
	'SELECT CASE WHEN v > 0 THEN ceil(ln(v) / 0.0198026272961797130)::int + 7 ELSE -32768 END'"
start run "$CUBE_TEST_BIN" run -s run.workers=2
run=$PID
reaches $(($(read_records capture) + 2)) 60
"$CUBE_TEST_BIN" dead discard "$(one 'min(dead_letter_id) FROM cube.etl_dead_letter')" >&2
# and rows that were changed by hand
contract=$(one "min(contract_id) FROM cube.fact_verification_executions WHERE NOT was_successful")
sql -c "UPDATE cube.fact_verification_executions SET was_successful = true, confidence_score = 0.123 WHERE contract_id = '$contract'"

# --- Months, made by two at once ---------------------------------------------------------------------------------------------------------
# With a lock for each month, who had made the first of two months and needed the second one waited for somebody who had that one's lock and waited
# for the fact.
cat >months.sql <<-'SQL'
	BEGIN;
	SELECT cube.ensure_partitions('{approvals}', '{732}');
	DO 'BEGIN
		FOR i IN 1..600 LOOP
			EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()));
			PERFORM pg_sleep(0.1);
		END LOOP;
	END';
	SELECT cube.ensure_partitions('{approvals}', '{733}');
	COMMIT;
SQL
start months sql -f months.sql
months=$PID
comes_to "EXISTS (SELECT FROM pg_locks WHERE relation = 'cube.fact_approvals'::regclass AND mode = 'ShareUpdateExclusiveLock' AND granted)" ||
	fail 'nobody makes a month'
sql -c "SELECT cube.ensure_partitions('{approvals}', '{733}')" >&2 || fail 'who makes the second of two months is not waited for'
ends "$months" 60
equal 'exit code of who makes two months' "$STATUS" 0

# what people have made beside it
sql -c "DO 'BEGIN CREATE ROLE rebuild_guest; EXCEPTION WHEN duplicate_object OR unique_violation THEN END'" -c 'GRANT SELECT ON cube.cube_executions TO rebuild_guest' \
	-c 'CREATE SCHEMA mine' -c 'CREATE VIEW mine.executions AS SELECT count(*) AS n FROM cube.fact_verification_executions'
printf 'metrics:\n  mine:\n    label: Mine\n    about: Mine.\n    unit: count\n    fact: executions\n    formula: count\n' >mine.yaml
"$CUBE_TEST_BIN" migrate -s cube.metrics_files=mine.yaml >&2

port=$(free_port)
"$CUBE_TEST_BIN" token create alice --role operator --json >token.json
start serve "$CUBE_TEST_BIN" serve -s "serve.listen=127.0.0.1:$port"
serve=$PID
cat >ask.py <<'PY'
import json, os, sys, time, urllib.request
port, token, out = sys.argv[1:]
asked = refused = 0
longest = 0.0
while True:
    request = urllib.request.Request(f'http://127.0.0.1:{port}/api/cube/metrics/verification-success-rate?days=30', headers={'Authorization': f'Bearer {token}'})
    began = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            json.load(answer)
    except OSError as error:
        refused += 1
        print(error, file=sys.stderr)
    longest = max(longest, time.monotonic() - began)
    asked += 1
    with open(out + '.part', 'w') as file:
        json.dump({'asked': asked, 'refused': refused, 'longest_ms': round(longest * 1000)}, file)
    os.replace(out + '.part', out)
    time.sleep(0.02)
PY
is_open() { (: </dev/tcp/127.0.0.1/"$port") 2>/dev/null; }
wait_until 30 is_open || fail 'serve does not listen'
start ask python3 -B ask.py "$port" "$(jq -r .token token.json)" asked.json
ask=$PID
start publish traffic
publisher=$PID
sql -F ' ' -c "SELECT 'actor', actor_id, actor_key FROM cube.dim_actor UNION ALL SELECT 'component', component_name, component_key FROM cube.dim_component
	UNION ALL SELECT 'mission', mission_id, mission_key FROM cube.dim_mission UNION ALL SELECT 'tier', tier_code, tier_key FROM cube.dim_tier" | sort >keys

# --- Made again, killed at every stage -----------------------------------------------------------------------------------------------
# killed STAGE CONDITION OPTION… → a rebuild is killed as soon as the condition holds
killed() {
	local stage=$1 condition=$2 pid
	shift 2
	start rebuild "$CUBE_TEST_BIN" rebuild --progress none -s run.batch_records=50 "$@"
	pid=$PID
	comes_to "$condition" || fail "a rebuild did not come to: $stage; $(tail -n 2 rebuild.log)"
	kill -KILL "$pid" || fail "it had ended before it could be killed while $stage"
	ends "$pid" 5
}
is_saying() { printf "EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name ~ '^gracecube(/cube_rebuild)? (rebuild|migrate)' AND state <> 'idle' AND query ~ '%s')" "$1"; }
# a table of the new cube may not be there yet
sum_of() { printf "coalesce((xpath('/row/n/text()', query_to_xml('SELECT %s AS n FROM cube_rebuild.etl_offset %s', true, true, '')))[1]::text::bigint, 0)" "$1" "${2:-}"; }
killed 'making the schema' "$(is_saying 'CREATE OR REPLACE')"
killed 'the schema is there' "to_regclass('cube_rebuild.etl_offset') IS NOT NULL"
killed 'reading' "to_regclass('cube_rebuild.etl_offset') IS NOT NULL AND $(sum_of 'sum(next_offset - first_offset)') > 200"
killed 'comparing' "$(is_saying 'compare_')"
# the server's side of it
start rebuild "$CUBE_TEST_BIN" rebuild --progress none
comes_to "$(is_saying 'compare_|follow')" || fail 'a rebuild says nothing'
sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name ~ '^gracecube(/cube_rebuild worker| rebuild|/cube_rebuild rebuild)'" >&2
ends "$PID" 60
[ "$STATUS" -eq 69 ] || [ "$STATUS" -eq 75 ] || fail "exit code of a rebuild whose connections were ended: $STATUS"

# two at once
start first "$CUBE_TEST_BIN" rebuild --progress none --json
first=$PID
comes_to "$(is_saying 'compare_|follow')" || fail 'the first of two rebuilds says nothing'
kill -STOP "$first"
STATUS=0
rebuild >second.out 2>&1 || STATUS=$?
equal 'exit code of a second rebuild' "$STATUS" 75
kill -CONT "$first"
contains 'a second rebuild' second.out 'another rebuild is at work'
ends "$first" 120
equal "exit code of a rebuild that finds differences: $(tail -n 2 first.log)" "$STATUS" 1
of() { jq -r --arg of "$1" --arg what "$2" '[.differences[] | select(.of == $of)][0][$what]' "$3"; }
equal 'contracts that differ' "$(of fact_verification_executions different first.out) $(of fact_verification_executions example first.out)" "1 $contract"
equal 'tables with rows that differ' "$(jq -r '[.differences[] | select(.kind == "rows" and .different + .only_live + .only_new > 0).of] | join(" ")' first.out)" \
	'fact_verification_executions'
equal 'rollups with cells that differ' "$(jq -r '[.differences[] | select(.kind == "cells" and .different + .only_live + .only_new > 0).of] | join(" ")' first.out)" \
	'rollup_verification_confidence rollup_verification_duration rollup_verification_hourly'
equal 'the success rate that is shown' "$(jq '[.metrics[] | select(.metric == "verification success rate, %")][0] | .live > .new' first.out)" true
shown "a rebuild killed at 4 stages and once more by the server goes on; 2 at once: refused; $(jq .rows_differing first.out) rows and $(jq .cells_differing first.out) cells differ: one contract changed by hand, durations by a rule"

# --- The swap, under traffic ----------------------------------------------------------------------------------------------------------------
killed 'swapping' "$(is_saying 'CREATE OR REPLACE')" --swap
has "to_regnamespace('cube_old') IS NULL" || fail 'a swap that was killed has swapped'
[ -e hurry ] || [ "$(position)" -lt "$records" ] || fail 'no traffic flows any more'
# and after the commit, before its last step: that waits for somebody who has a row of the cube before
PGAPPNAME=holder start holder sql -c 'BEGIN' -c 'SELECT count(*) FROM (SELECT FROM cube.schema_file FOR UPDATE) f' -c 'SELECT pg_sleep(600)'
holder=$PID
comes_to "EXISTS (SELECT FROM pg_locks WHERE relation = 'cube.schema_file'::regclass AND mode = 'RowShareLock' AND granted)" || fail 'nobody holds a row'
killed 'finishing a swap' "to_regnamespace('cube_old') IS NOT NULL" --swap
sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name ~ '^(holder|gracecube rebuild)'" >&2
ends "$holder" 20
says_live() { one "count(*) > 0 FROM pg_proc WHERE pronamespace = 'cube_old'::regnamespace AND 'search_path=cube, pg_temp' = ANY (proconfig)"; }
equal 'the old cube speaks of the new one' "$(says_live)" t
rebuild --swap --json >swap.json 2>>rebuild.log || fail "rebuild --swap ended with $?: $(tail -n 2 rebuild.log)"
equal swapped "$(jq .swapped swap.json)" true
equal 'the old cube speaks of the new one, once the swap was finished' "$(says_live)" f
[ "$(position)" -lt "$((records + 2))" ] || fail 'all traffic was over before the swap'
touch hurry
ends "$publisher" 120
held=$(read_records later/*)
reaches $((records + 2 - held)) 60
kill -TERM "$ask"
STATUS=0
wait "$ask" || STATUS=$?
for process in $run $serve; do kill -0 "$process" || fail "process $process is gone"; done
ledger_is $((records + 2 - held))
verify_agrees
equal 'dead letters' "$(sql -c "SELECT string_agg(coalesce(outcome, 'waits'), ' ' ORDER BY kafka_offset) FROM cube.etl_dead_letter")" 'discarded waits'
sql -F ' ' -c "SELECT 'actor', actor_id, actor_key FROM cube.dim_actor UNION ALL SELECT 'component', component_name, component_key FROM cube.dim_component
	UNION ALL SELECT 'mission', mission_id, mission_key FROM cube.dim_mission UNION ALL SELECT 'tier', tier_code, tier_key FROM cube.dim_tier" | sort >keys-after
equal 'members with other keys' "$(comm -23 keys keys-after | wc -l)" 0
equal 'keys with two members' "$(cut -d ' ' -f 1,3 keys-after | uniq -d | wc -l)" 0
equal 'requests that were refused' "$(jq .refused asked.json)" 0
equal 'requests in the audit' "$(one "count(*) >= $(jq .asked asked.json) FROM cube.api_audit")" t
equal 'what says the name of the shadow' "$(one "count(*) FROM pg_proc WHERE prosrc ~ 'cube_rebuild' OR proconfig::text ~ 'cube_rebuild'")" 0
equal "the old cube's answer by its own functions" "$(one "was_successful FROM cube_old.cube_executions WHERE contract_id = '$contract'")" t
equal 'a right that was granted by hand' "$(one "has_table_privilege('rebuild_guest', 'cube.cube_executions', 'SELECT')")" t
equal 'metrics that the rebuild was not told of' "$(one "count(*) FROM cube.metric_catalog WHERE file = 'mine.yaml'")" 1
contains 'views elsewhere' rebuild.log 'mine.executions'
STATUS=0
rebuild --drop-old >drop.out 2>&1 || STATUS=$?
equal "exit code of dropping what a view elsewhere reads: $(tail -n 1 drop.out)" "$STATUS" 78
sql -c 'CREATE OR REPLACE VIEW mine.executions AS SELECT count(*) AS n FROM cube.fact_verification_executions'
rebuild --drop-old >&2
has "to_regnamespace('cube_old') IS NULL" || fail 'the old cube is still there'
sql -c 'DROP VIEW mine.executions'
STATUS=0
rebuild --abandon >&2 || STATUS=$?
equal 'exit code of abandoning nothing' "$STATUS" 1
shown "swapped under traffic, killed before and after its commit, run and serve never restarted: verify: all equal, keys as before; $(jq .asked asked.json) requests, none refused, the slowest $(jq .longest_ms asked.json) ms"
kill -TERM "$serve"
ends "$serve" 20

# --- One stream again --------------------------------------------------------------------------------------------------------------------
contract=$(one "min(contract_id) FROM cube.fact_verification_executions WHERE NOT was_successful AND mission_key > 0 AND created_snapshot")
sql -c "UPDATE cube.fact_verification_executions SET was_successful = true, mission_key = 0, created_snapshot = false WHERE contract_id = '$contract'"
approval=$(one "min(approval_id) FROM cube.fact_approvals WHERE status = 'approved'")
sql -c "CREATE TABLE mine.approval AS SELECT approval_id, decision_reason FROM cube.fact_approvals WHERE approval_id = '$approval'" \
	-c "UPDATE cube.fact_approvals SET decision_reason = 'by hand' WHERE approval_id = '$approval'"
STATUS=0
rebuild --stream contracts >&2 || STATUS=$?
equal 'exit code of a stream that there is not' "$STATUS" 2
rm -rf hurry rest
start publish traffic later
publisher=$PID
killed 'reading one stream' "to_regclass('cube_rebuild.etl_offset') IS NOT NULL AND $(sum_of 'count(*)') > 0" --stream action_contracts
STATUS=0
rebuild --stream approval_requests >&2 2>other.log || STATUS=$?
equal 'exit code of another stream than that under way' "$STATUS" 78
contains 'another stream' other.log 'a rebuild of action_contracts is under way'
STATUS=0
rebuild --json >stream.json 2>>rebuild.log || STATUS=$?
equal "exit code of a rebuild of one stream that finds differences: $(tail -n 2 rebuild.log)" "$STATUS" 1
equal 'what differs of one stream' "$(jq -r '[.differences[] | select(.kind == "rows" and .different + .only_live + .only_new > 0) | .of, .different, .example] | join(" ")' stream.json)" \
	"fact_verification_executions 1 $contract"
[ "$(jq .records stream.json)" -lt $((records * 2 / 3)) ] || fail "a rebuild of one stream reads $(jq .records stream.json) of $records records"
touch hurry
rebuild --swap >&2 2>swapped.log || fail "rebuild --swap ended with $?: $(tail -n 2 swapped.log)"
equal 'warnings of a swap' "$(grep level=warn swapped.log || true)" ''
ends "$publisher" 60
reaches $((records + 2)) 60
ledger_is $((records + 2))
verify_agrees
answers_are
equal 'a row of another stream, changed by hand' "$(one "decision_reason FROM cube.fact_approvals WHERE approval_id = '$approval'")" 'by hand'
sql -c 'UPDATE cube.fact_approvals f SET decision_reason = a.decision_reason FROM mine.approval a WHERE a.approval_id = f.approval_id'
equal 'dead letters' "$(sql -c "SELECT string_agg(coalesce(outcome, 'waits'), ' ' ORDER BY kafka_offset) FROM cube.etl_dead_letter")" 'discarded waits'
rebuild --drop-old >&2
shown "contracts alone are made again, while all streams flow: $(jq .records stream.json) of $records records are read, their links are right, all else stays as it was; answers as the oracle's"
kill -TERM "$run"
ends "$run" 20

# archive STREAM [OPTION…] → what its topic has, as capture lines
archive() {
	kcat -C -e -q -J -b "$CUBE_TEST_BROKERS" -t "$CUBE_TEST_PREFIX.$1" "${@:2}" 2>/dev/null |
		jq -c '{topic, partition, offset, timestamp: .ts, headers: [(.headers // []) | _nwise(2) | select(. != [])], key, value: .payload}'
}
mkdir archive
while read -r stream; do
	archive "$stream" >"archive/$CUBE_TEST_PREFIX.$stream.jsonl"
done < <(sql -c 'SELECT DISTINCT stream FROM cube.etl_offset')

# what is thrown away of histories does not come again, from wherever it is read
histories() { sql -c "SELECT to_jsonb(h) - 'loaded_at' FROM cube.dim_mission_history h ORDER BY mission_key, version_number" -c 'SELECT count(*) FROM cube.base_missions'; }
"$CUBE_TEST_BIN" retention -s retention.histories=1s --json >retention.json
[ "$(jq .rows retention.json)" -gt 0 ] || fail 'no history is thrown away'
histories >held

# --- Kafka has lost the beginning ------------------------------------------------------------------------------------------------------
sql -F ' ' -c 'SELECT topic, partition, next_offset * 2 / 3 FROM cube.etl_offset WHERE next_offset > 3 ORDER BY 1, 2' | while read -r topic partition offset; do
	python3 -B "$CUBE_TEST_ROOT/tests/lib/kafka.py" "$CUBE_TEST_BROKERS" delete-records "$topic" "$partition" "$offset"
done
STATUS=0
rebuild --json >eaten.json 2>>rebuild.log || STATUS=$?
equal "exit code of a rebuild of what Kafka has left: $(jq -c '[.differences[] | select(.only_live + .only_new + .different > 0)]' eaten.json; tail -n 2 rebuild.log)" "$STATUS" 0
[ "$(jq .records_gone eaten.json)" -gt 500 ] || fail "records that are gone: $(jq .records_gone eaten.json)"
rebuild --swap >&2
verify_agrees
answers_are
ledger_is $((records + 2))
histories | diff held - >&2 || fail 'histories are not what they were'
shown "$(jq .records_gone eaten.json) records are no longer in Kafka: their rows stay, $(jq .records eaten.json) are read again; nothing differs, answers as the oracle's"
rebuild --drop-old >&2

# --- Capture files have it ----------------------------------------------------------------------------------------------------------------
contract=$(one "k.contract_id FROM cube.key_verification_executions k JOIN cube.fact_verification_executions f USING (contract_id, created_at) WHERE NOT f.was_successful ORDER BY k.record_offset LIMIT 1")
sql -c "UPDATE cube.fact_verification_executions SET was_successful = true WHERE contract_id = '$contract'"
# Links that wait for their slice are made in both, and are no difference.
sql -c "WITH m AS (SELECT m.mission_key, m.mission_id FROM cube.fact_verification_executions f JOIN cube.dim_mission m USING (mission_key) WHERE f.mission_ref = m.mission_id GROUP BY 1, 2 ORDER BY 1 LIMIT 1),
	u AS (UPDATE cube.fact_verification_executions f SET mission_key = 0 FROM m WHERE f.mission_ref = m.mission_id AND f.mission_key = m.mission_key RETURNING m.mission_id)
	INSERT INTO cube.relink_queue (target, column_name, value) SELECT DISTINCT 'verification_executions', 'mission_ref', mission_id FROM u"
equal 'links that wait' "$(one 'count(*) FROM cube.relink_queue')" 1
STATUS=0
rebuild --stream action_contracts --json >kept.json 2>>rebuild.log || STATUS=$?
equal "exit code of a rebuild of a stream that has lost its beginning: $(tail -n 2 rebuild.log)" "$STATUS" 0
[ "$(jq .records_gone kept.json)" -gt 100 ] || fail "records of one stream that are gone: $(jq .records_gone kept.json)"
rebuild --abandon >&2
# refused WHAT TEXT FILE… → files that are not taken
refused() {
	local what=$1 text=$2
	shift 2
	STATUS=0
	rebuild "$@" >refused.out 2>refused.log || STATUS=$?
	equal "exit code of $what" "$STATUS" 78
	contains "$what" refused.log "$text"
}
contracts=archive/$CUBE_TEST_PREFIX.action_contracts.jsonl
head -n 20 "$contracts" >short.jsonl
refused 'files that end too early' 'name the files, too, that have what is between' short.jsonl
tac "$contracts" >turned.jsonl
refused 'files in another order' 'name the files in the order of their records' turned.jsonl
jq -c 'del(.offset)' short.jsonl >bare.jsonl
refused 'records without offsets' 'each must have topic, partition and offset' bare.jsonl
has "to_regnamespace('cube_rebuild') IS NULL" || fail 'a rebuild of files that are not taken was begun'
killed 'reading files' "to_regclass('cube_rebuild.etl_offset') IS NOT NULL AND $(sum_of 'sum(next_offset - first_offset)') > 100" archive/*.jsonl
STATUS=0
rebuild --json archive/*.jsonl >files.json 2>>rebuild.log || STATUS=$?
equal "exit code of a rebuild of files: $(tail -n 2 rebuild.log)" "$STATUS" 1
equal 'rows that differ from what the files have' "$(jq -r '[.differences[] | select(.kind == "rows" and .different + .only_live + .only_new > 0) | .of, .different, .example] | join(" ")' files.json)" \
	"fact_verification_executions 1 $contract"
equal 'records that can not be read any more' "$(one "kept FROM cube_rebuild.rebuild ORDER BY rebuild_id DESC LIMIT 1")" 0
rebuild --swap archive/*.jsonl >&2
verify_agrees
answers_are
ledger_is $((records + 2))
histories | diff held - >&2 || fail 'histories that were read again are not what they were'
equal 'versions that were read again and are gone' "$(one 'sum(expired) > 0 FROM cube.etl_offset')" t
equal 'dead letters' "$(sql -c "SELECT string_agg(coalesce(outcome, 'waits'), ' ' ORDER BY kafka_offset) FROM cube.etl_dead_letter")" 'discarded waits'
shown "capture files have what Kafka has lost: all is made again from them and what follows on the topics, no row is kept; short, turned and bare files are refused; answers as the oracle's"

# --- A clock that was set back ------------------------------------------------------------------------------------------------------------
# Twenty contracts are made, then the clock of their database goes back by an hour, and each is changed sixty times. Which change is the last one
# only its log says, so whoever goes on behind a kill must know what was read before it: else what follows seems to be older.
rebuild --drop-old >&2
topic=$CUBE_TEST_PREFIX.action_contracts
mkdir clocks
jq -nc --arg topic "$topic" 'range(1220) as $n | {id: "clock-\($n % 20)"} as $key | (1795400000000 + $n) as $ms | {
	$topic, partition: 1, offset: $n, timestamp: $ms, headers: [], key: ($key | tojson), value: ({
		op: (if $n < 20 then "c" else "u" end), before: null,
		after: ($key + {created_at: 1793000000000000, status: (if $n < 1200 then "executing" else "verified" end)}),
		source: {name: "clocks", lsn: (1000 + $n), ts_us: ($ms * 1000 - if $n < 20 then 0 else 3600000000 end)}} | tojson)}' >"clocks/$topic.jsonl"
publish --keep-partition clocks/*
catch_up
expect capture generated clocks
answers_are
end=$(one "next_offset FROM cube.etl_offset WHERE topic = '$topic' AND partition = 1")
archive action_contracts -p 1 -o $((end - 1220)) >>"$contracts"
of_clocks="WHERE topic = ''$topic'' AND partition = 1"
killed 'reading behind a clock that was set back' "to_regclass('cube_rebuild.etl_offset') IS NOT NULL AND $(sum_of 'sum(next_offset)' "$of_clocks") > $((end - 1100))" \
	-s run.batch_records=10 --stream action_contracts "$contracts"
order_of() { one "record_order FROM $1.etl_offset WHERE topic = '$topic' AND partition = 1"; }
has "next_offset < $end FROM cube_rebuild.etl_offset WHERE topic = '$topic' AND partition = 1" || fail 'all was read before it was killed'
STATUS=0
rebuild --json "$contracts" >clocks.json 2>>rebuild.log || STATUS=$?
equal "exit code of a rebuild that was killed behind a clock that was set back: $(jq -c '[.differences[] | select(.only_live + .only_new + .different > 0)]' clocks.json; tail -n 2 rebuild.log)" "$STATUS" 0
equal 'the order of a partition' "$(order_of cube_rebuild)" "$(order_of cube)"
rebuild --swap "$contracts" >&2
verify_agrees
answers_are
shown "a source's clock was set back: files that are read on behind a kill end as the topics that were read in one piece, answers as the oracle's"

# shellcheck source=/dev/null
[ -z "${CUBE_TEST_CAMPAIGN:-}" ] || . "$CUBE_TEST_ROOT/tests/lib/rebuild_campaign.sh"
