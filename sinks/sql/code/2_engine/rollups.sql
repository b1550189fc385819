-- Exact aggregates of the facts, kept by triggers.

-- cells and sums are "name type = expression over f" and over what p_beside makes of f: "CROSS JOIN LATERAL …". Sums are integers, so
-- that what was added can be taken away again. With p_part_cells and p_part_sums, "name = expression over the fact f", the facts of a batch
-- are summed by these first, and f is such a sum: where a fact has several cells, or many sums of which each is of few facts, a batch of
-- thousands becomes hundreds before that is computed.
CREATE OR REPLACE FUNCTION cube.define_rollup(p_rollup text, p_fact text, p_cells text[], p_sums text[], p_condition text DEFAULT 'true', p_beside text DEFAULT '',
	p_part_cells text[] DEFAULT '{}', p_part_sums text[] DEFAULT '{}')
RETURNS void LANGUAGE plpgsql AS $define$
DECLARE
	parse constant text := '^(\w+) (.+?) = (.+)$';
	parse_part constant text := '^(\w+) = (.+)$';
	cells jsonb := (SELECT jsonb_agg(jsonb_build_array(p[1], p[3]) ORDER BY n) FROM unnest(p_cells) WITH ORDINALITY u (c, n), regexp_match(c, parse) p);
	sums jsonb := (SELECT jsonb_agg(jsonb_build_array(p[1], p[3]) ORDER BY n) FROM unnest(p_sums) WITH ORDINALITY u (c, n), regexp_match(c, parse) p);
BEGIN
	PERFORM cube.need_table(p_rollup,
		ARRAY['lane smallint'] || ARRAY(SELECT format('%s %s', p[1], p[2]) FROM unnest(p_cells || p_sums) c, regexp_match(c, parse) p),
		format('CREATE TABLE cube.%I (%s, lane smallint NOT NULL, %s, PRIMARY KEY (%s, lane))
	WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000)', p_rollup,
			(SELECT string_agg(format('%I %s NOT NULL', p[1], p[2]), ', ' ORDER BY n) FROM unnest(p_cells) WITH ORDINALITY u (c, n), regexp_match(c, parse) p),
			(SELECT string_agg(format('%I %s NOT NULL', p[1], p[2]), ', ' ORDER BY n) FROM unnest(p_sums) WITH ORDINALITY u (c, n), regexp_match(c, parse) p),
			cube.columns_of(cells, '%1$I')));
	PERFORM cube.describe(format('cube.%I', p_rollup)::regclass,
		format('Rollup of %s, exact at every commit. Sum over lane: one lane alone means nothing. Written by triggers only.', p_fact),
		concat_ws(E'\n', cube.columns_of(cells, '%1$s: Cell: %2$s', E'\n'), cube.columns_of(sums, '%1$s: Sum of: %2$s', E'\n'),
			'lane: Which writer''s share of the sum this is; keeps writers from waiting for each other.'));
	INSERT INTO cube.rollup (rollup, fact, cells, sums, beside, parts, condition) VALUES (p_rollup, p_fact, cells, sums, p_beside,
		CASE WHEN p_part_cells = '{}' THEN '{}' ELSE jsonb_build_object(
			'cells', (SELECT jsonb_agg(p ORDER BY n) FROM unnest(p_part_cells) WITH ORDINALITY u (c, n), regexp_match(c, parse_part) p),
			'sums', (SELECT jsonb_agg(p ORDER BY n) FROM unnest(p_part_sums) WITH ORDINALITY u (c, n), regexp_match(c, parse_part) p)) END, p_condition)
	ON CONFLICT (rollup) DO UPDATE SET fact = excluded.fact, position = DEFAULT, cells = excluded.cells, sums = excluded.sums, beside = excluded.beside,
		parts = excluded.parts, condition = excluded.condition, loaded_at = excluded.loaded_at;
	PERFORM cube.note_definition(p_rollup);
	PERFORM cube.build_rollup_triggers(p_fact);
