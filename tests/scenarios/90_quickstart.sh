#!/usr/bin/env bash
# The quickstart as a user runs it: it prints true answers, of now; what it says to type works; its address opens a dashboard that is
# fresh and whose numbers move; run again it repeats nothing and starts what died; it stops and removes what it made; it refuses what
# it does not understand; through a real Kafka it does the same.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
for part in install postgres kafka; do
	# shellcheck source=/dev/null
	. "$CUBE_TEST_ROOT/deploy/lib/$part.sh"
done

QUICKSTART=$CUBE_TEST_ROOT/deploy/quickstart
DIR=$CUBE_TEST_DIR/quick
MARK=$CUBE_TEST_PREFIX$RANDOM$RANDOM # in the environment of everything that a quickstart starts
SECTIONS=('Verification success by tier' 'Mission performance, the five busiest' 'The last seven days' 'Freshness')
export PYTHONDONTWRITEBYTECODE=1
leave() {
	local dir
	for dir in "$CUBE_TEST_DIR/quick" "$CUBE_TEST_DIR/quick-kafka"; do
		[ ! -d "$dir" ] || "$QUICKSTART" --dir "$dir" --reset >&2 || true
	done
}
trap leave EXIT

# quickstart NAME ARGUMENT… → its output in NAME.said, its complaints in NAME.log; STATUS; TOOK, in ms
quickstart() {
	local name=$1 start
	start=$(now_ms)
	shift
	STATUS=0
	QUICKSTART_MARK=$MARK "$QUICKSTART" "$@" >"$name.said" 2>"$name.log" </dev/null || STATUS=$?
	TOOK=$(($(now_ms) - start))
	cat "$name.said" "$name.log" >&2
}

# section NAME TITLE → the rows that it printed under this title, cells parted by "|"
section() {
	awk -v title="$2" '$0 == title { inside = 1; next } inside && $0 == "" { exit } inside' "$1.said" |
		sed '1,2d; s/ *│ */|/g; s/^ *//; s/ *$//'
}
note() { sed -n "s/^  $2  *[0-9.]* s  //p" "$1.said"; }
after() { sed -n "s/^  *$2  *//p" "$1.said"; }
ask() { postgres_psql "$DIR/postgres" gracecube -At "$@"; }
address() { after "$1" dashboard | grep '^http'; }

# is_true TITLE < SQL → what was printed is what SQL over facts says; ties may stand in any order
is_true() {
	section first "$1" | sed 's/|[-0-9]* s$//' >printed # an age is another one by now
	ask -P null=– -f - >wanted
	[ -s wanted ] || fail "$1: nothing in the cube"
	diff <(sort printed) <(sort wanted) >difference || fail "$1: not what the facts say: $(cat difference)"
	ANSWERS=$((${ANSWERS:-0} + $(wc -l <printed)))
}

