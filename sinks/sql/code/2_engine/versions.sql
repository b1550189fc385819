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

-- A record's place is made by the program that reads it: the rule is in deploy/RUNBOOK.md, "Which record is the newer one", and
-- include/gracecube/order.h. Merge functions take it as source_us, lsn and record_offset; kafka_us is then the record's own time: the
-- source's, else Kafka's. Programs before 0.3 make no places: their source_us is the source's time, or 0, and kafka_us is Kafka's, so that
-- their records stand where their own time says. In these terms:
CREATE OR REPLACE FUNCTION cube.place_us(p_source bigint, p_kafka bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN p_source > 0 THEN p_source ELSE p_kafka END
$$;
COMMENT ON FUNCTION cube.place_us(bigint, bigint) IS 'The place of a version: its time.';

CREATE OR REPLACE FUNCTION cube.own_us(p_source bigint, p_kafka bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN p_source > 0 THEN least(p_source, p_kafka) ELSE p_kafka END -- a place is never before it
$$;
COMMENT ON FUNCTION cube.own_us(bigint, bigint) IS 'The own time of a version, the source''s, else Kafka''s.';

-- gc_version_compare() is the same rule, and its statement is in include/gracecube/stream.h; tests/contract/version_order.csv is its cases,
-- run through both.
CREATE OR REPLACE FUNCTION cube.is_newer(a_lsn bigint, a_source bigint, a_kafka bigint, a_offset bigint,
	b_lsn bigint, b_source bigint, b_kafka bigint, b_offset bigint) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT (CASE WHEN a_source > 0 THEN a_source ELSE a_kafka END, greatest(a_lsn, 0), CASE WHEN a_lsn > 0 THEN 0 ELSE a_offset END)
		> (CASE WHEN b_source > 0 THEN b_source ELSE b_kafka END, greatest(b_lsn, 0), CASE WHEN b_lsn > 0 THEN 0 ELSE b_offset END)
$$;
COMMENT ON FUNCTION cube.is_newer(bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint) IS 'Is version a newer than version b: the later place is. The same place with a log position is the same change.';

-- Programs before 0.3 give a tombstone no place: behind its delete it says nothing new.
CREATE OR REPLACE FUNCTION cube.replaces(a_deleted boolean, a_lsn bigint, a_source bigint, a_kafka bigint, a_offset bigint,
	b_deleted boolean, b_lsn bigint, b_source bigint, b_kafka bigint, b_offset bigint) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE
		WHEN a_deleted AND b_deleted AND greatest(a_lsn, a_source) <= 0 AND greatest(b_lsn, b_source) > 0 THEN false
		ELSE cube.is_newer(a_lsn, a_source, a_kafka, a_offset, b_lsn, b_source, b_kafka, b_offset) END
$$;
COMMENT ON FUNCTION cube.replaces(boolean, bigint, bigint, bigint, bigint, boolean, bigint, bigint, bigint, bigint) IS 'Does version a, or a delete, take the place of version b? The newer one does, but for a tombstone without a place behind its delete.';

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
