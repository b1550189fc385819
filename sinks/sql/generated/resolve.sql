-- Written by sinks/sql/generated/write.sh from a cube: see sinks/sql/code/2_engine for what writes these functions.

CREATE OR REPLACE FUNCTION cube.resolve_actor(names text[])
 RETURNS TABLE(name text, key integer)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.dim_actor (actor_id, actor_type, actor_name)
	SELECT n, CASE split_part(n, ':', 1) WHEN 'user' THEN 'human' WHEN 'agent' THEN 'agent' ELSE 'system' END, substr(n, strpos(n, ':') + 1) FROM unnest(names) n WHERE NOT EXISTS (SELECT FROM cube.dim_actor d WHERE d.actor_id = n) ORDER BY n COLLATE "C"
	ON CONFLICT DO NOTHING;
	RETURN QUERY SELECT d.actor_id::text, d.actor_key FROM cube.dim_actor d WHERE d.actor_id = ANY (names);
END $function$;

CREATE OR REPLACE FUNCTION cube.resolve_component(names text[])
 RETURNS TABLE(name text, key integer)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.dim_component (component_name, is_inferred)
	SELECT n, true FROM unnest(names) n WHERE NOT EXISTS (SELECT FROM cube.dim_component d WHERE d.component_name = n) ORDER BY n COLLATE "C"
	ON CONFLICT DO NOTHING;
	RETURN QUERY SELECT d.component_name::text, d.component_key FROM cube.dim_component d WHERE d.component_name = ANY (names);
END $function$;

CREATE OR REPLACE FUNCTION cube.resolve_mission(names text[])
 RETURNS TABLE(name text, key integer)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.dim_mission (mission_id, mission_name, mission_type, is_inferred)
	SELECT n, n, 'unknown', true FROM unnest(names) n WHERE NOT EXISTS (SELECT FROM cube.dim_mission d WHERE d.mission_id = n) ORDER BY n COLLATE "C"
	ON CONFLICT DO NOTHING;
	RETURN QUERY SELECT d.mission_id::text, d.mission_key FROM cube.dim_mission d WHERE d.mission_id = ANY (names);
END $function$;

CREATE OR REPLACE FUNCTION cube.resolve_tier(names text[])
 RETURNS TABLE(name text, key integer)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'cube', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO cube.dim_tier (tier_code, tier_name, is_inferred)
	SELECT n, n, true FROM unnest(names) n WHERE NOT EXISTS (SELECT FROM cube.dim_tier d WHERE d.tier_code = n) ORDER BY n COLLATE "C"
	ON CONFLICT DO NOTHING;
	RETURN QUERY SELECT d.tier_code::text, d.tier_key FROM cube.dim_tier d WHERE d.tier_code = ANY (names);
END $function$;
