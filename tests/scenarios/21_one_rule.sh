#!/usr/bin/env bash
# Rules that C applies within a batch and SQL where batches meet: the cases of tests/contract in SQL (tests/unit/test_contract.c has the C side).
# And records that are told in one batch end as those that were told one by one.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
new_cube

# wrong FILE COLUMNS QUERY [STATEMENT…] → the cases c of tests/contract/FILE of which SQL says something else, one a line; STATEMENTs come before
wrong() {
	local file=$1 columns=$2 query=$3
	shift 3
	sql -c "CREATE TEMP TABLE c (n int GENERATED ALWAYS AS IDENTITY, $columns)" \
		-c "\\copy c ($(sed -n '1s/[^,]*/"&"/gp' "$CUBE_TEST_ROOT/tests/contract/$file")) FROM '$CUBE_TEST_ROOT/tests/contract/$file' CSV HEADER" "$@" -c "$query"
}
RULES=0 CASES=0
# holds WHAT FILE … → as wrong, and no case is
holds() {
	local what=$1 found
	shift
	found=$(wrong "$@")
	equal "$what" "$found" ''
	RULES=$((RULES + 1)) CASES=$((CASES + $(wc -l <"$CUBE_TEST_ROOT/tests/contract/$1") - 1))
}

holds 'cases of the order of versions that SQL sees otherwise' version_order.csv 'what text, older_lsn bigint, older_place_us bigint, older_own_us bigint,
	older_offset bigint, newer_lsn bigint, newer_place_us bigint, newer_own_us bigint, newer_offset bigint, "order" text' 'SELECT what FROM (SELECT *,
	cube.is_newer(newer_lsn, newer_place_us, newer_own_us, newer_offset, older_lsn, older_place_us, older_own_us, older_offset) AS is_newer,
	cube.is_newer(older_lsn, older_place_us, older_own_us, older_offset, newer_lsn, newer_place_us, newer_own_us, newer_offset) AS is_older FROM c) j
	WHERE is_older IS DISTINCT FROM false OR is_newer IS DISTINCT FROM ("order" = $$newer$$)'
# a tombstone of a program before 0.3, which gives it no place, says nothing new behind its delete; all else goes by the order
equal 'deletes that replace deletes' "$(sql -c "SELECT cube.replaces(true, 0, 0, 6, 2, true, 10, 5, 5, 1), cube.replaces(true, 10, 5, 5, 1, true, 0, 0, 4, 2),
	cube.replaces(true, 0, 0, 6, 2, true, 0, 0, 5, 1), cube.replaces(true, 0, 0, 6, 2, false, 10, 5, 5, 1), cube.replaces(false, 10, 6, 6, 1, true, 0, 0, 5, 2)")" 'f|t|t|t|t'
for zone in UTC Pacific/Kiritimati America/St_Johns; do
	holds "times of which SQL has another minute, hour or month, in $zone" times.csv 'at timestamptz, minute int, hour int, month int' \
		"SELECT n, at FROM c WHERE cube.time_key(at) IS DISTINCT FROM minute OR cube.time_key(at) / 60 IS DISTINCT FROM hour OR cube.month_of(at) IS DISTINCT FROM month
		OR at >= cube.minute_at(200000000) OR at AT TIME ZONE 'UTC' NOT BETWEEN date '1970-01-01' + make_interval(months => month)
			AND date '1970-01-01' + make_interval(months => month + 1) - interval '1 us'" -c "SET timezone = '$zone'"
done
holds 'durations that SQL has otherwise' durations.csv 'what text, "from" timestamptz, "to" timestamptz, seconds double precision' \
	'SELECT what, cube.seconds_between("from", "to") FROM c WHERE cube.seconds_between("from", "to") IS DISTINCT FROM seconds'
