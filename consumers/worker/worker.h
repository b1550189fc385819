/* Worker: the loop from records to commits. A process runs run.workers of them, shared-nothing: each its own consumer in the group,
 * its own caches, its own connection. Threads: a worker is one thread; its counters are read by others.
 */
#ifndef GRACECUBE_WORKER_H
#define GRACECUBE_WORKER_H

#include "kafka/consumer.h"
#include "worker/pipeline.h"

/* How a worker is told to end. */
enum gc_worker_state {
	GC_RUNNING,  /* reads and applies */
	GC_DRAINING, /* applies what it holds, then leaves the group; at most run.shutdown_timeout */
};

struct gc_worker {
	const struct gc_config *config;
	struct gc_positions *positions; /* the run's */
	int index;
	struct gc_reading reading;
	_Atomic int state;              /* enum gc_worker_state */
	_Atomic int64_t drain_until_us; /* monotonic, while draining */
	struct gc_worker_counters counters;
	struct gc_err failure; /* why it ended, verdict GC_OK when it was told to */

	struct gc_consumer *consumer;
	struct gc_pipeline pipeline;
	bool has_worked; /* connected and claimed once: errors that were not there then may pass */
	int64_t offsets_committed_us, ends_us, skipped_us, between_us;
	/* see between.c */
	int slice_keys;
	struct gc_complaint slices; /* of those that fail */
	int64_t told_on;            /* the connection on which halts were told, counted as in counters.reconnects */
};

/* The thread's function; the argument is a struct gc_worker. */
void *gc_worker_main(void *worker);

#endif
