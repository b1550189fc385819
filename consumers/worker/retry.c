/* Retry: see retry.h. Threads: a worker is one thread. */
#include "worker/retry.h"

#include <gracecube/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_MIN_US (50 * 1000)
#define BACKOFF_MAX_US (10 * GC_SECOND_US)
/* A database away for longer than this: partitions are paused and polled, so that the group does not expel us. A quarter of the
 * default max.poll.interval.ms. */
#define PAUSE_AFTER_US (75 * GC_SECOND_US)
#define POLL_SLICE_US (200 * 1000)
#define FENCED_POLL_US (100 * 1000)

bool gc_must_leave(const struct gc_worker *w)
{
	return atomic_load(&w->state) == GC_DRAINING && gc_monotonic_us() >= atomic_load(&w->drain_until_us);
}

/* ---- waiting ---- */

/* One wait of a retry, 50 ms doubling to 10 s, with jitter. Long stalls keep the membership by polling paused partitions. */
void gc_backoff_wait(struct gc_worker *w, struct gc_backoff *b, const struct gc_err *why)
{
	int64_t now = gc_monotonic_us(), repeated, until;

	if (b->since_us == 0)
		b->since_us = now;
	b->wait_us = b->wait_us == 0 ? BACKOFF_MIN_US : b->wait_us * 2 > BACKOFF_MAX_US ? BACKOFF_MAX_US : b->wait_us * 2;
	until = now + b->wait_us / 2 + (int64_t)(random() % (b->wait_us / 2 + 1));
	if (gc_complain(&b->complaint, now, &repeated))
		gc_warn("waiting to try again", GC_ERR_FIELDS(why), GC_I("repeated", repeated));
	if (!b->paused && w->consumer && now - b->since_us > PAUSE_AFTER_US) {
		gc_consumer_pause(w->consumer, true);
		b->paused = true;
	}
	gc_count_retry(w, why);
	while (!gc_must_leave(w) && gc_monotonic_us() < until) {
		gc_count_tick(w);
		if (b->paused)
			gc_consumer_poll(w->consumer, POLL_SLICE_US);
		else
			gc_sleep_us(POLL_SLICE_US / 10);
	}
}

void gc_backoff_end(struct gc_worker *w, struct gc_backoff *b)
{
	if (b->paused)
		gc_consumer_pause(w->consumer, false);
	if (gc_complaint_over(&b->complaint))
		gc_info("works again", GC_R("after_s", (double)(gc_monotonic_us() - b->since_us) / 1e6));
}

/* ---- the database ---- */

/* What worked once may work again: a password that is being changed, a database that is being restored, a right revoked by mistake. Only a
 * newer schema needs another program. */
static enum gc_verdict heals(const struct gc_worker *w, enum gc_verdict verdict, struct gc_err *err)
{
	if (verdict != GC_FATAL || !w->has_worked || strcmp(err->code, "schema_version") == 0)
		return verdict;
	return err->verdict = GC_RETRY;
}

/* Of the fatal errors of a statement only a missing right may be over by waiting. */
enum gc_verdict gc_rights_heal(const struct gc_worker *w, enum gc_verdict verdict, struct gc_err *err)
{
	return strcmp(err->code, "42501") == 0 ? heals(w, verdict, err) : verdict;
}

/* A new connection: nothing cached is to be trusted, and the partitions are claimed again. */
static enum gc_verdict reconnect(struct gc_worker *w, struct gc_err *err)
{
	char role[64];
	enum gc_verdict verdict;

	gc_pg_close(w->pipeline.pg);
	w->pipeline.pg = NULL;
	gc_dimension_cache_clear(&w->pipeline.cache);
	snprintf(role, sizeof(role), "gracecube worker %d", w->index);
	verdict = heals(w, gc_pg_open_writer(w->config, role, &w->pipeline.cache, &w->pipeline.pg, err), err);
	if (verdict == GC_OK)
		verdict = gc_consumer_reclaim(w->consumer, w->pipeline.pg, err);
	if (verdict == GC_OK) {
		w->has_worked = w->pipeline.links_wait = true;
		gc_counter_add(&w->counters.reconnects, 1);
	}
	return verdict;
}

