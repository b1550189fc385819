-- What the property test compares: the whole cube as rows that do not depend on how it came to be. Made in a schema of its own,
-- beside a cube that is only there for the test.
--
-- A table takes part unless it is named in property.left_out: a new one is compared from its first day. Left out of every row:
--   surrogate keys       numbers in the order of arrival; the natural keys stand in their place
--   lane, checksum       which writer's share of a sum, a hash over surrogate keys; sums are compared over all lanes
--   loaded_at and such   the time of writing
-- Of dim_time only the minutes that facts point at take part: a minute more is no error, and how many more depends on which
-- states of a record were seen on the way.

CREATE SCHEMA property;

-- Bookkeeping: positions, versions and registries. What is in them is right when the facts, links and rollups made of them are,
-- and cube.verify() proves the rest. Dead letters and quality issues take part by content, see property.statement(); how many there are
-- depends on how often a record came.
CREATE TABLE property.left_out AS SELECT * FROM (VALUES ('etl_offset'), ('etl_gap'), ('etl_dead_letter_ledger'), ('fact'), ('rollup'), ('rollup_quality_issues'), ('schema_file'), ('schema_version'), ('setting')) v (name);

CREATE FUNCTION property.tables() RETURNS SETOF text LANGUAGE sql STABLE AS $$
	SELECT c.relname::text FROM pg_class c
	WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		AND c.relname NOT IN (SELECT name FROM property.left_out)
		AND c.relname NOT IN (SELECT 'key_' || f.target FROM cube.fact f)
		AND c.relname !~ '^version_'
	ORDER BY c.relname
$$;

CREATE FUNCTION property.columns(p_table text) RETURNS SETOF text LANGUAGE sql STABLE AS $$
	SELECT a.attname::text FROM pg_attribute a
	WHERE a.attrelid = format('cube.%I', p_table)::regclass AND a.attnum > 0 AND NOT a.attisdropped
		AND a.attname NOT IN ('lane', 'checksum', 'loaded_at')
		-- a dimension's and a history's own key: the natural key stands beside it
		AND NOT (p_table ~ '^dim_(mission|component|tier|actor)' AND a.attname = substring(p_table FROM '^dim_([a-z]+)') || '_key')
	ORDER BY a.attnum
$$;

-- A surrogate key as the natural one; NULL for any other column. <anything>_mission_key is a key of dim_mission.
CREATE FUNCTION property.natural_key(p_column text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT format('(SELECT d.%I FROM cube.dim_%s d WHERE d.%s_key = t.%I)', v.natural_key, v.dim, v.dim, p_column)
	FROM (VALUES ('mission', 'mission_id'), ('component', 'component_name'), ('tier', 'tier_code'), ('actor', 'actor_id')) v (dim, natural_key)
	WHERE p_column ~ ('(^|_)' || v.dim || '_key$')
$$;

-- The rows of one table, one column `r`, text.
CREATE FUNCTION property.statement(p_table text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE
		-- a record that comes twice leaves two dead letters, so these are compared as sets
		WHEN p_table = 'etl_dead_letter' THEN
			'SELECT DISTINCT ROW(stream, key, value, headers, error_code, error_where, reason)::text AS r FROM cube.etl_dead_letter'
		WHEN p_table = 'etl_quality_issue' THEN
			-- which states of a contract meet depends on what comes, when and how often
			'SELECT DISTINCT ROW(stream, record_key, field, raw_value, rule)::text AS r FROM cube.etl_quality_issue
				WHERE rule <> ''a step that the source never makes'''
		WHEN p_table = 'dim_time' THEN
			format('SELECT to_jsonb(s)::text AS r FROM (SELECT %s FROM cube.dim_time t WHERE t.time_key IN (%s)) s',
				(SELECT string_agg(format('t.%I', c), ', ') FROM property.columns(p_table) c),
				(SELECT string_agg(format('SELECT time_key FROM cube.%I', f.fact), ' UNION ') FROM cube.fact f))
		WHEN EXISTS (SELECT FROM cube.rollup r WHERE r.rollup = p_table) THEN
			(SELECT format('SELECT to_jsonb(s)::text AS r FROM (SELECT %s, %s FROM cube.%I t GROUP BY %s HAVING %s) s',
				(SELECT string_agg(format('%s AS %I', coalesce(property.natural_key(c ->> 0), format('t.%I', c ->> 0)), c ->> 0), ', ' ORDER BY n)
					FROM jsonb_array_elements(r.cells) WITH ORDINALITY u (c, n)),
				(SELECT string_agg(format('sum(t.%1$I) AS %1$I', c ->> 0), ', ' ORDER BY n) FROM jsonb_array_elements(r.sums) WITH ORDINALITY u (c, n)
					WHERE c ->> 0 <> 'checksum'),
				r.rollup,
				(SELECT string_agg(format('t.%I', c ->> 0), ', ' ORDER BY n) FROM jsonb_array_elements(r.cells) WITH ORDINALITY u (c, n)),
				(SELECT string_agg(format('sum(t.%I) <> 0', c ->> 0), ' OR ' ORDER BY n) FROM jsonb_array_elements(r.sums) WITH ORDINALITY u (c, n)))
			FROM cube.rollup r WHERE r.rollup = p_table)
		ELSE
			format('SELECT to_jsonb(s)::text AS r FROM (SELECT %s FROM cube.%I t) s',
				(SELECT string_agg(format('%s AS %I', coalesce(property.natural_key(c), format('t.%I', c)), c), ', ') FROM property.columns(p_table) c),
				p_table)
		END
$$;

-- Written once: to find them costs more than to run them.
CREATE TABLE property.compared AS SELECT t AS name, property.statement(t) AS statement FROM property.tables() t;

CREATE FUNCTION property.rows(p_table text) RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN QUERY EXECUTE (SELECT statement FROM property.compared WHERE name = p_table);
END $$;

CREATE FUNCTION property.hashes() RETURNS TABLE (name text, row_count bigint, hash text) LANGUAGE plpgsql STABLE AS $$
DECLARE c property.compared;
BEGIN
	FOR c IN SELECT * FROM property.compared LOOP
		EXECUTE format('SELECT count(*), md5(coalesce(string_agg(r, E''\n'' ORDER BY r COLLATE "C"), '''')) FROM (%s) t', c.statement)
		INTO row_count, hash;
		name := c.name;
		RETURN NEXT;
	END LOOP;
END $$;
