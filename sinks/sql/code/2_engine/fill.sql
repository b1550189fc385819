-- Rollups that are new, or mean something else than before, are filled from the facts that are there, by `gracecube migrate`, while records come.
--
-- From the commit of their definition on, triggers add to them what changes in the facts. Once no transaction is left that wrote before it
-- with the triggers of before, facts minus rollup of a cell is the same at every moment, as for a repair (see repair.sql): so the difference
-- is added once, some days of facts in a transaction, by one statement each. A fill that was killed goes on behind the last of these. Views
-- that read a new rollup are made when it is filled, so nobody sees half of one. Of closed months, whose facts are gone, it has nothing.

SELECT cube.describe('cube.rollup_fill', 'Which rollups hold all facts that are there, and how far those are that are being filled.', $$
	rollup: table
	definition: what it is the sum of, as a checksum; when that changes it is filled again
	filled_before: facts of days before this one are in it, and those that came since it was defined
	filled_at: when all were; NULL: not yet, `gracecube migrate` goes on
$$);

CREATE OR REPLACE FUNCTION cube.note_definition(p_rollup text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO cube.rollup_fill AS f (rollup, definition)
	SELECT r.rollup, md5(concat_ws(E'\n', r.fact, r.cells, r.sums, r.beside, r.parts, r.condition)) FROM cube.rollup r WHERE r.rollup = p_rollup
	ON CONFLICT (rollup) DO UPDATE SET definition = excluded.definition, filled_before = NULL, filled_at = NULL WHERE f.definition <> excluded.definition
$$;
COMMENT ON FUNCTION cube.note_definition(text) IS 'Has a rollup be filled if it is new, or means something else than before.';

-- One that is not defined any more has no triggers: were it defined again, it would have to be filled again.
CREATE OR REPLACE FUNCTION cube.forget_definitions() RETURNS void LANGUAGE sql AS $$
	DELETE FROM cube.rollup_fill f WHERE NOT EXISTS (SELECT FROM cube.rollup r WHERE r.rollup = f.rollup)
$$;
COMMENT ON FUNCTION cube.forget_definitions() IS 'Forgets rollups that are defined no more; to be called once all others are.';

-- Of a cube that is just being made, and that nobody else knows yet.
CREATE OR REPLACE FUNCTION cube.have_nothing_to_fill() RETURNS void LANGUAGE sql AS $$
	UPDATE cube.rollup_fill SET filled_at = now() WHERE filled_at IS NULL
$$;
COMMENT ON FUNCTION cube.have_nothing_to_fill() IS 'Says of all rollups that they hold all facts, because there are none.';

CREATE OR REPLACE FUNCTION cube.is_filled(p_rollup text) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT NOT EXISTS (SELECT FROM cube.rollup_fill f WHERE f.rollup = p_rollup AND f.filled_at IS NULL)
$$;
COMMENT ON FUNCTION cube.is_filled(text) IS 'Does a rollup hold all facts that are there?';

CREATE OR REPLACE FUNCTION cube.unfilled_rollups() RETURNS TABLE (rollup text, facts_done bigint, facts bigint) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE u record;
BEGIN
	FOR u IN SELECT r.rollup, f.target, l.filled_before FROM cube.rollup_fill l JOIN cube.rollup r ON r.rollup = l.rollup LEFT JOIN cube.fact f ON f.fact = r.fact
			WHERE l.filled_at IS NULL ORDER BY r.position LOOP
		rollup := u.rollup; facts_done := 0; facts := 0;
		IF u.target IS NOT NULL THEN
			EXECUTE format('SELECT coalesce(sum(row_count) FILTER (WHERE day < $1), 0), coalesce(sum(row_count), 0) FROM cube.%I WHERE lane >= 0', 'rollup_' || u.target || '_ledger')
			INTO facts_done, facts USING u.filled_before;
		END IF;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.unfilled_rollups() IS 'Rollups that do not hold all facts yet, in the order in which they are filled, and how many of the facts they hold.';

-- Transactions that write facts of which a rollup is not filled. Who begins to write later sees the triggers that are there now: a lock on a
-- table is given together with the news of all that was committed.
CREATE OR REPLACE FUNCTION cube.writers_before_fill() RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(DISTINCT l.virtualtransaction) FROM pg_locks l
	WHERE l.locktype = 'relation' AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) AND l.pid IS DISTINCT FROM pg_backend_pid()
		AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
		AND l.relation IN (SELECT format('cube.%I', r.fact)::regclass FROM cube.rollup_fill f JOIN cube.rollup r ON r.rollup = f.rollup WHERE f.filled_at IS NULL)
$$;
COMMENT ON FUNCTION cube.writers_before_fill() IS 'Transactions, as pg_locks names them, whose end has to be waited for before rollups are filled.';

-- A rollup that knows no days is filled at once; the others some days at a time, with so many facts as the setting gracecube.fill_facts says.
CREATE OR REPLACE FUNCTION cube.fill_rollup(p_rollup text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	r cube.rollup := (SELECT u FROM cube.rollup u WHERE u.rollup = p_rollup);
	f cube.fact := (SELECT u FROM cube.fact u WHERE u.fact = r.fact);
	done cube.rollup_fill;
	step_facts constant bigint := coalesce(nullif(current_setting('gracecube.fill_facts', true), '')::bigint, 100000);
	from_day int;
	to_day int;
BEGIN
	PERFORM cube.begin_repair();
	SELECT * INTO done FROM cube.rollup_fill u WHERE u.rollup = p_rollup FOR UPDATE;
	IF cube.rollup_has_days(r) AND f.fact IS NOT NULL THEN
		from_day := done.filled_before - date '1970-01-01';
		to_day := (SELECT d.to_at FROM cube.verify_days(f, step_facts, cube.utc(done.filled_before)) d ORDER BY d.to_at::int NULLS LAST LIMIT 1);
	END IF;
	EXECUTE format('WITH %s %s', cube.rollup_both_sides(r, from_day, to_day), cube.add_difference_statement(r, 'true'));
	UPDATE cube.rollup_fill u SET filled_before = date '1970-01-01' + to_day, filled_at = CASE WHEN to_day IS NULL THEN clock_timestamp() END
	WHERE u.rollup = p_rollup;
END $$;
COMMENT ON FUNCTION cube.fill_rollup(text) IS 'Has a rollup hold the facts of some more days; in a transaction of its own.';
