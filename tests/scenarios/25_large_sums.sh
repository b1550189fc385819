#!/usr/bin/env bash
# 93,000 executions of three years each in one hour, more than a bigint of microseconds holds: counted by hand and by `run`, proven, changed,
# repaired, and closed with their month. Every number stays right.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

new_cube
own_topics
number=0
tell() { # tell COUNT → so many contracts of three years, which began in one hour
	local _
	for _ in $(seq "$1"); do
		number=$((number + 1))
		printf '{"topic": "%s.action_contracts", "value": "{\\"id\\": \\"%s\\", \\"status\\": \\"verified\\", \\"tier\\": \\"tier_1\\", \\"created_at\\": \\"2020-01-05T00:10:00Z\\", \\"verified_at\\": \\"2023-03-07T09:56:40Z\\"}"}\n' \
			"$CUBE_TEST_PREFIX" "$number"
	done >told.jsonl
	publish told.jsonl
}
total_is() { # total_is COUNT SECONDS → the day's executions and their mean duration; and of the hour
	equal 'executions of the day and their duration' \
		"$(sql -c "SELECT total_executions, avg_duration_seconds FROM cube.cube_daily_verification_by_tier WHERE (year, month, day) = (2020, 1, 5)")" "$1|$2"
	equal 'of the hour' "$(sql -c "SELECT sum(total_executions), max(avg_duration_seconds) FROM cube.cube_hourly_verification WHERE hour = '2020-01-05Z'")" "$1|$2"
}
tell 31
catch_up -s run.workers=1
# copies by hand, with their keys, in the lane of the worker to come: so that it is he who fills it
copies() { # copies FROM TO → each of the 31 so often
	sql <<-SQL
		SET gracecube.lane = 1;
		SELECT format('INSERT INTO cube.%1\$I (%2\$s) SELECT %3\$s FROM generate_series($1, $2) i, cube.%1\$I s WHERE s.contract_id NOT LIKE ''%%~%%''', c.relname,
			string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum),
			string_agg(CASE a.attname WHEN 'contract_id' THEN 's.contract_id || ''~'' || i' ELSE format('s.%I', a.attname) END, ', ' ORDER BY a.attnum))
		FROM unnest('{fact_verification_executions,key_verification_executions}'::text[]) t, pg_class c, pg_attribute a
		WHERE c.oid = ('cube.' || t)::regclass AND a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped GROUP BY c.relname ORDER BY c.relname
		\gexec
	SQL
}
copies 1 1486
tell 31 # behind the 46,097 of before: 46,116 are half of what fits
catch_up -s run.workers=1
copies 1487 1986
copies 1987 2486
verify_agrees
total_is 108128 100000000
sum() { sql -c "SELECT sum(duration_us), count(DISTINCT lane), min(lane) FROM cube.rollup_verification_hourly WHERE component_key = -1"; }
equal 'µs, lanes and the lowest of them' "$(sum)" '10812800000000000000|2|1001'
shown "$(sum | cut -d '|' -f 1) µs in two lanes, set aside by run and by hand: the mean is 1e8 s, verify agrees"

# a change by hand takes from the lane of hands what it has not
sql -c "UPDATE cube.fact_verification_executions SET duration_seconds = 5e7 WHERE contract_id LIKE '%~10__'"
mean=$(sql -c 'SELECT sum(round(duration_seconds * 1e6)::bigint)::double precision / count(*) / 1e6 FROM cube.fact_verification_executions')
total_is 108128 "$mean"
sql -c 'SET session_replication_role = replica' -c 'DELETE FROM cube.rollup_verification_hourly'
verify_finds 'cells that were deleted' 'rollup equals facts' rollup_verification_hourly
# the part of verify --repair that this is about: all of it takes ten seconds for so many facts of one day
sql -c "SELECT count(*) FROM cube.rollup r, cube.repair_rollup(r) WHERE r.rollup = 'rollup_verification_hourly'" >&2
verify_agrees
total_is 108128 "$mean"
shown "changed by hand to $mean s, and repaired after its cells were deleted"

"$CUBE_TEST_BIN" retention -s retention.facts=1000d >retention.out 2>&1 || fail "retention: $(tail -n 3 retention.out)"
equal 'facts that are left' "$(sql -c 'SELECT count(*) FROM cube.fact_verification_executions')" 0
verify_agrees
total_is 108128 "$mean"
shown 'closed with their month: the sums stay'
