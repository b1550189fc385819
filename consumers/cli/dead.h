/* What the parts of `gracecube dead` share. Threads: the main thread. */
#ifndef GRACECUBE_CLI_DEAD_H
#define GRACECUBE_CLI_DEAD_H

#include <gracecube/sink.h>

#include "cli/command.h"

struct dead_options {
	const char *topic, *stream, *code, *out;
	int64_t since_us, limit;
	bool all, again, raw;
	int state; /* enum gc_letter_state */
};

/* The verbs. */
int gc_dead_retry(struct gc_command_line *line);
int gc_dead_discard(struct gc_command_line *line);
int gc_dead_export(struct gc_command_line *line);
int gc_dead_import(struct gc_command_line *line);

/* GC_EXIT_USAGE, and said, when a flag does not go with the verb or names a stream that there is none. */
int gc_dead_check_flags(struct gc_command_line *line);
/* Connects, and settles in cfg which consumer group is meant. */
enum gc_verdict gc_dead_open(struct gc_config *cfg, struct gc_pg **ret_pg, struct gc_err *err) GC_MUST_CHECK;
/* Why there is nothing to show or to do. */
enum gc_verdict gc_dead_explain_nothing(struct gc_pg *pg, const char *group, struct gc_err *err) GC_MUST_CHECK;

/* The letters that a command line means: ids, filters or --all. GC_EXIT_USAGE, and said, when it means none, or two things at once. The ids are
 * text in the arena; the group is set once it is known. */
int gc_dead_select(struct gc_command_line *line, struct gc_arena *arena, struct gc_letter_selection *ret_selection);
/* Settles the selection's end, so that letters that come meanwhile are not of it. An id that is not there is GC_REJECT; what is there but not
 * selected is told on stderr. *ret_count: how many there are; *ret_left: ids that cannot be worked on any more. */
enum gc_verdict gc_dead_count(struct gc_pg *pg, const char *group, struct gc_letter_selection *selection, int64_t *ret_count,
			      int64_t *ret_left, struct gc_err *err) GC_MUST_CHECK;
/* True when a signal asked to stop, and then it is said. */
bool gc_dead_was_stopped(void);
/* "alice@ops1", for the letters' worked_by; returns buffer. */
const char *gc_dead_who(char *buffer, size_t bytes);

#endif
