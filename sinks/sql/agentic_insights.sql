-- Steps of agents' reasoning.

CREATE TABLE cube.fact_agentic_insights (
	insight_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	mission_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	run_id text,
	phase text,
	signal_type text,
	plan_type text,
	outcome text,
	guardrails_passed boolean,
	approval_required boolean,
	was_verified boolean,
	confidence_score double precision,
	risk_score double precision,
	mission_ref text,
	created_at timestamptz NOT NULL,
	approved_at timestamptz,
	executed_at timestamptz,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (insight_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_agentic_insights (time_key);
COMMENT ON TABLE cube.fact_agentic_insights IS 'One row a step of an agent''s reasoning; natural primary key.';
SELECT cube.comment_columns('cube.fact_agentic_insights', $$
	insight_id: natural key, the source's id as text
	time_key: dim_time, the minute of created_at
	mission_key: dim_mission: a known mission that the run is named after
	component_key: dim_component: where the source says
	actor_key: dim_actor: who approved it
	run_id: the run it belongs to
	phase: sensing, diagnosis, planning, guardrail_check, execution, verification, completion
	signal_type: what was sensed
	plan_type: kind of plan
	outcome: outcome
	guardrails_passed: NULL where none was checked
	approval_required: a person had to approve
	was_verified: the outcome was verified
	confidence_score: 0 to 1
	risk_score: 0 to 1
	mission_ref: what may name a mission: mission_id, or run_id without "run-"
	created_at: when
	approved_at: when it was approved
	executed_at: when it was executed
	loaded_at: when the row was last written
$$);
SELECT cube.define_fact('fact_agentic_insights', 'agentic_insights',
	p_own => ARRAY['mission_ref text'],
	p_links => '{"mission_key": "coalesce((SELECT m.mission_key FROM cube.dim_mission m WHERE m.mission_id = k.mission_ref AND NOT m.is_inferred), 0)"}');
CREATE INDEX ON cube.key_agentic_insights (mission_ref) WHERE mission_ref IS NOT NULL;

SELECT cube.define_rollup('rollup_insights_daily', 'fact_agentic_insights',
	ARRAY['day date = cube.day_of(f.time_key)', 'phase text = coalesce(f.phase, ''unknown'')'],
	ARRAY['insights bigint = 1', 'guardrails_checked bigint = (f.guardrails_passed IS NOT NULL)::int', 'guardrails_passed bigint = coalesce(f.guardrails_passed, false)::int', 'verified bigint = coalesce(f.was_verified, false)::int', 'confidence_n bigint = (f.confidence_score IS NOT NULL)::int', 'confidence_ppb bigint = round(f.confidence_score * 1e9)::bigint', 'risk_n bigint = (f.risk_score IS NOT NULL)::int', 'risk_ppb bigint = round(f.risk_score * 1e9)::bigint']);

CREATE VIEW cube.cube_insights_by_phase AS
SELECT day, phase, cube.total(insights) AS insights, cube.total(guardrails_checked) AS guardrails_checked, cube.total(guardrails_passed) AS guardrails_passed,
	(100.0 * cube.total(guardrails_passed) / nullif(cube.total(guardrails_checked), 0))::double precision AS guardrail_pass_rate_pct, cube.total(verified) AS verified,
	cube.mean(cube.total(confidence_ppb), cube.total(confidence_n), 1e9) AS avg_confidence,
	cube.mean(cube.total(risk_ppb), cube.total(risk_n), 1e9) AS avg_risk
FROM cube.rollup_insights_daily GROUP BY day, phase HAVING cube.total(insights) <> 0;
COMMENT ON VIEW cube.cube_insights_by_phase IS 'Steps of agents'' reasoning by UTC day and phase.';
SELECT cube.comment_columns('cube.cube_insights_by_phase', $$
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
