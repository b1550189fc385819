-- What `gracecube verify` found, so that others than the person who ran it can see it: the metrics, an alert, a dashboard.

CREATE TABLE cube.etl_verification (
	verified_at timestamptz NOT NULL DEFAULT clock_timestamp() PRIMARY KEY,
	checks bigint NOT NULL,
	compared bigint NOT NULL,
	differing bigint NOT NULL,
	example text
);
COMMENT ON TABLE cube.etl_verification IS 'Runs of `gracecube verify` in the last 90 days.';
SELECT cube.comment_columns('cube.etl_verification', $$
	verified_at: when it ended
	checks: how many checks were made
	compared: how many things were compared
	differing: how many of them differed; 0 is right
	example: the first difference
$$);

CREATE FUNCTION cube.note_verification(p_checks bigint, p_compared bigint, p_differing bigint, p_example text) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	DELETE FROM cube.etl_verification WHERE verified_at < now() - interval '90 days';
	INSERT INTO cube.etl_verification (checks, compared, differing, example) VALUES (p_checks, p_compared, p_differing, left(p_example, 1000))
	ON CONFLICT DO NOTHING;
$$;
COMMENT ON FUNCTION cube.note_verification(bigint, bigint, bigint, text) IS 'Writes one run of `gracecube verify` down.';
