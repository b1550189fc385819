/* Records that a consumer has fetched, as the source of its pipeline; see source.h.
 *
 * Threads: one consumer belongs to one worker.
 */
#include "kafka/claim.h"

#include <gracecube/arena.h>

void gc_consumer_done(struct gc_consumer *c, size_t count)
{
	struct gc_source *source = &c->source;

	if (count == 0)
		return; /* there may be no array yet */
	for (size_t i = 0; i < count; i++) {
		source->record_bytes -= source->records[i].fetched->len + source->records[i].fetched->key_len;
		rd_kafka_message_destroy(source->records[i].fetched);
	}
	memmove(source->records, source->records + count, (source->record_count - count) * sizeof(*source->records));
	source->record_count -= count;
}

void gc_consumer_discard(struct gc_consumer *c)
{
	c->source.generation++;
	gc_consumer_done(c, c->source.record_count);
}

void gc_records_keep(struct gc_consumer *c, const size_t *now_at)
{
	struct gc_source *source = &c->source;
	size_t kept = 0;

	source->generation++;
	for (size_t i = 0; i < source->record_count; i++) {
		struct gc_record record = source->records[i];

		if (now_at[record.assignment] == GC_GONE) {
			source->record_bytes -= record.fetched->len + record.fetched->key_len;
			rd_kafka_message_destroy(record.fetched);
		} else {
			record.assignment = (uint32_t)now_at[record.assignment];
			source->records[kept++] = record;
		}
	}
	source->record_count = kept;
}

/* ---- the source ---- */

static struct gc_consumer *consumer_of(struct gc_source *source)
{
	return (struct gc_consumer *)source;
}

static size_t read_headers(const struct gc_message *message, struct gc_arena *arena, const struct gc_header **ret_headers)
{
	const struct gc_record *record = (const struct gc_record *)((const char *)message - offsetof(struct gc_record, message));
	rd_kafka_headers_t *headers;
	size_t count;
	struct gc_header *copy;

	if (rd_kafka_message_headers(record->fetched, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	count = rd_kafka_header_cnt(headers);
	copy = gc_arena_alloc(arena, count * sizeof(*copy));
	for (size_t i = 0; i < count; i++) {
		const char *name;
		const void *value;
		size_t length;

		if (rd_kafka_header_get_all(headers, i, &name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR)
			copy[i] = (struct gc_header){ gc_span_of(name), { value, value ? length : 0 } };
	}
	*ret_headers = copy;
	return count;
}

static void halt_assignment(struct gc_source *source, struct gc_assignment *assignment, const struct gc_err *why)
{
	gc_assignment_halt(consumer_of(source), assignment, why);
}

static void assignment_recovered(struct gc_source *source, struct gc_assignment *assignment)
{
	gc_assignment_recovered(consumer_of(source), assignment);
}

const struct gc_source_calls gc_consumer_calls = { read_headers, halt_assignment, assignment_recovered };
