-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.link_fact_agentic_events_error_events()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	IF TG_OP = 'INSERT' THEN
		PERFORM cube.relink_error_events(ARRAY(SELECT DISTINCT error_id FROM new_rows WHERE error_id IS NOT NULL));
	ELSIF TG_OP = 'DELETE' THEN
		PERFORM cube.relink_error_events(ARRAY(SELECT DISTINCT error_id FROM old_rows WHERE error_id IS NOT NULL));
	ELSE
		PERFORM cube.relink_error_events(ARRAY(SELECT error_id FROM new_rows WHERE error_id IS NOT NULL UNION SELECT error_id FROM old_rows WHERE error_id IS NOT NULL));
	END IF;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_agentic_events_delete()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
DECLARE
	my_lane constant smallint := cube.lane();
	is_full boolean;
BEGIN
	IF NOT EXISTS (SELECT FROM old_rows) THEN RETURN NULL; END IF;
	INSERT INTO cube.rollup_agentic_events_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.entry_id, f.time_key, f.component_key, f.actor_key, f.mission_key, f.sequence, f.actor, f.action, f.resource, f.subsystem, f.result, f.severity, f.contract_id, f.names_mission, f.error_id, f.entry_hash, f.previous_hash, f.hash_matches, f.created_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_events_daily AS r (day, subsystem, action, lane, events) SELECT day, subsystem, action, my_lane, coalesce(sum(events), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.subsystem, 'unknown') AS subsystem, coalesce(f.action, 'unknown') AS action, -(1) AS events FROM old_rows f  WHERE true) d GROUP BY day, subsystem, action HAVING coalesce(sum(events), 0) <> 0 ORDER BY day, subsystem, action
		ON CONFLICT (day, subsystem, action, lane) DO UPDATE SET events = r.events + excluded.events;
	INSERT INTO cube.rollup_log_chain AS r (block, day, lane, entries, changed, links) SELECT block, day, my_lane, coalesce(sum(entries), 0), coalesce(sum(changed), 0), coalesce(sum(links), 0) FROM (SELECT e.block AS block, cube.day_of(f.time_key) AS day, -(e.entries) AS entries, -(e.changed) AS changed, -(e.links) AS links FROM old_rows f CROSS JOIN LATERAL (VALUES
		(f.sequence >> 8, 1, coalesce(NOT f.hash_matches, false)::int, cube.link_hash(f.previous_hash, f.sequence)),
		((f.sequence + 1) >> 8, 0, 0, -cube.link_hash(f.entry_hash, f.sequence + 1))) e (block, entries, changed, links) WHERE true) d GROUP BY block, day HAVING coalesce(sum(entries), 0) <> 0 OR coalesce(sum(changed), 0) <> 0 OR coalesce(sum(links), 0) <> 0 ORDER BY block, day
		ON CONFLICT (block, day, lane) DO UPDATE SET entries = r.entries + excluded.entries, changed = r.changed + excluded.changed, links = r.links + excluded.links;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_agentic_events_insert()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
DECLARE
	my_lane constant smallint := cube.lane();
	is_full boolean;
BEGIN
	IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;
	INSERT INTO cube.rollup_agentic_events_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.entry_id, f.time_key, f.component_key, f.actor_key, f.mission_key, f.sequence, f.actor, f.action, f.resource, f.subsystem, f.result, f.severity, f.contract_id, f.names_mission, f.error_id, f.entry_hash, f.previous_hash, f.hash_matches, f.created_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_events_daily AS r (day, subsystem, action, lane, events) SELECT day, subsystem, action, my_lane, coalesce(sum(events), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.subsystem, 'unknown') AS subsystem, coalesce(f.action, 'unknown') AS action, (1) AS events FROM new_rows f  WHERE true) d GROUP BY day, subsystem, action HAVING coalesce(sum(events), 0) <> 0 ORDER BY day, subsystem, action
		ON CONFLICT (day, subsystem, action, lane) DO UPDATE SET events = r.events + excluded.events;
	INSERT INTO cube.rollup_log_chain AS r (block, day, lane, entries, changed, links) SELECT block, day, my_lane, coalesce(sum(entries), 0), coalesce(sum(changed), 0), coalesce(sum(links), 0) FROM (SELECT e.block AS block, cube.day_of(f.time_key) AS day, (e.entries) AS entries, (e.changed) AS changed, (e.links) AS links FROM new_rows f CROSS JOIN LATERAL (VALUES
		(f.sequence >> 8, 1, coalesce(NOT f.hash_matches, false)::int, cube.link_hash(f.previous_hash, f.sequence)),
		((f.sequence + 1) >> 8, 0, 0, -cube.link_hash(f.entry_hash, f.sequence + 1))) e (block, entries, changed, links) WHERE true) d GROUP BY block, day HAVING coalesce(sum(entries), 0) <> 0 OR coalesce(sum(changed), 0) <> 0 OR coalesce(sum(links), 0) <> 0 ORDER BY block, day
		ON CONFLICT (block, day, lane) DO UPDATE SET entries = r.entries + excluded.entries, changed = r.changed + excluded.changed, links = r.links + excluded.links;
	RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION cube.rollup_fact_agentic_events_update()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
