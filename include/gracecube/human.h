/* What people type and read: whole numbers, sizes, durations, choices, and the name they probably meant.
 *
 * Three tables are read by these, and speak of a value in the same words: options of the configuration (config/options.h), flags of commands
 * (consumers/cli/command.h), parameters of the API (sinks/http/api/routes.h). They are three, because their rows have little else in common: an
 * option has one place in struct gc_config, a section, and a file, a variable and -s by which it comes; a flag belongs to one command and has a
 * letter; a parameter is handed to the database as a text, with a pattern that OpenAPI shows. No row is in two of them: whatever is an option is
 * given to any command by -s, and has no flag of its own but --log-level, which sets it.
 *
 * Threads: no shared state.
 */
#ifndef GRACECUBE_HUMAN_H
#define GRACECUBE_HUMAN_H

#include <gracecube/span.h>

enum gc_human_unit {
	GC_HUMAN_COUNT, /* 6000 */
	GC_HUMAN_BYTES, /* 64MiB: B KiB MiB GiB TiB, kB MB GB TB; a bare number is bytes */
	GC_HUMAN_TIME,  /* 30s, in µs: us ms s m h d; the unit must be there, save for 0 */
};

/* One number of at most int64 with its unit and nothing else; never negative. */
bool gc_human_parse(const char *text, enum gc_human_unit unit, int64_t *ret_value);
/* As gc_human_parse() reads it, in the largest unit that is exact; returns buffer. */
#define GC_HUMAN_BYTES_MAX 32
const char *gc_human_print(int64_t value, enum gc_human_unit unit, char *buffer, size_t bytes);

/* What a number must be: "a size from 1KiB to 64MiB"; with a maximum of INT64_MAX "a size like 64MiB". Returns buffer. */
const char *gc_human_domain(enum gc_human_unit unit, int64_t min, int64_t max, char *buffer, size_t bytes);

/* Which of the choices, which end with NULL, the word is; -1: none. */
int gc_choice_find(const char *const *choices, struct gc_span word);
/* "a, b, c"; returns buffer. */
const char *gc_choices_print(const char *const *choices, char *buffer, size_t bytes);

/* The nearest name to a word: zero it but for `word`, offer all names, look at `best`, NULL when none is near. */
struct gc_nearest {
	const char *word, *best;
	int distance;
};
void gc_nearest_offer(struct gc_nearest *nearest, const char *name);

#endif
