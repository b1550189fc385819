/* The batch: coalescing against a model that applies one version after the other, the ledger, links, misses, and the caches.
 *
 * The models of the cube's merge functions are merge() and merge_fact(): a version takes the place of another by
 * gc_version_replaces(). However versions fall into batches, the cube must end the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>
#include <stdlib.h>

#include <gracecube/batch.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LENGTH_MAX 5
#define HISTORY_MAX 12
#define T0 "\"2026-10-24T01:17:20Z\""
#define T0_US INT64_C(1792804640000000)

static struct gc_arena texts; /* of the messages of one batch */
static struct gc_dimension_cache cache;
static struct gc_batch *batch;
static int64_t next_offset[4];

static int set_up(void **state)
{
	(void)state;
	gc_arena_init(&texts);
	gc_dimension_cache_init(&cache, 1000);
	batch = gc_batch_new(&cache, 1 << 20, 64);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gc_batch_free(batch);
	gc_dimension_cache_done(&cache);
	gc_arena_done(&texts);
	return 0;
}

/* ---- making batches ---- */

static void begin_batch(void)
{
	gc_batch_reset(batch);
	gc_arena_reset(&texts, SIZE_MAX);
}

/* Partitions 0 and 1 at offset 0. */
static void begin_two_partitions(void)
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

static void add(uint32_t partition, int64_t offset, int64_t kafka_us, const char *stream, struct gc_span key, struct gc_span value)
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
__attribute__((format(printf, 2, 3))) static void add_next(const char *stream, const char *format, ...)
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

static int column_of(const struct gc_target *target, const char *name)
{
	for (int i = 0; i < target->column_count; i++) {
		if (strcmp(target->columns[i].name, name) == 0)
			return i;
	}
	fail_msg("%s has no column %s", target->name, name);
	return -1;
}

static struct gc_span text_in(const struct gc_row *row, const char *column)
{
	const struct gc_value *value = &row->values[column_of(row->target, column)];

	return value->state == GC_VALUE_SET ? value->text : GC_SPAN_NULL;
}

static void assert_text(struct gc_span text, const char *wanted)
{
	if (!wanted)
		assert_null(text.ptr);
	else if (!text.ptr || !gc_span_equal(text, gc_span_of(wanted)))
		fail_msg("\"%.*s\" is not \"%s\"", (int)text.len, text.ptr ? text.ptr : "", wanted);
}

static void assert_ledger(size_t partition, int64_t applied, int64_t superseded, int64_t dead, int64_t ignored)
{
	struct gc_partition_batch *parts;

	assert_true(partition < gc_batch_partitions(batch, &parts));
	assert_int_equal(parts[partition].applied, applied);
	assert_int_equal(parts[partition].superseded, superseded);
	assert_int_equal(parts[partition].dead, dead);
	assert_int_equal(parts[partition].ignored, ignored);
	assert_int_equal(applied + superseded + dead + ignored, parts[partition].to_offset - parts[partition].from_offset);
}

/* ---- one key: versions, as the source made them ---- */

enum step { INSERT, UPDATE, DELETE, TOMBSTONE };

struct version {
	enum step step;
	int64_t lsn, kafka_us, offset;
	int number; /* the row's content */
};

static void add_version(const struct version *v)
{
	struct gc_span key = GC_LIT("{\"id\":\"k\"}"), value = GC_SPAN_NULL;

	if (v->step == DELETE)
		value = gc_arena_printf(
			&texts,
			"{\"op\":\"d\",\"before\":{\"id\":\"k\",\"created_at\":0,\"status\":\"\"},\"source\":{\"lsn\":%lld}}",
			(long long)v->lsn);
	else if (v->step != TOMBSTONE)
		value = gc_arena_printf(&texts,
					"{\"op\":\"%c\",\"after\":{\"id\":\"k\",\"created_at\":" T0
					",\"status\":\"s%d\"},\"source\":{\"lsn\":%lld}}",
					v->step == INSERT ? 'c' : 'u', v->number, (long long)v->lsn);
	add(0, v->offset, v->kafka_us, "approval_requests", key, value);
}

/* The same without a source: rows that a producer publishes itself. */
static void add_flat_version(const struct version *v)
{
	struct gc_span value = gc_arena_printf(&texts, "{\"id\":\"k\",\"created_at\":" T0 ",\"status\":\"s%d\"}", v->number);

	add(0, v->offset, v->kafka_us, "approval_requests", GC_LIT("k"), v->step == DELETE ? GC_SPAN_NULL : value);
}

/* What the cube knows of a key. */
struct cell {
	bool known, deleted;
	struct gc_version version;
	char status[16];
};

/* A batch of the one partition, from this offset on; what the batches before it said of the order of records is known. */
static struct gc_order order;

static void begin_at(int64_t offset)
{
	begin_batch();
	gc_batch_partition(batch, GC_LIT("topic"), 0, 70, 1, offset, &order);
}

static void coalesce(void)
{
	struct gc_partition_batch *parts;

	gc_batch_coalesce(batch);
	gc_batch_partitions(batch, &parts);
	order = parts[0].order;
}

/* The rule of the merge functions in sinks/sql/code/2_engine/facts.sql. */
static bool merge(struct cell *cell, bool deleted, struct gc_version version, struct gc_span status)
{
	if (cell->known && gc_version_compare(version, cell->version) <= 0)
		return false;
	cell->known = true;
	cell->deleted = deleted;
	cell->version = version;
	memset(cell->status, 0, sizeof(cell->status));
	if (status.len > 0)
		memcpy(cell->status, status.ptr, status.len);
	return true;
}

/* What a coalesced batch does to the cube. */
static void merge_batch(struct cell *cell)
{
	struct gc_row *const *rows;
	size_t count = gc_batch_rows(batch, target_of("approval_requests"), &rows);

	assert_int_equal(count, 1);
	merge(cell, rows[0]->deleted, rows[0]->version, rows[0]->deleted ? GC_SPAN_NULL : text_in(rows[0], "status"));
}

static void assert_same_cell(const struct cell *one, const struct cell *other)
{
	assert_int_equal(one->deleted, other->deleted);
	assert_string_equal(one->status, other->status);
	assert_memory_equal(&one->version, &other->version, sizeof(one->version));
}

