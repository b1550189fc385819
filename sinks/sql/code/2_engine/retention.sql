-- Throwing old data away: months of facts, and what is only kept for a time. Each call is one short transaction that can be repeated: what
-- is there says where it was left. `gracecube retention` and, by itself, `gracecube run` call them.
--
-- A month of a fact goes in these steps:
--   1. the horizon is raised: from then on its records are expired, and no writer is left that writes there
--   2. its rollups are compared with it, and what other facts know of its rows is kept in cube.closed_link
--   3. its partition is detached: from this moment on no reader sees its facts. verify counts them until they are gone
--   4. in one transaction its share of the rollups moves to the lanes of closed months, below 0, and its table is dropped. No sum over all lanes
--      changes, so nobody who reads a rollup can tell when it happened; the other lanes are what is left of the facts, to be proven by verify
-- DETACH … CONCURRENTLY would need a session of the owner outside of any function, and consumers own nothing. So a lock is asked for when nobody
-- holds one for long: everybody who comes behind a request waits for as long as it does. One that is not given within 80 ms is asked for again.

CREATE OR REPLACE FUNCTION cube.month_of(p_partition text) RETURNS date LANGUAGE sql IMMUTABLE AS $$
	SELECT to_date(substring(p_partition FROM '_(\d{4}_\d{2})$'), 'YYYY_MM')
$$;
COMMENT ON FUNCTION cube.month_of(text) IS 'The month in the name of a partition of a fact; NULL for another name.';

CREATE OR REPLACE FUNCTION cube.utc(p_day date) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
	SELECT p_day::timestamp AT TIME ZONE 'UTC'
$$;
COMMENT ON FUNCTION cube.utc(date) IS 'When a UTC day begins.';

-- Nobody is kept waiting, nor is a step of verify or of a repair that is under way: see cube.hold_months().
CREATE OR REPLACE FUNCTION cube.be_brief() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('lock_timeout', '100ms', true);
	IF NOT pg_try_advisory_xact_lock(7240009) THEN
		RAISE EXCEPTION 'verify is at a step' USING ERRCODE = 'lock_not_available';
	END IF;
END $$;
COMMENT ON FUNCTION cube.be_brief() IS 'For the rest of the transaction no lock is waited for longer than 100 ms; fails while verify runs.';

-- For who compares facts with rollups; dropping a month may take minutes, and is waited for.
CREATE OR REPLACE FUNCTION cube.hold_months() RETURNS void LANGUAGE plpgsql AS $$
DECLARE patience constant text := current_setting('lock_timeout');
BEGIN
	PERFORM set_config('lock_timeout', '0', true);
	PERFORM pg_advisory_xact_lock_shared(7240009);
	PERFORM set_config('lock_timeout', patience, true);
END $$;
COMMENT ON FUNCTION cube.hold_months() IS 'No month is detached or dropped until the transaction ends.';

-- Step 1.
CREATE OR REPLACE FUNCTION cube.raise_horizon(p_fact text, p_before timestamptz) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
BEGIN
	IF p_before <> cube.utc(date_trunc('month', p_before AT TIME ZONE 'UTC')::date) OR p_before > cube.utc(date_trunc('month', now() AT TIME ZONE 'UTC')::date) THEN
		RAISE EXCEPTION 'a horizon is the begin of a UTC month, of this one at most, not %', p_before;
	END IF;
	PERFORM cube.be_brief();
	PERFORM pg_advisory_xact_lock(7240008, hashtext(p_fact));
	INSERT INTO cube.horizon AS h (fact, closed_before) VALUES (p_fact, p_before)
	ON CONFLICT (fact) DO UPDATE SET closed_before = excluded.closed_before, closed_at = now() WHERE excluded.closed_before > h.closed_before;
END $$;
COMMENT ON FUNCTION cube.raise_horizon(text, timestamptz) IS 'Closes a fact before the begin of a month; never takes that back.';

-- "cell: rollup …, facts …" where a month's rollups are not what its facts say; only cells of a time can be compared month by month.
CREATE OR REPLACE FUNCTION cube.differing_cell(p_fact text, p_month date) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r cube.rollup;
	found text;
