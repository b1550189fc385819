/* What all commands have: help, pages that are made from the tables and stand in the repository, flags. */
#include <ctype.h>
#include <jansson.h>

#include <gracecube/stream.h>

#include "command_run.h"

/* What the words print with the real table. */
static char *print(const char *words)
{
	char *out, *messages;
	int code = run_main(gc_commands, words, &out, &messages);
	if (code != GC_EXIT_DONE)
		fail_msg("%s: %s", words, messages);
	free(messages);
	return out;
}

static void assert_is_current(const char *words, const char *path)
{
	char *printed = print(words), *stored = calloc(1, 100000);
	FILE *in = fopen(path, "r");
	if (in) {
		stored[fread(stored, 1, 99999, in)] = '\0';
		fclose(in);
	}
	if (strcmp(printed, stored) != 0)
		fail_msg("%s is out of date; make it anew by `gracecube %s`", path, words);
	free(printed);
	free(stored);
}

static void pages_in_the_repository_are_current(void **state)
{
	(void)state;
	assert_is_current("config sample", GRACECUBE_SOURCE_DIR "/config/gracecube.yaml");
	assert_is_current("config reference", GRACECUBE_SOURCE_DIR "/config/reference.md");
}

static void sample_in_the_repository_holds_the_defaults(void **state)
{
	(void)state;
	char *with = print("config show --json -c " GRACECUBE_SOURCE_DIR "/config/gracecube.yaml");
	char *without = print("config show --json -c /dev/null");
	json_t *roots[] = { json_loads(with, 0, NULL), json_loads(without, 0, NULL) };
	const json_t *a = json_object_get(roots[0], "options"), *b = json_object_get(roots[1], "options");
	assert_true(json_array_size(a) > 20 && json_array_size(a) == json_array_size(b));
	for (size_t i = 0; i < json_array_size(a); i++)
		assert_string_equal(json_string_value(json_object_get(json_array_get(a, i), "value")),
				    json_string_value(json_object_get(json_array_get(b, i), "value")));
	json_decref(roots[0]);
	json_decref(roots[1]);
	free(with);
	free(without);
}

static void show_has_values_and_origins(void **state)
{
	(void)state;
	char *text = print("config show -c /dev/null -s run.workers=3");
	assert_has(text, "option");
	assert_has(text, "\nrun.workers ");
	assert_has(text, "  flag\n");
	assert_has(text, "\"\" ");
	free(text);
}

static void every_command_is_complete(void **state)
{
	(void)state;
	for (const struct gc_command *const *row = gc_commands; *row; row++) {
		const struct gc_command *command = *row;
		size_t len = strlen(command->name);
		assert_true(islower((unsigned char)command->summary[0]));
		assert_true(command->summary[strlen(command->summary) - 1] != '.');
		assert_true(strncmp(command->usage, command->name, len) == 0);
		assert_true(command->help && strncmp(command->help, "Examples:\n", 10) == 0);
		assert_has(command->help, "xit code");
		assert_true(command->verbs || command->run);
	}
}

static bool is_same_flag(const struct gc_flag *a, const struct gc_flag *b)
{
	return a != b && (strcmp(a->name, b->name) == 0 || (a->letter && a->letter == b->letter));
}

static void no_flag_is_there_twice(void **state)
{
	(void)state;
	for (const struct gc_command *const *row = gc_commands; *row; row++) {
		for (const struct gc_flag *flag = (*row)->flags; flag && flag->name; flag++) {
			for (const struct gc_flag *other = gc_global_flags; other->name; other++)
				assert_false(is_same_flag(flag, other));
			for (const struct gc_flag *other = (*row)->flags; other->name; other++)
				assert_false(is_same_flag(flag, other));
			assert_true((flag->type == GC_FLAG_BOOL) == (flag->argument == NULL));
			assert_true((flag->type == GC_FLAG_CHOICE) == (flag->choices != NULL));
			assert_true(flag->offset < (*row)->options_bytes);
		}
	}
}

/* Parses each table once, so that a wrong `initially` shows here. */
static void every_command_has_its_help(void **state)
{
	(void)state;
	for (const struct gc_command *const *row = gc_commands; *row; row++) {
		char words[80];
		snprintf(words, sizeof(words), "%s --help", (*row)->name);
		char *by_flag = print(words);
		snprintf(words, sizeof(words), "help %s", (*row)->name);
		char *by_command = print(words);
		assert_string_equal(by_flag, by_command);
		assert_has(by_flag, (*row)->summary);
		free(by_flag);
		free(by_command);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_in_the_repository_are_current),
		cmocka_unit_test(sample_in_the_repository_holds_the_defaults),
		cmocka_unit_test(show_has_values_and_origins),
		cmocka_unit_test(every_command_is_complete),
		cmocka_unit_test(no_flag_is_there_twice),
		cmocka_unit_test(every_command_has_its_help),
	};

	return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
