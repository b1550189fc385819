/* The captured records, read once and kept whole. Threads: read only after capture_read(). */
#include "property.h"

#include <stdlib.h>

#include <gracecube/arena.h>

#include "kafka/capture.h"

/* A later state of a row in which Debezium could not read a long text: what is there is to be kept. */
static const char unavailable[] = "__debezium_unavailable_value";

static const struct gc_stream_config *find_stream(const struct gc_config *config, struct gc_span topic)
{
	for (size_t s = 0; s < config->stream_count; s++) {
		for (size_t t = 0; t < config->streams[s].topic_count; t++) {
			if (gc_span_equal(gc_span_of(config->streams[s].topics[t]), topic))
				return &config->streams[s];
		}
	}
	return NULL;
}

static struct gc_span copy_span(struct gc_span span)
{
	char *copy;

	if (!span.ptr)
		return GC_SPAN_NULL;
	copy = gc_malloc(span.len + 1);
	memcpy(copy, span.ptr, span.len);
	copy[span.len] = 0;
	return (struct gc_span){ copy, span.len };
}

static size_t number_of(struct gc_map *map, struct gc_span name)
{
	int64_t number = (int64_t)map->count;

	if (!gc_map_get(map, name, &number))
		gc_map_put(map, name, number);
	return (size_t)number;
}

struct numbers {
	struct gc_map topics, keys;
	size_t unkeyed; /* a record without a key has nothing to be in order with */
};

static size_t key_of(struct numbers *numbers, const struct gc_message *message)
{
	struct gc_arena arena;
	size_t key;

	gc_arena_init(&arena);
	if (message->key.ptr)
		key = number_of(&numbers->keys, gc_arena_printf(&arena, "%.*s\n%.*s", (int)message->topic.len, message->topic.ptr,
								(int)message->key.len, message->key.ptr));
	else
		key = number_of(&numbers->keys, gc_arena_printf(&arena, "%zu", numbers->unkeyed++));
	gc_arena_done(&arena);
	return key;
}

/* Takes the texts of the message. */
static void add_record(struct capture *capture, struct numbers *numbers, const struct gc_stream_config *stream,
		       struct gc_message message)
{
	struct record *record;

	if ((capture->count & (capture->count - 1)) == 0)
		capture->records = gc_realloc(capture->records,
					      (capture->count ? capture->count * 2 : 1) * sizeof(*capture->records));
	record = &capture->records[capture->count++];
	*record = (struct record){
		.message = message,
		.stream = gc_stream_find(gc_span_of(stream->name)),
		.unit = stream->time_unit,
		.topic = number_of(&numbers->topics, message.topic),
		.key = key_of(numbers, &message),
		.behind = NO_RECORD,
	};
}

static enum gc_verdict read_file(const struct gc_config *config, const char *path, struct capture *capture, struct numbers *numbers,
				 struct gc_err *err)
{
	struct gc_capture *file;
	const struct gc_message *message;
	enum gc_verdict verdict = gc_capture_open(path, &file, err);

	if (verdict != GC_OK)
		return verdict;
	for (;;) {
		const struct gc_stream_config *stream;

		verdict = gc_capture_next(file, &message, err);
		if (verdict != GC_OK || !message)
			break;
		stream = find_stream(config, message->topic);
		if (stream)
			add_record(capture, numbers, stream,
				   (struct gc_message){ .topic = copy_span(message->topic),
							.timestamp_us = message->timestamp_us,
							.key = copy_span(message->key),
							.value = copy_span(message->value) });
	}
	gc_capture_close(file);
	return verdict;
}

static void add_edges(const struct gc_config *config, struct capture *capture, struct numbers *numbers)
{
	for (size_t i = 0; i < edge_count(); i++) {
		struct edge_record edge = edge_at(i);

		for (size_t s = 0; s < config->stream_count; s++) {
			const struct gc_stream_config *stream = &config->streams[s];

			if (strcmp(stream->name, edge.stream) == 0)
				add_record(capture, numbers, stream,
					   (struct gc_message){ .topic = copy_span(gc_span_of(stream->topics[0])),
								.timestamp_us = edge.timestamp_us,
								.key = edge.key,
								.value = edge.value });
		}
	}
}

