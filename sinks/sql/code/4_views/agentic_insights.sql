-- Insights by phase.

SELECT cube.define_view('cube_insights_by_phase', $$
SELECT day, phase, cube.total(insights) AS insights, cube.total(guardrails_checked) AS guardrails_checked, cube.total(guardrails_passed) AS guardrails_passed,
	(100.0 * cube.total(guardrails_passed) / nullif(cube.total(guardrails_checked), 0))::double precision AS guardrail_pass_rate_pct, cube.total(verified) AS verified,
	cube.mean(sum(confidence_ppb), cube.total(confidence_n), 1e9) AS avg_confidence,
	cube.mean(sum(risk_ppb), cube.total(risk_n), 1e9) AS avg_risk
FROM cube.rollup_insights_daily GROUP BY day, phase HAVING cube.total(insights) <> 0$$);
SELECT cube.describe('cube.cube_insights_by_phase', 'Steps of agents'' reasoning by UTC day and phase. Of all tiers, whoever asks.', $$
	day: UTC day
	phase: phase of the reasoning
	insights: steps
	guardrails_checked: those of them with a guardrail check
	guardrails_passed: those of them that passed it
	guardrail_pass_rate_pct: passed of checked, per cent
	verified: those that were verified
	avg_confidence: mean confidence, 0 to 1
	avg_risk: mean risk, 0 to 1
$$);
