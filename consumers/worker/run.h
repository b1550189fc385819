/* A run: the workers of this process, from start to drain. Used by `run`, by `sandbox` and, apart from the group, by `rebuild`.
 *
 * Threads: a run belongs to the thread that started it; what only looks may be called by anybody until gc_run_stop().
 */
#ifndef GRACECUBE_RUN_H
#define GRACECUBE_RUN_H

#include "worker/worker.h"

struct gc_run;

struct gc_run_summary {
	int64_t records, batches, applied, superseded, dead, ignored;
	int64_t retries, fenced, rejected, reconnects, rebalances, cache_hits, cache_misses;
	double wall_s, cpu_s;                                 /* cpu: of the whole process */
	double poll_s, decode_s, keys_s, apply_s, send_cpu_s; /* summed over the workers */
	int64_t memory_bytes;                                 /* peak resident set of the process */
};

/* Starts the workers on those topics of the configuration that exist; `only` (may be NULL, ends with NULL) names the streams to read.
 * GC_FATAL when none exists, and nobody will make one. */
enum gc_verdict gc_run_start(const struct gc_config *config, const char *const *only, struct gc_run **ret_run,
			     struct gc_err *err) GC_MUST_CHECK;
/* The same of these partitions, apart from the group, as many as there are workers or more: each is read from where the cube stands up to the
 * limit of its position, which may be raised while the run goes on; see kafka/positions.h. */
struct gc_run *gc_run_start_apart(const struct gc_config *config, const struct gc_place *places, const int64_t *limits,
				  size_t count);
/* All workers have nothing left to read, but for what is halted: then why, of the first one, else GC_OK. */
bool gc_run_is_caught_up(const struct gc_run *run, struct gc_err *ret_why);
/* A worker has ended by itself: something is wrong. */
bool gc_run_has_failed(struct gc_run *run);
/* Records applied so far, and how many were there when the partitions were claimed. */
void gc_run_progress(const struct gc_run *run, int64_t *ret_done, int64_t *ret_total);
/* Position of a partition; 0 while nobody holds it. For a throttle. */
int64_t gc_run_position(const struct gc_run *run, const char *topic, int32_t partition);
void gc_run_summary(struct gc_run *run, struct gc_run_summary *ret_summary);
/* For the metrics: what the workers count, and each partition that this process has ever held. */
size_t gc_run_workers(const struct gc_run *run);
const struct gc_worker_counters *gc_run_counters(const struct gc_run *run, size_t index);
struct gc_positions *gc_run_positions(const struct gc_run *run);
/* Is a partition halted? Then why, of the first one. */
bool gc_run_is_halted(const struct gc_run *run, struct gc_err *ret_why);
/* How long ago the slowest worker's loop has turned. */
int64_t gc_run_silent_us(const struct gc_run *run);
/* How long records have been waiting for a worker that commits none; 0 when all is well. */
int64_t gc_run_stalled_us(const struct gc_run *run);
/* Every worker holds what the group gave it. */
bool gc_run_is_joined(const struct gc_run *run);
/* Drains the workers, at most run.shutdown_timeout, and ends the run. The first failure of a worker is returned. */
enum gc_verdict gc_run_stop(struct gc_run *run, struct gc_run_summary *ret_summary, struct gc_err *err);

#endif
