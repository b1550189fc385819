#!/usr/bin/env bash
# Brokers behind TLS, SASL and ACLs: what was never right is said at once; what was right once is tried again for ever; a topic that may
# not be read stops no other.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
# shellcheck source=/dev/null
. "$CUBE_TEST_ROOT/deploy/lib/kafka.sh"

# A broker of its own: plain for the administrator, and behind gates TLS, a login it knows, and a login it does not know.
gate() { # gate NAME PORT [PORT] → GATE: the port to go through; the word in NAME.word decides
	local name=$1 addresses=() port
	shift
	for port in "$@"; do addresses+=(127.0.0.1 "$port"); done
	echo pass >"$name.word"
	start "$name" python3 -B "$CUBE_TEST_ROOT/tests/lib/gate.py" "$name.word" "${addresses[@]}"
	wait_until 5 test -s "$name.out" || fail "no gate $name: $(cat "$name.log")"
	GATE=$(cat "$name.out")
}
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext 'subjectAltName=IP:127.0.0.1' -keyout key.pem -out ca.pem 2>/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=stranger -keyout /dev/null -out stranger.pem 2>/dev/null
cat key.pem ca.pem >server.pem
tls_port=$(free_port) login_port=$((tls_port + 1)) stranger_port=$((tls_port + 2))
gate tls "$tls_port" && tls=127.0.0.1:$GATE
gate login "$login_port" "$stranger_port" && login=127.0.0.1:$GATE
jaas='org.apache.kafka.common.security.plain.PlainLoginModule required'
export KAFKA_LISTENERS=TLS://127.0.0.1:$tls_port,LOGIN://127.0.0.1:$login_port,STRANGER://127.0.0.1:$stranger_port
export KAFKA_ADVERTISED=TLS://$tls,LOGIN://$login,STRANGER://$login
export KAFKA_PARTITIONS=2 KAFKA_EXTRA="group.min.session.timeout.ms=500
	listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,LOGIN:SASL_PLAINTEXT,STRANGER:SASL_PLAINTEXT
	ssl.keystore.type=PEM
	ssl.keystore.location=$PWD/server.pem
	sasl.enabled.mechanisms=PLAIN
	listener.name.login.plain.sasl.jaas.config=$jaas user_gc=\"right\";
	listener.name.stranger.plain.sasl.jaas.config=$jaas user_other=\"right\";
	authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
	super.users=User:ANONYMOUS"
trap 'kafka_stop "$PWD/kafka"; kill $(jobs -p) 2>/dev/null || true' EXIT
kafka_start "$PWD/kafka" >&2
CUBE_TEST_BROKERS=$(kafka_brokers "$PWD/kafka")
export CUBE_TEST_PARTITIONS=2

new_cube
own_topics
for stream in $(known_streams); do unset "GRACECUBE_STREAMS_${stream^^}_TOPICS"; done # the default: two names a stream
export GRACECUBE_KAFKA_PROPERTIES_RECONNECT_BACKOFF_MAX_MS=300 GRACECUBE_KAFKA_PROPERTIES_TOPIC_METADATA_REFRESH_INTERVAL_MS=500
kafka() { python3 -B "$CUBE_TEST_ROOT/tests/lib/kafka.py" "$CUBE_TEST_BROKERS" "$@"; }
number=0
tell() { # tell STREAM COUNT → so many new records on grace.public.STREAM
	local _
	for _ in $(seq "$2"); do
		number=$((number + 1))
		printf '{"topic": "grace.public.%s", "value": "{\\"id\\": %s, \\"created_at\\": \\"2026-11-20T10:00:00Z\\", \\"status\\": \\"pending\\"}"}\n' "$1" "$number"
	done >told.jsonl
	publish told.jsonl
}
over_tls=(-s kafka.brokers="$tls" -X security.protocol=ssl -X ssl.ca.location=ca.pem)
over_login=(-s kafka.brokers="$login" -X security.protocol=sasl_plaintext -X sasl.mechanism=PLAIN -X sasl.username=gc)
export GRACECUBE_KAFKA_PROPERTIES_SASL_PASSWORD=right
# lives PID WHAT LOG [SECONDS] → it is there, and after so long, too
lives() { stays "${4:-0}" lives_on "$1" || fail "$2: the process has ended: $(tail -n 2 "$3")"; }
tell action_contracts 100

# --- What was never right is said, beside the rest ---
start bad_ca "$CUBE_TEST_BIN" run "${over_tls[@]}" -X ssl.ca.location=stranger.pem && bad=("$PID")
start bad_plain "$CUBE_TEST_BIN" run -s kafka.brokers="$CUBE_TEST_BROKERS" -X security.protocol=ssl -X ssl.ca.location=ca.pem && plain=$PID
start bad_password env GRACECUBE_KAFKA_PROPERTIES_SASL_PASSWORD=wrong "$CUBE_TEST_BIN" run "${over_login[@]}" && bad+=("$PID")

