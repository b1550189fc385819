-- Who may see and call what. Run whenever other code is, since that may have made something new; what is there already is left alone.

-- Roles: gracecube_writer runs the consumers and owns nothing, so it can neither truncate, nor disable a trigger, nor write a
-- partition behind the triggers' back; everything goes through functions of the owner. gracecube_reader is for analysts.
DO $$
DECLARE wanted name;
BEGIN
	FOREACH wanted IN ARRAY ARRAY['gracecube_writer', 'gracecube_reader'] LOOP
		BEGIN
			IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN EXECUTE format('CREATE ROLE %I NOLOGIN', wanted); END IF;
		EXCEPTION
			WHEN insufficient_privilege THEN RAISE NOTICE 'no right to create roles: % is left out', wanted;
			WHEN duplicate_object OR unique_violation THEN RAISE NOTICE '% was made by somebody else', wanted; -- for another database
		END;
	END LOOP;
END $$;

-- Roles: gracecube_tier_<n> sees rows of the tiers up to n, in SQL as in the API; gracecube_api is what the API's own user must be a member
-- of. Another migrate may be making the same roles for another database: that is no error.
DO $$
DECLARE wanted text;
BEGIN
	FOREACH wanted IN ARRAY ARRAY['gracecube_api', 'gracecube_tier_1', 'gracecube_tier_2', 'gracecube_tier_3'] LOOP
		BEGIN
			IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN EXECUTE format('CREATE ROLE %I NOLOGIN', wanted); END IF;
		EXCEPTION WHEN duplicate_object OR unique_violation THEN
			RAISE NOTICE '% was made by somebody else', wanted;
		END;
	END LOOP;
	IF NOT pg_has_role('gracecube_tier_3', 'gracecube_tier_2', 'MEMBER') THEN GRANT gracecube_tier_2 TO gracecube_tier_3; END IF;
	IF NOT pg_has_role('gracecube_tier_2', 'gracecube_tier_1', 'MEMBER') THEN GRANT gracecube_tier_1 TO gracecube_tier_2; END IF;
	IF NOT pg_has_role('gracecube_api', 'gracecube_tier_3', 'MEMBER') THEN GRANT gracecube_tier_3 TO gracecube_api; END IF;
	IF NOT pg_has_role('gracecube_api', 'gracecube_reader', 'MEMBER') THEN GRANT gracecube_reader TO gracecube_api; END IF;
	IF NOT pg_has_role(current_user, 'gracecube_api', 'MEMBER') THEN EXECUTE format('GRANT gracecube_api TO %I', current_user); END IF;
EXCEPTION WHEN insufficient_privilege OR undefined_object THEN
	RAISE NOTICE 'no right to create roles: tokens and analysts can not be limited to a tier';
END $$;

-- Up to which tier who asks may see: who answers (current_user) or who logged in (session_user) is a member of a role of a tier, whatever
-- else he is a member of, and whichever of his roles he takes; the highest of them counts. Members of gracecube_api may become any, so of
-- them the role counts that they take. IMMUTABLE is not true of what it reads, and is meant: it is asked once, when a query is planned, as
-- the roles of a policy are; so nobody without a limit pays for it row by row. Plans are made again when the role changes. It looks nowhere but in
-- the catalog: a pg_has_role() in a schema of his own would be the better match, wherever that stands in his search_path.
CREATE OR REPLACE FUNCTION cube.tiers_seen() RETURNS text[] LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = cube, pg_temp AS $$
DECLARE
	asking name;
	highest int;
BEGIN
	FOREACH asking IN ARRAY ARRAY[current_user, session_user] LOOP
		CONTINUE WHEN coalesce(pg_has_role(asking, to_regrole('gracecube_api'), 'MEMBER'), false);
		highest := (SELECT max(n) FROM generate_series(1, 3) n WHERE pg_has_role(asking, to_regrole('gracecube_tier_' || n), 'MEMBER'));
		IF highest IS NOT NULL THEN RETURN ARRAY(SELECT 'tier_' || n FROM generate_series(1, highest) n); END IF;
	END LOOP;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION cube.tiers_seen() IS 'Codes of the tiers that who asks may see; NULL: no limit.';

