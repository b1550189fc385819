/* Batch: see include/gracecube/batch.h. Its arrays and its arena keep their memory over a reset, so in a steady state nothing is allocated.
 * Threads: one batch belongs to one worker.
 */
#include "decode.h"
#include "envelope.h"
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>

#define ARENA_KEEP_BYTES (64u << 20)

struct vector {
	void *items;
	size_t count, capacity;
};

/* Rows of one target. */
struct group {
	const struct gc_target *target;
	struct vector rows; /* struct gc_row * */
	size_t kept;        /* once coalesced: how many of them stay, at the front: see coalesce.c */
	size_t mark;        /* count before the current message */
};

struct gc_batch {
	struct gc_arena arena;
	struct gc_dimension_cache *cache;
	size_t value_bytes_max, key_bytes_max;
	struct group *groups; /* one a target of any stream */
	size_t group_count;
	struct vector partitions;                /* struct gc_partition_batch */
	struct vector dead;                      /* struct gc_dead_letter */
	struct vector issues;                    /* struct gc_issue */
	struct vector links;                     /* struct gc_link */
	struct vector members[GC_DIM_COUNT];     /* struct gc_span */
	struct vector missing_partitions, hours; /* struct gc_missing_partition, int32_t */
	struct vector missions;                  /* struct gc_span: missions with a record in the batch */
	struct vector targets;                   /* const struct gc_target * */
	struct gc_misses misses;
	size_t messages;
	bool introduces_missions, is_truncate;
	struct gc_truncate truncate; /* where it is one */
	gc_headers_fn ask_headers;   /* may be NULL */
};

static void *push(struct vector *vector, size_t item_bytes)
{
	if (vector->count == vector->capacity) {
		vector->capacity = vector->capacity ? vector->capacity * 2 : 64;
		vector->items = gc_realloc(vector->items, vector->capacity * item_bytes);
	}
	return (char *)vector->items + vector->count++ * item_bytes;
}
#define PUSH(vector, type) ((type *)push((vector), sizeof(type)))
#define AT(vector, type, i) (((type *)(vector)->items)[i])

static void add_group(struct gc_batch *batch, const struct gc_target *target)
{
	for (size_t i = 0; i < batch->group_count; i++) {
		if (batch->groups[i].target == target)
			return;
	}
	batch->groups[batch->group_count++].target = target;
}

static size_t count_targets(void)
{
	size_t count = 0;

	for (const struct gc_stream *const *s = gc_streams; *s; s++) {
		for (const struct gc_target *const *t = (*s)->targets; *t; t++)
			count++;
	}
	return count;
}

struct gc_batch *gc_batch_new(struct gc_dimension_cache *cache, int64_t value_bytes_max, int64_t key_bytes_max)
{
	struct gc_batch *batch = gc_calloc(1, sizeof(*batch));

	gc_arena_init(&batch->arena);
	batch->cache = cache;
	batch->value_bytes_max = (size_t)value_bytes_max;
	batch->key_bytes_max = (size_t)key_bytes_max;
	batch->groups = gc_calloc(count_targets(), sizeof(*batch->groups));
	for (const struct gc_stream *const *s = gc_streams; *s; s++) {
		for (const struct gc_target *const *t = (*s)->targets; *t; t++)
			add_group(batch, *t);
	}
	return batch;
}

void gc_batch_ask_headers(struct gc_batch *batch, gc_headers_fn ask)
{
	batch->ask_headers = ask;
}

void gc_batch_free(struct gc_batch *batch)
{
	if (!batch)
		return;
	for (size_t i = 0; i < batch->group_count; i++)
		free(batch->groups[i].rows.items);
	free(batch->groups);
	free(batch->links.items);
	for (int i = 0; i < GC_DIM_COUNT; i++)
		free(batch->members[i].items);
	free(batch->partitions.items);
	free(batch->dead.items);
	free(batch->issues.items);
	free(batch->missing_partitions.items);
	free(batch->hours.items);
	free(batch->missions.items);
	free(batch->targets.items);
	gc_arena_done(&batch->arena);
	free(batch);
}