prints_true_answers() {
	is_true "${SECTIONS[0]}" <<-'SQL'
		SELECT tier_name, count(*), count(*) FILTER (WHERE was_successful), round(100.0 * count(*) FILTER (WHERE was_successful) / count(*), 1),
			count(*) FILTER (WHERE was_rolled_back)
		FROM cube.fact_verification_executions JOIN cube.dim_tier USING (tier_key) GROUP BY 1
	SQL
	is_true "${SECTIONS[1]}" <<-'SQL'
		SELECT mission_type, tier_name, count(DISTINCT mission_key), count(DISTINCT mission_key) FILTER (WHERE final_status = 'success'),
			round(avg(confidence_score)::numeric, 3)
		FROM cube.fact_verification_executions JOIN cube.dim_mission USING (mission_key) JOIN cube.dim_tier USING (tier_key)
		WHERE mission_key <> 0 GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 5
	SQL
	is_true "${SECTIONS[2]}" <<-'SQL'
		SELECT day, (SELECT count(*) FROM cube.fact_verification_executions WHERE (created_at AT TIME ZONE 'UTC')::date = day),
			(SELECT count(*) FROM cube.fact_verification_executions WHERE (created_at AT TIME ZONE 'UTC')::date = day AND was_successful),
			(SELECT count(*) FROM cube.fact_error_events WHERE (created_at AT TIME ZONE 'UTC')::date = day),
			(SELECT count(*) FROM cube.fact_error_events WHERE (created_at AT TIME ZONE 'UTC')::date = day AND was_auto_resolved),
			count(created_at), count(created_at) FILTER (WHERE was_approved IS NULL), round((avg(decision_time_seconds) / 60)::numeric, 1)
		FROM (SELECT (now() AT TIME ZONE 'UTC')::date - i AS day FROM generate_series(0, 6) i) days
			LEFT JOIN cube.fact_approvals ON (created_at AT TIME ZONE 'UTC')::date = day
		GROUP BY 1 ORDER BY 1 DESC
	SQL
	is_true "${SECTIONS[3]}" <<-'SQL'
		SELECT count(DISTINCT stream), sum(next_offset - first_offset), sum(dead), to_char(max(last_record_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
		FROM cube.etl_offset WHERE next_offset > first_offset
	SQL
	equal 'captured messages' "$(note first events)" "$(gzip -dc "$CUBE_TEST_ROOT"/tests/data/capture/*.jsonl.gz | wc -l) captured messages"
	equal 'records in the cube' "$(section first Freshness | cut -d '|' -f 2)" \
		"$(for stream in $(known_streams); do gzip -dcf "$CUBE_TEST_ROOT/tests/data/capture/"*".$stream.jsonl.gz" 2>/dev/null || true; done | wc -l)"
	equal 'the newest record was published while it ran' "$(ask -c "SELECT max(last_record_at) BETWEEN to_timestamp($BEGAN) AND now() FROM cube.etl_offset")" t
	equal 'the log is as it was signed' "$(ask -c 'SELECT count(*) > 0 AND bool_and(hash_matches) FROM cube.fact_agentic_events')" \
		t
	shown "$(note first events) in $((TOOK / 1000)) s, moved to this moment; $ANSWERS lines of ${#SECTIONS[@]} answers equal SQL over the facts"
}

# What it says to type is typed, in a shell that knows nothing else.
says_what_works() {
	local words=(status verify 'dead list' check) word
	after first 'in a shell' >line
	for word in "${words[@]}"; do
		grep -q "gracecube $word  " first.said || [ "$word" = check ] || fail "it does not say \"gracecube $word\""
		env -i HOME=/nonexistent PATH="$PATH" bash -c "$(cat line); gracecube $word" >typed.out 2>typed.log </dev/null || typed_fails "$word"
		cat typed.out typed.log >"typed.${word// /_}"
	done
	contains 'status after the quickstart' typed.status '152 partitions: '
	! grep -qE 'STALLED|HALTED' typed.status || fail "status after the quickstart: $(tail -n 1 typed.status)" # records come: some may be on their way
	contains 'verify after the quickstart' typed.verify 'all equal'
	contains 'dead list after the quickstart' typed.dead_list 'no dead letters'
	! grep -q 'read nothing' typed.* || fail "a command does not find the group: $(grep -h 'read nothing' typed.*)"
	env -i PATH="$PATH" bash -c "$(cat line); psql -X -q -At -c '\\dv cube.*'" >views 2>&1 </dev/null || fail "psql as printed: $(tail -n 1 views)"
	[ "$(grep -c '|view|' views)" -gt 20 ] || fail "the views are not there: $(head -n 3 views)"
	shown "after the line that it prints, gracecube status, verify, dead list, check and psql find the cube and its group: 152 partitions, $(grep -c '|view|' views) views"
}
typed_fails() { fail "$1 as printed: $(tail -n 3 typed.out typed.log)"; }

# page_has NAME VALUE
page_has() { equal "the page's $1" "$(sed -n "s/^$1	//p" page)" "$2"; }

# The page of a living cube: what its numbers are is shown in 70-dashboard and 61_one_answer; here that they are there, and move.
opens_living_dashboard() {
	mkdir -p "$CUBE_TEST_ROOT/build/test-artifacts"
	python3 "$CUBE_TEST_ROOT/tests/browser/quickstart.py" "$(address live)" "$(free_port)" "$CUBE_TEST_ROOT/build/test-artifacts/quickstart.png" >page ||
		fail 'the browser does not see the page'
	page_has freshness fresh
	page_has panels ready
	page_has console ''
	page_has address "$(address live | sed 's/#token=.*//')"
	shown "its address opens in a browser, without the token afterwards: fresh, $(sed -n 's/^moved	//p' page)"
}

# What the capture made, each in one line that new records must not touch.
captured_facts() {
	ask -c "SELECT 'contract', contract_id, contract_status, extract(epoch FROM created_at), extract(epoch FROM verified_at) FROM cube.fact_verification_executions
		UNION ALL SELECT 'error', error_id, status, extract(epoch FROM created_at), extract(epoch FROM resolved_at) FROM cube.fact_error_events
		UNION ALL SELECT 'approval', approval_id, status, extract(epoch FROM created_at), extract(epoch FROM decided_at) FROM cube.fact_approvals" | sort
}

# repeats_nothing NAME HOW → a later run: HOW the servers were found; all that the capture made is as it was
repeats_nothing() {
	equal "$1: exit code" "$STATUS" 0
	[[ $(note "$1" events) == 'already there, new ones until '[0-2][0-9]:[0-5][0-9]' UTC' ]] || fail "$1: events: $(note "$1" events)"
	[[ $(note "$1" PostgreSQL) == *", $2" ]] || fail "$1: PostgreSQL: $(note "$1" PostgreSQL)"
	captured_facts >later.facts
	comm -23 first.facts later.facts >lost.facts
	[ ! -s lost.facts ] || fail "$1: changed what was captured: $(head -n 3 lost.facts)"
}

contracts() { ask -c 'SELECT count(*) FROM cube.fact_verification_executions'; }
has_more_contracts() { [ "$(contracts)" -gt "$1" ]; }

# marked → processes that a quickstart started and left
marked() { grep -lz "^QUICKSTART_MARK=$MARK\$" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3; }
nothing_runs() { [ -z "$(marked)" ]; }

command_lines() { for pid in $(marked); do tr '\0' ' ' <"/proc/$pid/cmdline" && echo; done 2>/dev/null || true; }

# stops_all DIR PROGRAM… → these run, and nothing after --stop
stops_all() {
	local left program
	left=$(command_lines)
	for program in "${@:2}"; do [[ $left == *"$program"* ]] || fail "$program should be running: $left"; done
	quickstart stop --dir "$1" --stop
	equal 'exit code of --stop' "$STATUS" 0
	wait_until 10 nothing_runs || fail "--stop left running: $(command_lines)"
}

refuses() {
	quickstart refused "${@:3}"
	equal "exit code of ${*:3}" "$STATUS" "$1"
	contains "${*:3}" refused.log "$2"
	[ ! -s refused.said ] || fail "${*:3} said more than its refusal: $(cat refused.said)"
}

install_packages browser >&2

BEGAN=$(date +%s)
quickstart first --live 0 --dir "$DIR"
equal 'exit code' "$STATUS" 0
FIRST=$TOOK
prints_true_answers
captured_facts >first.facts
ask -c 'SELECT contract_id, contract_status, was_successful, tier_key FROM cube.fact_verification_executions' | sort >sandbox.facts
[ "$(wc -l <first.facts)" -gt 200 ] || fail "only $(wc -l <first.facts) facts were captured"

quickstart live --live 9m --dir "$DIR"
repeats_nothing live running
[ "$TOOK" -lt "$FIRST" ] || fail "the second run took $TOOK ms, the first $FIRST ms"
before=$(contracts)
wait_until 60 has_more_contracts "$before" || fail "no new contract within a minute: $before"
says_what_works
opens_living_dashboard
equal 'records that were refused' "$(ask -c 'SELECT count(*) FROM cube.etl_dead_letter')" 0
equal 'log entries that are not what was signed' "$(ask -c 'SELECT count(*) FROM cube.fact_agentic_events WHERE hash_matches IS NOT TRUE')" 0
equal 'rows that tell of a later time than now' "$(ask -c "SELECT count(*) FROM cube.fact_verification_executions WHERE greatest(created_at, verified_at) > now()")" 0
shown "new records come: $before contracts became $(contracts), $(ask -c "SELECT string_agg(contract_status || ' ' || n, ', ' ORDER BY n DESC) FROM (SELECT contract_status, count(*) AS n FROM cube.fact_verification_executions WHERE loaded_at > to_timestamp($BEGAN) AND created_at > to_timestamp($BEGAN) - interval '1 hour' GROUP BY 1) s")"

for name in sandbox serve; do kill -KILL "$(cat "$DIR/$name.pid")"; done
quickstart mended --dir "$DIR"
repeats_nothing mended running
equal 'the dashboard' "$(note mended dashboard)" "$(note live dashboard | sed 's/running/started/')"
before=$(contracts)
wait_until 60 has_more_contracts "$before" || fail 'no new contract after the repair'
stops_all "$DIR" /bin/postgres 'gracecube serve' 'gracecube sandbox'
quickstart again --dir "$DIR"
repeats_nothing again started
equal 'the address after a restart' "$(address again)" "$(address first)"
shown "again: nothing is repeated, what died is started, at the same address; --stop leaves no process"

mkdir other
echo mine >other/file
refuses 2 'unknown argument: --nonsense' --nonsense
refuses 2 'which directory? --dir DIR' --dir
refuses 2 'how long? --live TIME' --live soon
refuses 1 'was not made by the quickstart' --dir "$CUBE_TEST_DIR/other"
refuses 1 'There is nothing of the quickstart in' --dir "$CUBE_TEST_DIR/other" --reset
refuses 1 'Nothing was started in' --dir "$CUBE_TEST_DIR/nowhere" --stop
equal 'what is in the directory of somebody else' "$(ls -A other) $(cat other/file)" 'file mine'
[ ! -e nowhere ] || fail '--stop made a directory'
quickstart reset --dir "$DIR" --reset
equal 'exit code of --reset' "$STATUS" 0
[ ! -e "$DIR" ] || fail "--reset left $(find "$DIR" | head -n 3)"
wait_until 10 nothing_runs || fail "--reset left running: $(command_lines)"
shown 'a wrong argument and a directory of somebody else are refused with a sentence; --reset leaves nothing'

DIR=$DIR-kafka
quickstart kafka --kafka --live 9m --dir "$DIR"
KAFKA=$TOOK
equal 'exit code with --kafka' "$STATUS" 0
ask -c 'SELECT contract_id, contract_status, was_successful, tier_key FROM cube.fact_verification_executions' | sort >kafka.facts
comm -23 sandbox.facts kafka.facts >lost.facts
[ ! -s lost.facts ] || fail "other facts through Kafka: $(head -n 3 lost.facts)"
before=$(contracts)
wait_until 60 has_more_contracts "$before" || fail 'no new contract through Kafka'
brokers=$(after kafka 'this Kafka')
kcat -b "$brokers" -L -J >topics.json || fail "no Kafka at $brokers"
equal 'topics' "$(jq '[.topics[].topic | select(startswith("grace.public."))] | length' topics.json)" "$(find "$CUBE_TEST_ROOT/tests/data/capture" -name '*.gz' | wc -l)"
stops_all "$DIR" /bin/postgres 'gracecube serve' 'gracecube run' 'gracecube publish' kafka.Kafka
shown "--kafka: the same facts through Apache Kafka, and new ones, in $((KAFKA / 1000)) s with its start"

# --- Another apt-get is at work, as on a machine that has just been started ---
become_root_or_explain any
cat >hold.py <<'PY'
import fcntl, time
with open('/var/lib/apt/lists/lock', 'w') as lock:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    print('held', flush=True)
    time.sleep(3)
PY
start hold "${AS_ROOT[@]}" python3 -B hold.py
holder=$PID
is_held() { grep -qx held hold.out; }
wait_until 60 is_held || fail 'the lists of apt-get cannot be locked'
update_lists >lists.said
contains 'what is said meanwhile' lists.said 'waiting for another apt-get'
ends "$holder" 20
shown 'where another apt-get is at work, it is waited for'
