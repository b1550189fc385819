-- Checks of actions against the constitution. Tier and mission are those of the contract, whichever comes first.

SELECT cube.describe('cube.fact_compliance_checks', 'One row a compliance check; natural primary key.', $$
	check_id: natural key, the source's id as text
	time_key: dim_time, the minute of created_at
	mission_key: dim_mission: that of the contract
	component_key: dim_component: a declared one that the actor names
	tier_key: dim_tier: that of the contract
	actor_key: dim_actor: who acted
	contract_id: the contract that was checked
	action_type: what was done
	resource: to what
	is_compliant: all principles passed
	compliance_score: 0 to 1
	principles_checked: how many were checked
	principles_failed: how many failed
	failed_principles: JSON array of the principles that failed
	created_at: when
	loaded_at: when the row was last written
$$);

SELECT cube.define_fact('fact_compliance_checks', 'compliance_checks', p_keeps => ARRAY['resource'],
	p_key_columns => ARRAY['contract_id text COLLATE "C"'],
	p_link_columns => '{
		"contract_tier_key int": "(SELECT f.tier_key FROM cube.key_verification_executions c JOIN cube.fact_verification_executions f ON f.contract_id = c.contract_id AND f.created_at = c.created_at WHERE c.contract_id = k.contract_id)",
		"contract_mission_key int": "(SELECT f.mission_key FROM cube.key_verification_executions c JOIN cube.fact_verification_executions f ON f.contract_id = c.contract_id AND f.created_at = c.created_at WHERE c.contract_id = k.contract_id)"}',
	p_links => '{"tier_key": "coalesce(k.contract_tier_key, 0)", "mission_key": "coalesce(k.contract_mission_key, 0)"}',
	p_depends_on => ARRAY['contract_id = fact_verification_executions']);
SELECT cube.define_rollup('rollup_compliance_daily', 'fact_compliance_checks',
	ARRAY['day date = cube.day_of(f.time_key)', 'actor_key int = f.actor_key', 'tier_key int = f.tier_key'],
	ARRAY['checks bigint = 1', 'compliant bigint = coalesce(f.is_compliant, false)::int', 'principles_failed bigint = f.principles_failed', 'score_n bigint = (f.compliance_score IS NOT NULL)::int', 'score_ppb bigint = round(f.compliance_score * 1e9)::bigint']);

-- A list that no jsonb can hold (a \u0000 in it) counts nothing, and a name is cut: neither may stop the record. An index takes 2,700 bytes.
CREATE OR REPLACE FUNCTION cube.principles_of(p_list text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RETURN ARRAY(SELECT coalesce(left(e, 600), 'unknown') FROM jsonb_array_elements_text(p_list::jsonb) e);
EXCEPTION WHEN data_exception OR untranslatable_character OR program_limit_exceeded THEN
	RETURN '{}';
END $$;
COMMENT ON FUNCTION cube.principles_of(text) IS 'The names in a JSON array of principles.';

-- One check may fail several principles: each is a cell.
SELECT cube.define_rollup('rollup_failed_principles', 'fact_compliance_checks',
	ARRAY['day date = cube.day_of(f.time_key)', 'actor_key int = f.actor_key', 'tier_key int = f.tier_key', 'principle text = p.principle'],
	ARRAY['failures bigint = 1'], 'f.principles_failed > 0',
	'CROSS JOIN LATERAL unnest(CASE WHEN f.principles_failed > 0 THEN cube.principles_of(f.failed_principles) END) AS p (principle)');