void gc_batch_reset(struct gc_batch *batch)
{
	for (size_t i = 0; i < batch->group_count; i++)
		batch->groups[i].rows.count = batch->groups[i].kept = 0;
	batch->links.count = 0;
	for (int i = 0; i < GC_DIM_COUNT; i++)
		batch->members[i].count = 0;
	batch->partitions.count = batch->dead.count = batch->issues.count = batch->missing_partitions.count = 0;
	batch->hours.count = batch->missions.count = batch->targets.count = batch->messages = 0;
	batch->introduces_missions = batch->is_truncate = false;
	gc_arena_reset(&batch->arena, ARENA_KEEP_BYTES);
	gc_dimension_cache_trim(batch->cache);
}

uint32_t gc_batch_partition(struct gc_batch *batch, struct gc_span topic, int32_t partition, int64_t offset_id, int64_t owner_epoch,
			    int64_t from_offset, const struct gc_order *order)
{
	*PUSH(&batch->partitions, struct gc_partition_batch) = (struct gc_partition_batch){
		.topic = topic,
		.partition = partition,
		.offset_id = offset_id,
		.owner_epoch = owner_epoch,
		.from_offset = from_offset,
		.to_offset = from_offset,
		.last_kafka_us = -1,
		.order = order ? *order : (struct gc_order){ 0 },
	};
	return (uint32_t)batch->partitions.count - 1;
}

/* A stream that fills a target which it does not list is a bug that its first record shows. */
static struct group *group_of(struct gc_batch *batch, const struct gc_target *target)
{
	for (size_t i = 0; i < batch->group_count; i++) {
		if (batch->groups[i].target == target)
			return &batch->groups[i];
	}
	fprintf(stderr, "gracecube: no stream lists the target %s\n", target->name);
	abort();
}

struct gc_row *gc_batch_put_row(struct gc_batch *batch, const struct gc_target *target, uint32_t partition,
				struct gc_version version, struct gc_span key)
{
	struct gc_row *row = gc_arena_zalloc(&batch->arena, sizeof(*row));
	struct group *group = group_of(batch, target);

	row->values = gc_arena_zalloc(&batch->arena, (size_t)target->column_count * sizeof(*row->values));
	row->target = target;
	row->partition = partition;
	row->version = version;
	row->key = key;
	row->number = group->rows.count;
	gc_row_text(row, 0, key);
	*PUSH(&group->rows, struct gc_row *) = row;
	return row;
}

void gc_batch_put_issue(struct gc_batch *batch, const struct gc_issue *issue)
{
	*PUSH(&batch->issues, struct gc_issue) = *issue;
}

void gc_batch_put_link(struct gc_batch *batch, const char *target, struct gc_span key)
{
	*PUSH(&batch->links, struct gc_link) = (struct gc_link){ target, key };
}

/* The position moves past the message; offsets that hold no record count as ignored. */
static void move_position(struct gc_batch *batch, uint32_t partition, const struct gc_message *message)
{
	struct gc_partition_batch *part = &AT(&batch->partitions, struct gc_partition_batch, partition);

	part->ignored += message->offset - part->to_offset;
	part->to_offset = message->offset + 1;
	if (!message->instead_us && message->timestamp_us > part->last_kafka_us)
		part->last_kafka_us = message->timestamp_us;
	part->last = message;
	batch->messages++;
}

static void put_dead(struct gc_batch *batch, uint32_t partition, const struct gc_stream *stream, const struct gc_message *message,
		     const struct gc_err *err)
{
	struct gc_dead_letter *dead = PUSH(&batch->dead, struct gc_dead_letter);

	*dead = (struct gc_dead_letter){ .partition = partition,
					 .message = message,
					 .stream = stream->name,
					 .headers = message->headers,
					 .header_count = message->header_count };
	if (batch->ask_headers)
		dead->header_count = batch->ask_headers(message, &batch->arena, &dead->headers);
	memcpy(dead->code, err->code, sizeof(dead->code));
	memcpy(dead->where, err->where, sizeof(dead->where));
	dead->reason = gc_arena_dup(&batch->arena, gc_span_of(err->text));
	AT(&batch->partitions, struct gc_partition_batch, partition).dead++;
}

