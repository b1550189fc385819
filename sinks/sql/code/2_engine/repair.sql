-- What `gracecube verify --repair` runs: steps of verify.sql, made right. Facts are the truth and are not touched, nor is what only Kafka knows
-- (positions, their ledger, versions, dead letters); rollups, links, keys, minutes and histories follow from facts and versions.
--
-- Writers go on meanwhile. A rollup needs no lock for that: a writer adds the same to a rollup as to its facts, in one transaction, so facts
-- minus rollup of a cell is the same at every moment, and adding this difference once, in the lane of hand-made changes, is right whatever is
-- in flight. It is read and added by one statement. Links and histories are computed by the functions of the writers, under their locks.
--
-- Each call is a transaction of its own, so a repair that was killed has mended what it said it did, and goes on when it is run again.

-- Of two repairs of one difference the second must see the first; a migration may be changing what a rollup means.
CREATE OR REPLACE FUNCTION cube.begin_repair() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE EXCEPTION 'a repair needs READ COMMITTED: it reads what others have committed while it waited' USING ERRCODE = 'invalid_transaction_state';
	END IF;
	IF current_setting('session_replication_role') <> 'origin' THEN
		RAISE EXCEPTION 'a repair needs the triggers; session_replication_role is %', current_setting('session_replication_role') USING ERRCODE = 'invalid_transaction_state';
	END IF;
	IF NOT pg_try_advisory_xact_lock_shared(7240000) THEN
		RAISE EXCEPTION 'a migration is under way' USING ERRCODE = 'lock_not_available';
	END IF;
	PERFORM pg_advisory_xact_lock(7240005);
	PERFORM cube.hold_months();
END $$;
COMMENT ON FUNCTION cube.begin_repair() IS 'Keeps repairs apart from each other and from migrations, until the transaction ends.';