BEGIN
	FOR r IN SELECT * FROM cube.rollup u WHERE u.fact = p_fact AND cube.month_condition(u, p_month) IS NOT NULL ORDER BY u.position LOOP
		EXECUTE format($sql$
			SELECT min(format('%%s: rollup %%s, facts %%s', ROW(%1$s), ROW(%4$s), ROW(%5$s)))
			FROM (SELECT %1$s, %2$s FROM cube.%3$I WHERE %6$s GROUP BY %1$s HAVING %7$s) k
			FULL JOIN (SELECT %1$s, %2$s FROM (%8$s) d GROUP BY %1$s) s USING (%1$s) WHERE (%4$s) IS DISTINCT FROM (%5$s)$sql$,
			cube.columns_of(r.cells, '%1$I'), cube.columns_of(r.sums, 'coalesce(sum(%1$I), 0)::numeric AS %1$I'), r.rollup,
			cube.columns_of(r.sums, 'coalesce(k.%1$I, 0)'), cube.columns_of(r.sums, 'coalesce(s.%1$I, 0)'), cube.month_condition(r, p_month),
			cube.columns_of(r.sums, 'sum(%1$I) <> 0', ' OR '), cube.rollup_rows(r, ARRAY[format('cube.%I', cube.partition_of(p_fact, p_month))])) INTO found;
		IF found IS NOT NULL THEN RETURN format('%s, cell %s', r.rollup, found); END IF;
	END LOOP;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION cube.differing_cell(text, date) IS 'The first cell of a month that is not the sum of its facts; NULL when all are.';

CREATE OR REPLACE FUNCTION cube.partition_of(p_fact text, p_month date) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT p_fact || to_char(p_month::timestamp, '_YYYY_MM')
$$;
COMMENT ON FUNCTION cube.partition_of(text, date) IS 'The table that holds a month of a fact.';

-- Which cells of a rollup are of a month; NULL where its cells are of no time.
CREATE OR REPLACE FUNCTION cube.month_condition(r cube.rollup, p_month date) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE
		WHEN r.cells @@ '$[*][0] == "day"' THEN format('day >= %L AND day < %L', p_month, (p_month + interval '1 month')::date)
		WHEN r.cells @@ '$[*][0] == "hour"' THEN format('hour >= %s AND hour < %s', cube.time_key(cube.utc(p_month)) / 60,
			cube.time_key(cube.utc((p_month + interval '1 month')::date)) / 60) END
$$;
COMMENT ON FUNCTION cube.month_condition(cube.rollup, date) IS 'The condition that selects the cells of a month; NULL where a rollup knows no time.';

-- Step 2. What is kept is what holds now; later facts win over it, and when they go it holds again. No row can be added to the month any
-- more, so no key can become linked to it behind our back.
CREATE OR REPLACE FUNCTION cube.prepare_month(p_fact text, p_month date) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE
	part text := cube.partition_of(p_fact, p_month);
	differing text := cube.differing_cell(p_fact, p_month);
	l record;
BEGIN
	IF differing IS NOT NULL THEN
		RAISE EXCEPTION '% is not dropped: %', part, differing USING ERRCODE = 'GC002', HINT = 'gracecube verify --repair, then repeat';
	END IF;
	FOR l IN
		SELECT k.target, k.linked_keys, f.key_column, string_agg(format('%L, k.%I', c.key, c.key), ', ') AS kept
		FROM cube.fact_link k JOIN cube.fact f ON f.target = k.target, jsonb_each_text(f.link_columns) c
		WHERE k.fact = p_fact AND strpos(c.value, format('cube.%I ', p_fact)) > 0 GROUP BY 1, 2, 3
	LOOP
		EXECUTE format($sql$
			INSERT INTO cube.closed_link AS c (target, key, links)
			SELECT %1$L, k.%2$I, n.links FROM cube.key_%1$s k, LATERAL (SELECT jsonb_strip_nulls(jsonb_build_object(%3$s)) AS links) n
			WHERE k.%2$I IN (%4$s) AND n.links <> '{}'
			ON CONFLICT (target, key) DO UPDATE SET links = c.links || excluded.links, loaded_at = now() WHERE c.links || excluded.links <> c.links$sql$,
			l.target, l.key_column, l.kept, format(l.linked_keys, format('cube.%I', part)));
	END LOOP;
	INSERT INTO cube.closed_month (fact, month, bytes) VALUES (p_fact, p_month, pg_total_relation_size(format('cube.%I', part)::regclass))
	ON CONFLICT (fact, month) DO UPDATE SET bytes = excluded.bytes, facts = NULL, links_kept_at = now(), detached_at = NULL, dropped_at = NULL;
END $$;
COMMENT ON FUNCTION cube.prepare_month(text, date) IS 'Proves the cells of a month and keeps what other facts know of its rows, before it goes.';

