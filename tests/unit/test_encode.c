/* Binary arrays: two of them byte by byte against array_recv()'s format, the others through a small reader of that format. */
#include "unit.h"

#include <math.h>

#include <postgres/pg.h>

#define POSTGRES_EPOCH_US INT64_C(946684800000000)

/* PostgreSQL's oids: of the element, of the array. */
#define BOOL 16, 1000
#define BYTEA 17, 1001
#define INT8 20, 1016
#define INT4 23, 1007
#define TEXT 25, 1009
#define FLOAT8 701, 1022
#define TIMESTAMPTZ 1184, 1185

static struct gc_arena arena;
static struct gc_pg_parameters p;

static int set_up(void **state)
{
	(void)state;
	gc_arena_init(&arena);
	gc_pg_parameters_init(&p, &arena);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gc_arena_done(&arena);
	return 0;
}

/* ---- reading a parameter back ---- */

struct reader {
	const unsigned char *at, *end;
};

static int32_t read_int32(struct reader *r)
{
	uint32_t value = 0;

	assert_true(r->end - r->at >= 4);
	for (int i = 0; i < 4; i++)
		value = value << 8 | *r->at++;
	return (int32_t)value;
}

static int64_t read_int64(struct reader *r)
{
	uint64_t high = (uint32_t)read_int32(r), low = (uint32_t)read_int32(r);

	return (int64_t)(high << 32 | low);
}

/* The header of the n-th parameter: one dimension that begins at 1, or none where it is empty. */
static struct reader open_array(int n, Oid element, Oid array, int32_t count)
{
	struct reader r = { (const unsigned char *)p.values[n], (const unsigned char *)p.values[n] + p.lengths[n] };

	assert_true(n < p.count);
	assert_int_equal(p.types[n], array);
	assert_int_equal(p.formats[n], 1);
	assert_int_equal(read_int32(&r), count > 0 ? 1 : 0);
	assert_in_range(read_int32(&r), 0, 1);
	assert_int_equal(read_int32(&r), element);
	if (count > 0) {
		assert_int_equal(read_int32(&r), count);
		assert_int_equal(read_int32(&r), 1);
	}
	return r;
}

static void read_null(struct reader *r)
{
	assert_int_equal(read_int32(r), -1);
}

static void read_int4_item(struct reader *r, int32_t wanted)
{
	assert_int_equal(read_int32(r), 4);
	assert_int_equal(read_int32(r), wanted);
}

static void read_int8_item(struct reader *r, int64_t wanted)
{
	assert_int_equal(read_int32(r), 8);
	assert_true(read_int64(r) == wanted);
}

static void read_real_item(struct reader *r, double wanted)
{
	int64_t bits;

	assert_int_equal(read_int32(r), 8);
	memcpy(&bits, &wanted, sizeof(bits));
	assert_true(read_int64(r) == bits);
}

static void read_bool_item(struct reader *r, bool wanted)
{
	assert_int_equal(read_int32(r), 1);
	assert_int_equal(*r->at++, wanted);
}

static void read_bytes_item(struct reader *r, struct gc_span wanted)
{
	assert_int_equal(read_int32(r), wanted.len);
	assert_true((size_t)(r->end - r->at) >= wanted.len);
	if (wanted.len > 0)
		assert_memory_equal(r->at, wanted.ptr, wanted.len);
	r->at += wanted.len;
}

static void close_array(const struct reader *r)
{
	assert_ptr_equal(r->at, r->end);
}

/* ---- tests ---- */

static void bytes_stand_as_postgres_reads_them(void **state)
{
	static const unsigned char int4s[] = {
		0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 23, 0,   0,   0,   2,   0, 0, 0, 1, /* header */
		0, 0, 0, 4, 0, 0, 1, 2, 0, 0, 0, 4,  255, 255, 255, 254,
	};
	static const unsigned char texts[] = {
		0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 25, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0xC3, 0xA9, 255, 255, 255, 255, 0, 0, 0, 0,
	};
	static const unsigned char none[] = { 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 20 };
	const int32_t numbers[] = { 258, -2 };
	const struct gc_span spans[] = { GC_LIT("\xC3\xA9"), GC_SPAN_NULL, GC_LIT("") };

	(void)state;
	gc_pg_add_int4s(&p, numbers, sizeof(numbers[0]), 2);
	gc_pg_add_texts(&p, spans, sizeof(spans[0]), 3);
	gc_pg_add_int8s(&p, NULL, 8, 0);
	assert_int_equal(p.count, 3);
	assert_int_equal(p.lengths[0], sizeof(int4s));
	assert_memory_equal(p.values[0], int4s, sizeof(int4s));
	assert_int_equal(p.lengths[1], sizeof(texts));
	assert_memory_equal(p.values[1], texts, sizeof(texts));
	assert_int_equal(p.lengths[2], sizeof(none));
	assert_memory_equal(p.values[2], none, sizeof(none));
	assert_int_equal(p.types[0], 1007);
	assert_int_equal(p.types[1], 1009);
	assert_int_equal(p.types[2], 1016);
}

