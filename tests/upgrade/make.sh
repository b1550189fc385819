#!/usr/bin/env bash
# usage: make.sh PROGRAM OUTPUT.sql.gz   makes the cube that 20_upgrade.sh upgrades, by the program of a release. See README.md here.
# The servers are those of the CUBE_TEST_… variables; topics and group are called "upgrade".
set -euo pipefail
export CUBE_TEST_BIN CUBE_TEST_PREFIX=upgrade
CUBE_TEST_BIN=$(realpath "$1")
output=$(realpath -m "$2")
# shellcheck source=/dev/null
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
cd "$(mktemp -d)"
new_cube
new_topics records upgrade "$CUBE_TEST_ROOT"/tests/data/capture/*.jsonl.gz "$CUBE_TEST_ROOT"/tests/upgrade/records/*.jsonl
publish records/*
catch_up
"$CUBE_TEST_BIN" token create alice --role analyst --expires 0 >&2
verify_agrees

pg_dump --dbname="$GRACECUBE_POSTGRES_DSN" --no-owner | sed "/^\\\\\(un\)\?restrict /d" | gzip -9n >"$output"
ls -l "$output" >&2
