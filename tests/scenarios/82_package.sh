#!/usr/bin/env bash
# The Debian package: built twice with the same bytes, accepted by lintian, really installed in a fresh Debian of this machine's
# release, started as its units would be (the same user, sandbox and environment) on real servers, upgraded, and purged.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
# shellcheck source=/dev/null
. "$CUBE_TEST_ROOT/deploy/lib/install.sh"
SUITE=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/gracecube/package
BASE=$CACHE/$SUITE-minbase.tar
SYSTEM=$PWD/system # the fresh Debian
CHECKERS=(spdx-tools==0.8.3)

ROOT=()
[ "$(id -u)" -eq 0 ] || ROOT=(sudo -n)

# --- Building ---------------------------------------------------------------------------------------------------------

# What git knows or would take; in a tree without git all but what builds leave.
copy_source() {
	mkdir -p "$1"
	if [ -e "$CUBE_TEST_ROOT/.git" ]; then
		(cd "$CUBE_TEST_ROOT" && git -c safe.directory="$CUBE_TEST_ROOT" ls-files -coz --exclude-standard | tar -c --null -T -) | tar -x -C "$1"
	else
		tar -c -C "$CUBE_TEST_ROOT" --exclude='./build*' . | tar -x -C "$1"
	fi
}

# Elsewhere, later, in another zone and under another mask, without ccache; the time and the name of the commit are the same.
builds_alike() {
	local commit
	export PATH=/usr/lib/ccache:$PATH
	SOURCE_DATE_EPOCH=$(git -c safe.directory="$CUBE_TEST_ROOT" -C "$CUBE_TEST_ROOT" log -1 --format=%ct 2>/dev/null || echo 1795867200)
	export SOURCE_DATE_EPOCH
	commit=$("$CUBE_TEST_BIN" --version | sed -n 's/.*commit \([0-9a-f]*\).*/\1/p' | head -n 1)
	"$CUBE_TEST_ROOT/deploy/package/build" "$PWD/one" "-DGRACECUBE_COMMIT=${commit:-unknown}" >one.log 2>&1 || fail "the package cannot be built: $(tail -n 3 one.log)"
	copy_source another/place/source
	(umask 027 && CCACHE_DISABLE=1 TZ=Pacific/Kiritimati another/place/source/deploy/package/build "$PWD/another/place/two" \
		"-DGRACECUBE_COMMIT=${commit:-unknown}") >two.log 2>&1 || fail "the package cannot be built a second time: $(tail -n 3 two.log)"
	cmp one/build/gracecube another/place/two/build/gracecube || fail 'two builds of the program differ'
	DEB=$(echo one/gracecube_*.deb)
	cmp "$DEB" another/place/two/gracecube_*.deb || fail 'two builds of the package differ'
	cmp "${DEB%.deb}.spdx.json" another/place/two/gracecube_*.spdx.json || fail 'two bills of materials differ'
	DEB=$PWD/$DEB
	shown "two builds, the same bytes: ${DEB##*/}, $(($(stat -c %s "$DEB") / 1024)) KiB, sha256 $(sha256sum "$DEB" | head -c 16)…"
}

package_is_right() {
	lintian --allow-root --fail-on error,warning "$DEB" >lintian.log 2>&1 || fail "lintian: $(grep -E '^[EW]:' lintian.log || cat lintian.log)"
	! grep -E '^[EW]:' lintian.log || fail 'lintian has something to say'
	dpkg-deb --ctrl-tarfile "$DEB" | tar -xO ./conffiles >conffiles
	equal 'conffiles' "$(cat conffiles)" /etc/gracecube/gracecube.yaml
	"$CUBE_TEST_BIN" config sample | cmp - <(dpkg-deb --fsys-tarfile "$DEB" | tar -xO ./etc/gracecube/gracecube.yaml) || fail 'the conffile is not the sample'
	dpkg-deb --fsys-tarfile "$DEB" | tar -xO ./usr/share/doc/gracecube/changelog.gz | zcat | dpkg-parsechangelog -l - >changelog.log 2>&1 || fail "changelog: $(cat changelog.log)"
	equal 'version in the changelog' "$(sed -n 's/^Version: //p' changelog.log)" "$(dpkg-deb -f "$DEB" Version)"
	python3 -m venv checkers
	checkers/bin/pip -q --disable-pip-version-check install "${CHECKERS[@]}" >&2
	checkers/bin/pyspdxtools -i "${DEB%.deb}.spdx.json" >spdx.log 2>&1 || fail "the bill of materials is not valid: $(tail -n 3 spdx.log)"
	ldd one/build/gracecube | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | while read -r library; do
		name=$(dpkg-query -S "$library" 2>/dev/null || dpkg-query -S "/usr$library")
		jq -e --arg name "${name%%:*}" '.packages[] | select(.name == $name)' "${DEB%.deb}.spdx.json" >/dev/null || fail "the bill of materials has no ${name%%:*}"
	done
	shown "lintian accepts it; its bill of materials is valid for spdx-tools and names the $(jq '.packages | length - 1' "${DEB%.deb}.spdx.json") packages that are loaded"
}

