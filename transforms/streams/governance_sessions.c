/* governance_sessions → fact_governance_sessions: one matter put to the vote, sent again as votes come. Threads: pure. */
#include "decode.h"

#define COLUMNS(X)                                                                                                                 \
	X(governance_session_id, GC_TEXT, 0, NULL)                                                                                 \
	X(component_key, GC_COMPONENT, 0, NULL)                                                                                    \
	X(actor_key, GC_ACTOR, 0, NULL)                                                                                            \
	X(session_id, GC_TEXT, 0, "session_id")                                                                                    \
	X(policy_name, GC_TEXT, 0, "policy_name")                                                                                  \
	X(action_type, GC_TEXT, 0, "action_type")                                                                                  \
	X(category, GC_TEXT, 0, "category")                                                                                        \
	X(committee, GC_TEXT, 0, "committee")                                                                                      \
	X(risk_level, GC_TEXT, GC_VOCABULARY, "risk_level")                                                                        \
	X(status, GC_TEXT, GC_VOCABULARY, "status")                                                                                \
	X(outcome, GC_TEXT, GC_VOCABULARY, "outcome")                                                                              \
	X(quorum_required, GC_INT4, 0, "quorum_required")                                                                          \
	X(approval_threshold, GC_FLOAT8, GC_UNIT_RANGE, "approval_threshold")                                                      \
	X(total_votes, GC_INT4, 0, "total_votes")                                                                                  \
	X(decision_seconds, GC_FLOAT8, 0, NULL)                                                                                    \
	X(created_at, GC_TIME, GC_REQUIRED, "created_at")                                                                          \
	X(voting_started_at, GC_TIME, 0, "voting_started_at")                                                                      \
	X(decided_at, GC_TIME, 0, "decided_at")                                                                                    \
	X(expires_at, GC_TIME, 0, "expires_at")

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target sessions = {
	.name = "governance_sessions",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = AT_created_at,
};

static void decode_session(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &sessions, decode->key, change->row);
	struct gc_span actor = gc_decode_text(decode, change->row, "actor");
	struct gc_span component = gc_declared_component(decode, actor);

	gc_row_text(row, AT_component_key, component.len > 0 ? component : GC_LIT("parliament_engine"));
	gc_row_text(row, AT_actor_key, gc_decode_actor(decode, actor, "actor"));
	gc_row_seconds(decode, row, AT_decision_seconds, AT_created_at, AT_decided_at);
}

const struct gc_stream gc_stream_governance_sessions = {
	.name = "governance_sessions",
	.record = "one matter put to the vote",
	.lands_in = "fact_governance_sessions",
	.key_field = "id",
	.other_fields = (const char *const[]){ "action_payload", "actor", "audit_log_id", "decision_reason", "hunter_alerts",
					       "resource", "total_weighted", "verification_envelope_id", "votes_abstain",
					       "votes_approve", "votes_reject", "weighted_abstain", "weighted_approve",
					       "weighted_reject", NULL },
	.targets = (const struct gc_target *const[]){ &sessions, NULL },
	.decode = decode_session,
};
