/* healing_actions → fact_healing_actions: one remediation action of a component. Threads: pure. */
#include "decode.h"

#define COLUMNS(X)                                                                                                                 \
	X(action_id, GC_TEXT, 0, NULL)                                                                                             \
	X(component_key, GC_COMPONENT, 0, "component")                                                                             \
	X(actor_key, GC_ACTOR, 0, NULL)                                                                                            \
	X(action, GC_TEXT, 0, "action")                                                                                            \
	X(result, GC_TEXT, GC_VOCABULARY, "result")                                                                                \
	X(detail, GC_TEXT, GC_KEEPS, "detail")                                                                                     \
	X(created_at, GC_TIME, GC_REQUIRED, "created_at")

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target actions = {
	.name = "healing_actions",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = AT_created_at,
};

static void decode_action(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &actions, decode->key, change->row);

	gc_row_text(row, AT_actor_key, gc_decode_actor(decode, gc_decode_text(decode, change->row, "actor"), "actor"));
}

const struct gc_stream gc_stream_healing_actions = {
	.name = "healing_actions",
	.record = "one remediation action",
	.lands_in = "fact_healing_actions",
	.key_field = "id",
	.other_fields = (const char *const[]){ "actor", NULL },
	.targets = (const struct gc_target *const[]){ &actions, NULL },
	.decode = decode_action,
};