void gc_batch_add_dead(struct gc_batch *batch, uint32_t partition, const struct gc_stream *stream, const struct gc_message *message,
		       const struct gc_err *err)
{
	move_position(batch, partition, message);
	put_dead(batch, partition, stream, message, err);
}

/* What a row needs that the cache does not have. Asked of every row, superseded or not, so that the members of the dimensions do not depend
 * on how records fall into batches. */
static void note_misses(struct gc_batch *batch, const struct gc_row *row)
{
	const struct gc_target *target = row->target;
	int32_t key, hour, month;

	for (int i = 0; i < target->column_count; i++) {
		enum gc_kind kind = target->columns[i].kind;

		if (kind >= GC_COMPONENT && gc_row_has(row, i) &&
		    !gc_dimension_cache_find(batch->cache, (enum gc_dimension)(kind - GC_COMPONENT), row->values[i].text, &key))
			*PUSH(&batch->members[kind - GC_COMPONENT], struct gc_span) = row->values[i].text;
		if (kind == GC_MISSION && target->introduces_missions && gc_row_has(row, i) &&
		    !gc_dimension_cache_has_mission(batch->cache, row->values[i].text)) {
			batch->introduces_missions = true;
			*PUSH(&batch->missions, struct gc_span) = row->values[i].text;
		}
	}
	if (target->created_at < 0 || !gc_row_has(row, target->created_at))
		return;
	hour = (int32_t)(row->values[target->created_at].integer / GC_HOUR_US);
	if (!gc_dimension_cache_has_hour(batch->cache, hour))
		*PUSH(&batch->hours, int32_t) = hour;
	month = gc_time_month(row->values[target->created_at].integer);
	if (!gc_dimension_cache_has_partition(batch->cache, target->name, month))
		*PUSH(&batch->missing_partitions, struct gc_missing_partition) = (struct gc_missing_partition){ target->name,
														month };
}

static void begin_message(struct gc_batch *batch)
{
	for (size_t i = 0; i < batch->group_count; i++)
		batch->groups[i].mark = batch->groups[i].rows.count;
}

/* A refused message leaves nothing behind but its dead letter. */
static void forget_message(struct gc_batch *batch, size_t issues, size_t links)
{
	for (size_t i = 0; i < batch->group_count; i++)
		batch->groups[i].rows.count = batch->groups[i].mark;
	batch->links.count = links;
	batch->issues.count = issues;
}

static void finish_message(struct gc_batch *batch, uint32_t partition, const struct gc_stream *stream)
{
	struct gc_partition_batch *part = &AT(&batch->partitions, struct gc_partition_batch, partition);
	bool any = false;

	for (size_t i = 0; i < batch->group_count; i++) {
		struct group *group = &batch->groups[i];

		for (size_t r = group->mark; r < group->rows.count; r++) {
			struct gc_row *row = AT(&group->rows, struct gc_row *, r);

			/* one row a record stands for it in the ledger: that of the stream's first target, once */
			row->counts_in_ledger = !any && group->target == stream->targets[0];
			any |= row->counts_in_ledger;
			note_misses(batch, row);
		}
	}
	if (any || batch->is_truncate)
		part->applied++;
	else
		part->ignored++;
}

void gc_batch_delete(struct gc_batch *batch, uint32_t partition, const struct gc_stream *stream, const struct gc_version *version,
		     struct gc_span key)
{
	gc_batch_put_row(batch, stream->targets[0], partition, *version, key)->deleted = true;
}

static void note_truncate(struct gc_batch *batch, const struct gc_change *change)
{
	batch->is_truncate = change->op == GC_TRUNCATE;
	batch->truncate = (struct gc_truncate){ change->version, change->source };
}

static bool is_too_large(const struct gc_batch *batch, const struct gc_message *message, struct gc_err *err)
{
	bool is_key;

	if (message->value.len <= batch->value_bytes_max && message->key.len <= batch->value_bytes_max)
		return false;
	is_key = message->value.len <= batch->value_bytes_max;
	gc_fail(err, GC_REJECT, "too_large", is_key ? "key" : "value", "the %s has %zu bytes, more than limits.value_bytes (%zu)",
		is_key ? "key" : "value", is_key ? message->key.len : message->value.len, batch->value_bytes_max);
	return true;
}

