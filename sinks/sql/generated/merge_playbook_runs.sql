-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.follow_playbook_runs()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF NEW.run_id <> OLD.run_id THEN
		RAISE EXCEPTION 'the key of a fact cannot be changed by hand: %', OLD.run_id USING ERRCODE = 'restrict_violation',
			HINT = 'Delete the row; a record with the new key makes another one.';
	END IF;
	UPDATE cube.key_playbook_runs k SET created_at = NEW.created_at, prev_created_at = k.created_at WHERE k.run_id = OLD.run_id AND k.created_at = OLD.created_at;
	NEW.time_key := cube.time_key(NEW.created_at);
	PERFORM cube.ensure_hours(ARRAY[NEW.time_key / 60]);
	RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION cube.forget_playbook_runs()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	UPDATE cube.key_playbook_runs k SET created_at = NULL, prev_created_at = k.created_at FROM old_rows o WHERE k.run_id = o.run_id AND k.created_at = o.created_at;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.lock_playbook_runs(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.key_playbook_runs AS k (run_id) SELECT DISTINCT i COLLATE "C" FROM unnest(keys) i WHERE i IS NOT NULL ORDER BY 1
	ON CONFLICT (run_id) DO UPDATE SET run_id = excluded.run_id WHERE false;
END $function$;

CREATE OR REPLACE FUNCTION cube.merge_playbook_runs(run_id text[], component_key integer[], actor_key integer[], run_number bigint[], playbook_id text[], status text[], was_successful boolean[], diagnosis_code text[], error_id text[], approval_id text[], queue_seconds double precision[], duration_seconds double precision[], created_at timestamp with time zone[], started_at timestamp with time zone[], ended_at timestamp with time zone[], deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
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
	closed_before constant timestamptz := cube.pass_horizon('fact_playbook_runs');
	known_prev_created_at timestamp with time zone[];
BEGIN
	-- 1. the versions: every key is locked, in the sender's order, and the newest version stays; closed months are left as they are. What was
	-- written is what this returns: a number of the transaction in the row would be that of another one in a cube that was restored
	WITH w AS (
		INSERT INTO cube.key_playbook_runs AS k (run_id, created_at, lsn, source_us, kafka_us, record_offset, offset_id )
		SELECT i.run_id, CASE WHEN NOT i.deleted THEN i.created_at END, i.lsn, i.source_us, i.kafka_us, i.record_offset, i.offset_id 
		FROM (SELECT unnest(merge_playbook_runs.run_id) AS run_id, unnest(merge_playbook_runs.created_at) AS created_at, unnest(merge_playbook_runs.deleted) AS deleted, unnest(merge_playbook_runs.lsn) AS lsn, unnest(merge_playbook_runs.source_us) AS source_us, unnest(merge_playbook_runs.kafka_us) AS kafka_us, unnest(merge_playbook_runs.record_offset) AS record_offset, unnest(merge_playbook_runs.offset_id) AS offset_id) AS i
		WHERE i.deleted OR i.created_at >= closed_before
		ON CONFLICT (run_id) DO UPDATE SET created_at = excluded.created_at, prev_created_at = k.created_at, lsn = excluded.lsn,
			source_us = excluded.source_us, kafka_us = excluded.kafka_us, record_offset = excluded.record_offset,
			offset_id = coalesce(excluded.offset_id, k.offset_id) 
		-- a key that was only locked is no delete: it has no version yet
		WHERE (k.created_at IS NULL OR k.created_at >= closed_before) AND cube.replaces(
			excluded.created_at IS NULL, excluded.lsn, excluded.source_us, excluded.kafka_us, excluded.record_offset,
			k.created_at IS NULL AND k.kafka_us > 0, k.lsn, k.source_us, k.kafka_us, k.record_offset)
		RETURNING k.run_id, k.created_at, k.prev_created_at)
	SELECT array_agg(w.run_id), array_agg(w.run_id) FILTER (WHERE w.created_at IS NULL AND w.prev_created_at IS NOT NULL),
		array_agg(w.run_id) FILTER (WHERE w.created_at <> w.prev_created_at), array_agg(w.prev_created_at)
	INTO winners, deleted_keys, moved_keys, known_prev_created_at FROM w;

	-- 2. the others were older than what is there, or of a closed month: the ledger counts them as superseded, or as expired
	IF winners IS NULL OR cardinality(winners) < cardinality(merge_playbook_runs.run_id) THEN
		WITH l AS (
			UPDATE cube.etl_offset o SET applied = o.applied - l.old - l.expired, superseded = o.superseded + l.old,
				ignored = o.ignored + l.expired, expired = o.expired + l.expired, contradicting = o.contradicting + l.contradicting
			FROM (SELECT i.offset_id, count(*) FILTER (WHERE NOT c.is_closed) AS old, count(*) FILTER (WHERE c.is_closed) AS expired,
					count(*) FILTER (WHERE NOT c.is_closed AND cube.own_us(i.source_us, i.kafka_us) > cube.own_us(k.source_us, k.kafka_us)) AS contradicting
				FROM unnest(merge_playbook_runs.run_id, merge_playbook_runs.created_at, merge_playbook_runs.deleted, merge_playbook_runs.source_us, merge_playbook_runs.kafka_us, merge_playbook_runs.offset_id)
					AS i (run_id, created_at, deleted, source_us, kafka_us, offset_id)
				LEFT JOIN unnest(winners) AS w (run_id) ON w.run_id = i.run_id
				LEFT JOIN cube.key_playbook_runs k ON k.run_id = i.run_id
				CROSS JOIN LATERAL (SELECT coalesce(k.created_at < closed_before OR NOT i.deleted AND i.created_at < closed_before, false) AS is_closed) c
				WHERE i.offset_id IS NOT NULL AND w.run_id IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
			WHERE o.offset_id = l.offset_id RETURNING l.old + l.expired AS n)
		SELECT coalesce(sum(l.n), 0) INTO not_applied FROM l;
	END IF;

	-- 3. rows that are deleted, and rows whose created_at was corrected: those move, they do not double. Both are few: asked for by key
	IF deleted_keys IS NOT NULL THEN
		DELETE FROM cube.fact_playbook_runs f USING cube.key_playbook_runs k
		WHERE k.run_id = ANY (deleted_keys) AND f.run_id = k.run_id AND f.created_at = k.prev_created_at;
	END IF;
	IF moved_keys IS NOT NULL THEN
		UPDATE cube.fact_playbook_runs f SET created_at = k.created_at, time_key = cube.time_key(k.created_at) FROM cube.key_playbook_runs k
		WHERE k.run_id = ANY (moved_keys) AND f.run_id = k.run_id AND f.created_at = k.prev_created_at;
	END IF;

	-- 4. the facts; a row that would not change is not written
	-- nearly always all keys win and no row moves: then the key rows are at hand, in the order of the arguments
	IF winners = merge_playbook_runs.run_id AND moved_keys IS NULL THEN
	INSERT INTO cube.fact_playbook_runs AS t (run_id, time_key, component_key, actor_key, run_number, playbook_id, status, was_successful, diagnosis_code, error_id, approval_id, queue_seconds, duration_seconds, created_at, started_at, ended_at, loaded_at)
	SELECT f.run_id,
		cube.time_key(f.created_at),
		f.component_key,
		f.actor_key,
		f.run_number,
		f.playbook_id,
		f.status,
		f.was_successful,
		CASE WHEN f.diagnosis_code = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.diagnosis_code END,
		CASE WHEN f.error_id = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.error_id END,
		f.approval_id,
		f.queue_seconds,
		f.duration_seconds,
		f.created_at,
		f.started_at,
		f.ended_at,
		now()
	FROM (SELECT unnest(merge_playbook_runs.run_id) AS run_id, unnest(merge_playbook_runs.component_key) AS component_key, unnest(merge_playbook_runs.actor_key) AS actor_key, unnest(merge_playbook_runs.run_number) AS run_number, unnest(merge_playbook_runs.playbook_id) AS playbook_id, unnest(merge_playbook_runs.status) AS status, unnest(merge_playbook_runs.was_successful) AS was_successful, unnest(merge_playbook_runs.diagnosis_code) AS diagnosis_code, unnest(merge_playbook_runs.error_id) AS error_id, unnest(merge_playbook_runs.approval_id) AS approval_id, unnest(merge_playbook_runs.queue_seconds) AS queue_seconds, unnest(merge_playbook_runs.duration_seconds) AS duration_seconds, unnest(merge_playbook_runs.created_at) AS created_at, unnest(merge_playbook_runs.started_at) AS started_at, unnest(merge_playbook_runs.ended_at) AS ended_at, unnest(merge_playbook_runs.deleted) AS deleted, unnest(known_prev_created_at) AS known_prev_created_at) AS f,
		LATERAL (SELECT f.created_at, f.run_id, f.known_prev_created_at AS prev_created_at) AS k
	WHERE NOT f.deleted
	ON CONFLICT (run_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		component_key = excluded.component_key,
		actor_key = excluded.actor_key,
		run_number = excluded.run_number,
		playbook_id = excluded.playbook_id,
		status = excluded.status,
		was_successful = excluded.was_successful,
		diagnosis_code = CASE WHEN excluded.diagnosis_code = '__debezium_unavailable_value' THEN t.diagnosis_code ELSE excluded.diagnosis_code END,
		error_id = CASE WHEN excluded.error_id = '__debezium_unavailable_value' THEN t.error_id ELSE excluded.error_id END,
		approval_id = excluded.approval_id,
		queue_seconds = excluded.queue_seconds,
		duration_seconds = excluded.duration_seconds,
		started_at = excluded.started_at,
		ended_at = excluded.ended_at,
		loaded_at = excluded.loaded_at
	WHERE (t.run_id, t.time_key, t.component_key, t.actor_key, t.run_number, t.playbook_id, t.status, t.was_successful, t.diagnosis_code, t.error_id, t.approval_id, t.queue_seconds, t.duration_seconds, t.created_at, t.started_at, t.ended_at) IS DISTINCT FROM (excluded.run_id, excluded.time_key, excluded.component_key, excluded.actor_key, excluded.run_number, excluded.playbook_id, excluded.status, excluded.was_successful, CASE WHEN excluded.diagnosis_code = '__debezium_unavailable_value' THEN t.diagnosis_code ELSE excluded.diagnosis_code END, CASE WHEN excluded.error_id = '__debezium_unavailable_value' THEN t.error_id ELSE excluded.error_id END, excluded.approval_id, excluded.queue_seconds, excluded.duration_seconds, excluded.created_at, excluded.started_at, excluded.ended_at);
	ELSIF winners IS NOT NULL THEN
	INSERT INTO cube.fact_playbook_runs AS t (run_id, time_key, component_key, actor_key, run_number, playbook_id, status, was_successful, diagnosis_code, error_id, approval_id, queue_seconds, duration_seconds, created_at, started_at, ended_at, loaded_at)
	SELECT f.run_id,
		cube.time_key(f.created_at),
		f.component_key,
		f.actor_key,
		f.run_number,
		f.playbook_id,
		f.status,
		f.was_successful,
		CASE WHEN f.diagnosis_code = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.diagnosis_code END,
		CASE WHEN f.error_id = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.error_id END,
		f.approval_id,
		f.queue_seconds,
		f.duration_seconds,
		f.created_at,
		f.started_at,
		f.ended_at,
		now()
	FROM (SELECT unnest(merge_playbook_runs.run_id) AS run_id, unnest(merge_playbook_runs.component_key) AS component_key, unnest(merge_playbook_runs.actor_key) AS actor_key, unnest(merge_playbook_runs.run_number) AS run_number, unnest(merge_playbook_runs.playbook_id) AS playbook_id, unnest(merge_playbook_runs.status) AS status, unnest(merge_playbook_runs.was_successful) AS was_successful, unnest(merge_playbook_runs.diagnosis_code) AS diagnosis_code, unnest(merge_playbook_runs.error_id) AS error_id, unnest(merge_playbook_runs.approval_id) AS approval_id, unnest(merge_playbook_runs.queue_seconds) AS queue_seconds, unnest(merge_playbook_runs.duration_seconds) AS duration_seconds, unnest(merge_playbook_runs.created_at) AS created_at, unnest(merge_playbook_runs.started_at) AS started_at, unnest(merge_playbook_runs.ended_at) AS ended_at) AS f
	JOIN unnest(winners) AS w (run_id) ON w.run_id = f.run_id
	JOIN cube.key_playbook_runs k ON k.run_id = w.run_id
	WHERE k.created_at IS NOT NULL
	ON CONFLICT (run_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		component_key = excluded.component_key,
		actor_key = excluded.actor_key,
		run_number = excluded.run_number,
		playbook_id = excluded.playbook_id,
		status = excluded.status,
		was_successful = excluded.was_successful,
		diagnosis_code = CASE WHEN excluded.diagnosis_code = '__debezium_unavailable_value' THEN t.diagnosis_code ELSE excluded.diagnosis_code END,
		error_id = CASE WHEN excluded.error_id = '__debezium_unavailable_value' THEN t.error_id ELSE excluded.error_id END,
		approval_id = excluded.approval_id,
		queue_seconds = excluded.queue_seconds,
		duration_seconds = excluded.duration_seconds,
		started_at = excluded.started_at,
		ended_at = excluded.ended_at,
		loaded_at = excluded.loaded_at
	WHERE (t.run_id, t.time_key, t.component_key, t.actor_key, t.run_number, t.playbook_id, t.status, t.was_successful, t.diagnosis_code, t.error_id, t.approval_id, t.queue_seconds, t.duration_seconds, t.created_at, t.started_at, t.ended_at) IS DISTINCT FROM (excluded.run_id, excluded.time_key, excluded.component_key, excluded.actor_key, excluded.run_number, excluded.playbook_id, excluded.status, excluded.was_successful, CASE WHEN excluded.diagnosis_code = '__debezium_unavailable_value' THEN t.diagnosis_code ELSE excluded.diagnosis_code END, CASE WHEN excluded.error_id = '__debezium_unavailable_value' THEN t.error_id ELSE excluded.error_id END, excluded.approval_id, excluded.queue_seconds, excluded.duration_seconds, excluded.created_at, excluded.started_at, excluded.ended_at);
	END IF;
	RETURN not_applied;
END $function$;
