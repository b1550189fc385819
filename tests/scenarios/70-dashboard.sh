#!/usr/bin/env bash
# The dashboard in a real Chromium: it shows the true numbers of the captured traffic, follows events as they are published, and
# survives a restart of its server and of the database. The browser's script is tests/browser/dashboard.py; what it wants done
# meanwhile is done here. Pictures of the page are left in build/test-artifacts.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
for part in install postgres; do
	# shellcheck source=/dev/null
	. "$CUBE_TEST_ROOT/deploy/lib/$part.sh"
done

PICTURES=${CUBE_TEST_BIN%/*}/test-artifacts
DATABASE_DIR=$CUBE_TEST_DIR/postgres
export PYTHONDONTWRITEBYTECODE=1
server='' consumer='' browser=''
leave() {
	local pid
	for pid in $browser $server $consumer; do stop_process "$pid" 5; done
	postgres_remove "$DATABASE_DIR"
}
trap leave EXIT

# publish_records STREAM < KEY<tab>VALUE…
publish_records() {
	jq -Rc --arg topic "$CUBE_TEST_PREFIX.$1" 'split("\t") | {topic: $topic, partition: 0, offset: 0, timestamp: (now * 1000 | floor), headers: [], key: .[0], value: .[1]}' >record.jsonl
	publish record.jsonl
}

# execution ID TEXT → a contract of this moment that was verified; TEXT stands wherever a record may have free text
execution() {
	jq -rn --arg id "$1" --arg text "$2" --arg at "$(date -u +%FT%T.%6NZ)" '[({id: $id} | tojson), ({id: $id, action_type: $text, tier: "tier_1",
		status: "verified", triggered_by: $text, confidence_score: 0.9, created_at: $at, verified_at: $at} | tojson)] | @tsv' | sed 's/\\\\/\\/g' |
		publish_records action_contracts
}

publish_markup() {
	local text='<img src=x onerror="window.taken=1">'
	execution "contract-$text" "$text"
	jq -rn --arg text "$text" --arg at "$(date -u +%FT%T.%6NZ)" '[({id: 990001} | tojson), ({id: 990001, actor: $text, action: $text, resource: $text, severity: "high",
		status: "open", created_at: $at, resolution_note: $text} | tojson)] | @tsv' | sed 's/\\\\/\\/g' | publish_records security_events
}

start_server() {
	start serve "$CUBE_TEST_BIN" serve -s serve.listen="127.0.0.1:$port" -s serve.row_limit=700 # long answers come in pieces
	server=$PID
	wait_until 10 curl -fsS -o /dev/null "http://127.0.0.1:$port/readyz" || fail "serve is not ready: $(tail -n 2 serve.log)"
}

# obey WHAT NAME → what the browser's script wants done
obey() {
	case "$1 ${2:-}" in
	'publish '*) execution "contract-$2" "$2" ;;
	'publish-markup '*) publish_markup ;;
	'publish-more '*)
		more_traffic generated 7 1500
		publish generated/*
		reaches "$(($(read_records capture generated) + 1))" 60
		;;
	'stop server')
		kill -TERM "$server"
		ends "$server" 10
		;;
	'start server') start_server ;;
	'stop database') postgres_stop "$DATABASE_DIR" ;;
	'start database') postgres_start "$DATABASE_DIR" >&2 ;;
	*) fail "the browser's script wants \"$*\"" ;;
	esac
}

install_packages browser >&2
mkdir -p "$PICTURES"
postgres_start "$DATABASE_DIR" >&2
postgres_psql "$DATABASE_DIR" postgres -c 'CREATE DATABASE cube' >&2
GRACECUBE_POSTGRES_DSN=$(postgres_dsn "$DATABASE_DIR" cube)
export GRACECUBE_POSTGRES_DSN
"$CUBE_TEST_BIN" migrate >&2
new_topics capture
publish capture/*
catch_up
# few captured contracts name a component: a third of them becomes hunter's, as a fix by hand
sql -c "UPDATE cube.fact_verification_executions SET component_key = (SELECT component_key FROM cube.dim_component WHERE component_name = 'hunter')
	WHERE hashtext(contract_id) % 3 = 0" >&2
start run "$CUBE_TEST_BIN" run -s http.listen=
consumer=$PID
port=$(free_port)
start_server
token=$("$CUBE_TEST_BIN" token create analyst)

bytes=$(tar -C "$CUBE_TEST_ROOT/sinks/http/dashboard" -c --owner=0 --group=0 --mtime=@0 . | gzip -9 | wc -c)
[ "$bytes" -lt 60000 ] || fail "the page has $bytes bytes compressed"

coproc BROWSER { exec python3 "$CUBE_TEST_ROOT/tests/browser/dashboard.py" "http://127.0.0.1:$port/" "$token" "$GRACECUBE_POSTGRES_DSN" "$PICTURES" "$(free_port)" 2>browser.log; }
browser=$BROWSER_PID
exec {from}<&"${BROWSER[0]}" {to}>&"${BROWSER[1]}"
while read -r -u "$from" word rest; do
	case $word in
	shown) shown "$rest" ;;
	failed) fail "$rest" ;;
	do)
		read -ra words <<<"$rest"
		obey "${words[@]}"
		echo 'done' >&"$to"
		;;
	esac
done
wait "$browser" || fail "the browser's script ended with $?: $(tail -n 3 browser.log)"
shown "the page is $((bytes / 1000)) kB compressed; pictures of it are in ${PICTURES#"$CUBE_TEST_ROOT/"}"
