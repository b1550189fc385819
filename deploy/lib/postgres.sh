# shellcheck shell=bash
# A private PostgreSQL cluster under a directory of its own. Needs common.sh. Every function takes that directory first:
#
#   DIR/data       the cluster             DIR/port      its TCP port on 127.0.0.1
#   DIR/log        the server's log        DIR/socket    the directory of its Unix socket
#   DIR/password   of the superuser "gracecube"
#
# The server never runs as root: for root it belongs to the system user gracecube. Over the socket nobody needs a password,
# because only the owner (and root) can enter its directory; over TCP everybody does.
#
# A cluster keeps its version; a new one gets Debian's newest that is installed, or what POSTGRES_BIN, a directory of binaries, has.

POSTGRES_USER=gracecube

# postgres_start DIR [NAME=VALUE…] → makes the cluster when there is none; settings hold for this start
postgres_start() {
	local dir=$1 options='' setting
	shift
	postgres_is_running "$dir" && return
	[ -f "$dir/data/PG_VERSION" ] || postgres_make "$dir"
	for setting in "$@"; do options+=" -c $setting"; done
	for _ in 1 2 3; do
		[ -s "$dir/port" ] || free_port >"$dir/port"
		# pg_ctl's child keeps the descriptors it was given, so it gets none of ours.
		if as_owner "$(postgres_bin "$dir")/pg_ctl" start -D "$dir/data" -l "$dir/log/server.log" -w -t 60 -s \
			-o "-p $(postgres_port "$dir") -k $(postgres_socket "$dir") -c listen_addresses=127.0.0.1 $options" \
			</dev/null >"$dir/pg_ctl.out" 2>&1 3>&- 4>&-; then
			return
		fi
		tail -n 20 "$dir/log/server.log" | grep 'Address already in use' >/dev/null || break
		rm -f "$dir/port"
	done
	cat "$dir/pg_ctl.out"
	tail -n 5 "$dir/log/server.log" || true
	die "PostgreSQL did not start; its log is $dir/log/server.log"
}

postgres_stop() {
	postgres_is_running "$1" || return 0
	as_owner "$(postgres_bin "$1")/pg_ctl" stop -D "$1/data" -m fast -w -t 60 -s </dev/null >/dev/null 2>&1
}

# The first line of postmaster.pid is the server's pid.
postgres_pid() { as_owner sed -n 1p "$1/data/postmaster.pid" 2>/dev/null; }
postgres_is_running() { is_process "$(postgres_pid "$1")" "$1/data"; }
postgres_port() { cat "$1/port"; }
postgres_socket() { cat "$1/socket"; }
postgres_password() { as_owner cat "$1/password"; }
postgres_version() { "$(postgres_bin "$1")/postgres" --version | sed 's/.*) \([0-9.]*\).*/\1/'; }
postgres_dsn() { echo "host=$(postgres_socket "$1") port=$(postgres_port "$1") user=$POSTGRES_USER dbname=$2"; }

# postgres_psql DIR DATABASE ARGUMENT… → psql without anybody's ~/.psqlrc
postgres_psql() {
	local dir=$1 database=$2
	shift 2
	psql -X -q -v ON_ERROR_STOP=1 -d "$(postgres_dsn "$dir" "$database")" "$@"
}

postgres_has_database() { [ "$(postgres_psql "$1" postgres -Atc "SELECT 1 FROM pg_database WHERE datname = '$2'")" = 1 ]; }

postgres_make() {
	local dir=$1 socket
	make_owner
	mkdir -p "$dir"
	give_to_owner 711 "$dir"
	as_owner test -x "$dir" || die "The user $(owner_name) cannot enter $dir: choose another directory."
	socket=$dir/socket.d
	if [ ${#socket} -gt 90 ]; then # the kernel allows 107 bytes for the whole name
		socket=$(mktemp -d /tmp/gracecube.XXXXXX)
	fi
	mkdir -p "$socket" "$dir/log"
	give_to_owner 700 "$socket" "$dir/log"
	echo "$socket" >"$dir/socket"
	(umask 077 && od -An -N18 -tx1 /dev/urandom | tr -d ' \n' >"$dir/password")
	give_to_owner 600 "$dir/password"
	as_owner "$(postgres_bin "$dir")/initdb" -D "$dir/data" -U $POSTGRES_USER --encoding=UTF8 --locale=C.UTF-8 \
		--auth-local=trust --auth-host=scram-sha-256 --pwfile="$dir/password" --no-instructions ${POSTGRES_NO_SYNC:+--no-sync}
}

# postgres_remove DIR → stops it and takes everything away
postgres_remove() {
	local socket
	[ -d "$1" ] || return 0
	postgres_stop "$1"
	socket=$(cat "$1/socket" 2>/dev/null || true)
	case $socket in /tmp/gracecube.??????) rm -rf --one-file-system "$socket" ;; esac
	rm -rf --one-file-system "$1"
}

postgres_bin() {
	local version bin
	version=$(as_owner cat "$1/data/PG_VERSION" 2>/dev/null) || version=$(newest_postgres)
	bin=${POSTGRES_BIN:-/usr/lib/postgresql/$version/bin}
	[ "$version" -gt 0 ] || [ -n "${POSTGRES_BIN:-}" ] || die 'PostgreSQL is not installed (package postgresql).'
	[ -x "$bin/postgres" ] || die "The cluster in $1 is of PostgreSQL $version, which is not installed (package postgresql-$version)."
	echo "$bin"
}

newest_postgres() {
	local path newest=0
	for path in /usr/lib/postgresql/*/bin/initdb; do
		path=${path#/usr/lib/postgresql/}
		path=${path%%/*}
		[[ $path =~ ^[0-9]+$ ]] && [ "$path" -gt "$newest" ] && newest=$path
	done
	echo "$newest"
}

# --- Who owns the server ----------------------------------------------------------------------------------------------

owner_name() { if [ "$(id -u)" -eq 0 ]; then echo gracecube; else id -un; fi; }

make_owner() {
	[ "$(id -u)" -ne 0 ] || getent passwd gracecube >/dev/null ||
		useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gracecube
}

give_to_owner() {
	local mode=$1
	shift
	if [ "$(id -u)" -eq 0 ]; then chown gracecube: "$@"; fi
	chmod "$mode" "$@"
}

# as_owner COMMAND… → runs it as the server's owner, in a directory that the owner can read
as_owner() {
	if [ "$(id -u)" -eq 0 ]; then
		(cd / && exec setpriv --reuid=gracecube --regid=gracecube --init-groups --no-new-privs -- "$@")
	else
		"$@"
	fi
}
