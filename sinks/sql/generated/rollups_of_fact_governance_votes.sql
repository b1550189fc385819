-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.rollup_fact_governance_votes_delete()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
DECLARE
	my_lane constant smallint := cube.lane();
	is_full boolean;
BEGIN
	IF NOT EXISTS (SELECT FROM old_rows) THEN RETURN NULL; END IF;
	INSERT INTO cube.rollup_governance_votes_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.vote_id, f.time_key, f.component_key, f.actor_key, f.governance_session_id, f.governance_member_id, f.vote, f.vote_weight, f.is_automated, f.confidence_score, f.verification_status, f.session_outcome, f.created_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_votes_daily AS r (governance_session_id, actor_key, day, lane, votes, approve, reject, abstain) SELECT governance_session_id, actor_key, day, my_lane, coalesce(sum(votes), 0), coalesce(sum(approve), 0), coalesce(sum(reject), 0), coalesce(sum(abstain), 0) FROM (SELECT coalesce(f.governance_session_id, 'unknown') AS governance_session_id, f.actor_key AS actor_key, cube.day_of(f.time_key) AS day, -(1) AS votes, -(coalesce(f.vote = 'approve', false)::int) AS approve, -(coalesce(f.vote = 'reject', false)::int) AS reject, -(coalesce(f.vote = 'abstain', false)::int) AS abstain FROM old_rows f  WHERE true) d GROUP BY governance_session_id, actor_key, day HAVING coalesce(sum(votes), 0) <> 0 OR coalesce(sum(approve), 0) <> 0 OR coalesce(sum(reject), 0) <> 0 OR coalesce(sum(abstain), 0) <> 0 ORDER BY governance_session_id, actor_key, day
		ON CONFLICT (governance_session_id, actor_key, day, lane) DO UPDATE SET votes = r.votes + excluded.votes, approve = r.approve + excluded.approve, reject = r.reject + excluded.reject, abstain = r.abstain + excluded.abstain;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_governance_votes_insert()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
DECLARE
	my_lane constant smallint := cube.lane();
	is_full boolean;
BEGIN
	IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;
	INSERT INTO cube.rollup_governance_votes_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.vote_id, f.time_key, f.component_key, f.actor_key, f.governance_session_id, f.governance_member_id, f.vote, f.vote_weight, f.is_automated, f.confidence_score, f.verification_status, f.session_outcome, f.created_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_votes_daily AS r (governance_session_id, actor_key, day, lane, votes, approve, reject, abstain) SELECT governance_session_id, actor_key, day, my_lane, coalesce(sum(votes), 0), coalesce(sum(approve), 0), coalesce(sum(reject), 0), coalesce(sum(abstain), 0) FROM (SELECT coalesce(f.governance_session_id, 'unknown') AS governance_session_id, f.actor_key AS actor_key, cube.day_of(f.time_key) AS day, (1) AS votes, (coalesce(f.vote = 'approve', false)::int) AS approve, (coalesce(f.vote = 'reject', false)::int) AS reject, (coalesce(f.vote = 'abstain', false)::int) AS abstain FROM new_rows f  WHERE true) d GROUP BY governance_session_id, actor_key, day HAVING coalesce(sum(votes), 0) <> 0 OR coalesce(sum(approve), 0) <> 0 OR coalesce(sum(reject), 0) <> 0 OR coalesce(sum(abstain), 0) <> 0 ORDER BY governance_session_id, actor_key, day
		ON CONFLICT (governance_session_id, actor_key, day, lane) DO UPDATE SET votes = r.votes + excluded.votes, approve = r.approve + excluded.approve, reject = r.reject + excluded.reject, abstain = r.abstain + excluded.abstain;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_governance_votes_update()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
DECLARE
	my_lane constant smallint := cube.lane();
	is_full boolean;
BEGIN
	IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;
	INSERT INTO cube.rollup_governance_votes_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.vote_id, f.time_key, f.component_key, f.actor_key, f.governance_session_id, f.governance_member_id, f.vote, f.vote_weight, f.is_automated, f.confidence_score, f.verification_status, f.session_outcome, f.created_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.vote_id, f.time_key, f.component_key, f.actor_key, f.governance_session_id, f.governance_member_id, f.vote, f.vote_weight, f.is_automated, f.confidence_score, f.verification_status, f.session_outcome, f.created_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_votes_daily AS r (governance_session_id, actor_key, day, lane, votes, approve, reject, abstain) SELECT governance_session_id, actor_key, day, my_lane, coalesce(sum(votes), 0), coalesce(sum(approve), 0), coalesce(sum(reject), 0), coalesce(sum(abstain), 0) FROM (SELECT coalesce(f.governance_session_id, 'unknown') AS governance_session_id, f.actor_key AS actor_key, cube.day_of(f.time_key) AS day, (1) AS votes, (coalesce(f.vote = 'approve', false)::int) AS approve, (coalesce(f.vote = 'reject', false)::int) AS reject, (coalesce(f.vote = 'abstain', false)::int) AS abstain FROM new_rows f  WHERE true UNION ALL SELECT coalesce(f.governance_session_id, 'unknown') AS governance_session_id, f.actor_key AS actor_key, cube.day_of(f.time_key) AS day, -(1) AS votes, -(coalesce(f.vote = 'approve', false)::int) AS approve, -(coalesce(f.vote = 'reject', false)::int) AS reject, -(coalesce(f.vote = 'abstain', false)::int) AS abstain FROM old_rows f  WHERE true) d GROUP BY governance_session_id, actor_key, day HAVING coalesce(sum(votes), 0) <> 0 OR coalesce(sum(approve), 0) <> 0 OR coalesce(sum(reject), 0) <> 0 OR coalesce(sum(abstain), 0) <> 0 ORDER BY governance_session_id, actor_key, day
		ON CONFLICT (governance_session_id, actor_key, day, lane) DO UPDATE SET votes = r.votes + excluded.votes, approve = r.approve + excluded.approve, reject = r.reject + excluded.reject, abstain = r.abstain + excluded.abstain;
	RETURN NULL;
END $function$;
