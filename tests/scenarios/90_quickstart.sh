#!/usr/bin/env bash
# The quickstart as a user runs it: it prints true answers, its address opens a dashboard that shows the same, run again it repeats
# nothing, it stops and removes what it made, it refuses what it does not understand; through a real Kafka it says the same.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
for part in install postgres kafka; do
	# shellcheck source=/dev/null
	. "$CUBE_TEST_ROOT/deploy/lib/$part.sh"
done

QUICKSTART=$CUBE_TEST_ROOT/deploy/quickstart
DIR=$CUBE_TEST_DIR/quick
MARK=$CUBE_TEST_PREFIX$RANDOM$RANDOM # in the environment of everything that a quickstart starts
SECTIONS=('Verification success by tier' 'Mission performance, the eight busiest' 'Errors a day, the last seven days with any'
	'Approvals a day, the last seven days with any' 'Freshness')
export PYTHONDONTWRITEBYTECODE=1
leave() {
	local dir
	for dir in "$DIR" "$DIR-kafka"; do
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
tables() { for title in "${SECTIONS[@]}"; do echo "$title" && section "$1" "$title"; done; }
note() { sed -n "s/^  $2  *[0-9.]* s  //p" "$1.said"; }
after() { sed -n "s/^  *$2  *//p" "$1.said"; }
address() { after "$1" dashboard | grep '^http'; }

# is_true TITLE < SQL → what was printed is what SQL over facts says; ties may stand in any order
is_true() {
	section first "$1" >printed
	postgres_psql "$DIR/postgres" gracecube -At -P null=– -f - >wanted
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
		WHERE mission_key <> 0 GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 8
	SQL
	is_true "${SECTIONS[2]}" <<-'SQL'
		SELECT (created_at AT TIME ZONE 'UTC')::date, count(*), count(*) FILTER (WHERE severity = 'critical'), count(*) FILTER (WHERE severity = 'high'),
			count(*) FILTER (WHERE severity NOT IN ('critical', 'high')), count(*) FILTER (WHERE was_auto_resolved)
		FROM cube.fact_error_events GROUP BY 1 ORDER BY 1 DESC LIMIT 7
	SQL
	is_true "${SECTIONS[3]}" <<-'SQL'
		SELECT (created_at AT TIME ZONE 'UTC')::date, count(*), count(*) FILTER (WHERE was_approved), count(*) FILTER (WHERE NOT was_approved),
			count(*) FILTER (WHERE was_approved IS NULL), round((avg(decision_time_seconds) / 60)::numeric, 1)
		FROM cube.fact_approvals GROUP BY 1 ORDER BY 1 DESC LIMIT 7
	SQL
	is_true "${SECTIONS[4]}" <<-'SQL'
		SELECT stream, sum(next_offset - first_offset), date_trunc('second', max(last_record_at)), sum(dead) FROM cube.etl_offset GROUP BY 1
		HAVING sum(next_offset - first_offset) > 0
	SQL
	equal 'captured messages' "$(note first events)" "$(gzip -dc "$CUBE_TEST_ROOT"/tests/data/capture/*.jsonl.gz | wc -l) captured messages"
	equal 'records in the cube' "$(section first Freshness | awk -F '|' '{ n += $2 } END { print n }')" \
		"$(for stream in $(known_streams); do gzip -dcf "$CUBE_TEST_ROOT/tests/data/capture/"*".$stream.jsonl.gz" 2>/dev/null || true; done | wc -l)"
	shown "$(note first events) in $((TOOK / 1000)) s; $ANSWERS lines of ${#SECTIONS[@]} answers equal SQL over the facts"
}

# What it says to type is typed.
says_what_works() {
	local look
	look=$(after first 'look inside')
	(
		eval "$look"
		psql "$GRACECUBE_POSTGRES_DSN" -X -q -At -c '\dv cube.*' >views 2>&1 </dev/null || fail "psql as printed: $(tail -n 1 views)"
		"$CUBE_TEST_BIN" verify >verified 2>&1 </dev/null || fail "verify as printed: $(tail -n 2 verified)"
	)
	[ "$(grep -c '|view|' views)" -gt 20 ] || fail "the views are not there: $(head -n 3 views)"
	shown "what it says to type works: psql lists $(grep -c '|view|' views) views, verify agrees"
}

# page_has NAME VALUE
page_has() { equal "the page's $1" "$(sed -n "s/^$1	//p" page)" "$2"; }

opens_true_dashboard() {
	local good runs back errors auto asked waiting
	python3 "$CUBE_TEST_ROOT/tests/browser/quickstart.py" "$(address first)" "$(free_port)" >page || fail 'the browser does not see the page'
	IFS='|' read -r good runs back errors auto asked waiting < <(postgres_psql "$DIR/postgres" gracecube -At -c "
		SELECT r.good, r.runs, r.back, e.errors, e.auto, a.asked, a.waiting
		FROM (SELECT count(*) AS runs, count(*) FILTER (WHERE was_successful) AS good, count(*) FILTER (WHERE was_rolled_back) AS back
				FROM cube.fact_verification_executions) r,
			(SELECT count(*) AS errors, count(*) FILTER (WHERE was_auto_resolved) AS auto FROM cube.fact_error_events) e,
			(SELECT count(*) AS asked, count(*) FILTER (WHERE was_approved IS NULL) AS waiting FROM cube.fact_approvals) a")
	page_has execution-count "$runs"
	equal 'executions on the page and in the text' "$runs" "$(section first "${SECTIONS[0]}" | awk -F '|' '{ n += $2 } END { print n }')"
	page_has success-rate "$(percent "$good" "$runs")"
	page_has rollback-rate "$(percent "$back" "$runs")"
	page_has error-count "$errors"
	page_has error-count-detail "$(percent "$auto" "$errors") auto-resolved, $auto of $errors"
	page_has approval-count "$asked"
	equal 'pending approvals' "$(sed -n 's/^approval-count-detail	\([0-9]*\) pending .*/\1/p' page)" "$waiting"
	page_has panels ready
	page_has console ''
	page_has address "$(address first | sed 's/#token=.*//')"
	shown "its address opens in a browser, without the token afterwards: $runs executions, $(percent "$good" "$runs") verified, $errors errors, $asked approvals, as in SQL"
}
percent() { awk -v part="$1" -v total="$2" 'BEGIN { printf "%.1f %%", part * 100 / total }'; }

# repeats_nothing NAME HOW → a later run: HOW the servers were found
repeats_nothing() {
	equal "$1: exit code" "$STATUS" 0
	equal "$1: events" "$(note "$1" events)" 'already there'
	[[ $(note "$1" PostgreSQL) == *", $2" ]] || fail "$1: PostgreSQL: $(note "$1" PostgreSQL)"
	[[ $(note "$1" dashboard) == *", $2" ]] || fail "$1: dashboard: $(note "$1" dashboard)"
	tables first >tables.first
	tables "$1" | diff tables.first - >difference || fail "$1: other answers: $(cat difference)"
}

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

quickstart first --dir "$DIR"
equal 'exit code' "$STATUS" 0
FIRST=$TOOK
prints_true_answers
says_what_works
opens_true_dashboard

quickstart second --dir "$DIR"
repeats_nothing second running
[ "$TOOK" -lt "$FIRST" ] || fail "the second run took $TOOK ms, the first $FIRST ms"
SECOND=$TOOK
stops_all "$DIR" /bin/postgres 'gracecube serve'
quickstart third --dir "$DIR"
repeats_nothing third started
equal 'the token after a restart' "$(address third | sed 's/.*#//')" "$(address first | sed 's/.*#//')"
shown "again: nothing is repeated, the same answers in $((SECOND / 1000)).$((SECOND % 1000 / 100)) s; --stop leaves no process, and the next run starts all again"

mkdir other
echo mine >other/file
refuses 2 'unknown argument: --nonsense' --nonsense
refuses 2 'which directory? --dir DIR' --dir
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

quickstart kafka --kafka --dir "$DIR-kafka"
KAFKA=$TOOK
equal 'exit code with --kafka' "$STATUS" 0
tables kafka | diff tables.first - >difference || fail "other answers through Kafka: $(cat difference)"
brokers=$(after kafka 'this Kafka')
kcat -b "$brokers" -L -J >topics.json || fail "no Kafka at $brokers"
equal 'topics' "$(jq '[.topics[].topic | select(startswith("grace.public."))] | length' topics.json)" "$(find "$CUBE_TEST_ROOT/tests/data/capture" -name '*.gz' | wc -l)"
stops_all "$DIR-kafka" /bin/postgres 'gracecube serve' kafka.Kafka
shown "--kafka: the same answers through Apache Kafka, in $((KAFKA / 1000)) s with its start"
