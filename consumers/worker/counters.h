/* Counters: what a worker has done and what it is doing, for the metrics and for whoever asks whether it is well.
 *
 * Threads: written by the worker alone, read by anybody; see gracecube/metric.h.
 */
#ifndef GRACECUBE_COUNTERS_H
#define GRACECUBE_COUNTERS_H

#include <gracecube/err.h>
#include <gracecube/metric.h>
#include <gracecube/stream.h>

extern const struct gc_buckets gc_delay_buckets, gc_stage_buckets, gc_record_buckets;

/* Why something is done again. Rows of the table in counters.c. */
enum gc_retry_class {
	GC_RETRY_CONNECTION,
	GC_RETRY_CONFLICT,
	GC_RETRY_TIMEOUT,
	GC_RETRY_RESOURCES,
	GC_RETRY_KAFKA,
	GC_RETRY_OTHER,
	GC_RETRY_CLASSES,
};
extern const char *const gc_retry_class_names[];
enum gc_retry_class gc_retry_class_of(const char *code);

/* Why a record is a dead letter: its code, or the class of the SQLSTATE that the database gave. */
#define GC_DEAD_REASONS 16
extern const char *const gc_dead_reasons[GC_DEAD_REASONS];

struct gc_stream_counters {
	_Atomic int64_t applied, superseded, dead, ignored; /* as decided in memory; the ledger in PostgreSQL is the truth */
	struct gc_histogram delay;                          /* Kafka's timestamp → committed */
};

/* Counters of one worker. Times that end in _at_us are monotonic unless they say otherwise. */
struct gc_worker_counters {
	_Atomic int64_t records, batches, rows;
	_Atomic int64_t applied, superseded, dead, ignored;
	_Atomic int64_t poll_us, decode_us, keys_us, apply_us; /* time of each stage; apply holds encoding and the database */
	_Atomic int64_t encode_us;                             /* CPU of this thread inside apply */
	_Atomic int64_t cpu_us;                                /* CPU of this thread */
	_Atomic int64_t retries, fenced, rejected, reconnects, rebalances;
	_Atomic int64_t cache_hits, cache_misses;
	_Atomic int64_t at_end;      /* 1: nothing left to read */
	_Atomic int64_t progress_us; /* monotonic: when it last moved, or saw that there is nothing to do */

	_Atomic int64_t ticked_us;    /* monotonic: when the loop last came by, also while it waits */
	_Atomic int64_t moved_us;     /* monotonic: when it last committed, or had no lag */
	_Atomic int64_t committed_us; /* wall clock: when it last committed, 0 for never */
	_Atomic int64_t lag;          /* records, of all its partitions */
	_Atomic int64_t joined;       /* 1: the group's assignment is held */
	_Atomic int64_t connected;    /* 1: PostgreSQL answers it */
	_Atomic int64_t troubles;     /* errors of brokers, connections and topics that librdkafka deals with itself */
	_Atomic int64_t discarded;    /* records dropped after a rebalance, to be read again by the owner */
	_Atomic int64_t retries_of[GC_RETRY_CLASSES];
	_Atomic int64_t dead_of[GC_DEAD_REASONS];
	struct gc_histogram batch_records, decode, resolve, commit;
	struct gc_stream_counters *streams; /* one for each of gc_streams */
};

void gc_counters_init(struct gc_worker_counters *counters);
void gc_counters_done(struct gc_worker_counters *counters);

struct gc_worker;
struct gc_pipeline;
/* The loop came by. */
void gc_count_tick(struct gc_worker *worker);
/* After polling: what was fetched, and how far Kafka is ahead. */
void gc_count_polled(struct gc_worker *worker);
/* Its batch is committed; called before the positions move. */
void gc_count_committed(struct gc_pipeline *pipeline);
/* It is about to wait and try again. */
void gc_count_retry(struct gc_worker *worker, const struct gc_err *why);

#endif
