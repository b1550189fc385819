/* Worker: the loop from records to commits. A process runs run.workers of them, shared-nothing: each its own consumer in the group,
 * its own caches, its own connection. Threads: a worker is one thread; its counters are read by others.
 */
#ifndef GRACECUBE_WORKER_H
#define GRACECUBE_WORKER_H

#include "consumer.h"

/* Counters of one worker. Written by it alone, read by anybody. */
struct gc_worker_counters {
	_Atomic int64_t records, batches, rows;
	_Atomic int64_t applied, superseded, dead, ignored; /* as decided in memory; the ledger in PostgreSQL is the truth */
	_Atomic int64_t poll_us, decode_us, keys_us, apply_us; /* time of each stage; apply holds encoding and the database */
	_Atomic int64_t encode_us;                             /* CPU of this thread inside apply */
	_Atomic int64_t cpu_us;                                /* CPU of this thread */
	_Atomic int64_t retries, fenced, rejected, reconnects, rebalances;
	_Atomic int64_t cache_hits, cache_misses;
	_Atomic int64_t at_end;      /* 1: nothing left to read */
	_Atomic int64_t progress_us; /* monotonic: when it last moved, or saw that there is nothing to do */
};

/* How a worker is told to end. */
enum gc_worker_state {
	GC_RUNNING,  /* reads and applies */
	GC_DRAINING, /* applies what it holds, then leaves the group; at most run.shutdown_timeout */
};

struct gc_worker {
	const struct gc_config *config;
	void *run;
	int index;
	const char *const *topics;
	size_t topic_count;
	_Atomic int state;            /* enum gc_worker_state */
	_Atomic int64_t drain_until_us; /* monotonic, while draining */
	struct gc_worker_counters counters;
	struct gc_err failure; /* why it ended, verdict GC_OK when it was told to */

	struct gc_consumer *consumer;
	struct gc_pg *pg;
	struct gc_keys keys;
	struct gc_batch *batch;
	int64_t hinted_us;
};

/* The thread's function; the argument is a struct gc_worker. */
void *gc_worker_main(void *worker);

#endif
