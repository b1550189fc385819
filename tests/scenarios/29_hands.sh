#!/usr/bin/env bash
# What an administrator does by SQL: facts whose time or key is changed, months that are written or emptied behind their fact, business hours that
# are others. Keys, rollups, minutes and views follow, or it is refused with a sentence; sums that are larger than an integer break no view.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

new_cube
own_topics
export CUBE_TEST_PARTITIONS=1
tell() { # tell ID STATUS CREATED_AT
	printf '{"topic": "%s.action_contracts", "value": "{\\"id\\": \\"%s\\", \\"status\\": \\"%s\\", \\"tier\\": \\"tier_1\\", \\"created_at\\": \\"%s\\"}"}\n' \
		"$CUBE_TEST_PREFIX" "$1" "$2" "$3" >>told.jsonl
}
read_told() {
	publish told.jsonl
	rm told.jsonl
	catch_up
}
for n in $(seq 20); do tell "c-$n" pending "2026-1$((n % 2))-05T10:00:00Z"; done
read_told
one() { sql -c "SELECT $1"; }
executions() { one "sum(total_executions) FROM cube.cube_daily_verification_by_tier WHERE (year, month, day) = ($1)"; }
refused() { # refused WHAT SENTENCE STATEMENT
	if sql -c "$3" >refused.out 2>&1; then fail "$1 is not refused"; fi
	contains "$1" refused.out "$2"
}

# --- Another time, in the same month and in another one; then the next record of the same contract ---
sql -c "UPDATE cube.fact_verification_executions SET created_at = created_at + interval '3 days 1 hour' WHERE contract_id IN ('c-1', 'c-3')"
sql -c "UPDATE cube.fact_verification_executions SET created_at = created_at - interval '1 month' WHERE contract_id = 'c-5'"
equal 'keys, minutes and facts' "$(one "count(*) FROM cube.fact_verification_executions f JOIN cube.key_verification_executions k USING (contract_id, created_at)
	JOIN cube.dim_time t ON t.time_key = f.time_key WHERE t.\"timestamp\" = date_trunc('minute', f.created_at)")" 20
verify_agrees
equal 'executions of the day that they have now' "$(executions '2026, 11, 8')" 2
for id in c-1 c-3 c-5; do tell $id verified 2026-11-05T10:00:00Z; done
tell c-7 verified 2026-11-08T11:00:00Z
read_told
equal 'facts, once their next record has come' "$(one 'count(*) FROM cube.fact_verification_executions')" 20
equal 'executions of the day that they have again' "$(executions '2026, 11, 5')" 9
verify_agrees
refused 'another key' 'the key of a fact cannot be changed by hand: c-1' "UPDATE cube.fact_verification_executions SET contract_id = 'c-99' WHERE contract_id = 'c-1'"
shown 'created_at of facts changed by hand, within a month and out of it: key, minute, rollups and views follow, and the next record finds its fact'

# --- Months behind their fact ---
month=cube.fact_verification_executions_2026_11
for statement in "DELETE FROM $month WHERE contract_id = 'c-1'" "UPDATE $month SET was_successful = true" "INSERT INTO $month SELECT * FROM $month"; do
	refused "$statement" 'are changed through cube.fact_verification_executions: its rollups and keys would not follow' "$statement"
done
for table in "$month" cube.fact_verification_executions cube.key_verification_executions cube.dim_mission cube.dim_time cube.version_missions cube.rollup_approvals_daily \
	cube.etl_offset cube.etl_dead_letter; do refused "TRUNCATE of $table" "$table cannot be truncated" "TRUNCATE $table"; done
equal 'months that nothing guards' "$(one "count(*) FROM cube.fact f JOIN pg_inherits i ON i.inhparent = format('cube.%I', f.fact)::regclass
	WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = i.inhrelid AND t.tgname = 'refuse_statements')")" 0
sql -c "DELETE FROM cube.fact_verification_executions WHERE contract_id = 'c-1'"
equal 'facts' "$(one "sum(total_executions) FROM cube.cube_daily_verification_by_tier")" 19
verify_agrees
shown 'INSERT, UPDATE, DELETE and TRUNCATE of a month, and TRUNCATE of a fact, are refused with a sentence; a DELETE by the fact is followed'

# --- Other business hours ---
business() { one "count(*) FILTER (WHERE is_business_hours) FROM cube.dim_time WHERE \"timestamp\" >= '2026-11-05Z' AND \"timestamp\" < '2026-11-06Z'"; }
minutes=$(one "count(*) FROM cube.dim_time WHERE \"timestamp\" >= '2026-11-05Z' AND \"timestamp\" < '2026-11-06Z'")
equal 'minutes of business' "$(business)" "$minutes" # the hour of 10
GRACECUBE_CUBE_BUSINESS_HOURS=12-14 "$CUBE_TEST_BIN" migrate >&2
equal 'minutes of business after migrate with other hours' "$(business)" 0
sql -c "UPDATE cube.setting SET value = 'Asia/Kathmandu' WHERE name = 'cube.business_zone'" -c "UPDATE cube.setting SET value = '15-16' WHERE name = 'cube.business_hours'"
equal 'minutes of business in another zone' "$(business)" 15 # 10:00 there is 15:45
refused 'a zone that is none' 'time zone "Europe/Nowhere" not recognized' "UPDATE cube.setting SET value = 'Europe/Nowhere' WHERE name = 'cube.business_zone'"
verify_agrees
shown 'business hours changed by migrate or by SQL: the minutes that are there follow'

# --- Sums ---
sql -c "INSERT INTO cube.rollup_verification_hourly (component_key, hour, tier_key, lane, executions, successful, rollbacks, with_snapshot, duration_n, duration_us, confidence_n, confidence_ppb)
	SELECT -1, 490000 + n, 1, 7, 1, 0, 0, 0, 1, 9000000000000000000, 1, 9000000000000000000 FROM generate_series(1, 3) n"
equal 'a mean of sums that no integer holds' "$(one "max(avg_duration_seconds) FROM cube.cube_daily_verification_by_tier")" 9000000000000
sql -c "SELECT * FROM cube.cube_hourly_verification" -c "SELECT * FROM cube.hourly_verification(NULL, NULL, NULL, NULL)" -c "SELECT * FROM cube.daily_verification(NULL, NULL, NULL, NULL)" >&2
shown 'sums of measures that are larger than an integer break no view'
