-- What tables, views and columns mean, written into the database: \d+ shows it, and so does the API.

-- `columns` has one "name: text" a line: prose stays prose, and a misspelt column fails. A comment on a table waits for ANALYZE and for a
-- new partition, and these for it, so a text that is there already is not written again, and others are written late.
CREATE OR REPLACE FUNCTION cube.describe(relation regclass, about text, columns text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	line text;
	part text[];
	kind constant text := (SELECT CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END FROM pg_class WHERE oid = relation);
BEGIN
	IF obj_description(relation, 'pg_class') IS DISTINCT FROM about THEN
		PERFORM cube.later(relation, 'SHARE UPDATE EXCLUSIVE', format('COMMENT ON %s %s IS %L', kind, relation, about));
	END IF;
	FOREACH line IN ARRAY string_to_array(columns, E'\n') LOOP
		CONTINUE WHEN btrim(line, E' \t') = '';
		part := regexp_match(line, '^\s*(\w+):\s*(.*)$');
		IF part IS NULL THEN RAISE EXCEPTION 'cube.describe: not "name: text": %', line; END IF;
		IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = part[1]
				AND col_description(relation, a.attnum) = part[2]) THEN
			PERFORM cube.later(relation, 'SHARE UPDATE EXCLUSIVE', format('COMMENT ON COLUMN %s.%I IS %L', relation, part[1], part[2]));
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.describe(regclass, text, text) IS 'Comments on a table or view and on its columns, one "name: text" a line.';
DROP FUNCTION IF EXISTS cube.comment_columns(regclass, text); -- what 0.1.0 had for it