/* The n-th order of `count` things. */
static void permute(unsigned n, size_t count, size_t *ret_order)
{
	size_t left[HISTORY_MAX];

	for (size_t i = 0; i < count; i++)
		left[i] = i;
	for (size_t i = 0; i < count; i++) {
		size_t at = n % (count - i);

		n /= (unsigned)(count - i);
		ret_order[i] = left[at];
		memmove(&left[at], &left[at + 1], (count - i - at - 1) * sizeof(left[0]));
	}
}

static unsigned factorial(size_t n)
{
	return n < 2 ? 1 : (unsigned)n * factorial(n - 1);
}

/* ---- coalescing ---- */

static void check_sequence(const struct version *versions, size_t count, bool flat)
{
	void (*add_one)(const struct version *) = flat ? add_flat_version : add_version;
	struct cell one_by_one = { .known = false }, batched = { .known = false };

	order = (struct gc_order){ 0 };
	for (size_t i = 0; i < count; i++) {
		begin_at(versions[i].offset);
		add_one(&versions[i]);
		coalesce();
		merge_batch(&one_by_one);
	}
	order = (struct gc_order){ 0 };
	begin_at(0);
	for (size_t i = 0; i < count; i++)
		add_one(&versions[i]);
	coalesce();
	merge_batch(&batched);
	assert_same_cell(&batched, &one_by_one);
	assert_ledger(0, 1, (int64_t)count - 1, 0, 0);
}

/* Every sequence of insert, update, delete up to five long, its versions in every order. */
static void for_every_sequence(void (*make)(struct version *version, size_t rank), bool flat)
{
	for (size_t count = 1; count <= LENGTH_MAX; count++) {
		unsigned kinds = 1;

		for (size_t i = 0; i < count; i++)
			kinds *= 3;
		for (unsigned permutation = 0; permutation < factorial(count); permutation++) {
			struct version versions[LENGTH_MAX] = { { .lsn = 0 } };
			size_t ranks[LENGTH_MAX];

			permute(permutation, count, ranks);
			for (unsigned kind = 0; kind < kinds; kind++) {
				for (size_t i = 0, k = kind; i < count; i++, k /= 3) {
					versions[i] = (struct version){ .step = (enum step)(k % 3),
									.offset = (int64_t)i,
									.number = (int)i };
					make(&versions[i], ranks[i]);
				}
				check_sequence(versions, count, flat);
			}
		}
	}
}

static void by_position(struct version *version, size_t rank)
{
	version->lsn = 100 + (int64_t)rank;
	version->kafka_us = 5000 - (int64_t)rank; /* to be overruled */
}

static void by_kafka_time(struct version *version, size_t rank)
{
	version->kafka_us = 5000 + (int64_t)rank;
}

/* Two and two at the same time: the offset decides. */
static void by_kafka_time_in_pairs(struct version *version, size_t rank)
{
	version->kafka_us = 5000 + (int64_t)rank / 2;
}

static void sequences_end_as_one_by_one(void **state)
{
	(void)state;
	for_every_sequence(by_position, false);
	for_every_sequence(by_kafka_time, true);
	for_every_sequence(by_kafka_time_in_pairs, true);
}

/* Batches that end where `cuts` has a bit, each merged into the cube. */
static void check_cuts(const struct version *history, size_t count, unsigned cuts, const struct cell *truth)
{
	struct cell cube = { .known = false };
	bool open = false;

	order = (struct gc_order){ 0 };
	for (size_t i = 0; i < count; i++) {
		if (!open)
			begin_at(history[i].offset);
		add_version(&history[i]);
		open = i + 1 < count && !(cuts >> i & 1);
		if (!open) {
			coalesce();
			merge_batch(&cube);
		}
	}
	if (cube.deleted != truth->deleted || strcmp(cube.status, truth->status) != 0)
		fail_msg("cut at %x the row is %s \"%s\"", cuts, cube.deleted ? "deleted" : "there", cube.status);
}

static const struct version made_again[] = {
	{ INSERT, 1, 1001, 0, 1 },    { UPDATE, 2, 1002, 1, 2 }, { DELETE, 3, 1003, 2, 0 },
	{ TOMBSTONE, 3, 1003, 3, 0 }, { INSERT, 5, 1005, 4, 5 }, { UPDATE, 6, 1006, 5, 6 },
};
static const struct version gone_twice[] = {
	{ INSERT, 1, 1001, 0, 1 }, { DELETE, 3, 1003, 1, 0 }, { TOMBSTONE, 3, 1003, 2, 0 },
	{ INSERT, 5, 1005, 3, 5 }, { DELETE, 7, 1007, 4, 0 }, { TOMBSTONE, 7, 1007, 5, 0 },
};
static const struct cell alive = { .deleted = false, .status = "s6" }, gone = { .deleted = true };

/* A history whose records arrive in every order, in batches cut in every way. */
static void order_and_cuts_do_not_matter(void **state)
{
	const struct version *histories[] = { made_again, gone_twice };
	const struct cell *truths[] = { &alive, &gone };

	(void)state;
	for (size_t h = 0; h < COUNT(histories); h++) {
		for (unsigned permutation = 0; permutation < 720; permutation++) {
			struct version arrived[6];
			size_t from[6];

			permute(permutation, 6, from);
			for (size_t i = 0; i < 6; i++) {
				arrived[i] = histories[h][from[i]];
				arrived[i].offset = (int64_t)i;
			}
			for (unsigned cuts = 0; cuts < 32; cuts++)
				check_cuts(arrived, 6, cuts, truths[h]);
		}
	}
}

/* A connector that was killed sends again from somewhere, at later times of Kafka. */
static void redelivery_does_not_matter(void **state)
{
	const struct version *histories[] = { made_again, gone_twice };
	const struct cell *truths[] = { &alive, &gone };

	(void)state;
	for (size_t h = 0; h < COUNT(histories); h++) {
		for (size_t again = 0; again < 6; again++) {
			struct version arrived[HISTORY_MAX];
			size_t count = 6;

			memcpy(arrived, histories[h], 6 * sizeof(arrived[0]));
			for (size_t i = again; i < 6; i++, count++) {
				arrived[count] = histories[h][i];
				arrived[count].kafka_us += 1000;
				arrived[count].offset = (int64_t)count;
			}
			for (unsigned cuts = 0; cuts < 1U << (count - 1); cuts++)
				check_cuts(arrived, count, cuts, truths[h]);
		}
	}
}

