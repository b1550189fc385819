#!/usr/bin/env bash
# The image of deploy/Dockerfile is really built, without a daemon and without a registry: its base is made by mmdebstrap, as the
# official one is by debuerreotype. Then the program in it starts, as its user, and finds the test servers.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
# shellcheck source=/dev/null
. "$CUBE_TEST_ROOT/deploy/lib/install.sh"
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/gracecube/image
BASE=$CACHE/trixie-minbase.tar
IMAGE=localhost/gracecube:test

ROOT=()
[ "$(id -u)" -eq 0 ] || ROOT=(sudo -n)
# vfs and chroot: neither overlay nor namespaces are needed. Everything is below this directory.
STORE=(--root "$PWD/store" --runroot "$PWD/runroot" --storage-driver vfs)
limit() { ulimit "$1" | sed "s/unlimited/-1/"; }
# no more processes than the kernel has numbers for
most_processes() { printf '%s\n' "$(ulimit -Hu)" "$(cat /proc/sys/kernel/pid_max)" | grep -v unlimited | sort -n | head -n 1; }
# Podman 5 raises its limits to a million, which it may not where this runs in a container that has less. Podman 4 lowers its number
# of processes to the kernel's, and what it starts may not have more.
LIMITS=(--ulimit "nofile=$(limit -Hn)" --ulimit "nproc=$(most_processes)")
as_root() { "${ROOT[@]}" env "${MOUNTED[@]}" env TMPDIR="$PWD/tmp" "$@"; }

# Layers are unpacked in a mount namespace whose "/" is made a slave, which only a mount point can be. Inside of a chroot "/" is
# none: there the same tree is mounted elsewhere first, in a namespace of its own, and is "/" for the command.
MOUNTED=()
if ! awk '$5 == "/" { found = 1 } END { exit !found }' /proc/self/mountinfo; then
	MOUNTED=(unshare --mount --propagation unchanged bash "$CUBE_TEST_ROOT/tests/lib/mounted.sh")
fi
# shellcheck disable=SC2317
remove_store() { "${ROOT[@]}" rm -rf --one-file-system "$CUBE_TEST_DIR/store" "$CUBE_TEST_DIR/runroot" "$CUBE_TEST_DIR/tmp"; }

# The one setting of the official image that matters for the time: dpkg need not sync what is thrown away when it fails.
make_base() {
	[ -z "$(find "$BASE" -mtime -7 2>/dev/null)" ] || return 0
	mkdir -p "$CACHE"
	# shellcheck disable=SC2016
	as_root mmdebstrap --quiet --variant=minbase --dpkgopt=force-unsafe-io \
		--customize-hook='echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/docker-apt-speedup"' trixie "$PWD/base.tar" >&2
	"${ROOT[@]}" chown "$(id -u)" base.tar
	mv base.tar "$BASE"
}

setting() { as_root podman "${STORE[@]}" image inspect --format "$1" "$IMAGE"; }
# inside COMMAND… → in a container of the image, as its user. What it prints comes by a file: in a chroot buildah 1.28 sometimes passes nothing on
# of a program that has ended at once (1 of 150 on a busy machine).
inside() {
	local status=0
	: >"out/$BASHPID"
	chmod 666 "out/$BASHPID"
	# shellcheck disable=SC2016
	as_root buildah "${STORE[@]}" run --isolation chroot --volume "$PWD/out:/out" "${VARIABLES[@]}" "$CONTAINER" -- \
		sh -c 'file=/out/$1; shift; exec "$@" >"$file"' sh "$BASHPID" "$@" || status=$?
	cat "out/$BASHPID"
	return "$status"
}

install_packages image >&2
mkdir -p tmp out
chmod 711 out
trap remove_store EXIT
make_base
as_root podman "${STORE[@]}" import -q "$BASE" docker.io/library/debian:trixie-slim >&2
as_root podman "${STORE[@]}" build "${LIMITS[@]}" --isolation chroot --pull=never --format docker --layers=false --jobs 2 \
	--build-arg REVISION=0123abc -f "$CUBE_TEST_ROOT/deploy/Dockerfile" -t "$IMAGE" "$CUBE_TEST_ROOT" >&2 || fail 'the image cannot be built'

equal 'user' "$(setting '{{.Config.User}}')" 65532:65532
equal 'entry point' "$(setting '{{json .Config.Entrypoint}} {{json .Config.Cmd}}')" '["/usr/bin/gracecube"] ["run"]'
equal 'health check' "$(setting '{{json .HealthCheck.Test}}')" '["CMD","/usr/bin/gracecube","check","--live","--timeout","3s"]'
# label NAME VALUE → as the OCI names it
label() { equal "label $1" "$(setting "{{index .Config.Labels \"org.opencontainers.image.$1\"}}")" "$2"; }
label title gracecube
label version "$("$CUBE_TEST_BIN" --version | awk 'NR == 1 { print $2 }')"
label revision 0123abc
label licenses Apache-2.0
[ -n "$(setting '{{index .Config.Labels "org.opencontainers.image.description"}}')" ] || fail 'the image has no description'
shown "built: $(($(setting '{{.Size}}') / 1000000)) MB, user $(setting '{{.Config.User}}'), entry point $(setting '{{json .Config.Entrypoint}}')"

new_cube
own_topics
new_topics capture
publish capture/*
VARIABLES=(--env "GRACECUBE_KAFKA_BROKERS=$GRACECUBE_KAFKA_BROKERS" --env "PGPASSWORD=$CUBE_TEST_PGPASSWORD"
	--env "GRACECUBE_POSTGRES_DSN=host=$CUBE_TEST_PGTCP port=$CUBE_TEST_PGPORT user=$CUBE_TEST_PGUSER dbname=$CUBE_TEST_DATABASE"
	--env "GRACECUBE_KAFKA_GROUP_ID=$GRACECUBE_KAFKA_GROUP_ID" --env "GRACECUBE_HTTP_LISTEN=127.0.0.1:$(free_port)")
for stream in $(known_streams); do VARIABLES+=(--env "GRACECUBE_STREAMS_${stream^^}_TOPICS=$CUBE_TEST_PREFIX.$stream"); done
CONTAINER=$(as_root buildah "${STORE[@]}" from "${LIMITS[@]}" --pull=never "$IMAGE")

inside /usr/bin/gracecube --version >version.out
contains 'commit inside' version.out '(commit 0123abc)'
equal 'user inside' "$(inside id -u)" 65532
equal 'version inside' "$(inside /usr/bin/gracecube --version | cut -d' ' -f1,2 | head -n 1)" "$("$CUBE_TEST_BIN" --version | cut -d' ' -f1,2 | head -n 1)"
inside /usr/bin/gracecube check >check.out || fail "check inside: $(grep '^BAD' check.out)"
inside /usr/bin/gracecube run --until-caught-up --progress none --json >summary.json || fail 'run inside does not catch up'
equal 'records applied by the container' "$(summary records)" "$(read_records capture)"
verify_agrees
STATUS=0
inside /usr/bin/gracecube check --live --timeout 1s >live.out 2>&1 || STATUS=$?
[ "$STATUS" -ne 0 ] || fail 'the health check is content where nothing runs'
shown "$(inside /usr/bin/gracecube --version | head -n 1) starts in it: $(tail -n 1 check.out); $(summary records) records read, and verified"
