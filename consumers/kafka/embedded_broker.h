/* Embedded broker: librdkafka's mock cluster on a port of 127.0.0.1, for the sandbox and the tests.
 *
 * It keeps 5 MiB (or 100,000 produce requests) a partition and then drops the oldest silently. Who fills it must stay close
 * to who reads it: see struct gc_throttle.
 * It knows no topic deletion, no access control, no admin requests; a topic asked for by name is created with 4 partitions.
 * Threads: its own. The handle belongs to the thread that started it.
 */
#ifndef GRACECUBE_BROKER_H
#define GRACECUBE_BROKER_H

#include <gracecube/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How far a publisher may be ahead of the reader in one partition. */
#define GC_BROKER_AHEAD_BYTES ((size_t)2 << 20)

struct gc_broker;

/* partitions: of topics made by gc_broker_create_topics(). */
enum gc_verdict gc_broker_start(int partitions, struct gc_broker **ret_broker, struct gc_err *err) GC_MUST_CHECK;
/* "127.0.0.1:41234", for kafka.brokers; lives as long as the broker. */
const char *gc_broker_bootstrap(const struct gc_broker *broker);
/* Topics that are there already are left as they are. */
enum gc_verdict gc_broker_create_topics(struct gc_broker *broker, const char *const *topics, size_t count,
					struct gc_err *err) GC_MUST_CHECK;
/* Closes all connections; what the topics held is gone. NULL is allowed. Stop clients first. */
void gc_broker_stop(struct gc_broker *broker);

/* Holds a producer back, so that nothing is dropped unread: at most GC_BROKER_AHEAD_BYTES a partition are sent and not yet
 * read. For one producer that is the only one, on topics that were empty:
 *
 *     options.may_send = gc_throttle_may_send, options.arg = throttle;
 *
 * position: the reader's next offset, which is at least 0 and must not move before the reader is done with what is below it.
 * It is called in the producer's thread. */
struct gc_throttle;
struct gc_throttle *gc_throttle_new(int64_t (*position)(void *arg, const char *topic, int32_t partition), void *arg);
void gc_throttle_free(struct gc_throttle *throttle);
bool gc_throttle_may_send(void *throttle, const char *topic, int32_t partition, size_t bytes);

#endif
