#!/usr/bin/env bash
# tests/bench runs to its end and counts right, on few events: of each cost that it is there, never how much, since a timed test is no test. Its
# traffic is as broad as its generator says, and each copy has ids of its own.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
export CUBE_TEST_BUILD=${CUBE_TEST_BIN%/*}
bench() { CUBE_TEST_PREFIX=${CUBE_TEST_PREFIX}_$1 "$CUBE_TEST_ROOT/tests/bench" "${@:2}"; }
of_cube() { GRACECUBE_POSTGRES_DSN="host=$CUBE_TEST_PGHOST port=$CUBE_TEST_PGPORT user=$CUBE_TEST_PGUSER dbname=${CUBE_TEST_PREFIX}_$1" sql -c "$2"; }
holds() { jq -e "$2" "$1" >/dev/null || fail "not so in $PWD/$1: $2"; }

it_measures_all() {
	local peers=()
	[ -z "${CUBE_TEST_CAMPAIGN:-}" ] || peers=(--peers)
	bench all --events 20974 --samples 5 --rate 20 --against "$CUBE_TEST_BIN" "${peers[@]}" --json >all.json
	holds all.json '[.gracecube, .against | .said.records] == [20974, 20974]'
	# all but deletes and tombstones
	holds all.json '[.plain_1, .plain_2 | .said.events] == [20854, 20854]'
	holds all.json '.written.facts == 9944 and .written.fact_versions >= .written.facts and .written.cell_versions > 0 and ([.written.bytes[]] | min > 0)'
	holds all.json '[.an_event[] | .events_per_second, .postgres_cpu_us, .wal_bytes] | length >= 12 and min > 0'
	holds all.json '[.an_event | .gracecube, .against | .own_cpu_us, .memory_mb] | min > 0'
	holds all.json '(.ratios.plain_1.wal_bytes * .an_event.plain_1.wal_bytes - .an_event.gracecube.wal_bytes | fabs) < 0.001 and .ratios.against.memory_mb > 0'
	holds all.json '[.idle, .busy] | map(.events == 5 and .visible_ms.p50 > .acknowledged_ms.p50 and .visible_ms.max >= .visible_ms.p99) | all'
	shown "$(jq -r '"20,974 events, the ceiling with " + ([.ratios | keys[]] | join(", ")) + "; latency idle and busy"' all.json)"
}

its_traffic_is_broad() {
	equal 'facts' "$(of_cube all_gracecube 'SELECT count(*) FROM cube.fact_verification_executions')" 9944
	equal 'actors, components, spellings of tiers' "$(of_cube all_gracecube "SELECT count(DISTINCT actor_key), count(DISTINCT component_key),
		count(DISTINCT coalesce(tier_text, 'none')) FROM cube.fact_verification_executions")" '26|8|7'
	[ "$(of_cube all_gracecube 'SELECT count(DISTINCT time_key / 60) FROM cube.fact_verification_executions')" -gt 300 ] || fail 'its contracts are of few hours'
	shown 'two copies of the traffic: no contract is in both; 26 actors, 8 components, 7 spellings of tiers, hundreds of hours'
}

it_prints_a_table() {
	bench hot --profile hot --events 2000 --throughput-only >table
	contains table table 'Throughput, hot: 2,000 contract events'
	[ "$(grep -c 'gracecube has … times as much' table)" = 5 ] || fail "the table lacks lines: $(cat table)"
	equal 'hours that are hot' "$(of_cube hot_gracecube "SELECT bool_and(created_at BETWEEN now() - interval '6 hours 10 minutes' AND now()) FROM cube.fact_verification_executions")" t
	shown 'hot: all contracts are of the last six hours'
}

it_refuses() { # OPTION…
	local status=0
	bench none "$@" >refused 2>&1 || status=$?
	equal "exit code of $*" "$status" 2
}

it_measures_all
its_traffic_is_broad
it_prints_a_table
it_refuses --profile wide
it_refuses --events many
it_refuses --against ./no-such-program
