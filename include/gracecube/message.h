/* One record as it stood on its topic. The bytes belong to whoever made the message (librdkafka, a capture file). */
#ifndef GRACECUBE_MESSAGE_H
#define GRACECUBE_MESSAGE_H

#include <gracecube/span.h>

struct gc_header {
	struct gc_span name, value; /* a value may be NULL */
};

struct gc_message {
	struct gc_span topic;
	int32_t partition;
	int64_t offset;
	int64_t timestamp_us; /* Kafka's, -1 where there is none */
	struct gc_span key;   /* NULL where there is none */
	struct gc_span value; /* NULL is a tombstone */
	const struct gc_header *headers;
	size_t header_count;
};

/* Tells a record from another one: its time, key and value. Never 0, which stands for "not known". Not for security. */
uint64_t gc_message_hash(const struct gc_message *message);

#endif
