/* Records as such. Threads: no shared state. */
#include <gracecube/message.h>

/* Older than all that is known, and still a time: that of a record without one. */
#define NO_TIME_US 1

int64_t gc_message_us(int64_t timestamp_ms)
{
	int64_t us;

	if (timestamp_ms < 0)
		return -1;
	return gc_time_from_epoch(timestamp_ms, GC_UNIT_MS, &us) ? us : INT64_MAX;
}

static bool is_ahead(struct gc_clock *clock, int64_t timestamp_us)
{
	if (timestamp_us <= clock->now_us + GC_DAY_US)
		return false;
	clock->now_us = gc_now_us();
	return timestamp_us > clock->now_us + GC_DAY_US;
}

void gc_clock_read(struct gc_clock *clock, struct gc_message *message)
{
	if (message->offset <= clock->offset)
		clock->latest_us = 0;
	clock->offset = message->offset;
	message->instead_us = 0;
	if (is_ahead(clock, message->timestamp_us))
		message->instead_us = clock->latest_us > 0 ? clock->latest_us : NO_TIME_US;
	else if (message->timestamp_us > clock->latest_us)
		clock->latest_us = message->timestamp_us;
}

uint64_t gc_message_hash(const struct gc_message *message)
{
	uint64_t hash = 31 * gc_span_hash(message->key) + gc_span_hash(message->value) + (uint64_t)message->timestamp_us;

	return hash ? hash : 1;
}
