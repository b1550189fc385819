-- The audit of the API, for operators.

SELECT cube.define_view('cube_api_audit', $$
SELECT asked_at, token_id, token_name, method, path, query, status, row_count, took_ms, remote, audit_id FROM cube.api_audit$$);
SELECT cube.describe('cube.cube_api_audit', 'Every request to the API.', $$
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
