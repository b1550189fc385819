-- The mechanism of every fact, written once: a stream's SQL file declares its tables and calls
--   cube.define_fact(…)     keys with versions, monthly partitions, the merge function, links to other streams
--   cube.define_rollup(…)   exact aggregates by statement triggers with transition tables
--   cube.define_history(…)  dimensions that keep all versions (slowly changing, type 2)
-- The functions they generate are ordinary plpgsql: \sf cube.merge_<target> shows what runs.
--
-- Why a key table beside each fact. A unique key of a partitioned table must hold the partition column, so (id, created_at)
-- alone would double a fact whose created_at is corrected, and a record that knows only the id (a delete, a link) could not
-- find it. cube.key_<target> is the one place that knows an id: its version, which partition holds the row, and what other
-- streams say about it. It keeps the mark of a deleted row, so that a late older version does not bring it back; and every
-- writer locks it first, in key order, so that of two transactions which link to each other the second sees the first.

CREATE TABLE cube.fact (
	fact text PRIMARY KEY,
	target text NOT NULL UNIQUE,
	key_column text NOT NULL,
	links jsonb NOT NULL,
	link_columns jsonb NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE cube.fact IS 'Registry of fact tables, for verify and maintenance.';
SELECT cube.comment_columns('cube.fact', $$
	fact: table
	target: its merge function is cube.merge_<target>, its key table cube.key_<target>
	key_column: natural key, the table's primary key together with created_at
	links: columns of the fact that are computed from its key row: {"column": "expression over k"}
	link_columns: columns of the key row that are computed from other facts: {"column": "expression over k"}
	loaded_at: when it was defined
$$);

CREATE TABLE cube.rollup (
	rollup text PRIMARY KEY,
	fact text NOT NULL,
	position int GENERATED ALWAYS AS IDENTITY,
	cells jsonb NOT NULL,
	sums jsonb NOT NULL,
	beside text NOT NULL,
	parts jsonb NOT NULL,
	condition text NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE cube.rollup IS 'Registry of rollups: what each row is the sum of, for the triggers and for verify.';
SELECT cube.comment_columns('cube.rollup', $$
	rollup: table
	fact: the fact it sums
	position: order in which a trigger writes them
	cells: the cell's columns: [[name, expression over f], …]
	sums: the summed columns: [[name, expression over f], …], integers all
	beside: what stands beside f in FROM: makes several cells of one row
	parts: what f is: the fact itself when empty; else groups of facts, {"cells": …, "sums": …} as above, each expression over the fact f
	condition: which facts count
	loaded_at: when it was defined
$$);

-- Partitions ------------------------------------------------------------------------------------------------------------

-- Made apart and attached: ATTACH lets readers and writers of the other partitions go on. A record is sent again at each change of
-- state, soon after it came: with a fillfactor of 60 nine updates in ten find room on their page and touch no index, with 85 it
-- were four, and the table was as large in the end.
CREATE FUNCTION cube.ensure_partition(p_target text, p_month int) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE
	fact_name text := (SELECT f.fact FROM cube.fact f WHERE f.target = p_target);
	first_day date := (date '1970-01-01' + make_interval(months => p_month))::date;
	part text := format('%s_%s', fact_name, to_char(first_day, 'YYYY_MM'));
BEGIN
	IF to_regclass(format('cube.%I', part)) IS NOT NULL THEN RETURN; END IF;
	PERFORM pg_advisory_xact_lock(7240002, hashtext(part));
	-- asked of the table: to_regclass() may answer from what this session knew before it waited
	IF EXISTS (SELECT FROM pg_class c WHERE c.relname = part AND c.relnamespace = 'cube'::regnamespace) THEN RETURN; END IF;
	EXECUTE format('CREATE TABLE cube.%I (LIKE cube.%I INCLUDING ALL, CHECK (created_at >= %L AND created_at < %L))
		WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000,
			autovacuum_analyze_scale_factor = 0.02)',
		part, fact_name, first_day::timestamp AT TIME ZONE 'UTC', (first_day + interval '1 month')::timestamp AT TIME ZONE 'UTC');
	EXECUTE format('ALTER TABLE cube.%I ATTACH PARTITION cube.%I FOR VALUES FROM (%L) TO (%L)', fact_name, part,
		first_day::timestamp AT TIME ZONE 'UTC', (first_day + interval '1 month')::timestamp AT TIME ZONE 'UTC');
	EXECUTE format('COMMENT ON TABLE cube.%I IS %L', part, format('%s of %s.', fact_name, to_char(first_day, 'FMMonth YYYY')));
END $$;
COMMENT ON FUNCTION cube.ensure_partition(text, int) IS 'Makes the partition of a month (counted since January 1970) if it is not there.';

CREATE FUNCTION cube.ensure_partitions(p_target text[], p_month int[]) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE wanted record;
BEGIN
	FOR wanted IN SELECT * FROM unnest(p_target, p_month) AS u (target, month) ORDER BY u.target, u.month LOOP
		PERFORM cube.ensure_partition(wanted.target, wanted.month);
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.ensure_partitions(text[], int[]) IS 'Makes partitions that are not there.';

-- Facts -------------------------------------------------------------------------------------------------------------------

-- "a, b, c" from a format of %1$I and a list of names.
CREATE FUNCTION cube.list(pattern text, names text[], separator text DEFAULT ', ') RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT coalesce(string_agg(format(pattern, n), separator ORDER BY i), '') FROM unnest(names) WITH ORDINALITY u (n, i)
$$;
COMMENT ON FUNCTION cube.list(text, text[], text) IS 'Names, each through format(), joined.';

-- What says "as it was" in a column that keeps: a text that no source writes, and for a measure the number that no measure is.
CREATE FUNCTION cube.kept_mark(p_fact text, p_column text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN atttypid = 'float8'::regtype THEN 'NaN' ELSE '__debezium_unavailable_value' END
	FROM pg_attribute WHERE attrelid = format('cube.%I', p_fact)::regclass AND attname = p_column
$$;
COMMENT ON FUNCTION cube.kept_mark(text, text) IS 'The value that keeps what is there, in a column of a fact that keeps.';

CREATE FUNCTION cube.define_fact(
	p_fact text,
	p_target text,
	p_keeps text[] DEFAULT '{}',          -- columns, text or double precision, for which cube.kept_mark() keeps what is there
	p_own text[] DEFAULT '{}',            -- "name type": columns of the key row that the record itself fills, for the links
	p_link_columns jsonb DEFAULT '{}',    -- {"name type": "expression over k"}: what other facts say of this key
	p_links jsonb DEFAULT '{}',           -- {"column": "expression over k"}: columns of the fact computed from its key row
	p_parents text[] DEFAULT '{}',        -- "own column = fact": the facts whose rows this one's link columns look up
	p_own_keeps text[] DEFAULT '{}',      -- columns of p_own for which NULL keeps what is there
	p_open jsonb DEFAULT '{}')            -- {"column": "expression over f and k"}: what a column is that the record leaves open
RETURNS void LANGUAGE plpgsql AS $define$
DECLARE
	key_table text := 'key_' || p_target;
	key_column text := (SELECT attname FROM pg_attribute WHERE attrelid = format('cube.%I', p_fact)::regclass AND attnum = 1);
	fact_columns text[] := ARRAY(SELECT attname::text FROM pg_attribute
		WHERE attrelid = format('cube.%I', p_fact)::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum);
	own text[] := ARRAY(SELECT split_part(o, ' ', 1) FROM unnest(p_own) o);
	link_names text[] := ARRAY(SELECT jsonb_object_keys(p_links) ORDER BY 1);
	computed text[] := link_names || ARRAY['time_key', 'loaded_at'];
	inputs text[];   -- what the program sends, in order
	types text[];
	arguments text;
	selected text;
	updated text;
	link_column record;
	names text[] := '{}';
	expressions text[] := '{}';
	known text[];    -- what step 4 of the merge asks of a key row besides what the record says itself
	source text;     -- arguments of the merge as rows: a format for cube.list
	looked_up text;  -- step 4 with the key rows looked up
	at_hand text;    -- and with those that step 1 returned
BEGIN
	inputs := ARRAY(SELECT c FROM unnest(fact_columns) WITH ORDINALITY u (c, n) WHERE NOT c = ANY (computed) ORDER BY n)
		|| ARRAY(SELECT o FROM unnest(own) WITH ORDINALITY u (o, n) WHERE NOT o = ANY (fact_columns) ORDER BY n);

	-- the key table
	EXECUTE format('CREATE TABLE cube.%I (%I text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz,
		lsn bigint NOT NULL DEFAULT 0, source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0,
		record_offset bigint NOT NULL DEFAULT 0, offset_id bigint, xid xid8 %s) WITH (fillfactor = 60)',
		key_table, key_column, (SELECT coalesce(string_agg(', ' || o, '' ORDER BY n), '') FROM unnest(p_own) WITH ORDINALITY u (o, n)));
	FOR link_column IN SELECT * FROM jsonb_each_text(p_link_columns) LOOP
		EXECUTE format('ALTER TABLE cube.%I ADD COLUMN %s', key_table, link_column.key);
		names := names || split_part(link_column.key, ' ', 1);
		expressions := expressions || link_column.value;
	END LOOP;
	EXECUTE format('COMMENT ON TABLE cube.%I IS %L', key_table, format(
		'Every key that %s ever had: version, the created_at that finds its row (NULL: deleted or not yet seen), and what other streams say of it.', p_fact));
	PERFORM cube.comment_columns(format('cube.%I', key_table)::regclass, format($c$
		%s: natural key
		created_at: created_at of the fact, NULL when there is none
		prev_created_at: the same before the last version
		lsn: version: the source's log position, 0 where there is none
		source_us: version: the source's time of the change, µs
		kafka_us: version: Kafka's timestamp, µs
		record_offset: version: Kafka's offset
		offset_id: partition that the version came from, in cube.etl_offset
		xid: transaction that wrote the version$c$, key_column));
	PERFORM cube.comment_columns(format('cube.%I', key_table)::regclass, cube.list('%s: what the record itself says, for the links', own, E'\n'));
	PERFORM cube.comment_columns(format('cube.%I', key_table)::regclass, cube.list('%s: what other facts say of this key', names, E'\n'));

	INSERT INTO cube.fact (fact, target, key_column, links, link_columns)
	VALUES (p_fact, p_target, key_column, p_links,
		(SELECT coalesce(jsonb_object_agg(split_part(key, ' ', 1), value), '{}') FROM jsonb_each_text(p_link_columns)));

	-- the merge function
	types := ARRAY(SELECT coalesce(
		(SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE a.attrelid = format('cube.%I', p_fact)::regclass AND a.attname = i AND NOT a.attisdropped),
		(SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE a.attrelid = format('cube.%I', key_table)::regclass AND a.attname = i AND NOT a.attisdropped))
		FROM unnest(inputs) WITH ORDINALITY u (i, n) ORDER BY n);
	arguments := (SELECT string_agg(format('%I %s[]', i, t), ', ' ORDER BY n) FROM unnest(inputs, types) WITH ORDINALITY u (i, t, n));
	selected := (SELECT string_agg(CASE
			WHEN c = 'loaded_at' THEN 'now()'
			WHEN c = 'time_key' THEN 'cube.time_key(f.created_at)'
			WHEN c = ANY (link_names) THEN format('(%s)', p_links ->> c)
			WHEN c = ANY (p_keeps) THEN format('CASE WHEN f.%1$I = %2$L AND k.prev_created_at IS NULL THEN NULL ELSE f.%1$I END', c, cube.kept_mark(p_fact, c))
			WHEN p_open ? c THEN format('coalesce(f.%I, %s)', c, p_open ->> c)
			ELSE format('f.%I', c) END, E',\n\t\t' ORDER BY n)
		FROM unnest(fact_columns) WITH ORDINALITY u (c, n));
	updated := (SELECT string_agg(CASE
			WHEN c = ANY (p_keeps) THEN format('%1$I = CASE WHEN excluded.%1$I = %2$L THEN t.%1$I ELSE excluded.%1$I END', c, cube.kept_mark(p_fact, c))
			ELSE format('%1$I = excluded.%1$I', c) END, E',\n\t\t' ORDER BY n)
		FROM unnest(fact_columns) WITH ORDINALITY u (c, n) WHERE c NOT IN (key_column, 'created_at'));
	known := ARRAY['prev_created_at'] || names || p_own_keeps;
	-- side by side in a select list; in FROM each array would first be written to a store of its own, a sixth of the whole merge
	source := format('unnest(merge_%s.%%1$I) AS %%1$I', p_target);
	looked_up := format('INSERT INTO cube.%I AS t (%s)
	SELECT %s
	FROM (SELECT %s) AS f
	JOIN cube.%I k ON k.%I = f.%I
	WHERE k.xid = pg_current_xact_id() AND k.created_at IS NOT NULL
	ON CONFLICT (%I, created_at) DO UPDATE SET
		%s
	WHERE (%s) IS DISTINCT FROM (%s);',
		p_fact, cube.list('%I', fact_columns), selected, cube.list(source, inputs), key_table, key_column, key_column, key_column, updated,
		(SELECT string_agg(format('t.%I', c), ', ' ORDER BY n) FROM unnest(fact_columns) WITH ORDINALITY u (c, n) WHERE c <> 'loaded_at'),
		(SELECT string_agg(CASE WHEN c = ANY (p_keeps)
				THEN format('CASE WHEN excluded.%1$I = %2$L THEN t.%1$I ELSE excluded.%1$I END', c, cube.kept_mark(p_fact, c))
				ELSE format('excluded.%I', c) END, ', ' ORDER BY n)
			FROM unnest(fact_columns) WITH ORDINALITY u (c, n) WHERE c <> 'loaded_at'));
	at_hand := replace(replace(looked_up,
		format(E'FROM (SELECT %s) AS f\n\tJOIN cube.%I k ON k.%I = f.%I', cube.list(source, inputs), key_table, key_column, key_column),
		format(E'FROM (SELECT %s, %s) AS f,\n\t\tLATERAL (SELECT f.created_at, %s, %s) AS k',
			cube.list(source, inputs || ARRAY['deleted']), cube.list('unnest(known_%1$s) AS known_%1$s', known),
			cube.list('f.%I', ARRAY(SELECT c FROM unnest(key_column || own) WITH ORDINALITY u (c, n) WHERE c <> ALL (p_own_keeps) ORDER BY n)), cube.list('f.known_%1$s AS %1$I', known))),
		'k.xid = pg_current_xact_id() AND k.created_at IS NOT NULL', 'NOT f.deleted');

	EXECUTE format($sql$
CREATE FUNCTION cube.merge_%1$s(%2$s, deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
#variable_conflict use_column
DECLARE
	winners text[];
	late bigint := 0; -- records that were superseded: the answer
	moved boolean;
	%12$s
BEGIN
	-- 1. the versions: every key is locked, in the sender's order, and the newest version stays
	WITH w AS (
		INSERT INTO cube.%3$I AS k (%4$I, created_at, lsn, source_us, kafka_us, record_offset, offset_id, xid %5$s)
		SELECT i.%4$I, CASE WHEN NOT i.deleted THEN i.created_at END, i.lsn, i.source_us, i.kafka_us, i.record_offset, i.offset_id, pg_current_xact_id() %6$s
		FROM (SELECT %7$s) AS i
		ON CONFLICT (%4$I) DO UPDATE SET created_at = excluded.created_at, prev_created_at = k.created_at, lsn = excluded.lsn,
			source_us = excluded.source_us, kafka_us = excluded.kafka_us, record_offset = excluded.record_offset,
			offset_id = excluded.offset_id, xid = excluded.xid %8$s
		WHERE CASE
			-- of a delete and its tombstone the delete stays: only it says where in the source it stood
			WHEN excluded.created_at IS NULL AND k.created_at IS NULL AND k.kafka_us > 0
					AND (greatest(excluded.lsn, excluded.source_us) > 0) <> (greatest(k.lsn, k.source_us) > 0)
				THEN greatest(excluded.lsn, excluded.source_us) > 0
			ELSE cube.is_newer(excluded.lsn, excluded.source_us, excluded.kafka_us, excluded.record_offset,
				k.lsn, k.source_us, k.kafka_us, k.record_offset) END
		RETURNING k.%4$I, k.created_at, %13$s)
	SELECT array_agg(w.%4$I), coalesce(bool_or(w.created_at IS DISTINCT FROM w.prev_created_at AND w.prev_created_at IS NOT NULL), false), %14$s
	INTO winners, moved, %15$s FROM w;

	-- 2. the others were older than what is there: the ledger counts them as superseded
	IF winners IS NULL OR cardinality(winners) < cardinality(%9$s) THEN
		WITH l AS (
			UPDATE cube.etl_offset o SET applied = o.applied - l.n, superseded = o.superseded + l.n
			FROM (SELECT i.offset_id, count(*) AS n FROM unnest(%9$s, %10$s) AS i (%4$I, offset_id)
				LEFT JOIN cube.%3$I k ON k.%4$I = i.%4$I AND k.xid = pg_current_xact_id()
				WHERE i.offset_id IS NOT NULL AND k.%4$I IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
			WHERE o.offset_id = l.offset_id RETURNING l.n)
		SELECT coalesce(sum(l.n), 0) INTO late FROM l;
	END IF;

	-- 3. rows that are deleted, and rows whose created_at was corrected: those move, they do not double
	IF moved THEN
		DELETE FROM cube.%11$I f USING unnest(%9$s) AS i (%4$I), cube.%3$I k
		WHERE k.%4$I = i.%4$I AND k.xid = pg_current_xact_id() AND k.created_at IS NULL
			AND f.%4$I = k.%4$I AND f.created_at = k.prev_created_at;
		UPDATE cube.%11$I f SET created_at = k.created_at, time_key = cube.time_key(k.created_at)
		FROM unnest(%9$s) AS i (%4$I), cube.%3$I k
		WHERE k.%4$I = i.%4$I AND k.xid = pg_current_xact_id() AND k.created_at <> k.prev_created_at
			AND f.%4$I = k.%4$I AND f.created_at = k.prev_created_at;
	END IF;

	-- 4. the facts; a row that would not change is not written
	%16$s
	RETURN late;
END $body$$sql$,
		p_target,                                                             -- 1
		arguments,                                                            -- 2
		key_table, key_column,                                                -- 3, 4
		cube.list(', %I', own, ''), cube.list(', i.%I', own, ''),             -- 5, 6
		cube.list(source, ARRAY[key_column, 'created_at'] || own || ARRAY['deleted', 'lsn', 'source_us', 'kafka_us', 'record_offset', 'offset_id']), -- 7
		(SELECT coalesce(string_agg(format(CASE WHEN o = ANY (p_own_keeps) THEN ', %1$I = coalesce(excluded.%1$I, k.%1$I)' ELSE ', %1$I = excluded.%1$I' END, o), '' ORDER BY n), '')
			FROM unnest(own) WITH ORDINALITY u (o, n)),                       -- 8
		format('merge_%s.%I', p_target, key_column), format('merge_%s.offset_id', p_target), -- 9, 10
		p_fact,                                                               -- 11
		(SELECT string_agg(format('known_%s %s[];', k, format_type(a.atttypid, a.atttypmod)), ' ' ORDER BY n) FROM unnest(known) WITH ORDINALITY u (k, n)
			JOIN pg_attribute a ON a.attrelid = format('cube.%I', key_table)::regclass AND a.attname = k), -- 12
		cube.list('k.%I', known), cube.list('array_agg(w.%I)', known), cube.list('known_%s', known), -- 13, 14, 15
		CASE WHEN p_parents = '{}' THEN format($step$-- nearly always all keys win and no row moves: then the key rows are at hand, in the order of the arguments
	IF winners = %s AND NOT moved THEN
	%s
	ELSIF winners IS NOT NULL THEN
	%s
	END IF;$step$, format('merge_%s.%I', p_target, key_column), at_hand, looked_up)
		ELSE format($step$-- what the parents say now; they were locked before, so the later of the two sees the other
	UPDATE cube.%1$I t SET %2$s FROM (SELECT k.%3$I, %4$s FROM unnest(merge_%7$s.%3$I) AS i (%3$I) JOIN cube.%1$I k ON k.%3$I = i.%3$I WHERE k.xid = pg_current_xact_id()) n
	WHERE t.%3$I = n.%3$I AND (%5$s) IS DISTINCT FROM (%6$s);
	%8$s$step$,
			key_table, cube.list('%1$I = n.%1$I', names), key_column,
			(SELECT string_agg(format('(%s) AS %I', e, n), ', ' ORDER BY i) FROM unnest(names, expressions) WITH ORDINALITY u (n, e, i)),
			cube.list('t.%I', names), cube.list('n.%I', names), p_target, looked_up) END); -- 16
	EXECUTE format('COMMENT ON FUNCTION cube.merge_%s IS %L', p_target, format('Merges a batch of versions into %s, exactly once and never backwards.', p_fact));

	-- a fact that people delete by hand: its key has none any more (merge has said so before it deletes)
	EXECUTE format($sql$
CREATE FUNCTION cube.forget_%1$s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
BEGIN
	UPDATE cube.%2$I k SET created_at = NULL, prev_created_at = k.created_at FROM old_rows o WHERE k.%3$I = o.%3$I AND k.created_at = o.created_at;
	RETURN NULL;
END $body$$sql$, p_target, key_table, key_column);
	EXECUTE format('COMMENT ON FUNCTION cube.forget_%s IS %L', p_target, format('Keeps %s right when rows of %s are deleted by hand.', key_table, p_fact));
	EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON cube.%I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION cube.%I()',
		'forget_delete', p_fact, 'forget_' || p_target);

	-- locking, for those who link to this fact
	EXECUTE format($sql$
CREATE FUNCTION cube.lock_%1$s(keys text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
BEGIN
	INSERT INTO cube.%2$I AS k (%3$I) SELECT DISTINCT i COLLATE "C" FROM unnest(keys) i WHERE i IS NOT NULL ORDER BY 1
	ON CONFLICT (%3$I) DO UPDATE SET %3$I = excluded.%3$I WHERE false;
END $body$$sql$, p_target, key_table, key_column);
	EXECUTE format('COMMENT ON FUNCTION cube.lock_%s IS %L', p_target, 'Locks keys in key order, making those that are not there, so that two transactions that link to each other see each other.');

	IF p_links <> '{}' THEN
		EXECUTE format($sql$
CREATE FUNCTION cube.relink_%1$s(keys text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
BEGIN
	IF keys IS NULL OR cardinality(keys) = 0 THEN RETURN; END IF;
	PERFORM cube.lock_%1$s(keys);
	%2$s
	UPDATE cube.%3$I f SET %4$s, loaded_at = now()
	FROM cube.%5$I k
	WHERE k.%6$I = ANY (keys) AND k.created_at IS NOT NULL AND f.%6$I = k.%6$I AND f.created_at = k.created_at
		AND (%7$s) IS DISTINCT FROM (%8$s);
END $body$$sql$,
			p_target,
			CASE WHEN names = '{}' THEN '' ELSE format(
				'UPDATE cube.%1$I t SET %2$s FROM (SELECT k.%3$I, %4$s FROM cube.%1$I k WHERE k.%3$I = ANY (keys)) n WHERE t.%3$I = n.%3$I AND (%5$s) IS DISTINCT FROM (%6$s);',
				key_table, cube.list('%1$I = n.%1$I', names), key_column,
				(SELECT string_agg(format('(%s) AS %I', e, n), ', ' ORDER BY i) FROM unnest(names, expressions) WITH ORDINALITY u (n, e, i)),
				cube.list('t.%I', names), cube.list('n.%I', names)) END,
			p_fact,
			(SELECT string_agg(format('%I = (%s)', c, p_links ->> c), ', ' ORDER BY c) FROM unnest(link_names) c),
			key_table, key_column,
			(SELECT string_agg(format('f.%I', c), ', ' ORDER BY c) FROM unnest(link_names) c),
			(SELECT string_agg(format('(%s)', p_links ->> c), ', ' ORDER BY c) FROM unnest(link_names) c));
		EXECUTE format('COMMENT ON FUNCTION cube.relink_%s IS %L', p_target, format('Computes again what other streams say of these keys of %s.', p_fact));
	END IF;

	PERFORM cube.define_parent(p_target, split_part(p, ' = ', 1), split_part(p, ' = ', 2)) FROM unnest(p_parents) p;

	-- every fact has this rollup: it counts the rows of a day and keeps a checksum of their content, so that verify
	-- notices any change behind the triggers' back
	PERFORM cube.define_rollup('rollup_' || p_target || '_ledger', p_fact,
		ARRAY['day date = cube.day_of(f.time_key)'],
		ARRAY['row_count bigint = 1', 'checksum bigint = hash_record(f.*)::bigint']);
	PERFORM cube.ensure_partition(p_target, m) FROM generate_series(
		((date_part('year', now()) - 1970) * 12 + date_part('month', now()) - 2)::int,
		((date_part('year', now()) - 1970) * 12 + date_part('month', now()) + 2)::int) m;
END $define$;
COMMENT ON FUNCTION cube.define_fact IS 'Gives a fact table its key table, merge function, links, row ledger and first partitions.';

-- Calls cube.relink_<p_linked> for the values of a column that change in a fact.
CREATE FUNCTION cube.define_link(p_fact text, p_column text, p_linked text) RETURNS void LANGUAGE plpgsql AS $define$
DECLARE name text := format('link_%s_%s', p_fact, p_linked);
BEGIN
	EXECUTE format('CREATE INDEX ON cube.%I (%I) WHERE %I IS NOT NULL', p_fact, p_column, p_column);
	EXECUTE format($sql$
CREATE FUNCTION cube.%1$I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
BEGIN
	IF TG_OP = 'INSERT' THEN
		PERFORM cube.relink_%2$s(ARRAY(SELECT DISTINCT %3$I FROM new_rows WHERE %3$I IS NOT NULL));
	ELSIF TG_OP = 'DELETE' THEN
		PERFORM cube.relink_%2$s(ARRAY(SELECT DISTINCT %3$I FROM old_rows WHERE %3$I IS NOT NULL));
	ELSE
		PERFORM cube.relink_%2$s(ARRAY(SELECT %3$I FROM new_rows WHERE %3$I IS NOT NULL UNION SELECT %3$I FROM old_rows WHERE %3$I IS NOT NULL));
	END IF;
	RETURN NULL;
END $body$$sql$, name, p_linked, p_column);
	EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON cube.%I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION cube.%I()', name || '_insert', p_fact, name);
	EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON cube.%I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION cube.%I()', name || '_delete', p_fact, name);
	EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON cube.%I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION cube.%I()', name || '_update', p_fact, name);
	EXECUTE format('COMMENT ON FUNCTION cube.%I IS %L', name, format('Tells %s of changes in %s.%s.', p_linked, p_fact, p_column));
END $define$;
COMMENT ON FUNCTION cube.define_link(text, text, text) IS 'Keeps the links from a fact''s column to the keys of another fact.';

-- The other way round: rows of p_target look up the rows of a parent fact by p_column; when a parent comes, changes or goes, its
-- children are linked again. Cheap while nobody has such a parent: the index is empty.
CREATE FUNCTION cube.define_parent(p_target text, p_column text, p_parent_fact text) RETURNS void LANGUAGE plpgsql AS $define$
DECLARE
	name text := format('parent_%s_of_%s', p_parent_fact, p_target);
	key_column text := (SELECT f.key_column FROM cube.fact f WHERE f.target = p_target);
	parent_key text := (SELECT attname FROM pg_attribute WHERE attrelid = format('cube.%I', p_parent_fact)::regclass AND attnum = 1);
	event record;
BEGIN
	EXECUTE format('CREATE INDEX ON cube.%I (%I) WHERE %I IS NOT NULL', 'key_' || p_target, p_column, p_column);
	FOR event IN SELECT * FROM (VALUES ('insert', 'NEW TABLE AS changed'), ('update', 'NEW TABLE AS changed'), ('delete', 'OLD TABLE AS changed')) AS e (name, referencing) LOOP
		EXECUTE format($sql$
CREATE OR REPLACE FUNCTION cube.%1$I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
BEGIN
	IF NOT EXISTS (SELECT FROM cube.key_%2$s k WHERE k.%4$I IS NOT NULL) THEN RETURN NULL; END IF;
	PERFORM cube.relink_%2$s(ARRAY(SELECT k.%3$I FROM changed c JOIN cube.key_%2$s k ON k.%4$I = c.%5$I));
	RETURN NULL;
END $body$$sql$, name, p_target, key_column, p_column, parent_key);
		EXECUTE format('CREATE TRIGGER %I AFTER %s ON cube.%I REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION cube.%I()',
			name || '_' || event.name, event.name, p_parent_fact, event.referencing, name);
	END LOOP;
	EXECUTE format('COMMENT ON FUNCTION cube.%I IS %L', name, format('Tells %s of changes in %s.', p_target, p_parent_fact));
END $define$;
COMMENT ON FUNCTION cube.define_parent(text, text, text) IS 'Keeps the links from a fact to a parent fact whose rows it looks up.';

-- Rollups -----------------------------------------------------------------------------------------------------------------

-- cells and sums are "name type = expression over f" and over what p_beside makes of f: "CROSS JOIN LATERAL …". Sums are integers, so
-- that what was added can be taken away again. With p_part_cells and p_part_sums, "name = expression over the fact f", the facts of a batch
-- are summed by these first, and f is such a sum: where a fact has several cells, or many sums of which each is of few facts, a batch of
-- thousands becomes hundreds before that is computed.
CREATE FUNCTION cube.define_rollup(p_rollup text, p_fact text, p_cells text[], p_sums text[], p_condition text DEFAULT 'true', p_beside text DEFAULT '',
	p_part_cells text[] DEFAULT '{}', p_part_sums text[] DEFAULT '{}')
RETURNS void LANGUAGE plpgsql AS $define$
DECLARE
	parse constant text := '^(\w+) (.+?) = (.+)$';
	parse_part constant text := '^(\w+) = (.+)$';
	cells jsonb := (SELECT jsonb_agg(jsonb_build_array(p[1], p[3]) ORDER BY n) FROM unnest(p_cells) WITH ORDINALITY u (c, n), regexp_match(c, parse) p);
	sums jsonb := (SELECT jsonb_agg(jsonb_build_array(p[1], p[3]) ORDER BY n) FROM unnest(p_sums) WITH ORDINALITY u (c, n), regexp_match(c, parse) p);
BEGIN
	EXECUTE format('CREATE TABLE cube.%I (%s, lane smallint NOT NULL, %s, PRIMARY KEY (%s, lane)) WITH (fillfactor = 70,
		autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000)', p_rollup,
		(SELECT string_agg(format('%I %s NOT NULL', p[1], p[2]), ', ' ORDER BY n) FROM unnest(p_cells) WITH ORDINALITY u (c, n), regexp_match(c, parse) p),
		(SELECT string_agg(format('%I %s NOT NULL', p[1], p[2]), ', ' ORDER BY n) FROM unnest(p_sums) WITH ORDINALITY u (c, n), regexp_match(c, parse) p),
		(SELECT string_agg(format('%I', c ->> 0), ', ' ORDER BY n) FROM jsonb_array_elements(cells) WITH ORDINALITY u (c, n)));
	EXECUTE format('COMMENT ON TABLE cube.%I IS %L', p_rollup, format(
		'Rollup of %s, exact at every commit. Sum over lane: one lane alone means nothing. Written by triggers only.', p_fact));
	EXECUTE (SELECT string_agg(format('COMMENT ON COLUMN cube.%I.%I IS %L;', p_rollup, c ->> 0, 'Cell: ' || (c ->> 1)), ' ') FROM jsonb_array_elements(cells) c);
	EXECUTE (SELECT string_agg(format('COMMENT ON COLUMN cube.%I.%I IS %L;', p_rollup, c ->> 0, 'Sum of: ' || (c ->> 1)), ' ') FROM jsonb_array_elements(sums) c);
	EXECUTE format('COMMENT ON COLUMN cube.%I.lane IS %L', p_rollup, 'Which writer''s share of the sum this is; keeps writers from waiting for each other.');
	INSERT INTO cube.rollup (rollup, fact, cells, sums, beside, parts, condition) VALUES (p_rollup, p_fact, cells, sums, p_beside,
		CASE WHEN p_part_cells = '{}' THEN '{}' ELSE jsonb_build_object(
			'cells', (SELECT jsonb_agg(p ORDER BY n) FROM unnest(p_part_cells) WITH ORDINALITY u (c, n), regexp_match(c, parse_part) p),
			'sums', (SELECT jsonb_agg(p ORDER BY n) FROM unnest(p_part_sums) WITH ORDINALITY u (c, n), regexp_match(c, parse_part) p)) END, p_condition);
	PERFORM cube.build_rollup_triggers(p_fact);
END $define$;
COMMENT ON FUNCTION cube.define_rollup(text, text, text[], text[], text, text, text[], text[]) IS 'Makes a rollup table of a fact and has the fact''s triggers keep it.';

-- sum(bigint) is numeric, which costs a third of a view that sums thousands of cells. This one refuses what does not fit: 9.2e18.
CREATE AGGREGATE cube.total(bigint) (SFUNC = int8pl, STYPE = bigint, INITCOND = '0', COMBINEFUNC = int8pl, PARALLEL = SAFE);
COMMENT ON AGGREGATE cube.total(bigint) IS 'Sum of integers as an integer; 0 of none.';
CREATE FUNCTION cube.mean(total bigint, n bigint, units double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT total::double precision / nullif(n, 0) / units
$$;
COMMENT ON FUNCTION cube.mean(bigint, bigint, double precision) IS 'Mean of n measures of which the sum is kept in small units, so many of one; NULL of none.';

-- Names or expressions of a registry's list, each through format() with the name as %1$I and the expression as %2$s.
CREATE FUNCTION cube.columns_of(p_list jsonb, p_pattern text, p_separator text DEFAULT ', ') RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT string_agg(format(p_pattern, c ->> 0, c ->> 1), p_separator ORDER BY n) FROM jsonb_array_elements(p_list) WITH ORDINALITY u (c, n)
$$;
COMMENT ON FUNCTION cube.columns_of(jsonb, text, text) IS 'Columns of a rollup, each through format(), joined.';

-- Rows of a fact, or of a transition table with the sign of its sums, before they are grouped into cells.
CREATE FUNCTION cube.rollup_source(p_table text, p_sign text, p_cells jsonb, p_sums jsonb, p_beside text, p_condition text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT format('SELECT %s, %s FROM %s f %s WHERE %s', cube.columns_of(p_cells, '%2$s AS %1$I'), cube.columns_of(p_sums, p_sign || '(%2$s) AS %1$I'), p_table, p_beside, p_condition)
$$;
COMMENT ON FUNCTION cube.rollup_source(text, text, jsonb, jsonb, text, text) IS 'The rows that a rollup sums.';

-- The rows that a rollup sums, whichever tables they are of.
CREATE FUNCTION cube.rollup_rows(r cube.rollup, p_tables text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN r.parts = '{}' THEN rows ELSE cube.rollup_source(
		format('(SELECT %s, %s FROM (%s) p GROUP BY %1$s)', cube.columns_of(r.parts -> 'cells', '%1$I'), cube.columns_of(r.parts -> 'sums', 'sum(%1$I) AS %1$I'), rows),
		'', r.cells, r.sums, r.beside, 'true') END
	FROM (SELECT string_agg(CASE WHEN r.parts = '{}'
			THEN cube.rollup_source(t, CASE WHEN t = 'old_rows' THEN '-' ELSE '' END, r.cells, r.sums, r.beside, r.condition)
			ELSE cube.rollup_source(t, CASE WHEN t = 'old_rows' THEN '-' ELSE '' END, r.parts -> 'cells', r.parts -> 'sums', '', r.condition) END, ' UNION ALL ') AS rows
		FROM unnest(p_tables) t) s
$$;
COMMENT ON FUNCTION cube.rollup_rows(cube.rollup, text[]) IS 'The rows that a rollup sums, those of old_rows with the other sign.';

-- One statement that adds the difference new_rows − old_rows to a rollup. `p_tables` says which transition tables there are.
CREATE FUNCTION cube.rollup_statement(r cube.rollup, p_tables text[]) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('INSERT INTO cube.%1$I AS r (%2$s, lane, %3$s) SELECT %2$s, my_lane, %4$s FROM (%5$s) d GROUP BY %2$s HAVING %6$s ORDER BY %2$s
		ON CONFLICT (%2$s, lane) DO UPDATE SET %7$s;',
		r.rollup, cube.columns_of(r.cells, '%1$I'), cube.columns_of(r.sums, '%1$I'), cube.columns_of(r.sums, 'coalesce(sum(%1$I), 0)'),
		cube.rollup_rows(r, p_tables), cube.columns_of(r.sums, 'coalesce(sum(%1$I), 0) <> 0', ' OR '),
		cube.columns_of(r.sums, '%1$I = r.%1$I + excluded.%1$I'))
$$;
COMMENT ON FUNCTION cube.rollup_statement(cube.rollup, text[]) IS 'The statement by which a trigger adds new minus old rows to a rollup.';

-- Statement triggers with transition tables see exactly the rows that changed, after every lock was waited for: exact under
-- concurrent writers and for hand-made changes. An upsert fires the UPDATE trigger and then the INSERT trigger, both even when
-- empty, so each leaves early.
CREATE FUNCTION cube.build_rollup_triggers(p_fact text) RETURNS void LANGUAGE plpgsql AS $define$
DECLARE event record;
BEGIN
	FOR event IN SELECT * FROM (VALUES ('insert', ARRAY['new_rows'], 'NEW TABLE AS new_rows', 'new_rows'),
			('delete', ARRAY['old_rows'], 'OLD TABLE AS old_rows', 'old_rows'),
			('update', ARRAY['new_rows', 'old_rows'], 'OLD TABLE AS old_rows NEW TABLE AS new_rows', 'new_rows')) AS e (name, tables, referencing, first_table) LOOP
		EXECUTE format($sql$
CREATE OR REPLACE FUNCTION cube.%1$I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
DECLARE my_lane constant smallint := cube.lane();
BEGIN
	IF NOT EXISTS (SELECT FROM %2$I) THEN RETURN NULL; END IF;
	%3$s
	RETURN NULL;
END $body$$sql$, format('rollup_%s_%s', p_fact, event.name), event.first_table,
			(SELECT string_agg(cube.rollup_statement(r, event.tables), E'\n\t' ORDER BY r.position) FROM cube.rollup r WHERE r.fact = p_fact));
		EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER %s ON cube.%I REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION cube.%I()',
			'rollup_' || event.name, event.name, p_fact, event.referencing, format('rollup_%s_%s', p_fact, event.name));
		EXECUTE format('COMMENT ON FUNCTION cube.%I IS %L', format('rollup_%s_%s', p_fact, event.name), format('Keeps the rollups of %s on %s.', p_fact, event.name));
	END LOOP;
END $define$;
COMMENT ON FUNCTION cube.build_rollup_triggers(text) IS 'Writes the trigger functions of a fact from the registry of rollups.';

-- Durations and other measures in logarithmic buckets, γ = 1.02: counts that add and subtract, 1 % relative error.
-- Bucket b holds γ^(b−1) < v ≤ γ^b; its value is 2γ^b/(γ+1). Basis: DDSketch, https://arxiv.org/abs/1908.10693. 0 has a bucket of its own.
CREATE FUNCTION cube.log_bucket(v double precision) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN v > 0 THEN ceil(ln(v) / 0.0198026272961797130)::int ELSE -32768 END
$$;
COMMENT ON FUNCTION cube.log_bucket(double precision) IS 'Logarithmic bucket (γ = 1.02) of a measure; -32768 holds zero.';
CREATE FUNCTION cube.bucket_value(b int) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN b > -32768 THEN 2 * exp(b * 0.0198026272961797130::double precision) / 2.02 ELSE 0 END
$$;
COMMENT ON FUNCTION cube.bucket_value(int) IS 'The value that stands for a logarithmic bucket: within 1 % of every value in it.';

-- Histories -----------------------------------------------------------------------------------------------------------------

-- A dimension that keeps all versions. Every version that arrives is kept in cube.version_<dim>; ranges are computed from
-- all of them, so the order of arrival does not matter. A version begins when one of the attributes changes.
-- p_begin, p_change: business time of the first version and of a later one, over v (this version) and p (the one before);
-- NULL where the row carries none, then the source's time of the change counts. A version that a later one pre-dates
-- (business time before the source told of it) keeps an empty range: ranges never overlap.
CREATE FUNCTION cube.define_history(p_dim text, p_target text, p_natural text, p_key text, p_attributes text[], p_begin text, p_change text,
	p_times text[] DEFAULT '{}',   -- "name type": what a version carries besides, for p_begin and p_change
	p_keeps text[] DEFAULT '{}')   -- text attributes for which "__debezium_unavailable_value" means: as in the version before
RETURNS void LANGUAGE plpgsql AS $define$
DECLARE
	times text[] := ARRAY(SELECT split_part(t, ' ', 1) FROM unnest(p_times) WITH ORDINALITY u (t, n) ORDER BY n);
	carried text[] := p_attributes || times;
	versions text := 'version_' || p_target;
	history text := p_dim || '_history';
	types text[] := ARRAY(SELECT format_type(atttypid, atttypmod) FROM unnest(p_attributes) WITH ORDINALITY u (a, n)
		JOIN pg_attribute ON attrelid = format('cube.%I', p_dim)::regclass AND attname = a ORDER BY n);
	attributes text := (SELECT string_agg(format('%I %s', a, t), ', ' ORDER BY n) FROM unnest(p_attributes, types) WITH ORDINALITY u (a, t, n));
	kept text := (SELECT string_agg(CASE WHEN a = ANY (p_keeps)
			THEN format('coalesce((array_agg(x.%1$I) FILTER (WHERE x.%1$I <> ''__debezium_unavailable_value'') OVER w)[count(*) FILTER (WHERE x.%1$I <> ''__debezium_unavailable_value'') OVER w], ''unknown'') AS %1$I', a)
			ELSE format('x.%I', a) END, ', ' ORDER BY n) FROM unnest(p_attributes || times) WITH ORDINALITY u (a, n));
BEGIN
	EXECUTE format('CREATE TABLE cube.%I (source_id text COLLATE "C" NOT NULL, lsn bigint NOT NULL, at_us bigint NOT NULL, tie bigint NOT NULL,
		%I int, deleted boolean NOT NULL, changed_at timestamptz NOT NULL, kafka_us bigint NOT NULL DEFAULT 0, %s,
		loaded_at timestamptz NOT NULL DEFAULT now(),
		PRIMARY KEY (source_id, lsn, at_us, tie))', versions, p_key, array_to_string(attributes || p_times, ', '));
	EXECUTE format('CREATE INDEX ON cube.%I (%I)', versions, p_key);
	EXECUTE format('COMMENT ON TABLE cube.%I IS %L', versions, format('Every version of %s that has come; %s is computed from it.', p_dim, history));
	PERFORM cube.comment_columns(format('cube.%I', versions)::regclass, format($c$
		source_id: the source row
		lsn: version: the source's log position
		at_us: version: the source''s time of the change, else Kafka''s, µs, where there is no log position
		tie: version: Kafka's offset, where there is no log position
		%s: the member
		deleted: the source row was deleted
		changed_at: the source's time of the change
		kafka_us: Kafka's timestamp, µs
		loaded_at: when it came$c$, p_key));
	PERFORM cube.comment_columns(format('cube.%I', versions)::regclass, cube.list('%s: as of this version', carried, E'\n'));

	EXECUTE format('CREATE TABLE cube.%I (%I int NOT NULL, version_number int NOT NULL, %I text COLLATE "C" NOT NULL, %s, is_current boolean NOT NULL,
		effective_from timestamptz NOT NULL, effective_to timestamptz, loaded_at timestamptz NOT NULL DEFAULT now(),
		PRIMARY KEY (%I, version_number), CHECK (effective_to >= effective_from))', history, p_key, p_natural, attributes, p_key);
	EXECUTE format('COMMENT ON TABLE cube.%I IS %L', history, format('All versions of %s; the ranges of one member never overlap. Join as of a time: effective_from <= t and (effective_to is null or t < effective_to).', p_dim));
	PERFORM cube.comment_columns(format('cube.%I', history)::regclass, format($c$
		%s: the member, as in %s
		version_number: 1, 2, 3 … in the order of the source
		%s: natural key
		is_current: the one that holds now
		effective_from: since when it held
		effective_to: until when (not included); NULL while it holds
		loaded_at: when the row was last computed$c$, p_key, p_dim, p_natural));
	PERFORM cube.comment_columns(format('cube.%I', history)::regclass, cube.list('%s: as of this version', p_attributes, E'\n'));

	EXECUTE format($sql$
CREATE FUNCTION cube.rebuild_%1$s(keys int[]) RETURNS int[] LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
DECLARE newly_known int[];
BEGIN
	PERFORM FROM cube.%2$I d WHERE d.%3$I = ANY (keys) ORDER BY d.%3$I FOR UPDATE;
	CREATE TEMP TABLE IF NOT EXISTS wanted_%1$s (LIKE cube.%4$I) ON COMMIT DELETE ROWS;
	DELETE FROM wanted_%1$s;
	INSERT INTO wanted_%1$s
	WITH s AS (SELECT DISTINCT v.%3$I AS member, v.source_id FROM cube.%6$I v WHERE v.%3$I = ANY (keys)),
	-- A version that says nothing of its place in the source (a tombstone) stands behind the newest one that Kafka had before it.
	-- Where the source tells of a row's delete itself, its tombstones say nothing new.
	x AS (
		SELECT s.member, x.source_id, x.at_us, x.tie, x.changed_at, %17$s, x.deleted OR x.%3$I IS DISTINCT FROM s.member AS deleted,
			p.placed,
			CASE WHEN p.placed THEN x.lsn ELSE coalesce(max(x.lsn) FILTER (WHERE p.placed) OVER k, 0) END AS place_lsn,
			CASE WHEN p.placed THEN x.at_us ELSE coalesce(max(x.at_us) FILTER (WHERE p.placed) OVER k, 0) END AS place_at,
			x.deleted AND NOT p.placed AND bool_or(x.deleted AND p.placed) OVER (PARTITION BY s.member, x.source_id) AS is_echo
		FROM s JOIN cube.%6$I x USING (source_id) CROSS JOIN LATERAL (SELECT x.lsn > 0 OR x.at_us <> x.kafka_us AS placed) p
		WINDOW k AS (PARTITION BY s.member, x.source_id ORDER BY x.kafka_us)),
	v AS (
		SELECT v.*, lag(v.deleted) OVER w AS was_deleted, lag(ROW(%5$s)) OVER w AS was
		FROM (SELECT x.member, row_number() OVER w AS n, x.changed_at, x.deleted, %16$s
			FROM x WHERE NOT x.is_echo
			WINDOW w AS (PARTITION BY x.member ORDER BY x.place_lsn, x.place_at, NOT x.placed, x.at_us, x.tie, x.source_id)) v
		WINDOW w AS (PARTITION BY v.member ORDER BY v.n)),
	-- what was deleted, or named otherwise, before it had a first version does not count
	begun AS (
		SELECT v.*, row_number() OVER (PARTITION BY v.member ORDER BY v.n) AS number FROM v
		WHERE CASE WHEN v.n = 1 THEN NOT v.deleted ELSE v.deleted <> v.was_deleted OR (NOT v.deleted AND ROW(%5$s) IS DISTINCT FROM v.was) END),
	timed AS (
		SELECT v.*, coalesce(CASE WHEN v.deleted THEN NULL WHEN v.number = 1 THEN %7$s ELSE %8$s END, v.changed_at) AS told
		FROM begun v LEFT JOIN begun p ON p.member = v.member AND p.number = v.number - 1),
	ranged AS (
		SELECT t.*, min(t.told) OVER (PARTITION BY t.member ORDER BY t.number DESC) AS since FROM timed t),
	ended AS (
		SELECT r.*, lead(r.since) OVER (PARTITION BY r.member ORDER BY r.number) AS until FROM ranged r)
	SELECT e.member, row_number() OVER (PARTITION BY e.member ORDER BY e.number), d.%9$I, %10$s, e.until IS NULL, e.since, e.until, now()
	FROM ended e JOIN cube.%2$I d ON d.%3$I = e.member WHERE NOT e.deleted;

	DELETE FROM cube.%4$I h WHERE h.%3$I = ANY (keys)
		AND NOT EXISTS (SELECT FROM wanted_%1$s w WHERE w.%3$I = h.%3$I AND w.version_number = h.version_number);
	INSERT INTO cube.%4$I AS h SELECT * FROM wanted_%1$s ORDER BY %3$I, version_number
	ON CONFLICT (%3$I, version_number) DO UPDATE SET (%11$s, is_current, effective_from, effective_to, loaded_at)
		= (%12$s, excluded.is_current, excluded.effective_from, excluded.effective_to, excluded.loaded_at)
	WHERE (%13$s, h.is_current, h.effective_from, h.effective_to) IS DISTINCT FROM (%12$s, excluded.is_current, excluded.effective_from, excluded.effective_to);

	newly_known := ARRAY(SELECT d.%3$I FROM cube.%2$I d WHERE d.%3$I = ANY (keys) AND d.is_inferred
		AND EXISTS (SELECT FROM wanted_%1$s w WHERE w.%3$I = d.%3$I));
	UPDATE cube.%2$I d SET (%11$s, is_current, effective_from, effective_to, is_inferred, loaded_at)
		= (%14$s, w.is_current, w.effective_from, w.effective_to, false, now())
	FROM (SELECT DISTINCT ON (%3$I) * FROM wanted_%1$s ORDER BY %3$I, version_number DESC) w
	WHERE d.%3$I = w.%3$I AND (%15$s, d.is_current, d.effective_from, d.effective_to, d.is_inferred)
		IS DISTINCT FROM (%14$s, w.is_current, w.effective_from, w.effective_to, false);
	RETURN newly_known;
END $body$$sql$,
		p_target, p_dim, p_key, history,                                      -- 1 2 3 4
		cube.list('v.%I', p_attributes), versions, p_begin, p_change,         -- 5 6 7 8
		p_natural, cube.list('e.%I', p_attributes),                           -- 9 10
		cube.list('%I', p_attributes), cube.list('excluded.%I', p_attributes), cube.list('h.%I', p_attributes), -- 11 12 13
		cube.list('w.%I', p_attributes), cube.list('d.%I', p_attributes),     -- 14 15
		kept, cube.list('x.%I', carried));                                    -- 16 17
	EXECUTE format('COMMENT ON FUNCTION cube.rebuild_%s IS %L', p_target, format('Computes %s and the current rows of %s from all versions; returns members that became known.', history, p_dim));

	EXECUTE format($sql$
CREATE FUNCTION cube.merge_%1$s(source_id text[], %2$I int[], %3$s, deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
#variable_conflict use_column
DECLARE
	fresh bigint;
	late bigint := 0; -- records that were superseded: the answer
	members int[];
BEGIN
	-- 1. the versions; the same one a second time is a duplicate
	WITH w AS (
		INSERT INTO cube.%4$I AS v (source_id, lsn, at_us, tie, %2$I, deleted, changed_at, kafka_us, %5$s)
		SELECT i.source_id, i.lsn, CASE WHEN i.lsn > 0 THEN 0 WHEN i.source_us > 0 THEN i.source_us ELSE i.kafka_us END,
			CASE WHEN i.lsn > 0 THEN 0 ELSE i.record_offset END, i.%2$I, i.deleted,
			to_timestamp(CASE WHEN i.source_us > 0 THEN i.source_us ELSE i.kafka_us END / 1e6), i.kafka_us, %6$s
		FROM unnest(%7$s) AS i (source_id, %2$I, %5$s, deleted, lsn, source_us, kafka_us, record_offset, offset_id)
		ON CONFLICT DO NOTHING RETURNING 1)
	SELECT count(*) INTO fresh FROM w;

	-- 2. which of them were duplicates: told apart by the row's own transaction
	IF fresh < cardinality(merge_%1$s.source_id) THEN
		WITH l AS (UPDATE cube.etl_offset o SET applied = o.applied - l.n, superseded = o.superseded + l.n
		FROM (SELECT i.offset_id, count(*) AS n
			FROM (SELECT u.*, row_number() OVER (PARTITION BY u.source_id, u.lsn, CASE WHEN u.lsn > 0 THEN 0 ELSE u.record_offset END ORDER BY u.n) AS nth
				FROM unnest(merge_%1$s.source_id, merge_%1$s.lsn, merge_%1$s.source_us, merge_%1$s.kafka_us, merge_%1$s.record_offset, merge_%1$s.offset_id)
				WITH ORDINALITY AS u (source_id, lsn, source_us, kafka_us, record_offset, offset_id, n)) i
			LEFT JOIN cube.%4$I v ON v.source_id = i.source_id AND v.lsn = i.lsn
				AND v.at_us = CASE WHEN i.lsn > 0 THEN 0 WHEN i.source_us > 0 THEN i.source_us ELSE i.kafka_us END
				AND v.tie = CASE WHEN i.lsn > 0 THEN 0 ELSE i.record_offset END AND v.xmin = pg_current_xact_id()::xid AND i.nth = 1
			WHERE i.offset_id IS NOT NULL AND v.source_id IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
		WHERE o.offset_id = l.offset_id RETURNING l.n)
		SELECT coalesce(sum(l.n), 0) INTO late FROM l;
	END IF;

	-- 3. the ranges of the members that changed, and what follows from a member that became known
	IF fresh > 0 THEN
		members := ARRAY(SELECT DISTINCT v.%2$I FROM cube.%4$I v WHERE v.source_id = ANY (merge_%1$s.source_id) AND v.%2$I IS NOT NULL ORDER BY 1);
		PERFORM cube.known_%1$s(cube.rebuild_%1$s(members));
	END IF;
	RETURN late;
END $body$$sql$,
		p_target, p_key, (SELECT string_agg(format('%I %s[]', a, t), ', ' ORDER BY n) FROM unnest(carried, types || ARRAY(SELECT split_part(t, ' ', 2) FROM unnest(p_times) t)) WITH ORDINALITY u (a, t, n)), -- 1 2 3
		versions, cube.list('%I', carried), cube.list('i.%I', carried), -- 4 5 6
		cube.list(format('merge_%s.%%I', p_target), ARRAY['source_id', p_key] || carried || ARRAY['deleted', 'lsn', 'source_us', 'kafka_us', 'record_offset', 'offset_id'])); -- 7
	EXECUTE format('COMMENT ON FUNCTION cube.merge_%s IS %L', p_target, format('Merges a batch of versions into %s and its history.', p_dim));
END $define$;
COMMENT ON FUNCTION cube.define_history(text, text, text, text, text[], text, text, text[], text[]) IS 'Gives a dimension a history of all its versions and a merge function.';
