-- Monthly partitions of the facts.

-- Made apart and attached: ATTACH lets readers and writers of the other partitions go on. A record is sent again at each change of
-- state, soon after it came: with a fillfactor of 60 nine updates in ten find room on their page and touch no index, with 85 it
-- were four, and the table was as large in the end. One lock for all months of all facts: with one a month, who had made the first of
-- two months kept the fact, and waited for the second with somebody who had that one's lock and waited for the fact.
CREATE OR REPLACE FUNCTION cube.ensure_partition(p_target text, p_month int) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE
	fact_name text := (SELECT f.fact FROM cube.fact f WHERE f.target = p_target);
	first_day date := (date '1970-01-01' + make_interval(months => p_month))::date;
	part text := format('%s_%s', fact_name, to_char(first_day, 'YYYY_MM'));
BEGIN
	IF to_regclass(format('cube.%I', part)) IS NOT NULL OR first_day::timestamp AT TIME ZONE 'UTC' < cube.closed_before(fact_name) THEN RETURN; END IF;
	PERFORM pg_advisory_xact_lock(7240002);
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
COMMENT ON FUNCTION cube.ensure_partition(text, int) IS 'Makes the partition of a month (counted since January 1970) if it is not there, and not closed.';

CREATE OR REPLACE FUNCTION cube.ensure_partitions(p_target text[], p_month int[]) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE wanted record;
BEGIN
	FOR wanted IN SELECT * FROM unnest(p_target, p_month) AS u (target, month) ORDER BY u.target, u.month LOOP
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
