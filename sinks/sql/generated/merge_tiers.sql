-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.base_of_tiers(keys integer[], p_before timestamp with time zone)
 RETURNS SETOF cube.base_tiers
 LANGUAGE sql
 STABLE
AS $function$
	WITH s AS (SELECT DISTINCT v.tier_key AS member, v.source_id FROM cube.version_tiers v WHERE v.tier_key = ANY (keys)),
	-- Programs before 0.3 give a tombstone no place: where the source tells of a row's delete itself, it says nothing new. Nor does a row that is
	-- deleted, or of another member, when it was not of this one just before: others may tell of the member meanwhile.
	r AS (
		SELECT t.*, t.is_echo OR (t.deleted AND lag(t.deleted) OVER (PARTITION BY t.member, t.source_id, t.is_echo ORDER BY t.place_us, t.lsn, t.tie) IS DISTINCT FROM false) AS is_nothing
		FROM (SELECT s.member, r.source_id, coalesce(r.place_us, r.at_us) AS place_us, r.lsn, r.tie, r.changed_at, r.tier_name, r.requires_approval, r.requires_snapshot, r.requires_benchmark, r.risk_level, r.description, r.policy_from,
				r.deleted OR r.tier_key IS DISTINCT FROM s.member AS deleted,
				r.deleted AND NOT p.placed AND bool_or(r.deleted AND p.placed) OVER (PARTITION BY s.member, r.source_id) AS is_echo
			FROM s JOIN cube.version_tiers r USING (source_id) CROSS JOIN LATERAL (SELECT r.lsn > 0 OR r.place_us IS NOT NULL OR r.at_us <> r.kafka_us AS placed) p) t),
	-- first what stands for those that are gone: the version that held, and that it was deleted
	x AS (
		SELECT b.tier_key AS member, b.source_id, b.place_us, b.lsn, b.tie, CASE n WHEN 1 THEN b.told_at ELSE b.deleted_at END AS changed_at, b.tier_name, b.requires_approval, b.requires_snapshot, b.requires_benchmark, b.risk_level, b.description, b.policy_from, n = 2 AS deleted,
			n AS turn, CASE n WHEN 1 THEN b.version_number END AS base_number
		FROM cube.base_tiers b, generate_series(1, 2) n WHERE b.tier_key = ANY (keys) AND (n = 1 OR b.deleted_at IS NOT NULL)
		UNION ALL
		SELECT r.member, r.source_id, r.place_us, r.lsn, r.tie, r.changed_at, r.tier_name, r.requires_approval, r.requires_snapshot, r.requires_benchmark, r.risk_level, r.description, r.policy_from, r.deleted, 3, NULL
		FROM r LEFT JOIN cube.base_tiers b ON b.tier_key = r.member WHERE NOT r.is_nothing AND (b.tier_key IS NULL OR (r.place_us, r.lsn, r.tie, r.source_id) > (b.place_us, b.lsn, b.tie, b.source_id))),
	v AS (
		SELECT v.*, lag(v.deleted) OVER w AS was_deleted, lag(ROW(v.tier_name, v.requires_approval, v.requires_snapshot, v.requires_benchmark, v.risk_level, v.description)) OVER w AS was
		FROM (SELECT o.member, o.n, o.place_us, o.lsn, o.tie, o.source_id, o.base_number, o.changed_at, o.deleted, o.tier_name, o.requires_approval, o.requires_snapshot, o.requires_benchmark, o.risk_level, o.description, o.policy_from
			FROM (SELECT x.*, row_number() OVER w AS n
				FROM x WINDOW w AS (PARTITION BY x.member ORDER BY x.turn, x.place_us, x.lsn, x.tie, x.source_id)) o) v
		WINDOW w AS (PARTITION BY v.member ORDER BY v.n)),
	-- What was deleted, or named otherwise, before it had a first version does not count, nor does what such a row says besides.
	begun AS (
		SELECT v.*, row_number() OVER w AS number, (count(*) FILTER (WHERE NOT v.deleted) OVER w + coalesce(max(v.base_number) OVER w - 1, 0))::int AS version_number FROM v
		WHERE CASE WHEN v.n = 1 THEN NOT v.deleted ELSE v.deleted <> v.was_deleted OR (NOT v.deleted AND ROW(v.tier_name, v.requires_approval, v.requires_snapshot, v.requires_benchmark, v.risk_level, v.description) IS DISTINCT FROM v.was) END
		WINDOW w AS (PARTITION BY v.member ORDER BY v.n)),
	timed AS (
		SELECT v.*, coalesce(CASE WHEN v.deleted OR v.base_number IS NOT NULL THEN NULL WHEN v.number = 1 THEN v.policy_from ELSE v.policy_from END, v.changed_at) AS told
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
	SELECT h.member, l.place_us, l.lsn, l.tie, l.source_id, e.version_number, e.told, CASE WHEN h.deleted THEN h.told END, e.tier_name, e.requires_approval, e.requires_snapshot, e.requires_benchmark, e.risk_level, e.description, e.policy_from, p_before, now()
	FROM held h JOIN reached l ON l.member = h.member JOIN ended e ON e.member = h.member AND e.number = h.number - h.deleted::int
$function$;

CREATE OR REPLACE FUNCTION cube.history_of_tiers(keys integer[])
 RETURNS SETOF cube.dim_tier_history
 LANGUAGE sql
 STABLE
AS $function$
	WITH s AS (SELECT DISTINCT v.tier_key AS member, v.source_id FROM cube.version_tiers v WHERE v.tier_key = ANY (keys)),
	-- Programs before 0.3 give a tombstone no place: where the source tells of a row's delete itself, it says nothing new. Nor does a row that is
	-- deleted, or of another member, when it was not of this one just before: others may tell of the member meanwhile.
	r AS (
		SELECT t.*, t.is_echo OR (t.deleted AND lag(t.deleted) OVER (PARTITION BY t.member, t.source_id, t.is_echo ORDER BY t.place_us, t.lsn, t.tie) IS DISTINCT FROM false) AS is_nothing
		FROM (SELECT s.member, r.source_id, coalesce(r.place_us, r.at_us) AS place_us, r.lsn, r.tie, r.changed_at, r.tier_name, r.requires_approval, r.requires_snapshot, r.requires_benchmark, r.risk_level, r.description, r.policy_from,
				r.deleted OR r.tier_key IS DISTINCT FROM s.member AS deleted,
				r.deleted AND NOT p.placed AND bool_or(r.deleted AND p.placed) OVER (PARTITION BY s.member, r.source_id) AS is_echo
			FROM s JOIN cube.version_tiers r USING (source_id) CROSS JOIN LATERAL (SELECT r.lsn > 0 OR r.place_us IS NOT NULL OR r.at_us <> r.kafka_us AS placed) p) t),
	-- first what stands for those that are gone: the version that held, and that it was deleted
	x AS (
		SELECT b.tier_key AS member, b.source_id, b.place_us, b.lsn, b.tie, CASE n WHEN 1 THEN b.told_at ELSE b.deleted_at END AS changed_at, b.tier_name, b.requires_approval, b.requires_snapshot, b.requires_benchmark, b.risk_level, b.description, b.policy_from, n = 2 AS deleted,
			n AS turn, CASE n WHEN 1 THEN b.version_number END AS base_number
		FROM cube.base_tiers b, generate_series(1, 2) n WHERE b.tier_key = ANY (keys) AND (n = 1 OR b.deleted_at IS NOT NULL)
		UNION ALL
		SELECT r.member, r.source_id, r.place_us, r.lsn, r.tie, r.changed_at, r.tier_name, r.requires_approval, r.requires_snapshot, r.requires_benchmark, r.risk_level, r.description, r.policy_from, r.deleted, 3, NULL
		FROM r LEFT JOIN cube.base_tiers b ON b.tier_key = r.member WHERE NOT r.is_nothing AND (b.tier_key IS NULL OR (r.place_us, r.lsn, r.tie, r.source_id) > (b.place_us, b.lsn, b.tie, b.source_id))),
	v AS (
		SELECT v.*, lag(v.deleted) OVER w AS was_deleted, lag(ROW(v.tier_name, v.requires_approval, v.requires_snapshot, v.requires_benchmark, v.risk_level, v.description)) OVER w AS was
		FROM (SELECT o.member, o.n, o.place_us, o.lsn, o.tie, o.source_id, o.base_number, o.changed_at, o.deleted, o.tier_name, o.requires_approval, o.requires_snapshot, o.requires_benchmark, o.risk_level, o.description, o.policy_from
			FROM (SELECT x.*, row_number() OVER w AS n
				FROM x WINDOW w AS (PARTITION BY x.member ORDER BY x.turn, x.place_us, x.lsn, x.tie, x.source_id)) o) v
		WINDOW w AS (PARTITION BY v.member ORDER BY v.n)),
	-- What was deleted, or named otherwise, before it had a first version does not count, nor does what such a row says besides.
	begun AS (
		SELECT v.*, row_number() OVER w AS number, (count(*) FILTER (WHERE NOT v.deleted) OVER w + coalesce(max(v.base_number) OVER w - 1, 0))::int AS version_number FROM v
		WHERE CASE WHEN v.n = 1 THEN NOT v.deleted ELSE v.deleted <> v.was_deleted OR (NOT v.deleted AND ROW(v.tier_name, v.requires_approval, v.requires_snapshot, v.requires_benchmark, v.risk_level, v.description) IS DISTINCT FROM v.was) END
		WINDOW w AS (PARTITION BY v.member ORDER BY v.n)),
	timed AS (
		SELECT v.*, coalesce(CASE WHEN v.deleted OR v.base_number IS NOT NULL THEN NULL WHEN v.number = 1 THEN v.policy_from ELSE v.policy_from END, v.changed_at) AS told
		FROM begun v LEFT JOIN begun p ON p.member = v.member AND p.number = v.number - 1 AND NOT p.deleted),
	ranged AS (
		SELECT t.*, min(t.told) OVER (PARTITION BY t.member ORDER BY t.number DESC) AS since FROM timed t),
	ended AS (
		SELECT r.*, lead(r.since) OVER (PARTITION BY r.member ORDER BY r.number) AS until FROM ranged r)
	SELECT e.member, e.version_number, d.tier_code, e.tier_name, e.requires_approval, e.requires_snapshot, e.requires_benchmark, e.risk_level, e.description, e.until IS NULL, e.since, e.until, now()
	FROM ended e JOIN cube.dim_tier d ON d.tier_key = e.member WHERE NOT e.deleted
$function$;

CREATE OR REPLACE FUNCTION cube.merge_tiers(source_id text[], tier_key integer[], tier_name text[], requires_approval boolean[], requires_snapshot boolean[], requires_benchmark boolean[], risk_level text[], description text[], policy_from timestamp with time zone[], deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
	fresh cube.version_tiers[];
	not_applied bigint := 0; -- records that were superseded or expired: the answer
	late bigint[] := '{}'; -- which of the records, as they are counted
	changed text[]; -- source rows
	members int[] := ARRAY(SELECT i FROM unnest(merge_tiers.tier_key) i WHERE i IS NOT NULL
		UNION SELECT v.tier_key FROM unnest(merge_tiers.source_id, merge_tiers.tier_key) i (source_id, member) JOIN cube.version_tiers v USING (source_id) WHERE i.member IS NULL AND v.tier_key IS NOT NULL);
BEGIN
	-- 1. what is older than what stands for versions that are gone is expired, unless it is there still. The lock is that of who throws away.
	PERFORM FROM cube.dim_tier d WHERE d.tier_key = ANY (members) ORDER BY d.tier_key FOR UPDATE;
	IF EXISTS (SELECT FROM cube.base_tiers b WHERE b.tier_key = ANY (members)) THEN
		late := ARRAY(SELECT i.n FROM unnest(merge_tiers.source_id, merge_tiers.tier_key, merge_tiers.lsn, merge_tiers.source_us, merge_tiers.kafka_us, merge_tiers.record_offset)
				WITH ORDINALITY AS i (source_id, tier_key, lsn, source_us, kafka_us, record_offset, n)
			CROSS JOIN LATERAL (SELECT cube.place_us(i.source_us, i.kafka_us) AS place_us, i.lsn, CASE WHEN i.lsn > 0 THEN 0 ELSE i.record_offset END AS tie, i.source_id) p
			CROSS JOIN LATERAL (SELECT bool_and(b.tier_key IS NOT NULL AND (b.place_us, b.lsn, b.tie, b.source_id) >= (p.place_us, p.lsn, p.tie, p.source_id)) AS are_gone
				FROM (SELECT i.tier_key AS member UNION SELECT v.tier_key FROM cube.version_tiers v WHERE i.tier_key IS NULL AND v.source_id = i.source_id) m LEFT JOIN cube.base_tiers b ON b.tier_key = m.member
				WHERE m.member IS NOT NULL) m
			WHERE m.are_gone AND NOT EXISTS (SELECT FROM cube.version_tiers v WHERE v.source_id = i.source_id AND v.lsn = i.lsn
				AND v.at_us = cube.own_us(i.source_us, i.kafka_us) AND v.tie = p.tie));
		not_applied := cube.count_expired(ARRAY(SELECT merge_tiers.offset_id[n] FROM unnest(late) n));
	END IF;

	-- 2. the versions; the same one a second time is a duplicate
	WITH w AS (
		INSERT INTO cube.version_tiers AS v (source_id, lsn, at_us, tie, tier_key, deleted, changed_at, kafka_us, place_us, tier_name, requires_approval, requires_snapshot, requires_benchmark, risk_level, description, policy_from)
		SELECT i.source_id, i.lsn, cube.own_us(i.source_us, i.kafka_us), CASE WHEN i.lsn > 0 THEN 0 ELSE i.record_offset END, i.tier_key, i.deleted,
			to_timestamp(cube.own_us(i.source_us, i.kafka_us) / 1e6), i.kafka_us, nullif(i.source_us, 0), i.tier_name, i.requires_approval, i.requires_snapshot, i.requires_benchmark, i.risk_level, i.description, i.policy_from
		FROM unnest(merge_tiers.source_id, merge_tiers.tier_key, merge_tiers.tier_name, merge_tiers.requires_approval, merge_tiers.requires_snapshot, merge_tiers.requires_benchmark, merge_tiers.risk_level, merge_tiers.description, merge_tiers.policy_from, merge_tiers.deleted, merge_tiers.lsn, merge_tiers.source_us, merge_tiers.kafka_us, merge_tiers.record_offset, merge_tiers.offset_id) WITH ORDINALITY AS i (source_id, tier_key, tier_name, requires_approval, requires_snapshot, requires_benchmark, risk_level, description, policy_from, deleted, lsn, source_us, kafka_us, record_offset, offset_id, n)
		WHERE i.n <> ALL (late)
		ON CONFLICT DO NOTHING RETURNING v)
	SELECT coalesce(array_agg(w.v), '{}') INTO fresh FROM w;

	-- 3. which of them were duplicates
	IF cardinality(fresh) + cardinality(late) < cardinality(merge_tiers.source_id) THEN
		WITH l AS (UPDATE cube.etl_offset o SET applied = o.applied - l.n, superseded = o.superseded + l.n
		FROM (SELECT i.offset_id, count(*) AS n
			FROM (SELECT u.*, row_number() OVER (PARTITION BY u.source_id, u.lsn, cube.own_us(u.source_us, u.kafka_us),
					CASE WHEN u.lsn > 0 THEN 0 ELSE u.record_offset END ORDER BY u.n) AS nth
				FROM unnest(merge_tiers.source_id, merge_tiers.lsn, merge_tiers.source_us, merge_tiers.kafka_us, merge_tiers.record_offset, merge_tiers.offset_id)
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
			LEFT JOIN LATERAL (SELECT n.deleted, ROW(n.tier_key, n.tier_name, n.requires_approval, n.requires_snapshot, n.requires_benchmark, n.risk_level, n.description, n.policy_from) AS says FROM cube.version_tiers n
				WHERE n.source_id = v.source_id AND (coalesce(n.place_us, n.at_us), n.lsn, n.tie) < (coalesce(v.place_us, v.at_us), v.lsn, v.tie)
				ORDER BY coalesce(n.place_us, n.at_us) DESC, n.lsn DESC, n.tie DESC LIMIT 1) before ON true
			WHERE v.deleted OR before.deleted IS DISTINCT FROM false OR before.says IS DISTINCT FROM ROW(v.tier_key, v.tier_name, v.requires_approval, v.requires_snapshot, v.requires_benchmark, v.risk_level, v.description, v.policy_from)
				OR (SELECT min(n.source_id) <> max(n.source_id) FROM cube.version_tiers n WHERE n.tier_key = v.tier_key)
				OR EXISTS (SELECT FROM cube.base_tiers b WHERE b.tier_key = v.tier_key AND b.deleted_at IS NOT NULL));
		IF changed <> '{}' THEN
			members := ARRAY(SELECT DISTINCT v.tier_key FROM cube.version_tiers v WHERE v.source_id = ANY (changed) AND v.tier_key IS NOT NULL ORDER BY 1);
			PERFORM cube.known_tiers(cube.rebuild_tiers(members));
		END IF;
	END IF;
	RETURN not_applied;
END $function$;

CREATE OR REPLACE FUNCTION cube.rebuild_tiers(keys integer[])
 RETURNS integer[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
DECLARE newly_known int[];
BEGIN
	PERFORM FROM cube.dim_tier d WHERE d.tier_key = ANY (keys) ORDER BY d.tier_key FOR UPDATE;
	-- one statement: a temporary table would be made by whoever calls first, and this runs with the rights of the owner
	WITH wanted AS MATERIALIZED (SELECT * FROM cube.history_of_tiers(keys)),
	gone AS (
		DELETE FROM cube.dim_tier_history h WHERE h.tier_key = ANY (keys)
			AND NOT EXISTS (SELECT FROM wanted w WHERE w.tier_key = h.tier_key AND w.version_number = h.version_number)),
	written AS (
		INSERT INTO cube.dim_tier_history AS h (tier_key, version_number, tier_code, tier_name, requires_approval, requires_snapshot, requires_benchmark, risk_level, description, is_current, effective_from, effective_to)
		SELECT w.tier_key, w.version_number, w.tier_code, w.tier_name, w.requires_approval, w.requires_snapshot, w.requires_benchmark, w.risk_level, w.description, w.is_current, w.effective_from, w.effective_to FROM wanted w ORDER BY w.tier_key, w.version_number
		ON CONFLICT (tier_key, version_number) DO UPDATE SET (tier_code, tier_name, requires_approval, requires_snapshot, requires_benchmark, risk_level, description, is_current, effective_from, effective_to, loaded_at)
			= (excluded.tier_code, excluded.tier_name, excluded.requires_approval, excluded.requires_snapshot, excluded.requires_benchmark, excluded.risk_level, excluded.description, excluded.is_current, excluded.effective_from, excluded.effective_to, excluded.loaded_at)
		WHERE (h.tier_code, h.tier_name, h.requires_approval, h.requires_snapshot, h.requires_benchmark, h.risk_level, h.description, h.is_current, h.effective_from, h.effective_to)
			IS DISTINCT FROM (excluded.tier_code, excluded.tier_name, excluded.requires_approval, excluded.requires_snapshot, excluded.requires_benchmark, excluded.risk_level, excluded.description, excluded.is_current, excluded.effective_from, excluded.effective_to)),
	members AS (
		UPDATE cube.dim_tier d SET (tier_name, requires_approval, requires_snapshot, requires_benchmark, risk_level, description, is_current, effective_from, effective_to, is_inferred, loaded_at)
			= (w.tier_name, w.requires_approval, w.requires_snapshot, w.requires_benchmark, w.risk_level, w.description, w.is_current, w.effective_from, w.effective_to, false, now())
		FROM (SELECT DISTINCT ON (tier_key) * FROM wanted ORDER BY tier_key, version_number DESC) w
		WHERE d.tier_key = w.tier_key AND (d.tier_name, d.requires_approval, d.requires_snapshot, d.requires_benchmark, d.risk_level, d.description, d.is_current, d.effective_from, d.effective_to, d.is_inferred)
			IS DISTINCT FROM (w.tier_name, w.requires_approval, w.requires_snapshot, w.requires_benchmark, w.risk_level, w.description, w.is_current, w.effective_from, w.effective_to, false))
	SELECT coalesce(array_agg(d.tier_key), '{}') INTO newly_known FROM cube.dim_tier d -- as they were before
	WHERE d.tier_key = ANY (keys) AND d.is_inferred AND EXISTS (SELECT FROM wanted w WHERE w.tier_key = d.tier_key);
	RETURN newly_known;
END $function$;
