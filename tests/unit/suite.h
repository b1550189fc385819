/* Tests that are the rows of a table: each has a name of its own, so that the one that fails is the one that is named.
 *
 *     for (size_t i = 0; i < COUNT(forms); i++)
 *             suite_add(&suite, time_is_read, &forms[i], "time is read: %s", forms[i].text);
 *     return suite_run(&suite, set_up, tear_down);
 *
 * A test finds its row in *state.
 */
#ifndef GRACECUBE_TESTS_SUITE_H
#define GRACECUBE_TESTS_SUITE_H

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include <gracecube/arena.h>
#include <gracecube/span.h>

#define SUITE_NAME_BYTES 128
/* A test without a row goes by its function's name. */
#define SUITE_ADD(suite, test) suite_add(suite, test, NULL, "%s", #test)

struct suite {
	struct CMUnitTest *tests;
	size_t count;
};

/* One line of what a terminal can show. */
static inline void suite_clean(char *name)
{
	bool is_utf8 = gc_span_is_utf8(gc_span_of(name));

	for (unsigned char *at = (unsigned char *)name; *at; at++) {
		if (*at < ' ' || (*at > '~' && !is_utf8))
			*at = ' ';
	}
}

static inline void suite_add(struct suite *suite, CMUnitTestFunction test, const void *row, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static inline void suite_add(struct suite *suite, CMUnitTestFunction test, const void *row, const char *format, ...)
{
	char name[SUITE_NAME_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(name, sizeof(name), format, arguments);
	va_end(arguments);
	suite_clean(name);
	suite->tests = gc_realloc(suite->tests, (suite->count + 1) * sizeof(*suite->tests));
	suite->tests[suite->count++] = (struct CMUnitTest){ .name = gc_strdup(name),
							    .test_func = test,
							    .initial_state = (void *)row };
}

/* How many failed. */
static inline int suite_run(struct suite *suite, CMFixtureFunction before, CMFixtureFunction after)
{
	int failed = _cmocka_run_group_tests("suite", suite->tests, suite->count, before, after);

	for (size_t i = 0; i < suite->count; i++)
		free((char *)suite->tests[i].name);
	free(suite->tests);
	return failed;
}

#endif
