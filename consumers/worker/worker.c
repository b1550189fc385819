/* Worker: see worker.h. The guarantee, in three sentences: a record's rows, its dead letter and the position behind it are one commit.
 * A position moves only from where the cube stands, or the commit fails. So whatever is killed, cut off or sent again, each record
 * changes the cube exactly once, or is in the dead letters with its reason.
 *
 * Threads: a worker is one thread.
 */
#include "worker/applying.h"
#include "kafka/client.h"

#include <gracecube/arena.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HINT_INTERVAL_US GC_SECOND_US
#define LAST_HINT_US (2 * GC_SECOND_US)
#define BACKOFF_MIN_US (50 * 1000)
#define BACKOFF_MAX_US (10 * GC_SECOND_US)
/* A database away for longer than this: partitions are paused and polled, so that the group does not expel us. A quarter of the
 * default max.poll.interval.ms. */
#define PAUSE_AFTER_US (75 * GC_SECOND_US)
#define POLL_SLICE_US (200 * 1000)

bool gc_must_leave(const struct gc_worker *w)
{
	return atomic_load(&w->state) == GC_DRAINING && gc_monotonic_us() >= atomic_load(&w->drain_until_us);
}

static bool is_draining(const struct gc_worker *w)
{
	return atomic_load(&w->state) == GC_DRAINING;
}

/* ---- waiting ---- */

/* One wait of a retry, 50 ms doubling to 10 s, with jitter. Long stalls keep the membership by polling paused partitions. */
void gc_wait_a_while(struct gc_worker *w, struct gc_backoff *b, const struct gc_err *why)
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
			gc_consumer_gather(w->consumer, POLL_SLICE_US);
		else
			usleep(POLL_SLICE_US / 10);
	}
}

void gc_end_wait(struct gc_worker *w, struct gc_backoff *b)
{
	if (b->paused)
		gc_consumer_pause(w->consumer, false);
	if (gc_complaint_over(&b->complaint))
		gc_info("works again", GC_R("after_s", (double)(gc_monotonic_us() - b->since_us) / 1e6));
}

/* ---- the database ---- */

/* What was right once gets right again: a password that is being changed, a database that is being restored, a right taken away by
 * mistake. Only another schema needs another program. */
static enum gc_verdict heals(const struct gc_worker *w, enum gc_verdict verdict, struct gc_err *err)
{
	if (verdict != GC_FATAL || !w->has_worked || strcmp(err->code, "schema_version") == 0)
		return verdict;
	return err->verdict = GC_RETRY;
}

/* Of what a statement may meet with only a missing right: all else that is final there does not change by waiting. */
enum gc_verdict gc_rights_heal(const struct gc_worker *w, enum gc_verdict verdict, struct gc_err *err)
{
	return strcmp(err->code, "42501") == 0 ? heals(w, verdict, err) : verdict;
}

/* A new connection: nothing cached is to be trusted, and the partitions are claimed again. */
static enum gc_verdict reconnect(struct gc_worker *w, struct gc_err *err)
{
	char role[64];
	enum gc_verdict verdict;

	gc_pg_close(w->pg);
	w->pg = NULL;
	gc_keys_forget(&w->keys);
	snprintf(role, sizeof(role), "gracecube worker %d", w->index);
	verdict = heals(w, gc_pg_open_writer(w->config, role, &w->keys, &w->pg, err), err);
	if (verdict == GC_OK)
		verdict = gc_consumer_reclaim(w->consumer, w->pg, err);
	if (verdict == GC_OK) {
		w->has_worked = true;
		gc_counter_add(&w->counters.reconnects, 1);
	}
	return verdict;
}

enum gc_verdict gc_ensure_database(struct gc_worker *w, struct gc_err *err)
{
	struct gc_backoff backoff = { .wait_us = 0 };
	enum gc_verdict verdict = GC_OK;

	while (!w->pg || gc_pg_is_lost(w->pg)) {
		verdict = reconnect(w, err);
		if (verdict == GC_OK || (verdict != GC_RETRY && verdict != GC_FENCED) || gc_must_leave(w))
			break;
		gc_wait_a_while(w, &backoff, err);
	}
	gc_end_wait(w, &backoff);
	return verdict;
}

