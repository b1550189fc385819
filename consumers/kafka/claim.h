/* Inside of the consumer: what fetching and claiming share.
 *
 * A partition that cannot be read stands still alone: it keeps its place in the assignment, nothing of it is taken, its reason is shown
 * to whoever asks (log, metrics, /readyz), and it is tried again; the others go on.
 * Threads: one consumer belongs to one worker.
 */
#ifndef GRACECUBE_CLAIM_H
#define GRACECUBE_CLAIM_H

#include "kafka/consumer.h"

/* How a pipeline asks a consumer. */
extern const struct gc_source_calls gc_consumer_calls;

/* Another worker may hold them by now; what was fetched of them is dropped. */
void gc_assignments_release(struct gc_consumer *consumer);
void gc_pending_forget(struct gc_consumer *consumer);
/* rd_kafka_assign(), back when what was read before has stopped. */
rd_kafka_resp_err_t gc_assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list);
void gc_assign_nothing(rd_kafka_t *rk);

/* Nothing of it is taken any more until it is tried again; librdkafka no longer fetches it. */
void gc_assignment_halt(struct gc_consumer *consumer, struct gc_assignment *assignment, const struct gc_err *why);
/* A record or an end has come of it: it is read. */
void gc_assignment_recovered(struct gc_consumer *consumer, struct gc_assignment *assignment);

#endif
