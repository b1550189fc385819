# shellcheck shell=bash disable=SC2034
# What most scenarios need; see README.md here. To be sourced first.
set -euo pipefail
[ -n "${CUBE_TEST_ROOT:-}" ] || {
	echo "A scenario is run by tests/run --only ${0##*/}" >&2
	exit 2
}
# shellcheck source=/dev/null
. "$CUBE_TEST_ROOT/deploy/lib/common.sh"
EXPECTED=$CUBE_TEST_ROOT/tests/data/expected

# --- Saying what was seen ---------------------------------------------------------------------------------------------

# shown TEXT → a line of the report
shown() { printf '%s\n' "$*"; }

# fail TEXT → the end, with a reason
fail() {
	printf 'FAILED: %s\n' "$*"
	printf 'FAILED: %s\n' "$*" >&2 # not by tee: it would open the log anew, and empty it
	exit 1
}

# equal WHAT ACTUAL EXPECTED
equal() { [ "$2" = "$3" ] || fail "$1: $2, expected $3"; }

# contains WHAT FILE TEXT → FILE has TEXT somewhere
contains() { grep -qF -- "$3" "$2" || fail "$1: nothing in $2 says \"$3\"; it ends: $(tail -n 3 "$2")"; }

# --- The runbook ------------------------------------------------------------------------------------------------------

# runbook HEADING KIND NUMBER → a file with the so manieth piece of this kind (sh, sql) in that section
runbook() {
	local piece=piece.$2.$3
	sed -n "/^## $1\$/,/^## /p" "$CUBE_TEST_ROOT/deploy/RUNBOOK.md" | sed '1s/.*//; /^## /d' |
		awk -v kind="$2" -v number="$3" '$0 == "```" { inside = 0 } inside && n == number { print } $0 == "```" kind { inside = 1; n++ }' >"$piece"
	[ -s "$piece" ] || fail "the section $1 of the runbook has no piece $3 of $2"
	echo "$piece"
}
# follows HEADING NUMBER → its commands are run, and none fails; `gracecube` is this program
follows() {
	local piece
	piece=$(runbook "$1" sh "$2")
	DEPLOY=$CUBE_TEST_ROOT/deploy bash -euo pipefail -c 'gracecube() { "$CUBE_TEST_BIN" "$@"; }; . "$1"' follows "./$piece" >"follows.$2.out" 2>&1 ||
		fail "piece $2 of $1 in the runbook: $(tail -n 3 "follows.$2.out")"
}

# --- The database -----------------------------------------------------------------------------------------------------

# new_database [NAME [TEMPLATE]] → an empty database, or a copy, and the program told to use it
new_database() {
	CUBE_TEST_DATABASE=${CUBE_TEST_PREFIX}${1:+_$1}
	psql -X -q -h "$CUBE_TEST_PGHOST" -p "$CUBE_TEST_PGPORT" -U "$CUBE_TEST_PGUSER" -d postgres \
		-c "DROP DATABASE IF EXISTS $CUBE_TEST_DATABASE WITH (FORCE)" -c "CREATE DATABASE $CUBE_TEST_DATABASE TEMPLATE ${2:-template1}" >&2
	export GRACECUBE_POSTGRES_DSN="host=$CUBE_TEST_PGHOST port=$CUBE_TEST_PGPORT user=$CUBE_TEST_PGUSER dbname=$CUBE_TEST_DATABASE"
}

# new_cube [NAME] → the same with the cube's schema: a copy of the model, in which migrate has at most settings to change
new_cube() {
	if [ "$(schema)" = cube ]; then new_database "${1:-}" "$CUBE_TEST_MODEL"; else new_database "${1:-}"; fi
	"$CUBE_TEST_BIN" migrate >&2
}

# schema → where the cube is
schema() { echo "${GRACECUBE_CUBE_SCHEMA:-cube}"; }

# sql ARGUMENT… → psql in that database; `sql -c 'SELECT …'` prints bare values
sql() { psql -X -q -At -v ON_ERROR_STOP=1 -d "$GRACECUBE_POSTGRES_DSN" "$@"; }

# --- Records ----------------------------------------------------------------------------------------------------------