-- Texts that may be the id of a contract or something else. They are asked by the row that has them: asked by the text, everybody could try which
-- contracts there are.
CREATE OR REPLACE FUNCTION cube.entry_names_contract(p_entry_id text, p_created_at timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
BEGIN
	RETURN EXISTS (SELECT FROM cube.fact_agentic_events e JOIN cube.key_verification_executions k ON k.contract_id = e.resource
		WHERE e.entry_id = p_entry_id AND e.created_at = p_created_at);
END $$;
COMMENT ON FUNCTION cube.entry_names_contract(text, timestamptz) IS 'Is the resource of a log entry a contract?';

CREATE OR REPLACE FUNCTION cube.error_names_contract(p_error_id text, p_created_at timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
BEGIN
	RETURN EXISTS (SELECT FROM cube.fact_error_events e JOIN cube.key_verification_executions k ON k.contract_id = e.source
		WHERE e.error_id = p_error_id AND e.created_at = p_created_at);
END $$;
COMMENT ON FUNCTION cube.error_names_contract(text, timestamptz) IS 'Is the source of an error a contract?';

-- What of a table is seen under a limit, over its columns; NULL: all of it. gc_tier_is_above() is the same rule of tiers, and its statement is in
-- sinks/http/server/server.h; tests/contract/tiers.csv is its cases, run through both. A row that tells of a contract is seen by who sees the
-- contract; of a key, by who sees its fact; of what has neither tier nor contract (missions, actors, votes, playbooks, …), by all.
CREATE OR REPLACE FUNCTION cube.limited_rows(c pg_class) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN -- asked of each table, and so planned once a session
	RETURN (WITH own AS (
		SELECT f.key_column, EXISTS (SELECT FROM cube.rollup r WHERE r.rollup = c.relname) AS is_rollup, f.fact IS NOT NULL AS is_fact, k.fact AS fact_of_keys,
			EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tier_key' AND NOT a.attisdropped) AS has_tier,
			EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'contract_id' AND NOT a.attisdropped) AS has_contract,
			k.key_column AS key_of_fact
		FROM (SELECT) one LEFT JOIN cube.fact f ON f.fact = c.relname LEFT JOIN cube.fact k ON 'key_' || k.target = c.relname),
	parts AS (
		SELECT 1 AS n, 'tier_key = ANY (ARRAY(SELECT t.tier_key FROM cube.dim_tier t WHERE t.tier_code = ANY (cube.tiers_seen())))' AS part
		FROM own WHERE has_tier AND (is_fact OR is_rollup)
		UNION ALL SELECT 2, format('(contract_id IS NULL OR EXISTS (SELECT FROM cube.fact_verification_executions c WHERE c.contract_id = %I.contract_id))', c.relname)
		FROM own WHERE is_fact AND has_contract AND key_column <> 'contract_id'
		UNION ALL SELECT 3, format('EXISTS (SELECT FROM cube.%1$I f WHERE f.%2$I = %3$I.%2$I AND f.created_at = %3$I.created_at)', fact_of_keys, key_of_fact, c.relname)
		FROM own WHERE fact_of_keys IS NOT NULL
		UNION ALL SELECT 4, o.part FROM (VALUES
			-- errors of log entries are seen by who sees the entry
			('fact_error_events', '(error_id NOT LIKE ''log:%'' OR EXISTS (SELECT FROM cube.fact_agentic_events e
				WHERE e.sequence = CASE WHEN fact_error_events.error_id ~ ''^log:[0-9]+$'' THEN substr(fact_error_events.error_id, 5)::bigint END
					AND e.created_at = fact_error_events.created_at)) AND (NOT cube.error_names_contract(error_id, created_at)
				OR EXISTS (SELECT FROM cube.fact_verification_executions c WHERE c.contract_id = fact_error_events.source))'),
			('fact_approvals', '(action_description !~ ''contract='' IS NOT FALSE OR EXISTS (SELECT FROM cube.fact_verification_executions c
				WHERE c.contract_id = substring(fact_approvals.action_description FROM ''contract=(\S+)'')))'),
			('fact_agentic_events', '(NOT cube.entry_names_contract(entry_id, created_at)
				OR EXISTS (SELECT FROM cube.fact_verification_executions c WHERE c.contract_id = fact_agentic_events.resource))'),
			('etl_quality_issue', 'CASE WHEN stream IN (''action_contracts'', ''verification_executions'')
				THEN EXISTS (SELECT FROM cube.fact_verification_executions c WHERE c.contract_id = etl_quality_issue.record_key)
				ELSE stream IN (''agentic_insights'', ''execution_tasks'', ''governance_members'', ''governance_sessions'', ''governance_votes'', ''healing_actions'',
					''mission_timelines'', ''playbook_runs'', ''playbook_step_runs'', ''shard_heartbeats'', ''tier_policies'') END'),
			-- records as they came, and what was noted of them: for those who see all
			('etl_dead_letter', 'false'), ('etl_verification', 'false'), ('mesh_aspect', 'false'), ('closed_link', 'false')) o (name, part)
		WHERE o.name = c.relname)
	SELECT string_agg(part, ' AND ' ORDER BY n) FROM parts);
