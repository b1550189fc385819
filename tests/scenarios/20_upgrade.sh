#!/usr/bin/env bash
# A cube made by release 0.1.0 is upgraded in place: a quiet one keeps every row; a live one is written by a process of 0.1.0 and read all
# the while, nobody waits for a lock for longer than a second, processes are changed one after the other, and in the end nothing is lost,
# nothing doubled. An upgraded cube has the same schema as a new one, which is what the files of this repository say.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
dump=$CUBE_TEST_ROOT/tests/upgrade/0.1.0.sql.gz commit=59bf86f
newest=$(find "$CUBE_TEST_ROOT/sinks/sql/tables" -name '[0-9]*.sql' -printf '%f\n' | sort | tail -n 1 | cut -c1-4 | sed 's/^0*//')

# --- Release 0.1.0, from its source in the history ---
history() { git -c safe.directory='*' -C "$CUBE_TEST_ROOT" "$@"; }
history cat-file -e "$commit^{commit}" 2>/dev/null ||
	fail "the source of release 0.1.0 ($commit) is not in the history of $CUBE_TEST_ROOT: a whole clone is needed (git fetch --unshallow), not an archive"
released=${CUBE_TEST_BIN%/*}/release-0.1.0 # kept: the next time there is nothing to build
mkdir -p "$released/source"
history archive "$commit" | tar x -C "$released/source"
cmake -S "$released/source" -B "$released" -DGRACECUBE_TESTS=OFF -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG= >&2
cmake --build "$released" -j 2 >&2
# it refuses variables of options that came later
old=$PWD/old
printf '#!/bin/sh\nexec env -u GRACECUBE_SERVE_PROBES_LISTEN %s "$@"\n' "$released/gracecube" >"$old"
chmod +x "$old"

# roles belong to the whole server, and the dump names them
new_database roles
"$old" migrate >&2

# restored NAME → a database with the cube of 0.1.0, its topics and its group under names of their own
restored() {
	new_database "$1"
	gzip -dc "$dump" | sed "s/ FOR ROLE gracecube / FOR ROLE $CUBE_TEST_PGUSER /" |
		psql -X -q -v ON_ERROR_STOP=1 --single-transaction -d "$GRACECUBE_POSTGRES_DSN" >restore.out
	sql >&2 <<-SQL
		UPDATE cube.etl_offset SET group_id = '$CUBE_TEST_PREFIX', topic = replace(topic, 'upgrade.', '$CUBE_TEST_PREFIX.');
		UPDATE cube.etl_dead_letter SET group_id = '$CUBE_TEST_PREFIX', topic = replace(topic, 'upgrade.', '$CUBE_TEST_PREFIX.');
		ANALYZE;
	SQL
}

# kept → all rows of 0.1.0 but those of bookkeeping of the schema itself, and the checksums of contracts, which have one more column; one hash a
# table; the mesh's errors apart, where versions stand, which transaction wrote a key, and the contracts of approvals, which were not read from their
# reasons. What is asked is written down the first time, before the upgrade: columns and tables that are new say nothing of what was there.
kept() {
	[ -s kept.sql ] || sql >kept.sql <<-'SQL'
		SELECT format('SELECT %L, count(*), sum(hashtext(ROW(%s)::text)::bigint) FROM %s t %s;', relname,
			(SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
				AND NOT (relname ~ '^version_' AND attname = 'at_us') AND attname <> 'xid'
				AND NOT (relname ~ '^(fact|key)_approvals$' AND attname IN ('contract_id', 'contract_tier_key', 'tier_key', 'loaded_at'))),
			c.oid::regclass, CASE WHEN relname ~ '^(fact|key)_error_events$' THEN 'WHERE error_id NOT LIKE ''error:%''' WHEN relname = 'setting' THEN 'WHERE name LIKE ''cube.%'''
				WHEN relname = 'key_verification_executions' THEN 'WHERE kafka_us > 0' ELSE '' END)
		FROM pg_class c WHERE relnamespace = 'cube'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
			AND relname !~ '^schema_|^(fact|rollup)$|^rollup_(error|approvals|log_|votes$)|^rollup_verification_(executions_ledger|mission)$' ORDER BY relname
	SQL
	sql -f kept.sql
}
human() { sql -c "SELECT string_agg(error_id || ' ' || was_auto_resolved || ' ' || required_human_intervention, ', ' ORDER BY error_id) FROM cube.fact_error_events WHERE error_id LIKE 'error:%'"; }
schema_of() { pg_dump --schema-only --dbname="$GRACECUBE_POSTGRES_DSN" | python3 -B "$CUBE_TEST_ROOT/tests/lib/schema.py"; }

# --- A quiet cube ---
new_topics capture "$CUBE_TEST_PREFIX" "$CUBE_TEST_ROOT"/tests/data/capture/*.jsonl.gz "$CUBE_TEST_ROOT"/tests/upgrade/records/*.jsonl
publish capture/*
restored quiet
kept >before
if "$CUBE_TEST_BIN" check >check.out 2>&1; then fail 'check of a cube of 0.1.0 is content'; fi
contains check check.out "the cube has schema version 1, this program needs $newest; run \`gracecube migrate\`"
for command in 'run --until-caught-up --progress none' verify status 'serve -s serve.listen=127.0.0.1:0'; do
	# shellcheck disable=SC2086 # words
	if timeout 5 "$CUBE_TEST_BIN" $command >refused.out 2>&1; then fail "$command works on a cube of 0.1.0"; fi
	contains "$command" refused.out "run \`gracecube migrate\`"
done
"$CUBE_TEST_BIN" migrate --dry-run >plan.out
contains 'the plan' plan.out 'tables/0002_schema_file.sql'
contains 'the plan' plan.out "migrate: schema version 1 found; the $(grep -c ' \(tables\|code\)/' plan.out) files above would bring it to $newest"
kept | diff before - >&2 || fail 'a dry run changed rows'
equal 'schema version after a dry run' "$(sql -c 'SELECT max(version) FROM cube.schema_version')" 1
for n in 1 2 3; do start "migrate$n" "$CUBE_TEST_BIN" migrate && pids+=" $PID"; done
for pid in $pids; do ends "$pid" 120 && equal 'exit code of one of three migrations at once' "$STATUS" 0; done
equal 'migrations that changed something' "$(cat migrate?.out | grep -c "schema version 1 found, now it is $newest")" 1
kept | diff before - >&2 || fail 'rows differ after the upgrade'
equal 'approvals whose reason names a contract, and those that have it, and its tier' "$(sql -c "SELECT count(*) > 5, count(*) = count(contract_id), bool_and(a.tier_key = coalesce(c.tier_key, 0))
	FROM cube.fact_approvals a LEFT JOIN cube.fact_verification_executions c USING (contract_id) WHERE a.action_description LIKE '%contract=%'")" 't|t|t'
equal 'errors of the mesh' "$(human)" 'error:mesh-1 true false, error:mesh-2 false true, error:mesh-3 false true, error:mesh-4 false true, error:mesh-5 false false'
"$CUBE_TEST_BIN" token list | grep alice >/dev/null || fail 'the token is gone'
verify_agrees
catch_up
equal 'records that an upgraded cube reads again' "$(summary records)" 0
schema_of >upgraded
new_cube fresh
schema_of >fresh
diff upgraded fresh >schema.diff || fail "an upgraded cube and a new one differ: $(cut -c1-300 schema.diff | head -n 4)"
shown "a quiet cube of 0.1.0: three migrations at once, one did it; $(wc -l <before) tables keep every row, $(sql -c "SELECT count(*) FROM cube.schema_file") files are noted"

# --- What the repository says is what the database has ---
(cd "$CUBE_TEST_ROOT/sinks/sql/tables" && sha256sum --check --quiet RELEASED) >&2 || fail 'a file of sinks/sql/tables was edited after its release'
mkdir generated
bash "$CUBE_TEST_ROOT/sinks/sql/generated/write.sh" "$GRACECUBE_POSTGRES_DSN" "$PWD/generated"
diff -r -x write.sh "$CUBE_TEST_ROOT/sinks/sql/generated" generated >&2 || fail "sinks/sql/generated is not what the cube has: sinks/sql/generated/write.sh DSN"
shown 'an upgraded cube and a new one have the same schema, and the functions of sinks/sql/generated'

# --- Nothing overflows: of each number that the schema keeps it is written down how long it lasts ---
cat >lifetimes.sql <<'SQL'
CREATE TEMP TABLE lifetime (columns text, type text, what text, lasts text);
\copy lifetime FROM lifetimes.csv CSV HEADER
CREATE TEMP TABLE number AS SELECT format('%s.%s', c.relname, a.attname) AS name, format_type(a.atttypid, a.atttypmod) AS type
	FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype);
SELECT 'numbers', count(*) FROM number;
SELECT 'wrong', n.name, n.type, coalesce(string_agg(l.type || ' ' || l.columns, ' and '), 'is not in sinks/sql/lifetimes.csv') FROM number n
	LEFT JOIN lifetime l ON n.name ~ format('^(\w+\.)?(%s)$', l.columns) GROUP BY 1, 2, 3 HAVING count(l.type) <> 1 OR min(l.type) <> n.type;
SELECT 'wrong', l.columns, 'is of no column' FROM lifetime l WHERE NOT EXISTS (SELECT FROM number n WHERE n.name ~ format('^(\w+\.)?(%s)$', l.columns));
SQL
cp "$CUBE_TEST_ROOT/sinks/sql/lifetimes.csv" .
sql -f lifetimes.sql >lifetimes
equal 'numbers of which it is not written, or otherwise, how long they last' "$(grep ^wrong lifetimes)" ''
# A log that gives the same 256 numbers again and again, nine times with hashes that do not fit each other, in a block whose sum is full already.
sql >chain <<-'SQL'
	SET gracecube.lane = 1;
	SELECT cube.ensure_partition('agentic_events', (2024 - 1970) * 12);
	INSERT INTO cube.rollup_log_chain (block, day, lane, entries, changed, links) VALUES (4000, '2024-01-01', 2, 0, 0, 9223372036854775807);
	INSERT INTO cube.fact_agentic_events (entry_id, time_key, component_key, actor_key, mission_key, sequence, names_mission, entry_hash, previous_hash, created_at)
	SELECT n || '-' || i, cube.time_key('2024-01-01Z'), 0, 0, 0, 4000 * 256 + i, false, md5(i::text), 'of ' || i, '2024-01-01Z' FROM generate_series(1, 9) n, generate_series(0, 255) i;
	SELECT sum(entries), sum(links) > 9223372036854775807, sum(links) = 9223372036854775807 + 9 * (SELECT sum(cube.link_hash('of ' || i, 1024000 + i) - CASE WHEN i = 0 THEN 0
		ELSE cube.link_hash(md5((i - 1)::text), 1024000 + i) END) FROM generate_series(0, 255) i) FROM cube.rollup_log_chain WHERE block = 4000;
	SELECT entries, missing_entries FROM cube.cube_log_integrity WHERE day = '2024-01-01';
SQL
equal 'a log that gives the same numbers nine times' "$(xargs <chain)" '2304|t|t 2304|0'
# more than a bigint holds: what one mission's contracts are sure of, added to by a trigger; and how long those of one day took
sql >means <<-'SQL'
	SET gracecube.lane = 1;
	INSERT INTO cube.dim_mission (mission_id, mission_name, mission_type) VALUES ('long', 'long', 'long');
	INSERT INTO cube.rollup_mission_executions SELECT m.mission_key, 1, 1, 9223372036, 0, 9223372036, 9223372036 * 1e9 FROM cube.dim_mission m WHERE m.mission_id = 'long';
	INSERT INTO cube.fact_verification_executions (contract_id, time_key, mission_key, component_key, tier_key, actor_key, was_successful, was_rolled_back,
		created_snapshot, confidence_score, created_at)
	SELECT 'long', cube.time_key(now()), m.mission_key, 0, 1, 0, false, false, false, 1, now() FROM cube.dim_mission m WHERE m.mission_id = 'long';
	INSERT INTO cube.rollup_verification_hourly SELECT -1, h, 1, 1, 36000000, 0, 0, 0, 36000000, 9000000000000000000, 0, 0 FROM generate_series(480000, 480023) h;
	SELECT executions, avg_confidence FROM cube.cube_mission_metrics WHERE mission_type = 'long';
	SELECT total_executions, avg_duration_seconds FROM cube.cube_daily_verification_by_tier WHERE year = 2024;
SQL
equal 'means of sums that no bigint holds' "$(xargs <means)" '9223372037|1 864000000|250000'
shown "how long each of $(sed -n 's/^numbers|//p' lifetimes) numbers of the schema lasts at 10,000 events a second is written in sinks/sql/lifetimes.csv"

# --- Nothing grows for ever unseen: of each table it is written down what bounds it, and which options do is what retention does ---
cat >bounds.sql <<'SQL'
CREATE TEMP TABLE bound (tables text, options text, what text);
\copy bound FROM bounds.csv CSV HEADER
CREATE TEMP TABLE kept AS SELECT c.relname::text AS name FROM pg_class c WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition;
SELECT 'tables', count(*) FROM kept;
SELECT 'wrong', k.name, coalesce(string_agg(b.tables, ' and '), 'is not in sinks/sql/bounds.csv') FROM kept k LEFT JOIN bound b ON k.name ~ format('^(%s)$', b.tables) GROUP BY 1, 2 HAVING count(b.tables) <> 1;
SELECT 'wrong', b.tables, 'is of no table' FROM bound b WHERE NOT EXISTS (SELECT FROM kept k WHERE k.name ~ format('^(%s)$', b.tables));
WITH written AS (SELECT k.name, o.name AS option FROM bound b JOIN kept k ON k.name ~ format('^(%s)$', b.tables), regexp_split_to_table(b.options, ' ') o (name)),
	done AS (SELECT fact AS name, 'retention.facts' AS option FROM cube.fact UNION ALL SELECT relation, 'retention.facts' FROM cube.aged('minutes', now())
		UNION ALL SELECT t, 'retention.histories' FROM cube.histories() h, unnest(ARRAY[h.dimension || '_history', 'version_' || h.target]) t
		UNION ALL SELECT a.relation, 'retention.' || kind FROM unnest(ARRAY['dead_letters', 'quality_issues', 'gaps', 'marks', 'hourly_rollups', 'daily_rollups']) kind, cube.aged(kind, now()) a)
SELECT 'wrong', name, option, CASE WHEN w.name IS NULL THEN 'is not written' ELSE 'is not done' END FROM written w FULL JOIN done d USING (name, option) WHERE w.name IS NULL OR d.name IS NULL;
SQL
cp "$CUBE_TEST_ROOT/sinks/sql/bounds.csv" .
sql -f bounds.sql >bounds
equal 'tables of which it is not written, or otherwise, what bounds them' "$(grep ^wrong bounds)" ''
for option in $("$CUBE_TEST_BIN" config reference | grep -o '^| `retention\.[a-z_]*`' | tr -d '|` ' | grep -v 'interval$'); do
	grep -q "$option" bounds.csv || fail "$option is of no table in sinks/sql/bounds.csv"
done
shown "what bounds each of $(sed -n 's/^tables|//p' bounds) tables is written in sinks/sql/bounds.csv, and which options let it go is what retention does"

# --- A live cube ---
restored live
# asked NAME SECONDS SQL → in the background, again and again: NAME.out has the answers
asked() {
	printf '%s \\watch %s\n' "$3" "$2" >"$1.sql"
	start "$1" psql -X -q -At -d "$GRACECUBE_POSTGRES_DSN" -f "$1.sql"
	asking+=" $PID"
}
asking=''
# the longest wait for a lock, of everybody but migrate
asked waits 0.05 "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - l.waitstart)), 0), min(a.application_name || ' ' || l.mode || ' ' || coalesce(l.relation::regclass::text, l.locktype))
	FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND l.locktype IN ('relation', 'tuple', 'object')
	AND a.application_name <> 'gracecube migrate' AND a.datname = current_database()"
for view in cube_daily_verification_by_tier cube_executions cube_errors; do
	asked "read_$view" 0.02 "SELECT 'rows', count(*) FROM cube.$view"
done
# what migrate locks, and with what else in one transaction, of what was there before, and what it still does then; partitions go with their facts
sql >&2 <<-'SQL'
	CREATE SCHEMA seen;
	CREATE TABLE seen.before AS SELECT c.oid, c.relname::text AS name, c.relkind AS kind FROM pg_class c
	WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition;
	CREATE TABLE seen.lock (xid xid8, mode text, kind text, name text, at timestamptz, UNIQUE (xid, mode, name));
	CREATE TABLE seen.command (xid xid8, tag text, at timestamptz);
	CREATE FUNCTION seen.note() RETURNS event_trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF current_setting('application_name') <> 'gracecube migrate' THEN RETURN; END IF;
		INSERT INTO seen.command VALUES (pg_current_xact_id(), tg_tag, clock_timestamp());
		INSERT INTO seen.lock SELECT pg_current_xact_id(), l.mode, b.kind, b.name, clock_timestamp() FROM pg_locks l JOIN seen.before b ON b.oid = l.relation
		WHERE l.pid = pg_backend_pid() AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') ON CONFLICT DO NOTHING;
	END $$;
	CREATE EVENT TRIGGER note_locks ON ddl_command_end EXECUTE FUNCTION seen.note();
SQL
start old "$old" run
old_pid=$PID
traffic() { # traffic SEED → 40 contracts and what goes with them
	more_traffic "more$1" "$1" 40
	publish "more$1"/*
	directories+=" more$1"
}
# shellcheck disable=SC2086 # words
all_records() { read_records capture $directories; }
directories=''
traffic 21
reaches "$(all_records)" 60
(for seed in 31 32 33 34 35 36; do
	more_traffic "more$seed" $seed 40
	publish "more$seed"/*
done) &
sender=$!
"$CUBE_TEST_BIN" migrate >live.out 2>>migrate.log || fail "migrate of a live cube ended with $?: $(tail -n 3 migrate.log)"
sql -c 'DROP EVENT TRIGGER note_locks' >&2
sql -F ' ' -c "SELECT string_agg(DISTINCT mode, ' '), string_agg(DISTINCT kind || ' ' || name, ' ') FROM seen.lock GROUP BY xid ORDER BY 2" >locks
grep -v ' v ' locks >tables.locks || true
equal 'transactions that lock a table and something else' "$(awk 'NF > 3' tables.locks)" ''
grep ' v ' locks | tr ' ' '\n' | grep ^cube_ | sort >locked_views
[ -s locked_views ] || fail 'no view is seen to be locked'
equal 'views that are locked twice' "$(uniq -d locked_views)" ''
equal 'transactions that lock more than one view' "$(grep ' v ' locks | awk 'NF > 3')" ''
# a lock is followed by what belongs to the same table or view and is done at once, and by no other code
sql -F ' ' >held <<-'SQL'
	SELECT string_agg(DISTINCT l.name, '+'), count(DISTINCT c.at) FILTER (WHERE c.tag = 'CREATE FUNCTION'), coalesce(string_agg(DISTINCT c.tag, '+'
		ORDER BY c.tag) FILTER (WHERE c.tag NOT IN ('CREATE FUNCTION', 'COMMENT', 'CREATE TRIGGER', 'CREATE TABLE', 'CREATE INDEX',
		'ALTER TABLE', 'CREATE POLICY', 'DROP POLICY')), '-'),
		max(extract(epoch FROM c.at - l.since)) * 1000
	FROM (SELECT xid, string_agg(name, '+') AS name, min(at) AS since FROM seen.lock GROUP BY 1) l LEFT JOIN seen.command c ON c.xid = l.xid AND c.at > l.since
	GROUP BY l.xid
SQL
equal 'code that is made while a table or a view is locked' "$(awk '$2 > 1 || $3 != "-"' held)" ''
equal 'triggers whose functions are made behind them' "$(sql -c "SELECT count(*) FROM seen.command t JOIN seen.command f USING (xid) WHERE t.tag = 'CREATE TRIGGER' AND f.tag = 'CREATE FUNCTION' AND f.at > t.at")" 0
contains 'migrate of a live cube' live.out "all is there that schema version $newest needs; 1 stays open to the older programs below"
contains 'migrate of a live cube' live.out 'gracecube worker'
equal 'schema version while 0.1.0 is connected' "$(sql -c 'SELECT max(version) FROM cube.schema_version')" 1
"$old" check >old.out 2>&1 || fail "0.1.0 refuses a cube that it may still work on: $(grep BAD old.out)"
wait "$sender" || fail 'the traffic could not be sent'
directories+=' more31 more32 more33 more34 more35 more36'
reaches "$(all_records)" 120
shown "a live cube of 0.1.0: upgraded while a process of 0.1.0 wrote $(position) records, which goes on; $(wc -l <tables.locks) transactions locked one table each, $(grep -c ' v ' locks) one view each that differs, and the longest still worked $(sort -gk 4 held | awk 'END { printf "%.0f", $4 }') ms then"

merges() { sql -c "SELECT count(*) FROM pg_proc WHERE pronamespace = 'cube'::regnamespace AND proname = 'merge_verification_executions'"; }
equal 'merge functions of contracts while a process calls the older one' "$(merges)" 2
equal 'contracts of which 0.1.0 has said what they act on' "$(sql -c 'SELECT count(target_resource) FROM cube.fact_verification_executions')" 0

# what the new version keeps out of a closed month, 0.1.0 does too
sql -c "SELECT cube.raise_horizon('fact_shard_heartbeats', '2020-01-01Z')" >&2
mkdir late
printf '{"topic": "%s.shard_heartbeats", "key": "late", "value": "{\\"shard_id\\": \\"late\\", \\"timestamp\\": \\"2019-05-05T00:00:00Z\\", \\"status\\": \\"healthy\\"}"}\n' "$CUBE_TEST_PREFIX" >"late/$CUBE_TEST_PREFIX.shard_heartbeats.jsonl"
publish late/*
directories+=' late'
reaches "$(all_records)" 60
equal 'late records that 0.1.0 read: expired, months made' "$(sql -c 'SELECT sum(expired) FROM cube.etl_offset') $(sql -c "SELECT count(*) FROM pg_class WHERE relname LIKE 'fact\_shard\_heartbeats\_2019%'")" '1 0'

# a new process beside the old one, then without it
start new "$CUBE_TEST_BIN" run
new_pid=$PID
traffic 22
reaches "$(all_records)" 60
kill -TERM "$old_pid"
ends "$old_pid" 60
equal 'exit code of 0.1.0' "$STATUS" 0
traffic 23
reaches "$(all_records)" 60
"$CUBE_TEST_BIN" check >check.out 2>&1 || true
contains check check.out 'it is not complete: older programs of version 1 may still connect'
"$CUBE_TEST_BIN" migrate >complete.out
contains 'the last migrate' complete.out "migrate: schema version 1 found, now it is $newest"
equal 'merge functions of contracts that are left' "$(merges)" 1
[ "$(sql -c 'SELECT count(target_resource) FROM cube.fact_verification_executions')" -gt 0 ] || fail 'no contract says what it acts on'
if "$old" run --until-caught-up >refused.out 2>&1; then fail '0.1.0 works on a cube that is complete without it'; fi
contains 'the refusal of 0.1.0' refused.out "the cube has schema version $newest, this program needs 1; use a newer gracecube"
traffic 24
reaches "$(all_records)" 60
kill -TERM "$new_pid"
ends "$new_pid" 60
equal 'exit code of the new process' "$STATUS" 0

# shellcheck disable=SC2086 # words
kill $asking
longest=$(grep -E '^[0-9.]+\|' waits.out | sort -g | tail -n 1)
looks=$(grep -cE '^[0-9.]+\|' waits.out)
[ "$looks" -gt 20 ] || fail "locks were looked at only $looks times"
# Readers wait for the transaction that replaces one view: some thousandths of a second on a quiet machine, many times that on a busy one. Whoever waited for the migration itself would wait for a lock_timeout, or for ever.
awk "BEGIN { exit !(${longest%%|*} < 5) }" || fail "somebody waited for a lock: $longest"
cat read_*.log waits.log >errors
[ ! -s errors ] || fail "a reader had an error: $(head -n 1 errors)"

catch_up
equal 'records left' "$(summary records)" 0
ledger_is "$(all_records)"
verify_agrees
equal 'dead letters' "$(sql -c 'SELECT count(*) FROM cube.etl_dead_letter')" "$(gzip -dc "$dump" | sed -n '/^COPY cube.etl_dead_letter /,/^\\\.$/p' | sed '1d;$d' | wc -l)"
equal 'dead letters that the upgrade has not counted' "$(sql -c 'SELECT count(*) FROM cube.etl_dead_letter WHERE bytes IS NULL')" 0
# the oracle does not know the mesh nor heartbeats; a fact may be taken away by hand, and every sum follows
rm capture/*.trigger_events.jsonl capture/*.shard_heartbeats.jsonl late/*.shard_heartbeats.jsonl
sql -c "DELETE FROM cube.fact_error_events WHERE error_id LIKE 'error:%'" >&2
# shellcheck disable=SC2086 # words
expect capture $directories
answers_are
shown "processes changed one after the other: $(position) records, nothing lost, nothing doubled; three readers asked $(cat read_*.out | grep -c '^rows') times, and in $looks looks the longest wait for a lock was ${longest%%|*} s"
