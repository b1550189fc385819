/* Targets that more than one stream fills. */
#ifndef GRACECUBE_TARGETS_H
#define GRACECUBE_TARGETS_H

#include "decode.h"

/* fact_error_events: of security_events and immutable_log; its columns are listed here because both set them by name. */
#define GC_ERROR_COLUMNS(X)                                                                                                        \
	X(error_id, GC_TEXT, 0, NULL)                                                                                              \
	X(actor_key, GC_ACTOR, 0, NULL)                                                                                            \
	X(error_type, GC_TEXT, 0, "action")                                                                                        \
	X(severity, GC_TEXT, 0, NULL)                                                                                              \
	X(source, GC_TEXT, 0, "resource")                                                                                          \
	X(was_auto_resolved, GC_BOOL, 0, NULL)                                                                                     \
	X(resolution_time_seconds, GC_FLOAT8, 0, NULL)                                                                             \
	X(status, GC_TEXT, GC_VOCABULARY, "status")                                                                                \
	X(resolution_note, GC_TEXT, GC_KEEPS, "resolution_note")                                                                   \
	X(created_at, GC_TIME, 0, NULL)                                                                                            \
	X(resolved_at, GC_TIME, 0, "resolved_at")                                                                                  \
	X(own_component_key, GC_COMPONENT, 0, NULL)                                                                                \
	X(component_is_explicit, GC_BOOL, 0, NULL)                                                                                 \
	X(own_human, GC_BOOL, GC_KEEPS, NULL)

#define GC_ERROR_INDEX(name, kind, flags, field) GC_ERROR_##name,
enum { GC_ERROR_COLUMNS(GC_ERROR_INDEX) GC_ERROR_COLUMN_COUNT };

extern const struct gc_target gc_target_error_events;

/* What stands before an error's id says which stream told of it. cube.error_stream() is the same rule, and tests/contract/error_ids.csv its
 * cases. */
#define GC_ERROR_OF_ALERT "security_event:"
#define GC_ERROR_OF_ENTRY "log:"
#define GC_ERROR_OF_MESH "error:"

/* What the rules of errors make of a record: severity (unknown where there is none), actor, component, resolution: an error was resolved by
 * itself where there is a resolved_at and the note names no person. The row's created_at must be set. `component` is what the record itself
 * names, or NULL. cube.severity_of() and cube.is_auto_resolved() are the same rules, and tests/contract/errors.csv their cases. */
void gc_error_derive(struct gc_decode *decode, struct gc_row *row, struct gc_span severity, struct gc_span actor,
		     struct gc_span component);

/* The contract that an approval is about: its own field, else what its reason names. */
struct gc_span gc_approval_contract(struct gc_decode *decode, struct gc_span own, struct gc_span reason);

#endif
