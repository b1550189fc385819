/* Commands: flags and words, what is said when they are wrong, the way through main, the configuration, progress. */
#include <gracecube/stream.h>

#include "cli/progress.h"
#include "command_run.h"

/* -- a command with everything -- */

struct try_options {
	bool watch;
	const char *name;
	int64_t count, bytes, every_us, since_us;
	int colour;
	struct gc_flag_list streams;
};

static const char *const colours[] = { "red", "green", NULL };

static const struct gc_flag try_flags[] = {
	{ "watch", 'w', NULL, "keep watching", GC_FLAG_BOOL, .offset = offsetof(struct try_options, watch) },
	{ "name", 'n', "NAME", "a name", GC_FLAG_TEXT, .offset = offsetof(struct try_options, name) },
	{ "count", 0, "N", "a count", GC_FLAG_INT, .offset = offsetof(struct try_options, count), .initially = "7", .min = 1,
	  .max = 10 },
	{ "bytes", 'b', "SIZE", "a size", GC_FLAG_SIZE, .offset = offsetof(struct try_options, bytes) },
	{ "every", 0, "TIME", "a pause", GC_FLAG_DURATION, .offset = offsetof(struct try_options, every_us), .initially = "2s" },
	{ "since", 0, "TIME", "a time", GC_FLAG_TIME, .offset = offsetof(struct try_options, since_us) },
	{ "colour", 0, "COLOUR", "a colour", GC_FLAG_CHOICE, .offset = offsetof(struct try_options, colour), .choices = colours,
	  .initially = "green" },
	{ "streams", 0, "A,B", "some streams", GC_FLAG_LIST, .offset = offsetof(struct try_options, streams) },
	{ .name = NULL },
};

static int run_try(struct gc_command_line *line)
{
	printf("ran with %d words\n", line->arg_count);
	return GC_EXIT_FINDINGS;
}

static const struct gc_command try_command = {
	.name = "try",
	.summary = "tries it",
	.usage = "try [options] [WORD...]",
	.help = "Examples:\n  gracecube try\n",
	.flags = try_flags,
	.options_bytes = sizeof(struct try_options),
	.has_json = true,
	.args_max = 2,
	.run = run_try,
};

static int run_list(struct gc_command_line *line)
{
	printf("list %s\n", line->verb->name);
	return GC_EXIT_DONE;
}

static const struct gc_verb dead_verbs[] = {
	{ "list", "lists", run_list, 0, 0 },
	{ "show", "shows one", run_list, 1, 1 },
	{ .name = NULL },
};

static const struct gc_command dead_command = {
	.name = "dead",
	.summary = "dead letters",
	.usage = "dead list|show ID",
	.verbs = dead_verbs,
};

static const struct gc_command *const commands[] = { &try_command, &dead_command, NULL };

/* -- helpers -- */

struct parsed {
	struct gc_command_line line;
	struct gc_err err;
	enum gc_verdict verdict;
	char *text, *words[WORDS_MAX];
};

static struct parsed *parse(const char *text)
{
	struct parsed *parsed = calloc(1, sizeof(*parsed));
	parsed->text = strdup(text);
	int count = cut_words(parsed->text, parsed->words);
	parsed->verdict = gc_command_line_parse(&parsed->line, commands, count, parsed->words, &parsed->err);
	return parsed;
}

static void drop(struct parsed *parsed)
{
	gc_command_line_free(&parsed->line);
	free(parsed->words[0]);
	free(parsed->text);
	free(parsed);
}

static struct parsed *parse_good(const char *text)
{
	struct parsed *parsed = parse(text);
	if (parsed->verdict)
		fail_msg("%s: %s: %s", text, parsed->err.where, parsed->err.text);
	return parsed;
}

/* -- flags -- */

static void flags_have_their_defaults(void **state)
{
	(void)state;
	struct parsed *parsed = parse_good("try");
	const struct try_options *options = parsed->line.options;
	assert_ptr_equal(parsed->line.command, &try_command);
	assert_false(options->watch);
	assert_null(options->name);
	assert_int_equal(options->count, 7);
	assert_int_equal(options->bytes, 0);
	assert_int_equal(options->every_us, 2000000);
	assert_int_equal(options->since_us, 0);
	assert_int_equal(options->colour, 1);
	assert_int_equal(options->streams.count, 0);
	assert_int_equal(parsed->line.arg_count, 0);
	assert_false(parsed->line.json);
	drop(parsed);
}

