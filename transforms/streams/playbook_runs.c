/* playbook_runs → fact_playbook_runs: one remediation; its diagnosis may name the error it repairs. Threads: pure. */
#include "rules/targets.h"

#define COLUMNS(X)                                                                                                                 \
	X(run_id, GC_TEXT, 0, NULL)                                                                                                \
	X(component_key, GC_COMPONENT, 0, "service")                                                                               \
	X(actor_key, GC_ACTOR, 0, NULL)                                                                                            \
	X(run_number, GC_INT8, GC_REQUIRED, "id")                                                                                  \
	X(playbook_id, GC_TEXT, 0, "playbook_id")                                                                                  \
	X(status, GC_TEXT, GC_VOCABULARY, "status")                                                                                \
	X(was_successful, GC_BOOL, 0, NULL)                                                                                        \
	X(diagnosis_code, GC_TEXT, GC_KEEPS, NULL)                                                                                 \
	X(error_id, GC_TEXT, GC_KEEPS, NULL)                                                                                       \
	X(approval_id, GC_TEXT, 0, "approval_request_id")                                                                          \
	X(queue_seconds, GC_FLOAT8, 0, NULL)                                                                                       \
	X(duration_seconds, GC_FLOAT8, 0, NULL)                                                                                    \
	X(created_at, GC_TIME, GC_REQUIRED, "created_at")                                                                          \
	X(started_at, GC_TIME, 0, "started_at")                                                                                    \
	X(ended_at, GC_TIME, 0, "ended_at")

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target runs = {
	.name = "playbook_runs",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = AT_created_at,
};

static void derive_diagnosis(struct gc_decode *decode, struct gc_row *row, const struct gc_json *diagnosis)
{
	struct gc_span event = gc_decode_member(decode, gc_decode_hint(decode, diagnosis, "event"), "diagnosis");
	struct gc_span error_id;

	gc_row_text(row, AT_diagnosis_code, gc_decode_hint(decode, diagnosis, "code"));
	if (event.len == 0)
		return;
	error_id = gc_arena_printf(decode->arena, GC_ERROR_OF_ALERT "%.*s", (int)event.len, event.ptr);
	gc_row_text(row, AT_error_id, error_id);
	gc_decode_link(decode, "error_events", error_id);
}

/* A diagnosis too large to be sent again when it did not change: what was taken from it stays. */
static void keep_diagnosis(struct gc_row *row)
{
	gc_row_text(row, AT_diagnosis_code, GC_LIT(GC_UNAVAILABLE));
	gc_row_text(row, AT_error_id, GC_LIT(GC_UNAVAILABLE));
}

static void decode_run(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &runs, decode->key, change->row);
	struct gc_span requested_by = gc_decode_text(decode, change->row, "requested_by");

	gc_row_text(row, AT_actor_key, gc_decode_actor(decode, requested_by, "requested_by"));
	gc_row_bool(row, AT_was_successful, gc_span_equal(gc_row_get_text(row, AT_status), GC_LIT("succeeded")));
	if (gc_decode_is_unavailable(change->row, "diagnosis"))
		keep_diagnosis(row);
	else
		derive_diagnosis(decode, row, gc_decode_nested(decode, change->row, "diagnosis"));
	gc_row_seconds(decode, row, AT_queue_seconds, AT_created_at, AT_started_at);
	gc_row_seconds(decode, row, AT_duration_seconds, AT_started_at, AT_ended_at);
}

const struct gc_stream gc_stream_playbook_runs = {
	.name = "playbook_runs",
	.record = "one remediation",
	.lands_in = "fact_playbook_runs",
	.key_field = "id",
	.other_fields = (const char *const[]){ "diagnosis", "parameters", "requested_by", NULL },
	.targets = (const struct gc_target *const[]){ &runs, NULL },
	.decode = decode_run,
};