END $$;
COMMENT ON FUNCTION cube.limited_rows(pg_class) IS 'The condition on rows of a table that who is limited to a tier may see; NULL: all rows.';

-- Who may read or write a table at all its grants say; the limit is put upon that. The owner, whose functions write, passes by, so consumers pay
-- nothing. Policies are made only where they differ, which the comment on them tells: that keeps readers and writers of the table out until the
-- transaction ends.
CREATE OR REPLACE FUNCTION cube.about_policy(c pg_class) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT 'Rows that who is limited to a tier may see (' || md5(replace(cube.limited_rows(c), 'cube.', '')) || ').'
$$;
COMMENT ON FUNCTION cube.about_policy(pg_class) IS 'The comment on the policy that a table shall have; NULL: none.';

CREATE OR REPLACE FUNCTION cube.lacks_policy(c pg_class) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE wanted constant text := cube.about_policy(c);
BEGIN
	RETURN wanted IS NOT NULL AND NOT EXISTS (SELECT FROM pg_policy p JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_policy'::regclass
		WHERE p.polrelid = c.oid AND c.relrowsecurity AND p.polname = 'tier_limit' AND d.description = wanted);
END $$;
COMMENT ON FUNCTION cube.lacks_policy(pg_class) IS 'Shall a limit hold for a table, and does not yet?';

