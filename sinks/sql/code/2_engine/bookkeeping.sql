-- Bookkeeping: positions and the fence, quality issues, gaps, settings. Dead letters: dead_letters.sql.

COMMENT ON SCHEMA cube IS 'The Grace Data Cube: facts, dimensions and exact rollups, kept live from Kafka by gracecube.';

SELECT cube.describe('cube.schema_version', 'Schema versions that are complete; a program of an older schema than the highest is refused. Until `migrate` has seen the last of them end, their version stays.', $$
	version: schema version
	program: gracecube's version that applied it
	applied_at: when it was applied
$$);

SELECT cube.describe('cube.schema_file', 'The SQL files that made this cube, as they were: numbered ones of tables/, and those of code/, which are run again whenever they differ.', $$
	file: its place in sinks/sql
	sha256: of its text
	program: gracecube's version that ran it
	applied_at: when it was run
$$);

SELECT cube.describe('cube.setting', 'Settings that SQL needs to know, written by `gracecube migrate` from the configuration.', $$
	name: the option, as in the configuration
	value: its value
	loaded_at: when it was written
$$);

SELECT cube.describe('cube.etl_offset', 'Position and ledger of each partition. next_offset moves by compare-and-set in the transaction that writes the rows; Kafka''s own committed offset is only a hint.', $$
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
	contradicting: of the superseded ones those whose own time is later than that of what the cube holds: clocks, or positions, contradict each other
	record_order: what the records read so far say of the places of those to come, see cube.is_newer(); the program's own
	truncated: place (µs, log position) and own time of the latest TRUNCATE of the topic''s table that was applied, by whichever partition it came: rows from before it that come later are deleted at once
	snapshot_us: time of the latest full snapshot of the table whose last row came, µs: what stood before and was not in it is gone, see `gracecube reconcile`
	dead: records that became dead letters, whatever became of those
	ignored: records that mean nothing here, and offsets that hold none (transaction markers, compaction, retention gaps)
	expired: of the ignored ones those of months that are dropped: late records, and changes of facts that went with them
	owner: who holds the partition, host:process:worker
	owner_pid: backend of the owner, in pg_stat_activity
	owner_epoch: raised by every claim; a writer with an older one is refused
	claimed_at: when the owner claimed it
	last_record_at: Kafka's timestamp of the newest record read
	updated_at: when the position last moved
$$);

SELECT cube.describe('cube.etl_quality_issue', 'Records that were applied although something in them made no sense; the field named here is NULL or cleaned in the fact.', $$
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

SELECT cube.describe('cube.etl_gap', 'Offsets that Kafka had already deleted when they were to be read: the only records that can be missing, to the message.', $$
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
-- A group that begins behind where another one has ended goes on from what that one knew of the order of records.
DROP FUNCTION IF EXISTS cube.claim(text, text, text[], text[], int[], bigint[]); -- one of before says less
CREATE FUNCTION cube.claim(p_group text, p_owner text, p_stream text[], p_topic text[], p_partition int[], p_low bigint[])
RETURNS TABLE (n int, offset_id bigint, owner_epoch bigint, next_offset bigint, lost bigint, last_hash bigint, record_order bigint[], truncated bigint[]) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
#variable_conflict use_column
BEGIN
	PERFORM pg_advisory_xact_lock_shared(7240016, h) FROM (SELECT DISTINCT hashtext(t) AS h FROM unnest(p_topic) t ORDER BY 1) u; -- cube.note_truncate()
	INSERT INTO cube.etl_offset AS o (group_id, topic, partition, stream, first_offset, next_offset, record_order, truncated)
	SELECT p_group, i.topic, i.partition, i.stream, i.low, i.low, (SELECT p.record_order FROM cube.etl_offset p
			WHERE p.topic = i.topic AND p.partition = i.partition AND p.next_offset <= i.low ORDER BY p.next_offset DESC LIMIT 1),
		(SELECT max(p.truncated) FROM cube.etl_offset p WHERE p.group_id = p_group AND p.topic = i.topic)
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
		RETURNING i.n::int AS n, o.offset_id, o.owner_epoch, o.next_offset, o.next_offset - before.next_offset AS lost, coalesce(o.last_record_hash, 0) AS hash, o.record_order, o.truncated)
	SELECT c.n, c.offset_id, c.owner_epoch, c.next_offset, c.lost, c.hash, c.record_order, c.truncated FROM claimed c ORDER BY c.n;
END $$;
COMMENT ON FUNCTION cube.claim(text, text, text[], text[], int[], bigint[]) IS 'Claims partitions for an owner and tells where to start reading.';

-- The fence. It must raise: in a pipeline a compare-and-set that matches no row is no error, and what stands behind it commits.
CREATE OR REPLACE FUNCTION cube.advance(p_offset_id bigint[], p_epoch bigint[], p_from bigint[], p_to bigint[], p_applied bigint[],
	p_superseded bigint[], p_dead bigint[], p_ignored bigint[], p_last_us bigint[], p_last_hash bigint[], p_contradicting bigint[],
	p_order text[], p_snapshot_us bigint[]) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE moved int;
BEGIN
	UPDATE cube.etl_offset o
	SET next_offset = i.to_offset, last_record_hash = i.last_hash, applied = o.applied + i.applied, superseded = o.superseded + i.superseded,
		dead = o.dead + i.dead, ignored = o.ignored + i.ignored, contradicting = o.contradicting + i.contradicting,
		record_order = coalesce(i.record_order::bigint[], o.record_order), snapshot_us = greatest(o.snapshot_us, nullif(i.snapshot_us, 0)), updated_at = clock_timestamp(),
		last_record_at = CASE WHEN i.last_us >= 0
			THEN greatest(o.last_record_at, to_timestamp(i.last_us / 1e6)) ELSE o.last_record_at END
	FROM unnest(p_offset_id, p_epoch, p_from, p_to, p_applied, p_superseded, p_dead, p_ignored, p_last_us, p_last_hash, p_contradicting, p_order, p_snapshot_us)
		AS i (offset_id, epoch, from_offset, to_offset, applied, superseded, dead, ignored, last_us, last_hash, contradicting, record_order, snapshot_us)
	WHERE o.offset_id = i.offset_id AND o.next_offset = i.from_offset AND o.owner_epoch = i.epoch;
	GET DIAGNOSTICS moved = ROW_COUNT;
	IF moved <> cardinality(p_offset_id) THEN
		RAISE EXCEPTION 'another owner has moved % of % partitions', cardinality(p_offset_id) - moved, cardinality(p_offset_id)
			USING ERRCODE = 'GC001';
	END IF;
END $$;
COMMENT ON FUNCTION cube.advance(bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], text[], bigint[]) IS 'The fence: moves positions by compare-and-set, or fails the transaction with SQLSTATE GC001.';

