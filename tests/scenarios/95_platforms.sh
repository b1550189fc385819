#!/usr/bin/env bash
# Elsewhere than on this machine's own servers and libraries: what can be had that is farthest from them, in the few scenarios that
# would tell first: the answers, kills, retention, the schema's rights and comments. All combinations, by tests/run --all.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

TELLING=(--only exact --only kill --only documents --only retention)
CHOSEN=(--postgres 18 --librdkafka newest --kafka 3.9 "${TELLING[@]}")
[ -z "${CUBE_TEST_CAMPAIGN:-}" ] || CHOSEN=(--all)
unset CUBE_TEST_SEEDS # a campaign has run once, with this machine's own
export CUBE_TEST_BUILD=${CUBE_TEST_BIN%/*} CUBE_TEST_AT_ONCE=2

STATUS=0
"$CUBE_TEST_ROOT/tests/matrix" "${CHOSEN[@]}" >matrix.out || STATUS=$?
cat matrix.out >&2
# a heading, what was running, and how it ended
while IFS= read -r line; do shown "$line"; done < <(sed -nE 's/^== //p; s/^  ok +servers +[0-9.]+ s +/  /p; s/^librdkafka /  &/p; s/^  FAILED/  &/p; s/^[0-9]+ passed/  &/p' matrix.out)
equal "tests/matrix ${CHOSEN[*]}: exit code" "$STATUS" 0
