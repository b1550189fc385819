# shellcheck shell=bash
# Small things that the scripts of deploy/ and tests/ share. To be sourced; defines functions only.

die() {
	printf '%s\n' "$*" >&2
	exit 1
}

now_ms() {
	local now=${EPOCHREALTIME/[.,]/}
	echo $((now / 1000))
}

# seconds_since MILLISECONDS → "1.3 s"
seconds_since() {
	local took=$(($(now_ms) - $1))
	printf '%d.%d s' $((took / 1000)) $((took % 1000 / 100))
}

# wait_until SECONDS COMMAND… → true as soon as COMMAND is, false when the time is over
wait_until() {
	local end=$(($(now_ms) + $1 * 1000))
	shift
	until "$@"; do
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.1
	done
}

used_ports() { awk 'FNR > 1 { sub(/.*:/, "", $2); print $2 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null || true; }

# is_free_port PORT → a number, and nobody uses it now
is_free_port() { [[ ${1:-} =~ ^[0-9]+$ ]] && ! used_ports | grep -ix "$(printf '%04x' "$1")" >/dev/null; }

# A TCP port that nobody uses now, below the range from which the kernel gives ports to clients.
free_port() {
	local used port tries
	used=$(used_ports)
	for tries in {1..200}; do
		port=$((20000 + (RANDOM + tries) % 12000))
		grep -qix "$(printf '%04x' "$port")" <<<"$used" || {
			echo "$port"
			return
		}
	done
	die 'no free TCP port between 20000 and 32000'
}

# is_process PID TEXT → true when PID runs and its command line contains TEXT, so that a pid file left over from before a
# reboot never points at somebody else's process
is_process() {
	[ -n "${1:-}" ] && [ -r "/proc/$1/cmdline" ] && tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -F -- "$2" >/dev/null
}

is_gone() {
	local state
	state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) || return 0
	[ "$state" = Z ] # a zombie waits for its parent only
}

# stop_process PID SECONDS → asks it to leave, and ends it when it has not after so many seconds
stop_process() {
	kill -TERM "$1" 2>/dev/null || return 0
	wait_until "$2" is_gone "$1" || kill -KILL "$1" 2>/dev/null || true
}

# fetch_jars DIR WHAT GROUP:ARTIFACT:VERSION… → DIR has these jars and all that they need to run, from Maven Central, by mvn. It is left alone when
# it is there, and appears only when it is complete.
fetch_jars() {
	local dir=$1 what=$2 part
	shift 2
	[ ! -d "$dir" ] || return 0
	mkdir -p "${dir%/*}"
	part=$(mktemp -d "$dir.XXXXXX")
	{
		echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
		echo '<groupId>local</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging><dependencies>'
		printf '%s\n' "$@" | sed -E 's|(.*):(.*):(.*)|<dependency><groupId>\1</groupId><artifactId>\2</artifactId><version>\3</version></dependency>|'
		echo '</dependencies></project>'
	} >"$part/pom.xml"
	if ! mvn -q -B -Dstyle.color=never -f "$part/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$part/jars" </dev/null >&2; then
		rm -rf "$part"
		die "$what could not be fetched from Maven Central: is the network there?"
	fi
	mv -T "$part/jars" "$dir" 2>/dev/null || [ -d "$dir" ] # somebody else may have been faster
	rm -rf "$part"
}
