#!/usr/bin/env bash
# Properties of the group and of the login: each works, or is refused with what to use instead; and what this librdkafka cannot do is said.
# A password that is changed is taken from its file.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
. "$CUBE_TEST_ROOT/tests/lib/librdkafka.sh"
# shellcheck source=/dev/null
. "$CUBE_TEST_ROOT/deploy/lib/kafka.sh"

new_cube
own_topics
number=0
tell() { # tell COUNT → so many new contracts
	local _
	for _ in $(seq "$1"); do
		number=$((number + 1))
		printf '{"topic": "%s.action_contracts", "value": "{\\"id\\": \\"%s\\", \\"created_at\\": \\"2026-11-20T10:00:00Z\\", \\"status\\": \\"pending\\"}"}\n' "$CUBE_TEST_PREFIX" "$number"
	done >told.jsonl
	publish told.jsonl
}
refused() { # refused EXIT_OF_RUN TEXT OPTION… → check and run say it
	local command code text=$2 run=$1
	shift 2
	for command in check run; do
		code=$run STATUS=0
		[ $command != check ] || [ "$run" = 2 ] || code=1
		"$CUBE_TEST_BIN" $command "$@" >refused.out 2>&1 || STATUS=$?
		equal "$command $*: exit code" "$STATUS" "$code"
		contains "$command $*" refused.out "$text"
	done
}

tell 20
for strategy in range roundrobin range,roundrobin; do
	catch_up -s run.workers=2 -X partition.assignment.strategy=$strategy
	tell 20
done
refused 2 'must be roundrobin or range' -X partition.assignment.strategy=sticky
refused 2 'must be roundrobin or range' -X partition.assignment.strategy=roundrobin,cooperative-sticky
refused 2 'group.protocol must be classic or consumer' -X group.protocol=share
STATUS=0
GRACECUBE_KAFKA_PROPERTIES_GROUP_PROTOCOL=share "$CUBE_TEST_BIN" run >refused.out 2>&1 || STATUS=$?
equal 'from the environment: exit code' "$STATUS" 78
version=$("$CUBE_TEST_BIN" --version | sed -n 's/.*librdkafka \([0-9.]*\).*/\1/p')
older_than() { [ "$(printf '%s\n' "$1" "$version" | sort -V | head -n 1)" = "$version" ] && [ "$1" != "$version" ]; }
refuses=()
if older_than 2.6.1; then
	refused 78 'with cooperative-sticky librdkafka before 2.6.1 may hang, loop or give a partition to two owners' -X partition.assignment.strategy=cooperative-sticky
	refuses+=(cooperative-sticky)
fi
if older_than 2.12.0; then
	refused 78 'group.protocol=consumer needs librdkafka 2.12.0 or newer' -X group.protocol=consumer
	refuses+=(group.protocol=consumer)
else
	refused 78 'with group.protocol=consumer the brokers decide session.timeout.ms' -X group.protocol=consumer -X session.timeout.ms=1500
fi
shown "range, roundrobin and both work; of what this librdkafka ($version) cannot do check and run say what to use: ${refuses[*]:-nothing}"

# --- Static membership: one id a worker ---
static=(-s run.workers=2 -X group.instance.id=pod-a -X session.timeout.ms=10000)
start one "$CUBE_TEST_BIN" run "${static[@]}"
one=$PID
reaches 80 30
stays 1 lives_on "$one" || fail "two workers with one group.instance.id: $(tail -n 2 one.log)"
start other "$CUBE_TEST_BIN" run -s run.workers=1 -X group.instance.id=pod-b -X session.timeout.ms=10000 --json
other=$PID
both() { [ "$(sql -c 'SELECT count(DISTINCT owner) FROM cube.etl_offset')" = 3 ]; }
wait_until 20 both || fail "not every worker has a partition: $(sql -c 'SELECT owner FROM cube.etl_offset')"
kill -KILL "$one"
wait "$one" || true
start one "$CUBE_TEST_BIN" run "${static[@]}"
one=$PID
tell 20
reaches 100 30
kill -TERM "$one" "$other"
for pid in $one $other; do
	ends "$pid" 20
	equal 'exit code' "$STATUS" 0
done
rebalances=$(jq .rebalances other.out)
[ "$rebalances" -le 2 ] || fail "a restart within session.timeout.ms made the others rebalance: $rebalances"
verify_agrees
shown "group.instance.id with two workers: one id each; killed and started within session.timeout.ms, the other member saw $rebalances rebalance(s)"

# --- What this librdkafka cannot do ---
oauth=(-X security.protocol=sasl_plaintext -X sasl.mechanism=OAUTHBEARER -X enable.sasl.oauthbearer.unsecure.jwt=true)
if older_than 2.2.0; then
	refused 78 'crashes when it renews an unsecured token' "${oauth[@]}"
	shown "OAUTHBEARER with unsecured tokens on librdkafka $version: refused before it crashes"
fi

port=$(free_port)
export KAFKA_LISTENERS=LOGIN://127.0.0.1:$port KAFKA_ADVERTISED=LOGIN://127.0.0.1:$port KAFKA_EXTRA="group.min.session.timeout.ms=500
	listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT
	sasl.enabled.mechanisms=SCRAM-SHA-256,OAUTHBEARER
	listener.name.login.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
	listener.name.login.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"
