/* Completion: what may follow a command line, as the shells ask for it; and the manual pages' one promise, that text shows
 * as it stands. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gracecube/roff.h>

#include "cli/command.h"

#define WORDS_MAX 16

static char *complete(const char *line)
{
	char *copy = strdup(line), *words[WORDS_MAX], *out = NULL;
	size_t bytes;
	int count = 0;
	for (char *at = copy; at && count < WORDS_MAX; count++) /* "a  b": an empty word between */
		words[count] = strsep(&at, " ");
	FILE *stream = open_memstream(&out, &bytes);
	gc_command_complete(gc_commands, words, count, stream);
	fclose(stream);
	free(copy);
	return out;
}

/* The words alone, with a blank behind each. */
static void assert_offers(const char *line, const char *wanted)
{
	char *out = complete(line), *at = out, words[4000] = "";
	for (char *row; (row = strsep(&at, "\n")) && *row;)
		snprintf(words + strlen(words), sizeof(words) - strlen(words), "%.*s ", (int)strcspn(row, "\t"), row);
	if (strcmp(words, wanted) != 0)
		fail_msg("after \"%s\": %s, expected %s", line, words, wanted);
	free(out);
}

static void words_are_offered_where_they_fit(void **state)
{
	(void)state;
	assert_offers("veri", "verify ");
	assert_offers("nothing-like-it", "");
	assert_offers("dead ", "list show retry discard export import ");
	assert_offers("dead list ", "");
	assert_offers("dead import ", ":files ");
	assert_offers("dead import x ", ":files ");
	assert_offers("help veri", "verify ");
	assert_offers("publish ", ":files ");
	assert_offers("run -- --unt", "");
}

static void flags_are_those_of_the_command(void **state)
{
	(void)state;
	assert_offers("run --unt", "--until-caught-up ");
	assert_offers("--unt", "");
	assert_offers("status --js", "--json ");
	assert_offers("serve --js", "");
	assert_offers("-c /dev/null run --unt", "--until-caught-up ");
}

static void values_are_those_of_the_flag(void **state)
{
	(void)state;
	assert_offers("-c ", ":files ");
	assert_offers("run -s run.wor", "run.workers= ");
	assert_offers("run -s log.level=d", "log.level=debug ");
	assert_offers("run --set=log.level=d", "--set=log.level=debug ");
	assert_offers("run -s streams.action_contracts.time_unit=m", "streams.action_contracts.time_unit=ms ");
	assert_offers("run -s postgres.dsn=h", "");
	assert_offers("run --log-level i", "info ");
	assert_offers("run --streams appr", "approval_requests ");
	assert_offers("run --streams=a,appr", "--streams=a,approval_requests ");
	assert_offers("status --every ", "");
}

static void text_shows_as_it_stands(void **state)
{
	(void)state;
	char *out = NULL;
	size_t bytes;
	FILE *stream = open_memstream(&out, &bytes);
	gc_roff_prose(stream, ".dot\n`bold` it's a\\b\n\n  --lines\n  stay\n");
	fclose(stream);
	assert_string_equal(out, "\\&.dot\n\\fBbold\\fR it\\(aqs a\\eb\n.RS 4\n.nf\n  \\-\\-lines\n  stay\n.fi\n.RE\n");
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_offered_where_they_fit),
		cmocka_unit_test(flags_are_those_of_the_command),
		cmocka_unit_test(values_are_those_of_the_flag),
		cmocka_unit_test(text_shows_as_it_stands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
