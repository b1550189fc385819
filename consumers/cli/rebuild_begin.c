/* How a rebuild begins: see cli/rebuild.h. Threads: the main thread. */
#include <inttypes.h>
#include <stdlib.h>

#include <gracecube/stream.h>

#include "cli/rebuild.h"

/* ---- the streams ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "a, b", in order and each once; empty when none is named. */
static void list_streams(const struct gc_flag_list *names, char ret_list[GC_REBUILD_STREAMS_BYTES])
{
	size_t used = 0;

	ret_list[0] = '\0';
	if (names->count > 0)
		qsort(names->items, names->count, sizeof(*names->items), compare_names);
	for (size_t i = 0; i < names->count && used < GC_REBUILD_STREAMS_BYTES; i++) {
		if (i == 0 || strcmp(names->items[i], names->items[i - 1]) != 0)
			used += (size_t)snprintf(ret_list + used, GC_REBUILD_STREAMS_BYTES - used, "%s%s", used ? ", " : "",
						 names->items[i]);
	}
}

const char *gc_rebuild_wrong_stream(const struct gc_flag_list *names)
{
	for (size_t i = 0; i < names->count; i++) {
		if (!gc_stream_find(gc_span_of(names->items[i])))
			return names->items[i];
	}
	return NULL;
}

static bool is_named(const struct gc_flag_list *names, const char *stream)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->items[i], stream) == 0)
			return true;
	}
	return names->count == 0;
}

/* Marks the places of the other streams. */
static enum gc_verdict choose_places(struct gc_rebuild_places *places, const struct gc_flag_list *names, struct gc_err *err)
{
	for (size_t n = 0; n < names->count; n++) {
		bool is_there = false;

		for (size_t i = 0; i < places->count; i++)
			is_there |= strcmp(places->items[i].stream, names->items[n]) == 0;
		if (!is_there)
			return gc_fail(err, GC_FATAL, "nothing_read", names->items[n],
				       "the cube has read nothing of the stream %s, so there is nothing to read again",
				       names->items[n]);
	}
	for (size_t i = 0; i < places->count; i++)
		places->items[i].is_kept = !is_named(names, places->items[i].stream);
	return GC_OK;
}

/* ---- the begin ---- */

struct sum {
	int64_t records, gone;
	size_t partitions, unread;
};

static struct sum add_up(const struct gc_rebuild_places *places)
{
	struct sum sum = { 0 };

	for (size_t i = 0; i < places->count; i++) {
		const struct gc_rebuild_place *place = &places->items[i];

		if (place->is_kept)
			continue;
		sum.partitions += place->low >= 0;
		sum.unread += place->low < 0;
		if (place->low < 0)
			continue;
		sum.records += place->live_offset - place->low;
		sum.gone += place->low > place->first_offset ? place->low - place->first_offset : 0;
	}
	return sum;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* What Kafka does not have any more, partition by partition. */
static void tell_gone(const struct gc_rebuild_places *places)
{
	char first[GC_OUTPUT_BYTES];

	for (size_t i = 0; i < places->count; i++) {
		const struct gc_rebuild_place *place = &places->items[i];

		if (place->is_kept)
			continue;
		if (place->low < 0)
			printf("  %s[%d] cannot be read: it is not there, or not configured; its rows are kept\n", place->topic,
			       place->partition);
		else if (place->low > place->first_offset)
			printf("  %s[%d] is read from offset %s on; the rows of the %" PRId64 " records before are kept\n",
			       place->topic, place->partition, gc_output_count(place->low, first, sizeof(first)),
			       place->low - place->first_offset);
	}
}

static void tell_begin(struct gc_rebuild_telling *telling, const struct gc_rebuild_places *places, const char *streams)
{
	struct sum sum = add_up(places);
	char number[GC_OUTPUT_BYTES];

	json_object_set_new(telling->answer, "records_gone", json_integer(sum.gone));
	json_object_set_new(telling->answer, "partitions_unread", json_integer((json_int_t)sum.unread));
	if (telling->as_json)
		return;
	printf("rebuild: %s records of %zu partition%s are read again", gc_output_count(sum.records, number, sizeof(number)),
	       sum.partitions, plural(sum.partitions));
	if (*streams)
		printf(", those of %s", streams);
	if (sum.gone == 0 && sum.unread == 0)
		puts("; all that the cube was made of can be read");
	else
		printf("; %s records can not be read any more:\n", gc_output_count(sum.gone, number, sizeof(number)));
	tell_gone(places);
	fflush(stdout);
}

/* What Kafka has lost may be in the files; what it has is read from the files as far as they go. */
static enum gc_verdict use_files(struct gc_rebuild_places *places, const struct gc_replay *replay, struct gc_err *err)
{
	size_t used = 0;

