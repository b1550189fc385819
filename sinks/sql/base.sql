-- The ground of the cube: schema, settings, bookkeeping of offsets, dead letters, quality issues, gaps.
-- Applied by `gracecube migrate` in one transaction; psql can run the files too, in the order of cube.schema_file.

CREATE SCHEMA IF NOT EXISTS cube;
COMMENT ON SCHEMA cube IS 'The Grace Data Cube: facts, dimensions and exact rollups, kept live from Kafka by gracecube.';

-- "name: text" lines become comments of a table's columns: prose stays prose, and a misspelt column fails.
CREATE FUNCTION cube.comment_columns(relation regclass, comments text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE line text; part text[];
BEGIN
	FOREACH line IN ARRAY string_to_array(comments, E'\n') LOOP
		CONTINUE WHEN btrim(line, E' \t') = '';
		part := regexp_match(line, '^\s*(\w+):\s*(.*)$');
		IF part IS NULL THEN RAISE EXCEPTION 'cube.comment_columns: not "name: text": %', line; END IF;
		EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', relation, part[1], part[2]);
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.comment_columns(regclass, text) IS 'Comments on columns, one "name: text" a line.';

CREATE TABLE cube.schema_version (
	version int PRIMARY KEY,
	program text NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE cube.schema_version IS 'Which schema versions were applied, when, by which program; the highest is in force.';
SELECT cube.comment_columns('cube.schema_version', $$
	version: schema version
	program: gracecube's version that applied it
	applied_at: when it was applied
$$);

CREATE TABLE cube.setting (
	name text PRIMARY KEY,
	value text NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE cube.setting IS 'Settings that SQL needs to know, written by `gracecube migrate` from the configuration.';
SELECT cube.comment_columns('cube.setting', $$
	name: the option, as in the configuration
	value: its value
	loaded_at: when it was written
$$);

CREATE TABLE cube.etl_offset (
	offset_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	group_id text NOT NULL,
	topic text NOT NULL,
	partition int NOT NULL,
	stream text NOT NULL,
	first_offset bigint NOT NULL,
	next_offset bigint NOT NULL,
	last_record_hash bigint,
	applied bigint NOT NULL DEFAULT 0,
	superseded bigint NOT NULL DEFAULT 0,
	dead bigint NOT NULL DEFAULT 0,
	ignored bigint NOT NULL DEFAULT 0,
	owner text,
	owner_pid int,
	owner_epoch bigint NOT NULL DEFAULT 0,
	claimed_at timestamptz,
	last_record_at timestamptz,
	updated_at timestamptz NOT NULL DEFAULT now(),
	UNIQUE (group_id, topic, partition),
	CONSTRAINT ledger_closed CHECK (applied + superseded + dead + ignored = next_offset - first_offset)
) WITH (fillfactor = 50);
COMMENT ON TABLE cube.etl_offset IS 'Position and ledger of each partition. next_offset moves by compare-and-set in the transaction that writes the rows; Kafka''s own committed offset is only a hint.';
SELECT cube.comment_columns('cube.etl_offset', $$
	offset_id: short name of the partition inside the program
	group_id: Kafka consumer group
	topic: Kafka topic
	partition: Kafka partition
	stream: the kind of record the topic carries
	first_offset: where reading began
	next_offset: the next offset to be read; everything before it is in the cube, in the dead letters, or counted as ignored
	last_record_hash: of the record before next_offset (time, key and value): tells the topic from one made anew under its name; NULL where it is not known, then nothing is compared
	applied: records that changed the cube or confirmed what it holds
	superseded: records older than what the cube holds, and duplicates
	dead: records in cube.etl_dead_letter
	ignored: records that mean nothing here, and offsets that hold none (transaction markers, compaction, retention gaps)
	owner: who holds the partition, host:process:worker
	owner_pid: backend of the owner, in pg_stat_activity
	owner_epoch: raised by every claim; a writer with an older one is refused
	claimed_at: when the owner claimed it
	last_record_at: Kafka's timestamp of the newest record read
	updated_at: when the position last moved
$$);

CREATE TABLE cube.etl_dead_letter (
	dead_letter_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	group_id text NOT NULL,
	topic text NOT NULL,
	partition int NOT NULL,
	kafka_offset bigint NOT NULL,
	kafka_timestamp timestamptz,
	stream text NOT NULL,
	key bytea,
	value bytea,
	headers jsonb NOT NULL DEFAULT '[]',
	error_code text NOT NULL,
	error_where text NOT NULL,
	reason text NOT NULL,
	dead_at timestamptz NOT NULL DEFAULT now(),
	UNIQUE (group_id, topic, partition, kafka_offset)
);
COMMENT ON TABLE cube.etl_dead_letter IS 'Records that could not be applied, byte for byte, each with its reason; written in the transaction that moves the offset over it.';
SELECT cube.comment_columns('cube.etl_dead_letter', $$
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
	error_code: short and stable: not_json, no_key, missing_field, bad_type, …, or an SQLSTATE
	error_where: the place: a field, a byte
	reason: one sentence
	dead_at: when it was refused
$$);

CREATE TABLE cube.etl_quality_issue (
	topic text NOT NULL,
	partition int NOT NULL,
	kafka_offset bigint NOT NULL,
	number int NOT NULL,
	kafka_timestamp timestamptz,
	stream text NOT NULL,
	record_key text,
	field text NOT NULL,
	raw_value text,
	rule text NOT NULL,
	found_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (topic, partition, kafka_offset, number)
);
CREATE INDEX ON cube.etl_quality_issue (stream, field, rule, found_at);
COMMENT ON TABLE cube.etl_quality_issue IS 'Records that were applied although something in them made no sense; the field named here is NULL or cleaned in the fact.';
SELECT cube.comment_columns('cube.etl_quality_issue', $$
	topic: Kafka topic
	partition: Kafka partition
	kafka_offset: its offset
	number: which issue of the record, from 0
	kafka_timestamp: Kafka's timestamp
	stream: the kind of record
	record_key: natural key of the fact
	field: the field
	raw_value: its value as it came, at most 1,000 characters
	rule: the rule that it broke
	found_at: when it was found
$$);

CREATE TABLE cube.etl_gap (
	group_id text NOT NULL,
	topic text NOT NULL,
	partition int NOT NULL,
	from_offset bigint NOT NULL,
	to_offset bigint NOT NULL,
	reason text NOT NULL,
	detected_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (group_id, topic, partition, from_offset)
);
COMMENT ON TABLE cube.etl_gap IS 'Offsets that Kafka had already deleted when they were to be read: the only records that can be missing, to the message.';
SELECT cube.comment_columns('cube.etl_gap', $$
	group_id: Kafka consumer group
	topic: Kafka topic
	partition: Kafka partition
	from_offset: first offset that is gone
	to_offset: the first one after it that was there
	reason: why
	detected_at: when it was seen
$$);

-- Claims partitions: makes the rows that are missing, raises the epoch, tells where to start. `low` is Kafka's low
-- watermark, the start of a partition that was never read; it is also how records lost to retention are found.
CREATE FUNCTION cube.claim(p_group text, p_owner text, p_stream text[], p_topic text[], p_partition int[], p_low bigint[])
RETURNS TABLE (n int, offset_id bigint, owner_epoch bigint, next_offset bigint, lost bigint, last_hash bigint) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
#variable_conflict use_column
BEGIN
	INSERT INTO cube.etl_offset AS o (group_id, topic, partition, stream, first_offset, next_offset)
	SELECT p_group, i.topic, i.partition, i.stream, i.low, i.low
	FROM unnest(p_stream, p_topic, p_partition, p_low) AS i (stream, topic, partition, low)
	ORDER BY i.topic, i.partition
	ON CONFLICT (group_id, topic, partition) DO NOTHING;

	-- from here on nobody else moves them, so that what is read now holds
	PERFORM FROM unnest(p_topic, p_partition) AS i (topic, partition)
	JOIN cube.etl_offset o ON o.group_id = p_group AND o.topic = i.topic AND o.partition = i.partition
	ORDER BY o.topic, o.partition FOR UPDATE OF o;

	INSERT INTO cube.etl_gap AS g (group_id, topic, partition, from_offset, to_offset, reason)
	SELECT p_group, o.topic, o.partition, o.next_offset, i.low, 'deleted by retention before it was read'
	FROM unnest(p_topic, p_partition, p_low) AS i (topic, partition, low)
	JOIN cube.etl_offset o ON o.group_id = p_group AND o.topic = i.topic AND o.partition = i.partition
	WHERE o.next_offset < i.low
	ON CONFLICT DO NOTHING;

	RETURN QUERY
	WITH claimed AS (
		UPDATE cube.etl_offset o
		SET owner = p_owner, owner_pid = pg_backend_pid(), owner_epoch = o.owner_epoch + 1, claimed_at = clock_timestamp(),
			stream = i.stream,
			next_offset = greatest(o.next_offset, i.low),
			ignored = o.ignored + greatest(i.low - o.next_offset, 0),
			last_record_hash = CASE WHEN o.next_offset >= i.low THEN o.last_record_hash END
		FROM unnest(p_stream, p_topic, p_partition, p_low) WITH ORDINALITY AS i (stream, topic, partition, low, n)
		JOIN cube.etl_offset before ON before.group_id = p_group AND before.topic = i.topic AND before.partition = i.partition
		WHERE o.offset_id = before.offset_id
		RETURNING i.n::int AS n, o.offset_id, o.owner_epoch, o.next_offset, o.next_offset - before.next_offset AS lost, coalesce(o.last_record_hash, 0) AS hash)
	SELECT c.n, c.offset_id, c.owner_epoch, c.next_offset, c.lost, c.hash FROM claimed c ORDER BY c.n;
END $$;
COMMENT ON FUNCTION cube.claim(text, text, text[], text[], int[], bigint[]) IS 'Claims partitions for an owner and tells where to start reading.';

-- The fence. It must raise: in a pipeline a compare-and-set that matches no row is no error, and what stands behind it commits.
CREATE FUNCTION cube.advance(p_offset_id bigint[], p_epoch bigint[], p_from bigint[], p_to bigint[], p_applied bigint[],
	p_superseded bigint[], p_dead bigint[], p_ignored bigint[], p_last_us bigint[], p_last_hash bigint[]) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE moved int;
BEGIN
	UPDATE cube.etl_offset o
	SET next_offset = i.to_offset, last_record_hash = i.last_hash, applied = o.applied + i.applied, superseded = o.superseded + i.superseded,
		dead = o.dead + i.dead, ignored = o.ignored + i.ignored, updated_at = clock_timestamp(),
		last_record_at = CASE WHEN i.last_us >= 0
			THEN greatest(o.last_record_at, to_timestamp(i.last_us / 1e6)) ELSE o.last_record_at END
	FROM unnest(p_offset_id, p_epoch, p_from, p_to, p_applied, p_superseded, p_dead, p_ignored, p_last_us, p_last_hash)
		AS i (offset_id, epoch, from_offset, to_offset, applied, superseded, dead, ignored, last_us, last_hash)
	WHERE o.offset_id = i.offset_id AND o.next_offset = i.from_offset AND o.owner_epoch = i.epoch;
	GET DIAGNOSTICS moved = ROW_COUNT;
	IF moved <> cardinality(p_offset_id) THEN
		RAISE EXCEPTION 'another owner has moved % of % partitions', cardinality(p_offset_id) - moved, cardinality(p_offset_id)
			USING ERRCODE = 'GC001';
	END IF;
END $$;
COMMENT ON FUNCTION cube.advance(bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[]) IS 'The fence: moves positions by compare-and-set, or fails the transaction with SQLSTATE GC001.';

CREATE FUNCTION cube.add_dead_letters(p_offset_id bigint[], p_offset bigint[], p_kafka_us bigint[], p_stream text[],
	p_key bytea[], p_value bytea[], p_headers text[], p_code text[], p_where text[], p_reason text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	INSERT INTO cube.etl_dead_letter (group_id, topic, partition, kafka_offset, kafka_timestamp, stream, key, value, headers,
		error_code, error_where, reason)
	SELECT o.group_id, o.topic, o.partition, i.kafka_offset,
		CASE WHEN i.kafka_us >= 0 THEN to_timestamp(i.kafka_us / 1e6) END, i.stream, i.key, i.value, i.headers::jsonb,
		i.code, i.place, i.reason
	FROM unnest(p_offset_id, p_offset, p_kafka_us, p_stream, p_key, p_value, p_headers, p_code, p_where, p_reason)
		AS i (offset_id, kafka_offset, kafka_us, stream, key, value, headers, code, place, reason)
	JOIN cube.etl_offset o ON o.offset_id = i.offset_id
	ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION cube.add_dead_letters(bigint[], bigint[], bigint[], text[], bytea[], bytea[], text[], text[], text[], text[]) IS 'Writes dead letters.';

CREATE FUNCTION cube.add_quality_issues(p_offset_id bigint[], p_offset bigint[], p_kafka_us bigint[], p_stream text[],
	p_key text[], p_field text[], p_raw text[], p_rule text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	INSERT INTO cube.etl_quality_issue (topic, partition, kafka_offset, number, kafka_timestamp, stream, record_key, field,
		raw_value, rule)
	SELECT o.topic, o.partition, i.kafka_offset, row_number() OVER (PARTITION BY i.offset_id, i.kafka_offset ORDER BY i.n) - 1,
		CASE WHEN i.kafka_us >= 0 THEN to_timestamp(i.kafka_us / 1e6) END, i.stream, i.key, i.field, left(i.raw, 1000), i.rule
	FROM unnest(p_offset_id, p_offset, p_kafka_us, p_stream, p_key, p_field, p_raw, p_rule) WITH ORDINALITY
		AS i (offset_id, kafka_offset, kafka_us, stream, key, field, raw, rule, n)
	JOIN cube.etl_offset o ON o.offset_id = i.offset_id
	ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION cube.add_quality_issues(bigint[], bigint[], bigint[], text[], text[], text[], text[], text[]) IS 'Writes quality issues.';

-- Contracts may name a mission in passing ("cognition:mission-7"), which counts only once that mission is known. A batch
-- with contracts passes the gate shared, a batch that makes a mission known passes it alone, before its first row: so
-- whichever commits second sees the other, and the link is made by one of them. Rare: once a mission.
CREATE FUNCTION cube.mission_gate(alone boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF alone THEN PERFORM pg_advisory_xact_lock(7240001); ELSE PERFORM pg_advisory_xact_lock_shared(7240001); END IF;
END $$;
COMMENT ON FUNCTION cube.mission_gate(boolean) IS 'Orders batches with contracts against batches that make a mission known.';

-- The lane of this session's rollup rows: a worker's own, 0 for hand-made changes.
CREATE FUNCTION cube.lane() RETURNS smallint LANGUAGE sql STABLE AS $$
	SELECT coalesce(nullif(current_setting('gracecube.lane', true), '')::smallint, 0::smallint)
$$;
COMMENT ON FUNCTION cube.lane() IS 'Lane of the rollup rows that this session writes; views sum over lanes.';

-- gc_version_compare() in C is the same rule.
CREATE FUNCTION cube.is_newer(a_lsn bigint, a_source bigint, a_kafka bigint, a_offset bigint,
	b_lsn bigint, b_source bigint, b_kafka bigint, b_offset bigint) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE
		WHEN a_lsn > 0 AND b_lsn > 0 THEN a_lsn > b_lsn
		WHEN a_source > 0 AND b_source > 0 AND a_source <> b_source THEN a_source > b_source
		WHEN a_kafka <> b_kafka THEN a_kafka > b_kafka
		ELSE a_offset > b_offset END
$$;
COMMENT ON FUNCTION cube.is_newer(bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint) IS 'Is version a newer than version b: by the source''s log position where both have one, else its time, else Kafka''s time, then offset.';

CREATE FUNCTION cube.time_key(t timestamptz) RETURNS int LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT floor(date_part('epoch', t) / 60)::int
$$;
COMMENT ON FUNCTION cube.time_key(timestamptz) IS 'Key of dim_time: minutes since 1970-01-01 UTC.';
CREATE FUNCTION cube.day_of(time_key int) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT date '1970-01-01' + time_key / 1440
$$;
COMMENT ON FUNCTION cube.day_of(int) IS 'The UTC day of a time_key.';
CREATE FUNCTION cube.days_until(t timestamptz) RETURNS int LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT ceil(date_part('epoch', t) / 86400)::int
$$;
COMMENT ON FUNCTION cube.days_until(timestamptz) IS 'UTC days since 1970 that begin before a time: the end, not included, of the days that touch a window.';

-- A lane that no other session holds, the lowest: few lanes, few rollup rows. Given back when the session ends.
CREATE FUNCTION cube.take_lane() RETURNS smallint LANGUAGE plpgsql AS $$
BEGIN
	FOR l IN 1..32000 LOOP
		IF pg_try_advisory_lock(7240003, l) THEN
			PERFORM set_config('gracecube.lane', l::text, false);
			RETURN l;
		END IF;
	END LOOP;
	RAISE EXCEPTION 'all lanes are taken';
END $$;
COMMENT ON FUNCTION cube.take_lane() IS 'Takes a lane for this session''s rollup rows.';