static void rows_are_sorted_and_each_key_stands_once(void **state)
{
	struct gc_row *const *rows;
	uint64_t seed = 7;
	size_t count;

	(void)state;
	begin_two_partitions();
	for (int i = 0; i < 500; i++) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		add_next("approval_requests", "{\"id\":\"k%u\",\"created_at\":" T0 "}", (unsigned)(seed >> 33) % 100);
	}
	gc_batch_coalesce(batch);
	count = gc_batch_rows(batch, target_of("approval_requests"), &rows);
	assert_in_range(count, 90, 100);
	for (size_t i = 1; i < count; i++)
		assert_true(gc_span_compare(rows[i - 1]->key, rows[i]->key) < 0);
	assert_ledger(0, (int64_t)count, 500 - (int64_t)count, 0, 0);
}

static void histories_keep_every_version(void **state)
{
	const struct gc_target *target = target_of("tier_policies");
	struct gc_row *const *rows;

	(void)state;
	assert_true(target->keep_versions);
	begin_two_partitions();
	add_next("tier_policies", "{\"tier_code\":\"tier_2\",\"tier_name\":\"T\",\"__lsn\":8}");
	add_next("tier_policies", "{\"tier_code\":\"tier_2\",\"tier_name\":\"T\",\"__lsn\":9}");
	add_next("tier_policies", "{\"tier_code\":\"tier_1\",\"tier_name\":\"T\",\"__lsn\":5}");
	add_next("tier_policies", "{\"tier_code\":\"tier_2\",\"tier_name\":\"T\",\"__lsn\":7}");
	add_next("tier_policies", "{\"tier_code\":\"tier_2\",\"tier_name\":\"T\",\"__lsn\":8}");
	gc_batch_coalesce(batch);
	assert_int_equal(gc_batch_rows(batch, target, &rows), 5);
	assert_text(rows[0]->key, "tier_1");
	assert_int_equal(rows[1]->version.lsn, 8); /* those of a key as they came */
	assert_int_equal(rows[2]->version.lsn, 9);
	assert_int_equal(rows[3]->version.lsn, 7);
	assert_int_equal(rows[4]->version.lsn, 8);
	assert_ledger(0, 5, 0, 0, 0);
}

/* ---- what a version takes over from the one before ---- */

#define UNAVAILABLE "__debezium_unavailable_value"

/* A version with two columns that may be left out. */
struct change {
	bool deleted;
	int64_t lsn;
	const char *reason, *decision;
};

/* What the cube has of a key. */
struct fact {
	bool known, deleted;
	struct gc_version version;
	char reason[40], decision[40];
};

static void add_change(const struct change *c)
{
	if (c->deleted)
		add_next("approval_requests", "{\"id\":\"k\",\"__deleted\":\"true\",\"__lsn\":%lld}", (long long)c->lsn);
	else
		add_next("approval_requests",
			 "{\"id\":\"k\",\"created_at\":" T0 ",\"reason\":\"%s\",\"decision_reason\":\"%s\",\"__lsn\":%lld}",
			 c->reason, c->decision, (long long)c->lsn);
}

/* As step 4 of the merge: what was left out is as it was, and nothing where nothing was. */
static void merge_text(char *kept, struct gc_span text, bool was_there)
{
	if (!gc_span_equal(text, GC_LIT(UNAVAILABLE)))
		snprintf(kept, 40, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
	else if (!was_there)
		*kept = '\0';
}

static void merge_fact(struct fact *fact, const struct gc_row *row)
{
	bool was_there = fact->known && !fact->deleted;

	if (fact->known && gc_version_compare(row->version, fact->version) <= 0)
		return;
	fact->known = true;
	fact->deleted = row->deleted;
	fact->version = row->version;
	merge_text(fact->reason, row->deleted ? GC_SPAN_NULL : text_in(row, "action_description"), was_there);
	merge_text(fact->decision, row->deleted ? GC_SPAN_NULL : text_in(row, "decision_reason"), was_there);
}

/* Merges a batch of these changes round after round; returns how many rows stayed. */
static size_t merge_changes(struct fact *fact, const struct change *changes, size_t count, int64_t offset)
{
	struct gc_row *const *rows;
	size_t kept;

	begin_at(offset);
	next_offset[0] = offset;
	for (size_t i = 0; i < count; i++)
		add_change(&changes[i]);
	coalesce();
	kept = gc_batch_rows(batch, target_of("approval_requests"), &rows);
	for (size_t i = 0; i < kept; i++) {
		assert_int_equal(rows[i]->round, i);
		merge_fact(fact, rows[i]);
	}
	assert_ledger(0, (int64_t)kept, (int64_t)(count - kept), 0, 0);
	return kept;
}

static void assert_same_fact(const struct fact *one, const struct fact *other, unsigned seed)
{
	if (one->deleted != other->deleted || one->version.lsn != other->version.lsn || strcmp(one->reason, other->reason) != 0 ||
	    strcmp(one->decision, other->decision) != 0)
		fail_msg("seed %u: %s, version %lld, \"%s\", \"%s\"; one by one %s, version %lld, \"%s\", \"%s\"", seed,
			 one->deleted ? "deleted" : "there", (long long)one->version.lsn, one->reason, one->decision,
			 other->deleted ? "deleted" : "there", (long long)other->version.lsn, other->reason, other->decision);
}

static unsigned draw(uint64_t *seed, unsigned n)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(*seed >> 33) % n;
}

#define CHANGES_MAX 7

