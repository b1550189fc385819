-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.follow_benchmark_runs()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF NEW.benchmark_id <> OLD.benchmark_id THEN
		RAISE EXCEPTION 'the key of a fact cannot be changed by hand: %', OLD.benchmark_id USING ERRCODE = 'restrict_violation',
			HINT = 'Delete the row; a record with the new key makes another one.';
	END IF;
	UPDATE cube.key_benchmark_runs k SET created_at = NEW.created_at, prev_created_at = k.created_at WHERE k.benchmark_id = OLD.benchmark_id AND k.created_at = OLD.created_at;
	NEW.time_key := cube.time_key(NEW.created_at);
	PERFORM cube.ensure_hours(ARRAY[NEW.time_key / 60]);
	RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION cube.forget_benchmark_runs()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	UPDATE cube.key_benchmark_runs k SET created_at = NULL, prev_created_at = k.created_at FROM old_rows o WHERE k.benchmark_id = o.benchmark_id AND k.created_at = o.created_at;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.lock_benchmark_runs(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.key_benchmark_runs AS k (benchmark_id) SELECT DISTINCT i COLLATE "C" FROM unnest(keys) i WHERE i IS NOT NULL ORDER BY 1
	ON CONFLICT (benchmark_id) DO UPDATE SET benchmark_id = excluded.benchmark_id WHERE false;
END $function$;

CREATE OR REPLACE FUNCTION cube.merge_benchmark_runs(benchmark_id text[], actor_key integer[], run_id text[], contract_id text[], benchmark_type text[], passed boolean[], drift_detected boolean[], drift_score double precision[], duration_seconds double precision[], baseline_id text[], is_golden boolean[], triggered_by text[], created_at timestamp with time zone[], deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
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
	closed_before constant timestamptz := cube.pass_horizon('fact_benchmark_runs');
	known_prev_created_at timestamp with time zone[];
BEGIN
	-- 1. the versions: every key is locked, in the sender's order, and the newest version stays; closed months are left as they are. What was
	-- written is what this returns: a number of the transaction in the row would be that of another one in a cube that was restored
	WITH w AS (
		INSERT INTO cube.key_benchmark_runs AS k (benchmark_id, created_at, lsn, source_us, kafka_us, record_offset, offset_id )
		SELECT i.benchmark_id, CASE WHEN NOT i.deleted THEN i.created_at END, i.lsn, i.source_us, i.kafka_us, i.record_offset, i.offset_id 
		FROM (SELECT unnest(merge_benchmark_runs.benchmark_id) AS benchmark_id, unnest(merge_benchmark_runs.created_at) AS created_at, unnest(merge_benchmark_runs.deleted) AS deleted, unnest(merge_benchmark_runs.lsn) AS lsn, unnest(merge_benchmark_runs.source_us) AS source_us, unnest(merge_benchmark_runs.kafka_us) AS kafka_us, unnest(merge_benchmark_runs.record_offset) AS record_offset, unnest(merge_benchmark_runs.offset_id) AS offset_id) AS i
		WHERE i.deleted OR i.created_at >= closed_before
		ON CONFLICT (benchmark_id) DO UPDATE SET created_at = excluded.created_at, prev_created_at = k.created_at, lsn = excluded.lsn,
			source_us = excluded.source_us, kafka_us = excluded.kafka_us, record_offset = excluded.record_offset,
			offset_id = coalesce(excluded.offset_id, k.offset_id) 
		-- a key that was only locked is no delete: it has no version yet
		WHERE (k.created_at IS NULL OR k.created_at >= closed_before) AND cube.replaces(
			excluded.created_at IS NULL, excluded.lsn, excluded.source_us, excluded.kafka_us, excluded.record_offset,
			k.created_at IS NULL AND k.kafka_us > 0, k.lsn, k.source_us, k.kafka_us, k.record_offset)
		RETURNING k.benchmark_id, k.created_at, k.prev_created_at)
	SELECT array_agg(w.benchmark_id), array_agg(w.benchmark_id) FILTER (WHERE w.created_at IS NULL AND w.prev_created_at IS NOT NULL),
		array_agg(w.benchmark_id) FILTER (WHERE w.created_at <> w.prev_created_at), array_agg(w.prev_created_at)
	INTO winners, deleted_keys, moved_keys, known_prev_created_at FROM w;

	-- 2. the others were older than what is there, or of a closed month: the ledger counts them as superseded, or as expired
	IF winners IS NULL OR cardinality(winners) < cardinality(merge_benchmark_runs.benchmark_id) THEN
		WITH l AS (
			UPDATE cube.etl_offset o SET applied = o.applied - l.old - l.expired, superseded = o.superseded + l.old,
				ignored = o.ignored + l.expired, expired = o.expired + l.expired, contradicting = o.contradicting + l.contradicting
			FROM (SELECT i.offset_id, count(*) FILTER (WHERE NOT c.is_closed) AS old, count(*) FILTER (WHERE c.is_closed) AS expired,
					count(*) FILTER (WHERE NOT c.is_closed AND cube.own_us(i.source_us, i.kafka_us) > cube.own_us(k.source_us, k.kafka_us)) AS contradicting
				FROM unnest(merge_benchmark_runs.benchmark_id, merge_benchmark_runs.created_at, merge_benchmark_runs.deleted, merge_benchmark_runs.source_us, merge_benchmark_runs.kafka_us, merge_benchmark_runs.offset_id)
					AS i (benchmark_id, created_at, deleted, source_us, kafka_us, offset_id)
				LEFT JOIN unnest(winners) AS w (benchmark_id) ON w.benchmark_id = i.benchmark_id
				LEFT JOIN cube.key_benchmark_runs k ON k.benchmark_id = i.benchmark_id
				CROSS JOIN LATERAL (SELECT coalesce(k.created_at < closed_before OR NOT i.deleted AND i.created_at < closed_before, false) AS is_closed) c
				WHERE i.offset_id IS NOT NULL AND w.benchmark_id IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
			WHERE o.offset_id = l.offset_id RETURNING l.old + l.expired AS n)
		SELECT coalesce(sum(l.n), 0) INTO not_applied FROM l;
	END IF;

	-- 3. rows that are deleted, and rows whose created_at was corrected: those move, they do not double. Both are few: asked for by key
	IF deleted_keys IS NOT NULL THEN
		DELETE FROM cube.fact_benchmark_runs f USING cube.key_benchmark_runs k
		WHERE k.benchmark_id = ANY (deleted_keys) AND f.benchmark_id = k.benchmark_id AND f.created_at = k.prev_created_at;
	END IF;
	IF moved_keys IS NOT NULL THEN
		UPDATE cube.fact_benchmark_runs f SET created_at = k.created_at, time_key = cube.time_key(k.created_at) FROM cube.key_benchmark_runs k
		WHERE k.benchmark_id = ANY (moved_keys) AND f.benchmark_id = k.benchmark_id AND f.created_at = k.prev_created_at;
	END IF;

	-- 4. the facts; a row that would not change is not written
	-- nearly always all keys win and no row moves: then the key rows are at hand, in the order of the arguments
	IF winners = merge_benchmark_runs.benchmark_id AND moved_keys IS NULL THEN
	INSERT INTO cube.fact_benchmark_runs AS t (benchmark_id, time_key, actor_key, run_id, contract_id, benchmark_type, passed, drift_detected, drift_score, duration_seconds, baseline_id, is_golden, triggered_by, created_at, loaded_at)
	SELECT f.benchmark_id,
		cube.time_key(f.created_at),
		f.actor_key,
		f.run_id,
		f.contract_id,
		f.benchmark_type,
		f.passed,
		f.drift_detected,
		CASE WHEN f.drift_score = 'NaN' AND k.prev_created_at IS NULL THEN NULL ELSE f.drift_score END,
		f.duration_seconds,
		f.baseline_id,
		f.is_golden,
		f.triggered_by,
		f.created_at,
		now()
	FROM (SELECT unnest(merge_benchmark_runs.benchmark_id) AS benchmark_id, unnest(merge_benchmark_runs.actor_key) AS actor_key, unnest(merge_benchmark_runs.run_id) AS run_id, unnest(merge_benchmark_runs.contract_id) AS contract_id, unnest(merge_benchmark_runs.benchmark_type) AS benchmark_type, unnest(merge_benchmark_runs.passed) AS passed, unnest(merge_benchmark_runs.drift_detected) AS drift_detected, unnest(merge_benchmark_runs.drift_score) AS drift_score, unnest(merge_benchmark_runs.duration_seconds) AS duration_seconds, unnest(merge_benchmark_runs.baseline_id) AS baseline_id, unnest(merge_benchmark_runs.is_golden) AS is_golden, unnest(merge_benchmark_runs.triggered_by) AS triggered_by, unnest(merge_benchmark_runs.created_at) AS created_at, unnest(merge_benchmark_runs.deleted) AS deleted, unnest(known_prev_created_at) AS known_prev_created_at) AS f,
		LATERAL (SELECT f.created_at, f.benchmark_id, f.known_prev_created_at AS prev_created_at) AS k
	WHERE NOT f.deleted
	ON CONFLICT (benchmark_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		actor_key = excluded.actor_key,
		run_id = excluded.run_id,
		contract_id = excluded.contract_id,
		benchmark_type = excluded.benchmark_type,
		passed = excluded.passed,
		drift_detected = excluded.drift_detected,
		drift_score = CASE WHEN excluded.drift_score = 'NaN' THEN t.drift_score ELSE excluded.drift_score END,
		duration_seconds = excluded.duration_seconds,
		baseline_id = excluded.baseline_id,
		is_golden = excluded.is_golden,
		triggered_by = excluded.triggered_by,
		loaded_at = excluded.loaded_at
	WHERE (t.benchmark_id, t.time_key, t.actor_key, t.run_id, t.contract_id, t.benchmark_type, t.passed, t.drift_detected, t.drift_score, t.duration_seconds, t.baseline_id, t.is_golden, t.triggered_by, t.created_at) IS DISTINCT FROM (excluded.benchmark_id, excluded.time_key, excluded.actor_key, excluded.run_id, excluded.contract_id, excluded.benchmark_type, excluded.passed, excluded.drift_detected, CASE WHEN excluded.drift_score = 'NaN' THEN t.drift_score ELSE excluded.drift_score END, excluded.duration_seconds, excluded.baseline_id, excluded.is_golden, excluded.triggered_by, excluded.created_at);
	ELSIF winners IS NOT NULL THEN
	INSERT INTO cube.fact_benchmark_runs AS t (benchmark_id, time_key, actor_key, run_id, contract_id, benchmark_type, passed, drift_detected, drift_score, duration_seconds, baseline_id, is_golden, triggered_by, created_at, loaded_at)
	SELECT f.benchmark_id,
		cube.time_key(f.created_at),
		f.actor_key,
		f.run_id,
		f.contract_id,
		f.benchmark_type,
		f.passed,
		f.drift_detected,
		CASE WHEN f.drift_score = 'NaN' AND k.prev_created_at IS NULL THEN NULL ELSE f.drift_score END,
		f.duration_seconds,
		f.baseline_id,
		f.is_golden,
		f.triggered_by,
		f.created_at,
		now()
	FROM (SELECT unnest(merge_benchmark_runs.benchmark_id) AS benchmark_id, unnest(merge_benchmark_runs.actor_key) AS actor_key, unnest(merge_benchmark_runs.run_id) AS run_id, unnest(merge_benchmark_runs.contract_id) AS contract_id, unnest(merge_benchmark_runs.benchmark_type) AS benchmark_type, unnest(merge_benchmark_runs.passed) AS passed, unnest(merge_benchmark_runs.drift_detected) AS drift_detected, unnest(merge_benchmark_runs.drift_score) AS drift_score, unnest(merge_benchmark_runs.duration_seconds) AS duration_seconds, unnest(merge_benchmark_runs.baseline_id) AS baseline_id, unnest(merge_benchmark_runs.is_golden) AS is_golden, unnest(merge_benchmark_runs.triggered_by) AS triggered_by, unnest(merge_benchmark_runs.created_at) AS created_at) AS f
	JOIN unnest(winners) AS w (benchmark_id) ON w.benchmark_id = f.benchmark_id
	JOIN cube.key_benchmark_runs k ON k.benchmark_id = w.benchmark_id
	WHERE k.created_at IS NOT NULL
	ON CONFLICT (benchmark_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		actor_key = excluded.actor_key,
		run_id = excluded.run_id,
		contract_id = excluded.contract_id,
		benchmark_type = excluded.benchmark_type,
		passed = excluded.passed,
		drift_detected = excluded.drift_detected,
		drift_score = CASE WHEN excluded.drift_score = 'NaN' THEN t.drift_score ELSE excluded.drift_score END,
		duration_seconds = excluded.duration_seconds,
		baseline_id = excluded.baseline_id,
		is_golden = excluded.is_golden,
		triggered_by = excluded.triggered_by,
		loaded_at = excluded.loaded_at
	WHERE (t.benchmark_id, t.time_key, t.actor_key, t.run_id, t.contract_id, t.benchmark_type, t.passed, t.drift_detected, t.drift_score, t.duration_seconds, t.baseline_id, t.is_golden, t.triggered_by, t.created_at) IS DISTINCT FROM (excluded.benchmark_id, excluded.time_key, excluded.actor_key, excluded.run_id, excluded.contract_id, excluded.benchmark_type, excluded.passed, excluded.drift_detected, CASE WHEN excluded.drift_score = 'NaN' THEN t.drift_score ELSE excluded.drift_score END, excluded.duration_seconds, excluded.baseline_id, excluded.is_golden, excluded.triggered_by, excluded.created_at);
	END IF;
	RETURN not_applied;
END $function$;
