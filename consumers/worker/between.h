/* What a worker does between batches, once a second: it makes links that wait (cube.relink_queue), and tells the cube which of its partitions
 * stand still (cube.etl_halt), so that `gracecube status` can say it from anywhere. Neither holds up a batch, nor fails one.
 *
 * Threads: a worker is one thread.
 */
#ifndef GRACECUBE_BETWEEN_H
#define GRACECUBE_BETWEEN_H

#include "worker/worker.h"

/* After each batch and each wait; while links wait, and at the end of what there is to read, a slice of them each time. */
void gc_between_batches(struct gc_worker *worker);
/* What was not told yet, at the end of the worker. */
void gc_tell_halts(struct gc_worker *worker);

#endif
