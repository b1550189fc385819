-- Events of Grace's in-process mesh. Several events tell of one error or one approval; each tells one aspect of it. Of an
-- aspect one event counts, whatever the order of arrival: the earliest that raised the matter, the latest of the others.
-- From its aspects the error or the approval is computed anew, and merged like any other version of it.

SELECT cube.describe('cube.mesh_aspect', 'What the trigger mesh said of an error or an approval, one row an aspect.', $$
	subject_id: error:<error_id> or approval:<approval_id>
	aspect: raised, diagnosed, planned, resolved, failed of an error; requested, decided of an approval
	at: time of the event
	digest: hash of the event, decides between events of the same time
	actor_key: dim_actor
	component_key: dim_component
	component_is_explicit: the event named the component itself
	tier_key: dim_tier
	title: type of the error or of the approval
	severity: of the error
	source: what it is about
	note: resolution note, reason, decision
	needs_human: the mesh could not act alone; of a decision: approved
	error_id: the error that an approval is about
	contract_id: the contract that an approval is about
	risk_score: 0 to 1
	loaded_at: when the row was last written
$$);

-- What transforms/streams/trigger_events.c calls the matters, the aspects and which event of one counts: tests/contract/mesh_events.csv is the cases,
-- run through both.
CREATE OR REPLACE FUNCTION cube.approval_of_subject(subject_id text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN subject_id LIKE 'approval:%' THEN substr(subject_id, 10) END
$$;
COMMENT ON FUNCTION cube.approval_of_subject(text) IS 'The approval that the mesh tells of, NULL where it is an error.';

CREATE OR REPLACE FUNCTION cube.subject_of_approval(approval_id text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT 'approval:' || approval_id
$$;
COMMENT ON FUNCTION cube.subject_of_approval(text) IS 'What the mesh calls an approval.';

CREATE OR REPLACE FUNCTION cube.merge_mesh_events(subject_id text[], aspect text[], at timestamptz[], digest bigint[], actor_key int[], component_key int[],
	component_is_explicit boolean[], tier_key int[], title text[], severity text[], source text[], note text[], needs_human boolean[],
	error_id text[], contract_id text[], risk_score double precision[],
	deleted boolean[], lsn bigint[], source_us bigint[], kafka_us bigint[], record_offset bigint[], offset_id bigint[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
#variable_conflict use_column
DECLARE
	errors_closed constant timestamptz := cube.pass_horizon('fact_error_events');
	approvals_closed constant timestamptz := cube.pass_horizon('fact_approvals');
	closed text[]; -- subjects of closed months
	errors text[] := ARRAY(SELECT DISTINCT s COLLATE "C" FROM (
		SELECT s FROM unnest(merge_mesh_events.subject_id) s WHERE cube.error_stream(s) = 'trigger_events'
		UNION ALL SELECT e FROM unnest(merge_mesh_events.error_id) e WHERE e IS NOT NULL) u ORDER BY 1);
	approvals text[] := ARRAY(SELECT DISTINCT cube.approval_of_subject(s) COLLATE "C" FROM unnest(merge_mesh_events.subject_id) s WHERE cube.approval_of_subject(s) IS NOT NULL ORDER BY 1);
BEGIN
	-- every subject is locked first, so of two workers with aspects of one subject the second sees the first
	PERFORM cube.lock_error_events(errors);
	PERFORM cube.lock_approvals(approvals);

	closed := ARRAY(SELECT k.error_id FROM cube.key_error_events k WHERE k.error_id = ANY (errors) AND k.created_at < errors_closed
		UNION SELECT cube.subject_of_approval(k.approval_id) FROM cube.key_approvals k WHERE k.approval_id = ANY (approvals) AND k.created_at < approvals_closed
		UNION SELECT i.subject_id FROM unnest(merge_mesh_events.subject_id, merge_mesh_events.aspect, merge_mesh_events.at) AS i (subject_id, aspect, at)
		WHERE i.aspect IN ('raised', 'diagnosed', 'requested') AND i.at < CASE i.aspect WHEN 'requested' THEN approvals_closed ELSE errors_closed END);

	INSERT INTO cube.mesh_aspect AS m (subject_id, aspect, at, digest, actor_key, component_key, component_is_explicit, tier_key, title, severity, source,
		note, needs_human, error_id, contract_id, risk_score)
	SELECT DISTINCT ON (i.subject_id, i.aspect) i.*
	FROM unnest(merge_mesh_events.subject_id, merge_mesh_events.aspect, merge_mesh_events.at, merge_mesh_events.digest, merge_mesh_events.actor_key,
		merge_mesh_events.component_key, merge_mesh_events.component_is_explicit, merge_mesh_events.tier_key, merge_mesh_events.title,
		merge_mesh_events.severity, merge_mesh_events.source, merge_mesh_events.note, merge_mesh_events.needs_human, merge_mesh_events.error_id,
		merge_mesh_events.contract_id, merge_mesh_events.risk_score)
		AS i (subject_id, aspect, at, digest, actor_key, component_key, component_is_explicit, tier_key, title, severity, source, note, needs_human,
			error_id, contract_id, risk_score)
	WHERE i.subject_id <> ALL (closed)
	ORDER BY i.subject_id, i.aspect, cube.mesh_rank(i.aspect, i.at) DESC, i.digest DESC
	ON CONFLICT (subject_id, aspect) DO UPDATE SET at = excluded.at, digest = excluded.digest, actor_key = excluded.actor_key,
		component_key = excluded.component_key, component_is_explicit = excluded.component_is_explicit, tier_key = excluded.tier_key,
		title = excluded.title, severity = excluded.severity, source = excluded.source, note = excluded.note, needs_human = excluded.needs_human,
		error_id = excluded.error_id, contract_id = excluded.contract_id, risk_score = excluded.risk_score, loaded_at = now()
	WHERE (cube.mesh_rank(excluded.aspect, excluded.at), excluded.digest) > (cube.mesh_rank(m.aspect, m.at), m.digest);

	PERFORM cube.ensure_mesh(errors || ARRAY(SELECT cube.subject_of_approval(a) FROM unnest(approvals) a));
	PERFORM cube.merge_mesh_errors(errors);
	PERFORM cube.merge_mesh_approvals(approvals);
	-- an event of the mesh confirms what is known, if nothing else, but for one of a closed month
	RETURN cube.count_expired(ARRAY(SELECT i.offset_id FROM unnest(merge_mesh_events.subject_id, merge_mesh_events.offset_id) AS i (subject_id, offset_id)
		WHERE i.subject_id = ANY (closed)));
END $$;
COMMENT ON FUNCTION cube.merge_mesh_events IS 'Merges a batch of mesh events into the errors and approvals they tell of.';

-- Partitions and minutes of what may be a created_at: all of them at once and in the order in which they are made elsewhere, because
-- a worker that resolves its keys may be making the same ones.
CREATE OR REPLACE FUNCTION cube.ensure_mesh(subjects text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
BEGIN
	PERFORM cube.ensure_partitions(array_agg(w.target), array_agg(w.month)) FROM (
		SELECT DISTINCT CASE m.aspect WHEN 'requested' THEN 'approvals' ELSE 'error_events' END AS target,
			cube.month_of(m.at) AS month
		FROM cube.mesh_aspect m WHERE m.subject_id = ANY (subjects) AND m.aspect IN ('raised', 'diagnosed', 'requested')) w;
	PERFORM cube.ensure_hours(ARRAY(SELECT DISTINCT cube.time_key(m.at) / 60
		FROM cube.mesh_aspect m WHERE m.subject_id = ANY (subjects) AND m.aspect IN ('raised', 'diagnosed', 'requested')));
END $$;
COMMENT ON FUNCTION cube.ensure_mesh(text[]) IS 'Makes the partitions and minutes that errors and approvals of the mesh need.';

CREATE OR REPLACE FUNCTION cube.mesh_rank(aspect text, at timestamptz) RETURNS double precision LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN aspect IN ('raised', 'diagnosed', 'requested') THEN -date_part('epoch', at) ELSE date_part('epoch', at) END
$$;
COMMENT ON FUNCTION cube.mesh_rank(text, timestamptz) IS 'Of two events of one aspect the one with the higher rank counts.';

-- gc_error_names_person() is the same rule, and its statement is in include/gracecube/stream.h; tests/contract/persons.csv is its cases, run
-- through both.
CREATE OR REPLACE FUNCTION cube.names_person(note text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT coalesce(strpos(lower(note), 'user:') > 0, false)
$$;
COMMENT ON FUNCTION cube.names_person(text) IS 'Does a resolution note name a person, that is user:<name>, in any case?';

CREATE OR REPLACE FUNCTION cube.merge_mesh_errors(ids text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE e record;
BEGIN
	FOR e IN
		SELECT k.error_id, k.kafka_us + 1 AS version, b.actor_key, coalesce(b.title, b.aspect) AS error_type, cube.severity_of(b.severity) AS severity,
			b.source, cube.is_auto_resolved(r.at, cube.names_person(r.note)) AS auto,
			cube.seconds_between(least(b.at, d.at), r.at) AS seconds,
			CASE WHEN r.at IS NOT NULL THEN 'resolved' WHEN f.at IS NOT NULL THEN 'failed' ELSE 'open' END AS status, r.note,
			least(b.at, d.at) AS created_at, r.at AS resolved_at, b.component_key, b.component_is_explicit,
			cube.names_person(r.note) OR coalesce(p.needs_human, false)
				OR EXISTS (SELECT FROM cube.mesh_aspect a WHERE a.error_id = k.error_id AND a.aspect = 'requested') AS human
		FROM cube.key_error_events k
		JOIN LATERAL (SELECT m.* FROM cube.mesh_aspect m WHERE m.subject_id = k.error_id AND m.aspect IN ('raised', 'diagnosed')
			ORDER BY m.aspect DESC LIMIT 1) b ON true -- raised before diagnosed
		LEFT JOIN cube.mesh_aspect d ON d.subject_id = k.error_id AND d.aspect = 'diagnosed'
		LEFT JOIN cube.mesh_aspect r ON r.subject_id = k.error_id AND r.aspect = 'resolved'
		LEFT JOIN cube.mesh_aspect f ON f.subject_id = k.error_id AND f.aspect = 'failed'
		LEFT JOIN cube.mesh_aspect p ON p.subject_id = k.error_id AND p.aspect = 'planned'
		WHERE k.error_id = ANY (ids) AND cube.error_stream(k.error_id) = 'trigger_events' ORDER BY k.error_id
	LOOP
		PERFORM cube.merge_error_events(error_id => ARRAY[e.error_id], actor_key => ARRAY[e.actor_key], error_type => ARRAY[e.error_type],
			severity => ARRAY[e.severity], source => ARRAY[e.source], was_auto_resolved => ARRAY[e.auto], resolution_time_seconds => ARRAY[e.seconds],
			status => ARRAY[e.status], resolution_note => ARRAY[e.note], created_at => ARRAY[e.created_at], resolved_at => ARRAY[e.resolved_at],
			own_component_key => ARRAY[e.component_key], component_is_explicit => ARRAY[e.component_is_explicit], own_human => ARRAY[e.human],
			deleted => ARRAY[false], lsn => ARRAY[0::bigint], source_us => ARRAY[0::bigint], kafka_us => ARRAY[e.version],
			record_offset => ARRAY[0::bigint], offset_id => ARRAY[NULL::bigint]);
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.merge_mesh_errors(text[]) IS 'Computes errors anew from what the mesh said of them.';

-- decode_approval() in transforms/streams/approval_requests.c goes the other way, from the status to was_approved; tests/contract/approvals.csv is
-- the cases of both ways.
CREATE OR REPLACE FUNCTION cube.approval_status(p_approved boolean) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN p_approved THEN 'approved' WHEN NOT p_approved THEN 'rejected' ELSE 'pending' END
$$;
COMMENT ON FUNCTION cube.approval_status(boolean) IS 'Status of an approval that the mesh tells of.';

CREATE OR REPLACE FUNCTION cube.merge_mesh_approvals(ids text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE a record;
BEGIN
	FOR a IN
		SELECT k.approval_id, k.kafka_us + 1 AS version, coalesce(d.actor_key, 0) AS actor_key, q.title, q.note AS description,
			d.needs_human AS approved, cube.seconds_between(q.at, d.at) AS seconds, q.risk_score, q.at AS created_at,
			d.at AS decided_at, cube.approval_status(d.needs_human) AS status,
			q.contract_id, q.error_id, q.source, d.note AS decision_reason, q.tier_key
		FROM cube.key_approvals k
		JOIN cube.mesh_aspect q ON q.subject_id = cube.subject_of_approval(k.approval_id) AND q.aspect = 'requested'
		LEFT JOIN cube.mesh_aspect d ON d.subject_id = q.subject_id AND d.aspect = 'decided'
		WHERE k.approval_id = ANY (ids) AND k.offset_id IS NULL ORDER BY k.approval_id -- a record of its own outranks the mesh
	LOOP
		PERFORM cube.merge_approvals(approval_id => ARRAY[a.approval_id], actor_key => ARRAY[a.actor_key], approval_type => ARRAY[a.title],
			action_description => ARRAY[a.description], was_approved => ARRAY[a.approved], decision_time_seconds => ARRAY[a.seconds],
			risk_score => ARRAY[a.risk_score], created_at => ARRAY[a.created_at], decided_at => ARRAY[a.decided_at], status => ARRAY[a.status],
			contract_id => ARRAY[a.contract_id], error_id => ARRAY[a.error_id], requested_by => ARRAY[a.source], decision_reason => ARRAY[a.decision_reason],
			own_tier_key => ARRAY[a.tier_key], deleted => ARRAY[false], lsn => ARRAY[0::bigint], source_us => ARRAY[0::bigint],
			kafka_us => ARRAY[a.version], record_offset => ARRAY[0::bigint], offset_id => ARRAY[NULL::bigint]);
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.merge_mesh_approvals(text[]) IS 'Computes approvals anew from what the mesh said of them.';