bool gc_batch_add(struct gc_batch *batch, uint32_t partition, const struct gc_stream *stream, enum gc_time_unit unit,
		  const struct gc_message *message)
{
	struct gc_change change;
	struct gc_decode decode = { .batch = batch,
				    .arena = &batch->arena,
				    .cache = batch->cache,
				    .stream = stream,
				    .change = &change,
				    .unit = unit,
				    .partition = partition,
				    .key_bytes_max = batch->key_bytes_max };
	size_t issues = batch->issues.count, links = batch->links.count;

	decode.rejected = is_too_large(batch, message, &decode.err) ||
			  gc_envelope_open(message, decode.arena, &change, &decode.err) != GC_OK;
	if (!decode.rejected && change.op == GC_TRUNCATE && batch->messages > 0 &&
	    AT(&batch->partitions, struct gc_partition_batch, partition).applies_truncate)
		return false;
	move_position(batch, partition, message);
	begin_message(batch);
	if (!decode.rejected)
		gc_decode_change(&decode, &change);
	if (!decode.rejected) {
		note_truncate(batch, &change);
		finish_message(batch, partition, decode.stream);
	} else {
		forget_message(batch, issues, links);
		put_dead(batch, partition, decode.stream, message, &decode.err);
	}
	return true;
}

const struct gc_truncate *gc_batch_truncate(const struct gc_batch *batch)
{
	return batch->is_truncate ? &batch->truncate : NULL;
}

static int compare_spans(const void *a, const void *b)
{
	return gc_span_compare(*(const struct gc_span *)a, *(const struct gc_span *)b);
}

static int compare_links(const void *a, const void *b)
{
	const struct gc_link *left = a, *right = b;
	int by_target = strcmp(left->target, right->target);

	return by_target ? by_target : gc_span_compare(left->key, right->key);
}

static int compare_hours(const void *a, const void *b)
{
	int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;

	return (left > right) - (left < right);
}

static int compare_partitions(const void *a, const void *b)
{
	const struct gc_missing_partition *left = a, *right = b;
	int by_target = strcmp(left->target, right->target);

	return by_target ? by_target : compare_hours(&left->month, &right->month);
}

static void sort_unique(struct vector *vector, size_t item_bytes, int (*compare)(const void *, const void *))
{
	char *items = vector->items;
	size_t kept = 0;

	if (vector->count == 0)
		return;
	qsort(items, vector->count, item_bytes, compare);
	for (size_t i = 1; i < vector->count; i++) {
		if (compare(items + kept * item_bytes, items + i * item_bytes) != 0)
			memmove(items + ++kept * item_bytes, items + i * item_bytes, item_bytes);
	}
	vector->count = kept + 1;
}

static void coalesce_group(struct gc_batch *batch, struct group *group)
{
	if (group->rows.count == 0)
		return;
	group->kept = gc_coalesce(batch, group->target, group->rows.items, group->rows.count);
	*PUSH(&batch->targets, const struct gc_target *) = group->target;
}

/* Who locks keys of a fact for a link locks the keys that it writes itself in the same sorted pass: two passes could deadlock with another
 * worker's. */
static bool is_linked(const struct gc_batch *batch, const char *target)
{
	for (size_t i = 0; i < batch->links.count; i++) {
		if (strcmp(AT(&batch->links, struct gc_link, i).target, target) == 0)
			return true;
	}
	return false;
}

static void add_own_keys(struct gc_batch *batch)
{
	for (size_t i = 0; i < batch->group_count; i++) {
		struct group *group = &batch->groups[i];
		bool linked = group->kept > 0 && is_linked(batch, group->target->name);

		for (size_t r = 0; linked && r < group->kept; r++)
			gc_batch_put_link(batch, group->target->name, AT(&group->rows, struct gc_row *, r)->key);
	}
}

