#!/usr/bin/env bash
# Whatever the order, the batches, the redeliveries and the owners: one cube. See tests/property/property.h; CUBE_TEST_SEEDS
# says how many seeds.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

new_database
timeout --signal=TERM "$((CUBE_TEST_LIMIT - 10))" "${CUBE_TEST_BIN%/*}/tests/property" || {
	status=$?
	[ "$status" -ne 124 ] || echo "not done after $((CUBE_TEST_LIMIT - 10)) s: raise CUBE_TEST_LIMIT with CUBE_TEST_SEEDS"
	exit "$status"
}
