/* Places of records: see include/gracecube/order.h. Threads: no shared state. */
#include <gracecube/order.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a change stands that was sent again without a time: before all that has one, among its like by position. */
#define NO_TIME_US 1

static int64_t max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* ---- sources ---- */

/* Moves the source to the front; the one that was not heard of for the longest makes room. */
static struct gc_source_order *source_of(struct gc_order *order, int64_t source)
{
	struct gc_source_order found = { .source = source };
	size_t i = 0;

	while (i < GC_ORDER_SOURCES - 1 && order->sources[i].source != source)
		i++;
	if (order->sources[i].source == source)
		found = order->sources[i];
	memmove(&order->sources[1], &order->sources[0], i * sizeof(found));
	order->sources[0] = found;
	return &order->sources[0];
}

static bool is_behind(const struct gc_version *version, const struct gc_source_order *source)
{
	return version->at_us > source->at_us || (version->at_us == source->at_us && version->lsn > source->at_lsn);
}

static void note(struct gc_source_order *source, const struct gc_version *version)
{
	source->at_us = version->at_us;
	source->at_lsn = version->lsn;
}

/* The latest change, or what the same statement did to another row: PostgreSQL logs several rows at one position. */
static bool is_latest(const struct gc_version *version, const struct gc_source_order *source)
{
	return version->lsn == source->lsn && version->lsn == source->at_lsn && version->source_us == source->change_us;
}

static void place_change(struct gc_source_order *source, struct gc_version *version)
{
	bool is_new = version->lsn > source->lsn || version->source_us > source->change_us;

	if (!is_new) {
		version->at_us = is_latest(version, source) ? source->at_us
				 : version->source_us > 0   ? version->source_us
							    : NO_TIME_US;
		return;
	}
	source->lsn = max(source->lsn, version->lsn);
	source->change_us = max(source->change_us, version->source_us);
	if (!is_behind(version, source))
		version->at_us = source->at_us + 1;
	note(source, version);
}

static void place_snapshot_row(struct gc_source_order *source, const struct gc_change *change)
{
	const struct gc_version *version = &change->version;

	if (!change->is_incremental && version->lsn < source->lsn && version->at_us > source->change_us)
		source->lsn = source->change_us = 0;
	if (is_behind(version, source))
		note(source, version);
}

/* ---- without a position ---- */

static int64_t hash_of_key(const struct gc_change *change)
{
	int64_t hash = (int64_t)gc_span_hash(change->message->key);

	return hash ? hash : 1;
}

/* Clocks of rows matter where there are only rows. */
static void place_tombstone(struct gc_order *order, struct gc_change *change)
{
	struct gc_version *version = &change->version;

	if (order->deleted_key == hash_of_key(change)) {
		version->at_us = order->deleted_us;
		version->lsn = order->deleted_lsn;
		version->source_us = order->deleted_own_us;
	} else if (order->row_us > 0 && order->sources[0].source == 0) {
		version->at_us = order->row_us = max(version->at_us, order->row_us);
	}
}

static void place_row(struct gc_order *order, struct gc_version *version)
{
	version->at_us = order->row_us = max(version->at_us, order->row_us);
}

/* ---- all of them ---- */

/* Before 2200, and not more than a day ahead of Kafka's time, where there is one. */
static void check_time(struct gc_change *change)
{
	struct gc_version *version = &change->version;

	if (version->source_us < GC_TIME_END_US &&
	    (change->message->timestamp_us <= 0 || version->source_us <= version->kafka_us + GC_DAY_US))
		return;
	change->disbelieved_us = version->source_us;
	version->source_us = 0;
}

void gc_order_place(struct gc_order *order, struct gc_change *change)
{
	struct gc_version *version = &change->version;

	check_time(change);
	version->at_us = gc_version_own_us(version);
	if (change->op == GC_IGNORE)
		return;
	if (change->is_tombstone)
		place_tombstone(order, change);
	else if (version->lsn <= 0)
		place_row(order, version);
	else if (change->is_snapshot)
		place_snapshot_row(source_of(order, change->source), change);
	else
		place_change(source_of(order, change->source), version);
	if (change->op == GC_DELETE && !change->is_tombstone && version->lsn > 0) {
		order->deleted_key = hash_of_key(change);
		order->deleted_us = version->at_us;
		order->deleted_lsn = version->lsn;
		order->deleted_own_us = version->source_us;
	}
}

/* ---- as text ---- */

struct gc_span gc_order_text(const struct gc_order *order, struct gc_arena *arena)
{
	int64_t numbers[GC_ORDER_NUMBERS];
	size_t bytes = 2 + GC_ORDER_NUMBERS * sizeof("-9223372036854775808"), len = 0;
	char *text = gc_arena_alloc(arena, bytes);

	memcpy(numbers, order, sizeof(numbers));
	for (size_t i = 0; i < GC_ORDER_NUMBERS; i++)
		len += (size_t)snprintf(text + len, bytes - len, "%c%lld", i ? ',' : '{', (long long)numbers[i]);
	text[len++] = '}';
	return (struct gc_span){ text, len };
}

struct gc_order gc_order_read(const char *text)
{
	struct gc_order order = { 0 };
	int64_t numbers[GC_ORDER_NUMBERS];
	char *end = NULL;

	for (size_t i = 0; i < GC_ORDER_NUMBERS; i++, text = end) {
		if (*text != (i ? ',' : '{'))
			return order;
		numbers[i] = strtoll(text + 1, &end, 10);
	}
	if (strcmp(text, "}") == 0)
		memcpy(&order, numbers, sizeof(order));
	return order;
}
