-- Compliance, and the principles that failed.

SELECT cube.define_view('cube_compliance', $$
SELECT r.day, a.actor_id, t.tier_name, cube.total(r.checks) AS checks, cube.total(r.compliant) AS compliant,
	(100.0 * cube.total(r.compliant) / cube.total(r.checks))::double precision AS compliance_rate_pct, cube.total(r.principles_failed) AS failed_principles,
	cube.mean(sum(r.score_ppb), cube.total(r.score_n), 1e9) AS avg_score
FROM cube.rollup_compliance_daily r JOIN cube.dim_actor a USING (actor_key) JOIN cube.dim_tier t USING (tier_key)
GROUP BY r.day, a.actor_id, t.tier_name HAVING cube.total(r.checks) <> 0$$);
SELECT cube.describe('cube.cube_compliance', 'Compliance by UTC day, actor and tier.', $$
	day: UTC day
	actor_id: who acted
	tier_name: tier of the contract
	checks: checks
	compliant: those of them that passed
	compliance_rate_pct: passed of checked, per cent
	failed_principles: principles that failed
	avg_score: mean score, 0 to 1
$$);

-- ----
SELECT cube.define_view('cube_failed_principles', $$
SELECT r.day, a.actor_id, r.principle, cube.total(r.failures) AS failures
FROM cube.rollup_failed_principles r JOIN cube.dim_actor a USING (actor_key)
GROUP BY 1, 2, 3 HAVING cube.total(r.failures) <> 0$$);
SELECT cube.describe('cube.cube_failed_principles', 'Which principles failed, by UTC day and actor. Of the tiers that who asks may see.', $$
	day: UTC day
	actor_id: who acted
	principle: the principle
	failures: checks that it failed in
$$);
