/* Wraps: what may stand around JSON, and names for bytes that are none. Threads: no shared state. */
#ifndef GRACECUBE_WRAP_H
#define GRACECUBE_WRAP_H

#include <gracecube/json.h>

/* The JSON of a record's value or key. The frame of a schema registry and a byte order mark in front of JSON are passed over; what
 * is not JSON is refused with its name, where it has one we know. */
enum gc_verdict gc_wrap_parse(struct gc_span bytes, struct gc_arena *arena, const struct gc_json **ret_root,
			      struct gc_err *err) GC_MUST_CHECK;

/* What stands behind a frame or a mark: the bytes themselves where there is none. */
struct gc_span gc_wrap_body(struct gc_span bytes);

/* The JSON that a text holds, read leniently, also when it was serialised several times over; any other value as it is. */
enum gc_verdict gc_wrap_inner(const struct gc_json *value, struct gc_arena *arena, const struct gc_json **ret_inner,
			      struct gc_err *err) GC_MUST_CHECK;

#endif
