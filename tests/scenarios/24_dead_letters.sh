#!/usr/bin/env bash
# Dead letters are worked off: retried once their cause is gone, discarded, moved to another cube, kept within a bound; killed in the middle and
# twice at once, nothing is doubled, and ledger, letters and answers agree.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

new_cube
own_topics
export CUBE_TEST_PARTITIONS=2
dead() { "$CUBE_TEST_BIN" dead "$@"; }
# exits STATUS WHAT COMMAND… → its output in out, what it says in said
exits() {
	local expected=$1 what=$2 code=0
	shift 2
	"$@" >out 2>said || code=$?
	[ "$code" = "$expected" ] || fail "$what: exit code $code, expected $expected: $(tail -n 2 said)"
}
letters() { sql -c "SELECT count(*) FROM cube.etl_dead_letter WHERE ${1:-true}"; }
by_outcome() { sql -c "SELECT string_agg(o || ' ' || n, ', ' ORDER BY o) FROM (SELECT coalesce(outcome, 'waits') AS o, count(*) AS n FROM cube.etl_dead_letter GROUP BY 1) x"; }
positions() { sql -c 'SELECT * FROM cube.etl_offset ORDER BY offset_id'; }
# facts → what the facts and their rollups say, by names
facts() {
	sql -c "SELECT to_jsonb(a) - 'loaded_at' FROM cube.cube_approvals a ORDER BY approval_id" \
		-c "SELECT to_jsonb(e) - 'loaded_at' FROM cube.cube_executions e ORDER BY contract_id" \
		-c 'SELECT * FROM cube.cube_daily_approvals ORDER BY 1, 2, 3' -c 'SELECT * FROM cube.cube_daily_verification_by_tier ORDER BY 1, 2, 3, 4' \
		-c 'SELECT stream, field, rule, issues FROM cube.cube_quality_issues ORDER BY 1, 2, 3'
}

# --- Records that are refused for reasons of several kinds ---
# line STREAM KEY VALUE [MORE] → one record; KEY and VALUE are JSON
line() { printf '{"topic": "%s.%s", "partition": 0, "timestamp": %s, "key": %s, "value": %s%s}\n' "$CUBE_TEST_PREFIX" "$1" "$((1795410143000 + ++number))" "$2" "$3" "${4:+, $4}"; }
# approval ID STATUS [PAD] → a row
approval() { jq -cn --arg id "$1" --arg status "$2" --arg pad "${3:-}" '{id: $id, status: $status, reason: $pad, decision_by: "alice", created_at: "2026-11-20T10:00:00Z", decided_at: "2026-11-20T10:05:00Z"} | tojson'; }
contract() { jq -cn --arg id "$1" --arg pad "${2:-}" '{id: $id, status: "verified", tier: "tier_2", confidence_score: 1.7, created_at: "2026-11-21T10:00:00Z", error_message: $pad} | tojson'; }
pad=$(printf '%02000d' 0)
number=0
{
	for n in 1 2 3; do line approval_requests null "$(approval "a$n" approved)"; done
	line approval_requests '"{\"id\": \"a4\"}"' "$(approval a4 escalated)" '"headers": [["who", "tést"], [{"base64": "/wA="}, {"base64": "AAH+"}], ["none", null]]'
	line approval_requests null "$(approval a5 rejected)"
	line approval_requests null "$(approval a6 escalated)"
	line approval_requests null "$(approval a6 approved)" # newer than what was refused
	line approval_requests null "$(approval a7 approved "$pad")"
	line approval_requests null "$(jq -cn --arg pad "$pad" '{op: "m", source: {connector: "postgresql", ts_ms: 1795410143000, lsn: 77}, message: {prefix: "p", content: $pad}} | tojson')"
	line approval_requests '{"base64": "/w=="}' '{"base64": "AP8BAg=="}' '"headers": [["h", {"base64": "gIE="}]]'
	line approval_requests null '"not JSON, with a NUL: \u0000"' '"headers": []'
	line approval_requests '"{}"' null
	line action_contracts null '"{\"status\": \"pending\"}"'
	line action_contracts null "$(contract c1)"
	line action_contracts null "$(contract c2 "$pad")"
} >records.jsonl
sql -c "ALTER TABLE cube.fact_approvals ADD CONSTRAINT house_rule CHECK (status <> 'escalated') NOT VALID"
for part in 1,6 '7,$'; do # in one batch the newer a6 would take the place of the older
	sed -n "${part}p" records.jsonl >part.jsonl
	publish --keep-partition part.jsonl
	catch_up -s limits.value_bytes=1KiB
