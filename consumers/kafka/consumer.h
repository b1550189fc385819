/* Consumer: one worker's membership in the group. Which partitions it holds, where they stand, what has been fetched.
 *
 * The position of a partition is PostgreSQL's, never Kafka's: what the group assigns is claimed in cube.etl_offset first and read from
 * there; Kafka's committed offset follows as a hint for lag tools. A revocation discards what was fetched and not applied: the next owner
 * reads it again from the same position. Whether the group takes all partitions at once or some is membership.c's.
 *
 * A consumer that is apart is no member: it reads the partitions that it is told to, each up to its limit, and commits no offsets.
 * `gracecube rebuild` reads so, beside the members that keep the cube.
 * Threads: one consumer belongs to one worker; librdkafka calls back in the thread that polls.
 */
#ifndef GRACECUBE_CONSUMER_H
#define GRACECUBE_CONSUMER_H

#include "kafka/client.h"
#include "kafka/source.h"

#include <gracecube/config.h>
#include <gracecube/log.h>
#include <gracecube/sink.h>
#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

struct gc_place {
	const char *topic;
	int32_t partition;
};

/* What a consumer reads: topics, as a member of the group; or, where there are any, these partitions, apart. */
struct gc_reading {
	const char *const *topics;
	size_t topic_count;
	const struct gc_place *places;
	size_t place_count;
};

struct gc_consumer {
	struct gc_source source; /* first: its calls find the consumer around it */
	const struct gc_config *config;
	struct gc_positions *positions; /* not its own */
	int index;                      /* the worker's */
	_Atomic int64_t *at_end;        /* the worker's: false as soon as what it holds is taken away */
	char owner[192];                /* host:process:worker */
	rd_kafka_t *rk;
	rd_kafka_topic_partition_list_t *pending; /* assigned by the group, to be claimed */
	bool is_apart;
	bool is_incremental; /* the group gives and takes single partitions: membership.c */
	bool is_kip848;
	int64_t member_since_us; /* monotonic: of a member that was given nothing */
	bool joined;
	bool is_revoked;    /* what it held was taken away, and what it gets is not known yet */
	bool needs_restart; /* a position is out of range, or a seek was refused: see gc_consumer_restart() */
	uint64_t discarded; /* records of a former assignment, or before the position */
	uint64_t rebalances;
	uint64_t troubles;             /* reports of connections, brokers and topics that librdkafka deals with itself */
	struct gc_complaint complaint; /* of these */
	struct gc_kafka_login login;
	int64_t topics_check_us; /* monotonic: when missing topics are looked up again */
	struct gc_err broken;    /* the client cannot be used any more; GC_RETRY: another one may */
};

enum gc_verdict gc_consumer_open(const struct gc_config *config, struct gc_positions *positions, int index,
				 const struct gc_reading *reading, _Atomic int64_t *at_end, struct gc_consumer **ret_consumer,
				 struct gc_err *err) GC_MUST_CHECK;
/* Leaves the group; takes at most four seconds. NULL is allowed. */
void gc_consumer_close(struct gc_consumer *consumer);

/* Fetches what is there, up to run.batch_records and run.batch_bytes; waits at most wait_us, and only when there is nothing. */
void gc_consumer_poll(struct gc_consumer *consumer, int64_t wait_us);
/* The first `count` records are applied. */
void gc_consumer_done(struct gc_consumer *consumer, size_t count);
/* Discards all records, to be read again by whoever owns the partitions then: a new generation. */
void gc_consumer_discard(struct gc_consumer *consumer);

/* Claims what the group has assigned, and starts reading. GC_RETRY leaves it pending. */
enum gc_verdict gc_consumer_claim(struct gc_consumer *consumer, struct gc_pg *pg, struct gc_err *err) GC_MUST_CHECK;
/* Claims what is held once more, after a lost connection or a lost fence. Positions may have moved on (the answer to a COMMIT was
 * lost) or back (a failover): reading starts again at the cube's position. */
enum gc_verdict gc_consumer_reclaim(struct gc_consumer *consumer, struct gc_pg *pg, struct gc_err *err) GC_MUST_CHECK;

/* The same, and reading starts again at the claimed positions in any case: after a lost fence, or when a position was out of range. What
 * retention deleted is counted as lost; a partition of a recreated topic is halted. */
enum gc_verdict gc_consumer_restart(struct gc_consumer *consumer, struct gc_pg *pg, struct gc_err *err) GC_MUST_CHECK;

/* Retries the halted partitions that are due. */
void gc_consumer_retry_halted(struct gc_consumer *consumer, struct gc_pg *pg);

/* Commits the positions to Kafka, for lag tools alone; waits at most wait_us for the answer. Not of what is read apart. */
void gc_consumer_commit_offsets(struct gc_consumer *consumer, int64_t wait_us);
/* While the database is away for long: keeps the membership without fetching. */
void gc_consumer_pause(struct gc_consumer *consumer, bool paused);
bool gc_consumer_is_at_end(const struct gc_consumer *consumer);

#endif
