/* governance_votes → fact_governance_votes: one vote of a member in a session, both of which it looks up. Threads: pure. */
#include "decode.h"

#define COLUMNS(X)                                                                                                                 \
	X(vote_id, GC_TEXT, 0, NULL)                                                                                               \
	X(component_key, GC_COMPONENT, 0, NULL)                                                                                    \
	X(governance_session_id, GC_TEXT, 0, NULL)                                                                                 \
	X(governance_member_id, GC_TEXT, 0, NULL)                                                                                  \
	X(vote, GC_TEXT, GC_VOCABULARY, "vote")                                                                                    \
	X(vote_weight, GC_FLOAT8, GC_NOT_NEGATIVE, "vote_weight")                                                                  \
	X(is_automated, GC_BOOL, 0, "automated")                                                                                   \
	X(confidence_score, GC_FLOAT8, GC_UNIT_RANGE, "confidence")                                                                \
	X(verification_status, GC_TEXT, GC_VOCABULARY, "verification_status")                                                      \
	X(created_at, GC_TIME, GC_REQUIRED, "created_at")

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target votes = {
	.name = "governance_votes",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = AT_created_at,
};

static void derive_link(struct gc_decode *decode, struct gc_row *row, int column, const char *field, const char *target)
{
	struct gc_span key = gc_decode_member(decode, gc_decode_text(decode, decode->change->row, field), field);

	gc_row_text(row, column, key);
	gc_decode_link(decode, target, key);
}

static void decode_vote(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &votes, decode->key, change->row);

	gc_row_text(row, AT_component_key, GC_LIT("parliament_engine"));
	derive_link(decode, row, AT_governance_session_id, "session_id", "governance_sessions");
	derive_link(decode, row, AT_governance_member_id, "member_id", "governance_members");
}

const struct gc_stream gc_stream_governance_votes = {
	.name = "governance_votes",
	.record = "one vote",
	.lands_in = "fact_governance_votes",
	.key_field = "id",
	.other_fields = (const char *const[]){ "audit_log_id", "member_id", "reason", "session_id", "vote_signature", NULL },
	.targets = (const struct gc_target *const[]){ &votes, NULL },
	.decode = decode_vote,
};
