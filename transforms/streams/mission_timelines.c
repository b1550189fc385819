/* mission_timelines → dim_mission and its history: one mission, sent again as it progresses. Threads: pure. */
#include "decode.h"

#define COLUMNS(X)                                                                                                                 \
	X(source_id, GC_TEXT, 0, NULL)                                                                                             \
	X(mission_key, GC_MISSION, GC_REQUIRED, "mission_id")                                                                      \
	X(mission_name, GC_TEXT, 0, "mission_name")                                                                                \
	X(mission_type, GC_TEXT, 0, NULL)                                                                                          \
	X(started_at, GC_TIME, 0, "started_at")                                                                                    \
	X(completed_at, GC_TIME, 0, "completed_at")                                                                                \
	X(final_status, GC_TEXT, 0, NULL)

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target missions = {
	.name = "missions",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = -1,
	.keep_versions = true,
	.introduces_missions = true,
};

static struct gc_span final_status(struct gc_span status)
{
	static const struct {
		const char *status, *final;
	} ends[] = {
		{ "completed", "success" }, { "failed", "failed" }, { "partial", "partial" }, { "rolled_back", "rolled_back" }
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (gc_span_equal(status, gc_span_of(ends[i].status)))
			return gc_span_of(ends[i].final);
	}
	return GC_SPAN_NULL;
}

/* The row's own type, else that of its metadata, else unknown. */
static struct gc_span mission_type(struct gc_decode *decode, const struct gc_json *mission)
{
	struct gc_span type = gc_span_trim(gc_decode_text(decode, mission, "mission_type"));

	if (type.len == 0)
		type = gc_span_trim(gc_decode_hint(decode, gc_decode_nested(decode, mission, "mission_metadata"), "mission_type"));
	/* metadata too large to be sent again when it did not change: the type of the version before */
	if (type.len == 0 && gc_decode_is_unavailable(mission, "mission_metadata"))
		return GC_LIT(GC_UNAVAILABLE);
	return type.len > 0 ? type : GC_LIT("unknown");
}

static void decode_mission(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &missions, decode->key, change->row);
	struct gc_span status = gc_decode_text(decode, change->row, "status");

	if (!gc_row_has(row, AT_mission_key))
		gc_decode_reject(decode, "missing_field", "mission_id", "the mission_id is blank, or longer than limits.key_bytes");
	gc_row_text(row, AT_mission_type, mission_type(decode, change->row));
	gc_row_text(row, AT_final_status, final_status(gc_decode_vocabulary(decode, status)));
}

const struct gc_stream gc_stream_mission_timelines = {
	.name = "mission_timelines",
	.record = "one mission, sent again as it progresses",
	.lands_in = "dim_mission",
	.key_field = "id",
	.key_fallback = "mission_id",
	.other_fields = (const char *const[]){ "can_rollback", "completed_actions", "confidence_score", "current_health_score",
					       "current_safe_point_id", "current_state_hash", "failed_actions",
					       "initial_snapshot_id", "mission_goal", "mission_metadata", "mission_type",
					       "progress_ratio", "rollback_available_count", "rolled_back_actions", "status",
					       "total_planned_actions", NULL },
	.targets = (const struct gc_target *const[]){ &missions, NULL },
	.decode = decode_mission,
};