done
equal 'letters' "$(sql -c "SELECT string_agg(c || ' ' || n, ', ' ORDER BY c) FROM (SELECT error_code AS c, count(*) AS n FROM cube.etl_dead_letter GROUP BY 1) x")" \
	'23514 2, no_key 2, not_json 2, too_large 3'
ledger_is 15
verify_agrees

# --- Selections ---
exits 2 'a retry of nothing in particular' dead retry
contains 'which ones' said 'Name ids, or --topic'
exits 2 'ids and a filter' dead retry 1 --code not_json
exits 2 'no id' dead discard x1
exits 2 'a stream that there is none' dead retry --stream aproval_requests
contains 'the nearest' said 'did you mean approval_requests'
exits 2 'a flag of another verb' dead discard --all --again
exits 1 'an id that is not there' dead retry 1 99
contains 'which one' said '99: there is no dead letter with this id; nothing was done'
exits 0 'a filter that nothing fits' dead retry --code no_such_code
contains 'how many there are' said 'none of the 9 dead letters'
equal 'retries so far' "$(letters 'tries > 0')" 0

# --- Retried while the cause is there, then without it ---
positions >before
exits 1 'a retry under the same rule' dead retry --code 23514
contains 'the table' out 'house_rule'
contains 'the sum' out 'retried 2 of 2 dead letters: 0 applied, 1 superseded, 0 without meaning here, 1 refused again'
equal 'tries of both' "$(letters 'tries = 1')" 2
sql -c 'ALTER TABLE cube.fact_approvals DROP CONSTRAINT house_rule'
exits 1 'a retry of all' dead retry --all --json
equal 'what became of them' "$(jq -c '[.retried, .applied, .superseded, .ignored, .refused]' out)" '[8,3,0,1,4]'
equal 'the letters' "$(by_outcome)" 'applied 3, ignored 1, superseded 1, waits 4'
exits 1 'the same again' dead retry --all --json
equal 'those that still cannot be applied' "$(jq -c '[.retried, .applied, .refused]' out)" '[4,0,4]'
exits 0 'one that was retried' dead retry "$(sql -c "SELECT dead_letter_id FROM cube.etl_dead_letter WHERE outcome = 'superseded'")"
contains 'what became of it' said "was retried at"
facts >once
exits 1 'all of them again' dead retry --all --again --json
equal 'what is there already' "$(jq -c '[.retried, .applied, .superseded, .ignored, .refused]' out)" '[9,0,4,1,4]'
facts | diff once - >&2 || fail 'a second retry changed the facts'
positions | diff before - >&2 || fail 'a retry moved the ledger of a partition'
equal 'who did it' "$(letters "worked_by NOT LIKE '%@% as $CUBE_TEST_PGUSER' OR worked_at IS NULL")" 0
verify_agrees
ledger_is 15
dead list --state any >listed
contains 'list --state any' listed superseded

# The same records in a cube that never had the rule
first=$GRACECUBE_POSTGRES_DSN group=$GRACECUBE_KAFKA_GROUP_ID
new_cube twin
export GRACECUBE_KAFKA_GROUP_ID=${group}_twin
catch_up
facts | diff - once >&2 || fail 'a cube that read them without the rule answers otherwise'
export GRACECUBE_POSTGRES_DSN=$first GRACECUBE_KAFKA_GROUP_ID=$group
shown 'retried under the rule: refused again, with a new reason; without it: 3 applied, 1 superseded, 1 ignored, 4 refused; again: nothing doubles, no position moves, answers as of a cube without the rule'

