-- What `gracecube verify` runs, in one REPEATABLE READ snapshot: one row a check, differing = 0 when all is well. And what it found, so that
-- others than the person who ran it can see it: the metrics, an alert, a dashboard.

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

-- The fact, and what was detached of it and is not dropped yet.
CREATE OR REPLACE FUNCTION cube.tables_of(p_fact text) RETURNS text[] LANGUAGE sql STABLE AS $$
	SELECT ARRAY['cube.' || p_fact] || ARRAY(SELECT format('cube.%I', cube.partition_of(m.fact, m.month)) FROM cube.closed_month m
		WHERE m.fact = p_fact AND m.detached_at IS NOT NULL AND m.dropped_at IS NULL ORDER BY m.month)
$$;
COMMENT ON FUNCTION cube.tables_of(text) IS 'Where the rows of a fact are that its rollups sum.';

-- The comparison of one rollup with the same aggregate of the facts; what months that were dropped left in it stands in a lane of its own.
CREATE OR REPLACE FUNCTION cube.verify_rollup_statement(r cube.rollup) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format($sql$
		WITH kept AS (SELECT %1$s, %2$s FROM cube.%3$I WHERE lane <> -1 GROUP BY %1$s HAVING %4$s),
		facts AS (SELECT %1$s, %5$s FROM (%6$s) d GROUP BY %1$s),
		both_sides AS (SELECT %1$s, (%7$s) IS DISTINCT FROM (%8$s) AS differs,
				format('cell %%s: rollup %%s, facts %%s', ROW(%1$s), ROW(%7$s), ROW(%8$s)) AS what
			FROM kept k FULL JOIN facts s USING (%1$s))
		SELECT count(*), count(*) FILTER (WHERE differs), min(what) FILTER (WHERE differs) FROM both_sides$sql$,
		cube.columns_of(r.cells, '%1$I'), cube.columns_of(r.sums, 'sum(%1$I)::numeric AS %1$I'), r.rollup, cube.columns_of(r.sums, 'sum(%1$I) <> 0', ' OR '),
		cube.columns_of(r.sums, 'coalesce(sum(%1$I), 0)::numeric AS %1$I'), cube.rollup_rows(r, cube.tables_of(r.fact)),
		cube.columns_of(r.sums, 'coalesce(k.%1$I, 0)'), cube.columns_of(r.sums, 'coalesce(s.%1$I, 0)'))
$$;
COMMENT ON FUNCTION cube.verify_rollup_statement(cube.rollup) IS 'The statement that compares a rollup with its facts.';

