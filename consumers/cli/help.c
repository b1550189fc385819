/* gracecube help: the same pages as --help, as text or as manual pages, and what the shells ask for.
 *
 * Threads: the main thread.
 */
#include "cli/command.h"

struct help_options {
	bool man, complete;
};

static void print_page(const struct gc_command *command, bool is_manual)
{
	if (!command && is_manual)
		gc_command_print_main_manual(gc_commands, stdout);
	else if (!command)
		gc_command_print_overview(gc_commands, stdout);
	else if (is_manual)
		gc_command_print_manual(gc_commands, command, stdout);
	else
		gc_command_print_help(command, stdout);
}

static int run_help(struct gc_command_line *line)
{
	const struct help_options *options = line->options;
	const struct gc_command *command = NULL;
	if (options->complete) {
		gc_command_complete(gc_commands, line->args, line->arg_count, stdout);
		return GC_EXIT_DONE;
	}
	if (line->arg_count > 1)
		return gc_command_misuse(line, "\"%.80s\" is one word too many: gracecube help [options] [COMMAND]", line->args[1]);
	if (line->arg_count == 1 && !(command = gc_command_find(gc_commands, line->args[0])))
		return gc_command_misuse(line, "there is no command %s; `gracecube help` lists them", line->args[0]);
	print_page(command, options->man);
	return GC_EXIT_DONE;
}

static const struct gc_flag flags[] = {
	{ "man", 0, NULL, "as a manual page (troff)", .type = GC_FLAG_BOOL, .offset = offsetof(struct help_options, man) },
	{ "complete", 0, NULL, "for shells: what may follow these words, the last of which is being typed", .type = GC_FLAG_BOOL,
	  .offset = offsetof(struct help_options, complete) },
	{ .name = NULL },
};

const struct gc_command gc_command_help = {
	.name = "help",
	.summary = "shows what a command does",
	.usage = "help [options] [COMMAND]",
	.help = "Examples:\n"
		"  gracecube help\n"
		"  gracecube help run\n"
		"  gracecube help --man run | man -l -           as a manual page\n"
		"  gracecube help --complete -- run --un         run --until-caught-up\n"
		"\n"
		"Completion in bash, zsh and fish asks the program by --complete, so it knows what this very program takes.\n"
		"It answers a line for each word, with what it is behind a tab; the line `:files` stands for names of files.\n"
		"\n"
		"Exit codes: 0; 2 when there is no such command.\n",
	.flags = flags,
	.options_bytes = sizeof(struct help_options),
	.args_max = -1,
	.run = run_help,
};
