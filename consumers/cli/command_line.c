/* The command line: words become the fields of struct gc_command_line and of the command's own options.
 *
 * getopt_long() does the reading. It would take --unti for --until-caught-up, and a script that says so breaks when
 * --until-noon is added; so every long name is compared whole before it is handed over.
 * Threads: the main thread; getopt keeps globals.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>

#include <gracecube/arena.h>
#include <gracecube/human.h>

#include "cli/command.h"

/* Values of struct option: above the short letters. */
#define LONG_BASE 256
#define FLAGS_MAX 64

const struct gc_flag gc_global_flags[] = {
	[GC_GLOBAL_HELP] = { "help", 'h', NULL, "show help", .type = GC_FLAG_BOOL },
	[GC_GLOBAL_CONFIG] = { "config", 'c', "FILE", "configuration; else config/gracecube.yaml, else the installed one",
			       .type = GC_FLAG_TEXT },
	[GC_GLOBAL_SET] = { "set", 's', "NAME=VALUE", "one option, like run.workers=4; repeatable", .type = GC_FLAG_LIST },
	[GC_GLOBAL_PROPERTY] = { "property", 'X', "NAME=VALUE", "one property of librdkafka; repeatable", .type = GC_FLAG_LIST },
	[GC_GLOBAL_JSON] = { "json", 0, NULL, "print facts as JSON", .type = GC_FLAG_BOOL },
	[GC_GLOBAL_LOG_LEVEL] = { "log-level", 0, "LEVEL", "the least important lines that are written", .type = GC_FLAG_TEXT,
				  .choices = gc_log_levels },
	[GC_GLOBAL_VERSION] = { "version", 0, NULL, "show the version, the commit and the libraries' versions",
				.type = GC_FLAG_BOOL },
	[GC_GLOBAL_COUNT] = { .name = NULL },
};

struct parser {
	struct gc_command_line *line;
	const char *mode; /* of getopt's letters: where to stop */
	const struct gc_flag *flags[FLAGS_MAX];
	size_t flag_count;
	struct option long_options[FLAGS_MAX + 1];
	char letters[2 * FLAGS_MAX + 4];
};

/* -- messages -- */

static const char *where(const struct gc_command_line *line)
{
	return line->command ? line->command->name : "";
}

static enum gc_verdict fail_unknown_flag(const struct parser *parser, const char *name, struct gc_err *err)
{
	struct gc_nearest nearest = { .word = name };
	for (size_t i = 0; i < parser->flag_count; i++)
		gc_nearest_offer(&nearest, parser->flags[i]->name);
	if (nearest.best)
		return gc_fail(err, GC_FATAL, "usage", where(parser->line), "there is no option --%.80s; did you mean --%s?", name,
			       nearest.best);
	return gc_fail(err, GC_FATAL, "usage", where(parser->line), "there is no option --%.80s; see --help", name);
}

static enum gc_verdict fail_value(const struct parser *parser, const struct gc_flag *flag, const char *must, const char *value,
				  struct gc_err *err)
{
	return gc_fail(err, GC_FATAL, "usage", where(parser->line), "--%s %s %s, not \"%.80s\"", flag->name, flag->argument, must,
		       value);
}

/* -- values -- */

static enum gc_human_unit unit_of(const struct gc_flag *flag)
{
	switch (flag->type) {
	case GC_FLAG_SIZE:
		return GC_HUMAN_BYTES;
	case GC_FLAG_DURATION:
		return GC_HUMAN_TIME;
	default:
		return GC_HUMAN_COUNT;
	}
}

static enum gc_verdict put_number(const struct parser *parser, const struct gc_flag *flag, const char *value, int64_t *into,
				  struct gc_err *err)
{
	int64_t number, max = flag->min || flag->max ? flag->max : INT64_MAX;
	char must[120], domain[100];
	if (!gc_human_parse(value, unit_of(flag), &number) || number < flag->min || number > max) {
		snprintf(must, sizeof(must), "must be %s", gc_human_domain(unit_of(flag), flag->min, max, domain, sizeof(domain)));
		return fail_value(parser, flag, must, value, err);
	}
	*into = number;
	return GC_OK;
}

static enum gc_verdict put_time(const struct parser *parser, const struct gc_flag *flag, const char *value, int64_t *into,
				struct gc_err *err)
{
	if (strcmp(value, "now") == 0)
		*into = gc_now_us();
	else if (!gc_time_parse(gc_span_of(value), GC_UNIT_AUTO, into))
		return fail_value(parser, flag, "must be a time like 2026-11-23T07:45:02Z or 2026-11-23, or now", value, err);
	return GC_OK;
}

