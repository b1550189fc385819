-- What ../../tables must have made. Code makes no table: where one is missing it fails, and says which text a new file there needs.

-- `columns`: "name type" each; `otherwise`: the statement that makes the table.
CREATE OR REPLACE FUNCTION cube.need_table(p_table text, p_columns text[], p_otherwise text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	missing text := (SELECT string_agg(c, ', ') FROM unnest(p_columns) c WHERE NOT EXISTS (SELECT FROM pg_attribute a
		WHERE a.attrelid = to_regclass(format('cube.%I', p_table)) AND NOT a.attisdropped AND a.attname = split_part(c, ' ', 1)
			AND a.atttypid = regexp_replace(c, '^\w+ | COLLATE.*$', '', 'g')::regtype));
BEGIN
	IF to_regclass(format('cube.%I', p_table)) IS NULL THEN
		RAISE EXCEPTION E'cube.% is not there; a new file of sinks/sql/tables has to say:\n%;', p_table, p_otherwise;
	ELSIF missing IS NOT NULL THEN
		RAISE EXCEPTION 'cube.% has no column %; a new file of sinks/sql/tables has to add or change it', p_table, missing;
	END IF;
END $$;
COMMENT ON FUNCTION cube.need_table(text, text[], text) IS 'Fails where a table or a column of it is missing, with the text that makes it.';

CREATE OR REPLACE FUNCTION cube.need_index(p_table text, p_column text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
			WHERE i.indrelid = format('cube.%I', p_table)::regclass AND a.attname = p_column) THEN
		RAISE EXCEPTION 'cube.% has no index on %; a new file of sinks/sql/tables has to say: CREATE INDEX ON cube.% (%) WHERE % IS NOT NULL;',
			p_table, p_column, p_table, p_column, p_column;
	END IF;
END $$;
COMMENT ON FUNCTION cube.need_index(text, text) IS 'Fails where no index of a table begins with a column.';
