/* Source: the records that were fetched, and the partitions that they are of. Filled by the consumer (consumer.h) from Kafka, and by the
 * property test from a plan; emptied by the pipeline (worker/pipeline.h), which knows of neither.
 *
 * Threads: a source belongs to one worker.
 */
#ifndef GRACECUBE_SOURCE_H
#define GRACECUBE_SOURCE_H

#include "kafka/positions.h"

#include <gracecube/batch.h>

struct gc_stream_counters; /* of the worker */

/* A partition of the assignment that was claimed and is read from the cube's position on. */
struct gc_assignment {
	struct gc_position *position;
	const struct gc_stream *stream;
	enum gc_time_unit unit;
	bool applies_truncate; /* as the stream's configuration says */
	struct gc_clock clock; /* of the records read */
	int32_t partition;
	int64_t offset_id, owner_epoch;
	int64_t next_offset;         /* the next one to be applied */
	int64_t last_hash;           /* of the record before it, as of the claim; 0: not known */
	struct gc_order order;       /* as of next_offset */
	struct gc_version truncated; /* see gc_partition_batch */
	bool verify_previous;        /* read that record first, and compare it */
	bool at_end;                 /* the end was reached once since the claim */
	bool is_drained;             /* the last event from it was its end: there is no lag */
	bool is_out_of_range;        /* Kafka does not have next_offset */
	bool is_paused;              /* halted: see claim.h */
	bool is_held;                /* its limit is reached: nothing is taken until that is raised */
	bool is_refused;             /* halted because of the database: what is fetched of it is not applied either */
	bool is_on_trial;            /* retried after that: it works once a record was applied */
	int64_t retry_us, wait_us;   /* monotonic: when it is retried; the delay before that */
	char rejected_for[32];       /* code of the last record that the database refused */
	int rejections;              /* so many of it in a row for that */
	uint32_t in_batch;           /* index + 1 in the batch under way, 0: not there */
	int64_t end, reached; /* Kafka's end, as far as it is known; the last end of the partition, or limit, that was reached */
	int64_t held_offset;  /* where reading goes on then */
	int64_t oldest_us;    /* see gc_count_polled() */
	struct gc_stream_counters *counters;
};

struct rd_kafka_message_s;

struct gc_record {
	struct rd_kafka_message_s *fetched; /* holds the bytes; NULL where they are somebody else's */
	struct gc_message message;
	uint32_t assignment;
};

struct gc_source;

struct gc_source_calls {
	/* The headers of one of its records, in the arena. Asked for dead letters alone. */
	gc_headers_fn headers;
	/* Halts the partition until it is retried. */
	void (*halt)(struct gc_source *source, struct gc_assignment *assignment, const struct gc_err *why);
	/* A record of it was applied: it works again. */
	void (*recovered)(struct gc_source *source, struct gc_assignment *assignment);
};

struct gc_source {
	const struct gc_source_calls *calls;
	struct gc_assignment *assignments; /* held, claimed and read */
	size_t assignment_count;
	struct gc_record *records; /* fetched, not applied yet, in log order */
	size_t record_count, record_capacity;
	size_t record_bytes;
	/* Raised when fetched records are discarded, by a rebalance or because the position moved: whoever holds indexes into them stops. A
	 * count would not tell: there may be as many other records by then. */
	uint64_t generation;
};

#endif
