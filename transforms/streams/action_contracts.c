/* action_contracts → fact_verification_executions: one contract, sent again at each change of state. Threads: pure. */
#include "decode.h"

#define COLUMNS(X)                                                                                                                 \
	X(contract_id, GC_TEXT, 0, NULL)                                                                                           \
	X(component_key, GC_COMPONENT, 0, NULL)                                                                                    \
	X(tier_key, GC_TIER, 0, NULL)                                                                                              \
	X(actor_key, GC_ACTOR, 0, NULL)                                                                                            \
	X(action_type, GC_TEXT, 0, "action_type")                                                                                  \
	X(playbook_id, GC_TEXT, 0, "playbook_id")                                                                                  \
	X(duration_seconds, GC_FLOAT8, 0, NULL)                                                                                    \
	X(confidence_score, GC_FLOAT8, GC_UNIT_RANGE, "confidence_score")                                                          \
	X(was_successful, GC_BOOL, 0, NULL)                                                                                        \
	X(was_rolled_back, GC_BOOL, 0, NULL)                                                                                       \
	X(contract_status, GC_TEXT, GC_VOCABULARY, "status")                                                                       \
	X(error_message, GC_TEXT, GC_KEEPS, "error_message")                                                                       \
	X(created_at, GC_TIME, GC_REQUIRED, "created_at")                                                                          \
	X(executed_at, GC_TIME, 0, "executed_at")                                                                                  \
	X(verified_at, GC_TIME, 0, "verified_at")                                                                                  \
	X(triggered_by, GC_TEXT, 0, "triggered_by")                                                                                \
	X(mission_ref, GC_TEXT, 0, NULL)                                                                                           \
	X(tier_text, GC_TEXT, 0, "tier")                                                                                           \
	X(safe_hold_snapshot_id, GC_TEXT, 0, "safe_hold_snapshot_id")                                                              \
	X(playbook_run_id, GC_INT8, 0, "run_id")                                                                                   \
	X(requires_approval, GC_BOOL, 0, "requires_approval")                                                                      \
	X(target_resource, GC_TEXT, GC_KEEPS, NULL)                                                                                \
	X(own_mission_key, GC_MISSION, 0, "mission_id")

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

/* pending → executing → verified, partial_success or failed → rolled_back: never back, never between the ends. Steps may be left
 * out (a batch keeps the last of several); states that are not listed are not judged. cube.is_backward_step() is the same rule, and
 * tests/contract/contract_steps.csv its cases. */
static int rank_of(struct gc_span status)
{
	static const struct {
		const char *status;
		int rank;
	} ranks[] = { { "pending", 1 },         { "executing", 2 }, { "verified", 3 },
		      { "partial_success", 3 }, { "failed", 3 },    { "rolled_back", 4 } };

	for (size_t i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++) {
		if (gc_span_equal(status, gc_span_of(ranks[i].status)))
			return ranks[i].rank;
	}
	return 0;
}

static bool is_backward(struct gc_span from, struct gc_span to)
{
	int before = rank_of(from), after = rank_of(to);

	return before > 0 && after > 0 && before >= after && !gc_span_equal(from, to);
}

static const struct gc_target executions = {
	.name = "verification_executions",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = AT_created_at,
	.is_backward = is_backward,
	.state_column = AT_contract_status,
	.names_missions = true,
};

static void derive_component(struct gc_decode *decode, struct gc_row *row, const struct gc_json *contract, struct gc_span trigger)
{
	struct gc_span component = gc_decode_member(decode, gc_decode_text(decode, contract, "component"), "component");

	if (component.len == 0)
		component = gc_declared_component(decode, trigger);
	gc_row_text(row, AT_component_key, component.len > 0 ? component : GC_LIT("action_executor"));
}

/* What stands behind the first colon may be a mission, known now or later. */
static void derive_mission_ref(struct gc_decode *decode, struct gc_row *row, struct gc_span trigger)
{
	struct gc_span before, after;

	if (gc_span_split(gc_span_trim(trigger), ':', &before, &after))
		gc_row_text(row, AT_mission_ref, gc_decode_member(decode, after, "triggered_by"));
}

/* An expected effect that did not change is not sent again: what was taken from it stays. */
static void derive_target_resource(struct gc_decode *decode, struct gc_row *row, const struct gc_json *contract)
{
	const struct gc_json *effect;

	if (gc_decode_is_unavailable(contract, "expected_effect")) {
		gc_row_text(row, AT_target_resource, GC_LIT(GC_UNAVAILABLE));
		return;
	}
	effect = gc_decode_nested(decode, contract, "expected_effect");
	gc_row_text(row, AT_target_resource, gc_decode_hint(decode, effect, "target_resource"));
}

static void decode_contract(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &executions, decode->key, change->row);
	struct gc_span trigger = gc_row_get_text(row, AT_triggered_by);
	struct gc_span status = gc_row_get_text(row, AT_contract_status);
	struct gc_span tier = gc_decode_vocabulary(decode, gc_row_get_text(row, AT_tier_text));

	gc_row_text(row, AT_tier_key, gc_decode_member(decode, tier, "tier"));
	gc_row_text(row, AT_actor_key, gc_decode_actor(decode, trigger, "triggered_by"));
	derive_component(decode, row, change->row, trigger);
	derive_mission_ref(decode, row, trigger);
	derive_target_resource(decode, row, change->row);
	gc_row_bool(row, AT_was_successful, gc_span_equal(status, GC_LIT("verified")));
	gc_row_bool(row, AT_was_rolled_back, gc_span_equal(status, GC_LIT("rolled_back")));
	gc_row_seconds(decode, row, AT_duration_seconds, AT_created_at, AT_verified_at);
}

const struct gc_stream gc_stream_action_contracts = {
	.name = "action_contracts",
	.record = "one contract, sent again at each change of state",
	.lands_in = "fact_verification_executions",
	.key_field = "id",
	.other_fields = (const char *const[]){ "actual_effect", "baseline_state", "component", "expected_effect",
					       "expected_effect_hash", "verification_result", NULL },
	.targets = (const struct gc_target *const[]){ &executions, NULL },
	.decode = decode_contract,
};
