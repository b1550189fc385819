-- Dead letters: written by the worker in the transaction that moves the position over them, counted by a trigger, kept within a bound, and
-- worked off: retried, discarded, moved elsewhere.
--
-- The ledger of a partition (cube.etl_offset) stays what it was: a record that became a dead letter is `dead` in it for ever. What became of it
-- since then is in the letter itself, and each of them is either still a row here or counted as dropped; cube.verify() holds them together.

SELECT cube.describe('cube.etl_dead_letter', 'Records that could not be applied, byte for byte, each with its reason; written in the transaction that moves the offset over it.', $$
	dead_letter_id: number to name it by
	group_id: Kafka consumer group
	topic: Kafka topic
	partition: Kafka partition
	kafka_offset: its offset
	kafka_timestamp: Kafka's timestamp
	stream: the kind of record the topic carries
	key: the raw key
	value: the raw value
	headers: array of [name, value in base64 or null]
	error_code: short and stable: not_json, no_key, missing_field, bad_type, …, or an SQLSTATE; of the last time that it was tried
	error_where: the place: a field, a byte
	reason: one sentence
	dead_at: when it was refused first
	bytes: of key, value and headers; NULL until an upgrade has counted it
	tries: how often it was retried
	outcome: NULL waits; retried: applied, superseded (the cube held something newer), ignored (it means nothing here); or discarded, then its bytes are gone
	worked_at: when it was last retried or discarded
	worked_by: who did that
	imported_at: when `gracecube dead import` put it here; no partition's ledger counts it then
$$);

SELECT cube.describe('cube.etl_dead_letter_ledger', 'Dead letters counted, kept exact by a trigger on cube.etl_dead_letter.', $$
	group_id: Kafka consumer group
	topic: Kafka topic
	partition: Kafka partition
	stream: the kind of record
	letters: how many are kept, those worked off too
	worked: how many of them are worked off
	bytes: of all that are kept
	retries: how often one was retried
	dropped: how many are gone: over the bound, out of date, or deleted by hand
	changed_at: when one of these numbers last changed
$$);

