#!/usr/bin/env bash
# The captured traffic on real Kafka, 4 partitions a topic, keyed as captured, read by two workers: the cube answers what the
# oracle says, and every record is accounted for.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

new_cube
new_topics capture
publish capture/*
catch_up -s run.workers=2

answers_are
verify_agrees
shown "verify: $(jq .checks_run verify.json) checks, $(jq .comparisons verify.json) comparisons, all equal"

records=$(read_records capture)
ledger_is "$records"
equal 'records of the run' "$(summary records)" "$records"
equal 'dead letters' "$(sql -c 'SELECT count(*) FROM cube.etl_dead_letter')" 0
shown "$records records published, $(summary applied) applied, $(summary superseded) superseded, $(summary ignored) ignored: every partition's ledger is closed at Kafka's end"

# Running again finds nothing to do, and writes nothing.
row_versions >before
catch_up
equal 'records of a second run' "$(summary records)" 0
row_versions | cmp -s - before || fail 'a second run with nothing to read wrote rows'
shown 'a second run reads nothing and writes nothing'