holds 'notes that SQL reads otherwise' persons.csv 'note text, names_person boolean' 'SELECT n, note FROM c WHERE cube.names_person(note) IS DISTINCT FROM names_person'
holds 'errors that SQL judges otherwise' errors.csv 'what text, severity text, resolved boolean, note text, severity_is text, auto_resolved boolean' \
	'SELECT what FROM c WHERE cube.severity_of(severity) IS DISTINCT FROM severity_is
	OR cube.is_auto_resolved(CASE WHEN resolved THEN now() END, cube.names_person(note)) IS DISTINCT FROM auto_resolved'
holds 'approvals of which SQL says another status' approvals.csv 'status text, was_approved boolean, of_the_mesh boolean' \
	'SELECT n, status FROM c WHERE (cube.approval_status(was_approved) = status) IS DISTINCT FROM of_the_mesh AND (of_the_mesh OR was_approved IS NOT NULL AND status = lower(status))'
holds 'reasons in which SQL reads another contract' contracts_in_reasons.csv 'reason text, contract text' 'SELECT n, reason FROM c WHERE cube.contract_in(reason) IS DISTINCT FROM contract'
holds 'actors of another type or name in SQL' actors.csv 'text text, actor_id text, actor_type text, actor_name text' \
	'SELECT c.n, c.actor_id FROM c LEFT JOIN cube.dim_actor d USING (actor_id) WHERE c.actor_id IS NOT NULL AND (d.actor_type, d.actor_name) IS DISTINCT FROM (c.actor_type, c.actor_name)' \
	-c 'DO $$BEGIN PERFORM cube.resolve_actor(ARRAY(SELECT DISTINCT actor_id FROM c WHERE actor_id IS NOT NULL)); END$$'
holds 'errors that SQL takes for those of another stream' error_ids.csv 'stream text, names text, error_id text' \
	"SELECT n, error_id FROM c WHERE cube.error_stream(error_id) IS DISTINCT FROM stream
		OR stream = 'immutable_log' AND (cube.error_of_entry(names::bigint), cube.entry_of_error(error_id)) IS DISTINCT FROM (error_id, names::bigint)
		OR stream <> 'immutable_log' AND cube.entry_of_error(error_id) IS NOT NULL"
# each matter is raised or requested, and told of by two events, of which the later one comes first; what counts, and what comes of it
holds 'events of the mesh of which SQL makes something else' mesh_events.csv 'event_type text, matter text, aspect text, counts text, becomes text' \
	"SELECT n, event_type, told.note, coalesce(e.status, a.status) FROM told LEFT JOIN cube.mesh_aspect m USING (subject_id, aspect)
		LEFT JOIN cube.fact_error_events e ON e.error_id = told.subject_id AND cube.error_stream(told.subject_id) = 'trigger_events'
		LEFT JOIN cube.fact_approvals a ON a.approval_id = cube.approval_of_subject(told.subject_id)
	WHERE m.note IS DISTINCT FROM counts OR coalesce(e.status, a.status) IS DISTINCT FROM becomes" \
	-c "CREATE TEMP TABLE told AS SELECT *, CASE matter WHEN 'approval' THEN cube.subject_of_approval('told-' || n) ELSE matter || ':told-' || n END AS subject_id,
		counts AS note FROM c WHERE aspect IS NOT NULL" \
	-c "CREATE FUNCTION pg_temp.tell(nth text, hour int) RETURNS bigint LANGUAGE sql AS \$\$
		SELECT cube.merge_mesh_events(array_agg(subject_id), array_agg(aspect), array_agg(timestamptz '2026-11-20 10:00Z' + make_interval(hours => hour)), array_agg(1::bigint),
			array_agg(0), array_agg(0), array_agg(false), array_agg(0), array_agg('x'::text), array_agg('low'::text), array_agg('x'::text), array_agg(nth), array_agg(becomes = 'approved'),
			array_agg(NULL::text), array_agg(NULL::text), array_agg(NULL::float8), array_agg(false), array_agg(0::bigint), array_agg(0::bigint), array_agg(0::bigint), array_agg(0::bigint), array_agg(NULL::bigint))
		FROM (SELECT subject_id, aspect, becomes FROM told UNION SELECT subject_id, CASE matter WHEN 'error' THEN 'raised' ELSE 'requested' END, 'x' FROM told
			WHERE aspect NOT IN ('raised', 'requested')) t \$\$" \
	-c "DO \$\$BEGIN PERFORM pg_temp.tell('last', 2), pg_temp.tell('first', 1); END\$\$"
