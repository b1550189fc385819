#!/usr/bin/env bash
# What a role, a database, a pooler or an encoding may do to a session: the program decides its own settings, and refuses by name what it
# cannot live with. A password that is changed under a process that has worked is waited for, whatever language the server speaks.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

new_cube
own_topics
export CUBE_TEST_PARTITIONS=1
login=${CUBE_TEST_PREFIX}_w
dsn=$GRACECUBE_POSTGRES_DSN
tcp="host=$CUBE_TEST_PGTCP port=$CUBE_TEST_PGPORT user=$login dbname=$CUBE_TEST_DATABASE sslmode=disable"
owner() { PGOPTIONS="${PGOPTIONS:-} -c statement_timeout=0 -c idle_session_timeout=0 -c search_path=public" psql -X -q -At -v ON_ERROR_STOP=1 -d "$dsn" "$@"; }
owner -c "DROP ROLE IF EXISTS $login" -c "CREATE ROLE $login LOGIN PASSWORD 'old' IN ROLE gracecube_writer"
remove_login() { owner -c "DROP OWNED BY $login" -c "DROP ROLE $login" >&2 || true; }
trap remove_login EXIT
contract() { # contract ID MISSION → one on its topic
	printf '{"topic": "%s.action_contracts", "value": "{\\"id\\": \\"%s\\", \\"created_at\\": \\"2026-11-20T10:00:00Z\\", \\"status\\": \\"pending\\", \\"confidence_score\\": 0.123456789012345, \\"triggered_by\\": \\"cognition:%s\\"}"}\n' \
		"$CUBE_TEST_PREFIX" "$1" "$2" >told.jsonl
	publish told.jsonl
}
mission() {
	printf '{"topic": "%s.mission_timelines", "value": "{\\"id\\": 1, \\"mission_id\\": \\"%s\\", \\"mission_name\\": \\"a\\", \\"started_at\\": \\"2026-11-20T09:00:00Z\\", \\"status\\": \\"running\\", \\"created_at\\": \\"2026-11-20T09:00:00Z\\"}"}\n' \
		"$CUBE_TEST_PREFIX" "$1" >told.jsonl
	publish told.jsonl
}

# --- A password that is changed ---
(umask 077 && echo old >password)
contract c1 nobody
start rotated "$CUBE_TEST_BIN" run -s postgres.dsn="$tcp" -s postgres.password_file=password
run=$PID
reaches 1 30
owner -c "ALTER ROLE $login PASSWORD 'new'" -c "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '$login'" >&2
contract c2 nobody
is_refused() { grep -q 'waiting to try again.*password authentication failed' rotated.log; }
wait_until 20 is_refused || fail "no word of the password: $(tail -n 2 rotated.log)"
stays 1 lives_on "$run" || fail "the process has ended: $(tail -n 2 rotated.log)"
echo new >password
reaches 2 30
owner -c "ALTER ROLE $login NOLOGIN" -c "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '$login'" >&2
contract c3 nobody
may_not_login() { grep -q 'waiting to try again.*not permitted to log in' rotated.log; }
wait_until 20 may_not_login || fail "no word of the login: $(tail -n 2 rotated.log)"
owner -c "REVOKE gracecube_writer FROM $login" -c "ALTER ROLE $login LOGIN"
stays 1 lives_on "$run" || fail "the process has ended: $(tail -n 2 rotated.log)"
owner -c "GRANT gracecube_writer TO $login"
reaches 3 30
kill -TERM "$run"
ends "$run" 20
equal 'exit code' "$STATUS" 0
STATUS=0
GRACECUBE_POSTGRES_DSN="$tcp password=wrong" "$CUBE_TEST_BIN" run >wrong.out 2>wrong.log || STATUS=$?
equal 'a wrong password at the start' "$STATUS" 78
shown 'a password, the right to log in and a role taken away under a process that has worked: it waits, says so, and goes on'

"$CUBE_TEST_BIN" check -s postgres.dsn="$tcp" -s postgres.password_file=password >check.out 2>&1 || fail "check as a writer: $(grep BAD check.out)"
shown 'check by a login that is a member of gracecube_writer: nothing is bad'

# --- Settings of role and database ---
for setting in "default_transaction_isolation = 'repeatable read'" "search_path = nowhere" "extra_float_digits = -15" "row_security = off" \
	"standard_conforming_strings = off" "DateStyle = 'SQL, DMY'" "IntervalStyle = iso_8601" "bytea_output = escape" "TimeZone = 'Asia/Kathmandu'" \
	"transform_null_equals = on" "quote_all_identifiers = on" "statement_timeout = '1ms'" "idle_session_timeout = '700ms'"; do
	owner -c "ALTER DATABASE $CUBE_TEST_DATABASE SET $setting" -c "ALTER ROLE $login IN DATABASE $CUBE_TEST_DATABASE SET $setting"
done
export GRACECUBE_POSTGRES_DSN=$tcp GRACECUBE_POSTGRES_PASSWORD_FILE=$PWD/password
# The race that only a snapshot behind the gate survives: the mission waits for the gate, then the contract, then both go on.
start gate env PGOPTIONS='-c statement_timeout=0 -c idle_session_timeout=0' psql -X -q -d "$dsn" -c "BEGIN; SELECT pg_advisory_xact_lock_shared(7240001); SELECT pg_sleep(60)"
waits() { [ "$(owner -c "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted")" -ge "$1" ]; }
mission m-7
start mission_run "$CUBE_TEST_BIN" run --until-caught-up --streams mission_timelines
one=$PID
wait_until 20 waits 1 || fail 'the mission does not wait for the gate'
contract c7 m-7
GRACECUBE_KAFKA_GROUP_ID=${CUBE_TEST_PREFIX}_two start contract_run "$CUBE_TEST_BIN" run --until-caught-up --streams action_contracts
two=$PID
wait_until 20 waits 2 || fail 'the contract does not wait behind the mission'
owner -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()" >&2
for pid in $one $two; do
	ends "$pid" 40
	equal 'exit code' "$STATUS" 0
