/* What one seed puts on the partitions: the captured records in another order, some of them twice.
 *
 * Mode A keeps the order within a key, which is what Kafka promises and what Grace's keys are for. Mode B shuffles the versions of a
 * key too: then the source's position (its log position, else its time) decides which one is the newer.
 *
 * What cannot be asked for, because the information is not in the records:
 *   - A tombstone carries no position of its source, only Kafka's timestamp, by which it can be compared with others. So records keep
 *     their timestamps, wherever they go. Two things no reader could tell, and no record here does them: a tombstone in the same
 *     millisecond as the next life of its key; one that is sent again under a new timestamp behind that life, out of order.
 *   - Rows without a position of a source are in the partition's order: they come in it, and once.
 *   - "__debezium_unavailable_value" says "as before", so the versions of such a key come in order: what came before is all that there is.
 *
 * Redeliveries are runs of a partition's earlier records under new offsets, with the Kafka timestamps that they had: as a producer
 * sends again what it has no answer for. Offsets have gaps, as after compaction and transactions.
 *
 * Threads: none shared.
 */
#include "property.h"

#include <math.h>
#include <stdlib.h>

#include <gracecube/arena.h>

#define PARTITIONS_MAX 4
#define RUN_MAX 40

static void shuffle(struct rng *rng, size_t *items, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t j = rng_below(rng, i), kept = items[i - 1];

		items[i - 1] = items[j];
		items[j] = kept;
	}
}

/* ---- the order of all records ---- */

struct sorting {
	int64_t timestamp_us;
	size_t record;
};

static int compare_times(const void *a, const void *b)
{
	const struct sorting *left = a, *right = b;

	if (left->timestamp_us != right->timestamp_us)
		return left->timestamp_us > right->timestamp_us ? 1 : -1;
	return (left->record > right->record) - (left->record < right->record);
}

static void order_as_captured(const struct capture *capture, size_t *order)
{
	struct sorting *sorting = gc_malloc(capture->count * sizeof(*sorting));

	for (size_t i = 0; i < capture->count; i++)
		sorting[i] = (struct sorting){ capture->records[i].message.timestamp_us, i };
	qsort(sorting, capture->count, sizeof(*sorting), compare_times);
	for (size_t i = 0; i < capture->count; i++)
		order[i] = sorting[i].record;
	free(sorting);
}

static void emit(const struct capture *capture, bool *emitted, size_t record, size_t *out, size_t *count)
{
	if (emitted[record])
		return;
	if (capture->records[record].behind != NO_RECORD)
		emit(capture, emitted, capture->records[record].behind, out, count);
	emitted[record] = true;
	out[(*count)++] = record;
}

/* by_key, with the records of each key in any order but for those that must stay behind another. */
static size_t *shuffle_within_keys(const struct capture *capture, struct rng *rng)
{
	size_t *shuffled = gc_malloc(capture->count * sizeof(*shuffled)), *out = gc_malloc(capture->count * sizeof(*out));
	bool *emitted = gc_calloc(capture->count, sizeof(*emitted));

	memcpy(shuffled, capture->by_key, capture->count * sizeof(*shuffled));
	for (size_t k = 0, count = 0; k < capture->key_count; k++) {
		size_t from = capture->key_begin[k], n = capture->key_begin[k + 1] - from;

		shuffle(rng, shuffled + from, n);
		for (size_t i = 0; i < n; i++)
			emit(capture, emitted, shuffled[from + i], out, &count);
	}
	free(shuffled);
	free(emitted);
	return out;
}

/* Places are dealt out at random; those that fell to a key are taken by its records in turn. */
static void order_by_key(const struct capture *capture, const size_t *by_key, struct rng *rng, size_t *order)
{
	size_t *next = gc_calloc(capture->key_count, sizeof(*next));

	for (size_t i = 0; i < capture->count; i++)
		order[i] = i;
	shuffle(rng, order, capture->count);
	for (size_t i = 0; i < capture->count; i++) {
		size_t key = capture->records[order[i]].key;

		order[i] = by_key[capture->key_begin[key] + next[key]++];
	}
	free(next);
}

static void make_order(const struct capture *capture, enum order how, struct rng *rng, size_t *order)
{
	size_t *by_key;

	if (how == ORDER_AS_CAPTURED) {
		order_as_captured(capture, order);
	} else if (how == ORDER_WITHIN_KEY) {
		order_by_key(capture, capture->by_key, rng, order);
	} else {
		by_key = shuffle_within_keys(capture, rng);
		order_by_key(capture, by_key, rng, order);
		free(by_key);
	}
}