-- Who holds a lock of any kind on one of these tables: a transaction, as pg_locks names it, and its process.
CREATE OR REPLACE FUNCTION cube.holders_of(p_tables regclass[]) RETURNS TABLE (virtualtransaction text, pid int) LANGUAGE sql AS $$
	SELECT DISTINCT l.virtualtransaction, l.pid FROM pg_locks l
	WHERE l.locktype = 'relation' AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) AND l.relation = ANY (p_tables)
		AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
$$;
COMMENT ON FUNCTION cube.holders_of(regclass[]) IS 'Transactions that hold a lock on one of these tables.';

-- Short transactions come and go; one that is still there after a second is not waited for, and is named.
CREATE OR REPLACE FUNCTION cube.lock_alone(p_tables regclass[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	held text[] := ARRAY(SELECT h.virtualtransaction FROM cube.holders_of(p_tables) h);
	looks int := 0;
	p_table regclass;
	until timestamptz;
BEGIN
	WHILE held <> '{}' LOOP
		IF looks = 20 THEN
			RAISE EXCEPTION 'in use for more than a second by %', (SELECT string_agg(format('%s (pid %s)', coalesce(nullif(a.application_name, ''), 'a process'), h.pid), ', ')
				FROM cube.holders_of(p_tables) h LEFT JOIN pg_stat_activity a ON a.pid = h.pid WHERE h.virtualtransaction = ANY (held)) USING ERRCODE = 'object_in_use';
		END IF;
		PERFORM pg_sleep(0.05);
		looks := looks + 1;
		held := ARRAY(SELECT h.virtualtransaction FROM cube.holders_of(p_tables) h WHERE h.virtualtransaction = ANY (held));
	END LOOP;
	until := clock_timestamp() + interval '80 ms';
	FOREACH p_table IN ARRAY p_tables LOOP
		PERFORM set_config('lock_timeout', format('%sms', greatest(10, (extract(epoch FROM until - clock_timestamp()) * 1000)::int)), true);
		EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', p_table);
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.lock_alone(regclass[]) IS 'Locks tables, one after the other, when nobody uses them for long; keeps nobody waiting for longer than 100 ms.';

-- Step 3.
CREATE OR REPLACE FUNCTION cube.detach_month(p_fact text, p_month date) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
BEGIN
	PERFORM cube.be_brief(), cube.lock_alone(ARRAY[format('cube.%I', p_fact), format('cube.%I', cube.partition_of(p_fact, p_month))]::regclass[]);
	EXECUTE format('ALTER TABLE cube.%I DETACH PARTITION cube.%I', p_fact, cube.partition_of(p_fact, p_month));
	UPDATE cube.closed_month m SET detached_at = now() WHERE m.fact = p_fact AND m.month = p_month;
END $$;
COMMENT ON FUNCTION cube.detach_month(text, date) IS 'Takes the partition of a month from its fact.';

-- Step 4. Cells of a time move as they are; of those that know no time the month's share moves, out of the lane of hands, in which no
-- consumer writes.
CREATE OR REPLACE FUNCTION cube.drop_month(p_fact text, p_month date) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE
	part text := cube.partition_of(p_fact, p_month);
	gone bigint;
	r cube.rollup;
BEGIN
	PERFORM cube.be_brief();
	EXECUTE format('LOCK TABLE cube.%I IN ACCESS EXCLUSIVE MODE', part);
	EXECUTE format('SELECT count(*) FROM cube.%I', part) INTO gone;
	FOR r IN SELECT * FROM cube.rollup u WHERE u.fact = p_fact ORDER BY u.position LOOP
		IF cube.month_condition(r, p_month) IS NOT NULL THEN
			EXECUTE format($sql$
				WITH moved AS (DELETE FROM cube.%1$I WHERE %3$s RETURNING *),
				summed AS (SELECT %2$s, %4$s FROM moved GROUP BY %2$s HAVING %5$s)
				%6$s$sql$,
				r.rollup, cube.columns_of(r.cells, '%1$I'), cube.month_condition(r, p_month), cube.columns_of(r.sums, 'sum(%1$I) AS %1$I'),
				cube.columns_of(r.sums, 'sum(%1$I) <> 0', ' OR '), cube.insert_in_parts(r, 'summed', '-1 - part', 'summed.%1$I', 'true'));
		ELSE
			EXECUTE cube.close_statement(r, cube.rollup_rows(r, ARRAY[format('cube.%I', part)]), '(-1::smallint, 1), (0::smallint, -1)');
		END IF;
	END LOOP;
	EXECUTE format('DROP TABLE cube.%I', part);
	UPDATE cube.closed_month m SET facts = gone, dropped_at = now() WHERE m.fact = p_fact AND m.month = p_month;
	RETURN gone;
END $$;
COMMENT ON FUNCTION cube.drop_month(text, date) IS 'Moves the share of a detached month in the rollups to the lane of closed months, and drops its table; returns its rows.';

-- Adds rows to lanes of a rollup, each "(lane, sign)".
CREATE OR REPLACE FUNCTION cube.close_statement(r cube.rollup, p_rows text, p_lanes text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format($sql$
		INSERT INTO cube.%1$I AS r (%2$s, lane, %3$s)
		SELECT %2$s, l.lane, %4$s FROM (SELECT %2$s, %5$s FROM (%6$s) d GROUP BY %2$s HAVING %7$s) m, (VALUES %9$s) l (lane, sign)
		ORDER BY %2$s, lane
		ON CONFLICT (%2$s, lane) DO UPDATE SET %8$s$sql$,
		r.rollup, cube.columns_of(r.cells, '%1$I'), cube.columns_of(r.sums, '%1$I'), cube.columns_of(r.sums, 'l.sign * m.%1$I'),
		cube.columns_of(r.sums, 'coalesce(sum(%1$I), 0) AS %1$I'), p_rows, cube.columns_of(r.sums, 'coalesce(sum(%1$I), 0) <> 0', ' OR '),
		cube.columns_of(r.sums, '%1$I = r.%1$I + excluded.%1$I'), p_lanes)
$$;
COMMENT ON FUNCTION cube.close_statement(cube.rollup, text, text) IS 'The statement that moves the share of rows that go to the lane of closed months.';

-- Of tables that hold more than a month (partitions.sql), what is closed is cut off first, month by month, and goes like any other.
CREATE OR REPLACE FUNCTION cube.month_to_cut(p_fact text) RETURNS date LANGUAGE plpgsql STABLE AS $$
DECLARE
	closed constant timestamptz := cube.closed_before(p_fact);
	w record;
	oldest timestamptz;
BEGIN
	FOR w IN SELECT * FROM cube.wide_tables(p_fact) t WHERE cube.begin_of(t.from_month) < closed ORDER BY t.from_month LOOP
		EXECUTE format('SELECT min(created_at) FROM cube.%I WHERE created_at < $1', w.part) INTO oldest USING closed;
		IF oldest IS NOT NULL THEN RETURN date_trunc('month', oldest AT TIME ZONE 'UTC')::date; END IF;
		IF cube.begin_of(w.to_month) <= closed THEN RETURN (cube.begin_of(w.to_month - 1) AT TIME ZONE 'UTC')::date; END IF;
	END LOOP;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION cube.month_to_cut(text) IS 'The first closed month that is still in a wide table, or the last one of a table that is empty.';

-- The next step of a fact on its way to a horizon: "raise", "prepare 2026-01-01", "detach …", "drop …", "cut …"; NULL when all is done.
CREATE OR REPLACE FUNCTION cube.next_step(p_fact text, p_before timestamptz) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	SELECT CASE
		WHEN cube.closed_before(p_fact) < p_before THEN 'raise'
		ELSE coalesce(
			(SELECT 'drop ' || min(m.month) FROM cube.closed_month m WHERE m.fact = p_fact AND m.detached_at IS NOT NULL AND m.dropped_at IS NULL),
			(SELECT CASE WHEN EXISTS (SELECT FROM cube.closed_month m WHERE m.fact = p_fact AND m.month = p.month AND m.dropped_at IS NULL)
					THEN 'detach ' ELSE 'prepare ' END || p.month
				FROM (SELECT min(cube.month_of(c.relname)) AS month FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
					WHERE i.inhparent = format('cube.%I', p_fact)::regclass AND cube.utc(cube.month_of(c.relname)) < cube.closed_before(p_fact)) p),
			'cut ' || cube.month_to_cut(p_fact)) END
$$;
COMMENT ON FUNCTION cube.next_step(text, timestamptz) IS 'What is to be done next for a fact to be closed before a time; NULL: nothing.';

CREATE OR REPLACE FUNCTION cube.do_step(p_fact text, p_before timestamptz, p_step text) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE
	what text := split_part(p_step, ' ', 1);
	month date := nullif(split_part(p_step, ' ', 2), '')::date;
BEGIN
	IF p_step IS DISTINCT FROM cube.next_step(p_fact, p_before) THEN RETURN 0; END IF; -- somebody else did it
	IF EXISTS (SELECT FROM cube.rollup r WHERE r.fact = p_fact AND NOT cube.is_filled(r.rollup)) THEN
		RAISE EXCEPTION 'a rollup of % is not filled yet; `gracecube migrate` goes on with it', p_fact USING ERRCODE = 'lock_not_available';
	END IF;
	-- links that wait are made first: what they link is gone then
	IF what = 'prepare' AND EXISTS (SELECT FROM cube.relink_queue) THEN
		IF cube.relink_slice(cube.keys_at_once()) = 0 THEN RAISE EXCEPTION 'links wait that others are at' USING ERRCODE = 'lock_not_available'; END IF;
		RETURN 0;
	END IF;
	CASE what
		WHEN 'raise' THEN PERFORM cube.raise_horizon(p_fact, p_before);
		WHEN 'prepare' THEN PERFORM cube.prepare_month(p_fact, month);
		WHEN 'detach' THEN PERFORM cube.detach_month(p_fact, month);
		WHEN 'drop' THEN RETURN cube.drop_month(p_fact, month);
		WHEN 'cut' THEN
			PERFORM cube.be_brief();
			PERFORM cube.cut_off(p_fact, cube.month_of(cube.utc(month)));
	END CASE;
	RETURN 0;
END $$;
COMMENT ON FUNCTION cube.do_step(text, timestamptz, text) IS 'Does what cube.next_step() said; returns how many facts went.';

-- What is kept for a time ---------------------------------------------------------------------------------------------------

-- Marks tell a late version from a new fact: of keys that were deleted, and of those that went with their month. A key that has only been
-- locked has no version yet; one that is named by a living fact stays, because the link would be lost. Of histories they are deletes of source
-- rows of which nothing else is there.
CREATE OR REPLACE FUNCTION cube.children_of(p_fact text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT coalesce(string_agg(format(' AND NOT EXISTS (SELECT FROM cube.key_%s c WHERE c.%I = t.%I AND c.created_at >= %L)',
		c.target, f.key_column, f.key_column, cube.closed_before(c.fact)), '' ORDER BY c.target), '')
	FROM cube.fact f, cube.fact c
	WHERE f.fact = p_fact AND to_regproc(format('cube.parent_%s_of_%s', f.fact, c.target)) IS NOT NULL
$$;
COMMENT ON FUNCTION cube.children_of(text) IS 'The condition that no living fact names a key of a fact as its parent.';

-- One row a table; the condition is over its row t.
CREATE OR REPLACE FUNCTION cube.aged(p_kind text, p_before timestamptz) RETURNS TABLE (relation text, condition text) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	SELECT a.relation, format('t.%I < %L', a.at, p_before) FROM (VALUES ('dead_letters', 'etl_dead_letter', 'dead_at'),
		('quality_issues', 'etl_quality_issue', 'found_at'), ('gaps', 'etl_gap', 'detected_at')) a (kind, relation, at) WHERE a.kind = p_kind
	UNION ALL
	SELECT 'key_' || f.target, format('t.kafka_us > 0 AND (t.created_at IS NULL OR t.created_at < %L)'
		' AND greatest(to_timestamp(greatest(t.kafka_us, t.source_us) / 1e6), t.created_at, t.prev_created_at) < %L%s', cube.closed_before(f.fact), p_before, cube.children_of(f.fact))
	FROM cube.fact f WHERE p_kind = 'marks'
	UNION ALL
	SELECT 'closed_link', format('EXISTS (SELECT FROM cube.fact f WHERE f.target = t.target AND t.loaded_at < %L) AND NOT cube.is_living(t.target, t.key)', p_before)
	WHERE p_kind = 'marks'
	UNION ALL
	SELECT 'mesh_aspect', format('t.at < %L AND NOT cube.is_living(''error_events'', t.subject_id) AND NOT cube.is_living(''approvals'', substr(t.subject_id, 10))', p_before)
	WHERE p_kind = 'marks'
	UNION ALL
	SELECT 'version_' || h.target, format('t.%1$I IS NULL AND coalesce(t.place_us, t.at_us) < %3$s AND NOT EXISTS (SELECT FROM cube.version_%2$s v WHERE v.source_id = t.source_id AND v.%1$I IS NOT NULL)',
		h.key_column, h.target, (date_part('epoch', p_before) * 1e6)::bigint)
	FROM cube.histories() h WHERE p_kind = 'marks'
	UNION ALL
	SELECT 'dim_time', format('t.time_key < %s', cube.time_key(p_before)) WHERE p_kind = 'minutes'
	UNION ALL
	SELECT r.rollup, format('t.lane < 0 AND %s', CASE p_kind WHEN 'hourly_rollups' THEN format('t.hour < %s', cube.time_key(p_before) / 60)
		ELSE format('t.day < %L', (p_before AT TIME ZONE 'UTC')::date) END)
	FROM cube.rollup r
	WHERE (p_kind = 'hourly_rollups' AND r.cells @@ '$[*][0] == "hour"') OR (p_kind = 'daily_rollups' AND r.cells @@ '$[*][0] == "day"')
$$;
COMMENT ON FUNCTION cube.aged(text, timestamptz) IS 'Which rows of which tables are of a kind and older than a time.';

-- Has a key a fact that is there, or may a fact still come for it?
CREATE OR REPLACE FUNCTION cube.is_living(p_target text, p_key text) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE
	f cube.fact := (SELECT f FROM cube.fact f WHERE f.target = p_target);
	found boolean;
BEGIN
	EXECUTE format('SELECT EXISTS (SELECT FROM cube.key_%s k WHERE k.%I = $1 AND (k.kafka_us = 0 OR k.created_at >= $2))', p_target, f.key_column)
	INTO found USING p_key, cube.closed_before(f.fact);
	RETURN found;
END $$;
COMMENT ON FUNCTION cube.is_living(text, text) IS 'Does a key have a fact, or wait for its first version?';

-- Old versions of members: of a history, what had ended before. A row of cube.base_… stands for them, from which a member's history goes on, and
-- of each source row its last version stays, and one for each member that it ever was of: what it tells next, of another member or none, is of that
-- member's history, too. A time is closed only for members of which something goes: nothing that is not known yet is too late.

-- Members of whose source rows more than one version may be there in vain.
CREATE OR REPLACE FUNCTION cube.members_with_old_versions(p_target text, p_before timestamptz, p_from bigint DEFAULT 0, p_to bigint DEFAULT 2147483647) RETURNS int[]
LANGUAGE plpgsql STABLE AS $$
DECLARE found int[];
BEGIN
	EXECUTE (SELECT format($sql$
		SELECT ARRAY(SELECT s.member FROM (SELECT DISTINCT v.%1$I AS member, v.source_id FROM cube.%2$I v WHERE v.%1$I BETWEEN $2 AND $3) s JOIN cube.%2$I v USING (source_id)
			WHERE coalesce(v.place_us, v.at_us) <= date_part('epoch', $1) * 1e6 GROUP BY s.member HAVING count(*) > 1)$sql$, h.key_column, 'version_' || h.target)
		FROM cube.histories() h WHERE h.target = p_target) INTO found USING p_before, p_from, p_to;
	RETURN found;
END $$;
COMMENT ON FUNCTION cube.members_with_old_versions(text, timestamptz, bigint, bigint) IS 'Members, of a range of keys, of whose source rows there is more than one version of before a time.';

-- p_bases: a relation of rows as in cube.base_…. A version is needed as long as it is newer than the base of one member that its source row was ever of.
CREATE OR REPLACE FUNCTION cube.outdated_versions(p_target text, p_members text, p_bases text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format($sql$
		SELECT c.id FROM (
			WITH named AS MATERIALIZED (SELECT DISTINCT v.source_id, v.%1$I FROM cube.%2$I v
				WHERE v.source_id IN (SELECT s.source_id FROM cube.%2$I s WHERE s.%1$I = ANY (%3$s)) AND v.%1$I IS NOT NULL)
			SELECT v.ctid AS id, v.%1$I, lead(v.ctid) OVER (PARTITION BY v.source_id, v.%1$I ORDER BY %4$s) AS later_of_member, lead(v.ctid) OVER (PARTITION BY v.source_id ORDER BY %4$s) AS later
			FROM cube.%2$I v WHERE v.source_id IN (SELECT n.source_id FROM named n)
				AND NOT EXISTS (SELECT FROM named n LEFT JOIN %5$s b USING (%1$I) WHERE n.source_id = v.source_id AND (b.%1$I IS NULL OR %6$s < %4$s))) c
		WHERE c.later IS NOT NULL AND (c.later_of_member IS NOT NULL OR c.%1$I IS NULL)$sql$,
		h.key_column, 'version_' || h.target, p_members, cube.place_of_version('v'), p_bases, cube.place_of_base('b')) FROM cube.histories() h WHERE h.target = p_target
$$;
COMMENT ON FUNCTION cube.outdated_versions(text, text, text) IS 'A query of the versions, by ctid, of members that no history needs any more.';

CREATE OR REPLACE FUNCTION cube.size_of_old_versions(p_target text, p_before timestamptz, OUT amount bigint, OUT bytes bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE h record;
BEGIN
	SELECT * INTO h FROM cube.histories() t WHERE t.target = p_target;
	EXECUTE format($sql$
		WITH base AS MATERIALIZED (SELECT * FROM cube.base_of_%1$s($1, $2)),
		gone AS (SELECT pg_column_size(v) AS bytes FROM cube.%2$I v WHERE v.ctid IN (%3$s)
			UNION ALL SELECT pg_column_size(r) FROM cube.%4$I r JOIN base b USING (%5$I) WHERE r.version_number < b.version_number)
		SELECT count(*), coalesce(sum(g.bytes), 0) FROM gone g$sql$,
		p_target, 'version_' || p_target, cube.outdated_versions(p_target, '$1', 'base'), h.dimension || '_history', h.key_column)
	INTO amount, bytes USING cube.members_with_old_versions(p_target, p_before), p_before;
END $$;
COMMENT ON FUNCTION cube.size_of_old_versions(text, timestamptz) IS 'How many rows of a history, and of the versions from which it is computed, would go, and how many bytes they are.';

-- Members with some ten thousand versions together, or one that alone has more. Who writes them waits for as long as this takes: some milliseconds,
-- of one with 100,000 versions a second. Who reads them waits for nothing.
CREATE OR REPLACE FUNCTION cube.trim_history(p_target text, p_before timestamptz, p_from bigint, OUT gone bigint, OUT next_member bigint) LANGUAGE plpgsql AS $$
DECLARE
	h record;
	versions constant text := 'version_' || p_target;
	base constant text := 'base_' || p_target;
	upto bigint;
	last bigint;
	members int[];
	n bigint;
BEGIN
	PERFORM set_config('lock_timeout', '100ms', true);
	SELECT * INTO h FROM cube.histories() t WHERE t.target = p_target;
	EXECUTE format('SELECT (SELECT max(u.member) FROM (SELECT %1$I FROM cube.%2$I WHERE %1$I >= $1 ORDER BY 1 LIMIT 10000) u (member)), (SELECT max(%1$I) FROM cube.%2$I)', h.key_column, versions)
		INTO upto, last USING p_from;
	next_member := CASE WHEN upto < last THEN upto + 1 END;
	gone := 0;
	members := cube.members_with_old_versions(p_target, p_before, p_from, upto);
	EXECUTE format('SELECT FROM cube.%1$I d WHERE d.%2$I = ANY ($1) ORDER BY d.%2$I FOR UPDATE', h.dimension, h.key_column) USING members;
	EXECUTE format('INSERT INTO cube.%1$I AS b SELECT * FROM cube.base_of_%2$s($1, $2) ON CONFLICT (%3$I) DO UPDATE SET (%4$s) = (%5$s) WHERE %6$s < %7$s', base, p_target, h.key_column,
		cube.columns_in_order(base), cube.columns_in_order(base, 'excluded.'), cube.place_of_base('b'), cube.place_of_base('excluded')) USING members, p_before;
	EXECUTE format('DELETE FROM cube.%1$I v USING (%2$s) o WHERE v.ctid = o.id', versions, cube.outdated_versions(p_target, '$1', 'cube.' || base)) USING members;
	GET DIAGNOSTICS gone = ROW_COUNT;
	EXECUTE format('DELETE FROM cube.%1$I r USING cube.%2$I b WHERE r.%3$I = ANY ($1) AND b.%3$I = r.%3$I AND r.version_number < b.version_number', h.dimension || '_history', base, h.key_column)
		USING members;
	GET DIAGNOSTICS n = ROW_COUNT;
	gone := gone + n;
END $$;
COMMENT ON FUNCTION cube.trim_history(text, timestamptz, bigint) IS 'Throws old versions of some members away; says where the next ones begin.';

-- A piece of a table, its rows by where they lie: no transaction is long, and each row is looked at once. Their sums stay, in the lane of
-- closed months. Returns where the next piece begins; NULL at the end.
CREATE OR REPLACE FUNCTION cube.trim_piece(p_kind text, p_relation text, p_before timestamptz, p_block bigint, OUT gone bigint, OUT next_block bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE
	blocks constant int := 500;
	history constant text := (SELECT h.target FROM cube.histories() h WHERE p_kind = 'histories' AND p_relation = h.dimension || '_history');
	r cube.rollup := (SELECT u FROM cube.rollup u WHERE u.fact = p_relation);
	condition text := (SELECT a.condition FROM cube.aged(p_kind, p_before) a WHERE a.relation = p_relation);
BEGIN
	IF history IS NOT NULL THEN
		SELECT t.gone, t.next_member INTO gone, next_block FROM cube.trim_history(history, p_before, p_block) t;
		RETURN;
	END IF;
	IF condition IS NULL THEN RAISE EXCEPTION '% holds nothing of the kind %', p_relation, p_kind; END IF;
	EXECUTE format('WITH gone AS (DELETE FROM cube.%I t WHERE t.ctid >= %L::tid AND t.ctid < %L::tid AND %s RETURNING *)%s SELECT count(*) FROM gone',
		p_relation, format('(%s,0)', p_block), format('(%s,0)', p_block + blocks), condition,
		CASE WHEN r.rollup IS NOT NULL THEN ', closed AS (' || cube.close_statement(r, cube.rollup_rows(r, ARRAY['gone']), '(-1::smallint, 1)') || ')' ELSE '' END)
	INTO gone;
	next_block := CASE WHEN (p_block + blocks) * current_setting('block_size')::bigint < pg_relation_size(format('cube.%I', p_relation)::regclass) THEN p_block + blocks END;
END $$;
COMMENT ON FUNCTION cube.trim_piece(text, text, timestamptz, bigint) IS 'Deletes what is old in a piece of a table; says where the next piece begins.';

-- What would go now. Kinds and, of facts, their targets, each with how many seconds it is kept. Facts come first; when all facts are closed
-- before some time, so are the minutes that only they needed.
CREATE OR REPLACE FUNCTION cube.plan_retention(p_kind text[], p_target text[], p_seconds bigint[])
RETURNS TABLE (kind text, subject text, before timestamptz, amount bigint, bytes bigint) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE
	k record;
	a record;
	oldest timestamptz;
BEGIN
	FOR k IN SELECT f.fact, f.target, cube.utc(date_trunc('month', (now() - make_interval(secs => u.seconds)) AT TIME ZONE 'UTC')::date) AS closed
			FROM unnest(p_kind, p_target, p_seconds) u (kind, target, seconds) JOIN cube.fact f ON f.target = u.target WHERE u.kind = 'facts' ORDER BY 1 LOOP
		kind := 'facts'; subject := k.fact; before := k.closed;
		CONTINUE WHEN cube.next_step(k.fact, k.closed) IS NULL;
		EXECUTE format('SELECT coalesce(sum(row_count), 0) FROM cube.%I WHERE lane >= 0 AND day < $1', 'rollup_' || k.target || '_ledger')
		INTO amount USING (k.closed AT TIME ZONE 'UTC')::date;
		bytes := (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c WHERE c.relnamespace = 'cube'::regnamespace
			AND c.relname LIKE k.fact || '\_____\___' AND cube.month_of(c.relname) IS NOT NULL AND cube.utc(cube.month_of(c.relname)) < k.closed);
		RETURN NEXT;
	END LOOP;
	oldest := (SELECT min(greatest(cube.closed_before(f.fact), cube.utc(date_trunc('month', (now() - make_interval(secs => u.seconds)) AT TIME ZONE 'UTC')::date)))
		FROM cube.fact f LEFT JOIN unnest(p_kind, p_target, p_seconds) u (kind, target, seconds) ON u.kind = 'facts' AND u.target = f.target);
	FOR k IN SELECT u.kind, now() - make_interval(secs => u.seconds) AS before FROM unnest(p_kind, p_seconds) u (kind, seconds) WHERE u.kind <> 'facts'
			UNION ALL SELECT 'minutes', oldest WHERE oldest > '-infinity' LOOP
		FOR a IN SELECT * FROM cube.aged(k.kind, k.before) LOOP
			kind := k.kind; subject := a.relation; before := k.before;
			EXECUTE format('SELECT count(*), coalesce(sum(pg_column_size(t)), 0) FROM cube.%I t WHERE %s', a.relation, a.condition) INTO amount, bytes;
			IF amount > 0 THEN RETURN NEXT; END IF;
		END LOOP;
		FOR a IN SELECT h.dimension || '_history' AS relation, s.* FROM cube.histories() h, cube.size_of_old_versions(h.target, k.before) s WHERE k.kind = 'histories' LOOP
			kind := k.kind; subject := a.relation; before := k.before; amount := a.amount; bytes := a.bytes;
			IF amount > 0 THEN RETURN NEXT; END IF;
		END LOOP;
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.plan_retention(text[], text[], bigint[]) IS 'What would go by age, table by table, with rows and bytes.';
