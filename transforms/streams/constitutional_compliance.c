/* constitutional_compliance → fact_compliance_checks: one check of one action against the principles. Threads: pure. */
#include "decode.h"

#define COLUMNS(X)                                                                                                                 \
	X(check_id, GC_TEXT, 0, NULL)                                                                                              \
	X(component_key, GC_COMPONENT, 0, NULL)                                                                                    \
	X(actor_key, GC_ACTOR, 0, NULL)                                                                                            \
	X(contract_id, GC_TEXT, 0, NULL)                                                                                           \
	X(action_type, GC_TEXT, 0, "action_type")                                                                                  \
	X(resource, GC_TEXT, GC_KEEPS, "resource")                                                                                 \
	X(is_compliant, GC_BOOL, 0, "compliant")                                                                                   \
	X(compliance_score, GC_FLOAT8, GC_UNIT_RANGE, "compliance_score")                                                          \
	X(principles_checked, GC_INT4, 0, NULL)                                                                                    \
	X(principles_failed, GC_INT4, 0, NULL)                                                                                     \
	X(failed_principles, GC_TEXT, GC_JSON_FIELD, "principles_failed")                                                          \
	X(created_at, GC_TIME, GC_REQUIRED, "created_at")

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target checks = {
	.name = "compliance_checks",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = AT_created_at,
};

/* How many principles a JSON array lists; none when it is no array. Returns the array. */
static const struct gc_json *derive_count(struct gc_decode *decode, struct gc_row *row, int column, const char *field)
{
	const struct gc_json *list = gc_decode_nested(decode, decode->change->row, field);
	int64_t count = 0;

	if (!list || list->type != GC_JSON_ARRAY)
		return NULL;
	for (const struct gc_json *p = gc_json_first(list); p; p = gc_json_next(list, p))
		count++;
	gc_row_integer(row, column, count);
	return list;
}

/* Only a list is kept, in strict JSON: the views unfold it. */
static void keep_list(struct gc_decode *decode, struct gc_row *row, const struct gc_json *list)
{
	const struct gc_json *strict;

	gc_row_text(row, AT_failed_principles, gc_json_raw(list));
	if (list && gc_json_parse(gc_json_raw(list), decode->arena, &strict, NULL) != GC_OK)
		gc_decode_issue(decode, "principles_failed", gc_json_raw(list),
				"the list holds what is no JSON: its names do not count");
}

static void decode_check(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &checks, decode->key, change->row);
	struct gc_span actor = gc_decode_text(decode, change->row, "actor");
	struct gc_span contract = gc_decode_member(decode, gc_decode_text(decode, change->row, "action_id"), "action_id");

	gc_row_text(row, AT_component_key, gc_declared_component(decode, actor));
	gc_row_text(row, AT_actor_key, gc_decode_actor(decode, actor, "actor"));
	gc_row_text(row, AT_contract_id, contract);
	gc_decode_link(decode, "verification_executions", contract);
	derive_count(decode, row, AT_principles_checked, "principles_checked");
	keep_list(decode, row, derive_count(decode, row, AT_principles_failed, "principles_failed"));
}

const struct gc_stream gc_stream_constitutional_compliance = {
	.name = "constitutional_compliance",
	.record = "one compliance check of one action",
	.lands_in = "fact_compliance_checks",
	.key_field = "id",
	.other_fields = (const char *const[]){ "action_id", "actor", "approval_obtained", "audit_log_id", "explanation_provided",
					       "principles_checked", "principles_passed", "reasoning_logged", "verification_signed",
					       "violation_ids", NULL },
	.targets = (const struct gc_target *const[]){ &checks, NULL },
	.decode = decode_check,
};
