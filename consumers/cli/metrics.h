/* What the files of `gracecube metrics` share: its options, and what asks the cube.
 *
 * Threads: the main thread.
 */
#ifndef GRACECUBE_CLI_METRICS_H
#define GRACECUBE_CLI_METRICS_H

#include "cli/command.h"

struct gc_metrics_options {
	int64_t from_us, to_us, limit;
	int grain, compare, format; /* of gc_metrics_grains, gc_metrics_comparisons, and of what exports */
	struct gc_flag_list by;
	const char *where;
};
/* The first of each is none. End with NULL. */
extern const char *const gc_metrics_grains[], *const gc_metrics_comparisons[];

/* With commas between; free() it. */
char *gc_metrics_join(char *const *words, int count);

/* Verbs: metrics_ask.c */
int gc_metrics_query(struct gc_command_line *line);
int gc_metrics_explain(struct gc_command_line *line);

#endif
