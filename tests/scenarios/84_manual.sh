#!/usr/bin/env bash
# What is installed beside the program, from where `cmake --install` has put it: the manual pages without a complaint of mandoc or
# groff, and completion in real shells, by real key presses.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
# shellcheck source=/dev/null
. "$CUBE_TEST_ROOT/deploy/lib/install.sh"
ROOT=$PWD/root
PREFIX=$ROOT/usr/local

has() { [ -f "$ROOT/$1" ] || fail "cmake --install has not brought $1"; }

# --- Installation -----------------------------------------------------------------------------------------------------

installs() {
	DESTDIR=$ROOT cmake --install "${CUBE_TEST_BIN%/*}" >&2
	has usr/local/bin/gracecube
	has usr/local/lib/systemd/system/gracecube.service
	has usr/local/lib/sysusers.d/gracecube.conf
	has usr/local/share/gracecube/sql/code/1_tools/describe.sql
	has usr/local/share/gracecube/grafana/dashboards/operations.json
	has usr/local/share/gracecube/prometheus/rules.yaml
	contains 'the unit' "$PREFIX/lib/systemd/system/gracecube.service" 'ExecStart=/usr/local/bin/gracecube run --config /usr/local/etc/gracecube/gracecube.yaml'
	"$PREFIX/bin/gracecube" config sample | cmp - "$PREFIX/etc/gracecube/gracecube.yaml" || fail 'the configuration that is installed is not the sample'
	echo '# mine' >"$PREFIX/etc/gracecube/gracecube.yaml"
	DESTDIR=$ROOT cmake --install "${CUBE_TEST_BIN%/*}" >&2
	equal 'the configuration after a second installation' "$(cat "$PREFIX/etc/gracecube/gracecube.yaml")" '# mine'
	shown "cmake --install: $(find "$ROOT" -type f | wc -l) files; the units have the installed paths, the configuration of an operator stays"
}

# --- Pages ------------------------------------------------------------------------------------------------------------

# Every command has its page, and nothing is said against any.
pages_are_right() {
	local page name count=0
	for name in '' $("$CUBE_TEST_BIN" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/-\1/p'); do has "usr/local/share/man/man1/gracecube$name.1.gz"; done
	for page in "$PREFIX"/share/man/man?/*.gz; do
		count=$((count + 1))
		zcat "$page" >here
		mandoc -T lint -W warning here >lint.log || fail "mandoc says of ${page##*/}: $(head -n 3 lint.log)"
		# as lintian asks groff
		MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z here >/dev/null 2>groff.log
		[ ! -s groff.log ] || fail "groff says of ${page##*/}: $(head -n 3 groff.log)"
	done
	# what is on them is what the program says
	zcat "$PREFIX/share/man/man1/gracecube-run.1.gz" >page
	GROFF_NO_SGR=1 MANWIDTH=500 man -l -Tutf8 page | col -b >page.txt
	contains 'gracecube-run(1)' page.txt '-e, --until-caught-up'
	contains 'gracecube-run(1)' page.txt 'gracecube run -s run.workers=4 --streams action_contracts,approval_requests'
	zcat "$PREFIX/share/man/man5/gracecube.yaml.5.gz" >page
	GROFF_NO_SGR=1 MANWIDTH=500 man -l -Tutf8 page | col -b >page.txt
	while IFS= read -r name; do contains 'gracecube.yaml(5)' page.txt "$name"; done < <("$CUBE_TEST_BIN" config reference | sed -n 's/^| `\([a-z_.]*\)` .*/\1/p')
	shown "$count manual pages: mandoc and groff have nothing to say, and every command and option is there"
}

# --- Completion -------------------------------------------------------------------------------------------------------

# typed → what the line must be then. The file is one that is there.
cases() {
	cat <<-'CASES'
		gracecube veri<Tab>|<verify>
		gracecube run --until-c<Tab>|<run><--until-caught-up>
		gracecube dead li<Tab>--js<Tab>|<dead><list><--json>
		gracecube run -s run.wor<Tab>7|<run><-s><run.workers=7>
		gracecube run -s log.level=de<Tab>|<run><-s><log.level=debug>
		gracecube -c conf<Tab>status|<-c><configuration.yaml><status>
		gracecube check --config=conf<Tab>|<check><--config=configuration.yaml>
		gracecube token create wall --role vi<Tab>|<token><create><wall><--role><viewer>
		gracecube run --streams action_contracts,appr<Tab>|<run><--streams><action_contracts,approval_requests>
		gracecube publish conf<Tab>|<publish><configuration.yaml>
		gracecube help stat<Tab>|<help><status>
	CASES
}

# completes SHELL SETUP COMMAND… → by keys of a real terminal
completes() {
	local shell=$1 setup=$2 typed wanted got
	shift 2
	cases | sed 's/|.*//' | PATH=$PREFIX/bin:$PATH python3 -B "$CUBE_TEST_ROOT/tests/lib/keys.py" "$setup" "$@" >"$shell.got" || fail "$shell: $(cat "$shell.got")"
	while IFS='|' read -r typed wanted <&3 && IFS= read -r got <&4; do
		equal "$shell: $typed" "$got" "$wanted"
	done 3< <(cases) 4<"$shell.got"
	equal "$shell: lines answered" "$(wc -l <"$shell.got")" "$(cases | wc -l)"
	shown "$shell $(dpkg-query -W -f '${Version}' "$shell"): $(cases | wc -l) lines completed by keys"
}

set_up_shells() {
	# the completion asks the program; what is run at Enter is this
	cat >setup.bash <<-BASH
		bind 'set bell-style none'
		. /usr/share/bash-completion/bash_completion
		. $PREFIX/share/bash-completion/completions/gracecube
		_gracecube_words() { printf 'WORDS:'; printf '<%s>' "\$@"; echo ':END'; }
		alias gracecube=_gracecube_words
		shopt -s expand_aliases
		echo READY\$((1))
	BASH
	cat >setup.zsh <<-ZSH
		fpath=($PREFIX/share/zsh/*-*(N) \$fpath)
		autoload -Uz compinit && compinit -u -D
		unsetopt beep prompt_cr prompt_sp
		_gracecube_words() { print -n WORDS:; print -n -- "<\${(j:><:)@}>"; print :END }
		alias gracecube=_gracecube_words
		setopt complete_aliases
		echo READY\$((1))
	ZSH
	cat >setup.fish <<-FISH
		source $PREFIX/share/fish/vendor_completions.d/gracecube.fish
		function fish_prompt; echo '> '; end
		function fish_right_prompt; end
		function _gracecube_words; printf 'WORDS:'; printf '<%s>' \$argv; echo ':END'; end
		bind \r 'commandline -r (string replace -r "^gracecube" _gracecube_words -- (commandline)); commandline -f execute'
		bind \n 'commandline -r (string replace -r "^gracecube" _gracecube_words -- (commandline)); commandline -f execute'
		echo READY(math 1)
	FISH
}

install_packages manual >&2
: >configuration.yaml
installs
pages_are_right
set_up_shells
completes bash setup.bash bash --noprofile --norc -i
completes zsh setup.zsh zsh -f -i
completes fish setup.fish fish --no-config -i
