/* agentic_insights → fact_agentic_insights: one step of an agent's reasoning. Threads: pure. */
#include "decode.h"

#define COLUMNS(X)                                                                                                                 \
	X(insight_id, GC_TEXT, 0, NULL)                                                                                            \
	X(component_key, GC_COMPONENT, 0, NULL)                                                                                    \
	X(actor_key, GC_ACTOR, 0, NULL)                                                                                            \
	X(run_id, GC_TEXT, 0, "run_id")                                                                                            \
	X(phase, GC_TEXT, GC_VOCABULARY, "phase")                                                                                  \
	X(signal_type, GC_TEXT, 0, "signal_type")                                                                                  \
	X(plan_type, GC_TEXT, 0, "plan_type")                                                                                      \
	X(outcome, GC_TEXT, GC_VOCABULARY, "outcome")                                                                              \
	X(guardrails_passed, GC_BOOL, 0, "guardrails_passed")                                                                      \
	X(approval_required, GC_BOOL, 0, "approval_required")                                                                      \
	X(was_verified, GC_BOOL, 0, "verified")                                                                                    \
	X(confidence_score, GC_FLOAT8, GC_UNIT_RANGE, "confidence")                                                                \
	X(risk_score, GC_FLOAT8, GC_UNIT_RANGE, "risk_score")                                                                      \
	X(mission_ref, GC_TEXT, 0, NULL)                                                                                           \
	X(created_at, GC_TIME, GC_REQUIRED, "timestamp")                                                                           \
	X(approved_at, GC_TIME, 0, "approved_at")                                                                                  \
	X(executed_at, GC_TIME, 0, "executed_at")

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target insights = {
	.name = "agentic_insights",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = AT_created_at,
	.names_missions = true,
};

/* "run-<mission>" is the run of a mission. */
static void derive_mission(struct gc_decode *decode, struct gc_row *row, const struct gc_json *insight)
{
	struct gc_span run = gc_span_trim(gc_row_get_text(row, AT_run_id));
	struct gc_span mission = gc_decode_text(decode, insight, "mission_id");

	if (mission.len == 0 && gc_span_starts_with(run, GC_LIT("run-")))
		mission = (struct gc_span){ run.ptr + 4, run.len - 4 };
	gc_row_text(row, AT_mission_ref, gc_decode_member(decode, mission, "run_id"));
}

static void decode_insight(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &insights, decode->key, change->row);
	struct gc_span component = gc_decode_text(decode, change->row, "component");

	gc_row_text(row, AT_component_key, gc_decode_member(decode, component, "component"));
	gc_row_text(row, AT_actor_key, gc_decode_actor(decode, gc_decode_text(decode, change->row, "approved_by"), "approved_by"));
	derive_mission(decode, row, change->row);
}

const struct gc_stream gc_stream_agentic_insights = {
	.name = "agentic_insights",
	.record = "one step of an agent's reasoning",
	.lands_in = "fact_agentic_insights",
	.key_field = "id",
	.other_fields = (const char *const[]){ "approved_by", "chosen_option", "component", "diagnosis", "guardrails_checked",
					       "metadata", "mission_id", "options_considered", "outcome_detail", "plan_summary",
					       "rationale", "root_cause", "sensitive_data_redacted", "signal_summary", NULL },
	.targets = (const struct gc_target *const[]){ &insights, NULL },
	.decode = decode_insight,
};