holds 'steps of contracts that SQL judges otherwise' contract_steps.csv '"from" text, "to" text, backward boolean' \
	'SELECT n, "from", "to" FROM c WHERE cube.is_backward_step("from", "to") IS DISTINCT FROM backward'
# what a merge function keeps is read from its text, but for the partition, which is no column of the record
holds 'columns that may be left out on one side alone' kept.csv 'target text, "column" text, stream text, field text' \
	"SELECT target, \"column\" FROM c FULL JOIN (SELECT f.target, (regexp_matches(pg_get_functiondef(p.oid), m.kept, 'g'))[1] AS \"column\"
		FROM cube.fact f JOIN pg_proc p ON p.pronamespace = 'cube'::regnamespace AND p.proname = 'merge_' || f.target CROSS JOIN (VALUES
			('(\\w+) = CASE WHEN excluded\\.\\1 = ''(?:__debezium_unavailable_value|NaN)'' THEN t\\.\\1'), ('coalesce\\(excluded\\.(?!offset_id)(\\w+), k\\.\\1\\)')) m (kept)
		GROUP BY 1, 2) s USING (target, \"column\") WHERE c.n IS NULL OR s.target IS NULL"
holds 'targets that are something else in SQL' targets.csv 'target text, kind text, names_missions boolean, introduces_missions boolean' \
	"SELECT target FROM c FULL JOIN (SELECT substr(p.proname, 7) AS target,
			CASE WHEN f.fact IS NOT NULL THEN 'fact' WHEN to_regclass(format('cube.version_%s', substr(p.proname, 7))) IS NOT NULL THEN 'history' ELSE 'aspects' END AS kind,
			EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = to_regclass(format('cube.key_%s', f.target)) AND a.attname = 'mission_ref') AS names_missions,
			EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = to_regclass(format('cube.version_%s', substr(p.proname, 7))) AND a.attname = 'mission_key') AS introduces_missions
		FROM pg_proc p LEFT JOIN cube.fact f ON f.target = substr(p.proname, 7)
		WHERE p.pronamespace = 'cube'::regnamespace AND p.proname LIKE 'merge\\_%' AND p.proname NOT IN ('merge_mesh_errors', 'merge_mesh_approvals')) s USING (target)
	WHERE (c.kind, c.names_missions, c.introduces_missions) IS DISTINCT FROM (s.kind, s.names_missions, s.introduces_missions)"
# minutes of a week made without settings, and again with these
week='SELECT generate_series(500000, 500167)' minutes='time_key BETWEEN 500000 * 60 AND 500168 * 60 - 1'
holds 'settings whose default is another in SQL' settings.csv 'name text, value text' \
	"SELECT * FROM (SELECT 'minute', time_key FROM without JOIN cube.dim_time d USING (time_key) WHERE d.is_business_hours <> without.is_business_hours LIMIT 3) m
	UNION ALL SELECT 'minutes', count(*) FROM without HAVING count(*) <> 168 * 60 OR count(DISTINCT is_business_hours) <> 2" \
	-c 'DELETE FROM cube.setting' -c "DO \$\$BEGIN PERFORM cube.ensure_hours(ARRAY($week)); END\$\$" \
	-c "CREATE TEMP TABLE without AS SELECT time_key, is_business_hours FROM cube.dim_time WHERE $minutes" -c "DELETE FROM cube.dim_time WHERE $minutes" \
	-c 'INSERT INTO cube.setting (name, value) SELECT name, value FROM c' -c "DO \$\$BEGIN PERFORM cube.ensure_hours(ARRAY($week)); END\$\$"
