# shellcheck shell=bash
# A rebuild as it is in a large house, for some minutes: much traffic is made again while 500 records a second flow into the live cube, killed ten
# times, swapped, and equal to a fresh cube that `run` makes of the same topics. Sourced by 28_rebuild under `tests/run --all`; see README.md here.
RATE=500

# --- A cube that much has come to, and more comes ---------------------------------------------------------------------------------------
new_cube campaign
new_topics campaign "${CUBE_TEST_PREFIX}_campaign" "${CUBE_CAMPAIGN_TRAFFIC:-$CUBE_TEST_ROOT/tests/data/capture}"/*.jsonl.gz
more_traffic campaign_more 281 "${CUBE_CAMPAIGN_CONTRACTS:-20000}"
publish campaign/* campaign_more/*
port=$(free_port)
start campaign_run "$CUBE_TEST_BIN" run -s run.workers=2 -s "http.listen=127.0.0.1:$port"
run=$PID
reaches "$(read_records campaign campaign_more)" 3600

# in the order in which it happened, and with the timestamps of now: from these the program counts how long a record takes to its commit
flow() {
	local seed
	for ((seed = 300; ; seed++)); do
		more_traffic flow "$seed" 2000
		sed -E 's/^(.*)"timestamp": ([0-9]+), /\2\t\1/' flow/* | sort -s -n -k 1,1 | cut -f 2- >flow.jsonl
		[ -e flows ] || break
		publish --rate $RATE flow.jsonl
	done
}
delays() { curl -sf "http://127.0.0.1:$port/metrics" | grep '^gracecube_commit_delay_seconds_bucket'; }
# quantiles BEFORE AFTER → of what was counted between two answers of delays
quantiles() {
	python3 -B - "$1" "$2" <<-'PY'
		import re, sys
		def read(name):
		    counts = {}
		    for line in open(name):
		        le, n = re.search(r'le="([^"]+)".* (\S+)$', line).groups()
		        counts[float(le)] = counts.get(float(le), 0) + float(n)
		    return counts
		before, after = map(read, sys.argv[1:])
		counts = sorted((le, n - before.get(le, 0)) for le, n in after.items())
		def quantile(q):
		    rank, low, below = q * counts[-1][1], 0, 0
		    for le, n in counts:
		        if n >= rank:
		            return 1000 * (low if le == float('inf') else low + (le - low) * (rank - below) / max(n - below, 1))
		        low, below = le, n
		print('p50 %.0f, p95 %.0f, p99 %.0f ms' % tuple(map(quantile, (0.5, 0.95, 0.99))), 'of %d records' % counts[-1][1])
	PY
}

# --- What it costs ---------------------------------------------------------------------------------------------------------------------
before=$(position)
touch flows
start flow flow
flow=$PID
reaches $((before + 5 * RATE)) 120
delays >delays.0
reaches $((before + 35 * RATE)) 600
delays >delays.1
rebuild --json >campaign.json 2>campaign.log || fail "a rebuild while all flows ended with $?: $(jq -c '.differences[] | select(.different + .only_live + .only_new > 0)' campaign.json; tail -n 2 campaign.log)"
delays >delays.2
shown "$(jq -r '"\(.records) records are made again in \(.seconds | floor) s, \(.records / .seconds | floor) a second"' campaign.json), while $RATE a second flow; nothing differs"
shown "from Kafka to the live cube it takes $(quantiles delays.0 delays.1); meanwhile $(quantiles delays.1 delays.2)"
rebuild --abandon >&2

# --- Killed ten times, swapped ----------------------------------------------------------------------------------------------------------
whole=$(position)
for n in {1..9}; do
	killed "reading, of ten parts the one after $n" "to_regclass('cube_rebuild.etl_offset') IS NOT NULL AND $(sum_of 'sum(next_offset - first_offset)') >= $((whole * n / 10))" \
		-s run.batch_records=2000
done
killed comparing "$(is_saying compare_)" -s run.batch_records=2000
rebuild --swap --json >campaign_swap.json 2>>campaign.log || fail "rebuild --swap while all flows ended with $?: $(tail -n 2 campaign.log)"
equal 'it was swapped' "$(jq '.swapped and .rows_differing + .cells_differing == 0' campaign_swap.json)" true
lives_on "$flow" || fail 'nothing flowed any more'
rm flows
ends "$flow" 300
equal 'exit code of what flowed' "$STATUS" 0
is_read() { [ "$("$CUBE_TEST_BIN" status --json | jq .totals.lag_records)" = 0 ]; }
wait_until 120 is_read || fail 'what has flowed is not read'
kill -TERM "$run"
ends "$run" 30
verify_agrees
ledger_is "$(position)"

# --- Nobody is kept waiting by one who waits ---------------------------------------------------------------------------------------------
rebuild --drop-old >&2
PGAPPNAME=holder start holder sql -c 'BEGIN' -c 'LOCK TABLE cube.api_token IN ROW EXCLUSIVE MODE' -c 'SELECT pg_sleep(3600)'
holder=$PID
comes_to "EXISTS (SELECT FROM pg_locks WHERE relation = 'cube.api_token'::regclass AND mode = 'RowExclusiveLock' AND granted)" || fail 'nobody holds a table'
STATUS=0
rebuild >&2 2>held.log || STATUS=$?
equal 'exit code of a rebuild while a transaction is left open' "$STATUS" 75
contains 'a rebuild while a transaction is left open' held.log 'somebody has left a transaction open'
sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'holder'" >&2
ends "$holder" 20
rebuild --json >&2 || fail "a rebuild of the cube that was swapped ended with $?"

# --- Equal to a fresh cube ----------------------------------------------------------------------------------------------------------------
told() {
	local view
	for view in cube_executions cube_errors cube_approvals; do sql -c "COPY (SELECT * FROM cube.$view) TO STDOUT" | sort; done >"$1"
}
told rows.swapped
write_answers answers.swapped
new_cube campaign_fresh
GRACECUBE_KAFKA_GROUP_ID=$GRACECUBE_KAFKA_GROUP_ID.fresh
catch_up -s run.workers=2
told rows.fresh
cmp rows.swapped rows.fresh >&2 || fail "rows differ from a fresh cube's: $(diff rows.swapped rows.fresh | head -n 4)"
answers_are answers.swapped
shown "killed 10 times, swapped, nothing lost: $(position) records; equal to a fresh cube of the same topics, $(wc -l <rows.fresh) rows and all answers"
