/* Envelope: tells the shapes of records apart (listed in envelope.c) and takes the one change out of each. Threads: no shared state. */
#ifndef GRACECUBE_ENVELOPE_H
#define GRACECUBE_ENVELOPE_H

#include <gracecube/stream.h>

/* GC_OK, or GC_REJECT with code, where and text. The change points into the message and the arena. */
enum gc_verdict gc_envelope_open(const struct gc_message *message, struct gc_arena *arena, struct gc_change *ret_change,
				 struct gc_err *err) GC_MUST_CHECK;

/* The natural key of the change, cleaned and bounded; GC_REJECT when there is none. */
enum gc_verdict gc_envelope_key(const struct gc_change *change, const struct gc_stream *stream, size_t bytes_max,
				struct gc_arena *arena, struct gc_span *ret_key, struct gc_err *err) GC_MUST_CHECK;

#endif
