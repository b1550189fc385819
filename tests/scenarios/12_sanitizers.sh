#!/usr/bin/env bash
# Built with AddressSanitizer and UndefinedBehaviorSanitizer, and under valgrind: the unit tests, the captured traffic and the
# garbage, without an error and without a leak of ours.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
BUILD=${CUBE_TEST_BIN%/*}-sanitize
plain=$CUBE_TEST_BIN

cmake -S "$CUBE_TEST_ROOT" -B "$BUILD" -DGRACECUBE_TESTS=ON -DGRACECUBE_SANITIZE=address,undefined >build.log
cmake --build "$BUILD" -j "$(nproc)" >>build.log 2>&1 || fail "the build: $(tail -n 3 build.log)"
export ASAN_OPTIONS=detect_leaks=1:check_initialization_order=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
ctest --test-dir "$BUILD" --output-on-failure --timeout 200 -j "$(nproc)" >ctest.log 2>&1 || fail "unit tests: $(grep -E '\*\*\*|ERROR' ctest.log | head -n 3)"
shown "address and undefined: $(sed -n 's/^100% tests passed, 0 tests failed out of //p' ctest.log) unit tests"

CUBE_TEST_BIN=$BUILD/gracecube
new_cube
new_topics capture
publish capture/*
catch_up -s run.batch_records=300
answers_are >&2
verify_agrees
for command in 'status' 'check' 'dead list' 'config show' 'config reference' 'help run'; do
	# shellcheck disable=SC2086
	"$CUBE_TEST_BIN" $command >/dev/null 2>>commands.log || fail "$command: $(tail -n 5 commands.log)"
done
shown "address and undefined: $(summary records) captured records published and consumed by two workers, verify, status, check and the other commands"

mkdir garbage
(cd garbage && CUBE_TEST_PREFIX=${CUBE_TEST_PREFIX}_g CUBE_TEST_BIN=$CUBE_TEST_BIN python3 -B "$CUBE_TEST_ROOT/tests/scenarios/05_garbage.py") >garbage.out
shown 'address and undefined: all of the garbage'

CUBE_TEST_BIN=$plain
new_cube valgrind
head -n 25 -q capture/*.jsonl >few.jsonl
echo "{\"topic\": \"$CUBE_TEST_PREFIX.action_contracts\", \"key\": \"x\", \"value\": \"garbage\"}" >>few.jsonl
valgrind -q --leak-check=full --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect --error-exitcode=99 \
	--suppressions="$CUBE_TEST_ROOT/tests/lib/valgrind.supp" --log-file=valgrind.log \
	"$CUBE_TEST_BIN" sandbox --until-caught-up --progress none --partitions 1 --publish few.jsonl >valgrind.out 2>>run.log ||
	fail "valgrind: exit code $?: $(head -n 20 valgrind.log; tail -n 2 run.log)"
verify_agrees_without_kafka() { "$CUBE_TEST_BIN" verify --quiet >&2; }
verify_agrees_without_kafka || fail 'verify'
shown "valgrind: a sandbox from its broker to its last rollup: $(cat valgrind.out)"
