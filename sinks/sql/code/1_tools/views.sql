-- Views. One is replaced only where it differs: CREATE OR REPLACE VIEW keeps all readers of the view out until its transaction ends.

-- What a view is, so that two can be compared: its query as PostgreSQL keeps it, its columns, its settings. NULL where there is none.
CREATE OR REPLACE FUNCTION cube.view_text(p_view text) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(E'\n', pg_get_viewdef(c.oid), c.reloptions, (SELECT string_agg(concat_ws(' ', a.attname, a.atttypid, a.atttypmod, a.attcollation), ', ' ORDER BY a.attnum)
		FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0))
	FROM pg_class c WHERE c.oid = to_regclass(format('cube.%I', p_view)) AND c.relkind = 'v'
$$;
COMMENT ON FUNCTION cube.view_text(text) IS 'The query, columns and settings of a view; NULL where there is no such view.';

-- The wanted one is made under another name for a moment, and taken back: then both are as PostgreSQL writes them.
CREATE OR REPLACE FUNCTION cube.define_view(p_view text, p_select text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	make constant text := 'CREATE OR REPLACE VIEW cube.%I WITH (security_invoker = true) AS ' || replace(p_select, '%', '%%');
	found constant text := cube.view_text(p_view);
	wanted text;
BEGIN
	IF found IS NOT NULL THEN
		BEGIN
			EXECUTE format(make, 'wanted_view');
			wanted := cube.view_text('wanted_view');
			RAISE EXCEPTION USING ERRCODE = 'GC003';
		EXCEPTION WHEN SQLSTATE 'GC003' THEN NULL;
		END;
	END IF;
	IF found IS NULL OR found <> wanted THEN EXECUTE format(make, p_view); END IF;
END $$;
COMMENT ON FUNCTION cube.define_view(text, text) IS 'A view for everybody who may read what it reads; left alone where it is that already.';

-- Facts with the names of their dimensions, for people: a view, and a function of the same columns (and collations) that filters. p_where, over
-- the function's parameters, of which NULL is all, reaches the fact as keys: a condition on the view would be on the names, behind the joins.
CREATE OR REPLACE FUNCTION cube.define_flat_view(p_view text, p_select text, p_function text, p_parameters text, p_where text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM cube.define_view(p_view, p_select);
	EXECUTE format('CREATE OR REPLACE FUNCTION cube.%I(%s) RETURNS SETOF cube.%I LANGUAGE sql STABLE AS %L', p_function, p_parameters, p_view,
		p_select || 'WHERE ' || p_where);
END $$;
COMMENT ON FUNCTION cube.define_flat_view(text, text, text, text, text) IS 'A view of a fact with the names of its dimensions, and the function that filters it.';