# --- Export, import, discard ---
columns='topic, partition, kafka_offset, kafka_timestamp, stream, key, value, headers, error_code, error_where, reason, dead_at'
sql -c "SELECT $columns FROM cube.etl_dead_letter WHERE outcome IS NULL ORDER BY 1, 2, 3" >letters.before
exits 0 'an export' dead export --all --out letters.jsonl
equal 'lines' "$(wc -l <letters.jsonl)" 4
[ ! -e letters.jsonl.part ] || fail 'the export left its half'
exits 0 'an export to stdout' dead export --all
cmp out letters.jsonl || fail 'stdout and --out differ'
exits 0 'publish reads them' "$CUBE_TEST_BIN" publish --dry-run letters.jsonl
new_cube other
exits 0 'an import' dead import letters.jsonl --json
equal 'imported' "$(jq -c '[.read, .imported, .there_already, .refused]' out)" '[4,4,0,0]'
sql -c "SELECT $columns FROM cube.etl_dead_letter ORDER BY 1, 2, 3" | diff letters.before - >&2 || fail 'the letters have changed on their way'
equal 'positions that an import made' "$(sql -c 'SELECT count(*) FROM cube.etl_offset')" 0
head -n 1 records.jsonl >>letters.jsonl
exits 1 'an import of a record that is no letter' dead import letters.jsonl --json
equal 'imported again' "$(jq -c '[.read, .imported, .there_already, .refused]' out)" '[5,0,4,1]'
contains 'what to do with it' said 'gracecube publish'
exits 1 'a retry in the other cube' dead retry --all --json
equal 'those that cannot be applied here either' "$(jq .refused out)" 4
catch_up # the records themselves: what was imported becomes the group's own
equal 'letters of its own' "$(letters 'imported_at IS NULL')" 4
verify_agrees
exits 0 'discard' dead discard --code not_json
contains 'how many' out 'discarded 2 of 2'
equal 'bytes of what was discarded' "$(letters "outcome = 'discarded' AND (key IS NOT NULL OR value IS NOT NULL OR bytes <> 0)")" 0
gone=$(sql -c "SELECT min(dead_letter_id) FROM cube.etl_dead_letter WHERE outcome = 'discarded'")
exits 1 'a retry of what was discarded' dead retry "$gone"
contains 'since when' said "$gone was discarded at"
exits 0 'it is shown' dead show "$gone"
contains 'its outcome' out discarded
verify_agrees
exits 0 'it comes back' dead import <(head -n 4 letters.jsonl) --json
equal 'imported where they were discarded' "$(jq -c '[.imported, .there_already]' out)" '[2,2]'
sql -c "SELECT ${columns%, dead_at} FROM cube.etl_dead_letter ORDER BY 1, 2, 3" >letters.back
sed 's/|[^|]*$//' letters.before | diff - letters.back >&2 || fail 'what came back is not what it was'
verify_agrees
exits 0 'a discard of all' dead discard --all
exits 0 'and then there is nothing' dead list
contains 'why' said '4 of them are worked off'
verify_agrees
shown 'exported and imported: byte for byte, headers too, no ledger moved, twice is once; discarded: bytes gone, who and when kept, and back by an import'

# --- Rights ---
for role in reader writer; do
	sql -c "DROP ROLE IF EXISTS ${CUBE_TEST_PREFIX}_$role" -c "CREATE ROLE ${CUBE_TEST_PREFIX}_$role LOGIN IN ROLE gracecube_$role"
done
as() { GRACECUBE_POSTGRES_DSN=${first/user=$CUBE_TEST_PGUSER/user=${CUBE_TEST_PREFIX}_$1} "${@:2}"; }
export GRACECUBE_POSTGRES_DSN=$first
for verb in 'retry --all' 'discard --all' 'export --all' 'import letters.jsonl'; do
	# shellcheck disable=SC2086 # several words
	exits 78 "$verb of a reader" as reader "$CUBE_TEST_BIN" dead $verb
done
equal 'what a reader did' "$(letters "outcome = 'discarded' OR worked_by LIKE '%_reader'")" 0
exits 1 'a retry of a writer' as writer "$CUBE_TEST_BIN" dead retry --all
exits 0 'a discard of a writer' as writer "$CUBE_TEST_BIN" dead discard --code no_key
equal 'what a writer did' "$(letters "outcome = 'discarded' AND worked_by LIKE '%_writer'")" 2
verify_agrees
sql -c "DROP ROLE ${CUBE_TEST_PREFIX}_reader" -c "DROP ROLE ${CUBE_TEST_PREFIX}_writer"
shown 'who may write may retry, discard, export and import; who may read may not'

# --- Killed in the middle, twice at once, under traffic ---
new_cube killed
own_topics "${CUBE_TEST_PREFIX}_killed"
for n in $(seq 3000); do printf '{"topic": "%s.action_contracts", "timestamp": %s, "value": "{\\"id\\": \\"k%s\\", \\"status\\": \\"verified\\", \\"tier\\": \\"tier_%s\\", \\"created_at\\": \\"2026-11-2%sT10:00:00Z\\", \\"error_message\\": \\"%01200d\\"}"}\n' \
	"$GRACECUBE_KAFKA_GROUP_ID" "$((1795410143000 + n))" "$n" "$((n % 3 + 1))" "$((n % 9))" 0; done >many.jsonl
