-- Triggers of statements.

-- Made only where they differ, and late: CREATE TRIGGER keeps all writers of its table out until the transaction ends.
CREATE OR REPLACE FUNCTION cube.define_trigger(p_name text, p_event text, p_table text, p_referencing text, p_function text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	-- as pg_get_triggerdef() writes it
	wanted text := format('CREATE TRIGGER %I AFTER %s ON cube.%I REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION cube.%I()',
		p_name, upper(p_event), p_table, p_referencing, p_function);
	found text := (SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE t.tgrelid = format('cube.%I', p_table)::regclass AND t.tgname = p_name);
BEGIN
	IF found IS DISTINCT FROM wanted THEN
		PERFORM cube.later(format('cube.%I', p_table)::regclass, 'SHARE ROW EXCLUSIVE', replace(wanted, 'CREATE TRIGGER', 'CREATE OR REPLACE TRIGGER'));
	END IF;
END $$;
COMMENT ON FUNCTION cube.define_trigger(text, text, text, text, text) IS 'A trigger after each INSERT, UPDATE or DELETE statement of a table; p_referencing names the rows that its function sees.';

-- Changes by hand that no trigger of the fact could follow.
CREATE OR REPLACE FUNCTION cube.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		RAISE EXCEPTION '%.% cannot be truncated: what hangs on its rows would not follow', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'restrict_violation',
			HINT = 'What is old goes by `gracecube retention`, a whole cube by DROP SCHEMA.';
	END IF;
	RAISE EXCEPTION 'rows of %.% are changed through %.%: its rollups and keys would not follow', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_TABLE_SCHEMA, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;
COMMENT ON FUNCTION cube.refuse() IS 'Refuses a statement.';
