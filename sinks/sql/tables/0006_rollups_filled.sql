-- A rollup that is new, or means something else than before, does not hold the facts that are there already: which ones do, and how far the
-- others have come. What is there when this table is made was kept by triggers from the first fact on.

CREATE TABLE cube.rollup_fill (
	rollup text PRIMARY KEY,
	definition text NOT NULL,
	filled_before date,
	filled_at timestamptz
);
-- A row ledger summed hash_record(f.*) and names its columns now, which are those of before: what is equal is not filled again.
INSERT INTO cube.rollup_fill (rollup, definition, filled_at)
SELECT r.rollup, md5(concat_ws(E'\n', r.fact, r.cells, replace(r.sums::text, 'f.*', c.columns), r.beside, r.parts, r.condition)), now()
FROM cube.rollup r, LATERAL (SELECT format('ROW(%s)', string_agg(format('f.%I', a.attname), ', ' ORDER BY a.attnum)) AS columns FROM pg_attribute a
	WHERE a.attrelid = format('cube.%I', r.fact)::regclass AND a.attnum > 0 AND NOT a.attisdropped) c;
