-- Checks of actions against the constitution. Tier and mission are those of the contract, whichever comes first.

CREATE TABLE cube.fact_compliance_checks (
	check_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	mission_key int NOT NULL,
	component_key int NOT NULL,
	tier_key int NOT NULL,
	actor_key int NOT NULL,
	contract_id text COLLATE "C",
	action_type text,
	resource text,
	is_compliant boolean,
	compliance_score double precision,
	principles_checked int,
	principles_failed int,
	failed_principles text,
	created_at timestamptz NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (check_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_compliance_checks (time_key);
COMMENT ON TABLE cube.fact_compliance_checks IS 'One row a compliance check; natural primary key.';
SELECT cube.comment_columns('cube.fact_compliance_checks', $$
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
	p_own => ARRAY['contract_id text COLLATE "C"'],
	p_link_columns => '{
		"contract_tier_key int": "(SELECT f.tier_key FROM cube.key_verification_executions c JOIN cube.fact_verification_executions f ON f.contract_id = c.contract_id AND f.created_at = c.created_at WHERE c.contract_id = k.contract_id)",
		"contract_mission_key int": "(SELECT f.mission_key FROM cube.key_verification_executions c JOIN cube.fact_verification_executions f ON f.contract_id = c.contract_id AND f.created_at = c.created_at WHERE c.contract_id = k.contract_id)"}',
	p_links => '{"tier_key": "coalesce(k.contract_tier_key, 0)", "mission_key": "coalesce(k.contract_mission_key, 0)"}',
	p_parents => ARRAY['contract_id = fact_verification_executions']);

SELECT cube.define_rollup('rollup_compliance_daily', 'fact_compliance_checks',
	ARRAY['day date = cube.day_of(f.time_key)', 'actor_key int = f.actor_key', 'tier_key int = f.tier_key'],
	ARRAY['checks bigint = 1', 'compliant bigint = coalesce(f.is_compliant, false)::int', 'principles_failed bigint = f.principles_failed', 'score_n bigint = (f.compliance_score IS NOT NULL)::int', 'score_ppb bigint = round(f.compliance_score * 1e9)::bigint']);

CREATE VIEW cube.cube_compliance AS
SELECT r.day, a.actor_id, t.tier_name, sum(r.checks)::bigint AS checks, sum(r.compliant)::bigint AS compliant,
	(100.0 * sum(r.compliant) / sum(r.checks))::double precision AS compliance_rate_pct, sum(r.principles_failed)::bigint AS failed_principles,
	(sum(r.score_ppb) / nullif(sum(r.score_n), 0) / 1e9)::double precision AS avg_score
FROM cube.rollup_compliance_daily r JOIN cube.dim_actor a USING (actor_key) JOIN cube.dim_tier t USING (tier_key)
GROUP BY r.day, a.actor_id, t.tier_name HAVING sum(r.checks) <> 0;
COMMENT ON VIEW cube.cube_compliance IS 'Compliance by UTC day, actor and tier.';
SELECT cube.comment_columns('cube.cube_compliance', $$
	day: UTC day
	actor_id: who acted
	tier_name: tier of the contract
	checks: checks
	compliant: those of them that passed
	compliance_rate_pct: passed of checked, per cent
	failed_principles: principles that failed
	avg_score: mean score, 0 to 1
$$);

CREATE VIEW cube.cube_failed_principles AS
SELECT cube.day_of(f.time_key) AS day, a.actor_id, p.principle, count(*) AS failures
FROM cube.fact_compliance_checks f JOIN cube.dim_actor a USING (actor_key),
	LATERAL jsonb_array_elements_text(f.failed_principles::jsonb) AS p (principle)
WHERE f.principles_failed > 0 GROUP BY 1, 2, 3;
COMMENT ON VIEW cube.cube_failed_principles IS 'Which principles failed, by UTC day and actor; read from the facts, since one check may fail several.';
SELECT cube.comment_columns('cube.cube_failed_principles', $$
	day: UTC day
	actor_id: who acted
	principle: the principle
	failures: checks that it failed in
$$);
