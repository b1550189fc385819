/* governance_members → fact_governance_members: one member of the parliament, sent again as it votes. Threads: pure. */
#include "decode.h"

#define COLUMNS(X)                                                                                                                 \
	X(governance_member_id, GC_TEXT, 0, NULL)                                                                                  \
	X(component_key, GC_COMPONENT, 0, NULL)                                                                                    \
	X(actor_key, GC_ACTOR, 0, NULL)                                                                                            \
	X(member_id, GC_TEXT, 0, "member_id")                                                                                      \
	X(member_type, GC_TEXT, GC_VOCABULARY, "member_type")                                                                      \
	X(display_name, GC_TEXT, 0, "display_name")                                                                                \
	X(role, GC_TEXT, GC_VOCABULARY, "role")                                                                                    \
	X(vote_weight, GC_FLOAT8, GC_NOT_NEGATIVE, "vote_weight")                                                                  \
	X(is_active, GC_BOOL, 0, "active")                                                                                         \
	X(is_suspended, GC_BOOL, 0, "suspended")                                                                                   \
	X(created_at, GC_TIME, GC_REQUIRED, "created_at")                                                                          \
	X(last_vote_at, GC_TIME, 0, "last_vote_at")

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target members = {
	.name = "governance_members",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = AT_created_at,
};

/* Members are named without a prefix; their type tells it. */
static struct gc_span actor_of(struct gc_decode *decode, const struct gc_row *row)
{
	struct gc_span name = gc_decode_member(decode, gc_row_get_text(row, AT_member_id), "member_id");
	struct gc_span type = gc_row_get_text(row, AT_member_type);

	if (name.len > 0 && !memchr(name.ptr, ':', name.len) && gc_span_equal(type, GC_LIT("human")))
		name = gc_arena_printf(decode->arena, "user:%.*s", (int)name.len, name.ptr);
	else if (name.len > 0 && !memchr(name.ptr, ':', name.len) && gc_span_equal(type, GC_LIT("agent")))
		name = gc_arena_printf(decode->arena, "agent:%.*s", (int)name.len, name.ptr);
	return gc_decode_actor(decode, name, "member_id");
}

static void decode_member(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &members, decode->key, change->row);

	gc_row_text(row, AT_component_key, GC_LIT("parliament_engine"));
	gc_row_text(row, AT_actor_key, actor_of(decode, row));
}

const struct gc_stream gc_stream_governance_members = {
	.name = "governance_members",
	.record = "one member of the parliament",
	.lands_in = "fact_governance_members",
	.key_field = "id",
	.other_fields = (const char *const[]){ "committees", "public_key", "suspension_reason", "total_votes", "votes_abstained",
					       "votes_approved", "votes_rejected", NULL },
	.targets = (const struct gc_target *const[]){ &members, NULL },
	.decode = decode_member,
};
