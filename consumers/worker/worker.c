/* Worker: see worker.h.
 *
 * Threads: a worker is one thread.
 */
#include "worker/between.h"
#include "worker/retry.h"

#include <gracecube/arena.h>
#include <stdio.h>
#include <stdlib.h>

#define IDLE_WAIT_US (100 * 1000)
#define OFFSETS_INTERVAL_US GC_SECOND_US
#define SKIP_INTERVAL_US (2 * GC_SECOND_US)
/* Of what is read apart: others may wait for it. */
#define APART_WAIT_US (10 * 1000)
#define LAST_OFFSETS_US (2 * GC_SECOND_US)
#define ATTEND_AGAIN_US (2 * GC_SECOND_US)

static bool is_draining(const struct gc_worker *w)
{
	return atomic_load(&w->state) == GC_DRAINING;
}

/* ---- the loop ---- */

static bool has_to_claim(const struct gc_worker *w)
{
	return (w->consumer->pending || w->consumer->needs_restart) && !is_draining(w);
}

static enum gc_verdict claim_partitions(struct gc_worker *w, struct gc_err *err)
{
	struct gc_backoff backoff = { .wait_us = 0 };
	enum gc_verdict verdict = GC_OK;

	while (has_to_claim(w)) {
		verdict = gc_ensure_database(w, err);
		if (verdict == GC_OK && w->consumer->pending)
			verdict = gc_consumer_claim(w->consumer, w->pipeline.pg, err);
		else if (verdict == GC_OK)
			verdict = gc_consumer_restart(w->consumer, w->pipeline.pg, err);
		verdict = gc_rights_heal(w, verdict, err);
		if (verdict != GC_RETRY)
			break;
		gc_backoff_wait(w, &backoff, err);
	}
	gc_backoff_end(w, &backoff);
	return verdict;
}

/* Offsets behind the last record that a consumer gets are skipped now and then. */
static void skip_to_ends(struct gc_worker *w)
{
	int64_t now = gc_monotonic_us(), interval_us = w->consumer->is_apart ? APART_WAIT_US : SKIP_INTERVAL_US;

	if (now - w->skipped_us < interval_us || w->consumer->source.record_count > 0 || has_to_claim(w) || !w->pipeline.pg ||
	    gc_pg_is_lost(w->pipeline.pg))
		return;
	w->skipped_us = now;
	gc_pipeline_skip_to_ends(&w->pipeline);
}

static void commit_offsets(struct gc_worker *w)
{
	int64_t now = gc_monotonic_us();

	if (now - w->offsets_committed_us < OFFSETS_INTERVAL_US)
		return;
	w->offsets_committed_us = now;
	gc_consumer_commit_offsets(w->consumer, 0);
}

static void note_idle(struct gc_worker *w)
{
	bool at_end = gc_consumer_is_at_end(w->consumer) && !w->pipeline.links_wait && !w->pipeline.links_may_wait;

	atomic_store(&w->counters.at_end, at_end);
	if (at_end)
		atomic_store(&w->counters.progress_us, gc_monotonic_us());
	atomic_store(&w->counters.cpu_us, gc_thread_cpu_us());
	atomic_store(&w->counters.rebalances, (int64_t)w->consumer->rebalances);
}

static enum gc_verdict work_once(struct gc_worker *w, struct gc_err *err)
{
	int64_t started = gc_monotonic_us();
	enum gc_verdict verdict;

	gc_consumer_poll(w->consumer, w->consumer->is_apart ? APART_WAIT_US : IDLE_WAIT_US);
	gc_counter_add(&w->counters.poll_us, gc_monotonic_us() - started);
	gc_count_tick(w);
	gc_count_polled(w);
	if (w->consumer->broken.verdict != GC_OK) {
		*err = w->consumer->broken;
		return err->verdict;
	}
	verdict = claim_partitions(w, err);
	if (verdict == GC_OK && w->pipeline.pg && !gc_pg_is_lost(w->pipeline.pg))
		gc_consumer_retry_halted(w->consumer, w->pipeline.pg);
	if (verdict == GC_OK)
		verdict = gc_apply_polled(w, err);
	if (verdict == GC_OK) {
		skip_to_ends(w);
		commit_offsets(w);
		gc_between_batches(w);
	}
	gc_pipeline_notify(&w->pipeline, GC_NOTIFY_INTERVAL_US);
	note_idle(w);
	return verdict;
}

static enum gc_verdict run_loop(struct gc_worker *w, struct gc_err *err)
{
	enum gc_verdict verdict = gc_ensure_database(w, err);

	while (verdict == GC_OK && !is_draining(w))
		verdict = work_once(w, err);
	if (verdict == GC_OK)
		verdict = gc_apply_polled(w, err);
	/* what could not be applied in time is read again by the next owner: nothing is lost */
	return verdict == GC_RETRY && is_draining(w) ? GC_OK : verdict;
}

static enum gc_verdict work(struct gc_worker *w, struct gc_err *err)
{
	enum gc_verdict verdict;

	gc_pipeline_init(&w->pipeline, w->config, &w->consumer->source, &w->counters, w->config->run_cache_entries);
	verdict = run_loop(w, err);
	gc_tell_halts(w);
	gc_consumer_commit_offsets(w->consumer, LAST_OFFSETS_US);
	gc_pipeline_notify(&w->pipeline, 0);
	gc_pipeline_done(&w->pipeline);
	return verdict;
}

static enum gc_verdict attend(struct gc_worker *w, struct gc_err *err)
{
	enum gc_verdict verdict = gc_consumer_open(w->config, w->positions, w->index, &w->reading, &w->counters.at_end,
						   &w->consumer, err);

	if (verdict == GC_OK)
		verdict = work(w, err);
	atomic_store(&w->counters.at_end, 0);
	atomic_store(&w->counters.joined, 0);
	gc_consumer_close(w->consumer);
	w->consumer = NULL;
	return verdict;
}

/* Before the client is made anew. */
static void wait_to_attend(struct gc_worker *w, struct gc_complaint *complaint, const struct gc_err *why)
{
	int64_t repeated, until = gc_monotonic_us() + ATTEND_AGAIN_US;

	if (gc_complain(complaint, gc_monotonic_us(), &repeated))
		gc_warn("joining the group again", GC_ERR_FIELDS(why), GC_I("repeated", repeated));
	while (!is_draining(w) && gc_monotonic_us() < until) {
		gc_counter_set(&w->counters.ticked_us, gc_monotonic_us());
		gc_sleep_us(IDLE_WAIT_US);
	}
}

void *gc_worker_main(void *argument)
{
	struct gc_worker *w = argument;
	struct gc_err err = { .verdict = GC_OK };
	struct gc_complaint complaint = { 0 };
	char name[16];
	enum gc_verdict verdict;

	snprintf(name, sizeof(name), "%d", w->index);
	gc_log_context("worker", name);
	while ((verdict = attend(w, &err)) == GC_RETRY && !is_draining(w))
		wait_to_attend(w, &complaint, &err);
	atomic_store(&w->counters.cpu_us, gc_thread_cpu_us());
	if (verdict != GC_OK && verdict != GC_RETRY)
		w->failure = err;
	gc_log_context(NULL, NULL);
	return NULL;
}
