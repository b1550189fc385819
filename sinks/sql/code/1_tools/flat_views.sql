-- Facts with the names of their dimensions, for people.

-- A view, and a function of the same columns (and collations) that filters. p_where, over the function's parameters, of which NULL is all,
-- reaches the fact as keys: a condition on the view would be on the names, behind the joins.
CREATE OR REPLACE FUNCTION cube.define_flat_view(p_view text, p_select text, p_function text, p_parameters text, p_where text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE OR REPLACE VIEW cube.%I WITH (security_invoker = true) AS %s', p_view, p_select);
	EXECUTE format('CREATE OR REPLACE FUNCTION cube.%I(%s) RETURNS SETOF cube.%I LANGUAGE sql STABLE AS %L', p_function, p_parameters, p_view,
		p_select || 'WHERE ' || p_where);
END $$;
COMMENT ON FUNCTION cube.define_flat_view(text, text, text, text, text) IS 'A view of a fact with the names of its dimensions, and the function that filters it.';
