/* Pipeline: fetched records become commits. fill → resolve → apply → advance the positions; a record that the database rejects is found by
 * bisection.
 *
 * It takes from a source (kafka/source.h) and knows nothing of Kafka; it never waits and never connects: that is retry.h's. The property
 * test drives it step by step, the worker as a whole.
 * Threads: a pipeline belongs to one worker.
 */
#ifndef GRACECUBE_PIPELINE_H
#define GRACECUBE_PIPELINE_H

#include "kafka/source.h"
#include "worker/counters.h"

#include <gracecube/config.h>
#include <gracecube/sink.h>

/* A TRUNCATE that is being applied: the record at a position, as claimed. */
struct gc_emptying {
	int64_t offset_id, owner_epoch, offset;
	char *after;      /* the last key that it has deleted, "" for none; NULL: nothing is being emptied */
	int64_t rows_max; /* of one transaction */
};

struct gc_pipeline {
	const struct gc_config *config;
	struct gc_source *source;            /* not its own, nor are these two */
	struct gc_worker_counters *counters; /* of the worker */
	struct gc_pg *pg;                    /* NULL while there is no connection */
	struct gc_dimension_cache cache;
	struct gc_batch *batch;
	size_t from, to; /* records of the batch */
	size_t done;     /* records that are done with, of those of the run */
	bool is_halfway; /* a TRUNCATE, which is the record behind these, has deleted some of its rows */
	struct gc_emptying emptying;
	bool is_unread;            /* its records are dead letters that the database rejected, or there are none */
	uint64_t generation;       /* of the source when the run began */
	size_t slice;              /* records of one transaction while run.batch_records is too much; 0: it is not */
	int succeeded, grow_after; /* slices since it was too much; how many make it grow */
	bool links_wait;           /* a mission became known, or nobody has looked yet on this connection: see between.c */
	bool links_may_wait;       /* a batch since somebody looked: a parent of many may have changed */
	uint64_t changed;          /* streams that changed since the last notification: bit i is gc_streams[i] */
	int64_t notified_us;
};

void gc_pipeline_init(struct gc_pipeline *pipeline, const struct gc_config *config, struct gc_source *source,
		      struct gc_worker_counters *counters, int64_t cache_entries);
void gc_pipeline_done(struct gc_pipeline *pipeline);

/* ---- steps of one batch ---- */

/* Decodes the records [from, to), without those that are applied already or whose partition is halted; up to a TRUNCATE that is to be
 * applied, which is a batch of its own: pipeline->to is behind the last one. With `reject_reason` they are not decoded and become dead letters
 * for that reason. Returns how many are in the batch. */
size_t gc_pipeline_fill(struct gc_pipeline *pipeline, size_t from, size_t to, const struct gc_err *reject_reason);
/* Looks up or makes the keys that the caches miss. */
enum gc_verdict gc_pipeline_resolve(struct gc_pipeline *pipeline, struct gc_err *err) GC_MUST_CHECK;
/* One transaction; after GC_OK it is durable, and the positions have moved. */
enum gc_verdict gc_pipeline_apply(struct gc_pipeline *pipeline, struct gc_err *err) GC_MUST_CHECK;

/* ---- all records of the source ---- */

/* The records of the run were discarded meanwhile: the source has another generation. */
bool gc_pipeline_is_void(const struct gc_pipeline *pipeline);
/* The steps, for each batch of [from, to), but not beyond some rows of a TRUNCATE: is_halfway. */
enum gc_verdict gc_pipeline_try(struct gc_pipeline *pipeline, size_t from, size_t to, const struct gc_err *reject_reason,
				struct gc_err *err) GC_MUST_CHECK;

/* How long to go on trying. */
struct gc_retry_policy {
	/* gc_pipeline_try(), again and again as far as it makes sense. GC_OK also when the pipeline has become void. GC_RETRY: it is over,
	 * or it may be too much at once. */
	enum gc_verdict (*attempt)(void *arg, size_t from, size_t to, const struct gc_err *reject_reason, struct gc_err *err);
	bool (*is_over)(void *arg);
	void *arg;
};
/* Applies all records of the source, in as few transactions as the database takes. A record that the database rejects is found by
 * bisection, in log order, and becomes a dead letter when it is alone; its neighbours are applied. When one after another is rejected for
 * the same reason, that is not their fault: their partition is halted. Ends early, with GC_OK, where a TRUNCATE has deleted some of its rows, so
 * that the caller can look around: it is to run again, with the records from pipeline->done on. */
enum gc_verdict gc_pipeline_run(struct gc_pipeline *pipeline, const struct gc_retry_policy *policy,
				struct gc_err *err) GC_MUST_CHECK;

/* Moves the positions over offsets at the end of a partition that no consumer gets. The source must be empty. */
void gc_pipeline_skip_to_ends(struct gc_pipeline *pipeline);
/* Notifies open pages of the streams that have changed, at most once in interval_us. */
void gc_pipeline_notify(struct gc_pipeline *pipeline, int64_t interval_us);

#define GC_NOTIFY_INTERVAL_US (200 * 1000) /* five times a second */

#endif
