-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.follow_governance_sessions()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF NEW.governance_session_id <> OLD.governance_session_id THEN
		RAISE EXCEPTION 'the key of a fact cannot be changed by hand: %', OLD.governance_session_id USING ERRCODE = 'restrict_violation',
			HINT = 'Delete the row; a record with the new key makes another one.';
	END IF;
	UPDATE cube.key_governance_sessions k SET created_at = NEW.created_at, prev_created_at = k.created_at WHERE k.governance_session_id = OLD.governance_session_id AND k.created_at = OLD.created_at;
	NEW.time_key := cube.time_key(NEW.created_at);
	PERFORM cube.ensure_hours(ARRAY[NEW.time_key / 60]);
	RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION cube.forget_governance_sessions()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	UPDATE cube.key_governance_sessions k SET created_at = NULL, prev_created_at = k.created_at FROM old_rows o WHERE k.governance_session_id = o.governance_session_id AND k.created_at = o.created_at;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.lock_governance_sessions(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.key_governance_sessions AS k (governance_session_id) SELECT DISTINCT i COLLATE "C" FROM unnest(keys) i WHERE i IS NOT NULL ORDER BY 1
	ON CONFLICT (governance_session_id) DO UPDATE SET governance_session_id = excluded.governance_session_id WHERE false;
END $function$;

CREATE OR REPLACE FUNCTION cube.merge_governance_sessions(governance_session_id text[], component_key integer[], actor_key integer[], session_id text[], policy_name text[], action_type text[], category text[], committee text[], risk_level text[], status text[], outcome text[], quorum_required integer[], approval_threshold double precision[], total_votes integer[], decision_seconds double precision[], created_at timestamp with time zone[], voting_started_at timestamp with time zone[], decided_at timestamp with time zone[], expires_at timestamp with time zone[], deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
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
	closed_before constant timestamptz := cube.pass_horizon('fact_governance_sessions');
	known_prev_created_at timestamp with time zone[];
BEGIN
	-- 1. the versions: every key is locked, in the sender's order, and the newest version stays; closed months are left as they are. What was
	-- written is what this returns: a number of the transaction in the row would be that of another one in a cube that was restored
	WITH w AS (
		INSERT INTO cube.key_governance_sessions AS k (governance_session_id, created_at, lsn, source_us, kafka_us, record_offset, offset_id )
		SELECT i.governance_session_id, CASE WHEN NOT i.deleted THEN i.created_at END, i.lsn, i.source_us, i.kafka_us, i.record_offset, i.offset_id 
		FROM (SELECT unnest(merge_governance_sessions.governance_session_id) AS governance_session_id, unnest(merge_governance_sessions.created_at) AS created_at, unnest(merge_governance_sessions.deleted) AS deleted, unnest(merge_governance_sessions.lsn) AS lsn, unnest(merge_governance_sessions.source_us) AS source_us, unnest(merge_governance_sessions.kafka_us) AS kafka_us, unnest(merge_governance_sessions.record_offset) AS record_offset, unnest(merge_governance_sessions.offset_id) AS offset_id) AS i
		WHERE i.deleted OR i.created_at >= closed_before
		ON CONFLICT (governance_session_id) DO UPDATE SET created_at = excluded.created_at, prev_created_at = k.created_at, lsn = excluded.lsn,
			source_us = excluded.source_us, kafka_us = excluded.kafka_us, record_offset = excluded.record_offset,
			offset_id = coalesce(excluded.offset_id, k.offset_id) 
		-- a key that was only locked is no delete: it has no version yet
		WHERE (k.created_at IS NULL OR k.created_at >= closed_before) AND cube.replaces(
			excluded.created_at IS NULL, excluded.lsn, excluded.source_us, excluded.kafka_us, excluded.record_offset,
			k.created_at IS NULL AND k.kafka_us > 0, k.lsn, k.source_us, k.kafka_us, k.record_offset)
		RETURNING k.governance_session_id, k.created_at, k.prev_created_at)
	SELECT array_agg(w.governance_session_id), array_agg(w.governance_session_id) FILTER (WHERE w.created_at IS NULL AND w.prev_created_at IS NOT NULL),
		array_agg(w.governance_session_id) FILTER (WHERE w.created_at <> w.prev_created_at), array_agg(w.prev_created_at)
	INTO winners, deleted_keys, moved_keys, known_prev_created_at FROM w;

	-- 2. the others were older than what is there, or of a closed month: the ledger counts them as superseded, or as expired
	IF winners IS NULL OR cardinality(winners) < cardinality(merge_governance_sessions.governance_session_id) THEN
		WITH l AS (
			UPDATE cube.etl_offset o SET applied = o.applied - l.old - l.expired, superseded = o.superseded + l.old,
				ignored = o.ignored + l.expired, expired = o.expired + l.expired, contradicting = o.contradicting + l.contradicting
			FROM (SELECT i.offset_id, count(*) FILTER (WHERE NOT c.is_closed) AS old, count(*) FILTER (WHERE c.is_closed) AS expired,
					count(*) FILTER (WHERE NOT c.is_closed AND cube.own_us(i.source_us, i.kafka_us) > cube.own_us(k.source_us, k.kafka_us)) AS contradicting
				FROM unnest(merge_governance_sessions.governance_session_id, merge_governance_sessions.created_at, merge_governance_sessions.deleted, merge_governance_sessions.source_us, merge_governance_sessions.kafka_us, merge_governance_sessions.offset_id)
					AS i (governance_session_id, created_at, deleted, source_us, kafka_us, offset_id)
				LEFT JOIN unnest(winners) AS w (governance_session_id) ON w.governance_session_id = i.governance_session_id
				LEFT JOIN cube.key_governance_sessions k ON k.governance_session_id = i.governance_session_id
				CROSS JOIN LATERAL (SELECT coalesce(k.created_at < closed_before OR NOT i.deleted AND i.created_at < closed_before, false) AS is_closed) c
				WHERE i.offset_id IS NOT NULL AND w.governance_session_id IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
			WHERE o.offset_id = l.offset_id RETURNING l.old + l.expired AS n)
		SELECT coalesce(sum(l.n), 0) INTO not_applied FROM l;
	END IF;

	-- 3. rows that are deleted, and rows whose created_at was corrected: those move, they do not double. Both are few: asked for by key
	IF deleted_keys IS NOT NULL THEN
		DELETE FROM cube.fact_governance_sessions f USING cube.key_governance_sessions k
		WHERE k.governance_session_id = ANY (deleted_keys) AND f.governance_session_id = k.governance_session_id AND f.created_at = k.prev_created_at;
	END IF;
	IF moved_keys IS NOT NULL THEN
		UPDATE cube.fact_governance_sessions f SET created_at = k.created_at, time_key = cube.time_key(k.created_at) FROM cube.key_governance_sessions k
		WHERE k.governance_session_id = ANY (moved_keys) AND f.governance_session_id = k.governance_session_id AND f.created_at = k.prev_created_at;
	END IF;

	-- 4. the facts; a row that would not change is not written
	-- nearly always all keys win and no row moves: then the key rows are at hand, in the order of the arguments
	IF winners = merge_governance_sessions.governance_session_id AND moved_keys IS NULL THEN
	INSERT INTO cube.fact_governance_sessions AS t (governance_session_id, time_key, component_key, actor_key, session_id, policy_name, action_type, category, committee, risk_level, status, outcome, quorum_required, approval_threshold, total_votes, decision_seconds, created_at, voting_started_at, decided_at, expires_at, loaded_at)
	SELECT f.governance_session_id,
		cube.time_key(f.created_at),
		f.component_key,
		f.actor_key,
		f.session_id,
		f.policy_name,
		f.action_type,
		f.category,
		f.committee,
		f.risk_level,
		f.status,
		f.outcome,
		f.quorum_required,
		f.approval_threshold,
		f.total_votes,
		f.decision_seconds,
		f.created_at,
		f.voting_started_at,
		f.decided_at,
		f.expires_at,
		now()
	FROM (SELECT unnest(merge_governance_sessions.governance_session_id) AS governance_session_id, unnest(merge_governance_sessions.component_key) AS component_key, unnest(merge_governance_sessions.actor_key) AS actor_key, unnest(merge_governance_sessions.session_id) AS session_id, unnest(merge_governance_sessions.policy_name) AS policy_name, unnest(merge_governance_sessions.action_type) AS action_type, unnest(merge_governance_sessions.category) AS category, unnest(merge_governance_sessions.committee) AS committee, unnest(merge_governance_sessions.risk_level) AS risk_level, unnest(merge_governance_sessions.status) AS status, unnest(merge_governance_sessions.outcome) AS outcome, unnest(merge_governance_sessions.quorum_required) AS quorum_required, unnest(merge_governance_sessions.approval_threshold) AS approval_threshold, unnest(merge_governance_sessions.total_votes) AS total_votes, unnest(merge_governance_sessions.decision_seconds) AS decision_seconds, unnest(merge_governance_sessions.created_at) AS created_at, unnest(merge_governance_sessions.voting_started_at) AS voting_started_at, unnest(merge_governance_sessions.decided_at) AS decided_at, unnest(merge_governance_sessions.expires_at) AS expires_at, unnest(merge_governance_sessions.deleted) AS deleted, unnest(known_prev_created_at) AS known_prev_created_at) AS f,
		LATERAL (SELECT f.created_at, f.governance_session_id, f.known_prev_created_at AS prev_created_at) AS k
	WHERE NOT f.deleted
	ON CONFLICT (governance_session_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		component_key = excluded.component_key,
		actor_key = excluded.actor_key,
		session_id = excluded.session_id,
		policy_name = excluded.policy_name,
		action_type = excluded.action_type,
		category = excluded.category,
		committee = excluded.committee,
		risk_level = excluded.risk_level,
		status = excluded.status,
		outcome = excluded.outcome,
		quorum_required = excluded.quorum_required,
		approval_threshold = excluded.approval_threshold,
		total_votes = excluded.total_votes,
		decision_seconds = excluded.decision_seconds,
		voting_started_at = excluded.voting_started_at,
		decided_at = excluded.decided_at,
		expires_at = excluded.expires_at,
		loaded_at = excluded.loaded_at
	WHERE (t.governance_session_id, t.time_key, t.component_key, t.actor_key, t.session_id, t.policy_name, t.action_type, t.category, t.committee, t.risk_level, t.status, t.outcome, t.quorum_required, t.approval_threshold, t.total_votes, t.decision_seconds, t.created_at, t.voting_started_at, t.decided_at, t.expires_at) IS DISTINCT FROM (excluded.governance_session_id, excluded.time_key, excluded.component_key, excluded.actor_key, excluded.session_id, excluded.policy_name, excluded.action_type, excluded.category, excluded.committee, excluded.risk_level, excluded.status, excluded.outcome, excluded.quorum_required, excluded.approval_threshold, excluded.total_votes, excluded.decision_seconds, excluded.created_at, excluded.voting_started_at, excluded.decided_at, excluded.expires_at);
	ELSIF winners IS NOT NULL THEN
	INSERT INTO cube.fact_governance_sessions AS t (governance_session_id, time_key, component_key, actor_key, session_id, policy_name, action_type, category, committee, risk_level, status, outcome, quorum_required, approval_threshold, total_votes, decision_seconds, created_at, voting_started_at, decided_at, expires_at, loaded_at)
	SELECT f.governance_session_id,
		cube.time_key(f.created_at),
		f.component_key,
		f.actor_key,
		f.session_id,
		f.policy_name,
		f.action_type,
		f.category,
		f.committee,
		f.risk_level,
		f.status,
		f.outcome,
		f.quorum_required,
		f.approval_threshold,
		f.total_votes,
		f.decision_seconds,
		f.created_at,
		f.voting_started_at,
		f.decided_at,
		f.expires_at,
		now()
	FROM (SELECT unnest(merge_governance_sessions.governance_session_id) AS governance_session_id, unnest(merge_governance_sessions.component_key) AS component_key, unnest(merge_governance_sessions.actor_key) AS actor_key, unnest(merge_governance_sessions.session_id) AS session_id, unnest(merge_governance_sessions.policy_name) AS policy_name, unnest(merge_governance_sessions.action_type) AS action_type, unnest(merge_governance_sessions.category) AS category, unnest(merge_governance_sessions.committee) AS committee, unnest(merge_governance_sessions.risk_level) AS risk_level, unnest(merge_governance_sessions.status) AS status, unnest(merge_governance_sessions.outcome) AS outcome, unnest(merge_governance_sessions.quorum_required) AS quorum_required, unnest(merge_governance_sessions.approval_threshold) AS approval_threshold, unnest(merge_governance_sessions.total_votes) AS total_votes, unnest(merge_governance_sessions.decision_seconds) AS decision_seconds, unnest(merge_governance_sessions.created_at) AS created_at, unnest(merge_governance_sessions.voting_started_at) AS voting_started_at, unnest(merge_governance_sessions.decided_at) AS decided_at, unnest(merge_governance_sessions.expires_at) AS expires_at) AS f
	JOIN unnest(winners) AS w (governance_session_id) ON w.governance_session_id = f.governance_session_id
	JOIN cube.key_governance_sessions k ON k.governance_session_id = w.governance_session_id
	WHERE k.created_at IS NOT NULL
	ON CONFLICT (governance_session_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		component_key = excluded.component_key,
		actor_key = excluded.actor_key,
		session_id = excluded.session_id,
		policy_name = excluded.policy_name,
		action_type = excluded.action_type,
		category = excluded.category,
		committee = excluded.committee,
		risk_level = excluded.risk_level,
		status = excluded.status,
		outcome = excluded.outcome,
		quorum_required = excluded.quorum_required,
		approval_threshold = excluded.approval_threshold,
		total_votes = excluded.total_votes,
		decision_seconds = excluded.decision_seconds,
		voting_started_at = excluded.voting_started_at,
		decided_at = excluded.decided_at,
		expires_at = excluded.expires_at,
		loaded_at = excluded.loaded_at
	WHERE (t.governance_session_id, t.time_key, t.component_key, t.actor_key, t.session_id, t.policy_name, t.action_type, t.category, t.committee, t.risk_level, t.status, t.outcome, t.quorum_required, t.approval_threshold, t.total_votes, t.decision_seconds, t.created_at, t.voting_started_at, t.decided_at, t.expires_at) IS DISTINCT FROM (excluded.governance_session_id, excluded.time_key, excluded.component_key, excluded.actor_key, excluded.session_id, excluded.policy_name, excluded.action_type, excluded.category, excluded.committee, excluded.risk_level, excluded.status, excluded.outcome, excluded.quorum_required, excluded.approval_threshold, excluded.total_votes, excluded.decision_seconds, excluded.created_at, excluded.voting_started_at, excluded.decided_at, excluded.expires_at);
	END IF;
	RETURN not_applied;
END $function$;
