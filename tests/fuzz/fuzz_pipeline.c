/* Fuzzing: any bytes as records of any stream, through the pipeline of the program (worker/pipeline.h) up to where a database is needed: fill,
 * resolve, keys. Nothing may crash, and tests/unit/batch_rules.h must hold of every batch: of the whole, of the same again with what it had
 * missed, of halves, and of records that become dead letters unread.
 *
 *     cmake -S . -B build-fuzz -DCMAKE_C_COMPILER=clang -DGRACECUBE_TESTS=ON -DGRACECUBE_FUZZ=ON -DGRACECUBE_SANITIZE=address,undefined
 *     cmake --build build-fuzz --target fuzz_pipeline
 *     tests/fuzz/corpus.py corpus && build-fuzz/tests/fuzz_pipeline -dict=tests/fuzz/json.dict -max_len=8192 corpus
 *
 * An input is a list of records, each with a head of five bytes: stream and what befalls the record; flags; length of the key; length of the
 * value, low byte first. The first byte is stream + streams × (0 nothing, 1 it is applied already, 2 its partition stands still). Flags: 1
 * there is no key, 2 there is no value, 4 the offset leaves a gap, 8 another partition, 0x70 unit of time (of five), 128 a timestamp far ahead.
 * tests/fuzz/corpus.py makes such inputs of the fixtures.
 *
 * What is not here: gc_pipeline_apply() and gc_pipeline_run() talk to PostgreSQL, and a stand-in for it would have to have the cube's merges;
 * the property test drives them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/batch_rules.h"
#include "worker/pipeline.h"

#define HEAD_BYTES 5
#define RECORDS_MAX 16
#define VALUE_BYTES_MAX 4096
#define KEY_BYTES_MAX 64

enum fate { PLAIN, APPLIED, HALTED };

static struct gc_config config;
static struct gc_worker_counters counters;
static struct gc_pipeline pipeline;
static struct gc_source source;
static struct gc_assignment assignments[RECORDS_MAX]; /* at most one a record */
static struct gc_record records[RECORDS_MAX];
static struct gc_position position = { .topic = (char[]){ "t" } };
static size_t stream_count;

struct input {
	const uint8_t *at, *end;
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the source ---- */

static size_t headers_of(const struct gc_message *message, struct gc_arena *arena, const struct gc_header **ret_headers)
{
	struct gc_header *header = gc_arena_zalloc(arena, sizeof(*header));

	header->name = GC_LIT("h");
	header->value = message->key;
	*ret_headers = header;
	return 1;
}

static void halt(struct gc_source *of, struct gc_assignment *assignment, const struct gc_err *why)
{
	(void)of;
	(void)why;
	assignment->is_refused = true;
}

static void recovered(struct gc_source *of, struct gc_assignment *assignment)
{
	(void)of;
	(void)assignment;
}

static const struct gc_source_calls calls = { headers_of, halt, recovered };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	while (gc_streams[stream_count])
		stream_count++;
	config.limits_value_bytes = VALUE_BYTES_MAX;
	config.limits_key_bytes = KEY_BYTES_MAX;
	config.run_batch_records = RECORDS_MAX;
	source = (struct gc_source){
		.calls = &calls, .assignments = assignments, .records = records, .record_capacity = RECORDS_MAX
	};
	gc_counters_init(&counters);
	gc_pipeline_init(&pipeline, &config, &source, &counters, 100000);
	return 0;
}

/* A partition has one stream and one unit of time. */
static uint32_t assignment_of(const struct gc_stream *stream, int32_t partition, enum gc_time_unit unit)
{
	size_t i = 0;

	while (i < source.assignment_count &&
	       (assignments[i].stream != stream || assignments[i].partition != partition || assignments[i].unit != unit))
		i++;
	if (i == source.assignment_count) {
		assignments[i] = (struct gc_assignment){ .position = &position,
							 .stream = stream,
							 .unit = unit,
							 .partition = partition,
							 .offset_id = 70 + (int64_t)i,
							 .owner_epoch = 1 };
		source.assignment_count++;
	}
	return (uint32_t)i;
}

/* ---- inputs ---- */

/* Copied to its exact size, so that the sanitizer sees a byte read too far. */
static struct gc_span take_bytes(struct input *input, size_t len, bool is_null)
{
	size_t left = (size_t)(input->end - input->at);
	char *copy;

	if (is_null)
		return GC_SPAN_NULL;
	len = len < left ? len : left;
	copy = gc_malloc(len);
	if (len > 0)
		memcpy(copy, input->at, len);
	input->at += len;
	return (struct gc_span){ copy, len };
}

