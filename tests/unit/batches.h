/* How tests make batches, and what they find in them. */
#ifndef GRACECUBE_TESTS_BATCHES_H
#define GRACECUBE_TESTS_BATCHES_H

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include <gracecube/batch.h>

#define T0 "\"2026-10-24T01:17:20Z\""
#define T0_US INT64_C(1792804640000000)

static struct gc_arena texts; /* of the messages of one batch */
static struct gc_dimension_cache cache;
static struct gc_batch *batch;
static int64_t next_offset[4];

static inline int set_up(void **state)
{
	(void)state;
	gc_arena_init(&texts);
	gc_dimension_cache_init(&cache, 1000);
	batch = gc_batch_new(&cache, 1 << 20, 64);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	gc_batch_free(batch);
	gc_dimension_cache_done(&cache);
	gc_arena_done(&texts);
	return 0;
}

/* ---- making batches ---- */

static inline void begin_batch(void)
{
	gc_batch_reset(batch);
	gc_arena_reset(&texts, SIZE_MAX);
}

/* Partitions 0 and 1 at offset 0. */
static inline void begin_two_partitions(void)
{
	begin_batch();
	gc_batch_partition(batch, GC_LIT("topic"), 0, 70, 1, 0, NULL);
	gc_batch_partition(batch, GC_LIT("topic"), 1, 71, 1, 0, NULL);
	next_offset[0] = next_offset[1] = 0;
}

static const struct gc_stream *stream_named(const char *name)
{
	const struct gc_stream *stream = gc_stream_find(gc_span_of(name));

	if (!stream)
		fail_msg("there is no stream %s", name);
	return stream;
}

static inline void add(uint32_t partition, int64_t offset, int64_t kafka_us, const char *stream, struct gc_span key,
		       struct gc_span value)
{
	struct gc_message *message = gc_arena_zalloc(&texts, sizeof(*message));

	*message = (struct gc_message){ .topic = GC_LIT("topic"),
					.partition = (int32_t)partition,
					.offset = offset,
					.timestamp_us = kafka_us,
					.key = key,
					.value = value };
	gc_batch_add(batch, partition, stream_named(stream), GC_UNIT_AUTO, message);
}

/* A record on partition 0 with the next offset. */
__attribute__((format(printf, 2, 3))) static inline void add_next(const char *stream, const char *format, ...)
{
	char value[2048];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	add(0, next_offset[0], 1000 + next_offset[0], stream, GC_SPAN_NULL, gc_arena_dup(&texts, gc_span_of(value)));
	next_offset[0]++;
}

static const struct gc_target *target_of(const char *stream)
{
	return stream_named(stream)->targets[0];
}

static inline int column_of(const struct gc_target *target, const char *name)
{
	for (int i = 0; i < target->column_count; i++) {
		if (strcmp(target->columns[i].name, name) == 0)
			return i;
	}
	fail_msg("%s has no column %s", target->name, name);
	return -1;
}

static inline struct gc_span text_in(const struct gc_row *row, const char *column)
{
	const struct gc_value *value = &row->values[column_of(row->target, column)];

	return value->state == GC_VALUE_SET ? value->text : GC_SPAN_NULL;
}

static inline void assert_text(struct gc_span text, const char *wanted)
{
	if (!wanted)
		assert_null(text.ptr);
	else if (!text.ptr || !gc_span_equal(text, gc_span_of(wanted)))
		fail_msg("\"%.*s\" is not \"%s\"", (int)text.len, text.ptr ? text.ptr : "", wanted);
}

static inline void assert_ledger(size_t partition, int64_t applied, int64_t superseded, int64_t dead, int64_t ignored)
{
	struct gc_partition_batch *parts;

	assert_true(partition < gc_batch_partitions(batch, &parts));
	assert_int_equal(parts[partition].applied, applied);
	assert_int_equal(parts[partition].superseded, superseded);
	assert_int_equal(parts[partition].dead, dead);
	assert_int_equal(parts[partition].ignored, ignored);
	assert_int_equal(applied + superseded + dead + ignored, parts[partition].to_offset - parts[partition].from_offset);
}

#endif