static void members_of_structs_are_sent_by_stride(void **state)
{
	const struct record {
		int64_t number;
		struct gc_span name;
		int32_t small;
	} records[] = {
		{ INT64_MIN, GC_LIT("a\0b"), 7 },
		{ INT64_MAX, GC_SPAN_NULL, INT32_MIN },
		{ -1, GC_LIT(""), INT32_MAX },
	};
	struct reader r;

	(void)state;
	gc_pg_add_int8s(&p, &records->number, sizeof(*records), 3);
	gc_pg_add_byteas(&p, &records->name, sizeof(*records), 3);
	gc_pg_add_int4s(&p, &records->small, sizeof(*records), 3);
	r = open_array(0, INT8, 3);
	for (size_t i = 0; i < 3; i++)
		read_int8_item(&r, records[i].number);
	close_array(&r);
	r = open_array(1, BYTEA, 3);
	read_bytes_item(&r, records[0].name);
	read_null(&r);
	read_bytes_item(&r, records[2].name);
	close_array(&r);
	r = open_array(2, INT4, 3);
	for (size_t i = 0; i < 3; i++)
		read_int4_item(&r, records[i].small);
	close_array(&r);
}

/* One column of each kind. */
enum { KEY, FLAG, SMALL, LARGE, REAL, AT, COMPONENT, TIER, ACTOR, MISSION, COLUMN_COUNT };
static const struct gc_column columns[] = {
	[KEY] = { "key", GC_TEXT, 0, NULL },          [FLAG] = { "flag", GC_BOOL, 0, NULL },
	[SMALL] = { "small", GC_INT4, 0, NULL },      [LARGE] = { "large", GC_INT8, 0, NULL },
	[REAL] = { "real", GC_FLOAT8, 0, NULL },      [AT] = { "at", GC_TIME, 0, NULL },
	[COMPONENT] = { "c", GC_COMPONENT, 0, NULL }, [TIER] = { "t", GC_TIER, 0, NULL },
	[ACTOR] = { "a", GC_ACTOR, 0, NULL },         [MISSION] = { "m", GC_MISSION, 0, NULL },
};
static const struct gc_target target = { .name = "kinds", .columns = columns, .column_count = COLUMN_COUNT, .created_at = AT };

static struct gc_value integer(int64_t value)
{
	return (struct gc_value){ GC_VALUE_SET, { .integer = value } };
}

static struct gc_value real(double value)
{
	return (struct gc_value){ GC_VALUE_SET, { .real = value } };
}

static struct gc_value text(const char *value)
{
	return (struct gc_value){ GC_VALUE_SET, { .text = gc_span_of(value) } };
}

