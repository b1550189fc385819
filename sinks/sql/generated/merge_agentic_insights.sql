-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.follow_agentic_insights()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF NEW.insight_id <> OLD.insight_id THEN
		RAISE EXCEPTION 'the key of a fact cannot be changed by hand: %', OLD.insight_id USING ERRCODE = 'restrict_violation',
			HINT = 'Delete the row; a record with the new key makes another one.';
	END IF;
	UPDATE cube.key_agentic_insights k SET created_at = NEW.created_at, prev_created_at = k.created_at WHERE k.insight_id = OLD.insight_id AND k.created_at = OLD.created_at;
	NEW.time_key := cube.time_key(NEW.created_at);
	PERFORM cube.ensure_hours(ARRAY[NEW.time_key / 60]);
	RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION cube.forget_agentic_insights()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	UPDATE cube.key_agentic_insights k SET created_at = NULL, prev_created_at = k.created_at FROM old_rows o WHERE k.insight_id = o.insight_id AND k.created_at = o.created_at;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.lock_agentic_insights(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.key_agentic_insights AS k (insight_id) SELECT DISTINCT i COLLATE "C" FROM unnest(keys) i WHERE i IS NOT NULL ORDER BY 1
	ON CONFLICT (insight_id) DO UPDATE SET insight_id = excluded.insight_id WHERE false;
END $function$;

CREATE OR REPLACE FUNCTION cube.merge_agentic_insights(insight_id text[], component_key integer[], actor_key integer[], run_id text[], phase text[], signal_type text[], plan_type text[], outcome text[], guardrails_passed boolean[], approval_required boolean[], was_verified boolean[], confidence_score double precision[], risk_score double precision[], mission_ref text[], created_at timestamp with time zone[], approved_at timestamp with time zone[], executed_at timestamp with time zone[], deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
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
	closed_before constant timestamptz := cube.pass_horizon('fact_agentic_insights');
	known_prev_created_at timestamp with time zone[];
BEGIN
	-- 1. the versions: every key is locked, in the sender's order, and the newest version stays; closed months are left as they are. What was
	-- written is what this returns: a number of the transaction in the row would be that of another one in a cube that was restored
	WITH w AS (
		INSERT INTO cube.key_agentic_insights AS k (insight_id, created_at, lsn, source_us, kafka_us, record_offset, offset_id , mission_ref)
		SELECT i.insight_id, CASE WHEN NOT i.deleted THEN i.created_at END, i.lsn, i.source_us, i.kafka_us, i.record_offset, i.offset_id , i.mission_ref
		FROM (SELECT unnest(merge_agentic_insights.insight_id) AS insight_id, unnest(merge_agentic_insights.created_at) AS created_at, unnest(merge_agentic_insights.mission_ref) AS mission_ref, unnest(merge_agentic_insights.deleted) AS deleted, unnest(merge_agentic_insights.lsn) AS lsn, unnest(merge_agentic_insights.source_us) AS source_us, unnest(merge_agentic_insights.kafka_us) AS kafka_us, unnest(merge_agentic_insights.record_offset) AS record_offset, unnest(merge_agentic_insights.offset_id) AS offset_id) AS i
		WHERE i.deleted OR i.created_at >= closed_before
		ON CONFLICT (insight_id) DO UPDATE SET created_at = excluded.created_at, prev_created_at = k.created_at, lsn = excluded.lsn,
			source_us = excluded.source_us, kafka_us = excluded.kafka_us, record_offset = excluded.record_offset,
			offset_id = coalesce(excluded.offset_id, k.offset_id) , mission_ref = excluded.mission_ref
		-- a key that was only locked is no delete: it has no version yet
		WHERE (k.created_at IS NULL OR k.created_at >= closed_before) AND cube.replaces(
			excluded.created_at IS NULL, excluded.lsn, excluded.source_us, excluded.kafka_us, excluded.record_offset,
			k.created_at IS NULL AND k.kafka_us > 0, k.lsn, k.source_us, k.kafka_us, k.record_offset)
		RETURNING k.insight_id, k.created_at, k.prev_created_at)
	SELECT array_agg(w.insight_id), array_agg(w.insight_id) FILTER (WHERE w.created_at IS NULL AND w.prev_created_at IS NOT NULL),
		array_agg(w.insight_id) FILTER (WHERE w.created_at <> w.prev_created_at), array_agg(w.prev_created_at)
	INTO winners, deleted_keys, moved_keys, known_prev_created_at FROM w;

	-- 2. the others were older than what is there, or of a closed month: the ledger counts them as superseded, or as expired
	IF winners IS NULL OR cardinality(winners) < cardinality(merge_agentic_insights.insight_id) THEN
		WITH l AS (
			UPDATE cube.etl_offset o SET applied = o.applied - l.old - l.expired, superseded = o.superseded + l.old,
				ignored = o.ignored + l.expired, expired = o.expired + l.expired, contradicting = o.contradicting + l.contradicting
			FROM (SELECT i.offset_id, count(*) FILTER (WHERE NOT c.is_closed) AS old, count(*) FILTER (WHERE c.is_closed) AS expired,
					count(*) FILTER (WHERE NOT c.is_closed AND cube.own_us(i.source_us, i.kafka_us) > cube.own_us(k.source_us, k.kafka_us)) AS contradicting
				FROM unnest(merge_agentic_insights.insight_id, merge_agentic_insights.created_at, merge_agentic_insights.deleted, merge_agentic_insights.source_us, merge_agentic_insights.kafka_us, merge_agentic_insights.offset_id)
					AS i (insight_id, created_at, deleted, source_us, kafka_us, offset_id)
				LEFT JOIN unnest(winners) AS w (insight_id) ON w.insight_id = i.insight_id
				LEFT JOIN cube.key_agentic_insights k ON k.insight_id = i.insight_id
				CROSS JOIN LATERAL (SELECT coalesce(k.created_at < closed_before OR NOT i.deleted AND i.created_at < closed_before, false) AS is_closed) c
				WHERE i.offset_id IS NOT NULL AND w.insight_id IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
			WHERE o.offset_id = l.offset_id RETURNING l.old + l.expired AS n)
		SELECT coalesce(sum(l.n), 0) INTO not_applied FROM l;
	END IF;

	-- 3. rows that are deleted, and rows whose created_at was corrected: those move, they do not double. Both are few: asked for by key
	IF deleted_keys IS NOT NULL THEN
		DELETE FROM cube.fact_agentic_insights f USING cube.key_agentic_insights k
		WHERE k.insight_id = ANY (deleted_keys) AND f.insight_id = k.insight_id AND f.created_at = k.prev_created_at;
	END IF;
	IF moved_keys IS NOT NULL THEN
		UPDATE cube.fact_agentic_insights f SET created_at = k.created_at, time_key = cube.time_key(k.created_at) FROM cube.key_agentic_insights k
		WHERE k.insight_id = ANY (moved_keys) AND f.insight_id = k.insight_id AND f.created_at = k.prev_created_at;
	END IF;

	-- 4. the facts; a row that would not change is not written
	-- nearly always all keys win and no row moves: then the key rows are at hand, in the order of the arguments
	IF winners = merge_agentic_insights.insight_id AND moved_keys IS NULL THEN
	INSERT INTO cube.fact_agentic_insights AS t (insight_id, time_key, mission_key, component_key, actor_key, run_id, phase, signal_type, plan_type, outcome, guardrails_passed, approval_required, was_verified, confidence_score, risk_score, mission_ref, created_at, approved_at, executed_at, loaded_at)
	SELECT f.insight_id,
		cube.time_key(f.created_at),
		(coalesce((SELECT m.mission_key FROM cube.dim_mission m WHERE m.mission_id = k.mission_ref AND NOT m.is_inferred), 0)),
		f.component_key,
		f.actor_key,
		f.run_id,
		f.phase,
		f.signal_type,
		f.plan_type,
		f.outcome,
		f.guardrails_passed,
		f.approval_required,
		f.was_verified,
		f.confidence_score,
		f.risk_score,
		f.mission_ref,
		f.created_at,
		f.approved_at,
		f.executed_at,
		now()
	FROM (SELECT unnest(merge_agentic_insights.insight_id) AS insight_id, unnest(merge_agentic_insights.component_key) AS component_key, unnest(merge_agentic_insights.actor_key) AS actor_key, unnest(merge_agentic_insights.run_id) AS run_id, unnest(merge_agentic_insights.phase) AS phase, unnest(merge_agentic_insights.signal_type) AS signal_type, unnest(merge_agentic_insights.plan_type) AS plan_type, unnest(merge_agentic_insights.outcome) AS outcome, unnest(merge_agentic_insights.guardrails_passed) AS guardrails_passed, unnest(merge_agentic_insights.approval_required) AS approval_required, unnest(merge_agentic_insights.was_verified) AS was_verified, unnest(merge_agentic_insights.confidence_score) AS confidence_score, unnest(merge_agentic_insights.risk_score) AS risk_score, unnest(merge_agentic_insights.mission_ref) AS mission_ref, unnest(merge_agentic_insights.created_at) AS created_at, unnest(merge_agentic_insights.approved_at) AS approved_at, unnest(merge_agentic_insights.executed_at) AS executed_at, unnest(merge_agentic_insights.deleted) AS deleted, unnest(known_prev_created_at) AS known_prev_created_at) AS f,
		LATERAL (SELECT f.created_at, f.insight_id, f.mission_ref, f.known_prev_created_at AS prev_created_at) AS k
	WHERE NOT f.deleted
	ON CONFLICT (insight_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		mission_key = excluded.mission_key,
		component_key = excluded.component_key,
		actor_key = excluded.actor_key,
		run_id = excluded.run_id,
		phase = excluded.phase,
		signal_type = excluded.signal_type,
		plan_type = excluded.plan_type,
		outcome = excluded.outcome,
		guardrails_passed = excluded.guardrails_passed,
		approval_required = excluded.approval_required,
		was_verified = excluded.was_verified,
		confidence_score = excluded.confidence_score,
		risk_score = excluded.risk_score,
		mission_ref = excluded.mission_ref,
		approved_at = excluded.approved_at,
		executed_at = excluded.executed_at,
		loaded_at = excluded.loaded_at
	WHERE (t.insight_id, t.time_key, t.mission_key, t.component_key, t.actor_key, t.run_id, t.phase, t.signal_type, t.plan_type, t.outcome, t.guardrails_passed, t.approval_required, t.was_verified, t.confidence_score, t.risk_score, t.mission_ref, t.created_at, t.approved_at, t.executed_at) IS DISTINCT FROM (excluded.insight_id, excluded.time_key, excluded.mission_key, excluded.component_key, excluded.actor_key, excluded.run_id, excluded.phase, excluded.signal_type, excluded.plan_type, excluded.outcome, excluded.guardrails_passed, excluded.approval_required, excluded.was_verified, excluded.confidence_score, excluded.risk_score, excluded.mission_ref, excluded.created_at, excluded.approved_at, excluded.executed_at);
	ELSIF winners IS NOT NULL THEN
	INSERT INTO cube.fact_agentic_insights AS t (insight_id, time_key, mission_key, component_key, actor_key, run_id, phase, signal_type, plan_type, outcome, guardrails_passed, approval_required, was_verified, confidence_score, risk_score, mission_ref, created_at, approved_at, executed_at, loaded_at)
	SELECT f.insight_id,
		cube.time_key(f.created_at),
		(coalesce((SELECT m.mission_key FROM cube.dim_mission m WHERE m.mission_id = k.mission_ref AND NOT m.is_inferred), 0)),
		f.component_key,
		f.actor_key,
		f.run_id,
		f.phase,
		f.signal_type,
		f.plan_type,
		f.outcome,
		f.guardrails_passed,
		f.approval_required,
		f.was_verified,
		f.confidence_score,
		f.risk_score,
		f.mission_ref,
		f.created_at,
		f.approved_at,
		f.executed_at,
		now()
	FROM (SELECT unnest(merge_agentic_insights.insight_id) AS insight_id, unnest(merge_agentic_insights.component_key) AS component_key, unnest(merge_agentic_insights.actor_key) AS actor_key, unnest(merge_agentic_insights.run_id) AS run_id, unnest(merge_agentic_insights.phase) AS phase, unnest(merge_agentic_insights.signal_type) AS signal_type, unnest(merge_agentic_insights.plan_type) AS plan_type, unnest(merge_agentic_insights.outcome) AS outcome, unnest(merge_agentic_insights.guardrails_passed) AS guardrails_passed, unnest(merge_agentic_insights.approval_required) AS approval_required, unnest(merge_agentic_insights.was_verified) AS was_verified, unnest(merge_agentic_insights.confidence_score) AS confidence_score, unnest(merge_agentic_insights.risk_score) AS risk_score, unnest(merge_agentic_insights.mission_ref) AS mission_ref, unnest(merge_agentic_insights.created_at) AS created_at, unnest(merge_agentic_insights.approved_at) AS approved_at, unnest(merge_agentic_insights.executed_at) AS executed_at) AS f
	JOIN unnest(winners) AS w (insight_id) ON w.insight_id = f.insight_id
	JOIN cube.key_agentic_insights k ON k.insight_id = w.insight_id
	WHERE k.created_at IS NOT NULL
	ON CONFLICT (insight_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		mission_key = excluded.mission_key,
		component_key = excluded.component_key,
		actor_key = excluded.actor_key,
		run_id = excluded.run_id,
		phase = excluded.phase,
		signal_type = excluded.signal_type,
		plan_type = excluded.plan_type,
		outcome = excluded.outcome,
		guardrails_passed = excluded.guardrails_passed,
		approval_required = excluded.approval_required,
		was_verified = excluded.was_verified,
		confidence_score = excluded.confidence_score,
		risk_score = excluded.risk_score,
		mission_ref = excluded.mission_ref,
		approved_at = excluded.approved_at,
		executed_at = excluded.executed_at,
		loaded_at = excluded.loaded_at
	WHERE (t.insight_id, t.time_key, t.mission_key, t.component_key, t.actor_key, t.run_id, t.phase, t.signal_type, t.plan_type, t.outcome, t.guardrails_passed, t.approval_required, t.was_verified, t.confidence_score, t.risk_score, t.mission_ref, t.created_at, t.approved_at, t.executed_at) IS DISTINCT FROM (excluded.insight_id, excluded.time_key, excluded.mission_key, excluded.component_key, excluded.actor_key, excluded.run_id, excluded.phase, excluded.signal_type, excluded.plan_type, excluded.outcome, excluded.guardrails_passed, excluded.approval_required, excluded.was_verified, excluded.confidence_score, excluded.risk_score, excluded.mission_ref, excluded.created_at, excluded.approved_at, excluded.executed_at);
	END IF;
	RETURN not_applied;
END $function$;

CREATE OR REPLACE FUNCTION cube.relink_agentic_insights(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF keys IS NULL OR cardinality(keys) = 0 THEN RETURN; END IF;
	PERFORM cube.lock_agentic_insights(keys);
	
	UPDATE cube.fact_agentic_insights f SET mission_key = (coalesce((SELECT m.mission_key FROM cube.dim_mission m WHERE m.mission_id = k.mission_ref AND NOT m.is_inferred), 0)), loaded_at = now()
	FROM cube.key_agentic_insights k
	WHERE k.insight_id = ANY (keys) AND k.created_at IS NOT NULL AND f.insight_id = k.insight_id AND f.created_at = k.created_at
		AND (f.mission_key) IS DISTINCT FROM ((coalesce((SELECT m.mission_key FROM cube.dim_mission m WHERE m.mission_id = k.mission_ref AND NOT m.is_inferred), 0)));
END $function$;