/* Versions in any order, some of them twice, some stale, with texts left out: some are in the cube already, the others come in one batch. */
static void what_is_left_out_is_as_one_by_one(void **state)
{
	static const char *const texts_of[] = { "a", "b", "c", UNAVAILABLE, UNAVAILABLE };

	(void)state;
	for (unsigned n = 1; n <= 30000; n++) {
		struct change changes[CHANGES_MAX];
		struct fact one_by_one = { .known = false }, batched = { .known = false };
		struct gc_order by_then = { 0 };
		uint64_t seed = n;
		size_t count = 2 + draw(&seed, CHANGES_MAX - 1), before = draw(&seed, (unsigned)count);

		for (size_t i = 0; i < count; i++)
			changes[i] = (struct change){ .deleted = draw(&seed, 8) == 0,
						      .lsn = 1 + draw(&seed, 9),
						      .reason = texts_of[draw(&seed, COUNT(texts_of))],
						      .decision = texts_of[draw(&seed, COUNT(texts_of))] };
		order = by_then;
		for (size_t i = 0; i < count; i++) {
			merge_changes(&one_by_one, &changes[i], 1, (int64_t)i);
			if (i < before) {
				batched = one_by_one;
				by_then = order;
			}
		}
		order = by_then;
		merge_changes(&batched, changes + before, count - before, (int64_t)before);
		assert_same_fact(&batched, &one_by_one, n);
	}
}

/* Only what is needed goes to the merge twice. */
static void rounds_are_few(void **state)
{
	static const struct {
		const char *reasons[4]; /* of the versions, oldest first; NULL ends; "-" is a delete */
		size_t rows;
	} cases[] = {
		{ { "long", "short", "shorter" }, 1 },
		{ { "long", UNAVAILABLE }, 2 },
		{ { "long", UNAVAILABLE, UNAVAILABLE }, 2 },
		{ { "long", UNAVAILABLE, "short" }, 1 },
		{ { "long", "short", UNAVAILABLE }, 2 },
		{ { UNAVAILABLE, UNAVAILABLE }, 1 },
		{ { "-", UNAVAILABLE }, 2 },
		{ { "long", UNAVAILABLE, "-" }, 1 },
		{ { "", UNAVAILABLE }, 2 },
	};

	(void)state;
	for (size_t c = 0; c < COUNT(cases); c++) {
		struct change changes[4];
		struct fact fact = { .known = false };
		size_t count = 0;

		order = (struct gc_order){ 0 };
		for (; count < 4 && cases[c].reasons[count]; count++)
			changes[count] = (struct change){ .deleted = strcmp(cases[c].reasons[count], "-") == 0,
							  .lsn = 1 + (int64_t)count,
							  .reason = cases[c].reasons[count],
							  .decision = "d" };
		assert_int_equal(merge_changes(&fact, changes, count, 0), cases[c].rows);
	}
}

/* Rows of several keys: each round is sorted, and no key stands in it twice. */
static void rounds_are_sorted(void **state)
{
	static const char *const records[] = { "\"id\":\"b\",\"reason\":\"long\",\"__lsn\":1",
					       "\"id\":\"c\",\"reason\":\"long\",\"__lsn\":1",
					       "\"id\":\"c\",\"reason\":\"" UNAVAILABLE "\",\"__lsn\":2",
					       "\"id\":\"a\",\"reason\":\"long\",\"__lsn\":1",
					       "\"id\":\"a\",\"reason\":\"" UNAVAILABLE "\",\"__lsn\":2" };
	static const char *const keys_of[] = { "a", "b", "c", "a", "c" };
	struct gc_row *const *rows;

	(void)state;
	begin_two_partitions();
	for (size_t i = 0; i < COUNT(records); i++)
		add_next("approval_requests", "{\"created_at\":" T0 ",%s}", records[i]);
	gc_batch_coalesce(batch);
	assert_int_equal(gc_batch_rows(batch, target_of("approval_requests"), &rows), COUNT(keys_of));
	for (size_t i = 0; i < COUNT(keys_of); i++) {
		assert_text(rows[i]->key, keys_of[i]);
		assert_int_equal(rows[i]->round, i < 3 ? 0 : 1);
	}
}

/* ---- the ledger ---- */

static void offsets_without_a_record_are_ignored(void **state)
{
	struct gc_partition_batch *parts;

	(void)state;
	begin_batch();
	gc_batch_partition(batch, GC_LIT("topic"), 0, 70, 1, 1000, NULL);
	add(0, 1003, 7, "approval_requests", GC_LIT("a"), GC_SPAN_NULL);
	add(0, 1004, 9, "approval_requests", GC_LIT("b"), GC_SPAN_NULL);
	add(0, INT64_C(5000000000), 8, "approval_requests", GC_LIT("c"), GC_SPAN_NULL);
	gc_batch_coalesce(batch);
	assert_int_equal(gc_batch_partitions(batch, &parts), 1);
	assert_int_equal(parts[0].from_offset, 1000);
	assert_int_equal(parts[0].to_offset, INT64_C(5000000001));
	assert_int_equal(parts[0].last_kafka_us, 9);
	assert_ledger(0, 3, 0, 0, 3 + INT64_C(5000000000) - 1005);
	assert_int_equal(gc_batch_message_count(batch), 3);
}

static void add_ahead(int64_t offset, int64_t instead_us, struct gc_span value)
{
	struct gc_message *message = gc_arena_zalloc(&texts, sizeof(*message));

	*message = (struct gc_message){ .topic = GC_LIT("topic"),
					.offset = offset,
					.timestamp_us = INT64_C(1795428000000000000),
					.instead_us = instead_us,
					.key = GC_LIT("a"),
					.value = value };
	gc_batch_add(batch, 0, stream_named("approval_requests"), GC_UNIT_AUTO, message);
}