# --- A fresh Debian ---------------------------------------------------------------------------------------------------

make_base() {
	[ -z "$(find "$BASE" -mtime -7 2>/dev/null)" ] || return 0
	mkdir -p "$CACHE"
	# shellcheck disable=SC2016
	"${ROOT[@]}" env TMPDIR="$PWD" mmdebstrap --quiet --variant=minbase --dpkgopt=force-unsafe-io \
		--customize-hook='echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/unsafe"' "$SUITE" "$PWD/base.tar" >&2
	"${ROOT[@]}" chown "$(id -u)" base.tar
	mv base.tar "$BASE"
}

# inside COMMAND… → as root of the fresh Debian, with nothing of our environment
inside() {
	"${ROOT[@]}" chroot "$SYSTEM" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
}
apt_inside() { inside apt-get -qq -y -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 --no-install-recommends "$@" </dev/null; }

# What is in the system, but for what dpkg, apt and the linker keep of their work.
listing() {
	(cd "$SYSTEM" && "${ROOT[@]}" find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./tmp -o -path ./run -o -path ./var/cache \
		-o -path ./var/lib/apt -o -path ./var/lib/dpkg -o -path ./var/log \) -prune -o -print) | sort
}

set_up_system() {
	make_base
	mkdir "$SYSTEM"
	"${ROOT[@]}" tar -x -C "$SYSTEM" -f "$BASE"
	"${ROOT[@]}" cp /etc/resolv.conf /etc/hosts "$SYSTEM/etc/"
	apt_inside update >&2
	# what the package depends on comes first, so that what is new afterwards is the package's
	"${ROOT[@]}" cp "$DEB" "$SYSTEM/tmp/gracecube.deb"
	apt_inside install "$(dpkg-deb -f "$DEB" Depends | tr ',' '\n' | sed 's/|.*//; s/([^)]*)//; s/ //g' | head -n 1)" >&2
}

# shellcheck disable=SC2317
remove_system() {
	sql -c "DROP OWNED BY $CUBE_TEST_PREFIX" -c "DROP ROLE $CUBE_TEST_PREFIX" >&2 || true
	"${ROOT[@]}" rm -rf --one-file-system "$CUBE_TEST_DIR/system"
}

installs() {
	apt_inside install /tmp/gracecube.deb >install.log 2>&1 || fail "apt-get install: $(tail -n 5 install.log)"
	contains 'the installation' install.log 'gracecube is installed, and not started'
	equal 'version inside' "$(inside gracecube --version | head -n 1)" "$("$CUBE_TEST_BIN" --version | head -n 1)"
	equal 'who may read the configuration' "$("${ROOT[@]}" stat -c '%a %U' "$SYSTEM/etc/gracecube")" '750 root'
	equal 'its group' "$(inside stat -c %G /etc/gracecube)" gracecube
	ACCOUNT=$(inside id -u gracecube)
	equal 'the account' "$(inside getent passwd gracecube | cut -d: -f6,7)" /:/usr/sbin/nologin
	[ ! -e "$SYSTEM/etc/systemd/system/multi-user.target.wants/gracecube.service" ] || fail 'it is enabled without a configuration'
	shown "installed in a fresh Debian $SUITE; it depends on $(dpkg-deb -f "$DEB" Depends | tr ',' '\n' | wc -l) packages"
}

units_are_right() {
	local unit exposure exposures=()
	"${ROOT[@]}" systemd-analyze --root="$SYSTEM" --man=no verify gracecube.service gracecube-serve.service gracecube-verify.service gracecube-verify.timer \
		>units.log 2>&1 || fail "systemd-analyze verify: $(cat units.log)"
	# an essential package's unit may be incomplete in a minimal system
	! grep gracecube units.log || fail 'systemd-analyze verify has something to say'
	for unit in gracecube gracecube-serve gracecube-verify; do
		"${ROOT[@]}" systemd-analyze --root="$SYSTEM" --offline=true --threshold=15 security "$unit.service" >security.log 2>&1 ||
			fail "systemd-analyze security: $(tail -n 1 security.log)"
		exposure=$(sed -n 's/.*exposure level.*: \([0-9.]*\).*/\1/p' security.log)
		exposures+=("$exposure")
	done
	shown "systemd-analyze: the units as installed are right, exposure ${exposures[*]}"
}

# --- The configuration, as an operator writes it ----------------------------------------------------------------------

# put PATH → standard input into a file of the system, mode 0600
put() { "${ROOT[@]}" install -D -m 0600 /dev/stdin "$SYSTEM$1"; }

