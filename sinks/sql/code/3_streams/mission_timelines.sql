-- Missions: a dimension that keeps its history. Progress counters alone begin no version.

SELECT cube.define_history('dim_mission', 'missions', 'mission_id', 'mission_key',
	ARRAY['mission_name', 'mission_type', 'started_at', 'completed_at', 'final_status'],
	p_begin => 'v.started_at',
	p_change => 'CASE WHEN v.completed_at IS NOT NULL AND p.completed_at IS NULL THEN v.completed_at END',
	p_keeps => ARRAY['mission_type']);

-- A mission that became known is linked to the facts that had named it in passing.
CREATE OR REPLACE FUNCTION cube.known_missions(keys int[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$
BEGIN
	PERFORM cube.relink_verification_executions(ARRAY(
		SELECT k.contract_id FROM cube.dim_mission m JOIN cube.key_verification_executions k ON k.mission_ref = m.mission_id
		WHERE m.mission_key = ANY (keys)));
	PERFORM cube.relink_agentic_insights(ARRAY(
		SELECT k.insight_id FROM cube.dim_mission m JOIN cube.key_agentic_insights k ON k.mission_ref = m.mission_id
		WHERE m.mission_key = ANY (keys)));
END $$;
COMMENT ON FUNCTION cube.known_missions(int[]) IS 'Links facts to missions that became known.';
