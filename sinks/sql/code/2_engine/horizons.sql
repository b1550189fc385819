-- Up to where a fact is closed: months before that are dropped, or are about to be, and nothing is written there any more.
--
-- A closed month is like closed books. A record that would write into it, or that belongs to a fact that went with it, changes nothing and
-- is counted as expired: so neither is a partition made again for a late record, nor a fact counted twice whose created_at was corrected
-- out of the month. A fact that a correction would move into a closed month stays where it was, as it was.

SELECT cube.describe('cube.horizon', 'Up to where each fact is closed. What is older can not be computed again: its rollups stay as they were.', $$
	fact: table
	closed_before: facts created before this, the begin of a UTC month, are dropped; late records of theirs are counted as expired
	closed_at: when it was last raised
$$);

SELECT cube.describe('cube.closed_month', 'Months of facts that were dropped, or are being dropped.', $$
	fact: table
	month: its first day
	bytes: what its partition took, with indexes
	facts: rows that went; NULL until they are dropped
	links_kept_at: its sums were found right, and what other facts knew of it was kept
	detached_at: its partition stands apart: no reader sees its rows, the rollups still wait for them
	dropped_at: its rows are gone, their sums are in the lane of closed months
$$);

SELECT cube.describe('cube.fact_link', 'Which keys of a target are computed from the rows of a fact, besides those of its parents.', $$
	fact: table
	target: the target whose key table has columns that are computed from the fact
	linked_keys: statement that selects these keys; %s is the fact, or a partition of it
	loaded_at: when it was defined
$$);

SELECT cube.describe('cube.closed_link', 'What dropped facts said of a key, so that it stays when nothing else is known.', $$
	target: the target in whose key table the key is
	key: natural key
	links: columns of the key row that were computed from dropped facts
	loaded_at: when it was kept
$$);

CREATE OR REPLACE FUNCTION cube.closed_before(p_fact text) RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	SELECT coalesce((SELECT h.closed_before FROM cube.horizon h WHERE h.fact = p_fact), '-infinity')
$$;
COMMENT ON FUNCTION cube.closed_before(text) IS 'Up to where a fact is closed; -infinity where it is not.';

-- Writers take this lock shared, who raises a horizon takes it exclusively, so that no writer still goes by the old one. Two statements:
-- the second sees what was committed while the first waited.
CREATE OR REPLACE FUNCTION cube.pass_horizon(p_fact text) RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock_shared(7240008, hashtext(p_fact));
	RETURN cube.closed_before(p_fact);
END $$;
COMMENT ON FUNCTION cube.pass_horizon(text) IS 'What cube.closed_before() says, and it stays so until the transaction ends.';

-- NULL while a fact may still need any minute: then all are needed.
CREATE OR REPLACE FUNCTION cube.oldest_minute() RETURNS int LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN count(h.fact) = count(*) THEN cube.time_key(min(h.closed_before)) END FROM cube.fact f LEFT JOIN cube.horizon h ON h.fact = f.fact
$$;
COMMENT ON FUNCTION cube.oldest_minute() IS 'The first minute that a fact can still point at; NULL where any can.';

CREATE OR REPLACE FUNCTION cube.count_expired(p_offset_id bigint[]) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	WITH l AS (
		UPDATE cube.etl_offset o SET applied = o.applied - l.n, ignored = o.ignored + l.n, expired = o.expired + l.n
		FROM (SELECT i, count(*) AS n FROM unnest(p_offset_id) i WHERE i IS NOT NULL GROUP BY i ORDER BY i) l
		WHERE o.offset_id = l.i RETURNING l.n)
	SELECT coalesce(sum(l.n), 0)::bigint FROM l
$$;
COMMENT ON FUNCTION cube.count_expired(bigint[]) IS 'Counts records, each named by its partition, as expired instead of applied; returns how many.';
