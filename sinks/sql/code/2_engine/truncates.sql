-- A TRUNCATE of the source: what the source no longer has, by the keys that the cube has of it; and what is known of it to those who read on.

-- A TRUNCATE comes by one partition and means all. So it is noted with each partition of the topic that the group has: rows that stand before it and
-- come later are deleted at once by whoever reads them. Who reads another partition does not know it yet: his next commit fails as if another owner
-- had come, and he claims anew. p_offset_id, p_epoch: the partition that it came by, then all that the caller holds, who knows of it. p_place: its
-- place and its own time; p_source: its database, of which no more than one may come through the topic, as a row does not tell: else false, and
-- nothing is noted. A partition of the topic that is claimed for the first time meanwhile waits, see cube.claim().
CREATE OR REPLACE FUNCTION cube.note_truncate(p_offset_id bigint[], p_epoch bigint[], p_place bigint[], p_source bigint) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE came_by cube.etl_offset := (SELECT o FROM cube.etl_offset o WHERE o.offset_id = p_offset_id[1]);
BEGIN
	PERFORM pg_advisory_xact_lock(7240016, hashtext(came_by.topic));
	PERFORM FROM cube.etl_offset o WHERE o.group_id = came_by.group_id AND o.topic = came_by.topic ORDER BY o.partition FOR UPDATE;
	IF NOT EXISTS (SELECT FROM cube.etl_offset o WHERE o.offset_id = p_offset_id[1] AND o.owner_epoch = p_epoch[1]) THEN
		RAISE EXCEPTION 'another owner has claimed the partition' USING ERRCODE = 'GC001';
	END IF;
	IF EXISTS (SELECT FROM cube.etl_offset o, cube.sources_of(o.record_order) s WHERE o.group_id = came_by.group_id AND o.topic = came_by.topic AND s <> p_source) THEN
		RETURN false;
	END IF;
	UPDATE cube.etl_offset o SET truncated = p_place, owner_epoch = o.owner_epoch
		+ (NOT EXISTS (SELECT FROM unnest(p_offset_id, p_epoch) AS i (offset_id, epoch) WHERE i.offset_id = o.offset_id AND i.epoch = o.owner_epoch))::int
	WHERE o.group_id = came_by.group_id AND o.topic = came_by.topic AND (o.truncated IS NULL OR o.truncated < p_place);
	RETURN true;
END $$;
COMMENT ON FUNCTION cube.note_truncate(bigint[], bigint[], bigint[], bigint) IS 'Notes a TRUNCATE for all partitions of its topic; false where it may mean rows of several databases.';

-- Databases whose changes came through a partition, by the hashes of their names: see include/gracecube/order.h; one without a name is 1.
CREATE OR REPLACE FUNCTION cube.sources_of(p_record_order bigint[]) RETURNS SETOF bigint LANGUAGE sql IMMUTABLE AS $$
	SELECT p_record_order[i] FROM generate_series(6, cardinality(p_record_order), 5) i WHERE p_record_order[i] NOT IN (0, 1)
$$;
COMMENT ON FUNCTION cube.sources_of(bigint[]) IS 'Which databases the changes of a partition are of, as far as is known.';

-- Only rows that were captured, those with a log position; a row of a fact also says by which topic it came, if by a dead letter that was retried.
-- Months that are closed stay as they are.
CREATE OR REPLACE FUNCTION cube.gone_keys(p_target text, p_topic text, p_us bigint, p_lsn bigint, p_after text, p_limit bigint) RETURNS SETOF text LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE f cube.fact := (SELECT u FROM cube.fact u WHERE u.target = p_target);
BEGIN
	IF f.fact IS NOT NULL THEN
		RETURN QUERY EXECUTE format($sql$SELECT k.%1$I FROM cube.%2$I k WHERE k.%1$I > $4 AND k.lsn > 0 AND k.created_at >= $6
			AND (cube.place_us(k.source_us, k.kafka_us), k.lsn) < ($2, $3) AND k.offset_id IN (SELECT o.offset_id FROM cube.etl_offset o WHERE o.topic = $1
				UNION ALL SELECT -d.dead_letter_id FROM cube.etl_dead_letter d WHERE d.topic = $1)
			ORDER BY k.%1$I LIMIT $5$sql$, f.key_column, 'key_' || p_target)
			USING p_topic, p_us, p_lsn, p_after, p_limit, cube.closed_before(f.fact);
	ELSIF p_target IN ('missions', 'tiers') THEN
		RETURN QUERY EXECUTE format($sql$SELECT v.source_id FROM cube.%I v WHERE v.source_id > $3 GROUP BY v.source_id HAVING bool_or(v.lsn > 0)
			AND max(ARRAY[coalesce(v.place_us, v.at_us), v.lsn]) < ARRAY[$1, $2]
			AND NOT (array_agg(v.deleted ORDER BY coalesce(v.place_us, v.at_us), v.lsn, v.tie))[count(*)] ORDER BY 1 LIMIT $4$sql$, 'version_' || p_target)
			USING p_us, p_lsn, p_after, p_limit;
	END IF;
END $$;
COMMENT ON FUNCTION cube.gone_keys(text, text, bigint, bigint, text, bigint) IS 'Keys of captured rows of a topic that stand before a place, in order: those that a TRUNCATE there, or a snapshot that lacks them, has deleted.';
