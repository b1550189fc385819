/* Old data: what goes by age, as the options under retention say. What it does step by step is in sinks/sql/code/2_engine/retention.sql.
 *
 * Guarantee: it can be killed anywhere and repeated; one process of many does it at a time; nobody waits longer than 100 ms for a lock of its.
 * Threads: one call at a time, on a connection of its own.
 */
#ifndef GRACECUBE_RETENTION_H
#define GRACECUBE_RETENTION_H

#include <gracecube/config.h>

/* What goes of one table. */
struct gc_expiry {
	const char *kind;  /* facts, dead_letters, … */
	const char *table; /* without its schema */
	int64_t before_us; /* what is older goes */
	int64_t rows;      /* with dry_run how many would go, else how many went */
	int64_t bytes;     /* that they take; of facts the disk that is given back, else what can be used again */
	bool is_done;      /* false: with dry_run, and where somebody who reads or writes kept it */
};

struct gc_retention {
	bool dry_run;
	int64_t patience_us;                                     /* how long one lock is tried for */
	void (*each)(void *arg, const struct gc_expiry *expiry); /* may be NULL */
	bool (*is_stopped)(void *arg);                           /* may be NULL; asked between two steps */
	void *arg;
	/* answers */
	bool is_elsewhere; /* another process is at it */
	size_t left;       /* tables that somebody kept; the last error says why */
};

/* False where nothing is set: all is kept for ever. */
bool gc_retention_is_set(const struct gc_config *config);
enum gc_verdict gc_pg_retain(const struct gc_config *config, struct gc_retention *retention, struct gc_err *err) GC_MUST_CHECK;

#endif
