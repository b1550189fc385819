-- How full each column is: one that is empty in all rows answers no question, whatever it is called.

-- With the rights of who asks: who is limited to a tier counts the rows that he sees.
CREATE OR REPLACE FUNCTION cube.fill_of(p_table text) RETURNS TABLE (column_name text, row_count bigint, filled bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE names constant text[] := ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = format('cube.%I', p_table)::regclass
	AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum);
BEGIN
	RETURN QUERY EXECUTE format('SELECT u.name, t.n, u.filled FROM (SELECT count(*) AS n, ARRAY[%s] AS filled FROM cube.%I) t, unnest($1, t.filled) u (name, filled)',
		(SELECT string_agg(format('count(%I)', n), ', ' ORDER BY i) FROM unnest(names) WITH ORDINALITY u (n, i)), p_table) USING names;
END $$;
COMMENT ON FUNCTION cube.fill_of(text) IS 'Of each column of a fact or dimension in how many rows it is not NULL. It reads the whole table.';

SELECT cube.define_view('column_fill', $$
SELECT c.relname::text AS table_name, f.column_name, f.row_count, f.filled, (100.0 * f.filled / nullif(f.row_count, 0))::double precision AS filled_pct,
	f.row_count > 0 AND f.filled = 0 AS is_empty, col_description(c.oid, a.attnum) AS meaning
FROM pg_class c CROSS JOIN LATERAL cube.fill_of(c.relname::text) f JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = f.column_name
WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname ~ '^(fact|dim)_' AND c.relname <> 'fact_link'$$);
SELECT cube.describe('cube.column_fill', 'How full each column of facts and dimensions is, counted when it is asked. It reads whole tables: ask for one, by WHERE table_name = …. Of the tiers that who asks may see.', $$
	table_name: fact or dimension
	column_name: its column
	row_count: rows of the table
	filled: rows in which the column is not NULL
	filled_pct: of them, per cent
	is_empty: there are rows, and the column is NULL in all of them: its source sends none, or it has been read for too short a time
	meaning: what the column means
$$);
