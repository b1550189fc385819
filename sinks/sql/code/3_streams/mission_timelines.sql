-- Missions: a dimension that keeps its history. Progress counters alone begin no version.

SELECT cube.define_history('dim_mission', 'missions', 'mission_id', 'mission_key',
	ARRAY['mission_name', 'mission_type', 'started_at', 'completed_at', 'final_status'],
	p_begin => 'v.started_at',
	p_change => 'CASE WHEN v.completed_at IS NOT NULL AND p.completed_at IS NULL THEN v.completed_at END',
	p_keeps => ARRAY['mission_type']);

-- A mission that became known is linked to the facts that had named it in passing.
CREATE OR REPLACE FUNCTION cube.known_missions(keys int[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
DECLARE names constant text[] := ARRAY(SELECT m.mission_id FROM cube.dim_mission m WHERE m.mission_key = ANY (keys));
BEGIN
	PERFORM cube.relink_named('verification_executions', 'mission_ref', names);
	PERFORM cube.relink_named('agentic_insights', 'mission_ref', names);
END $$;
COMMENT ON FUNCTION cube.known_missions(int[]) IS 'Links facts to missions that became known.';
