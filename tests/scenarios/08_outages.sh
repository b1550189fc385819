#!/usr/bin/env bash
# PostgreSQL and Kafka stopped and started, connections cut, answers to COMMIT lost, all under load: exact in the end. And what
# a person reads when something is not there: a sentence that says what is wrong and what to do, with the exit code of the help.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
for part in postgres kafka; do
	# shellcheck source=/dev/null
	. "$CUBE_TEST_ROOT/deploy/lib/$part.sh"
done

# Servers of its own, to be stopped.
stop_servers() {
	[ ! -f kafka/pid ] || crash_kafka
	postgres_remove "$PWD/postgres"
}
trap stop_servers EXIT
start_postgres() { POSTGRES_NO_SYNC=1 postgres_start "$PWD/postgres" fsync=off; }
crash_kafka() {
	kill -KILL "$(cat kafka/pid)"
	wait_until 10 is_gone "$(cat kafka/pid)"
}
crash_postgres() { as_owner "$(postgres_bin "$PWD/postgres")/pg_ctl" stop -D "$PWD/postgres/data" -m immediate -w -s; }
export KAFKA_PARTITIONS=$CUBE_TEST_PARTITIONS KAFKA_EXTRA='group.min.session.timeout.ms=500'
start_postgres >&2
kafka_start "$PWD/kafka" >&2

CUBE_TEST_BROKERS=$(kafka_brokers "$PWD/kafka")
CUBE_TEST_PGHOST=$(postgres_socket "$PWD/postgres")
CUBE_TEST_PGPORT=$(postgres_port "$PWD/postgres")
CUBE_TEST_PGPASSWORD=$(postgres_password "$PWD/postgres")
CUBE_TEST_MODEL=template1 # it has no other

