-- A rebuild: the cube made again from its topics, in a schema beside it, by the rules of today. `gracecube rebuild` calls these functions; they
-- stand in the cube that is made, and p_live is the schema of the one that is in use.
--
--   1. the new cube begins with what the live one alone knows: which key each member has, settings, tokens, closed months, and the rows of
--      which the topics no longer have the record; where only some streams are read again, with all that the others told, and goes on
--      with those from where the live one stood
--   2. it reads, and never overtakes the live one: so a member that the live one made is there, with its key, before it is needed
--   3. at a moment when both stand at the same positions they are compared, or change places (swap.c)

SELECT cube.describe('cube.rebuild', 'Rebuilds: this cube was made again from its topics, and took the place of the one before.', $$
	rebuild_id: number to name it by
	began_at: when it began
	began_by: the database user who began it
	program: gracecube's version that began it
	partitions: those that it reads, as in cube.etl_offset
	streams: those that are read again, the others being taken from the cube before; NULL: all
	incomplete: of the streams that are read again those of which not all records could be read any more
	members: up to which key each dimension's members were taken from the cube before at the begin; those behind follow
	kept: rows of facts that were taken from the cube before, because their records were not read again
	read_at: when all was read once, and what only the cube before knew was added
	swapped_at: when it took its place; NULL: it is under way
	dropped_at: when the one before was dropped
$$);

