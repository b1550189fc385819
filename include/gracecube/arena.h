/* Arena: memory of one batch, freed all at once. Blocks are kept over a reset, so a steady state allocates nothing.
 *
 * Threads: one arena belongs to one thread. Running out of memory aborts the process with a message: the position is in
 * PostgreSQL, so a restart loses nothing, and no half-built batch is ever applied.
 */
#ifndef GRACECUBE_ARENA_H
#define GRACECUBE_ARENA_H

#include <gracecube/span.h>

struct gc_arena_block;

struct gc_arena {
	struct gc_arena_block *first, *current;
	size_t used_bytes; /* handed out since the last reset */
};

void gc_arena_init(struct gc_arena *arena);
void gc_arena_done(struct gc_arena *arena);
/* Everything handed out so far is gone; memory above keep_bytes goes back to the system. */
void gc_arena_reset(struct gc_arena *arena, size_t keep_bytes);

/* Aligned to 16 bytes, not zeroed; never NULL; size 0 is allowed. */
void *gc_arena_alloc(struct gc_arena *arena, size_t bytes);
/* Zeroed. */
void *gc_arena_zalloc(struct gc_arena *arena, size_t bytes);
/* A copy, followed by a NUL that is not part of the span. NULL stays NULL. */
struct gc_span gc_arena_dup(struct gc_arena *arena, struct gc_span text);
struct gc_span gc_arena_printf(struct gc_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* malloc and friends for what outlives a batch: never NULL, abort with a message when memory is out. */
void *gc_malloc(size_t bytes);
void *gc_calloc(size_t count, size_t bytes);
void *gc_realloc(void *memory, size_t bytes);
char *gc_strdup(const char *text);
char *gc_span_strdup(struct gc_span text);

#endif