# 0. On a server that has no cube yet: four cubes are made at once, one of them from three sides, one beside somebody who reads for long.
pids=()
for database in a b c d; do new_database $database; done
of_a() { psql -X -q -At -d "${GRACECUBE_POSTGRES_DSN/%_d/_a}" "$@"; }
start reading of_a -c 'BEGIN ISOLATION LEVEL REPEATABLE READ' -c 'SELECT pg_sleep(600)'
reading=$PID
reads() { [ "$(of_a -c "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'")" = 1 ]; }
wait_until 20 reads || fail 'nobody reads'
for database in a b c d d d; do
	GRACECUBE_POSTGRES_DSN=${GRACECUBE_POSTGRES_DSN/%_d/_$database} "$CUBE_TEST_BIN" migrate >>migrate.out 2>>migrate.log &
	pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || fail "migrate: $(cat migrate.log)"; done
equal 'cubes made' "$(grep -c 'no cube found' migrate.out)" 4
reads || fail 'a cube is not made before a transaction of somebody else has ended'
of_a -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'" >&2
ends "$reading" 20
shown 'migrate of four databases at once on a fresh server, one of them from three sides, one beside a long transaction: made once each'

new_cube
new_topics capture
more_traffic generated 8 600
expect capture generated
records=$(read_records capture generated)
# Published as of now: a broker that crashed knows a producer again by its records of the last day only.
for file in generated/*; do jq -c 'del(.timestamp)' "$file" >young && mv young "$file"; done
export GRACECUBE_KAFKA_PROPERTIES_RECONNECT_BACKOFF_MAX_MS=500 # a broker that is back is found soon
publish capture/*
publish --rate 500 generated/* &
publisher=$!

# 1. PostgreSQL is away twice, each time in the middle of transactions.
start run "$CUBE_TEST_BIN" run -s run.batch_records=20 -s run.workers=2 -X session.timeout.ms=1500 --json
run=$PID
said_to_wait() { grep -c 'waiting to try again' run.log || true; }
says_more() { [ "$(said_to_wait)" -gt "$said" ]; }
for share in 1 2; do
	reaches $((records * share / 14)) 60
	at=$(position)
	said=$(said_to_wait)
	crash_postgres
	wait_until 20 says_more || fail 'PostgreSQL away: no word of it'
	start_postgres >&2
	reaches $((at + records / 20)) 30
done
contains 'PostgreSQL away' run.log 'waiting to try again'
contains 'PostgreSQL back' run.log 'works again'
shown 'PostgreSQL stopped at once and started again, twice under load: waits, says so, goes on'

# 2. Connections are terminated, again and again.
cut=0
cut_connections() {
	cut=$((cut + $(sql -c "SELECT count(*) FROM pg_stat_activity, pg_terminate_backend(pid) WHERE application_name LIKE 'gracecube worker%'")))
	[ $cut -ge 12 ]
}
wait_until 20 cut_connections || fail "only $cut connections were there to cut"
shown "$cut connections terminated under load"

# 3. Kafka is away, for its consumers and for the one who publishes.
at=$(position)
crash_kafka
kafka_start "$PWD/kafka" >&2
reaches $((at + 1)) 60
shown 'Kafka killed and started again under load: goes on'
wait "$publisher" || fail 'publish did not end well'
reaches "$records" 60
kill -TERM "$run"
ends "$run" 20
equal 'exit code' "$STATUS" 0
reconnects=$(jq .reconnects run.out)
[ "$reconnects" -ge 4 ] || fail "the run counts $reconnects reconnections"
answers_are
verify_agrees
ledger_is "$records"
shown "exact after $reconnects reconnections and $(jq .retries run.out) retries"

# 4. The server commits, and the answer is lost.
dsn=$GRACECUBE_POSTGRES_DSN
new_cube cut
GRACECUBE_KAFKA_GROUP_ID=${CUBE_TEST_PREFIX}_cut
direct=$GRACECUBE_POSTGRES_DSN
start cut python3 -B "$CUBE_TEST_ROOT/tests/lib/cut.py" 127.0.0.1 "$CUBE_TEST_PGPORT" 8
proxy=$PID
wait_until 5 test -s cut.out
GRACECUBE_POSTGRES_DSN="host=127.0.0.1 port=$(cat cut.out) sslmode=disable user=$CUBE_TEST_PGUSER password=$CUBE_TEST_PGPASSWORD dbname=${CUBE_TEST_PREFIX}_cut"
catch_up -s run.batch_records=150 -s run.workers=2
kill -TERM "$proxy"
ends "$proxy" 5
GRACECUBE_POSTGRES_DSN=$direct
lost=$(tail -n 1 cut.out)
[ "$lost" -ge 5 ] || fail "only $lost answers were lost"
answers_are >&2
verify_agrees
ledger_is "$records"
shown "$lost answers to COMMIT lost after the server had committed: every record counted once"
GRACECUBE_POSTGRES_DSN=$dsn GRACECUBE_KAFKA_GROUP_ID=$CUBE_TEST_PREFIX

# 5. What a person reads.
says() { # says WHAT EXIT_CODE TEXT… -- COMMAND…
	local what=$1 code=$2 texts=() status=0
	shift 2
	while [ "$1" != -- ]; do texts+=("$1") && shift; done
	shift
	"$@" >said 2>&1 || status=$?
	equal "$what: exit code" "$status" "$code"
	for text in "${texts[@]}"; do contains "$what" said "$text"; done
	! grep -qF "$CUBE_TEST_PGPASSWORD" said || fail "$what: the password is printed"
	echo "$what: $(tail -n 1 said)" >&2
}
tcp="host=127.0.0.1 port=$CUBE_TEST_PGPORT user=$CUBE_TEST_PGUSER dbname=$CUBE_TEST_PREFIX"
nowhere=$(free_port)
new_database empty
empty=$GRACECUBE_POSTGRES_DSN
GRACECUBE_POSTGRES_DSN=$dsn
wrong_password="$tcp password=wrong" wrong_database="${tcp/dbname=*/dbname=nothing} password=$CUBE_TEST_PGPASSWORD"
# These wait for a broker as long as they are told to: beside the others.
export GRACECUBE_KAFKA_BROKERS=127.0.0.1:$nowhere
start brokerless_publish "$CUBE_TEST_BIN" publish capture/*playbooks.jsonl && publishing=$PID
start brokerless_check "$CUBE_TEST_BIN" check --timeout 3s && checking=$PID
start brokerless_run "$CUBE_TEST_BIN" run && running=$PID
export GRACECUBE_KAFKA_BROKERS=$CUBE_TEST_BROKERS
for command in run status verify check; do
	# check looks at everything and says what is bad
	config=78 away=69
	[ $command != check ] || config=1 away=1
	says "$command, wrong password" $config 'password authentication failed' postgres.dsn -- env GRACECUBE_POSTGRES_DSN="$wrong_password" "$CUBE_TEST_BIN" $command
	says "$command, wrong database" $config 'database "nothing" does not exist' postgres.dsn -- env GRACECUBE_POSTGRES_DSN="$wrong_database" "$CUBE_TEST_BIN" $command
	says "$command, no cube" $config 'no cube' 'gracecube migrate' -- env GRACECUBE_POSTGRES_DSN="$empty" "$CUBE_TEST_BIN" $command
	[ $command = run ] || # waits, see below
		says "$command, no PostgreSQL" $away 'Connection refused' postgres.dsn -- env GRACECUBE_POSTGRES_DSN="host=127.0.0.1 port=$nowhere" "$CUBE_TEST_BIN" $command
done
shown 'wrong password, wrong database, no cube, no PostgreSQL: named, with what to do; exit code 78 or 69, of check 1'
says 'run, no topic' 78 'topics exists' 'streams' -- env GRACECUBE_STREAMS_ACTION_CONTRACTS_TOPICS=absent "$CUBE_TEST_BIN" run --streams action_contracts
says 'run, a session that brokers refuse' 78 session.timeout.ms -- "$CUBE_TEST_BIN" run -X session.timeout.ms=300 -X heartbeat.interval.ms=100
ends "$publishing" 30
equal 'publish, no broker: exit code' "$STATUS" 69
ends "$checking" 30
equal 'check, no broker: exit code' "$STATUS" 1
cat brokerless_check.out >>brokerless_check.log
says_why() { grep -qF 'no broker answered' brokerless_run.log; }
wait_until 20 says_why || true
kill -TERM "$running"
ends "$running" 15
equal 'run, no broker, told to leave: exit code' "$STATUS" 0
for command in publish check run; do
	contains "$command, no broker" brokerless_$command.log 'no broker answered'
	contains "$command, no broker" brokerless_$command.log kafka.brokers
done
shown 'no topic, or a session that the brokers refuse: exit code 78; no broker: 69 (publish), 1 (check), run waits; each named'

# What waiting helps is waited for: no broker and no PostgreSQL at the start, until they come.
crash_kafka
crash_postgres
start waiting "$CUBE_TEST_BIN" run --until-caught-up
kafka_start "$PWD/kafka" >&2
is_said() { grep -qF "$1" waiting.log; }
wait_until 30 is_said 'PostgreSQL cannot be reached' || fail "no word about PostgreSQL: $(cat waiting.log)"
start_postgres >&2
ends "$PID" 30
equal 'exit code of a run that had to wait' "$STATUS" 0
shown 'started before Kafka and before PostgreSQL: says what it waits for, then works'
