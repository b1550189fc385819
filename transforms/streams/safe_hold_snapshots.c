/* safe_hold_snapshots → fact_snapshots: one snapshot, later validated or restored. Threads: pure. */
#include "decode.h"

#define COLUMNS(X)                                                                                                                 \
	X(snapshot_id, GC_TEXT, 0, NULL)                                                                                           \
	X(actor_key, GC_ACTOR, 0, NULL)                                                                                            \
	X(contract_id, GC_TEXT, 0, NULL)                                                                                           \
	X(snapshot_type, GC_TEXT, 0, "snapshot_type")                                                                              \
	X(status, GC_TEXT, GC_VOCABULARY, "status")                                                                                \
	X(system_health_score, GC_FLOAT8, 0, "system_health_score")                                                                \
	X(is_golden, GC_BOOL, 0, "is_golden")                                                                                      \
	X(is_validated, GC_BOOL, 0, "is_validated")                                                                                \
	X(validation_seconds, GC_FLOAT8, 0, NULL)                                                                                  \
	X(triggered_by, GC_TEXT, 0, "triggered_by")                                                                                \
	X(notes, GC_TEXT, GC_KEEPS, "notes")                                                                                       \
	X(created_at, GC_TIME, GC_REQUIRED, "created_at")                                                                          \
	X(validated_at, GC_TIME, 0, "validated_at")                                                                                \
	X(restored_at, GC_TIME, 0, "restored_at")

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target snapshots = {
	.name = "snapshots",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = AT_created_at,
};

static void decode_snapshot(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &snapshots, decode->key, change->row);
	struct gc_span contract = gc_decode_member(decode, gc_decode_text(decode, change->row, "action_contract_id"),
						   "action_contract_id");

	gc_row_text(row, AT_contract_id, contract);
	gc_decode_link(decode, "verification_executions", contract);
	gc_row_text(row, AT_actor_key, gc_decode_actor(decode, gc_row_get_text(row, AT_triggered_by), "triggered_by"));
	gc_row_seconds(decode, row, AT_validation_seconds, AT_created_at, AT_validated_at);
}

const struct gc_stream gc_stream_safe_hold_snapshots = {
	.name = "safe_hold_snapshots",
	.record = "one snapshot, later validated or restored",
	.lands_in = "fact_snapshots",
	.key_field = "id",
	.other_fields = (const char *const[]){ "action_contract_id", "baseline_metrics", "manifest", "manifest_hash",
					       "playbook_run_id", "storage_uri", NULL },
	.targets = (const struct gc_target *const[]){ &snapshots, NULL },
	.decode = decode_snapshot,
};