# own_topics [PREFIX] → every stream reads the topic PREFIX.<stream> and no other, in a consumer group of its own. Members hear
# of each other by heartbeats: frequent ones, or each run of two workers would take three seconds more. No port is opened.
own_topics() {
	local prefix=${1:-$CUBE_TEST_PREFIX} stream
	export GRACECUBE_KAFKA_BROKERS=$CUBE_TEST_BROKERS GRACECUBE_KAFKA_GROUP_ID=$prefix
	export GRACECUBE_KAFKA_PROPERTIES_HEARTBEAT_INTERVAL_MS=250 GRACECUBE_HTTP_LISTEN='' GRACECUBE_SERVE_PROBES_LISTEN=''
	for stream in $(known_streams); do export "GRACECUBE_STREAMS_${stream^^}_TOPICS=$prefix.$stream"; done
}

known_streams() { env -u GRACECUBE_KAFKA_BROKERS "$CUBE_TEST_BIN" config sample | sed -n 's/^  \([a-z_]*\): {topics: .*/\1/p'; }

# new_topics DIR [PREFIX] [FILE…] → the capture (or FILE…) in DIR under topic names of its own, and the program told to read
# these. Streams that the program does not read are left unread.
new_topics() {
	local directory=$1 prefix=${2:-$CUBE_TEST_PREFIX} file stream
	shift $(($# < 2 ? $# : 2))
	[ $# -gt 0 ] || set -- "$CUBE_TEST_ROOT"/tests/data/capture/*.jsonl.gz
	mkdir -p "$directory"
	for file in "$@"; do
		stream=${file##*/}
		stream=${stream%.jsonl*}
		stream=${stream##*.}
		gzip -dcf "$file" | sed "s/^{\"topic\": \"[^\"]*\"/{\"topic\": \"$prefix.$stream\"/" >"$directory/$prefix.$stream.jsonl"
	done
	own_topics "$prefix"
}

# more_traffic DIR SEED CONTRACTS [DAYS] → records of about so many contracts and all that goes with them, on the same topics; what
# they tell of was so many days earlier
more_traffic() { python3 -B "$CUBE_TEST_ROOT/tests/lib/traffic.py" "$1" "$GRACECUBE_KAFKA_GROUP_ID" "${@:2}" >&2; }

# expect DIR… → EXPECTED: what the oracle says of these records
expect() {
	EXPECTED=$PWD/expected
	rm -rf "$EXPECTED"
	python3 -B "$CUBE_TEST_ROOT/tests/oracle/oracle.py" "$EXPECTED" "$@"
}

publish() { "$CUBE_TEST_BIN" publish --create-topics --partitions "$CUBE_TEST_PARTITIONS" --progress none "$@" >&2; }

# read_records DIR… → how many records are on the topics that the program reads
read_records() {
	local stream directory
	for stream in $(known_streams); do
		for directory in "$@"; do cat "$directory/"*".$stream.jsonl" 2>/dev/null || true; done
	done | wc -l
}

# --- The program ------------------------------------------------------------------------------------------------------

# catch_up [OPTION…] → `run` until all is read; its summary is summary.json
catch_up() {
	"$CUBE_TEST_BIN" run --until-caught-up --progress none --json "$@" >summary.json 2>>run.log ||
		fail "run --until-caught-up ended with $?: $(tail -n 2 run.log)"
}

# summary NAME → a number of the last summary
summary() { jq ".$1" summary.json; }

# start NAME COMMAND… → in the background: PID; its output NAME.out, its log NAME.log (both appended)
start() {
	local name=$1
	shift
	"$@" >>"$name.out" 2>>"$name.log" &
	PID=$!
}

# ends PID SECONDS → STATUS: its exit code; failing when it does not end
ends() {
	wait_until "$2" is_gone "$1" || fail "process $1 is still there after $2 s"
	STATUS=0
	wait "$1" || STATUS=$?
}

# stays SECONDS COMMAND… → it holds all that while: how one sees that nothing happens, for which there is no state to wait for
stays() {
	local tenths=$1 end
	case $1 in *.*) tenths=${1/./} ;; *) tenths=${1}0 ;; esac
	end=$(($(now_ms) + 10#$tenths * 100))
	shift
	while "$@"; do
		[ "$(now_ms)" -lt "$end" ] || return 0
		sleep 0.1
	done
	return 1
}
lives_on() { ! is_gone "$1"; }

# owns PID → that process has a partition
owns() { [ "$(sql -c "SELECT count(*) FROM cube.etl_offset WHERE owner LIKE '%:$1:%'")" -gt 0 ]; }

# position → how many records the cube has accounted for
position() { sql -c "SELECT coalesce(sum(next_offset - first_offset), 0) FROM $(schema).etl_offset"; }
has_reached() { [ "$(position)" -ge "$1" ]; }

# reaches NUMBER SECONDS
reaches() { wait_until "$2" has_reached "$1" || fail "the cube stands at $(position) of $1 records after $2 s"; }

# --- Proofs -----------------------------------------------------------------------------------------------------------

# write_answers DIRECTORY → the cube's answers, as files
write_answers() {
	rm -rf "$1"
	mkdir "$1"
	sed "s/\bcube\./$(schema)./g; s/'cube'/'$(schema)'/g" "$CUBE_TEST_ROOT/tests/oracle/answers.sql" | sql -v directory="$PWD/$1" -f - >&2
}

# answers_are [DIRECTORY] → the cube's answers equal these files (those of EXPECTED), to 6 decimals
answers_are() {
	write_answers answers
	python3 -B "$CUBE_TEST_ROOT/tests/oracle/compare.py" "${1:-$EXPECTED}" answers
}

# verify_agrees → the program says that all is equal
verify_agrees() {
	"$CUBE_TEST_BIN" verify --json >verify.json 2>>verify.log ||
		fail "verify: $(jq -c '.checks[]? | select(.differing > 0)' verify.json; tail -n 2 verify.log)"
	[ "$(jq '.equal and .differing == 0 and .kafka_compared' verify.json)" = true ] || fail "verify: $(cat verify.json)"
}

# verify_finds WHAT CHECK [OF] → it says no, with exit code 1, and names the check and what it is of; FOUND is its example
verify_finds() {
	local status=0
	"$CUBE_TEST_BIN" verify --json >verify.json 2>>verify.log || status=$?
	equal "verify of $1: exit code" "$status" 1
	FOUND=$(jq -r --arg check "$2" --arg of "${3:-}" \
		'[.checks[] | select(.differing > 0 and .check == $check and ($of == "" or .of == $of))][0].example // empty' verify.json)
	[ -n "$FOUND" ] || fail "verify of $1: not \"$2\" of ${3:-anything}, but $(jq -c '.checks[] | select(.differing > 0)' verify.json)"
}

# ledger_is NUMBER → so many records are accounted for, each partition's ledger is closed, and Kafka ends at the cube's positions
ledger_is() {
	local line topic partition next
	equal 'records in the ledger' "$(position)" "$1"
	equal 'open ledgers' "$(sql -c "SELECT count(*) FROM $(schema).etl_offset WHERE applied + superseded + dead + ignored <> next_offset - first_offset")" 0
	sql -F ' ' -c "SELECT topic, partition, next_offset FROM $(schema).etl_offset ORDER BY 1, 2" >positions
	while read -r topic partition next; do echo "$topic [$partition] offset $next"; done <positions >expected-ends
	while read -r topic partition next; do printf -- '-t\n%s:%s:-1\n' "$topic" "$partition"; done <positions |
		xargs kcat -b "$GRACECUBE_KAFKA_BROKERS" -Q | sort >ends
	line=$(sort expected-ends | diff - ends | head -n 1) || true
	[ -z "$line" ] || fail "Kafka's ends and the cube's positions differ: $line"
}

# row_versions → a text that changes with any version of any row of a fact, its keys, a dimension or a rollup, and with any
# number that a sequence gave (but those of bookkeeping, which counts on)
row_versions() {
	sql <<-'SQL'
		SELECT format('SELECT %L, count(*), coalesce(sum(hashtext(t.xmin::text || t.ctid::text || t::text)::bigint), 0) FROM cube.%I t;', relname, relname)
		FROM pg_class WHERE relnamespace = 'cube'::regnamespace AND relkind = 'r' AND NOT relispartition
			AND relname NOT IN ('etl_offset', 'etl_dead_letter', 'etl_dead_letter_ledger', 'etl_quality_issue', 'rollup_quality_issues', 'etl_verification') ORDER BY relname
		\gexec
		SELECT format('SELECT %L, count(*), coalesce(sum(hashtext(t.xmin::text || t.ctid::text || t::text)::bigint), 0) FROM cube.%I t;', relname, relname)
		FROM pg_class WHERE relnamespace = 'cube'::regnamespace AND relkind = 'r' AND relispartition ORDER BY relname
		\gexec
		SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'cube' AND sequencename NOT LIKE 'etl\_%' ORDER BY 1;
	SQL
}