/* A timestamp that is not believed decides nothing, is no sign of freshness, and is said. */
static void times_ahead_decide_nothing(void **state)
{
	struct gc_row *const *rows;
	struct gc_partition_batch *parts;
	const struct gc_issue *issues;

	(void)state;
	begin_two_partitions();
	add(0, 0, 5, "approval_requests", GC_LIT("a"), GC_LIT("{\"id\":\"a\",\"status\":\"one\",\"created_at\":" T0 "}"));
	add_ahead(1, 5, GC_LIT("{\"id\":\"a\",\"status\":\"two\",\"created_at\":" T0 "}"));
	gc_batch_coalesce(batch);
	assert_int_equal(gc_batch_rows(batch, stream_named("approval_requests")->targets[0], &rows), 1);
	assert_int_equal(rows[0]->version.offset, 1);
	assert_int_equal(rows[0]->version.kafka_us, 5);
	assert_int_equal(gc_batch_partitions(batch, &parts), 2);
	assert_int_equal(parts[0].last_kafka_us, 5);
	assert_int_equal(gc_batch_issues(batch, &issues), 1);
	assert_string_equal(issues[0].field, "kafka_timestamp");
	assert_text(issues[0].raw, "1795428000000000");
	assert_int_equal(issues[0].kafka_us, -1);

	begin_two_partitions();
	add_ahead(0, 1, GC_LIT("{\"id\":\"a\",\"status\":\"one\",\"created_at\":" T0 "}"));
	add(0, 1, 5, "approval_requests", GC_LIT("a"), GC_LIT("{\"id\":\"a\",\"status\":\"two\",\"created_at\":" T0 "}"));
	gc_batch_coalesce(batch);
	gc_batch_rows(batch, stream_named("approval_requests")->targets[0], &rows);
	assert_int_equal(rows[0]->version.offset, 1);

	begin_two_partitions();
	add_ahead(0, 1, GC_LIT("{\"id\":\"a\",\"status\":\"one\",\"created_at\":" T0 "}"));
	gc_batch_coalesce(batch);
	gc_batch_partitions(batch, &parts);
	assert_int_equal(parts[0].last_kafka_us, -1);
}

/* Nanoseconds where the source's microseconds are wanted. */
static void source_times_beyond_the_range_decide_nothing(void **state)
{
	struct gc_row *const *rows;
	const struct gc_issue *issues;

	(void)state;
	begin_two_partitions();
	add(0, 0, 5, "approval_requests", GC_LIT("a"),
	    GC_LIT("{\"op\":\"c\",\"after\":{\"id\":\"a\",\"created_at\":" T0 "},\"source\":{\"ts_us\":1795428000000000000}}"));
	gc_batch_coalesce(batch);
	assert_int_equal(gc_batch_rows(batch, stream_named("approval_requests")->targets[0], &rows), 1);
	assert_int_equal(rows[0]->version.source_us, 0);
	assert_int_equal(gc_batch_issues(batch, &issues), 1);
	assert_string_equal(issues[0].field, "source_timestamp");
}

static void each_partition_has_its_counts(void **state)
{
	struct gc_partition_batch *parts;
	struct gc_message refused = {
		.topic = GC_LIT("topic"), .partition = 1, .offset = 3, .timestamp_us = -1, .key = GC_LIT("x")
	};
	const struct gc_dead_letter *letters;
	struct gc_err err;

	(void)state;
	begin_two_partitions();
	add(0, 0, 10, "approval_requests", GC_LIT("a"), GC_SPAN_NULL);
	add(1, 0, 11, "approval_requests", GC_LIT("a"), GC_SPAN_NULL);
	add(1, 1, 12, "approval_requests", GC_LIT("b"), GC_LIT("{"));
	add(1, 2, 13, "approval_requests", GC_LIT("b"), GC_LIT("{\"op\":\"m\",\"source\":{}}"));
	gc_fail(&err, GC_REJECT, "22003", "merge_approvals", "the database refused it");
	gc_batch_add_dead(batch, 1, stream_named("approval_requests"), &refused, &err);
	gc_batch_coalesce(batch);
	assert_ledger(0, 0, 1, 0, 0);
	assert_ledger(1, 1, 0, 2, 1);
	assert_int_equal(gc_batch_partitions(batch, &parts), 2);
	assert_int_equal(parts[1].offset_id, 71);
	assert_int_equal(parts[1].last_kafka_us, 13);
	assert_int_equal(gc_batch_dead_letters(batch, &letters), 2);
	assert_string_equal(letters[0].code, "not_json");
	assert_int_equal(letters[0].partition, 1);
	assert_string_equal(letters[1].code, "22003");
	assert_string_equal(letters[1].where, "merge_approvals");
	assert_text(letters[1].reason, "the database refused it");
	assert_string_equal(letters[1].stream, "approval_requests");
	assert_ptr_equal(letters[1].message, &refused);
}

/* An error-like log entry makes two rows: its fate is that of the first. */
static void one_record_counts_once(void **state)
{
	struct gc_row *const *rows;
	const struct gc_target *const *targets;

	(void)state;
	begin_two_partitions();
	for (int i = 0; i < 3; i++)
		add_next("immutable_log", "{\"id\":5,\"sequence\":9,\"timestamp\":" T0 ",\"action\":\"failed\"}");
	gc_batch_coalesce(batch);
	assert_ledger(0, 1, 2, 0, 0);
	assert_int_equal(gc_batch_targets(batch, &targets), 2);
	for (size_t t = 0; t < 2; t++) {
		assert_int_equal(gc_batch_rows(batch, targets[t], &rows), 1);
		assert_int_equal(rows[0]->counts_in_ledger, targets[t] == target_of("immutable_log"));
		assert_int_equal(rows[0]->version.offset, 2);
	}
}

/* ---- messages that are refused ---- */

