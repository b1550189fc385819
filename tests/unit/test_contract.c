/* Rules that C and SQL both apply, on the C side: the cases of tests/contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gracecube/stream.h>

#define FIELDS_MAX 10
#define LINE_MAX_BYTES 400

struct cases {
	FILE *file;
	char line[LINE_MAX_BYTES];
	char *fields[FIELDS_MAX];
	int count; /* cases read so far */
};

static void open_cases(struct cases *cases, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/tests/contract/%s", GRACECUBE_SOURCE_DIR, name);
	*cases = (struct cases){ .file = fopen(path, "r") };
	assert_non_null(cases->file);
	assert_non_null(fgets(cases->line, sizeof(cases->line), cases->file)); /* the titles */
}

/* False at the end of the file. */
static bool next_case(struct cases *cases, int fields)
{
	char *rest = cases->line;

	if (!fgets(cases->line, sizeof(cases->line), cases->file))
		return false;
	cases->line[strcspn(cases->line, "\n")] = '\0';
	for (int i = 0; i < fields; i++)
		cases->fields[i] = strsep(&rest, ",");
	assert_non_null(cases->fields[fields - 1]);
	assert_null(rest);
	cases->count++;
	return true;
}

static void close_cases(struct cases *cases, int at_least)
{
	assert_true(cases->count >= at_least);
	fclose(cases->file);
}

static struct gc_version version_at(char *const *fields)
{
	return (struct gc_version){ strtoll(fields[0], NULL, 10), strtoll(fields[1], NULL, 10), strtoll(fields[2], NULL, 10),
				    strtoll(fields[3], NULL, 10) };
}

static void versions_are_in_order(void **state)
{
	struct cases cases;

	(void)state;
	open_cases(&cases, "version_order.csv");
	while (next_case(&cases, 10)) {
		struct gc_version older = version_at(cases.fields + 1), newer = version_at(cases.fields + 5);
		bool is_same = strcmp(cases.fields[9], "same") == 0;

		if (is_same != (gc_version_compare(older, newer) == 0) || (!is_same && gc_version_compare(older, newer) > 0) ||
		    (!is_same && gc_version_compare(newer, older) < 0) || gc_version_compare(newer, newer) != 0)
			fail_msg("%s", cases.fields[0]);
	}
	close_cases(&cases, 20);
}

static void notes_name_persons(void **state)
{
	struct cases cases;

	(void)state;
	open_cases(&cases, "persons.csv");
	while (next_case(&cases, 2)) {
		if (gc_error_names_person(gc_span_of(cases.fields[0])) != (strcmp(cases.fields[1], "true") == 0))
			fail_msg("%s", cases.fields[0]);
	}
	close_cases(&cases, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_in_order),
		cmocka_unit_test(notes_name_persons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