/* A counting sort: stable, so records of a key stay in their order. */
static void group_by_key(struct capture *capture)
{
	size_t *next;

	capture->key_begin = gc_calloc(capture->key_count + 1, sizeof(*capture->key_begin));
	capture->by_key = gc_calloc(capture->count, sizeof(*capture->by_key));
	for (size_t i = 0; i < capture->count; i++)
		capture->key_begin[capture->records[i].key + 1]++;
	for (size_t k = 0; k < capture->key_count; k++)
		capture->key_begin[k + 1] += capture->key_begin[k];
	next = gc_calloc(capture->key_count, sizeof(*next));
	for (size_t i = 0; i < capture->count; i++) {
		size_t key = capture->records[i].key;

		capture->by_key[capture->key_begin[key] + next[key]++] = i;
	}
	free(next);
}

static bool contains(struct gc_span text, const char *part)
{
	return text.ptr && memmem(text.ptr, text.len, part, strlen(part));
}

/* A mesh event says itself when it was, and needs none. */
static bool has_position(const struct record *record)
{
	return !record->message.value.ptr || strcmp(record->stream->name, "trigger_events") == 0 ||
	       contains(record->message.value, "\"lsn\"");
}

static bool is_without_position(const struct capture *capture, size_t key)
{
	for (size_t i = capture->key_begin[key]; i < capture->key_begin[key + 1]; i++) {
		if (!has_position(&capture->records[capture->by_key[i]]))
			return true;
	}
	return false;
}

static bool says_as_before(const struct capture *capture, size_t key)
{
	for (size_t i = capture->key_begin[key]; i < capture->key_begin[key + 1]; i++) {
		if (contains(capture->records[capture->by_key[i]].message.value, unavailable))
			return true;
	}
	return false;
}

/* See plan.c for why. */
static void note_order(struct capture *capture)
{
	for (size_t k = 0; k < capture->key_count; k++) {
		bool is_without = is_without_position(capture, k), in_turn = is_without || says_as_before(capture, k);

		for (size_t i = capture->key_begin[k]; i < capture->key_begin[k + 1]; i++) {
			struct record *record = &capture->records[capture->by_key[i]];

			record->comes_once = is_without;
			if (i > capture->key_begin[k] && in_turn)
				record->behind = capture->by_key[i - 1];
		}
	}
}

enum gc_verdict capture_read(const struct gc_config *config, char *const *paths, size_t path_count, bool with_edges,
			     struct capture *ret_capture, struct gc_err *err)
{
	struct capture capture = { .count = 0 };
	struct numbers numbers = { .unkeyed = 0 };
	enum gc_verdict verdict = GC_OK;

	gc_map_init(&numbers.topics);
	gc_map_init(&numbers.keys);
	for (size_t i = 0; i < path_count && verdict == GC_OK; i++)
		verdict = read_file(config, paths[i], &capture, &numbers, err);
	if (with_edges)
		add_edges(config, &capture, &numbers);
	capture.key_count = numbers.keys.count;
	capture.topic_count = numbers.topics.count;
	gc_map_done(&numbers.topics);
	gc_map_done(&numbers.keys);
	if (verdict == GC_OK && capture.count == 0)
		verdict = gc_fail(err, GC_FATAL, "no_record", "capture", "the capture files hold no record of a known stream");
	if (verdict != GC_OK) {
		capture_free(&capture);
		return verdict;
	}
	group_by_key(&capture);
	note_order(&capture);
	*ret_capture = capture;
	return GC_OK;
}

void capture_free(struct capture *capture)
{
	for (size_t i = 0; i < capture->count; i++) {
		free((char *)capture->records[i].message.topic.ptr);
		free((char *)capture->records[i].message.key.ptr);
		free((char *)capture->records[i].message.value.ptr);
	}
	free(capture->records);
	free(capture->by_key);
	free(capture->key_begin);
}
