-- Why a metric changed: what each member of a dimension made of the change from the period before.
--
-- A count or a sum: the member's own difference. A ratio or an average R = N / D, before (0) and after (1): a member is the share w = D of it / D of all
-- and has the rate r = N of it / D of it, and R is the sum of w r over the members. Of R1 - R0 it made
--
--     rate = (w0 + w1) / 2 * (r1 - r0)                      it has got better or worse itself
--     mix  = (w1 - w0) * ((r0 + r1) / 2 - (R0 + R1) / 2)    it has become more or less of all, and is better or worse than all
--
-- which over the members is R1 - R0, with nothing left: rate + (w1 - w0) (r0 + r1) / 2 = w1 r1 - w0 r0 (E. M. Kitagawa, Components of a Difference Between
-- Two Rates, Journal of the American Statistical Association 50, 1955), and the changes of shares, which (R0 + R1) / 2 is taken off from, sum up to
-- nothing. Whoever was there in one of the periods only has one rate, and all he made is mix: w1 (r1 - (R0 + R1) / 2) of a new one.

-- With NULL for the dimension: the whole. Of a count nothing is 0, of a ratio it is no value.
CREATE OR REPLACE FUNCTION cube.metric_members(p_name text, p_from timestamptz, p_to timestamptz, p_shift interval, p_cut text, p_filter jsonb)
RETURNS TABLE (member text, value double precision, value_before double precision, numerator double precision, numerator_before double precision,
	denominator double precision, denominator_before double precision, n bigint, n_before bigint) LANGUAGE sql STABLE AS $$
	SELECT p.member, CASE WHEN p.denominator IS NULL THEN p.numerator ELSE p.numerator / nullif(p.denominator, 0) END,
		CASE WHEN p.denominator_before IS NULL THEN p.numerator_before ELSE p.numerator_before / nullif(p.denominator_before, 0) END,
		p.numerator, p.numerator_before, p.denominator, p.denominator_before, p.n, p.n_before
	FROM (SELECT coalesce(m.dimensions, b.dimensions) ->> p_cut AS member, coalesce(m.numerator, 0) AS numerator, coalesce(b.numerator, 0) AS numerator_before,
			coalesce(m.denominator, b.denominator * 0) AS denominator, coalesce(b.denominator, m.denominator * 0) AS denominator_before, -- NULL in both: it has none
			coalesce(m.n, 0) AS n, coalesce(b.n, 0) AS n_before
		FROM cube.metric(p_name, p_from, p_to, NULL, CASE WHEN p_cut IS NOT NULL THEN ARRAY[p_cut] END, p_filter) m
		FULL JOIN cube.metric(p_name, cube.time_before(p_from, p_shift), cube.time_before(p_to, p_shift), NULL, CASE WHEN p_cut IS NOT NULL THEN ARRAY[p_cut] END, p_filter) b
			ON b.dimensions = m.dimensions) p
$$;
COMMENT ON FUNCTION cube.metric_members(text, timestamptz, timestamptz, interval, text, jsonb) IS 'The members of a dimension in a period and in the one so much earlier, those of either.';

CREATE OR REPLACE FUNCTION cube.check_metric_change(p_name text, d jsonb, p_from timestamptz, p_to timestamptz, p_by text[], p_filter jsonb, p_limit int) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF d ->> 'additivity' = 'none' THEN
		PERFORM cube.refuse_metric(format('%s does not add: of a percentile, a distinct count, a maximum or a minimum no part is made by a member; ask for its values by member instead', p_name));
	ELSIF NOT d ? 'time' THEN
		PERFORM cube.refuse_metric(format('%s says how things are now, so there is no change to explain', p_name));
	ELSIF p_limit < 1 THEN
		PERFORM cube.refuse_metric('limit is a number of members, 1 or more');
	END IF;
	PERFORM cube.check_metric_question(p_name, d, p_from, p_to, NULL, p_by, p_filter);
