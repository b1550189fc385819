#!/usr/bin/env bash
# Built with AddressSanitizer and UndefinedBehaviorSanitizer, and under valgrind: the unit tests, the captured traffic and the garbage, all that
# the API answers, without an error and without a leak of ours. With CUBE_TEST_CAMPAIGN publish, run and serve on real servers under
# ThreadSanitizer and valgrind, too.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
plain=$CUBE_TEST_BIN

build() { # build NAME SANITIZERS OPTION… → BUILD
	BUILD=${plain%/*}-$1
	cmake -S "$CUBE_TEST_ROOT" -B "$BUILD" -DGRACECUBE_SANITIZE="$2" "${@:3}" >"build.$1.log"
	cmake --build "$BUILD" -j "$(nproc)" >>"build.$1.log" 2>&1 || fail "the build: $(tail -n 3 "build.$1.log")"
}

# serves NAME CONTRACTS → run applies what is published meanwhile, serve answers everything and tells of it
serves() {
	local directory=later_$1 port token run serve before
	before=$(position)
	port=$(free_port)
	token=$("$CUBE_TEST_BIN" token create asker --json | jq -r .token)
	start "run_$1" "$CUBE_TEST_BIN" run -s run.batch_records=300
	run=$PID
	start "serve_$1" "$CUBE_TEST_BIN" serve -s "serve.listen=127.0.0.1:$port"
	serve=$PID
	wait_until 120 grep -q 'listening\|serving\|ready' "serve_$1.log" || fail "serve: $(tail -n 3 "serve_$1.log")"
	rm -rf "$directory"
	more_traffic "$directory" 12 "$2"
	python3 -B "$CUBE_TEST_ROOT/tests/lib/ask_all.py" "$port" "$token" >"asked_$1" 2>"asked_$1.log" &
	local asker=$!
	publish "$directory"/*
	wait "$asker" || fail "asking: $(tail -n 2 "asked_$1.log"; tail -n 20 "serve_$1.log")"
	reaches $((before + $(read_records "$directory"))) 300
	for pid in $run $serve; do
		kill -TERM "$pid"
		ends "$pid" 120
		equal "exit code of run and serve ($pid of $run, $serve)" "$STATUS" 0
	done
	verify_agrees
}
commands() {
	local command
	for command in 'status' 'check' 'dead list' 'config show' 'config reference' 'help run' 'token list'; do
		# shellcheck disable=SC2086
		"$CUBE_TEST_BIN" $command >/dev/null 2>>commands.log || fail "$command: $(tail -n 5 commands.log)"
	done
}

# --- address, undefined ---
build sanitize address,undefined -DGRACECUBE_TESTS=ON
export ASAN_OPTIONS=detect_leaks=1:check_initialization_order=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
ctest --test-dir "$BUILD" --output-on-failure --timeout 200 -j "$(nproc)" >ctest.log 2>&1 || fail "unit tests: $(grep -E '\*\*\*|ERROR' ctest.log | head -n 3)"
shown "address and undefined: $(sed -n 's/^100% tests passed, 0 tests failed out of //p' ctest.log) unit tests"

CUBE_TEST_BIN=$BUILD/gracecube
CUBE_TEST_MODEL=template1 # migrate is looked at, too
new_cube
new_topics capture
publish capture/*
catch_up -s run.batch_records=300
answers_are >&2
verify_agrees
commands
shown "address and undefined: $(summary records) captured records published and consumed by two workers, verify, status, check and the other commands"
serves address 50
shown "address and undefined: serve beside run: $(cat asked_address)"

mkdir garbage
(cd garbage && CUBE_TEST_PREFIX=${CUBE_TEST_PREFIX}_g CUBE_TEST_BIN=$CUBE_TEST_BIN python3 -B "$CUBE_TEST_ROOT/tests/scenarios/05_garbage.py") >garbage.out
shown 'address and undefined: all of the garbage'

# --- valgrind ---
leaks='definite,indirect'
valgrind=(valgrind -q --leak-check=full --show-leak-kinds="$leaks" --errors-for-leak-kinds="$leaks" --error-exitcode=99
	--suppressions="$CUBE_TEST_ROOT/tests/lib/valgrind.supp")
CUBE_TEST_BIN=$plain
new_cube valgrind
head -n 25 -q capture/*.jsonl >few.jsonl
echo "{\"topic\": \"$CUBE_TEST_PREFIX.action_contracts\", \"key\": \"x\", \"value\": \"garbage\"}" >>few.jsonl
"${valgrind[@]}" --log-file=valgrind.log \
	"$CUBE_TEST_BIN" sandbox --until-caught-up --progress none --partitions 1 --publish few.jsonl >valgrind.out 2>>run.log ||
	fail "valgrind: exit code $?: $(head -n 20 valgrind.log; tail -n 2 run.log)"
verify_agrees_without_kafka() { "$CUBE_TEST_BIN" verify --quiet >&2; }
verify_agrees_without_kafka || fail 'verify'
shown "valgrind: a sandbox from its broker to its last rollup: $(cat valgrind.out)"
[ -n "${CUBE_TEST_CAMPAIGN:-}" ] || exit 0

# --- The same on real servers, by valgrind and ThreadSanitizer, which take minutes ---
everything() { # everything NAME
	new_cube "$1"
	rm -rf capture
	new_topics capture "${CUBE_TEST_PREFIX}_$1"
	publish capture/*
	catch_up -s run.batch_records=300
	answers_are >&2
	commands
	serves "$1" 20
	shown "$1: publish, run with two workers and serve on real servers: $(cat "asked_$1"), verify, status, check and the other commands"
}
{
	echo '#!/usr/bin/env bash'
	printf 'exec %s "$@"\n' "${valgrind[*]@Q} ${plain@Q}"
} >under-valgrind
chmod +x under-valgrind
CUBE_TEST_BIN=$PWD/under-valgrind everything valgrind_real
unset ASAN_OPTIONS UBSAN_OPTIONS
# Threads are told to leak that were joined by pthread_clockjoin_np(), which it does not know.
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:report_thread_leaks=0:suppressions=$CUBE_TEST_ROOT/tests/lib/threads.supp
build threads thread
CUBE_TEST_BIN=$BUILD/gracecube everything thread