-- What of a differs from b.
CREATE OR REPLACE FUNCTION cube.differing_part(a jsonb, b jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
	SELECT jsonb_object_agg(key, value) FROM jsonb_each(a) WHERE value IS DISTINCT FROM b -> key
$$;
COMMENT ON FUNCTION cube.differing_part(jsonb, jsonb) IS 'The members of an object that differ from those of another.';

-- A row ledger is what facts are checked against, so it is repaired only where it is certain that the ledger was wrong, or where an
-- operator says that the facts are right (p_accept). It is certain where the facts still have the checksum, or differ from it by just the
-- links that this transaction repaired (p_days, p_checksums), or where a day has no ledger at all and each of its facts has its key.
CREATE OR REPLACE FUNCTION cube.ledger_is_wrong(f cube.fact) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('was_checksum = is_checksum OR is_checksum - was_checksum = (SELECT sum(e.checksum) FROM unnest($1, $2) e (day, checksum) WHERE e.day = both_sides.day)
		OR was_checksum = 0 AND was_row_count = 0 AND NOT EXISTS (SELECT FROM cube.%1$I f
			WHERE f.time_key >= (both_sides.day - date ''1970-01-01'') * 1440 AND f.time_key < (both_sides.day - date ''1970-01-01'' + 1) * 1440
				AND NOT EXISTS (SELECT FROM cube.key_%2$s k WHERE k.%3$I = f.%3$I AND k.created_at = f.created_at AND k.kafka_us > 0))', f.fact, f.target, f.key_column)
$$;
COMMENT ON FUNCTION cube.ledger_is_wrong(cube.fact) IS 'The condition that a day of a row ledger is wrong, and its facts are not.';

CREATE OR REPLACE FUNCTION cube.difference_condition(r cube.rollup, p_condition text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT format('(%s) IS DISTINCT FROM (%s) AND (%s)', cube.columns_of(r.sums, 'was_%1$s'), cube.columns_of(r.sums, 'is_%1$s'), p_condition)
$$;
COMMENT ON FUNCTION cube.difference_condition(cube.rollup, text) IS 'The condition that a cell of both_sides differs, and another.';

CREATE OR REPLACE FUNCTION cube.add_difference_statement(r cube.rollup, p_condition text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format($sql$%1$s ORDER BY %2$s
			ON CONFLICT (%2$s, lane) DO UPDATE SET %3$s$sql$,
		cube.insert_in_parts(r, 'both_sides', 'cube.lane() + 1000 * part', '(is_%1$s - was_%1$s)', cube.difference_condition(r, p_condition)),
		cube.columns_of(r.cells, '%1$I'), cube.columns_of(r.sums, '%1$I = r.%1$I + excluded.%1$I'))
$$;
COMMENT ON FUNCTION cube.add_difference_statement(cube.rollup, text) IS 'The statement that adds to a rollup what it lacks, behind cube.rollup_both_sides().';

-- Sums that do not fit, since somebody wrote nonsense of the largest size: the rows of such a cell go first, and the whole sum is added.
CREATE OR REPLACE FUNCTION cube.repair_rollup(r cube.rollup, p_from int DEFAULT NULL, p_to int DEFAULT NULL, p_condition text DEFAULT 'true', p_days date[] DEFAULT '{}',
	p_checksums numeric[] DEFAULT '{}')
RETURNS TABLE (relation text, cell jsonb, before jsonb, after jsonb) LANGUAGE plpgsql AS $$
DECLARE
	both_sides constant text := cube.rollup_both_sides(r, p_from, p_to);
	differs constant text := cube.difference_condition(r, p_condition);
	add_difference constant text := cube.add_difference_statement(r, p_condition);
	drop_cells constant text := format('DELETE FROM cube.%I r USING both_sides WHERE r.lane >= 0 AND (%s) = (%s) AND %s', r.rollup,
		cube.columns_of(r.cells, 'r.%1$I'), cube.columns_of(r.cells, 'both_sides.%1$I'), differs);
	tell constant text := format('SELECT jsonb_build_object(%s) AS cell, jsonb_build_object(%s) AS was, jsonb_build_object(%s) AS found FROM both_sides WHERE %s',
		-- an hour as people read it
		(SELECT string_agg(CASE c ->> 0 WHEN 'hour' THEN '''hour'', to_char(to_timestamp(both_sides.hour * 3600.0) AT TIME ZONE ''UTC'', ''YYYY-MM-DD HH24:MI'')'
			ELSE format('%L, both_sides.%I', c ->> 0, c ->> 0) END, ', ' ORDER BY n) FROM jsonb_array_elements(r.cells) WITH ORDINALITY u (c, n)),
		cube.columns_of(r.sums, '''%1$s'', was_%1$s'), cube.columns_of(r.sums, '''%1$s'', is_%1$s'), differs);
	told jsonb;
BEGIN
	BEGIN
		EXECUTE format('WITH %s, mended AS (%s), told AS (%s) SELECT jsonb_agg(t ORDER BY t.cell) FROM told t', both_sides, add_difference, tell)
			INTO told USING p_days, p_checksums;
	EXCEPTION WHEN numeric_value_out_of_range THEN
		EXECUTE format('WITH %s, gone AS (%s), told AS (%s) SELECT jsonb_agg(t ORDER BY t.cell) FROM told t', both_sides, drop_cells, tell)
			INTO told USING p_days, p_checksums;
		EXECUTE format('WITH %s %s', both_sides, add_difference) USING p_days, p_checksums;
	END;
	RETURN QUERY SELECT r.rollup, t.cell, cube.differing_part(t.was, t.found), cube.differing_part(t.found, t.was)
	FROM jsonb_to_recordset(coalesce(told, '[]')) t (cell jsonb, was jsonb, found jsonb);
END $$;
COMMENT ON FUNCTION cube.repair_rollup(cube.rollup, int, int, text, date[], numeric[]) IS 'Adds what a rollup lacks to be the aggregate of its facts, of days or of all; returns what it changed.';

-- An hour is made whole where its first minute is missing.
CREATE OR REPLACE FUNCTION cube.repair_minutes(f cube.fact, p_from int, p_to int) RETURNS TABLE (relation text, cell jsonb, before jsonb, after jsonb)
LANGUAGE plpgsql AS $$
DECLARE missing int[];
BEGIN
	EXECUTE format('SELECT array_agg(m.time_key ORDER BY m.time_key) FROM (SELECT DISTINCT f.time_key FROM cube.%I f WHERE %s) m
		WHERE NOT EXISTS (SELECT FROM cube.dim_time t WHERE t.time_key = m.time_key)', f.fact, cube.facts_within(f, p_from, p_to)) INTO missing;
	IF missing IS NULL THEN RETURN; END IF;
	DELETE FROM cube.dim_time t WHERE t.time_key IN (SELECT m / 60 * 60 FROM unnest(missing) m);
	PERFORM cube.ensure_hours(ARRAY(SELECT DISTINCT m / 60 FROM unnest(missing) m));
	RETURN QUERY SELECT 'dim_time', jsonb_build_object('time_key', t.time_key), NULL::jsonb, jsonb_build_object('timestamp', t.timestamp)
	FROM cube.dim_time t WHERE t.time_key = ANY (missing) ORDER BY t.time_key;
END $$;
COMMENT ON FUNCTION cube.repair_minutes(cube.fact, int, int) IS 'Makes minutes that facts of days point at and that are not there.';

-- What the record itself said, as far as the fact tells: so that the links of the fact stay what they are until its next record comes.
CREATE OR REPLACE FUNCTION cube.own_column_of(f cube.fact, p_column text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT coalesce((SELECT format('f.%I', a.attname) FROM pg_attribute a JOIN unnest(ARRAY[p_column, regexp_replace(p_column, '^own_', ''),
				CASE p_column WHEN 'own_human' THEN 'required_human_intervention' END]) WITH ORDINALITY u (name, n) ON u.name = a.attname
			WHERE a.attrelid = format('cube.%I', f.fact)::regclass AND NOT a.attisdropped ORDER BY u.n LIMIT 1),
		CASE p_column WHEN 'component_is_explicit' THEN 'true' ELSE 'NULL' END)
$$;
COMMENT ON FUNCTION cube.own_column_of(cube.fact, text) IS 'A column of a key row that the record filled, as an expression over the fact f.';

-- A fact without a key row gets one of no version, so that any record of it is newer. A key row with another time than its only fact takes the
-- fact's; one that says its fact is deleted only where people say that the facts are right.
CREATE OR REPLACE FUNCTION cube.repair_keys(f cube.fact, p_from int, p_to int, p_accept boolean) RETURNS TABLE (relation text, cell jsonb, before jsonb, after jsonb)
LANGUAGE plpgsql AS $$
DECLARE
	days constant text := cube.facts_within(f, p_from, p_to);
	own text[] := ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = format('cube.%I', 'key_' || f.target)::regclass AND a.attnum > 0 AND NOT a.attisdropped
		AND a.attname <> ALL (ARRAY[f.key_column, 'created_at', 'prev_created_at', 'lsn', 'source_us', 'kafka_us', 'record_offset', 'offset_id', 'xid'])
		AND NOT f.link_columns ? a.attname ORDER BY a.attnum);
	suspects text[];
BEGIN
	EXECUTE format('SELECT array_agg(f.%1$I ORDER BY f.%1$I) FROM cube.%2$I f JOIN cube.key_%3$s k ON k.%1$I = f.%1$I WHERE k.created_at IS DISTINCT FROM f.created_at AND %4$s',
		f.key_column, f.fact, f.target, days) INTO suspects;
	IF suspects IS NOT NULL THEN
		EXECUTE format('SELECT cube.lock_%s($1)', f.target) USING suspects;
		RETURN QUERY EXECUTE format($sql$
			WITH wrong AS (SELECT k.%1$I AS key, k.created_at AS was, min(f.created_at) AS found FROM cube.key_%2$s k JOIN cube.%3$I f ON f.%1$I = k.%1$I
				WHERE k.%1$I = ANY ($1) AND (k.created_at IS NOT NULL OR $2) GROUP BY 1, 2
				HAVING count(*) = 1 AND min(f.created_at) IS DISTINCT FROM k.created_at),
			mended AS (UPDATE cube.key_%2$s k SET created_at = w.found FROM wrong w WHERE k.%1$I = w.key)
			SELECT 'key_%2$s', jsonb_build_object(%1$L, key), jsonb_build_object('created_at', was), jsonb_build_object('created_at', found) FROM wrong ORDER BY key$sql$,
			f.key_column, f.target, f.fact) USING suspects, p_accept;
	END IF;
	RETURN QUERY EXECUTE format($sql$
		WITH mended AS (INSERT INTO cube.key_%1$s (%2$I, created_at %3$s)
			SELECT f.%2$I, f.created_at %4$s FROM cube.%5$I f WHERE %6$s AND NOT EXISTS (SELECT FROM cube.key_%1$s k WHERE k.%2$I = f.%2$I) ORDER BY f.%2$I
			ON CONFLICT DO NOTHING RETURNING *)
		SELECT 'key_%1$s', jsonb_build_object(%2$L, %2$I), NULL::jsonb, jsonb_build_object('created_at', created_at) FROM mended ORDER BY %2$I$sql$,
		f.target, f.key_column, cube.list(', %I', own, ''), (SELECT coalesce(string_agg(', ' || cube.own_column_of(f, o), '' ORDER BY n), '') FROM unnest(own) WITH ORDINALITY u (o, n)),
		f.fact, days);
END $$;
COMMENT ON FUNCTION cube.repair_keys(cube.fact, int, int, boolean) IS 'Makes the key rows of facts of days name them; returns what it changed.';

-- Bounded: what is left is found when the step is looked at again. By nested loop: the keys of some days
-- are all over the key table, and a hash join would read all of it.
CREATE OR REPLACE FUNCTION cube.keys_whose_links_differ(f cube.fact, p_from int, p_to int) RETURNS text[] LANGUAGE plpgsql SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE keys text[];
BEGIN
	EXECUTE format('SELECT array_agg(key ORDER BY key) FROM (SELECT k.%1$I AS key FROM cube.%2$I f JOIN cube.key_%3$s k ON k.%1$I = f.%1$I AND k.created_at = f.created_at
		WHERE %4$s AND %5$s LIMIT 20000) s', f.key_column, f.fact, f.target, cube.facts_within(f, p_from, p_to), cube.link_differs(f)) INTO keys;
	RETURN keys;
END $$;
COMMENT ON FUNCTION cube.keys_whose_links_differ(cube.fact, int, int) IS 'Keys of facts of days whose links are not what the other facts say; at most 20,000.';

-- The links of these days, as the writers compute them; and then what is summed of them, with what the ledger has to forget of the wrong ones.
CREATE OR REPLACE FUNCTION cube.repair_facts(f cube.fact, p_from int, p_to int, p_accept boolean) RETURNS TABLE (relation text, cell jsonb, before jsonb, after jsonb)
LANGUAGE plpgsql AS $$
DECLARE
	r cube.rollup;
	links constant text[] := ARRAY(SELECT jsonb_object_keys(f.links) ORDER BY 1);
	link_columns constant text[] := ARRAY(SELECT jsonb_object_keys(f.link_columns) ORDER BY 1);
	seen text;       -- fact and key row of the suspects as they are
	suspects text[];
	facts_were jsonb[];
	keys_were jsonb[];
	loaded timestamptz[];
	hashes bigint[];
	days date[] := '{}';
	checksums numeric[] := '{}';
BEGIN
	IF f.links::text LIKE '%dim_mission%' THEN PERFORM cube.mission_gate(false); END IF;
	RETURN QUERY SELECT * FROM cube.repair_minutes(f, p_from, p_to);
	RETURN QUERY SELECT * FROM cube.repair_keys(f, p_from, p_to, p_accept);

	IF f.links <> '{}' THEN
		suspects := cube.keys_whose_links_differ(f, p_from, p_to);
	END IF;
	IF suspects IS NOT NULL THEN
		EXECUTE format('SELECT cube.lock_%s($1)', f.target) USING suspects;
		seen := format($sql$FROM cube.key_%1$s k JOIN cube.%2$I f ON f.%3$I = k.%3$I AND f.created_at = k.created_at
			CROSS JOIN LATERAL (SELECT jsonb_build_object(%4$s) AS fact_is, jsonb_build_object(%5$s)::jsonb AS key_is) s$sql$, f.target, f.fact, f.key_column,
			cube.list('%1$L, f.%1$I', links), cube.list('%1$L, k.%1$I', link_columns));
		EXECUTE format('SELECT array_agg(k.%1$I ORDER BY k.%1$I), array_agg(s.fact_is ORDER BY k.%1$I), array_agg(s.key_is ORDER BY k.%1$I),
			array_agg(f.loaded_at ORDER BY k.%1$I), array_agg(hash_record(f.*)::bigint ORDER BY k.%1$I) %2$s WHERE k.%1$I = ANY ($1)', f.key_column, seen)
			INTO suspects, facts_were, keys_were, loaded, hashes USING suspects;
		EXECUTE format('SELECT cube.relink_%s($1)', f.target) USING suspects;
		RETURN QUERY EXECUTE format($sql$
			SELECT u.relation, jsonb_build_object(%1$L, w.key), cube.differing_part(u.was, u.found), cube.differing_part(u.found, u.was)
			FROM unnest($1, $2, $3) w (key, fact_was, key_was), LATERAL (SELECT s.fact_is, s.key_is %2$s WHERE k.%1$I = w.key) s,
				LATERAL (VALUES (%3$L::text, w.fact_was, s.fact_is), (%4$L, w.key_was, s.key_is)) u (relation, was, found)
			WHERE u.was <> u.found ORDER BY u.relation, w.key$sql$, f.key_column, seen, f.fact, 'key_' || f.target) USING suspects, facts_were, keys_were;
		-- the row as it was before somebody changed its links had the links that it has now, and the loaded_at that was found
		EXECUTE format($sql$
			SELECT array_agg(day), array_agg(checksum) FROM (
				SELECT cube.day_of(f.time_key) AS day, sum(w.hash - hash_record(ROW(%1$s)::cube.%2$I)) AS checksum
				FROM unnest($1, $2, $3) w (key, loaded, hash) JOIN cube.key_%3$s k ON k.%4$I = w.key JOIN cube.%2$I f ON f.%4$I = k.%4$I AND f.created_at = k.created_at GROUP BY 1) d$sql$,
			(SELECT string_agg(CASE attname WHEN 'loaded_at' THEN 'w.loaded' ELSE format('f.%I', attname) END, ', ' ORDER BY attnum)
				FROM pg_attribute WHERE attrelid = format('cube.%I', f.fact)::regclass AND attnum > 0 AND NOT attisdropped),
			f.fact, f.target, f.key_column) INTO days, checksums USING suspects, loaded, hashes;
	END IF;

	FOR r IN SELECT * FROM cube.rollup u WHERE u.fact = f.fact AND cube.rollup_has_days(u) AND cube.is_filled(u.rollup) ORDER BY u.position LOOP
		RETURN QUERY SELECT * FROM cube.repair_rollup(r, p_from, p_to,
			CASE WHEN r.rollup <> format('rollup_%s_ledger', f.target) OR p_accept THEN 'true' ELSE cube.ledger_is_wrong(f) END, days, checksums);
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.repair_facts(cube.fact, int, int, boolean) IS 'Makes minutes, keys, links and rollups of facts of days right; returns what it changed.';

-- In a range of keys, by the days of their facts: the first day of which something is made right, so that a transaction stays short and locks in
-- key order; the step is looked at again for as long as something changes.
CREATE OR REPLACE FUNCTION cube.repair_keys_of_days(f cube.fact, p_after text, p_to text, p_since timestamptz, p_accept boolean)
RETURNS TABLE (relation text, cell jsonb, before jsonb, after jsonb) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE day int;
BEGIN
	FOR day IN EXECUTE format('SELECT DISTINCT time_key / 1440 FROM (%s) l WHERE (is_lost OR differs) AND time_key IS NOT NULL ORDER BY 1',
			cube.keys_beside_facts(f, p_after, p_to, p_since)) LOOP
		RETURN QUERY SELECT * FROM cube.repair_facts(f, day, day + 1, p_accept);
		EXIT WHEN FOUND;
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.repair_keys_of_days(cube.fact, text, text, timestamptz, boolean) IS 'Makes the facts of a day right of which a key in a range, or its links, differ; returns what it changed.';

CREATE OR REPLACE FUNCTION cube.key_without_fact(f cube.fact, p_after text, p_to text, p_since timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('%1$s AND NOT EXISTS (SELECT FROM cube.%2$I f WHERE f.%3$I = k.%3$I AND f.created_at = k.created_at)',
		cube.keys_within(f, 'k', p_after, p_to, p_since), f.fact, f.key_column)
$$;
COMMENT ON FUNCTION cube.key_without_fact(cube.fact, text, text, timestamptz) IS 'The condition that a key row k, in a range of keys, names a fact that is not there.';

-- As if the fact had been deleted by hand, with the triggers on.
CREATE OR REPLACE FUNCTION cube.forget_lost_facts(f cube.fact, p_after text, p_to text, p_since timestamptz) RETURNS TABLE (relation text, cell jsonb, before jsonb, after jsonb)
LANGUAGE plpgsql AS $$
DECLARE
	lost constant text := cube.key_without_fact(f, p_after, p_to, p_since);
	suspects text[];
BEGIN
	EXECUTE format('SELECT array_agg(k.%1$I ORDER BY k.%1$I) FROM cube.key_%2$s k WHERE %3$s', f.key_column, f.target, lost) INTO suspects;
	IF suspects IS NULL THEN RETURN; END IF;
	EXECUTE format('SELECT cube.lock_%s($1)', f.target) USING suspects;
	RETURN QUERY EXECUTE format($sql$
		WITH lost AS (SELECT k.%1$I AS key, k.created_at AS was FROM cube.key_%2$s k WHERE k.%1$I = ANY ($1) AND %3$s),
		mended AS (UPDATE cube.key_%2$s k SET created_at = NULL, prev_created_at = l.was FROM lost l WHERE k.%1$I = l.key)
		SELECT 'key_%2$s', jsonb_build_object(%1$L, key), jsonb_build_object('created_at', was), jsonb_build_object('created_at', NULL) FROM lost ORDER BY key$sql$,
		f.key_column, f.target, lost) USING suspects;
END $$;
COMMENT ON FUNCTION cube.forget_lost_facts(cube.fact, text, text, timestamptz) IS 'Has keys forget facts that are not there; returns what it changed.';

-- Of members that are there; of others nobody knows the natural key.
CREATE OR REPLACE FUNCTION cube.repair_history(p_target text, p_from int, p_to int) RETURNS TABLE (relation text, cell jsonb, before jsonb, after jsonb)
LANGUAGE plpgsql AS $$
DECLARE
	dim constant text := 'dim_' || rtrim(p_target, 's');
	key constant text := rtrim(p_target, 's') || '_key';
	suspects int[];
	members_were jsonb[];
	history_was jsonb;
BEGIN
	PERFORM cube.mission_gate(true);
	EXECUTE format($sql$
		SELECT array_agg(d.%1$I ORDER BY d.%1$I), array_agg(to_jsonb(d) - 'loaded_at' ORDER BY d.%1$I) FROM cube.%2$I d WHERE %3$s AND (
			EXISTS (SELECT FROM (SELECT * FROM cube.%2$s_history h WHERE h.%1$I = d.%1$I) h FULL JOIN cube.history_of_%4$s(ARRAY[d.%1$I]) v USING (version_number)
				WHERE to_jsonb(h) - 'loaded_at' IS DISTINCT FROM to_jsonb(v) - 'loaded_at')
			OR EXISTS (SELECT FROM (SELECT * FROM cube.history_of_%4$s(ARRAY[d.%1$I]) ORDER BY version_number DESC LIMIT 1) v
				WHERE (%5$s, false) IS DISTINCT FROM (%6$s, d.is_inferred)))$sql$,
		key, dim, cube.within(format('d.%I', key), 1, p_from, p_to), p_target,
		cube.list('v.%I', cube.history_columns(dim)), cube.list('d.%I', cube.history_columns(dim))) INTO suspects, members_were;
	IF suspects IS NULL THEN RETURN; END IF;
	EXECUTE format($sql$SELECT jsonb_agg(to_jsonb(h) - 'loaded_at') FROM cube.%s_history h WHERE h.%I = ANY ($1)$sql$, dim, key) INTO history_was USING suspects;
	EXECUTE format('SELECT cube.known_%1$s(cube.rebuild_%1$s($1))', p_target) USING suspects;
	RETURN QUERY EXECUTE format($sql$
		SELECT '%1$s_history', jsonb_build_object(%2$L, coalesce(w.was, i.found) -> %2$L, 'version_number', coalesce(w.was, i.found) -> 'version_number'),
			cube.differing_part(w.was, i.found), cube.differing_part(i.found, w.was)
		FROM (SELECT w AS was, (w ->> %2$L)::int AS member, (w ->> 'version_number')::int AS version FROM jsonb_array_elements($2) w) w
		FULL JOIN (SELECT to_jsonb(h) - 'loaded_at' AS found, h.%2$I AS member, h.version_number AS version FROM cube.%1$s_history h WHERE h.%2$I = ANY ($1)) i USING (member, version)
		WHERE w.was IS DISTINCT FROM i.found
		UNION ALL SELECT '%1$s', jsonb_build_object(%2$L, d.%2$I), cube.differing_part(w.was, to_jsonb(d) - 'loaded_at'), cube.differing_part(to_jsonb(d) - 'loaded_at', w.was)
		FROM unnest($1, $3) w (member, was) JOIN cube.%1$I d ON d.%2$I = w.member WHERE w.was <> to_jsonb(d) - 'loaded_at' ORDER BY 1, 2$sql$, dim, key)
		USING suspects, coalesce(history_was, '[]'), members_were;
END $$;
COMMENT ON FUNCTION cube.repair_history(text, int, int) IS 'Computes histories that differ again from all their versions; returns what it changed.';

CREATE OR REPLACE FUNCTION cube.repair_step(p_kind text, p_subject text, p_from text, p_to text, p_since timestamptz DEFAULT NULL, p_accept boolean DEFAULT false)
RETURNS TABLE (relation text, cell jsonb, before jsonb, after jsonb) LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
BEGIN
	PERFORM cube.begin_repair();
	CASE p_kind
		WHEN 'bookkeeping' THEN NULL; -- positions, their ledger and dead letters are not ours to change
		WHEN 'history' THEN RETURN QUERY SELECT * FROM cube.repair_history(p_subject, p_from::int, p_to::int);
		WHEN 'facts' THEN RETURN QUERY SELECT c.* FROM cube.fact f, cube.repair_facts(f, p_from::int, p_to::int, p_accept) c WHERE f.fact = p_subject;
		WHEN 'keys' THEN
			RETURN QUERY SELECT c.* FROM cube.fact f, cube.repair_keys_of_days(f, p_from, p_to, p_since, p_accept) c WHERE f.fact = p_subject;
			IF p_accept THEN RETURN QUERY SELECT c.* FROM cube.fact f, cube.forget_lost_facts(f, p_from, p_to, p_since) c WHERE f.fact = p_subject; END IF;
		WHEN 'rollup' THEN RETURN QUERY SELECT c.* FROM cube.rollup r, cube.repair_rollup(r) c WHERE r.rollup = p_subject;
	END CASE;
END $$;
COMMENT ON FUNCTION cube.repair_step(text, text, text, text, timestamptz, boolean) IS 'Makes one step of cube.verify_plan() right; returns what it changed. p_accept: the facts are right as they are, also where they were changed behind the triggers.';
