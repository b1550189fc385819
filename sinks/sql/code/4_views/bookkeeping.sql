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
-- From the row ledgers, a few rows a day, and with the rights of the owner, so that it is the same for who is limited to a tier.
CREATE OR REPLACE FUNCTION cube.usual_gap(p_stream text) RETURNS double precision LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE
	target constant text := (SELECT u.target FROM (VALUES ('action_contracts', 'verification_executions'), ('agentic_insights', 'agentic_insights'),
		('approval_requests', 'approvals'), ('benchmark_runs', 'benchmark_runs'), ('constitutional_compliance', 'compliance_checks'),
		('execution_tasks', 'execution_tasks'), ('governance_members', 'governance_members'), ('governance_sessions', 'governance_sessions'),
		('governance_votes', 'governance_votes'), ('healing_actions', 'healing_actions'), ('immutable_log', 'agentic_events'), ('playbook_runs', 'playbook_runs'),
		('playbook_step_runs', 'playbook_step_runs'), ('safe_hold_snapshots', 'snapshots'), ('security_events', 'error_events'),
		('shard_heartbeats', 'shard_heartbeats')) u (stream, target) WHERE u.stream = p_stream);
	gap double precision;
BEGIN
	IF target IS NULL THEN RETURN NULL; END IF;
	EXECUTE format('SELECT 86400.0 * least(7, e.last - e.first + 1) / nullif(sum(l.row_count), 0)
		FROM (SELECT min(day) AS first, max(day) AS last FROM cube.%1$I WHERE row_count <> 0) e JOIN cube.%1$I l ON l.day > e.last - 7 AND l.row_count <> 0
		GROUP BY e.first, e.last HAVING 7 * count(DISTINCT l.day) >= 5 * least(7, e.last - e.first + 1)',
		'rollup_' || target || '_ledger') INTO gap;
	RETURN gap;
END $$;
COMMENT ON FUNCTION cube.usual_gap(text) IS 'Seconds from one row of a stream to the next, on average over the last seven days of its data; NULL of streams that bring rows on fewer than five of seven days, or none with a time of their own (missions, policies, events of the mesh).';

SELECT cube.define_view('cube_freshness', $$
SELECT stream, max(last_record_at) AS data_through, max(updated_at) AS last_commit_at,
	date_part('epoch', now() - max(updated_at)) AS seconds_since_commit,
	sum(next_offset - first_offset)::bigint AS records_read, sum(dead)::bigint AS dead_letters, cube.usual_gap(stream) AS usual_gap_seconds
FROM cube.etl_offset GROUP BY stream$$);
SELECT cube.describe('cube.cube_freshness', 'How far each stream has come.', $$
	stream: the kind of record
	data_through: Kafka's timestamp of the newest record in the cube
	last_commit_at: when the stream last moved
	seconds_since_commit: how long ago that is
	records_read: records read so far
	dead_letters: those of them that became dead letters
	usual_gap_seconds: from one of its rows to the next, on average over the last seven days of its data: silence for many times as long is unusual; NULL where it brings rows on fewer than five of seven days, or none with a time of their own
$$);

-- ----
-- The first and last cell that is not empty, by their order in the index.
SELECT cube.define_view('cube_extents', $$
SELECT 'executions' AS subject, (SELECT cube.day_of(r.hour * 60) FROM cube.rollup_verification_hourly r WHERE r.component_key = -1 GROUP BY r.hour HAVING cube.total(r.executions) <> 0
		ORDER BY r.hour LIMIT 1) AS first_day,
	(SELECT cube.day_of(r.hour * 60) FROM cube.rollup_verification_hourly r WHERE r.component_key = -1 GROUP BY r.hour HAVING cube.total(r.executions) <> 0
		ORDER BY r.hour DESC LIMIT 1) AS last_day
UNION ALL SELECT 'errors', (SELECT r.day FROM cube.rollup_errors_daily r GROUP BY r.day HAVING cube.total(r.errors) <> 0 ORDER BY r.day LIMIT 1),
	(SELECT r.day FROM cube.rollup_errors_daily r GROUP BY r.day HAVING cube.total(r.errors) <> 0 ORDER BY r.day DESC LIMIT 1)
UNION ALL SELECT 'approvals', (SELECT r.day FROM cube.rollup_approvals_daily r GROUP BY r.day HAVING cube.total(r.approvals) <> 0 ORDER BY r.day LIMIT 1),
	(SELECT r.day FROM cube.rollup_approvals_daily r GROUP BY r.day HAVING cube.total(r.approvals) <> 0 ORDER BY r.day DESC LIMIT 1)$$);
SELECT cube.describe('cube.cube_extents', 'On which UTC day the data of a subject begin, and on which they end: before it there is nothing to compare with. Of the tiers that who asks may see.', $$
	subject: executions, errors, approvals
	first_day: the first UTC day with data; NULL where there are none
	last_day: the last one
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
