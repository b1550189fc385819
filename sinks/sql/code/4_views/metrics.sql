-- Metrics: what the registry defines, answered. `migrate` writes cube.metric_definition; the SQL in it holds columns and values only (see
-- config/registry/expression.c) and is run with the rights of whoever asks, so row-level security holds.
--
-- A question becomes one statement. Counts and sums are whole numbers of small units, so parts add exactly: what a rollup keeps is read from
-- it for the whole hours or days of the window, and from the facts for the edges. Percentiles are of logarithmic buckets, which add too.

SELECT cube.describe('cube.metric_definition', 'What each metric is, as `migrate` has it from the registry. For people: cube.metric_catalog.', $$
	name: of the metric
	definition: all of it, with the SQL of its parts
	loaded_at: when the row was last written
$$);

SELECT cube.define_view('metric_catalog', $$
SELECT m.name, m.definition ->> 'label' AS label, m.definition ->> 'about' AS about, m.definition ->> 'unit' AS unit, m.definition ->> 'fact' AS fact,
	m.definition ->> 'formula' AS formula, m.definition ->> 'filter' AS filter, m.definition -> 'dimensions' AS dimensions,
	m.definition ->> 'additivity' AS additivity, m.definition ->> 'better' AS better,
	(m.definition -> 'thresholds' ->> 'good')::double precision AS good, (m.definition -> 'thresholds' ->> 'warning')::double precision AS warning,
	(m.definition -> 'thresholds' ->> 'critical')::double precision AS critical, m.definition ? 'time' AS has_time, m.definition ->> 'file' AS file,
	nullif((m.definition ->> 'over_seconds')::bigint, 0) AS over_seconds, (m.definition ->> 'min_rows')::bigint AS min_rows,
	m.definition ->> 'thresholds_from' AS thresholds_from, m.definition ->> 'playbook' AS playbook
FROM cube.metric_definition m ORDER BY (m.definition ->> 'position')::int$$);
SELECT cube.describe('cube.metric_catalog', 'Every metric: what it says, how it is computed, what it may be cut by. cube.metric() answers them.', $$
	name: by which it is asked for
	label: for a heading
	about: one sentence
	unit: count, ratio (0 to 1), seconds or score
	fact: what its rows are
	formula: over measures of the fact
	filter: which rows of the fact it is about; NULL: all
	dimensions: what it may be cut and filtered by
	additivity: additive: values of parts add; by_parts: numerators and denominators add, values never; none: it has to be asked for again
	better: up, down or neither
	good: from this on it is as it should be
	warning: beyond this it is not: below where up is better, above where down is
	critical: beyond this least of all
	has_time: it may be asked of a window and by a grain; else it says how things are now
	file: that defines it
	over_seconds: how long the window is, until now, that its thresholds are about; NULL: all there is
	min_rows: an answer that rests on fewer rows raises no alert
	thresholds_from: the file that has its thresholds; NULL: it has none
	playbook: what to run when it is beyond them, by the file that has them; NULL: nothing
$$);