publish many.jsonl
catch_up -s limits.value_bytes=1KiB
equal 'letters that wait' "$(letters 'outcome IS NULL')" 3000
sed 's/"k\([0-9]*\)/"t\1/; s/"0000*/"/; s/\\"k/\\"t/' many.jsonl >traffic.jsonl
start run "$CUBE_TEST_BIN" run -s run.workers=2
run=$PID
publish traffic.jsonl &
traffic=$!
more_than() { [ "$(letters 'outcome IS NOT NULL')" -gt "$1" ]; }
# a fast machine retries all of them between two looks: each of the six batches takes at least half a second here
sql -c "CREATE FUNCTION public.takes_time() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END'" \
	-c 'CREATE TRIGGER takes_time AFTER UPDATE ON cube.etl_dead_letter EXECUTE FUNCTION public.takes_time()'
kills=0
for _ in 1 2 3 4; do
	so_far=$(letters 'outcome IS NOT NULL')
	[ "$so_far" -lt 3000 ] || break
	start retry "$CUBE_TEST_BIN" dead retry --all
	wait_until 60 more_than "$so_far" || fail "a retry does nothing: $(tail -n 2 retry.log)"
	if kill -9 "$PID" 2>/dev/null; then kills=$((kills + 1)); fi
	wait "$PID" || true
done
[ "$kills" -gt 1 ] || fail "only $kills retries could be killed"
sql -c 'DROP TRIGGER takes_time ON cube.etl_dead_letter' -c 'DROP FUNCTION public.takes_time'
rest=$(letters 'outcome IS NULL')
start one "$CUBE_TEST_BIN" dead retry --all --json
one=$PID
start two "$CUBE_TEST_BIN" dead retry --all --json
two=$PID
ends "$one" 120
equal 'one of two retries at once' "$STATUS" 0
ends "$two" 120
equal 'the other' "$STATUS" 0
equal 'both together' "$(jq -s 'map(.applied) | add' one.out two.out)" "$rest"
wait "$traffic"
reaches 6000 60
kill "$run"
ends "$run" 30
equal 'outcomes' "$(by_outcome)" 'applied 3000'
equal 'each was tried once' "$(letters 'tries <> 1')" 0
equal 'contracts' "$(sql -c 'SELECT count(*) FROM cube.fact_verification_executions')" 6000
equal 'rows of retries that are left' "$(sql -c "SELECT count(*) FROM cube.etl_offset WHERE offset_id < 0")" 0
verify_agrees
ledger_is 6000
shown "3,000 letters retried under traffic, killed $kills times, then twice at once: each once"

# --- The bound ---
new_cube bound
own_topics "${CUBE_TEST_PREFIX}_bound"
export CUBE_TEST_PARTITIONS=1
bad() { for n in $(seq "$1"); do printf '{"topic": "%s.approval_requests", "value": "not JSON %05d"}\n' "$GRACECUBE_KAFKA_GROUP_ID" "$n"; done >bad.jsonl; publish bad.jsonl; }
bad 12
start bound "$CUBE_TEST_BIN" run -s run.workers=1 -s dead.max_count=10
run=$PID
is_full() { grep -q 'there is no room for.*dead.max_count is 10' bound.log; }
wait_until 60 is_full || fail "nothing says that it is full: $(tail -n 2 bound.log)"
reaches 10 60
equal 'letters at the bound' "$(letters)" 10
exits 0 'room is made' dead discard "$(sql -c 'SELECT min(dead_letter_id) FROM cube.etl_dead_letter')" "$(sql -c 'SELECT min(dead_letter_id) + 1 FROM cube.etl_dead_letter')"
reaches 12 60
kill "$run"
ends "$run" 30
equal 'letters that wait' "$(letters 'outcome IS NULL')" 10
verify_agrees
bad 30
catch_up -s dead.max_count=10 -s dead.when_full=drop_oldest
ledger_is 42
equal 'letters that are kept' "$(letters)" 10
equal 'the oldest ones went' "$(sql -c 'SELECT min(kafka_offset) FROM cube.etl_dead_letter')" 32
equal 'dropped' "$(sql -c 'SELECT sum(dropped) FROM cube.etl_dead_letter_ledger')" 32
verify_agrees
bad 3
catch_up -s dead.max_bytes=70 -s dead.when_full=drop_oldest
equal 'bytes that are kept' "$(sql -c 'SELECT sum(bytes) FROM cube.etl_dead_letter_ledger')" 70
verify_agrees
sql -c 'DELETE FROM cube.etl_dead_letter WHERE dead_letter_id = (SELECT min(dead_letter_id) FROM cube.etl_dead_letter)'
verify_agrees
sql -c 'UPDATE cube.etl_dead_letter_ledger SET dropped = dropped - 1'
verify_finds 'a letter that is gone and was never counted' 'dead letters are in the ledger'
shown 'dead.when_full stop: waits before the eleventh, goes on when there is room; drop_oldest: the oldest go, and are counted; verify knows them'
