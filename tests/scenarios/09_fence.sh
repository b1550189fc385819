#!/usr/bin/env bash
# Two owners of one partition: a process frozen past its session while another takes over; members that come and go every second;
# claims from outside. Whoever is not the owner any more writes nothing.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"

new_cube
new_topics capture
more_traffic generated 9 1300
expect capture generated
records=$(read_records capture generated capture) # the capture once more, below
publish capture/*
publish --rate 450 generated/* &
publisher=$!
member() { start "$1" "$CUBE_TEST_BIN" run -s run.workers=1 -s run.batch_records=10 -X session.timeout.ms=1500 --json; }
member one && one=$PID
member two && two=$PID
reaches $((records / 20)) 60

# Frozen, and thawed when another has its partitions.
owners() { sql -c "SELECT count(DISTINCT owner) FROM cube.etl_offset"; }
both_own() { [ "$(owners)" = 2 ]; }
is_alone() { [ "$(owners)" = 1 ]; }
frozen=0
for pid in $one $two $one; do
	wait_until 20 both_own || fail 'the two processes do not share the partitions'
	kill -STOP "$pid"
	wait_until 30 is_alone || fail 'nobody took over the partitions of the frozen process'
	kill -CONT "$pid"
	frozen=$((frozen + 1))
done
shown "frozen past its session $frozen times, another took over, then thawed"

# Members that come and go.
for n in {1..6}; do
	member "guest$n"
	wait_until 20 owns "$PID" || fail 'a guest gets no partition'
	kill -TERM "$PID"
	ends "$PID" 20
	equal 'exit code of a guest' "$STATUS" 0
done
shown 'a member more, and a member less once it has partitions, six times'

# Claims from outside, as of an owner that nobody knows, while records arrive: who has nothing to write is not fenced.
wait "$publisher" || fail 'publish did not end well'
publish --rate 450 capture/* &
publisher=$!
for _ in {1..12}; do
	sql -c 'UPDATE cube.etl_offset SET owner_epoch = owner_epoch + 1'
	wait_until 2 has_reached $(($(position) + 50)) || true # and some records later again
done

wait "$publisher" || fail 'publish did not end well'
reaches "$records" 90
kill -TERM "$one" "$two"
for pid in $one $two; do
	ends "$pid" 20
	equal 'exit code' "$STATUS" 0
done
fenced=$(cat one.out two.out | jq -s 'map(.fenced) | add')
rebalances=$(cat one.out two.out | jq -s 'map(.rebalances) | add')
[ "$fenced" -gt 0 ] || fail 'nobody was fenced'
[ "$rebalances" -gt 10 ] || fail "only $rebalances rebalances"
answers_are
verify_agrees
ledger_is "$records"
shown "exact after $rebalances rebalances and $fenced lost fences"

# Another owner moves a position while a claim is on its way: where Kafka ended before the claim is of yesterday.
new_cube claimed
own_topics "$CUBE_TEST_PREFIX.claimed"
head -n 3 "$(ls capture/*.execution_tasks.jsonl)" >three.jsonl
CUBE_TEST_PARTITIONS=1 publish --topic "$CUBE_TEST_PREFIX.claimed.execution_tasks" three.jsonl
catch_up --streams execution_tasks
sql <<-'SQL'
	ALTER FUNCTION cube.claim(text, text, text[], text[], int[], bigint[]) RENAME TO claim_at_once;
	CREATE FUNCTION cube.claim(p_group text, p_owner text, p_stream text[], p_topic text[], p_partition int[], p_low bigint[])
	RETURNS TABLE (n int, offset_id bigint, owner_epoch bigint, next_offset bigint, lost bigint, last_hash bigint, record_order bigint[], truncated bigint[]) LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_sleep(3);
		RETURN QUERY SELECT * FROM cube.claim_at_once(p_group, p_owner, p_stream, p_topic, p_partition, p_low);
	END $$;
SQL
start late "$CUBE_TEST_BIN" run --until-caught-up --streams execution_tasks
is_claiming() { [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'")" -gt 0 ]; }
wait_until 20 is_claiming || fail 'nobody claims'
publish --topic "$CUBE_TEST_PREFIX.claimed.execution_tasks" three.jsonl
sql -c 'UPDATE cube.etl_offset SET next_offset = 6, ignored = ignored + 3, owner_epoch = owner_epoch + 1'
ends "$PID" 30
equal 'exit code of the one who claimed' "$STATUS" 0
equal 'the position' "$(position)" 6
shown 'a position that moves while it is claimed is no topic made anew'
