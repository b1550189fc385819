/* Manual pages, made from the tables of commands and flags as --help is.
 *
 * A command's help begins with its examples and ends with its exit codes (test_command holds every command to that); they
 * become sections of their own. Threads: the main thread.
 */
#include <gracecube/roff.h>

#include "cli/command.h"

#define EXAMPLES "Examples:\n"
#define EXIT_CODES "\nExit codes: "

static void print_flag(const struct gc_flag *flag, FILE *out)
{
	char letter[] = "`-x`, ", term[160];
	letter[2] = flag->letter;
	snprintf(term, sizeof(term), "%s`--%s`%s%s", flag->letter ? letter : "", flag->name, flag->argument ? " " : "",
		 flag->argument ? flag->argument : "");
	gc_roff_term(out, term);
	gc_roff_line(out, "%s", flag->description);
	for (const char *const *choice = flag->choices; choice && *choice; choice++)
		gc_roff_line(out, "%s`%s`%s", choice == flag->choices ? "(one of " : "", *choice, choice[1] ? "," : ")");
	if (flag->initially)
		gc_roff_line(out, "(default %s)", flag->initially);
}

static void print_flags(const char *heading, const struct gc_flag *flags, bool has_json, FILE *out)
{
	if (!flags || !flags->name)
		return;
	gc_roff_heading(out, heading);
	for (; flags->name; flags++)
		if (has_json || flags != &gc_global_flags[GC_GLOBAL_JSON])
			print_flag(flags, out);
}

static void print_entry(const char *name, const char *meaning, FILE *out)
{
	char term[80];
	snprintf(term, sizeof(term), "`%s`", name);
	gc_roff_term(out, term);
	gc_roff_line(out, "%s", meaning);
}

static void print_verbs(const struct gc_command *command, FILE *out)
{
	if (!command->verbs)
		return;
	gc_roff_heading(out, "ACTIONS");
	for (const struct gc_verb *verb = command->verbs; verb->name; verb++)
		print_entry(verb->name, verb->summary, out);
}

static void print_synopsis(const char *usage, FILE *out)
{
	gc_roff_heading(out, "SYNOPSIS");
	gc_roff_line(out, "`gracecube` %s", usage);
}

/* "`gracecube-run`(1)" of all commands but one, after the page of all. */
static void print_references(const struct gc_command *const *commands, const struct gc_command *except, FILE *out)
{
	char name[80];
	gc_roff_heading(out, "SEE ALSO");
	gc_roff_reference(out, "", "gracecube.yaml", 5);
	if (except)
		gc_roff_reference(out, ",", "gracecube", 1);
	for (; *commands; commands++) {
		snprintf(name, sizeof(name), "gracecube-%s", (*commands)->name);
		if (*commands != except)
			gc_roff_reference(out, ",", name, 1);
	}
	fputc('\n', out);
}

static void print_files(FILE *out)
{
	gc_roff_heading(out, "FILES");
	gc_roff_file(out, gc_config_installed_path);
	gc_roff_line(out, "the configuration, when there are neither `--config` nor `config/gracecube.yaml`");
}

static void print_part(const char *from, const char *to, void (*print)(FILE *out, const char *text), FILE *out)
{
	char text[6000];
	snprintf(text, sizeof(text), "%.*s", (int)(to - from), from);
	print(out, text);
}

void gc_command_print_manual(const struct gc_command *const *commands, const struct gc_command *command, FILE *out)
{
	char name[80], made_by[80];
	const char *examples = command->help + strlen(EXAMPLES), *codes = strstr(command->help, EXIT_CODES);
	const char *prose = strstr(examples, "\n\n") + 1; /* the empty line before what it does, or before its exit codes */

	snprintf(name, sizeof(name), "gracecube-%s", command->name);
	snprintf(made_by, sizeof(made_by), "gracecube help --man %s", command->name);
	gc_roff_title(out, name, 1, command->summary, made_by);
	print_synopsis(command->usage, out);
	gc_roff_heading(out, "DESCRIPTION");
	if (prose < codes)
		print_part(prose + 1, codes, gc_roff_prose, out);
	else
		gc_roff_line(out, "`gracecube %s` %s.", command->name, command->summary);
	print_verbs(command, out);
	print_flags("OPTIONS", command->flags, true, out);
	print_flags("OPTIONS OF EVERY COMMAND", gc_global_flags, command->has_json, out);
	gc_roff_heading(out, "EXIT STATUS");
	gc_roff_prose(out, codes + strlen(EXIT_CODES));
	gc_roff_heading(out, "EXAMPLES");
	print_part(examples, prose, gc_roff_example, out);
	print_files(out);
	print_references(commands, command, out);
}

void gc_command_print_main_manual(const struct gc_command *const *commands, FILE *out)
{
	char code[12];
	gc_roff_title(out, "gracecube", 1, "change events on Kafka become one exact PostgreSQL cube", "gracecube help --man");
	print_synopsis("COMMAND [options]", out);
	gc_roff_heading(out, "DESCRIPTION");
	gc_roff_prose(out,
		      "Reads the change events of Grace from Kafka and keeps one PostgreSQL star schema of them, live: facts,\n"
		      "dimensions, rollups, views. Each record changes the cube exactly once, or is in the dead letters with its\n"
		      "reason, and `gracecube verify` proves it.\n");
	gc_roff_heading(out, "COMMANDS");
	for (const struct gc_command *const *row = commands; *row; row++)
		print_entry((*row)->name, (*row)->summary, out);
	print_flags("OPTIONS OF EVERY COMMAND", gc_global_flags, true, out);
	gc_roff_heading(out, "ENVIRONMENT");
	gc_roff_term(out, "`GRACECUBE_<SECTION>_<KEY>`");
	gc_roff_line(out,
		     "Every option of the configuration, as `GRACECUBE_POSTGRES_DSN`. It wins over the file, a flag over both.");
	gc_roff_heading(out, "EXIT STATUS");
	for (const struct gc_exit_meaning *exit = gc_exit_meanings; exit->when; exit++) {
		snprintf(code, sizeof(code), "%d", exit->code);
		print_entry(code, exit->when, out);
	}
	gc_roff_heading(out, "EXAMPLES");
	gc_roff_example(out, gc_command_overview_examples);
	print_files(out);
	print_references(commands, NULL, out);
}