static enum gc_verdict put_choice(const struct parser *parser, const struct gc_flag *flag, const char *value, int *into,
				  struct gc_err *err)
{
	char choices[160], must[200];
	int found = gc_choice_find(flag->choices, gc_span_of(value));
	if (found < 0) {
		snprintf(must, sizeof(must), "must be one of %s", gc_choices_print(flag->choices, choices, sizeof(choices)));
		return fail_value(parser, flag, must, value, err);
	}
	*into = found;
	return GC_OK;
}

static void put_list(const char *value, struct gc_flag_list *list)
{
	struct gc_span rest = gc_span_of(value), item;
	while (gc_span_next_item(&rest, ',', &item)) {
		list->items = gc_realloc(list->items, (list->count + 1) * sizeof(*list->items));
		list->items[list->count++] = gc_span_strdup(item);
	}
}

static enum gc_verdict put_own(const struct parser *parser, const struct gc_flag *flag, const char *value, struct gc_err *err)
{
	void *into = (char *)parser->line->options + flag->offset;
	switch (flag->type) {
	case GC_FLAG_BOOL:
		*(bool *)into = true;
		return GC_OK;
	case GC_FLAG_TEXT:
		*(const char **)into = value;
		return GC_OK;
	case GC_FLAG_INT:
	case GC_FLAG_SIZE:
	case GC_FLAG_DURATION:
		return put_number(parser, flag, value, into, err);
	case GC_FLAG_TIME:
		return put_time(parser, flag, value, into, err);
	case GC_FLAG_CHOICE:
		return put_choice(parser, flag, value, into, err);
	case GC_FLAG_LIST:
		put_list(value, into);
		return GC_OK;
	}
	return GC_OK;
}

/* -- the global flags -- */

static void add_setting(struct gc_command_line *line, const char *flag, const char *prefix, struct gc_span name, const char *value)
{
	size_t bytes = strlen(prefix) + name.len + 1;
	struct gc_setting setting = { .flag = flag, .name = gc_malloc(bytes), .value = gc_strdup(value) };
	snprintf(setting.name, bytes, "%s%.*s", prefix, (int)name.len, name.ptr);
	line->settings = gc_realloc(line->settings, (line->setting_count + 1) * sizeof(*line->settings));
	line->settings[line->setting_count++] = setting;
}

/* The value is not repeated in the message: somebody may have typed a secret. */
static enum gc_verdict put_setting(const struct parser *parser, const char *flag, const char *prefix, const char *word,
				   struct gc_err *err)
{
	struct gc_span name, value;
	if (!gc_span_split(gc_span_of(word), '=', &name, &value) || name.len == 0)
		return gc_fail(err, GC_FATAL, "usage", where(parser->line), "%s must be followed by NAME=VALUE", flag);
	add_setting(parser->line, flag, prefix, gc_span_trim(name), value.ptr);
	return GC_OK;
}

static enum gc_verdict put_global(const struct parser *parser, enum gc_global_flag which, const char *value, struct gc_err *err)
{
	struct gc_command_line *line = parser->line;
	switch (which) {
	case GC_GLOBAL_HELP:
		line->help = true;
		return GC_OK;
	case GC_GLOBAL_CONFIG:
		line->config_path = value;
		return GC_OK;
	case GC_GLOBAL_SET:
		return put_setting(parser, "-s", "", value, err);
	case GC_GLOBAL_PROPERTY:
		return put_setting(parser, "-X", "kafka.properties.", value, err);
	case GC_GLOBAL_JSON:
		line->json = true;
		return GC_OK;
	case GC_GLOBAL_LOG_LEVEL:
		add_setting(line, "--log-level", "", GC_LIT("log.level"), value);
		return GC_OK;
	case GC_GLOBAL_VERSION:
		line->version = true;
		return GC_OK;
	case GC_GLOBAL_COUNT:
		break;
	}
	return GC_OK;
}

static enum gc_verdict put_flag(const struct parser *parser, const struct gc_flag *flag, const char *value, struct gc_err *err)
{
	bool is_global = flag >= gc_global_flags && flag < gc_global_flags + GC_GLOBAL_COUNT;
	if (is_global)
		return put_global(parser, (enum gc_global_flag)(flag - gc_global_flags), value, err);
	return put_own(parser, flag, value, err);
}

/* -- getopt -- */