END $$;
COMMENT ON FUNCTION cube.check_metric_change(text, jsonb, timestamptz, timestamptz, text[], jsonb, int) IS 'Refuses a change that no members make, and questions that a metric cannot be asked.';

-- The rest of a dimension is what the listed members leave of the whole: parts are linear in numerators and denominators, so it made what is left of the
-- change. It is there when members were left out, or when the whole has rows that are of no member: a ratio's, whose numerator counts what its denominator
-- does not.
CREATE OR REPLACE FUNCTION cube.metric_change(name text, "from" timestamptz, "to" timestamptz DEFAULT NULL, compare text DEFAULT 'previous', by text[] DEFAULT NULL,
	filter jsonb DEFAULT NULL, "limit" int DEFAULT NULL)
RETURNS TABLE (dimension text, member text, members bigint, part double precision, mix double precision, rate double precision, value double precision,
	value_before double precision, numerator double precision, numerator_before double precision, denominator double precision, denominator_before double precision,
	n bigint, n_before bigint) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
	d constant jsonb := cube.metric_named(metric_change.name);
	begin_at constant timestamptz := metric_change."from";
	end_at constant timestamptz := coalesce(metric_change."to", now());
	members_most constant int := metric_change."limit";
	units constant double precision := d -> 'value' ->> 'units';
	cuts text[] := coalesce(metric_change.by, ARRAY(SELECT jsonb_array_elements_text(d -> 'dimensions')));
	shift interval;
	w record;
BEGIN
	PERFORM cube.check_metric_change(metric_change.name, d, begin_at, end_at, cuts, cube.metric_filter_form(metric_change.filter), members_most);
	shift := cube.metric_shift(begin_at, end_at, NULL, coalesce(metric_change.compare, 'previous'));
	IF NOT cube.metric_has_facts_at(metric_change.name, cube.time_before(begin_at, shift)) THEN
		RETURN QUERY SELECT NULL::text, NULL::text, NULL::bigint, NULL::double precision, NULL::double precision, NULL::double precision, m.value, NULL::double precision,
			m.numerator, NULL::double precision, m.denominator, NULL::double precision, m.n, NULL::bigint
		FROM cube.metric(metric_change.name, begin_at, end_at, NULL, NULL, metric_change.filter) m;
		RETURN;
	END IF;
	SELECT m.*, (m.value + m.value_before) / 2 AS mean INTO w FROM cube.metric_members(metric_change.name, begin_at, end_at, shift, NULL, metric_change.filter) m;
	IF w.mean IS NULL THEN cuts := '{}'; END IF; -- a ratio of nothing has no change
	RETURN QUERY WITH made AS (
		SELECT c.place, c.cut, m.*, p.part, p.rate, row_number() OVER (PARTITION BY c.place ORDER BY abs(p.part) DESC, m.member) <= coalesce(members_most, 2147483647) AS is_listed
		FROM unnest(cuts) WITH ORDINALITY c (cut, place), LATERAL cube.metric_members(metric_change.name, begin_at, end_at, shift, c.cut, metric_change.filter) m,
			LATERAL (SELECT m.denominator / w.denominator AS share, m.denominator_before / w.denominator_before AS share_before) s,
			LATERAL (SELECT CASE WHEN w.denominator IS NULL THEN m.numerator - m.numerator_before
					ELSE m.numerator / w.denominator - m.numerator_before / w.denominator_before - w.mean * (s.share - s.share_before) END AS part,
				CASE WHEN w.denominator IS NOT NULL THEN coalesce((s.share + s.share_before) / 2 * (m.value - m.value_before), 0) END AS rate) p),
	rest AS (
		SELECT c.place, c.cut, count(*) FILTER (WHERE NOT m.is_listed) AS members, w.value - w.value_before - coalesce(sum(m.part) FILTER (WHERE m.is_listed), 0) AS part,
			CASE WHEN w.denominator IS NOT NULL THEN coalesce(sum(m.rate) FILTER (WHERE NOT m.is_listed), 0) END AS rate,
			w.numerator - coalesce(sum(m.numerator) FILTER (WHERE m.is_listed), 0) AS numerator,
			w.numerator_before - coalesce(sum(m.numerator_before) FILTER (WHERE m.is_listed), 0) AS numerator_before,
			w.denominator - coalesce(sum(m.denominator) FILTER (WHERE m.is_listed), 0) AS denominator,
			w.denominator_before - coalesce(sum(m.denominator_before) FILTER (WHERE m.is_listed), 0) AS denominator_before,
			w.n - coalesce(sum(m.n) FILTER (WHERE m.is_listed), 0)::bigint AS n, w.n_before - coalesce(sum(m.n_before) FILTER (WHERE m.is_listed), 0)::bigint AS n_before
		FROM unnest(cuts) WITH ORDINALITY c (cut, place) LEFT JOIN made m USING (place) GROUP BY c.place, c.cut),
	parts AS (
		SELECT m.place, m.cut, false AS is_rest, m.member, 1::bigint AS members, m.part, m.rate, m.value, m.value_before, m.numerator, m.numerator_before, m.denominator,
			m.denominator_before, m.n, m.n_before
		FROM made m WHERE m.is_listed
		UNION ALL SELECT r.place, r.cut, true, NULL, r.members, r.part, r.rate, CASE WHEN r.denominator IS NULL THEN r.numerator ELSE r.numerator / nullif(r.denominator, 0) END,
			CASE WHEN r.denominator IS NULL THEN r.numerator_before ELSE r.numerator_before / nullif(r.denominator_before, 0) END, r.numerator, r.numerator_before,
			r.denominator, r.denominator_before, r.n, r.n_before
		FROM rest r WHERE r.members > 0 OR round(r.numerator * units) <> 0 OR round(r.numerator_before * units) <> 0
		UNION ALL SELECT 0, NULL, false, NULL, NULL, w.value - w.value_before, NULL, w.value, w.value_before, w.numerator, w.numerator_before, w.denominator,
			w.denominator_before, w.n, w.n_before)
	SELECT p.cut, p.member, p.members, p.part, p.part - p.rate, p.rate, p.value, p.value_before, p.numerator, p.numerator_before, p.denominator, p.denominator_before, p.n, p.n_before
	FROM parts p ORDER BY p.place, p.is_rest, abs(p.part) DESC, p.member;
