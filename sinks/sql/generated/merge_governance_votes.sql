-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.follow_governance_votes()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF NEW.vote_id <> OLD.vote_id THEN
		RAISE EXCEPTION 'the key of a fact cannot be changed by hand: %', OLD.vote_id USING ERRCODE = 'restrict_violation',
			HINT = 'Delete the row; a record with the new key makes another one.';
	END IF;
	UPDATE cube.key_governance_votes k SET created_at = NEW.created_at, prev_created_at = k.created_at WHERE k.vote_id = OLD.vote_id AND k.created_at = OLD.created_at;
	NEW.time_key := cube.time_key(NEW.created_at);
	PERFORM cube.ensure_hours(ARRAY[NEW.time_key / 60]);
	RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION cube.forget_governance_votes()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	UPDATE cube.key_governance_votes k SET created_at = NULL, prev_created_at = k.created_at FROM old_rows o WHERE k.vote_id = o.vote_id AND k.created_at = o.created_at;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.lock_governance_votes(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.key_governance_votes AS k (vote_id) SELECT DISTINCT i COLLATE "C" FROM unnest(keys) i WHERE i IS NOT NULL ORDER BY 1
	ON CONFLICT (vote_id) DO UPDATE SET vote_id = excluded.vote_id WHERE false;
END $function$;

CREATE OR REPLACE FUNCTION cube.merge_governance_votes(vote_id text[], component_key integer[], governance_session_id text[], governance_member_id text[], vote text[], vote_weight double precision[], is_automated boolean[], confidence_score double precision[], verification_status text[], created_at timestamp with time zone[], deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
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
	closed_before constant timestamptz := cube.pass_horizon('fact_governance_votes');
	known_prev_created_at timestamp with time zone[]; known_outcome text[]; known_member_actor_key integer[];
BEGIN
	-- 1. the versions: every key is locked, in the sender's order, and the newest version stays; closed months are left as they are. What was
	-- written is what this returns: a number of the transaction in the row would be that of another one in a cube that was restored
	WITH w AS (
		INSERT INTO cube.key_governance_votes AS k (vote_id, created_at, lsn, source_us, kafka_us, record_offset, offset_id , governance_session_id, governance_member_id)
		SELECT i.vote_id, CASE WHEN NOT i.deleted THEN i.created_at END, i.lsn, i.source_us, i.kafka_us, i.record_offset, i.offset_id , i.governance_session_id, i.governance_member_id
		FROM (SELECT unnest(merge_governance_votes.vote_id) AS vote_id, unnest(merge_governance_votes.created_at) AS created_at, unnest(merge_governance_votes.governance_session_id) AS governance_session_id, unnest(merge_governance_votes.governance_member_id) AS governance_member_id, unnest(merge_governance_votes.deleted) AS deleted, unnest(merge_governance_votes.lsn) AS lsn, unnest(merge_governance_votes.source_us) AS source_us, unnest(merge_governance_votes.kafka_us) AS kafka_us, unnest(merge_governance_votes.record_offset) AS record_offset, unnest(merge_governance_votes.offset_id) AS offset_id) AS i
		WHERE i.deleted OR i.created_at >= closed_before
		ON CONFLICT (vote_id) DO UPDATE SET created_at = excluded.created_at, prev_created_at = k.created_at, lsn = excluded.lsn,
			source_us = excluded.source_us, kafka_us = excluded.kafka_us, record_offset = excluded.record_offset,
			offset_id = coalesce(excluded.offset_id, k.offset_id) , governance_session_id = excluded.governance_session_id, governance_member_id = excluded.governance_member_id
		-- a key that was only locked is no delete: it has no version yet
		WHERE (k.created_at IS NULL OR k.created_at >= closed_before) AND cube.replaces(
			excluded.created_at IS NULL, excluded.lsn, excluded.source_us, excluded.kafka_us, excluded.record_offset,
			k.created_at IS NULL AND k.kafka_us > 0, k.lsn, k.source_us, k.kafka_us, k.record_offset)
		RETURNING k.vote_id, k.created_at, k.prev_created_at, k.outcome, k.member_actor_key)
	SELECT array_agg(w.vote_id), array_agg(w.vote_id) FILTER (WHERE w.created_at IS NULL AND w.prev_created_at IS NOT NULL),
		array_agg(w.vote_id) FILTER (WHERE w.created_at <> w.prev_created_at), array_agg(w.prev_created_at), array_agg(w.outcome), array_agg(w.member_actor_key)
	INTO winners, deleted_keys, moved_keys, known_prev_created_at, known_outcome, known_member_actor_key FROM w;

	-- 2. the others were older than what is there, or of a closed month: the ledger counts them as superseded, or as expired
	IF winners IS NULL OR cardinality(winners) < cardinality(merge_governance_votes.vote_id) THEN
		WITH l AS (
			UPDATE cube.etl_offset o SET applied = o.applied - l.old - l.expired, superseded = o.superseded + l.old,
				ignored = o.ignored + l.expired, expired = o.expired + l.expired, contradicting = o.contradicting + l.contradicting
			FROM (SELECT i.offset_id, count(*) FILTER (WHERE NOT c.is_closed) AS old, count(*) FILTER (WHERE c.is_closed) AS expired,
					count(*) FILTER (WHERE NOT c.is_closed AND cube.own_us(i.source_us, i.kafka_us) > cube.own_us(k.source_us, k.kafka_us)) AS contradicting
				FROM unnest(merge_governance_votes.vote_id, merge_governance_votes.created_at, merge_governance_votes.deleted, merge_governance_votes.source_us, merge_governance_votes.kafka_us, merge_governance_votes.offset_id)
					AS i (vote_id, created_at, deleted, source_us, kafka_us, offset_id)
				LEFT JOIN unnest(winners) AS w (vote_id) ON w.vote_id = i.vote_id
				LEFT JOIN cube.key_governance_votes k ON k.vote_id = i.vote_id
				CROSS JOIN LATERAL (SELECT coalesce(k.created_at < closed_before OR NOT i.deleted AND i.created_at < closed_before, false) AS is_closed) c
				WHERE i.offset_id IS NOT NULL AND w.vote_id IS NULL GROUP BY i.offset_id ORDER BY i.offset_id) l
			WHERE o.offset_id = l.offset_id RETURNING l.old + l.expired AS n)
		SELECT coalesce(sum(l.n), 0) INTO not_applied FROM l;
	END IF;

	-- 3. rows that are deleted, and rows whose created_at was corrected: those move, they do not double. Both are few: asked for by key
	IF deleted_keys IS NOT NULL THEN
		DELETE FROM cube.fact_governance_votes f USING cube.key_governance_votes k
		WHERE k.vote_id = ANY (deleted_keys) AND f.vote_id = k.vote_id AND f.created_at = k.prev_created_at;
	END IF;
	IF moved_keys IS NOT NULL THEN
		UPDATE cube.fact_governance_votes f SET created_at = k.created_at, time_key = cube.time_key(k.created_at) FROM cube.key_governance_votes k
		WHERE k.vote_id = ANY (moved_keys) AND f.vote_id = k.vote_id AND f.created_at = k.prev_created_at;
	END IF;

	-- 4. the facts; a row that would not change is not written
	-- what the parents say now; they were locked before, so the later of the two sees the other
	UPDATE cube.key_governance_votes t SET outcome = n.outcome, member_actor_key = n.member_actor_key FROM (SELECT k.vote_id, (coalesce((SELECT s.outcome FROM cube.key_governance_sessions p JOIN cube.fact_governance_sessions s ON s.governance_session_id = p.governance_session_id AND s.created_at = p.created_at WHERE p.governance_session_id = k.governance_session_id), CASE WHEN EXISTS (SELECT FROM cube.key_governance_sessions p WHERE p.governance_session_id = k.governance_session_id AND p.created_at < cube.closed_before('fact_governance_sessions')) THEN k.outcome END)) AS outcome, (coalesce((SELECT m.actor_key FROM cube.key_governance_members p JOIN cube.fact_governance_members m ON m.governance_member_id = p.governance_member_id AND m.created_at = p.created_at WHERE p.governance_member_id = k.governance_member_id), CASE WHEN EXISTS (SELECT FROM cube.key_governance_members p WHERE p.governance_member_id = k.governance_member_id AND p.created_at < cube.closed_before('fact_governance_members')) THEN k.member_actor_key END)) AS member_actor_key FROM unnest(winners) AS i (vote_id) JOIN cube.key_governance_votes k ON k.vote_id = i.vote_id) n
	WHERE t.vote_id = n.vote_id AND (t.outcome, t.member_actor_key) IS DISTINCT FROM (n.outcome, n.member_actor_key);
	INSERT INTO cube.fact_governance_votes AS t (vote_id, time_key, component_key, actor_key, governance_session_id, governance_member_id, vote, vote_weight, is_automated, confidence_score, verification_status, session_outcome, created_at, loaded_at)
	SELECT f.vote_id,
		cube.time_key(f.created_at),
		f.component_key,
		(coalesce(k.member_actor_key, 0)),
		f.governance_session_id,
		f.governance_member_id,
		f.vote,
		f.vote_weight,
		f.is_automated,
		f.confidence_score,
		f.verification_status,
		(k.outcome),
		f.created_at,
		now()
	FROM (SELECT unnest(merge_governance_votes.vote_id) AS vote_id, unnest(merge_governance_votes.component_key) AS component_key, unnest(merge_governance_votes.governance_session_id) AS governance_session_id, unnest(merge_governance_votes.governance_member_id) AS governance_member_id, unnest(merge_governance_votes.vote) AS vote, unnest(merge_governance_votes.vote_weight) AS vote_weight, unnest(merge_governance_votes.is_automated) AS is_automated, unnest(merge_governance_votes.confidence_score) AS confidence_score, unnest(merge_governance_votes.verification_status) AS verification_status, unnest(merge_governance_votes.created_at) AS created_at) AS f
	JOIN unnest(winners) AS w (vote_id) ON w.vote_id = f.vote_id
	JOIN cube.key_governance_votes k ON k.vote_id = w.vote_id
	WHERE k.created_at IS NOT NULL
	ON CONFLICT (vote_id, created_at) DO UPDATE SET
		time_key = excluded.time_key,
		component_key = excluded.component_key,
		actor_key = excluded.actor_key,
		governance_session_id = excluded.governance_session_id,
		governance_member_id = excluded.governance_member_id,
		vote = excluded.vote,
		vote_weight = excluded.vote_weight,
		is_automated = excluded.is_automated,
		confidence_score = excluded.confidence_score,
		verification_status = excluded.verification_status,
		session_outcome = excluded.session_outcome,
		loaded_at = excluded.loaded_at
	WHERE (t.vote_id, t.time_key, t.component_key, t.actor_key, t.governance_session_id, t.governance_member_id, t.vote, t.vote_weight, t.is_automated, t.confidence_score, t.verification_status, t.session_outcome, t.created_at) IS DISTINCT FROM (excluded.vote_id, excluded.time_key, excluded.component_key, excluded.actor_key, excluded.governance_session_id, excluded.governance_member_id, excluded.vote, excluded.vote_weight, excluded.is_automated, excluded.confidence_score, excluded.verification_status, excluded.session_outcome, excluded.created_at);
	RETURN not_applied;
END $function$;

CREATE OR REPLACE FUNCTION cube.parent_fact_governance_members_of_governance_votes()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
DECLARE keys text[];
BEGIN
	IF NOT EXISTS (SELECT FROM cube.key_governance_votes k WHERE k.governance_member_id IS NOT NULL) THEN RETURN NULL; END IF;
	keys := ARRAY(SELECT k.vote_id FROM changed c JOIN cube.key_governance_votes k ON k.governance_member_id = c.governance_member_id LIMIT cube.keys_at_once() + 1);
	IF cardinality(keys) <= cube.keys_at_once() THEN
		PERFORM cube.relink_governance_votes(keys);
	ELSE
		PERFORM cube.relink_named('governance_votes', 'governance_member_id', ARRAY(SELECT DISTINCT c.governance_member_id::text FROM changed c));
	END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.parent_fact_governance_sessions_of_governance_votes()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
DECLARE keys text[];
BEGIN
	IF NOT EXISTS (SELECT FROM cube.key_governance_votes k WHERE k.governance_session_id IS NOT NULL) THEN RETURN NULL; END IF;
	keys := ARRAY(SELECT k.vote_id FROM changed c JOIN cube.key_governance_votes k ON k.governance_session_id = c.governance_session_id LIMIT cube.keys_at_once() + 1);
	IF cardinality(keys) <= cube.keys_at_once() THEN
		PERFORM cube.relink_governance_votes(keys);
	ELSE
		PERFORM cube.relink_named('governance_votes', 'governance_session_id', ARRAY(SELECT DISTINCT c.governance_session_id::text FROM changed c));
	END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.relink_governance_votes(keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF keys IS NULL OR cardinality(keys) = 0 THEN RETURN; END IF;
	PERFORM cube.lock_governance_votes(keys);
	UPDATE cube.key_governance_votes t SET outcome = n.outcome, member_actor_key = n.member_actor_key FROM (SELECT k.vote_id, (coalesce((SELECT s.outcome FROM cube.key_governance_sessions p JOIN cube.fact_governance_sessions s ON s.governance_session_id = p.governance_session_id AND s.created_at = p.created_at WHERE p.governance_session_id = k.governance_session_id), CASE WHEN EXISTS (SELECT FROM cube.key_governance_sessions p WHERE p.governance_session_id = k.governance_session_id AND p.created_at < cube.closed_before('fact_governance_sessions')) THEN k.outcome END)) AS outcome, (coalesce((SELECT m.actor_key FROM cube.key_governance_members p JOIN cube.fact_governance_members m ON m.governance_member_id = p.governance_member_id AND m.created_at = p.created_at WHERE p.governance_member_id = k.governance_member_id), CASE WHEN EXISTS (SELECT FROM cube.key_governance_members p WHERE p.governance_member_id = k.governance_member_id AND p.created_at < cube.closed_before('fact_governance_members')) THEN k.member_actor_key END)) AS member_actor_key FROM cube.key_governance_votes k WHERE k.vote_id = ANY (keys)) n WHERE t.vote_id = n.vote_id AND (t.outcome, t.member_actor_key) IS DISTINCT FROM (n.outcome, n.member_actor_key);
	UPDATE cube.fact_governance_votes f SET actor_key = (coalesce(k.member_actor_key, 0)), session_outcome = (k.outcome), loaded_at = now()
	FROM cube.key_governance_votes k
	WHERE k.vote_id = ANY (keys) AND k.created_at IS NOT NULL AND f.vote_id = k.vote_id AND f.created_at = k.created_at
		AND (f.actor_key, f.session_outcome) IS DISTINCT FROM ((coalesce(k.member_actor_key, 0)), (k.outcome));
END $function$;
