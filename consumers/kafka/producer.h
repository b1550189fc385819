/* Producer: messages to Kafka, byte for byte, each with a known fate.
 *
 *     gc_producer_open → gc_producer_send … → gc_producer_flush → gc_producer_counts → gc_producer_close
 *
 * Idempotent, acks=all. Every message that gc_producer_send() took ends in exactly one of the counts `delivered` and
 * `failed`; one that it refused is in neither and stays the caller's. With a key the partition is the one that Java clients
 * choose (murmur2), without one it is any.
 * Threads: one producer belongs to one thread, the hooks are called in it.
 */
#ifndef GRACECUBE_PRODUCER_H
#define GRACECUBE_PRODUCER_H

#include <gracecube/config.h>
#include <gracecube/err.h>
#include <gracecube/message.h>

struct gc_producer_options {
	const char *topic;                        /* every message goes there; NULL: to its own */
	const char *topic_prefix;                 /* put before the message's topic; NULL: nothing */
	bool keep_partition;                      /* the message's partition, not the key's */
	bool create_topics;                       /* missing ones, by an admin request; else the brokers' own policy decides */
	int32_t partitions;                       /* of topics created here; 0: the brokers' default */
	const struct gc_property *topic_settings; /* of topics created here */
	size_t topic_setting_count;
	int64_t timeout_us; /* how long to wait for brokers, and for a topic; 0: GC_KAFKA_TIMEOUT_US */

	/* Both may be NULL. While may_send says no, gc_producer_send() waits and asks again; once it says yes the message is
	 * sent, so the hook may count it. bytes: about what the record takes in the log. */
	bool (*may_send)(void *arg, const char *topic, int32_t partition, size_t bytes);
	/* True ends every wait. */
	bool (*stopping)(void *arg);
	void *arg;
};

struct gc_producer_counts {
	uint64_t sent;               /* taken by gc_producer_send() */
	uint64_t delivered;          /* acknowledged */
	uint64_t failed;             /* not acknowledged; whether the broker has it is not known after a time-out */
	uint64_t bytes;              /* keys and values of the delivered */
	uint64_t topics;             /* that messages were sent to */
	struct gc_err first_failure; /* why the first of the failed did */
};

struct gc_producer;

/* Contacts nobody yet. Options and cfg must outlive the producer. GC_FATAL: kafka.properties are wrong. */
enum gc_verdict gc_producer_open(const struct gc_config *cfg, const struct gc_producer_options *options,
				 struct gc_producer **ret_producer, struct gc_err *err) GC_MUST_CHECK;
/* NULL is allowed. What is not flushed is dropped, and counted by nobody: flush first. */
void gc_producer_close(struct gc_producer *producer);

/* What gc_producer_send() refuses before it asks Kafka: a topic's name, a timestamp. GC_OK or GC_REJECT. */
enum gc_verdict gc_producer_check(const struct gc_producer_options *options, const struct gc_message *message,
				  struct gc_err *err) GC_MUST_CHECK;
/* Copies and queues. GC_REJECT: this message cannot be published, others can. GC_RETRY: the brokers are away, or code
 * "stopped": the hook said so. GC_FATAL: a topic is missing, a right is, or the producer is broken for good. */
enum gc_verdict gc_producer_send(struct gc_producer *producer, const struct gc_message *message, struct gc_err *err) GC_MUST_CHECK;
/* Takes what has been acknowledged; waits for it at most that long. */
void gc_producer_poll(struct gc_producer *producer, int64_t wait_us);
/* Waits until the fate of all messages is known: at most librdkafka's message.timeout.ms (5 min), or, once the stopping hook
 * says so, `grace_us` longer. What is unknown then is given up and counted as failed. */
void gc_producer_flush(struct gc_producer *producer, int64_t grace_us);
void gc_producer_counts(const struct gc_producer *producer, struct gc_producer_counts *ret_counts);

#endif