-- For changes by hand. The first fires for rows of which an UPDATE names created_at or the key and changes it, in whichever month; the last for a
-- statement of no row at once, so that minutes are right which were made when other settings held. A table on which others hang is not emptied at
-- once. Months have theirs by cube.attach_partition().
CREATE OR REPLACE FUNCTION cube.lacking_triggers(c pg_class) RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN QUERY SELECT g.statement FROM (
		SELECT 'follow_created_at' AS name, format('CREATE TRIGGER follow_created_at BEFORE UPDATE OF %1$I, created_at ON cube.%2$I FOR EACH ROW
			WHEN (OLD.created_at <> NEW.created_at OR OLD.%1$I <> NEW.%1$I) EXECUTE FUNCTION cube.%3$I()', f.key_column, f.fact, 'follow_' || f.target) AS statement
		FROM cube.fact f WHERE f.fact = c.relname
		UNION ALL SELECT 'refuse_truncate', format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON cube.%I EXECUTE FUNCTION cube.refuse()', c.relname)
		WHERE c.relname ~ '^(fact|key|version|dim|rollup|etl)_'
		UNION ALL SELECT 'follow_business_time', 'CREATE TRIGGER follow_business_time AFTER INSERT OR UPDATE OR DELETE ON cube.setting EXECUTE FUNCTION cube.follow_business_time();
			UPDATE cube.setting SET value = value WHERE false' WHERE c.relname = 'setting') g
	WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = g.name);
END $$;
COMMENT ON FUNCTION cube.lacking_triggers(pg_class) IS 'The statements that give a table the triggers for changes by hand that it does not have yet.';

CREATE OR REPLACE FUNCTION cube.unprotected_tables() RETURNS SETOF text LANGUAGE sql STABLE AS $$
	SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		AND (cube.lacks_policy(c) OR EXISTS (SELECT FROM cube.lacking_triggers(c))) ORDER BY c.relname
$$;
COMMENT ON FUNCTION cube.unprotected_tables() IS 'Tables for which limits to a tier and triggers for changes by hand shall be, and are not yet.';

-- One of the two at a time, as they need different locks. 0.1.0 had a policy for each role, and who was in two roles saw what either did.
CREATE OR REPLACE FUNCTION cube.protect_table(p_table text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	c pg_class := (SELECT u FROM pg_class u WHERE u.oid = format('cube.%I', p_table)::regclass);
	statement text;
	older name;
BEGIN
	FOR statement IN SELECT * FROM cube.lacking_triggers(c) LOOP EXECUTE statement; END LOOP;
	IF FOUND OR NOT cube.lacks_policy(c) THEN RETURN; END IF;
	FOR older IN SELECT p.polname FROM pg_policy p WHERE p.polrelid = format('cube.%I', p_table)::regclass
			AND p.polname IN ('every_tier', 'tier_1', 'tier_2', 'tier_3', 'of_facts', 'as_granted', 'tier_limit') LOOP
		EXECUTE format('DROP POLICY %I ON cube.%I', older, p_table);
	END LOOP;
	EXECUTE format('ALTER TABLE cube.%I ENABLE ROW LEVEL SECURITY', p_table);
	EXECUTE format('CREATE POLICY as_granted ON cube.%I USING (true)', p_table);
	EXECUTE format('CREATE POLICY tier_limit ON cube.%I AS RESTRICTIVE USING (cube.tiers_seen() IS NULL OR %s)', p_table, cube.limited_rows(c));
	EXECUTE format('COMMENT ON POLICY tier_limit ON cube.%I IS %L', p_table, cube.about_policy(c));
END $$;
COMMENT ON FUNCTION cube.protect_table(text) IS 'Has limits to a tier hold for a table, and its triggers for changes by hand.';
-- what releases before had for it
DROP FUNCTION IF EXISTS cube.protect(regclass, text, text, text), cube.protect_by_tier(regclass), cube.protect_keys(text);

-- All of them, before anybody is let in by a role of a tier. Not in the transaction in which `migrate` replaces the code of the writers: it has each
-- table done by itself, and then runs this file again.
DO $$
BEGIN
	IF coalesce(current_setting('gracecube.later', true), '') <> '' THEN RETURN; END IF;
	PERFORM cube.protect_table(t) FROM cube.unprotected_tables() t; -- triggers
	PERFORM cube.protect_table(t) FROM cube.unprotected_tables() t; -- policies
END $$;

-- What analysts and the API may read: views, dimensions, facts and rollups; not the keys, the versions, the row ledgers, the raw records in
-- the dead letters, nor the tokens. Partitions are read through their parents, where the policies are.
CREATE OR REPLACE FUNCTION cube.is_for_reading(c pg_class) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT NOT c.relispartition AND ((c.relkind = 'v' AND c.relname LIKE 'cube\_%' AND c.relname <> 'cube_api_audit')
		OR (c.relkind IN ('r', 'p') AND c.relname ~ '^(dim|fact|rollup)_' AND c.relname !~ '_ledger$')
		OR c.relname IN ('etl_offset', 'etl_dead_letter_ledger', 'schema_version', 'schema_file', 'horizon', 'closed_month', 'column_fill', 'metric_catalog', 'metric_definition',
			'rebuild'))
$$;
COMMENT ON FUNCTION cube.is_for_reading(pg_class) IS 'May analysts read this table or view of the cube?';

-- Asked of the grants themselves: has_table_privilege() also sees what a role has through others, and a superuser has everything.
CREATE OR REPLACE FUNCTION cube.is_granted(c pg_class, p_role name) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = quote_ident(p_role)::regrole AND a.privilege_type = 'SELECT')
$$;
COMMENT ON FUNCTION cube.is_granted(pg_class, name) IS 'Was the right to read a table or view granted to this very role?';

-- What is not protected yet is not granted either.
CREATE OR REPLACE FUNCTION cube.grant_reading(p_role name) RETURNS void LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
	EXECUTE format('GRANT USAGE ON SCHEMA cube TO %I', p_role);
	FOR r IN SELECT c.oid::regclass AS name FROM pg_class c WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind IN ('r', 'p', 'v')
			AND cube.is_for_reading(c) AND NOT cube.is_granted(c, p_role) AND NOT cube.lacks_policy(c) LOOP
		EXECUTE format('GRANT SELECT ON %s TO %I', r.name, p_role);
	END LOOP;
	-- what was senseless, and by which keys a contract's story is found
	FOR r IN SELECT c.oid::regclass AS name, u.columns FROM (VALUES ('etl_quality_issue', 'stream, field, rule, record_key, found_at'),
			('key_approvals', 'contract_id, created_at, approval_id'), ('key_compliance_checks', 'contract_id, created_at, check_id')) u (relation, columns)
			JOIN pg_class c ON c.oid = format('cube.%I', u.relation)::regclass WHERE NOT cube.lacks_policy(c) LOOP
		EXECUTE format('GRANT SELECT (%s) ON %s TO %I', r.columns, r.name, p_role);
	END LOOP;
	FOR r IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.pronamespace = 'cube'::regnamespace AND p.proname IN ('activity_heatmap', 'actor_key_of',
			'approvals', 'as_of', 'bucket_at', 'bucket_value', 'check_metric_change', 'check_metric_cut', 'check_metric_question', 'component_cell',
			'confidence_distribution', 'cube_execution_timeline', 'cube_tier_as_of', 'daily_verification', 'day_of', 'days_until', 'duration_percentiles', 'error_trends', 'errors',
			'errors_of_minutes', 'executions', 'fill_of', 'first_minute', 'hourly_verification', 'is_open_error', 'issue_last_found', 'lane', 'log_bucket', 'log_integrity',
			'mean', 'metric', 'metric_answer_sql', 'metric_bucket_sql', 'metric_change', 'metric_compared', 'metric_cut_column', 'metric_facts_sql', 'metric_filter',
			'metric_filter_form', 'metric_filter_sql', 'metric_has_facts_at', 'metric_keys_sql', 'metric_measure_sql', 'metric_members', 'metric_named', 'metric_part_sql',
			'metric_parts_sql', 'metric_shift', 'metric_statement', 'metric_sum_sql', 'metric_sums_for', 'metric_sums_sql', 'metric_time_sql', 'metric_whole_sql',
			'minute_at', 'mission_key_of', 'nearest_word', 'records_read', 'refuse_metric', 'seconds_between', 'tier_key_of', 'time_before', 'time_key', 'total',
			'usual_gap', 'verification_success_rate', 'window_of') LOOP
		EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', r.name, p_role);
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.grant_reading(name) IS 'Gives a role the right to read what analysts read.';

-- What was restored before its roles were there has lost every grant and policy: `migrate` asks this, and gives them again.
CREATE OR REPLACE FUNCTION cube.lacks_rights() RETURNS boolean LANGUAGE sql STABLE AS $$
	WITH wanted AS (
		SELECT u.name, u.is_basic, to_regrole(u.name) IS NOT NULL AS is_there, EXISTS (SELECT FROM pg_namespace n, aclexplode(n.nspacl) a
			WHERE n.oid = 'cube'::regnamespace AND a.grantee = to_regrole(u.name) AND a.privilege_type = 'USAGE') AS is_granted
		FROM (VALUES ('gracecube_reader', true), ('gracecube_writer', true), ('gracecube_api', false), ('gracecube_tier_1', false), ('gracecube_tier_2', false),
			('gracecube_tier_3', false)) u (name, is_basic))
	SELECT bool_or(is_there AND NOT is_granted AND is_basic) OR (bool_and(is_there) AND NOT bool_and(is_granted))
		OR (NOT bool_and(is_there) AND (SELECT r.rolsuper OR r.rolcreaterole FROM pg_roles r WHERE r.rolname = current_user))
	FROM wanted
$$;
COMMENT ON FUNCTION cube.lacks_rights() IS 'Are roles missing that may be made, or rights of roles that are there?';

-- What `run`, `verify`, `dead` and `retention` read: besides what analysts do, the bookkeeping and the registries. Nobody reads a partition: its
-- policies are its parent's.
CREATE OR REPLACE FUNCTION cube.is_for_writing(c pg_class) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT cube.is_for_reading(c) OR c.relkind = 'r' AND c.relname ~ '^(etl_.*|fact|fact_link|relink_queue|rollup|rollup_fill|setting)$'
$$;
COMMENT ON FUNCTION cube.is_for_writing(pg_class) IS 'Do consumers read this table or view of the cube?';

-- What these commands call with the rights of the owner, and nothing besides: neither what such functions call in their turn, nor the tokens. All
-- other functions are called with the rights of the caller, and give nobody more than he has.
CREATE OR REPLACE FUNCTION cube.is_for_calling(p pg_proc) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN p.prosecdef THEN p.proname IN ('add_dead_letters', 'add_quality_issues', 'advance', 'aged', 'begin_retry', 'claim', 'closed_before',
			'discard_dead_letters', 'do_step', 'end_retry', 'ensure_hours', 'ensure_partitions', 'gone_keys', 'import_dead_letters', 'next_step', 'note_truncate',
			'note_verification', 'plan_retention', 'relink_slice', 'repair_step', 'tell_halts', 'trim_piece', 'unfilled_rollups', 'verify', 'verify_plan', 'verify_step',
			'errors_of_minutes', 'issue_last_found', 'log_integrity', 'usual_gap')
		OR p.proname ~ '^resolve_' OR p.proname IN (SELECT u.verb || t.target FROM unnest(ARRAY['merge_', 'lock_']) u (verb),
			(SELECT f.target FROM cube.fact f UNION SELECT unnest(ARRAY['missions', 'tiers', 'mesh_events'])) t)
		ELSE p.prokind IN ('f', 'a') AND p.proname !~ '(^|_)api_' END
$$;
COMMENT ON FUNCTION cube.is_for_calling(pg_proc) IS 'Do consumers call this function of the cube?';

CREATE OR REPLACE FUNCTION cube.is_callable(p pg_proc, p_role name) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = quote_ident(p_role)::regrole AND a.privilege_type = 'EXECUTE')
$$;
COMMENT ON FUNCTION cube.is_callable(pg_proc, name) IS 'Was the right to call a function granted to this very role?';

