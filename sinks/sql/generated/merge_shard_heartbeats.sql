-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.follow_shard_heartbeats()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF NEW.heartbeat_id <> OLD.heartbeat_id THEN
		RAISE EXCEPTION 'the key of a fact cannot be changed by hand: %', OLD.heartbeat_id USING ERRCODE = 'restrict_violation',
			HINT = 'Delete the row; a record with the new key makes another one.';
	END IF;
	UPDATE cube.key_shard_heartbeats k SET created_at = NEW.created_at, prev_created_at = k.created_at WHERE k.heartbeat_id = OLD.heartbeat_id AND k.created_at = OLD.created_at;
	NEW.time_key := cube.time_key(NEW.created_at);
	PERFORM cube.ensure_hours(ARRAY[NEW.time_key / 60]);
	RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION cube.forget_shard_heartbeats()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	UPDATE cube.key_shard_heartbeats k SET created_at = NULL, prev_created_at = k.created_at FROM old_rows o WHERE k.heartbeat_id = o.heartbeat_id AND k.created_at = o.created_at;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.lock_shard_heartbeats(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.key_shard_heartbeats AS k (heartbeat_id) SELECT DISTINCT i COLLATE "C" FROM unnest(keys) i WHERE i IS NOT NULL ORDER BY 1
	ON CONFLICT (heartbeat_id) DO UPDATE SET heartbeat_id = excluded.heartbeat_id WHERE false;
END $function$;

CREATE OR REPLACE FUNCTION cube.merge_shard_heartbeats(heartbeat_id text[], component_key integer[], actor_key integer[], shard_id text[], status text[], load double precision[], created_at timestamp with time zone[], deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
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
	closed_before constant timestamptz := cube.pass_horizon('fact_shard_heartbeats');
	known_prev_created_at timestamp with time zone[];
BEGIN
	-- 1. the versions: every key is locked, in the sender's order, and the newest version stays; closed months are left as they are. What was
	-- written is what this returns: a number of the transaction in the row would be that of another one in a cube that was restored
	WITH w AS (
		INSERT INTO cube.key_shard_heartbeats AS k (heartbeat_id, created_at, lsn, source_us, kafka_us, record_offset, offset_id )
		SELECT i.heartbeat_id, CASE WHEN NOT i.deleted THEN i.created_at END, i.lsn, i.source_us, i.kafka_us, i.record_offset, i.offset_id 
		FROM (SELECT unnest(merge_shard_heartbeats.heartbeat_id) AS heartbeat_id, unnest(merge_shard_heartbeats.created_at) AS created_at, unnest(merge_shard_heartbeats.deleted) AS deleted, unnest(merge_shard_heartbeats.lsn) AS lsn, unnest(merge_shard_heartbeats.source_us) AS source_us, unnest(merge_shard_heartbeats.kafka_us) AS kafka_us, unnest(merge_shard_heartbeats.record_offset) AS record_offset, unnest(merge_shard_heartbeats.offset_id) AS offset_id) AS i
		WHERE i.deleted OR i.created_at >= closed_before
		ON CONFLICT (heartbeat_id) DO UPDATE SET created_at = excluded.created_at, prev_created_at = k.created_at, lsn = excluded.lsn,
			source_us = excluded.source_us, kafka_us = excluded.kafka_us, record_offset = excluded.record_offset,
			offset_id = coalesce(excluded.offset_id, k.offset_id) 
		-- a key that was only locked is no delete: it has no version yet
		WHERE (k.created_at IS NULL OR k.created_at >= closed_before) AND cube.replaces(
			excluded.created_at IS NULL, excluded.lsn, excluded.source_us, excluded.kafka_us, excluded.record_offset,
			k.created_at IS NULL AND k.kafka_us > 0, k.lsn, k.source_us, k.kafka_us, k.record_offset)
		RETURNING k.heartbeat_id, k.created_at, k.prev_created_at)
	SELECT array_agg(w.heartbeat_id), array_agg(w.heartbeat_id) FILTER (WHERE w.created_at IS NULL AND w.prev_created_at IS NOT NULL),
		array_agg(w.heartbeat_id) FILTER (WHERE w.created_at <> w.prev_created_at), array_agg(w.prev_created_at)
	INTO winners, deleted_keys, moved_keys, known_prev_created_at FROM w;

	-- 2. the others were older than what is there, or of a closed month: the ledger counts them as superseded, or as expired
	IF winners IS NULL OR cardinality(winners) < cardinality(merge_shard_heartbeats.heartbeat_id) THEN
		WITH l AS (
			UPDATE cube.etl_offset o SET applied = o.applied - l.old - l.expired, superseded = o.superseded + l.old,
				ignored = o.ignored + l.expired, expired = o.expired + l.expired, contradicting = o.contradicting + l.contradicting
			FROM (SELECT i.offset_id, count(*) FILTER (WHERE NOT c.is_closed) AS old, count(*) FILTER (WHERE c.is_closed) AS expired,
					count(*) FILTER (WHERE NOT c.is_closed AND cube.own_us(i.source_us, i.kafka_us) > cube.own_us(k.source_us, k.kafka_us)) AS contradicting
				FROM unnest(merge_shard_heartbeats.heartbeat_id, merge_shard_heartbeats.created_at, merge_shard_heartbeats.deleted, merge_shard_heartbeats.source_us, merge_shard_heartbeats.kafka_us, merge_shard_heartbeats.offset_id)
					AS i (heartbeat_id, created_at, deleted, source_us, kafka_us, offset_id)
				LEFT JOIN unnest(winners) AS w (heartbeat_id) ON w.heartbeat_id = i.heartbeat_id
				LEFT JOIN cube.key_shard_heartbeats k ON k.heartbeat_id = i.heartbeat_id
				CROSS JOIN LATERAL (SELECT coalesce(k.created_at < closed_before OR NOT i.deleted AND i.created_at < closed_before, false) AS is_closed) c
				WHERE i.offset_id IS NOT NULL AND w.heartbeat_id IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
			WHERE o.offset_id = l.offset_id RETURNING l.old + l.expired AS n)
		SELECT coalesce(sum(l.n), 0) INTO not_applied FROM l;
	END IF;

	-- 3. rows that are deleted, and rows whose created_at was corrected: those move, they do not double. Both are few: asked for by key
	IF deleted_keys IS NOT NULL THEN
		DELETE FROM cube.fact_shard_heartbeats f USING cube.key_shard_heartbeats k
		WHERE k.heartbeat_id = ANY (deleted_keys) AND f.heartbeat_id = k.heartbeat_id AND f.created_at = k.prev_created_at;
	END IF;
	IF moved_keys IS NOT NULL THEN
		UPDATE cube.fact_shard_heartbeats f SET created_at = k.created_at, time_key = cube.time_key(k.created_at) FROM cube.key_shard_heartbeats k
		WHERE k.heartbeat_id = ANY (moved_keys) AND f.heartbeat_id = k.heartbeat_id AND f.created_at = k.prev_created_at;
	END IF;

	-- 4. the facts; a row that would not change is not written
	-- nearly always all keys win and no row moves: then the key rows are at hand, in the order of the arguments
	IF winners = merge_shard_heartbeats.heartbeat_id AND moved_keys IS NULL THEN
	INSERT INTO cube.fact_shard_heartbeats AS t (heartbeat_id, time_key, component_key, actor_key, shard_id, status, load, created_at, loaded_at)
	SELECT f.heartbeat_id,
		cube.time_key(f.created_at),
		f.component_key,
		f.actor_key,
		f.shard_id,
		f.status,
		f.load,
		f.created_at,
		now()
	FROM (SELECT unnest(merge_shard_heartbeats.heartbeat_id) AS heartbeat_id, unnest(merge_shard_heartbeats.component_key) AS component_key, unnest(merge_shard_heartbeats.actor_key) AS actor_key, unnest(merge_shard_heartbeats.shard_id) AS shard_id, unnest(merge_shard_heartbeats.status) AS status, unnest(merge_shard_heartbeats.load) AS load, unnest(merge_shard_heartbeats.created_at) AS created_at, unnest(merge_shard_heartbeats.deleted) AS deleted, unnest(known_prev_created_at) AS known_prev_created_at) AS f,
		LATERAL (SELECT f.created_at, f.heartbeat_id, f.known_prev_created_at AS prev_created_at) AS k
	WHERE NOT f.deleted
	ON CONFLICT (heartbeat_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		component_key = excluded.component_key,
		actor_key = excluded.actor_key,
		shard_id = excluded.shard_id,
		status = excluded.status,
		load = excluded.load,
		loaded_at = excluded.loaded_at
	WHERE (t.heartbeat_id, t.time_key, t.component_key, t.actor_key, t.shard_id, t.status, t.load, t.created_at) IS DISTINCT FROM (excluded.heartbeat_id, excluded.time_key, excluded.component_key, excluded.actor_key, excluded.shard_id, excluded.status, excluded.load, excluded.created_at);
	ELSIF winners IS NOT NULL THEN
	INSERT INTO cube.fact_shard_heartbeats AS t (heartbeat_id, time_key, component_key, actor_key, shard_id, status, load, created_at, loaded_at)
	SELECT f.heartbeat_id,
		cube.time_key(f.created_at),
		f.component_key,
		f.actor_key,
		f.shard_id,
		f.status,
		f.load,
		f.created_at,
		now()
	FROM (SELECT unnest(merge_shard_heartbeats.heartbeat_id) AS heartbeat_id, unnest(merge_shard_heartbeats.component_key) AS component_key, unnest(merge_shard_heartbeats.actor_key) AS actor_key, unnest(merge_shard_heartbeats.shard_id) AS shard_id, unnest(merge_shard_heartbeats.status) AS status, unnest(merge_shard_heartbeats.load) AS load, unnest(merge_shard_heartbeats.created_at) AS created_at) AS f
	JOIN unnest(winners) AS w (heartbeat_id) ON w.heartbeat_id = f.heartbeat_id
	JOIN cube.key_shard_heartbeats k ON k.heartbeat_id = w.heartbeat_id
	WHERE k.created_at IS NOT NULL
	ON CONFLICT (heartbeat_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		component_key = excluded.component_key,
		actor_key = excluded.actor_key,
		shard_id = excluded.shard_id,
		status = excluded.status,
		load = excluded.load,
		loaded_at = excluded.loaded_at
	WHERE (t.heartbeat_id, t.time_key, t.component_key, t.actor_key, t.shard_id, t.status, t.load, t.created_at) IS DISTINCT FROM (excluded.heartbeat_id, excluded.time_key, excluded.component_key, excluded.actor_key, excluded.shard_id, excluded.status, excluded.load, excluded.created_at);
	END IF;
	RETURN not_applied;
END $function$;