CREATE OR REPLACE FUNCTION cube.dead_letter_bytes(p_key bytea, p_value bytea, p_headers jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
	SELECT coalesce(octet_length(p_key), 0)::bigint + coalesce(octet_length(p_value), 0) + CASE WHEN p_headers = '[]' THEN 0 ELSE octet_length(p_headers::text) END
$$;
COMMENT ON FUNCTION cube.dead_letter_bytes(bytea, bytea, jsonb) IS 'What a dead letter counts for dead.max_bytes.';

-- Of a letter without `bytes` only its end is counted: an upgrade counts it by setting them. A row of the ledger belongs to one partition, whose
-- worker holds its position anyway, so writers do not wait for each other here.
CREATE OR REPLACE FUNCTION cube.count_dead_letters() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE
	columns text := 'group_id, topic, partition, stream, bytes, tries, outcome, imported_at';
	changes text := CASE TG_OP WHEN 'INSERT' THEN format('SELECT 1 AS n, %s FROM new_rows', columns)
		WHEN 'DELETE' THEN format('SELECT -1 AS n, %s FROM old_rows', columns)
		ELSE format('SELECT 1 AS n, %1$s FROM new_rows UNION ALL SELECT -1, %1$s FROM old_rows', columns) END;
BEGIN
	EXECUTE format($sql$
		INSERT INTO cube.etl_dead_letter_ledger AS l (group_id, topic, partition, stream, letters, worked, bytes, retries, dropped, changed_at)
		SELECT d.*, clock_timestamp() FROM (
			SELECT c.group_id, c.topic, c.partition, c.stream, coalesce(sum(c.n) FILTER (WHERE c.bytes IS NOT NULL), 0) AS letters,
				coalesce(sum(c.n) FILTER (WHERE c.bytes IS NOT NULL AND c.outcome IS NOT NULL), 0) AS worked, coalesce(sum(c.n * c.bytes), 0) AS bytes,
				CASE $1 WHEN 'UPDATE' THEN sum(c.n * c.tries) ELSE 0 END AS retries,
				CASE $1 WHEN 'DELETE' THEN count(*) FILTER (WHERE c.imported_at IS NULL) ELSE 0 END AS dropped
			FROM (%s) c GROUP BY 1, 2, 3, 4) d
		WHERE (d.letters, d.worked, d.bytes, d.retries, d.dropped) <> (0, 0, 0, 0, 0) ORDER BY 1, 2, 3, 4
		ON CONFLICT (group_id, topic, partition, stream) DO UPDATE SET letters = l.letters + excluded.letters, worked = l.worked + excluded.worked,
			bytes = l.bytes + excluded.bytes, retries = l.retries + excluded.retries, dropped = l.dropped + excluded.dropped,
			changed_at = excluded.changed_at$sql$, changes) USING TG_OP;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION cube.count_dead_letters() IS 'Keeps cube.etl_dead_letter_ledger.';
SELECT cube.define_trigger('count_inserted', 'insert', 'etl_dead_letter', 'NEW TABLE AS new_rows', 'count_dead_letters'),
	cube.define_trigger('count_updated', 'update', 'etl_dead_letter', 'OLD TABLE AS old_rows NEW TABLE AS new_rows', 'count_dead_letters'),
	cube.define_trigger('count_deleted', 'delete', 'etl_dead_letter', 'OLD TABLE AS old_rows', 'count_dead_letters');

-- What each partition's ledger counts as dead, less the letters of it that are here or known to be dropped. 0, or something is wrong. The stream
-- is that of the partition.
CREATE OR REPLACE FUNCTION cube.missing_dead_letters() RETURNS TABLE (group_id text, topic text, partition int, stream text, dead bigint, kept bigint,
	dropped bigint, missing bigint) LANGUAGE sql STABLE AS $$
	SELECT o.group_id, o.topic, o.partition, o.stream, o.dead, coalesce(d.n, 0), coalesce(l.n, 0), o.dead - coalesce(d.n, 0) - coalesce(l.n, 0)
	FROM cube.etl_offset o
	LEFT JOIN (SELECT d.group_id, d.topic, d.partition, count(*) AS n FROM cube.etl_dead_letter d WHERE d.imported_at IS NULL GROUP BY 1, 2, 3) d
		USING (group_id, topic, partition)
	LEFT JOIN (SELECT l.group_id, l.topic, l.partition, sum(l.dropped)::bigint AS n FROM cube.etl_dead_letter_ledger l GROUP BY 1, 2, 3) l
		USING (group_id, topic, partition)
$$;
COMMENT ON FUNCTION cube.missing_dead_letters() IS 'Compares the dead letters of each partition with its ledger.';

-- A copy of a cube that reads beside the original needs a group of its own. Letters take what is counted of them along, by their trigger; what
-- is left of a row of the ledger are those that are gone.
CREATE OR REPLACE FUNCTION cube.rename_group(p_from text, p_to text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE positions bigint;
BEGIN
	IF EXISTS (SELECT FROM cube.etl_offset WHERE group_id = p_to) THEN RAISE EXCEPTION 'the group % has positions already', p_to; END IF;
	UPDATE cube.etl_offset SET group_id = p_to WHERE group_id = p_from;
	GET DIAGNOSTICS positions = ROW_COUNT;
	IF positions = 0 THEN RAISE EXCEPTION 'the group % has no positions here', p_from; END IF;
	UPDATE cube.etl_gap SET group_id = p_to WHERE group_id = p_from;
	UPDATE cube.etl_dead_letter SET group_id = p_to WHERE group_id = p_from;
	WITH rest AS (DELETE FROM cube.etl_dead_letter_ledger WHERE group_id = p_from RETURNING *)
	INSERT INTO cube.etl_dead_letter_ledger AS l (group_id, topic, partition, stream, letters, worked, bytes, retries, dropped)
	SELECT p_to, topic, partition, stream, letters, worked, bytes, retries, dropped FROM rest
	ON CONFLICT (group_id, topic, partition, stream) DO UPDATE SET letters = l.letters + excluded.letters, worked = l.worked + excluded.worked,
		bytes = l.bytes + excluded.bytes, retries = l.retries + excluded.retries, dropped = l.dropped + excluded.dropped, changed_at = excluded.changed_at;
	RETURN positions;
END $$;
COMMENT ON FUNCTION cube.rename_group(text, text) IS 'Gives positions, gaps and dead letters of a consumer group to one of another name; returns how many positions. While no process reads with either.';

-- The bound --------------------------------------------------------------------------------------------------------------------

-- The oldest go, until so many and so many bytes are gone. Those that another transaction has locked are skipped.
CREATE OR REPLACE FUNCTION cube.drop_dead_letters(p_letters bigint, p_bytes bigint, p_worked boolean) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE
	ids bigint[] := '{}';
	letters bigint := 0;
	bytes bigint := 0;
	d record;
BEGIN
	FOR d IN SELECT l.dead_letter_id, l.bytes FROM cube.etl_dead_letter l WHERE (l.outcome IS NOT NULL) = p_worked AND l.bytes IS NOT NULL
			ORDER BY l.dead_letter_id FOR UPDATE SKIP LOCKED LOOP
		EXIT WHEN letters >= p_letters AND bytes >= p_bytes;
		CONTINUE WHEN letters >= p_letters AND d.bytes = 0; -- it makes no room
		ids := ids || d.dead_letter_id;
		letters := letters + 1;
		bytes := bytes + d.bytes;
	END LOOP;
	DELETE FROM cube.etl_dead_letter l WHERE l.dead_letter_id = ANY (ids);
END $$;
COMMENT ON FUNCTION cube.drop_dead_letters(bigint, bigint, boolean) IS 'Drops the oldest dead letters: those worked off, or those that wait.';

-- Those worked off make room first. What others have not committed yet is not seen: each of them may be over by one batch.
CREATE OR REPLACE FUNCTION cube.bound_dead_letters(p_max_count bigint, p_max_bytes bigint, p_drop_oldest boolean) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE
	kept record;
	too_many bigint;
	too_large bigint;
BEGIN
	FOR turn IN 1..3 LOOP
		SELECT coalesce(sum(l.letters), 0)::bigint AS letters, coalesce(sum(l.bytes), 0)::bigint AS bytes, coalesce(sum(l.worked), 0) AS worked
		INTO kept FROM cube.etl_dead_letter_ledger l;
		too_many := CASE WHEN p_max_count > 0 THEN greatest(kept.letters - p_max_count, 0) ELSE 0 END;
		too_large := CASE WHEN p_max_bytes > 0 THEN greatest(kept.bytes - p_max_bytes, 0) ELSE 0 END;
		EXIT WHEN too_many = 0 AND too_large = 0;
		IF turn = 1 AND kept.worked > 0 THEN
			PERFORM cube.drop_dead_letters(too_many, too_large, true);
		ELSIF turn = 2 AND p_drop_oldest THEN
			PERFORM cube.drop_dead_letters(too_many, too_large, false);
		ELSIF turn = 3 AND NOT p_drop_oldest THEN
			RAISE EXCEPTION 'there is no room for % dead letters of % bytes: dead.max_count is %, dead.max_bytes %', kept.letters, kept.bytes,
				p_max_count, p_max_bytes USING ERRCODE = 'configuration_limit_exceeded',
				HINT = 'make room with `gracecube dead retry` or `dead discard`, raise the limit, or set dead.when_full to drop_oldest';
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.bound_dead_letters(bigint, bigint, boolean) IS 'Keeps the dead letters within dead.max_count and dead.max_bytes, or fails with SQLSTATE 53400 when they may not be dropped.';

-- Writing --------------------------------------------------------------------------------------------------------------------

-- One that was imported becomes one of the group's own when the group comes by the record itself.
CREATE OR REPLACE FUNCTION cube.add_dead_letters(p_offset_id bigint[], p_offset bigint[], p_kafka_us bigint[], p_stream text[],
	p_key bytea[], p_value bytea[], p_headers text[], p_code text[], p_where text[], p_reason text[], p_max_count bigint, p_max_bytes bigint,
	p_drop_oldest boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
BEGIN
	INSERT INTO cube.etl_dead_letter AS d (group_id, topic, partition, kafka_offset, kafka_timestamp, stream, key, value, headers,
		error_code, error_where, reason, bytes)
	SELECT o.group_id, o.topic, o.partition, i.kafka_offset,
		CASE WHEN i.kafka_us >= 0 THEN to_timestamp(i.kafka_us / 1e6) END, i.stream, i.key, i.value, i.headers::jsonb,
		i.code, i.place, i.reason, cube.dead_letter_bytes(i.key, i.value, i.headers::jsonb)
	FROM unnest(p_offset_id, p_offset, p_kafka_us, p_stream, p_key, p_value, p_headers, p_code, p_where, p_reason)
		AS i (offset_id, kafka_offset, kafka_us, stream, key, value, headers, code, place, reason)
	JOIN cube.etl_offset o ON o.offset_id = i.offset_id
	ON CONFLICT (group_id, topic, partition, kafka_offset) DO UPDATE SET kafka_timestamp = excluded.kafka_timestamp, stream = excluded.stream,
		key = excluded.key, value = excluded.value, headers = excluded.headers, error_code = excluded.error_code,
		error_where = excluded.error_where, reason = excluded.reason, dead_at = excluded.dead_at, bytes = excluded.bytes, outcome = NULL,
		imported_at = NULL
	WHERE d.imported_at IS NOT NULL;
	PERFORM cube.bound_dead_letters(p_max_count, p_max_bytes, p_drop_oldest);
END $$;
COMMENT ON FUNCTION cube.add_dead_letters(bigint[], bigint[], bigint[], text[], bytea[], bytea[], text[], text[], text[], text[], bigint, bigint, boolean) IS 'Writes dead letters, within the bound.';

-- What 0.1.0 calls, which knows of no bound.
CREATE OR REPLACE FUNCTION cube.add_dead_letters(p_offset_id bigint[], p_offset bigint[], p_kafka_us bigint[], p_stream text[],
	p_key bytea[], p_value bytea[], p_headers text[], p_code text[], p_where text[], p_reason text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	SELECT cube.add_dead_letters(p_offset_id, p_offset, p_kafka_us, p_stream, p_key, p_value, p_headers, p_code, p_where, p_reason, 0, 0, false)
$$;
COMMENT ON FUNCTION cube.add_dead_letters(bigint[], bigint[], bigint[], text[], bytea[], bytea[], text[], text[], text[], text[]) IS 'Writes dead letters for gracecube 0.1.0.';

-- Retrying --------------------------------------------------------------------------------------------------------------------

-- A letter that is retried is a partition of one record: its row in cube.etl_offset has the letter's number as a negative offset_id and lives
-- within the transaction alone, so that the same merges as a worker's tell there what became of it. Letters are locked in order; one that
-- somebody else has worked on since it was read fails the transaction as the fence does.
CREATE OR REPLACE FUNCTION cube.begin_retry(p_offset_id bigint[], p_tries bigint[], p_applied bigint[], p_superseded bigint[], p_dead bigint[],
	p_ignored bigint[]) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE locked int;
BEGIN
	PERFORM FROM cube.etl_dead_letter d JOIN unnest(p_offset_id, p_tries) AS i (offset_id, tries) ON d.dead_letter_id = -i.offset_id
	WHERE d.tries = i.tries AND d.outcome IS DISTINCT FROM 'discarded' ORDER BY d.dead_letter_id FOR UPDATE OF d;
	GET DIAGNOSTICS locked = ROW_COUNT;
	IF locked <> cardinality(p_offset_id) THEN
		RAISE EXCEPTION 'somebody else has worked on % of % dead letters', cardinality(p_offset_id) - locked, cardinality(p_offset_id)
			USING ERRCODE = 'GC001';
	END IF;
	INSERT INTO cube.etl_offset (offset_id, group_id, topic, partition, stream, first_offset, next_offset, applied, superseded, dead, ignored)
	OVERRIDING SYSTEM VALUE
	SELECT i.offset_id, format('dead letter %s', d.dead_letter_id), d.topic, d.partition, d.stream, d.kafka_offset, d.kafka_offset + 1,
		i.applied, i.superseded, i.dead, i.ignored
	FROM unnest(p_offset_id, p_applied, p_superseded, p_dead, p_ignored) AS i (offset_id, applied, superseded, dead, ignored)
	JOIN cube.etl_dead_letter d ON d.dead_letter_id = -i.offset_id;
END $$;
COMMENT ON FUNCTION cube.begin_retry(bigint[], bigint[], bigint[], bigint[], bigint[], bigint[]) IS 'The fence of dead letters that are retried: locks them, or fails the transaction with SQLSTATE GC001.';

-- p_dead…: those that were refused again, each with its reason of now.
CREATE OR REPLACE FUNCTION cube.end_retry(p_offset_id bigint[], p_by text, p_dead bigint[], p_code text[], p_where text[], p_reason text[])
RETURNS TABLE (offset_id bigint, outcome text) LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH o AS (DELETE FROM cube.etl_offset o USING unnest(p_offset_id) AS i (offset_id) WHERE o.offset_id = i.offset_id AND o.offset_id < 0 RETURNING o.*)
	UPDATE cube.etl_dead_letter d SET tries = d.tries + 1, worked_at = clock_timestamp(), worked_by = cube.named_user(p_by),
		outcome = CASE WHEN o.applied > 0 THEN 'applied' WHEN o.superseded > 0 THEN 'superseded' WHEN o.ignored > 0 THEN 'ignored' END,
		error_code = coalesce(i.code, d.error_code), error_where = coalesce(i.place, d.error_where), reason = coalesce(i.reason, d.reason)
	FROM o LEFT JOIN unnest(p_dead, p_code, p_where, p_reason) AS i (offset_id, code, place, reason) ON i.offset_id = o.offset_id
	WHERE d.dead_letter_id = -o.offset_id
	RETURNING o.offset_id, d.outcome;
END $$;
COMMENT ON FUNCTION cube.end_retry(bigint[], text, bigint[], text[], text[], text[]) IS 'Writes down what became of dead letters that were retried.';

CREATE OR REPLACE FUNCTION cube.named_user(p_by text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT format('%s as %s', p_by, session_user) $$;
COMMENT ON FUNCTION cube.named_user(text) IS 'Who works on dead letters: on which machine, and by which login.';

-- Discarding, moving ----------------------------------------------------------------------------------------------------------

-- The bytes go, the row stays and says who did it. p_worked: those that were retried too.
CREATE OR REPLACE FUNCTION cube.discard_dead_letters(p_id bigint[], p_by text, p_worked boolean) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE discarded bigint;
BEGIN
	PERFORM FROM cube.etl_dead_letter d WHERE d.dead_letter_id = ANY (p_id) ORDER BY d.dead_letter_id FOR UPDATE;
	UPDATE cube.etl_dead_letter d SET outcome = 'discarded', key = NULL, value = NULL, headers = '[]', bytes = 0, worked_at = clock_timestamp(),
		worked_by = cube.named_user(p_by)
	WHERE d.dead_letter_id = ANY (p_id) AND (d.outcome IS NULL OR (p_worked AND d.outcome <> 'discarded'));
	GET DIAGNOSTICS discarded = ROW_COUNT;
	RETURN discarded;
END $$;
COMMENT ON FUNCTION cube.discard_dead_letters(bigint[], text, boolean) IS 'Throws the bytes of dead letters away.';

-- One that is here already stays as it is, unless its bytes were discarded: then they are back, and it waits again.
CREATE OR REPLACE FUNCTION cube.import_dead_letters(p_group text, p_topic text[], p_partition bigint[], p_offset bigint[], p_kafka_us bigint[], p_stream text[],
	p_key bytea[], p_value bytea[], p_headers text[], p_code text[], p_where text[], p_reason text[], p_dead_us bigint[], p_tries bigint[],
	p_max_count bigint, p_max_bytes bigint, p_drop_oldest boolean) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE imported bigint;
BEGIN
	INSERT INTO cube.etl_dead_letter AS d (group_id, topic, partition, kafka_offset, kafka_timestamp, stream, key, value, headers,
		error_code, error_where, reason, dead_at, tries, bytes, imported_at)
	SELECT DISTINCT ON (i.topic, i.partition, i.kafka_offset) p_group, i.topic, i.partition::int, i.kafka_offset, CASE WHEN i.kafka_us >= 0 THEN to_timestamp(i.kafka_us / 1e6) END,
		i.stream, i.key, i.value, i.headers::jsonb, i.code, i.place, i.reason, to_timestamp(i.dead_us / 1e6), i.tries,
		cube.dead_letter_bytes(i.key, i.value, i.headers::jsonb), clock_timestamp()
	FROM unnest(p_topic, p_partition, p_offset, p_kafka_us, p_stream, p_key, p_value, p_headers, p_code, p_where, p_reason, p_dead_us, p_tries)
		WITH ORDINALITY AS i (topic, partition, kafka_offset, kafka_us, stream, key, value, headers, code, place, reason, dead_us, tries, n)
	ORDER BY i.topic, i.partition, i.kafka_offset, i.n
	ON CONFLICT (group_id, topic, partition, kafka_offset) DO UPDATE SET key = excluded.key, value = excluded.value, headers = excluded.headers,
		bytes = excluded.bytes, outcome = NULL
	WHERE d.outcome = 'discarded';
	GET DIAGNOSTICS imported = ROW_COUNT;
	PERFORM cube.bound_dead_letters(p_max_count, p_max_bytes, p_drop_oldest);
	RETURN imported;
END $$;
COMMENT ON FUNCTION cube.import_dead_letters(text, text[], bigint[], bigint[], bigint[], text[], bytea[], bytea[], text[], text[], text[], text[], bigint[], bigint[], bigint, bigint, boolean) IS 'Takes dead letters of another cube, and tells how many were not here yet.';
