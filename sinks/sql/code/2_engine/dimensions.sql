-- The five dimensions. Key 0 is the unknown member of each; keys are never reused and never change, so a cached key stays true.
-- Facts carry no foreign keys: keys are committed before the facts that use them, and a check by trigger for each key of each
-- row would cost more than the row itself; `gracecube verify` looks for orphans instead.

SELECT cube.describe('cube.dim_time', 'One row a minute, for every hour that a fact points at. All parts are in UTC.', $$
	time_key: minutes since 1970-01-01 UTC; computed, never looked up
	timestamp: the minute
	minute: 0 to 59
	hour: 0 to 23
	day: day of the month
	week: ISO week
	month: 1 to 12
	quarter: 1 to 4
	year: calendar year
	day_of_week: Monday to Sunday
	is_business_hours: within cube.business_days and cube.business_hours, in cube.business_zone
	is_weekend: Saturday or Sunday
	loaded_at: when the row was made
$$);

-- Where nothing is set: the defaults of config/options.c, which states them; tests/contract/settings.csv has them for both.
CREATE OR REPLACE FUNCTION cube.business_time(OUT zone text, OUT first_day int, OUT last_day int, OUT first_hour int, OUT end_hour int) LANGUAGE sql STABLE AS $$
	SELECT s.zone, split_part(s.days, '-', 1)::int, split_part(s.days, '-', 2)::int, split_part(s.hours, '-', 1)::int, split_part(s.hours, '-', 2)::int
	FROM (SELECT coalesce(max(value) FILTER (WHERE name = 'cube.business_zone'), 'UTC') AS zone,
			coalesce(max(value) FILTER (WHERE name = 'cube.business_days'), '1-5') AS days,
			coalesce(max(value) FILTER (WHERE name = 'cube.business_hours'), '09-17') AS hours
		FROM cube.setting) s
$$;
COMMENT ON FUNCTION cube.business_time() IS 'When business is, by the settings; the ends of hours are not included.';

