-- Tier policies: a dimension that keeps its history. The pre-filled policies hold from 1970 until the first one comes.

SELECT cube.define_history('dim_tier', 'tiers', 'tier_code', 'tier_key',
	ARRAY['tier_name', 'requires_approval', 'requires_snapshot', 'requires_benchmark', 'risk_level', 'description'],
	p_begin => 'v.policy_from',
	p_change => 'v.policy_from',
	p_times => ARRAY['policy_from timestamptz']);

CREATE OR REPLACE FUNCTION cube.known_tiers(keys int[]) RETURNS void LANGUAGE sql AS $$ SELECT $$;
COMMENT ON FUNCTION cube.known_tiers(int[]) IS 'Nothing follows from a tier that became known.';
