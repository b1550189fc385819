-- Links of many keys at once: a mission becomes known that a million contracts had named, a parent changes that has as many children. One
-- statement would take minutes, in a transaction that others wait for, and beyond statement_timeout it would be tried again for ever. So what is
-- more than a slice waits here, and workers link it slice by slice, each in a transaction of its own. A record that comes meanwhile links itself
-- by what is there, so a slice only does what anybody may repeat.

SELECT cube.describe('cube.relink_queue', 'Links that wait to be computed again, a slice of keys at a time; verify leaves them out.', $$
	relink_id: order
	target: the target of whose keys the links are
	column_name: column of its key table that names …
	value: … this
	after_key: keys up to this one are done
	queued_at: since when they wait
$$);

CREATE OR REPLACE FUNCTION cube.keys_at_once() RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 5000 $$;
COMMENT ON FUNCTION cube.keys_at_once() IS 'How many keys are linked in a transaction that others wait for.';

-- The fewest keys first, as many as one transaction takes; the others wait.
CREATE OR REPLACE FUNCTION cube.relink_named(p_target text, p_column text, p_values text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	at_once constant int := cube.keys_at_once();
	key_column constant text := (SELECT f.key_column FROM cube.fact f WHERE f.target = p_target);
	few text[];
	keys text[];
BEGIN
	IF coalesce(cardinality(p_values), 0) = 0 THEN RETURN; END IF;
	EXECUTE format('SELECT array_agg(s.value) FILTER (WHERE s.total <= $2) FROM (SELECT v.value, sum(c.n) OVER (ORDER BY c.n, v.value) AS total FROM unnest($1) v (value)
		CROSS JOIN LATERAL (SELECT count(*) AS n FROM (SELECT FROM cube.key_%s k WHERE k.%I = v.value LIMIT $2 + 1) l) c) s', p_target, p_column) INTO few USING p_values, at_once;
	INSERT INTO cube.relink_queue (target, column_name, value)
	SELECT p_target, p_column, v FROM unnest(p_values) v WHERE NOT v = ANY (coalesce(few, '{}')) ORDER BY v;
	EXECUTE format('SELECT array_agg(k.%I) FROM unnest($1) v (value) JOIN cube.key_%s k ON k.%I = v.value', key_column, p_target, p_column) INTO keys USING few;
	EXECUTE format('SELECT cube.relink_%s($1)', p_target) USING keys;
END $$;
COMMENT ON FUNCTION cube.relink_named(text, text, text[]) IS 'Links the keys again that name one of these values in a column: at once, or, where they are many, later.';

-- Two workers link two of them; where there is one, the second worker finds none.
CREATE OR REPLACE FUNCTION cube.relink_slice(p_keys int) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE
	q cube.relink_queue;
	keys text[];
BEGIN
	SELECT * INTO q FROM cube.relink_queue ORDER BY relink_id LIMIT 1 FOR UPDATE SKIP LOCKED;
	IF q.relink_id IS NULL THEN RETURN 0; END IF;
	EXECUTE format('SELECT array_agg(s.key) FROM (SELECT k.%1$I AS key FROM cube.key_%2$s k WHERE k.%3$I = $1 AND k.%1$I > $2 ORDER BY k.%1$I LIMIT $3) s',
		(SELECT f.key_column FROM cube.fact f WHERE f.target = q.target), q.target, q.column_name) INTO keys USING q.value, q.after_key, p_keys;
	EXECUTE format('SELECT cube.relink_%s($1)', q.target) USING keys;
	IF cardinality(keys) = p_keys THEN
		UPDATE cube.relink_queue r SET after_key = keys[p_keys] WHERE r.relink_id = q.relink_id;
	ELSE
		DELETE FROM cube.relink_queue r WHERE r.relink_id = q.relink_id;
	END IF;
	RETURN 1 + coalesce(cardinality(keys), 0);
END $$;
COMMENT ON FUNCTION cube.relink_slice(int) IS 'Links the next so many keys that wait; 0 when none do, or others are at them.';

-- Over its key row k.
CREATE OR REPLACE FUNCTION cube.is_linked_later(p_fact cube.fact) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('EXISTS (SELECT FROM cube.relink_queue q WHERE q.target = %L AND q.value = to_jsonb(k) ->> q.column_name AND k.%I > q.after_key)', p_fact.target, p_fact.key_column)
$$;
COMMENT ON FUNCTION cube.is_linked_later(cube.fact) IS 'The condition that the links of a key row k wait to be computed again.';
