-- The mechanism of every fact, written once. A stream's tables are made in ../../tables; its file in ../3_streams declares what they mean:
--   cube.define_fact(…)     the merge function and the links to other streams; here
--   cube.define_rollup(…)   exact aggregates by statement triggers with transition tables; rollups.sql
--   cube.define_history(…)  dimensions that keep all versions (slowly changing, type 2); histories.sql
-- The functions they write are ordinary plpgsql, and stand in ../../generated: that is what runs.
--
-- Why a key table beside each fact. A unique key of a partitioned table must hold the partition column, so (id, created_at)
-- alone would double a fact whose created_at is corrected, and a record that knows only the id (a delete, a link) could not
-- find it. cube.key_<target> is the one place that knows an id: its version, which partition holds the row, and what other
-- streams say about it. It keeps the mark of a deleted row, so that a late older version does not bring it back; and every
-- writer locks it first, in key order, so that of two transactions which link to each other the second sees the first.

SELECT cube.describe('cube.fact', 'Registry of fact tables, for verify and maintenance.', $$
	fact: table
	target: its merge function is cube.merge_<target>, its key table cube.key_<target>
	key_column: natural key, the table's primary key together with created_at
	links: columns of the fact that are computed from its key row: {"column": "expression over k"}
	link_columns: columns of the key row that are computed from other facts: {"column": "expression over k"}
	loaded_at: when it was defined
$$);

