/* What checks came to: one row a check and subject, over all steps of `gracecube verify`.
 *
 * Memory: a row a check and subject, however large the cube. Threads: no shared state.
 */
#ifndef GRACECUBE_FINDINGS_H
#define GRACECUBE_FINDINGS_H

#include <jansson.h>

#include <gracecube/arena.h>
#include <gracecube/config.h>

struct gc_finding {
	const char *check, *subject;
	int64_t compared;
	int64_t found;       /* differed when they were first looked at */
	int64_t differing;   /* and still do */
	const char *example; /* of what differs, the first by name; NULL for none */
};

struct gc_findings {
	struct gc_arena arena;
	struct gc_finding *items; /* in the order in which they were first added */
	size_t count, capacity;
	const struct gc_config *config; /* whose cube the advice is about; NULL: any */
};

void gc_findings_init(struct gc_findings *findings);
void gc_findings_done(struct gc_findings *findings);
/* As new, with the memory kept. */
void gc_findings_reset(struct gc_findings *findings);

/* Adds to the row of this check and subject; texts are copied. */
void gc_findings_add(struct gc_findings *findings, const struct gc_finding *finding);
/* Does this check of any subject differ? */
bool gc_findings_differ(const struct gc_findings *findings, const char *check);
/* How much this check of all subjects compared. */
int64_t gc_findings_compared(const struct gc_findings *findings, const char *check);
/* All rows as one: check and subject are NULL, the example is the first row's that has one. */
struct gc_finding gc_findings_sum(const struct gc_findings *findings);

/* A table; of those that differ only. */
void gc_findings_print(const struct gc_findings *findings, bool only_differing);
/* Each check that differs, once, with what to do about it. */
void gc_findings_print_left(const struct gc_findings *findings);
json_t *gc_findings_json(const struct gc_findings *findings);

#endif
