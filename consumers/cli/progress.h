/* Progress of something that takes a while: on a terminal one line of stderr that is written over, elsewhere a log line
 * every two seconds.
 *
 *     struct gc_progress progress;
 *     gc_progress_start(&progress, options->progress, "publish", "records", total);
 *     ... gc_progress_at(&progress, done); ...        as often as you like
 *     gc_progress_end(&progress);
 *
 * Threads: one progress belongs to one thread.
 */
#ifndef GRACECUBE_PROGRESS_H
#define GRACECUBE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gc_progress_mode {
	GC_PROGRESS_AUTO, /* bar on a terminal, unless NO_COLOR is set or TERM is dumb; else log */
	GC_PROGRESS_BAR,
	GC_PROGRESS_LOG,
	GC_PROGRESS_NONE,
};
extern const char *const gc_progress_modes[];
/* The flag --progress of a command whose options have an int called progress. */
#define GC_FLAG_PROGRESS(options)                                                                                                  \
	{ "progress",                                                                                                              \
	  0,                                                                                                                       \
	  "HOW",                                                                                                                   \
	  "how progress is shown",                                                                                                 \
	  GC_FLAG_CHOICE,                                                                                                          \
	  .offset = offsetof(options, progress),                                                                                   \
	  .choices = gc_progress_modes,                                                                                            \
	  .initially = "auto" }

struct gc_progress {
	enum gc_progress_mode mode;
	const char *what, *unit; /* "publish", "records" */
	int64_t total;           /* 0: not known */
	int64_t done;
	int64_t started_us, shown_us; /* monotonic */
};

void gc_progress_start(struct gc_progress *progress, enum gc_progress_mode mode, const char *what, const char *unit, int64_t total);
/* Cheap: shows something at most ten times a second (a log line every two). */
void gc_progress_at(struct gc_progress *progress, int64_t done);
/* Takes the line away, so that the next message starts on a clean one. Facts are printed by the caller. */
void gc_progress_end(struct gc_progress *progress);

/* "publish: 120/600 records, 20%, 60/s, 8 s left"; returns buffer. */
const char *gc_progress_line(const struct gc_progress *progress, int64_t now_us, char *buffer, size_t bytes);

#endif
