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

-- Made only where it is not there yet: both statements keep readers and writers of the table out until the transaction ends, so on a cube that is
-- in use `migrate` has it done beforehand, a table in a transaction. To change a policy, have a new file of ../../tables drop it.
CREATE OR REPLACE FUNCTION cube.protect(p_table regclass, p_policy text, p_roles text, p_using text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF NOT (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = p_table) THEN
		EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', p_table);
	END IF;
	IF NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = p_table AND p.polname = p_policy) THEN
		EXECUTE format('CREATE POLICY %I ON %s FOR SELECT TO %s USING (%s)', p_policy, p_table, p_roles, p_using);
	END IF;
END $$;
COMMENT ON FUNCTION cube.protect(regclass, text, text, text) IS 'Row-level security of a table: which rows these roles see.';

-- gc_tier_is_above() is the same rule, and its statement is in sinks/http/server/server.h; tests/contract/tiers.csv is its cases, run through both.
-- Rows by tier. The owner, whose functions write, passes by; so consumers pay nothing. The policies are bound to roles, which nobody can
-- set for himself, and the key of the tier is looked up once a query, not once a row.
CREATE OR REPLACE FUNCTION cube.protect_by_tier(p_table regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE tier text;
BEGIN
	PERFORM cube.protect(p_table, 'every_tier', 'gracecube_reader, gracecube_writer', 'true');
	FOREACH tier IN ARRAY ARRAY['tier_1', 'tier_2', 'tier_3'] LOOP
		PERFORM cube.protect(p_table, tier, 'gracecube_' || tier, format('tier_key = (SELECT t.tier_key FROM cube.dim_tier t WHERE t.tier_code = %L)', tier));
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.protect_by_tier(regclass) IS 'Row-level security of a table with tier_key: each tier''s role sees its rows.';

-- A contract's story is found by these key tables, which have no tier of their own: a key is seen by whoever sees its fact.
CREATE OR REPLACE FUNCTION cube.protect_keys(p_target text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	keys constant text := 'key_' || p_target;
	f cube.fact := (SELECT u FROM cube.fact u WHERE u.target = p_target);
BEGIN
	PERFORM cube.protect(format('cube.%I', keys)::regclass, 'every_tier', 'gracecube_reader, gracecube_writer', 'true');
	PERFORM cube.protect(format('cube.%I', keys)::regclass, 'of_facts', 'gracecube_tier_1, gracecube_tier_2, gracecube_tier_3',
		format('EXISTS (SELECT FROM cube.%2$I f WHERE f.%3$I = %1$I.%3$I AND f.created_at = %1$I.created_at)', keys, f.fact, f.key_column));
END $$;
COMMENT ON FUNCTION cube.protect_keys(text) IS 'Row-level security of a fact''s key table: a key is seen by whoever sees its fact.';

-- All or none: a table with policies for roles that are not there would be hidden from everybody but its owner.
CREATE OR REPLACE FUNCTION cube.has_all_roles() RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT count(*) = 6 FROM pg_roles WHERE rolname IN ('gracecube_reader', 'gracecube_writer', 'gracecube_api', 'gracecube_tier_1', 'gracecube_tier_2', 'gracecube_tier_3')
$$;
COMMENT ON FUNCTION cube.has_all_roles() IS 'Are all roles there that policies name?';

CREATE OR REPLACE FUNCTION cube.lacks_policy(c pg_class) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT CASE
		WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tier_key') AND (c.relname IN (SELECT f.fact FROM cube.fact f) OR c.relname IN (SELECT r.rollup FROM cube.rollup r))
			THEN ARRAY['every_tier', 'tier_1', 'tier_2', 'tier_3']
		WHEN c.relname IN ('key_approvals', 'key_compliance_checks') THEN ARRAY['every_tier', 'of_facts']
		ELSE '{}' END <@ ARRAY(SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid AND c.relrowsecurity) IS FALSE
$$;
COMMENT ON FUNCTION cube.lacks_policy(pg_class) IS 'Shall readers see rows of a table by tier, and is it not protected yet?';

CREATE OR REPLACE FUNCTION cube.unprotected_tables() RETURNS SETOF text LANGUAGE sql STABLE AS $$
	SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		AND cube.has_all_roles() AND cube.lacks_policy(c) ORDER BY 1
$$;
COMMENT ON FUNCTION cube.unprotected_tables() IS 'Tables whose rows are not yet shown by tier, and shall be.';

CREATE OR REPLACE FUNCTION cube.protect_table(p_table text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF p_table LIKE 'key\_%' THEN PERFORM cube.protect_keys(substr(p_table, 5)); ELSE PERFORM cube.protect_by_tier(format('cube.%I', p_table)::regclass); END IF;
END $$;
COMMENT ON FUNCTION cube.protect_table(text) IS 'Has the rows of a table shown by tier.';

-- Not in the transaction in which `migrate` replaces the code of the writers: it has each table done by itself, and then runs this file again.
DO $$
BEGIN
	IF coalesce(current_setting('gracecube.later', true), '') = '' THEN PERFORM cube.protect_table(t) FROM cube.unprotected_tables() t; END IF;
END $$;

-- What analysts and the API may read: views, dimensions, facts and rollups; not the keys, the versions, the row ledgers, the raw records in
-- the dead letters, nor the tokens. Partitions are read through their parents, where the policies are.
CREATE OR REPLACE FUNCTION cube.is_for_reading(c pg_class) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT NOT c.relispartition AND ((c.relkind = 'v' AND c.relname LIKE 'cube\_%' AND c.relname <> 'cube_api_audit')
		OR (c.relkind IN ('r', 'p') AND c.relname ~ '^(dim|fact|rollup)_' AND c.relname !~ '_ledger$')
		OR c.relname IN ('etl_offset', 'etl_dead_letter_ledger', 'schema_version', 'schema_file', 'horizon', 'closed_month', 'rebuild'))
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
			AND cube.is_for_reading(c) AND NOT cube.is_granted(c, p_role) AND NOT (cube.has_all_roles() AND cube.lacks_policy(c)) LOOP
		EXECUTE format('GRANT SELECT ON %s TO %I', r.name, p_role);
	END LOOP;
	EXECUTE format('GRANT SELECT (stream, field, rule, record_key, found_at) ON cube.etl_quality_issue TO %I', p_role);
	FOR r IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.pronamespace = 'cube'::regnamespace AND p.proname IN ('activity_heatmap', 'actor_key_of',
			'approvals', 'as_of', 'bucket_at', 'bucket_value', 'component_cell', 'confidence_distribution', 'cube_execution_timeline', 'cube_tier_as_of', 'daily_verification', 'day_of', 'days_until',
			'duration_percentiles', 'error_trends', 'errors', 'executions', 'first_minute', 'hourly_verification', 'lane', 'log_bucket', 'mean', 'minute_at', 'mission_key_of',
			'records_read', 'tier_key_of', 'time_key', 'total', 'verification_success_rate', 'window_of') LOOP
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

-- Who runs the consumers reads and calls all but the tokens and the audit; a partition that is made later is read, too.
DO $$
DECLARE r record;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gracecube_writer') THEN RETURN; END IF;
	REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cube FROM PUBLIC;
	GRANT USAGE ON SCHEMA cube TO gracecube_writer;
	ALTER DEFAULT PRIVILEGES IN SCHEMA cube GRANT SELECT ON TABLES TO gracecube_writer;
	FOR r IN SELECT c.oid::regclass AS name FROM pg_class c WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind IN ('r', 'p', 'v')
			AND c.relname NOT IN ('api_token', 'api_audit', 'cube_api_audit') AND NOT cube.is_granted(c, 'gracecube_writer') LOOP
		EXECUTE format('GRANT SELECT ON %s TO gracecube_writer', r.name);
	END LOOP;
	FOR r IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.pronamespace = 'cube'::regnamespace AND p.proname !~ '(^|_)api_'
			-- a month goes by cube.do_step() alone, which knows whose turn it is
			AND p.proname NOT IN ('raise_horizon', 'prepare_month', 'detach_month', 'drop_month') LOOP
		EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO gracecube_writer', r.name);
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
	GRANT SELECT (contract_id, created_at, approval_id) ON cube.key_approvals TO gracecube_reader;
	GRANT SELECT (contract_id, created_at, check_id) ON cube.key_compliance_checks TO gracecube_reader;
END $$;

DO $$
BEGIN
	IF NOT cube.has_all_roles() THEN RETURN; END IF;
	REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cube FROM PUBLIC;
	REVOKE ALL ON cube.api_token, cube.api_audit, cube.cube_api_audit FROM gracecube_reader, gracecube_writer;
	PERFORM cube.grant_reading(u.role) FROM unnest(ARRAY['gracecube_tier_1', 'gracecube_tier_2', 'gracecube_tier_3']::name[]) u (role);
	GRANT USAGE ON SCHEMA cube TO gracecube_api;
	GRANT SELECT ON cube.api_audit, cube.cube_api_audit TO gracecube_api;
	GRANT EXECUTE ON FUNCTION cube.find_api_token(text), cube.api_role(text), cube.trim_api_audit(bigint),
		cube.add_api_audit(bigint[], text[], text[], text[], text[], text[], int[], bigint[], bigint[], text[]) TO gracecube_api;
END $$;

-- Keys by which a contract's story is found: see cube.protect_keys().
DO $$
DECLARE
	wanted name;
	f record;
BEGIN
	IF NOT cube.has_all_roles() THEN RETURN; END IF;
	FOREACH wanted IN ARRAY ARRAY['gracecube_reader', 'gracecube_tier_1', 'gracecube_tier_2', 'gracecube_tier_3']::name[] LOOP
		FOR f IN SELECT k.oid::regclass AS keys, u.key_column FROM cube.fact u JOIN pg_class k ON k.oid = format('cube.%I', 'key_' || u.target)::regclass
				WHERE u.target IN ('approvals', 'compliance_checks') AND NOT cube.lacks_policy(k) LOOP
			EXECUTE format('GRANT SELECT (%I, created_at, contract_id) ON %s TO %I', f.key_column, f.keys, wanted);
		END LOOP;
	END LOOP;
END $$;
