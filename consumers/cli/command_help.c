/* Help, made from the tables of commands and flags: what is printed here cannot be out of date.
 *
 * Threads: the main thread.
 */
#include "cli/output.h"
#include "cli/command.h"

#define FLAG_COLUMN 30

const struct gc_exit_meaning gc_exit_meanings[] = {
	{ GC_EXIT_DONE, "done; also run after a clean drain" },
	{ GC_EXIT_FINDINGS, "finished with findings: something differs, was refused or is left" },
	{ GC_EXIT_USAGE, "unknown command, option or value" },
	{ GC_EXIT_UNAVAILABLE, "Kafka or PostgreSQL not reachable in time" },
	{ GC_EXIT_INTERNAL, "a bug of gracecube" },
	{ GC_EXIT_AGAIN, "try again: a lock is held, another instance is active" },
	{ GC_EXIT_CONFIG, "configuration wrong, or the schema's version is not the one needed" },
	{ .when = NULL },
};

const char gc_command_overview_examples[] =
	"  gracecube sandbox                            try it: needs a PostgreSQL, but no Kafka\n"
	"  gracecube check                              see whether all that it needs is there\n"
	"  gracecube migrate && gracecube run           make the cube and keep it\n"
	"  gracecube config show                        what is configured, and where\n";

static void print_flag(const struct gc_flag *flag, FILE *out)
{
	char letter[] = "-x, ", left[80];
	size_t width;

	letter[1] = flag->letter;
	snprintf(left, sizeof(left), "  %s--%s%s%s", flag->letter ? letter : "    ", flag->name, flag->argument ? " " : "",
		 flag->argument ? flag->argument : "");
	width = gc_output_width(left);
	fprintf(out, "%s%*s  %s", left, width < FLAG_COLUMN ? (int)(FLAG_COLUMN - width) : 0, "", flag->description);
	for (const char *const *choice = flag->choices; choice && *choice; choice++)
		fprintf(out, "%s %s", choice == flag->choices ? ":" : ",", *choice);
	if (flag->initially)
		fprintf(out, " (default %s)", flag->initially);
	fputc('\n', out);
}

static void print_global_flags(bool has_json, FILE *out)
{
	for (const struct gc_flag *flag = gc_global_flags; flag->name; flag++)
		if (has_json || flag != &gc_global_flags[GC_GLOBAL_JSON])
			print_flag(flag, out);
}

static void print_own_flags(const struct gc_command *command, FILE *out)
{
	if (!command->flags || !command->flags->name)
		return;
	fputs("\nOptions:\n", out);
	for (const struct gc_flag *flag = command->flags; flag->name; flag++)
		print_flag(flag, out);
}

static void print_verbs(const struct gc_command *command, FILE *out)
{
	if (!command->verbs)
		return;
	fputs("\nActions:\n", out);
	for (const struct gc_verb *verb = command->verbs; verb->name; verb++)
		fprintf(out, "  %-12s  %s\n", verb->name, verb->summary);
}

void gc_command_print_help(const struct gc_command *command, FILE *out)
{
	fprintf(out, "gracecube %s: %s\n\n%s", command->name, command->summary, command->help ? command->help : "");
	fprintf(out, "\nUsage: gracecube %s\n", command->usage);
	print_verbs(command, out);
	print_own_flags(command, out);
	fputs("\nOptions of every command:\n", out);
	print_global_flags(command->has_json, out);
}

void gc_command_print_overview(const struct gc_command *const *commands, FILE *out)
{
	fprintf(out,
		"gracecube: change events on Kafka become one exact PostgreSQL cube\n"
		"\n"
		"Examples:\n"
		"%s"
		"\n"
		"Usage: gracecube COMMAND [options]\n"
		"\n"
		"Commands:\n",
		gc_command_overview_examples);
	for (; *commands; commands++)
		fprintf(out, "  %-12s  %s\n", (*commands)->name, (*commands)->summary);
	fputs("\nOptions of every command:\n", out);
	print_global_flags(true, out);
	fputs("\nExit codes:\n", out);
	for (const struct gc_exit_meaning *exit = gc_exit_meanings; exit->when; exit++)
		fprintf(out, "  %-12d  %s\n", exit->code, exit->when);
	fputs("\n`gracecube COMMAND --help` says more. Without a command this page goes to stderr, with exit code 2.\n", out);
}