	for (size_t i = 0; i < places->count; i++) {
		struct gc_rebuild_place *place = &places->items[i];
		int64_t first, end;

		if (place->is_kept || place->low < 0 || !gc_replay_has(replay, place->topic, place->partition, &first, &end) ||
		    first > place->low)
			continue;
		if (end < place->low)
			return gc_fail(err, GC_FATAL, "files_end", place->topic,
				       "the files have %s[%d] up to offset %" PRId64 ", and Kafka has it from %" PRId64
				       " on; name the files, too, that have what is between",
				       place->topic, place->partition, end - 1, place->low);
		place->low = first;
		used++;
	}
	return used > 0
		       ? GC_OK
		       : gc_fail(err, GC_FATAL, "no_use", "",
				 "the files begin with no partition that is read again where Kafka does, or sooner: either they are of other "
				 "topics, or Kafka has all that they have; leave them out");
}

static bool can_read(const struct gc_rebuild_places *places)
{
	for (size_t i = 0; i < places->count; i++) {
		if (places->items[i].low >= 0 && !places->items[i].is_kept)
			return true;
	}
	return false;
}

static enum gc_verdict begin(struct gc_rebuild_telling *telling, const struct gc_config *config, struct gc_rebuild *rebuild,
			     const struct gc_rebuild_options *options, const struct gc_replay *replay, const char *streams,
			     struct gc_err *err)
{
	struct gc_rebuild_places places;
	enum gc_verdict verdict = gc_rebuild_live_places(rebuild, &places, err);

	if (verdict != GC_OK)
		return verdict;
	if (places.count == 0)
		verdict =
			gc_fail(err, GC_FATAL, "nothing_read", config->kafka_group_id,
				"the cube has read nothing as the group %s, so there is nothing to read again; see kafka.group_id",
				config->kafka_group_id);
	if (verdict == GC_OK)
		verdict = choose_places(&places, &options->streams, err);
	if (verdict == GC_OK)
		verdict = gc_rebuild_ask_kafka(config, &places, err);
	if (verdict == GC_OK && replay)
		verdict = use_files(&places, replay, err);
	if (verdict == GC_OK && !can_read(&places))
		verdict = gc_fail(err, GC_FATAL, "no_topics", config->kafka_brokers,
				  "none of the topics that %s made of is there, or configured; see streams in the configuration",
				  *streams ? "these streams were" : "the cube was");
	if (verdict == GC_OK)
		tell_begin(telling, &places, streams);
	if (verdict == GC_OK)
		verdict = gc_rebuild_begin(rebuild, &places, streams, err);
	gc_rebuild_places_done(&places);
	return verdict;
}

/* A rebuild goes on with the streams that it was begun with, whether they are named again or not. */
static enum gc_verdict check_same(const struct gc_rebuild_status *status, const char *streams, struct gc_err *err)
{
	if (!*streams || strcmp(status->streams, streams) == 0)
		return GC_OK;
	return gc_fail(err, GC_FATAL, "other_streams", streams,
		       "a rebuild of %s is under way; leave out --stream to go on with it, or `gracecube rebuild --abandon` it",
		       *status->streams ? status->streams : "all streams");
}

static json_t *streams_json(const char *streams)
{
	json_t *list = *streams ? json_array() : json_null();

	for (const char *at = streams; *at; at += strspn(at, ", ")) {
		size_t length = strcspn(at, ",");

		json_array_append_new(list, json_stringn(at, length));
		at += length;
	}
	return list;
}

static void tell_state(const struct gc_rebuild_status *status, bool is_new)
{
	if (!is_new)
		printf("rebuild: goes on%s%s; it was begun at %s UTC\n", *status->streams ? " with " : "", status->streams,
		       status->began_at);
	if (status->kept > 0 && *status->incomplete)
		printf("rebuild: %" PRId64 " facts are kept as they were; not all of these streams can be read again: %s\n",
		       status->kept, status->incomplete);
	else if (status->kept > 0)
		printf("rebuild: %" PRId64 " facts of other streams are kept as they were\n", status->kept);
	fflush(stdout);
}

enum gc_verdict gc_rebuild_begin_or_go_on(struct gc_rebuild_telling *telling, const struct gc_config *config,
					  struct gc_rebuild *rebuild, const struct gc_rebuild_options *options,
					  const struct gc_replay *replay, struct gc_rebuild_status *status, struct gc_err *err)
{
	bool is_new = status->state < GC_REBUILD_BEGUN;
	char streams[GC_REBUILD_STREAMS_BYTES];
	enum gc_verdict verdict = GC_OK;

	if (status->has_old && options->swap)
		return gc_fail(err, GC_FATAL, "old_cube", gc_rebuild_old_schema(rebuild),
			       "the cube before the last swap is still there; drop it first: gracecube rebuild --drop-old");
	list_streams(&options->streams, streams);
	if (is_new)
		verdict = begin(telling, config, rebuild, options, replay, streams, err);
	if (verdict == GC_OK && is_new)
		verdict = gc_rebuild_look(rebuild, status, err);
	if (verdict == GC_OK)
		verdict = check_same(status, streams, err);
	if (verdict == GC_OK)
		json_object_set_new(telling->answer, "streams", streams_json(status->streams));
	if (verdict == GC_OK && !telling->as_json)
		tell_state(status, is_new);
	return verdict;
}