configure() {
	HTTP=$(free_port)
	SERVE=$(free_port)
	"${ROOT[@]}" cat "$SYSTEM/etc/gracecube/gracecube.yaml" >yaml
	sed -i -e "s|^  dsn: \"\"|  dsn: \"host=$CUBE_TEST_PGTCP port=$CUBE_TEST_PGPORT user=$CUBE_TEST_PREFIX dbname=$CUBE_TEST_DATABASE\"|" \
		-e '/^postgres:/,/^kafka:/s|^  password_file: ""|  password_file: /etc/gracecube/postgres_password|' \
		-e "s|^  brokers: .*|  brokers: $CUBE_TEST_BROKERS|" -e "s|^  group_id: .*|  group_id: $CUBE_TEST_PREFIX|" \
		-e "s|127.0.0.1:9187|127.0.0.1:$HTTP|" -e "s|127.0.0.1:8080|127.0.0.1:$SERVE|" -e "s|127.0.0.1:9188|127.0.0.1:$(free_port)|" \
		-e "s/{topics: \[grace\.public\.\([a-z_]*\), [^]]*\]/{topics: [$CUBE_TEST_PREFIX.\1]/" yaml
	"${ROOT[@]}" tee "$SYSTEM/etc/gracecube/gracecube.yaml" <yaml >/dev/null # keeps its owner and mode
	PASSWORD=of-$CUBE_TEST_PREFIX-$RANDOM$RANDOM
	put /etc/gracecube/postgres_password <<<"$PASSWORD"
	put /etc/gracecube/api_password <<<"$PASSWORD"
}

# The owner migrates, and makes the login that the units have: it owns nothing.
makes_cube() {
	inside PGPASSWORD="$CUBE_TEST_PGPASSWORD" GRACECUBE_POSTGRES_PASSWORD_FILE= \
		GRACECUBE_POSTGRES_DSN="host=$CUBE_TEST_PGTCP port=$CUBE_TEST_PGPORT user=$CUBE_TEST_PGUSER dbname=$CUBE_TEST_DATABASE" gracecube migrate >&2 ||
		fail 'the installed program cannot migrate'
	sql -c "CREATE ROLE $CUBE_TEST_PREFIX LOGIN PASSWORD '$PASSWORD' IN ROLE gracecube_writer, gracecube_api"
	inside gracecube check >check.out || fail "check of the installed program: $(grep '^BAD' check.out)"
	contains 'check' check.out /etc/gracecube/gracecube.yaml
}

# --- The units --------------------------------------------------------------------------------------------------------

# unit NAME → in the background: PID; what it notifies NAME.out, its log NAME.log
# Its mounts are private to it, which only a mount point can be; see 81_image.sh.
unit() {
	local private=(--propagation private)
	awk '$5 == "/" { found = 1 } END { exit !found }' /proc/self/mountinfo ||
		private=(--propagation unchanged bash "$CUBE_TEST_ROOT/tests/lib/mounted.sh")
	start "$1" "${ROOT[@]}" unshare --mount "${private[@]}" python3 -B "$CUBE_TEST_ROOT/tests/lib/unit.py" "$SYSTEM" "$1"
}
is_ready() { grep -q READY=1 "$1.out" || is_gone "$PID"; }
# said UNIT NAME → what unit.py said of it: PID, MAIN, PEAK
said() { sed -n "s/^$2=//p" "$1.out"; }

# The account's number, no capability, no way to any, and filters of system calls: as the kernel sees the process.
is_confined() {
	equal "$1 as the kernel sees it" "$("${ROOT[@]}" awk '/^Uid:/ { uid = $2 " " $3 } /^Cap(Eff|Bnd|Inh|Prm):/ { capabilities = capabilities ($2 + 0 == 0 ? 0 : 1) }
		/^NoNewPrivs:/ { privileges = $2 } /^Seccomp:/ { filter = $2 } END { print uid, capabilities, privileges, filter }' "/proc/$(said "$1" MAIN)/status")" \
		"$ACCOUNT $ACCOUNT 0000 1 2"
}

runs() {
	unit gracecube.service
	RUN=$PID
	wait_until 60 is_ready gracecube.service || fail 'gracecube.service is not ready'
	contains 'gracecube.service' gracecube.service.out READY=1
	reaches "$(read_records capture)" 60
	is_confined gracecube.service
}