DECLARE
	my_lane constant smallint := cube.lane();
	is_full boolean;
BEGIN
	IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;
	INSERT INTO cube.rollup_agentic_events_ledger AS r (day, lane, row_count, checksum) SELECT day, my_lane, coalesce(sum(row_count), 0), coalesce(sum(checksum), 0) FROM (SELECT cube.day_of(f.time_key) AS day, (1) AS row_count, (hash_record(ROW(f.entry_id, f.time_key, f.component_key, f.actor_key, f.mission_key, f.sequence, f.actor, f.action, f.resource, f.subsystem, f.result, f.severity, f.contract_id, f.names_mission, f.error_id, f.entry_hash, f.previous_hash, f.hash_matches, f.created_at, f.loaded_at))::bigint) AS checksum FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, -(1) AS row_count, -(hash_record(ROW(f.entry_id, f.time_key, f.component_key, f.actor_key, f.mission_key, f.sequence, f.actor, f.action, f.resource, f.subsystem, f.result, f.severity, f.contract_id, f.names_mission, f.error_id, f.entry_hash, f.previous_hash, f.hash_matches, f.created_at, f.loaded_at))::bigint) AS checksum FROM old_rows f  WHERE true) d GROUP BY day HAVING coalesce(sum(row_count), 0) <> 0 OR coalesce(sum(checksum), 0) <> 0 ORDER BY day
		ON CONFLICT (day, lane) DO UPDATE SET row_count = r.row_count + excluded.row_count, checksum = r.checksum + excluded.checksum;
	INSERT INTO cube.rollup_events_daily AS r (day, subsystem, action, lane, events) SELECT day, subsystem, action, my_lane, coalesce(sum(events), 0) FROM (SELECT cube.day_of(f.time_key) AS day, coalesce(f.subsystem, 'unknown') AS subsystem, coalesce(f.action, 'unknown') AS action, (1) AS events FROM new_rows f  WHERE true UNION ALL SELECT cube.day_of(f.time_key) AS day, coalesce(f.subsystem, 'unknown') AS subsystem, coalesce(f.action, 'unknown') AS action, -(1) AS events FROM old_rows f  WHERE true) d GROUP BY day, subsystem, action HAVING coalesce(sum(events), 0) <> 0 ORDER BY day, subsystem, action
		ON CONFLICT (day, subsystem, action, lane) DO UPDATE SET events = r.events + excluded.events;
	INSERT INTO cube.rollup_log_chain AS r (block, day, lane, entries, changed, links) SELECT block, day, my_lane, coalesce(sum(entries), 0), coalesce(sum(changed), 0), coalesce(sum(links), 0) FROM (SELECT e.block AS block, cube.day_of(f.time_key) AS day, (e.entries) AS entries, (e.changed) AS changed, (e.links) AS links FROM new_rows f CROSS JOIN LATERAL (VALUES
		(f.sequence >> 8, 1, coalesce(NOT f.hash_matches, false)::int, cube.link_hash(f.previous_hash, f.sequence)),
		((f.sequence + 1) >> 8, 0, 0, -cube.link_hash(f.entry_hash, f.sequence + 1))) e (block, entries, changed, links) WHERE true UNION ALL SELECT e.block AS block, cube.day_of(f.time_key) AS day, -(e.entries) AS entries, -(e.changed) AS changed, -(e.links) AS links FROM old_rows f CROSS JOIN LATERAL (VALUES
		(f.sequence >> 8, 1, coalesce(NOT f.hash_matches, false)::int, cube.link_hash(f.previous_hash, f.sequence)),
		((f.sequence + 1) >> 8, 0, 0, -cube.link_hash(f.entry_hash, f.sequence + 1))) e (block, entries, changed, links) WHERE true) d GROUP BY block, day HAVING coalesce(sum(entries), 0) <> 0 OR coalesce(sum(changed), 0) <> 0 OR coalesce(sum(links), 0) <> 0 ORDER BY block, day
		ON CONFLICT (block, day, lane) DO UPDATE SET entries = r.entries + excluded.entries, changed = r.changed + excluded.changed, links = r.links + excluded.links;
	RETURN NULL;
END $function$;
