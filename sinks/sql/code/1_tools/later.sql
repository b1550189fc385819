-- What keeps others out until its transaction ends is done last in it: a trigger keeps all writers of its table out, a comment a new partition.
--
-- `migrate` replaces all code of the writers in one transaction, which takes seconds, and begins it with gracecube.later = '[]'. Then such
-- statements are collected in that setting, and cube.do_later() makes them when all else is done. Anywhere else they are made at once.

CREATE OR REPLACE FUNCTION cube.later(p_table regclass, p_mode text, p_statement text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE collected constant jsonb := nullif(current_setting('gracecube.later', true), '')::jsonb;
BEGIN
	IF collected IS NULL THEN
		EXECUTE p_statement;
	ELSE
		PERFORM set_config('gracecube.later', (collected || jsonb_build_array(jsonb_build_object('table', p_table::text, 'mode', p_mode, 'statement', p_statement)))::text, true);
	END IF;
END $$;
COMMENT ON FUNCTION cube.later(regclass, text, text) IS 'Executes a statement that needs a lock of this mode on a table: at the end of the transaction, if that asked for it.';

-- Locks of one mode on all tables that need it. While it waits for one it holds none of the others.
CREATE OR REPLACE FUNCTION cube.lock_for_later(p_collected jsonb, p_mode text, p_patience text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	tries int := 0;
	needed text;
BEGIN
	PERFORM set_config('lock_timeout', p_patience, true);
	LOOP
		BEGIN
			FOR needed IN SELECT DISTINCT l."table" FROM jsonb_to_recordset(p_collected) l (mode text, "table" text) WHERE l.mode = p_mode ORDER BY 1 LOOP
				EXECUTE format('LOCK TABLE %s IN %s MODE', needed, p_mode);
			END LOOP;
			RETURN;
		EXCEPTION WHEN lock_not_available THEN
			IF tries = 100 THEN RAISE; END IF;
		END;
		tries := tries + 1;
		PERFORM pg_sleep(0.2);
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.lock_for_later(jsonb, text, text) IS 'Locks the tables of statements that cube.later() has collected.';

-- Comments come first: no reader and no writer waits for their locks, which may take as long as autovacuum takes to make way, a second. Writers
-- wait for those of triggers.
CREATE OR REPLACE FUNCTION cube.do_later() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	collected constant jsonb := coalesce(nullif(current_setting('gracecube.later', true), ''), '[]')::jsonb;
	before constant text := current_setting('lock_timeout');
	kind record;
	statement text;
BEGIN
	FOR kind IN SELECT * FROM (VALUES ('SHARE UPDATE EXCLUSIVE', '2s'), ('SHARE ROW EXCLUSIVE', '80ms')) k (mode, patience) LOOP
		PERFORM cube.lock_for_later(collected, kind.mode, kind.patience);
		FOR statement IN SELECT l ->> 'statement' FROM jsonb_array_elements(collected) WITH ORDINALITY u (l, n) WHERE l ->> 'mode' = kind.mode ORDER BY n LOOP
			EXECUTE statement;
		END LOOP;
	END LOOP;
	PERFORM set_config('lock_timeout', before, true), set_config('gracecube.later', '', true);
END $$;
COMMENT ON FUNCTION cube.do_later() IS 'Executes what cube.later() has collected.';
