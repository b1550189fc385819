/* Commands: what `gracecube <command>` is made of. A command is one file consumers/cli/<name>.c that exports one
 * `const struct gc_command gc_command_<name>`, and one row in consumers/cli/commands.c. Parsing, help, the nearest name and
 * the exit codes come from these tables.
 *
 *     struct status_options { bool watch; int64_t every_us; };
 *
 *     static const struct gc_flag flags[] = {
 *             { "watch", 'w', NULL, "keep showing it", GC_FLAG_BOOL,
 *               .offset = offsetof(struct status_options, watch) },
 *             { "every", 0, "TIME", "how often", GC_FLAG_DURATION,
 *               .offset = offsetof(struct status_options, every_us), .initially = "2s" },
 *             { .name = NULL },
 *     };
 *
 *     static int run_status(struct gc_command_line *line)
 *     {
 *             const struct status_options *options = line->options;
 *             struct gc_config cfg;
 *             struct gc_err err;
 *             if (gc_command_config(line, &cfg, &err))
 *                     return gc_command_fail(&err);
 *             ...
 *     }
 *
 *     const struct gc_command gc_command_status = {
 *             .name = "status", .summary = "shows offsets, lag and freshness", .usage = "status [--watch]",
 *             .help = "...", .flags = flags, .options_bytes = sizeof(struct status_options), .has_json = true,
 *             .run = run_status,
 *     };
 *
 * Facts go to stdout, messages to stderr. Threads: the main thread, before others start.
 */
#ifndef GRACECUBE_COMMAND_H
#define GRACECUBE_COMMAND_H

#include <stdio.h>

#include <gracecube/config.h>
#include <gracecube/err.h>

enum gc_exit {
	GC_EXIT_DONE = 0,         /* done; also `run` after a clean drain */
	GC_EXIT_FINDINGS = 1,     /* finished, and there is something to look at */
	GC_EXIT_USAGE = 2,        /* unknown command, option or value */
	GC_EXIT_UNAVAILABLE = 69, /* Kafka or PostgreSQL not reachable in time */
	GC_EXIT_INTERNAL = 70,    /* a bug of ours */
	GC_EXIT_AGAIN = 75,       /* a lock is held, another instance is active */
	GC_EXIT_CONFIG = 78,      /* configuration wrong, schema version not the one needed */
};

enum gc_flag_type {
	GC_FLAG_BOOL,     /* bool; takes no argument */
	GC_FLAG_TEXT,     /* const char *, into argv; NULL when not given */
	GC_FLAG_INT,      /* int64_t */
	GC_FLAG_SIZE,     /* int64_t bytes, "64MiB" */
	GC_FLAG_DURATION, /* int64_t µs, "30s" */
	GC_FLAG_TIME,     /* int64_t µs since 1970, RFC 3339, a bare date or now; 0 when not given */
	GC_FLAG_CHOICE,   /* int, index into .choices */
	GC_FLAG_LIST,     /* struct gc_flag_list; "a,b", and repeatable */
};

struct gc_flag_list {
	char **items; /* owned by the command line */
	size_t count;
};

struct gc_flag {
	const char *name;        /* "until-caught-up"; NULL ends the table */
	char letter;             /* 'e', or 0 for none; not c h s X, which are global */
	const char *argument;    /* "FILE"; NULL for GC_FLAG_BOOL */
	const char *description; /* one line, lower case, no full stop */
	enum gc_flag_type type;
	size_t offset;              /* offsetof(struct <name>_options, ...) */
	const char *initially;      /* as a user would type it; NULL: zero */
	const char *const *choices; /* GC_FLAG_CHOICE; ends with NULL */
	int64_t min, max;           /* of INT, SIZE, DURATION (µs); both 0: no limit but int64's, and not negative */
};

/* The flag --timeout of a command whose options have an int64_t called timeout_us. */
#define GC_FLAG_KAFKA_TIMEOUT(options)                                                                                             \
	{ "timeout",                                                                                                               \
	  0,                                                                                                                       \
	  "TIME",                                                                                                                  \
	  "how long Kafka may take to answer",                                                                                     \
	  GC_FLAG_DURATION,                                                                                                        \
	  .offset = offsetof(options, timeout_us),                                                                                 \
	  .initially = "10s",                                                                                                      \
	  .min = GC_SECOND_US / 10,                                                                                                \
	  .max = GC_HOUR_US }

struct gc_command_line;

/* A command's second word: `dead list`. */
struct gc_verb {
	const char *name; /* NULL ends the table */
	const char *summary;
	int (*run)(struct gc_command_line *line);
	int args_max; /* words after the verb; -1: any number */
	int args_min;
};

