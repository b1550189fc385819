/* One record as it stood on its topic. The bytes belong to whoever made the message (librdkafka, a capture file). */
#ifndef GRACECUBE_MESSAGE_H
#define GRACECUBE_MESSAGE_H

#include <gracecube/time.h>

struct gc_header {
	struct gc_span name, value; /* a value may be NULL */
};

struct gc_message {
	struct gc_span topic;
	int32_t partition;
	int64_t offset;
	int64_t timestamp_us; /* Kafka's, -1 where there is none */
	int64_t instead_us;   /* what counts in its place where it is not believed, see gc_clock; 0 where it is */
	struct gc_span key;   /* NULL where there is none */
	struct gc_span value; /* NULL is a tombstone */
	const struct gc_header *headers;
	size_t header_count;
};

/* Kafka's milliseconds in microseconds; those beyond 64 bits are the end of the range, those before 1970 are none. */
int64_t gc_message_us(int64_t timestamp_ms);

/* What counts as Kafka's time of the record. */
static inline int64_t gc_message_time(const struct gc_message *message)
{
	return message->instead_us ? message->instead_us : message->timestamp_us;
}

/* The clock of one partition: what its records' timestamps are worth. A producer that sets microseconds where Kafka wants
 * milliseconds is 56,000 years ahead, and no record after it would ever count. A timestamp more than a day ahead of our clock is
 * not believed: the latest one believed before it in the partition stands in its place, so that the offset decides. */
struct gc_clock {
	int64_t latest_us; /* believed so far; 0: none */
	int64_t offset;    /* of the last record seen */
	int64_t now_us;    /* our clock when it was last needed */
};

/* Sets instead_us. Records come in the order of their offsets; from an earlier one on the clock begins anew. */
void gc_clock_read(struct gc_clock *clock, struct gc_message *message);

/* Tells a record from another one: its time, key and value. Never 0, which stands for "not known". Not for security. */
uint64_t gc_message_hash(const struct gc_message *message);

#endif
