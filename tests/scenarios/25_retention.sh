#!/usr/bin/env bash
# Old months go while records come and somebody reads: by `run` itself, and by `gracecube retention` that is killed on the way. What was summed
# of them stays to the last cell, verify says up to where it cannot be computed again, and what comes for them afterwards is expired:
# counted, not lost, not dead, and in no sum twice.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

# kept_for MONTH → how long facts are to be kept so that those before this month go
kept_for() { echo "$((($(date +%s) - $(date -ud "$1-02" +%s)) / 86400))d"; }
# sums → what every rollup says, whatever its lanes
sums() {
	sql <<-'SQL'
		SELECT format('SELECT %L, count(*), coalesce(sum(hashtext(t::text)::bigint), 0) FROM (SELECT %s, %s FROM cube.%1$I GROUP BY %2$s HAVING %4$s) t;', rollup,
			cube.columns_of(cells, '%1$I'), cube.columns_of(sums, 'sum(%1$I)::numeric AS %1$I'), cube.columns_of(sums, 'sum(%1$I) <> 0', ' OR ')) FROM cube.rollup ORDER BY rollup
		\gexec
	SQL
}
# facts_since DAY → every fact of that time, but when it was written
facts_since() {
	sql -v day="$1" <<-'SQL'
		SELECT format('SELECT %L, count(*), coalesce(sum(hashtext((to_jsonb(t) - ''loaded_at'')::text)::bigint), 0) FROM cube.%I t WHERE created_at >= %L;', fact, fact, :'day' || 'Z')
		FROM cube.fact ORDER BY fact
		\gexec
	SQL
}
months_before() { sql -c "SELECT count(*) FROM pg_class WHERE relnamespace = 'cube'::regnamespace AND relkind = 'r' AND relname ~ '^fact_.*_\d{4}_\d{2}\$' AND right(relname, 7) < '${1/-/_}'"; }
old_are_gone() { [ "$(months_before "$1")" = 0 ] && [ "$(sql -c 'SELECT count(*) FROM cube.closed_month WHERE dropped_at IS NULL')" = 0 ]; }
ledger() { sql -c "SELECT sum($1) FROM cube.etl_offset"; }
retention() { "$CUBE_TEST_BIN" retention --json "$@"; }

new_cube
new_topics capture
more_traffic august 24 300 75
more_traffic september 25 300 40
publish capture/* august/* september/*
catch_up
verify_agrees
sums >before
"$CUBE_TEST_BIN" retention >nothing.out
contains 'retention without options' nothing.out 'all is kept for ever'

# --- What would go ---
retention --dry-run -s "retention.facts=$(kept_for 2026-10)" >plan.json
equal 'facts that would go' "$(jq '[.tables[] | select(.kind == "facts") | .rows] | add' plan.json)" \
	"$(sql -c "SELECT string_agg(format('SELECT count(*) AS n FROM cube.%I WHERE created_at < ''2026-10-01Z''', fact), ' UNION ALL ') FROM cube.fact" | sed 's/.*/SELECT sum(n) FROM (&) s/' >count.sql && sql -f count.sql)"
bytes=$(jq '[.tables[] | select(.kind == "facts") | .bytes] | add' plan.json)
size_before=$(sql -c "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relnamespace = 'cube'::regnamespace AND relispartition AND relkind = 'r'")
[ "$bytes" -gt 0 ] || fail 'a dry run finds no bytes'
sums | diff before - >&2 || fail 'a dry run changed sums'
equal 'months after a dry run' "$(sql -c 'SELECT count(*) FROM cube.closed_month') $(sql -c 'SELECT count(*) FROM cube.horizon')" '0 0'

