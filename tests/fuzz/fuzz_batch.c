/* Fuzzing: any bytes as records of any stream. Nothing may crash, and tests/unit/batch_rules.h must hold of the batch.
 *
 *     cmake -S . -B build-fuzz -DCMAKE_C_COMPILER=clang -DGRACECUBE_TESTS=ON -DGRACECUBE_FUZZ=ON -DGRACECUBE_SANITIZE=address,undefined
 *     cmake --build build-fuzz --target fuzz_batch test_fixtures
 *     CUBE_TEST_BIN=build-fuzz/gracecube tests/fuzz/corpus.py corpus
 *     build-fuzz/tests/fuzz_batch -dict=tests/fuzz/json.dict -max_len=8192 corpus
 *
 * An input is a list of records, each with a head of five bytes: stream; flags; length of the key; length of the value, low
 * byte first. Flags: 1 there is no key, 2 there is no value, 4 the offset leaves a gap, 8 the same for the partition, 0x70 unit
 * of time (of five), 128 a timestamp far ahead. tests/fuzz/corpus.py makes such inputs of the fixtures.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/batch_rules.h"

#define HEAD_BYTES 5
#define RECORDS_MAX 16

static struct gc_dimension_cache cache;
static struct gc_batch *batch;
static size_t stream_count;
static struct gc_clock clocks[2];

struct input {
	const uint8_t *at, *end;
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const declared[] = { "input_sentinel", "action_executor", "hunter" };

	(void)argc;
	(void)argv;
	gc_dimension_cache_init(&cache, 100);
	for (size_t i = 0; i < sizeof(declared) / sizeof(declared[0]); i++)
		gc_dimension_cache_declare_component(&cache, gc_span_of(declared[i]));
	batch = gc_batch_new(&cache, 4096, 64);
	while (gc_streams[stream_count])
		stream_count++;
	return 0;
}

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

static void add_record(struct input *input, struct gc_message *message, int64_t offsets[2])
{
	const uint8_t *head = input->at;
	uint8_t flags = head[1];
	uint32_t partition = flags & 8 ? 1 : 0;

	input->at += HEAD_BYTES;
	message->topic = GC_LIT("t");
	message->partition = (int32_t)partition;
	message->key = take_bytes(input, head[2], flags & 1);
	message->value = take_bytes(input, (size_t)(head[3] | head[4] << 8), flags & 2);
	message->offset = offsets[partition] + (flags & 4 ? 3 : 0);
	message->timestamp_us = flags & 128 ? INT64_MAX - head[0] : INT64_C(1795410138600000) + head[0];
	gc_clock_read(&clocks[partition], message);
	offsets[partition] = message->offset + 1;
	gc_batch_add(batch, partition, gc_streams[head[0] % stream_count], (enum gc_time_unit)((flags >> 4 & 7) % 5), message);
}

/* As gc_pg_resolve() does. */
static void learn_misses(void)
{
	const struct gc_misses *misses = gc_batch_misses(batch);
	int32_t key = 1;

	for (int d = 0; d < GC_DIM_COUNT; d++) {
		for (size_t i = 0; i < misses->member_count[d]; i++)
			gc_dimension_cache_put(&cache, (enum gc_dimension)d, misses->members[d][i], key++);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, data + size };
	struct gc_message messages[RECORDS_MAX];
	int64_t offsets[2] = { 0, 0 };
	const char *broken;
	size_t count = 0;

	memset(messages, 0, sizeof(messages));
	memset(clocks, 0, sizeof(clocks));
	gc_batch_reset(batch);
	for (int p = 0; p < 2; p++)
		gc_batch_partition(batch, GC_LIT("t"), p, 70 + p, 1, 0);
	for (; count < RECORDS_MAX && input.end - input.at >= HEAD_BYTES; count++)
		add_record(&input, &messages[count], offsets);
	gc_batch_coalesce(batch);
	broken = broken_rule(batch);
	if (broken) {
		fprintf(stderr, "%s\n", broken);
		abort();
	}
	learn_misses();
	gc_batch_assign_keys(batch);
	gc_batch_committed(batch);
	for (size_t i = 0; i < count; i++) {
		free((char *)messages[i].key.ptr);
		free((char *)messages[i].value.ptr);
	}
	return 0;
}