DO $$
DECLARE r record;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gracecube_writer') THEN RETURN; END IF;
	REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cube FROM PUBLIC;
	GRANT USAGE ON SCHEMA cube TO gracecube_writer;
	ALTER DEFAULT PRIVILEGES IN SCHEMA cube REVOKE SELECT ON TABLES FROM gracecube_writer;
	FOR r IN SELECT c.oid::regclass AS name, cube.is_for_writing(c) AS is_wanted FROM pg_class c WHERE c.relnamespace = 'cube'::regnamespace
			AND c.relkind IN ('r', 'p', 'v') AND cube.is_for_writing(c) <> cube.is_granted(c, 'gracecube_writer') LOOP
		EXECUTE format(CASE WHEN r.is_wanted THEN 'GRANT SELECT ON %s TO gracecube_writer' ELSE 'REVOKE SELECT ON %s FROM gracecube_writer' END, r.name);
	END LOOP;
	FOR r IN SELECT p.oid::regprocedure AS name, cube.is_for_calling(p) AS is_wanted FROM pg_proc p WHERE p.pronamespace = 'cube'::regnamespace
			AND cube.is_for_calling(p) <> cube.is_callable(p, 'gracecube_writer') LOOP
		EXECUTE format(CASE WHEN r.is_wanted THEN 'GRANT EXECUTE ON FUNCTION %s TO gracecube_writer' ELSE 'REVOKE EXECUTE ON FUNCTION %s FROM gracecube_writer' END, r.name);
	END LOOP;
