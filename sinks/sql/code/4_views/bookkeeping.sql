-- Where the cube stands: watermarks, freshness, quality issues, components.

CREATE OR REPLACE FUNCTION cube.as_of() RETURNS timestamptz LANGUAGE sql STABLE AS $$
	SELECT coalesce(greatest((SELECT max(updated_at) FROM cube.etl_offset), (SELECT max(changed_at) FROM cube.etl_dead_letter_ledger)),
		(SELECT max(applied_at) FROM cube.schema_version))
$$;
COMMENT ON FUNCTION cube.as_of() IS 'The newest commit that the cube holds; before the first one, when the cube was made.';

-- Transactions take their time when they begin and may end in another order: two states of the cube can be as of the same time.
-- Every one of them moves a position, and none moves one back, or retries dead letters, or is a rebuild; so this sum tells the states apart.
CREATE OR REPLACE FUNCTION cube.records_read() RETURNS bigint LANGUAGE sql STABLE AS $$
	SELECT (coalesce((SELECT sum(next_offset - first_offset) FROM cube.etl_offset), 0)
		+ coalesce((SELECT sum(retries) FROM cube.etl_dead_letter_ledger), 0) + (SELECT count(*) FROM cube.rebuild WHERE swapped_at IS NOT NULL))::bigint
$$;
COMMENT ON FUNCTION cube.records_read() IS 'How many records the cube accounts for, dead letters once more each time that they are retried, and one for each rebuild. It grows with every commit: answers with the same number are of the same commit.';

SELECT cube.define_view('cube_components', $$
SELECT component_name, subsystem, tier_default, description, is_inferred FROM cube.dim_component$$);
SELECT cube.describe('cube.cube_components', 'The components by which answers can be narrowed.', $$
	component_name: component
	subsystem: what it belongs to
	tier_default: tier that its actions usually have
	description: what it does
	is_inferred: known only from records that name it
$$);

-- ----
SELECT cube.define_view('cube_etl_metadata', $$
SELECT group_id, topic, partition, stream, next_offset, last_record_at AS last_load_timestamp, updated_at, applied, superseded, dead, ignored,
	applied + superseded + dead + ignored = next_offset - first_offset AS ledger_closed, expired, contradicting
FROM cube.etl_offset$$);
SELECT cube.describe('cube.cube_etl_metadata', 'Watermark and ledger of each topic and partition.', $$
	group_id: Kafka consumer group
	topic: Kafka topic
	partition: Kafka partition
	stream: the kind of record the topic carries
	next_offset: the next offset to be read
	last_load_timestamp: Kafka's timestamp of the newest record read
	updated_at: when the position last moved
	applied: records applied
	superseded: records older than what the cube holds, and duplicates
	dead: records that became dead letters
	ignored: records that mean nothing here
	ledger_closed: all of these together are what was read
	expired: of the ignored records those of months that are dropped
	contradicting: of the superseded records those whose own time is later than that of what the cube held
$$);

-- ----
SELECT cube.define_view('cube_horizons', $$
SELECT h.fact, h.closed_before, h.closed_at, coalesce(sum(m.facts), 0)::bigint AS facts_dropped, coalesce(sum(m.bytes) FILTER (WHERE m.dropped_at IS NOT NULL), 0)::bigint AS bytes_freed,
	count(m.month) FILTER (WHERE m.dropped_at IS NULL) AS months_to_go
FROM cube.horizon h LEFT JOIN cube.closed_month m USING (fact) GROUP BY 1, 2, 3$$);
SELECT cube.describe('cube.cube_horizons', 'Up to where each fact was thrown away. Sums of older days are what they were then; single facts of them are gone.', $$
	fact: table
	closed_before: facts created before this are gone, and late records of theirs are counted as expired
	closed_at: when that was set
	facts_dropped: how many went
	bytes_freed: what they took, with indexes
	months_to_go: months that are on their way out
$$);

-- ----
SELECT cube.define_view('cube_freshness', $$
SELECT stream, max(last_record_at) AS data_through, max(updated_at) AS last_commit_at,
	date_part('epoch', now() - max(updated_at)) AS seconds_since_commit,
	sum(next_offset - first_offset)::bigint AS records_read, sum(dead)::bigint AS dead_letters
FROM cube.etl_offset GROUP BY stream$$);
SELECT cube.describe('cube.cube_freshness', 'How far each stream has come.', $$
	stream: the kind of record
	data_through: Kafka's timestamp of the newest record in the cube
	last_commit_at: when the stream last moved
	seconds_since_commit: how long ago that is
	records_read: records read so far
	dead_letters: those of them that became dead letters
$$);

-- ----
SELECT cube.define_view('cube_lag', $$
SELECT stream, records_read, data_through, seconds_since_commit FROM cube.cube_freshness$$);
SELECT cube.describe('cube.cube_lag', 'How much of each stream was read, how far it reaches, and how long ago it last moved.', $$
	stream: the kind of record
	records_read: records read so far
	data_through: Kafka's timestamp of the newest record in the cube
	seconds_since_commit: how long ago the stream last moved
$$);

-- ----
-- With the rights of the owner, as the counts are of all tiers.
CREATE OR REPLACE FUNCTION cube.issue_last_found(p_stream text, p_field text, p_rule text) RETURNS timestamptz LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = cube, pg_temp AS $$
	SELECT max(i.found_at) FROM cube.etl_quality_issue i WHERE i.stream = p_stream AND i.field = p_field AND i.rule = p_rule
$$;
COMMENT ON FUNCTION cube.issue_last_found(text, text, text) IS 'When a kind of quality issue was last found.';

SELECT cube.define_view('cube_quality_issues', $$
SELECT r.*, cube.issue_last_found(r.stream, r.field, r.rule) AS last_found_at
FROM (SELECT stream, field, rule, cube.total(issues) AS issues FROM cube.rollup_quality_issues GROUP BY 1, 2, 3 HAVING cube.total(issues) <> 0) r$$);
SELECT cube.describe('cube.cube_quality_issues', 'Quality issues, counted by what was wrong. Of all tiers, whoever asks.', $$
	stream: the kind of record, or the fact where two versions of one did not fit together
	field: the field
	rule: the rule that was broken
	issues: how often
	last_found_at: when it was last found
$$);