static void flags_of_every_type_are_read(void **state)
{
	(void)state;
	struct parsed *parsed = parse_good("try --watch one --name=x --count 10 -b 64MiB --every 5ms "
					   "--since 2026-11-23 --colour red --streams a,b --streams=c --json two");
	const struct try_options *options = parsed->line.options;
	assert_true(options->watch);
	assert_string_equal(options->name, "x");
	assert_int_equal(options->count, 10);
	assert_int_equal(options->bytes, 64 << 20);
	assert_int_equal(options->every_us, 5000);
	assert_true(options->since_us == INT64_C(1795392000000000));
	assert_int_equal(options->colour, 0);
	assert_int_equal(options->streams.count, 3);
	assert_string_equal(options->streams.items[2], "c");
	assert_true(parsed->line.json);
	assert_int_equal(parsed->line.arg_count, 2);
	assert_string_equal(parsed->line.args[0], "one");
	assert_string_equal(parsed->line.args[1], "two");
	drop(parsed);
}

static void letters_may_stand_together(void **state)
{
	(void)state;
	struct parsed *parsed = parse_good("try -wnx");
	const struct try_options *options = parsed->line.options;
	assert_true(options->watch);
	assert_string_equal(options->name, "x");
	drop(parsed);
}

static void words_behind_two_dashes_are_no_flags(void **state)
{
	(void)state;
	struct parsed *parsed = parse_good("try -w -- --name -x");
	assert_int_equal(parsed->line.arg_count, 2);
	assert_string_equal(parsed->line.args[0], "--name");
	drop(parsed);
	parsed = parse_good("try -");
	assert_string_equal(parsed->line.args[0], "-"); /* stdin */
	drop(parsed);
}

static void a_flags_value_may_look_like_a_flag(void **state)
{
	(void)state;
	struct parsed *parsed = parse_good("try --name --wat");
	assert_string_equal(((const struct try_options *)parsed->line.options)->name, "--wat");
	drop(parsed);
}

static void global_flags_stand_on_both_sides(void **state)
{
	(void)state;
	struct parsed *parsed = parse_good("-c a.yaml -s run.workers=3 "
					   "try -X linger.ms=5 --log-level debug --set=log.format=json");
	const struct gc_command_line *line = &parsed->line;
	assert_string_equal(line->config_path, "a.yaml");
	assert_int_equal(line->setting_count, 4);
	assert_string_equal(line->settings[0].name, "run.workers");
	assert_string_equal(line->settings[0].value, "3");
	assert_string_equal(line->settings[1].name, "kafka.properties.linger.ms");
	assert_string_equal(line->settings[2].name, "log.level");
	assert_string_equal(line->settings[3].value, "json");
	drop(parsed);
}

static void verbs_are_taken_out_of_the_words(void **state)
{
	(void)state;
	struct parsed *parsed = parse_good("dead show 17");
	assert_string_equal(parsed->line.verb->name, "show");
	assert_int_equal(parsed->line.arg_count, 1);
	assert_string_equal(parsed->line.args[0], "17");
	drop(parsed);
}

/* -- wrong words -- */