static void refused_messages_leave_nothing_behind(void **state)
{
	static const struct {
		const char *stream, *value;
	} cases[] = {
		{ "approval_requests",
		  "{\"id\":\"k\",\"contract_id\":\"c\",\"tier\":\"tier_9\",\"decision_by\":\"x\",\"risk_score\":-1,\"created_at\":\"soon\"}" },
		{ "approval_requests",
		  "{\"id\":\"k\",\"created_at\":" T0 ",\"contract_id\":\"c\",\"risk_score\":-1,\"decided_at\":[]}" },
		{ "mission_timelines", "{\"id\":\"k\",\"mission_id\":\"m\",\"started_at\":{}}" },
		{ "playbook_runs", "{\"id\":4,\"diagnosis\":{\"event\":5},\"service\":\"new\",\"created_at\":\"1960-01-01\"}" },
		{ "immutable_log", "{\"id\":4,\"sequence\":4,\"timestamp\":" T0
				   ",\"action\":\"failed\",\"resource\":\"security_event:1\",\"result\":{}}" },
		{ "trigger_events",
		  "{\"event_type\":\"error.detected\",\"payload\":{\"error_id\":\"e\",\"severity\":\"a\\u0000\"},\"timestamp\":null}" },
		{ "action_contracts",
		  "{\"id\":\"k\",\"mission_id\":\"m\",\"triggered_by\":\"a:b\",\"confidence_score\":7,\"created_at\":" T0
		  ",\"run_id\":\"x\"}" },
		{ "action_contracts", "{\"id\":\"k\",\"created_at\":" T0 ",\"id\":\"k\"}" },
	};
	const struct gc_target *const *targets;
	const struct gc_dead_letter *letters;
	const struct gc_issue *issues;
	const struct gc_link *links;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct gc_misses *misses;

		begin_two_partitions();
		add_next(cases[i].stream, "%s", cases[i].value);
		gc_batch_coalesce(batch);
		misses = gc_batch_misses(batch);
		if (gc_batch_dead_letters(batch, &letters) != 1)
			fail_msg("%s was accepted", cases[i].value);
		assert_string_equal(letters[0].stream, cases[i].stream);
		assert_int_equal(gc_batch_targets(batch, &targets), 0);
		assert_int_equal(gc_batch_issues(batch, &issues), 0);
		assert_int_equal(gc_batch_links(batch, &links), 0);
		assert_int_equal(misses->hour_count + misses->partition_count, 0);
		for (int d = 0; d < GC_DIM_COUNT; d++)
			assert_int_equal(misses->member_count[d], 0);
		assert_false(gc_batch_introduces_missions(batch));
		assert_ledger(0, 0, 0, 1, 0);
	}
}

static void neighbours_of_refused_messages_stay(void **state)
{
	struct gc_row *const *rows;
	const struct gc_issue *issues;

	(void)state;
	begin_two_partitions();
	add_next("approval_requests", "{\"id\":\"a\",\"created_at\":" T0 ",\"risk_score\":-1}");
	add_next("approval_requests", "{\"id\":\"b\",\"created_at\":\"soon\",\"risk_score\":-1}");
	add_next("approval_requests", "{\"id\":\"c\",\"created_at\":" T0 ",\"risk_score\":\"NaN\"}");
	gc_batch_coalesce(batch);
	assert_int_equal(gc_batch_rows(batch, target_of("approval_requests"), &rows), 2);
	assert_text(rows[0]->key, "a");
	assert_text(rows[1]->key, "c");
	assert_int_equal(gc_batch_issues(batch, &issues), 2);
	assert_text(issues[0].key, "a");
	assert_text(issues[0].raw, "-1");
	assert_string_equal(issues[0].stream, "approval_requests");
	assert_int_equal(issues[0].kafka_us, 1000);
	assert_text(issues[1].key, "c");
	assert_int_equal(issues[1].offset, 2);
	assert_ledger(0, 2, 0, 1, 0);
}

/* ---- links ---- */

static void assert_links(const char *const (*wanted)[2], size_t count)
{
	const struct gc_link *links;

	assert_int_equal(gc_batch_links(batch, &links), count);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(links[i].target, wanted[i][0]);
		assert_text(links[i].key, wanted[i][1]);
	}
}

/* Who locks keys of a fact for a link locks those that it writes itself in the same sorted pass. */
static void links_are_locked_with_own_keys(void **state)
{
	static const char *const own[][2] = {
		{ "error_events", "security_event:1" }, { "error_events", "security_event:5" },
		{ "error_events", "security_event:9" }, { "verification_executions", "c1" },
		{ "verification_executions", "c2" },    { "verification_executions", "c3" },
	};
	static const char *const others[][2] = { { "verification_executions", "c2" } };

	(void)state;
	begin_two_partitions();
	add_next("approval_requests", "{\"id\":1,\"created_at\":" T0 ",\"contract_id\":\"c2\"}");
	add_next("approval_requests", "{\"id\":2,\"created_at\":" T0 ",\"contract_id\":\"c2\"}");
	add_next("approval_requests", "{\"id\":3,\"created_at\":" T0 "}");
	add_next("action_contracts", "{\"id\":\"c3\",\"created_at\":" T0 "}");
	add_next("action_contracts", "{\"id\":\"c3\",\"created_at\":" T0 "}");
	add_next("action_contracts", "{\"id\":\"c2\",\"__deleted\":\"true\"}");
	add_next("action_contracts", "{\"id\":\"c1\",\"created_at\":" T0 "}");
	add_next("playbook_runs", "{\"id\":7,\"created_at\":" T0 ",\"diagnosis\":\"{\\\"event\\\": 5}\"}");
	add_next("security_events", "{\"id\":9,\"created_at\":" T0 "}");
	add_next("security_events", "{\"id\":1,\"created_at\":" T0 "}");
	gc_batch_coalesce(batch);
	assert_links(own, COUNT(own));

	begin_two_partitions();
	add_next("approval_requests", "{\"id\":1,\"created_at\":" T0 ",\"contract_id\":\"c2\"}");
	add_next("security_events", "{\"id\":9,\"created_at\":" T0 "}");
	gc_batch_coalesce(batch);
	assert_links(others, COUNT(others));

	begin_two_partitions();
	add_next("action_contracts", "{\"id\":\"c1\",\"created_at\":" T0 "}");
	gc_batch_coalesce(batch);
	assert_links(NULL, 0);
}

/* ---- misses and caches ---- */

static void assert_members(enum gc_dimension dimension, const char *const *wanted)
{
	const struct gc_misses *misses = gc_batch_misses(batch);
	size_t count = 0;

	for (; wanted[count]; count++) {
		assert_true(count < misses->member_count[dimension]);
		assert_text(misses->members[dimension][count], wanted[count]);
	}
	assert_int_equal(misses->member_count[dimension], count);
}

