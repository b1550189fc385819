-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.base_of_missions(keys integer[], p_before timestamp with time zone)
 RETURNS SETOF cube.base_missions
 LANGUAGE sql
 STABLE
AS $function$
	WITH s AS (SELECT DISTINCT v.mission_key AS member, v.source_id FROM cube.version_missions v WHERE v.mission_key = ANY (keys)),
	-- Programs before 0.3 give a tombstone no place: where the source tells of a row's delete itself, it says nothing new. Nor does a row that is
	-- deleted, or of another member, when it was not of this one just before: others may tell of the member meanwhile.
	r AS (
		SELECT t.*, t.is_echo OR (t.deleted AND lag(t.deleted) OVER (PARTITION BY t.member, t.source_id, t.is_echo ORDER BY t.place_us, t.lsn, t.tie) IS DISTINCT FROM false) AS is_nothing
		FROM (SELECT s.member, r.source_id, coalesce(r.place_us, r.at_us) AS place_us, r.lsn, r.tie, r.changed_at, r.mission_name, r.mission_type, r.started_at, r.completed_at, r.final_status,
				r.deleted OR r.mission_key IS DISTINCT FROM s.member AS deleted,
				r.deleted AND NOT p.placed AND bool_or(r.deleted AND p.placed) OVER (PARTITION BY s.member, r.source_id) AS is_echo
			FROM s JOIN cube.version_missions r USING (source_id) CROSS JOIN LATERAL (SELECT r.lsn > 0 OR r.place_us IS NOT NULL OR r.at_us <> r.kafka_us AS placed) p) t),
	-- first what stands for those that are gone: the version that held, and that it was deleted
	x AS (
		SELECT b.mission_key AS member, b.source_id, b.place_us, b.lsn, b.tie, CASE n WHEN 1 THEN b.told_at ELSE b.deleted_at END AS changed_at, b.mission_name, b.mission_type, b.started_at, b.completed_at, b.final_status, n = 2 AS deleted,
			n AS turn, CASE n WHEN 1 THEN b.version_number END AS base_number
		FROM cube.base_missions b, generate_series(1, 2) n WHERE b.mission_key = ANY (keys) AND (n = 1 OR b.deleted_at IS NOT NULL)
		UNION ALL
		SELECT r.member, r.source_id, r.place_us, r.lsn, r.tie, r.changed_at, r.mission_name, r.mission_type, r.started_at, r.completed_at, r.final_status, r.deleted, 3, NULL
		FROM r LEFT JOIN cube.base_missions b ON b.mission_key = r.member WHERE NOT r.is_nothing AND (b.mission_key IS NULL OR (r.place_us, r.lsn, r.tie, r.source_id) > (b.place_us, b.lsn, b.tie, b.source_id))),
	v AS (
		SELECT v.*, lag(v.deleted) OVER w AS was_deleted, lag(ROW(v.mission_name, v.mission_type, v.started_at, v.completed_at, v.final_status)) OVER w AS was
		FROM (SELECT o.member, o.n, o.place_us, o.lsn, o.tie, o.source_id, o.base_number, o.changed_at, o.deleted, o.mission_name, coalesce(max(o.mission_type) FILTER (WHERE NOT o.deleted AND o.mission_type <> '__debezium_unavailable_value') OVER (PARTITION BY o.member, o.sent_mission_type), 'unknown') AS mission_type, o.started_at, o.completed_at, o.final_status
			FROM (SELECT x.*, row_number() OVER w AS n, count(*) FILTER (WHERE NOT x.deleted AND x.mission_type <> '__debezium_unavailable_value') OVER w AS sent_mission_type
				FROM x WINDOW w AS (PARTITION BY x.member ORDER BY x.turn, x.place_us, x.lsn, x.tie, x.source_id)) o) v
		WINDOW w AS (PARTITION BY v.member ORDER BY v.n)),
	-- What was deleted, or named otherwise, before it had a first version does not count, nor does what such a row says besides.
	begun AS (
		SELECT v.*, row_number() OVER w AS number, (count(*) FILTER (WHERE NOT v.deleted) OVER w + coalesce(max(v.base_number) OVER w - 1, 0))::int AS version_number FROM v
		WHERE CASE WHEN v.n = 1 THEN NOT v.deleted ELSE v.deleted <> v.was_deleted OR (NOT v.deleted AND ROW(v.mission_name, v.mission_type, v.started_at, v.completed_at, v.final_status) IS DISTINCT FROM v.was) END
		WINDOW w AS (PARTITION BY v.member ORDER BY v.n)),
	timed AS (
		SELECT v.*, coalesce(CASE WHEN v.deleted OR v.base_number IS NOT NULL THEN NULL WHEN v.number = 1 THEN v.started_at ELSE CASE WHEN v.completed_at IS NOT NULL AND p.completed_at IS NULL THEN v.completed_at END END, v.changed_at) AS told
		FROM begun v LEFT JOIN begun p ON p.member = v.member AND p.number = v.number - 1 AND NOT p.deleted),
	ranged AS (
		SELECT t.*, min(t.told) OVER (PARTITION BY t.member ORDER BY t.number DESC) AS since FROM timed t),
	ended AS (
		SELECT r.*, lead(r.since) OVER (PARTITION BY r.member ORDER BY r.number) AS until FROM ranged r),
	held AS (
		SELECT DISTINCT ON (e.member) e.* FROM ended e WHERE e.since <= p_before AND e.place_us <= date_part('epoch', p_before) * 1e6 ORDER BY e.member, e.number DESC),
	-- up to the last of the versions that said nothing else
	reached AS (
		SELECT DISTINCT ON (l.member) l.* FROM (
			SELECT h.member, h.place_us, h.lsn, h.tie, h.source_id FROM held h
			UNION ALL SELECT r.member, r.place_us, r.lsn, r.tie, r.source_id FROM held h JOIN r ON r.member = h.member LEFT JOIN begun n ON n.member = h.member AND n.number = h.number + 1
			WHERE r.place_us <= date_part('epoch', p_before) * 1e6 AND (n.n IS NULL OR (r.place_us, r.lsn, r.tie, r.source_id) < (n.place_us, n.lsn, n.tie, n.source_id))) l
		ORDER BY l.member, l.place_us DESC, l.lsn DESC, l.tie DESC, l.source_id DESC)
	SELECT h.member, l.place_us, l.lsn, l.tie, l.source_id, e.version_number, e.told, CASE WHEN h.deleted THEN h.told END, e.mission_name, e.mission_type, e.started_at, e.completed_at, e.final_status, p_before, now()
	FROM held h JOIN reached l ON l.member = h.member JOIN ended e ON e.member = h.member AND e.number = h.number - h.deleted::int
