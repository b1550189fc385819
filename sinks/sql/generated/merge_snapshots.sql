-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.follow_snapshots()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF NEW.snapshot_id <> OLD.snapshot_id THEN
		RAISE EXCEPTION 'the key of a fact cannot be changed by hand: %', OLD.snapshot_id USING ERRCODE = 'restrict_violation',
			HINT = 'Delete the row; a record with the new key makes another one.';
	END IF;
	UPDATE cube.key_snapshots k SET created_at = NEW.created_at, prev_created_at = k.created_at WHERE k.snapshot_id = OLD.snapshot_id AND k.created_at = OLD.created_at;
	NEW.time_key := cube.time_key(NEW.created_at);
	PERFORM cube.ensure_hours(ARRAY[NEW.time_key / 60]);
	RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION cube.forget_snapshots()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	UPDATE cube.key_snapshots k SET created_at = NULL, prev_created_at = k.created_at FROM old_rows o WHERE k.snapshot_id = o.snapshot_id AND k.created_at = o.created_at;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.lock_snapshots(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.key_snapshots AS k (snapshot_id) SELECT DISTINCT i COLLATE "C" FROM unnest(keys) i WHERE i IS NOT NULL ORDER BY 1
	ON CONFLICT (snapshot_id) DO UPDATE SET snapshot_id = excluded.snapshot_id WHERE false;
END $function$;

CREATE OR REPLACE FUNCTION cube.merge_snapshots(snapshot_id text[], actor_key integer[], contract_id text[], snapshot_type text[], status text[], system_health_score double precision[], is_golden boolean[], is_validated boolean[], validation_seconds double precision[], triggered_by text[], notes text[], created_at timestamp with time zone[], validated_at timestamp with time zone[], restored_at timestamp with time zone[], deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
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
	closed_before constant timestamptz := cube.pass_horizon('fact_snapshots');
	known_prev_created_at timestamp with time zone[];
BEGIN
	-- 1. the versions: every key is locked, in the sender's order, and the newest version stays; closed months are left as they are. What was
	-- written is what this returns: a number of the transaction in the row would be that of another one in a cube that was restored
	WITH w AS (
		INSERT INTO cube.key_snapshots AS k (snapshot_id, created_at, lsn, source_us, kafka_us, record_offset, offset_id )
		SELECT i.snapshot_id, CASE WHEN NOT i.deleted THEN i.created_at END, i.lsn, i.source_us, i.kafka_us, i.record_offset, i.offset_id 
		FROM (SELECT unnest(merge_snapshots.snapshot_id) AS snapshot_id, unnest(merge_snapshots.created_at) AS created_at, unnest(merge_snapshots.deleted) AS deleted, unnest(merge_snapshots.lsn) AS lsn, unnest(merge_snapshots.source_us) AS source_us, unnest(merge_snapshots.kafka_us) AS kafka_us, unnest(merge_snapshots.record_offset) AS record_offset, unnest(merge_snapshots.offset_id) AS offset_id) AS i
		WHERE i.deleted OR i.created_at >= closed_before
		ON CONFLICT (snapshot_id) DO UPDATE SET created_at = excluded.created_at, prev_created_at = k.created_at, lsn = excluded.lsn,
			source_us = excluded.source_us, kafka_us = excluded.kafka_us, record_offset = excluded.record_offset,
			offset_id = coalesce(excluded.offset_id, k.offset_id) 
		-- a key that was only locked is no delete: it has no version yet
		WHERE (k.created_at IS NULL OR k.created_at >= closed_before) AND cube.replaces(
			excluded.created_at IS NULL, excluded.lsn, excluded.source_us, excluded.kafka_us, excluded.record_offset,
			k.created_at IS NULL AND k.kafka_us > 0, k.lsn, k.source_us, k.kafka_us, k.record_offset)
		RETURNING k.snapshot_id, k.created_at, k.prev_created_at)
	SELECT array_agg(w.snapshot_id), array_agg(w.snapshot_id) FILTER (WHERE w.created_at IS NULL AND w.prev_created_at IS NOT NULL),
		array_agg(w.snapshot_id) FILTER (WHERE w.created_at <> w.prev_created_at), array_agg(w.prev_created_at)
	INTO winners, deleted_keys, moved_keys, known_prev_created_at FROM w;

	-- 2. the others were older than what is there, or of a closed month: the ledger counts them as superseded, or as expired
	IF winners IS NULL OR cardinality(winners) < cardinality(merge_snapshots.snapshot_id) THEN
		WITH l AS (
			UPDATE cube.etl_offset o SET applied = o.applied - l.old - l.expired, superseded = o.superseded + l.old,
				ignored = o.ignored + l.expired, expired = o.expired + l.expired, contradicting = o.contradicting + l.contradicting
			FROM (SELECT i.offset_id, count(*) FILTER (WHERE NOT c.is_closed) AS old, count(*) FILTER (WHERE c.is_closed) AS expired,
					count(*) FILTER (WHERE NOT c.is_closed AND cube.own_us(i.source_us, i.kafka_us) > cube.own_us(k.source_us, k.kafka_us)) AS contradicting
				FROM unnest(merge_snapshots.snapshot_id, merge_snapshots.created_at, merge_snapshots.deleted, merge_snapshots.source_us, merge_snapshots.kafka_us, merge_snapshots.offset_id)
					AS i (snapshot_id, created_at, deleted, source_us, kafka_us, offset_id)
				LEFT JOIN unnest(winners) AS w (snapshot_id) ON w.snapshot_id = i.snapshot_id
				LEFT JOIN cube.key_snapshots k ON k.snapshot_id = i.snapshot_id
				CROSS JOIN LATERAL (SELECT coalesce(k.created_at < closed_before OR NOT i.deleted AND i.created_at < closed_before, false) AS is_closed) c
				WHERE i.offset_id IS NOT NULL AND w.snapshot_id IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
			WHERE o.offset_id = l.offset_id RETURNING l.old + l.expired AS n)
		SELECT coalesce(sum(l.n), 0) INTO not_applied FROM l;
	END IF;

	-- 3. rows that are deleted, and rows whose created_at was corrected: those move, they do not double. Both are few: asked for by key
	IF deleted_keys IS NOT NULL THEN
		DELETE FROM cube.fact_snapshots f USING cube.key_snapshots k
		WHERE k.snapshot_id = ANY (deleted_keys) AND f.snapshot_id = k.snapshot_id AND f.created_at = k.prev_created_at;
	END IF;
	IF moved_keys IS NOT NULL THEN
		UPDATE cube.fact_snapshots f SET created_at = k.created_at, time_key = cube.time_key(k.created_at) FROM cube.key_snapshots k
		WHERE k.snapshot_id = ANY (moved_keys) AND f.snapshot_id = k.snapshot_id AND f.created_at = k.prev_created_at;
	END IF;

	-- 4. the facts; a row that would not change is not written
	-- nearly always all keys win and no row moves: then the key rows are at hand, in the order of the arguments
	IF winners = merge_snapshots.snapshot_id AND moved_keys IS NULL THEN
	INSERT INTO cube.fact_snapshots AS t (snapshot_id, time_key, actor_key, contract_id, snapshot_type, status, system_health_score, is_golden, is_validated, validation_seconds, triggered_by, notes, created_at, validated_at, restored_at, loaded_at)
	SELECT f.snapshot_id,
		cube.time_key(f.created_at),
		f.actor_key,
		f.contract_id,
		f.snapshot_type,
		f.status,
		f.system_health_score,
		f.is_golden,
		f.is_validated,
		f.validation_seconds,
		f.triggered_by,
		CASE WHEN f.notes = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.notes END,
		f.created_at,
		f.validated_at,
		f.restored_at,
		now()
	FROM (SELECT unnest(merge_snapshots.snapshot_id) AS snapshot_id, unnest(merge_snapshots.actor_key) AS actor_key, unnest(merge_snapshots.contract_id) AS contract_id, unnest(merge_snapshots.snapshot_type) AS snapshot_type, unnest(merge_snapshots.status) AS status, unnest(merge_snapshots.system_health_score) AS system_health_score, unnest(merge_snapshots.is_golden) AS is_golden, unnest(merge_snapshots.is_validated) AS is_validated, unnest(merge_snapshots.validation_seconds) AS validation_seconds, unnest(merge_snapshots.triggered_by) AS triggered_by, unnest(merge_snapshots.notes) AS notes, unnest(merge_snapshots.created_at) AS created_at, unnest(merge_snapshots.validated_at) AS validated_at, unnest(merge_snapshots.restored_at) AS restored_at, unnest(merge_snapshots.deleted) AS deleted, unnest(known_prev_created_at) AS known_prev_created_at) AS f,
		LATERAL (SELECT f.created_at, f.snapshot_id, f.known_prev_created_at AS prev_created_at) AS k
	WHERE NOT f.deleted
	ON CONFLICT (snapshot_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		actor_key = excluded.actor_key,
		contract_id = excluded.contract_id,
		snapshot_type = excluded.snapshot_type,
		status = excluded.status,
		system_health_score = excluded.system_health_score,
		is_golden = excluded.is_golden,
		is_validated = excluded.is_validated,
		validation_seconds = excluded.validation_seconds,
		triggered_by = excluded.triggered_by,
		notes = CASE WHEN excluded.notes = '__debezium_unavailable_value' THEN t.notes ELSE excluded.notes END,
		validated_at = excluded.validated_at,
		restored_at = excluded.restored_at,
		loaded_at = excluded.loaded_at
	WHERE (t.snapshot_id, t.time_key, t.actor_key, t.contract_id, t.snapshot_type, t.status, t.system_health_score, t.is_golden, t.is_validated, t.validation_seconds, t.triggered_by, t.notes, t.created_at, t.validated_at, t.restored_at) IS DISTINCT FROM (excluded.snapshot_id, excluded.time_key, excluded.actor_key, excluded.contract_id, excluded.snapshot_type, excluded.status, excluded.system_health_score, excluded.is_golden, excluded.is_validated, excluded.validation_seconds, excluded.triggered_by, CASE WHEN excluded.notes = '__debezium_unavailable_value' THEN t.notes ELSE excluded.notes END, excluded.created_at, excluded.validated_at, excluded.restored_at);
	ELSIF winners IS NOT NULL THEN
	INSERT INTO cube.fact_snapshots AS t (snapshot_id, time_key, actor_key, contract_id, snapshot_type, status, system_health_score, is_golden, is_validated, validation_seconds, triggered_by, notes, created_at, validated_at, restored_at, loaded_at)
	SELECT f.snapshot_id,
		cube.time_key(f.created_at),
		f.actor_key,
		f.contract_id,
		f.snapshot_type,
		f.status,
		f.system_health_score,
		f.is_golden,
		f.is_validated,
		f.validation_seconds,
		f.triggered_by,
		CASE WHEN f.notes = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.notes END,
		f.created_at,
		f.validated_at,
		f.restored_at,
		now()
	FROM (SELECT unnest(merge_snapshots.snapshot_id) AS snapshot_id, unnest(merge_snapshots.actor_key) AS actor_key, unnest(merge_snapshots.contract_id) AS contract_id, unnest(merge_snapshots.snapshot_type) AS snapshot_type, unnest(merge_snapshots.status) AS status, unnest(merge_snapshots.system_health_score) AS system_health_score, unnest(merge_snapshots.is_golden) AS is_golden, unnest(merge_snapshots.is_validated) AS is_validated, unnest(merge_snapshots.validation_seconds) AS validation_seconds, unnest(merge_snapshots.triggered_by) AS triggered_by, unnest(merge_snapshots.notes) AS notes, unnest(merge_snapshots.created_at) AS created_at, unnest(merge_snapshots.validated_at) AS validated_at, unnest(merge_snapshots.restored_at) AS restored_at) AS f
	JOIN unnest(winners) AS w (snapshot_id) ON w.snapshot_id = f.snapshot_id
	JOIN cube.key_snapshots k ON k.snapshot_id = w.snapshot_id
	WHERE k.created_at IS NOT NULL
	ON CONFLICT (snapshot_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		actor_key = excluded.actor_key,
		contract_id = excluded.contract_id,
		snapshot_type = excluded.snapshot_type,
		status = excluded.status,
		system_health_score = excluded.system_health_score,
		is_golden = excluded.is_golden,
		is_validated = excluded.is_validated,
		validation_seconds = excluded.validation_seconds,
		triggered_by = excluded.triggered_by,
		notes = CASE WHEN excluded.notes = '__debezium_unavailable_value' THEN t.notes ELSE excluded.notes END,
		validated_at = excluded.validated_at,
		restored_at = excluded.restored_at,
		loaded_at = excluded.loaded_at
	WHERE (t.snapshot_id, t.time_key, t.actor_key, t.contract_id, t.snapshot_type, t.status, t.system_health_score, t.is_golden, t.is_validated, t.validation_seconds, t.triggered_by, t.notes, t.created_at, t.validated_at, t.restored_at) IS DISTINCT FROM (excluded.snapshot_id, excluded.time_key, excluded.actor_key, excluded.contract_id, excluded.snapshot_type, excluded.status, excluded.system_health_score, excluded.is_golden, excluded.is_validated, excluded.validation_seconds, excluded.triggered_by, CASE WHEN excluded.notes = '__debezium_unavailable_value' THEN t.notes ELSE excluded.notes END, excluded.created_at, excluded.validated_at, excluded.restored_at);
	END IF;
	RETURN not_applied;
END $function$;