static void misses_are_unique_and_sorted(void **state)
{
	const struct gc_misses *misses;

	(void)state;
	gc_dimension_cache_clear(&cache);
	gc_dimension_cache_put(&cache, GC_DIM_ACTOR, GC_LIT("user:known"), 4);
	begin_two_partitions();
	add_next("action_contracts",
		 "{\"id\":\"c1\",\"created_at\":" T0
		 ",\"triggered_by\":\"user:zoë\",\"tier\":\"tier_2\",\"component\":\"b\",\"mission_id\":\"m2\"}");
	add_next(
		"action_contracts",
		"{\"id\":\"c2\",\"created_at\":\"2026-10-24T01:59:59Z\",\"triggered_by\":\"user:bob\",\"tier\":\"TIER_2\",\"component\":\"a\"}");
	add_next(
		"action_contracts",
		"{\"id\":\"c2\",\"created_at\":\"2026-10-24T02:00:00Z\",\"triggered_by\":\"user:known\",\"tier\":\"tier_1\",\"component\":\"b\",\"mission_id\":\"m1\"}");
	add_next("approval_requests", "{\"id\":1,\"created_at\":\"2025-12-31T23:59:59Z\",\"decision_by\":\"bob\"}");
	add_next("action_contracts", "{\"id\":\"c3\",\"__deleted\":\"true\"}");
	gc_batch_coalesce(batch);
	misses = gc_batch_misses(batch);
	/* also of the version of c2 that does not stay */
	assert_members(GC_DIM_COMPONENT, (const char *const[]){ "a", "b", NULL });
	assert_members(GC_DIM_TIER, (const char *const[]){ "tier_1", "tier_2", NULL });
	assert_members(GC_DIM_ACTOR, (const char *const[]){ "user:bob", "user:zoë", NULL });
	assert_members(GC_DIM_MISSION, (const char *const[]){ "m1", "m2", NULL });
	assert_int_equal(misses->hour_count, 3);
	assert_int_equal(misses->hours[0], T0_US / GC_HOUR_US - 297 * 24 + 22); /* from 1 o'clock on the 297th day of the year */
	assert_int_equal(misses->hours[1], T0_US / GC_HOUR_US);
	assert_int_equal(misses->hours[2], T0_US / GC_HOUR_US + 1);
	assert_int_equal(misses->partition_count, 2);
	assert_string_equal(misses->partitions[0].target, "approvals");
	assert_int_equal(misses->partitions[0].month, (2025 - 1970) * 12 + 11);
	assert_string_equal(misses->partitions[1].target, "verification_executions");
	assert_int_equal(misses->partitions[1].month, (2026 - 1970) * 12 + 9);
}

/* As gc_pg_resolve() does, with numbers of its own. */
static void learn_misses(int32_t first)
{
	const struct gc_misses *misses = gc_batch_misses(batch);

	for (int d = 0; d < GC_DIM_COUNT; d++) {
		for (size_t i = 0; i < misses->member_count[d]; i++)
			gc_dimension_cache_put(&cache, (enum gc_dimension)d, misses->members[d][i], first++);
	}
	for (size_t i = 0; i < misses->partition_count; i++)
		gc_dimension_cache_put_partition(&cache, misses->partitions[i].target, misses->partitions[i].month);
	for (size_t i = 0; i < misses->hour_count; i++)
		gc_dimension_cache_put_hour(&cache, misses->hours[i]);
}

static int64_t key_in(const struct gc_row *row, const char *column)
{
	const struct gc_value *value = &row->values[column_of(row->target, column)];

	assert_int_equal(value->state, GC_VALUE_SET);
	return value->integer;
}

static void keys_take_the_place_of_names(void **state)
{
	struct gc_row *const *rows;

	(void)state;
	gc_dimension_cache_clear(&cache);
	begin_two_partitions();
	add_next("action_contracts",
		 "{\"id\":\"c1\",\"created_at\":" T0 ",\"triggered_by\":\"user:zoë\",\"tier\":\"tier_2\",\"mission_id\":\"m2\"}");
	add_next("action_contracts", "{\"id\":\"c2\",\"created_at\":" T0 "}");
	add_next("action_contracts", "{\"id\":\"c3\",\"__deleted\":\"true\"}");
	gc_batch_coalesce(batch);
	learn_misses(10);
	gc_batch_assign_keys(batch);
	assert_int_equal(gc_batch_rows(batch, target_of("action_contracts"), &rows), 3);
	assert_int_equal(key_in(rows[0], "component_key"), 10);
	assert_int_equal(key_in(rows[0], "tier_key"), 11);
	assert_int_equal(key_in(rows[0], "actor_key"), 12);
	assert_int_equal(key_in(rows[0], "own_mission_key"), 13);
	assert_int_equal(key_in(rows[1], "component_key"), 10);
	assert_int_equal(key_in(rows[1], "tier_key"), 0);
	assert_int_equal(key_in(rows[1], "actor_key"), 0);
	assert_int_equal(key_in(rows[1], "own_mission_key"), 0);
	assert_int_equal(rows[2]->values[column_of(rows[2]->target, "tier_key")].state, GC_VALUE_NULL);

	/* the same again misses nothing */
	begin_two_partitions();
	add_next("action_contracts",
		 "{\"id\":\"c1\",\"created_at\":" T0 ",\"triggered_by\":\"user:zoë\",\"tier\":\"tier_2\",\"mission_id\":\"m2\"}");
	gc_batch_coalesce(batch);
	for (int d = 0; d < GC_DIM_COUNT; d++)
		assert_int_equal(gc_batch_misses(batch)->member_count[d], 0);
	assert_int_equal(gc_batch_misses(batch)->hour_count + gc_batch_misses(batch)->partition_count, 0);
}

/* What a batch found when it decoded it finds when it assigns keys, however many members are cached in between. */
static void full_caches_lose_nothing_of_a_batch(void **state)
{
	const int64_t limit = cache.limit;
	struct gc_row *const *rows;

	(void)state;
	gc_dimension_cache_clear(&cache);
	cache.limit = 4;
	for (int round = 0; round < 50; round++) {
		begin_two_partitions();
		for (int i = 0; i < 6; i++)
			add_next("action_contracts", "{\"id\":\"c%d\",\"created_at\":" T0 ",\"tier\":\"tier_%d\"}", i,
				 (round * (i % 3) + i) % 17);
		gc_batch_coalesce(batch);
		learn_misses(1000 + round * 10);
		gc_batch_assign_keys(batch);
		assert_int_equal(gc_batch_rows(batch, target_of("action_contracts"), &rows), 6);
		for (size_t i = 0; i < 6; i++) {
			if (key_in(rows[i], "tier_key") == 0 || key_in(rows[i], "component_key") == 0)
				fail_msg("round %d, row %zu points at the unknown member", round, i);
		}
		/* the limit, and what one batch may add */
		assert_in_range(cache.members[GC_DIM_TIER].count, 1, 4 + 6);
	}
	cache.limit = limit;
}

