-- Times: minutes and days as numbers, windows of them.

CREATE OR REPLACE FUNCTION cube.time_key(t timestamptz) RETURNS int LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT floor(date_part('epoch', t) / 60)::int
$$;
COMMENT ON FUNCTION cube.time_key(timestamptz) IS 'Key of dim_time: minutes since 1970-01-01 UTC.';

CREATE OR REPLACE FUNCTION cube.day_of(time_key int) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT date '1970-01-01' + time_key / 1440
$$;
COMMENT ON FUNCTION cube.day_of(int) IS 'The UTC day of a time_key.';

-- gc_time_month() is the same; tests/contract/times.csv is its cases, and those of cube.time_key(), run through both.
CREATE OR REPLACE FUNCTION cube.month_of(t timestamptz) RETURNS int LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT ((date_part('year', t AT TIME ZONE 'UTC') - 1970) * 12 + date_part('month', t AT TIME ZONE 'UTC') - 1)::int
$$;
COMMENT ON FUNCTION cube.month_of(timestamptz) IS 'The UTC month of a time, counted since January 1970: the partition of a fact.';

-- gc_time_seconds() is the same rule, and its statement is in include/gracecube/time.h; tests/contract/durations.csv is its cases, run through both.
CREATE OR REPLACE FUNCTION cube.seconds_between(p_from timestamptz, p_to timestamptz) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN date_part('epoch', p_to - p_from) BETWEEN 0 AND 1e8 THEN date_part('epoch', p_to - p_from) END
$$;
COMMENT ON FUNCTION cube.seconds_between(timestamptz, timestamptz) IS 'A duration in seconds; NULL where it is negative or above 1e8, as of a time that is not known.';

CREATE OR REPLACE FUNCTION cube.days_until(t timestamptz) RETURNS int LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT ceil(date_part('epoch', t) / 86400)::int
$$;
COMMENT ON FUNCTION cube.days_until(timestamptz) IS 'UTC days since 1970 that begin before a time: the end, not included, of the days that touch a window.';

-- A minute belongs to a window when it begins in it, which is how a join with dim_time on "timestamp" reads.
CREATE OR REPLACE FUNCTION cube.first_minute(t timestamptz, otherwise int) RETURNS int LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN t IS NULL THEN otherwise ELSE ceil(date_part('epoch', t) / 60)::int END
$$;
COMMENT ON FUNCTION cube.first_minute(timestamptz, int) IS 'The first minute (time_key) that begins at or after a time; `otherwise` for NULL.';

-- 200000000 minutes are behind every time that the cube accepts.
CREATE OR REPLACE FUNCTION cube.window_of(p_from timestamptz, p_to timestamptz, p_grain int)
RETURNS TABLE (from_minute int, to_minute int, from_whole int, to_whole int) LANGUAGE sql STABLE AS $$
	SELECT w.from_minute, w.to_minute, w.from_whole, greatest(w.to_minute / p_grain, w.from_whole)
	FROM (SELECT m.from_minute, m.to_minute, (m.from_minute + p_grain - 1) / p_grain AS from_whole
		FROM (SELECT cube.first_minute(p_from, 0) AS from_minute, cube.first_minute(p_to, 200000000) AS to_minute) m) w
$$;
COMMENT ON FUNCTION cube.window_of(timestamptz, timestamptz, int) IS 'The minutes of a window, and the whole hours (grain 60) or days (grain 1440) in it; the ends are not included.';

CREATE OR REPLACE FUNCTION cube.minute_at(p_minute int) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT to_timestamp(p_minute * 60.0::double precision)
$$;
COMMENT ON FUNCTION cube.minute_at(int) IS 'When a minute (time_key) begins.';