# --- A month whose sums are wrong stays ---
sql -c "INSERT INTO cube.rollup_approvals_daily SELECT day, tier_key, actor_key, 9999, 1, 0, 0, 0, 0 FROM cube.rollup_approvals_daily WHERE day < '2026-10-01' LIMIT 1"
STATUS=0
retention -s "streams.approval_requests.retention=$(kept_for 2026-10)" >wrong.json 2>wrong.log || STATUS=$?
equal 'exit code with a wrong sum' "$STATUS" 78
contains 'a wrong sum' wrong.log 'rollup_approvals_daily, cell'
[ "$(months_before 2026-10)" -gt 0 ] || fail 'a month with wrong sums was dropped'
sql -c 'DELETE FROM cube.rollup_approvals_daily WHERE lane = 9999'
sums | diff before - >&2 || fail 'the wrong sum is not mended'
shown "$(jq .rows plan.json) rows and $bytes bytes would go, a dry run changes nothing; a month whose sums are not those of its facts is named, and stays"

# --- run does it, while records come and somebody reads; a transaction that reads for long keeps its table until it ends ---
more_traffic october 26 400
cat >reader.sql <<-'SQL'
	SET lock_timeout = '1s';
	SELECT 'executions ' || coalesce(sum(executions), 0) FROM cube.rollup_verification_hourly WHERE component_key = -1 AND hour < extract(epoch FROM timestamptz '2026-10-01Z') / 3600;
	SELECT 'days ' || count(*) FROM cube.cube_daily_verification_by_tier WHERE (year, month) < (2026, 10);
	SELECT 'facts ' || count(*) FROM cube.fact_verification_executions;
