-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.follow_playbook_step_runs()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF NEW.step_run_id <> OLD.step_run_id THEN
		RAISE EXCEPTION 'the key of a fact cannot be changed by hand: %', OLD.step_run_id USING ERRCODE = 'restrict_violation',
			HINT = 'Delete the row; a record with the new key makes another one.';
	END IF;
	UPDATE cube.key_playbook_step_runs k SET created_at = NEW.created_at, prev_created_at = k.created_at WHERE k.step_run_id = OLD.step_run_id AND k.created_at = OLD.created_at;
	NEW.time_key := cube.time_key(NEW.created_at);
	PERFORM cube.ensure_hours(ARRAY[NEW.time_key / 60]);
	RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION cube.forget_playbook_step_runs()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	UPDATE cube.key_playbook_step_runs k SET created_at = NULL, prev_created_at = k.created_at FROM old_rows o WHERE k.step_run_id = o.step_run_id AND k.created_at = o.created_at;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.lock_playbook_step_runs(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.key_playbook_step_runs AS k (step_run_id) SELECT DISTINCT i COLLATE "C" FROM unnest(keys) i WHERE i IS NOT NULL ORDER BY 1
	ON CONFLICT (step_run_id) DO UPDATE SET step_run_id = excluded.step_run_id WHERE false;
END $function$;

CREATE OR REPLACE FUNCTION cube.merge_playbook_step_runs(step_run_id text[], run_id text[], step_order integer[], status text[], was_successful boolean[], duration_seconds double precision[], log text[], created_at timestamp with time zone[], ended_at timestamp with time zone[], deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
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
	closed_before constant timestamptz := cube.pass_horizon('fact_playbook_step_runs');
	known_prev_created_at timestamp with time zone[]; known_run_actor_key integer[]; known_run_component_key integer[];
BEGIN
	-- 1. the versions: every key is locked, in the sender's order, and the newest version stays; closed months are left as they are. What was
	-- written is what this returns: a number of the transaction in the row would be that of another one in a cube that was restored
	WITH w AS (
		INSERT INTO cube.key_playbook_step_runs AS k (step_run_id, created_at, lsn, source_us, kafka_us, record_offset, offset_id , run_id)
		SELECT i.step_run_id, CASE WHEN NOT i.deleted THEN i.created_at END, i.lsn, i.source_us, i.kafka_us, i.record_offset, i.offset_id , i.run_id
		FROM (SELECT unnest(merge_playbook_step_runs.step_run_id) AS step_run_id, unnest(merge_playbook_step_runs.created_at) AS created_at, unnest(merge_playbook_step_runs.run_id) AS run_id, unnest(merge_playbook_step_runs.deleted) AS deleted, unnest(merge_playbook_step_runs.lsn) AS lsn, unnest(merge_playbook_step_runs.source_us) AS source_us, unnest(merge_playbook_step_runs.kafka_us) AS kafka_us, unnest(merge_playbook_step_runs.record_offset) AS record_offset, unnest(merge_playbook_step_runs.offset_id) AS offset_id) AS i
		WHERE i.deleted OR i.created_at >= closed_before
		ON CONFLICT (step_run_id) DO UPDATE SET created_at = excluded.created_at, prev_created_at = k.created_at, lsn = excluded.lsn,
			source_us = excluded.source_us, kafka_us = excluded.kafka_us, record_offset = excluded.record_offset,
			offset_id = coalesce(excluded.offset_id, k.offset_id) , run_id = excluded.run_id
		-- a key that was only locked is no delete: it has no version yet
		WHERE (k.created_at IS NULL OR k.created_at >= closed_before) AND cube.replaces(
			excluded.created_at IS NULL, excluded.lsn, excluded.source_us, excluded.kafka_us, excluded.record_offset,
			k.created_at IS NULL AND k.kafka_us > 0, k.lsn, k.source_us, k.kafka_us, k.record_offset)
		RETURNING k.step_run_id, k.created_at, k.prev_created_at, k.run_actor_key, k.run_component_key)
	SELECT array_agg(w.step_run_id), array_agg(w.step_run_id) FILTER (WHERE w.created_at IS NULL AND w.prev_created_at IS NOT NULL),
		array_agg(w.step_run_id) FILTER (WHERE w.created_at <> w.prev_created_at), array_agg(w.prev_created_at), array_agg(w.run_actor_key), array_agg(w.run_component_key)
	INTO winners, deleted_keys, moved_keys, known_prev_created_at, known_run_actor_key, known_run_component_key FROM w;

	-- 2. the others were older than what is there, or of a closed month: the ledger counts them as superseded, or as expired
	IF winners IS NULL OR cardinality(winners) < cardinality(merge_playbook_step_runs.step_run_id) THEN
		WITH l AS (
			UPDATE cube.etl_offset o SET applied = o.applied - l.old - l.expired, superseded = o.superseded + l.old,
				ignored = o.ignored + l.expired, expired = o.expired + l.expired, contradicting = o.contradicting + l.contradicting
			FROM (SELECT i.offset_id, count(*) FILTER (WHERE NOT c.is_closed) AS old, count(*) FILTER (WHERE c.is_closed) AS expired,
					count(*) FILTER (WHERE NOT c.is_closed AND cube.own_us(i.source_us, i.kafka_us) > cube.own_us(k.source_us, k.kafka_us)) AS contradicting
				FROM unnest(merge_playbook_step_runs.step_run_id, merge_playbook_step_runs.created_at, merge_playbook_step_runs.deleted, merge_playbook_step_runs.source_us, merge_playbook_step_runs.kafka_us, merge_playbook_step_runs.offset_id)
					AS i (step_run_id, created_at, deleted, source_us, kafka_us, offset_id)
				LEFT JOIN unnest(winners) AS w (step_run_id) ON w.step_run_id = i.step_run_id
				LEFT JOIN cube.key_playbook_step_runs k ON k.step_run_id = i.step_run_id
				CROSS JOIN LATERAL (SELECT coalesce(k.created_at < closed_before OR NOT i.deleted AND i.created_at < closed_before, false) AS is_closed) c
				WHERE i.offset_id IS NOT NULL AND w.step_run_id IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
			WHERE o.offset_id = l.offset_id RETURNING l.old + l.expired AS n)
		SELECT coalesce(sum(l.n), 0) INTO not_applied FROM l;
	END IF;

	-- 3. rows that are deleted, and rows whose created_at was corrected: those move, they do not double. Both are few: asked for by key
	IF deleted_keys IS NOT NULL THEN
		DELETE FROM cube.fact_playbook_step_runs f USING cube.key_playbook_step_runs k
		WHERE k.step_run_id = ANY (deleted_keys) AND f.step_run_id = k.step_run_id AND f.created_at = k.prev_created_at;
	END IF;
	IF moved_keys IS NOT NULL THEN
		UPDATE cube.fact_playbook_step_runs f SET created_at = k.created_at, time_key = cube.time_key(k.created_at) FROM cube.key_playbook_step_runs k
		WHERE k.step_run_id = ANY (moved_keys) AND f.step_run_id = k.step_run_id AND f.created_at = k.prev_created_at;
	END IF;

	-- 4. the facts; a row that would not change is not written
	-- what the parents say now; they were locked before, so the later of the two sees the other
	UPDATE cube.key_playbook_step_runs t SET run_actor_key = n.run_actor_key, run_component_key = n.run_component_key FROM (SELECT k.step_run_id, (coalesce((SELECT r.actor_key FROM cube.key_playbook_runs p JOIN cube.fact_playbook_runs r ON r.run_id = p.run_id AND r.created_at = p.created_at WHERE p.run_id = k.run_id), CASE WHEN EXISTS (SELECT FROM cube.key_playbook_runs p WHERE p.run_id = k.run_id AND p.created_at < cube.closed_before('fact_playbook_runs')) THEN k.run_actor_key END)) AS run_actor_key, (coalesce((SELECT r.component_key FROM cube.key_playbook_runs p JOIN cube.fact_playbook_runs r ON r.run_id = p.run_id AND r.created_at = p.created_at WHERE p.run_id = k.run_id), CASE WHEN EXISTS (SELECT FROM cube.key_playbook_runs p WHERE p.run_id = k.run_id AND p.created_at < cube.closed_before('fact_playbook_runs')) THEN k.run_component_key END)) AS run_component_key FROM unnest(winners) AS i (step_run_id) JOIN cube.key_playbook_step_runs k ON k.step_run_id = i.step_run_id) n
	WHERE t.step_run_id = n.step_run_id AND (t.run_actor_key, t.run_component_key) IS DISTINCT FROM (n.run_actor_key, n.run_component_key);
	INSERT INTO cube.fact_playbook_step_runs AS t (step_run_id, time_key, component_key, actor_key, run_id, step_order, status, was_successful, duration_seconds, log, created_at, ended_at, loaded_at)
	SELECT f.step_run_id,
		cube.time_key(f.created_at),
		(coalesce(k.run_component_key, 0)),
		(coalesce(k.run_actor_key, 0)),
		f.run_id,
		f.step_order,
		f.status,
		f.was_successful,
		f.duration_seconds,
		CASE WHEN f.log = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.log END,
		f.created_at,
		f.ended_at,
		now()
	FROM (SELECT unnest(merge_playbook_step_runs.step_run_id) AS step_run_id, unnest(merge_playbook_step_runs.run_id) AS run_id, unnest(merge_playbook_step_runs.step_order) AS step_order, unnest(merge_playbook_step_runs.status) AS status, unnest(merge_playbook_step_runs.was_successful) AS was_successful, unnest(merge_playbook_step_runs.duration_seconds) AS duration_seconds, unnest(merge_playbook_step_runs.log) AS log, unnest(merge_playbook_step_runs.created_at) AS created_at, unnest(merge_playbook_step_runs.ended_at) AS ended_at) AS f
	JOIN unnest(winners) AS w (step_run_id) ON w.step_run_id = f.step_run_id
	JOIN cube.key_playbook_step_runs k ON k.step_run_id = w.step_run_id
	WHERE k.created_at IS NOT NULL
	ON CONFLICT (step_run_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		component_key = excluded.component_key,
		actor_key = excluded.actor_key,
		run_id = excluded.run_id,
		step_order = excluded.step_order,
		status = excluded.status,
		was_successful = excluded.was_successful,
		duration_seconds = excluded.duration_seconds,
		log = CASE WHEN excluded.log = '__debezium_unavailable_value' THEN t.log ELSE excluded.log END,
		ended_at = excluded.ended_at,
		loaded_at = excluded.loaded_at
	WHERE (t.step_run_id, t.time_key, t.component_key, t.actor_key, t.run_id, t.step_order, t.status, t.was_successful, t.duration_seconds, t.log, t.created_at, t.ended_at) IS DISTINCT FROM (excluded.step_run_id, excluded.time_key, excluded.component_key, excluded.actor_key, excluded.run_id, excluded.step_order, excluded.status, excluded.was_successful, excluded.duration_seconds, CASE WHEN excluded.log = '__debezium_unavailable_value' THEN t.log ELSE excluded.log END, excluded.created_at, excluded.ended_at);
	RETURN not_applied;
END $function$;

CREATE OR REPLACE FUNCTION cube.parent_fact_playbook_runs_of_playbook_step_runs()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
DECLARE keys text[];
BEGIN
	IF NOT EXISTS (SELECT FROM cube.key_playbook_step_runs k WHERE k.run_id IS NOT NULL) THEN RETURN NULL; END IF;
	keys := ARRAY(SELECT k.step_run_id FROM changed c JOIN cube.key_playbook_step_runs k ON k.run_id = c.run_id LIMIT cube.keys_at_once() + 1);
	IF cardinality(keys) <= cube.keys_at_once() THEN
		PERFORM cube.relink_playbook_step_runs(keys);
	ELSE
		PERFORM cube.relink_named('playbook_step_runs', 'run_id', ARRAY(SELECT DISTINCT c.run_id::text FROM changed c));
	END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.relink_playbook_step_runs(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF keys IS NULL OR cardinality(keys) = 0 THEN RETURN; END IF;
	PERFORM cube.lock_playbook_step_runs(keys);
	UPDATE cube.key_playbook_step_runs t SET run_actor_key = n.run_actor_key, run_component_key = n.run_component_key FROM (SELECT k.step_run_id, (coalesce((SELECT r.actor_key FROM cube.key_playbook_runs p JOIN cube.fact_playbook_runs r ON r.run_id = p.run_id AND r.created_at = p.created_at WHERE p.run_id = k.run_id), CASE WHEN EXISTS (SELECT FROM cube.key_playbook_runs p WHERE p.run_id = k.run_id AND p.created_at < cube.closed_before('fact_playbook_runs')) THEN k.run_actor_key END)) AS run_actor_key, (coalesce((SELECT r.component_key FROM cube.key_playbook_runs p JOIN cube.fact_playbook_runs r ON r.run_id = p.run_id AND r.created_at = p.created_at WHERE p.run_id = k.run_id), CASE WHEN EXISTS (SELECT FROM cube.key_playbook_runs p WHERE p.run_id = k.run_id AND p.created_at < cube.closed_before('fact_playbook_runs')) THEN k.run_component_key END)) AS run_component_key FROM cube.key_playbook_step_runs k WHERE k.step_run_id = ANY (keys)) n WHERE t.step_run_id = n.step_run_id AND (t.run_actor_key, t.run_component_key) IS DISTINCT FROM (n.run_actor_key, n.run_component_key);
	UPDATE cube.fact_playbook_step_runs f SET actor_key = (coalesce(k.run_actor_key, 0)), component_key = (coalesce(k.run_component_key, 0)), loaded_at = now()
	FROM cube.key_playbook_step_runs k
	WHERE k.step_run_id = ANY (keys) AND k.created_at IS NOT NULL AND f.step_run_id = k.step_run_id AND f.created_at = k.created_at
		AND (f.actor_key, f.component_key) IS DISTINCT FROM ((coalesce(k.run_actor_key, 0)), (coalesce(k.run_component_key, 0)));
END $function$;
