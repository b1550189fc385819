#!/usr/bin/env bash
# What was changed behind the cube's back is found by verify, by name, and made right by `verify --repair` from the facts, while traffic flows,
# though it is killed in the middle and though two repair at once; what it must not touch it names, with what to do, and leaves as it is.
# "Behind the back" is session_replication_role = replica: no trigger fires.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

new_cube
new_topics capture
more_traffic generated 26 1500
expect capture generated
records=$(read_records capture generated)
publish capture/*
catch_up
verify_agrees

quietly() { sql -c 'SET session_replication_role = replica' "$@" >&2; }
one() { sql -c "SELECT $1"; } # one 'EXPRESSION FROM …' → a value

# --- Damages that follow from facts: what, the check that finds it, of what, the table that is changed, how it is done ------------
contract=$(one "min(contract_id) FROM cube.fact_verification_executions WHERE mission_key > 1")
other=$(one "max(contract_id) FROM cube.fact_verification_executions")
mission() { one "$1(mission_key) FROM cube.dim_mission_history WHERE version_number = 2"; } # mission min, mission max
sibling=$(one "mission_key FROM cube.dim_mission_history WHERE version_number = 2 AND mission_key NOT IN ($(mission min), $(mission max)) LIMIT 1")
first_cell() { printf 'ctid = (SELECT min(ctid) FROM cube.%s)' "$1"; }
ROLLUP='rollup equals facts' KEY='each key has its one fact' LINK='links are what the other facts say' RANGE='ranges do not overlap, one is current'
HISTORY='history is what its versions say'
DAMAGES=()
damage() { DAMAGES+=("$1|$2|$3|$4|$5"); }
damage 'an hour too high' "$ROLLUP" rollup_verification_hourly rollup_verification_hourly \
	"UPDATE cube.rollup_verification_hourly SET executions = executions + 3 WHERE $(first_cell rollup_verification_hourly)"
damage 'an hour too low' "$ROLLUP" rollup_errors_hourly rollup_errors_hourly \
	"UPDATE cube.rollup_errors_hourly SET errors = -7 WHERE $(first_cell rollup_errors_hourly)"
damage 'a cell missing' "$ROLLUP" rollup_errors_daily rollup_errors_daily \
	"DELETE FROM cube.rollup_errors_daily WHERE day = (SELECT min(day) FROM cube.rollup_errors_daily)"
damage 'a whole rollup missing' "$ROLLUP" rollup_approvals_daily rollup_approvals_daily 'DELETE FROM cube.rollup_approvals_daily'
damage 'a cell of no fact' "$ROLLUP" rollup_mission_executions rollup_mission_executions \
	'INSERT INTO cube.rollup_mission_executions VALUES (99999, 2, 7, 5, 4, 3, 2)'
damage 'a lane doubled in another' "$ROLLUP" rollup_verification_confidence rollup_verification_confidence \
	"INSERT INTO cube.rollup_verification_confidence SELECT component_key, day, tier_key, bucket, lane + 20000, executions, successful FROM cube.rollup_verification_confidence"
damage 'buckets at the end of integers, in two lanes' "$ROLLUP" rollup_verification_duration rollup_verification_duration \
	"UPDATE cube.rollup_verification_duration SET n0 = 2147483647 WHERE $(first_cell rollup_verification_duration);
	INSERT INTO cube.rollup_verification_duration SELECT component_key, day, tier_key, bucket_group, 30000, executions, n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11,
		n12, n13, n14, n15 FROM cube.rollup_verification_duration WHERE n0 = 2147483647"
damage 'a block of the log' "$ROLLUP" rollup_log_chain rollup_log_chain "UPDATE cube.rollup_log_chain SET links = links + 1 WHERE $(first_cell rollup_log_chain)"
damage 'a row ledger that counts one too many' "$ROLLUP" rollup_verification_executions_ledger rollup_verification_executions_ledger \
	"UPDATE cube.rollup_verification_executions_ledger SET row_count = row_count + 1 WHERE $(first_cell rollup_verification_executions_ledger)"
# of a fact that no traffic comes of: a ledger that has begun anew before the repair came is one that differs, and its facts are not touched
damage 'a day without row ledger' "$ROLLUP" rollup_execution_tasks_ledger rollup_execution_tasks_ledger \
	'DELETE FROM cube.rollup_execution_tasks_ledger WHERE day = (SELECT min(day) FROM cube.rollup_execution_tasks_ledger)'
damage "a contract's mission and snapshot" "$LINK" fact_verification_executions fact_verification_executions \
	"UPDATE cube.fact_verification_executions SET mission_key = 1, created_snapshot = NOT created_snapshot WHERE contract_id = '$contract'"
damage 'a mission that the log does not name' "$LINK" fact_verification_executions key_verification_executions \
	"UPDATE cube.key_verification_executions SET log_mission_key = 1 WHERE contract_id = '$other'"
damage 'links of compliance checks missing' "$LINK" fact_compliance_checks fact_compliance_checks \
	'UPDATE cube.fact_compliance_checks SET tier_key = 0 WHERE tier_key > 0'
damage "an error's component" "$LINK" fact_error_events fact_error_events \
	"UPDATE cube.fact_error_events SET component_key = component_key % 8 + 1 WHERE error_id = (SELECT max(error_id) FROM cube.fact_error_events)"
damage 'a key row missing' "$KEY" fact_benchmark_runs key_benchmark_runs \
	'DELETE FROM cube.key_benchmark_runs WHERE benchmark_id = (SELECT min(benchmark_id) FROM cube.fact_benchmark_runs)'
damage 'a key row with another time' "$KEY" fact_snapshots key_snapshots \
	"UPDATE cube.key_snapshots SET created_at = created_at + '1 s' WHERE snapshot_id = (SELECT min(snapshot_id) FROM cube.fact_snapshots)"
damage 'minutes missing' 'each fact has its minute' fact_agentic_events dim_time \
	'DELETE FROM cube.dim_time WHERE time_key IN (SELECT time_key FROM cube.fact_agentic_events LIMIT 3)'
damage 'ranges that overlap' "$RANGE" dim_mission_history dim_mission_history \
	"UPDATE cube.dim_mission_history SET effective_to = effective_to + interval '1 s' WHERE mission_key = $(mission min) AND version_number = 1"
damage 'a gap between ranges' "$HISTORY" dim_mission_history dim_mission_history \
	"UPDATE cube.dim_mission_history SET effective_to = effective_from WHERE mission_key = $(mission max) AND version_number = 1"
damage 'two current versions' "$RANGE" dim_mission_history dim_mission_history \
	"UPDATE cube.dim_mission_history SET effective_to = NULL, is_current = true WHERE mission_key = $sibling AND version_number = 1"
damage 'a version missing' "$HISTORY" dim_tier_history dim_tier_history 'DELETE FROM cube.dim_tier_history WHERE tier_key = 2'
damage 'a member with another name' "$RANGE" dim_tier_history dim_tier "UPDATE cube.dim_tier SET tier_name = '?' WHERE tier_key = 1"
[ ${#DAMAGES[@]} -ge 20 ] || fail "only ${#DAMAGES[@]} damages"

for line in "${DAMAGES[@]}"; do
	IFS='|' read -r -d '' what _ _ _ statement <<<"$line" || true
	before=$(sql -c "SELECT pg_current_wal_insert_lsn()")
	quietly -c "$statement"
	[ "$(sql -c "SELECT pg_current_wal_insert_lsn() > '$before'")" = t ] || fail "$what: nothing was changed"
done
STATUS=0
"$CUBE_TEST_BIN" verify --json >found.json 2>>verify.log || STATUS=$?
equal 'exit code of verify' "$STATUS" 1
for line in "${DAMAGES[@]}"; do
	IFS='|' read -r what check of _ <<<"${line%%$'\n'*}"
	[ -n "$(jq -r --arg check "$check" --arg of "$of" '.checks[] | select(.check == $check and .of == $of and .differing > 0) | .example' found.json)" ] ||
		fail "$what: verify does not name \"$check\" of $of, but $(jq -c '.checks[] | select(.differing > 0) | [.check, .of]' found.json)"
done
shown "${#DAMAGES[@]} damages (cells, lanes, ledgers, links, keys, minutes, histories) are found, each named: $(jq .differing found.json) differences in $(jq .comparisons found.json) comparisons"

# --- Repaired while traffic flows; killed in the middle; then by two at once --------------------------------------------------
start run "$CUBE_TEST_BIN" run -s run.workers=2 -s run.batch_records=100
worker=$PID
start publish "$CUBE_TEST_BIN" publish --create-topics --partitions "$CUBE_TEST_PARTITIONS" --progress none --rate 200 generated/*
publisher=$PID
has_moved() { [ "$(position)" -gt "$(read_records capture)" ]; }
wait_until 60 has_moved || fail 'no traffic flows'
start killed "$CUBE_TEST_BIN" verify --repair --progress none
has_begun() { [ "$(one "count(*) FROM cube.dim_tier_history WHERE tier_key = 2")" = 1 ]; }
wait_until 60 has_begun || fail 'the repair repairs nothing'
kill -KILL "$PID"
ends "$PID" 5
equal 'exit code of a repair that was killed' "$STATUS" 137
"$CUBE_TEST_BIN" verify --json >rest.json 2>>verify.log && fail 'the repair that was killed had repaired all'
for n in 1 2; do start "repair$n" "$CUBE_TEST_BIN" verify --repair --json && repairs[n]=$PID; done
for n in 1 2; do
	ends "${repairs[n]}" 240
	equal "exit code of repair $n: $(jq -c '.checks[] | select(.differing > 0)' "repair$n.out"; tail -n 2 "repair$n.log")" "$STATUS" 0
done
is_process "$publisher" publish || fail 'the traffic had ended before the repair did'
jq -s '[.[].changed[].table] | unique | .[]' -r repair1.out repair2.out >changed
for line in "${DAMAGES[@]}"; do
	IFS='|' read -r what check of table _ <<<"${line%%$'\n'*}"
	# what the one repaired that was killed, nobody tells
	[ -n "$(jq -r --arg check "$check" --arg of "$of" '.checks[] | select(.check == $check and .of == $of and .differing > 0) | .check' rest.json)" ] || continue
	grep -qxF "$table" changed || fail "$what: no change of $table is told"
done
equal 'a cell, before and after' "$(jq -s -c '[.[].changed[] | select(.table == "rollup_mission_executions" and .cell.mission_key == 99999)]' repair1.out repair2.out)" \
	'[{"table":"rollup_mission_executions","cell":{"tier_key":2,"mission_key":99999},"before":{"executions":5,"successful":4,"confidence_n":3,"confidence_ppb":2},"after":{"executions":0,"successful":0,"confidence_n":0,"confidence_ppb":0}}]'
verify_agrees
# what is left comes at once, and what has come comes again
kill -TERM "$publisher" 2>/dev/null || true # it may be done by now
ends "$publisher" 20
sent=$(sed -n 's/^published \([0-9]*\) of .*/\1/p' publish.out)
publish generated/*
records=$((records + sent))
reaches "$records" 60
kill -TERM "$worker"
ends "$worker" 20
ledger_is "$records"
verify_agrees
answers_are
shown "killed with SIGKILL, then two repairs at once, while records came: $(jq .changes repair1.out) and $(jq .changes repair2.out) changes told, verify: all equal; $records records: answers as the oracle's"

# --- A part of the cube -------------------------------------------------------------------------------------------------------
newest=$(one "max(day) FROM cube.rollup_verification_executions_ledger")
day=$(one "min(day) FROM cube.rollup_errors_daily")
quietly -c "UPDATE cube.rollup_errors_daily SET errors = errors + 1 WHERE day = '$day'"
"$CUBE_TEST_BIN" verify --json --since "$newest" >part.json
"$CUBE_TEST_BIN" verify --json --since "$day" >whole.json && fail "verify --since $day finds nothing"
[ "$(jq .facts part.json)" -lt "$(jq .facts whole.json)" ] || fail 'a later --since reads as many facts'
"$CUBE_TEST_BIN" verify --json --sample 100% >/dev/null && fail 'verify --sample 100% finds nothing'
"$CUBE_TEST_BIN" verify --json --sample 50 >sample.json || [ $? = 1 ]
[ "$(jq .facts sample.json)" -lt "$(($(jq .facts whole.json) / 2))" ] || fail "a sample of 50 of each kind reads $(jq .facts sample.json) facts"
for wrong in '--sample some' '--sample 0' '--sample 101%' '--since yesterday' --accept-facts; do
	STATUS=0
	# shellcheck disable=SC2086 # two words
	"$CUBE_TEST_BIN" verify $wrong >wrong.out 2>&1 || STATUS=$?
	equal "exit code of verify $wrong" "$STATUS" 2
	contains "verify $wrong" wrong.out "${wrong%% *}"
done
"$CUBE_TEST_BIN" verify --repair --since "$newest" --quiet >&2
"$CUBE_TEST_BIN" verify --quiet >&2 && fail 'a repair of the newest day repaired an older one'
"$CUBE_TEST_BIN" verify --repair --since "$day" --quiet >&2
verify_agrees
shown "--since, --sample: $(jq .facts part.json) facts of the newest day, $(jq .facts sample.json) of a sample of 50 of each kind, of $(jq .facts whole.json)"

# --- What must not be touched -------------------------------------------------------------------------------------------------
# untouched WHAT CHECK OF TEXT TABLE DAMAGE REMEDY → verify names it, a repair leaves TABLE as it is and says TEXT; REMEDY makes it right
untouched() {
	local what=$1 check=$2 of=$3 text=$4 table=$5 damage=$6 remedy=$7 hash
	quietly -c "$damage"
	verify_finds "$what" "$check" "$of"
	hash=$(one "md5(string_agg(t::text, '' ORDER BY t::text)) FROM cube.$table t")
	STATUS=0
	"$CUBE_TEST_BIN" verify --repair >left.out 2>>verify.log || STATUS=$?
	equal "repair of $what: exit code" "$STATUS" 1
	grep -F "left: $check (" left.out >line.out && grep -qwF -- "$of" line.out || fail "repair of $what names $(grep ^left: left.out)"
	contains "repair of $what" left.out "$text"
	equal "$table after a repair of $what" "$(one "md5(string_agg(t::text, '' ORDER BY t::text)) FROM cube.$table t")" "$hash"
	eval "$remedy"
	verify_agrees
}
accept() { "$CUBE_TEST_BIN" verify --repair --accept-facts --json >accepted.json; }
place=$(sql -F ' ' -c "SELECT topic, partition FROM cube.etl_offset WHERE applied > 0 ORDER BY 1, 2 LIMIT 1")
row="WHERE topic = '${place% *}' AND partition = ${place#* }"
untouched 'a position' 'positions are within Kafka' etl_offset 'positions are not touched' etl_offset \
	"UPDATE cube.etl_offset SET next_offset = next_offset + 1, applied = applied + 1 $row" \
	"quietly -c \"UPDATE cube.etl_offset SET next_offset = next_offset - 1, applied = applied - 1 $row\""
constraint=$(one "pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ledger_closed'")
untouched 'the ledger of a position' 'ledger closed' etl_offset 'positions and their ledger are not touched' etl_offset \
	"ALTER TABLE cube.etl_offset DROP CONSTRAINT ledger_closed; UPDATE cube.etl_offset SET applied = applied + 1 $row" \
	"quietly -c \"UPDATE cube.etl_offset SET applied = applied - 1 $row\" -c 'ALTER TABLE cube.etl_offset ADD CONSTRAINT ledger_closed $constraint'"
untouched 'a dead letter of no record' 'dead letters are in the ledger' etl_dead_letter 'dead letters and their ledger are not touched' etl_dead_letter \
	"INSERT INTO cube.etl_dead_letter (group_id, topic, partition, kafka_offset, stream, error_code, error_where, reason)
		SELECT group_id, topic, partition, 1e9, stream, 'x', '', '' FROM cube.etl_offset $row" \
	"quietly -c 'DELETE FROM cube.etl_dead_letter WHERE kafka_offset = 1e9'"
lost=$(one "min(contract_id) FROM cube.fact_verification_executions")
untouched 'a fact deleted' "$KEY" fact_verification_executions 'facts are not touched' fact_verification_executions \
	"CREATE TABLE saved AS SELECT * FROM cube.fact_verification_executions WHERE contract_id = '$lost';
	DELETE FROM cube.fact_verification_executions WHERE contract_id = '$lost'" \
	"quietly -c 'INSERT INTO cube.fact_verification_executions TABLE saved'; \"\$CUBE_TEST_BIN\" verify --repair --quiet >&2"
untouched 'a fact changed' "$ROLLUP" rollup_verification_executions_ledger 'facts were changed, added or deleted behind the triggers' fact_verification_executions \
	"UPDATE cube.fact_verification_executions SET was_successful = NOT was_successful, confidence_score = 0.123 WHERE contract_id = '$lost'" accept
equal 'the ledger that accepts a changed fact' "$(jq -c '[.changed[].table]' accepted.json)" '["rollup_verification_executions_ledger"]'
untouched 'a fact deleted for good' "$KEY" fact_verification_executions '--repair --accept-facts has their keys say so' fact_verification_executions \
	"DELETE FROM cube.fact_verification_executions WHERE contract_id = '$lost'" accept
equal 'the key of a fact that is accepted to be gone' "$(one "created_at IS NULL FROM cube.key_verification_executions WHERE contract_id = '$lost'")" t
actor=$(one "actor_key FROM cube.fact_approvals WHERE actor_key > 0 LIMIT 1")
untouched 'a member gone' 'no orphans' fact_approvals.actor_key 'put the member back' dim_actor \
	"CREATE TABLE saved_actor AS SELECT * FROM cube.dim_actor WHERE actor_key = $actor; DELETE FROM cube.dim_actor WHERE actor_key = $actor" \
	"quietly -c 'INSERT INTO cube.dim_actor OVERRIDING SYSTEM VALUE TABLE saved_actor'"
# one that the repair could mend, were it not for the trigger
untouched 'a trigger that is off' 'triggers are on' facts 'nothing is repaired while a trigger is off' rollup_approvals_daily \
	"UPDATE cube.rollup_approvals_daily SET approvals = approvals + 1; ALTER TABLE cube.fact_approvals DISABLE TRIGGER rollup_update" \
	"sql -c 'ALTER TABLE cube.fact_approvals ENABLE TRIGGER rollup_update'; \"\$CUBE_TEST_BIN\" verify --repair --quiet >&2"
month=$(one "c.relname FROM cube.fact_approvals f JOIN pg_class c ON c.oid = f.tableoid LIMIT 1")
bounds=$(one "pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = '$month' AND relnamespace = 'cube'::regnamespace")
untouched 'a month apart' 'months are attached' facts 'nothing is repaired while a month stands apart' rollup_approvals_daily \
	"ALTER TABLE cube.fact_approvals DETACH PARTITION cube.$month" "sql -c \"ALTER TABLE cube.fact_approvals ATTACH PARTITION cube.$month $bounds\""
shown 'positions, their ledger, dead letters, facts, members: named with what to do, and left as they are; --accept-facts takes changed and deleted facts for right'

# --- Who may -------------------------------------------------------------------------------------------------------------------
for role in reader writer; do
	sql -c "CREATE ROLE ${CUBE_TEST_PREFIX}_$role LOGIN IN ROLE gracecube_$role" >&2
done
quietly -c "UPDATE cube.rollup_errors_daily SET errors = errors + 1 WHERE $(first_cell rollup_errors_daily)"
as() { GRACECUBE_POSTGRES_DSN="${GRACECUBE_POSTGRES_DSN/user=$CUBE_TEST_PGUSER/user=${CUBE_TEST_PREFIX}_$1}" "$CUBE_TEST_BIN" verify --repair --quiet >as.out 2>&1; }
STATUS=0
as reader || STATUS=$?
equal 'exit code of a repair by a reader' "$STATUS" 78
contains 'a repair by a reader' as.out 'GRANT gracecube_reader (status, dead) or gracecube_writer (run, verify, check)'
as writer || fail "a repair by the writer: $(cat as.out)"
contains 'a repair by the writer' as.out rollup_errors_daily
verify_agrees
for role in reader writer; do sql -c "DROP ROLE ${CUBE_TEST_PREFIX}_$role" >&2; done
shown 'the writer repairs; a reader is told which role may'

# --- Ten million facts, under tests/run --all ----------------------------------------------------------------------------------
# What was read, some thousand times over with all links, on a server of its own that may write no large files; its memory and the program's are
# looked at while it runs.
[ -n "${CUBE_TEST_CAMPAIGN:-}" ] || exit 0
FACTS=${CUBE_TEST_FACTS:-10000000} SERVER_KB=100000 PROGRAM_KB=60000 TEMP_KB=65536
for part in install postgres; do
	# shellcheck source=/dev/null
	. "$CUBE_TEST_ROOT/deploy/lib/$part.sh"
done
LARGE=$CUBE_TEST_DIR/postgres
trap 'postgres_remove "$LARGE"' EXIT
postgres_start "$LARGE" shared_buffers=512MB max_wal_size=8GB fsync=off wal_level=minimal max_wal_senders=0 >&2
postgres_psql "$LARGE" postgres -c 'CREATE DATABASE cube' >&2
GRACECUBE_POSTGRES_DSN=$(postgres_dsn "$LARGE" cube)
export GRACECUBE_POSTGRES_DSN GRACECUBE_KAFKA_GROUP_ID=${CUBE_TEST_PREFIX}_large
"$CUBE_TEST_BIN" migrate >&2
catch_up
facts() { sql -c "SELECT string_agg(format('(SELECT count(*) FROM cube.%I)', fact), ' + ') FROM cube.fact" | sed 's/^/SELECT /' | sql -f -; }
copies=$((FACTS / $(facts) + 1))
sql -c 'SELECT cube.ensure_partition(f.target, m) FROM cube.fact f, (SELECT generate_series(min(m) - 13, max(m)) AS m FROM (SELECT cube.month_of(created_at) AS m
	FROM cube.fact_verification_executions) x) months' >/dev/null
sql -v copies=$copies -f "$CUBE_TEST_ROOT/tests/lib/copies.sql" | xargs -d '\n' -n 1 -P 2 psql -X -q -v ON_ERROR_STOP=1 -d "$GRACECUBE_POSTGRES_DSN" -c >&2
sql -c "SELECT format('SELECT DISTINCT time_key / 60 FROM cube.%I', fact) FROM cube.fact" | sed '2,$s/^/UNION /' | sed '1s/^/SELECT cube.ensure_hours(ARRAY(/; $s/$/))/' | sql -f - >/dev/null
sql -c 'VACUUM ANALYZE' -c 'UPDATE cube.rollup_fill SET filled_at = NULL, filled_before = NULL WHERE rollup IN (SELECT rollup FROM cube.rollup JOIN cube.fact USING (fact))' >&2
"$CUBE_TEST_BIN" migrate >&2
size=$(sql -c "SELECT pg_size_pretty(pg_database_size(current_database()))")

# kilobytes PID FIELD → of the process, as /proc has it; none when it has ended
kilobytes() { sed -n "s/^$2:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/$1/status" 2>/dev/null || true; }
backend() { sql -c "SELECT pid FROM pg_stat_activity WHERE application_name = 'gracecube verify'"; }
is_connected() { [ -n "$(backend)" ]; }
# bounded STATUS → verify.json, of a run that ends with STATUS; SERVER, PROGRAM: the most memory that was seen
bounded() {
	local expected=$1 server kb
	SERVER=0 PROGRAM=0
	: >verify.json
	start bounded env "GRACECUBE_POSTGRES_DSN=$GRACECUBE_POSTGRES_DSN options='-c temp_file_limit=$TEMP_KB'" "$CUBE_TEST_BIN" verify --json --progress log
	wait_until 60 is_connected || fail "verify is not connected: $(tail -n 2 bounded.log)"
	server=$(backend)
	while lives_on "$PID"; do
		kb=$(kilobytes "$server" RssAnon)
		[ "${kb:-0}" -le "$SERVER" ] || SERVER=$kb
		kb=$(kilobytes "$PID" VmHWM)
		[ "${kb:-0}" -le "$PROGRAM" ] || PROGRAM=$kb
		sleep 0.5 # a sample; nothing is waited for
	done
	ends "$PID" 5
	equal "exit code of verify of a large cube: $(tail -n 2 bounded.log)" "$STATUS" "$expected"
	mv bounded.out verify.json
	[ "$SERVER" -gt 0 ] && [ "$SERVER" -lt $SERVER_KB ] || fail "verify took $SERVER kB on the server"
	[ "$PROGRAM" -gt 0 ] && [ "$PROGRAM" -lt $PROGRAM_KB ] || fail "verify took $PROGRAM kB itself"
}
bounded 0
[ "$(jq .facts verify.json)" -ge "$FACTS" ] || fail "only $(jq .facts verify.json) facts"
contains 'verify of a large cube' bounded.log 'of=verify'
told="$(jq -r '"\(.facts) facts in \(.seconds | floor) s, \(.facts_per_second) a second, \(.comparisons) comparisons"' verify.json)"
shown "a cube of $size: $told; $((SERVER / 1000)) MB on the server, $((PROGRAM / 1000)) MB here, no temporary file above $((TEMP_KB / 1024)) MB"
quietly -c 'UPDATE cube.rollup_verification_hourly SET successful = successful + 1 WHERE ctid = (SELECT ctid FROM cube.rollup_verification_hourly ORDER BY hour DESC, lane LIMIT 1)'
contract=$(one 'contract_id FROM cube.fact_verification_executions ORDER BY created_at DESC OFFSET 1000 LIMIT 1')
quietly -c "UPDATE cube.key_verification_executions SET drift_score = 77 WHERE contract_id = '$contract'"
bounded 1
equal 'what is found of a damaged cell and a damaged link among ten million facts' "$(jq -c '[.checks[] | select(.differing > 0) | [.check, .of, .differing]] | sort' verify.json)" \
	"[[\"$LINK\",\"fact_verification_executions\",1],[\"$ROLLUP\",\"rollup_verification_hourly\",1]]"
"$CUBE_TEST_BIN" verify --repair --json >repaired.json 2>>verify.log || fail "the repair of a large cube: $(jq -c '.checks[] | select(.differing > 0)' repaired.json)"
equal 'what is made right of it' "$(jq -c '[.changed[].table] | sort' repaired.json)" '["key_verification_executions","rollup_verification_hourly"]'
shown 'one cell of the newest hour and one link in it, damaged: found, alone, and made right'