static const struct wrong {
	const char *words, *where, *sentence;
} wrong_words[] = {
	{ "tyr", "", "there is no command tyr; did you mean try?" },
	{ "frobnicate", "", "there is no command frobnicate; see `gracecube help`" },
	{ "--cofnig x", "", "there is no option --cofnig; did you mean --config?" },
	{ "--json try", "", "there is no option --json" },
	{ "try --wtach", "try", "there is no option --wtach; did you mean --watch?" },
	{ "try --wat", "try", "there is no option --wat; did you mean --watch?" },
	{ "try --wat=3", "try", "there is no option --wat; did you mean --watch?" },
	{ "try --frobnicate", "try", "there is no option --frobnicate; see --help" },
	{ "try -z", "try", "there is no option -z; see --help" },
	{ "try -wz", "try", "there is no option -z; see --help" },
	{ "try --watch=yes", "try", "--watch takes no value" },
	{ "try --name", "try", "--name needs NAME" },
	{ "try -n", "try", "--name needs NAME" },
	{ "try --count x", "try", "--count N must be a whole number from 1 to 10, not \"x\"" },
	{ "try --count 11", "try", "--count N must be a whole number from 1 to 10, not \"11\"" },
	{ "try --count 0", "try", "from 1 to 10" },
	{ "try --bytes 1s", "try", "--bytes SIZE must be a size like 64MiB, not \"1s\"" },
	{ "try --every 1", "try", "--every TIME must be a duration like 30s, not \"1\"" },
	{ "try --since soon", "try", "--since TIME must be a time like" },
	{ "try --colour blue", "try", "--colour COLOUR must be one of red, green, not \"blue\"" },
	{ "try a b c", "try", "\"c\" is one word too many: gracecube try [options] [WORD...]" },
	{ "try -s workers", "try", "-s must be followed by NAME=VALUE" },
	{ "try -X =3", "try", "-X must be followed by NAME=VALUE" },
	{ "dead", "dead", "one of these must follow: list, show" },
	{ "dead lsit", "dead", "there is no action lsit; did you mean list?" },
	{ "dead show", "dead", "something is missing: gracecube dead list|show ID" },
	{ "dead list x", "dead", "\"x\" is one word too many" },
	{ "dead list --json", "dead", "there is no option --json" },
};

static void wrong_word_is_told(void **state)
{
	const struct wrong *row = *state;
	struct parsed *parsed = parse(row->words);

	if (parsed->verdict != GC_FATAL || strcmp(parsed->err.code, "usage") != 0 || strcmp(parsed->err.where, row->where) != 0 ||
	    !strstr(parsed->err.text, row->sentence))
		fail_msg("%s: %s: %s", row->words, parsed->err.where, parsed->err.text);
	drop(parsed);
}

/* -- the way through main -- */

static void assert_run(const char *words, int code, const char *out_part, const char *message_part)
{
	char *out, *messages;
	int got = run_main(commands, words, &out, &messages);
	if (got != code)
		fail_msg("%s: exit code %d: %s%s", words, got, out, messages);
	assert_has(out, out_part);
	assert_has(messages, message_part);
	if (*out_part == '\0')
		assert_string_equal(out, "");
	if (*message_part == '\0')
		assert_string_equal(messages, "");
	free(out);
	free(messages);
}

static void facts_and_messages_go_their_ways(void **state)
{
	(void)state;
	assert_run("try a b", GC_EXIT_FINDINGS, "ran with 2 words\n", "");
	assert_run("dead list", GC_EXIT_DONE, "list list\n", "");
	assert_run("try --nmae", GC_EXIT_USAGE, "", "gracecube: try: there is no option --nmae; did you mean --name?\n");
	assert_run("", GC_EXIT_USAGE, "", "Usage: gracecube COMMAND");
	assert_run("--version", GC_EXIT_DONE, "gracecube " GRACECUBE_VERSION " (commit ", "");
	assert_run("try --version", GC_EXIT_DONE, "\nlibrdkafka ", "");
}

static void help_comes_from_the_tables(void **state)
{
	(void)state;
	assert_run("--help", GC_EXIT_DONE, "  try           tries it\n", "");
	assert_run("-h", GC_EXIT_DONE, "  78            configuration wrong", "");
	assert_run("try --help", GC_EXIT_DONE, "gracecube try: tries it\n\nExamples:\n", "");
	assert_run("try -h a b c d", GC_EXIT_DONE, "  -w, --watch", "");
	assert_run("try -h", GC_EXIT_DONE, "a colour: red, green (default green)", "");
	assert_run("dead -h", GC_EXIT_DONE, "Actions:\n  list", "");
}

