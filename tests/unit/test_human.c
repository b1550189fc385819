/* Numbers with units, what they must be, and nearest names. */
#include <gracecube/human.h>

#include "suite.h"

static const struct unit {
	enum gc_human_unit unit;
	const char *text;
	int64_t value;
	const char *printed;
} units[] = {
	{ GC_HUMAN_COUNT, "0", 0, "0" },
	{ GC_HUMAN_COUNT, "6000", 6000, "6000" },
	{ GC_HUMAN_COUNT, "9223372036854775807", INT64_MAX, "9223372036854775807" },
	{ GC_HUMAN_BYTES, "512", 512, "512" },
	{ GC_HUMAN_BYTES, "0B", 0, "0" },
	{ GC_HUMAN_BYTES, "1024B", 1024, "1KiB" },
	{ GC_HUMAN_BYTES, "64MiB", 64 << 20, "64MiB" },
	{ GC_HUMAN_BYTES, "1536KiB", 1536 << 10, "1536KiB" },
	{ GC_HUMAN_BYTES, "3kB", 3000, "3000" },
	{ GC_HUMAN_BYTES, "2TiB", INT64_C(2) << 40, "2TiB" },
	{ GC_HUMAN_TIME, "0", 0, "0us" },
	{ GC_HUMAN_TIME, "5us", 5, "5us" },
	{ GC_HUMAN_TIME, "1500ms", 1500000, "1500ms" },
	{ GC_HUMAN_TIME, "90s", 90000000, "90s" },
	{ GC_HUMAN_TIME, "120s", 120000000, "2m" },
	{ GC_HUMAN_TIME, "1d", INT64_C(86400000000), "1d" },
};

static void number_has_its_unit(void **state)
{
	const struct unit *row = *state;
	int64_t value = -1;
	char buffer[GC_HUMAN_BYTES_MAX];

	assert_true(gc_human_parse(row->text, row->unit, &value));
	assert_true(value == row->value);
	assert_string_equal(gc_human_print(value, row->unit, buffer, sizeof(buffer)), row->printed);
}

static const struct no_number {
	enum gc_human_unit unit;
	const char *text;
} no_numbers[] = {
	{ GC_HUMAN_COUNT, "" },     { GC_HUMAN_COUNT, " 1" },  { GC_HUMAN_COUNT, "1 " },
	{ GC_HUMAN_COUNT, "+1" },   { GC_HUMAN_COUNT, "1k" },  { GC_HUMAN_COUNT, "9223372036854775808" },
	{ GC_HUMAN_BYTES, "1mib" }, { GC_HUMAN_BYTES, "1 B" }, { GC_HUMAN_BYTES, "9223372036854775807KiB" },
	{ GC_HUMAN_BYTES, "1s" },   { GC_HUMAN_TIME, "1" },    { GC_HUMAN_TIME, "1min" },
	{ GC_HUMAN_TIME, "1h30m" }, { GC_HUMAN_TIME, "s" },    { GC_HUMAN_TIME, "9223372036854775807d" },
	{ GC_HUMAN_TIME, "-1s" },   { GC_HUMAN_TIME, "00x" },  { GC_HUMAN_TIME, "1.5s" },
};

static void no_number_is_refused(void **state)
{
	const struct no_number *row = *state;
	int64_t value = -7;

	assert_false(gc_human_parse(row->text, row->unit, &value));
	assert_true(value == -7);
}

static const struct nearest {
	const char *word, *best;
} nearest_names[] = {
	{ "stauts", "status" },
	{ "STATUS", "status" },
	{ "stat", "status" },
	{ "verfy", "verify" },
	{ "rnu", "run" },
	{ "ru", "run" },
	{ "until", "until-caught-up" },
	{ "until_cought_up", "until-caught-up" },
	{ "frobnicate", NULL },
	{ "", NULL },
	{ "xyz", NULL },
};

static void nearest_name_is_found(void **state)
{
	static const char *const names[] = { "status", "verify", "run", "until-caught-up", "until-noon" };
	const struct nearest *row = *state;
	struct gc_nearest nearest = { .word = row->word };

	for (size_t j = 0; j < sizeof(names) / sizeof(*names); j++)
		gc_nearest_offer(&nearest, names[j]);
	if (row->best)
		assert_string_equal(nearest.best, row->best);
	else
		assert_null(nearest.best);
}

static void a_domain_is_told(void **state)
{
	char text[100];

	(void)state;
	assert_string_equal(gc_human_domain(GC_HUMAN_COUNT, 1, 64, text, sizeof(text)), "a whole number from 1 to 64");
	assert_string_equal(gc_human_domain(GC_HUMAN_COUNT, 0, INT64_MAX, text, sizeof(text)), "a whole number");
	assert_string_equal(gc_human_domain(GC_HUMAN_BYTES, 1024, 1 << 20, text, sizeof(text)), "a size from 1KiB to 1MiB");
	assert_string_equal(gc_human_domain(GC_HUMAN_TIME, 0, INT64_MAX, text, sizeof(text)), "a duration like 30s");
}

int main(void)
{
	struct suite suite = { 0 };

	for (size_t i = 0; i < COUNT(units); i++)
		suite_add(&suite, number_has_its_unit, &units[i], "number: %s", units[i].text);
	for (size_t i = 0; i < COUNT(no_numbers); i++)
		suite_add(&suite, no_number_is_refused, &no_numbers[i], "no number: %s", no_numbers[i].text);
	for (size_t i = 0; i < COUNT(nearest_names); i++)
		suite_add(&suite, nearest_name_is_found, &nearest_names[i], "nearest to %s", nearest_names[i].word);
	SUITE_ADD(&suite, a_domain_is_told);
	return suite_run(&suite, NULL, NULL);
}
