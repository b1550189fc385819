# shellcheck shell=bash
# What most scenarios need; see README.md here. To be sourced first.
set -euo pipefail
[ -n "${CUBE_TEST_ROOT:-}" ] || {
	echo "A scenario is run by tests/run --only ${0##*/}" >&2
	exit 2
}
# shellcheck source=/dev/null
. "$CUBE_TEST_ROOT/deploy/lib/common.sh"

# shown TEXT → a line of the report
shown() { printf '%s\n' "$*"; }

# new_database [NAME] → an empty database, and the program told to use it
new_database() {
	CUBE_TEST_DATABASE=${CUBE_TEST_PREFIX}${1:+_$1}
	psql -X -q -h "$CUBE_TEST_PGHOST" -p "$CUBE_TEST_PGPORT" -U "$CUBE_TEST_PGUSER" -d postgres \
		-c "DROP DATABASE IF EXISTS $CUBE_TEST_DATABASE WITH (FORCE)" -c "CREATE DATABASE $CUBE_TEST_DATABASE" >&2
	export GRACECUBE_POSTGRES_DSN="host=$CUBE_TEST_PGHOST port=$CUBE_TEST_PGPORT user=$CUBE_TEST_PGUSER dbname=$CUBE_TEST_DATABASE"
}

# sql ARGUMENT… → psql in that database; `sql -c 'SELECT …'` prints bare values
sql() { psql -X -q -At -v ON_ERROR_STOP=1 -d "$GRACECUBE_POSTGRES_DSN" "$@"; }

# new_topics DIR [PREFIX] [FILE…] → the capture (or FILE…) under topic names of its own in DIR, and the program told to read
# these, in a consumer group of its own. Streams that the program does not read yet are left as they are, unread.
new_topics() {
	local directory=$1 prefix=${2:-$CUBE_TEST_PREFIX} file stream known
	shift $(($# < 2 ? $# : 2))
	[ $# -gt 0 ] || set -- "$CUBE_TEST_ROOT"/tests/data/capture/*.jsonl.gz
	mkdir -p "$directory"
	known=$("$CUBE_TEST_BIN" config sample)
	for file in "$@"; do
		stream=${file##*/}
		stream=${stream%.jsonl*}
		stream=${stream##*.}
		gzip -dcf "$file" | sed "s/^{\"topic\": \"[^\"]*\"/{\"topic\": \"$prefix.$stream\"/" >"$directory/$prefix.$stream.jsonl"
		if grep -Eq "^[# ]*$stream:" <<<"$known"; then
			export "GRACECUBE_STREAMS_${stream^^}_TOPICS=$prefix.$stream"
		fi
	done
	export GRACECUBE_KAFKA_BROKERS=$CUBE_TEST_BROKERS GRACECUBE_KAFKA_GROUP_ID=$prefix
}

# answers_are DIRECTORY → the cube's answers equal these files, to 6 decimals
answers_are() {
	rm -rf answers
	mkdir answers
	sql -v directory="$PWD/answers" -f "$CUBE_TEST_ROOT/tests/oracle/answers.sql" >&2
	python3 "$CUBE_TEST_ROOT/tests/oracle/compare.py" "$1" answers
}