-- Copying -------------------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION cube.columns_in_order(p_table text, p_prefix text DEFAULT '') RETURNS text LANGUAGE sql STABLE AS $$
	SELECT string_agg(p_prefix || quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
	WHERE attrelid = format('cube.%I', p_table)::regclass AND attnum > 0 AND NOT attisdropped
$$;
COMMENT ON FUNCTION cube.columns_in_order(text, text) IS 'The columns of a table as a list, each behind a prefix.';

-- Rows t of the live one; one that is here already stays as it is.
CREATE OR REPLACE FUNCTION cube.copy_rows(p_live text, p_table text, p_condition text DEFAULT 'true') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE copied bigint;
BEGIN
	EXECUTE format('INSERT INTO cube.%1$I (%2$s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM %3$I.%1$I t WHERE %4$s ON CONFLICT DO NOTHING',
		p_table, cube.columns_in_order(p_table), p_live, p_condition);
	GET DIAGNOSTICS copied = ROW_COUNT;
	RETURN copied;
END $$;
COMMENT ON FUNCTION cube.copy_rows(text, text, text) IS 'Copies rows of a table from the live one.';

-- Metrics of files that this one was not told of. A cube of before version 16 has none.
CREATE OR REPLACE FUNCTION cube.take_metrics(p_live text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF to_regclass(format('%I.metric_definition', p_live)) IS NULL THEN RETURN; END IF;
	PERFORM cube.copy_rows(p_live, 'metric_definition', $sql$NOT EXISTS (SELECT FROM cube.metric_definition n WHERE n.definition ->> 'file' = t.definition ->> 'file')$sql$);
END $$;
COMMENT ON FUNCTION cube.take_metrics(text) IS 'Takes over metrics that people have defined from the live one.';

-- What people have added to it or changed in it since stays theirs. A cube of before version 17 has none.
CREATE OR REPLACE FUNCTION cube.take_severities(p_live text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF to_regclass(format('%I.dim_severity', p_live)) IS NULL THEN RETURN; END IF;
	DELETE FROM cube.dim_severity;
	PERFORM cube.copy_rows(p_live, 'dim_severity');
END $$;
COMMENT ON FUNCTION cube.take_severities(text) IS 'Takes over the order of severities from the live one.';

-- Numbers ---------------------------------------------------------------------------------------------------------------------

-- The live one goes on giving numbers, and so does this one: each gets a block of its own, so that no number means two things. Whoever takes a
-- number meanwhile waits until the block is cut off. Returns the last number before it.
CREATE OR REPLACE FUNCTION cube.reserve_numbers(p_live text, p_table text, p_column text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	sequence constant text := pg_get_serial_sequence(format('%I.%I', p_live, p_table), p_column);
	given bigint;
	block bigint;
BEGIN
	EXECUTE format('LOCK TABLE %I.%I IN SHARE ROW EXCLUSIVE MODE', p_live, p_table);
	EXECUTE format('SELECT s.last_value, greatest(10000, c.reltuples::bigint) FROM %s s, pg_class c WHERE c.oid = %L::regclass', sequence, format('%I.%I', p_live, p_table)) INTO given, block;
	PERFORM setval(sequence::regclass, given + block);
	PERFORM setval(pg_get_serial_sequence(format('cube.%I', p_table), p_column)::regclass, given + 1, false);
	RETURN given;
END $$;
COMMENT ON FUNCTION cube.reserve_numbers(text, text, text) IS 'Sets a block of numbers apart for this cube, and has the live one go on behind it.';

CREATE OR REPLACE FUNCTION cube.reserve_members(p_live text) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	PERFORM cube.reserve_numbers(p_live, 'etl_dead_letter', 'dead_letter_id');
	RETURN (SELECT jsonb_object_agg(d, cube.reserve_numbers(p_live, 'dim_' || d, d || '_key')) FROM unnest(ARRAY['actor', 'component', 'mission', 'tier']) d);
END $$;
COMMENT ON FUNCTION cube.reserve_members(text) IS 'Sets numbers for new members and dead letters apart; returns the last key of each dimension before them.';

-- Members with their keys, behind those of p_after. What a record says of a mission or a tier is read again, so they come as members that are
-- only named. A key that means another member here is an error: the numbers that were set apart did not suffice.
CREATE OR REPLACE FUNCTION cube.take_members(p_live text, p_after jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('INSERT INTO cube.dim_component (%1$s) OVERRIDING SYSTEM VALUE SELECT %1$s FROM %2$I.dim_component WHERE component_key > $1
		ON CONFLICT (component_name) DO NOTHING', cube.columns_in_order('dim_component'), p_live) USING (p_after ->> 'component')::int;
	EXECUTE format('INSERT INTO cube.dim_actor (%1$s) OVERRIDING SYSTEM VALUE SELECT %1$s FROM %2$I.dim_actor WHERE actor_key > $1
		ON CONFLICT (actor_id) DO NOTHING', cube.columns_in_order('dim_actor'), p_live) USING (p_after ->> 'actor')::int;
	EXECUTE format('INSERT INTO cube.dim_tier (tier_key, tier_code, tier_name, is_inferred) OVERRIDING SYSTEM VALUE
		SELECT tier_key, tier_code, tier_code, true FROM %I.dim_tier WHERE tier_key > $1 ON CONFLICT (tier_code) DO NOTHING', p_live) USING (p_after ->> 'tier')::int;
	EXECUTE format('INSERT INTO cube.dim_mission (mission_key, mission_id, mission_name, mission_type, is_inferred) OVERRIDING SYSTEM VALUE
		SELECT mission_key, mission_id, mission_id, ''unknown'', true FROM %I.dim_mission WHERE mission_key > $1 ON CONFLICT (mission_id) DO NOTHING', p_live)
		USING (p_after ->> 'mission')::int;
END $$;
COMMENT ON FUNCTION cube.take_members(text, jsonb) IS 'Takes members of the live one that are not here yet, each with its key.';

-- What an actor's name says is worked out again; what people have said of members stays.
CREATE OR REPLACE FUNCTION cube.describe_members(p_live text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('UPDATE cube.dim_actor d SET is_trusted = l.is_trusted FROM %I.dim_actor l WHERE l.actor_key = d.actor_key AND l.is_trusted <> d.is_trusted', p_live);
	EXECUTE format('UPDATE cube.dim_component d SET (subsystem, tier_default, description, is_inferred) = (l.subsystem, l.tier_default, l.description, l.is_inferred)
		FROM %I.dim_component l WHERE l.component_key = d.component_key AND (l.subsystem, l.tier_default, l.description, l.is_inferred)
			IS DISTINCT FROM (d.subsystem, d.tier_default, d.description, d.is_inferred)', p_live);
END $$;
COMMENT ON FUNCTION cube.describe_members(text) IS 'Takes from the live one what people have said of members.';

-- 1. The begin ----------------------------------------------------------------------------------------------------------------

-- A key without offset_id is of a fact that a record told of beside its own, or an event of the mesh.
CREATE OR REPLACE FUNCTION cube.told_beside(p_target text, p_key text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE p_target WHEN 'error_events' THEN cube.error_stream(p_key) ELSE 'trigger_events' END
$$;
COMMENT ON FUNCTION cube.told_beside(text, text) IS 'The stream that a key without offset_id is of.';

-- Keys whose last record is not read again, and those of closed months, which tell late records from new facts. Of which record a key without
-- offset_id is, nobody knows: see cube.end_reading().
DROP FUNCTION IF EXISTS cube.keep_keys(text, cube.fact, bigint[], bigint[]);
CREATE OR REPLACE FUNCTION cube.keep_keys(p_live text, f cube.fact, p_partitions bigint[], p_low bigint[], p_kept text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format($sql$INSERT INTO cube.%1$I (%2$s) SELECT %3$s FROM %4$I.%1$I k LEFT JOIN unnest($1, $2) r (offset_id, low) ON r.offset_id = k.offset_id
		WHERE k.kafka_us > 0 AND (k.created_at < $3 OR k.record_offset < r.low OR (r.offset_id IS NULL AND k.offset_id IS NOT NULL)
			OR (k.offset_id IS NULL AND cube.told_beside(%5$L, k.%6$I) = ANY ($4)))$sql$,
		'key_' || f.target, cube.columns_in_order('key_' || f.target), cube.columns_in_order('key_' || f.target, 'k.'), p_live, f.target, f.key_column)
		USING p_partitions, p_low, cube.closed_before(f.fact), p_kept;
END $$;
COMMENT ON FUNCTION cube.keep_keys(text, cube.fact, bigint[], bigint[], text[]) IS 'Takes those keys of the live one whose records are not read again.';

-- The facts of keys k, once the keys of all facts are there: triggers link them. Month by month: a trigger holds the rows of one.
CREATE OR REPLACE FUNCTION cube.keep_facts(p_live text, f cube.fact, p_condition text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	first_day date;
	kept bigint := 0;
	n bigint;
BEGIN
	FOR first_day IN EXECUTE format('SELECT DISTINCT date_trunc(''month'', created_at AT TIME ZONE ''UTC'')::date FROM cube.key_%I k WHERE k.created_at >= $1 AND %s ORDER BY 1', f.target, p_condition)
			USING cube.closed_before(f.fact) LOOP
		PERFORM cube.ensure_partition(f.target, (date_part('year', first_day) * 12 + date_part('month', first_day) - 1 - 1970 * 12)::int);
		EXECUTE format('INSERT INTO cube.%1$I (%2$s) SELECT %3$s FROM %4$I.%1$I f JOIN cube.key_%5$s k ON k.%6$I = f.%6$I AND k.created_at = f.created_at
			WHERE f.created_at >= $1 AND f.created_at < $2 AND %7$s ON CONFLICT DO NOTHING',
			f.fact, cube.columns_in_order(f.fact), cube.columns_in_order(f.fact, 'f.'), p_live, f.target, f.key_column, p_condition)
			USING cube.utc(first_day), cube.utc((first_day + interval '1 month')::date);
		GET DIAGNOSTICS n = ROW_COUNT;
		kept := kept + n;
		EXECUTE format('SELECT cube.ensure_hours(ARRAY(SELECT DISTINCT time_key / 60 FROM cube.%I WHERE created_at >= $1 AND created_at < $2))', f.fact)
			USING cube.utc(first_day), cube.utc((first_day + interval '1 month')::date);
	END LOOP;
	RETURN kept;
END $$;
COMMENT ON FUNCTION cube.keep_facts(text, cube.fact, text) IS 'Takes the facts of keys from the live one; returns how many.';

-- Entries of the log before the errors that were made of them: these do not stay without.
CREATE OR REPLACE FUNCTION cube.keep_all_facts(p_live text, p_condition text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	f cube.fact;
	kept bigint := 0;
BEGIN
	FOR f IN SELECT * FROM cube.fact u ORDER BY u.target = 'error_events', u.fact LOOP kept := kept + cube.keep_facts(p_live, f, p_condition); END LOOP;
	RETURN kept;
END $$;
COMMENT ON FUNCTION cube.keep_all_facts(text, text) IS 'The same for every fact.';

-- Of a partition that is read again, what lies before the first record that can be read is ignored, but for the dead letters that are kept of
-- it. All other partitions stay as they are: those of streams that are not read again, of former groups, and of topics that are gone.
CREATE OR REPLACE FUNCTION cube.take_positions(p_live text, p_partitions bigint[], p_low bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format($sql$
		INSERT INTO cube.etl_offset (offset_id, group_id, topic, partition, stream, first_offset, next_offset, dead, ignored, truncated) OVERRIDING SYSTEM VALUE
		SELECT o.offset_id, o.group_id, o.topic, o.partition, o.stream, least(o.first_offset, r.low), r.low, d.n, greatest(r.low - o.first_offset, 0) - d.n, o.truncated
		FROM %1$I.etl_offset o JOIN unnest($1, $2) r (offset_id, low) USING (offset_id)
		CROSS JOIN LATERAL (SELECT count(*) AS n FROM %1$I.etl_dead_letter d WHERE (d.group_id, d.topic, d.partition) = (o.group_id, o.topic, o.partition)
			AND d.kafka_offset < r.low AND d.imported_at IS NULL) d$sql$, p_live) USING p_partitions, p_low;
	PERFORM cube.copy_rows(p_live, 'etl_offset', 'offset_id > 0');
	EXECUTE format('INSERT INTO cube.etl_dead_letter_ledger (group_id, topic, partition, stream, retries, dropped)
		SELECT l.group_id, l.topic, l.partition, l.stream, l.retries, CASE WHEN o.offset_id = ANY ($1) THEN 0 ELSE l.dropped END
		FROM %I.etl_dead_letter_ledger l LEFT JOIN cube.etl_offset o USING (group_id, topic, partition)', p_live) USING p_partitions;
	PERFORM cube.copy_rows(p_live, 'etl_dead_letter', cube.is_not_read_again('kafka_offset', 'group_id', p_partitions, p_low) || ' OR t.imported_at IS NOT NULL');
	PERFORM cube.copy_rows(p_live, 'etl_quality_issue', cube.is_not_read_again('kafka_offset', NULL, p_partitions, p_low));
	PERFORM cube.copy_rows(p_live, 'etl_gap', cube.is_not_read_again('from_offset', 'group_id', p_partitions, p_low)); -- files may have what Kafka had lost
END $$;
COMMENT ON FUNCTION cube.take_positions(text, bigint[], bigint[]) IS 'Positions, gaps, dead letters and quality issues that a rebuild begins with.';

CREATE OR REPLACE FUNCTION cube.is_not_read_again(p_offset text, p_group text, p_partitions bigint[], p_low bigint[]) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('NOT EXISTS (SELECT FROM cube.etl_offset o JOIN unnest(%L::bigint[], %L::bigint[]) r (offset_id, low) USING (offset_id)
		WHERE o.topic = t.topic AND o.partition = t.partition AND t.%I >= r.low%s)', p_partitions, p_low, p_offset, ' AND o.group_id = t.' || quote_ident(p_group))
$$;
COMMENT ON FUNCTION cube.is_not_read_again(text, text, bigint[], bigint[]) IS 'The condition that a row t is of a record that a rebuild does not read.';

-- Versions of members, all or those that say whose a source row was, with what stands for those that the live one has thrown away: the base that
-- reaches further counts.
CREATE OR REPLACE FUNCTION cube.take_history(p_live text, p_target text, p_all boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	key constant text := (SELECT h.key_column FROM cube.histories() h WHERE h.target = p_target);
	base constant text := 'base_' || p_target;
	members int[];
BEGIN
	EXECUTE format('INSERT INTO cube.%1$I AS b (%2$s) SELECT %2$s FROM %3$I.%1$I ON CONFLICT (%4$I) DO UPDATE SET (%2$s) = (%5$s) WHERE %6$s < %7$s', base, cube.columns_in_order(base), p_live, key,
		cube.columns_in_order(base, 'excluded.'), cube.place_of_base('b'), cube.place_of_base('excluded'));
	PERFORM cube.copy_rows(p_live, 'version_' || p_target, CASE WHEN p_all THEN 'true' ELSE
		format('EXISTS (SELECT FROM cube.%1$I b WHERE b.%2$I = t.%2$I AND %3$s <= %4$s)', base, key, cube.place_of_version('t'), cube.place_of_base('b')) END);
	EXECUTE format('SELECT array_agg(m ORDER BY m) FROM (SELECT %1$I FROM cube.%2$I UNION SELECT %1$I FROM cube.%3$I WHERE %1$I IS NOT NULL) u (m)', key, base, 'version_' || p_target) INTO members;
	EXECUTE format('SELECT cube.known_%1$s(cube.rebuild_%1$s($1))', p_target) USING members;
END $$;
COMMENT ON FUNCTION cube.take_history(text, text, boolean) IS 'Takes versions of members, and what stands for old ones, from the live one.';

-- What streams told that has no partition of its own: versions of missions and tiers, and events of the mesh, which may come on any topic.
CREATE OR REPLACE FUNCTION cube.take_untold(p_live text, p_streams text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM cube.take_history(p_live, h.target, true) FROM cube.histories() h WHERE h.stream = ANY (p_streams);
	IF 'trigger_events' = ANY (p_streams) THEN PERFORM cube.copy_rows(p_live, 'mesh_aspect'); END IF;
END $$;
COMMENT ON FUNCTION cube.take_untold(text, text[]) IS 'Takes versions of members and what the mesh said from the live one, as far as these streams told them.';

-- The partitions that can be read again, with the first offset of each that can; and those that are gone on with from where the live one stands,
-- of streams that are not among p_streams (NULL: all are). Run in a transaction of its own, isolation REPEATABLE READ: all that is taken is of
-- one moment.
DROP FUNCTION IF EXISTS cube.begin_rebuild(text, text, jsonb, bigint[], bigint[]);
CREATE OR REPLACE FUNCTION cube.begin_rebuild(p_live text, p_program text, p_members jsonb, p_partitions bigint[], p_low bigint[], p_followed bigint[], p_streams text[])
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	incomplete text[];
	kept_streams text[] := '{}';
	kept bigint;
	keys int[];
	ids text[];
	types text[];
	names text[];
	r cube.rollup;
BEGIN
	IF EXISTS (SELECT FROM cube.etl_offset) THEN RAISE EXCEPTION 'the new cube is not empty'; END IF;
	EXECUTE format($sql$SELECT coalesce(array_agg(DISTINCT o.stream), '{}') FROM %I.etl_offset o LEFT JOIN unnest($1, $2) r (offset_id, low) USING (offset_id)
		WHERE o.offset_id > 0 AND ($3 IS NULL OR o.stream = ANY ($3)) AND (r.low IS NULL OR r.low > o.first_offset)$sql$, p_live)
		INTO incomplete USING p_partitions, p_low, p_streams;
	IF p_streams IS NOT NULL THEN
		EXECUTE format($sql$SELECT coalesce(array_agg(DISTINCT s), '{}') FROM (SELECT o.stream FROM %I.etl_offset o
			UNION ALL VALUES ('mission_timelines'), ('tier_policies'), ('immutable_log'), ('trigger_events')) u (s) WHERE s <> ALL ($1)$sql$, p_live)
			INTO kept_streams USING p_streams;
	END IF;

	PERFORM cube.copy_rows(p_live, t) FROM unnest(ARRAY['setting', 'rebuild', 'etl_verification', 'api_token', 'api_audit', 'horizon', 'closed_month', 'closed_link']) t;
	PERFORM cube.take_severities(p_live);
	FOR r IN SELECT * FROM cube.rollup LOOP PERFORM cube.copy_rows(p_live, r.rollup, 'lane < 0'); END LOOP;
	PERFORM cube.take_positions(p_live, p_partitions, p_low);

	-- all members that there are, but what can be worked out of an actor's name is
	PERFORM cube.take_members(p_live, '{"actor": 0, "component": 0, "mission": 0, "tier": 0}');
	SELECT array_agg(d.actor_key ORDER BY d.actor_id), array_agg(d.actor_id ORDER BY d.actor_id) INTO keys, ids FROM cube.dim_actor d WHERE d.actor_key > 0;
	DELETE FROM cube.dim_actor WHERE actor_key > 0;
	PERFORM cube.resolve_actor(ids);
	SELECT array_agg(d.actor_type ORDER BY d.actor_id), array_agg(d.actor_name ORDER BY d.actor_id) INTO types, names FROM cube.dim_actor d WHERE d.actor_key > 0;
	DELETE FROM cube.dim_actor WHERE actor_key > 0;
	INSERT INTO cube.dim_actor (actor_key, actor_id, actor_type, actor_name) OVERRIDING SYSTEM VALUE SELECT * FROM unnest(keys, ids, types, names);
	PERFORM cube.describe_members(p_live);

	PERFORM cube.take_history(p_live, h.target, false) FROM cube.histories() h WHERE h.stream <> ALL (kept_streams);
	PERFORM cube.take_untold(p_live, kept_streams);
	PERFORM cube.keep_keys(p_live, u, p_partitions, p_low, kept_streams) FROM cube.fact u;
	kept := cube.keep_all_facts(p_live, 'k.kafka_us > 0');
	INSERT INTO cube.rebuild (rebuild_id, program, partitions, streams, incomplete, members, kept) OVERRIDING SYSTEM VALUE
	VALUES ((SELECT coalesce(max(rebuild_id), 0) + 1 FROM cube.rebuild), p_program, p_partitions || p_followed, p_streams, incomplete, p_members, kept);
	RETURN kept;
END $$;
COMMENT ON FUNCTION cube.begin_rebuild(text, text, jsonb, bigint[], bigint[], bigint[], text[]) IS 'Gives a new cube the begin of a rebuild; returns how many facts it takes from the live one.';

-- 2. Reading ------------------------------------------------------------------------------------------------------------------

-- How far this cube may read: as far as the live one has, whose members are here then. A partition that the live one has come by since is read, too.
CREATE OR REPLACE FUNCTION cube.follow_rebuild(p_live text) RETURNS TABLE (offset_id bigint, topic text, partition int, next_offset bigint, live_offset bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	r cube.rebuild := (SELECT u FROM cube.rebuild u WHERE u.swapped_at IS NULL);
	ids bigint[];
	ends bigint[];
	fresh bigint[];
BEGIN
	EXECUTE format('SELECT array_agg(o.offset_id), array_agg(o.next_offset) FROM %I.etl_offset o WHERE o.offset_id > 0', p_live) INTO ids, ends;
	fresh := ARRAY(SELECT i FROM unnest(ids) i WHERE NOT EXISTS (SELECT FROM cube.etl_offset o WHERE o.offset_id = i));
	IF fresh <> '{}' THEN
		EXECUTE format('INSERT INTO cube.etl_offset (offset_id, group_id, topic, partition, stream, first_offset, next_offset) OVERRIDING SYSTEM VALUE
			SELECT o.offset_id, o.group_id, o.topic, o.partition, o.stream, o.first_offset, o.first_offset FROM %I.etl_offset o WHERE o.offset_id = ANY ($1)', p_live) USING fresh;
		UPDATE cube.rebuild u SET partitions = u.partitions || fresh WHERE u.swapped_at IS NULL RETURNING u.* INTO r;
	END IF;
	PERFORM cube.take_members(p_live, r.members);
	RETURN QUERY SELECT o.offset_id, o.topic, o.partition, o.next_offset, i.live_offset
		FROM unnest(ids, ends) AS i (offset_id, live_offset) JOIN cube.etl_offset o USING (offset_id) WHERE o.offset_id = ANY (r.partitions) ORDER BY o.topic, o.partition;
END $$;
COMMENT ON FUNCTION cube.follow_rebuild(text) IS 'Where a rebuild stands in each partition that it reads, and how far it may read.';

-- Facts that were taken and not read know what other streams said of them then; those were read since.
CREATE OR REPLACE FUNCTION cube.relink_all() RETURNS void LANGUAGE plpgsql AS $$
DECLARE f cube.fact;
BEGIN
	FOR f IN SELECT * FROM cube.fact u WHERE u.links <> '{}' ORDER BY u.fact LOOP
		EXECUTE format('SELECT cube.relink_%1$s(s.keys) FROM (SELECT array_agg(k.key ORDER BY k.key) AS keys FROM (SELECT k.%2$I AS key, row_number() OVER (ORDER BY k.%2$I) / 1000 AS part
			FROM cube.key_%1$s k WHERE k.created_at >= $1) k GROUP BY k.part ORDER BY k.part) s', f.target, f.key_column) USING cube.closed_before(f.fact);
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.relink_all() IS 'Computes the links of all facts anew.';

-- What the live one knows of records that are not read again, and of which nobody knows which ones they are: versions of missions and tiers, facts
-- that a record tells of beside its own, what the mesh said, which may come on any topic. What was read wins. Once, when all is read, and
-- while nobody reads.
CREATE OR REPLACE FUNCTION cube.end_reading(p_live text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	r cube.rebuild := (SELECT u FROM cube.rebuild u WHERE u.swapped_at IS NULL);
	untold constant text[] := r.incomplete || ARRAY['trigger_events'];
	subjects text[];
	f cube.fact;
	more bigint;
BEGIN
	IF r.read_at IS NOT NULL THEN RETURN; END IF;
	IF r.incomplete <> '{}' OR r.streams IS NOT NULL THEN
		FOR f IN SELECT * FROM cube.fact LOOP
			EXECUTE format($sql$INSERT INTO cube.%1$I AS n (%2$s) SELECT %2$s FROM %3$I.%1$I k WHERE k.offset_id IS NULL AND k.kafka_us BETWEEN 1 AND $1
				AND cube.told_beside(%6$L, k.%4$I) = ANY ($2)
				ON CONFLICT (%4$I) DO UPDATE SET (%2$s) = (%5$s) WHERE n.kafka_us = 0$sql$, 'key_' || f.target, cube.columns_in_order('key_' || f.target),
				p_live, f.key_column, cube.columns_in_order('key_' || f.target, 'excluded.'), f.target) USING (date_part('epoch', r.began_at) * 1e6)::bigint, untold;
		END LOOP;
		more := cube.keep_all_facts(p_live, 'k.offset_id IS NULL AND k.kafka_us > 0');
		EXECUTE format('SELECT array_agg(DISTINCT l.subject_id ORDER BY l.subject_id) FROM %I.mesh_aspect l
			WHERE NOT EXISTS (SELECT FROM cube.mesh_aspect m WHERE m.subject_id = l.subject_id AND m.aspect = l.aspect)', p_live) INTO subjects;
		PERFORM cube.take_untold(p_live, untold);
		FOR i IN 1..coalesce(cardinality(subjects), 0) BY 500 LOOP
			PERFORM cube.lock_error_events(ARRAY(SELECT s FROM unnest(subjects[i:i + 499]) s WHERE cube.error_stream(s) = 'trigger_events')),
				cube.lock_approvals(ARRAY(SELECT cube.approval_of_subject(s) FROM unnest(subjects[i:i + 499]) s WHERE cube.approval_of_subject(s) IS NOT NULL));
			PERFORM cube.ensure_mesh(subjects[i:i + 499]);
			PERFORM cube.merge_mesh_errors(ARRAY(SELECT s FROM unnest(subjects[i:i + 499]) s WHERE cube.error_stream(s) = 'trigger_events'));
			PERFORM cube.merge_mesh_approvals(ARRAY(SELECT cube.approval_of_subject(s) FROM unnest(subjects[i:i + 499]) s WHERE cube.approval_of_subject(s) IS NOT NULL));
		END LOOP;
	END IF;
	IF r.kept > 0 OR more > 0 THEN PERFORM cube.relink_all(); END IF;
	WHILE cube.relink_slice(cube.keys_at_once()) > 0 LOOP END LOOP; -- nobody waits
	UPDATE cube.rebuild u SET read_at = clock_timestamp(), kept = u.kept + coalesce(more, 0) WHERE u.swapped_at IS NULL;
END $$;
COMMENT ON FUNCTION cube.end_reading(text) IS 'Adds to a rebuild that has read all what only the live one knows.';

-- 3. The difference -----------------------------------------------------------------------------------------------------------

-- What is compared: rows by their key, cells of rollups. When a row was written, and how writers share a cell, is no difference.
CREATE OR REPLACE FUNCTION cube.what_is_compared() RETURNS TABLE (kind text, subject text, keys text[]) LANGUAGE sql STABLE AS $$
	SELECT 'rows', f.fact, ARRAY[f.key_column] FROM cube.fact f
	UNION ALL SELECT * FROM (VALUES ('rows', 'dim_mission', ARRAY['mission_key']), ('rows', 'dim_tier', ARRAY['tier_key']), ('rows', 'dim_component', ARRAY['component_key']),
		('rows', 'dim_actor', ARRAY['actor_key']), ('rows', 'dim_mission_history', ARRAY['mission_key', 'version_number']), ('rows', 'dim_tier_history', ARRAY['tier_key', 'version_number']),
		('rows', 'etl_quality_issue', ARRAY['topic', 'partition', 'kafka_offset', 'field', 'rule'])) v
	UNION ALL SELECT 'cells', r.rollup, NULL FROM cube.rollup r WHERE r.rollup !~ '_ledger$'
	ORDER BY 1 DESC, 2
$$;
COMMENT ON FUNCTION cube.what_is_compared() IS 'What a rebuild compares with the live one.';

CREATE OR REPLACE FUNCTION cube.compare_rows(p_live text, p_table text, p_keys text[]) RETURNS TABLE (both_sides bigint, only_live bigint, only_rebuilt bigint, different bigint, example text)
LANGUAGE plpgsql AS $$
DECLARE
	told constant text[] := ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = format('cube.%I', p_table)::regclass AND attnum > 0 AND NOT attisdropped
		AND attname <> ALL (p_keys || ARRAY['loaded_at', 'found_at', 'number']) ORDER BY attnum);
BEGIN
	RETURN QUERY EXECUTE format($sql$
		SELECT count(*), count(*) FILTER (WHERE n.here IS NULL), count(*) FILTER (WHERE l.here IS NULL), count(*) FILTER (WHERE differs),
			coalesce(min(key) FILTER (WHERE differs), min(key) FILTER (WHERE n.here IS NULL), min(key) FILTER (WHERE l.here IS NULL))
		FROM (SELECT true AS here, %1$s, ROW(%2$s) AS told FROM %3$I.%4$I) l FULL JOIN (SELECT true AS here, %1$s, ROW(%2$s) AS told FROM cube.%4$I) n USING (%1$s)
		CROSS JOIN LATERAL (SELECT concat_ws('/', %1$s) AS key, l.here AND n.here AND l.told IS DISTINCT FROM n.told AS differs) d$sql$,
		cube.list('%I', p_keys), cube.list('%I', told), p_live, p_table);
END $$;
COMMENT ON FUNCTION cube.compare_rows(text, text, text[]) IS 'Compares the rows of a table with those of the live one.';

CREATE OR REPLACE FUNCTION cube.compare_cells(p_live text, p_rollup text) RETURNS TABLE (both_sides bigint, only_live bigint, only_rebuilt bigint, different bigint, example text)
LANGUAGE plpgsql AS $$
DECLARE r cube.rollup := (SELECT u FROM cube.rollup u WHERE u.rollup = p_rollup);
BEGIN
	RETURN QUERY EXECUTE format($sql$
		WITH live AS (SELECT %1$s, %2$s, true AS here FROM %3$I.%4$I GROUP BY %1$s HAVING %5$s), rebuilt AS (SELECT %1$s, %2$s, true AS here FROM cube.%4$I GROUP BY %1$s HAVING %5$s)
		SELECT count(*), count(*) FILTER (WHERE n.here IS NULL), count(*) FILTER (WHERE l.here IS NULL), count(*) FILTER (WHERE differs),
			coalesce(min(cell) FILTER (WHERE differs), min(cell) FILTER (WHERE n.here IS NULL), min(cell) FILTER (WHERE l.here IS NULL))
		FROM live l FULL JOIN rebuilt n USING (%1$s)
		CROSS JOIN LATERAL (SELECT ROW(%1$s)::text AS cell, l.here AND n.here AND (%6$s) IS DISTINCT FROM (%7$s) AS differs) d$sql$,
		cube.columns_of(r.cells, '%1$I'), cube.columns_of(r.sums, 'sum(%1$I) AS %1$I'), p_live, p_rollup, cube.columns_of(r.sums, 'sum(%1$I) <> 0', ' OR '),
		cube.columns_of(r.sums, 'l.%1$I'), cube.columns_of(r.sums, 'n.%1$I'));
END $$;
COMMENT ON FUNCTION cube.compare_cells(text, text) IS 'Compares the cells of a rollup with those of the live one.';

CREATE OR REPLACE FUNCTION cube.main_metrics(p_schema text) RETURNS TABLE (metric text, value double precision) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($sql$
		WITH e AS (SELECT sum(executions) AS n, sum(successful) AS ok, sum(rollbacks) AS back, sum(confidence_ppb) AS ppb, sum(confidence_n) AS cn, sum(duration_us) AS us, sum(duration_n) AS dn
				FROM %1$I.rollup_verification_hourly WHERE component_key = -1),
			m AS (SELECT count(*) FILTER (WHERE final_status = 'success') AS ok, count(final_status) AS n FROM %1$I.dim_mission WHERE is_current AND NOT is_inferred),
			r AS (SELECT sum(errors) AS n, sum(auto_resolved) AS healed FROM %1$I.rollup_errors_daily),
			a AS (SELECT count(*) FILTER (WHERE was_approved) AS yes, count(was_approved) AS n FROM %1$I.fact_approvals)
		SELECT u.metric, u.value::double precision FROM e, m, r, a, LATERAL (VALUES ('executions', e.n), ('verification success rate, %%', 100.0 * e.ok / nullif(e.n, 0)),
			('rollback rate, %%', 100.0 * e.back / nullif(e.n, 0)), ('mean confidence', e.ppb / nullif(e.cn, 0) / 1e9), ('mean duration, s', e.us / nullif(e.dn, 0) / 1e6),
			('missions that succeed, %%', 100.0 * m.ok / nullif(m.n, 0)), ('errors', r.n), ('errors healed by themselves, %%', 100.0 * r.healed / nullif(r.n, 0)),
			('approvals given, %%', 100.0 * a.yes / nullif(a.n, 0)), ('dead letters that wait', (SELECT count(*) FROM %1$I.etl_dead_letter d WHERE d.outcome IS NULL))) u (metric, value)$sql$, p_schema);
END $$;
COMMENT ON FUNCTION cube.main_metrics(text) IS 'The main numbers of a cube.';

-- 4. Changing places ----------------------------------------------------------------------------------------------------------

-- Rights that people have granted themselves: those of our own roles are there.
CREATE OR REPLACE FUNCTION cube.take_grants(p_old text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE g record;
BEGIN
	FOR g IN
		WITH granted AS (
			SELECT 'SCHEMA' AS kind, '' AS name, NULL::name AS part, n.nspname AS schema, n.nspacl AS acl FROM pg_namespace n
			UNION ALL SELECT 'TABLE', c.relname, NULL, n.nspname, c.relacl FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v')
			UNION ALL SELECT 'TABLE', c.relname, a.attname, n.nspname, a.attacl FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
				WHERE c.relkind IN ('r', 'p', 'v') AND NOT a.attisdropped),
		privileges AS (SELECT w.kind, w.name, w.part, w.schema, a.grantee, a.privilege_type, a.is_grantable FROM granted w, aclexplode(w.acl) a WHERE w.schema IN (p_old, 'cube'))
		SELECT o.kind, o.name, o.part, o.privilege_type, o.is_grantable, CASE o.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(o.grantee)) END AS grantee
		FROM privileges o WHERE o.schema = p_old AND NOT EXISTS (SELECT FROM privileges n WHERE n.schema = 'cube' AND (n.kind, n.name, n.grantee, n.privilege_type) = (o.kind, o.name, o.grantee, o.privilege_type)
			AND n.part IS NOT DISTINCT FROM o.part)
			AND (o.kind = 'SCHEMA' OR to_regclass(format('cube.%I', o.name)) IS NOT NULL)
	LOOP
		EXECUTE format('GRANT %s%s ON %s %s TO %s%s', g.privilege_type, ' (' || quote_ident(g.part) || ')', g.kind,
			CASE g.kind WHEN 'SCHEMA' THEN quote_ident('cube') ELSE format('cube.%I', g.name) END, g.grantee, CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.take_grants(text) IS 'Grants what was granted on the tables and views of the cube that was live.';

-- Views elsewhere go by what a table is, not by its name: they would go on reading the cube before.
CREATE OR REPLACE FUNCTION cube.views_elsewhere(p_schema text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT string_agg(DISTINCT v.oid::regclass::text, ', ') FROM pg_depend d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
	JOIN pg_class v ON v.oid = r.ev_class
	LEFT JOIN pg_class c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
	WHERE to_regnamespace(quote_ident(p_schema)) IN (c.relnamespace, p.pronamespace) AND v.relnamespace <> to_regnamespace(quote_ident(p_schema))
$$;
COMMENT ON FUNCTION cube.views_elsewhere(text) IS 'Views in other schemas that read this one.';

-- Called in the transaction that has renamed both schemas, with p_old the one that was live, while nobody moves positions. Who holds a partition
-- is fenced off, and stands where this cube stands.
CREATE OR REPLACE FUNCTION cube.take_place(p_old text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	began constant timestamptz := (SELECT u.began_at FROM cube.rebuild u WHERE u.swapped_at IS NULL);
	apart text;
	s record;
BEGIN
	EXECUTE format($sql$SELECT min(format('%%s[%%s]', coalesce(l.topic, n.topic), coalesce(l.partition, n.partition)))
		FROM (SELECT * FROM %I.etl_offset WHERE offset_id > 0) l FULL JOIN cube.etl_offset n USING (offset_id) WHERE l.next_offset IS DISTINCT FROM n.next_offset$sql$, p_old) INTO apart;
	IF apart IS NOT NULL THEN RAISE EXCEPTION 'the cubes stand apart in %', apart USING ERRCODE = 'GC003'; END IF;
	EXECUTE format($sql$SELECT min(l.fact) FROM %1$I.horizon l FULL JOIN cube.horizon n USING (fact) WHERE l.closed_before IS DISTINCT FROM n.closed_before$sql$, p_old) INTO apart;
	IF apart IS NOT NULL THEN
		RAISE EXCEPTION 'months of % were closed since the rebuild began', apart USING ERRCODE = 'GC002', HINT = 'gracecube rebuild --abandon, then begin again';
	END IF;

	PERFORM cube.take_grants(p_old);
	PERFORM cube.take_metrics(p_old);
	PERFORM cube.take_members(p_old, (SELECT u.members FROM cube.rebuild u WHERE u.swapped_at IS NULL));
	PERFORM cube.describe_members(p_old);
	DELETE FROM cube.api_token;
	PERFORM cube.take_severities(p_old), cube.copy_rows(p_old, 'api_token'), cube.copy_rows(p_old, 'etl_verification'), cube.copy_rows(p_old, 'etl_gap', format('detected_at > %L', began)),
		cube.copy_rows(p_old, 'api_audit', format('audit_id > %s', (SELECT coalesce(max(audit_id), 0) - 100000 FROM cube.api_audit)));

	-- dead letters: what people have done about them since
	PERFORM cube.copy_rows(p_old, 'etl_dead_letter', 'imported_at IS NOT NULL');
	EXECUTE format($sql$
		UPDATE cube.etl_dead_letter d SET tries = l.tries, worked_at = l.worked_at, worked_by = l.worked_by, outcome = CASE l.outcome WHEN 'discarded' THEN l.outcome ELSE d.outcome END,
			key = CASE l.outcome WHEN 'discarded' THEN NULL ELSE d.key END, value = CASE l.outcome WHEN 'discarded' THEN NULL ELSE d.value END,
			headers = CASE l.outcome WHEN 'discarded' THEN '[]' ELSE d.headers END, bytes = CASE l.outcome WHEN 'discarded' THEN 0 ELSE d.bytes END
		FROM %I.etl_dead_letter l WHERE (l.group_id, l.topic, l.partition, l.kafka_offset) = (d.group_id, d.topic, d.partition, d.kafka_offset)
			AND l.worked_at IS DISTINCT FROM d.worked_at$sql$, p_old);
	EXECUTE format('INSERT INTO cube.etl_dead_letter_ledger AS n (group_id, topic, partition, stream, retries) SELECT group_id, topic, partition, stream, retries FROM %I.etl_dead_letter_ledger
		ON CONFLICT (group_id, topic, partition, stream) DO UPDATE SET retries = excluded.retries WHERE n.retries <> excluded.retries', p_old);

	-- no number is given a second time
	FOR s IN SELECT n.oid::regclass AS own, o.oid::regclass AS other FROM pg_class n JOIN pg_class o ON o.relname = n.relname AND o.relkind = 'S'
			WHERE n.relnamespace = 'cube'::regnamespace AND n.relkind = 'S' AND o.relnamespace = quote_ident(p_old)::regnamespace LOOP
		EXECUTE format('SELECT setval(%L, greatest(n.last_value, o.last_value), n.is_called OR o.is_called) FROM %s n, %s o', s.own, s.own, s.other);
	END LOOP;

	EXECUTE format('UPDATE cube.etl_offset n SET owner_epoch = l.owner_epoch + 1, owner = l.owner, owner_pid = NULL, claimed_at = l.claimed_at, updated_at = clock_timestamp()
		FROM %I.etl_offset l WHERE l.offset_id = n.offset_id', p_old);
	EXECUTE format('UPDATE %I.etl_offset SET owner_epoch = owner_epoch + 1', p_old);
	UPDATE cube.rebuild u SET swapped_at = clock_timestamp() WHERE u.swapped_at IS NULL;
END $$;
COMMENT ON FUNCTION cube.take_place(text) IS 'Takes the last things of the cube that was live, and fences its writers off.';
