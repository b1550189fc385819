/* playbook_step_runs → fact_playbook_step_runs: one step of a playbook run, whose component and actor it takes. Threads: pure. */
#include "decode.h"

#define COLUMNS(X)                                                                                                                 \
	X(step_run_id, GC_TEXT, 0, NULL)                                                                                           \
	X(run_id, GC_TEXT, 0, NULL)                                                                                                \
	X(step_order, GC_INT4, 0, "step_order")                                                                                    \
	X(status, GC_TEXT, GC_VOCABULARY, "status")                                                                                \
	X(was_successful, GC_BOOL, 0, NULL)                                                                                        \
	X(duration_seconds, GC_FLOAT8, 0, NULL)                                                                                    \
	X(log, GC_TEXT, GC_KEEPS, "log")                                                                                           \
	X(created_at, GC_TIME, GC_REQUIRED, "created_at")                                                                          \
	X(ended_at, GC_TIME, 0, "ended_at")

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target steps = {
	.name = "playbook_step_runs",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = AT_created_at,
};

static void decode_step(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &steps, decode->key, change->row);
	struct gc_span run = gc_decode_member(decode, gc_decode_text(decode, change->row, "run_id"), "run_id");

	gc_row_text(row, AT_run_id, run);
	gc_decode_link(decode, "playbook_runs", run);
	gc_row_bool(row, AT_was_successful, gc_span_equal(gc_row_get_text(row, AT_status), GC_LIT("succeeded")));
	gc_row_seconds(decode, row, AT_duration_seconds, AT_created_at, AT_ended_at);
}

const struct gc_stream gc_stream_playbook_step_runs = {
	.name = "playbook_step_runs",
	.record = "one step of a remediation",
	.lands_in = "fact_playbook_step_runs",
	.key_field = "id",
	.other_fields = (const char *const[]){ "run_id", "step_id", NULL },
	.targets = (const struct gc_target *const[]){ &steps, NULL },
	.decode = decode_step,
};
