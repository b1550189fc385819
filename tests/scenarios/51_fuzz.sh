#!/usr/bin/env bash
# The fuzzer for half a minute, from the fixtures on: any bytes as records, through the pipeline up to where a database is needed, under
# AddressSanitizer and UndefinedBehaviorSanitizer. See tests/fuzz/fuzz_pipeline.c. An input that breaks it is kept and shown.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
BUILD=${CUBE_TEST_BIN%/*}-fuzz
KEPT=${CUBE_TEST_BIN%/*}/test-artifacts/fuzz-
SECONDS_LONG=30

cmake -S "$CUBE_TEST_ROOT" -B "$BUILD" -DCMAKE_C_COMPILER=clang -DCMAKE_C_FLAGS_RELWITHDEBINFO='-O1 -g' -DGRACECUBE_TESTS=ON -DGRACECUBE_FUZZ=ON \
	-DGRACECUBE_SANITIZE=address,undefined >build.log 2>&1 || fail "configuring: $(grep -A 3 Error build.log)"
nice cmake --build "$BUILD" -j "$(nproc)" --target fuzz_pipeline >>build.log 2>&1 || fail "the build: $(tail -n 3 build.log)"

"$CUBE_TEST_ROOT/tests/fuzz/corpus.py" corpus
inputs=$(find corpus -type f | wc -l)
[ "$inputs" -gt 100 ] || fail "only $inputs inputs come of the fixtures"
mkdir -p found "${KEPT%/*}"
rm -f "$KEPT"*
STATUS=0
UBSAN_OPTIONS=print_stacktrace=1 nice "$BUILD/tests/fuzz_pipeline" -dict="$CUBE_TEST_ROOT/tests/fuzz/json.dict" -max_len=8192 \
	-max_total_time=$SECONDS_LONG -timeout=20 -artifact_prefix="$KEPT" -print_final_stats=1 found corpus >fuzz.log 2>&1 || STATUS=$?
input=$(find "${KEPT%/*}" -name "${KEPT##*/}*" | head -n 1)
if [ "$STATUS" -ne 0 ] || [ -n "$input" ]; then
	grep -vE '^#[0-9]+|^DictEntry|^MS: ' fuzz.log | tail -n 30 >&2
	shown "input: $(head -c 300 "$input" | base64 -w 0)"
	shown "again: $BUILD/tests/fuzz_pipeline $input"
	fail "the fuzzer ended with $STATUS: $(grep -m 1 -E '^broken: |runtime error|ERROR' fuzz.log)"
fi
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' fuzz.log)
[ "$runs" -ge "$inputs" ] || fail "only $runs runs of $inputs inputs"
shown "$inputs inputs of the fixtures, $runs runs in $SECONDS_LONG s, $(find found -type f | wc -l) of them reached something new: nothing broke"
