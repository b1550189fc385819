/* Internal to the consumer: what polling and claiming share.
 *
 * A partition that cannot be read is halted alone: it stays in the assignment, paused, its reason is in the log, the metrics and /readyz,
 * and it is retried; the others go on.
 * Threads: one consumer belongs to one worker.
 */
#ifndef GRACECUBE_CLAIM_H
#define GRACECUBE_CLAIM_H

#include "kafka/consumer.h"

/* How a pipeline asks a consumer. */
extern const struct gc_source_calls gc_consumer_calls;

/* Another worker may own them by now; records fetched from them are discarded. */
void gc_assignments_release(struct gc_consumer *consumer);
/* The same of those on the list alone: what the others have fetched stays, but it is a new generation. */
void gc_assignments_drop(struct gc_consumer *consumer, const rd_kafka_topic_partition_list_t *gone);
/* The records of the assignments that are kept: now_at[i] is where assignment i stands now, GC_GONE that it is not kept. A new
 * generation. */
#define GC_GONE SIZE_MAX
void gc_records_keep(struct gc_consumer *consumer, const size_t *now_at);

/* membership.c: librdkafka's callback; the argument is the consumer. */
void gc_membership_changed(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *partitions, void *opaque);
/* After each poll: whether a member that was given nothing has joined. */
void gc_membership_note(struct gc_consumer *consumer);
/* Reads the partitions of the list from its offsets on, those that are read already too. Where all come and go at once these are all. */
rd_kafka_resp_err_t gc_membership_read(struct gc_consumer *consumer, const rd_kafka_topic_partition_list_t *list);
void gc_pending_forget(struct gc_consumer *consumer);

/* Halts it: librdkafka no longer fetches it, and what still comes is discarded until it is retried. */
void gc_assignment_halt(struct gc_consumer *consumer, struct gc_assignment *assignment, const struct gc_err *why);
/* The limit of the partition is reached, at a record that is not taken; reading goes on there when the limit is raised. */
void gc_assignment_hold(struct gc_consumer *consumer, struct gc_assignment *assignment, int64_t offset, int64_t limit);
/* Reads on what was held and whose limit was raised. */
void gc_assignments_go_on(struct gc_consumer *consumer);
/* A record or an end came from it: it is readable again. */
void gc_assignment_recovered(struct gc_consumer *consumer, struct gc_assignment *assignment);

#endif
