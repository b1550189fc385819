-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.follow_execution_tasks()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF NEW.task_key <> OLD.task_key THEN
		RAISE EXCEPTION 'the key of a fact cannot be changed by hand: %', OLD.task_key USING ERRCODE = 'restrict_violation',
			HINT = 'Delete the row; a record with the new key makes another one.';
	END IF;
	UPDATE cube.key_execution_tasks k SET created_at = NEW.created_at, prev_created_at = k.created_at WHERE k.task_key = OLD.task_key AND k.created_at = OLD.created_at;
	NEW.time_key := cube.time_key(NEW.created_at);
	PERFORM cube.ensure_hours(ARRAY[NEW.time_key / 60]);
	RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION cube.forget_execution_tasks()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	UPDATE cube.key_execution_tasks k SET created_at = NULL, prev_created_at = k.created_at FROM old_rows o WHERE k.task_key = o.task_key AND k.created_at = o.created_at;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.lock_execution_tasks(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.key_execution_tasks AS k (task_key) SELECT DISTINCT i COLLATE "C" FROM unnest(keys) i WHERE i IS NOT NULL ORDER BY 1
	ON CONFLICT (task_key) DO UPDATE SET task_key = excluded.task_key WHERE false;
END $function$;

CREATE OR REPLACE FUNCTION cube.merge_execution_tasks(task_key text[], component_key integer[], actor_key integer[], task_id text[], task_type text[], status text[], was_successful boolean[], has_failed boolean[], progress double precision[], queue_seconds double precision[], run_seconds double precision[], error text[], created_at timestamp with time zone[], started_at timestamp with time zone[], completed_at timestamp with time zone[], deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
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
	closed_before constant timestamptz := cube.pass_horizon('fact_execution_tasks');
	known_prev_created_at timestamp with time zone[];
BEGIN
	-- 1. the versions: every key is locked, in the sender's order, and the newest version stays; closed months are left as they are. What was
	-- written is what this returns: a number of the transaction in the row would be that of another one in a cube that was restored
	WITH w AS (
		INSERT INTO cube.key_execution_tasks AS k (task_key, created_at, lsn, source_us, kafka_us, record_offset, offset_id )
		SELECT i.task_key, CASE WHEN NOT i.deleted THEN i.created_at END, i.lsn, i.source_us, i.kafka_us, i.record_offset, i.offset_id 
		FROM (SELECT unnest(merge_execution_tasks.task_key) AS task_key, unnest(merge_execution_tasks.created_at) AS created_at, unnest(merge_execution_tasks.deleted) AS deleted, unnest(merge_execution_tasks.lsn) AS lsn, unnest(merge_execution_tasks.source_us) AS source_us, unnest(merge_execution_tasks.kafka_us) AS kafka_us, unnest(merge_execution_tasks.record_offset) AS record_offset, unnest(merge_execution_tasks.offset_id) AS offset_id) AS i
		WHERE i.deleted OR i.created_at >= closed_before
		ON CONFLICT (task_key) DO UPDATE SET created_at = excluded.created_at, prev_created_at = k.created_at, lsn = excluded.lsn,
			source_us = excluded.source_us, kafka_us = excluded.kafka_us, record_offset = excluded.record_offset,
			offset_id = coalesce(excluded.offset_id, k.offset_id) 
		-- a key that was only locked is no delete: it has no version yet
		WHERE (k.created_at IS NULL OR k.created_at >= closed_before) AND cube.replaces(
			excluded.created_at IS NULL, excluded.lsn, excluded.source_us, excluded.kafka_us, excluded.record_offset,
			k.created_at IS NULL AND k.kafka_us > 0, k.lsn, k.source_us, k.kafka_us, k.record_offset)
		RETURNING k.task_key, k.created_at, k.prev_created_at)
	SELECT array_agg(w.task_key), array_agg(w.task_key) FILTER (WHERE w.created_at IS NULL AND w.prev_created_at IS NOT NULL),
		array_agg(w.task_key) FILTER (WHERE w.created_at <> w.prev_created_at), array_agg(w.prev_created_at)
	INTO winners, deleted_keys, moved_keys, known_prev_created_at FROM w;

	-- 2. the others were older than what is there, or of a closed month: the ledger counts them as superseded, or as expired
	IF winners IS NULL OR cardinality(winners) < cardinality(merge_execution_tasks.task_key) THEN
		WITH l AS (
			UPDATE cube.etl_offset o SET applied = o.applied - l.old - l.expired, superseded = o.superseded + l.old,
				ignored = o.ignored + l.expired, expired = o.expired + l.expired, contradicting = o.contradicting + l.contradicting
			FROM (SELECT i.offset_id, count(*) FILTER (WHERE NOT c.is_closed) AS old, count(*) FILTER (WHERE c.is_closed) AS expired,
					count(*) FILTER (WHERE NOT c.is_closed AND cube.own_us(i.source_us, i.kafka_us) > cube.own_us(k.source_us, k.kafka_us)) AS contradicting
				FROM unnest(merge_execution_tasks.task_key, merge_execution_tasks.created_at, merge_execution_tasks.deleted, merge_execution_tasks.source_us, merge_execution_tasks.kafka_us, merge_execution_tasks.offset_id)
					AS i (task_key, created_at, deleted, source_us, kafka_us, offset_id)
				LEFT JOIN unnest(winners) AS w (task_key) ON w.task_key = i.task_key
				LEFT JOIN cube.key_execution_tasks k ON k.task_key = i.task_key
				CROSS JOIN LATERAL (SELECT coalesce(k.created_at < closed_before OR NOT i.deleted AND i.created_at < closed_before, false) AS is_closed) c
				WHERE i.offset_id IS NOT NULL AND w.task_key IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
			WHERE o.offset_id = l.offset_id RETURNING l.old + l.expired AS n)
		SELECT coalesce(sum(l.n), 0) INTO not_applied FROM l;
	END IF;

	-- 3. rows that are deleted, and rows whose created_at was corrected: those move, they do not double. Both are few: asked for by key
	IF deleted_keys IS NOT NULL THEN
		DELETE FROM cube.fact_execution_tasks f USING cube.key_execution_tasks k
		WHERE k.task_key = ANY (deleted_keys) AND f.task_key = k.task_key AND f.created_at = k.prev_created_at;
	END IF;
	IF moved_keys IS NOT NULL THEN
		UPDATE cube.fact_execution_tasks f SET created_at = k.created_at, time_key = cube.time_key(k.created_at) FROM cube.key_execution_tasks k
		WHERE k.task_key = ANY (moved_keys) AND f.task_key = k.task_key AND f.created_at = k.prev_created_at;
	END IF;

	-- 4. the facts; a row that would not change is not written
	-- nearly always all keys win and no row moves: then the key rows are at hand, in the order of the arguments
	IF winners = merge_execution_tasks.task_key AND moved_keys IS NULL THEN
	INSERT INTO cube.fact_execution_tasks AS t (task_key, time_key, component_key, actor_key, task_id, task_type, status, was_successful, has_failed, progress, queue_seconds, run_seconds, error, created_at, started_at, completed_at, loaded_at)
	SELECT f.task_key,
		cube.time_key(f.created_at),
		f.component_key,
		f.actor_key,
		f.task_id,
		f.task_type,
		f.status,
		f.was_successful,
		f.has_failed,
		f.progress,
		f.queue_seconds,
		f.run_seconds,
		CASE WHEN f.error = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.error END,
		f.created_at,
		f.started_at,
		f.completed_at,
		now()
	FROM (SELECT unnest(merge_execution_tasks.task_key) AS task_key, unnest(merge_execution_tasks.component_key) AS component_key, unnest(merge_execution_tasks.actor_key) AS actor_key, unnest(merge_execution_tasks.task_id) AS task_id, unnest(merge_execution_tasks.task_type) AS task_type, unnest(merge_execution_tasks.status) AS status, unnest(merge_execution_tasks.was_successful) AS was_successful, unnest(merge_execution_tasks.has_failed) AS has_failed, unnest(merge_execution_tasks.progress) AS progress, unnest(merge_execution_tasks.queue_seconds) AS queue_seconds, unnest(merge_execution_tasks.run_seconds) AS run_seconds, unnest(merge_execution_tasks.error) AS error, unnest(merge_execution_tasks.created_at) AS created_at, unnest(merge_execution_tasks.started_at) AS started_at, unnest(merge_execution_tasks.completed_at) AS completed_at, unnest(merge_execution_tasks.deleted) AS deleted, unnest(known_prev_created_at) AS known_prev_created_at) AS f,
		LATERAL (SELECT f.created_at, f.task_key, f.known_prev_created_at AS prev_created_at) AS k
	WHERE NOT f.deleted
	ON CONFLICT (task_key, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		component_key = excluded.component_key,
		actor_key = excluded.actor_key,
		task_id = excluded.task_id,
		task_type = excluded.task_type,
		status = excluded.status,
		was_successful = excluded.was_successful,
		has_failed = excluded.has_failed,
		progress = excluded.progress,
		queue_seconds = excluded.queue_seconds,
		run_seconds = excluded.run_seconds,
		error = CASE WHEN excluded.error = '__debezium_unavailable_value' THEN t.error ELSE excluded.error END,
		started_at = excluded.started_at,
		completed_at = excluded.completed_at,
		loaded_at = excluded.loaded_at
	WHERE (t.task_key, t.time_key, t.component_key, t.actor_key, t.task_id, t.task_type, t.status, t.was_successful, t.has_failed, t.progress, t.queue_seconds, t.run_seconds, t.error, t.created_at, t.started_at, t.completed_at) IS DISTINCT FROM (excluded.task_key, excluded.time_key, excluded.component_key, excluded.actor_key, excluded.task_id, excluded.task_type, excluded.status, excluded.was_successful, excluded.has_failed, excluded.progress, excluded.queue_seconds, excluded.run_seconds, CASE WHEN excluded.error = '__debezium_unavailable_value' THEN t.error ELSE excluded.error END, excluded.created_at, excluded.started_at, excluded.completed_at);
	ELSIF winners IS NOT NULL THEN
	INSERT INTO cube.fact_execution_tasks AS t (task_key, time_key, component_key, actor_key, task_id, task_type, status, was_successful, has_failed, progress, queue_seconds, run_seconds, error, created_at, started_at, completed_at, loaded_at)
	SELECT f.task_key,
		cube.time_key(f.created_at),
		f.component_key,
		f.actor_key,
		f.task_id,
		f.task_type,
		f.status,
		f.was_successful,
		f.has_failed,
		f.progress,
		f.queue_seconds,
		f.run_seconds,
		CASE WHEN f.error = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.error END,
		f.created_at,
		f.started_at,
		f.completed_at,
		now()
	FROM (SELECT unnest(merge_execution_tasks.task_key) AS task_key, unnest(merge_execution_tasks.component_key) AS component_key, unnest(merge_execution_tasks.actor_key) AS actor_key, unnest(merge_execution_tasks.task_id) AS task_id, unnest(merge_execution_tasks.task_type) AS task_type, unnest(merge_execution_tasks.status) AS status, unnest(merge_execution_tasks.was_successful) AS was_successful, unnest(merge_execution_tasks.has_failed) AS has_failed, unnest(merge_execution_tasks.progress) AS progress, unnest(merge_execution_tasks.queue_seconds) AS queue_seconds, unnest(merge_execution_tasks.run_seconds) AS run_seconds, unnest(merge_execution_tasks.error) AS error, unnest(merge_execution_tasks.created_at) AS created_at, unnest(merge_execution_tasks.started_at) AS started_at, unnest(merge_execution_tasks.completed_at) AS completed_at) AS f
	JOIN unnest(winners) AS w (task_key) ON w.task_key = f.task_key
	JOIN cube.key_execution_tasks k ON k.task_key = w.task_key
	WHERE k.created_at IS NOT NULL
	ON CONFLICT (task_key, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		component_key = excluded.component_key,
		actor_key = excluded.actor_key,
		task_id = excluded.task_id,
		task_type = excluded.task_type,
		status = excluded.status,
		was_successful = excluded.was_successful,
		has_failed = excluded.has_failed,
		progress = excluded.progress,
		queue_seconds = excluded.queue_seconds,
		run_seconds = excluded.run_seconds,
		error = CASE WHEN excluded.error = '__debezium_unavailable_value' THEN t.error ELSE excluded.error END,
		started_at = excluded.started_at,
		completed_at = excluded.completed_at,
		loaded_at = excluded.loaded_at
	WHERE (t.task_key, t.time_key, t.component_key, t.actor_key, t.task_id, t.task_type, t.status, t.was_successful, t.has_failed, t.progress, t.queue_seconds, t.run_seconds, t.error, t.created_at, t.started_at, t.completed_at) IS DISTINCT FROM (excluded.task_key, excluded.time_key, excluded.component_key, excluded.actor_key, excluded.task_id, excluded.task_type, excluded.status, excluded.was_successful, excluded.has_failed, excluded.progress, excluded.queue_seconds, excluded.run_seconds, CASE WHEN excluded.error = '__debezium_unavailable_value' THEN t.error ELSE excluded.error END, excluded.created_at, excluded.started_at, excluded.completed_at);
	END IF;
	RETURN not_applied;
END $function$;
