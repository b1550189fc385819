/* execution_tasks → fact_execution_tasks: one queued task, sent again as it progresses. Threads: pure. */
#include "decode.h"

#define COLUMNS(X)                                                                                                                 \
	X(task_key, GC_TEXT, 0, NULL)                                                                                              \
	X(component_key, GC_COMPONENT, 0, NULL)                                                                                    \
	X(actor_key, GC_ACTOR, 0, NULL)                                                                                            \
	X(task_id, GC_TEXT, 0, "task_id")                                                                                          \
	X(task_type, GC_TEXT, 0, "task_type")                                                                                      \
	X(status, GC_TEXT, GC_VOCABULARY, "status")                                                                                \
	X(was_successful, GC_BOOL, 0, NULL)                                                                                        \
	X(has_failed, GC_BOOL, 0, NULL)                                                                                            \
	X(progress, GC_FLOAT8, GC_NOT_NEGATIVE, "progress")                                                                        \
	X(queue_seconds, GC_FLOAT8, 0, NULL)                                                                                       \
	X(run_seconds, GC_FLOAT8, 0, NULL)                                                                                         \
	X(error, GC_TEXT, GC_KEEPS, "error")                                                                                       \
	X(created_at, GC_TIME, GC_REQUIRED, "created_at")                                                                          \
	X(started_at, GC_TIME, 0, "started_at")                                                                                    \
	X(completed_at, GC_TIME, 0, "completed_at")

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target tasks = {
	.name = "execution_tasks",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = AT_created_at,
};

static void decode_task(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &tasks, decode->key, change->row);
	struct gc_span component = gc_decode_member(decode, gc_decode_text(decode, change->row, "component"), "component");
	struct gc_span status = gc_row_get_text(row, AT_status);

	gc_row_text(row, AT_component_key, component.len > 0 ? component : GC_LIT("shard_orchestrator"));
	gc_row_text(row, AT_actor_key, gc_decode_person(decode, gc_decode_text(decode, change->row, "user"), "user"));
	gc_row_bool(row, AT_was_successful, gc_span_equal(status, GC_LIT("completed")));
	gc_row_bool(row, AT_has_failed, gc_span_equal(status, GC_LIT("failed")));
	gc_row_seconds(decode, row, AT_queue_seconds, AT_created_at, AT_started_at);
	gc_row_seconds(decode, row, AT_run_seconds, AT_started_at, AT_completed_at);
}

const struct gc_stream gc_stream_execution_tasks = {
	.name = "execution_tasks",
	.record = "one queued task",
	.lands_in = "fact_execution_tasks",
	.key_field = "id",
	.key_fallback = "task_id",
	.other_fields = (const char *const[]){ "component", "description", "result", "user", NULL },
	.targets = (const struct gc_target *const[]){ &tasks, NULL },
	.decode = decode_task,
};