struct gc_command {
	const char *name;
	const char *summary;                      /* one line: "brings the schema up to date" */
	const char *usage;                        /* after "gracecube ": "publish [options] FILE…" */
	const char *help;                         /* examples first, then what it does, then its exit codes; lines end with \n */
	const struct gc_flag *flags;              /* ends with a NULL name; NULL: none but the global ones */
	size_t options_bytes;                     /* of the struct that the flags' offsets point into */
	bool has_json;                            /* takes --json */
	int args_min, args_max;                   /* words after the flags, where there are no verbs; args_max -1: any number */
	const struct gc_verb *verbs;              /* ends with a NULL name; NULL: none, and run is called */
	int (*run)(struct gc_command_line *line); /* returns an enum gc_exit */
};

/* -s, -X and --log-level in the order they were given. */
struct gc_setting {
	const char *flag; /* as it is shown in a message: "-s", "-X", "--log-level" */
	char *name, *value;
};

struct gc_command_line {
	const struct gc_command *command;
	const struct gc_verb *verb; /* NULL where the command has none */
	void *options;              /* what the flags were put into: your struct, zeroed first */
	char **args;                /* the words that are no flags, without command and verb */
	int arg_count;
	bool json, help, version;
	const char *config_path; /* -c, or NULL */
	struct gc_setting *settings;
	size_t setting_count;
};

/* Loads the configuration, puts the flags over it and sets up the log. Free it with gc_config_free(). */
enum gc_verdict gc_command_config(const struct gc_command_line *line, struct gc_config *ret_config,
				  struct gc_err *err) GC_MUST_CHECK;

/* Of gc_streams, for gc_config_load() and the pages; ends with NULL; free the array. */
const char **gc_command_stream_names(void);

/* What the process exits with for an error that ends a command. */
enum gc_exit gc_exit_code(const struct gc_err *err);

/* Tells people on stderr and returns the exit code: `return gc_command_fail(&err);` */
int gc_command_fail(const struct gc_err *err);
/* The same for a wrong word on the command line: always GC_EXIT_USAGE. */
int gc_command_misuse(const struct gc_command_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* `--version`: one line for the program, one for the libraries that it runs with. */
void gc_print_version(FILE *out);

/* The table, consumers/cli/commands.c; ends with NULL. */
extern const struct gc_command *const gc_commands[];
const struct gc_command *gc_command_find(const struct gc_command *const *commands, const char *name);
/* Everything main() does: returns the exit code. `commands` ends with NULL. */
int gc_command_main(const struct gc_command *const *commands, int argc, char **argv);

/* Finds the command and its verb and puts flags and words into `line`. GC_FATAL with code "usage" when one is wrong.
 * line->command is NULL when none was named. Free it in any case. */
enum gc_verdict gc_command_line_parse(struct gc_command_line *ret_line, const struct gc_command *const *commands, int argc,
				      char **argv, struct gc_err *err) GC_MUST_CHECK;
void gc_command_line_free(struct gc_command_line *line);

/* The flags that every command has. --json is refused by commands that print no facts. */
enum gc_global_flag {
	GC_GLOBAL_HELP,
	GC_GLOBAL_CONFIG,
	GC_GLOBAL_SET,
	GC_GLOBAL_PROPERTY,
	GC_GLOBAL_JSON,
	GC_GLOBAL_LOG_LEVEL,
	GC_GLOBAL_VERSION,
	GC_GLOBAL_COUNT,
};
extern const struct gc_flag gc_global_flags[]; /* ends with a NULL name */

/* The help of all, and of one command, made from the tables. */
void gc_command_print_overview(const struct gc_command *const *commands, FILE *out);
void gc_command_print_help(const struct gc_command *command, FILE *out);
extern const char gc_command_overview_examples[];
struct gc_exit_meaning {
	enum gc_exit code;
	const char *when; /* NULL ends the table */
};
extern const struct gc_exit_meaning gc_exit_meanings[];

/* The same as manual pages: gracecube(1), and gracecube-run(1) and its like. */
void gc_command_print_manual(const struct gc_command *const *commands, const struct gc_command *command, FILE *out);
void gc_command_print_main_manual(const struct gc_command *const *commands, FILE *out);

/* What may follow the words, the last of which is being typed: a line for each, "word<TAB>what it is". A word that ends in
 * "=" goes on. The line ":files" stands for names of files. */
void gc_command_complete(const struct gc_command *const *commands, char *const *words, int count, FILE *out);

#endif