SELECT cube.describe('cube.rollup', 'Registry of rollups: what each row is the sum of, for the triggers and for verify.', $$
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

-- "a, b, c" from a format of %1$I and a list of names.
CREATE OR REPLACE FUNCTION cube.list(pattern text, names text[], separator text DEFAULT ', ') RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT coalesce(string_agg(format(pattern, n), separator ORDER BY i), '') FROM unnest(names) WITH ORDINALITY u (n, i)
$$;
COMMENT ON FUNCTION cube.list(text, text[], text) IS 'Names, each through format(), joined.';

-- Debezium's placeholder for a value that did not change and was not sent (TOAST): a text that no source writes, and for a measure NaN,
-- which no measure is.
CREATE OR REPLACE FUNCTION cube.unavailable_value(p_fact text, p_column text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN atttypid = 'float8'::regtype THEN 'NaN' ELSE '__debezium_unavailable_value' END
	FROM pg_attribute WHERE attrelid = format('cube.%I', p_fact)::regclass AND attname = p_column
$$;
COMMENT ON FUNCTION cube.unavailable_value(text, text) IS 'What Debezium''s placeholder for an unchanged value is in a column of a fact.';

-- their parameters had other names
DROP FUNCTION IF EXISTS cube.define_fact(text, text, text[], text[], jsonb, jsonb, text[], text[], jsonb), cube.keep_closed_links(text, text, jsonb, text[]),
	cube.kept_mark(text, text);
CREATE OR REPLACE FUNCTION cube.define_fact(
	p_fact text,
	p_target text,
	p_keeps text[] DEFAULT '{}',          -- columns, text or double precision, for which cube.unavailable_value() keeps what is there: GC_KEEPS in C, see tests/contract/kept.csv
	p_key_columns text[] DEFAULT '{}',    -- "name type": columns of the key row that the record itself fills, for the links
	p_link_columns jsonb DEFAULT '{}',    -- {"name type": "expression over k"}: what other facts say of this key
	p_links jsonb DEFAULT '{}',           -- {"column": "expression over k"}: columns of the fact computed from its key row
	p_depends_on text[] DEFAULT '{}',     -- "own column = fact": the facts whose rows this one's link columns look up
	p_key_keeps text[] DEFAULT '{}',      -- columns of p_key_columns for which NULL keeps what is there
	p_defaults jsonb DEFAULT '{}')        -- {"column": "expression over f and k"}: what a column is that the record leaves open
RETURNS void LANGUAGE plpgsql AS $define$
DECLARE
	key_table text := 'key_' || p_target;
	key_column text := (SELECT attname FROM pg_attribute WHERE attrelid = format('cube.%I', p_fact)::regclass AND attnum = 1);
	fact_columns text[] := ARRAY(SELECT attname::text FROM pg_attribute
		WHERE attrelid = format('cube.%I', p_fact)::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum);
	own text[] := ARRAY(SELECT split_part(o, ' ', 1) FROM unnest(p_key_columns) o);
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

	p_link_columns := cube.keep_closed_links(p_target, key_column, p_link_columns, p_depends_on);
	FOR link_column IN SELECT * FROM jsonb_each_text(p_link_columns) LOOP
		names := names || split_part(link_column.key, ' ', 1);
		expressions := expressions || link_column.value;
	END LOOP;

	-- the key table
	PERFORM cube.need_table(key_table,
		ARRAY[key_column || ' text', 'created_at timestamptz', 'prev_created_at timestamptz', 'lsn bigint', 'source_us bigint', 'kafka_us bigint',
			'record_offset bigint', 'offset_id bigint'] || p_key_columns || ARRAY(SELECT jsonb_object_keys(p_link_columns)),
		format('CREATE TABLE cube.%I (%I text COLLATE "C" PRIMARY KEY, created_at timestamptz, prev_created_at timestamptz, lsn bigint NOT NULL DEFAULT 0,
	source_us bigint NOT NULL DEFAULT 0, kafka_us bigint NOT NULL DEFAULT 0, record_offset bigint NOT NULL DEFAULT 0, offset_id bigint%s) WITH (fillfactor = 60)',
			key_table, key_column, cube.list(', %s', p_key_columns || ARRAY(SELECT jsonb_object_keys(p_link_columns)), '')));
	PERFORM cube.describe(format('cube.%I', key_table)::regclass, format(
		'Every key that %s ever had: version, the created_at that finds its row (NULL: deleted or not yet seen), and what other streams say of it.', p_fact),
		format($c$
		%s: natural key
		created_at: created_at of the fact, NULL when there is none
		prev_created_at: the same before the last version
		lsn: version: the source's log position, 0 where there is none
		source_us: version: its place, µs; 0 is that of kafka_us
		kafka_us: version: its own time, the source's, else Kafka's, µs
		record_offset: version: Kafka's offset
		offset_id: partition that the version came from, in cube.etl_offset
		%s
		%s$c$, key_column, cube.list('%s: what the record itself says, for the links', own, E'\n'), cube.list('%s: what other facts say of this key', names, E'\n')));

	DELETE FROM cube.fact f WHERE f.fact = p_fact;
	DELETE FROM cube.rollup r WHERE r.fact = p_fact;
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
			WHEN c = ANY (p_keeps) THEN format('CASE WHEN f.%1$I = %2$L AND k.prev_created_at IS NULL THEN NULL ELSE f.%1$I END', c, cube.unavailable_value(p_fact, c))
			WHEN p_defaults ? c THEN format('coalesce(f.%I, %s)', c, p_defaults ->> c)
			ELSE format('f.%I', c) END, E',\n\t\t' ORDER BY n)
		FROM unnest(fact_columns) WITH ORDINALITY u (c, n));
	updated := (SELECT string_agg(CASE
			WHEN c = ANY (p_keeps) THEN format('%1$I = CASE WHEN excluded.%1$I = %2$L THEN t.%1$I ELSE excluded.%1$I END', c, cube.unavailable_value(p_fact, c))
			ELSE format('%1$I = excluded.%1$I', c) END, E',\n\t\t' ORDER BY n)
		FROM unnest(fact_columns) WITH ORDINALITY u (c, n) WHERE c NOT IN (key_column, 'created_at'));
	known := ARRAY['prev_created_at'] || names || p_key_keeps;
	-- side by side in a select list; in FROM each array would first be written to a store of its own, a sixth of the whole merge
	source := format('unnest(merge_%s.%%1$I) AS %%1$I', p_target);
	looked_up := format('INSERT INTO cube.%I AS t (%s)
	SELECT %s
	FROM (SELECT %s) AS f
	JOIN unnest(winners) AS w (%I) ON w.%I = f.%I
	JOIN cube.%I k ON k.%I = w.%I
	WHERE k.created_at IS NOT NULL
	ON CONFLICT (%I, created_at) DO UPDATE SET
		%s
	WHERE (%s) IS DISTINCT FROM (%s);',
		p_fact, cube.list('%I', fact_columns), selected, cube.list(source, inputs), key_column, key_column, key_column, key_table, key_column, key_column, key_column, updated,
		(SELECT string_agg(format('t.%I', c), ', ' ORDER BY n) FROM unnest(fact_columns) WITH ORDINALITY u (c, n) WHERE c <> 'loaded_at'),
		(SELECT string_agg(CASE WHEN c = ANY (p_keeps)
				THEN format('CASE WHEN excluded.%1$I = %2$L THEN t.%1$I ELSE excluded.%1$I END', c, cube.unavailable_value(p_fact, c))
				ELSE format('excluded.%I', c) END, ', ' ORDER BY n)
			FROM unnest(fact_columns) WITH ORDINALITY u (c, n) WHERE c <> 'loaded_at'));
	at_hand := replace(replace(looked_up,
		format(E'FROM (SELECT %s) AS f\n\tJOIN unnest(winners) AS w (%I) ON w.%I = f.%I\n\tJOIN cube.%I k ON k.%I = w.%I', cube.list(source, inputs), key_column, key_column, key_column,
			key_table, key_column, key_column),
		format(E'FROM (SELECT %s, %s) AS f,\n\t\tLATERAL (SELECT f.created_at, %s, %s) AS k',
			cube.list(source, inputs || ARRAY['deleted']), cube.list('unnest(known_%1$s) AS known_%1$s', known),
			cube.list('f.%I', ARRAY(SELECT c FROM unnest(key_column || own) WITH ORDINALITY u (c, n) WHERE c <> ALL (p_key_keeps) ORDER BY n)), cube.list('f.known_%1$s AS %1$I', known))),
		'k.created_at IS NOT NULL', 'NOT f.deleted');

	EXECUTE format($sql$
CREATE OR REPLACE FUNCTION cube.merge_%1$s(%2$s, deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
#variable_conflict use_column
DECLARE
	winners text[];
	deleted_keys text[];
	moved_keys text[];
	not_applied bigint := 0; -- records that changed nothing: the answer
	closed_before constant timestamptz := cube.pass_horizon(%17$L);
	%12$s
BEGIN
	-- 1. the versions: every key is locked, in the sender's order, and the newest version stays; closed months are left as they are. What was
	-- written is what this returns: a number of the transaction in the row would be that of another one in a cube that was restored
	WITH w AS (
		INSERT INTO cube.%3$I AS k (%4$I, created_at, lsn, source_us, kafka_us, record_offset, offset_id %5$s)
		SELECT i.%4$I, CASE WHEN NOT i.deleted THEN i.created_at END, i.lsn, i.source_us, i.kafka_us, i.record_offset, i.offset_id %6$s
		FROM (SELECT %7$s) AS i
		WHERE i.deleted OR i.created_at >= closed_before
		ON CONFLICT (%4$I) DO UPDATE SET created_at = excluded.created_at, prev_created_at = k.created_at, lsn = excluded.lsn,
			source_us = excluded.source_us, kafka_us = excluded.kafka_us, record_offset = excluded.record_offset,
			offset_id = coalesce(excluded.offset_id, k.offset_id) %8$s
		-- a key that was only locked is no delete: it has no version yet
		WHERE (k.created_at IS NULL OR k.created_at >= closed_before) AND cube.replaces(
			excluded.created_at IS NULL, excluded.lsn, excluded.source_us, excluded.kafka_us, excluded.record_offset,
			k.created_at IS NULL AND k.kafka_us > 0, k.lsn, k.source_us, k.kafka_us, k.record_offset)
		RETURNING k.%4$I, k.created_at, %13$s)
	SELECT array_agg(w.%4$I), array_agg(w.%4$I) FILTER (WHERE w.created_at IS NULL AND w.prev_created_at IS NOT NULL),
		array_agg(w.%4$I) FILTER (WHERE w.created_at <> w.prev_created_at), %14$s
	INTO winners, deleted_keys, moved_keys, %15$s FROM w;%18$s

	-- 2. the others were older than what is there, or of a closed month: the ledger counts them as superseded, or as expired
	IF winners IS NULL OR cardinality(winners) < cardinality(%9$s) THEN
		WITH l AS (
			UPDATE cube.etl_offset o SET applied = o.applied - l.old - l.expired, superseded = o.superseded + l.old,
				ignored = o.ignored + l.expired, expired = o.expired + l.expired, contradicting = o.contradicting + l.contradicting
			FROM (SELECT i.offset_id, count(*) FILTER (WHERE NOT c.is_closed) AS old, count(*) FILTER (WHERE c.is_closed) AS expired,
					count(*) FILTER (WHERE NOT c.is_closed AND cube.own_us(i.source_us, i.kafka_us) > cube.own_us(k.source_us, k.kafka_us)) AS contradicting
				FROM unnest(%9$s, merge_%1$s.created_at, merge_%1$s.deleted, merge_%1$s.source_us, merge_%1$s.kafka_us, %10$s)
					AS i (%4$I, created_at, deleted, source_us, kafka_us, offset_id)
				LEFT JOIN unnest(winners) AS w (%4$I) ON w.%4$I = i.%4$I
				LEFT JOIN cube.%3$I k ON k.%4$I = i.%4$I
				CROSS JOIN LATERAL (SELECT coalesce(k.created_at < closed_before OR NOT i.deleted AND i.created_at < closed_before, false) AS is_closed) c
				WHERE i.offset_id IS NOT NULL AND w.%4$I IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
			WHERE o.offset_id = l.offset_id RETURNING l.old + l.expired AS n)
		SELECT coalesce(sum(l.n), 0) INTO not_applied FROM l;
	END IF;

	-- 3. rows that are deleted, and rows whose created_at was corrected: those move, they do not double. Both are few: asked for by key
	IF deleted_keys IS NOT NULL THEN
		DELETE FROM cube.%11$I f USING cube.%3$I k
		WHERE k.%4$I = ANY (deleted_keys) AND f.%4$I = k.%4$I AND f.created_at = k.prev_created_at;
	END IF;
	IF moved_keys IS NOT NULL THEN
		UPDATE cube.%11$I f SET created_at = k.created_at, time_key = cube.time_key(k.created_at) FROM cube.%3$I k
		WHERE k.%4$I = ANY (moved_keys) AND f.%4$I = k.%4$I AND f.created_at = k.prev_created_at;
	END IF;

	-- 4. the facts; a row that would not change is not written
	%16$s
	RETURN not_applied;
END $body$$sql$,
		p_target,                                                             -- 1
		arguments,                                                            -- 2
		key_table, key_column,                                                -- 3, 4
		cube.list(', %I', own, ''), cube.list(', i.%I', own, ''),             -- 5, 6
		cube.list(source, ARRAY[key_column, 'created_at'] || own || ARRAY['deleted', 'lsn', 'source_us', 'kafka_us', 'record_offset', 'offset_id']), -- 7
		(SELECT coalesce(string_agg(format(CASE WHEN o = ANY (p_key_keeps) THEN ', %1$I = coalesce(excluded.%1$I, k.%1$I)'
				WHEN o = ANY (p_keeps) THEN ', %1$I = CASE WHEN excluded.%1$I = %2$L THEN k.%1$I ELSE excluded.%1$I END'
				ELSE ', %1$I = excluded.%1$I' END, o, cube.unavailable_value(p_fact, o)), '' ORDER BY n), '')
			FROM unnest(own) WITH ORDINALITY u (o, n)),                       -- 8
		format('merge_%s.%I', p_target, key_column), format('merge_%s.offset_id', p_target), -- 9, 10
		p_fact,                                                               -- 11
		(SELECT string_agg(format('known_%s %s[];', k, format_type(a.atttypid, a.atttypmod)), ' ' ORDER BY n) FROM unnest(known) WITH ORDINALITY u (k, n)
			JOIN pg_attribute a ON a.attrelid = format('cube.%I', key_table)::regclass AND a.attname = k), -- 12
		cube.list('k.%I', known), cube.list('array_agg(w.%I)', known), cube.list('known_%s', known), -- 13, 14, 15
		CASE WHEN p_depends_on = '{}' THEN format($step$-- nearly always all keys win and no row moves: then the key rows are at hand, in the order of the arguments
	IF winners = %s AND moved_keys IS NULL THEN
	%s
	ELSIF winners IS NOT NULL THEN
	%s
	END IF;$step$, format('merge_%s.%I', p_target, key_column), at_hand, looked_up)
		ELSE format($step$-- what the parents say now; they were locked before, so the later of the two sees the other
	UPDATE cube.%1$I t SET %2$s FROM (SELECT k.%3$I, %4$s FROM unnest(winners) AS i (%3$I) JOIN cube.%1$I k ON k.%3$I = i.%3$I) n
	WHERE t.%3$I = n.%3$I AND (%5$s) IS DISTINCT FROM (%6$s);
	%8$s$step$,
			key_table, cube.list('%1$I = n.%1$I', names), key_column,
			(SELECT string_agg(format('(%s) AS %I', e, n), ', ' ORDER BY i) FROM unnest(names, expressions) WITH ORDINALITY u (n, e, i)),
			cube.list('t.%I', names), cube.list('n.%I', names), p_target, looked_up) END, -- 16
		p_fact,                                                               -- 17
		coalesce((SELECT string_agg(format(E'\n\n\t-- of a key that is new there is nothing to keep\n\tUPDATE cube.%1$I SET %2$I = NULL WHERE %3$I = ANY (winners) AND %2$I = %4$L;',
			key_table, o, key_column, cube.unavailable_value(p_fact, o)), '') FROM unnest(own) o WHERE o = ANY (p_keeps)), '')); -- 18
	EXECUTE format('COMMENT ON FUNCTION cube.merge_%s(%s, boolean[], bigint[], bigint[], bigint[], bigint[], bigint[]) IS %L', p_target, cube.list('%s[]', types),
		format('Merges a batch of versions into %s, exactly once and never backwards.', p_fact));
	PERFORM cube.lead_older_merges(p_target, key_column, inputs, types, ARRAY(SELECT CASE WHEN i = ANY (p_keeps) THEN cube.unavailable_value(p_fact, i) END FROM unnest(inputs) WITH ORDINALITY u (i, n) ORDER BY n));

	-- a fact that people delete by hand: its key has none any more (merge has said so before it deletes)
	EXECUTE format($sql$
CREATE OR REPLACE FUNCTION cube.forget_%1$s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
BEGIN
	UPDATE cube.%2$I k SET created_at = NULL, prev_created_at = k.created_at FROM old_rows o WHERE k.%3$I = o.%3$I AND k.created_at = o.created_at;
	RETURN NULL;
END $body$$sql$, p_target, key_table, key_column);
	EXECUTE format('COMMENT ON FUNCTION cube.forget_%s IS %L', p_target, format('Keeps %s right when rows of %s are deleted by hand.', key_table, p_fact));
	PERFORM cube.define_trigger('forget_delete', 'delete', p_fact, 'OLD TABLE AS old_rows', 'forget_' || p_target);

	-- a fact whose time people correct: its key and its minute follow (a merge moves the key first, and nothing is left to do)
	EXECUTE format($sql$
CREATE OR REPLACE FUNCTION cube.follow_%1$s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
BEGIN
	IF NEW.%3$I <> OLD.%3$I THEN
		RAISE EXCEPTION 'the key of a fact cannot be changed by hand: %%', OLD.%3$I USING ERRCODE = 'restrict_violation',
			HINT = 'Delete the row; a record with the new key makes another one.';
	END IF;
	UPDATE cube.%2$I k SET created_at = NEW.created_at, prev_created_at = k.created_at WHERE k.%3$I = OLD.%3$I AND k.created_at = OLD.created_at;
	NEW.time_key := cube.time_key(NEW.created_at);
	PERFORM cube.ensure_hours(ARRAY[NEW.time_key / 60]);
	RETURN NEW;
END $body$$sql$, p_target, key_table, key_column);
	EXECUTE format('COMMENT ON FUNCTION cube.follow_%s IS %L', p_target, format('Keeps %s right when created_at of %s is corrected by hand.', key_table, p_fact));

	-- locking, for those who link to this fact
	EXECUTE format($sql$
CREATE OR REPLACE FUNCTION cube.lock_%1$s(keys text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
BEGIN
	INSERT INTO cube.%2$I AS k (%3$I) SELECT DISTINCT i COLLATE "C" FROM unnest(keys) i WHERE i IS NOT NULL ORDER BY 1
	ON CONFLICT (%3$I) DO UPDATE SET %3$I = excluded.%3$I WHERE false;
END $body$$sql$, p_target, key_table, key_column);
	EXECUTE format('COMMENT ON FUNCTION cube.lock_%s IS %L', p_target, 'Locks keys in key order, making those that are not there, so that two transactions that link to each other see each other.');

	IF p_links <> '{}' THEN
		EXECUTE format($sql$
CREATE OR REPLACE FUNCTION cube.relink_%1$s(keys text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
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

	PERFORM cube.define_parent(p_target, split_part(p, ' = ', 1), split_part(p, ' = ', 2)) FROM unnest(p_depends_on) p;

	-- every fact has this rollup: it counts the rows of a day and keeps a checksum of their content, so that verify
	-- notices any change behind the triggers' back; of the columns by name, so that one that is added has it filled again
	PERFORM cube.define_rollup('rollup_' || p_target || '_ledger', p_fact,
		ARRAY['day date = cube.day_of(f.time_key)'],
		ARRAY['row_count bigint = 1', format('checksum bigint = hash_record(ROW(%s))::bigint', cube.list('f.%I', fact_columns))]);
	PERFORM cube.ensure_first_partitions(p_fact, p_target);
END $define$;
COMMENT ON FUNCTION cube.define_fact IS 'Gives a fact its merge function, links, row ledger and first partitions.';

-- Programs of before send what they know of, by a function with fewer arguments: it leads to the one of today, with NULL for columns that are
-- new, or what keeps what is there. A file ….contract.sql takes it away, by cube.drop_older_merges().
CREATE OR REPLACE FUNCTION cube.older_merges(p_target text, p_inputs text[]) RETURNS SETOF pg_proc LANGUAGE sql STABLE AS $$
	SELECT p.* FROM pg_proc p WHERE p.pronamespace = 'cube'::regnamespace AND p.proname = 'merge_' || p_target AND p.proargnames[1:cardinality(p_inputs)] <> p_inputs
$$;
COMMENT ON FUNCTION cube.older_merges(text, text[]) IS 'Merge functions of a target that take other columns than these.';

CREATE OR REPLACE FUNCTION cube.lead_older_merges(p_target text, p_key_column text, p_inputs text[], p_types text[], p_kept text[]) RETURNS void LANGUAGE plpgsql AS $define$
DECLARE older pg_proc;
BEGIN
	FOR older IN SELECT * FROM cube.older_merges(p_target, p_inputs) LOOP
		EXECUTE format('CREATE OR REPLACE FUNCTION cube.%1$I(%2$s) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$ SELECT cube.%1$I(%3$s) $body$',
			older.proname, pg_get_function_arguments(older.oid), (SELECT string_agg(CASE WHEN a = ANY (older.proargnames) THEN format('%2$I => %1$I.%2$I', older.proname, a)
				ELSE format('%I => array_fill(%L::%s, ARRAY[cardinality(%I.%I)])', a, k, t, older.proname, p_key_column) END, ', ' ORDER BY n)
			FROM unnest(p_inputs || '{deleted,lsn,source_us,kafka_us,record_offset,offset_id}'::text[], p_types, p_kept) WITH ORDINALITY u (a, t, k, n)));
		EXECUTE format('COMMENT ON FUNCTION %s IS %L', older.oid::regprocedure, 'For programs that do not know all columns yet: calls the function that does.');
	END LOOP;
END $define$;
COMMENT ON FUNCTION cube.lead_older_merges(text, text, text[], text[], text[]) IS 'Has merge functions of before call the one of today.';

CREATE OR REPLACE FUNCTION cube.drop_older_merges() RETURNS void LANGUAGE plpgsql AS $$
DECLARE older regprocedure;
BEGIN
	FOR older IN SELECT p.oid::regprocedure FROM (SELECT *, max(pronargs) OVER (PARTITION BY proname) AS most FROM pg_proc WHERE pronamespace = 'cube'::regnamespace AND proname LIKE 'merge\_%') p
			WHERE p.pronargs < p.most LOOP
		EXECUTE format('DROP FUNCTION %s', older);
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.drop_older_merges() IS 'Drops merge functions that only programs of before call.';

-- Columns that are computed from other facts, so that they stay when these are dropped. A parent that went is still a key: while its month is
-- closed, its children keep what they have. What was found by other columns stands in cube.closed_link.
CREATE OR REPLACE FUNCTION cube.keep_closed_links(p_target text, p_key_column text, p_link_columns jsonb, p_depends_on text[]) RETURNS jsonb LANGUAGE sql STABLE AS $$
	SELECT coalesce(jsonb_object_agg(l.key, format('coalesce(%s, %s)', l.value, CASE
		WHEN p.parent IS NULL THEN format('(SELECT (c.links ->> %L)::%s FROM cube.closed_link c WHERE c.target = %L AND c.key = k.%I)',
			split_part(l.key, ' ', 1), substr(l.key, strpos(l.key, ' ') + 1), p_target, p_key_column)
		ELSE format('CASE WHEN EXISTS (SELECT FROM cube.key_%s p WHERE p.%I = k.%I AND p.created_at < cube.closed_before(%L)) THEN k.%I END',
			substr(split_part(p.parent, ' = ', 2), 6), (SELECT attname FROM pg_attribute
				WHERE attrelid = format('cube.%I', split_part(p.parent, ' = ', 2))::regclass AND attnum = 1),
			split_part(p.parent, ' = ', 1), split_part(p.parent, ' = ', 2), split_part(l.key, ' ', 1)) END)), '{}')
	FROM jsonb_each_text(p_link_columns) l
	LEFT JOIN unnest(p_depends_on) p (parent) ON strpos(l.value, format('cube.%I ', split_part(p.parent, ' = ', 2))) > 0
$$;
COMMENT ON FUNCTION cube.keep_closed_links(text, text, jsonb, text[]) IS 'Link columns of a target, made to outlive the facts that they are computed from.';

CREATE OR REPLACE FUNCTION cube.define_fact_link(p_fact text, p_target text, p_linked_keys text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO cube.fact_link (fact, target, linked_keys) VALUES (p_fact, p_target, p_linked_keys)
	ON CONFLICT (fact, target) DO UPDATE SET linked_keys = excluded.linked_keys, loaded_at = now() WHERE fact_link.linked_keys <> excluded.linked_keys
$$;
COMMENT ON FUNCTION cube.define_fact_link(text, text, text) IS 'Tells retention which keys of a target are computed from a fact.';

-- Calls cube.relink_<p_linked> for the values of a column that change in a fact.
CREATE OR REPLACE FUNCTION cube.define_link(p_fact text, p_column text, p_linked text) RETURNS void LANGUAGE plpgsql AS $define$
DECLARE name text := format('link_%s_%s', p_fact, p_linked);
BEGIN
	PERFORM cube.need_index(p_fact, p_column);
	EXECUTE format($sql$
CREATE OR REPLACE FUNCTION cube.%1$I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
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
	PERFORM cube.define_fact_link(p_fact, p_linked, format('SELECT %1$I FROM %%s WHERE %1$I IS NOT NULL', p_column));
	PERFORM cube.define_trigger(name || '_insert', 'insert', p_fact, 'NEW TABLE AS new_rows', name);
	PERFORM cube.define_trigger(name || '_delete', 'delete', p_fact, 'OLD TABLE AS old_rows', name);
	PERFORM cube.define_trigger(name || '_update', 'update', p_fact, 'OLD TABLE AS old_rows NEW TABLE AS new_rows', name);
	EXECUTE format('COMMENT ON FUNCTION cube.%I IS %L', name, format('Tells %s of changes in %s.%s.', p_linked, p_fact, p_column));
END $define$;
COMMENT ON FUNCTION cube.define_link(text, text, text) IS 'Keeps the links from a fact''s column to the keys of another fact.';

-- The other way round: rows of p_target look up the rows of a parent fact by p_column; when a parent comes, changes or goes, its
-- children are linked again. Cheap while nobody has such a parent: the index is empty.
CREATE OR REPLACE FUNCTION cube.define_parent(p_target text, p_column text, p_parent_fact text) RETURNS void LANGUAGE plpgsql AS $define$
DECLARE
	name text := format('parent_%s_of_%s', p_parent_fact, p_target);
	key_column text := (SELECT f.key_column FROM cube.fact f WHERE f.target = p_target);
	parent_key text := (SELECT attname FROM pg_attribute WHERE attrelid = format('cube.%I', p_parent_fact)::regclass AND attnum = 1);
	event record;
BEGIN
	PERFORM cube.need_index('key_' || p_target, p_column);
	FOR event IN SELECT * FROM (VALUES ('insert', 'NEW TABLE AS changed'), ('update', 'NEW TABLE AS changed'), ('delete', 'OLD TABLE AS changed')) AS e (name, referencing) LOOP
		EXECUTE format($sql$
CREATE OR REPLACE FUNCTION cube.%1$I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
DECLARE keys text[];
BEGIN
	IF NOT EXISTS (SELECT FROM cube.key_%2$s k WHERE k.%4$I IS NOT NULL) THEN RETURN NULL; END IF;
	keys := ARRAY(SELECT k.%3$I FROM changed c JOIN cube.key_%2$s k ON k.%4$I = c.%5$I LIMIT cube.keys_at_once() + 1);
	IF cardinality(keys) <= cube.keys_at_once() THEN
		PERFORM cube.relink_%2$s(keys);
	ELSE
		PERFORM cube.relink_named(%2$L, %4$L, ARRAY(SELECT DISTINCT c.%5$I::text FROM changed c));
	END IF;
	RETURN NULL;
END $body$$sql$, name, p_target, key_column, p_column, parent_key);
		PERFORM cube.define_trigger(name || '_' || event.name, event.name, p_parent_fact, event.referencing, name);
	END LOOP;
	EXECUTE format('COMMENT ON FUNCTION cube.%I IS %L', name, format('Tells %s of changes in %s.', p_target, p_parent_fact));
END $define$;
COMMENT ON FUNCTION cube.define_parent(text, text, text) IS 'Keeps the links from a fact to a parent fact whose rows it looks up.';