SQL
mkfifo stay
start keeper psql -X -q -At -d "$GRACECUBE_POSTGRES_DSN" -c 'BEGIN' -c 'SELECT count(*) FROM cube.fact_approvals' -c '\! cat stay' -c COMMIT
keeper=$PID
held() { [ -n "$(sql -c "SELECT 1 FROM pg_locks WHERE relation = 'cube.fact_approvals'::regclass AND pid <> pg_backend_pid()")" ]; }
wait_until 20 held || fail 'nobody reads fact_approvals'
port=$(free_port)
start run "$CUBE_TEST_BIN" run -s "http.listen=127.0.0.1:$port" -s retention.interval=1s -s "retention.facts=$(kept_for 2026-10)" -s retention.histories=1s -s run.batch_records=50
run=$PID
start other "$CUBE_TEST_BIN" run -s retention.interval=1s -s "retention.facts=$(kept_for 2026-10)" -s retention.histories=1s -s run.batch_records=50
other=$PID
touch reading
while [ -e reading ]; do sql -f reader.sql; done >reader.out 2>reader.log &
reader=$!
publish --rate 400 october/* # 4 to 5 s
only_approvals_are_left() { [ "$(sql -c "SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r' AND relname ~ '^fact_.*_2026_0' AND relname !~ 'approvals'")" = 0 ]; }
wait_until 90 only_approvals_are_left || fail "months that nobody reads are still there: $(sql -c 'SELECT fact, month, dropped_at FROM cube.closed_month')"
[ "$(months_before 2026-10)" -gt 0 ] || fail 'a table that is being read was dropped'
# it does not ask for a lock while somebody holds one for long: there is nothing behind which others would have to wait
sql >asked <<-'SQL' &
	SELECT set_config('lock_timeout', '0', false) \g /dev/null
	DO $$
	DECLARE asked int := 0;
	BEGIN
		FOR i IN 1..400 LOOP
			asked := asked + (SELECT count(*) FROM pg_locks WHERE relation = 'cube.fact_approvals'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted);
			PERFORM pg_sleep(0.01);
		END LOOP;
		PERFORM set_config('seen.asked', asked::text, false);
	END $$;
	SELECT current_setting('seen.asked');
SQL
looking=$!
STATUS=0
"$CUBE_TEST_BIN" retention --wait 3s -s "retention.facts=$(kept_for 2026-10)" >kept.out 2>kept.log || STATUS=$?
equal 'exit code while a table is read' "$STATUS" 75
named() { grep -q 'it is in use for more than a second by psql (pid' kept.log run.log other.log; }
wait_until 90 named || fail "nobody is named: $(tail -n 2 kept.log)"
wait "$looking"
equal 'locks that were waited for on a table that is read for long' "$(cat asked)" 0
verify_agrees
echo >stay
ends "$keeper" 20
wait_until 90 old_are_gone 2026-10 || fail "old months are still there: $(cat run.log other.log | tail -n 3)"
reaches "$(read_records capture august september october)" 90
rm reading
wait "$reader"
[ ! -s reader.log ] || fail "a reader had an error: $(head -n 1 reader.log)"
# some of the records that came are of old months: until these were closed they were added, and then nothing went
for what in executions days; do
	grep "^$what" reader.out | sort -c -k 2n 2>sorted.log || fail "a reader saw sums of old months become less: $(cat sorted.log)"
done
verify_agrees
equal 'dead letters' "$(sql -c 'SELECT count(*) FROM cube.etl_dead_letter')" "$(ledger dead)"
equal 'facts with a horizon, by verify' "$(jq '[.checks[] | select(.check == "closed, can not be computed again" and (.of | startswith("fact_")))] | length' verify.json)" "$(sql -c 'SELECT count(*) FROM cube.fact')"
contains 'verify says since when' verify.json 'facts before 2026-10-01 are dropped'
equal 'minutes before' "$(sql -c "SELECT count(*) FROM cube.dim_time WHERE \"timestamp\" < '2026-10-01Z'")" 0
size_after=$(sql -c "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relnamespace = 'cube'::regnamespace AND relispartition AND relkind = 'r' AND relname !~ '2026_1|2027'")
equal 'bytes of old months' "${size_after:-0}" 0
equal 'bytes that went' "$(sql -c 'SELECT sum(bytes) FROM cube.closed_month')" "$bytes"
facts_since 2026-10-01 >since_now
shown "run dropped $(sql -c 'SELECT count(*) FROM cube.closed_month') months of facts, $(sql -c 'SELECT sum(facts) FROM cube.closed_month') rows and $bytes of $size_before bytes as foretold, while 400 records/s came; $(grep -c ^facts reader.out) times a reader saw all sums of these months"

# --- What comes for months that are gone ---
sums >before
expired=$(ledger expired)
gone=$(sql -c "SELECT min(contract_id) FROM cube.key_verification_executions WHERE created_at < '2026-10-01Z'")
deleted=$(sql -c "SELECT max(contract_id) FROM cube.key_verification_executions WHERE created_at < '2026-10-01Z'")
moved_out=$(sql -c "SELECT max(contract_id) FROM cube.key_verification_executions WHERE created_at < '2026-10-01Z' AND contract_id < '$deleted'")
moved_in=$(sql -c "SELECT max(contract_id) FROM cube.fact_verification_executions WHERE created_at >= '2026-11-01Z'")
error=$(sql -c "SELECT max(error_id) FROM cube.key_error_events WHERE created_at < '2026-10-01Z' AND error_id LIKE 'security\_event:%'")
record() { jq -nc --arg topic "$CUBE_TEST_PREFIX.$1" --arg key "$(jq -nc --arg id "$2" '{id: $id}')" --arg value "$3" '{topic: $topic, key: $key, value: $value}'; }
contract() { record action_contracts "$1" "$(jq -nc --arg id "$1" --arg at "$2" '{id: $id, created_at: $at, status: "failed", tier: "tier_1", confidence_score: 0.5}')"; }
{
	contract late-1 2026-09-10T10:00:00Z # a record that was late
	contract "$gone" "$(sql -c "SELECT to_json(created_at)#>>'{}' FROM cube.key_verification_executions WHERE contract_id = '$gone'")" # a change of a fact that went
	contract "$moved_out" 2026-11-20T10:00:00Z # a correction out of its month
	contract "$moved_in" 2026-08-20T10:00:00Z                                             # a correction into one
	record action_contracts "$deleted" "$(jq -nc --arg id "$deleted" '{before: {id: $id}, after: null, op: "d", source: {ts_ms: 1795900000000, lsn: 999999999999}}')"
	record security_events "${error#security_event:}" "$(jq -nc --arg id "${error#security_event:}" '{id: $id, action: "x", severity: "low", actor: "hunter", resource: "r", status: "resolved", created_at: "2026-09-01T00:00:00Z", resolved_at: "2026-11-01T00:00:00Z"}')"
	record trigger_events m-1 '{"event_type": "error.detected", "source": "input_sentinel", "actor": "input_sentinel", "resource": "r", "payload": {"error_id": "late-mesh", "error_type": "t", "severity": "low"}, "timestamp": "2026-09-03T00:00:00Z"}'
} >late.jsonl
publish late.jsonl
reaches "$(($(read_records capture august september october) + 7))" 60
equal 'expired records' "$(ledger expired)" $((expired + 7))
equal 'ignored and expired, in status' "$("$CUBE_TEST_BIN" status --json | jq -c '[.totals.expired, (.totals.ignored >= .totals.expired)]')" "[$((expired + 7)),true]"
sums | diff before - >&2 || fail 'records of dropped months changed sums'
facts_since 2026-10-01 | diff since_now - >&2 || fail 'records of dropped months changed facts'
equal 'months made again' "$(months_before 2026-10)" 0
equal 'minutes made again' "$(sql -c "SELECT count(*) FROM cube.dim_time WHERE \"timestamp\" < '2026-10-01Z'")" 0
equal 'dead letters' "$(sql -c 'SELECT count(*) FROM cube.etl_dead_letter')" "$(ledger dead)"
metrics() { python3 -B -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:$port/metrics', timeout=10).read().decode())"; }
told() { [ "$(metrics | awk '/^gracecube_records_expired_total/ { sum += $2 } END { print sum }')" = $((expired + 7)) ]; }
wait_until 40 told || fail "metrics: $(metrics | grep expired)"
kill -TERM "$run" "$other"
for pid in $run $other; do ends "$pid" 30 && equal 'exit code of run' "$STATUS" 0; done
verify_agrees
ledger_is "$(($(read_records capture august september october) + 7))"
shown 'late records, changes and deletes of facts that went, corrections into and out of their months, also by the mesh: expired, in no sum, no dead letter, no month made again'

# --- Killed on the way, again and again; links that were found by what went stay ---
facts_since 2026-11-01 >since
RANDOM=20261128
kills=0
until old_are_gone 2026-11; do # longer and longer: a busy machine does little in a moment
	[ "$kills" -lt 200 ] || fail 'it comes to no end'
	timeout -s KILL "$(printf '0.%03d' $((20 + RANDOM % (40 + 8 * (kills < 100 ? kills : 100)))))" "$CUBE_TEST_BIN" retention -s "retention.facts=$(kept_for 2026-11)" >>killed.out 2>>killed.log || true
	kills=$((kills + 1))
	if [ $((kills % 8)) = 1 ]; then verify_agrees; fi
done
retention -s "retention.facts=$(kept_for 2026-11)" >last.json
verify_agrees
sums | diff before - >&2 || fail 'sums changed'
facts_since 2026-11-01 | diff since - >&2 || fail 'facts that stay changed'
sql >&2 <<-'SQL'
	SELECT format('SELECT cube.relink_%s(ARRAY(SELECT %I FROM cube.key_%1$s));', target, key_column) FROM cube.fact WHERE links <> '{}' ORDER BY 1
	\gexec
SQL
facts_since 2026-11-01 | diff since - >&2 || fail 'links to facts that went are lost'
verify_agrees
[ "$(sql -c 'SELECT count(*) FROM cube.closed_link')" -gt 0 ] || fail 'no link to a fact that went was kept'
shown "killed $kills times on the way to the next month: every sum and every fact that stays is as it was, links to what went too"

# --- What else is kept for a time ---
age=(-s retention.marks=1s -s retention.dead_letters=1s -s retention.quality_issues=1s -s retention.gaps=1s -s "retention.daily_rollups=$(kept_for 2026-10)" -s "retention.facts=$(kept_for 2026-11)")
retention --dry-run "${age[@]}" >plan.json
retention "${age[@]}" >done.json
equal 'what went' "$(jq -c '[.tables[] | [.table, .rows]]' done.json)" "$(jq -c '[.tables[] | [.table, .rows]]' plan.json)"
equal 'what is left to go' "$(retention --dry-run "${age[@]}" | jq .rows)" 0
equal 'dead letters, quality issues' "$(sql -c 'SELECT count(*) FROM cube.etl_dead_letter' -c 'SELECT count(*) FROM cube.etl_quality_issue' | xargs)" '0 0'
grep '^rollup_quality_issues|' before | diff - <(sums | grep '^rollup_quality_issues|') >&2 || fail 'the sums of quality issues changed'
equal 'sums by day before October' "$(sql -c "SELECT count(*) FROM cube.rollup_errors_daily WHERE day < '2026-10-01'")" 0
facts_since 2026-11-01 | diff since - >&2 || fail 'facts that stay changed'
verify_agrees
shown "$(jq .rows done.json) rows of dead letters, quality issues, marks and old sums went by age, as a dry run had said"

# --- Old versions of missions and tiers ---
# change STREAM ID LSN DAY 'MORE FIELDS'|null → a change of a row by that day's log; null deletes it
change() {
	jq -nc --arg topic "$CUBE_TEST_PREFIX.$1" --arg id "$2" --argjson lsn "$3" --argjson ms "$(date -ud "$4" +%s)000" --argjson row "$5" \
		'(if $topic | endswith("tier_policies") then {tier_code: $id} else {id: $id, mission_id: $id} end) as $key
		| {topic: $topic, key: ($key | del(.mission_id) | tojson), value: ({before: (if $row then null else $key end), after: (if $row then $key + $row else null end),
			op: (if $row then "u" else "d" end), source: {ts_ms: $ms, lsn: $lsn}} | tojson)}'
}
steps() { # steps ID → a mission that is told of seven times, is renamed twice and ends
	change mission_timelines "$1" "$2"1 2026-08-01 '{"mission_name": "first", "started_at": "2026-08-01T00:00:00Z", "status": "planned"}'
	change mission_timelines "$1" "$2"2 2026-08-20 '{"mission_name": "first", "started_at": "2026-08-01T00:00:00Z", "status": "executing"}'
	change mission_timelines "$1" "$2"3 2026-09-10 '{"mission_name": "second", "started_at": "2026-08-01T00:00:00Z", "status": "executing"}'
	change mission_timelines "$1" "$2"4 2026-09-20 '{"mission_name": "second", "started_at": "2026-08-01T00:00:00Z", "status": "executing", "progress_ratio": 0.5}'
	change mission_timelines "$1" "$2"5 2026-10-20 '{"mission_name": "second", "started_at": "2026-08-01T00:00:00Z", "status": "executing", "progress_ratio": 0.6}'
	change mission_timelines "$1" "$2"6 2026-11-05 '{"mission_name": "third", "started_at": "2026-08-01T00:00:00Z", "status": "executing"}'
	change mission_timelines "$1" "$2"7 2026-11-10 '{"mission_name": "third", "started_at": "2026-08-01T00:00:00Z", "status": "completed", "completed_at": "2026-11-09T00:00:00Z"}'
}
{
	steps h-told 10
	steps h-back 20 | sed -n 1,2p
	change mission_timelines h-back 203 2026-08-25 null
	change mission_timelines h-back 204 2026-11-01 '{"mission_name": "again", "started_at": "2026-08-01T00:00:00Z", "status": "completed", "completed_at": "2026-11-01T00:00:00Z"}'
	steps h-gone 30 | sed -n 1,3p
	change mission_timelines h-gone 304 2026-09-20 null
	change mission_timelines h-once 401 2026-08-01 '{"mission_name": "only", "started_at": "2026-08-01T00:00:00Z", "status": "planned"}'
	change mission_timelines h-a 601 2026-08-01 '{"mission_id": "h-shared", "mission_name": "by a"}'
	change mission_timelines h-b 602 2026-08-02 '{"mission_id": "h-other", "mission_name": "other"}'
	change mission_timelines h-b 603 2026-08-10 '{"mission_id": "h-other", "mission_name": "renamed"}'
	change tier_policies tier_9 501 2026-08-01 '{"tier_name": "Ninth", "risk_level": "low"}'
	change tier_policies tier_9 502 2026-08-05 '{"tier_name": "Ninth", "risk_level": "high"}'
	change tier_policies tier_9 503 2026-09-05 '{"tier_name": "Ninth", "risk_level": "low", "effective_from": "2026-12-01T00:00:00Z"}' # known then, and not yet in force
} >versions.jsonl
publish versions.jsonl
catch_up
# as_of → what held on each day from October on, and what holds now
as_of() {
	sql -c "SELECT d::date, (to_jsonb(h) - 'loaded_at' - 'is_current')::text FROM generate_series('2026-10-03Z', '2026-12-10Z', interval '1 day') d,
			LATERAL (SELECT mission_id AS id, to_jsonb(m) AS h, m.effective_from, m.effective_to FROM cube.dim_mission_history m UNION ALL
				SELECT tier_code, to_jsonb(t), t.effective_from, t.effective_to FROM cube.dim_tier_history t) h
			WHERE h.effective_from <= d AND (h.effective_to IS NULL OR d < h.effective_to) ORDER BY 1, 2" \
		-c "SELECT (to_jsonb(m) - 'loaded_at')::text FROM cube.dim_mission m ORDER BY mission_key" -c "SELECT (to_jsonb(t) - 'loaded_at')::text FROM cube.dim_tier t ORDER BY tier_key"
}
versions_of() { sql -c "SELECT string_agg(version_number || ' ' || mission_name, ', ' ORDER BY version_number) FROM cube.dim_mission_history WHERE mission_id = '$1'"; }
told_of() { sql -c "SELECT count(*) FROM cube.version_missions WHERE source_id = '$1'"; }
histories=(-s "retention.histories=$(kept_for 2026-10)")
as_of >before
retention --dry-run "${histories[@]}" >plan.json
equal 'histories after a dry run' "$(versions_of h-told), $(told_of h-told)" '1 first, 2 second, 3 third, 4 third, 7'
# a writer of a mission keeps its piece until it ends, and is named
mkfifo leave
start writer psql -X -q -At -d "$GRACECUBE_POSTGRES_DSN" -c 'BEGIN' -c "SELECT FROM cube.dim_mission WHERE mission_id = 'h-told' FOR UPDATE" -c '\! cat leave' -c COMMIT
writer=$PID
locked() { [ -z "$(sql -c "SELECT 1 FROM cube.dim_mission WHERE mission_id = 'h-told' FOR UPDATE SKIP LOCKED")" ]; }
wait_until 20 locked || fail 'nobody has locked the mission'
STATUS=0
retention --wait 1s "${histories[@]}" >kept.json 2>kept.log || STATUS=$?
equal 'exit code while a mission is written' "$STATUS" 75
contains 'who writes it' kept.log 'psql'
equal 'histories that are being written' "$(versions_of h-told)" '1 first, 2 second, 3 third, 4 third'
echo >leave
ends "$writer" 20
# a reader is in nobody's way
mkfifo stay_on
start reads psql -X -q -At -d "$GRACECUBE_POSTGRES_DSN" -c 'BEGIN ISOLATION LEVEL REPEATABLE READ' -c 'SELECT count(*) FROM cube.dim_mission_history, cube.version_tiers' -c '\! cat stay_on' \
	-c "SELECT count(*) FROM cube.dim_mission_history WHERE mission_id = 'h-told'" -c COMMIT
reads=$PID
is_reading() { [ -n "$(sql -c "SELECT 1 FROM pg_locks WHERE relation = 'cube.version_tiers'::regclass AND pid <> pg_backend_pid()")" ]; }
wait_until 20 is_reading || fail 'nobody reads histories'
retention "${histories[@]}" >done.json
echo >stay_on
ends "$reads" 20
equal 'what a reader of before sees' "$(tail -n 1 reads.out)" 4
gone=$(($(jq '[.tables[].rows] | add' kept.json) + $(jq '[.tables[].rows] | add' done.json)))
equal 'rows of histories that went' "$gone" "$(jq .rows plan.json)"
[ "$(jq .bytes plan.json)" -gt 0 ] || fail 'a dry run finds no bytes of histories'
equal 'rows of histories that are left to go' "$(retention --dry-run "${histories[@]}" | jq .rows)" 0
as_of | diff before - >&2 || fail 'what held since October is not what it was'
equal 'what is left of a mission' "$(versions_of h-told), $(told_of h-told)" '2 second, 3 third, 4 third, 4'
equal 'what is left of missions that were deleted' "$(versions_of h-back), $(versions_of h-gone), $(told_of h-gone)" '1 first, 2 again, 2 second, 2'
equal 'what is left of a mission with one version' "$(versions_of h-once), $(told_of h-once)" '1 only, 1'
equal 'what is left of a policy that is not in force yet' "$(sql -c "SELECT string_agg(version_number || ' ' || risk_level, ', ' ORDER BY version_number) FROM cube.dim_tier_history WHERE tier_code = 'tier_9'")" '2 high, 3 low'
verify_agrees
contains 'verify says since when of histories' verify.json 'what ended before 2026-10-0'

# what is late of it is expired, what is late of the others is not, and what is new goes on from what is left
expired=$(ledger expired)
{
	change mission_timelines h-told 100 2026-08-10 '{"mission_name": "late", "started_at": "2026-08-01T00:00:00Z", "status": "executing"}'
	change mission_timelines h-gone 300 2026-08-10 null
	change tier_policies tier_9 500 2026-08-03 '{"tier_name": "late", "risk_level": "none"}'
	change mission_timelines h-once 400 2026-07-01 '{"mission_name": "earlier", "started_at": "2026-08-01T00:00:00Z", "status": "planned"}'
	change mission_timelines h-told 108 2026-11-12 '{"mission_name": "fourth", "started_at": "2026-08-01T00:00:00Z", "status": "completed", "completed_at": "2026-11-09T00:00:00Z"}'
	steps h-gone 30 | sed -n 3p | jq -c '.value |= (fromjson | .source = {ts_ms: 1794441600000, lsn: 305} | tojson)' # back, as it was before its delete
	change mission_timelines h-b 604 2026-11-12 '{"mission_id": "h-shared", "mission_name": "by b"}' # what it told of another mission before ends nothing of this one
} >late.jsonl
publish late.jsonl
catch_up
equal 'expired versions' "$(ledger expired)" $((expired + 3))
equal 'versions after late and new ones' "$(versions_of h-told), $(versions_of h-gone), $(versions_of h-once)" '2 second, 3 third, 4 third, 5 fourth, 2 second, 3 second, 1 earlier, 2 only'
equal 'a mission that two rows tell of' "$(sql -c "SELECT string_agg(mission_name || ' ' || effective_from::date || ' ' || coalesce(effective_to::date::text, ''), ', ' ORDER BY version_number)
	FROM cube.dim_mission_history WHERE mission_id = 'h-shared'")" 'by a 2026-08-01 2026-11-12, by b 2026-11-12 '
equal 'the one that the other row told of before' "$(sql -c "SELECT mission_name || ' ' || effective_to::date FROM cube.dim_mission_history WHERE mission_id = 'h-other' ORDER BY version_number DESC LIMIT 1")" 'renamed 2026-11-12'
verify_agrees
as_of >before
sql -c "DELETE FROM cube.dim_mission_history WHERE mission_id LIKE 'h-%'" -c "UPDATE cube.dim_tier_history SET effective_from = '2020-01-01Z' WHERE tier_code = 'tier_9'"
"$CUBE_TEST_BIN" verify --repair --json >repaired.json || fail "a history that goes on from what is left is not repaired: $(jq -c '.checks[] | select(.differing > 0)' repaired.json)"
as_of | diff before - >&2 || fail 'a repaired history is not what it was'
shown "$gone old versions of missions and tiers went, as foretold; every day since can be looked back to, late ones are expired, new ones go on, and a repair computes the same"