# rows of every tier, and which of them the role sees that answers for a limited token
holds 'tiers that a limit hides on one side alone' tiers.csv '"limit" text, tier text, seen boolean' \
	'SELECT c."limit", c.tier FROM c LEFT JOIN seen s USING ("limit", tier) WHERE c.seen IS DISTINCT FROM (s.tier IS NOT NULL)' \
	-c 'DO $$BEGIN PERFORM cube.resolve_tier(ARRAY(SELECT DISTINCT tier FROM c)); END$$' \
	-c "INSERT INTO cube.rollup_mission_executions (mission_key, tier_key, lane, executions, successful, confidence_n, confidence_ppb)
		SELECT 99999, tier_key, 7, 1, 0, 0, 0 FROM cube.dim_tier" \
	-c 'CREATE TEMP TABLE seen ("limit" text, tier text)' -c 'GRANT ALL ON seen TO PUBLIC' \
	-c "DO \$\$DECLARE l text; BEGIN
		FOR l IN SELECT DISTINCT \"limit\" FROM c LOOP
			EXECUTE format('SET LOCAL ROLE %I', cube.api_role(l));
			INSERT INTO seen SELECT l, tier_code FROM cube.rollup_mission_executions JOIN cube.dim_tier USING (tier_key);
			RESET ROLE;
		END LOOP;
	END\$\$"
shown "$CASES cases of $RULES rules, the same in C and in SQL"

