/* Which cubes a program works on, and which it migrates: a table of what was recorded in the cube. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include <postgres/schema.h>

#define FILES_MAX 8

/* What the program carries: gracecube 0.2.0, schema version 2. */
static const struct gc_sql_file own[] = {
	{ "code/1_tools/a.sql", "aa", "" },
	{ "code/4_views/b.sql", "bb", "" },
	{ "tables/0001_first.sql", "11", "" },
	{ "tables/0002_second.contract.sql", "2c", "" },
	{ "tables/0002_second.online.sql", "2o", "" },
	{ "tables/0002_second.sql", "22", "" },
	{ NULL, NULL, NULL },
};

static const struct {
	const char *what;
	int version;
	bool is_dated;
	struct gc_schema_file files[FILES_MAX];
	const char *work, *migrate; /* what each answer says; NULL: yes */
} cubes[] = {
	{ "no cube", 0, false, { { NULL, NULL, NULL } }, "holds no cube yet; run `gracecube migrate`", NULL },
	{ "0.1.0", 1, true, { { NULL, NULL, NULL } }, "has schema version 1, this program needs 2; run `gracecube migrate`", NULL },
	{ "its own",
	  2,
	  false,
	  { { "tables/0001_first.sql", "11", "0.1.0" },
	    { "tables/0002_second.sql", "22", "0.2.0" },
	    { "code/1_tools/a.sql", "aa", "0.2.0" },
	    { "code/4_views/b.sql", "bb", "0.2.0" } },
	  NULL,
	  NULL },
	{ "its own, while older programs go on",
	  1,
	  false,
	  { { "tables/0001_first.sql", "11", "0.2.0" },
	    { "tables/0002_second.sql", "22", "0.2.0" },
	    { "code/1_tools/a.sql", "aa", "0.2.0" },
	    { "code/4_views/b.sql", "bb", "0.2.0" } },
	  NULL,
	  NULL },
	{ "half expanded",
	  1,
	  false,
	  { { "tables/0001_first.sql", "11", "0.1.5" }, { "code/1_tools/a.sql", "aa", "0.1.5" } },
	  "run `gracecube migrate`",
	  NULL },
	{ "code of an older program",
	  2,
	  false,
	  { { "tables/0001_first.sql", "11", "0.2.0" },
	    { "tables/0002_second.sql", "22", "0.2.0" },
	    { "code/1_tools/a.sql", "aa", "0.1.9" },
	    { "code/4_views/b.sql", "old", "0.1.9" } },
	  "1 files differ, such as code/4_views/b.sql); run `gracecube migrate`",
	  NULL },
	{ "other code of the same program",
	  2,
	  false,
	  { { "tables/0001_first.sql", "11", "0.2.0" },
	    { "tables/0002_second.sql", "22", "0.2.0" },
	    { "code/1_tools/a.sql", "aa", "0.2.0" },
	    { "code/4_views/b.sql", "bb", "0.2.0" },
	    { "code/4_views/gone.sql", "cc", "0.2.0" } },
	  "such as code/4_views/gone.sql); run `gracecube migrate`",
	  NULL },
	{ "code of a newer program",
	  2,
	  false,
	  { { "tables/0001_first.sql", "11", "0.2.0" },
	    { "tables/0002_second.sql", "22", "0.2.0" },
	    { "code/1_tools/a.sql", "new", "0.10.0" },
	    { "code/4_views/b.sql", "bb", "0.2.0" } },
	  NULL,
	  "those of gracecube 0.10.0, newer than this 0.2.0; use a newer gracecube" },
	{ "being upgraded by a newer program",
	  2,
	  false,
	  { { "tables/0001_first.sql", "11", "0.2.0" },
	    { "tables/0002_second.sql", "22", "0.2.0" },
	    { "tables/0003_third.sql", "33", "0.3.0" },
	    { "code/1_tools/a.sql", "new", "0.3.0" },
	    { "code/4_views/b.sql", "bb", "0.2.0" } },
	  NULL,
	  "schema version 3, newer than the 2 of this program; use a newer gracecube" },
	{ "of a newer program",
	  3,
	  false,
	  { { "tables/0001_first.sql", "11", "0.3.0" },
	    { "tables/0002_second.sql", "22", "0.3.0" },
	    { "tables/0003_third.sql", "33", "0.3.0" } },
	  "schema version 3, newer than the 2 of this program; use a newer gracecube",
	  "schema version 3, newer than the 2 of this program; use a newer gracecube" },
	{ "a numbered file was changed",
	  2,
	  false,
	  { { "tables/0001_first.sql", "11", "0.2.0" },
	    { "tables/0002_second.sql", "other", "0.2.0" },
	    { "code/1_tools/a.sql", "aa", "0.2.0" },
	    { "code/4_views/b.sql", "bb", "0.2.0" } },
	  "another tables/0002_second.sql (sha256 other) than this program has (22)",
	  "another tables/0002_second.sql (sha256 other) than this program has (22)" },
};

static void check(const char *what, enum gc_verdict verdict, const struct gc_err *err, const char *expected)
{
	if (!expected && verdict != GC_OK)
		fail_msg("%s: %s", what, err->text);
	if (expected && (verdict != GC_FATAL || !strstr(err->text, expected)))
		fail_msg("%s: \"%s\", expected \"%s\"", what, verdict ? err->text : "yes", expected);
}

static void cubes_are_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cubes); i++) {
		struct gc_schema_file files[FILES_MAX];
		struct gc_schema schema = { .version = cubes[i].version, .is_dated = cubes[i].is_dated, .files = files };
		struct gc_err err = { .text = "" };

		while (schema.count < FILES_MAX && cubes[i].files[schema.count].name) {
			files[schema.count] = cubes[i].files[schema.count];
			schema.count++;
		}
		check(cubes[i].what, gc_schema_judge(&schema, own, "0.2.0", &err), &err, cubes[i].work);
		check(cubes[i].what, gc_schema_judge_migration(&schema, own, "0.2.0", &err), &err, cubes[i].migrate);
	}
}

static void names_say_when(void **state)
{
	(void)state;
	assert_int_equal(gc_sql_step_of("tables/0002_second.sql"), GC_SQL_EXPAND);
	assert_int_equal(gc_sql_step_of("tables/0002_second.online.sql"), GC_SQL_ONLINE);
	assert_int_equal(gc_sql_step_of("tables/0002_second.contract.sql"), GC_SQL_CONTRACT);
	assert_int_equal(gc_sql_step_of("code/4_views/contract.sql"), GC_SQL_CODE);
	assert_int_equal(gc_sql_version_of("tables/0012_x.online.sql"), 12);
	assert_int_equal(gc_sql_version_of("code/1_tools/a.sql"), 0);
}

/* Numbers that rise, every one with a name; code in rooms that are numbered. */
static void embedded_files_are_in_order(void **state)
{
	int newest = 0;

	(void)state;
	for (const struct gc_sql_file *f = gc_sql_files; f->name; f++) {
		int version = gc_sql_version_of(f->name);

		if (f > gc_sql_files)
			assert_true(strcmp((f - 1)->name, f->name) < 0);
		assert_int_equal(strlen(f->sha256), 64);
		if (gc_sql_step_of(f->name) == GC_SQL_CODE) {
			assert_true(f->name[5] >= '1' && f->name[5] <= '5' && f->name[6] == '_');
			continue;
		}
		assert_true(version == newest || version == newest + 1);
		newest = version;
	}
	assert_int_equal(newest, gc_schema_version());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cubes_are_judged),
		cmocka_unit_test(names_say_when),
		cmocka_unit_test(embedded_files_are_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