done
owner -c "ALTER DATABASE $CUBE_TEST_DATABASE RESET ALL"
equal "the contract's mission" "$(owner -c "SELECT mission_id FROM cube.fact_verification_executions f JOIN cube.dim_mission USING (mission_key) WHERE contract_id = 'c7'")" m-7
verify_agrees
unset GRACECUBE_POSTGRES_PASSWORD_FILE
GRACECUBE_POSTGRES_DSN=$dsn
shown 'isolation, search_path, time-outs, row security, formats set otherwise for the role and the database: the link is there, verify: all equal'

# --- A server that is only read: of who looks nobody has to wait ---
token=$("$CUBE_TEST_BIN" token create reader)
owner -c "ALTER DATABASE $CUBE_TEST_DATABASE SET default_transaction_read_only = on"
port=$(free_port)
start serve "$CUBE_TEST_BIN" serve -s "serve.listen=127.0.0.1:$port"
serve=$PID
serves() { [ "$(curl -s -o served -w '%{http_code}' -H "Authorization: Bearer $token" "http://127.0.0.1:$port/api/cube/metrics/verification-success-rate?days=7")" = 200 ]; }
wait_until 20 serves || fail "serve does not answer: $(cat served; tail -n 2 serve.log)"
for command in status 'token list' 'dead list' check; do
	# shellcheck disable=SC2086
	"$CUBE_TEST_BIN" $command >read_only.out 2>&1 || fail "$command of a server that is only read: $(tail -n 2 read_only.out)"
done
contract c8 nobody
start waiting "$CUBE_TEST_BIN" run
run=$PID
wait_until 20 grep -q 'session is read-only' waiting.log || fail "run does not say why it waits: $(tail -n 2 waiting.log)"
PGOPTIONS='-c default_transaction_read_only=off' owner -c "ALTER DATABASE $CUBE_TEST_DATABASE RESET ALL"
applied() { [ "$(owner -c "SELECT count(*) FROM cube.fact_verification_executions WHERE contract_id = 'c8'")" = 1 ]; }
wait_until 40 applied || fail "run does not go on: $(tail -n 2 waiting.log)"
kill -TERM "$run" "$serve"
for pid in $run $serve; do
	ends "$pid" 20
	equal 'exit code' "$STATUS" 0
done
shown 'a database that is only read: the API, status, token list, dead list and check answer; run waits, says why, and goes on'
owner -c "ALTER DATABASE $CUBE_TEST_DATABASE SET session_replication_role = replica"

refused() { # refused WHAT TEXT → migrate, check and run say it
	local command code
	for command in migrate check run; do
		code=78 STATUS=0
		[ $command != check ] || code=1
		"$CUBE_TEST_BIN" $command >refused.out 2>&1 || STATUS=$?
		equal "$command, $1: exit code" "$STATUS" "$code"
		contains "$command, $1" refused.out "$2"
	done
}
refused 'triggers switched off' 'session_replication_role is replica'
PGOPTIONS='-c session_replication_role=origin' owner -c "ALTER DATABASE $CUBE_TEST_DATABASE RESET ALL"

# --- Encodings ---
server="host=$CUBE_TEST_PGHOST port=$CUBE_TEST_PGPORT user=$CUBE_TEST_PGUSER dbname="
for encoding in SQL_ASCII LATIN1; do
	database=${CUBE_TEST_PREFIX}_${encoding,,}
	psql -X -q -d "${server}postgres" -c "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'"
	GRACECUBE_POSTGRES_DSN=$server$database
	refused "$encoding" "has the encoding $encoding, and the cube needs UTF8"
	equal 'what migrate made' "$(sql -c "SELECT count(*) FROM pg_namespace WHERE nspname = 'cube'")" 0
	psql -X -q -d "${server}postgres" -c "DROP DATABASE $database"
done
GRACECUBE_POSTGRES_DSN=$dsn
shown 'triggers switched off, a database in SQL_ASCII or LATIN1: refused by name by migrate, check and run; nothing is made'

# --- A pooler ---
pooler() { # pooler MODE
	local port
	port=$(free_port)
	cat >"$1.ini" <<-INI
		[databases]
		* = host=$CUBE_TEST_PGTCP port=$CUBE_TEST_PGPORT
		[pgbouncer]
		listen_addr = 127.0.0.1
		listen_port = $port
		unix_socket_dir =
		auth_type = plain
		auth_file = users.txt
		pool_mode = $1
		default_pool_size = 8
		ignore_startup_parameters = extra_float_digits
		$([ "$(id -u)" -ne 0 ] || echo 'user = nobody')
	INI
	printf '"%s" "new"\n' "$login" >users.txt
	chmod 644 users.txt "$1.ini"
	start "pooler_$1" /usr/sbin/pgbouncer "$1.ini" # not in the path of everybody
	wait_until 10 answers "$port" || fail "no pooler: $(tail -n 2 "pooler_$1.log")"
	GRACECUBE_POSTGRES_DSN="host=127.0.0.1 port=$port user=$login password=new dbname=$CUBE_TEST_DATABASE sslmode=disable"
}
answers() { (exec 5<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
pooler transaction
refused 'a pooler in transaction mode' 'a pooler in transaction mode stands before PostgreSQL'
pooler session
contract c9 nobody
catch_up
shown 'a pooler in transaction mode: refused by name; in session mode it works'
