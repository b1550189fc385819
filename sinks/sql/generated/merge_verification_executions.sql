-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.follow_verification_executions()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF NEW.contract_id <> OLD.contract_id THEN
		RAISE EXCEPTION 'the key of a fact cannot be changed by hand: %', OLD.contract_id USING ERRCODE = 'restrict_violation',
			HINT = 'Delete the row; a record with the new key makes another one.';
	END IF;
	UPDATE cube.key_verification_executions k SET created_at = NEW.created_at, prev_created_at = k.created_at WHERE k.contract_id = OLD.contract_id AND k.created_at = OLD.created_at;
	NEW.time_key := cube.time_key(NEW.created_at);
	PERFORM cube.ensure_hours(ARRAY[NEW.time_key / 60]);
	RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION cube.forget_verification_executions()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	UPDATE cube.key_verification_executions k SET created_at = NULL, prev_created_at = k.created_at FROM old_rows o WHERE k.contract_id = o.contract_id AND k.created_at = o.created_at;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.lock_verification_executions(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.key_verification_executions AS k (contract_id) SELECT DISTINCT i COLLATE "C" FROM unnest(keys) i WHERE i IS NOT NULL ORDER BY 1
	ON CONFLICT (contract_id) DO UPDATE SET contract_id = excluded.contract_id WHERE false;
END $function$;

CREATE OR REPLACE FUNCTION cube.merge_verification_executions(contract_id text[], component_key integer[], tier_key integer[], actor_key integer[], action_type text[], playbook_id text[], duration_seconds double precision[], confidence_score double precision[], was_successful boolean[], was_rolled_back boolean[], contract_status text[], error_message text[], created_at timestamp with time zone[], executed_at timestamp with time zone[], verified_at timestamp with time zone[], triggered_by text[], mission_ref text[], tier_text text[], safe_hold_snapshot_id text[], playbook_run_id bigint[], requires_approval boolean[], target_resource text[], own_mission_key integer[], deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
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
	closed_before constant timestamptz := cube.pass_horizon('fact_verification_executions');
	known_prev_created_at timestamp with time zone[]; known_log_mission_key integer[]; known_has_snapshot boolean[]; known_passed_benchmark boolean[]; known_drift_score double precision[];
BEGIN
	-- 1. the versions: every key is locked, in the sender's order, and the newest version stays; closed months are left as they are. What was
	-- written is what this returns: a number of the transaction in the row would be that of another one in a cube that was restored
	WITH w AS (
		INSERT INTO cube.key_verification_executions AS k (contract_id, created_at, lsn, source_us, kafka_us, record_offset, offset_id , own_mission_key, mission_ref, safe_hold_snapshot_id)
		SELECT i.contract_id, CASE WHEN NOT i.deleted THEN i.created_at END, i.lsn, i.source_us, i.kafka_us, i.record_offset, i.offset_id , i.own_mission_key, i.mission_ref, i.safe_hold_snapshot_id
		FROM (SELECT unnest(merge_verification_executions.contract_id) AS contract_id, unnest(merge_verification_executions.created_at) AS created_at, unnest(merge_verification_executions.own_mission_key) AS own_mission_key, unnest(merge_verification_executions.mission_ref) AS mission_ref, unnest(merge_verification_executions.safe_hold_snapshot_id) AS safe_hold_snapshot_id, unnest(merge_verification_executions.deleted) AS deleted, unnest(merge_verification_executions.lsn) AS lsn, unnest(merge_verification_executions.source_us) AS source_us, unnest(merge_verification_executions.kafka_us) AS kafka_us, unnest(merge_verification_executions.record_offset) AS record_offset, unnest(merge_verification_executions.offset_id) AS offset_id) AS i
		WHERE i.deleted OR i.created_at >= closed_before
		ON CONFLICT (contract_id) DO UPDATE SET created_at = excluded.created_at, prev_created_at = k.created_at, lsn = excluded.lsn,
			source_us = excluded.source_us, kafka_us = excluded.kafka_us, record_offset = excluded.record_offset,
			offset_id = coalesce(excluded.offset_id, k.offset_id) , own_mission_key = excluded.own_mission_key, mission_ref = excluded.mission_ref, safe_hold_snapshot_id = excluded.safe_hold_snapshot_id
		-- a key that was only locked is no delete: it has no version yet
		WHERE (k.created_at IS NULL OR k.created_at >= closed_before) AND cube.replaces(
			excluded.created_at IS NULL, excluded.lsn, excluded.source_us, excluded.kafka_us, excluded.record_offset,
			k.created_at IS NULL AND k.kafka_us > 0, k.lsn, k.source_us, k.kafka_us, k.record_offset)
		RETURNING k.contract_id, k.created_at, k.prev_created_at, k.log_mission_key, k.has_snapshot, k.passed_benchmark, k.drift_score)
	SELECT array_agg(w.contract_id), array_agg(w.contract_id) FILTER (WHERE w.created_at IS NULL AND w.prev_created_at IS NOT NULL),
		array_agg(w.contract_id) FILTER (WHERE w.created_at <> w.prev_created_at), array_agg(w.prev_created_at), array_agg(w.log_mission_key), array_agg(w.has_snapshot), array_agg(w.passed_benchmark), array_agg(w.drift_score)
	INTO winners, deleted_keys, moved_keys, known_prev_created_at, known_log_mission_key, known_has_snapshot, known_passed_benchmark, known_drift_score FROM w;

	-- 2. the others were older than what is there, or of a closed month: the ledger counts them as superseded, or as expired
	IF winners IS NULL OR cardinality(winners) < cardinality(merge_verification_executions.contract_id) THEN
		WITH l AS (
			UPDATE cube.etl_offset o SET applied = o.applied - l.old - l.expired, superseded = o.superseded + l.old,
				ignored = o.ignored + l.expired, expired = o.expired + l.expired, contradicting = o.contradicting + l.contradicting
			FROM (SELECT i.offset_id, count(*) FILTER (WHERE NOT c.is_closed) AS old, count(*) FILTER (WHERE c.is_closed) AS expired,
					count(*) FILTER (WHERE NOT c.is_closed AND cube.own_us(i.source_us, i.kafka_us) > cube.own_us(k.source_us, k.kafka_us)) AS contradicting
				FROM unnest(merge_verification_executions.contract_id, merge_verification_executions.created_at, merge_verification_executions.deleted, merge_verification_executions.source_us, merge_verification_executions.kafka_us, merge_verification_executions.offset_id)
					AS i (contract_id, created_at, deleted, source_us, kafka_us, offset_id)
				LEFT JOIN unnest(winners) AS w (contract_id) ON w.contract_id = i.contract_id
				LEFT JOIN cube.key_verification_executions k ON k.contract_id = i.contract_id
				CROSS JOIN LATERAL (SELECT coalesce(k.created_at < closed_before OR NOT i.deleted AND i.created_at < closed_before, false) AS is_closed) c
				WHERE i.offset_id IS NOT NULL AND w.contract_id IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
			WHERE o.offset_id = l.offset_id RETURNING l.old + l.expired AS n)
		SELECT coalesce(sum(l.n), 0) INTO not_applied FROM l;
	END IF;

	-- 3. rows that are deleted, and rows whose created_at was corrected: those move, they do not double. Both are few: asked for by key
	IF deleted_keys IS NOT NULL THEN
		DELETE FROM cube.fact_verification_executions f USING cube.key_verification_executions k
		WHERE k.contract_id = ANY (deleted_keys) AND f.contract_id = k.contract_id AND f.created_at = k.prev_created_at;
	END IF;
	IF moved_keys IS NOT NULL THEN
		UPDATE cube.fact_verification_executions f SET created_at = k.created_at, time_key = cube.time_key(k.created_at) FROM cube.key_verification_executions k
		WHERE k.contract_id = ANY (moved_keys) AND f.contract_id = k.contract_id AND f.created_at = k.prev_created_at;
	END IF;

	-- 4. the facts; a row that would not change is not written
	-- nearly always all keys win and no row moves: then the key rows are at hand, in the order of the arguments
	IF winners = merge_verification_executions.contract_id AND moved_keys IS NULL THEN
	INSERT INTO cube.fact_verification_executions AS t (contract_id, time_key, mission_key, component_key, tier_key, actor_key, action_type, playbook_id, duration_seconds, confidence_score, drift_score, was_successful, was_rolled_back, created_snapshot, passed_benchmark, contract_status, error_message, created_at, executed_at, verified_at, triggered_by, mission_ref, tier_text, safe_hold_snapshot_id, playbook_run_id, requires_approval, loaded_at, target_resource)
	SELECT f.contract_id,
		cube.time_key(f.created_at),
		(coalesce(nullif(k.own_mission_key, 0), (SELECT m.mission_key FROM cube.dim_mission m WHERE m.mission_id = k.mission_ref AND NOT m.is_inferred), k.log_mission_key, 0)),
		f.component_key,
		f.tier_key,
		f.actor_key,
		f.action_type,
		f.playbook_id,
		f.duration_seconds,
		f.confidence_score,
		(k.drift_score),
		f.was_successful,
		f.was_rolled_back,
		(k.safe_hold_snapshot_id IS NOT NULL OR coalesce(k.has_snapshot, false)),
		(k.passed_benchmark),
		f.contract_status,
		CASE WHEN f.error_message = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.error_message END,
		f.created_at,
		f.executed_at,
		f.verified_at,
		f.triggered_by,
		f.mission_ref,
		f.tier_text,
		f.safe_hold_snapshot_id,
		f.playbook_run_id,
		f.requires_approval,
		now(),
		CASE WHEN f.target_resource = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.target_resource END
	FROM (SELECT unnest(merge_verification_executions.contract_id) AS contract_id, unnest(merge_verification_executions.component_key) AS component_key, unnest(merge_verification_executions.tier_key) AS tier_key, unnest(merge_verification_executions.actor_key) AS actor_key, unnest(merge_verification_executions.action_type) AS action_type, unnest(merge_verification_executions.playbook_id) AS playbook_id, unnest(merge_verification_executions.duration_seconds) AS duration_seconds, unnest(merge_verification_executions.confidence_score) AS confidence_score, unnest(merge_verification_executions.was_successful) AS was_successful, unnest(merge_verification_executions.was_rolled_back) AS was_rolled_back, unnest(merge_verification_executions.contract_status) AS contract_status, unnest(merge_verification_executions.error_message) AS error_message, unnest(merge_verification_executions.created_at) AS created_at, unnest(merge_verification_executions.executed_at) AS executed_at, unnest(merge_verification_executions.verified_at) AS verified_at, unnest(merge_verification_executions.triggered_by) AS triggered_by, unnest(merge_verification_executions.mission_ref) AS mission_ref, unnest(merge_verification_executions.tier_text) AS tier_text, unnest(merge_verification_executions.safe_hold_snapshot_id) AS safe_hold_snapshot_id, unnest(merge_verification_executions.playbook_run_id) AS playbook_run_id, unnest(merge_verification_executions.requires_approval) AS requires_approval, unnest(merge_verification_executions.target_resource) AS target_resource, unnest(merge_verification_executions.own_mission_key) AS own_mission_key, unnest(merge_verification_executions.deleted) AS deleted, unnest(known_prev_created_at) AS known_prev_created_at, unnest(known_log_mission_key) AS known_log_mission_key, unnest(known_has_snapshot) AS known_has_snapshot, unnest(known_passed_benchmark) AS known_passed_benchmark, unnest(known_drift_score) AS known_drift_score) AS f,
		LATERAL (SELECT f.created_at, f.contract_id, f.own_mission_key, f.mission_ref, f.safe_hold_snapshot_id, f.known_prev_created_at AS prev_created_at, f.known_log_mission_key AS log_mission_key, f.known_has_snapshot AS has_snapshot, f.known_passed_benchmark AS passed_benchmark, f.known_drift_score AS drift_score) AS k
	WHERE NOT f.deleted
	ON CONFLICT (contract_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		mission_key = excluded.mission_key,
		component_key = excluded.component_key,
		tier_key = excluded.tier_key,
		actor_key = excluded.actor_key,
		action_type = excluded.action_type,
		playbook_id = excluded.playbook_id,
		duration_seconds = excluded.duration_seconds,
		confidence_score = excluded.confidence_score,
		drift_score = excluded.drift_score,
		was_successful = excluded.was_successful,
		was_rolled_back = excluded.was_rolled_back,
		created_snapshot = excluded.created_snapshot,
		passed_benchmark = excluded.passed_benchmark,
		contract_status = excluded.contract_status,
		error_message = CASE WHEN excluded.error_message = '__debezium_unavailable_value' THEN t.error_message ELSE excluded.error_message END,
		executed_at = excluded.executed_at,
		verified_at = excluded.verified_at,
		triggered_by = excluded.triggered_by,
		mission_ref = excluded.mission_ref,
		tier_text = excluded.tier_text,
		safe_hold_snapshot_id = excluded.safe_hold_snapshot_id,
		playbook_run_id = excluded.playbook_run_id,
		requires_approval = excluded.requires_approval,
		loaded_at = excluded.loaded_at,
		target_resource = CASE WHEN excluded.target_resource = '__debezium_unavailable_value' THEN t.target_resource ELSE excluded.target_resource END
	WHERE (t.contract_id, t.time_key, t.mission_key, t.component_key, t.tier_key, t.actor_key, t.action_type, t.playbook_id, t.duration_seconds, t.confidence_score, t.drift_score, t.was_successful, t.was_rolled_back, t.created_snapshot, t.passed_benchmark, t.contract_status, t.error_message, t.created_at, t.executed_at, t.verified_at, t.triggered_by, t.mission_ref, t.tier_text, t.safe_hold_snapshot_id, t.playbook_run_id, t.requires_approval, t.target_resource) IS DISTINCT FROM (excluded.contract_id, excluded.time_key, excluded.mission_key, excluded.component_key, excluded.tier_key, excluded.actor_key, excluded.action_type, excluded.playbook_id, excluded.duration_seconds, excluded.confidence_score, excluded.drift_score, excluded.was_successful, excluded.was_rolled_back, excluded.created_snapshot, excluded.passed_benchmark, excluded.contract_status, CASE WHEN excluded.error_message = '__debezium_unavailable_value' THEN t.error_message ELSE excluded.error_message END, excluded.created_at, excluded.executed_at, excluded.verified_at, excluded.triggered_by, excluded.mission_ref, excluded.tier_text, excluded.safe_hold_snapshot_id, excluded.playbook_run_id, excluded.requires_approval, CASE WHEN excluded.target_resource = '__debezium_unavailable_value' THEN t.target_resource ELSE excluded.target_resource END);
	ELSIF winners IS NOT NULL THEN
	INSERT INTO cube.fact_verification_executions AS t (contract_id, time_key, mission_key, component_key, tier_key, actor_key, action_type, playbook_id, duration_seconds, confidence_score, drift_score, was_successful, was_rolled_back, created_snapshot, passed_benchmark, contract_status, error_message, created_at, executed_at, verified_at, triggered_by, mission_ref, tier_text, safe_hold_snapshot_id, playbook_run_id, requires_approval, loaded_at, target_resource)
	SELECT f.contract_id,
		cube.time_key(f.created_at),
		(coalesce(nullif(k.own_mission_key, 0), (SELECT m.mission_key FROM cube.dim_mission m WHERE m.mission_id = k.mission_ref AND NOT m.is_inferred), k.log_mission_key, 0)),
		f.component_key,
		f.tier_key,
		f.actor_key,
		f.action_type,
		f.playbook_id,
		f.duration_seconds,
		f.confidence_score,
		(k.drift_score),
		f.was_successful,
		f.was_rolled_back,
		(k.safe_hold_snapshot_id IS NOT NULL OR coalesce(k.has_snapshot, false)),
		(k.passed_benchmark),
		f.contract_status,
		CASE WHEN f.error_message = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.error_message END,
		f.created_at,
		f.executed_at,
		f.verified_at,
		f.triggered_by,
		f.mission_ref,
		f.tier_text,
		f.safe_hold_snapshot_id,
		f.playbook_run_id,
		f.requires_approval,
		now(),
		CASE WHEN f.target_resource = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.target_resource END
	FROM (SELECT unnest(merge_verification_executions.contract_id) AS contract_id, unnest(merge_verification_executions.component_key) AS component_key, unnest(merge_verification_executions.tier_key) AS tier_key, unnest(merge_verification_executions.actor_key) AS actor_key, unnest(merge_verification_executions.action_type) AS action_type, unnest(merge_verification_executions.playbook_id) AS playbook_id, unnest(merge_verification_executions.duration_seconds) AS duration_seconds, unnest(merge_verification_executions.confidence_score) AS confidence_score, unnest(merge_verification_executions.was_successful) AS was_successful, unnest(merge_verification_executions.was_rolled_back) AS was_rolled_back, unnest(merge_verification_executions.contract_status) AS contract_status, unnest(merge_verification_executions.error_message) AS error_message, unnest(merge_verification_executions.created_at) AS created_at, unnest(merge_verification_executions.executed_at) AS executed_at, unnest(merge_verification_executions.verified_at) AS verified_at, unnest(merge_verification_executions.triggered_by) AS triggered_by, unnest(merge_verification_executions.mission_ref) AS mission_ref, unnest(merge_verification_executions.tier_text) AS tier_text, unnest(merge_verification_executions.safe_hold_snapshot_id) AS safe_hold_snapshot_id, unnest(merge_verification_executions.playbook_run_id) AS playbook_run_id, unnest(merge_verification_executions.requires_approval) AS requires_approval, unnest(merge_verification_executions.target_resource) AS target_resource, unnest(merge_verification_executions.own_mission_key) AS own_mission_key) AS f
	JOIN unnest(winners) AS w (contract_id) ON w.contract_id = f.contract_id
	JOIN cube.key_verification_executions k ON k.contract_id = w.contract_id
	WHERE k.created_at IS NOT NULL
	ON CONFLICT (contract_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		mission_key = excluded.mission_key,
		component_key = excluded.component_key,
		tier_key = excluded.tier_key,
		actor_key = excluded.actor_key,
		action_type = excluded.action_type,
		playbook_id = excluded.playbook_id,
		duration_seconds = excluded.duration_seconds,
		confidence_score = excluded.confidence_score,
		drift_score = excluded.drift_score,
		was_successful = excluded.was_successful,
		was_rolled_back = excluded.was_rolled_back,
		created_snapshot = excluded.created_snapshot,
		passed_benchmark = excluded.passed_benchmark,
		contract_status = excluded.contract_status,
		error_message = CASE WHEN excluded.error_message = '__debezium_unavailable_value' THEN t.error_message ELSE excluded.error_message END,
		executed_at = excluded.executed_at,
		verified_at = excluded.verified_at,
		triggered_by = excluded.triggered_by,
		mission_ref = excluded.mission_ref,
		tier_text = excluded.tier_text,
		safe_hold_snapshot_id = excluded.safe_hold_snapshot_id,
		playbook_run_id = excluded.playbook_run_id,
		requires_approval = excluded.requires_approval,
		loaded_at = excluded.loaded_at,
		target_resource = CASE WHEN excluded.target_resource = '__debezium_unavailable_value' THEN t.target_resource ELSE excluded.target_resource END
	WHERE (t.contract_id, t.time_key, t.mission_key, t.component_key, t.tier_key, t.actor_key, t.action_type, t.playbook_id, t.duration_seconds, t.confidence_score, t.drift_score, t.was_successful, t.was_rolled_back, t.created_snapshot, t.passed_benchmark, t.contract_status, t.error_message, t.created_at, t.executed_at, t.verified_at, t.triggered_by, t.mission_ref, t.tier_text, t.safe_hold_snapshot_id, t.playbook_run_id, t.requires_approval, t.target_resource) IS DISTINCT FROM (excluded.contract_id, excluded.time_key, excluded.mission_key, excluded.component_key, excluded.tier_key, excluded.actor_key, excluded.action_type, excluded.playbook_id, excluded.duration_seconds, excluded.confidence_score, excluded.drift_score, excluded.was_successful, excluded.was_rolled_back, excluded.created_snapshot, excluded.passed_benchmark, excluded.contract_status, CASE WHEN excluded.error_message = '__debezium_unavailable_value' THEN t.error_message ELSE excluded.error_message END, excluded.created_at, excluded.executed_at, excluded.verified_at, excluded.triggered_by, excluded.mission_ref, excluded.tier_text, excluded.safe_hold_snapshot_id, excluded.playbook_run_id, excluded.requires_approval, CASE WHEN excluded.target_resource = '__debezium_unavailable_value' THEN t.target_resource ELSE excluded.target_resource END);
	END IF;
	RETURN not_applied;
END $function$;

CREATE OR REPLACE FUNCTION cube.relink_verification_executions(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF keys IS NULL OR cardinality(keys) = 0 THEN RETURN; END IF;
	PERFORM cube.lock_verification_executions(keys);
	UPDATE cube.key_verification_executions t SET log_mission_key = n.log_mission_key, has_snapshot = n.has_snapshot, passed_benchmark = n.passed_benchmark, drift_score = n.drift_score FROM (SELECT k.contract_id, (coalesce((SELECT e.mission_key FROM cube.fact_agentic_events e WHERE e.contract_id = k.contract_id AND e.names_mission ORDER BY e.sequence + 0 DESC LIMIT 1), (SELECT (c.links ->> 'log_mission_key')::int FROM cube.closed_link c WHERE c.target = 'verification_executions' AND c.key = k.contract_id))) AS log_mission_key, (coalesce((SELECT true FROM cube.fact_snapshots s WHERE s.contract_id = k.contract_id LIMIT 1), (SELECT (c.links ->> 'has_snapshot')::boolean FROM cube.closed_link c WHERE c.target = 'verification_executions' AND c.key = k.contract_id))) AS has_snapshot, (coalesce((SELECT b.passed FROM cube.fact_benchmark_runs b WHERE b.contract_id = k.contract_id ORDER BY b.created_at DESC, b.benchmark_id DESC LIMIT 1), (SELECT (c.links ->> 'passed_benchmark')::boolean FROM cube.closed_link c WHERE c.target = 'verification_executions' AND c.key = k.contract_id))) AS passed_benchmark, (coalesce((SELECT b.drift_score FROM cube.fact_benchmark_runs b WHERE b.contract_id = k.contract_id ORDER BY b.created_at DESC, b.benchmark_id DESC LIMIT 1), (SELECT (c.links ->> 'drift_score')::double precision FROM cube.closed_link c WHERE c.target = 'verification_executions' AND c.key = k.contract_id))) AS drift_score FROM cube.key_verification_executions k WHERE k.contract_id = ANY (keys)) n WHERE t.contract_id = n.contract_id AND (t.log_mission_key, t.has_snapshot, t.passed_benchmark, t.drift_score) IS DISTINCT FROM (n.log_mission_key, n.has_snapshot, n.passed_benchmark, n.drift_score);
	UPDATE cube.fact_verification_executions f SET created_snapshot = (k.safe_hold_snapshot_id IS NOT NULL OR coalesce(k.has_snapshot, false)), drift_score = (k.drift_score), mission_key = (coalesce(nullif(k.own_mission_key, 0), (SELECT m.mission_key FROM cube.dim_mission m WHERE m.mission_id = k.mission_ref AND NOT m.is_inferred), k.log_mission_key, 0)), passed_benchmark = (k.passed_benchmark), loaded_at = now()
	FROM cube.key_verification_executions k
	WHERE k.contract_id = ANY (keys) AND k.created_at IS NOT NULL AND f.contract_id = k.contract_id AND f.created_at = k.created_at
		AND (f.created_snapshot, f.drift_score, f.mission_key, f.passed_benchmark) IS DISTINCT FROM ((k.safe_hold_snapshot_id IS NOT NULL OR coalesce(k.has_snapshot, false)), (k.drift_score), (coalesce(nullif(k.own_mission_key, 0), (SELECT m.mission_key FROM cube.dim_mission m WHERE m.mission_id = k.mission_ref AND NOT m.is_inferred), k.log_mission_key, 0)), (k.passed_benchmark));
END $function$;