-- what is known of the order stays: records can stand earlier by it than they would, not later
CREATE OR REPLACE FUNCTION cube.advance(p_offset_id bigint[], p_epoch bigint[], p_from bigint[], p_to bigint[], p_applied bigint[],
	p_superseded bigint[], p_dead bigint[], p_ignored bigint[], p_last_us bigint[], p_last_hash bigint[]) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	SELECT cube.advance(p_offset_id, p_epoch, p_from, p_to, p_applied, p_superseded, p_dead, p_ignored, p_last_us, p_last_hash,
		array_fill(0::bigint, ARRAY[cardinality(p_offset_id)]), array_fill(NULL::text, ARRAY[cardinality(p_offset_id)]),
		array_fill(NULL::bigint, ARRAY[cardinality(p_offset_id)]))
$$;
COMMENT ON FUNCTION cube.advance(bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[]) IS 'The fence, for programs that make no places of records yet.';

SELECT cube.describe('cube.etl_halt', 'Partitions that can not be read or applied, while the others go on, as the workers last told. They are tried again.', $$
	group_id: Kafka consumer group
	topic: Kafka topic
	partition: Kafka partition; -1 is the whole topic
	owner: who reads it, host:process:worker
	halted_at: since when, by the owner''s clock
	told_at: when the owner told; a position that has moved since stands still no more
	code: the error''s code
	reason: what is wrong, and what to do
$$);

CREATE OR REPLACE FUNCTION cube.tell_halts(p_group text, p_owner text, p_topic text[], p_partition int[], p_since_us bigint[], p_code text[], p_reason text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	-- a topic with a partition that is read is not halted as a whole
	DELETE FROM cube.etl_halt h USING unnest(p_topic, p_partition, p_since_us) AS i (topic, partition, since_us)
	WHERE i.since_us = 0 AND h.group_id = p_group AND h.topic = i.topic AND h.partition IN (i.partition, -1);
	INSERT INTO cube.etl_halt AS h (group_id, topic, partition, owner, halted_at, told_at, code, reason)
	SELECT p_group, i.topic, i.partition, p_owner, to_timestamp(i.since_us / 1e6), clock_timestamp(), i.code, left(i.reason, 2000)
	FROM unnest(p_topic, p_partition, p_since_us, p_code, p_reason) AS i (topic, partition, since_us, code, reason)
	WHERE i.since_us > 0 ORDER BY i.topic, i.partition
	ON CONFLICT (group_id, topic, partition) DO UPDATE SET (owner, halted_at, told_at, code, reason)
		= (excluded.owner, excluded.halted_at, excluded.told_at, excluded.code, excluded.reason);
$$;
COMMENT ON FUNCTION cube.tell_halts(text, text, text[], int[], bigint[], text[], text[]) IS 'Notes which partitions stand still, since when (µs) and why; with 0, that one is read.';

CREATE OR REPLACE FUNCTION cube.add_quality_issues(p_offset_id bigint[], p_offset bigint[], p_kafka_us bigint[], p_stream text[],
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
