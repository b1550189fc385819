/* shard_heartbeats → fact_shard_heartbeats: one sign of life of one shard; it has no id, so shard and time name it. Threads: pure. */
#include "decode.h"

#define COLUMNS(X)                                                                                                                 \
	X(heartbeat_id, GC_TEXT, 0, NULL)                                                                                          \
	X(component_key, GC_COMPONENT, 0, NULL)                                                                                    \
	X(actor_key, GC_ACTOR, 0, NULL)                                                                                            \
	X(shard_id, GC_TEXT, GC_REQUIRED, "shard_id")                                                                              \
	X(status, GC_TEXT, GC_VOCABULARY, "status")                                                                                \
	X(load, GC_FLOAT8, GC_NOT_NEGATIVE, "load")                                                                                \
	X(created_at, GC_TIME, GC_REQUIRED, "timestamp")

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target heartbeats = {
	.name = "shard_heartbeats",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = AT_created_at,
};

static struct gc_span heartbeat_id(struct gc_decode *decode, const struct gc_json *heartbeat, struct gc_span shard)
{
	int64_t at = 0;

	gc_decode_needed_time(decode, heartbeat, "timestamp", &at);
	return gc_arena_printf(decode->arena, "%.*s@%lld", (int)shard.len, shard.ptr ? shard.ptr : "", (long long)at);
}

static void decode_heartbeat(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_span shard = gc_decode_key(decode, change->row, "shard_id");
	struct gc_row *row = gc_decode_row(decode, &heartbeats, heartbeat_id(decode, change->row, shard), change->row);

	if (shard.len == 0)
		gc_decode_reject(decode, "missing_field", "shard_id", "the shard_id is blank");
	else if (!memchr(shard.ptr, ':', shard.len))
		shard = gc_arena_printf(decode->arena, "agent:%.*s", (int)shard.len, shard.ptr);
	gc_row_text(row, AT_component_key, GC_LIT("shard_orchestrator"));
	gc_row_text(row, AT_actor_key, gc_decode_actor(decode, shard, "shard_id"));
}

const struct gc_stream gc_stream_shard_heartbeats = {
	.name = "shard_heartbeats",
	.record = "one heartbeat of one shard",
	.lands_in = "fact_shard_heartbeats",
	.targets = (const struct gc_target *const[]){ &heartbeats, NULL },
	.decode = decode_heartbeat,
};
