-- Steps of agents' reasoning.

SELECT cube.describe('cube.fact_agentic_insights', 'One row a step of an agent''s reasoning; natural primary key.', $$
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
	p_key_columns => ARRAY['mission_ref text'],
	p_links => '{"mission_key": "coalesce((SELECT m.mission_key FROM cube.dim_mission m WHERE m.mission_id = k.mission_ref AND NOT m.is_inferred), 0)"}');
SELECT cube.define_rollup('rollup_insights_daily', 'fact_agentic_insights',
	ARRAY['day date = cube.day_of(f.time_key)', 'phase text = coalesce(f.phase, ''unknown'')'],
	ARRAY['insights bigint = 1', 'guardrails_checked bigint = (f.guardrails_passed IS NOT NULL)::int', 'guardrails_passed bigint = coalesce(f.guardrails_passed, false)::int', 'verified bigint = coalesce(f.was_verified, false)::int', 'confidence_n bigint = (f.confidence_score IS NOT NULL)::int', 'confidence_ppb bigint = round(f.confidence_score * 1e9)::bigint', 'risk_n bigint = (f.risk_score IS NOT NULL)::int', 'risk_ppb bigint = round(f.risk_score * 1e9)::bigint']);
