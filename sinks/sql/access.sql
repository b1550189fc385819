-- Who may see what: tokens of the API, its audit, and row-level security by tier. The last file: it looks at all tables and views.

CREATE TABLE cube.api_token (
	token_id text COLLATE "C" PRIMARY KEY,
	secret_sha256 bytea NOT NULL CHECK (octet_length(secret_sha256) = 32),
	name text NOT NULL,
	role text NOT NULL CHECK (role IN ('viewer', 'analyst', 'operator')),
	highest_tier text CHECK (highest_tier IN ('tier_1', 'tier_2', 'tier_3')),
	expires_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	created_by text NOT NULL DEFAULT session_user,
	revoked_at timestamptz,
	last_used_at timestamptz
);
CREATE UNIQUE INDEX ON cube.api_token (name) WHERE revoked_at IS NULL;
COMMENT ON TABLE cube.api_token IS 'Tokens of the API. The secret is not here: only its SHA-256, which nobody can turn back (256 random bits).';
SELECT cube.comment_columns('cube.api_token', $$
	token_id: the part of the token that names it
	secret_sha256: SHA-256 of the other part
	name: whose it is; one valid token a name
	role: viewer sees aggregates, analyst also single facts, operator also the audit
	highest_tier: rows of higher tiers, and of none, are not seen; NULL: no limit
	expires_at: when it ends; NULL: never
	created_at: when it was made
	created_by: the database user who made it
	revoked_at: since when it is no longer taken
	last_used_at: last use
$$);

CREATE TABLE cube.api_audit (
	audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	asked_at timestamptz NOT NULL,
	token_id text,
	token_name text,
	method text NOT NULL,
	path text NOT NULL,
	query text,
	status int NOT NULL,
	row_count bigint,
	took_ms double precision NOT NULL,
	remote text
);
CREATE INDEX ON cube.api_audit (asked_at);
COMMENT ON TABLE cube.api_audit IS 'Every request to the API: who asked for what, and what came of it. Kept for serve.audit_retention.';
SELECT cube.comment_columns('cube.api_audit', $$
	audit_id: number to name it by
	asked_at: when it was asked
	token_id: the token that was shown, valid or not; NULL: none
	token_name: its name, where it was valid
	method: GET, …
	path: path
	query: parameters, without tokens
	status: HTTP status
	row_count: rows of the answer
	took_ms: how long it took, milliseconds
	remote: address of the client, or of the proxy before it
$$);

CREATE VIEW cube.cube_api_audit AS
SELECT asked_at, token_id, token_name, method, path, query, status, row_count, took_ms, remote, audit_id FROM cube.api_audit;
COMMENT ON VIEW cube.cube_api_audit IS 'Every request to the API.';
SELECT cube.comment_columns('cube.cube_api_audit', $$
	asked_at: when it was asked
	token_id: the token that was shown, valid or not; NULL: none
	token_name: its name, where it was valid
	method: GET, …
	path: path
	query: parameters, without tokens
	status: HTTP status
	row_count: rows of the answer
	took_ms: how long it took, milliseconds
	remote: address of the client, or of the proxy before it
	audit_id: number to name it by
$$);