serves() {
	local token status
	unit gracecube-serve.service
	SERVING=$PID
	wait_until 60 is_ready gracecube-serve.service || fail 'gracecube-serve.service is not ready'
	contains 'gracecube-serve.service' gracecube-serve.service.out READY=1
	is_confined gracecube-serve.service
	token=$(env -u GRACECUBE_HTTP_LISTEN "$CUBE_TEST_BIN" token create package)
	status=$(python3 - "http://127.0.0.1:$SERVE/api/cube/executions?format=csv" "$token" <<-'PYTHON'
		import sys, urllib.request
		request = urllib.request.Request(sys.argv[1], headers={"Authorization": "Bearer " + sys.argv[2].split()[-1]})
		answer = urllib.request.urlopen(request, timeout=10)
		print(answer.status, len(answer.read().splitlines()) - 1)
	PYTHON
	)
	equal 'the API of the installed unit' "$status" "200 $(sql -c 'SELECT count(*) FROM cube.fact_verification_executions')"
}

ends_cleanly() {
	local name=$1 pid=$2
	"${ROOT[@]}" kill -TERM "$(said "$name" PID)"
	ends "$pid" 40
	equal "exit code of $name after SIGTERM" "$STATUS" 0
}

# --- Later ------------------------------------------------------------------------------------------------------------

# A newer version whose conffile differs, and whose units and program are the same.
make_newer() {
	dpkg-deb -R "$DEB" newer
	sed -i 's/^Version: .*/&+1/' newer/DEBIAN/control
	echo '# of the newer version' >>newer/etc/gracecube/gracecube.yaml
	dpkg-deb --root-owner-group -b newer newer.deb >&2
	"${ROOT[@]}" cp newer.deb "$SYSTEM/tmp/newer.deb"
}

upgrades() {
	local before
	before=$("${ROOT[@]}" sha256sum "$SYSTEM/etc/gracecube/gracecube.yaml")
	inside dpkg -i /tmp/gracecube.deb >again.log 2>&1 || fail "the same version again: $(tail -n 3 again.log)"
	equal 'an edited conffile after the same version' "$("${ROOT[@]}" sha256sum "$SYSTEM/etc/gracecube/gracecube.yaml")" "$before"
	make_newer
	apt_inside -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install /tmp/newer.deb >newer.log 2>&1 || fail "upgrade: $(tail -n 3 newer.log)"
	equal 'an edited conffile after a newer version' "$("${ROOT[@]}" sha256sum "$SYSTEM/etc/gracecube/gracecube.yaml")" "$before"
	"${ROOT[@]}" grep -q 'of the newer version' "$SYSTEM/etc/gracecube/gracecube.yaml.dpkg-dist" || fail 'the newer conffile is not beside the edited one'
	equal 'version after the upgrade' "$(inside dpkg-query -W -f '${Version}' gracecube)" "$(dpkg-deb -f "$DEB" Version)+1"
	inside gracecube check >check.out || fail "check after the upgrade: $(grep '^BAD' check.out)"
	shown 'upgraded over itself and to a newer version: the edited configuration stays, the new one is beside it'
}

is_purged() {
	apt_inside remove gracecube >remove.log 2>&1 || fail "remove: $(tail -n 3 remove.log)"
	"${ROOT[@]}" test -e "$SYSTEM/etc/gracecube/gracecube.yaml" || fail 'removing takes the configuration away'
	apt_inside purge gracecube >purge.log 2>&1 || fail "purge: $(tail -n 3 purge.log)"
	# what another package merely recommends (libc6 does libidn2-0) would stay
	apt_inside -o APT::AutoRemove::RecommendsImportant=false -o APT::AutoRemove::SuggestsImportant=false autoremove --purge >&2
	listing >after
	comm -13 before after >left
	# Debian keeps the account of a package: /etc/passwd and the like, with their backups
	grep -vxE '\./etc/(passwd|shadow|group|gshadow|subuid|subgid)-|\./etc/\.pwd\.lock|\./etc/ld\.so\.cache' left >unexpected || true
	[ ! -s unexpected ] || fail "left after purge: $(tr '\n' ' ' <unexpected)"
	! inside dpkg-query -W gracecube 2>/dev/null || fail 'dpkg still knows it'
	shown "removed: the configuration stays; purged: nothing is left but the account"
}

# --- The run ----------------------------------------------------------------------------------------------------------

install_packages build package packaging >&2
new_database
own_topics
unset GRACECUBE_HTTP_LISTEN
new_topics capture
publish capture/*
builds_alike
package_is_right
trap remove_system EXIT
set_up_system
listing >before
installs
units_are_right
configure
makes_cube
runs
serves
unit gracecube-verify.service
ends "$PID" 60
equal 'exit code of gracecube-verify.service' "$STATUS" 0
ends_cleanly gracecube.service "$RUN"
contains 'gracecube.service' gracecube.service.out STOPPING=1
ends_cleanly gracecube-serve.service "$SERVING"
verify_agrees
shown "the units, in their sandbox as gracecube: $(position) records read, $(said gracecube.service PEAK); served, $(said gracecube-serve.service PEAK); verified, $(said gracecube-verify.service PEAK)"
upgrades
is_purged