static void unwritten_output_is_no_success(void **state)
{
	(void)state;
	char *copy = strdup("dead list"), *words[WORDS_MAX];
	int count = cut_words(copy, words);
	FILE *full = fopen("/dev/full", "w");
	if (!full)
		skip();
	struct capture messages = start_capture(STDERR_FILENO);
	int saved = dup(STDOUT_FILENO);
	fflush(stdout);
	dup2(fileno(full), STDOUT_FILENO);
	int code = gc_command_main(commands, count, words);
	clearerr(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	char *text = end_capture(&messages);
	assert_int_equal(code, GC_EXIT_INTERNAL);
	assert_has(text, "the output cannot be written");
	free(text);
	fclose(full);
	free(words[0]);
	free(copy);
}

static const struct exit_code {
	enum gc_verdict verdict;
	const char *code;
	enum gc_exit exit;
} exit_codes[] = {
	{ GC_OK, "", GC_EXIT_DONE },
	{ GC_RETRY, "08006", GC_EXIT_UNAVAILABLE },
	{ GC_RETRY, "_ALL_BROKERS_DOWN", GC_EXIT_UNAVAILABLE },
	{ GC_RETRY, "40P01", GC_EXIT_AGAIN },
	{ GC_RETRY, "55P03", GC_EXIT_AGAIN },
	{ GC_RETRY, "busy", GC_EXIT_AGAIN },
	{ GC_REJECT, "not_json", GC_EXIT_FINDINGS },
	{ GC_FENCED, "fenced", GC_EXIT_AGAIN },
	{ GC_FATAL, "usage", GC_EXIT_USAGE },
	{ GC_FATAL, "no_file", GC_EXIT_USAGE },
	{ GC_FATAL, "config_unknown_key", GC_EXIT_CONFIG },
	{ GC_FATAL, "kafka.properties", GC_EXIT_CONFIG },
	{ GC_FATAL, "schema_version", GC_EXIT_CONFIG },
	{ GC_FATAL, "28P01", GC_EXIT_CONFIG },
	{ GC_FATAL, "42501", GC_EXIT_CONFIG },
	{ GC_FATAL, "42P01", GC_EXIT_CONFIG },
	{ GC_FATAL, "42601", GC_EXIT_INTERNAL },
	{ GC_FATAL, "23505", GC_EXIT_INTERNAL },
	{ GC_FATAL, "internal", GC_EXIT_INTERNAL },
};

static void error_becomes_its_exit_code(void **state)
{
	const struct exit_code *row = *state;
	struct gc_err err;

	gc_fail(&err, row->verdict, row->code, "", "text");
	if (gc_exit_code(&err) != row->exit)
		fail_msg("%s %s: %d", gc_verdict_name(row->verdict), row->code, gc_exit_code(&err));
}

/* -- configuration with flags -- */

static enum gc_verdict load(const char *words, struct gc_config *ret_config, struct gc_err *err)
{
	struct parsed *parsed = parse_good(words);
	enum gc_verdict verdict = gc_command_config(&parsed->line, ret_config, err);
	drop(parsed);
	return verdict;
}

static void flags_win_over_all(void **state)
{
	(void)state;
	struct gc_config cfg;
	struct gc_err err;
	setenv("GRACECUBE_RUN_WORKERS", "5", 1);
	assert_int_equal(load("try -c /dev/null -s run.workers=6 --log-level error -X linger.ms=5", &cfg, &err), GC_OK);
	unsetenv("GRACECUBE_RUN_WORKERS");
	assert_int_equal(cfg.run_workers, 6);
	assert_int_equal(cfg.log_level, GC_LOG_ERROR);
	assert_int_equal(gc_log_level(), GC_LOG_ERROR);
	assert_string_equal(cfg.kafka_properties[0].name, "linger.ms");
	gc_config_free(&cfg);
	gc_log_setup(GC_LOG_INFO, GC_LOG_LOGFMT);
}

static void wrong_flag_is_wrong_usage(void **state)
{
	(void)state;
	struct gc_config cfg;
	struct gc_err err;
	assert_int_equal(load("try -c /dev/null -s run.wrokers=6", &cfg, &err), GC_FATAL);
	assert_string_equal(err.where, "-s");
	assert_has(err.text, "did you mean run.workers?");
	assert_int_equal(gc_exit_code(&err), GC_EXIT_USAGE);
	assert_int_equal(load("try -c /absent", &cfg, &err), GC_FATAL);
	assert_int_equal(gc_exit_code(&err), GC_EXIT_CONFIG);
}

/* -- progress -- */

static void progress_line_says_how_far(void **state)
{
	(void)state;
	char buffer[200];
	struct gc_progress progress = { .what = "publish", .unit = "records", .total = 600, .started_us = 1000000 };
	assert_string_equal(gc_progress_line(&progress, 1000000, buffer, sizeof(buffer)),
			    "publish: 0/600 records, 0%, 0/s, 0 s left");
	progress.done = 120;
	assert_string_equal(gc_progress_line(&progress, 3000000, buffer, sizeof(buffer)),
			    "publish: 120/600 records, 20%, 60/s, 8 s left");
	progress.done = 600;
	assert_string_equal(gc_progress_line(&progress, 11000000, buffer, sizeof(buffer)),
			    "publish: 600/600 records, 100%, 60/s, 0 s left");
	progress.total = 0;
	assert_string_equal(gc_progress_line(&progress, 11000000, buffer, sizeof(buffer)), "publish: 600 records, 60/s");
}

/* What a reporter writes for a thousand steps, the last of them `later_us` after the first. */
static char *report(enum gc_progress_mode mode, int64_t later_us)
{
	struct gc_progress progress;
	struct capture messages = start_capture(STDERR_FILENO);
	gc_progress_start(&progress, mode, "publish", "records", 2000);
	for (int64_t i = 1; i < 1000; i++)
		gc_progress_at(&progress, i);
	progress.shown_us -= later_us;
	progress.started_us -= later_us;
	gc_progress_at(&progress, 1000);
	gc_progress_end(&progress);
	return end_capture(&messages);
}

static void assert_report(enum gc_progress_mode mode, int64_t later_us, const char *part)
{
	char *text = report(mode, later_us);
	assert_has(text, part);
	if (*part == '\0')
		assert_string_equal(text, "");
	free(text);
}

static void progress_is_shown_now_and_then(void **state)
{
	(void)state;
	assert_report(GC_PROGRESS_NONE, 10 * GC_SECOND_US, "");
	assert_report(GC_PROGRESS_BAR, 0, "\r\033[K");
	assert_report(GC_PROGRESS_BAR, GC_SECOND_US, "\r\033[Kpublish: 1000/2000 records, 50%");
	assert_report(GC_PROGRESS_LOG, GC_SECOND_US, "");
	assert_report(GC_PROGRESS_LOG, 2 * GC_SECOND_US, "done=1000");
	assert_report(GC_PROGRESS_AUTO, 2 * GC_SECOND_US, "done=1000"); /* stderr is a file here */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_have_their_defaults),
		cmocka_unit_test(flags_of_every_type_are_read),
		cmocka_unit_test(letters_may_stand_together),
		cmocka_unit_test(words_behind_two_dashes_are_no_flags),
		cmocka_unit_test(a_flags_value_may_look_like_a_flag),
		cmocka_unit_test(global_flags_stand_on_both_sides),
		cmocka_unit_test(verbs_are_taken_out_of_the_words),
		cmocka_unit_test(facts_and_messages_go_their_ways),
		cmocka_unit_test(help_comes_from_the_tables),
		cmocka_unit_test(unwritten_output_is_no_success),
		cmocka_unit_test(flags_win_over_all),
		cmocka_unit_test(wrong_flag_is_wrong_usage),
		cmocka_unit_test(progress_line_says_how_far),
		cmocka_unit_test(progress_is_shown_now_and_then),
	};
	struct suite suite = { 0 };
	int failed;

	for (size_t i = 0; i < COUNT(wrong_words); i++)
		suite_add(&suite, wrong_word_is_told, &wrong_words[i], "wrong: %s", wrong_words[i].words);
	for (size_t i = 0; i < COUNT(exit_codes); i++)
		suite_add(&suite, error_becomes_its_exit_code, &exit_codes[i], "exit code %d of %s %s", exit_codes[i].exit,
			  gc_verdict_name(exit_codes[i].verdict), exit_codes[i].code);
	failed = suite_run(&suite, NULL, NULL);
	return failed + cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