# --- Where a batch ends decides nothing -----------------------------------------------------------------------------------------
# Two cubes: one takes all records that wait in as few batches as there may be, the other one by one.
own_topics
python3 -B - "$CUBE_TEST_PREFIX" "$CUBE_TEST_ROOT/tests/contract/kept.csv" <<-'PYTHON'
	import csv, json, sys
	prefix, kept = sys.argv[1:]
	files = {'before': open('before.jsonl', 'w'), 'after': open('after.jsonl', 'w')}
	LEFT_OUT, DELETE, TOMBSTONE = '__debezium_unavailable_value', object(), object()
	number = offset = 0

	def record(phase, stream, key, lsn, at_ms, row):
	    """One change at a place of the source: its log position and its time. A tombstone has neither."""
	    global offset
	    offset += 1
	    value = None if row is TOMBSTONE else json.dumps({'op': 'd', 'before': {'id': key}, 'source': {'lsn': lsn, 'ts_ms': at_ms}}) if row is DELETE else \
	        json.dumps({'op': 'u', 'before': None, 'after': dict({'id': key, 'sequence': key, 'run_id': key, 'action': 'x', 'action_id': 'c', 'tier': 'tier_1',
	            'created_at': '2026-11-20T10:00:00Z', 'timestamp': '2026-11-20T10:00:00Z'}, **row), 'source': {'lsn': lsn, 'ts_ms': at_ms}})
	    print(json.dumps({'topic': f'{prefix}.{stream}', 'partition': 0, 'offset': offset, 'timestamp': 1795410144990 + offset,
	        'key': json.dumps({'id': key}), 'value': value}), file=files[phase])

	def case(stream, before, after):
	    """(log position, row or what happened), in the order in which they come."""
	    global number
	    number += 1
	    for phase, changes in ('before', before), ('after', after):
	        for lsn, row in changes:
	            record(phase, stream, number, lsn, 1795410000000 + lsn, row)

	def text(field, letter):
	    return {field: LEFT_OUT if letter == '*' else json.dumps({'code': letter, 'event': ord(letter), 'm': {'percent_change': ord(letter)}})}

	for stream, field in sorted({(row['stream'], row['field']) for row in csv.DictReader(open(kept))}):
	    of = lambda letter: text(field, letter)
	    case(stream, [], [(1, of('A')), (2, of('*'))])
	    case(stream, [(1, of('A')), (5, of('B'))], [(1, of('A')), (6, of('*'))])  # the first one sent again, then one that leaves it out
	    case(stream, [(1, of('A')), (5, of('B'))], [(6, of('*')), (1, of('A'))])
	    case(stream, [(1, of('A'))], [(6, of('*')), (5, of('B'))])  # late
	    case(stream, [(1, of('A')), (5, of('B'))], [(2, DELETE), (6, of('*'))])  # a delete sent again
	    case(stream, [(1, of('A'))], [(5, DELETE), (6, of('*'))])
	    case(stream, [(1, of('A'))], [(5, of('*')), (6, DELETE), (6, TOMBSTONE)])
	    case(stream, [], [(1, of('A')), (2, of('*')), (3, of('C')), (4, of('*')), (5, of('*'))])
	both = lambda reason, decision: dict(text('reason', reason), **text('decision_reason', decision))
	case('approval_requests', [(1, both('A', 'B'))], [(2, both('C', '*')), (3, both('*', 'D')), (4, both('E', '*')), (1, both('A', 'B')), (5, both('*', '*'))])

	step = lambda status: {'status': status}
	for first, second in (('executing', 'verified'), ('verified', 'pending'), ('failed', 'verified')):
	    case('action_contracts', [], [(1, step(first)), (2, step(second))])
	    case('action_contracts', [(1, step(first))], [(2, step(second)), (3, step(second))])
	case('action_contracts', [(1, step('pending'))], [(3, DELETE), (3, TOMBSTONE), (4, step('executing')), (1, step('pending'))])
	case('action_contracts', [(3, DELETE)], [(3, TOMBSTONE), (4, step('executing')), (5, DELETE), (5, TOMBSTONE)])
	# at one log position: the same change sent twice; one that is later at the source, in either order
	for at in (0, 0), (0, 1), (1, 0):
	    number += 1
	    for n, status in enumerate(('executing', 'verified')):
	        record('after', 'action_contracts', number, 5000, 1795410000000 + at[n], step(status))
PYTHON
# cube NAME → the one that is looked at; each reads the topics in a group of its own
cube() {
	CUBE_TEST_DATABASE=${CUBE_TEST_PREFIX}_$1
	export GRACECUBE_POSTGRES_DSN="host=$CUBE_TEST_PGHOST port=$CUBE_TEST_PGPORT user=$CUBE_TEST_PGUSER dbname=$CUBE_TEST_DATABASE"
	export GRACECUBE_KAFKA_GROUP_ID=$CUBE_TEST_DATABASE
}
# what_is_there FILE → every fact, but for when it was loaded, and what else the merges know
what_is_there() {
	sql -c "SELECT format('SELECT %L, to_jsonb(f) - ''loaded_at'' FROM cube.%I f ORDER BY 2', fact, fact) FROM cube.fact ORDER BY fact" >facts.sql
	sed 's/$/;/' facts.sql | sql -f - >"$1"
	sql -c "SELECT 'own_human', error_id, own_human FROM cube.key_error_events ORDER BY 2" \
		-c "SELECT 'issue', record_key, field, raw_value, rule FROM cube.etl_quality_issue ORDER BY 2, 4" >>"$1"
}
for name in few one; do new_cube "$name"; done
for phase in before after; do
	publish $phase.jsonl
	cube few
	catch_up -s run.workers=1
	cube one
	catch_up -s run.workers=1 -s "run.batch_records=$([ $phase = before ] && echo 6000 || echo 1)"
done
for name in few one; do
	cube "$name"
	what_is_there "$name.rows"
	equal "dead letters of $name" "$(sql -c 'SELECT count(*) FROM cube.etl_dead_letter')" 0
	verify_agrees