static void add_flag(struct parser *parser, const struct gc_flag *flag)
{
	size_t index = parser->flag_count, letters = strlen(parser->letters);
	if (index == FLAGS_MAX)
		abort(); /* a table of that size is a bug; test_command parses every one */
	parser->flags[index] = flag;
	parser->long_options[index] = (struct option){ .name = flag->name,
						       .has_arg = flag->argument ? required_argument : no_argument,
						       .val = LONG_BASE + (int)index };
	parser->flag_count++;
	if (flag->letter)
		snprintf(parser->letters + letters, sizeof(parser->letters) - letters, "%c%s", flag->letter,
			 flag->argument ? ":" : "");
}

static void init_parser(struct parser *parser, struct gc_command_line *line, const char *mode)
{
	const struct gc_command *command = line->command;
	*parser = (struct parser){ .line = line, .mode = mode };
	snprintf(parser->letters, sizeof(parser->letters), "%s:", mode);
	for (const struct gc_flag *flag = gc_global_flags; flag->name; flag++)
		if (flag != &gc_global_flags[GC_GLOBAL_JSON] || (command && command->has_json))
			add_flag(parser, flag);
	for (const struct gc_flag *flag = command ? command->flags : NULL; flag && flag->name; flag++)
		add_flag(parser, flag);
}

static const struct gc_flag *flag_of(const struct parser *parser, int got)
{
	for (size_t i = 0; i < parser->flag_count; i++)
		if (got == LONG_BASE + (int)i || got == parser->flags[i]->letter)
			return parser->flags[i];
	return NULL;
}

/* A long option that getopt would take for an abbreviation. */
static enum gc_verdict check_whole_name(const struct parser *parser, const char *word, struct gc_err *err)
{
	if (!word || strncmp(word, "--", 2) != 0 || word[2] == '\0')
		return GC_OK;
	char name[80];
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	for (size_t i = 0; i < parser->flag_count; i++)
		if (strcmp(parser->flags[i]->name, name) == 0)
			return GC_OK;
	return fail_unknown_flag(parser, name, err);
}

static enum gc_verdict fail_getopt(const struct parser *parser, int got, struct gc_err *err)
{
	const struct gc_flag *flag = flag_of(parser, optopt);
	if (got == ':' && flag)
		return gc_fail(err, GC_FATAL, "usage", where(parser->line), "--%s needs %s", flag->name, flag->argument);
	if (flag)
		return gc_fail(err, GC_FATAL, "usage", where(parser->line), "--%s takes no value", flag->name);
	return gc_fail(err, GC_FATAL, "usage", where(parser->line), "there is no option -%c; see --help", optopt);
}

static void add_word(struct gc_command_line *line, char *word)
{
	line->args = gc_realloc(line->args, (size_t)(line->arg_count + 1) * sizeof(*line->args));
	line->args[line->arg_count++] = word;
}

/* One step of getopt; *ret_got is -1 at the end. */
static enum gc_verdict parse_step(struct parser *parser, int argc, char **argv, int *ret_got, struct gc_err *err)
{
	int at = optind ? optind : 1;
	if (check_whole_name(parser, at < argc ? argv[at] : NULL, err))
		return GC_FATAL;
	int got = getopt_long(argc, argv, parser->letters, parser->long_options, NULL);
	*ret_got = got;
	if (got == -1)
		return GC_OK;
	if (got == 1) {
		add_word(parser->line, optarg);
		return GC_OK;
	}
	const struct gc_flag *flag = flag_of(parser, got);
	return flag ? put_flag(parser, flag, optarg, err) : fail_getopt(parser, got, err);
}

/* Flags and words from argv[1] on; *ret_next is the first one not looked at. */
static enum gc_verdict parse_words(struct gc_command_line *line, const char *mode, int argc, char **argv, int *ret_next,
				   struct gc_err *err)
{
	struct parser parser;
	init_parser(&parser, line, mode);
	optind = 0; /* glibc: start anew */
	opterr = 0;
	for (int got = 0; got != -1;)
		if (parse_step(&parser, argc, argv, &got, err))
			return GC_FATAL;
	*ret_next = optind;
	return GC_OK;
}

/* -- commands and verbs -- */

const struct gc_command *gc_command_find(const struct gc_command *const *commands, const char *name)
{
	for (; *commands; commands++)
		if (strcmp((*commands)->name, name) == 0)
			return *commands;
	return NULL;
}

static enum gc_verdict fail_word(const char *kind, const struct gc_nearest *nearest, const char *in, const char *see,
				 struct gc_err *err)
{
	if (nearest->best)
		return gc_fail(err, GC_FATAL, "usage", in, "there is no %s %.80s; did you mean %s?", kind, nearest->word,
			       nearest->best);
	return gc_fail(err, GC_FATAL, "usage", in, "there is no %s %.80s; see `%s`", kind, nearest->word, see);
}

