/* Dead letters that are run again: see worker/letters.h.
 *
 * Threads: one run belongs to one thread.
 */
#include "worker/letters.h"

#include <gracecube/log.h>
#include <gracecube/stop.h>
#include <stdio.h>

/* A letter takes a row of cube.etl_offset while it is retried, and its lock until the commit. */
#define LETTERS_AT_ONCE 500
#define ARENA_KEPT_BYTES ((size_t)16 << 20)
/* A deadlock, a lock that is waited for: tried so often, 50 ms doubling in between. */
#define ATTEMPTS 8
#define BACKOFF_US (50 * 1000)

/* ---- one batch ---- */

/* Where the letter's topic belongs today: that may be what was wrong. Else what it was then. */
static const struct gc_stream_config *stream_of(const struct gc_config *config, const struct gc_letter *letter)
{
	const struct gc_stream_config *reader = gc_config_stream_of(config, letter->message.topic);

	for (size_t s = 0; !reader && s < config->stream_count; s++) {
		if (gc_span_equal(gc_span_of(config->streams[s].name), letter->stream))
			reader = &config->streams[s];
	}
	return reader;
}

/* A timestamp that is not believed counts as when the letter was refused: it was there by then. */
static void read_clock(struct gc_letter *letter)
{
	struct gc_clock clock = { .latest_us = letter->dead_us, .offset = -1 };

	gc_clock_read(&clock, &letter->message);
}

/* Each letter is a partition of its own, whose one record it is. */
static void fill_batch(struct gc_letters_run *run, struct gc_letter *letters, size_t count, const struct gc_err *reject_reason)
{
	gc_batch_reset(run->batch);
	for (size_t i = 0; i < count; i++) {
		struct gc_message *message = &letters[i].message;
		const struct gc_stream_config *stream = stream_of(run->config, &letters[i]);
		uint32_t part = gc_batch_partition(run->batch, message->topic, message->partition, -letters[i].id, 0,
						   message->offset, NULL);
		struct gc_partition_batch *parts;
		struct gc_err unknown;

		gc_batch_partitions(run->batch, &parts);
		parts[part].truncated = letters[i].truncated;
		read_clock(&letters[i]);
		if (!stream)
			gc_fail(&unknown, GC_REJECT, "unknown_stream", "stream", "this gracecube knows no stream %s",
				letters[i].stream.ptr);
		if (!stream || reject_reason)
			gc_batch_add_dead(run->batch, part, gc_streams[0], message, reject_reason ? reject_reason : &unknown);
		else
			gc_batch_add(run->batch, part, gc_stream_find(gc_span_of(stream->name)), stream->time_unit, message);
	}
	gc_batch_coalesce(run->batch);
}

static enum gc_verdict try_letters(struct gc_letters_run *run, struct gc_letter *letters, size_t count,
				   const struct gc_err *reject_reason, struct gc_err *err)
{
	enum gc_verdict verdict;

	fill_batch(run, letters, count, reject_reason);
	verdict = gc_pg_resolve(run->pg, run->batch, &run->cache, err);
	if (verdict != GC_OK)
		return verdict;
	gc_batch_assign_keys(run->batch);
	verdict = gc_pg_retry_letters(run->pg, run->batch, run->by, letters, err);
	if (verdict == GC_OK)
		gc_batch_committed(run->batch);
	return verdict;
}

/* The same until it is done or cannot be. A month whose table was taken away is made anew: once. */
static enum gc_verdict apply_letters(struct gc_letters_run *run, struct gc_letter *letters, size_t count,
				     const struct gc_err *reject_reason, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;
	bool has_forgotten = false;

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		verdict = try_letters(run, letters, count, reject_reason, err);
		if (verdict == GC_REJECT && strcmp(err->code, GC_PG_NO_PARTITION) == 0) {
			if (has_forgotten)
				return gc_fail(
					err, GC_FATAL, GC_PG_NO_PARTITION, "cube",
					"the table of a month was taken away; ATTACH it again, or DROP it to have it made anew");
			gc_dimension_cache_clear(&run->cache);
			has_forgotten = true;
			continue;
		}
		if (verdict != GC_RETRY || gc_pg_is_lost(run->pg) || (count > 1 && gc_sqlstate_wants_less(err->code)))
			break;
		gc_sleep_us(BACKOFF_US << attempt);
	}
	return verdict;
}

