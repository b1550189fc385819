/* Completion: what may follow on a command line, from the same tables that read it. The scripts of the three shells
 * (deploy/package/completion) hand the words over and show what comes back; all that is known of the program is here.
 *
 * Nothing is read but the words: neither configuration nor servers, so that a key press never waits.
 * Threads: the main thread.
 */
#include <stdlib.h>

#include <gracecube/span.h>

#include "cli/command.h"

struct completion {
	const struct gc_command *const *commands;
	const struct gc_command *command; /* NULL: its name is still to come */
	const struct gc_verb *verb;       /* NULL: likewise, or there is none */
	bool has_verb, no_flags;          /* no_flags: behind "--" */
	const struct gc_flag *waiting;    /* a flag whose value is being typed */
	struct gc_span typed;             /* of the last word, what is compared */
	struct gc_span kept;              /* of the last word, what stands before that: "--progress=", "a,b," */
	FILE *out;
};

static void offer(const struct completion *completion, const char *word, const char *end, const char *meaning)
{
	if (gc_span_starts_with(gc_span_of(word), completion->typed))
		fprintf(completion->out, "%.*s%s%s\t%s\n", (int)completion->kept.len,
			completion->kept.len ? completion->kept.ptr : "", word, end, meaning);
}

/* -- flags -- */

static bool is_flag(const struct gc_flag *flag, const char *word)
{
	if (strncmp(word, "--", 2) == 0)
		return strcmp(flag->name, word + 2) == 0;
	return flag->letter && word[0] == '-' && word[1] == flag->letter && word[2] == '\0';
}

static const struct gc_flag *find_in(const struct gc_flag *flags, const char *word)
{
	for (; flags && flags->name; flags++)
		if (is_flag(flags, word))
			return flags;
	return NULL;
}

static const struct gc_flag *find_flag(const struct completion *completion, const char *word)
{
	const struct gc_flag *flag = find_in(gc_global_flags, word);
	return flag || !completion->command ? flag : find_in(completion->command->flags, word);
}

static void offer_flags(const struct completion *completion)
{
	char word[80];
	const struct gc_command *command = completion->command;
	const struct gc_flag *const tables[] = { command ? command->flags : NULL, gc_global_flags };
	for (size_t i = 0; i < 2; i++) {
		for (const struct gc_flag *flag = tables[i]; flag && flag->name; flag++) {
			snprintf(word, sizeof(word), "--%s", flag->name);
			if (flag != &gc_global_flags[GC_GLOBAL_JSON] || (command && command->has_json))
				offer(completion, word, "", flag->description);
		}
	}
}

/* -- values; what an argument is called says what it takes -- */

static void offer_files(const struct completion *completion)
{
	fputs(":files\n", completion->out);
}

static void offer_commands(const struct completion *completion)
{
	for (const struct gc_command *const *row = completion->commands; *row; row++)
		offer(completion, (*row)->name, "", (*row)->summary);
}

static void offer_streams(const struct completion *completion)
{
	const char **names = gc_command_stream_names();
	for (const char **name = names; *name; name++)
		offer(completion, *name, "", "stream");
	free(names);
}

static void offer_choices(const struct completion *completion, const char *const *choices, const char *meaning)
{
	for (; choices && *choices; choices++)
		offer(completion, *choices, "", meaning);
}

static void offer_option(void *context, const char *name, const char *const *choices, const char *description)
{
	(void)choices;
	offer(context, name, "=", description);
}

static void offer_value_of(void *context, const char *name, const char *const *choices, const char *description)
{
	const struct completion *completion = context;
	struct completion value = *completion;
	struct gc_span option, typed;
	if (!gc_span_split(completion->typed, '=', &option, &typed) || !gc_span_equal(option, gc_span_of(name)))
		return;
	value.typed = typed;
	value.kept = (struct gc_span){ completion->kept.len ? completion->kept.ptr : option.ptr, 0 };
	value.kept.len = (size_t)(typed.ptr - value.kept.ptr);
	offer_choices(&value, choices, description);
}

