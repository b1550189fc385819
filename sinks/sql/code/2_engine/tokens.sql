-- Tokens of the API and its audit.

SELECT cube.describe('cube.api_token', 'Tokens of the API. The secret is not here: only its SHA-256, which nobody can turn back (256 random bits).', $$
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

SELECT cube.describe('cube.api_audit', 'Every request to the API: who asked for what, and what came of it. Kept for serve.audit_retention.', $$
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

CREATE OR REPLACE FUNCTION cube.create_api_token(p_id text, p_sha256 bytea, p_name text, p_role text, p_tier text, p_expires timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	INSERT INTO cube.api_token (token_id, secret_sha256, name, role, highest_tier, expires_at) VALUES (p_id, p_sha256, p_name, p_role, p_tier, p_expires)
$$;
COMMENT ON FUNCTION cube.create_api_token(text, bytea, text, text, text, timestamptz) IS 'Keeps a token.';

CREATE OR REPLACE FUNCTION cube.find_api_token(p_id text)
RETURNS TABLE (secret_sha256 bytea, name text, role text, highest_tier text, expires_at timestamptz, is_valid boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	SELECT t.secret_sha256, t.name, t.role, t.highest_tier, t.expires_at, t.revoked_at IS NULL AND coalesce(t.expires_at > now(), true)
	FROM cube.api_token t WHERE t.token_id = p_id
$$;
COMMENT ON FUNCTION cube.find_api_token(text) IS 'What the API needs to know of a token.';

CREATE OR REPLACE FUNCTION cube.revoke_api_token(p_which text) RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	UPDATE cube.api_token t SET revoked_at = now() WHERE p_which IN (t.token_id, t.name) AND t.revoked_at IS NULL RETURNING t.name
$$;
COMMENT ON FUNCTION cube.revoke_api_token(text) IS 'Revokes a token by id or name; returns its name, nothing when there is no such valid token.';

CREATE OR REPLACE FUNCTION cube.add_api_audit(p_at_us bigint[], p_token_id text[], p_token_name text[], p_method text[], p_path text[], p_query text[],
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

-- Who may only ask the API must not wipe what it has asked: the owner's `migrate` writes serve.audit_retention here, and no login of the API trims more.
CREATE OR REPLACE FUNCTION cube.trim_api_audit(p_keep_us bigint) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	DELETE FROM cube.api_audit WHERE p_keep_us > 0
		AND asked_at < (SELECT now() - make_interval(secs => greatest(p_keep_us, coalesce(nullif(max(s.value), '0')::bigint, 7776000000000)) / 1e6)
			FROM cube.setting s WHERE s.name = 'serve.audit_retention' HAVING coalesce(max(s.value), '') <> '0')
$$;
COMMENT ON FUNCTION cube.trim_api_audit(bigint) IS 'Removes what is older than so many µs from the audit, and older than serve.audit_retention as `migrate` had it.';

-- Which role answers for a token. Without the roles (migrate had no right to make them) unlimited tokens are answered as the API's own
-- user, and limited ones are refused: an error here is better than a row too many.
CREATE OR REPLACE FUNCTION cube.api_role(p_tier text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
	wanted text := CASE WHEN p_tier IS NULL THEN 'gracecube_reader' ELSE 'gracecube_' || p_tier END;
BEGIN
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) AND pg_has_role(session_user, wanted, 'MEMBER') THEN RETURN wanted; END IF;
	IF p_tier IS NULL THEN RETURN session_user; END IF;
	RAISE EXCEPTION 'tokens limited to % need the role %, of which % must be a member', p_tier, wanted, session_user
		USING ERRCODE = 'insufficient_privilege';
END $$;
COMMENT ON FUNCTION cube.api_role(text) IS 'The database role that answers for a token with this highest tier.';
