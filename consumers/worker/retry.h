/* Retry: back-off, reconnecting, and the retry policy of a worker's pipeline.
 *
 * Threads: a worker is one thread.
 */
#ifndef GRACECUBE_RETRY_H
#define GRACECUBE_RETRY_H

#include "worker/worker.h"

#include <gracecube/log.h>

/* Applies what was polled. GC_RETRY only when the time to drain is over. */
enum gc_verdict gc_apply_polled(struct gc_worker *worker, struct gc_err *err);

/* One wait of a retry after another, 50 ms doubling to 10 s. Zeroed; ended by gc_backoff_end(). */
struct gc_backoff {
	int64_t wait_us, since_us;
	bool paused;
	struct gc_complaint complaint;
};
void gc_backoff_wait(struct gc_worker *worker, struct gc_backoff *backoff, const struct gc_err *why);
void gc_backoff_end(struct gc_worker *worker, struct gc_backoff *backoff);

/* A connection that works, however long that takes; GC_RETRY when the time to drain is over. */
enum gc_verdict gc_ensure_database(struct gc_worker *worker, struct gc_err *err);
/* GC_RETRY in place of GC_FATAL when a right is missing that was there before. */
enum gc_verdict gc_rights_heal(const struct gc_worker *worker, enum gc_verdict verdict, struct gc_err *err);
/* Draining, and run.shutdown_timeout is over. */
bool gc_must_leave(const struct gc_worker *worker);

#endif
