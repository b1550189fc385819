-- Dimensions that keep all their versions.

CREATE OR REPLACE FUNCTION cube.histories() RETURNS TABLE (target text, stream text, dimension text, key_column text) LANGUAGE sql IMMUTABLE AS $$
	VALUES ('missions', 'mission_timelines', 'dim_mission', 'mission_key'), ('tiers', 'tier_policies', 'dim_tier', 'tier_key')
$$;
COMMENT ON FUNCTION cube.histories() IS 'The dimensions that keep a history, and the streams that tell of it.';

-- Where a version stands among those of its member, of which the later one is the newer.
CREATE OR REPLACE FUNCTION cube.place_of_version(p_alias text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT format('(coalesce(%1$s.place_us, %1$s.at_us), %1$s.lsn, %1$s.tie, %1$s.source_id)', p_alias)
$$;
COMMENT ON FUNCTION cube.place_of_version(text) IS 'The place of a row of cube.version_…, as an expression over its alias.';

CREATE OR REPLACE FUNCTION cube.place_of_base(p_alias text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT format('(%1$s.place_us, %1$s.lsn, %1$s.tie, %1$s.source_id)', p_alias)
$$;
COMMENT ON FUNCTION cube.place_of_base(text) IS 'The place of a row of cube.base_…, as an expression over its alias.';

-- A dimension that keeps all versions. Every version that arrives is kept in cube.version_<dim>; ranges are computed from
-- all of them, so the order of arrival does not matter. A version begins when one of the attributes changes. Where old versions
-- were thrown away (retention.sql), a row of cube.base_<dim> stands for all of a member up to a place: computing goes on from it,
-- and what comes for an earlier place is expired.
-- p_begin, p_change: business time of the first version and of a later one, over v (this version) and p (the one before);
-- NULL where the row carries none, then the source's time of the change counts. A version that a later one pre-dates
-- (business time before the source told of it) keeps an empty range: ranges never overlap.
CREATE OR REPLACE FUNCTION cube.define_history(p_dim text, p_target text, p_natural text, p_key text, p_attributes text[], p_begin text, p_change text,
	p_times text[] DEFAULT '{}',   -- "name type": what a version carries besides, for p_begin and p_change
	p_keeps text[] DEFAULT '{}')   -- text attributes for which "__debezium_unavailable_value" means: as in the version before
RETURNS void LANGUAGE plpgsql AS $define$
DECLARE
	times text[] := ARRAY(SELECT split_part(t, ' ', 1) FROM unnest(p_times) WITH ORDINALITY u (t, n) ORDER BY n);
	carried text[] := p_attributes || times;
	versions text := 'version_' || p_target;
	history text := p_dim || '_history';
	base text := 'base_' || p_target;
	types text[] := ARRAY(SELECT format_type(atttypid, atttypmod) FROM unnest(p_attributes) WITH ORDINALITY u (a, n)
		JOIN pg_attribute ON attrelid = format('cube.%I', p_dim)::regclass AND attname = a ORDER BY n);
	attributes text := (SELECT string_agg(format('%I %s', a, t), ', ' ORDER BY n) FROM unnest(p_attributes, types) WITH ORDINALITY u (a, t, n));
	steps text; -- from versions to ranges
	-- the last one that was sent: the only one of those that follow it without another. What a deleted row says besides its key does not count.
	kept text := (SELECT string_agg(CASE WHEN a = ANY (p_keeps)
			THEN format('coalesce(max(o.%1$I) FILTER (WHERE NOT o.deleted AND o.%1$I <> ''__debezium_unavailable_value'') OVER (PARTITION BY o.member, o.sent_%1$s), ''unknown'') AS %1$I', a)
			ELSE format('o.%I', a) END, ', ' ORDER BY n) FROM unnest(p_attributes || times) WITH ORDINALITY u (a, n));
BEGIN
	PERFORM cube.need_table(versions,
		ARRAY['source_id text', 'lsn bigint', 'at_us bigint', 'tie bigint', p_key || ' int', 'deleted boolean', 'changed_at timestamptz', 'kafka_us bigint', 'place_us bigint']
			|| ARRAY(SELECT format('%s %s', a, t) FROM unnest(p_attributes, types) u (a, t)) || p_times,
		format('CREATE TABLE cube.%I (source_id text COLLATE "C" NOT NULL, lsn bigint NOT NULL, at_us bigint NOT NULL, tie bigint NOT NULL,
	%I int, deleted boolean NOT NULL, changed_at timestamptz NOT NULL, kafka_us bigint NOT NULL DEFAULT 0, place_us bigint, %s,
	loaded_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (source_id, lsn, at_us, tie))', versions, p_key, array_to_string(attributes || p_times, ', ')));
	PERFORM cube.need_index(versions, p_key);
	PERFORM cube.describe(format('cube.%I', versions)::regclass, format('Every version of %s that has come; %s is computed from it.', p_dim, history),
		format($c$
		source_id: the source row
		lsn: version: the source's log position
		at_us: version: its own time, the source's, else Kafka's, µs
		tie: version: Kafka's offset, where there is no log position
		%s: the member
		deleted: the source row was deleted
		changed_at: its own time
		kafka_us: the same, µs; of versions before 0.3 Kafka's timestamp
		place_us: version: its place, µs; NULL is that of at_us
		loaded_at: when it came
		%s$c$, p_key, cube.list('%s: as of this version', carried, E'\n')));

	PERFORM cube.need_table(history,
		ARRAY[p_key || ' int', 'version_number int', p_natural || ' text', 'is_current boolean', 'effective_from timestamptz', 'effective_to timestamptz']
			|| ARRAY(SELECT format('%s %s', a, t) FROM unnest(p_attributes, types) u (a, t)),
		format('CREATE TABLE cube.%I (%I int NOT NULL, version_number int NOT NULL, %I text COLLATE "C" NOT NULL, %s, is_current boolean NOT NULL,
	effective_from timestamptz NOT NULL, effective_to timestamptz, loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (%I, version_number), CHECK (effective_to >= effective_from))', history, p_key, p_natural, attributes, p_key));
	PERFORM cube.describe(format('cube.%I', history)::regclass, format('All versions of %s; the ranges of one member never overlap. Join as of a time: effective_from <= t and (effective_to is null or t < effective_to).', p_dim),
		format($c$
		%s: the member, as in %s
		version_number: 1, 2, 3 … in the order of the source
		%s: natural key
		is_current: the one that holds now
		effective_from: since when it held
		effective_to: until when (not included); NULL while it holds
		loaded_at: when the row was last computed
		%s$c$, p_key, p_dim, p_natural, cube.list('%s: as of this version', p_attributes, E'\n')));

	PERFORM cube.need_table(base,
		ARRAY[p_key || ' int', 'place_us bigint', 'lsn bigint', 'tie bigint', 'source_id text', 'version_number int', 'told_at timestamptz', 'deleted_at timestamptz']
			|| ARRAY(SELECT format('%s %s', a, t) FROM unnest(p_attributes, types) u (a, t)) || p_times || ARRAY['closed_before timestamptz'],
		format('CREATE TABLE cube.%I (%I int PRIMARY KEY, place_us bigint NOT NULL, lsn bigint NOT NULL, tie bigint NOT NULL, source_id text COLLATE "C" NOT NULL,
	version_number int NOT NULL, told_at timestamptz NOT NULL, deleted_at timestamptz, %s,
	closed_before timestamptz NOT NULL, loaded_at timestamptz NOT NULL DEFAULT now())', base, p_key, array_to_string(attributes || p_times, ', ')));
	PERFORM cube.describe(format('cube.%I', base)::regclass, format('What stands for old versions of members that were thrown away; %s goes on from it.', history),
		format($c$
		%s: the member
		place_us: up to which version: its place, µs
		lsn: the source's log position of that version
		tie: Kafka's offset of that version, where there is no log position
		source_id: the source row of that version
		version_number: of the row of %s that holds then, or held last
		told_at: since when it held, as far as its own record tells
		deleted_at: since when the member was deleted then; NULL: it was not
		closed_before: what had ended before went
		loaded_at: when it was last moved
		%s$c$, p_key, history, cube.list('%s: as of that version', carried, E'\n')));

	steps := format($sql$
	WITH s AS (SELECT DISTINCT v.%2$I AS member, v.source_id FROM cube.%3$I v WHERE v.%2$I = ANY (keys)),
	-- Programs before 0.3 give a tombstone no place: where the source tells of a row's delete itself, it says nothing new. Nor does a row that is
	-- deleted, or of another member, when it was not of this one just before: others may tell of the member meanwhile.
	r AS (
		SELECT t.*, t.is_echo OR (t.deleted AND lag(t.deleted) OVER (PARTITION BY t.member, t.source_id, t.is_echo ORDER BY t.place_us, t.lsn, t.tie) IS DISTINCT FROM false) AS is_nothing
		FROM (SELECT s.member, r.source_id, coalesce(r.place_us, r.at_us) AS place_us, r.lsn, r.tie, r.changed_at, %4$s,
				r.deleted OR r.%2$I IS DISTINCT FROM s.member AS deleted,
				r.deleted AND NOT p.placed AND bool_or(r.deleted AND p.placed) OVER (PARTITION BY s.member, r.source_id) AS is_echo
			FROM s JOIN cube.%3$I r USING (source_id) CROSS JOIN LATERAL (SELECT r.lsn > 0 OR r.place_us IS NOT NULL OR r.at_us <> r.kafka_us AS placed) p) t),
	-- first what stands for those that are gone: the version that held, and that it was deleted
	x AS (
		SELECT b.%2$I AS member, b.source_id, b.place_us, b.lsn, b.tie, CASE n WHEN 1 THEN b.told_at ELSE b.deleted_at END AS changed_at, %5$s, n = 2 AS deleted,
			n AS turn, CASE n WHEN 1 THEN b.version_number END AS base_number
		FROM cube.%1$I b, generate_series(1, 2) n WHERE b.%2$I = ANY (keys) AND (n = 1 OR b.deleted_at IS NOT NULL)
		UNION ALL
		SELECT r.member, r.source_id, r.place_us, r.lsn, r.tie, r.changed_at, %4$s, r.deleted, 3, NULL
		FROM r LEFT JOIN cube.%1$I b ON b.%2$I = r.member WHERE NOT r.is_nothing AND (b.%2$I IS NULL OR %6$s > %7$s)),
	v AS (
		SELECT v.*, lag(v.deleted) OVER w AS was_deleted, lag(ROW(%8$s)) OVER w AS was
		FROM (SELECT o.member, o.n, o.place_us, o.lsn, o.tie, o.source_id, o.base_number, o.changed_at, o.deleted, %9$s
			FROM (SELECT x.*, row_number() OVER w AS n%12$s
				FROM x WINDOW w AS (PARTITION BY x.member ORDER BY x.turn, x.place_us, x.lsn, x.tie, x.source_id)) o) v
		WINDOW w AS (PARTITION BY v.member ORDER BY v.n)),
	-- What was deleted, or named otherwise, before it had a first version does not count, nor does what such a row says besides.
	begun AS (
		SELECT v.*, row_number() OVER w AS number, (count(*) FILTER (WHERE NOT v.deleted) OVER w + coalesce(max(v.base_number) OVER w - 1, 0))::int AS version_number FROM v
		WHERE CASE WHEN v.n = 1 THEN NOT v.deleted ELSE v.deleted <> v.was_deleted OR (NOT v.deleted AND ROW(%8$s) IS DISTINCT FROM v.was) END
		WINDOW w AS (PARTITION BY v.member ORDER BY v.n)),
	timed AS (
		SELECT v.*, coalesce(CASE WHEN v.deleted OR v.base_number IS NOT NULL THEN NULL WHEN v.number = 1 THEN %10$s ELSE %11$s END, v.changed_at) AS told
		FROM begun v LEFT JOIN begun p ON p.member = v.member AND p.number = v.number - 1 AND NOT p.deleted),
	ranged AS (
		SELECT t.*, min(t.told) OVER (PARTITION BY t.member ORDER BY t.number DESC) AS since FROM timed t),
	ended AS (
		SELECT r.*, lead(r.since) OVER (PARTITION BY r.member ORDER BY r.number) AS until FROM ranged r)$sql$,
		base, p_key, versions, cube.list('r.%I', carried), cube.list('b.%I', carried), cube.place_of_base('r'), cube.place_of_base('b'), -- 1 2 3 4 5 6 7
		cube.list('v.%I', p_attributes), kept, p_begin, p_change, -- 8 9 10 11
		cube.list(', count(*) FILTER (WHERE NOT x.deleted AND x.%1$I <> ''__debezium_unavailable_value'') OVER w AS sent_%1$s', p_keeps, '')); -- 12

	EXECUTE format($sql$
CREATE OR REPLACE FUNCTION cube.history_of_%1$s(keys int[]) RETURNS SETOF cube.%4$I LANGUAGE sql STABLE AS $body$%5$s
	SELECT %6$s
	FROM ended e JOIN cube.%2$I d ON d.%3$I = e.member WHERE NOT e.deleted
$body$$sql$,
		p_target, p_dim, p_key, history, steps,                               -- 1 2 3 4 5
		(SELECT string_agg(CASE
				WHEN attname = p_key THEN 'e.member'
				WHEN attname = 'is_current' THEN 'e.until IS NULL'
				WHEN attname = 'effective_from' THEN 'e.since'
				WHEN attname = 'effective_to' THEN 'e.until'
				WHEN attname = 'loaded_at' THEN 'now()'
				ELSE format('%s.%I', CASE attname WHEN p_natural THEN 'd' ELSE 'e' END, attname) END, ', ' ORDER BY attnum)
			FROM pg_attribute WHERE attrelid = format('cube.%I', history)::regclass AND attnum > 0 AND NOT attisdropped)); -- 6
	EXECUTE format('COMMENT ON FUNCTION cube.history_of_%s IS %L', p_target, format('What %s has to say of these members: computed from all their versions.', history));

	-- What held then: since before, and told before. Whoever looks back to that time or a later one needs no version before.
	EXECUTE format($sql$
CREATE OR REPLACE FUNCTION cube.base_of_%1$s(keys int[], p_before timestamptz) RETURNS SETOF cube.%2$I LANGUAGE sql STABLE AS $body$%3$s,
	held AS (
		SELECT DISTINCT ON (e.member) e.* FROM ended e WHERE e.since <= p_before AND e.place_us <= date_part('epoch', p_before) * 1e6 ORDER BY e.member, e.number DESC),
	-- up to the last of the versions that said nothing else
	reached AS (
		SELECT DISTINCT ON (l.member) l.* FROM (
			SELECT h.member, h.place_us, h.lsn, h.tie, h.source_id FROM held h
			UNION ALL SELECT r.member, r.place_us, r.lsn, r.tie, r.source_id FROM held h JOIN r ON r.member = h.member LEFT JOIN begun n ON n.member = h.member AND n.number = h.number + 1
			WHERE r.place_us <= date_part('epoch', p_before) * 1e6 AND (n.n IS NULL OR %5$s < %6$s)) l
		ORDER BY l.member, l.place_us DESC, l.lsn DESC, l.tie DESC, l.source_id DESC)
	SELECT %4$s
	FROM held h JOIN reached l ON l.member = h.member JOIN ended e ON e.member = h.member AND e.number = h.number - h.deleted::int
$body$$sql$,
		p_target, base, steps,                                                -- 1 2 3
		(SELECT string_agg(CASE
				WHEN attname = p_key THEN 'h.member'
				WHEN attname IN ('place_us', 'lsn', 'tie', 'source_id') THEN 'l.' || attname
				WHEN attname = 'told_at' THEN 'e.told'
				WHEN attname = 'deleted_at' THEN 'CASE WHEN h.deleted THEN h.told END'
				WHEN attname = 'closed_before' THEN 'p_before'
				WHEN attname = 'loaded_at' THEN 'now()'
				ELSE format('e.%I', attname) END, ', ' ORDER BY attnum)
			FROM pg_attribute WHERE attrelid = format('cube.%I', base)::regclass AND attnum > 0 AND NOT attisdropped), -- 4
		cube.place_of_base('r'), cube.place_of_base('n'));                    -- 5 6
	EXECUTE format('COMMENT ON FUNCTION cube.base_of_%s IS %L', p_target, format('What can stand for all versions of these members up to a time: rows of %s.', base));

	EXECUTE format($sql$
CREATE OR REPLACE FUNCTION cube.rebuild_%1$s(keys int[]) RETURNS int[] LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
DECLARE newly_known int[];
BEGIN
	PERFORM FROM cube.%2$I d WHERE d.%3$I = ANY (keys) ORDER BY d.%3$I FOR UPDATE;
	-- one statement: a temporary table would be made by whoever calls first, and this runs with the rights of the owner
	WITH wanted AS MATERIALIZED (SELECT * FROM cube.history_of_%1$s(keys)),
	gone AS (
		DELETE FROM cube.%4$I h WHERE h.%3$I = ANY (keys)
			AND NOT EXISTS (SELECT FROM wanted w WHERE w.%3$I = h.%3$I AND w.version_number = h.version_number)),
	written AS (
		INSERT INTO cube.%4$I AS h (%3$I, version_number, %5$I, %6$s, is_current, effective_from, effective_to)
		SELECT w.%3$I, w.version_number, w.%5$I, %9$s, w.is_current, w.effective_from, w.effective_to FROM wanted w ORDER BY w.%3$I, w.version_number
		ON CONFLICT (%3$I, version_number) DO UPDATE SET (%5$I, %6$s, is_current, effective_from, effective_to, loaded_at)
			= (excluded.%5$I, %7$s, excluded.is_current, excluded.effective_from, excluded.effective_to, excluded.loaded_at)
		WHERE (h.%5$I, %8$s, h.is_current, h.effective_from, h.effective_to)
			IS DISTINCT FROM (excluded.%5$I, %7$s, excluded.is_current, excluded.effective_from, excluded.effective_to)),
	members AS (
		UPDATE cube.%2$I d SET (%6$s, is_current, effective_from, effective_to, is_inferred, loaded_at)
			= (%9$s, w.is_current, w.effective_from, w.effective_to, false, now())
		FROM (SELECT DISTINCT ON (%3$I) * FROM wanted ORDER BY %3$I, version_number DESC) w
		WHERE d.%3$I = w.%3$I AND (%10$s, d.is_current, d.effective_from, d.effective_to, d.is_inferred)
			IS DISTINCT FROM (%9$s, w.is_current, w.effective_from, w.effective_to, false))
	SELECT coalesce(array_agg(d.%3$I), '{}') INTO newly_known FROM cube.%2$I d -- as they were before
	WHERE d.%3$I = ANY (keys) AND d.is_inferred AND EXISTS (SELECT FROM wanted w WHERE w.%3$I = d.%3$I);
	RETURN newly_known;
END $body$$sql$,
		p_target, p_dim, p_key, history, p_natural,                           -- 1 2 3 4 5
		cube.list('%I', p_attributes), cube.list('excluded.%I', p_attributes), cube.list('h.%I', p_attributes), -- 6 7 8
		cube.list('w.%I', p_attributes), cube.list('d.%I', p_attributes));    -- 9 10
	EXECUTE format('COMMENT ON FUNCTION cube.rebuild_%s IS %L', p_target, format('Computes %s and the current rows of %s from all versions; returns members that became known.', history, p_dim));

	EXECUTE format($sql$
CREATE OR REPLACE FUNCTION cube.merge_%1$s(source_id text[], %2$I int[], %3$s, deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
#variable_conflict use_column
DECLARE
	fresh cube.%4$I[];
	not_applied bigint := 0; -- records that were superseded or expired: the answer
	late bigint[] := '{}'; -- which of the records, as they are counted
	changed text[]; -- source rows
	members int[] := ARRAY(SELECT i FROM unnest(merge_%1$s.%2$I) i WHERE i IS NOT NULL
		UNION SELECT v.%2$I FROM unnest(merge_%1$s.source_id, merge_%1$s.%2$I) i (source_id, member) JOIN cube.%4$I v USING (source_id) WHERE i.member IS NULL AND v.%2$I IS NOT NULL);
BEGIN
	-- 1. what is older than what stands for versions that are gone is expired, unless it is there still. The lock is that of who throws away.
	PERFORM FROM cube.%10$I d WHERE d.%2$I = ANY (members) ORDER BY d.%2$I FOR UPDATE;
	IF EXISTS (SELECT FROM cube.%11$I b WHERE b.%2$I = ANY (members)) THEN
		late := ARRAY(SELECT i.n FROM unnest(merge_%1$s.source_id, merge_%1$s.%2$I, merge_%1$s.lsn, merge_%1$s.source_us, merge_%1$s.kafka_us, merge_%1$s.record_offset)
				WITH ORDINALITY AS i (source_id, %2$I, lsn, source_us, kafka_us, record_offset, n)
			CROSS JOIN LATERAL (SELECT cube.place_us(i.source_us, i.kafka_us) AS place_us, i.lsn, CASE WHEN i.lsn > 0 THEN 0 ELSE i.record_offset END AS tie, i.source_id) p
			CROSS JOIN LATERAL (SELECT bool_and(b.%2$I IS NOT NULL AND %12$s >= %13$s) AS are_gone
				FROM (SELECT i.%2$I AS member UNION SELECT v.%2$I FROM cube.%4$I v WHERE i.%2$I IS NULL AND v.source_id = i.source_id) m LEFT JOIN cube.%11$I b ON b.%2$I = m.member
				WHERE m.member IS NOT NULL) m
			WHERE m.are_gone AND NOT EXISTS (SELECT FROM cube.%4$I v WHERE v.source_id = i.source_id AND v.lsn = i.lsn
				AND v.at_us = cube.own_us(i.source_us, i.kafka_us) AND v.tie = p.tie));
		not_applied := cube.count_expired(ARRAY(SELECT merge_%1$s.offset_id[n] FROM unnest(late) n));
	END IF;

	-- 2. the versions; the same one a second time is a duplicate
	WITH w AS (
		INSERT INTO cube.%4$I AS v (source_id, lsn, at_us, tie, %2$I, deleted, changed_at, kafka_us, place_us, %5$s)
		SELECT i.source_id, i.lsn, cube.own_us(i.source_us, i.kafka_us), CASE WHEN i.lsn > 0 THEN 0 ELSE i.record_offset END, i.%2$I, i.deleted,
			to_timestamp(cube.own_us(i.source_us, i.kafka_us) / 1e6), i.kafka_us, nullif(i.source_us, 0), %6$s
		FROM unnest(%7$s) WITH ORDINALITY AS i (source_id, %2$I, %5$s, deleted, lsn, source_us, kafka_us, record_offset, offset_id, n)
		WHERE i.n <> ALL (late)
		ON CONFLICT DO NOTHING RETURNING v)
	SELECT coalesce(array_agg(w.v), '{}') INTO fresh FROM w;

	-- 3. which of them were duplicates
	IF cardinality(fresh) + cardinality(late) < cardinality(merge_%1$s.source_id) THEN
		WITH l AS (UPDATE cube.etl_offset o SET applied = o.applied - l.n, superseded = o.superseded + l.n
		FROM (SELECT i.offset_id, count(*) AS n
			FROM (SELECT u.*, row_number() OVER (PARTITION BY u.source_id, u.lsn, cube.own_us(u.source_us, u.kafka_us),
					CASE WHEN u.lsn > 0 THEN 0 ELSE u.record_offset END ORDER BY u.n) AS nth
				FROM unnest(merge_%1$s.source_id, merge_%1$s.lsn, merge_%1$s.source_us, merge_%1$s.kafka_us, merge_%1$s.record_offset, merge_%1$s.offset_id)
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
			LEFT JOIN LATERAL (SELECT n.deleted, ROW(%9$s) AS says FROM cube.%4$I n
				WHERE n.source_id = v.source_id AND (coalesce(n.place_us, n.at_us), n.lsn, n.tie) < (coalesce(v.place_us, v.at_us), v.lsn, v.tie)
				ORDER BY coalesce(n.place_us, n.at_us) DESC, n.lsn DESC, n.tie DESC LIMIT 1) before ON true
			WHERE v.deleted OR before.deleted IS DISTINCT FROM false OR before.says IS DISTINCT FROM ROW(%8$s)
				OR (SELECT min(n.source_id) <> max(n.source_id) FROM cube.%4$I n WHERE n.%2$I = v.%2$I)
				OR EXISTS (SELECT FROM cube.%11$I b WHERE b.%2$I = v.%2$I AND b.deleted_at IS NOT NULL));
		IF changed <> '{}' THEN
			members := ARRAY(SELECT DISTINCT v.%2$I FROM cube.%4$I v WHERE v.source_id = ANY (changed) AND v.%2$I IS NOT NULL ORDER BY 1);
			PERFORM cube.known_%1$s(cube.rebuild_%1$s(members));
		END IF;
	END IF;
	RETURN not_applied;
END $body$$sql$,
		p_target, p_key, (SELECT string_agg(format('%I %s[]', a, t), ', ' ORDER BY n) FROM unnest(carried, types || ARRAY(SELECT split_part(t, ' ', 2) FROM unnest(p_times) t)) WITH ORDINALITY u (a, t, n)), -- 1 2 3
		versions, cube.list('%I', carried), cube.list('i.%I', carried), -- 4 5 6
		cube.list(format('merge_%s.%%I', p_target), ARRAY['source_id', p_key] || carried || ARRAY['deleted', 'lsn', 'source_us', 'kafka_us', 'record_offset', 'offset_id']), -- 7
		cube.list('v.%I', ARRAY[p_key] || carried), cube.list('n.%I', ARRAY[p_key] || carried), p_dim, -- 8 9 10
		base, cube.place_of_base('b'), cube.place_of_base('p'));              -- 11 12 13
	EXECUTE format('COMMENT ON FUNCTION cube.merge_%s IS %L', p_target, format('Merges a batch of versions into %s and its history.', p_dim));
END $define$;
COMMENT ON FUNCTION cube.define_history(text, text, text, text, text[], text, text, text[], text[]) IS 'Gives a dimension a history of all its versions and a merge function.';