/* ---- the loop ---- */

static bool has_to_claim(const struct gc_worker *w)
{
	return (w->consumer->pending || w->consumer->is_adrift) && !is_draining(w);
}

static enum gc_verdict claim_partitions(struct gc_worker *w, struct gc_err *err)
{
	struct gc_backoff backoff = { .wait_us = 0 };
	enum gc_verdict verdict = GC_OK;

	while (has_to_claim(w)) {
		verdict = gc_ensure_database(w, err);
		if (verdict == GC_OK && w->consumer->pending)
			verdict = gc_consumer_claim(w->consumer, w->pg, err);
		else if (verdict == GC_OK)
			verdict = gc_consumer_restart(w->consumer, w->pg, err);
		verdict = gc_rights_heal(w, verdict, err);
		if (verdict != GC_RETRY)
			break;
		gc_wait_a_while(w, &backoff, err);
	}
	gc_end_wait(w, &backoff);
	return verdict;
}

static void tell_position(struct gc_worker *w)
{
	int64_t now = gc_monotonic_us();

	if (now - w->hinted_us < HINT_INTERVAL_US)
		return;
	w->hinted_us = now;
	gc_consumer_hint(w->consumer, 0);
}

static void note_idle(struct gc_worker *w)
{
	bool at_end = gc_consumer_is_at_end(w->consumer);

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

	gc_consumer_gather(w->consumer, GC_IDLE_WAIT_US);
	gc_counter_add(&w->counters.poll_us, gc_monotonic_us() - started);
	gc_count_tick(w);
	gc_count_gathered(w);
	if (w->consumer->broken.verdict != GC_OK) {
		*err = w->consumer->broken;
		return err->verdict;
	}
	verdict = claim_partitions(w, err);
	if (verdict == GC_OK && w->pg && !gc_pg_is_lost(w->pg))
		gc_consumer_revive(w->consumer, w->pg);
	if (verdict == GC_OK)
		verdict = gc_apply_records(w, err);
	if (verdict == GC_OK) {
		gc_pass_ends(w);
		tell_position(w);
	}
	gc_tell_changes(w, GC_TELL_INTERVAL_US);
	note_idle(w);
	return verdict;
}

static enum gc_verdict run_loop(struct gc_worker *w, struct gc_err *err)
{
	enum gc_verdict verdict = gc_ensure_database(w, err);

	while (verdict == GC_OK && !is_draining(w))
		verdict = work_once(w, err);
	if (verdict == GC_OK)
		verdict = gc_apply_records(w, err);
	/* what could not be applied in time is read again by the next owner: nothing is lost */
	return verdict == GC_RETRY && is_draining(w) ? GC_OK : verdict;
}

void *gc_worker_main(void *argument)
{
	struct gc_worker *w = argument;
	struct gc_err err = { .verdict = GC_OK };
	char name[16];
	enum gc_verdict verdict;

	snprintf(name, sizeof(name), "%d", w->index);
	gc_log_context("worker", name);
	gc_keys_init(&w->keys, w->config->run_cache_entries);
	w->batch = gc_batch_new(&w->keys, w->config->limits_value_bytes, w->config->limits_key_bytes);
	verdict = gc_consumer_open(w->config, w->positions, w->index, w->topics, w->topic_count, &w->consumer, &err);
	if (verdict == GC_OK) {
		verdict = run_loop(w, &err);
		gc_consumer_hint(w->consumer, LAST_HINT_US);
		gc_tell_changes(w, 0);
	}
	gc_consumer_close(w->consumer);
	gc_pg_close(w->pg);
	gc_batch_free(w->batch);
	gc_keys_done(&w->keys);
	atomic_store(&w->counters.cpu_us, gc_thread_cpu_us());
	if (verdict != GC_OK)
		w->failure = err;
	atomic_store(&w->counters.at_end, 0);
	gc_log_context(NULL, NULL);
	return NULL;
}
