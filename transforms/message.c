/* Records as such. Threads: pure. */
#include <gracecube/message.h>

uint64_t gc_message_hash(const struct gc_message *message)
{
	uint64_t hash = 31 * gc_span_hash(message->key) + gc_span_hash(message->value) + (uint64_t)message->timestamp_us;

	return hash ? hash : 1;
}
