/* Inside of config: the option table and what file, environment and flags share. Others include gracecube/config.h.
 *
 * A value travels as the text that a person typed until gc_option_assign() puts it into its place: one path for all
 * sources, so that they agree on types, ranges and messages.
 * Threads: no shared state; configuration is read before threads start.
 */
#ifndef GRACECUBE_CONFIG_OPTIONS_H
#define GRACECUBE_CONFIG_OPTIONS_H

#include <gracecube/config.h>

enum gc_option_type {
	GC_OPTION_COUNT,    /* int64_t */
	GC_OPTION_BYTES,    /* int64_t, "64MiB" */
	GC_OPTION_DURATION, /* int64_t µs, "30s" */
	GC_OPTION_TEXT,     /* char * */
	GC_OPTION_COMMAS,   /* char *, items joined by commas; a YAML list is joined */
	GC_OPTION_LIST,     /* char ** and, at count_offset, size_t */
	GC_OPTION_CHOICE,   /* an enum, index into choices */
};

struct gc_option {
	const char *name; /* "section.key"; of a stream's options the key alone */
	enum gc_option_type type;
	const char *initially; /* the default as a user would type it; "<stream>" in it is the stream's name */
	size_t offset;         /* into struct gc_config or struct gc_stream_config */
	size_t count_offset;   /* of a list */
	int64_t min, max;      /* of the first three types */
	const char *const *choices;
	const char *(*check)(const char *value); /* NULL when value is fine, else what it must be */
	const char *description;                 /* one sentence */
};

struct gc_section {
	const char *name, *description;
};

extern const struct gc_option gc_options[];        /* ends with a NULL name; the rows of a section stand together */
extern const struct gc_option gc_stream_options[]; /* likewise */
extern const struct gc_section gc_sections[];      /* likewise, in the order of the table */
#define GC_PROPERTIES "kafka.properties"

#define GC_NAME_MAX 192

/* An option by its whole name: every row of gc_options, then every stream's options. */
struct gc_option_at {
	const struct gc_option *option;
	const char *stream; /* NULL where it is none of a stream's */
	size_t stream_index;
	char name[GC_NAME_MAX]; /* "streams.action_contracts.topics" */
};
bool gc_option_at(const struct gc_config *config, size_t index, struct gc_option_at *ret_at);
bool gc_option_find(const struct gc_config *config, const char *name, struct gc_option_at *ret_at);
/* A name that stands for more than one option: "run", "streams", "kafka.properties". */
bool gc_option_is_group(const struct gc_config *config, const char *name);

/* Where a value was found: `where` for messages, `origin` for `config show`. */
struct gc_place {
	const char *where, *origin;
};
enum gc_verdict gc_option_assign(struct gc_config *config, const struct gc_option_at *at, const char *value,
				 const struct gc_place *place, struct gc_err *err) GC_MUST_CHECK;
enum gc_verdict gc_property_assign(struct gc_config *config, const char *name, const char *value, const struct gc_place *place,
				   struct gc_err *err) GC_MUST_CHECK;
/* "must be a whole number from 1 to 64"; returns buffer. */
const char *gc_option_domain(const struct gc_option *option, char *buffer, size_t bytes);
/* The value as a user would type it; malloc'ed. */
char *gc_option_print(const struct gc_config *config, const struct gc_option_at *at);
/* Frees the value. */
void gc_option_clear(struct gc_config *config, const struct gc_option_at *at);
/* The default with the stream's name in it; malloc'ed. */
char *gc_option_initially(const struct gc_option *option, const char *stream);
/* "GRACECUBE_RUN_WORKERS"; returns buffer. */
const char *gc_option_variable(const char *name, char *buffer, size_t bytes);
/* The option or group whose name is nearest, into buffer; NULL when none is near. */
const char *gc_option_nearest(const struct gc_config *config, const char *name, char *buffer, size_t bytes);
enum gc_verdict gc_option_unknown(const struct gc_config *config, const char *name, const char *where, struct gc_err *err);

void gc_origin_put(struct gc_config *config, const char *name, const char *origin);
const char *gc_origin_get(const struct gc_config *config, const char *name);

/* file.c, environment.c */
enum gc_verdict gc_config_read_file(struct gc_config *config, const char *path, struct gc_err *err) GC_MUST_CHECK;
enum gc_verdict gc_config_read_environment(struct gc_config *config, struct gc_err *err) GC_MUST_CHECK;
/* How long a variable's value is without the newline behind its only line: `echo`, editors and files of secrets leave one there,
 * and nobody means it. A value of several lines (PEM) is left whole. */
size_t gc_variable_length(const char *value);
/* GRACECUBE_SERVE_PORT=tcp://10.96.0.7:80 and what else a cluster adds for a Service whose name begins like ours. */
bool gc_variable_is_service_link(const char *variable, const char *value);
/* The file refers to it. */
bool gc_variable_is_used(const struct gc_config *config, const char *variable);

/* substitute.c: ${VAR}, ${VAR:-default}, ${VAR:?message}, $$. False with one sentence in `problem`; else a malloc'ed
 * text. The variables are noted in config, for gc_variable_is_used(). */
bool gc_substitute(struct gc_config *config, const char *text, char **ret_text, char *problem, size_t problem_bytes);
void gc_variable_note(struct gc_config *config, const char *variable);

/* excerpt.c: appends the line and a caret to err->text. Line and column count from 0. */
void gc_excerpt_add(struct gc_err *err, struct gc_span file, size_t line, size_t column);

/* Frees *text and puts a copy of value there. */
void gc_text_assign(char **text, const char *value);
/* A text that is written by fprintf(); malloc'ed, complete after fclose(). Never NULL. */
FILE *gc_text_open(char **ret_text, size_t *ret_bytes);

/* secret.c. Names like sasl.password, ssl.key.pem. */
bool gc_secret_name(const char *name);
/* The text with the passwords in it replaced by ***: user:password@ of a URI, password=… of a conninfo string, and
 * `sasl.password: …` of a line of YAML; malloc'ed. */
char *gc_secret_mask(const char *text);

/* Properties of librdkafka that take certain values only; ends with a NULL name. */
struct gc_allowed {
	const char *name;
	const char *values[6];
};
extern const struct gc_allowed gc_allowed_properties[];

#endif