-- What a file of targets says of a metric: it stays, as metrics do, when whoever migrates has not that file.
CREATE OR REPLACE FUNCTION cube.metric_targets(p_definition jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
	SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(p_definition) WHERE key IN ('thresholds', 'thresholds_from', 'over_seconds', 'min_rows', 'better', 'playbook')
$$;
COMMENT ON FUNCTION cube.metric_targets(jsonb) IS 'The part of a metric''s definition that a file of targets has.';

-- ----
-- What the cube has otherwise than it is defined; a definition of NULL is no more. Metrics of other files than these are left alone: whoever
-- migrates without somebody's file, by hand or from another machine, does not take theirs away. NULL: there are no others.
CREATE OR REPLACE FUNCTION cube.metrics_that_differ(p_definitions jsonb, p_files jsonb) RETURNS TABLE (name text, definition jsonb) LANGUAGE sql STABLE AS $$
	SELECT coalesce(d.key, m.name), w.definition FROM cube.metric_definition m FULL JOIN jsonb_each(p_definitions) d ON d.key = m.name,
		LATERAL (SELECT d.value || CASE WHEN NOT p_files ? (m.definition ->> 'thresholds_from') AND m.definition ->> 'thresholds_from' <> m.definition ->> 'file'
			THEN cube.metric_targets(m.definition) ELSE '{}' END AS definition) w
	WHERE m.definition IS DISTINCT FROM w.definition AND (d.key IS NOT NULL OR coalesce(p_files ? (m.definition ->> 'file'), true))
$$;
COMMENT ON FUNCTION cube.metrics_that_differ(jsonb, jsonb) IS 'Metrics that are not in the cube as these files define them.';

CREATE OR REPLACE FUNCTION cube.put_metrics(p_definitions jsonb, p_files jsonb) RETURNS bigint LANGUAGE sql AS $$
	WITH other AS MATERIALIZED (SELECT * FROM cube.metrics_that_differ(p_definitions, p_files)),
	gone AS (DELETE FROM cube.metric_definition m USING other o WHERE o.name = m.name AND o.definition IS NULL),
	put AS (INSERT INTO cube.metric_definition (name, definition) SELECT o.name, o.definition FROM other o WHERE o.definition IS NOT NULL
		ON CONFLICT (name) DO UPDATE SET definition = excluded.definition, loaded_at = now())
	SELECT count(*) FROM other
$$;
COMMENT ON FUNCTION cube.put_metrics(jsonb, jsonb) IS 'Makes the metrics of these files what they are defined as; how many differed.';

-- Whoever asks wrongly is told in one sentence what is right. The API answers SQLSTATE GC022 with 422, and GC404 with 404.
CREATE OR REPLACE FUNCTION cube.refuse_metric(p_message text, p_code text DEFAULT 'GC022') RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RAISE EXCEPTION USING ERRCODE = p_code, MESSAGE = p_message;
END $$;
COMMENT ON FUNCTION cube.refuse_metric(text, text) IS 'Ends a question that would have no right answer.';

-- The name that shares most pairs of letters.
CREATE OR REPLACE FUNCTION cube.nearest_word(p_word text, p_words text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT w FROM unnest(p_words) w, LATERAL (SELECT count(*) FILTER (WHERE strpos(w, substr(p_word, i, 2)) > 0) AS shared
		FROM generate_series(1, least(length(p_word), 60) - 1) i) s
	WHERE s.shared * 2 >= least(length(p_word), 60) - 1 AND length(p_word) > 1 ORDER BY s.shared - abs(length(w) - length(p_word)) / 4.0 DESC, w LIMIT 1
$$;
COMMENT ON FUNCTION cube.nearest_word(text, text[]) IS 'Which of these words was probably meant; NULL when none is near.';

CREATE OR REPLACE FUNCTION cube.metric_named(p_name text) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
	found constant jsonb := (SELECT m.definition FROM cube.metric_definition m WHERE m.name = p_name);
	nearest text;
BEGIN
	IF found IS NOT NULL THEN RETURN found; END IF;
	nearest := cube.nearest_word(p_name, ARRAY(SELECT m.name FROM cube.metric_definition m));
	PERFORM cube.refuse_metric(format('there is no metric %s; %scube.metric_catalog has all of them', left(coalesce(p_name, 'NULL'), 60),
		'did you mean ' || nearest || '? '), 'GC404');
	RETURN NULL;
END $$;
COMMENT ON FUNCTION cube.metric_named(text) IS 'The definition of a metric.';

-- ----
-- {"tier": "tier_1"}, {"tier": ["tier_1", "tier_2"]}, {"tier": {"not": "tier_3"}} as {"tier": {"in": […]}} or {"tier": {"not": […]}}
CREATE OR REPLACE FUNCTION cube.metric_filter_form(p_filter jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	form jsonb := '{}';
	f record;
	operator text;
	members jsonb;
BEGIN
	IF p_filter IS NULL OR p_filter = 'null' THEN RETURN form; END IF;
	IF jsonb_typeof(p_filter) <> 'object' THEN PERFORM cube.refuse_metric('a filter is an object like {"tier": "tier_1"}'); END IF;
	FOR f IN SELECT key, value FROM jsonb_each(p_filter) LOOP
		operator := 'in';
		members := f.value;
		IF jsonb_typeof(members) = 'object' THEN
			operator := (SELECT min(k) FROM jsonb_object_keys(members) k);
			IF operator NOT IN ('in', 'not') OR (SELECT count(*) FROM jsonb_object_keys(members)) <> 1 THEN
				PERFORM cube.refuse_metric(format('the filter of %s must be a value, a list of values, or {"not": …}', left(f.key, 60)));
			END IF;
			members := members -> operator;
		END IF;
		IF jsonb_typeof(members) <> 'array' THEN members := jsonb_build_array(members); END IF;
		IF EXISTS (SELECT FROM jsonb_array_elements(members) m WHERE jsonb_typeof(m) IN ('object', 'array')) OR members = '[]' OR jsonb_array_length(members) > 1000 THEN
			PERFORM cube.refuse_metric(format('the filter of %s must be values, one to a thousand', left(f.key, 60)));
		END IF;
		form := form || jsonb_build_object(f.key, jsonb_build_object(operator, (SELECT jsonb_agg(coalesce(m, 'unknown')) FROM jsonb_array_elements_text(members) m)));
	END LOOP;
	RETURN form;
END $$;
COMMENT ON FUNCTION cube.metric_filter_form(jsonb) IS 'A filter, each dimension of it as a list that its members are in, or not.';

-- tier=tier_1,tier_2;component!=hunter, as an address has it; an object is taken as it is.
CREATE OR REPLACE FUNCTION cube.metric_filter(p_text text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	filter jsonb := '{}';
	item text;
	part text[];
BEGIN
	IF p_text ~ '^\s*\{' THEN
		BEGIN
			RETURN p_text::jsonb;
		EXCEPTION WHEN data_exception OR untranslatable_character OR program_limit_exceeded THEN
			PERFORM cube.refuse_metric('where is no JSON; write it like tier=tier_1,tier_2;component!=hunter or like {"tier": ["tier_1", "tier_2"]}');
		END;
	END IF;
	FOREACH item IN ARRAY coalesce(string_to_array(p_text, ';'), '{}') LOOP
		part := regexp_match(item, '^\s*([a-z][a-z0-9_]*)\s*(!?=)\s*(\S.*?)\s*$');
		IF part IS NULL THEN
			PERFORM cube.refuse_metric(format('where cannot be read at "%s"; write it like tier=tier_1,tier_2;component!=hunter', left(item, 60)));
		ELSIF filter ? part[1] THEN
			PERFORM cube.refuse_metric(format('where has %s twice; write its members behind each other: %1$s=a,b', part[1]));
		END IF;
		filter := filter || jsonb_build_object(part[1], jsonb_build_object(CASE part[2] WHEN '=' THEN 'in' ELSE 'not' END,
			to_jsonb(ARRAY(SELECT btrim(m) FROM unnest(string_to_array(part[3], ',')) m))));
	END LOOP;
	RETURN filter;
END $$;
COMMENT ON FUNCTION cube.metric_filter(text) IS 'The filter that a text like tier=tier_1,tier_2;component!=hunter means.';

-- ----
CREATE OR REPLACE FUNCTION cube.check_metric_cut(p_name text, d jsonb, p_cut text) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF d -> 'cuts' ? p_cut THEN RETURN; END IF;
	IF d -> 'refuses' ? p_cut THEN PERFORM cube.refuse_metric(d -> 'refuses' ->> p_cut); END IF;
	PERFORM cube.refuse_metric(format('%s has no dimension %s; %s', p_name, left(coalesce(p_cut, 'NULL'), 60), CASE d -> 'dimensions' WHEN '[]' THEN 'it has none'
		ELSE 'it has ' || (SELECT string_agg(c, ', ') FROM jsonb_array_elements_text(d -> 'dimensions') c) END));
END $$;
COMMENT ON FUNCTION cube.check_metric_cut(text, jsonb, text) IS 'Refuses a dimension that a metric cannot be cut by, and says why.';

CREATE OR REPLACE FUNCTION cube.check_metric_question(p_name text, d jsonb, p_from timestamptz, p_to timestamptz, p_grain text, p_by text[], p_filter jsonb)
RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
	PERFORM cube.check_metric_cut(p_name, d, c) FROM (SELECT unnest(p_by) AS c UNION ALL SELECT jsonb_object_keys(p_filter)) u;
	IF cardinality(p_by) <> (SELECT count(DISTINCT c) FROM unnest(p_by) c) THEN PERFORM cube.refuse_metric('by has a dimension twice'); END IF;
	IF p_grain NOT IN ('minute', 'hour', 'day', 'week', 'month') THEN
		PERFORM cube.refuse_metric(format('there is no grain %s; it is minute, hour, day, week, month, or none for the whole window', left(p_grain, 60)));
	END IF;
	IF NOT d ? 'time' AND (p_from IS NOT NULL OR p_to IS NOT NULL OR p_grain IS NOT NULL) THEN
		PERFORM cube.refuse_metric(format('%s says how things are now; leave out from, to and grain', p_name));
	END IF;
	IF p_from > p_to THEN PERFORM cube.refuse_metric('the begin is later than the end'); END IF;
END $$;
COMMENT ON FUNCTION cube.check_metric_question(text, jsonb, timestamptz, timestamptz, text, text[], jsonb) IS 'Refuses what a metric cannot be asked.';

-- ----
-- Where a cut is found: in the facts, or under another name in sums.
CREATE OR REPLACE FUNCTION cube.metric_cut_column(d jsonb, p_sums jsonb, p_cut text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT coalesce(p_sums -> 'cuts' ->> p_cut, d -> 'cuts' -> p_cut ->> 'column')
$$;
COMMENT ON FUNCTION cube.metric_cut_column(jsonb, jsonb, text) IS 'The column of a dimension in the facts of a metric, or in sums of them.';

-- AND …, for the members that a filter names ($3), which are found once.
CREATE OR REPLACE FUNCTION cube.metric_filter_sql(d jsonb, p_sums jsonb, p_filter jsonb) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT coalesce(string_agg(CASE WHEN c.cut ? 'table'
		THEN format(' AND f.%I %s (SELECT x.%I FROM cube.%I x WHERE coalesce(x.%I::text, ''unknown'') = ANY (%s))', c.col, CASE c.operator WHEN 'in' THEN 'IN' ELSE 'NOT IN' END,
			c.cut ->> 'key', c.cut ->> 'table', c.cut ->> 'shows', c.members)
		ELSE format(' AND coalesce(f.%I::text, ''unknown'') %s (%s)', c.col, CASE c.operator WHEN 'in' THEN '= ANY' ELSE '<> ALL' END, c.members) END, '' ORDER BY c.name), '')
	FROM (SELECT k.name, d -> 'cuts' -> k.name AS cut, cube.metric_cut_column(d, p_sums, k.name) AS col, o.operator,
			format('ARRAY(SELECT jsonb_array_elements_text($3 -> %L -> %L))', k.name, o.operator) AS members
		FROM jsonb_object_keys(p_filter) k (name), LATERAL jsonb_object_keys(p_filter -> k.name) o (operator)) c
$$;
COMMENT ON FUNCTION cube.metric_filter_sql(jsonb, jsonb, jsonb) IS 'The condition of a filter on facts, or on sums of them.';

-- k1, k2, …: keys of members, or the texts themselves.
CREATE OR REPLACE FUNCTION cube.metric_keys_sql(d jsonb, p_sums jsonb, p_by text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT coalesce(string_agg(format(CASE WHEN d -> 'cuts' -> c ? 'table' THEN ', f.%1$I AS %2$I' ELSE ', coalesce(f.%1$I::text, ''unknown'') AS %2$I' END,
		cube.metric_cut_column(d, p_sums, c), 'k' || n), '' ORDER BY n), '')
	FROM unnest(p_by) WITH ORDINALITY u (c, n)
$$;
COMMENT ON FUNCTION cube.metric_keys_sql(jsonb, jsonb, text[]) IS 'The columns by which rows are grouped first.';

CREATE OR REPLACE FUNCTION cube.metric_measure_sql(p_measure jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT format(CASE p_measure ->> 'kind' WHEN 'count' THEN 'count(*)'
			WHEN 'sum' THEN CASE p_measure ->> 'units' WHEN '1' THEN 'sum((%1$s)::numeric)' ELSE 'sum(round((%1$s) * %2$s)::numeric)' END
			WHEN 'distinct' THEN 'count(DISTINCT %1$s)' ELSE '%3$s((%1$s)::double precision)' END, p_measure ->> 'value', p_measure ->> 'units', p_measure ->> 'kind')
		|| coalesce(' FILTER (WHERE ' || (p_measure ->> 'condition') || ')', '')
$$;
COMMENT ON FUNCTION cube.metric_measure_sql(jsonb) IS 'A measure over rows of a fact; sums in small units.';

-- Facts of a part of a window; NULL: without that end. time_key has an index, created_at finds the partitions.
CREATE OR REPLACE FUNCTION cube.metric_facts_sql(d jsonb, p_filter jsonb, p_from text, p_to text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('FROM cube.%I f WHERE true', d ->> 'table') || coalesce(' AND (' || (d ->> 'only') || ')', '') || coalesce(' AND (' || (d ->> 'condition') || ')', '')
		|| coalesce(t.time || ' IS NOT NULL', '') || coalesce(t.time || ' >= ' || p_from, '') || coalesce(t.time || ' < ' || p_to, '')
		|| coalesce(t.time_key || ' >= cube.time_key(' || p_from || ')', '') || coalesce(t.time_key || ' <= cube.time_key(' || p_to || ')', '')
		|| cube.metric_filter_sql(d, '{}', p_filter)
	FROM (SELECT CASE WHEN d ? 'time' THEN format(' AND f.%I', d ->> 'time') END AS time, CASE WHEN d ? 'time_key' THEN format(' AND f.%I', d ->> 'time_key') END AS time_key) t
$$;
COMMENT ON FUNCTION cube.metric_facts_sql(jsonb, jsonb, text, text) IS 'The facts of a metric in a part of a window.';

CREATE OR REPLACE FUNCTION cube.metric_sums_sql(d jsonb, p_sums jsonb, p_by text[], p_filter jsonb, p_from bigint, p_to bigint) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('FROM cube.%I f WHERE true', p_sums ->> 'table')
		|| CASE WHEN p_sums ? 'together' THEN format(' AND f.%I %s %s', p_sums -> 'together' ->> 'column',
			CASE WHEN EXISTS (SELECT FROM (SELECT unnest(p_by) AS c UNION ALL SELECT jsonb_object_keys(p_filter)) u
				WHERE cube.metric_cut_column(d, p_sums, u.c) = p_sums -> 'together' ->> 'column') THEN '<>' ELSE '=' END, (p_sums -> 'together' ->> 'value')::int) ELSE '' END
		|| CASE p_sums ->> 'time' WHEN 'hour' THEN coalesce(' AND f.hour >= ' || p_from, '') || coalesce(' AND f.hour < ' || p_to, '')
			ELSE coalesce(' AND f.day >= date ''1970-01-01'' + ' || p_from, '') || coalesce(' AND f.day < date ''1970-01-01'' + ' || p_to, '') END
		|| cube.metric_filter_sql(d, p_sums, p_filter)
$$;
COMMENT ON FUNCTION cube.metric_sums_sql(jsonb, jsonb, text[], jsonb, bigint, bigint) IS 'The cells of sums in whole hours or days.';

CREATE OR REPLACE FUNCTION cube.metric_bucket_sql(p_grain text, p_time text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN p_grain IS NULL THEN 'NULL::timestamptz' ELSE format('date_trunc(%L, %s, ''UTC'')', p_grain, p_time) END
$$;
COMMENT ON FUNCTION cube.metric_bucket_sql(text, text) IS 'The begin of the hour, day, week … that a time is in.';

-- A measure as its column of sums has it, or over facts.
CREATE OR REPLACE FUNCTION cube.metric_sum_sql(d jsonb, p_sums jsonb, p_part text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN NOT d ? p_part THEN 'NULL::numeric' WHEN p_sums IS NULL THEN cube.metric_measure_sql(d -> p_part) ELSE format('sum(f.%I)', p_sums ->> p_part) END
$$;
COMMENT ON FUNCTION cube.metric_sum_sql(jsonb, jsonb, text) IS 'A part of a metric, value, per or n, summed.';

CREATE OR REPLACE FUNCTION cube.metric_time_sql(d jsonb, p_sums jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN p_sums ->> 'time' = 'hour' THEN 'cube.minute_at(f.hour * 60)' WHEN p_sums IS NOT NULL THEN 'f.day::timestamp AT TIME ZONE ''UTC'''
		WHEN d ? 'time' THEN format('f.%I', d ->> 'time') END
$$;
COMMENT ON FUNCTION cube.metric_time_sql(jsonb, jsonb) IS 'When a fact, or a cell of sums, was.';

-- What is read of one source: counts and sums of each bucket and each member, or rows of sixteen logarithmic buckets (as
-- rollup_verification_duration has them).
CREATE OR REPLACE FUNCTION cube.metric_part_sql(d jsonb, p_sums jsonb, p_grain text, p_by text[], p_rows text) RETURNS text LANGUAGE sql STABLE AS $$
	WITH part AS (SELECT cube.metric_bucket_sql(p_grain, cube.metric_time_sql(d, p_sums)) AS bucket, cube.metric_keys_sql(d, coalesce(p_sums, '{}'), p_by) AS keys,
		2 + cardinality(p_by) AS columns),
	groups AS (SELECT string_agg(i::text, ', ') AS list, string_agg(i::text, ', ') || ', ' || max(p.columns) AS list_and_bucket
		FROM part p, LATERAL generate_series(1, p.columns - 1) i)
	SELECT CASE
		WHEN d -> 'value' ->> 'kind' <> 'percentile' THEN format('SELECT %s AS at%s, %s AS value, %s AS per, %s AS n %s GROUP BY %s', p.bucket, p.keys,
			cube.metric_sum_sql(d, p_sums, 'value'), cube.metric_sum_sql(d, p_sums, 'per'), cube.metric_sum_sql(d, p_sums, 'n'), p_rows, g.list)
		WHEN p_sums IS NOT NULL THEN format('SELECT %s AS at%s, f.bucket_group, sum(f.executions) AS n, %s %s GROUP BY %s', p.bucket, p.keys,
			(SELECT string_agg(format('sum(f.n%s) AS n%1$s', i), ', ' ORDER BY i) FROM generate_series(0, 15) i), p_rows, g.list_and_bucket)
		ELSE format('SELECT at%s, b >> 4 AS bucket_group, sum(n) AS n, %s FROM (SELECT %s AS at%s, cube.log_bucket(%s) AS b, count(*) AS n %s AND %5$s IS NOT NULL GROUP BY %7$s) s GROUP BY %7$s',
			(SELECT coalesce(string_agg(', k' || i, '' ORDER BY i), '') FROM generate_series(1, cardinality(p_by)) i),
			(SELECT string_agg(format('sum(n) FILTER (WHERE b & 15 = %s) AS n%1$s', i), ', ' ORDER BY i) FROM generate_series(0, 15) i),
			p.bucket, p.keys, d -> 'value' ->> 'value', p_rows, g.list_and_bucket) END
	FROM part p, groups g
$$;
COMMENT ON FUNCTION cube.metric_part_sql(jsonb, jsonb, text, text[], text) IS 'The statement that reads one part of an answer.';

-- ----
-- The first sums that know all dimensions and the grain of a question; NULL: only the facts do. Who is limited to tiers is not answered from sums
-- without a tier, which are of all: of the facts he sees his.
CREATE OR REPLACE FUNCTION cube.metric_sums_for(d jsonb, p_grain text, p_by text[], p_filter jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
	SELECT s.value FROM jsonb_array_elements(d -> 'sums') WITH ORDINALITY s (value, n)
	WHERE s.value -> 'cuts' ?& p_by AND s.value -> 'cuts' ?& ARRAY(SELECT jsonb_object_keys(p_filter))
		AND (p_grain IS NULL OR p_grain IN ('day', 'week', 'month') OR p_grain = s.value ->> 'time')
		AND (s.value -> 'cuts' ? 'tier' OR cube.tiers_seen() IS NULL)
	ORDER BY s.n LIMIT 1
$$;
COMMENT ON FUNCTION cube.metric_sums_for(jsonb, text, text[], jsonb) IS 'The sums that a question can be answered from.';

-- All parts of an answer: sums for the whole hours or days, facts for the rest.
CREATE OR REPLACE FUNCTION cube.metric_parts_sql(d jsonb, p_from timestamptz, p_to timestamptz, p_grain text, p_by text[], p_filter jsonb) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	sums constant jsonb := cube.metric_sums_for(d, p_grain, p_by, p_filter);
	whole_seconds constant int := CASE sums ->> 'time' WHEN 'hour' THEN 3600 ELSE 86400 END;
	from_whole constant bigint := ceil(extract(epoch FROM p_from) / whole_seconds);
	to_whole constant bigint := floor(extract(epoch FROM p_to) / whole_seconds);
	parts text[] := '{}';
BEGIN
	IF sums IS NULL OR from_whole >= to_whole THEN
		RETURN cube.metric_part_sql(d, NULL, p_grain, p_by, cube.metric_facts_sql(d, p_filter, CASE WHEN p_from IS NOT NULL THEN '$1' END, CASE WHEN p_to IS NOT NULL THEN '$2' END));
	END IF;
	parts := parts || cube.metric_part_sql(d, sums, p_grain, p_by, cube.metric_sums_sql(d, sums, p_by, p_filter, from_whole, to_whole));
	IF p_from < to_timestamp(from_whole * whole_seconds) THEN
		parts := parts || cube.metric_part_sql(d, NULL, p_grain, p_by, cube.metric_facts_sql(d, p_filter, '$1', format('to_timestamp(%s)', from_whole * whole_seconds)));
	END IF;
	IF p_to > to_timestamp(to_whole * whole_seconds) THEN
		parts := parts || cube.metric_part_sql(d, NULL, p_grain, p_by, cube.metric_facts_sql(d, p_filter, format('to_timestamp(%s)', to_whole * whole_seconds), '$2'));
	END IF;
	RETURN array_to_string(parts, ' UNION ALL ');
END $$;
COMMENT ON FUNCTION cube.metric_parts_sql(jsonb, timestamptz, timestamptz, text, text[], jsonb) IS 'The statement that reads all parts of an answer.';

-- ----
-- From parts to the answer: members get their names, and those of one name are one.
CREATE OR REPLACE FUNCTION cube.metric_answer_sql(d jsonb, p_parts text, p_at text, p_pairs text, p_names text, p_joins text, p_groups text, p_is_one boolean) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN d -> 'value' ->> 'kind' = 'percentile' THEN format('SELECT %1$s, %2$s,
			CASE WHEN max(total) > 0 THEN cube.bucket_value(min(cube.bucket_at(bucket_group, up_to - n, %3$s * total, counts)) FILTER (WHERE up_to >= %3$s * total AND up_to - n < %3$s * total)) END,
			NULL::double precision, NULL::double precision, coalesce(max(total), 0)::bigint
		FROM (SELECT g.*, sum(n) OVER (PARTITION BY at%4$s ORDER BY bucket_group) AS up_to, sum(n) OVER (PARTITION BY at%4$s) AS total
			FROM (SELECT at%4$s, bucket_group, sum(n)::double precision AS n, ARRAY[%5$s]::bigint[] AS counts
				FROM (SELECT s.*%6$s FROM (%7$s) s%8$s) m GROUP BY at%4$s, bucket_group HAVING sum(n) <> 0) g) r%9$s',
		p_at, p_pairs, d -> 'value' ->> 'share', p_groups, (SELECT string_agg(format('coalesce(sum(n%s), 0)', i), ', ' ORDER BY i) FROM generate_series(0, 15) i), p_names,
		p_parts, p_joins, CASE WHEN p_is_one THEN '' ELSE ' GROUP BY at' || p_groups END)
	ELSE format('SELECT %s, %s, %s, value, per, n FROM (SELECT %s coalesce(sum(value), 0)::double precision / %s AS value, %s AS per, coalesce(sum(n), 0)::bigint AS n
			FROM (SELECT s.*%s FROM (%s) s%s) m%s) a',
		p_at, p_pairs, CASE WHEN d ? 'per' THEN 'value / nullif(per, 0)' ELSE 'value' END, CASE WHEN p_is_one THEN '' ELSE format('at%s,', p_groups) END, d -> 'value' ->> 'units',
		CASE WHEN d ? 'per' THEN format('coalesce(sum(per), 0)::double precision / %s', d -> 'per' ->> 'units') ELSE 'NULL::double precision' END,
		p_names, p_parts, p_joins, CASE WHEN p_is_one THEN '' ELSE format(' GROUP BY at%s HAVING sum(n) <> 0', p_groups) END) END
$$;
COMMENT ON FUNCTION cube.metric_answer_sql(jsonb, text, text, text, text, text, text, boolean) IS 'The statement that puts the parts of an answer together.';

CREATE OR REPLACE FUNCTION cube.metric_whole_sql(d jsonb, p_rows text, p_grain text, p_by text[], p_at text, p_pairs text, p_names text, p_joins text, p_groups text, p_is_one boolean)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT format('SELECT %s, %s, %s, value::double precision, per::double precision, n::bigint FROM (SELECT %s %s AS value, %s AS per, %s AS n
			FROM (SELECT s.*%s FROM (SELECT %s AS at%s, f.* %s) s%s) f%s) a',
		p_at, p_pairs, CASE WHEN d ? 'per' THEN 'value::double precision / nullif(per, 0)' ELSE 'value::double precision' END,
		CASE WHEN p_is_one THEN '' ELSE format('at%s,', p_groups) END, cube.metric_sum_sql(d, NULL, 'value'), cube.metric_sum_sql(d, NULL, 'per'), cube.metric_sum_sql(d, NULL, 'n'),
		p_names, cube.metric_bucket_sql(p_grain, cube.metric_time_sql(d, NULL)), cube.metric_keys_sql(d, '{}', p_by), p_rows, p_joins,
		CASE WHEN p_is_one THEN '' ELSE format(' GROUP BY at%s HAVING %s <> 0', p_groups, cube.metric_sum_sql(d, NULL, 'n')) END)
$$;
COMMENT ON FUNCTION cube.metric_whole_sql(jsonb, text, text, text[], text, text, text, text, text, boolean) IS 'The statement that answers what has no parts that add: from the facts at once.';

CREATE OR REPLACE FUNCTION cube.metric_statement(p_name text, p_from timestamptz, p_to timestamptz, p_grain text, p_by text[], p_filter jsonb) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	d constant jsonb := cube.metric_named(p_name);
	cuts constant text[] := coalesce(p_by, '{}');
	is_one constant boolean := p_grain IS NULL AND cuts = '{}'; -- one answer, also of nothing
	at constant text := CASE WHEN p_grain IS NULL THEN '$1::timestamptz' ELSE 'at' END;
	names text;
	pairs text;
	joins text;
	groups text;
BEGIN
	PERFORM cube.check_metric_question(p_name, d, p_from, p_to, p_grain, cuts, p_filter);
	IF cardinality(cuts) > 6 THEN PERFORM cube.refuse_metric('by may have six dimensions at most'); END IF;
	SELECT coalesce(string_agg(format(', %s AS v%s', CASE WHEN d -> 'cuts' -> c ? 'table' THEN format('coalesce(d%s.%I::text, ''unknown'')', n, d -> 'cuts' -> c ->> 'shows')
			ELSE 's.k' || n END, n), '' ORDER BY n), ''),
		format('jsonb_build_object(%s)', string_agg(format('%L, v%s', c, n), ', ' ORDER BY n)),
		coalesce(string_agg(CASE WHEN d -> 'cuts' -> c ? 'table' THEN format(' LEFT JOIN cube.%1$I d%2$s ON d%2$s.%3$I = s.k%2$s', d -> 'cuts' -> c ->> 'table', n,
			d -> 'cuts' -> c ->> 'key') END, '' ORDER BY n), ''),
		coalesce(string_agg(', v' || n, '' ORDER BY n), '')
	INTO names, pairs, joins, groups FROM unnest(cuts) WITH ORDINALITY u (c, n);
	IF d ->> 'additivity' = 'none' AND d -> 'value' ->> 'kind' <> 'percentile' THEN
		RETURN cube.metric_whole_sql(d, cube.metric_facts_sql(d, p_filter, CASE WHEN p_from IS NOT NULL THEN '$1' END, CASE WHEN p_to IS NOT NULL THEN '$2' END),
			p_grain, cuts, at, pairs, names, joins, groups, is_one);
	END IF;
	RETURN cube.metric_answer_sql(d, cube.metric_parts_sql(d, p_from, p_to, p_grain, cuts, p_filter), at, pairs, names, joins, groups, is_one);
END $$;
COMMENT ON FUNCTION cube.metric_statement(text, timestamptz, timestamptz, text, text[], jsonb) IS 'The statement that answers a question; $1 and $2 are the window, $3 the filter as cube.metric_filter_form() has it.';

-- ----
-- What a view of it would be is this function: any metric, by any of its dimensions.
CREATE OR REPLACE FUNCTION cube.metric(name text, "from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL, grain text DEFAULT NULL, by text[] DEFAULT NULL,
	filter jsonb DEFAULT NULL)
RETURNS TABLE (at timestamptz, dimensions jsonb, value double precision, numerator double precision, denominator double precision, n bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE members constant jsonb := cube.metric_filter_form(metric.filter);
BEGIN
	RETURN QUERY EXECUTE cube.metric_statement(metric.name, metric."from", metric."to", metric.grain, metric.by, members) USING metric."from", metric."to", members;
END $$;
COMMENT ON FUNCTION cube.metric(text, timestamptz, timestamptz, text, text[], jsonb) IS 'A metric of cube.metric_catalog in a window, the end not included: by minute, hour, day, week or month (UTC) or of the whole window, by dimensions, filtered: {"tier": ["tier_1", "tier_2"], "component": {"not": "hunter"}}. value is numerator / denominator where it is a ratio; n, how many rows it rests on.';

-- How far the period that is compared with lies before; what is taken of it must fall into the same buckets. A month moves whole days.
CREATE OR REPLACE FUNCTION cube.metric_shift(p_from timestamptz, p_to timestamptz, p_grain text, p_compare text) RETURNS interval LANGUAGE plpgsql STABLE AS $$
DECLARE
	shift constant interval := CASE p_compare WHEN 'week' THEN interval '7 days' WHEN 'month' THEN interval '1 month' WHEN 'previous' THEN p_to - p_from END;
	fits constant boolean := CASE WHEN p_grain IS NULL THEN true WHEN p_compare = 'month' THEN p_grain <> 'week' WHEN p_grain = 'month' THEN false
		ELSE extract(epoch FROM shift) % CASE p_grain WHEN 'minute' THEN 60 WHEN 'hour' THEN 3600 WHEN 'day' THEN 86400 ELSE 604800 END = 0 END;
BEGIN
	IF p_compare NOT IN ('previous', 'week', 'month') THEN
		PERFORM cube.refuse_metric(format('there is no comparison with %s; it is previous (as long, right before), week or month', left(p_compare, 60)));
	ELSIF p_from IS NULL THEN
		PERFORM cube.refuse_metric('a comparison needs from');
	ELSIF NOT fits THEN
		PERFORM cube.refuse_metric(format('by %s the period before would not fall into the same buckets; compare with another one, or choose a window of whole ones', p_grain));
	END IF;
	RETURN shift;
END $$;
COMMENT ON FUNCTION cube.metric_shift(timestamptz, timestamptz, text, text) IS 'How far before a window the one is that it is compared with.';

CREATE OR REPLACE FUNCTION cube.time_before(t timestamptz, p_shift interval) RETURNS timestamptz LANGUAGE sql STABLE AS $$
	SELECT (t AT TIME ZONE 'UTC' - p_shift) AT TIME ZONE 'UTC'
$$;
COMMENT ON FUNCTION cube.time_before(timestamptz, interval) IS 'A time so much earlier, by the calendar of UTC.';

-- No comparison is made with a time before the first fact: it would seem that everything grew.
CREATE OR REPLACE FUNCTION cube.metric_has_facts_at(p_name text, p_from timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
	d constant jsonb := cube.metric_named(p_name);
	has boolean;
BEGIN
	EXECUTE CASE WHEN d ? 'time_key' THEN format('SELECT min(f.%I) <= cube.time_key($1) FROM cube.%I f', d ->> 'time_key', d ->> 'table')
		ELSE format('SELECT min(f.%I) <= $1 FROM cube.%I f', d ->> 'time', d ->> 'table') END INTO has USING p_from;
	RETURN coalesce(has, false);
END $$;
COMMENT ON FUNCTION cube.metric_has_facts_at(text, timestamptz) IS 'Did the facts of a metric begin at a time or before?';

CREATE OR REPLACE FUNCTION cube.metric_compared(p_name text, p_from timestamptz, p_to timestamptz, p_grain text, p_by text[], p_filter jsonb, p_compare text)
RETURNS TABLE (at timestamptz, dimensions jsonb, value double precision, numerator double precision, denominator double precision, n bigint,
	value_before double precision, n_before bigint, change double precision) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
	till constant timestamptz := coalesce(p_to, CASE WHEN p_compare IS NOT NULL THEN now() END);
	shift interval;
BEGIN
	IF p_compare IS NOT NULL THEN
		PERFORM cube.check_metric_question(p_name, cube.metric_named(p_name), p_from, till, p_grain, coalesce(p_by, '{}'), cube.metric_filter_form(p_filter));
		shift := cube.metric_shift(p_from, till, p_grain, p_compare);
	END IF;
	IF shift IS NULL OR NOT cube.metric_has_facts_at(p_name, cube.time_before(p_from, shift)) THEN
		RETURN QUERY SELECT m.*, NULL::double precision, NULL::bigint, NULL::double precision FROM cube.metric(p_name, p_from, till, p_grain, p_by, p_filter) m;
		RETURN;
	END IF;
	RETURN QUERY SELECT coalesce(m.at, b.at), coalesce(m.dimensions, b.dimensions), m.value, m.numerator, m.denominator, coalesce(m.n, 0), b.value, coalesce(b.n, 0), m.value - b.value
	FROM cube.metric(p_name, p_from, till, p_grain, p_by, p_filter) m
	FULL JOIN (SELECT CASE WHEN p_grain IS NULL THEN p_from ELSE cube.time_before(w.at, - shift) END AS at, w.dimensions, w.value, w.n
		FROM cube.metric(p_name, cube.time_before(p_from, shift), cube.time_before(till, shift), p_grain, p_by, p_filter) w) b
	ON b.at = m.at AND b.dimensions = m.dimensions;
END $$;
COMMENT ON FUNCTION cube.metric_compared(text, timestamptz, timestamptz, text, text[], jsonb, text) IS 'A metric beside that of the period before: previous (as long, right before), week, month; none is compared with where the facts began later.';

SELECT cube.define_view('cube_metric_answer', $$
SELECT * FROM cube.metric_compared('executions', NULL, NULL, 'day', '{tier}', NULL, NULL)$$);
SELECT cube.describe('cube.cube_metric_answer', 'What any metric is answered with, here executions by day and tier: cube.metric(''executions'', grain => ''day'', by => ''{tier}''). Of the tiers that who asks may see.', $$
	at: begin of the hour, day, week …; of the window where no grain is asked for
	dimensions: the members that were asked for
	value: the number
	numerator: of a ratio or an average what stands above, else the number itself
	denominator: of a ratio or an average what stands below
	n: how many rows of the fact it rests on
	value_before: the number of the period before, where one is compared with and there were facts already
	n_before: how many rows that one rests on
	change: value less value_before
$$);