enum gc_verdict gc_ensure_database(struct gc_worker *w, struct gc_err *err)
{
	struct gc_backoff backoff = { .wait_us = 0 };
	enum gc_verdict verdict = GC_OK;

	while (!w->pipeline.pg || gc_pg_is_lost(w->pipeline.pg)) {
		verdict = reconnect(w, err);
		if (verdict == GC_OK || (verdict != GC_RETRY && verdict != GC_FENCED) || gc_must_leave(w))
			break;
		gc_backoff_wait(w, &backoff, err);
	}
	gc_backoff_end(w, &backoff);
	return verdict;
}

/* ---- applying ---- */

/* gc_pipeline_try(), until it succeeds or cannot: the database is away, a deadlock. A rebalance while waiting discards the records, which
 * ends it. What was too much twice is returned, to be tried in smaller slices. A month whose partition was dropped is made anew: once. */
static enum gc_verdict attempt(void *worker, size_t from, size_t to, const struct gc_err *reject_reason, struct gc_err *err)
{
	struct gc_worker *w = worker;
	struct gc_backoff backoff = { .wait_us = 0 };
	enum gc_verdict verdict;
	bool has_forgotten = false;
	int too_much = 0;

	for (;;) {
		verdict = gc_ensure_database(w, err);
		if (verdict == GC_OK && gc_pipeline_is_void(&w->pipeline))
			break;
		if (verdict == GC_OK)
			verdict = gc_rights_heal(w, gc_pipeline_try(&w->pipeline, from, to, reject_reason, err), err);
		if (verdict == GC_REJECT && strcmp(err->code, GC_PG_NO_PARTITION) == 0 && !has_forgotten) {
			gc_dimension_cache_clear(&w->pipeline.cache);
			has_forgotten = true;
			continue;
		}
		if (verdict != GC_RETRY || gc_must_leave(w))
			break;
		too_much += gc_sqlstate_wants_less(err->code);
		if (too_much >= 2 && to - from > 1)
			break;
		gc_backoff_wait(w, &backoff, err);
	}
	gc_backoff_end(w, &backoff);
	return verdict;
}

/* Fenced off: another owner has the partitions, or had them. Waits a second for a rebalance; if none comes, claims again and reads from the
 * cube's positions. The cube may be another one, that was rebuilt: its members may have other keys, and months of its own. */
static enum gc_verdict handle_fenced(struct gc_worker *w, struct gc_err *err)
{
	int64_t until = gc_monotonic_us() + GC_SECOND_US;
	uint64_t rebalances = w->consumer->rebalances;
	enum gc_verdict verdict;

	gc_counter_add(&w->counters.fenced, 1);
	gc_warn("another owner has moved these partitions; reading again from the cube's position");
	gc_consumer_discard(w->consumer);
	while (w->consumer->rebalances == rebalances && gc_monotonic_us() < until && !gc_must_leave(w)) {
		gc_consumer_poll(w->consumer, FENCED_POLL_US);
		gc_consumer_discard(w->consumer);
	}
	verdict = reconnect(w, err);
	if (verdict == GC_OK && w->consumer->rebalances == rebalances)
		verdict = gc_consumer_restart(w->consumer, w->pipeline.pg, err);
	if (verdict != GC_RETRY)
		return verdict;
	w->consumer->needs_restart = true; /* what was dropped is read again once there is a connection */
	return GC_OK;
}

static bool is_over(void *worker)
{
	return gc_must_leave(worker);
}

enum gc_verdict gc_apply_polled(struct gc_worker *w, struct gc_err *err)
{
	const struct gc_retry_policy policy = { attempt, is_over, w };
	enum gc_verdict verdict = gc_pipeline_run(&w->pipeline, &policy, err);

	if (verdict == GC_FENCED)
		return handle_fenced(w, err);
	if (verdict == GC_OK && !gc_pipeline_is_void(&w->pipeline))
		gc_consumer_done(w->consumer, w->pipeline.done);
	return verdict;
}