static void caches_are_bounded(void **state)
{
	const int64_t limit = cache.limit;
	int32_t key;

	(void)state;
	gc_dimension_cache_clear(&cache);
	cache.limit = 100;
	for (int32_t i = 0; i < 5000; i++) {
		struct gc_span name;

		if (i % 10 == 0)
			begin_batch();
		name = gc_arena_printf(&texts, "member %d", (int)i);
		for (int d = 0; d < GC_DIM_COUNT; d++) {
			gc_dimension_cache_put(&cache, (enum gc_dimension)d, name, i);
			assert_true(gc_dimension_cache_find(&cache, (enum gc_dimension)d, name, &key) && key == i);
			assert_in_range(cache.members[d].count, 1, 110);
		}
		gc_dimension_cache_put_mission(&cache, name);
		gc_dimension_cache_put_partition(&cache, "approvals", i);
		gc_dimension_cache_put_hour(&cache, i);
		assert_true(gc_dimension_cache_has_mission(&cache, name) &&
			    gc_dimension_cache_has_partition(&cache, "approvals", i) && gc_dimension_cache_has_hour(&cache, i));
		assert_in_range(cache.known_missions.count, 1, 110);
		assert_in_range(cache.partitions.count, 1, 110);
		assert_in_range(cache.hours.count, 1, 110);
	}
	gc_dimension_cache_clear(&cache);
	assert_false(gc_dimension_cache_find(&cache, GC_DIM_ACTOR, GC_LIT("member 4999"), &key));
	assert_true(gc_dimension_cache_find(&cache, GC_DIM_ACTOR, GC_SPAN_NULL, &key) && key == 0);
	assert_true(gc_dimension_cache_find(&cache, GC_DIM_ACTOR, GC_LIT(""), &key) && key == 0);
	cache.limit = limit;
}

static void missions_open_once(void **state)
{
	(void)state;
	gc_dimension_cache_clear(&cache);
	begin_two_partitions();
	add_next("mission_timelines", "{\"id\":1,\"mission_id\":\"m1\"}");
	gc_batch_coalesce(batch);
	assert_true(gc_batch_introduces_missions(batch));
	assert_false(gc_dimension_cache_has_mission(&cache, GC_LIT("m1"))); /* not yet committed */
	gc_batch_committed(batch);
	assert_true(gc_dimension_cache_has_mission(&cache, GC_LIT("m1")));
	begin_two_partitions();
	add_next("mission_timelines", "{\"id\":1,\"mission_id\":\"m1\"}");
	add_next("action_contracts", "{\"id\":\"c\",\"created_at\":" T0 ",\"mission_id\":\"m9\"}");
	gc_batch_coalesce(batch);
	assert_false(gc_batch_introduces_missions(batch));
	gc_batch_committed(batch);
	assert_false(gc_dimension_cache_has_mission(&cache, GC_LIT("m9"))); /* named, not known */
}

/* ---- memory ---- */

static void fill_batch(void)
{
	begin_two_partitions();
	for (int i = 0; i < 300; i++) {
		add_next("action_contracts",
			 "{\"id\":\"c%d\",\"created_at\":" T0 ",\"confidence_score\":%d,\"triggered_by\":\"user:u%d\"}", i % 200, i,
			 i);
		add_next("immutable_log",
			 "{\"id\":%d,\"sequence\":%d,\"timestamp\":" T0
			 ",\"action\":\"failed\",\"resource\":\"security_event:%d\"}",
			 i, i, i);
		add_next("approval_requests", "{\"id\":%d,\"created_at\":\"soon\"}", i);
	}
	gc_batch_coalesce(batch);
}

static void batches_in_their_stride_keep_their_memory(void **state)
{
	size_t before;

	(void)state;
	for (int i = 0; i < 3; i++)
		fill_batch();
	before = mallinfo2().uordblks;
	for (int i = 0; i < 20; i++) {
		fill_batch();
		assert_int_equal(mallinfo2().uordblks, before);
	}
	gc_batch_reset(batch);
	gc_batch_coalesce(batch);
	assert_int_equal(gc_batch_message_count(batch), 0);
}

static void nothing_may_be_freed(void **state)
{
	(void)state;
	gc_batch_free(NULL);
	gc_batch_free(gc_batch_new(&cache, 100, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequences_end_as_one_by_one),
		cmocka_unit_test(order_and_cuts_do_not_matter),
		cmocka_unit_test(redelivery_does_not_matter),
		cmocka_unit_test(rows_are_sorted_and_each_key_stands_once),
		cmocka_unit_test(histories_keep_every_version),
		cmocka_unit_test(what_is_left_out_is_as_one_by_one),
		cmocka_unit_test(rounds_are_few),
		cmocka_unit_test(rounds_are_sorted),
		cmocka_unit_test(offsets_without_a_record_are_ignored),
		cmocka_unit_test(each_partition_has_its_counts),
		cmocka_unit_test(times_ahead_decide_nothing),
		cmocka_unit_test(source_times_beyond_the_range_decide_nothing),
		cmocka_unit_test(one_record_counts_once),
		cmocka_unit_test(refused_messages_leave_nothing_behind),
		cmocka_unit_test(neighbours_of_refused_messages_stay),
		cmocka_unit_test(links_are_locked_with_own_keys),
		cmocka_unit_test(misses_are_unique_and_sorted),
		cmocka_unit_test(keys_take_the_place_of_names),
		cmocka_unit_test(full_caches_lose_nothing_of_a_batch),
		cmocka_unit_test(caches_are_bounded),
		cmocka_unit_test(missions_open_once),
		cmocka_unit_test(batches_in_their_stride_keep_their_memory),
		cmocka_unit_test(nothing_may_be_freed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
