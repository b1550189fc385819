/* Reading for a rebuild: see cli/rebuild.h.
 *
 * Guarantee: no record is read that the live cube has not read, and the group hears nothing of it. Threads: the main thread, and the workers.
 */
#include <inttypes.h>
#include <stdlib.h>

#include <gracecube/arena.h>
#include <gracecube/log.h>
#include <gracecube/stop.h>
#include <gracecube/time.h>

#include "cli/rebuild.h"
#include "kafka/client.h"

#define FOLLOW_US (100 * 1000)
#define LOOK_US (2 * 1000)
/* Writers of the live cube wait for the last records at most so long; then it is let go, and tried again so often. */
#define HOLD_US GC_SECOND_US
#define MEETINGS_MAX 60
#define PAUSE_US (GC_SECOND_US / 5)

/* ---- what Kafka has ---- */

static bool is_configured(const struct gc_config *config, const char *topic)
{
	for (size_t s = 0; s < config->stream_count; s++) {
		for (size_t t = 0; t < config->streams[s].topic_count; t++) {
			if (strcmp(config->streams[s].topics[t], topic) == 0)
				return true;
		}
	}
	return false;
}

/* Of how many partitions each topic is, once a topic: places come in order. */
static enum gc_verdict ask_topics(rd_kafka_t *rk, const struct gc_rebuild_places *places, struct gc_kafka_topic *of_place,
				  struct gc_err *err)
{
	struct gc_kafka_topic *topics = gc_calloc(places->count + 1, sizeof(*topics));
	size_t count = 0;
	enum gc_verdict verdict;

	for (size_t i = 0; i < places->count; i++) {
		if (i == 0 || strcmp(places->items[i].topic, places->items[i - 1].topic) != 0)
			topics[count++].name = places->items[i].topic;
	}
	verdict = gc_kafka_topics(rk, topics, count, GC_KAFKA_TIMEOUT_US, err);
	for (size_t i = 0, t = 0; verdict == GC_OK && i < places->count; i++) {
		t += i > 0 && strcmp(places->items[i].topic, places->items[i - 1].topic) != 0;
		of_place[i] = topics[t];
	}
	free(topics);
	return verdict;
}

static enum gc_verdict take_mark(struct gc_rebuild_place *place, const struct gc_kafka_watermarks *mark, struct gc_err *err)
{
	if (mark->low < 0)
		return gc_fail(err, GC_RETRY, "watermark", place->topic,
			       "the broker did not tell the first offset of %s[%d]; see whether it has a leader", place->topic,
			       place->partition);
	if (place->live_offset > mark->high)
		return gc_fail(err, GC_FATAL, "topic_recreated", place->topic,
			       "the cube stands at offset %" PRId64 " of %s[%d], but Kafka ends at %" PRId64
			       ": the topic was truncated or made anew, and the cube cannot be made again from it",
			       place->live_offset, place->topic, place->partition, mark->high);
	place->low = mark->low < place->live_offset ? mark->low : place->live_offset;
	return GC_OK;
}

static enum gc_verdict ask_marks(rd_kafka_t *rk, const struct gc_config *config, struct gc_rebuild_places *places,
				 struct gc_err *err)
{
	struct gc_kafka_topic *topics = gc_calloc(places->count + 1, sizeof(*topics));
	struct gc_kafka_watermarks *marks = gc_calloc(places->count + 1, sizeof(*marks));
	size_t *of = gc_calloc(places->count + 1, sizeof(*of)), known = 0;
	enum gc_verdict verdict = ask_topics(rk, places, topics, err);

	for (size_t i = 0; verdict == GC_OK && i < places->count; i++) {
		struct gc_rebuild_place *place = &places->items[i];

		if (place->partition >= topics[i].partitions || !is_configured(config, place->topic))
			continue;
		of[known] = i;
		marks[known++] = (struct gc_kafka_watermarks){ .topic = place->topic, .partition = place->partition };
	}
	if (verdict == GC_OK && known > 0)
		verdict = gc_kafka_watermarks(rk, marks, known, GC_KAFKA_TIMEOUT_US, err);
	for (size_t k = 0; verdict == GC_OK && k < known; k++)
		verdict = take_mark(&places->items[of[k]], &marks[k], err);
	free(of);
	free(marks);
	free(topics);
	return verdict;
}