END $$;

-- Analysts read what cube.grant_reading() names. Until 0.1.0 they read every table: raw records in the dead letters, keys, settings.
DO $$
DECLARE r record;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gracecube_reader') THEN RETURN; END IF;
	ALTER DEFAULT PRIVILEGES IN SCHEMA cube REVOKE SELECT ON TABLES FROM gracecube_reader;
	FOR r IN SELECT c.oid::regclass AS name FROM pg_class c WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind IN ('r', 'p', 'v')
			AND NOT cube.is_for_reading(c) AND cube.is_granted(c, 'gracecube_reader') LOOP
		EXECUTE format('REVOKE SELECT ON %s FROM gracecube_reader', r.name);
	END LOOP;
	PERFORM cube.grant_reading('gracecube_reader');
END $$;

-- The limits hold for whoever reads, and everybody may ask for his own.
DO $$
BEGIN
	REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cube FROM PUBLIC;
	GRANT EXECUTE ON FUNCTION cube.tiers_seen(), cube.entry_names_contract(text, timestamptz), cube.error_names_contract(text, timestamptz) TO PUBLIC;
	-- roles of tiers are all there or none is
	IF (SELECT count(*) FROM pg_roles WHERE rolname IN ('gracecube_reader', 'gracecube_writer', 'gracecube_api', 'gracecube_tier_1', 'gracecube_tier_2', 'gracecube_tier_3')) < 6 THEN
		RETURN;
	END IF;
	REVOKE ALL ON cube.api_token, cube.api_audit, cube.cube_api_audit FROM gracecube_reader, gracecube_writer;
	PERFORM cube.grant_reading(u.role) FROM unnest(ARRAY['gracecube_tier_1', 'gracecube_tier_2', 'gracecube_tier_3']::name[]) u (role);
	GRANT USAGE ON SCHEMA cube TO gracecube_api;
	GRANT SELECT ON cube.api_audit, cube.cube_api_audit TO gracecube_api;
	GRANT EXECUTE ON FUNCTION cube.find_api_token(text), cube.api_role(text), cube.trim_api_audit(bigint),
		cube.add_api_audit(bigint[], text[], text[], text[], text[], text[], int[], bigint[], bigint[], text[]) TO gracecube_api;
END $$;