END $define$;
COMMENT ON FUNCTION cube.define_rollup(text, text, text[], text[], text, text, text[], text[]) IS 'Has a fact''s triggers keep a rollup of it.';

-- For counts: sum(bigint) is numeric, which costs a third of a view that sums thousands of cells. This one refuses what does not fit: 9.2e18.
-- Measures are summed by sum(): of a day's durations at 10,000/s that would be a mean of three hours.
CREATE OR REPLACE AGGREGATE cube.total(bigint) (SFUNC = int8pl, STYPE = bigint, INITCOND = '0', COMBINEFUNC = int8pl, PARALLEL = SAFE);
COMMENT ON AGGREGATE cube.total(bigint) IS 'Sum of integers as an integer; 0 of none.';

CREATE OR REPLACE FUNCTION cube.mean(total numeric, n bigint, units double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT total::double precision / nullif(n, 0) / units
$$;
COMMENT ON FUNCTION cube.mean(numeric, bigint, double precision) IS 'Mean of n measures of which the sum is kept in small units, so many of one; NULL of none.';

-- Names or expressions of a registry's list, each through format() with the name as %1$I and the expression as %2$s.
CREATE OR REPLACE FUNCTION cube.columns_of(p_list jsonb, p_pattern text, p_separator text DEFAULT ', ') RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT string_agg(format(p_pattern, c ->> 0, c ->> 1), p_separator ORDER BY n) FROM jsonb_array_elements(p_list) WITH ORDINALITY u (c, n)
$$;
COMMENT ON FUNCTION cube.columns_of(jsonb, text, text) IS 'Columns of a rollup, each through format(), joined.';

-- Rows of a fact, or of a transition table with the sign of its sums, before they are grouped into cells.
CREATE OR REPLACE FUNCTION cube.rollup_source(p_table text, p_sign text, p_cells jsonb, p_sums jsonb, p_beside text, p_condition text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT format('SELECT %s, %s FROM %s f %s WHERE %s', cube.columns_of(p_cells, '%2$s AS %1$I'), cube.columns_of(p_sums, p_sign || '(%2$s) AS %1$I'), p_table, p_beside, p_condition)
$$;
COMMENT ON FUNCTION cube.rollup_source(text, text, jsonb, jsonb, text, text) IS 'The rows that a rollup sums.';

-- The rows that a rollup sums, whichever tables they are of.
CREATE OR REPLACE FUNCTION cube.rollup_rows(r cube.rollup, p_tables text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN r.parts = '{}' THEN rows ELSE cube.rollup_source(
		format('(SELECT %s, %s FROM (%s) p GROUP BY %1$s)', cube.columns_of(r.parts -> 'cells', '%1$I'), cube.columns_of(r.parts -> 'sums', 'sum(%1$I) AS %1$I'), rows),
		'', r.cells, r.sums, r.beside, 'true') END
	FROM (SELECT string_agg(CASE WHEN r.parts = '{}'
			THEN cube.rollup_source(t, CASE WHEN t = 'old_rows' THEN '-' ELSE '' END, r.cells, r.sums, r.beside, r.condition)
			ELSE cube.rollup_source(t, CASE WHEN t = 'old_rows' THEN '-' ELSE '' END, r.parts -> 'cells', r.parts -> 'sums', '', r.condition) END, ' UNION ALL ') AS rows
		FROM unnest(p_tables) t) s
$$;
COMMENT ON FUNCTION cube.rollup_rows(cube.rollup, text[]) IS 'The rows that a rollup sums, those of old_rows with the other sign.';

-- What is legal in every record may not fit into one sum: 92,233 durations of three years (1e8 s, the longest that is taken) fill a bigint of
-- microseconds. A lane's share of such a cell is set aside when it is half full, in a lane 1,000 higher, and the lane begins anew; a sum over
-- lanes stays what it is. One statement may add the other half: 46,116 of the longest to a cell. Lanes end at 32,767: there is room for 32 such
-- shares, which in a day's cell is a mean of 47 hours at 10,000 events a second.
CREATE OR REPLACE FUNCTION cube.large_sums(r cube.rollup, p_pattern text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT format('greatest(%s)', cube.columns_of(jsonb_agg(c ORDER BY n), 'abs(' || p_pattern || ')'))
	FROM jsonb_array_elements(r.sums) WITH ORDINALITY u (c, n) WHERE c ->> 0 ~ '_(us|micro)$' HAVING count(*) > 0
$$;
COMMENT ON FUNCTION cube.large_sums(cube.rollup, text) IS 'The largest of the sums of a rollup that may be large (durations, loads), as an expression; NULL when it has none.';

CREATE OR REPLACE FUNCTION cube.half_full() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 4611686018427387904 $$;
COMMENT ON FUNCTION cube.half_full() IS 'Half of what a bigint holds.';

CREATE OR REPLACE FUNCTION cube.set_aside(p_rollup text, p_lane smallint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE r cube.rollup := (SELECT u FROM cube.rollup u WHERE u.rollup = p_rollup);
BEGIN
	EXECUTE format('UPDATE cube.%1$I r SET lane = (SELECT max(s.lane) + 1000 FROM cube.%1$I s WHERE (%2$s) = (%3$s) AND s.lane >= $1 AND (s.lane - $1) %% 1000 = 0)
		WHERE r.lane = $1 AND %4$s >= cube.half_full()', r.rollup, cube.columns_of(r.cells, 's.%1$I'), cube.columns_of(r.cells, 'r.%1$I'), cube.large_sums(r, 'r.%1$I'))
	USING p_lane;
END $$;
COMMENT ON FUNCTION cube.set_aside(text, smallint) IS 'Has a lane begin anew in the cells of a rollup of which it is half full.';

CREATE OR REPLACE FUNCTION cube.part_of(total numeric, part int, parts int) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
	SELECT div(total, parts) + CASE part WHEN 0 THEN total - parts * div(total, parts) ELSE 0 END
$$;
COMMENT ON FUNCTION cube.part_of(numeric, int, int) IS 'One of so many parts of an integer, counted from 0; together they are all of it.';

-- Cells whose sums may be larger than a bigint, in parts that are not: in as many lanes, which p_lane computes of `part`.
CREATE OR REPLACE FUNCTION cube.insert_in_parts(r cube.rollup, p_source text, p_lane text, p_sum text, p_condition text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('INSERT INTO cube.%1$I AS r (%2$s, lane, %3$s) SELECT %2$s, %4$s, %5$s FROM %6$s, LATERAL (SELECT %7$s) p (parts), generate_series(0, p.parts - 1) part WHERE %8$s',
		r.rollup, cube.columns_of(r.cells, '%1$I'), cube.columns_of(r.sums, '%1$I'), p_lane, cube.columns_of(r.sums, format('cube.part_of(%s, part, p.parts)', p_sum)), p_source,
		coalesce('1 + div(' || cube.large_sums(r, p_sum) || ', cube.half_full())::int', '1'), p_condition)
$$;
COMMENT ON FUNCTION cube.insert_in_parts(cube.rollup, text, text, text, text) IS 'The statement that inserts cells into a rollup, each in as many lanes as its sums need.';

-- One statement that adds the difference new_rows − old_rows to a rollup. `p_tables` says which transition tables there are.
CREATE OR REPLACE FUNCTION cube.rollup_statement(r cube.rollup, p_tables text[]) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format(CASE WHEN large IS NULL THEN '%1$s;'
		ELSE E'WITH kept AS (%1$s\n\t\tRETURNING %2$s >= cube.half_full() AS is_full) SELECT bool_or(k.is_full) INTO is_full FROM kept k;\n\tIF is_full THEN PERFORM cube.set_aside(%3$L, my_lane); END IF;' END,
		statement, large, r.rollup)
	FROM format('INSERT INTO cube.%1$I AS r (%2$s, lane, %3$s) SELECT %2$s, my_lane, %4$s FROM (%5$s) d GROUP BY %2$s HAVING %6$s ORDER BY %2$s
		ON CONFLICT (%2$s, lane) DO UPDATE SET %7$s',
		r.rollup, cube.columns_of(r.cells, '%1$I'), cube.columns_of(r.sums, '%1$I'), cube.columns_of(r.sums, 'coalesce(sum(%1$I), 0)'),
		cube.rollup_rows(r, p_tables), cube.columns_of(r.sums, 'coalesce(sum(%1$I), 0) <> 0', ' OR '),
		cube.columns_of(r.sums, '%1$I = r.%1$I + excluded.%1$I')) statement, cube.large_sums(r, 'r.%1$I') large
$$;
COMMENT ON FUNCTION cube.rollup_statement(cube.rollup, text[]) IS 'The statement by which a trigger adds new minus old rows to a rollup.';

-- Statement triggers with transition tables see exactly the rows that changed, after every lock was waited for: exact under
-- concurrent writers and for hand-made changes. An upsert fires the UPDATE trigger and then the INSERT trigger, both even when
-- empty, so each leaves early.
CREATE OR REPLACE FUNCTION cube.build_rollup_triggers(p_fact text) RETURNS void LANGUAGE plpgsql AS $define$
DECLARE event record;
BEGIN
	FOR event IN SELECT * FROM (VALUES ('insert', ARRAY['new_rows'], 'NEW TABLE AS new_rows', 'new_rows'),
			('delete', ARRAY['old_rows'], 'OLD TABLE AS old_rows', 'old_rows'),
			('update', ARRAY['new_rows', 'old_rows'], 'OLD TABLE AS old_rows NEW TABLE AS new_rows', 'new_rows')) AS e (name, tables, referencing, first_table) LOOP
		EXECUTE format($sql$
CREATE OR REPLACE FUNCTION cube.%1$I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
DECLARE
	my_lane constant smallint := cube.lane();
	is_full boolean;
BEGIN
	IF NOT EXISTS (SELECT FROM %2$I) THEN RETURN NULL; END IF;
	%3$s
	RETURN NULL;
END $body$$sql$, format('rollup_%s_%s', p_fact, event.name), event.first_table,
			(SELECT string_agg(cube.rollup_statement(r, event.tables), E'\n\t' ORDER BY r.position) FROM cube.rollup r WHERE r.fact = p_fact));
		PERFORM cube.define_trigger('rollup_' || event.name, event.name, p_fact, event.referencing, format('rollup_%s_%s', p_fact, event.name));
		EXECUTE format('COMMENT ON FUNCTION cube.%I IS %L', format('rollup_%s_%s', p_fact, event.name), format('Keeps the rollups of %s on %s.', p_fact, event.name));
	END LOOP;
END $define$;
COMMENT ON FUNCTION cube.build_rollup_triggers(text) IS 'Writes the trigger functions of a fact from the registry of rollups.';

-- Durations and other measures in logarithmic buckets, γ = 1.02: counts that add and subtract, 1 % relative error.
-- Bucket b holds γ^(b−1) < v ≤ γ^b; its value is 2γ^b/(γ+1). Basis: DDSketch, https://arxiv.org/abs/1908.10693. 0 has a bucket of its own.
CREATE OR REPLACE FUNCTION cube.log_bucket(v double precision) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN v > 0 THEN ceil(ln(v) / 0.0198026272961797130)::int ELSE -32768 END
$$;
COMMENT ON FUNCTION cube.log_bucket(double precision) IS 'Logarithmic bucket (γ = 1.02) of a measure; -32768 holds zero.';

CREATE OR REPLACE FUNCTION cube.bucket_value(b int) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN b > -32768 THEN 2 * exp(b * 0.0198026272961797130::double precision) / 2.02 ELSE 0 END
$$;
COMMENT ON FUNCTION cube.bucket_value(int) IS 'The value that stands for a logarithmic bucket: within 1 % of every value in it.';
