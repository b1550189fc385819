-- What `gracecube verify` runs, step by step: a step is some days of a fact, a range of keys, a rollup that knows no days. Each comparison is
-- one statement, so of one moment, and true at every moment while writers go on; and it is a short one, so that neither memory nor the age of
-- the snapshot grows with the cube. differing = 0 in every row when all is well. And what it found, so that others than the person who ran it
-- can see it: the metrics, an alert, a dashboard.

SELECT cube.describe('cube.etl_verification', 'Runs of `gracecube verify` in the last 90 days.', $$
	verified_at: when it ended
	checks: how many checks were made
	compared: how many things were compared
	differing: how many of them differed; 0 is right
	example: the first difference
$$);

CREATE OR REPLACE FUNCTION cube.note_verification(p_checks bigint, p_compared bigint, p_differing bigint, p_example text) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	DELETE FROM cube.etl_verification WHERE verified_at < now() - interval '90 days';
	INSERT INTO cube.etl_verification (checks, compared, differing, example) VALUES (p_checks, p_compared, p_differing, left(p_example, 1000))
	ON CONFLICT DO NOTHING;
$$;
COMMENT ON FUNCTION cube.note_verification(bigint, bigint, bigint, text) IS 'Writes one run of `gracecube verify` down.';

-- A condition on a column that counts in smaller units: minutes of days; an end that is NULL is none.
CREATE OR REPLACE FUNCTION cube.within(p_column text, p_units int, p_from int, p_to int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT concat_ws(' AND ', 'true', p_column || ' >= ' || p_from::bigint * p_units, p_column || ' < ' || p_to::bigint * p_units)
$$;
COMMENT ON FUNCTION cube.within(text, int, int, int) IS 'The condition that a column, so many units of which are one, is within ends, of which the second is not included.';

CREATE OR REPLACE FUNCTION cube.rollup_has_days(r cube.rollup) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
	SELECT r.cells @> '[["day"]]' OR r.cells @> '[["hour"]]'
$$;
COMMENT ON FUNCTION cube.rollup_has_days(cube.rollup) IS 'Do the cells of a rollup tell their day?';

-- Facts of days, without those of closed months, whose keys, minutes and links are on their way out.
CREATE OR REPLACE FUNCTION cube.facts_within(p_fact cube.fact, p_from int, p_to int) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('%s AND f.created_at >= %L', cube.within('f.time_key', 1440, p_from, p_to), cube.closed_before(p_fact.fact))
$$;
COMMENT ON FUNCTION cube.facts_within(cube.fact, int, int) IS 'The condition that a fact f is of days, and not of a closed month.';

-- The fact, and what was detached of it and is not dropped yet.
CREATE OR REPLACE FUNCTION cube.tables_of(p_fact text) RETURNS text[] LANGUAGE sql STABLE AS $$
	SELECT ARRAY['cube.' || p_fact] || ARRAY(SELECT format('cube.%I', cube.partition_of(m.fact, m.month)) FROM cube.closed_month m
		WHERE m.fact = p_fact AND m.detached_at IS NOT NULL AND m.dropped_at IS NULL ORDER BY m.month)
$$;
COMMENT ON FUNCTION cube.tables_of(text) IS 'Where the rows of a fact are that its rollups sum.';

-- Cells of a rollup as the rollup has them (was_…) and as the facts say (is_…), of days or of all. What months that were dropped left in it
-- stands in lanes of its own, below 0, and is not looked at.
CREATE OR REPLACE FUNCTION cube.rollup_both_sides(r cube.rollup, p_from int, p_to int) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE kept text := 'true';
BEGIN
	IF p_from IS NOT NULL OR p_to IS NOT NULL THEN
		kept := CASE WHEN r.cells @> '[["hour"]]' THEN cube.within('hour', 24, p_from, p_to)
			ELSE concat_ws(' AND ', 'true', 'day >= ' || quote_literal(date '1970-01-01' + p_from), 'day < ' || quote_literal(date '1970-01-01' + p_to)) END;
		r.condition := format('(%s) AND %s', r.condition, cube.within('f.time_key', 1440, p_from, p_to));
	END IF;
	RETURN format($sql$kept AS (SELECT %1$s, %2$s FROM cube.%3$I WHERE lane >= 0 AND %9$s GROUP BY %1$s HAVING %4$s),
		facts AS (SELECT %1$s, %5$s FROM (%6$s) d GROUP BY %1$s),
		both_sides AS MATERIALIZED (SELECT %1$s, %7$s, %8$s FROM kept k FULL JOIN facts s USING (%1$s))$sql$,
		cube.columns_of(r.cells, '%1$I'), cube.columns_of(r.sums, 'sum(%1$I)::numeric AS %1$I'), r.rollup, cube.columns_of(r.sums, 'sum(%1$I) <> 0', ' OR '),
		cube.columns_of(r.sums, 'coalesce(sum(%1$I), 0)::numeric AS %1$I'), cube.rollup_rows(r, cube.tables_of(r.fact)),
		cube.columns_of(r.sums, 'coalesce(k.%1$I, 0) AS was_%1$s'), cube.columns_of(r.sums, 'coalesce(s.%1$I, 0) AS is_%1$s'), kept);
END $$;
COMMENT ON FUNCTION cube.rollup_both_sides(cube.rollup, int, int) IS 'WITH kept, facts, both_sides: a rollup beside the same aggregate of its facts, of days (counted since 1970) or of all.';

CREATE OR REPLACE FUNCTION cube.verify_rollup(r cube.rollup, p_from int DEFAULT NULL, p_to int DEFAULT NULL)
RETURNS TABLE (check_name text, subject text, compared bigint, differing bigint, example text) LANGUAGE plpgsql AS $$
BEGIN
	check_name := 'rollup equals facts'; subject := r.rollup;
	EXECUTE format($sql$WITH %s SELECT count(*), count(*) FILTER (WHERE (%2$s) IS DISTINCT FROM (%3$s)),
		min(format('cell %%s: rollup %%s, facts %%s', ROW(%4$s), ROW(%2$s), ROW(%3$s))) FILTER (WHERE (%2$s) IS DISTINCT FROM (%3$s)) FROM both_sides$sql$,
		cube.rollup_both_sides(r, p_from, p_to), cube.columns_of(r.sums, 'was_%1$s'), cube.columns_of(r.sums, 'is_%1$s'), cube.columns_of(r.cells, '%1$I'))
		INTO compared, differing, example;
	RETURN NEXT;
END $$;
COMMENT ON FUNCTION cube.verify_rollup(cube.rollup, int, int) IS 'Compares a rollup with its facts, of days (counted since 1970) or of all.';
DROP FUNCTION IF EXISTS cube.verify_rollup_statement(cube.rollup);

CREATE OR REPLACE FUNCTION cube.verify_facts(f cube.fact, p_from int, p_to int)
RETURNS TABLE (check_name text, subject text, compared bigint, differing bigint, example text) LANGUAGE plpgsql AS $$
DECLARE
	r cube.rollup;
	dimension text;
	days constant text := cube.facts_within(f, p_from, p_to);
BEGIN
	FOR r IN SELECT * FROM cube.rollup u WHERE u.fact = f.fact AND cube.rollup_has_days(u) AND cube.is_filled(u.rollup) ORDER BY u.position LOOP
		RETURN QUERY SELECT * FROM cube.verify_rollup(r, p_from, p_to);
	END LOOP;

	subject := f.fact; check_name := 'each fact has its minute';
	EXECUTE format($sql$
		SELECT coalesce(sum(m.n), 0), coalesce(sum(CASE WHEN t.time_key IS NULL THEN m.n ELSE m.wrong END), 0), min(CASE WHEN t.time_key IS NULL THEN m.any_key ELSE m.wrong_key END)
		FROM (SELECT f.time_key, count(*) AS n, min(f.%1$I) AS any_key, count(*) FILTER (WHERE f.time_key <> cube.time_key(f.created_at)) AS wrong,
			min(f.%1$I) FILTER (WHERE f.time_key <> cube.time_key(f.created_at)) AS wrong_key FROM cube.%2$I f WHERE %3$s GROUP BY 1) m
		LEFT JOIN cube.dim_time t USING (time_key)$sql$, f.key_column, f.fact, days) INTO compared, differing, example;
	RETURN NEXT;

	FOR dimension IN SELECT d FROM unnest(ARRAY['mission', 'component', 'tier', 'actor']) d JOIN pg_attribute a ON a.attname = d || '_key'
			WHERE a.attrelid = format('cube.%I', f.fact)::regclass AND NOT a.attisdropped LOOP
		check_name := 'no orphans'; subject := format('%s.%s_key', f.fact, dimension);
		EXECUTE format('SELECT count(*), count(*) FILTER (WHERE d.%1$I IS NULL), min(f.%1$I) FILTER (WHERE d.%1$I IS NULL)::text
			FROM (SELECT f.%1$I FROM cube.%2$I f WHERE %4$s GROUP BY 1) f LEFT JOIN cube.dim_%3$s d USING (%1$I)', dimension || '_key', f.fact, dimension, days)
			INTO compared, differing, example;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.verify_facts(cube.fact, int, int) IS 'Compares the facts of days (counted since 1970) with their rollups, minutes and dimensions.';

-- The fact of a link column's expression, where keys of the target are named by it; else NULL.
CREATE OR REPLACE FUNCTION cube.naming_fact(p_target text, p_expression text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT l.fact FROM cube.fact_link l WHERE l.target = p_target AND strpos(p_expression, format('FROM cube.%I ', l.fact)) > 0
$$;
COMMENT ON FUNCTION cube.naming_fact(text, text) IS 'Which fact a link column is computed from by the keys that it names.';

-- True where a fact f or its key row k has another link than the other facts say; never linked is the same as linked to nothing. p_by_name: n.facts
-- are those that name this key, and a link column is empty where its fact does not: most do not, and each look would be one into every month.
CREATE OR REPLACE FUNCTION cube.link_differs(p_fact cube.fact, p_by_name boolean DEFAULT false) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('((%s) IS DISTINCT FROM (%s)%s) AND NOT %s',
		(SELECT string_agg(format('f.%I', c), ', ' ORDER BY c) FROM jsonb_object_keys(p_fact.links) c),
		(SELECT string_agg(format('(%s)', p_fact.links ->> c), ', ' ORDER BY c) FROM jsonb_object_keys(p_fact.links) c),
		(SELECT coalesce(string_agg(format(CASE c.key WHEN 'has_snapshot' THEN ' OR coalesce(k.%I, false) <> coalesce((%s), false)' ELSE ' OR k.%I IS DISTINCT FROM (%s)' END, c.key,
				CASE WHEN p_by_name AND n.fact IS NOT NULL THEN format('CASE WHEN n.facts && ARRAY[%L, ''closed_link''] THEN %s END', n.fact, c.value) ELSE c.value END), '' ORDER BY c.key), '')
			FROM jsonb_each_text(p_fact.link_columns) c, LATERAL (SELECT cube.naming_fact(p_fact.target, c.value) AS fact) n),
		cube.is_linked_later(p_fact))
$$;
COMMENT ON FUNCTION cube.link_differs(cube.fact, boolean) IS 'The condition that the links of a fact f, or of its key row k, are not what the other facts say, and do not wait to be made so.';
DROP FUNCTION IF EXISTS cube.link_differs(cube.fact), cube.verify_keys_of_facts(cube.fact, int, int);

-- A range of keys that begins behind one key and ends with another, without closed months; an end that is NULL is none. With p_since, from the
-- beginning of its day.
CREATE OR REPLACE FUNCTION cube.keys_within(p_fact cube.fact, p_alias text, p_after text, p_to text, p_since timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat_ws(' AND ', format('%s.created_at >= %L', p_alias, greatest(cube.closed_before(p_fact.fact), date_trunc('day', p_since, 'UTC'))),
		format('%s.%I > ', p_alias, p_fact.key_column) || quote_literal(p_after), format('%s.%I <= ', p_alias, p_fact.key_column) || quote_literal(p_to))
$$;
COMMENT ON FUNCTION cube.keys_within(cube.fact, text, text, text, timestamptz) IS 'The condition that a fact or a key row of it is in a range of keys, and not of a closed month.';

CREATE OR REPLACE FUNCTION cube.named_keys(p_fact cube.fact, p_after text, p_to text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('SELECT n.%1$I, array_agg(n.fact) AS facts FROM (%2$s UNION ALL SELECT c.key, ''closed_link'' FROM cube.closed_link c WHERE c.target = %3$L) n (%1$I, fact) WHERE %4$s GROUP BY 1',
		p_fact.key_column, string_agg(format('SELECT *, %L FROM (%s) l', l.fact, format(l.linked_keys, format('cube.%I', l.fact))), ' UNION ALL ' ORDER BY l.fact), p_fact.target,
		concat_ws(' AND ', 'true', format('n.%I > ', p_fact.key_column) || quote_literal(p_after), format('n.%I <= ', p_fact.key_column) || quote_literal(p_to)))
	FROM cube.fact_link l WHERE l.target = p_fact.target HAVING count(*) > 0
$$;
COMMENT ON FUNCTION cube.named_keys(cube.fact, text, text) IS 'A query of the keys in a range that other facts name, and which facts do; NULL where no fact may.';

-- A range of key rows k beside their facts f: which have no other side, and whose links differ. OFFSET 0: without it each use of `differs` is
-- computed by itself, and its subqueries are most of the time of verify.
CREATE OR REPLACE FUNCTION cube.keys_beside_facts(f cube.fact, p_after text, p_to text, p_since timestamptz) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE named constant text := CASE WHEN f.links <> '{}' THEN cube.named_keys(f, p_after, p_to) END;
BEGIN
	RETURN format($sql$SELECT %1$I AS key, f.time_key, f.created_at IS NULL OR k.created_at IS NULL AS is_lost,
			CASE WHEN f.created_at IS NULL OR k.created_at IS NULL THEN false ELSE %2$s END AS differs
		FROM (SELECT * FROM cube.%3$I f WHERE %4$s) f FULL JOIN (SELECT * FROM cube.key_%5$s k WHERE %6$s) k USING (%1$I, created_at) %7$s OFFSET 0$sql$,
		f.key_column, CASE WHEN f.links = '{}' THEN 'false' ELSE cube.link_differs(f, named IS NOT NULL) END,
		f.fact, cube.keys_within(f, 'f', p_after, p_to, p_since), f.target, cube.keys_within(f, 'k', p_after, p_to, p_since),
		'LEFT JOIN (' || named || format(') n USING (%I)', f.key_column));
END $$;
COMMENT ON FUNCTION cube.keys_beside_facts(cube.fact, text, text, timestamptz) IS 'A query of the keys in a range and their facts: key, time_key of the fact, is_lost, differs.';

-- Without sequential scans, which is what the planner would take for some percent of a table: each step would read all of it.
CREATE OR REPLACE FUNCTION cube.verify_keys(f cube.fact, p_after text, p_to text, p_since timestamptz)
RETURNS TABLE (check_name text, subject text, compared bigint, differing bigint, example text) LANGUAGE plpgsql SET enable_seqscan = off SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
	linked bigint;
	link_differing bigint;
	link_example text;
BEGIN
	subject := f.fact; check_name := 'each key has its one fact';
	EXECUTE format('SELECT count(*), count(*) FILTER (WHERE is_lost), min(key) FILTER (WHERE is_lost), count(*) FILTER (WHERE NOT is_lost), count(*) FILTER (WHERE differs), min(key) FILTER (WHERE differs)
		FROM (%s) l', cube.keys_beside_facts(f, p_after, p_to, p_since)) INTO compared, differing, example, linked, link_differing, link_example;
	RETURN NEXT;
	IF f.links <> '{}' THEN
		check_name := 'links are what the other facts say'; compared := linked; differing := link_differing; example := link_example;
		RETURN NEXT;
	END IF;
END $$;
COMMENT ON FUNCTION cube.verify_keys(cube.fact, text, text, timestamptz) IS 'Compares keys, in a range, with their facts, and the links in both.';

-- Columns that a dimension and its history both have, but for the number of the version.
CREATE OR REPLACE FUNCTION cube.history_columns(p_dim text) RETURNS text[] LANGUAGE sql STABLE AS $$
	SELECT array_agg(h.attname::text ORDER BY h.attnum) FROM pg_attribute h JOIN pg_attribute d ON d.attname = h.attname
	WHERE h.attrelid = format('cube.%I', p_dim || '_history')::regclass AND d.attrelid = format('cube.%I', p_dim)::regclass
		AND h.attnum > 0 AND d.attnum > 0 AND h.attname <> 'loaded_at'
$$;
COMMENT ON FUNCTION cube.history_columns(text) IS 'The columns that a dimension and its history share.';

CREATE OR REPLACE FUNCTION cube.verify_history(p_target text, p_from int, p_to int)
RETURNS TABLE (check_name text, subject text, compared bigint, differing bigint, example text) LANGUAGE plpgsql AS $$
DECLARE
	dim constant text := 'dim_' || rtrim(p_target, 's');
	key constant text := rtrim(p_target, 's') || '_key';
	shared constant text[] := cube.history_columns(dim);
	members constant text := cube.within(format('d.%I', key), 1, p_from, p_to);
BEGIN
	subject := dim || '_history';
	check_name := 'ranges do not overlap, one is current';
	EXECUTE format($sql$
		SELECT count(*), count(*) FILTER (WHERE bad), min(key) FILTER (WHERE bad)::text FROM (
			SELECT d.%1$I AS key, coalesce(lead(d.effective_from) OVER w < d.effective_to, false) OR coalesce(d.effective_to IS NULL AND lead(d.effective_from) OVER w IS NOT NULL, false)
				OR d.is_current <> (d.effective_to IS NULL)
				OR (lead(d.version_number) OVER w IS NULL AND ROW(%2$s, false) IS DISTINCT FROM (SELECT ROW(%3$s, m.is_inferred) FROM cube.%4$I m WHERE m.%1$I = d.%1$I)) AS bad
			FROM cube.%5$I d WHERE %6$s WINDOW w AS (PARTITION BY d.%1$I ORDER BY d.version_number)) v$sql$,
		key, cube.list('d.%I', shared), cube.list('m.%I', shared), dim, dim || '_history', members) INTO compared, differing, example;
	RETURN NEXT;

	-- a version too many, one too few, a gap: what the ranges alone do not show
	check_name := 'history is what its versions say';
	EXECUTE format('SELECT count(*), count(*) FILTER (WHERE (%2$s) IS DISTINCT FROM (%3$s)), min(%1$I) FILTER (WHERE (%2$s) IS DISTINCT FROM (%3$s))::text
		FROM (SELECT * FROM cube.%5$I d WHERE %6$s) h FULL JOIN cube.history_of_%7$s(ARRAY(SELECT d.%1$I FROM cube.%4$I d WHERE %6$s)) v USING (%1$I, version_number)',
		key, cube.list('h.%I', array_remove(shared, key)), cube.list('v.%I', array_remove(shared, key)), dim, dim || '_history', members, p_target) INTO compared, differing, example;
	RETURN NEXT;
END $$;
COMMENT ON FUNCTION cube.verify_history(text, int, int) IS 'Compares the history of members with all their versions, and the members with their history.';

CREATE OR REPLACE FUNCTION cube.verify_bookkeeping() RETURNS TABLE (check_name text, subject text, compared bigint, differing bigint, example text)
LANGUAGE plpgsql AS $$
DECLARE
	h cube.horizon;
	r cube.rollup;
	d record;
	cells bigint;
BEGIN
	check_name := 'triggers are on'; subject := 'facts';
	SELECT count(*), count(*) FILTER (WHERE bad), min(what) FILTER (WHERE bad) INTO compared, differing, example
	FROM (SELECT f.fact || '.' || w.name AS what, t.oid IS NULL OR t.tgenabled NOT IN ('O', 'A') AS bad
		FROM cube.fact f CROSS JOIN unnest(ARRAY['rollup_insert', 'rollup_update', 'rollup_delete', 'forget_delete']) w (name)
		LEFT JOIN pg_trigger t ON t.tgrelid = format('cube.%I', f.fact)::regclass AND t.tgname = w.name
		UNION SELECT f.fact || '.' || t.tgname, t.tgenabled NOT IN ('O', 'A')
		FROM cube.fact f JOIN pg_trigger t ON t.tgrelid = format('cube.%I', f.fact)::regclass WHERE NOT t.tgisinternal) t;
	RETURN NEXT;

	-- tables that stand beside a fact by the name of one of its months, and that retention did not detach: their rows are missing, and come back with them
	check_name := 'months are attached'; subject := 'facts';
	SELECT count(*), count(*) FILTER (WHERE apart), min(format('%s stands apart; ALTER TABLE cube.%s ATTACH PARTITION cube.%1$s', part, fact)) FILTER (WHERE apart)
	INTO compared, differing, example
	FROM (SELECT c.relname AS part, f.fact, NOT c.relispartition AND NOT EXISTS (SELECT FROM cube.closed_month m WHERE m.fact = f.fact AND m.detached_at IS NOT NULL
			AND m.dropped_at IS NULL AND cube.partition_of(m.fact, m.month) = c.relname) AS apart
		FROM cube.fact f JOIN pg_class c ON c.relname ~ format('^%s_(\d{4}_\d{2}|to_\d{4}m\d{2})$', f.fact) WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind = 'r') p;
	RETURN NEXT;

	check_name := 'rollups are filled'; subject := 'rollup_fill';
	SELECT count(*), count(*) FILTER (WHERE u.filled_at IS NULL), min(u.rollup) FILTER (WHERE u.filled_at IS NULL)
	INTO compared, differing, example FROM cube.rollup_fill u;
	RETURN NEXT;

	check_name := 'ledger closed'; subject := 'etl_offset';
	SELECT count(*), count(*) FILTER (WHERE bad), min(place) FILTER (WHERE bad) INTO compared, differing, example
	FROM (SELECT o.applied + o.superseded + o.dead + o.ignored <> o.next_offset - o.first_offset OR least(o.applied, o.superseded, o.dead, o.ignored) < 0 AS bad,
		format('%s[%s]', o.topic, o.partition) AS place FROM cube.etl_offset o) l;
	RETURN NEXT;

	-- a dead letter that was retried or discarded is still one of its partition's; one that is gone was counted when it went
	check_name := 'dead letters are in the ledger'; subject := 'etl_dead_letter';
	SELECT count(*), count(*) FILTER (WHERE m.missing <> 0),
		min(format('%s[%s]: ledger %s, kept %s, dropped %s', m.topic, m.partition, m.dead, m.kept, m.dropped)) FILTER (WHERE m.missing <> 0)
	INTO compared, differing, example FROM cube.missing_dead_letters() m;
	RETURN NEXT;

	check_name := 'dead letters are counted'; subject := 'etl_dead_letter_ledger';
	SELECT count(*), count(*) FILTER (WHERE differs), min(place) FILTER (WHERE differs) INTO compared, differing, example
	FROM (SELECT format('%s[%s] %s: counted %s of %s bytes, %s worked off; kept %s of %s, %s', topic, partition, stream, l.letters, l.bytes, l.worked,
			coalesce(k.letters, 0), coalesce(k.bytes, 0), coalesce(k.worked, 0)) AS place,
			(l.letters, l.bytes, l.worked) IS DISTINCT FROM (coalesce(k.letters, 0), coalesce(k.bytes, 0), coalesce(k.worked, 0)) AS differs
		FROM cube.etl_dead_letter_ledger l FULL JOIN (SELECT k.group_id, k.topic, k.partition, k.stream, count(*) AS letters,
				sum(k.bytes)::bigint AS bytes, count(k.outcome) AS worked FROM cube.etl_dead_letter k WHERE k.bytes IS NOT NULL GROUP BY 1, 2, 3, 4) k
			USING (group_id, topic, partition, stream)) b;
	RETURN NEXT;

	FOR check_name, subject, compared, differing, example IN SELECT 'links wait for their slice', q.target, count(*), 0, min(format('%s %s since %s', q.column_name, q.value, q.queued_at))
			FROM cube.relink_queue q GROUP BY q.target ORDER BY q.target LOOP
		RETURN NEXT;
	END LOOP;

	-- of what cannot be computed again: how many cells, or members, and since when
	FOR h IN SELECT * FROM cube.horizon ORDER BY fact LOOP
		check_name := 'closed, can not be computed again'; subject := h.fact; compared := 0; differing := 0;
		FOR r IN SELECT * FROM cube.rollup u WHERE u.fact = h.fact LOOP
			EXECUTE format('SELECT count(*) FROM cube.%I WHERE lane < 0', r.rollup) INTO cells;
			compared := compared + cells;
		END LOOP;
		example := format('facts before %s are dropped, closed on %s', (h.closed_before AT TIME ZONE 'UTC')::date, (h.closed_at AT TIME ZONE 'UTC')::date);
		RETURN NEXT;
	END LOOP;
	FOR d IN SELECT * FROM cube.histories() LOOP
		check_name := 'closed, can not be computed again'; subject := d.dimension || '_history'; differing := 0;
		EXECUTE format($sql$SELECT count(*), format('what ended before %%s is gone, last on %%s', (max(closed_before) AT TIME ZONE 'UTC')::date, (max(loaded_at) AT TIME ZONE 'UTC')::date)
			FROM cube.%I$sql$, 'base_' || d.target) INTO compared, example;
		IF compared > 0 THEN RETURN NEXT; END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.verify_bookkeeping() IS 'Looks at triggers, the ledger of the positions and the dead letters, and says what was dropped.';

-- ---- the steps ----

-- The days of a fact, so many rows a step, from its row ledger; that only decides how large the steps are, since the first and the last have no
-- end. A step that is looked at alone, as one of a sample, is one day.
CREATE OR REPLACE FUNCTION cube.verify_days(p_fact cube.fact, p_rows bigint, p_since timestamptz) RETURNS TABLE (from_at text, to_at text, row_count bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE first_day constant int := floor(date_part('epoch', p_since) / 86400);
BEGIN
	RETURN QUERY EXECUTE format($sql$
		WITH days AS (SELECT day - date '1970-01-01' AS day, greatest(sum(row_count), 0) AS n FROM cube.%I WHERE lane >= 0 GROUP BY 1),
		steps AS (SELECT (d.before / $1)::bigint AS step, min(d.day) AS first_day, sum(d.n) AS n
			FROM (SELECT day, n, sum(n) OVER (ORDER BY day) - n AS before FROM days WHERE day > $2 OR $2 IS NULL) d GROUP BY 1)
		SELECT (CASE WHEN lag(step) OVER w IS NULL THEN $2 ELSE first_day END)::text, (lead(first_day) OVER w)::text, n::bigint FROM steps WINDOW w AS (ORDER BY step)
		UNION ALL SELECT $2::text, NULL, 0 WHERE NOT EXISTS (SELECT FROM steps)$sql$, 'rollup_' || p_fact.target || '_ledger') USING p_rows::numeric, first_day;
END $$;
COMMENT ON FUNCTION cube.verify_days(cube.fact, bigint, timestamptz) IS 'Cuts a fact into days that hold about so many rows.';

CREATE OR REPLACE FUNCTION cube.verify_key_ranges(p_fact cube.fact, p_rows bigint) RETURNS TABLE (from_at text, to_at text, row_count bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN QUERY EXECUTE format($sql$
		WITH ends AS (SELECT k.%1$I::text AS key, k.n FROM (SELECT %1$I, row_number() OVER (ORDER BY %1$I) AS n FROM cube.key_%2$s) k WHERE k.n %% $1 = 0)
		SELECT lag(key) OVER (ORDER BY n), key, $1 FROM ends UNION ALL SELECT (SELECT key FROM ends ORDER BY n DESC LIMIT 1), NULL, 0$sql$,
		p_fact.key_column, p_fact.target) USING p_rows;
END $$;
COMMENT ON FUNCTION cube.verify_key_ranges(cube.fact, bigint) IS 'Cuts the keys of a fact into ranges of so many.';

CREATE OR REPLACE FUNCTION cube.verify_members(p_target text, p_rows int) RETURNS TABLE (from_at text, to_at text, row_count bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT CASE WHEN lag(m) OVER w IS NOT NULL THEN m END::text, (lead(m) OVER w)::text, 0::bigint
		FROM (SELECT %I / $1 * $1 AS m FROM cube.dim_%s GROUP BY 1) d WINDOW w AS (ORDER BY m)', rtrim(p_target, 's') || '_key', rtrim(p_target, 's')) USING p_rows;
END $$;
COMMENT ON FUNCTION cube.verify_members(text, int) IS 'Cuts the members of a dimension into ranges of keys.';

-- p_share: 0 to 1, or NULL; p_sample: so many facts of each kind, or NULL. Rollups that know no days cannot be looked at in part: left out with
-- any of p_since, p_share, p_sample. Histories come first, then facts: what is repaired in that order needs no second look.
CREATE OR REPLACE FUNCTION cube.verify_plan(p_since timestamptz DEFAULT NULL, p_share double precision DEFAULT NULL, p_sample bigint DEFAULT NULL)
RETURNS TABLE (step bigint, kind text, subject text, from_at text, to_at text, row_count bigint) LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE
	in_part constant boolean := p_since IS NOT NULL OR p_share IS NOT NULL OR p_sample IS NOT NULL;
	is_sample constant boolean := p_share IS NOT NULL OR p_sample IS NOT NULL;
	-- so many facts a step: their comparison takes some megabytes and a few seconds
	rows_of_days constant bigint := CASE WHEN is_sample THEN 1 ELSE 100000 END;
	rows_of_keys constant bigint := CASE WHEN is_sample THEN 1000 ELSE 50000 END;
BEGIN
	RETURN QUERY
	WITH steps AS (
		SELECT 1 AS place, '' AS fact, 'bookkeeping' AS kind, '' AS subject, NULL::text AS from_at, NULL::text AS to_at, 0::bigint AS row_count, 1::bigint AS place_in
		UNION ALL SELECT 2, '', 'history', t.target, m.* FROM cube.histories() t, cube.verify_members(t.target, 5000) WITH ORDINALITY m
		UNION ALL SELECT 3, f.fact, 'facts', f.fact, d.* FROM cube.fact f, cube.verify_days(f, rows_of_days, p_since) WITH ORDINALITY d
		UNION ALL SELECT 3, f.fact, 'keys', f.fact, k.* FROM cube.fact f, cube.verify_key_ranges(f, rows_of_keys) WITH ORDINALITY k
		UNION ALL SELECT 4, r.fact, 'rollup', r.rollup, NULL, NULL, 0, 1 FROM cube.rollup r WHERE NOT cube.rollup_has_days(r) AND NOT in_part AND cube.is_filled(r.rollup)),
	totals AS (SELECT s.fact, sum(s.row_count) AS n FROM steps s WHERE s.kind = 'facts' GROUP BY 1),
	drawn AS (SELECT s.place, s.place_in, s.fact, s.kind, s.subject, s.from_at, s.to_at, CASE s.kind WHEN 'rollup' THEN coalesce(t.n, 0)::bigint ELSE s.row_count END AS row_count,
			row_number() OVER w AS nth, count(*) OVER (PARTITION BY s.kind, s.subject) AS parts, coalesce(p_share, least(1, p_sample / nullif(t.n, 0)), 1) AS share
		FROM steps s LEFT JOIN totals t USING (fact) WINDOW w AS (PARTITION BY s.kind, s.subject ORDER BY random()))
	SELECT row_number() OVER (ORDER BY d.place, d.fact, d.kind, d.subject, d.place_in), d.kind, d.subject, d.from_at, d.to_at, d.row_count FROM drawn d
	WHERE NOT is_sample OR d.kind IN ('bookkeeping', 'history') OR d.nth <= greatest(1, ceil(d.share * d.parts));
END $$;
COMMENT ON FUNCTION cube.verify_plan(timestamptz, double precision, bigint) IS 'The steps of `gracecube verify`: of all, of what is not older than a time, or of a sample.';

CREATE OR REPLACE FUNCTION cube.verify_step(p_kind text, p_subject text, p_from text, p_to text, p_since timestamptz DEFAULT NULL)
RETURNS TABLE (check_name text, subject text, compared bigint, differing bigint, example text) LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
BEGIN
	PERFORM cube.hold_months();
	CASE p_kind
		WHEN 'bookkeeping' THEN RETURN QUERY SELECT * FROM cube.verify_bookkeeping();
		WHEN 'history' THEN RETURN QUERY SELECT * FROM cube.verify_history(p_subject, p_from::int, p_to::int);
		WHEN 'facts' THEN RETURN QUERY SELECT v.* FROM cube.fact f, cube.verify_facts(f, p_from::int, p_to::int) v WHERE f.fact = p_subject;
		WHEN 'keys' THEN RETURN QUERY SELECT v.* FROM cube.fact f, cube.verify_keys(f, p_from, p_to, p_since) v WHERE f.fact = p_subject;
		WHEN 'rollup' THEN RETURN QUERY SELECT v.* FROM cube.rollup r, cube.verify_rollup(r) v WHERE r.rollup = p_subject;
	END CASE;
END $$;
COMMENT ON FUNCTION cube.verify_step(text, text, text, text, timestamptz) IS 'One step of cube.verify_plan(): one row a check, differing 0 when all is well.';

-- All at once: in a transaction of its own isolation REPEATABLE READ, of one moment.
CREATE OR REPLACE FUNCTION cube.verify() RETURNS TABLE (check_name text, subject text, compared bigint, differing bigint, example text)
LANGUAGE sql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	SELECT v.check_name, v.subject, sum(v.compared)::bigint, sum(v.differing)::bigint, min(v.example)
	FROM cube.verify_plan() p CROSS JOIN LATERAL cube.verify_step(p.kind, p.subject, p.from_at, p.to_at) v GROUP BY 1, 2 ORDER BY min(p.step), 1, 2
$$;
COMMENT ON FUNCTION cube.verify() IS 'Proves the cube: triggers, ledger, histories, rollups, keys, links, orphans. differing is 0 in every row when all is well.';