static enum gc_verdict find_command(struct gc_command_line *line, const struct gc_command *const *commands, const char *name,
				    struct gc_err *err)
{
	struct gc_nearest nearest = { .word = name };
	line->command = gc_command_find(commands, name);
	if (line->command)
		return GC_OK;
	for (; *commands; commands++)
		gc_nearest_offer(&nearest, (*commands)->name);
	return fail_word("command", &nearest, "", "gracecube help", err);
}

static enum gc_verdict fail_no_verb(const struct gc_command *command, struct gc_err *err)
{
	char names[200] = "";
	size_t used = 0;
	for (const struct gc_verb *verb = command->verbs; verb->name && used < sizeof(names); verb++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", verb->name);
	return gc_fail(err, GC_FATAL, "usage", command->name, "one of these must follow: %s", names);
}

/* The first word names the verb; it is taken out of the words. */
static enum gc_verdict find_verb(struct gc_command_line *line, struct gc_err *err)
{
	if (line->arg_count == 0)
		return fail_no_verb(line->command, err);
	struct gc_nearest nearest = { .word = line->args[0] };
	for (const struct gc_verb *verb = line->command->verbs; verb->name; verb++) {
		gc_nearest_offer(&nearest, verb->name);
		if (strcmp(verb->name, line->args[0]) == 0)
			line->verb = verb;
	}
	if (!line->verb)
		return fail_word("action", &nearest, line->command->name, "--help", err);
	line->arg_count--;
	memmove(line->args, line->args + 1, (size_t)line->arg_count * sizeof(*line->args));
	return GC_OK;
}

static enum gc_verdict check_word_count(const struct gc_command_line *line, struct gc_err *err)
{
	int min = line->verb ? line->verb->args_min : line->command->args_min;
	int max = line->verb ? line->verb->args_max : line->command->args_max;
	if (line->arg_count < min)
		return gc_fail(err, GC_FATAL, "usage", where(line), "something is missing: gracecube %s", line->command->usage);
	if (max >= 0 && line->arg_count > max)
		return gc_fail(err, GC_FATAL, "usage", where(line), "\"%.80s\" is one word too many: gracecube %s", line->args[max],
			       line->command->usage);
	return GC_OK;
}

static enum gc_verdict put_defaults(struct gc_command_line *line, struct gc_err *err)
{
	const struct parser parser = { .line = line };
	line->options = gc_calloc(1, line->command->options_bytes + 1);
	for (const struct gc_flag *flag = line->command->flags; flag && flag->name; flag++)
		if (flag->initially && put_own(&parser, flag, flag->initially, err))
			return GC_FATAL;
	return GC_OK;
}

static enum gc_verdict parse_command(struct gc_command_line *line, int argc, char **argv, struct gc_err *err)
{
	int next;
	if (put_defaults(line, err) || parse_words(line, "-", argc, argv, &next, err))
		return GC_FATAL;
	for (; next < argc; next++) /* behind "--" */
		add_word(line, argv[next]);
	if (line->help || line->version)
		return GC_OK;
	if (line->command->verbs && find_verb(line, err))
		return GC_FATAL;
	return check_word_count(line, err);
}

enum gc_verdict gc_command_line_parse(struct gc_command_line *ret_line, const struct gc_command *const *commands, int argc,
				      char **argv, struct gc_err *err)
{
	int next;
	*ret_line = (struct gc_command_line){ .command = NULL };
	if (parse_words(ret_line, "+", argc, argv, &next, err))
		return GC_FATAL;
	if (next >= argc)
		return GC_OK;
	if (find_command(ret_line, commands, argv[next], err))
		return GC_FATAL;
	return parse_command(ret_line, argc - next, argv + next, err);
}

static void free_lists(struct gc_command_line *line)
{
	const struct gc_flag *flag = line->command ? line->command->flags : NULL;
	for (; line->options && flag && flag->name; flag++) {
		if (flag->type != GC_FLAG_LIST)
			continue;
		struct gc_flag_list *list = (void *)((char *)line->options + flag->offset);
		for (size_t i = 0; i < list->count; i++)
			free(list->items[i]);
		free(list->items);
	}
}

void gc_command_line_free(struct gc_command_line *line)
{
	free_lists(line);
	for (size_t i = 0; i < line->setting_count; i++) {
		free(line->settings[i].name);
		free(line->settings[i].value);
	}
	free(line->settings);
	free(line->args);
	free(line->options);
	*line = (struct gc_command_line){ .command = NULL };
}
