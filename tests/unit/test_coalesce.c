/* Coalescing, against a model that applies one version after the other.
 *
 * The models of the cube's merge functions are merge() and merge_fact(): a version takes the place of another by
 * gc_version_replaces(). However versions fall into batches, the cube must end the same.
 */
#include "batches.h"

#define LENGTH_MAX 5
#define HISTORY_MAX 12

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
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