static void offer_settings(const struct completion *completion)
{
	const char **names = gc_command_stream_names();
	bool has_name = completion->typed.len && memchr(completion->typed.ptr, '=', completion->typed.len);
	gc_config_options(names, has_name ? offer_value_of : offer_option, (void *)(uintptr_t)completion);
	free(names);
}

static void offer_value(struct completion *completion)
{
	const struct gc_flag *flag = completion->waiting;
	struct gc_span item, rest = completion->typed;
	if (flag == &gc_global_flags[GC_GLOBAL_SET])
		offer_settings(completion);
	else if (flag->choices)
		offer_choices(completion, flag->choices, flag->description);
	else if (strncmp(flag->argument, "FILE", 4) == 0)
		offer_files(completion);
	else if (strncmp(flag->argument, "STREAM", 6) == 0) {
		while (gc_span_split(rest, ',', &item, &rest)) /* the last of a list */
			;
		const char *start = completion->kept.len ? completion->kept.ptr : completion->typed.ptr;
		completion->kept = (struct gc_span){ start, (size_t)(rest.ptr - start) };
		completion->typed = rest;
		offer_streams(completion);
	}
}

/* -- words -- */

/* The usage says it; of a verb, behind the verb. */
static bool takes_files(const struct completion *completion)
{
	const struct gc_command *command = completion->command;
	char words[80];
	if (!command->verbs)
		return strstr(command->usage, "FILE");
	snprintf(words, sizeof(words), "%s FILE", completion->verb ? completion->verb->name : "");
	return completion->verb && strstr(command->usage, words);
}

static void offer_words(const struct completion *completion)
{
	const struct gc_command *command = completion->command;
	if (!command)
		offer_commands(completion);
	else if (command->verbs && !completion->has_verb)
		for (const struct gc_verb *verb = command->verbs; verb->name; verb++)
			offer(completion, verb->name, "", verb->summary);
	else if (takes_files(completion))
		offer_files(completion);
	else if (strstr(command->usage, "COMMAND"))
		offer_commands(completion);
}

static void pass_verb(struct completion *completion, const char *word)
{
	completion->has_verb = true;
	for (const struct gc_verb *verb = completion->command->verbs; verb && verb->name; verb++)
		if (strcmp(verb->name, word) == 0)
			completion->verb = verb;
}

/* A word that has been typed to its end. */
static void pass(struct completion *completion, const char *word)
{
	const struct gc_flag *flag = completion->no_flags ? NULL : find_flag(completion, word);
	if (completion->waiting)
		completion->waiting = NULL;
	else if (!completion->no_flags && strcmp(word, "--") == 0)
		completion->no_flags = true;
	else if (flag)
		completion->waiting = flag->argument ? flag : NULL;
	else if (completion->no_flags || word[0] != '-' || word[1] == '\0') {
		if (!completion->command)
			completion->command = gc_command_find(completion->commands, word);
		else if (!completion->has_verb)
			pass_verb(completion, word);
	}
}

/* "--name=…": the value is being typed in the same word. */
static void look_for_value(struct completion *completion)
{
	char name[80];
	const char *word = completion->typed.ptr, *equals = strchr(word, '=');
	if (completion->waiting || completion->no_flags || strncmp(word, "--", 2) != 0 || !equals)
		return;
	snprintf(name, sizeof(name), "%.*s", (int)(equals - word), word);
	const struct gc_flag *flag = find_flag(completion, name);
	if (!flag || !flag->argument)
		return;
	completion->waiting = flag;
	completion->kept = (struct gc_span){ word, (size_t)(equals + 1 - word) };
	completion->typed = gc_span_of(equals + 1);
}

void gc_command_complete(const struct gc_command *const *commands, char *const *words, int count, FILE *out)
{
	struct completion completion = { .commands = commands, .out = out };
	for (int i = 0; i < count - 1; i++)
		pass(&completion, words[i]);
	completion.typed = gc_span_of(count > 0 ? words[count - 1] : "");
	look_for_value(&completion);
	if (completion.waiting)
		offer_value(&completion);
	else if (!completion.no_flags && completion.typed.len && *completion.typed.ptr == '-')
		offer_flags(&completion);
	else
		offer_words(&completion);
}
