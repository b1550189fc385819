/* What all commands share: configuration with its flags, errors as exit codes, and the way through main().
 *
 * Threads: the main thread, before others start and after they have ended.
 */
#include <errno.h>
#include <stdlib.h>

#include <gracecube/arena.h>
#include <gracecube/stream.h>

#include "cli/command.h"

/* -- configuration -- */

const char **gc_command_stream_names(void)
{
	size_t count = gc_stream_count();
	const char **names = gc_calloc(count + 1, sizeof(*names));
	for (size_t i = 0; i < count; i++)
		names[i] = gc_streams[i]->name;
	return names;
}

/* A wrong flag is wrong usage, though the same in the file is wrong configuration. */
static enum gc_verdict set_flags(struct gc_config *config, const struct gc_command_line *line, struct gc_err *err)
{
	for (size_t i = 0; i < line->setting_count; i++) {
		const struct gc_setting *setting = &line->settings[i];
		if (gc_config_set(config, setting->name, setting->value, err))
			return gc_fail(err, GC_FATAL, "usage", setting->flag, "%s", err->text);
	}
	return line->setting_count ? gc_config_check(config, err) : GC_OK;
}

enum gc_verdict gc_command_config(const struct gc_command_line *line, struct gc_config *ret_config, struct gc_err *err)
{
	struct gc_config config;
	const char **names = gc_command_stream_names();
	enum gc_verdict verdict = gc_config_load(&config, line->config_path, names, err);
	free(names);
	if (verdict)
		return verdict;
	verdict = set_flags(&config, line, err);
	if (verdict) {
		gc_config_free(&config);
		return verdict;
	}
	gc_log_setup(config.log_level, config.log_format);
	gc_config_log_environment(&config);
	*ret_config = config;
	return GC_OK;
}

/* -- exit codes -- */

/* By verdict and by how the code begins (SQLSTATEs by class); the first row that fits decides. The rows of a verdict
 * end with "", which fits all. */
static const struct {
	enum gc_verdict verdict;
	const char *code;
	enum gc_exit exit;
} exits[] = {
	{ GC_OK, "", GC_EXIT_DONE },

	{ GC_RETRY, "40", GC_EXIT_AGAIN },    /* serialization failure, deadlock */
	{ GC_RETRY, "55", GC_EXIT_AGAIN },    /* lock not available, object in use */
	{ GC_RETRY, "57014", GC_EXIT_AGAIN }, /* statement timeout */
	{ GC_RETRY, "busy", GC_EXIT_AGAIN },
	{ GC_RETRY, "lock", GC_EXIT_AGAIN },
	{ GC_RETRY, "stopped", GC_EXIT_AGAIN }, /* a signal came first */
	{ GC_RETRY, "", GC_EXIT_UNAVAILABLE },

	{ GC_REJECT, "", GC_EXIT_FINDINGS },
	{ GC_FENCED, "", GC_EXIT_AGAIN },

	{ GC_FATAL, "usage", GC_EXIT_USAGE },
	{ GC_FATAL, "no_file", GC_EXIT_USAGE },
	{ GC_FATAL, "not_readable", GC_EXIT_FINDINGS },
	{ GC_FATAL, "bug", GC_EXIT_INTERNAL },
	{ GC_FATAL, "internal", GC_EXIT_INTERNAL },
	{ GC_FATAL, "55", GC_EXIT_AGAIN },
	{ GC_FATAL, "42501", GC_EXIT_CONFIG }, /* a right is missing */
	{ GC_FATAL, "42P01", GC_EXIT_CONFIG }, /* no such table: the schema is not there or another version's */
	{ GC_FATAL, "42883", GC_EXIT_CONFIG }, /* the same of a function */
	{ GC_FATAL, "42703", GC_EXIT_CONFIG }, /* the same of a column */
	{ GC_FATAL, "42", GC_EXIT_INTERNAL },  /* else our SQL is wrong */
	{ GC_FATAL, "2200H", GC_EXIT_CONFIG }, /* a sequence is used up */
	{ GC_FATAL, "22", GC_EXIT_INTERNAL },  /* or what we send */
	{ GC_FATAL, "23", GC_EXIT_INTERNAL },
	{ GC_FATAL, "25", GC_EXIT_INTERNAL },
	{ GC_FATAL, "XX", GC_EXIT_INTERNAL },
	{ GC_FATAL, "", GC_EXIT_CONFIG }, /* an operator has to act: an option, a topic, a login */
};

enum gc_exit gc_exit_code(const struct gc_err *err)
{
	for (size_t i = 0; i < sizeof(exits) / sizeof(*exits); i++)
		if (exits[i].verdict == err->verdict && strncmp(err->code, exits[i].code, strlen(exits[i].code)) == 0)
			return exits[i].exit;
	return GC_EXIT_INTERNAL;
}

int gc_command_fail(const struct gc_err *err)
{
	fflush(stdout);
	fprintf(stderr, "gracecube: %s%s%s\n", err->where, *err->where ? ": " : "", err->text);
	return (int)gc_exit_code(err);
}

int gc_command_misuse(const struct gc_command_line *line, const char *format, ...)
{
	struct gc_err err;
	char text[sizeof(err.text)];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	gc_fail(&err, GC_FATAL, "usage", line->command->name, "%s", text);
	return gc_command_fail(&err);
}

/* -- main -- */

static int print_help(const struct gc_command_line *line, const struct gc_command *const *commands)
{
	if (line->command)
		gc_command_print_help(line->command, stdout);
	else
		gc_command_print_overview(commands, stdout);
	return GC_EXIT_DONE;
}

static int run_line(struct gc_command_line *line, const struct gc_command *const *commands)
{
	if (line->help)
		return print_help(line, commands);
	if (line->version) {
		gc_print_version(stdout);
		return GC_EXIT_DONE;
	}
	if (!line->command) {
		gc_command_print_overview(commands, stderr);
		return GC_EXIT_USAGE;
	}
	return line->verb && line->verb->run ? line->verb->run(line) : line->command->run(line);
}

/* Output that could not be written (a full disk) is a failure. */
static int finish_output(int code)
{
	bool failed = ferror(stdout);
	if (fflush(stdout) == 0 && !failed)
		return code;
	fprintf(stderr, "gracecube: the output cannot be written: %s\n", strerror(errno));
	return code == GC_EXIT_DONE ? GC_EXIT_INTERNAL : code;
}

int gc_command_main(const struct gc_command *const *commands, int argc, char **argv)
{
	struct gc_command_line line;
	struct gc_err err;
	int code;
	if (gc_command_line_parse(&line, commands, argc, argv, &err))
		code = gc_command_fail(&err);
	else
		code = run_line(&line, commands);
	gc_command_line_free(&line);
	return finish_output(code);
}