# --- TLS ---
gate closed "$tls_port" && echo shut >closed.word
catch_up "${over_tls[@]}" -s kafka.brokers="127.0.0.1:$GATE,$tls"
equal 'records past a broker that closes in the handshake' "$(position)" 100
start tls_run "$CUBE_TEST_BIN" run "${over_tls[@]}"
run=$PID
tell action_contracts 10
reaches 110 30
passed_gates=0
for word in shut plain silent shut; do
	echo $word >tls.word
	tell action_contracts 10
	lives "$run" "TLS, $word" tls_run.log 1.5
	echo pass >tls.word
	reaches $((110 + 10 * (++passed_gates))) 30
done
contains 'the log' tls_run.log 'a broker cannot be reached; it is tried again'
kill -TERM "$run"
ends "$run" 20
equal 'exit code' "$STATUS" 0
# Trouble that begins after the first look, before the first partition is claimed: of both workers, at many moments of their start. The
# pauses are these moments: there is no state to wait for.
for turn in 1 2 3; do
	rm -f flapping.log
	start flapping "$CUBE_TEST_BIN" run "${over_tls[@]}"
	run=$PID
	wait_until 10 grep -q 'topics found' flapping.log || fail "it does not start: $(tail -n 2 flapping.log)"
	for _ in $(seq 12); do
		echo shut >tls.word
		sleep 0.1
		echo pass >tls.word
		sleep "0.$((turn * 15))"
	done
	tell action_contracts 10
	reaches $((150 + 10 * turn)) 30
	lives "$run" 'brokers that close in the handshake while it starts' flapping.log
	kill -TERM "$run"
	ends "$run" 20
	equal 'exit code' "$STATUS" 0
done
shown 'behind TLS: one broker of two closes in the handshake at the start; connections closed, answered in plain text, left unanswered: goes on'

# --- A login, and rights on names that begin with grace.public. ---
kafka allow User:gc topic 'grace.public.*' READ
kafka allow User:gc topic 'grace.public.*' DESCRIBE
kafka allow User:gc group "$CUBE_TEST_PREFIX" READ
tell security_events 10
port=$(free_port)
start login_run "$CUBE_TEST_BIN" run "${over_login[@]}" -s http.listen="127.0.0.1:$port"
run=$PID
reaches 190 30
echo other >login.word
tell action_contracts 10
lives "$run" 'a login that the broker does not know for a while' login_run.log 1.5
echo pass >login.word
reaches 200 30
shown 'a login that the broker does not know for a while: goes on'

equal 'warnings, one a topic' "$(grep -c 'a topic is not read; the others go on.*topic=grace.action_contracts ' login_run.log)" 1
contains 'what to do' login_run.log 'allow him READ and DESCRIBE'
kafka deny User:gc topic grace.public.security_events READ
asked() { python3 -B -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:$port/$1').read().decode())" >asked; }
is_halted() { asked metrics && grep -q 'gracecube_kafka_halted{topic="grace.public.security_events",partition="[01]"} 1' asked; }
tell security_events 10
tell action_contracts 10
wait_until 20 is_halted || fail "no metric of the topic that may not be read: $(tail -n 3 login_run.log)"
reaches 210 30
lives "$run" 'a right that is taken away' login_run.log
asked readyz?verbose
contains '/readyz' asked '[!] halted: grace.public.security_events'
"$CUBE_TEST_BIN" check "${over_login[@]}" >check.out 2>&1 || fail "check: $(cat check.out)"
for topic in grace.action_contracts grace.public.security_events; do
	grep -q "^WARN .* $topic: the user has no right to this topic; allow him READ" check.out || fail "check does not warn of $topic: $(cat check.out)"
done
# It is tried after 10, 20, 40 s …
kafka forget User:gc topic grace.public.security_events READ
reaches 220 90
heals() { ! is_halted; }
wait_until 30 heals || fail 'the metric stays'
kafka deny User:gc topic grace.public.security_events ALL
tell security_events 10
tell action_contracts 10
reaches 230 30
lives "$run" 'all rights taken away' login_run.log 1
kafka forget User:gc topic grace.public.security_events ALL
reaches 240 90
kill -TERM "$run"
ends "$run" 20
equal 'exit code' "$STATUS" 0
shown 'no right on one of many topics, from the start or taken away: said once a topic, shown by /metrics and /readyz, the others go on, and it heals'

# From 2.2 on librdkafka takes a connection that ends in the handshake for a broker that will be back, so that one waits and says why.
librdkafka=$("$CUBE_TEST_BIN" --version | sed -n 's/^librdkafka \([0-9.]*\).*/\1/p')
if [ "$(printf '%s\n' 2.2 "$librdkafka" | sort -V | head -n 1)" = 2.2 ]; then
	lives "$plain" 'TLS to a plain port' bad_plain.log
	contains 'TLS to a plain port' bad_plain.log 'SSL handshake failed'
	kill -TERM "$plain"
	ends "$plain" 20
	said='TLS to a plain port: said, and waited for'
else
	bad+=("$plain")
	said='TLS to a plain port: the same'
fi
for pid in "${bad[@]}"; do
	ends "$pid" 20
	equal 'exit code of what was never right' "$STATUS" 78
done
contains 'a CA that is not theirs' bad_ca.log 'ssl.*'
[[ $said == *waited* ]] || contains 'TLS to a plain port' bad_plain.log 'ssl.*'
contains 'a wrong password' bad_password.log 'sasl.*'
verify_agrees
shown "a wrong password, an unknown CA at the start: exit code 78 within seconds, with the properties to look at; $said"
