-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.follow_approvals()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF NEW.approval_id <> OLD.approval_id THEN
		RAISE EXCEPTION 'the key of a fact cannot be changed by hand: %', OLD.approval_id USING ERRCODE = 'restrict_violation',
			HINT = 'Delete the row; a record with the new key makes another one.';
	END IF;
	UPDATE cube.key_approvals k SET created_at = NEW.created_at, prev_created_at = k.created_at WHERE k.approval_id = OLD.approval_id AND k.created_at = OLD.created_at;
	NEW.time_key := cube.time_key(NEW.created_at);
	PERFORM cube.ensure_hours(ARRAY[NEW.time_key / 60]);
	RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION cube.forget_approvals()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	UPDATE cube.key_approvals k SET created_at = NULL, prev_created_at = k.created_at FROM old_rows o WHERE k.approval_id = o.approval_id AND k.created_at = o.created_at;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.lock_approvals(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.key_approvals AS k (approval_id) SELECT DISTINCT i COLLATE "C" FROM unnest(keys) i WHERE i IS NOT NULL ORDER BY 1
	ON CONFLICT (approval_id) DO UPDATE SET approval_id = excluded.approval_id WHERE false;
END $function$;

CREATE OR REPLACE FUNCTION cube.merge_approvals(approval_id text[], actor_key integer[], approval_type text[], action_description text[], was_approved boolean[], decision_time_seconds double precision[], risk_score double precision[], created_at timestamp with time zone[], decided_at timestamp with time zone[], status text[], contract_id text[], error_id text[], requested_by text[], decision_reason text[], own_tier_key integer[], deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
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
	closed_before constant timestamptz := cube.pass_horizon('fact_approvals');
	known_prev_created_at timestamp with time zone[]; known_contract_tier_key integer[];
BEGIN
	-- 1. the versions: every key is locked, in the sender's order, and the newest version stays; closed months are left as they are. What was
	-- written is what this returns: a number of the transaction in the row would be that of another one in a cube that was restored
	WITH w AS (
		INSERT INTO cube.key_approvals AS k (approval_id, created_at, lsn, source_us, kafka_us, record_offset, offset_id , own_tier_key, contract_id)
		SELECT i.approval_id, CASE WHEN NOT i.deleted THEN i.created_at END, i.lsn, i.source_us, i.kafka_us, i.record_offset, i.offset_id , i.own_tier_key, i.contract_id
		FROM (SELECT unnest(merge_approvals.approval_id) AS approval_id, unnest(merge_approvals.created_at) AS created_at, unnest(merge_approvals.own_tier_key) AS own_tier_key, unnest(merge_approvals.contract_id) AS contract_id, unnest(merge_approvals.deleted) AS deleted, unnest(merge_approvals.lsn) AS lsn, unnest(merge_approvals.source_us) AS source_us, unnest(merge_approvals.kafka_us) AS kafka_us, unnest(merge_approvals.record_offset) AS record_offset, unnest(merge_approvals.offset_id) AS offset_id) AS i
		WHERE i.deleted OR i.created_at >= closed_before
		ON CONFLICT (approval_id) DO UPDATE SET created_at = excluded.created_at, prev_created_at = k.created_at, lsn = excluded.lsn,
			source_us = excluded.source_us, kafka_us = excluded.kafka_us, record_offset = excluded.record_offset,
			offset_id = coalesce(excluded.offset_id, k.offset_id) , own_tier_key = excluded.own_tier_key, contract_id = CASE WHEN excluded.contract_id = '__debezium_unavailable_value' THEN k.contract_id ELSE excluded.contract_id END
		-- a key that was only locked is no delete: it has no version yet
		WHERE (k.created_at IS NULL OR k.created_at >= closed_before) AND cube.replaces(
			excluded.created_at IS NULL, excluded.lsn, excluded.source_us, excluded.kafka_us, excluded.record_offset,
			k.created_at IS NULL AND k.kafka_us > 0, k.lsn, k.source_us, k.kafka_us, k.record_offset)
		RETURNING k.approval_id, k.created_at, k.prev_created_at, k.contract_tier_key)
	SELECT array_agg(w.approval_id), array_agg(w.approval_id) FILTER (WHERE w.created_at IS NULL AND w.prev_created_at IS NOT NULL),
		array_agg(w.approval_id) FILTER (WHERE w.created_at <> w.prev_created_at), array_agg(w.prev_created_at), array_agg(w.contract_tier_key)
	INTO winners, deleted_keys, moved_keys, known_prev_created_at, known_contract_tier_key FROM w;

	-- of a key that is new there is nothing to keep
	UPDATE cube.key_approvals SET contract_id = NULL WHERE approval_id = ANY (winners) AND contract_id = '__debezium_unavailable_value';

	-- 2. the others were older than what is there, or of a closed month: the ledger counts them as superseded, or as expired
	IF winners IS NULL OR cardinality(winners) < cardinality(merge_approvals.approval_id) THEN
		WITH l AS (
			UPDATE cube.etl_offset o SET applied = o.applied - l.old - l.expired, superseded = o.superseded + l.old,
				ignored = o.ignored + l.expired, expired = o.expired + l.expired, contradicting = o.contradicting + l.contradicting
			FROM (SELECT i.offset_id, count(*) FILTER (WHERE NOT c.is_closed) AS old, count(*) FILTER (WHERE c.is_closed) AS expired,
					count(*) FILTER (WHERE NOT c.is_closed AND cube.own_us(i.source_us, i.kafka_us) > cube.own_us(k.source_us, k.kafka_us)) AS contradicting
				FROM unnest(merge_approvals.approval_id, merge_approvals.created_at, merge_approvals.deleted, merge_approvals.source_us, merge_approvals.kafka_us, merge_approvals.offset_id)
					AS i (approval_id, created_at, deleted, source_us, kafka_us, offset_id)
				LEFT JOIN unnest(winners) AS w (approval_id) ON w.approval_id = i.approval_id
				LEFT JOIN cube.key_approvals k ON k.approval_id = i.approval_id
				CROSS JOIN LATERAL (SELECT coalesce(k.created_at < closed_before OR NOT i.deleted AND i.created_at < closed_before, false) AS is_closed) c
				WHERE i.offset_id IS NOT NULL AND w.approval_id IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
			WHERE o.offset_id = l.offset_id RETURNING l.old + l.expired AS n)
		SELECT coalesce(sum(l.n), 0) INTO not_applied FROM l;
	END IF;

	-- 3. rows that are deleted, and rows whose created_at was corrected: those move, they do not double. Both are few: asked for by key
	IF deleted_keys IS NOT NULL THEN
		DELETE FROM cube.fact_approvals f USING cube.key_approvals k
		WHERE k.approval_id = ANY (deleted_keys) AND f.approval_id = k.approval_id AND f.created_at = k.prev_created_at;
	END IF;
	IF moved_keys IS NOT NULL THEN
		UPDATE cube.fact_approvals f SET created_at = k.created_at, time_key = cube.time_key(k.created_at) FROM cube.key_approvals k
		WHERE k.approval_id = ANY (moved_keys) AND f.approval_id = k.approval_id AND f.created_at = k.prev_created_at;
	END IF;

	-- 4. the facts; a row that would not change is not written
	-- what the parents say now; they were locked before, so the later of the two sees the other
	UPDATE cube.key_approvals t SET contract_tier_key = n.contract_tier_key FROM (SELECT k.approval_id, (coalesce((SELECT f.tier_key FROM cube.key_verification_executions c JOIN cube.fact_verification_executions f ON f.contract_id = c.contract_id AND f.created_at = c.created_at WHERE c.contract_id = k.contract_id), CASE WHEN EXISTS (SELECT FROM cube.key_verification_executions p WHERE p.contract_id = k.contract_id AND p.created_at < cube.closed_before('fact_verification_executions')) THEN k.contract_tier_key END)) AS contract_tier_key FROM unnest(winners) AS i (approval_id) JOIN cube.key_approvals k ON k.approval_id = i.approval_id) n
	WHERE t.approval_id = n.approval_id AND (t.contract_tier_key) IS DISTINCT FROM (n.contract_tier_key);
	INSERT INTO cube.fact_approvals AS t (approval_id, time_key, tier_key, actor_key, approval_type, action_description, was_approved, decision_time_seconds, risk_score, created_at, decided_at, status, contract_id, error_id, requested_by, decision_reason, loaded_at)
	SELECT f.approval_id,
		cube.time_key(f.created_at),
		(coalesce(nullif(k.own_tier_key, 0), k.contract_tier_key, 0)),
		f.actor_key,
		f.approval_type,
		CASE WHEN f.action_description = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.action_description END,
		f.was_approved,
		f.decision_time_seconds,
		f.risk_score,
		f.created_at,
		f.decided_at,
		f.status,
		CASE WHEN f.contract_id = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.contract_id END,
		f.error_id,
		f.requested_by,
		CASE WHEN f.decision_reason = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.decision_reason END,
		now()
	FROM (SELECT unnest(merge_approvals.approval_id) AS approval_id, unnest(merge_approvals.actor_key) AS actor_key, unnest(merge_approvals.approval_type) AS approval_type, unnest(merge_approvals.action_description) AS action_description, unnest(merge_approvals.was_approved) AS was_approved, unnest(merge_approvals.decision_time_seconds) AS decision_time_seconds, unnest(merge_approvals.risk_score) AS risk_score, unnest(merge_approvals.created_at) AS created_at, unnest(merge_approvals.decided_at) AS decided_at, unnest(merge_approvals.status) AS status, unnest(merge_approvals.contract_id) AS contract_id, unnest(merge_approvals.error_id) AS error_id, unnest(merge_approvals.requested_by) AS requested_by, unnest(merge_approvals.decision_reason) AS decision_reason, unnest(merge_approvals.own_tier_key) AS own_tier_key) AS f
	JOIN unnest(winners) AS w (approval_id) ON w.approval_id = f.approval_id
	JOIN cube.key_approvals k ON k.approval_id = w.approval_id
	WHERE k.created_at IS NOT NULL
	ON CONFLICT (approval_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		tier_key = excluded.tier_key,
		actor_key = excluded.actor_key,
		approval_type = excluded.approval_type,
		action_description = CASE WHEN excluded.action_description = '__debezium_unavailable_value' THEN t.action_description ELSE excluded.action_description END,
		was_approved = excluded.was_approved,
		decision_time_seconds = excluded.decision_time_seconds,
		risk_score = excluded.risk_score,
		decided_at = excluded.decided_at,
		status = excluded.status,
		contract_id = CASE WHEN excluded.contract_id = '__debezium_unavailable_value' THEN t.contract_id ELSE excluded.contract_id END,
		error_id = excluded.error_id,
		requested_by = excluded.requested_by,
		decision_reason = CASE WHEN excluded.decision_reason = '__debezium_unavailable_value' THEN t.decision_reason ELSE excluded.decision_reason END,
		loaded_at = excluded.loaded_at
	WHERE (t.approval_id, t.time_key, t.tier_key, t.actor_key, t.approval_type, t.action_description, t.was_approved, t.decision_time_seconds, t.risk_score, t.created_at, t.decided_at, t.status, t.contract_id, t.error_id, t.requested_by, t.decision_reason) IS DISTINCT FROM (excluded.approval_id, excluded.time_key, excluded.tier_key, excluded.actor_key, excluded.approval_type, CASE WHEN excluded.action_description = '__debezium_unavailable_value' THEN t.action_description ELSE excluded.action_description END, excluded.was_approved, excluded.decision_time_seconds, excluded.risk_score, excluded.created_at, excluded.decided_at, excluded.status, CASE WHEN excluded.contract_id = '__debezium_unavailable_value' THEN t.contract_id ELSE excluded.contract_id END, excluded.error_id, excluded.requested_by, CASE WHEN excluded.decision_reason = '__debezium_unavailable_value' THEN t.decision_reason ELSE excluded.decision_reason END);
	RETURN not_applied;
END $function$;

CREATE OR REPLACE FUNCTION cube.parent_fact_verification_executions_of_approvals()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
DECLARE keys text[];
BEGIN
	IF NOT EXISTS (SELECT FROM cube.key_approvals k WHERE k.contract_id IS NOT NULL) THEN RETURN NULL; END IF;
	keys := ARRAY(SELECT k.approval_id FROM changed c JOIN cube.key_approvals k ON k.contract_id = c.contract_id LIMIT cube.keys_at_once() + 1);
	IF cardinality(keys) <= cube.keys_at_once() THEN
		PERFORM cube.relink_approvals(keys);
	ELSE
		PERFORM cube.relink_named('approvals', 'contract_id', ARRAY(SELECT DISTINCT c.contract_id::text FROM changed c));
	END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.relink_approvals(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF keys IS NULL OR cardinality(keys) = 0 THEN RETURN; END IF;
	PERFORM cube.lock_approvals(keys);
	UPDATE cube.key_approvals t SET contract_tier_key = n.contract_tier_key FROM (SELECT k.approval_id, (coalesce((SELECT f.tier_key FROM cube.key_verification_executions c JOIN cube.fact_verification_executions f ON f.contract_id = c.contract_id AND f.created_at = c.created_at WHERE c.contract_id = k.contract_id), CASE WHEN EXISTS (SELECT FROM cube.key_verification_executions p WHERE p.contract_id = k.contract_id AND p.created_at < cube.closed_before('fact_verification_executions')) THEN k.contract_tier_key END)) AS contract_tier_key FROM cube.key_approvals k WHERE k.approval_id = ANY (keys)) n WHERE t.approval_id = n.approval_id AND (t.contract_tier_key) IS DISTINCT FROM (n.contract_tier_key);
	UPDATE cube.fact_approvals f SET tier_key = (coalesce(nullif(k.own_tier_key, 0), k.contract_tier_key, 0)), loaded_at = now()
	FROM cube.key_approvals k
	WHERE k.approval_id = ANY (keys) AND k.created_at IS NOT NULL AND f.approval_id = k.approval_id AND f.created_at = k.created_at
		AND (f.tier_key) IS DISTINCT FROM ((coalesce(nullif(k.own_tier_key, 0), k.contract_tier_key, 0)));
END $function$;
