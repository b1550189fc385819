/* Progress lines. See progress.h.
 *
 * Threads: one progress belongs to one thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gracecube/log.h>
#include <gracecube/time.h>

#include "cli/progress.h"

#define BAR_INTERVAL_US (GC_SECOND_US / 10)
#define LOG_INTERVAL_US (2 * GC_SECOND_US)
/* To the start of the line, and erase the rest of it. */
#define LINE_START "\r\033[K"

const char *const gc_progress_modes[] = { "auto", "bar", "log", "none", NULL };

static enum gc_progress_mode choose_mode(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	bool plain = (no_color && *no_color) || !term || strcmp(term, "dumb") == 0;
	return isatty(STDERR_FILENO) && !plain ? GC_PROGRESS_BAR : GC_PROGRESS_LOG;
}

void gc_progress_start(struct gc_progress *progress, enum gc_progress_mode mode, const char *what, const char *unit, int64_t total)
{
	int64_t now_us = gc_monotonic_us();
	*progress = (struct gc_progress){
		.mode = mode == GC_PROGRESS_AUTO ? choose_mode() : mode,
		.what = what,
		.unit = unit,
		.total = total,
		.started_us = now_us,
		.shown_us = now_us, /* what is done within one interval shows nothing */
	};
}

static int64_t rate_of(const struct gc_progress *progress, int64_t now_us)
{
	int64_t took_us = now_us - progress->started_us;
	return took_us > 0 ? (int64_t)((double)progress->done * GC_SECOND_US / (double)took_us) : 0;
}

static int64_t percent_of(const struct gc_progress *progress)
{
	return (int64_t)((double)progress->done * 100 / (double)progress->total);
}

static int64_t seconds_left(const struct gc_progress *progress, int64_t rate)
{
	int64_t left = progress->total - progress->done;
	return rate > 0 && left > 0 ? (left + rate - 1) / rate : 0;
}

const char *gc_progress_line(const struct gc_progress *progress, int64_t now_us, char *buffer, size_t bytes)
{
	int64_t rate = rate_of(progress, now_us);
	if (progress->total > 0)
		snprintf(buffer, bytes, "%s: %" PRId64 "/%" PRId64 " %s, %" PRId64 "%%, %" PRId64 "/s, %" PRId64 " s left",
			 progress->what, progress->done, progress->total, progress->unit, percent_of(progress), rate,
			 seconds_left(progress, rate));
	else
		snprintf(buffer, bytes, "%s: %" PRId64 " %s, %" PRId64 "/s", progress->what, progress->done, progress->unit, rate);
	return buffer;
}

static void show_bar(const struct gc_progress *progress, int64_t now_us)
{
	char line[200];
	fprintf(stderr, LINE_START "%s", gc_progress_line(progress, now_us, line, sizeof(line)));
	fflush(stderr);
}

static void show_log(const struct gc_progress *progress, int64_t now_us)
{
	int64_t rate = rate_of(progress, now_us);
	if (progress->total > 0)
		gc_info("progress", GC_S("of", progress->what), GC_I("done", progress->done), GC_I("total", progress->total),
			GC_S("unit", progress->unit), GC_I("per_second", rate), GC_I("seconds_left", seconds_left(progress, rate)));
	else
		gc_info("progress", GC_S("of", progress->what), GC_I("done", progress->done), GC_S("unit", progress->unit),
			GC_I("per_second", rate));
}

void gc_progress_at(struct gc_progress *progress, int64_t done)
{
	progress->done = done;
	if (progress->mode == GC_PROGRESS_NONE)
		return;
	int64_t now_us = gc_monotonic_us();
	bool is_bar = progress->mode == GC_PROGRESS_BAR;
	if (now_us - progress->shown_us < (is_bar ? BAR_INTERVAL_US : LOG_INTERVAL_US))
		return;
	progress->shown_us = now_us;
	if (is_bar)
		show_bar(progress, now_us);
	else
		show_log(progress, now_us);
}

void gc_progress_end(struct gc_progress *progress)
{
	if (progress->mode == GC_PROGRESS_BAR)
		fputs(LINE_START, stderr);
	progress->mode = GC_PROGRESS_NONE;
}
