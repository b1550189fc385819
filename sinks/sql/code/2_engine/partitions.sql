-- Tables that a fact consists of: one a month near today, wide ones for what is far.
--
-- Times are valid from 1970 to 2199, and a table for each of these months would be 2,760 a fact: who reads it locks each with its nine indexes, and
-- the lock table of a server has room for some ten thousand. So months have a table of their own from five years ago until a year ahead; before
-- that a calendar year has, and what comes later is in one table, of which a month is cut off when it comes near. Wide tables are named by where
-- they end, which never changes, and go around months that are there.

CREATE OR REPLACE FUNCTION cube.begin_of(p_month int) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
	SELECT (date '1970-01-01' + make_interval(months => p_month)) AT TIME ZONE 'UTC'
$$;
COMMENT ON FUNCTION cube.begin_of(int) IS 'When a month (counted since January 1970, UTC) begins.';

CREATE OR REPLACE FUNCTION cube.is_near(p_month int) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT p_month BETWEEN cube.month_of(now()) - 60 AND cube.month_of(now()) + 12
$$;
COMMENT ON FUNCTION cube.is_near(int) IS 'Has a month a table of its own?';

CREATE OR REPLACE FUNCTION cube.wide_tables(p_fact text) RETURNS TABLE (part name, from_month int, to_month int) LANGUAGE sql STABLE AS $$
	SELECT c.relname, cube.month_of(substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \(''([^'']+)''\)')::timestamptz),
		cube.month_of(substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz)
	FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid
	WHERE i.inhparent = format('cube.%I', p_fact)::regclass AND c.relname ~ '_to_\d{4}m\d{2}$'
$$;
COMMENT ON FUNCTION cube.wide_tables(text) IS 'The tables of a fact that hold more than a month, and which months (the last is not included).';

-- Around a month that is far: up to its neighbours, months that are detached among them, and within its year.
CREATE OR REPLACE FUNCTION cube.wide_range(p_fact text, p_month int, OUT from_month int, OUT to_month int) LANGUAGE sql STABLE AS $$
	WITH near AS (SELECT cube.month_of(now()) - 60 AS first, cube.month_of(now()) + 13 AS last),
	zone AS (SELECT CASE WHEN p_month < n.first THEN p_month / 12 * 12 ELSE n.last END AS from_month,
			CASE WHEN p_month < n.first THEN least(p_month / 12 * 12 + 12, n.first) ELSE 2760 END AS to_month FROM near n),
	neighbours AS (
		SELECT w.from_month, w.to_month FROM cube.wide_tables(p_fact) w
		UNION ALL SELECT m.month, m.month + 1 FROM pg_class c
			CROSS JOIN LATERAL (SELECT (substring(c.relname FROM '_(\d{4})_\d{2}$')::int - 1970) * 12 + right(c.relname, 2)::int - 1 AS month) m
			WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind = 'r' AND c.relname ~ format('^%s_\d{4}_\d{2}$', p_fact))
	SELECT greatest(z.from_month, (SELECT max(n.to_month) FROM neighbours n WHERE n.to_month <= p_month)),
		least(z.to_month, (SELECT min(n.from_month) FROM neighbours n WHERE n.from_month > p_month)) FROM zone z
$$;
COMMENT ON FUNCTION cube.wide_range(text, int) IS 'Which months the table of a month that is far shall hold.';

-- Made apart and attached: ATTACH lets readers and writers of the other partitions go on. A record is sent again at each change of
-- state, soon after it came: with a fillfactor of 60 nine updates in ten find room on their page and touch no index, with 85 it
-- were four, and the table was as large in the end.
CREATE OR REPLACE FUNCTION cube.make_partition(p_fact text, p_part text, p_from int, p_to int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE cube.%I (LIKE cube.%I INCLUDING ALL, CHECK (created_at >= %L AND created_at < %L))
		WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000,
			autovacuum_analyze_scale_factor = 0.02)', p_part, p_fact, cube.begin_of(p_from), cube.begin_of(p_to));
	EXECUTE format('COMMENT ON TABLE cube.%I IS %L', p_part, format('%s of %s%s.', p_fact, to_char(cube.begin_of(p_from) AT TIME ZONE 'UTC', 'FMMonth YYYY'),
		CASE WHEN p_to > p_from + 1 THEN to_char(cube.begin_of(p_to - 1) AT TIME ZONE 'UTC', '" to "FMMonth YYYY') END));
END $$;
COMMENT ON FUNCTION cube.make_partition(text, text, int, int) IS 'Makes a table for months of a fact, beside it.';

-- Statements on a partition itself fire no trigger of its fact, and those on the fact no such one of a partition.
CREATE OR REPLACE FUNCTION cube.guard_statement(p_part text, p_fact text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT format('CREATE OR REPLACE TRIGGER refuse_statements BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON cube.%I EXECUTE FUNCTION cube.refuse(%L)', p_part, p_fact)
$$;
COMMENT ON FUNCTION cube.guard_statement(text, text) IS 'The statement that has changes of a partition itself refused.';

CREATE OR REPLACE FUNCTION cube.guard_statements() RETURNS SETOF text LANGUAGE sql STABLE AS $$
	SELECT cube.guard_statement(c.relname, f.fact)
	FROM cube.fact f JOIN pg_inherits i ON i.inhparent = format('cube.%I', f.fact)::regclass JOIN pg_class c ON c.oid = i.inhrelid
	WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'refuse_statements') ORDER BY c.relname
$$;
COMMENT ON FUNCTION cube.guard_statements() IS 'The same of each partition that does not have it yet.';

CREATE OR REPLACE FUNCTION cube.attach_partition(p_fact text, p_part text, p_from int, p_to int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE cube.guard_statement(p_part, p_fact);
	EXECUTE format('ALTER TABLE cube.%I ATTACH PARTITION cube.%I FOR VALUES FROM (%L) TO (%L)', p_fact, p_part, cube.begin_of(p_from), cube.begin_of(p_to));
END $$;
COMMENT ON FUNCTION cube.attach_partition(text, text, int, int) IS 'Makes a table a part of its fact.';

CREATE OR REPLACE FUNCTION cube.month_table(p_fact text, p_month int) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT p_fact || to_char(cube.begin_of(p_month) AT TIME ZONE 'UTC', '_YYYY_MM')
$$;
COMMENT ON FUNCTION cube.month_table(text, int) IS 'The name of the table of a month.';

-- Months of a wide table up to p_month get tables of their own, those that have rows, and p_month when it is near. What moves is no change of
-- the fact: no trigger fires for it. For a moment nobody reads or writes the fact, so whoever calls this is not waited for long.
CREATE OR REPLACE FUNCTION cube.cut_off(p_fact text, p_month int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	wide record;
	month int;
BEGIN
	SELECT w.* INTO wide FROM cube.wide_tables(p_fact) w WHERE p_month >= w.from_month AND p_month < w.to_month;
	IF wide IS NULL THEN RETURN; END IF;
	EXECUTE format('ALTER TABLE cube.%I DETACH PARTITION cube.%I', p_fact, wide.part);
	EXECUTE format('DROP TRIGGER IF EXISTS refuse_statements ON cube.%I', wide.part); -- until it is attached again
	FOR month IN EXECUTE format('SELECT cube.month_of(created_at) FROM cube.%I WHERE created_at < $1 UNION SELECT $2 WHERE cube.is_near($2) ORDER BY 1', wide.part)
			USING cube.begin_of(p_month + 1), p_month LOOP
		PERFORM cube.make_partition(p_fact, cube.month_table(p_fact, month), month, month + 1);
		EXECUTE format('WITH moved AS (DELETE FROM cube.%I WHERE created_at >= $1 AND created_at < $2 RETURNING *) INSERT INTO cube.%I SELECT * FROM moved',
			wide.part, cube.month_table(p_fact, month)) USING cube.begin_of(month), cube.begin_of(month + 1);
		PERFORM cube.attach_partition(p_fact, cube.month_table(p_fact, month), month, month + 1);
	END LOOP;
	IF p_month + 1 < wide.to_month THEN
		PERFORM cube.attach_partition(p_fact, wide.part, p_month + 1, wide.to_month);
	ELSE
		EXECUTE format('DROP TABLE cube.%I', wide.part);
	END IF;
END $$;
COMMENT ON FUNCTION cube.cut_off(text, int) IS 'Cuts the months up to this one off the wide table that holds it.';

-- A month that has come near may stay in its wide table until nobody is in the way.
CREATE OR REPLACE FUNCTION cube.try_cut_off(p_fact text, p_month int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE patience constant text := current_setting('lock_timeout');
BEGIN
	PERFORM set_config('lock_timeout', '100ms', true);
	PERFORM cube.cut_off(p_fact, p_month);
	PERFORM set_config('lock_timeout', patience, true);
EXCEPTION WHEN lock_not_available THEN
	RAISE DEBUG '% is in use: % stays in its wide table', p_fact, cube.begin_of(p_month);
END $$;
COMMENT ON FUNCTION cube.try_cut_off(text, int) IS 'Cuts months off a wide table unless somebody is in the way.';

-- One lock for all months of all facts: with one a month, or a fact, who had made the first of two kept the fact, and waited for the second with
-- somebody who had that one's lock and waited for the fact.
CREATE OR REPLACE FUNCTION cube.ensure_partition(p_target text, p_month int) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE
	fact_name constant text := (SELECT f.fact FROM cube.fact f WHERE f.target = p_target);
	part text := cube.month_table(fact_name, p_month);
	near constant boolean := cube.is_near(p_month);
	range record;
BEGIN
	IF to_regclass(format('cube.%I', part)) IS NOT NULL OR cube.begin_of(p_month) < cube.closed_before(fact_name)
		OR (NOT near AND EXISTS (SELECT FROM cube.wide_tables(fact_name) w WHERE p_month >= w.from_month AND p_month < w.to_month)) THEN
		RETURN;
	END IF;
	PERFORM pg_advisory_xact_lock(7240002);
	IF EXISTS (SELECT FROM cube.wide_tables(fact_name) w WHERE p_month >= w.from_month AND p_month < w.to_month) THEN
		IF near THEN PERFORM cube.try_cut_off(fact_name, p_month); END IF;
		RETURN;
	END IF;
	SELECT p_month AS from_month, p_month + 1 AS to_month INTO range;
	IF NOT near THEN SELECT r.* INTO range FROM cube.wide_range(fact_name, p_month) r; END IF;
	IF range.to_month > range.from_month + 1 THEN part := fact_name || to_char(cube.begin_of(range.to_month) AT TIME ZONE 'UTC', '_"to"_YYYY"m"MM'); END IF;
	-- asked of the table: to_regclass() may answer from what this session knew before it waited
	IF EXISTS (SELECT FROM pg_class c WHERE c.relname = part AND c.relnamespace = 'cube'::regnamespace) THEN RETURN; END IF;
	PERFORM cube.make_partition(fact_name, part, range.from_month, range.to_month);
	PERFORM cube.attach_partition(fact_name, part, range.from_month, range.to_month);
END $$;
COMMENT ON FUNCTION cube.ensure_partition(text, int) IS 'Makes a table for a month (counted since January 1970) if there is none that holds it, and the month is not closed.';

CREATE OR REPLACE FUNCTION cube.ensure_partitions(p_target text[], p_month int[]) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE wanted record;
BEGIN
	-- wide tables are looked up once, not for each of the months that they hold
	FOR wanted IN
		WITH wide AS MATERIALIZED (SELECT f.target, w.* FROM cube.fact f, cube.wide_tables(f.fact) w WHERE f.target = ANY (p_target))
		SELECT u.* FROM unnest(p_target, p_month) AS u (target, month)
		WHERE cube.is_near(u.month) OR NOT EXISTS (SELECT FROM wide w WHERE w.target = u.target AND u.month >= w.from_month AND u.month < w.to_month)
		ORDER BY u.target, u.month
	LOOP
		PERFORM cube.ensure_partition(wanted.target, wanted.month);
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.ensure_partitions(text[], int[]) IS 'Makes partitions that are not there.';

CREATE OR REPLACE FUNCTION cube.ensure_first_partitions(p_fact text, p_target text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE this_month constant int := cube.month_of(now());
BEGIN
	IF NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = format('cube.%I', p_fact)::regclass) THEN
		PERFORM cube.ensure_partition(p_target, m) FROM generate_series(this_month - 1, this_month + 3) m;
	END IF;
END $$;
COMMENT ON FUNCTION cube.ensure_first_partitions(text, text) IS 'Makes the partitions around today of a fact that has none.';

-- An index of a fact can not be made CONCURRENTLY, those of its partitions can. So a file of ../../tables says CREATE INDEX … ON ONLY cube.<fact>,
-- which every new partition gets, and an ….online.sql SELECT cube.index_partitions('<index>'): statements that `migrate` runs one by one, each
-- outside of a transaction. Repeated, it says what is left.
CREATE OR REPLACE FUNCTION cube.index_partitions(p_index text) RETURNS SETOF text LANGUAGE sql STABLE AS $$
	SELECT s.statement
	FROM pg_index i
	JOIN pg_inherits p ON p.inhparent = i.indrelid
	JOIN pg_class t ON t.oid = p.inhrelid
	CROSS JOIN LATERAL (SELECT left(t.relname, 40) || '_' || left(md5(p_index), 8) AS name) part
	CROSS JOIN LATERAL (VALUES (1, regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE (UNIQUE )?INDEX .*? ON (ONLY )?\S+',
			format('CREATE \1INDEX CONCURRENTLY IF NOT EXISTS %I ON cube.%I', part.name, t.relname))),
		(2, format('ALTER INDEX cube.%I ATTACH PARTITION cube.%I', p_index, part.name))) s (n, statement)
	WHERE i.indexrelid = format('cube.%I', p_index)::regclass
		AND NOT EXISTS (SELECT FROM pg_inherits a JOIN pg_index c ON c.indexrelid = a.inhrelid WHERE a.inhparent = i.indexrelid AND c.indrelid = t.oid)
	ORDER BY t.relname, s.n
$$;
COMMENT ON FUNCTION cube.index_partitions(text) IS 'The statements that make an index of a fact in the partitions that do not have it yet.';
