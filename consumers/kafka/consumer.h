/* Consumer: one worker's membership in the group. Which partitions it holds, where they stand, what has been fetched.
 *
 * The position of a partition is PostgreSQL's, never Kafka's: what the group assigns is claimed in cube.etl_offset first and read
 * from there; Kafka's committed offset follows as a hint for lag tools. A revoke drops what was fetched and not applied: the next
 * owner reads it again from the same place.
 * Threads: one consumer belongs to one worker; librdkafka calls back in the thread that polls.
 */
#ifndef GRACECUBE_CONSUMER_H
#define GRACECUBE_CONSUMER_H

#include "kafka/positions.h"

#include <gracecube/config.h>
#include <gracecube/log.h>
#include <gracecube/sink.h>
#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

struct gc_stream_counters; /* of the worker */

struct gc_part {
	struct gc_position *position;
	const struct gc_stream *stream;
	enum gc_time_unit unit;
	struct gc_clock clock; /* of the records read */
	int32_t partition;
	int64_t offset_id, owner_epoch;
	int64_t next_offset;     /* the next one to be applied */
	int64_t last_hash;       /* of the record before it, as of the claim; 0: not known */
	bool has_witness;        /* that record is read first, and must be the same one */
	bool at_end;             /* the end was reached once since the claim */
	bool is_drained;         /* the last that came of it was its end: nothing more may be read now */
	bool is_adrift;          /* Kafka has not what is to be read next */
	bool is_shut;            /* nothing of it is taken: see claim.h */
	bool is_refused;         /* shut by the database: what is in hand of it is not applied either */
	bool is_on_trial;        /* tried again after that: it works when a record was applied */
	int64_t try_us, wait_us; /* monotonic: when it is tried again; how long the wait before that was */
	char rejected_for[32];   /* code of the last record that the database refused */
	int rejections;          /* so many of it in a row for that */
	uint32_t in_batch;       /* index + 1 in the batch under way, 0: not there */
	int64_t end, reached;    /* Kafka's end, as far as it is known; the last end of the partition that was reached */
	int64_t oldest_us;       /* see gc_count_gathered() */
	struct gc_stream_counters *counters;
};

struct gc_record {
	rd_kafka_message_t *fetched;
	struct gc_message message; /* points into it */
	uint32_t part;
};

struct gc_consumer {
	const struct gc_config *config;
	struct gc_positions *positions; /* not its own */
	int index;                      /* the worker's */
	char owner[192];                /* host:process:worker */
	rd_kafka_t *rk;
	struct gc_part *parts; /* held, claimed and read */
	size_t part_count;
	rd_kafka_topic_partition_list_t *pending; /* assigned by the group, to be claimed */
	bool joined;
	bool is_revoked; /* what it held was taken away, and what it gets is not known yet */
	bool is_adrift;  /* of one partition Kafka has not (or no more) what is to be read next: see gc_consumer_restart() */
	struct gc_record *records; /* fetched, not applied yet, in log order */
	size_t record_count, record_capacity;
	size_t record_bytes;
	uint64_t stale; /* records of a former assignment or below the position: dropped */
	uint64_t rebalances;
	uint64_t troubles;             /* reports of connections, brokers and topics that librdkafka deals with itself */
	struct gc_complaint complaint; /* of these */
	int64_t look_us;               /* monotonic: when topics that were not to be seen are looked for again */
	struct gc_err broken;          /* GC_FATAL: the client is of no use any more */
};

enum gc_verdict gc_consumer_open(const struct gc_config *config, struct gc_positions *positions, int index,
				 const char *const *topics, size_t topic_count, struct gc_consumer **ret_consumer,
				 struct gc_err *err) GC_MUST_CHECK;
/* Leaves the group; takes at most four seconds. NULL is allowed. */
void gc_consumer_close(struct gc_consumer *consumer);

/* Fetches what is there, up to run.batch_records and run.batch_bytes; waits at most wait_us, and only when there is nothing. */
void gc_consumer_gather(struct gc_consumer *consumer, int64_t wait_us);
/* Forgets the first `count` records, or all. */
void gc_consumer_drop(struct gc_consumer *consumer, size_t count);

/* Claims what the group has assigned, and starts reading. GC_RETRY leaves it pending. */
enum gc_verdict gc_consumer_claim(struct gc_consumer *consumer, struct gc_pg *pg, struct gc_err *err) GC_MUST_CHECK;
/* Claims what is held once more, after a lost connection or a lost fence. Positions may have moved on (the answer to a COMMIT was
 * lost) or back (a failover): reading starts again from where the cube stands. */
enum gc_verdict gc_consumer_reclaim(struct gc_consumer *consumer, struct gc_pg *pg, struct gc_err *err) GC_MUST_CHECK;

/* The same, and reading starts again whatever has moved: after a lost fence, or when adrift. What retention deleted is counted as
 * lost then; a partition whose topic is another one stands still. */
enum gc_verdict gc_consumer_restart(struct gc_consumer *consumer, struct gc_pg *pg, struct gc_err *err) GC_MUST_CHECK;

/* Tries again, now and then, what stands still. */
void gc_consumer_revive(struct gc_consumer *consumer, struct gc_pg *pg);

/* Tells Kafka the positions, as a hint; waits at most so long for its answer. */
void gc_consumer_hint(struct gc_consumer *consumer, int64_t wait_us);
/* While the database is away for long: keeps the membership without fetching. */
void gc_consumer_pause(struct gc_consumer *consumer, bool paused);
bool gc_consumer_is_at_end(const struct gc_consumer *consumer);

#endif
