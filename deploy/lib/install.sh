# shellcheck shell=bash
# Installs the Debian packages that are missing. Needs common.sh. The lists below are the only ones. PostgreSQL and Java go by
# the packages that name no version: each release of Debian has its own.

packages_of() {
	case $1 in
	build) echo cmake gcc libc6-dev make pkg-config librdkafka-dev libpq-dev libjansson-dev libyaml-dev zlib1g-dev libxxhash-dev libssl-dev libmicrohttpd-dev ;;
	run) echo postgresql postgresql-client ;;
	kafka) echo default-jre-headless maven ;;
	debezium) echo default-jdk-headless maven ;; # beside those of kafka: to build what captures
	tests) echo clang curl libclang-rt-dev libcmocka-dev python3 valgrind kcat jq pgbouncer openssl git python3-venv ;;
	browser) echo chromium chromium-driver fonts-dejavu-core ;;
	operators) echo systemd ;;
	containers) echo openssl ;;
	package) echo dpkg-dev file gzip python3 ;;
	manual) echo bash-completion bsdextrautils fish groff-base man-db mandoc zsh ;;
	packaging) echo git libseccomp2 lintian mmdebstrap procps systemd ;;
	image) echo buildah mmdebstrap podman ;;
	gcc-* | clang-*) echo "$1" ;; # a compiler is a list of its own
	*) die "no package list named $1" ;;
	esac
}

# missing_packages LIST… → the packages of these lists that are not installed, one a line
missing_packages() {
	local list package installed wanted=()
	for list in "$@"; do
		read -ra packages <<<"$(packages_of "$list")"
		wanted+=("${packages[@]}")
	done
	# shellcheck disable=SC2016 # ${…} is dpkg-query's
	installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null | sed -n 's/^installed //p' || true)
	for package in "${wanted[@]}"; do
		grep -qx -- "$package" <<<"$installed" || echo "$package"
	done
}

# install_packages LIST… → quick and without network when nothing is missing
install_packages() {
	local missing
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "missing: ${missing[*]}"
	become_root_or_explain "${missing[@]}"
	update_lists
	case " ${missing[*]} " in *' postgresql '*) install_without_main_cluster "${missing[@]}" ;; *) run_apt install "${missing[@]}" ;; esac
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} -eq 0 ] || die "apt-get did not install: ${missing[*]}"
}

become_root_or_explain() {
	command -v apt-get >/dev/null || die "These packages (Debian names) are missing and there is no apt-get here: $*"
	AS_ROOT=()
	[ "$(id -u)" -ne 0 ] || return 0
	if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || sudo_by_password; }; then
		AS_ROOT=(sudo)
		return
	fi
	die "Packages are missing and this user may not install them (no root, no sudo). As root:
  apt-get install --no-install-recommends $*"
}

# sudo asks on the terminal, wherever our own output goes.
sudo_by_password() { { : </dev/tty; } 2>/dev/null && sudo -v; }

run_apt() {
	"${AS_ROOT[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 \
		-y --no-install-recommends "$@" </dev/null
}

# A machine that has just been started updates itself. apt-get waits for the lock of dpkg, but not for that of its lists.
update_lists() {
	local said left=60
	until said=$(run_apt update 2>&1); do
		left=$((left - 1))
		if [[ $said != *'Could not get lock'* ]] || [ "$left" -eq 0 ]; then
			die "apt-get update: $said"
		fi
		[ "$left" -lt 59 ] || echo 'waiting for another apt-get, five minutes at most'
		sleep 5
	done
	[ -z "$said" ] || echo "$said"
}

# Debian's server package makes a cluster and starts it on port 5432. Nobody asked for that one; the switch is put back.
install_without_main_cluster() {
	local switch=/etc/postgresql-common/createcluster.conf line='create_main_cluster = false # for gracecube' failed=0
	run_apt install postgresql-common
	"${AS_ROOT[@]}" sed -i "\$a $line" "$switch"
	run_apt install "$@" || failed=1
	"${AS_ROOT[@]}" sed -i "/^$line\$/d" "$switch"
	return $failed
}
