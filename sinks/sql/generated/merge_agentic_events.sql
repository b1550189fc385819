-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.follow_agentic_events()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF NEW.entry_id <> OLD.entry_id THEN
		RAISE EXCEPTION 'the key of a fact cannot be changed by hand: %', OLD.entry_id USING ERRCODE = 'restrict_violation',
			HINT = 'Delete the row; a record with the new key makes another one.';
	END IF;
	UPDATE cube.key_agentic_events k SET created_at = NEW.created_at, prev_created_at = k.created_at WHERE k.entry_id = OLD.entry_id AND k.created_at = OLD.created_at;
	NEW.time_key := cube.time_key(NEW.created_at);
	PERFORM cube.ensure_hours(ARRAY[NEW.time_key / 60]);
	RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION cube.forget_agentic_events()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	UPDATE cube.key_agentic_events k SET created_at = NULL, prev_created_at = k.created_at FROM old_rows o WHERE k.entry_id = o.entry_id AND k.created_at = o.created_at;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.lock_agentic_events(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.key_agentic_events AS k (entry_id) SELECT DISTINCT i COLLATE "C" FROM unnest(keys) i WHERE i IS NOT NULL ORDER BY 1
	ON CONFLICT (entry_id) DO UPDATE SET entry_id = excluded.entry_id WHERE false;
END $function$;

CREATE OR REPLACE FUNCTION cube.merge_agentic_events(entry_id text[], component_key integer[], actor_key integer[], mission_key integer[], sequence bigint[], actor text[], action text[], resource text[], subsystem text[], result text[], severity text[], contract_id text[], names_mission boolean[], error_id text[], entry_hash text[], previous_hash text[], hash_matches boolean[], created_at timestamp with time zone[], deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
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
	closed_before constant timestamptz := cube.pass_horizon('fact_agentic_events');
	known_prev_created_at timestamp with time zone[];
BEGIN
	-- 1. the versions: every key is locked, in the sender's order, and the newest version stays; closed months are left as they are. What was
	-- written is what this returns: a number of the transaction in the row would be that of another one in a cube that was restored
	WITH w AS (
		INSERT INTO cube.key_agentic_events AS k (entry_id, created_at, lsn, source_us, kafka_us, record_offset, offset_id )
		SELECT i.entry_id, CASE WHEN NOT i.deleted THEN i.created_at END, i.lsn, i.source_us, i.kafka_us, i.record_offset, i.offset_id 
		FROM (SELECT unnest(merge_agentic_events.entry_id) AS entry_id, unnest(merge_agentic_events.created_at) AS created_at, unnest(merge_agentic_events.deleted) AS deleted, unnest(merge_agentic_events.lsn) AS lsn, unnest(merge_agentic_events.source_us) AS source_us, unnest(merge_agentic_events.kafka_us) AS kafka_us, unnest(merge_agentic_events.record_offset) AS record_offset, unnest(merge_agentic_events.offset_id) AS offset_id) AS i
		WHERE i.deleted OR i.created_at >= closed_before
		ON CONFLICT (entry_id) DO UPDATE SET created_at = excluded.created_at, prev_created_at = k.created_at, lsn = excluded.lsn,
			source_us = excluded.source_us, kafka_us = excluded.kafka_us, record_offset = excluded.record_offset,
			offset_id = coalesce(excluded.offset_id, k.offset_id) 
		-- a key that was only locked is no delete: it has no version yet
		WHERE (k.created_at IS NULL OR k.created_at >= closed_before) AND cube.replaces(
			excluded.created_at IS NULL, excluded.lsn, excluded.source_us, excluded.kafka_us, excluded.record_offset,
			k.created_at IS NULL AND k.kafka_us > 0, k.lsn, k.source_us, k.kafka_us, k.record_offset)
		RETURNING k.entry_id, k.created_at, k.prev_created_at)
	SELECT array_agg(w.entry_id), array_agg(w.entry_id) FILTER (WHERE w.created_at IS NULL AND w.prev_created_at IS NOT NULL),
		array_agg(w.entry_id) FILTER (WHERE w.created_at <> w.prev_created_at), array_agg(w.prev_created_at)
	INTO winners, deleted_keys, moved_keys, known_prev_created_at FROM w;

	-- 2. the others were older than what is there, or of a closed month: the ledger counts them as superseded, or as expired
	IF winners IS NULL OR cardinality(winners) < cardinality(merge_agentic_events.entry_id) THEN
		WITH l AS (
			UPDATE cube.etl_offset o SET applied = o.applied - l.old - l.expired, superseded = o.superseded + l.old,
				ignored = o.ignored + l.expired, expired = o.expired + l.expired, contradicting = o.contradicting + l.contradicting
			FROM (SELECT i.offset_id, count(*) FILTER (WHERE NOT c.is_closed) AS old, count(*) FILTER (WHERE c.is_closed) AS expired,
					count(*) FILTER (WHERE NOT c.is_closed AND cube.own_us(i.source_us, i.kafka_us) > cube.own_us(k.source_us, k.kafka_us)) AS contradicting
				FROM unnest(merge_agentic_events.entry_id, merge_agentic_events.created_at, merge_agentic_events.deleted, merge_agentic_events.source_us, merge_agentic_events.kafka_us, merge_agentic_events.offset_id)
					AS i (entry_id, created_at, deleted, source_us, kafka_us, offset_id)
				LEFT JOIN unnest(winners) AS w (entry_id) ON w.entry_id = i.entry_id
				LEFT JOIN cube.key_agentic_events k ON k.entry_id = i.entry_id
				CROSS JOIN LATERAL (SELECT coalesce(k.created_at < closed_before OR NOT i.deleted AND i.created_at < closed_before, false) AS is_closed) c
				WHERE i.offset_id IS NOT NULL AND w.entry_id IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
			WHERE o.offset_id = l.offset_id RETURNING l.old + l.expired AS n)
		SELECT coalesce(sum(l.n), 0) INTO not_applied FROM l;
	END IF;

	-- 3. rows that are deleted, and rows whose created_at was corrected: those move, they do not double. Both are few: asked for by key
	IF deleted_keys IS NOT NULL THEN
		DELETE FROM cube.fact_agentic_events f USING cube.key_agentic_events k
		WHERE k.entry_id = ANY (deleted_keys) AND f.entry_id = k.entry_id AND f.created_at = k.prev_created_at;
	END IF;
	IF moved_keys IS NOT NULL THEN
		UPDATE cube.fact_agentic_events f SET created_at = k.created_at, time_key = cube.time_key(k.created_at) FROM cube.key_agentic_events k
		WHERE k.entry_id = ANY (moved_keys) AND f.entry_id = k.entry_id AND f.created_at = k.prev_created_at;
	END IF;

	-- 4. the facts; a row that would not change is not written
	-- nearly always all keys win and no row moves: then the key rows are at hand, in the order of the arguments
	IF winners = merge_agentic_events.entry_id AND moved_keys IS NULL THEN
	INSERT INTO cube.fact_agentic_events AS t (entry_id, time_key, component_key, actor_key, mission_key, sequence, actor, action, resource, subsystem, result, severity, contract_id, names_mission, error_id, entry_hash, previous_hash, hash_matches, created_at, loaded_at)
	SELECT f.entry_id,
		cube.time_key(f.created_at),
		f.component_key,
		f.actor_key,
		f.mission_key,
		f.sequence,
		f.actor,
		f.action,
		CASE WHEN f.resource = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.resource END,
		f.subsystem,
		f.result,
		f.severity,
		f.contract_id,
		f.names_mission,
		f.error_id,
		f.entry_hash,
		f.previous_hash,
		f.hash_matches,
		f.created_at,
		now()
	FROM (SELECT unnest(merge_agentic_events.entry_id) AS entry_id, unnest(merge_agentic_events.component_key) AS component_key, unnest(merge_agentic_events.actor_key) AS actor_key, unnest(merge_agentic_events.mission_key) AS mission_key, unnest(merge_agentic_events.sequence) AS sequence, unnest(merge_agentic_events.actor) AS actor, unnest(merge_agentic_events.action) AS action, unnest(merge_agentic_events.resource) AS resource, unnest(merge_agentic_events.subsystem) AS subsystem, unnest(merge_agentic_events.result) AS result, unnest(merge_agentic_events.severity) AS severity, unnest(merge_agentic_events.contract_id) AS contract_id, unnest(merge_agentic_events.names_mission) AS names_mission, unnest(merge_agentic_events.error_id) AS error_id, unnest(merge_agentic_events.entry_hash) AS entry_hash, unnest(merge_agentic_events.previous_hash) AS previous_hash, unnest(merge_agentic_events.hash_matches) AS hash_matches, unnest(merge_agentic_events.created_at) AS created_at, unnest(merge_agentic_events.deleted) AS deleted, unnest(known_prev_created_at) AS known_prev_created_at) AS f,
		LATERAL (SELECT f.created_at, f.entry_id, f.known_prev_created_at AS prev_created_at) AS k
	WHERE NOT f.deleted
	ON CONFLICT (entry_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		component_key = excluded.component_key,
		actor_key = excluded.actor_key,
		mission_key = excluded.mission_key,
		sequence = excluded.sequence,
		actor = excluded.actor,
		action = excluded.action,
		resource = CASE WHEN excluded.resource = '__debezium_unavailable_value' THEN t.resource ELSE excluded.resource END,
		subsystem = excluded.subsystem,
		result = excluded.result,
		severity = excluded.severity,
		contract_id = excluded.contract_id,
		names_mission = excluded.names_mission,
		error_id = excluded.error_id,
		entry_hash = excluded.entry_hash,
		previous_hash = excluded.previous_hash,
		hash_matches = excluded.hash_matches,
		loaded_at = excluded.loaded_at
	WHERE (t.entry_id, t.time_key, t.component_key, t.actor_key, t.mission_key, t.sequence, t.actor, t.action, t.resource, t.subsystem, t.result, t.severity, t.contract_id, t.names_mission, t.error_id, t.entry_hash, t.previous_hash, t.hash_matches, t.created_at) IS DISTINCT FROM (excluded.entry_id, excluded.time_key, excluded.component_key, excluded.actor_key, excluded.mission_key, excluded.sequence, excluded.actor, excluded.action, CASE WHEN excluded.resource = '__debezium_unavailable_value' THEN t.resource ELSE excluded.resource END, excluded.subsystem, excluded.result, excluded.severity, excluded.contract_id, excluded.names_mission, excluded.error_id, excluded.entry_hash, excluded.previous_hash, excluded.hash_matches, excluded.created_at);
	ELSIF winners IS NOT NULL THEN
	INSERT INTO cube.fact_agentic_events AS t (entry_id, time_key, component_key, actor_key, mission_key, sequence, actor, action, resource, subsystem, result, severity, contract_id, names_mission, error_id, entry_hash, previous_hash, hash_matches, created_at, loaded_at)
	SELECT f.entry_id,
		cube.time_key(f.created_at),
		f.component_key,
		f.actor_key,
		f.mission_key,
		f.sequence,
		f.actor,
		f.action,
		CASE WHEN f.resource = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.resource END,
		f.subsystem,
		f.result,
		f.severity,
		f.contract_id,
		f.names_mission,
		f.error_id,
		f.entry_hash,
		f.previous_hash,
		f.hash_matches,
		f.created_at,
		now()
	FROM (SELECT unnest(merge_agentic_events.entry_id) AS entry_id, unnest(merge_agentic_events.component_key) AS component_key, unnest(merge_agentic_events.actor_key) AS actor_key, unnest(merge_agentic_events.mission_key) AS mission_key, unnest(merge_agentic_events.sequence) AS sequence, unnest(merge_agentic_events.actor) AS actor, unnest(merge_agentic_events.action) AS action, unnest(merge_agentic_events.resource) AS resource, unnest(merge_agentic_events.subsystem) AS subsystem, unnest(merge_agentic_events.result) AS result, unnest(merge_agentic_events.severity) AS severity, unnest(merge_agentic_events.contract_id) AS contract_id, unnest(merge_agentic_events.names_mission) AS names_mission, unnest(merge_agentic_events.error_id) AS error_id, unnest(merge_agentic_events.entry_hash) AS entry_hash, unnest(merge_agentic_events.previous_hash) AS previous_hash, unnest(merge_agentic_events.hash_matches) AS hash_matches, unnest(merge_agentic_events.created_at) AS created_at) AS f
	JOIN unnest(winners) AS w (entry_id) ON w.entry_id = f.entry_id
	JOIN cube.key_agentic_events k ON k.entry_id = w.entry_id
	WHERE k.created_at IS NOT NULL
	ON CONFLICT (entry_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		component_key = excluded.component_key,
		actor_key = excluded.actor_key,
		mission_key = excluded.mission_key,
		sequence = excluded.sequence,
		actor = excluded.actor,
		action = excluded.action,
		resource = CASE WHEN excluded.resource = '__debezium_unavailable_value' THEN t.resource ELSE excluded.resource END,
		subsystem = excluded.subsystem,
		result = excluded.result,
		severity = excluded.severity,
		contract_id = excluded.contract_id,
		names_mission = excluded.names_mission,
		error_id = excluded.error_id,
		entry_hash = excluded.entry_hash,
		previous_hash = excluded.previous_hash,
		hash_matches = excluded.hash_matches,
		loaded_at = excluded.loaded_at
	WHERE (t.entry_id, t.time_key, t.component_key, t.actor_key, t.mission_key, t.sequence, t.actor, t.action, t.resource, t.subsystem, t.result, t.severity, t.contract_id, t.names_mission, t.error_id, t.entry_hash, t.previous_hash, t.hash_matches, t.created_at) IS DISTINCT FROM (excluded.entry_id, excluded.time_key, excluded.component_key, excluded.actor_key, excluded.mission_key, excluded.sequence, excluded.actor, excluded.action, CASE WHEN excluded.resource = '__debezium_unavailable_value' THEN t.resource ELSE excluded.resource END, excluded.subsystem, excluded.result, excluded.severity, excluded.contract_id, excluded.names_mission, excluded.error_id, excluded.entry_hash, excluded.previous_hash, excluded.hash_matches, excluded.created_at);
	END IF;
	RETURN not_applied;
END $function$;