enum gc_verdict gc_rebuild_ask_kafka(const struct gc_config *config, struct gc_rebuild_places *places, struct gc_err *err)
{
	struct gc_kafka_client *client = NULL;
	enum gc_verdict verdict = gc_kafka_open(config, &client, err);

	if (verdict != GC_OK)
		return verdict;
	verdict = ask_marks(client->rk, config, places, err);
	if (verdict == GC_RETRY)
		verdict = gc_kafka_explain(client, err);
	gc_kafka_close(client);
	return verdict;
}

/* ---- the workers ---- */

void gc_rebuild_reader_init(struct gc_rebuild_reader *reader, struct gc_rebuild *rebuild, enum gc_progress_mode mode)
{
	*reader = (struct gc_rebuild_reader){
		.rebuild = rebuild, .mode = mode, .config = *gc_rebuild_config(rebuild), .started_us = gc_monotonic_us()
	};
}

static void start_reading(struct gc_rebuild_reader *reader)
{
	size_t count = reader->places.count;
	struct gc_place *places = gc_calloc(count + 1, sizeof(*places));
	int64_t *limits = gc_calloc(count + 1, sizeof(*limits));

	for (size_t i = 0; i < count; i++) {
		places[i] = (struct gc_place){ reader->places.items[i].topic, reader->places.items[i].partition };
		limits[i] = reader->places.items[i].live_offset;
	}
	reader->config.run_workers = gc_rebuild_config(reader->rebuild)->run_workers;
	if ((size_t)reader->config.run_workers > count)
		reader->config.run_workers = (int)count;
	if (count > 0)
		reader->run = gc_run_start_apart(&reader->config, places, limits, count);
	free(limits);
	free(places);
}

/* The reason of a worker that has ended. */
enum gc_verdict gc_rebuild_pause(struct gc_rebuild_reader *reader, struct gc_err *err)
{
	struct gc_run_summary summary = { 0 };
	enum gc_verdict verdict = reader->run ? gc_run_stop(reader->run, &summary, err) : GC_OK;

	reader->run = NULL;
	reader->read += summary.records;
	return verdict;
}

void gc_rebuild_reader_done(struct gc_rebuild_reader *reader)
{
	struct gc_err err;

	if (gc_rebuild_pause(reader, &err) != GC_OK)
		gc_debug("a worker had ended", GC_ERR_FIELDS(&err));
	gc_rebuild_places_done(&reader->places);
}

static void add_lost(void *arg, const struct gc_position *position)
{
	*(int64_t *)arg += atomic_load(&position->lost);
}

static enum gc_verdict explain_halt(const struct gc_rebuild_reader *reader, struct gc_err *err)
{
	if (reader->has_files && strcmp(err->code, "topic_recreated") == 0)
		return gc_fail(
			err, GC_FATAL, "other_topic", err->where,
			"the last record that the files have of a partition is another one on the topic %s: they are of another topic, or of one "
			"that was made anew since; `gracecube rebuild --abandon`, then begin again without them",
			err->where);
	return err->verdict;
}

/* What stands still is not waited for: a rebuild is begun again sooner than a cube is kept waiting. */
static enum gc_verdict check_reading(struct gc_rebuild_reader *reader, struct gc_err *err)
{
	enum gc_verdict verdict;
	int64_t lost = 0;

	if (gc_stop_was_asked())
		return gc_fail(err, GC_RETRY, "stopped", "", "stopped by a signal; `gracecube rebuild` goes on where it was");
	if (!reader->run)
		return GC_OK;
	if (gc_run_has_failed(reader->run)) {
		verdict = gc_rebuild_pause(reader, err);
		return verdict != GC_OK ? verdict
					: gc_fail(err, GC_RETRY, "worker", "",
						  "a worker has ended; `gracecube rebuild` goes on where it was");
	}
	if (gc_run_is_halted(reader->run, err))
		return explain_halt(reader, err);
	gc_positions_each(gc_run_positions(reader->run), add_lost, &lost);
	if (lost > 0)
		return gc_fail(err, GC_FATAL, "lost", "",
			       "retention deleted %" PRId64
			       " records before the new cube had read them; let Kafka keep them for longer (retention.ms), then "
			       "`gracecube rebuild --abandon` and begin again",
			       lost);
	return GC_OK;
}

