/* gracecube help: the same pages as --help.
 *
 * Threads: the main thread.
 */
#include "command.h"

static int run_help(struct gc_command_line *line)
{
	if (line->arg_count == 0) {
		gc_command_print_overview(gc_commands, stdout);
		return GC_EXIT_DONE;
	}
	const struct gc_command *command = gc_command_find(gc_commands, line->args[0]);
	if (!command)
		return gc_command_misuse(line, "there is no command %s; `gracecube help` lists them", line->args[0]);
	gc_command_print_help(command, stdout);
	return GC_EXIT_DONE;
}

const struct gc_command gc_command_help = {
	.name = "help",
	.summary = "shows what a command does",
	.usage = "help [COMMAND]",
	.help = "Examples:\n"
		"  gracecube help\n"
		"  gracecube help run\n"
		"\n"
		"Exit codes: 0; 2 when there is no such command.\n",
	.args_max = 1,
	.run = run_help,
};
