/* Source: what is in hand, the records and the partitions that they are of. Filled by the consumer (consumer.h) from Kafka, and by the
 * property test from a plan; emptied by the pipeline (worker/pipeline.h), which knows of neither.
 *
 * Threads: a source belongs to one worker.
 */
#ifndef GRACECUBE_SOURCE_H
#define GRACECUBE_SOURCE_H

#include "kafka/positions.h"

#include <gracecube/batch.h>

struct gc_stream_counters; /* of the worker */

/* A partition that is held: claimed, and read from where the cube stands. */
struct gc_assignment {
	struct gc_position *position;
	const struct gc_stream *stream;
	enum gc_time_unit unit;
	struct gc_clock clock; /* of the records read */
	int32_t partition;
	int64_t offset_id, owner_epoch;
	int64_t next_offset;       /* the next one to be applied */
	int64_t last_hash;         /* of the record before it, as of the claim; 0: not known */
	bool verify_previous;      /* that record is read first, and must be the same one */
	bool at_end;               /* the end was reached once since the claim */
	bool is_drained;           /* the last that came of it was its end: nothing more may be read now */
	bool is_out_of_range;      /* Kafka has not what is to be read next */
	bool is_paused;            /* nothing of it is taken: see claim.h */
	bool is_refused;           /* shut by the database: what is in hand of it is not applied either */
	bool is_on_trial;          /* tried again after that: it works when a record was applied */
	int64_t retry_us, wait_us; /* monotonic: when it is tried again; how long the wait before that was */
	char rejected_for[32];     /* code of the last record that the database refused */
	int rejections;            /* so many of it in a row for that */
	uint32_t in_batch;         /* index + 1 in the batch under way, 0: not there */
	int64_t end, reached;      /* Kafka's end, as far as it is known; the last end of the partition that was reached */
	int64_t oldest_us;         /* see gc_count_polled() */
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
	/* Nothing of the partition is taken any more until it is tried again. */
	void (*halt)(struct gc_source *source, struct gc_assignment *assignment, const struct gc_err *why);
	/* A record of it was applied: whatever was wrong with it is over. */
	void (*recovered)(struct gc_source *source, struct gc_assignment *assignment);
};

struct gc_source {
	const struct gc_source_calls *calls;
	struct gc_assignment *assignments; /* held, claimed and read */
	size_t assignment_count;
	struct gc_record *records; /* fetched, not applied yet, in log order */
	size_t record_count, record_capacity;
	size_t record_bytes;
	/* Raised when records in hand are taken away, by a rebalance or because the position is another one: whoever counts in them
	 * stops. That there are as many again says nothing: they may be others. */
	uint64_t generation;
};

#endif