/* ---- capture files ---- */

/* A claim would pass over what is missing, and call it lost. */
static enum gc_verdict check_gaps(struct gc_rebuild_reader *reader, struct gc_err *err)
{
	struct gc_rebuild_places places;
	enum gc_verdict verdict = gc_rebuild_follow(reader->rebuild, &places, err);

	if (verdict != GC_OK)
		return verdict;
	verdict = gc_rebuild_ask_kafka(&reader->config, &places, err);
	for (size_t i = 0; verdict == GC_OK && i < places.count; i++) {
		const struct gc_rebuild_place *place = &places.items[i];

		if (place->low > place->next_offset)
			verdict = gc_fail(
				err, GC_FATAL, "gap", place->topic,
				"the new cube stands at offset %" PRId64 " of %s[%d], and Kafka has it from %" PRId64
				" on; name the capture files that have what is between, or `gracecube rebuild --abandon` and begin again",
				place->next_offset, place->topic, place->partition, place->low);
	}
	gc_rebuild_places_done(&places);
	return verdict;
}

/* Those of which the files have the next record, or ones behind it that Kafka does not have. */
static size_t choose_parts(const struct gc_rebuild_places *places, const struct gc_replay *replay, struct gc_place *parts,
			   int64_t *limits, int64_t *ret_records)
{
	size_t count = 0;

	*ret_records = 0;
	for (size_t i = 0; i < places->count; i++) {
		const struct gc_rebuild_place *place = &places->items[i];
		int64_t first, end, limit = place->live_offset;

		if (!gc_replay_has(replay, place->topic, place->partition, &first, &end) || place->next_offset < first ||
		    place->next_offset >= end)
			continue;
		*ret_records += (end < limit ? end : limit) - place->next_offset;
		parts[count] = (struct gc_place){ place->topic, place->partition };
		limits[count++] = limit;
	}
	return count;
}

static void show_files(void *progress, int64_t applied)
{
	gc_progress_at(progress, applied);
}

static enum gc_verdict apply_files(struct gc_rebuild_reader *reader, const struct gc_rebuild_places *places,
				   struct gc_replay *replay, struct gc_err *err)
{
	struct gc_place *parts = gc_calloc(places->count + 1, sizeof(*parts));
	int64_t *limits = gc_calloc(places->count + 1, sizeof(*limits)), records, applied = 0;
	size_t count = choose_parts(places, replay, parts, limits, &records);
	struct gc_progress progress;
	const struct gc_replay_run run = { &reader->config, parts, limits, count, show_files, &progress };
	enum gc_verdict verdict;

	gc_progress_start(&progress, reader->mode, "rebuild: files", "records", records);
	verdict = gc_replay_apply(replay, &run, &applied, err);
	gc_progress_end(&progress);
	reader->read += applied;
	free(limits);
	free(parts);
	return verdict;
}

enum gc_verdict gc_rebuild_read_files(struct gc_rebuild_reader *reader, struct gc_replay *replay, struct gc_err *err)
{
	struct gc_rebuild_places places;
	enum gc_verdict verdict = GC_OK;

	reader->has_files = replay != NULL;
	if (replay) {
		verdict = gc_rebuild_follow(reader->rebuild, &places, err);
		if (verdict != GC_OK)
			return verdict;
		verdict = apply_files(reader, &places, replay, err);
		gc_rebuild_places_done(&places);
	}
	return verdict == GC_OK ? check_gaps(reader, err) : verdict;
}

/* ---- following ---- */

static bool is_same(const struct gc_rebuild_places *a, const struct gc_rebuild_places *b)
{
	bool same = a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++)
		same = a->items[i].offset_id == b->items[i].offset_id;
	return same;
}

/* How far it may read now; from the begin where there are other partitions than before. */
static enum gc_verdict follow(struct gc_rebuild_reader *reader, struct gc_err *err)
{
	struct gc_rebuild_places places;
	enum gc_verdict verdict = gc_rebuild_follow(reader->rebuild, &places, err);