CREATE OR REPLACE FUNCTION cube.ensure_hours(p_hour int[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE oldest constant int := cube.oldest_minute();
BEGIN
	-- nearly always: a worker asks for all of its hours again after it has lost its connection
	IF NOT EXISTS (SELECT FROM unnest(p_hour) h WHERE NOT EXISTS (SELECT FROM cube.dim_time known WHERE known.time_key = h * 60)) THEN
		RETURN;
	END IF;
	-- records of closed months are expired
	IF oldest IS NOT NULL THEN p_hour := ARRAY(SELECT h FROM unnest(p_hour) h WHERE h * 60 >= oldest); END IF;
	WITH m AS (
		SELECT h * 60 + i AS time_key, to_timestamp((h * 60 + i) * 60.0) AS at,
			to_timestamp((h * 60 + i) * 60.0) AT TIME ZONE 'UTC' AS utc, to_timestamp((h * 60 + i) * 60.0) AT TIME ZONE s.zone AS local,
			s.first_day, s.last_day, s.first_hour, s.end_hour
		FROM unnest(p_hour) h, generate_series(0, 59) i, cube.business_time() s
		-- an hour is made whole
		WHERE NOT EXISTS (SELECT FROM cube.dim_time known WHERE known.time_key = h * 60))
	INSERT INTO cube.dim_time
	SELECT time_key, at, date_part('minute', utc), date_part('hour', utc), date_part('day', utc), date_part('week', utc),
		date_part('month', utc), date_part('quarter', utc), date_part('year', utc), to_char(utc, 'FMDay'),
		date_part('isodow', local) BETWEEN first_day AND last_day AND date_part('hour', local) >= first_hour
			AND date_part('hour', local) < end_hour,
		date_part('isodow', utc) >= 6
	FROM m ORDER BY time_key
	ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION cube.ensure_hours(int[]) IS 'Makes the minutes of hours (counted since 1970-01-01) in dim_time.';

-- Minutes that are there follow the settings, whoever changes them.
CREATE OR REPLACE FUNCTION cube.follow_business_time() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
BEGIN
	UPDATE cube.dim_time t SET is_business_hours = m.is_now, loaded_at = now()
	FROM (SELECT d.time_key, date_part('isodow', l.at) BETWEEN s.first_day AND s.last_day AND date_part('hour', l.at) >= s.first_hour
			AND date_part('hour', l.at) < s.end_hour AS is_now
		FROM cube.business_time() s, cube.dim_time d, LATERAL (SELECT d."timestamp" AT TIME ZONE s.zone AS at) l) m
	WHERE t.time_key = m.time_key AND t.is_business_hours <> m.is_now;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION cube.follow_business_time() IS 'Computes is_business_hours again when the settings change.';

SELECT cube.describe('cube.dim_component', 'Parts of Grace. Only declared components (not inferred) are recognised by name inside other texts.', $$
	component_key: surrogate key, 0 is unknown
	component_name: natural key
	subsystem: the subsystem it belongs to
	tier_default: its autonomy tier unless told otherwise
	description: what it does
	is_inferred: seen in data only, nobody has declared it
	loaded_at: when the row was made
$$);

SELECT cube.describe('cube.dim_tier', 'Autonomy tiers, current policy; every policy that ever held is in dim_tier_history.', $$
	tier_key: surrogate key, 0 is unknown
	tier_code: natural key, tier_1
	tier_name: name for people, Operational; the code itself while the tier is only inferred
	requires_approval: a person must approve
	requires_snapshot: a snapshot is taken first
	requires_benchmark: a benchmark runs afterwards
	risk_level: low, medium, high
	description: what the tier is for
	is_current: false once the tier was deleted at its source
	effective_from: since when the current policy holds
	effective_to: until when; NULL while it holds
	is_inferred: seen in data only, no policy has come yet
	loaded_at: when the row was last written
$$);

SELECT cube.describe('cube.dim_mission', 'Missions, current version; every version is in dim_mission_history.', $$
	mission_key: surrogate key, 0 is unknown
	mission_id: natural key
	mission_name: its name; the id while the mission is only inferred
	mission_type: error_recovery, deployment, …; unknown where none is given
	started_at: begin
	completed_at: end, NULL while it runs
	final_status: success, failed, partial, rolled_back; NULL while it runs
	is_current: false once the mission was deleted at its source
	effective_from: since when the current version holds
	effective_to: until when; NULL while it holds
	is_inferred: named by other records only, its own has not come yet
	loaded_at: when the row was last written
$$);

SELECT cube.describe('cube.dim_actor', 'Who or what acted: user:alice, agent:hunter, system:scheduler.', $$
	actor_key: surrogate key, 0 is unknown
	actor_id: natural key, prefix:name
	actor_type: human, system or agent
	actor_name: the part after the prefix
	is_trusted: set by people; false until then
	loaded_at: when the row was made
$$);

-- Gives a dimension its cube.resolve_<name>(): members by natural key, those that are missing made. Only new members take a number, so
-- replays leave the sequences alone. Run in a transaction of its own, before the facts' transaction: a cached key is always durable.
-- p_columns, p_values: what a new member has besides, over its natural key n.
CREATE OR REPLACE FUNCTION cube.define_dimension(p_name text, p_natural text, p_columns text, p_values text, p_about text) RETURNS void LANGUAGE plpgsql AS $define$
BEGIN
	EXECUTE format($sql$
CREATE OR REPLACE FUNCTION cube.resolve_%1$s(names text[]) RETURNS TABLE (name text, key int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $body$
BEGIN
	INSERT INTO cube.dim_%1$s (%2$I, %3$s)
	SELECT n, %4$s FROM unnest(names) n WHERE NOT EXISTS (SELECT FROM cube.dim_%1$s d WHERE d.%2$I = n) ORDER BY n COLLATE "C"
	ON CONFLICT DO NOTHING;
	RETURN QUERY SELECT d.%2$I::text, d.%1$s_key FROM cube.dim_%1$s d WHERE d.%2$I = ANY (names);
END $body$$sql$, p_name, p_natural, p_columns, p_values);
	EXECUTE format('COMMENT ON FUNCTION cube.resolve_%s IS %L', p_name, p_about);
END $define$;
COMMENT ON FUNCTION cube.define_dimension(text, text, text, text, text) IS 'Gives a dimension the function that finds and makes its members.';

SELECT cube.define_dimension('component', 'component_name', 'is_inferred', 'true', 'Keys of components; unseen names become inferred members.');
SELECT cube.define_dimension('tier', 'tier_code', 'tier_name, is_inferred', 'n, true', 'Keys of tiers; unseen codes become inferred members.');
-- gc_decode_actor() makes the id, always with a prefix, and says which; tests/contract/actors.csv is the cases of both, from a text to the member.
SELECT cube.define_dimension('actor', 'actor_id', 'actor_type, actor_name',
	$$CASE split_part(n, ':', 1) WHEN 'user' THEN 'human' WHEN 'agent' THEN 'agent' ELSE 'system' END, substr(n, strpos(n, ':') + 1)$$,
	'Keys of actors; unseen ones become members.');
SELECT cube.define_dimension('mission', 'mission_id', 'mission_name, mission_type, is_inferred', $$n, 'unknown', true$$,
	'Keys of missions; ids whose own record has not come become inferred members.');
