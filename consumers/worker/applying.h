/* Inside of the worker: its loop and what it applies.
 *
 * Threads: a worker is one thread.
 */
#ifndef GRACECUBE_APPLYING_H
#define GRACECUBE_APPLYING_H

#include "worker/worker.h"

#define GC_IDLE_WAIT_US (100 * 1000)
#define GC_TELL_INTERVAL_US (200 * 1000) /* five times a second */

/* Applies what the consumer has in hand, in as few transactions as the database takes, and drops it. GC_RETRY only when it is time to
 * leave. */
enum gc_verdict gc_apply_records(struct gc_worker *worker, struct gc_err *err);
/* Moves the positions over what nobody can read at the end of a partition, now and then. */
void gc_pass_ends(struct gc_worker *worker);
/* Tells open pages of the streams that have moved; what comes within interval_us is told at once. */
void gc_tell_changes(struct gc_worker *worker, int64_t interval_us);

/* One wait of a retry after another, 50 ms doubling to 10 s. Zeroed; ended by gc_end_wait(). */
struct gc_backoff {
	int64_t wait_us, since_us;
	bool paused;
	struct gc_complaint complaint;
};
void gc_wait_a_while(struct gc_worker *worker, struct gc_backoff *backoff, const struct gc_err *why);
void gc_end_wait(struct gc_worker *worker, struct gc_backoff *backoff);

/* A connection that works, however long that takes; GC_RETRY when it is time to leave. */
enum gc_verdict gc_ensure_database(struct gc_worker *worker, struct gc_err *err);
/* GC_RETRY in place of GC_FATAL when a right is missing that was there before. */
enum gc_verdict gc_rights_heal(const struct gc_worker *worker, enum gc_verdict verdict, struct gc_err *err);
/* Draining, and run.shutdown_timeout is over. */
bool gc_must_leave(const struct gc_worker *worker);

#endif
