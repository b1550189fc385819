#!/usr/bin/env bash
# Records of different keys may arrive in any order, and any record again: the topics published in reverse order, each read to
# its end before the next one comes, and then everything published once more.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

superseded() { sql -c 'SELECT sum(superseded) FROM cube.etl_offset'; }

new_cube
new_topics capture
more_traffic generated 2 150
expect capture generated

for stream in $(known_streams | sort -r); do
	files=$(find capture generated -name "*.$stream.jsonl")
	[ -n "$files" ] || continue
	# shellcheck disable=SC2086
	publish $files
	catch_up -s run.workers=1
	read_streams="${read_streams:-} $stream"
done
answers_are
verify_agrees
records=$(read_records capture generated)
ledger_is "$records"
shown "topics in reverse order, one after the other:$read_streams"

row_versions >before
was=$(superseded)
publish capture/* generated/*
catch_up
equal 'records read the second time' "$(summary records)" "$records"
row_versions >after
changes=$(diff before after | grep -v 'version_missions' | grep '^[<>]' || true)
[ -z "$changes" ] || fail "the second time wrote: $changes"
answers_are >&2
verify_agrees
ledger_is $((2 * records))
superseded=$(($(superseded) - was))
shown "everything twice: the same answers; of $records records $superseded were superseded, the others ignored; no row was written"
