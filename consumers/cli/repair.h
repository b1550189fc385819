/* What `gracecube verify --repair` changed, what it must not touch, and what to do about that.
 *
 * Memory is bounded: of more than GC_REPAIR_SHOWN changes the others are counted. Threads: no shared state.
 */
#ifndef GRACECUBE_REPAIR_H
#define GRACECUBE_REPAIR_H

#include <jansson.h>

#include <gracecube/sink.h>

#define GC_REPAIR_SHOWN 10000

struct gc_repair {
	int64_t changes;
	json_t *shown; /* [{table, cell, before, after}], the first of them */
	char *first;   /* one line of the first change; NULL for none */
};

void gc_repair_init(struct gc_repair *repair);
void gc_repair_done(struct gc_repair *repair);

/* cube.repair_step() with these six parameters, again for as long as it changes something; a deadlock or a lock that is not given is tried
 * again. GC_OK also when something could not be repaired: look at the step again. */
enum gc_verdict gc_repair_step(struct gc_repair *repair, struct gc_pg *pg, const char *const *values,
			       struct gc_err *err) GC_MUST_CHECK;

/* What to do about a check that still differs. */
const char *gc_repair_advice(const char *check);

/* One line of the first change; NULL for none. */
const char *gc_repair_first(const struct gc_repair *repair);
/* A table, where there are changes. */
void gc_repair_print(const struct gc_repair *repair);
/* "changes", how many, and "changed", an array of them. */
void gc_repair_add_json(const struct gc_repair *repair, json_t *answer);

#endif
