-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.follow_compliance_checks()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF NEW.check_id <> OLD.check_id THEN
		RAISE EXCEPTION 'the key of a fact cannot be changed by hand: %', OLD.check_id USING ERRCODE = 'restrict_violation',
			HINT = 'Delete the row; a record with the new key makes another one.';
	END IF;
	UPDATE cube.key_compliance_checks k SET created_at = NEW.created_at, prev_created_at = k.created_at WHERE k.check_id = OLD.check_id AND k.created_at = OLD.created_at;
	NEW.time_key := cube.time_key(NEW.created_at);
	PERFORM cube.ensure_hours(ARRAY[NEW.time_key / 60]);
	RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION cube.forget_compliance_checks()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	UPDATE cube.key_compliance_checks k SET created_at = NULL, prev_created_at = k.created_at FROM old_rows o WHERE k.check_id = o.check_id AND k.created_at = o.created_at;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.lock_compliance_checks(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.key_compliance_checks AS k (check_id) SELECT DISTINCT i COLLATE "C" FROM unnest(keys) i WHERE i IS NOT NULL ORDER BY 1
	ON CONFLICT (check_id) DO UPDATE SET check_id = excluded.check_id WHERE false;
END $function$;

CREATE OR REPLACE FUNCTION cube.merge_compliance_checks(check_id text[], component_key integer[], actor_key integer[], contract_id text[], action_type text[], resource text[], is_compliant boolean[], compliance_score double precision[], principles_checked integer[], principles_failed integer[], failed_principles text[], created_at timestamp with time zone[], deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
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
	closed_before constant timestamptz := cube.pass_horizon('fact_compliance_checks');
	known_prev_created_at timestamp with time zone[]; known_contract_tier_key integer[]; known_contract_mission_key integer[];
BEGIN
	-- 1. the versions: every key is locked, in the sender's order, and the newest version stays; closed months are left as they are. What was
	-- written is what this returns: a number of the transaction in the row would be that of another one in a cube that was restored
	WITH w AS (
		INSERT INTO cube.key_compliance_checks AS k (check_id, created_at, lsn, source_us, kafka_us, record_offset, offset_id , contract_id)
		SELECT i.check_id, CASE WHEN NOT i.deleted THEN i.created_at END, i.lsn, i.source_us, i.kafka_us, i.record_offset, i.offset_id , i.contract_id
		FROM (SELECT unnest(merge_compliance_checks.check_id) AS check_id, unnest(merge_compliance_checks.created_at) AS created_at, unnest(merge_compliance_checks.contract_id) AS contract_id, unnest(merge_compliance_checks.deleted) AS deleted, unnest(merge_compliance_checks.lsn) AS lsn, unnest(merge_compliance_checks.source_us) AS source_us, unnest(merge_compliance_checks.kafka_us) AS kafka_us, unnest(merge_compliance_checks.record_offset) AS record_offset, unnest(merge_compliance_checks.offset_id) AS offset_id) AS i
		WHERE i.deleted OR i.created_at >= closed_before
		ON CONFLICT (check_id) DO UPDATE SET created_at = excluded.created_at, prev_created_at = k.created_at, lsn = excluded.lsn,
			source_us = excluded.source_us, kafka_us = excluded.kafka_us, record_offset = excluded.record_offset,
			offset_id = coalesce(excluded.offset_id, k.offset_id) , contract_id = excluded.contract_id
		-- a key that was only locked is no delete: it has no version yet
		WHERE (k.created_at IS NULL OR k.created_at >= closed_before) AND cube.replaces(
			excluded.created_at IS NULL, excluded.lsn, excluded.source_us, excluded.kafka_us, excluded.record_offset,
			k.created_at IS NULL AND k.kafka_us > 0, k.lsn, k.source_us, k.kafka_us, k.record_offset)
		RETURNING k.check_id, k.created_at, k.prev_created_at, k.contract_tier_key, k.contract_mission_key)
	SELECT array_agg(w.check_id), array_agg(w.check_id) FILTER (WHERE w.created_at IS NULL AND w.prev_created_at IS NOT NULL),
		array_agg(w.check_id) FILTER (WHERE w.created_at <> w.prev_created_at), array_agg(w.prev_created_at), array_agg(w.contract_tier_key), array_agg(w.contract_mission_key)
	INTO winners, deleted_keys, moved_keys, known_prev_created_at, known_contract_tier_key, known_contract_mission_key FROM w;

	-- 2. the others were older than what is there, or of a closed month: the ledger counts them as superseded, or as expired
	IF winners IS NULL OR cardinality(winners) < cardinality(merge_compliance_checks.check_id) THEN
		WITH l AS (
			UPDATE cube.etl_offset o SET applied = o.applied - l.old - l.expired, superseded = o.superseded + l.old,
				ignored = o.ignored + l.expired, expired = o.expired + l.expired, contradicting = o.contradicting + l.contradicting
			FROM (SELECT i.offset_id, count(*) FILTER (WHERE NOT c.is_closed) AS old, count(*) FILTER (WHERE c.is_closed) AS expired,
					count(*) FILTER (WHERE NOT c.is_closed AND cube.own_us(i.source_us, i.kafka_us) > cube.own_us(k.source_us, k.kafka_us)) AS contradicting
				FROM unnest(merge_compliance_checks.check_id, merge_compliance_checks.created_at, merge_compliance_checks.deleted, merge_compliance_checks.source_us, merge_compliance_checks.kafka_us, merge_compliance_checks.offset_id)
					AS i (check_id, created_at, deleted, source_us, kafka_us, offset_id)
				LEFT JOIN unnest(winners) AS w (check_id) ON w.check_id = i.check_id
				LEFT JOIN cube.key_compliance_checks k ON k.check_id = i.check_id
				CROSS JOIN LATERAL (SELECT coalesce(k.created_at < closed_before OR NOT i.deleted AND i.created_at < closed_before, false) AS is_closed) c
				WHERE i.offset_id IS NOT NULL AND w.check_id IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
			WHERE o.offset_id = l.offset_id RETURNING l.old + l.expired AS n)
		SELECT coalesce(sum(l.n), 0) INTO not_applied FROM l;
	END IF;

	-- 3. rows that are deleted, and rows whose created_at was corrected: those move, they do not double. Both are few: asked for by key
	IF deleted_keys IS NOT NULL THEN
		DELETE FROM cube.fact_compliance_checks f USING cube.key_compliance_checks k
		WHERE k.check_id = ANY (deleted_keys) AND f.check_id = k.check_id AND f.created_at = k.prev_created_at;
	END IF;
	IF moved_keys IS NOT NULL THEN
		UPDATE cube.fact_compliance_checks f SET created_at = k.created_at, time_key = cube.time_key(k.created_at) FROM cube.key_compliance_checks k
		WHERE k.check_id = ANY (moved_keys) AND f.check_id = k.check_id AND f.created_at = k.prev_created_at;
	END IF;

	-- 4. the facts; a row that would not change is not written
	-- what the parents say now; they were locked before, so the later of the two sees the other
	UPDATE cube.key_compliance_checks t SET contract_tier_key = n.contract_tier_key, contract_mission_key = n.contract_mission_key FROM (SELECT k.check_id, (coalesce((SELECT f.tier_key FROM cube.key_verification_executions c JOIN cube.fact_verification_executions f ON f.contract_id = c.contract_id AND f.created_at = c.created_at WHERE c.contract_id = k.contract_id), CASE WHEN EXISTS (SELECT FROM cube.key_verification_executions p WHERE p.contract_id = k.contract_id AND p.created_at < cube.closed_before('fact_verification_executions')) THEN k.contract_tier_key END)) AS contract_tier_key, (coalesce((SELECT f.mission_key FROM cube.key_verification_executions c JOIN cube.fact_verification_executions f ON f.contract_id = c.contract_id AND f.created_at = c.created_at WHERE c.contract_id = k.contract_id), CASE WHEN EXISTS (SELECT FROM cube.key_verification_executions p WHERE p.contract_id = k.contract_id AND p.created_at < cube.closed_before('fact_verification_executions')) THEN k.contract_mission_key END)) AS contract_mission_key FROM unnest(winners) AS i (check_id) JOIN cube.key_compliance_checks k ON k.check_id = i.check_id) n
	WHERE t.check_id = n.check_id AND (t.contract_tier_key, t.contract_mission_key) IS DISTINCT FROM (n.contract_tier_key, n.contract_mission_key);
	INSERT INTO cube.fact_compliance_checks AS t (check_id, time_key, mission_key, component_key, tier_key, actor_key, contract_id, action_type, resource, is_compliant, compliance_score, principles_checked, principles_failed, failed_principles, created_at, loaded_at)
	SELECT f.check_id,
		cube.time_key(f.created_at),
		(coalesce(k.contract_mission_key, 0)),
		f.component_key,
		(coalesce(k.contract_tier_key, 0)),
		f.actor_key,
		f.contract_id,
		f.action_type,
		CASE WHEN f.resource = '__debezium_unavailable_value' AND k.prev_created_at IS NULL THEN NULL ELSE f.resource END,
		f.is_compliant,
		f.compliance_score,
		f.principles_checked,
		f.principles_failed,
		f.failed_principles,
		f.created_at,
		now()
	FROM (SELECT unnest(merge_compliance_checks.check_id) AS check_id, unnest(merge_compliance_checks.component_key) AS component_key, unnest(merge_compliance_checks.actor_key) AS actor_key, unnest(merge_compliance_checks.contract_id) AS contract_id, unnest(merge_compliance_checks.action_type) AS action_type, unnest(merge_compliance_checks.resource) AS resource, unnest(merge_compliance_checks.is_compliant) AS is_compliant, unnest(merge_compliance_checks.compliance_score) AS compliance_score, unnest(merge_compliance_checks.principles_checked) AS principles_checked, unnest(merge_compliance_checks.principles_failed) AS principles_failed, unnest(merge_compliance_checks.failed_principles) AS failed_principles, unnest(merge_compliance_checks.created_at) AS created_at) AS f
	JOIN unnest(winners) AS w (check_id) ON w.check_id = f.check_id
	JOIN cube.key_compliance_checks k ON k.check_id = w.check_id
	WHERE k.created_at IS NOT NULL
	ON CONFLICT (check_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		mission_key = excluded.mission_key,
		component_key = excluded.component_key,
		tier_key = excluded.tier_key,
		actor_key = excluded.actor_key,
		contract_id = excluded.contract_id,
		action_type = excluded.action_type,
		resource = CASE WHEN excluded.resource = '__debezium_unavailable_value' THEN t.resource ELSE excluded.resource END,
		is_compliant = excluded.is_compliant,
		compliance_score = excluded.compliance_score,
		principles_checked = excluded.principles_checked,
		principles_failed = excluded.principles_failed,
		failed_principles = excluded.failed_principles,
		loaded_at = excluded.loaded_at
	WHERE (t.check_id, t.time_key, t.mission_key, t.component_key, t.tier_key, t.actor_key, t.contract_id, t.action_type, t.resource, t.is_compliant, t.compliance_score, t.principles_checked, t.principles_failed, t.failed_principles, t.created_at) IS DISTINCT FROM (excluded.check_id, excluded.time_key, excluded.mission_key, excluded.component_key, excluded.tier_key, excluded.actor_key, excluded.contract_id, excluded.action_type, CASE WHEN excluded.resource = '__debezium_unavailable_value' THEN t.resource ELSE excluded.resource END, excluded.is_compliant, excluded.compliance_score, excluded.principles_checked, excluded.principles_failed, excluded.failed_principles, excluded.created_at);
	RETURN not_applied;
END $function$;

CREATE OR REPLACE FUNCTION cube.parent_fact_verification_executions_of_compliance_checks()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
DECLARE keys text[];
BEGIN
	IF NOT EXISTS (SELECT FROM cube.key_compliance_checks k WHERE k.contract_id IS NOT NULL) THEN RETURN NULL; END IF;
	keys := ARRAY(SELECT k.check_id FROM changed c JOIN cube.key_compliance_checks k ON k.contract_id = c.contract_id LIMIT cube.keys_at_once() + 1);
	IF cardinality(keys) <= cube.keys_at_once() THEN
		PERFORM cube.relink_compliance_checks(keys);
	ELSE
		PERFORM cube.relink_named('compliance_checks', 'contract_id', ARRAY(SELECT DISTINCT c.contract_id::text FROM changed c));
	END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.relink_compliance_checks(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF keys IS NULL OR cardinality(keys) = 0 THEN RETURN; END IF;
	PERFORM cube.lock_compliance_checks(keys);
	UPDATE cube.key_compliance_checks t SET contract_tier_key = n.contract_tier_key, contract_mission_key = n.contract_mission_key FROM (SELECT k.check_id, (coalesce((SELECT f.tier_key FROM cube.key_verification_executions c JOIN cube.fact_verification_executions f ON f.contract_id = c.contract_id AND f.created_at = c.created_at WHERE c.contract_id = k.contract_id), CASE WHEN EXISTS (SELECT FROM cube.key_verification_executions p WHERE p.contract_id = k.contract_id AND p.created_at < cube.closed_before('fact_verification_executions')) THEN k.contract_tier_key END)) AS contract_tier_key, (coalesce((SELECT f.mission_key FROM cube.key_verification_executions c JOIN cube.fact_verification_executions f ON f.contract_id = c.contract_id AND f.created_at = c.created_at WHERE c.contract_id = k.contract_id), CASE WHEN EXISTS (SELECT FROM cube.key_verification_executions p WHERE p.contract_id = k.contract_id AND p.created_at < cube.closed_before('fact_verification_executions')) THEN k.contract_mission_key END)) AS contract_mission_key FROM cube.key_compliance_checks k WHERE k.check_id = ANY (keys)) n WHERE t.check_id = n.check_id AND (t.contract_tier_key, t.contract_mission_key) IS DISTINCT FROM (n.contract_tier_key, n.contract_mission_key);
	UPDATE cube.fact_compliance_checks f SET mission_key = (coalesce(k.contract_mission_key, 0)), tier_key = (coalesce(k.contract_tier_key, 0)), loaded_at = now()
	FROM cube.key_compliance_checks k
	WHERE k.check_id = ANY (keys) AND k.created_at IS NOT NULL AND f.check_id = k.check_id AND f.created_at = k.created_at
		AND (f.mission_key, f.tier_key) IS DISTINCT FROM ((coalesce(k.contract_mission_key, 0)), (coalesce(k.contract_tier_key, 0)));
END $function$;