/* ---- the partitions ---- */

static void append(struct track *track, const struct record *record, int64_t gap)
{
	struct gc_message *message;

	if (track->count == track->capacity) {
		track->capacity = track->capacity ? track->capacity * 2 : 64;
		track->messages = gc_realloc(track->messages, track->capacity * sizeof(*track->messages));
		track->records = gc_realloc(track->records, track->capacity * sizeof(*track->records));
	}
	track->records[track->count] = record;
	message = &track->messages[track->count++];
	*message = record->message;
	message->partition = track->partition;
	message->offset = track->end_offset + gap;
	track->end_offset = message->offset + 1;
}

static void append_run_again(struct track *track, struct rng *rng)
{
	size_t from = rng_below(rng, track->count), n = 1 + rng_below(rng, RUN_MAX), to = from + n;

	if (to > track->count)
		to = track->count;
	for (size_t i = from; i < to; i++) {
		if (!track->records[i]->comes_once)
			append(track, track->records[i], 0);
	}
}

struct layout {
	int32_t *partitions; /* of each topic */
	size_t *first_track;
	size_t again_once_in; /* 0: never */
	bool has_gaps;
};

static void make_layout(const struct capture *capture, enum order order, struct rng *rng, struct layout *layout, struct plan *plan)
{
	bool plain = order == ORDER_AS_CAPTURED;
	double skew = plain ? 0 : (double)rng_below(rng, 4);

	layout->partitions = gc_calloc(capture->topic_count, sizeof(*layout->partitions));
	layout->first_track = gc_calloc(capture->topic_count, sizeof(*layout->first_track));
	layout->again_once_in = plain ? 0 : 60 + rng_below(rng, 200);
	layout->has_gaps = !plain && rng_once_in(rng, 2);
	plan->tracks = gc_calloc(capture->topic_count * PARTITIONS_MAX, sizeof(*plan->tracks));
	for (size_t t = 0; t < capture->topic_count; t++) {
		layout->first_track[t] = plan->count;
		layout->partitions[t] = plain ? 1 : (int32_t)(1 + rng_below(rng, PARTITIONS_MAX));
		for (int32_t p = 0; p < layout->partitions[t]; p++) {
			struct track *track = &plan->tracks[plan->count++];

			track->partition = p;
			track->low_offset = track->end_offset = plain ? 0 : (int64_t)rng_below(rng, 1000);
			track->weight = pow(10, -skew * rng_unit(rng));
		}
	}
}

static void put(const struct record *record, const struct layout *layout, uint64_t salt, struct rng *rng, struct plan *plan)
{
	struct rng spread = { .state = salt ^ record->key };
	size_t partition = rng_below(&spread, (size_t)layout->partitions[record->topic]);
	struct track *track = &plan->tracks[layout->first_track[record->topic] + partition];

	track->topic = record->message.topic;
	track->stream = record->stream;
	track->unit = record->unit;
	append(track, record, layout->has_gaps && rng_once_in(rng, 50) ? (int64_t)(1 + rng_below(rng, 5)) : 0);
	if (layout->again_once_in && rng_once_in(rng, layout->again_once_in))
		append_run_again(track, rng);
}

/* A partition that no key fell to does not take part. */
static void drop_empty(struct plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->count; i++) {
		if (plan->tracks[i].count > 0)
			plan->tracks[kept++] = plan->tracks[i];
	}
	plan->count = kept;
}

void plan_make(const struct capture *capture, enum order order, uint64_t seed, struct plan *ret_plan)
{
	struct rng rng = { .state = seed * 2 + 1 };
	struct plan plan = { .count = 0 };
	struct layout layout;
	uint64_t salt = rng_next(&rng);
	size_t *records = gc_malloc(capture->count * sizeof(*records));

	make_order(capture, order, &rng, records);
	make_layout(capture, order, &rng, &layout, &plan);
	for (size_t i = 0; i < capture->count; i++)
		put(&capture->records[records[i]], &layout, salt, &rng, &plan);
	drop_empty(&plan);
	for (size_t i = 0; i < plan.count; i++)
		plan.messages += plan.tracks[i].count;
	free(records);
	free(layout.partitions);
	free(layout.first_track);
	*ret_plan = plan;
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		free(plan->tracks[i].messages);
		free(plan->tracks[i].records);
	}
	free(plan->tracks);
}
