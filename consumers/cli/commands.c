/* The table of commands, in the order in which a person meets them.
 *
 * To add one: consumers/cli/<name>.c exports `const struct gc_command gc_command_<name>` (see command.h), and it gets a
 * declaration and a row here. Help, the nearest name and the tests follow from the row.
 * Threads: constants.
 */
#include "cli/command.h"

extern const struct gc_command gc_command_check;
extern const struct gc_command gc_command_config_pages; /* `config`; gc_command_config() is what loads it */
extern const struct gc_command gc_command_dead;
extern const struct gc_command gc_command_help;
extern const struct gc_command gc_command_metrics;
extern const struct gc_command gc_command_migrate;
extern const struct gc_command gc_command_publish;
extern const struct gc_command gc_command_rebuild;
extern const struct gc_command gc_command_reconcile;
extern const struct gc_command gc_command_retention;
extern const struct gc_command gc_command_run;
extern const struct gc_command gc_command_sandbox;
extern const struct gc_command gc_command_serve;
extern const struct gc_command gc_command_status;
extern const struct gc_command gc_command_token;
extern const struct gc_command gc_command_verify;

/* clang-format off */
const struct gc_command *const gc_commands[] = {
	&gc_command_sandbox,
	&gc_command_check,
	&gc_command_migrate,
	&gc_command_run,
	&gc_command_status,
	&gc_command_verify,
	&gc_command_dead,
	&gc_command_rebuild,
	&gc_command_reconcile,
	&gc_command_retention,
	&gc_command_metrics,
	&gc_command_serve,
	&gc_command_token,
	&gc_command_publish,
	&gc_command_config_pages,
	&gc_command_help,
	NULL,
};
/* clang-format on */
