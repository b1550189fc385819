-- Which version of a row is the newer one, and what keeps concurrent writers apart.

-- Contracts may name a mission in passing ("cognition:mission-7"), which counts only once that mission is known. A batch with contracts
-- takes this lock shared, a batch that introduces a mission takes it exclusively, before its first row: so whichever commits second sees
-- the other, and one of them makes the link. Rare: once a mission.
CREATE OR REPLACE FUNCTION cube.mission_gate(alone boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF alone THEN PERFORM pg_advisory_xact_lock(7240001); ELSE PERFORM pg_advisory_xact_lock_shared(7240001); END IF;
END $$;
COMMENT ON FUNCTION cube.mission_gate(boolean) IS 'Orders batches with contracts against batches that make a mission known.';

-- The lane of this session's rollup rows: a worker's own, 0 for hand-made changes.
CREATE OR REPLACE FUNCTION cube.lane() RETURNS smallint LANGUAGE sql STABLE AS $$
	SELECT coalesce(nullif(current_setting('gracecube.lane', true), '')::smallint, 0::smallint)
$$;
COMMENT ON FUNCTION cube.lane() IS 'Lane of the rollup rows that this session writes; views sum over lanes.';

-- gc_version_compare() is the same rule, and its statement is in include/gracecube/stream.h; tests/contract/version_order.csv is its cases,
-- run through both.
CREATE OR REPLACE FUNCTION cube.is_newer(a_lsn bigint, a_source bigint, a_kafka bigint, a_offset bigint,
	b_lsn bigint, b_source bigint, b_kafka bigint, b_offset bigint) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE
		WHEN a_lsn > 0 AND a_lsn = b_lsn AND a_source = b_source THEN false -- the same change, sent again
		WHEN a_lsn > 0 AND b_lsn > 0 AND a_lsn <> b_lsn THEN a_lsn > b_lsn
		WHEN a_source > 0 AND b_source > 0 AND a_source <> b_source THEN a_source > b_source
		WHEN a_kafka <> b_kafka THEN a_kafka > b_kafka
		ELSE a_offset > b_offset END
$$;
COMMENT ON FUNCTION cube.is_newer(bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint) IS 'Is version a newer than version b: by the source''s log position where both have one, else its time, else Kafka''s time, then offset. The same log position and source time is the same change.';

-- gc_version_replaces() is the same rule, and its statement is there; tests/contract/deletes.csv is its cases, run through both. A delete
-- without a place in the source, that is a tombstone, has neither log position nor time of the source.
CREATE OR REPLACE FUNCTION cube.replaces(a_deleted boolean, a_lsn bigint, a_source bigint, a_kafka bigint, a_offset bigint,
	b_deleted boolean, b_lsn bigint, b_source bigint, b_kafka bigint, b_offset bigint) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE
		WHEN a_deleted AND b_deleted AND (greatest(a_lsn, a_source) > 0) <> (greatest(b_lsn, b_source) > 0) THEN greatest(a_lsn, a_source) > 0
		ELSE cube.is_newer(a_lsn, a_source, a_kafka, a_offset, b_lsn, b_source, b_kafka, b_offset) END
$$;
COMMENT ON FUNCTION cube.replaces(boolean, bigint, bigint, bigint, bigint, boolean, bigint, bigint, bigint, bigint) IS 'Does version a, or a delete, take the place of version b? The newer one does; of a delete and its tombstone the delete stays.';

-- The lowest lane that no other session holds: few lanes, few rollup rows. Released when the session ends.
CREATE OR REPLACE FUNCTION cube.take_lane() RETURNS smallint LANGUAGE plpgsql AS $$
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