static void sort_misses(struct gc_batch *batch)
{
	struct gc_misses *misses = &batch->misses;

	for (int d = 0; d < GC_DIM_COUNT; d++) {
		sort_unique(&batch->members[d], sizeof(struct gc_span), compare_spans);
		misses->members[d] = batch->members[d].items;
		misses->member_count[d] = batch->members[d].count;
	}
	sort_unique(&batch->hours, sizeof(int32_t), compare_hours);
	sort_unique(&batch->missing_partitions, sizeof(struct gc_missing_partition), compare_partitions);
	misses->hours = batch->hours.items;
	misses->hour_count = batch->hours.count;
	misses->partitions = batch->missing_partitions.items;
	misses->partition_count = batch->missing_partitions.count;
}

void gc_batch_coalesce(struct gc_batch *batch)
{
	for (size_t i = 0; i < batch->group_count; i++)
		coalesce_group(batch, &batch->groups[i]);
	sort_unique(&batch->links, sizeof(struct gc_link), compare_links);
	add_own_keys(batch);
	sort_unique(&batch->links, sizeof(struct gc_link), compare_links);
	sort_misses(batch);
	for (size_t i = 0; i < batch->partitions.count; i++) {
		struct gc_partition_batch *part = &AT(&batch->partitions, struct gc_partition_batch, i);

		if (part->last)
			part->last_hash = (int64_t)gc_message_hash(part->last);
	}
}

static void assign_row_keys(struct gc_dimension_cache *cache, struct gc_row *row)
{
	for (int i = 0; i < row->target->column_count; i++) {
		enum gc_kind kind = row->target->columns[i].kind;
		int32_t key = 0;

		if (kind < GC_COMPONENT || row->deleted)
			continue;
		gc_dimension_cache_find(cache, (enum gc_dimension)(kind - GC_COMPONENT), gc_row_get_text(row, i), &key);
		gc_row_integer(row, i, key);
	}
}

void gc_batch_assign_keys(struct gc_batch *batch)
{
	for (size_t i = 0; i < batch->group_count; i++) {
		for (size_t r = 0; r < batch->groups[i].kept; r++)
			assign_row_keys(batch->cache, AT(&batch->groups[i].rows, struct gc_row *, r));
	}
}

void gc_batch_committed(struct gc_batch *batch)
{
	for (size_t i = 0; i < batch->missions.count; i++)
		gc_dimension_cache_put_mission(batch->cache, AT(&batch->missions, struct gc_span, i));
}

size_t gc_batch_message_count(const struct gc_batch *batch)
{
	return batch->messages;
}

size_t gc_batch_partitions(const struct gc_batch *batch, struct gc_partition_batch **ret_partitions)
{
	*ret_partitions = batch->partitions.items;
	return batch->partitions.count;
}

size_t gc_batch_rows(const struct gc_batch *batch, const struct gc_target *target, struct gc_row *const **ret_rows)
{
	for (size_t i = 0; i < batch->group_count; i++) {
		if (batch->groups[i].target == target) {
			*ret_rows = batch->groups[i].rows.items;
			return batch->groups[i].kept;
		}
	}
	return 0;
}

size_t gc_batch_dead_letters(const struct gc_batch *batch, const struct gc_dead_letter **ret_letters)
{
	*ret_letters = batch->dead.items;
	return batch->dead.count;
}

size_t gc_batch_issues(const struct gc_batch *batch, const struct gc_issue **ret_issues)
{
	*ret_issues = batch->issues.items;
	return batch->issues.count;
}

size_t gc_batch_links(const struct gc_batch *batch, const struct gc_link **ret_links)
{
	*ret_links = batch->links.items;
	return batch->links.count;
}

bool gc_batch_introduces_missions(const struct gc_batch *batch)
{
	return batch->introduces_missions;
}

size_t gc_batch_targets(const struct gc_batch *batch, const struct gc_target *const **ret_targets)
{
	*ret_targets = (const struct gc_target *const *)batch->targets.items;
	return batch->targets.count;
}

struct gc_arena *gc_batch_arena(struct gc_batch *batch)
{
	return &batch->arena;
}

struct gc_misses *gc_batch_misses(struct gc_batch *batch)
{
	return &batch->misses;
}