$function$;

CREATE OR REPLACE FUNCTION cube.history_of_missions(keys integer[])
 RETURNS SETOF cube.dim_mission_history
 LANGUAGE sql
 STABLE
AS $function$
	WITH s AS (SELECT DISTINCT v.mission_key AS member, v.source_id FROM cube.version_missions v WHERE v.mission_key = ANY (keys)),
	-- Programs before 0.3 give a tombstone no place: where the source tells of a row's delete itself, it says nothing new. Nor does a row that is
	-- deleted, or of another member, when it was not of this one just before: others may tell of the member meanwhile.
	r AS (
		SELECT t.*, t.is_echo OR (t.deleted AND lag(t.deleted) OVER (PARTITION BY t.member, t.source_id, t.is_echo ORDER BY t.place_us, t.lsn, t.tie) IS DISTINCT FROM false) AS is_nothing
		FROM (SELECT s.member, r.source_id, coalesce(r.place_us, r.at_us) AS place_us, r.lsn, r.tie, r.changed_at, r.mission_name, r.mission_type, r.started_at, r.completed_at, r.final_status,
				r.deleted OR r.mission_key IS DISTINCT FROM s.member AS deleted,
				r.deleted AND NOT p.placed AND bool_or(r.deleted AND p.placed) OVER (PARTITION BY s.member, r.source_id) AS is_echo
			FROM s JOIN cube.version_missions r USING (source_id) CROSS JOIN LATERAL (SELECT r.lsn > 0 OR r.place_us IS NOT NULL OR r.at_us <> r.kafka_us AS placed) p) t),
	-- first what stands for those that are gone: the version that held, and that it was deleted
	x AS (
		SELECT b.mission_key AS member, b.source_id, b.place_us, b.lsn, b.tie, CASE n WHEN 1 THEN b.told_at ELSE b.deleted_at END AS changed_at, b.mission_name, b.mission_type, b.started_at, b.completed_at, b.final_status, n = 2 AS deleted,
			n AS turn, CASE n WHEN 1 THEN b.version_number END AS base_number
		FROM cube.base_missions b, generate_series(1, 2) n WHERE b.mission_key = ANY (keys) AND (n = 1 OR b.deleted_at IS NOT NULL)
		UNION ALL
		SELECT r.member, r.source_id, r.place_us, r.lsn, r.tie, r.changed_at, r.mission_name, r.mission_type, r.started_at, r.completed_at, r.final_status, r.deleted, 3, NULL
		FROM r LEFT JOIN cube.base_missions b ON b.mission_key = r.member WHERE NOT r.is_nothing AND (b.mission_key IS NULL OR (r.place_us, r.lsn, r.tie, r.source_id) > (b.place_us, b.lsn, b.tie, b.source_id))),
	v AS (
		SELECT v.*, lag(v.deleted) OVER w AS was_deleted, lag(ROW(v.mission_name, v.mission_type, v.started_at, v.completed_at, v.final_status)) OVER w AS was
		FROM (SELECT o.member, o.n, o.place_us, o.lsn, o.tie, o.source_id, o.base_number, o.changed_at, o.deleted, o.mission_name, coalesce(max(o.mission_type) FILTER (WHERE NOT o.deleted AND o.mission_type <> '__debezium_unavailable_value') OVER (PARTITION BY o.member, o.sent_mission_type), 'unknown') AS mission_type, o.started_at, o.completed_at, o.final_status
			FROM (SELECT x.*, row_number() OVER w AS n, count(*) FILTER (WHERE NOT x.deleted AND x.mission_type <> '__debezium_unavailable_value') OVER w AS sent_mission_type
				FROM x WINDOW w AS (PARTITION BY x.member ORDER BY x.turn, x.place_us, x.lsn, x.tie, x.source_id)) o) v
		WINDOW w AS (PARTITION BY v.member ORDER BY v.n)),
	-- What was deleted, or named otherwise, before it had a first version does not count, nor does what such a row says besides.
	begun AS (
		SELECT v.*, row_number() OVER w AS number, (count(*) FILTER (WHERE NOT v.deleted) OVER w + coalesce(max(v.base_number) OVER w - 1, 0))::int AS version_number FROM v
		WHERE CASE WHEN v.n = 1 THEN NOT v.deleted ELSE v.deleted <> v.was_deleted OR (NOT v.deleted AND ROW(v.mission_name, v.mission_type, v.started_at, v.completed_at, v.final_status) IS DISTINCT FROM v.was) END
		WINDOW w AS (PARTITION BY v.member ORDER BY v.n)),
	timed AS (
		SELECT v.*, coalesce(CASE WHEN v.deleted OR v.base_number IS NOT NULL THEN NULL WHEN v.number = 1 THEN v.started_at ELSE CASE WHEN v.completed_at IS NOT NULL AND p.completed_at IS NULL THEN v.completed_at END END, v.changed_at) AS told
		FROM begun v LEFT JOIN begun p ON p.member = v.member AND p.number = v.number - 1 AND NOT p.deleted),
	ranged AS (
		SELECT t.*, min(t.told) OVER (PARTITION BY t.member ORDER BY t.number DESC) AS since FROM timed t),
	ended AS (
		SELECT r.*, lead(r.since) OVER (PARTITION BY r.member ORDER BY r.number) AS until FROM ranged r)
	SELECT e.member, e.version_number, d.mission_id, e.mission_name, e.mission_type, e.started_at, e.completed_at, e.final_status, e.until IS NULL, e.since, e.until, now()
	FROM ended e JOIN cube.dim_mission d ON d.mission_key = e.member WHERE NOT e.deleted