END $$;
COMMENT ON FUNCTION cube.metric_change(text, timestamptz, timestamptz, text, text[], jsonb, int) IS 'Which members made the change of a metric from the period before (previous, as long and right before; week; month): by each of the dimensions, or by all that it has. The first row is the whole; over each dimension the parts sum up to its part. With a limit so many members a dimension, the largest parts, and one row for all others.';

SELECT cube.define_view('cube_metric_change', $$
SELECT * FROM cube.metric_change('executions', now() - interval '7 days')$$);
SELECT cube.describe('cube.cube_metric_change', 'Which members made the change of a metric, here executions of the last seven days beside the seven before: cube.metric_change(''executions'', now() - interval ''7 days''). The first row is the whole, and has no part where the facts began later than the period before; over each dimension the parts sum up to it. Of the tiers that who asks may see.', $$
	dimension: by which the change is cut; NULL: the whole
	member: that made the part; NULL in the last row of a dimension, which is all others
	members: how many the row is of
	part: what it made of the change, which is that of the whole
	mix: of a ratio or an average the part that it made because its share in all is another one, and it is better or worse than all
	rate: of a ratio or an average the part that it made because it is better or worse itself; mix and rate are the part
	value: its number
	value_before: its number in the period before; a ratio that was of nothing has none
	numerator: of a ratio or an average what stands above, else the number itself
	numerator_before: the same in the period before
	denominator: of a ratio or an average what stands below; its part of that of the whole is the share
	denominator_before: the same in the period before
	n: how many rows of the fact it rests on
	n_before: how many rows it rested on
$$);
