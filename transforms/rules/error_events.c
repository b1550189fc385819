/* The rules of fact_error_events that security events and log entries share. Threads: pure. */
#include "rules/targets.h"

static const struct gc_column columns[] = { GC_ERROR_COLUMNS(GC_COLUMN_ENTRY) };

const struct gc_target gc_target_error_events = {
	.name = "error_events",
	.columns = columns,
	.column_count = GC_ERROR_COLUMN_COUNT,
	.created_at = GC_ERROR_created_at,
};

bool gc_error_names_person(struct gc_span note)
{
	return gc_span_contains_nocase(note, GC_LIT("user:"));
}

void gc_error_derive(struct gc_decode *decode, struct gc_row *row, struct gc_span severity, struct gc_span actor,
		     struct gc_span component)
{
	struct gc_span note = gc_row_get_text(row, GC_ERROR_resolution_note);
	bool by_person = gc_error_names_person(note);
	struct gc_span level = gc_decode_vocabulary(decode, severity);
	struct gc_span named = gc_decode_member(decode, component, "component");

	gc_row_text(row, GC_ERROR_severity, level.len > 0 ? level : GC_LIT("unknown"));
	gc_row_text(row, GC_ERROR_actor_key, gc_decode_actor(decode, actor, "actor"));
	gc_row_text(row, GC_ERROR_own_component_key, named.len > 0 ? named : gc_declared_component(decode, actor));
	gc_row_bool(row, GC_ERROR_component_is_explicit, named.len > 0);
	/* a note that is left out because it did not change: the cube knows whether it named a person */
	if (!gc_span_equal(note, GC_LIT(GC_UNAVAILABLE))) {
		gc_row_bool(row, GC_ERROR_was_auto_resolved, gc_row_has(row, GC_ERROR_resolved_at) && !by_person);
		gc_row_bool(row, GC_ERROR_own_human, by_person);
	}
	gc_row_seconds(decode, row, GC_ERROR_resolution_time_seconds, GC_ERROR_created_at, GC_ERROR_resolved_at);
}