static void take_record(struct input *input, int64_t ends[RECORDS_MAX])
{
	const uint8_t *head = input->at;
	uint8_t flags = head[1];
	enum fate fate = (enum fate)(head[0] / stream_count % 3);
	uint32_t at = assignment_of(gc_streams[head[0] % stream_count], flags & 8 ? 1 : 0,
				    (enum gc_time_unit)((flags >> 4 & 7) % 5));
	struct gc_record *record = &records[source.record_count++];

	input->at += HEAD_BYTES;
	*record = (struct gc_record){ .assignment = at };
	record->message.topic = GC_LIT("t");
	record->message.partition = assignments[at].partition;
	record->message.key = take_bytes(input, head[2], flags & 1);
	record->message.value = take_bytes(input, (size_t)(head[3] | head[4] << 8), flags & 2);
	record->message.offset = ends[at] + (flags & 4 ? 3 : 0);
	record->message.timestamp_us = flags & 128 ? INT64_MAX - head[0] : INT64_C(1795410138600000) + head[0];
	gc_clock_read(&assignments[at].clock, &record->message);
	ends[at] = record->message.offset + 1;
	if (fate == APPLIED)
		assignments[at].next_offset = ends[at];
	if (fate == HALTED)
		halt(&source, &assignments[at], NULL);
}

static void take_input(const uint8_t *data, size_t size)
{
	struct input input = { data, data + size };
	int64_t ends[RECORDS_MAX] = { 0 };

	source.record_count = source.assignment_count = 0;
	while (source.record_count < RECORDS_MAX && input.end - input.at >= HEAD_BYTES)
		take_record(&input, ends);
}

static void free_input(void)
{
	for (size_t i = 0; i < source.record_count; i++) {
		free((char *)records[i].message.key.ptr);
		free((char *)records[i].message.value.ptr);
	}
}

/* As a new connection leaves it, so that an input does the same each time. */
static void clear_cache(void)
{
	static const char *const declared[] = { "input_sentinel", "action_executor", "hunter" };

	gc_dimension_cache_clear(&pipeline.cache);
	for (size_t i = 0; i < sizeof(declared) / sizeof(declared[0]); i++)
		gc_dimension_cache_declare_component(&pipeline.cache, gc_span_of(declared[i]));
}

/* ---- steps ---- */

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static size_t fill(size_t from, size_t to, const struct gc_err *reject_reason)
{
	size_t count = gc_pipeline_fill(&pipeline, from, to, reject_reason);
	const char *broken = broken_rule(pipeline.batch);

	insist(!broken, broken);
	return count;
}

/* What gc_pipeline_resolve() would have from the database. */
static void put_misses(void)
{
	const struct gc_misses *misses = gc_batch_misses(pipeline.batch);
	int32_t key = 1;

	for (int d = 0; d < GC_DIM_COUNT; d++) {
		for (size_t i = 0; i < misses->member_count[d]; i++)
			gc_dimension_cache_put(&pipeline.cache, (enum gc_dimension)d, misses->members[d][i], key++);
	}
	for (size_t i = 0; i < misses->partition_count; i++)
		gc_dimension_cache_put_partition(&pipeline.cache, misses->partitions[i].target, misses->partitions[i].month);
	for (size_t i = 0; i < misses->hour_count; i++)
		gc_dimension_cache_put_hour(&pipeline.cache, misses->hours[i]);
}

/* The same records a second time, as after an answer that was lost: nothing is missed any more, and no database is asked. */
static void resolve(size_t count)
{
	struct gc_err err;

	put_misses();
	insist(fill(0, source.record_count, NULL) == count, "the same records are another batch");
	insist(gc_pipeline_resolve(&pipeline, &err) == GC_OK, "resolve fails without a database");
	gc_batch_assign_keys(pipeline.batch);
	gc_batch_committed(pipeline.batch);
}

/* As the pipeline does it when the database refuses the whole: halves, and at last a record unread. */
static void halve(void)
{
	struct gc_err reason;
	size_t middle = source.record_count / 2;

	(void)gc_fail(&reason, GC_REJECT, "22003", "merge", "out of range");
	fill(0, middle, NULL);
	fill(middle, source.record_count, NULL);
	insist(fill(middle, middle + 1, &reason) <= 1, "one record is more than one");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t count;

	clear_cache();
	take_input(data, size);
	count = fill(0, source.record_count, NULL);
	insist(count <= source.record_count, "a batch has more records than there are");
	resolve(count);
	if (source.record_count > 1)
		halve();
	free_input();
	return 0;
}
