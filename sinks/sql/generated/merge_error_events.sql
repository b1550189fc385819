-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.follow_error_events()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF NEW.error_id <> OLD.error_id THEN
		RAISE EXCEPTION 'the key of a fact cannot be changed by hand: %', OLD.error_id USING ERRCODE = 'restrict_violation',
			HINT = 'Delete the row; a record with the new key makes another one.';
	END IF;
	UPDATE cube.key_error_events k SET created_at = NEW.created_at, prev_created_at = k.created_at WHERE k.error_id = OLD.error_id AND k.created_at = OLD.created_at;
	NEW.time_key := cube.time_key(NEW.created_at);
	PERFORM cube.ensure_hours(ARRAY[NEW.time_key / 60]);
	RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION cube.forget_error_events()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	UPDATE cube.key_error_events k SET created_at = NULL, prev_created_at = k.created_at FROM old_rows o WHERE k.error_id = o.error_id AND k.created_at = o.created_at;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.lock_error_events(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.key_error_events AS k (error_id) SELECT DISTINCT i COLLATE "C" FROM unnest(keys) i WHERE i IS NOT NULL ORDER BY 1
	ON CONFLICT (error_id) DO UPDATE SET error_id = excluded.error_id WHERE false;
END $function$;

CREATE OR REPLACE FUNCTION cube.merge_error_events(error_id text[], actor_key integer[], error_type text[], severity text[], source text[], was_auto_resolved boolean[], resolution_time_seconds double precision[], status text[], resolution_note text[], created_at timestamp with time zone[], resolved_at timestamp with time zone[], own_component_key integer[], component_is_explicit boolean[], own_human boolean[], deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
	winners text[];
	deleted_keys text[];
	moved_keys text[];
	not_applied bigint := 0; -- records that changed nothing: the answer
	closed_before constant timestamptz := cube.pass_horizon('fact_error_events');
	known_prev_created_at timestamp with time zone[]; known_playbook text[]; known_log_component_key integer[]; known_own_human boolean[];
BEGIN
	-- 1. the versions: every key is locked, in the sender's order, and the newest version stays; closed months are left as they are. What was
	-- written is what this returns: a number of the transaction in the row would be that of another one in a cube that was restored
	WITH w AS (
		INSERT INTO cube.key_error_events AS k (error_id, created_at, lsn, source_us, kafka_us, record_offset, offset_id , own_component_key, component_is_explicit, own_human)
		SELECT i.error_id, CASE WHEN NOT i.deleted THEN i.created_at END, i.lsn, i.source_us, i.kafka_us, i.record_offset, i.offset_id , i.own_component_key, i.component_is_explicit, i.own_human
		FROM (SELECT unnest(merge_error_events.error_id) AS error_id, unnest(merge_error_events.created_at) AS created_at, unnest(merge_error_events.own_component_key) AS own_component_key, unnest(merge_error_events.component_is_explicit) AS component_is_explicit, unnest(merge_error_events.own_human) AS own_human, unnest(merge_error_events.deleted) AS deleted, unnest(merge_error_events.lsn) AS lsn, unnest(merge_error_events.source_us) AS source_us, unnest(merge_error_events.kafka_us) AS kafka_us, unnest(merge_error_events.record_offset) AS record_offset, unnest(merge_error_events.offset_id) AS offset_id) AS i
		WHERE i.deleted OR i.created_at >= closed_before
		ON CONFLICT (error_id) DO UPDATE SET created_at = excluded.created_at, prev_created_at = k.created_at, lsn = excluded.lsn,
			source_us = excluded.source_us, kafka_us = excluded.kafka_us, record_offset = excluded.record_offset,
			offset_id = coalesce(excluded.offset_id, k.offset_id) , own_component_key = excluded.own_component_key, component_is_explicit = excluded.component_is_explicit, own_human = coalesce(excluded.own_human, k.own_human)
		-- a key that was only locked is no delete: it has no version yet
		WHERE (k.created_at IS NULL OR k.created_at >= closed_before) AND cube.replaces(
			excluded.created_at IS NULL, excluded.lsn, excluded.source_us, excluded.kafka_us, excluded.record_offset,
			k.created_at IS NULL AND k.kafka_us > 0, k.lsn, k.source_us, k.kafka_us, k.record_offset)
		RETURNING k.error_id, k.created_at, k.prev_created_at, k.playbook, k.log_component_key, k.own_human)
	SELECT array_agg(w.error_id), array_agg(w.error_id) FILTER (WHERE w.created_at IS NULL AND w.prev_created_at IS NOT NULL),
		array_agg(w.error_id) FILTER (WHERE w.created_at <> w.prev_created_at), array_agg(w.prev_created_at), array_agg(w.playbook), array_agg(w.log_component_key), array_agg(w.own_human)
	INTO winners, deleted_keys, moved_keys, known_prev_created_at, known_playbook, known_log_component_key, known_own_human FROM w;

	-- 2. the others were older than what is there, or of a closed month: the ledger counts them as superseded, or as expired
	IF winners IS NULL OR cardinality(winners) < cardinality(merge_error_events.error_id) THEN
		WITH l AS (
			UPDATE cube.etl_offset o SET applied = o.applied - l.old - l.expired, superseded = o.superseded + l.old,
				ignored = o.ignored + l.expired, expired = o.expired + l.expired, contradicting = o.contradicting + l.contradicting
			FROM (SELECT i.offset_id, count(*) FILTER (WHERE NOT c.is_closed) AS old, count(*) FILTER (WHERE c.is_closed) AS expired,
					count(*) FILTER (WHERE NOT c.is_closed AND cube.own_us(i.source_us, i.kafka_us) > cube.own_us(k.source_us, k.kafka_us)) AS contradicting
				FROM unnest(merge_error_events.error_id, merge_error_events.created_at, merge_error_events.deleted, merge_error_events.source_us, merge_error_events.kafka_us, merge_error_events.offset_id)
					AS i (error_id, created_at, deleted, source_us, kafka_us, offset_id)
				LEFT JOIN unnest(winners) AS w (error_id) ON w.error_id = i.error_id
				LEFT JOIN cube.key_error_events k ON k.error_id = i.error_id
				CROSS JOIN LATERAL (SELECT coalesce(k.created_at < closed_before OR NOT i.deleted AND i.created_at < closed_before, false) AS is_closed) c
				WHERE i.offset_id IS NOT NULL AND w.error_id IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
			WHERE o.offset_id = l.offset_id RETURNING l.old + l.expired AS n)
		SELECT coalesce(sum(l.n), 0) INTO not_applied FROM l;
	END IF;

	-- 3. rows that are deleted, and rows whose created_at was corrected: those move, they do not double. Both are few: asked for by key
	IF deleted_keys IS NOT NULL THEN
		DELETE FROM cube.fact_error_events f USING cube.key_error_events k
		WHERE k.error_id = ANY (deleted_keys) AND f.error_id = k.error_id AND f.created_at = k.prev_created_at;
	END IF;
	IF moved_keys IS NOT NULL THEN
		UPDATE cube.fact_error_events f SET created_at = k.created_at, time_key = cube.time_key(k.created_at) FROM cube.key_error_events k
		WHERE k.error_id = ANY (moved_keys) AND f.error_id = k.error_id AND f.created_at = k.prev_created_at;
	END IF;

	-- 4. the facts; a row that would not change is not written
	-- nearly always all keys win and no row moves: then the key rows are at hand, in the order of the arguments
	IF winners = merge_error_events.error_id AND moved_keys IS NULL THEN
	INSERT INTO cube.fact_error_events AS t (error_id, time_key, component_key, actor_key, error_type, severity, source, was_auto_resolved, resolution_time_seconds, playbook_triggered, required_human_intervention, status, resolution_note, created_at, resolved_at, loaded_at)
	SELECT f.error_id,
		cube.time_key(f.created_at),
		(CASE WHEN k.component_is_explicit THEN k.own_component_key ELSE coalesce(k.log_component_key, k.own_component_key, 0) END),
		f.actor_key,
		f.error_type,
		f.severity,
		f.source,
		coalesce(f.was_auto_resolved, cube.is_auto_resolved(f.resolved_at, k.own_human)),
		f.resolution_time_seconds,
		(k.playbook),
		(coalesce(k.own_human, false)),
		f.status,
		CASE WHEN f.resolution_note = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.resolution_note END,
		f.created_at,
		f.resolved_at,
		now()
	FROM (SELECT unnest(merge_error_events.error_id) AS error_id, unnest(merge_error_events.actor_key) AS actor_key, unnest(merge_error_events.error_type) AS error_type, unnest(merge_error_events.severity) AS severity, unnest(merge_error_events.source) AS source, unnest(merge_error_events.was_auto_resolved) AS was_auto_resolved, unnest(merge_error_events.resolution_time_seconds) AS resolution_time_seconds, unnest(merge_error_events.status) AS status, unnest(merge_error_events.resolution_note) AS resolution_note, unnest(merge_error_events.created_at) AS created_at, unnest(merge_error_events.resolved_at) AS resolved_at, unnest(merge_error_events.own_component_key) AS own_component_key, unnest(merge_error_events.component_is_explicit) AS component_is_explicit, unnest(merge_error_events.own_human) AS own_human, unnest(merge_error_events.deleted) AS deleted, unnest(known_prev_created_at) AS known_prev_created_at, unnest(known_playbook) AS known_playbook, unnest(known_log_component_key) AS known_log_component_key, unnest(known_own_human) AS known_own_human) AS f,
		LATERAL (SELECT f.created_at, f.error_id, f.own_component_key, f.component_is_explicit, f.known_prev_created_at AS prev_created_at, f.known_playbook AS playbook, f.known_log_component_key AS log_component_key, f.known_own_human AS own_human) AS k
	WHERE NOT f.deleted
	ON CONFLICT (error_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		component_key = excluded.component_key,
		actor_key = excluded.actor_key,
		error_type = excluded.error_type,
		severity = excluded.severity,
		source = excluded.source,
		was_auto_resolved = excluded.was_auto_resolved,
		resolution_time_seconds = excluded.resolution_time_seconds,
		playbook_triggered = excluded.playbook_triggered,
		required_human_intervention = excluded.required_human_intervention,
		status = excluded.status,
		resolution_note = CASE WHEN excluded.resolution_note = '__debezium_unavailable_value' THEN t.resolution_note ELSE excluded.resolution_note END,
		resolved_at = excluded.resolved_at,
		loaded_at = excluded.loaded_at
	WHERE (t.error_id, t.time_key, t.component_key, t.actor_key, t.error_type, t.severity, t.source, t.was_auto_resolved, t.resolution_time_seconds, t.playbook_triggered, t.required_human_intervention, t.status, t.resolution_note, t.created_at, t.resolved_at) IS DISTINCT FROM (excluded.error_id, excluded.time_key, excluded.component_key, excluded.actor_key, excluded.error_type, excluded.severity, excluded.source, excluded.was_auto_resolved, excluded.resolution_time_seconds, excluded.playbook_triggered, excluded.required_human_intervention, excluded.status, CASE WHEN excluded.resolution_note = '__debezium_unavailable_value' THEN t.resolution_note ELSE excluded.resolution_note END, excluded.created_at, excluded.resolved_at);
	ELSIF winners IS NOT NULL THEN
	INSERT INTO cube.fact_error_events AS t (error_id, time_key, component_key, actor_key, error_type, severity, source, was_auto_resolved, resolution_time_seconds, playbook_triggered, required_human_intervention, status, resolution_note, created_at, resolved_at, loaded_at)
	SELECT f.error_id,
		cube.time_key(f.created_at),
		(CASE WHEN k.component_is_explicit THEN k.own_component_key ELSE coalesce(k.log_component_key, k.own_component_key, 0) END),
		f.actor_key,
		f.error_type,
		f.severity,
		f.source,
		coalesce(f.was_auto_resolved, cube.is_auto_resolved(f.resolved_at, k.own_human)),
		f.resolution_time_seconds,
		(k.playbook),
		(coalesce(k.own_human, false)),
		f.status,
		CASE WHEN f.resolution_note = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.resolution_note END,
		f.created_at,
		f.resolved_at,
		now()
	FROM (SELECT unnest(merge_error_events.error_id) AS error_id, unnest(merge_error_events.actor_key) AS actor_key, unnest(merge_error_events.error_type) AS error_type, unnest(merge_error_events.severity) AS severity, unnest(merge_error_events.source) AS source, unnest(merge_error_events.was_auto_resolved) AS was_auto_resolved, unnest(merge_error_events.resolution_time_seconds) AS resolution_time_seconds, unnest(merge_error_events.status) AS status, unnest(merge_error_events.resolution_note) AS resolution_note, unnest(merge_error_events.created_at) AS created_at, unnest(merge_error_events.resolved_at) AS resolved_at, unnest(merge_error_events.own_component_key) AS own_component_key, unnest(merge_error_events.component_is_explicit) AS component_is_explicit, unnest(merge_error_events.own_human) AS own_human) AS f
	JOIN unnest(winners) AS w (error_id) ON w.error_id = f.error_id
	JOIN cube.key_error_events k ON k.error_id = w.error_id
	WHERE k.created_at IS NOT NULL
	ON CONFLICT (error_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		component_key = excluded.component_key,
		actor_key = excluded.actor_key,
		error_type = excluded.error_type,
		severity = excluded.severity,
		source = excluded.source,
		was_auto_resolved = excluded.was_auto_resolved,
		resolution_time_seconds = excluded.resolution_time_seconds,
		playbook_triggered = excluded.playbook_triggered,
		required_human_intervention = excluded.required_human_intervention,
		status = excluded.status,
		resolution_note = CASE WHEN excluded.resolution_note = '__debezium_unavailable_value' THEN t.resolution_note ELSE excluded.resolution_note END,
		resolved_at = excluded.resolved_at,
		loaded_at = excluded.loaded_at
	WHERE (t.error_id, t.time_key, t.component_key, t.actor_key, t.error_type, t.severity, t.source, t.was_auto_resolved, t.resolution_time_seconds, t.playbook_triggered, t.required_human_intervention, t.status, t.resolution_note, t.created_at, t.resolved_at) IS DISTINCT FROM (excluded.error_id, excluded.time_key, excluded.component_key, excluded.actor_key, excluded.error_type, excluded.severity, excluded.source, excluded.was_auto_resolved, excluded.resolution_time_seconds, excluded.playbook_triggered, excluded.required_human_intervention, excluded.status, CASE WHEN excluded.resolution_note = '__debezium_unavailable_value' THEN t.resolution_note ELSE excluded.resolution_note END, excluded.created_at, excluded.resolved_at);
	END IF;
	RETURN not_applied;
END $function$;

CREATE OR REPLACE FUNCTION cube.relink_error_events(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF keys IS NULL OR cardinality(keys) = 0 THEN RETURN; END IF;
	PERFORM cube.lock_error_events(keys);
	UPDATE cube.key_error_events t SET playbook = n.playbook, log_component_key = n.log_component_key FROM (SELECT k.error_id, (coalesce((SELECT coalesce(r.playbook_id, 'unknown') FROM cube.fact_playbook_runs r WHERE r.error_id = k.error_id ORDER BY r.run_number DESC LIMIT 1), (SELECT (c.links ->> 'playbook')::text FROM cube.closed_link c WHERE c.target = 'error_events' AND c.key = k.error_id))) AS playbook, (coalesce((SELECT e.component_key FROM cube.fact_agentic_events e WHERE e.error_id = k.error_id AND e.component_key <> 0 ORDER BY e.sequence + 0 DESC LIMIT 1), (SELECT (c.links ->> 'log_component_key')::int FROM cube.closed_link c WHERE c.target = 'error_events' AND c.key = k.error_id))) AS log_component_key FROM cube.key_error_events k WHERE k.error_id = ANY (keys)) n WHERE t.error_id = n.error_id AND (t.playbook, t.log_component_key) IS DISTINCT FROM (n.playbook, n.log_component_key);
	UPDATE cube.fact_error_events f SET component_key = (CASE WHEN k.component_is_explicit THEN k.own_component_key ELSE coalesce(k.log_component_key, k.own_component_key, 0) END), playbook_triggered = (k.playbook), required_human_intervention = (coalesce(k.own_human, false)), loaded_at = now()
	FROM cube.key_error_events k
	WHERE k.error_id = ANY (keys) AND k.created_at IS NOT NULL AND f.error_id = k.error_id AND f.created_at = k.created_at
		AND (f.component_key, f.playbook_triggered, f.required_human_intervention) IS DISTINCT FROM ((CASE WHEN k.component_is_explicit THEN k.own_component_key ELSE coalesce(k.log_component_key, k.own_component_key, 0) END), (k.playbook), (coalesce(k.own_human, false)));
END $function$;