$function$;

CREATE OR REPLACE FUNCTION cube.merge_missions(source_id text[], mission_key integer[], mission_name text[], mission_type text[], started_at timestamp with time zone[], completed_at timestamp with time zone[], final_status text[], deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
	fresh cube.version_missions[];
	not_applied bigint := 0; -- records that were superseded or expired: the answer
	late bigint[] := '{}'; -- which of the records, as they are counted
	changed text[]; -- source rows
	members int[] := ARRAY(SELECT i FROM unnest(merge_missions.mission_key) i WHERE i IS NOT NULL
		UNION SELECT v.mission_key FROM unnest(merge_missions.source_id, merge_missions.mission_key) i (source_id, member) JOIN cube.version_missions v USING (source_id) WHERE i.member IS NULL AND v.mission_key IS NOT NULL);
BEGIN
	-- 1. what is older than what stands for versions that are gone is expired, unless it is there still. The lock is that of who throws away.
	PERFORM FROM cube.dim_mission d WHERE d.mission_key = ANY (members) ORDER BY d.mission_key FOR UPDATE;
	IF EXISTS (SELECT FROM cube.base_missions b WHERE b.mission_key = ANY (members)) THEN
		late := ARRAY(SELECT i.n FROM unnest(merge_missions.source_id, merge_missions.mission_key, merge_missions.lsn, merge_missions.source_us, merge_missions.kafka_us, merge_missions.record_offset)
				WITH ORDINALITY AS i (source_id, mission_key, lsn, source_us, kafka_us, record_offset, n)
			CROSS JOIN LATERAL (SELECT cube.place_us(i.source_us, i.kafka_us) AS place_us, i.lsn, CASE WHEN i.lsn > 0 THEN 0 ELSE i.record_offset END AS tie, i.source_id) p
			CROSS JOIN LATERAL (SELECT bool_and(b.mission_key IS NOT NULL AND (b.place_us, b.lsn, b.tie, b.source_id) >= (p.place_us, p.lsn, p.tie, p.source_id)) AS are_gone
				FROM (SELECT i.mission_key AS member UNION SELECT v.mission_key FROM cube.version_missions v WHERE i.mission_key IS NULL AND v.source_id = i.source_id) m LEFT JOIN cube.base_missions b ON b.mission_key = m.member
				WHERE m.member IS NOT NULL) m
			WHERE m.are_gone AND NOT EXISTS (SELECT FROM cube.version_missions v WHERE v.source_id = i.source_id AND v.lsn = i.lsn
				AND v.at_us = cube.own_us(i.source_us, i.kafka_us) AND v.tie = p.tie));
		not_applied := cube.count_expired(ARRAY(SELECT merge_missions.offset_id[n] FROM unnest(late) n));
	END IF;

	-- 2. the versions; the same one a second time is a duplicate
	WITH w AS (
		INSERT INTO cube.version_missions AS v (source_id, lsn, at_us, tie, mission_key, deleted, changed_at, kafka_us, place_us, mission_name, mission_type, started_at, completed_at, final_status)
		SELECT i.source_id, i.lsn, cube.own_us(i.source_us, i.kafka_us), CASE WHEN i.lsn > 0 THEN 0 ELSE i.record_offset END, i.mission_key, i.deleted,
			to_timestamp(cube.own_us(i.source_us, i.kafka_us) / 1e6), i.kafka_us, nullif(i.source_us, 0), i.mission_name, i.mission_type, i.started_at, i.completed_at, i.final_status
		FROM unnest(merge_missions.source_id, merge_missions.mission_key, merge_missions.mission_name, merge_missions.mission_type, merge_missions.started_at, merge_missions.completed_at, merge_missions.final_status, merge_missions.deleted, merge_missions.lsn, merge_missions.source_us, merge_missions.kafka_us, merge_missions.record_offset, merge_missions.offset_id) WITH ORDINALITY AS i (source_id, mission_key, mission_name, mission_type, started_at, completed_at, final_status, deleted, lsn, source_us, kafka_us, record_offset, offset_id, n)
		WHERE i.n <> ALL (late)
		ON CONFLICT DO NOTHING RETURNING v)
	SELECT coalesce(array_agg(w.v), '{}') INTO fresh FROM w;

	-- 3. which of them were duplicates
	IF cardinality(fresh) + cardinality(late) < cardinality(merge_missions.source_id) THEN
		WITH l AS (UPDATE cube.etl_offset o SET applied = o.applied - l.n, superseded = o.superseded + l.n
		FROM (SELECT i.offset_id, count(*) AS n
			FROM (SELECT u.*, row_number() OVER (PARTITION BY u.source_id, u.lsn, cube.own_us(u.source_us, u.kafka_us),
					CASE WHEN u.lsn > 0 THEN 0 ELSE u.record_offset END ORDER BY u.n) AS nth
				FROM unnest(merge_missions.source_id, merge_missions.lsn, merge_missions.source_us, merge_missions.kafka_us, merge_missions.record_offset, merge_missions.offset_id)
				WITH ORDINALITY AS u (source_id, lsn, source_us, kafka_us, record_offset, offset_id, n) WHERE u.n <> ALL (late)) i
			LEFT JOIN unnest(fresh) v ON v.source_id = i.source_id AND v.lsn = i.lsn
				AND v.at_us = cube.own_us(i.source_us, i.kafka_us)
				AND v.tie = CASE WHEN i.lsn > 0 THEN 0 ELSE i.record_offset END AND i.nth = 1
			WHERE i.offset_id IS NOT NULL AND v.source_id IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
		WHERE o.offset_id = l.offset_id RETURNING l.n)
		SELECT not_applied + coalesce(sum(l.n), 0) INTO not_applied FROM l;
	END IF;

	-- 4. the ranges of the members that changed, and what follows from a member that became known. Most versions say what the one before says, as
	-- when only a counter goes on: these change nothing, and are not held against all others. The one before is that of the same source row, unless
	-- several tell of the member, or the delete between them was thrown away.
	IF cardinality(fresh) > 0 THEN
		changed := ARRAY(SELECT DISTINCT v.source_id FROM unnest(fresh) v
			LEFT JOIN LATERAL (SELECT n.deleted, ROW(n.mission_key, n.mission_name, n.mission_type, n.started_at, n.completed_at, n.final_status) AS says FROM cube.version_missions n
				WHERE n.source_id = v.source_id AND (coalesce(n.place_us, n.at_us), n.lsn, n.tie) < (coalesce(v.place_us, v.at_us), v.lsn, v.tie)
				ORDER BY coalesce(n.place_us, n.at_us) DESC, n.lsn DESC, n.tie DESC LIMIT 1) before ON true
			WHERE v.deleted OR before.deleted IS DISTINCT FROM false OR before.says IS DISTINCT FROM ROW(v.mission_key, v.mission_name, v.mission_type, v.started_at, v.completed_at, v.final_status)
				OR (SELECT min(n.source_id) <> max(n.source_id) FROM cube.version_missions n WHERE n.mission_key = v.mission_key)
				OR EXISTS (SELECT FROM cube.base_missions b WHERE b.mission_key = v.mission_key AND b.deleted_at IS NOT NULL));
		IF changed <> '{}' THEN
			members := ARRAY(SELECT DISTINCT v.mission_key FROM cube.version_missions v WHERE v.source_id = ANY (changed) AND v.mission_key IS NOT NULL ORDER BY 1);
			PERFORM cube.known_missions(cube.rebuild_missions(members));
		END IF;
	END IF;
	RETURN not_applied;
END $function$;

CREATE OR REPLACE FUNCTION cube.rebuild_missions(keys integer[])
 RETURNS integer[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
DECLARE newly_known int[];
BEGIN
	PERFORM FROM cube.dim_mission d WHERE d.mission_key = ANY (keys) ORDER BY d.mission_key FOR UPDATE;
	-- one statement: a temporary table would be made by whoever calls first, and this runs with the rights of the owner
	WITH wanted AS MATERIALIZED (SELECT * FROM cube.history_of_missions(keys)),
	gone AS (
		DELETE FROM cube.dim_mission_history h WHERE h.mission_key = ANY (keys)
			AND NOT EXISTS (SELECT FROM wanted w WHERE w.mission_key = h.mission_key AND w.version_number = h.version_number)),
	written AS (
		INSERT INTO cube.dim_mission_history AS h (mission_key, version_number, mission_id, mission_name, mission_type, started_at, completed_at, final_status, is_current, effective_from, effective_to)
		SELECT w.mission_key, w.version_number, w.mission_id, w.mission_name, w.mission_type, w.started_at, w.completed_at, w.final_status, w.is_current, w.effective_from, w.effective_to FROM wanted w ORDER BY w.mission_key, w.version_number
		ON CONFLICT (mission_key, version_number) DO UPDATE SET (mission_id, mission_name, mission_type, started_at, completed_at, final_status, is_current, effective_from, effective_to, loaded_at)
			= (excluded.mission_id, excluded.mission_name, excluded.mission_type, excluded.started_at, excluded.completed_at, excluded.final_status, excluded.is_current, excluded.effective_from, excluded.effective_to, excluded.loaded_at)
		WHERE (h.mission_id, h.mission_name, h.mission_type, h.started_at, h.completed_at, h.final_status, h.is_current, h.effective_from, h.effective_to)
			IS DISTINCT FROM (excluded.mission_id, excluded.mission_name, excluded.mission_type, excluded.started_at, excluded.completed_at, excluded.final_status, excluded.is_current, excluded.effective_from, excluded.effective_to)),
	members AS (
		UPDATE cube.dim_mission d SET (mission_name, mission_type, started_at, completed_at, final_status, is_current, effective_from, effective_to, is_inferred, loaded_at)
			= (w.mission_name, w.mission_type, w.started_at, w.completed_at, w.final_status, w.is_current, w.effective_from, w.effective_to, false, now())
		FROM (SELECT DISTINCT ON (mission_key) * FROM wanted ORDER BY mission_key, version_number DESC) w
		WHERE d.mission_key = w.mission_key AND (d.mission_name, d.mission_type, d.started_at, d.completed_at, d.final_status, d.is_current, d.effective_from, d.effective_to, d.is_inferred)
			IS DISTINCT FROM (w.mission_name, w.mission_type, w.started_at, w.completed_at, w.final_status, w.is_current, w.effective_from, w.effective_to, false))
	SELECT coalesce(array_agg(d.mission_key), '{}') INTO newly_known FROM cube.dim_mission d -- as they were before
	WHERE d.mission_key = ANY (keys) AND d.is_inferred AND EXISTS (SELECT FROM wanted w WHERE w.mission_key = d.mission_key);
	RETURN newly_known;
END $function$;