CREATE FUNCTION cube.create_api_token(p_id text, p_sha256 bytea, p_name text, p_role text, p_tier text, p_expires timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	INSERT INTO cube.api_token (token_id, secret_sha256, name, role, highest_tier, expires_at) VALUES (p_id, p_sha256, p_name, p_role, p_tier, p_expires)
$$;
COMMENT ON FUNCTION cube.create_api_token(text, bytea, text, text, text, timestamptz) IS 'Keeps a token.';

CREATE FUNCTION cube.find_api_token(p_id text)
RETURNS TABLE (secret_sha256 bytea, name text, role text, highest_tier text, expires_at timestamptz, is_valid boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	SELECT t.secret_sha256, t.name, t.role, t.highest_tier, t.expires_at, t.revoked_at IS NULL AND coalesce(t.expires_at > now(), true)
	FROM cube.api_token t WHERE t.token_id = p_id
$$;
COMMENT ON FUNCTION cube.find_api_token(text) IS 'What the API needs to know of a token.';

CREATE FUNCTION cube.revoke_api_token(p_which text) RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	UPDATE cube.api_token t SET revoked_at = now() WHERE p_which IN (t.token_id, t.name) AND t.revoked_at IS NULL RETURNING t.name
$$;
COMMENT ON FUNCTION cube.revoke_api_token(text) IS 'Revokes a token by id or name; returns its name, nothing when there is no such valid token.';

CREATE FUNCTION cube.add_api_audit(p_at_us bigint[], p_token_id text[], p_token_name text[], p_method text[], p_path text[], p_query text[],
	p_status int[], p_rows bigint[], p_took_us bigint[], p_remote text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	INSERT INTO cube.api_audit (asked_at, token_id, token_name, method, path, query, status, row_count, took_ms, remote)
	SELECT to_timestamp(i.at_us / 1e6), i.token_id, i.token_name, i.method, i.path, i.query, i.status, CASE WHEN i.row_count >= 0 THEN i.row_count END,
		i.took_us / 1e3, i.remote
	FROM unnest(p_at_us, p_token_id, p_token_name, p_method, p_path, p_query, p_status, p_rows, p_took_us, p_remote)
		AS i (at_us, token_id, token_name, method, path, query, status, row_count, took_us, remote);
	UPDATE cube.api_token t SET last_used_at = to_timestamp(u.at_us / 1e6)
	FROM (SELECT i.token_id, max(i.at_us) AS at_us FROM unnest(p_token_id, p_token_name, p_at_us) AS i (token_id, name, at_us)
		WHERE i.name IS NOT NULL GROUP BY i.token_id ORDER BY i.token_id) u
	WHERE t.token_id = u.token_id;
$$;
COMMENT ON FUNCTION cube.add_api_audit(bigint[], text[], text[], text[], text[], text[], int[], bigint[], bigint[], text[]) IS 'Writes requests into the audit and the last use of their tokens.';

CREATE FUNCTION cube.trim_api_audit(p_keep_us bigint) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	DELETE FROM cube.api_audit WHERE asked_at < now() - make_interval(secs => p_keep_us / 1e6)
$$;
COMMENT ON FUNCTION cube.trim_api_audit(bigint) IS 'Removes what is older than so many µs from the audit.';

-- Which role answers for a token. Without the roles (migrate had no right to make them) unlimited tokens are answered as the API's own
-- user, and limited ones are refused: an error here is better than a row too many.
CREATE FUNCTION cube.api_role(p_tier text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
	wanted text := CASE WHEN p_tier IS NULL THEN 'gracecube_reader' ELSE 'gracecube_' || p_tier END;
BEGIN
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) AND pg_has_role(session_user, wanted, 'MEMBER') THEN RETURN wanted; END IF;
	IF p_tier IS NULL THEN RETURN session_user; END IF;
	RAISE EXCEPTION 'tokens limited to % need the role %, of which % must be a member', p_tier, wanted, session_user
		USING ERRCODE = 'insufficient_privilege';
END $$;
COMMENT ON FUNCTION cube.api_role(text) IS 'The database role that answers for a token with this highest tier.';

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

-- Rows by tier. The owner, whose functions write, passes by; so consumers pay nothing. The policies are bound to roles, which nobody can
-- set for himself, and the key of the tier is looked up once a query, not once a row.
CREATE FUNCTION cube.protect_by_tier(p_table regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE tier text;
BEGIN
	EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', p_table);
	EXECUTE format('CREATE POLICY every_tier ON %s FOR SELECT TO gracecube_reader, gracecube_writer USING (true)', p_table);
	FOREACH tier IN ARRAY ARRAY['tier_1', 'tier_2', 'tier_3'] LOOP
		EXECUTE format('CREATE POLICY %I ON %s FOR SELECT TO %I USING (tier_key = (SELECT t.tier_key FROM cube.dim_tier t WHERE t.tier_code = %L))',
			tier, p_table, 'gracecube_' || tier, tier);
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.protect_by_tier(regclass) IS 'Row-level security of a table with tier_key: each tier''s role sees its rows.';

-- A contract's story is found by these key tables, which have no tier of their own: a key is seen by whoever sees its fact.
CREATE FUNCTION cube.protect_keys(p_target text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE f cube.fact := (SELECT f FROM cube.fact f WHERE f.target = p_target);
BEGIN
	EXECUTE format('ALTER TABLE cube.%I ENABLE ROW LEVEL SECURITY', 'key_' || p_target);
	EXECUTE format('CREATE POLICY every_tier ON cube.%I FOR SELECT TO gracecube_reader, gracecube_writer USING (true)', 'key_' || p_target);
	EXECUTE format('CREATE POLICY of_facts ON cube.%1$I FOR SELECT TO gracecube_tier_1, gracecube_tier_2, gracecube_tier_3
		USING (EXISTS (SELECT FROM cube.%2$I f WHERE f.%3$I = %1$I.%3$I AND f.created_at = %1$I.created_at))', 'key_' || p_target, f.fact, f.key_column);
	EXECUTE format('GRANT SELECT (%I, created_at, contract_id) ON cube.%I TO gracecube_tier_1, gracecube_tier_2, gracecube_tier_3', f.key_column, 'key_' || p_target);
END $$;
COMMENT ON FUNCTION cube.protect_keys(text) IS 'Row-level security of a fact''s key table: a key is seen by whoever sees its fact.';

-- What analysts and the API may read: views, dimensions, facts and rollups; not the keys, the versions, the row ledgers, the raw records in
-- the dead letters, nor the tokens. Partitions are read through their parents, where the policies are.
CREATE FUNCTION cube.grant_reading(p_role name) RETURNS void LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
	EXECUTE format('GRANT USAGE ON SCHEMA cube TO %I', p_role);
	FOR r IN SELECT c.oid::regclass AS name FROM pg_class c WHERE c.relnamespace = 'cube'::regnamespace AND NOT c.relispartition
			AND ((c.relkind = 'v' AND c.relname LIKE 'cube\_%' AND c.relname <> 'cube_api_audit')
				OR (c.relkind IN ('r', 'p') AND c.relname ~ '^(dim|fact|rollup)_' AND c.relname !~ '_ledger$')
				OR c.relname IN ('etl_offset', 'schema_version')) LOOP
		EXECUTE format('GRANT SELECT ON %s TO %I', r.name, p_role);
	END LOOP;
	EXECUTE format('GRANT SELECT (stream, field, rule, record_key, found_at) ON cube.etl_quality_issue TO %I', p_role);
	FOR r IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.pronamespace = 'cube'::regnamespace AND p.proname IN ('activity_heatmap', 'actor_key_of',
			'approvals', 'as_of', 'bucket_at', 'bucket_value', 'component_cell', 'confidence_distribution', 'cube_execution_timeline', 'cube_tier_as_of', 'daily_verification', 'day_of', 'days_until',
			'duration_percentiles', 'error_trends', 'errors', 'executions', 'first_minute', 'hourly_verification', 'log_bucket', 'mean', 'minute_at', 'mission_key_of',
			'records_read', 'tier_key_of', 'time_key', 'total', 'verification_success_rate', 'window_of') LOOP
		EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', r.name, p_role);
	END LOOP;
END $$;
COMMENT ON FUNCTION cube.grant_reading(name) IS 'Gives a role the right to read what analysts read.';

-- A view asks with the rights of whoever asks, so that the policies hold for it too.
DO $$
DECLARE r record;
BEGIN
	FOR r IN SELECT c.oid::regclass AS name FROM pg_class c WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind = 'v' LOOP
		EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', r.name);
	END LOOP;
	-- all or none: a table with policies for roles that are not there would be hidden from everybody but its owner
	IF (SELECT count(*) FROM pg_roles WHERE rolname IN ('gracecube_reader', 'gracecube_writer', 'gracecube_api', 'gracecube_tier_1', 'gracecube_tier_2', 'gracecube_tier_3')) < 6 THEN
		RETURN;
	END IF;
	REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cube FROM PUBLIC;
	REVOKE ALL ON cube.api_token, cube.api_audit, cube.cube_api_audit FROM gracecube_reader, gracecube_writer;
	PERFORM cube.protect_by_tier(c.oid::regclass) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tier_key'
	WHERE c.relnamespace = 'cube'::regnamespace AND (c.relname IN (SELECT fact FROM cube.fact) OR c.relname IN (SELECT rollup FROM cube.rollup));
	PERFORM cube.protect_keys(u.target) FROM unnest(ARRAY['approvals', 'compliance_checks']) u (target);
	PERFORM cube.grant_reading(u.role) FROM unnest(ARRAY['gracecube_reader', 'gracecube_tier_1', 'gracecube_tier_2', 'gracecube_tier_3']::name[]) u (role);
	GRANT USAGE ON SCHEMA cube TO gracecube_api;
	GRANT SELECT ON cube.api_audit, cube.cube_api_audit TO gracecube_api;
	GRANT EXECUTE ON FUNCTION cube.find_api_token(text), cube.api_role(text), cube.trim_api_audit(bigint),
		cube.add_api_audit(bigint[], text[], text[], text[], text[], text[], int[], bigint[], bigint[], text[]) TO gracecube_api;
END $$;