static void array_types_follow_the_kind(void **state)
{
	static const struct {
		enum gc_kind kind;
		Oid type;
	} cases[] = { { GC_TEXT, 1009 }, { GC_BOOL, 1000 },      { GC_INT4, 1007 }, { GC_INT8, 1016 },  { GC_FLOAT8, 1022 },
		      { GC_TIME, 1185 }, { GC_COMPONENT, 1007 }, { GC_TIER, 1007 }, { GC_ACTOR, 1007 }, { GC_MISSION, 1007 } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(gc_pg_array_type(cases[i].kind), cases[i].type);
}

static void columns_of_rows_are_sent(void **state)
{
	struct gc_value first[COLUMN_COUNT] = {
		[KEY] = text("k1 é"),         [FLAG] = integer(1),   [SMALL] = integer(-5),    [LARGE] = integer(INT64_MAX),
		[REAL] = real(-0.0),          [AT] = integer(0),     [COMPONENT] = integer(7), [TIER] = integer(0),
		[ACTOR] = integer(INT32_MAX), [MISSION] = integer(1)
	};
	struct gc_value second[COLUMN_COUNT] = { [KEY] = text(""),
						 [FLAG] = integer(0),
						 [REAL] = real(1e-320),
						 [AT] = integer(POSTGRES_EPOCH_US + 1),
						 [MISSION] = integer(2) };
	struct gc_row rows[] = { { .target = &target, .values = first }, { .target = &target, .values = second } };
	struct gc_row *const list[] = { &rows[0], &rows[1] };
	struct reader r;

	(void)state;
	for (int c = 0; c < COLUMN_COUNT; c++)
		gc_pg_add_column(&p, list, 2, c);
	r = open_array(KEY, TEXT, 2);
	read_bytes_item(&r, GC_LIT("k1 é"));
	read_bytes_item(&r, GC_LIT(""));
	close_array(&r);
	r = open_array(FLAG, BOOL, 2);
	read_bool_item(&r, true);
	read_bool_item(&r, false);
	close_array(&r);
	r = open_array(SMALL, INT4, 2);
	read_int4_item(&r, -5);
	read_null(&r);
	close_array(&r);
	r = open_array(LARGE, INT8, 2);
	read_int8_item(&r, INT64_MAX);
	read_null(&r);
	close_array(&r);
	r = open_array(REAL, FLOAT8, 2);
	read_real_item(&r, -0.0);
	read_real_item(&r, 1e-320);
	close_array(&r);
	r = open_array(AT, TIMESTAMPTZ, 2);
	read_int8_item(&r, -POSTGRES_EPOCH_US);
	read_int8_item(&r, 1);
	close_array(&r);
	r = open_array(COMPONENT, INT4, 2);
	read_int4_item(&r, 7);
	read_null(&r);
	close_array(&r);
	r = open_array(TIER, INT4, 2);
	read_int4_item(&r, 0);
	read_null(&r);
	close_array(&r);
	r = open_array(ACTOR, INT4, 2);
	read_int4_item(&r, INT32_MAX);
	read_null(&r);
	close_array(&r);
	r = open_array(MISSION, INT4, 2);
	read_int4_item(&r, 1);
	read_int4_item(&r, 2);
	close_array(&r);
}

static void versions_end_a_merge(void **state)
{
	struct gc_row rows[] = {
		{ .target = &target,
		  .version = { .at_us = 2, .lsn = 1, .source_us = 3, .kafka_us = 9, .offset = 4 },
		  .partition = 1,
		  .counts_in_ledger = true },
		{ .target = &target,
		  .version = { .lsn = INT64_MAX, .kafka_us = 1, .offset = INT64_C(1) << 40 },
		  .partition = 0,
		  .deleted = true },
	};
	const struct gc_partition_batch partitions[] = { { .offset_id = 70 }, { .offset_id = 71 } };
	struct gc_row *const list[] = { &rows[0], &rows[1] };
	struct reader r;

	(void)state;
	gc_pg_add_versions(&p, list, 2, partitions);
	assert_int_equal(p.count, 6);
	r = open_array(0, BOOL, 2);
	read_bool_item(&r, false);
	read_bool_item(&r, true);
	close_array(&r);
	r = open_array(1, INT8, 2);
	read_int8_item(&r, 1);
	read_int8_item(&r, INT64_MAX);
	close_array(&r);
	r = open_array(2, INT8, 2);
	read_int8_item(&r, 2);
	read_int8_item(&r, 0);
	close_array(&r);
	r = open_array(3, INT8, 2);
	read_int8_item(&r, 3);
	read_int8_item(&r, 1);
	close_array(&r);
	r = open_array(4, INT8, 2);
	read_int8_item(&r, 4);
	read_int8_item(&r, INT64_C(1) << 40);
	close_array(&r);
	/* only the row that stands for its record in the ledger names the ledger's row */
	r = open_array(5, INT8, 2);
	read_int8_item(&r, 71);
	read_null(&r);
	close_array(&r);
}

static void long_texts_fit(void **state)
{
	const size_t len = 3 << 20;
	struct gc_span spans[3] = { { gc_arena_zalloc(&arena, len), len }, GC_LIT("x"), { NULL, 0 } };
	struct reader r;

	(void)state;
	memset((char *)spans[0].ptr, 'y', len);
	gc_pg_add_texts(&p, spans, sizeof(spans[0]), 3);
	r = open_array(0, TEXT, 3);
	read_bytes_item(&r, spans[0]);
	read_bytes_item(&r, spans[1]);
	read_null(&r);
	close_array(&r);
}

/* No descriptor has more columns than a statement has room for, its version included. */
static void every_target_fits(void **state)
{
	(void)state;
	for (const struct gc_stream *const *s = gc_streams; *s; s++) {
		for (const struct gc_target *const *t = (*s)->targets; *t; t++)
			assert_in_range((*t)->column_count + 6, 7, GC_PG_PARAMETERS_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bytes_stand_as_postgres_reads_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(members_of_structs_are_sent_by_stride, set_up, tear_down),
		cmocka_unit_test(array_types_follow_the_kind),
		cmocka_unit_test_setup_teardown(columns_of_rows_are_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(versions_end_a_merge, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_texts_fit, set_up, tear_down),
		cmocka_unit_test(every_target_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