trap 'kafka_stop "$PWD/kafka"' EXIT
kafka_start "$PWD/kafka" >&2
password_is() { # password_is WORD → from now on, at the brokers
	(kafka_java "$PWD/kafka" kafka.admin.ConfigCommand --bootstrap-server "$(kafka_brokers "$PWD/kafka")" --alter --entity-type users --entity-name gc \
		--add-config "SCRAM-SHA-256=[password=$1]") >&2
}
password_is right
STATUS=0
GRACECUBE_KAFKA_PROPERTIES_SASL_PASSWORD=right "$CUBE_TEST_BIN" check -s kafka.brokers="127.0.0.1:$port" -X security.protocol=sasl_plaintext \
	-X sasl.mechanism=SCRAM-SHA-256 -X sasl.username=gc >scram.out 2>&1 || STATUS=$?
if older_than 2.6.1; then
	contains 'check with SCRAM' scram.out 'brokers of Kafka 3.8.1 and newer refuse every SCRAM login of librdkafka before 2.6.1'
	shown "SCRAM with the right password, Kafka $KAFKA_VERSION and librdkafka $version: check says why it is refused and what to use"
else
	grep -q '^OK    broker' scram.out || fail "SCRAM: $(cat scram.out)"
	shown "SCRAM with Kafka $KAFKA_VERSION and librdkafka $version: works"
fi
if ! older_than 2.2.0; then
	# Tokens that live for six seconds are renewed after five.
	export GRACECUBE_KAFKA_BROKERS=127.0.0.1:$port GRACECUBE_KAFKA_PROPERTIES_SASL_OAUTHBEARER_CONFIG='principal=gc lifeSeconds=6'
	tell_by_token() {
		number=$((number + 1))
		printf '{"topic": "%s.approval_requests", "value": "{\\"id\\": \\"%s\\", \\"created_at\\": \\"2026-11-20T10:00:00Z\\", \\"status\\": \\"pending\\"}"}\n' "$CUBE_TEST_PREFIX" "$number" >token.jsonl
		"$CUBE_TEST_BIN" publish "${oauth[@]}" --create-topics --progress none token.jsonl >&2
	}
	before=$(position)
	tell_by_token
	"$CUBE_TEST_BIN" check "${oauth[@]}" >oauth.out 2>&1 || true # not all topics are there
	grep -q '^OK    broker' oauth.out || fail "check with OAUTHBEARER: $(cat oauth.out)"
	start renewed "$CUBE_TEST_BIN" run -s run.workers=2 "${oauth[@]}"
	run=$PID
	reaches $((before + 1)) 30
	stays 13 lives_on "$run" || fail "a run whose tokens are renewed has ended: $(tail -n 3 renewed.log)"
	tell_by_token
	reaches $((before + 2)) 30
	kill -TERM "$run"
	ends "$run" 20
	equal 'exit code' "$STATUS" 0
	shown "OAUTHBEARER with librdkafka $version: check, publish and run, over two renewals of their tokens"
	unset GRACECUBE_KAFKA_PROPERTIES_SASL_OAUTHBEARER_CONFIG
fi

# --- A password that is changed while the program runs ---
use_librdkafka_since 2.6.1 "$PWD/library"
new_cube login
own_topics "${CUBE_TEST_PREFIX}_login"
GRACECUBE_KAFKA_BROKERS=$(kafka_brokers "$PWD/kafka")
sed "s/$CUBE_TEST_PREFIX\./${CUBE_TEST_PREFIX}_login./" told.jsonl >tell.jsonl
login=(-s kafka.brokers="127.0.0.1:$port" -X security.protocol=sasl_plaintext -X sasl.mechanism=SCRAM-SHA-256 -X sasl.username=gc -s kafka.password_file=password)
(umask 077 && echo right >password && echo changed >password.new)
publish tell.jsonl
start changed "$CUBE_TEST_BIN" run "${login[@]}" -X reconnect.backoff.max.ms=1000
run=$PID
reaches 20 30
password_is changed
kafka_stop "$PWD/kafka"
kafka_start "$PWD/kafka" >&2
is_refused() { grep -q 'a broker cannot be reached; it is tried again.*_AUTHENTICATION' changed.log; }
wait_until 40 is_refused || fail "no word of the password: $(tail -n 2 changed.log)"
publish tell.jsonl
stays 1 lives_on "$run" || fail "the process has ended: $(tail -n 2 changed.log)"
equal 'records before the file has the new password' "$(position)" 20
mv password.new password
reaches 40 40
contains 'its log' changed.log 'the password for Kafka was changed; new connections use it'
kill -TERM "$run"
ends "$run" 20
equal 'exit code' "$STATUS" 0
"$CUBE_TEST_BIN" check "${login[@]}" >check.out 2>&1 || fail "check: $(grep BAD check.out)"
chmod 644 password
STATUS=0
"$CUBE_TEST_BIN" check "${login[@]}" >check.out 2>&1 || STATUS=$?
equal 'check of a password that everybody can read' "$STATUS" 1
contains 'check' check.out 'kafka.password_file can be read by others'
verify_agrees
shown "a SCRAM password changed under a process, at a broker that is started anew: it waits, takes the new one from kafka.password_file, and goes on"