done
diff one.rows few.rows >&2 || fail "in few batches: $(diff one.rows few.rows | grep '^[<>]' | head -n 2)"
[ "$(grep -c . one.rows)" -gt 100 ] || fail "only $(grep -c . one.rows) rows to compare"
! grep -F __debezium_unavailable_value one.rows >&2 || fail 'what says "as it was" is in a fact'
# a delete leaves nothing; what is left out is then nothing
equal 'texts of approvals' "$(sql -c "SELECT string_agg(coalesce(coalesce(action_description, decision_reason)::json ->> 'code', '-'), '' ORDER BY approval_id::int)
	FROM cube.fact_approvals WHERE action_description IS NULL OR decision_reason IS NULL")" 'ABBAB-CABBAB-C'
[ "$(GRACECUBE_POSTGRES_DSN=${GRACECUBE_POSTGRES_DSN%_one}_few sql -c 'SELECT sum(superseded) FROM cube.etl_offset')" -gt "$(sql -c 'SELECT sum(superseded) FROM cube.etl_offset')" ] ||
	fail 'nothing was told in one batch'
equal 'steps that the source never makes' "$(grep -c '^issue|' one.rows)" 4
shown "$(wc -l <after.jsonl) records (texts left out, sent again, late, deletes, steps back) end the same in $(sql -c 'SELECT count(*) FROM cube.fact_approvals') approvals and all else, told in one batch or one by one"

# --- What this transaction wrote, and what another of its number did ---
# A cube that was restored has rows of transactions of another cluster, whose numbers come again: which keys a merge wrote it does not learn from
# their rows. Nor, then, does a second batch of one transaction take those of the first for its own.
cube one
merge() { # merge OTHER RESULT NUMBER → a batch of the versions NUMBER of `restored` and of another one
	echo "SELECT cube.merge_healing_actions(action_id => '{restored,$1}', component_key => '{0,0}', actor_key => '{0,0}', action => '{a,a}', result => '{$2,$2}', detail => '{NULL,NULL}',
		created_at => ARRAY[now(), now()], deleted => '{f,f}', lsn => '{${3}00,${3}00}', source_us => '{$3,$3}', kafka_us => '{$3,$3}', record_offset => '{$3,$3}', offset_id => '{NULL,NULL}')"
}
sql -c "SELECT cube.ensure_hours(ARRAY[cube.time_key(now()) / 60, cube.time_key(now()) / 60 + 1])" >&2
sql -c BEGIN -c "$(merge third newer 3)" -c "$(merge fourth old 1)" -c COMMIT >&2
equal 'columns that keep the number of a transaction' "$(sql -c "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
	WHERE c.relnamespace = 'cube'::regnamespace AND a.atttypid = 'xid8'::regtype AND a.attnum > 0")" 0
equal 'a fact whose older version came in the same transaction' "$(sql -c "SELECT result FROM cube.fact_healing_actions WHERE action_id = 'restored'")" newer
# a version of a mission, and the same once more in its transaction: the second is a duplicate
mission="SELECT cube.merge_missions(source_id => '{twice}', mission_key => ARRAY[(SELECT max(mission_key) FROM cube.dim_mission)], mission_name => '{n}', mission_type => '{t}',
	started_at => ARRAY[now()], completed_at => ARRAY[NULL::timestamptz], final_status => ARRAY[NULL::text], deleted => '{f}', lsn => '{5}', source_us => '{1}', kafka_us => '{1}',
	record_offset => '{0}', offset_id => ARRAY[(SELECT min(offset_id) FROM cube.etl_offset)])"
equal 'superseded of the same version, twice in a transaction' "$(sql -c BEGIN -c "$mission" -c "$mission" -c ROLLBACK | tr '\n' ' ')" '0 1 '
verify_agrees
shown 'an older version stays superseded, and the same one is a duplicate, whichever number its transaction has'
