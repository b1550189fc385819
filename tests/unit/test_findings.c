/* What `gracecube verify` makes of its steps, and that it knows what to do about each check that SQL has. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include <cli/findings.h>
#include <cli/repair.h>
#include <postgres/schema.h>

static void add(struct gc_findings *findings, const char *check, const char *subject, int64_t found, int64_t differing,
		const char *example)
{
	gc_findings_add(findings, &(struct gc_finding){ check, subject, 10, found, differing, example });
}

static void steps_become_rows(void **state)
{
	struct gc_findings findings;
	struct gc_finding sum;

	(void)state;
	gc_findings_init(&findings);
	for (int step = 0; step < 1000; step++) {
		add(&findings, "rollup equals facts", "rollup_b", 1, 0, NULL);
		add(&findings, "rollup equals facts", "rollup_a", 2, step % 2, step % 2 ? "cell (2)" : NULL);
		add(&findings, "no orphans", "rollup_a", 0, 0, NULL);
	}
	add(&findings, "rollup equals facts", "rollup_a", 0, 1, "cell (1)");
	assert_int_equal(findings.count, 3);
	assert_string_equal(findings.items[0].subject, "rollup_b");
	assert_int_equal(findings.items[1].compared, 10010);
	assert_string_equal(findings.items[1].example, "cell (1)");
	assert_true(gc_findings_differ(&findings, "rollup equals facts"));
	assert_false(gc_findings_differ(&findings, "no orphans"));
	assert_int_equal(gc_findings_compared(&findings, "rollup equals facts"), 20010);
	sum = gc_findings_sum(&findings);
	assert_int_equal(sum.compared, 30010);
	assert_int_equal(sum.found, 3000);
	assert_int_equal(sum.differing, 501);
	assert_string_equal(sum.example, "cell (1)");
	gc_findings_reset(&findings);
	assert_int_equal(gc_findings_sum(&findings).compared, 0);
	gc_findings_done(&findings);
}

/* Each "check_name := '…'" of the schema. */
static void each_check_has_advice(void **state)
{
	static const char begin[] = "check_name := '";
	const char *otherwise = gc_repair_advice("a check that nobody makes");
	int checks = 0;

	(void)state;
	for (const struct gc_sql_file *file = gc_sql_files; file->name; file++) {
		for (const char *at = strstr(file->text, begin); at; at = strstr(at, begin)) {
			char name[80];

			at += strlen(begin);
			snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, "'"), at);
			checks++;
			/* of links there is nothing to be left but what changes faster than it is repaired; what is closed never differs */
			if (strcmp(name, "links are what the other facts say") != 0 &&
			    strcmp(name, "closed, can not be computed again") != 0 &&
			    strcmp(gc_repair_advice(name), otherwise) == 0)
				fail_msg("nothing is said of what to do about \"%s\"", name);
		}
	}
	assert_in_range(checks, 9, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_become_rows),
		cmocka_unit_test(each_check_has_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
