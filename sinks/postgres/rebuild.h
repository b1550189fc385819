/* Inside of a rebuild: what rebuild.c and swap.c share. Threads: one rebuild belongs to one thread. */
#ifndef GRACECUBE_PG_REBUILD_H
#define GRACECUBE_PG_REBUILD_H

#include "pg.h"

#include <gracecube/rebuild.h>

struct gc_rebuild {
	const struct gc_config *live_config;
	struct gc_config config; /* the same with another schema, and the live one's roles */
	char schema[GC_SCHEMA_BYTES], old_schema[GC_SCHEMA_BYTES];
	struct gc_pg *live; /* says what is said to the live cube, and holds the lock of the one rebuild that there is */
	struct gc_pg *own;  /* to the new one; NULL until it is needed */
	bool is_swapping, is_held;
};

/* Is there a schema of this name? */
enum gc_verdict gc_rebuild_has_schema(struct gc_rebuild *rebuild, const char *schema, bool *ret_has,
				      struct gc_err *err) GC_MUST_CHECK;
/* Does the code of the cube before the last swap still mean the live one? */
enum gc_verdict gc_rebuild_is_unfinished(struct gc_rebuild *rebuild, bool *ret_is, struct gc_err *err) GC_MUST_CHECK;

#endif