CREATE OR REPLACE FUNCTION cube.verify() RETURNS TABLE (check_name text, subject text, compared bigint, differing bigint, example text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $define$
DECLARE
	f record;
	r cube.rollup;
	d record;
	gone bigint;
BEGIN
	PERFORM pg_advisory_xact_lock_shared(7240009); -- no month is dropped meanwhile
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

	FOR r IN SELECT * FROM cube.rollup ORDER BY fact, position LOOP
		check_name := 'rollup equals facts'; subject := r.rollup;
		EXECUTE cube.verify_rollup_statement(r) INTO compared, differing, example;
		RETURN NEXT;
	END LOOP;

	FOR f IN SELECT * FROM cube.fact ORDER BY fact LOOP
		check_name := 'each key has its one fact'; subject := f.fact;
		EXECUTE format($sql$
			SELECT count(*), count(*) FILTER (WHERE f.%1$I IS NULL OR k.%1$I IS NULL), min(coalesce(f.%1$I, k.%1$I)) FILTER (WHERE f.%1$I IS NULL OR k.%1$I IS NULL)
			FROM (SELECT * FROM cube.%2$I WHERE created_at >= %4$L) f FULL JOIN (SELECT * FROM cube.key_%3$s WHERE created_at >= %4$L) k
				ON k.%1$I = f.%1$I AND k.created_at = f.created_at$sql$,
			f.key_column, f.fact, f.target, cube.closed_before(f.fact)) INTO compared, differing, example;
		RETURN NEXT;
		check_name := 'each fact has its minute'; subject := f.fact;
		EXECUTE format($sql$
			SELECT count(*), count(*) FILTER (WHERE t.time_key IS NULL OR f.time_key <> cube.time_key(f.created_at)), min(f.%1$I) FILTER (WHERE t.time_key IS NULL OR f.time_key <> cube.time_key(f.created_at))
			FROM cube.%2$I f LEFT JOIN cube.dim_time t USING (time_key) WHERE f.created_at >= %3$L$sql$, f.key_column, f.fact, cube.closed_before(f.fact)) INTO compared, differing, example;
		RETURN NEXT;
		IF f.links <> '{}' THEN
			check_name := 'links are what the other facts say'; subject := f.fact;
			EXECUTE format($sql$
				SELECT count(*), count(*) FILTER (WHERE differs), min(%1$I) FILTER (WHERE differs) FROM (
					SELECT k.%1$I, (%2$s) IS DISTINCT FROM (%3$s) %4$s AS differs
					FROM cube.key_%5$s k JOIN cube.%6$I f ON f.%1$I = k.%1$I AND f.created_at = k.created_at WHERE k.created_at >= %7$L) l$sql$,
				f.key_column,
				(SELECT string_agg(format('f.%I', c), ', ' ORDER BY c) FROM jsonb_object_keys(f.links) c),
				(SELECT string_agg(format('(%s)', f.links ->> c), ', ' ORDER BY c) FROM jsonb_object_keys(f.links) c),
				(SELECT coalesce(string_agg(format(' OR k.%I IS DISTINCT FROM coalesce((%s), %s)', c, f.link_columns ->> c,
					-- never linked is the same as linked to nothing
					CASE c WHEN 'has_snapshot' THEN 'false' ELSE 'NULL' END), '' ORDER BY c), '') FROM jsonb_object_keys(f.link_columns) c
					WHERE c <> 'has_snapshot'),
				f.target, f.fact, cube.closed_before(f.fact)) INTO compared, differing, example;
			RETURN NEXT;
		END IF;
	END LOOP;

	-- of what cannot be computed again: how many cells, and since when
	FOR f IN SELECT h.fact, h.closed_before, h.closed_at FROM cube.horizon h ORDER BY 1 LOOP
		check_name := 'closed, can not be computed again'; subject := f.fact; compared := 0; differing := 0;
		FOR r IN SELECT * FROM cube.rollup u WHERE u.fact = f.fact LOOP
			EXECUTE format('SELECT count(*) FROM cube.%I WHERE lane = -1', r.rollup) INTO gone;
			compared := compared + gone;
		END LOOP;
		example := format('facts before %s are dropped, closed on %s', (f.closed_before AT TIME ZONE 'UTC')::date, (f.closed_at AT TIME ZONE 'UTC')::date);
		RETURN NEXT;
	END LOOP;

	FOR d IN SELECT c.table_name AS fact, c.column_name AS col, replace(c.column_name, '_key', '') AS dim
		FROM information_schema.columns c JOIN cube.fact known ON known.fact = c.table_name
		WHERE c.table_schema = 'cube' AND c.column_name IN ('mission_key', 'component_key', 'tier_key', 'actor_key') ORDER BY 1, 2
	LOOP
		check_name := 'no orphans'; subject := d.fact || '.' || d.col;
		EXECUTE format('SELECT count(*), count(*) FILTER (WHERE d.%1$I IS NULL), min(f.%1$I) FILTER (WHERE d.%1$I IS NULL)::text FROM (SELECT %1$I FROM cube.%2$I GROUP BY 1) f LEFT JOIN cube.dim_%3$s d USING (%1$I)',
			d.col, d.fact, d.dim) INTO compared, differing, example;
		RETURN NEXT;
	END LOOP;

	FOR d IN SELECT * FROM (VALUES ('mission'), ('tier')) v (dim) LOOP
		check_name := 'ranges do not overlap, one is current'; subject := format('dim_%s_history', d.dim);
		EXECUTE format($sql$
			SELECT count(*), count(*) FILTER (WHERE bad), min(key) FILTER (WHERE bad)::text FROM (
				SELECT h.%1$I AS key, coalesce(lead(h.effective_from) OVER w < h.effective_to, false) OR coalesce(h.effective_to IS NULL AND lead(h.effective_from) OVER w IS NOT NULL, false)
					OR h.is_current <> (h.effective_to IS NULL)
					OR (lead(h.version_number) OVER w IS NULL AND ROW(%4$s) IS DISTINCT FROM (SELECT ROW(%5$s) FROM cube.%2$I d WHERE d.%1$I = h.%1$I)) AS bad
				FROM cube.%3$I h WINDOW w AS (PARTITION BY h.%1$I ORDER BY h.version_number)) v$sql$,
			d.dim || '_key', 'dim_' || d.dim, format('dim_%s_history', d.dim),
			-- the current member is its last version, in every column that both have
			(SELECT string_agg(format('h.%I', c.column_name), ', ' ORDER BY c.ordinal_position) FROM information_schema.columns c
				WHERE c.table_schema = 'cube' AND c.table_name = 'dim_' || d.dim || '_history' AND c.column_name NOT IN ('version_number', 'loaded_at')),
			(SELECT string_agg(format('d.%I', c.column_name), ', ' ORDER BY c.ordinal_position) FROM information_schema.columns c
				WHERE c.table_schema = 'cube' AND c.table_name = 'dim_' || d.dim || '_history' AND c.column_name NOT IN ('version_number', 'loaded_at')))
			INTO compared, differing, example;
		RETURN NEXT;
	END LOOP;
END $define$;
COMMENT ON FUNCTION cube.verify() IS 'Proves the cube: ledger, rollups, keys, links, orphans, histories. differing is 0 in every row when all is well.';
