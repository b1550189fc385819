-- Views over bookkeeping, and last touches that need everything else to be there.

CREATE VIEW cube.cube_etl_metadata AS
SELECT group_id, topic, partition, stream, next_offset, last_record_at AS last_load_timestamp, updated_at, applied, superseded, dead, ignored,
	applied + superseded + dead + ignored = next_offset - first_offset AS ledger_closed
FROM cube.etl_offset;
COMMENT ON VIEW cube.cube_etl_metadata IS 'Watermark and ledger of each topic and partition.';
SELECT cube.comment_columns('cube.cube_etl_metadata', $$
	group_id: Kafka consumer group
	topic: Kafka topic
	partition: Kafka partition
	stream: the kind of record the topic carries
	next_offset: the next offset to be read
	last_load_timestamp: Kafka's timestamp of the newest record read
	updated_at: when the position last moved
	applied: records applied
	superseded: records older than what the cube holds, and duplicates
	dead: records in the dead letters
	ignored: records that mean nothing here
	ledger_closed: all of these together are what was read
$$);

CREATE VIEW cube.cube_freshness AS
SELECT stream, max(last_record_at) AS data_through, max(updated_at) AS last_commit_at,
	date_part('epoch', now() - max(updated_at)) AS seconds_since_commit,
	sum(next_offset - first_offset)::bigint AS records_read, sum(dead)::bigint AS dead_letters
FROM cube.etl_offset GROUP BY stream;
COMMENT ON VIEW cube.cube_freshness IS 'How far each stream has come.';
SELECT cube.comment_columns('cube.cube_freshness', $$
	stream: the kind of record
	data_through: Kafka's timestamp of the newest record in the cube
	last_commit_at: when the stream last moved
	seconds_since_commit: how long ago that is
	records_read: records read so far
	dead_letters: those of them that are in the dead letters
$$);

-- Roles: gracecube_writer runs the consumers and owns nothing, so it can neither truncate, nor disable a trigger, nor write a
-- partition behind the triggers' back; everything goes through functions of the owner. gracecube_reader is for analysts.
DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gracecube_writer') THEN CREATE ROLE gracecube_writer NOLOGIN; END IF;
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gracecube_reader') THEN CREATE ROLE gracecube_reader NOLOGIN; END IF;
EXCEPTION WHEN insufficient_privilege THEN
	RAISE NOTICE 'no right to create roles: gracecube_writer and gracecube_reader are left out';
END $$;
DO $$
BEGIN
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'gracecube_writer') THEN
		REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cube FROM PUBLIC;
		GRANT USAGE ON SCHEMA cube TO gracecube_writer, gracecube_reader;
		GRANT SELECT ON ALL TABLES IN SCHEMA cube TO gracecube_writer, gracecube_reader;
		GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cube TO gracecube_writer;
		ALTER DEFAULT PRIVILEGES IN SCHEMA cube GRANT SELECT ON TABLES TO gracecube_writer, gracecube_reader;
		-- what views and analysts call
		GRANT EXECUTE ON FUNCTION cube.day_of(int), cube.time_key(timestamptz), cube.bucket_value(int), cube.log_bucket(double precision), cube.lane()
			TO gracecube_reader;
	END IF;
END $$;
