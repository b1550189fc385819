/* approval_requests → fact_approvals: one approval, pending, then decided. Threads: pure. */
#include "rules/targets.h"

#define COLUMNS(X)                                                                                                                 \
	X(approval_id, GC_TEXT, 0, NULL)                                                                                           \
	X(actor_key, GC_ACTOR, 0, NULL)                                                                                            \
	X(approval_type, GC_TEXT, 0, "approval_type")                                                                              \
	X(action_description, GC_TEXT, GC_KEEPS, "reason")                                                                         \
	X(was_approved, GC_BOOL, 0, NULL)                                                                                          \
	X(decision_time_seconds, GC_FLOAT8, 0, NULL)                                                                               \
	X(risk_score, GC_FLOAT8, GC_NOT_NEGATIVE, "risk_score")                                                                    \
	X(created_at, GC_TIME, GC_REQUIRED, "created_at")                                                                          \
	X(decided_at, GC_TIME, 0, "decided_at")                                                                                    \
	X(status, GC_TEXT, GC_VOCABULARY, "status")                                                                                \
	X(contract_id, GC_TEXT, GC_KEEPS, NULL)                                                                                    \
	X(error_id, GC_TEXT, 0, "error_id")                                                                                        \
	X(requested_by, GC_TEXT, 0, "requested_by")                                                                                \
	X(decision_reason, GC_TEXT, GC_KEEPS, "decision_reason")                                                                   \
	X(own_tier_key, GC_TIER, 0, NULL)

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target approvals = {
	.name = "approvals",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = AT_created_at,
};

/* A reason too large to be sent again when it did not change: the contract that it may have named stays. */
static void derive_contract(struct gc_decode *decode, struct gc_row *row, const struct gc_json *record)
{
	bool is_kept = gc_decode_is_unavailable(record, "reason");
	struct gc_span reason = is_kept ? GC_SPAN_NULL : gc_row_get_text(row, AT_action_description);
	struct gc_span contract = gc_approval_contract(decode, gc_decode_text(decode, record, "contract_id"), reason);

	gc_decode_link(decode, "verification_executions", contract);
	gc_row_text(row, AT_contract_id, contract.len == 0 && is_kept ? GC_LIT(GC_UNAVAILABLE) : contract);
}

/* Approved and rejected are decisions; any other status is none yet. cube.approval_status() goes the other way, and
 * tests/contract/approvals.csv has the cases of both. */
static void decode_approval(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &approvals, decode->key, change->row);
	struct gc_span status = gc_row_get_text(row, AT_status);
	struct gc_span tier = gc_decode_vocabulary(decode, gc_decode_text(decode, change->row, "tier"));

	gc_row_text(row, AT_actor_key, gc_decode_person(decode, gc_decode_text(decode, change->row, "decision_by"), "decision_by"));
	gc_row_text(row, AT_own_tier_key, gc_decode_member(decode, tier, "tier"));
	derive_contract(decode, row, change->row);
	if (gc_span_equal(status, GC_LIT("approved")) || gc_span_equal(status, GC_LIT("rejected")))
		gc_row_bool(row, AT_was_approved, gc_span_equal(status, GC_LIT("approved")));
	gc_row_seconds(decode, row, AT_decision_time_seconds, AT_created_at, AT_decided_at);
}

const struct gc_stream gc_stream_approval_requests = {
	.name = "approval_requests",
	.record = "one approval, pending, then decided",
	.lands_in = "fact_approvals",
	.key_field = "id",
	.other_fields = (const char *const[]){ "contract_id", "decision_by", "event_id", "tier", NULL },
	.targets = (const struct gc_target *const[]){ &approvals, NULL },
	.decode = decode_approval,
};
