/* security_events → fact_error_events: one alert, later resolved. Threads: pure. */
#include "rules/targets.h"

static struct gc_span error_id(struct gc_decode *decode, struct gc_span id)
{
	return gc_arena_printf(decode->arena, GC_ERROR_OF_ALERT "%.*s", (int)id.len, id.ptr);
}

static void decode_event(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &gc_target_error_events, error_id(decode, decode->key), change->row);
	int64_t created_at;

	if (gc_decode_needed_time(decode, change->row, "created_at", &created_at))
		gc_row_integer(row, GC_ERROR_created_at, created_at);
	gc_error_derive(decode, row, gc_decode_text(decode, change->row, "severity"), gc_decode_text(decode, change->row, "actor"),
			gc_decode_text(decode, change->row, "component"));
}

const struct gc_stream gc_stream_security_events = {
	.name = "security_events",
	.record = "one alert, later resolved",
	.lands_in = "fact_error_events",
	.key_field = "id",
	.key_prefix = GC_ERROR_OF_ALERT,
	.other_fields = (const char *const[]){ "actor", "component", "created_at", "details", "severity", NULL },
	.targets = (const struct gc_target *const[]){ &gc_target_error_events, NULL },
	.decode = decode_event,
};