	if (verdict != GC_OK)
		return verdict;
	if (reader->run && !is_same(&places, &reader->places))
		verdict = gc_rebuild_pause(reader, err);
	gc_rebuild_places_done(&reader->places);
	reader->places = places;
	if (verdict != GC_OK)
		return verdict;
	if (!reader->run)
		start_reading(reader);
	for (size_t i = 0; i < places.count; i++)
		atomic_store(&gc_position_get(gc_run_positions(reader->run), places.items[i].topic, places.items[i].partition)
				      ->limit,
			     places.items[i].live_offset);
	return GC_OK;
}

/* A position that no worker has claimed yet is where the follower found it. */
static int64_t behind(const struct gc_rebuild_reader *reader)
{
	int64_t left = 0;

	for (size_t i = 0; i < reader->places.count; i++) {
		const struct gc_rebuild_place *place = &reader->places.items[i];
		int64_t at = gc_run_position(reader->run, place->topic, place->partition);

		left += place->live_offset - (at > place->next_offset ? at : place->next_offset);
	}
	return left;
}

static enum gc_verdict read_up(struct gc_rebuild_reader *reader, struct gc_progress *progress, struct gc_err *err)
{
	int64_t left = 0, to_read = 0;
	enum gc_verdict verdict;

	do {
		int64_t next_us = gc_monotonic_us() + FOLLOW_US;

		verdict = follow(reader, err);
		left = behind(reader);
		to_read = left > to_read ? left : to_read;
		progress->total = to_read;
		while (verdict == GC_OK && left > 0 && gc_monotonic_us() < next_us) {
			gc_sleep_us(LOOK_US);
			verdict = check_reading(reader, err);
			left = verdict == GC_OK ? behind(reader) : left;
			gc_progress_at(progress, to_read - left);
		}
	} while (verdict == GC_OK && left > 0);
	return verdict;
}

enum gc_verdict gc_rebuild_read(struct gc_rebuild_reader *reader, struct gc_err *err)
{
	struct gc_progress progress;
	enum gc_verdict verdict;

	gc_progress_start(&progress, reader->mode, "rebuild", "records", 0);
	verdict = read_up(reader, &progress, err);
	gc_progress_end(&progress);
	return verdict;
}

/* ---- meeting ---- */

static enum gc_verdict read_last(struct gc_rebuild_reader *reader, bool *ret_met, struct gc_err *err)
{
	int64_t until_us = gc_monotonic_us() + HOLD_US;
	enum gc_verdict verdict = follow(reader, err);

	while (verdict == GC_OK && behind(reader) > 0 && gc_monotonic_us() < until_us) {
		gc_sleep_us(LOOK_US);
		verdict = check_reading(reader, err);
	}
	*ret_met = verdict == GC_OK && behind(reader) == 0;
	return verdict;
}

static enum gc_verdict meet_once(struct gc_rebuild_reader *reader, bool *ret_met, struct gc_err *err)
{
	enum gc_verdict verdict = gc_rebuild_hold(reader->rebuild, err);

	*ret_met = false;
	if (verdict == GC_OK)
		verdict = read_last(reader, ret_met, err);
	if (!*ret_met)
		gc_rebuild_let_go(reader->rebuild);
	return verdict;
}

/* Why the two did not meet, the last time that it was tried. */
static enum gc_verdict explain_apart(enum gc_verdict verdict, struct gc_err *err)
{
	if (verdict == GC_OK)
		return gc_fail(
			err, GC_RETRY, "busy", "",
			"the new cube could not come to where the live one stands within a second; try again when there is less traffic");
	if (strcmp(err->code, "55P03") == 0)
		return gc_fail(
			err, GC_RETRY, "busy", "",
			"batches of the live cube take longer than the half a second that a rebuild waits for one, or somebody "
			"has left a transaction open; try again when there is less traffic");
	return verdict;
}

enum gc_verdict gc_rebuild_meet(struct gc_rebuild_reader *reader, struct gc_err *err)
{
	bool has_met = false;
	enum gc_verdict verdict = GC_OK;

	for (int i = 0; i < MEETINGS_MAX && !has_met; i++) {
		verdict = gc_rebuild_read(reader, err);
		if (verdict != GC_OK)
			return verdict;
		verdict = meet_once(reader, &has_met, err);
		if (verdict != GC_OK && (verdict != GC_RETRY || strcmp(err->code, "stopped") == 0 || !reader->run))
			return verdict;
		if (!has_met)
			gc_sleep_us(PAUSE_US);
	}
	return has_met ? GC_OK : explain_apart(verdict, err);
}