/* Pages that are open hear of what has changed. */
static void notify_streams(struct gc_letters_run *run, const struct gc_letter *letters, size_t count)
{
	char names[1024] = "";
	size_t len = 0;

	for (size_t s = 0; gc_streams[s] && len < sizeof(names); s++) {
		for (size_t i = 0; i < count; i++) {
			if (letters[i].outcome == GC_LETTER_APPLIED &&
			    gc_span_equal(letters[i].stream, gc_span_of(gc_streams[s]->name))) {
				len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len ? "," : "",
							gc_streams[s]->name);
				break;
			}
		}
	}
	if (len > 0)
		gc_pg_notify(run->pg, names);
}

static void report(struct gc_letters_run *run, const struct gc_letter *letters, size_t count)
{
	notify_streams(run, letters, count);
	for (size_t i = 0; i < count; i++)
		run->each(run->arg, &letters[i]);
}

/* A letter that the database rejects is found by bisection; so is what is too much at once. *ret_done: how many are done, from the front. */
static enum gc_verdict apply_or_bisect(struct gc_letters_run *run, struct gc_letter *letters, size_t count, size_t *ret_done,
				       struct gc_err *err)
{
	size_t done = 0, half = count / 2;
	struct gc_err reject_reason;
	enum gc_verdict verdict = apply_letters(run, letters, count, NULL, err);

	if (verdict == GC_REJECT && count == 1) {
		reject_reason = *err;
		verdict = apply_letters(run, letters, count, &reject_reason, err);
	}
	if (verdict == GC_OK) {
		report(run, letters, count);
		*ret_done = count;
		return GC_OK;
	}
	if (count == 1 || (verdict != GC_REJECT && !(verdict == GC_RETRY && gc_sqlstate_wants_less(err->code))))
		return verdict;
	verdict = apply_or_bisect(run, letters, half, ret_done, err);
	if (verdict == GC_OK) {
		verdict = apply_or_bisect(run, letters + half, count - half, &done, err);
		*ret_done += done;
	}
	return verdict;
}

/* ---- all of them ---- */

/* What somebody else has worked on meanwhile is read again, and then no longer selected. */
static enum gc_verdict retry_all(struct gc_letters_run *run, struct gc_letter_selection selection, struct gc_err *err)
{
	struct gc_letter *letters;
	size_t count, done;
	enum gc_verdict verdict;

	do {
		done = 0;
		gc_arena_reset(&run->arena, ARENA_KEPT_BYTES);
		verdict = gc_pg_read_letters(run->pg, &selection, LETTERS_AT_ONCE, run->config->run_batch_bytes, &run->arena,
					     &letters, &count, err);
		if (verdict == GC_OK && count > 0)
			verdict = apply_or_bisect(run, letters, count, &done, err);
		if (done > 0)
			selection.after_id = letters[done - 1].id;
		if (verdict == GC_FENCED)
			verdict = GC_OK;
	} while (verdict == GC_OK && count > 0 && !gc_stop_was_asked());
	return verdict;
}

enum gc_verdict gc_letters_retry(struct gc_letters_run *run, const struct gc_letter_selection *selection, struct gc_err *err)
{
	enum gc_verdict verdict;

	gc_dimension_cache_init(&run->cache, run->config->run_cache_entries);
	gc_arena_init(&run->arena);
	run->batch = gc_batch_new(&run->cache, run->config->limits_value_bytes, run->config->limits_key_bytes);
	verdict = gc_pg_open_writer(run->config, "gracecube dead", &run->cache, &run->pg, err);
	if (verdict == GC_OK)
		verdict = retry_all(run, *selection, err);
	gc_pg_close(run->pg);
	run->pg = NULL;
	gc_batch_free(run->batch);
	gc_arena_done(&run->arena);
	gc_dimension_cache_done(&run->cache);
	return verdict;
}
