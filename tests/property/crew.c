/* Workers of one seed: the pipeline of the program (worker/pipeline.h), with a plan in place of Kafka as its source. Each has its own
 * caches, batch and connection.
 *
 * In one thread a worker goes in steps: gather and fill, resolve, apply. The crew runs a step of now this worker, now that one, so what
 * one commits between two steps of another is as random as the rest. With threads PostgreSQL sees them at once, and half of what is
 * gathered is given to the pipeline as a whole. Faults:
 *   forgotten   a worker's caches are emptied, as after a lost connection
 *   moved       a partition goes to another worker, with or without its owner knowing: the fence tells it
 *   cut         a worker's connection is ended by the server, at any point, in the middle of a COMMIT too
 *   cancelled   a worker's statement is, and with it its transaction
 *   refused     records given to the pipeline as a whole, though none of them is to blame: it tries halves
 *   rebalanced  what is in hand is taken away between two of its parts, and as many other records come
 * Retries are those of the worker: the same records again, behind those that turn out to be applied.
 *
 * Threads: a worker is used by one at a time; what they share is atomic.
 */
#include "crew.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- steps ---- */

static bool has_more(const struct worker *w, size_t track)
{
	return w->holdings[track].held && w->holdings[track].next_index < w->crew->plan->tracks[track].count;
}

/* A track with something left, the heavier the likelier; SIZE_MAX when nothing is. */
static size_t choose_track(struct worker *w)
{
	const struct plan *plan = w->crew->plan;
	double sum = 0, at;
	size_t last = SIZE_MAX;

	for (size_t t = 0; t < plan->count; t++)
		sum += has_more(w, t) ? plan->tracks[t].weight : 0;
	at = sum * rng_unit(&w->rng);
	for (size_t t = 0; t < plan->count; t++) {
		if (!has_more(w, t))
			continue;
		last = t;
		at -= plan->tracks[t].weight;
		if (at < 0)
			break;
	}
	return last;
}

/* 1 to batch_max, its logarithm evenly spread. */
static size_t choose_size(struct worker *w)
{
	double max = (double)w->crew->options->batch_max;

	return w->crew->options->faults ? (size_t)ceil(pow(max, rng_unit(&w->rng))) : (size_t)max;
}

static void gather_up_to(struct worker *w, size_t size)
{
	while (w->source.record_count < size) {
		size_t t = choose_track(w), run = 1 + rng_below(&w->rng, 20);

		if (t == SIZE_MAX)
			return;
		for (; run > 0 && w->source.record_count < size && has_more(w, t); run--)
			w->source.records[w->source.record_count++] = (struct gc_record){
				.message = w->crew->plan->tracks[t].messages[w->holdings[t].next_index++], .assignment = (uint32_t)t
			};
	}
}

static void gather(struct worker *w)
{
	w->source.record_count = 0;
	gather_up_to(w, choose_size(w));
}

static void fill(struct worker *w)
{
	w->step = gc_pipeline_fill(&w->pipeline, 0, w->source.record_count, NULL) > 0 ? RESOLVE : GATHER;
}

/* After a commit; the pipeline has moved the parts that were in it. */
static void note_commit(struct worker *w)
{
	for (size_t t = 0; t < w->crew->plan->count; t++) {
		if (w->source.assignments[t].in_batch > 0)
			worker_note_position(w, t);
	}
	w->stats.messages += (int64_t)gc_batch_message_count(w->pipeline.batch);
	w->stats.batches++;
	w->retries = 0;
	w->step = GATHER;
}

/* A retry must not leave out what stands before: gathering goes on behind what was gathered. */
static void gather_on(struct worker *w)
{
	for (size_t i = 0; i < w->source.record_count; i++) {
		size_t t = w->source.records[i].assignment;
		size_t behind = track_index_of(&w->crew->plan->tracks[t], w->source.records[i].message.offset) + 1;

		if (w->holdings[t].held && w->holdings[t].next_index < behind)
			w->holdings[t].next_index = behind;
	}
}

/* Waits, and connects when it must; the records stay the same. */
static enum gc_verdict try_again(struct worker *w)
{
	enum gc_verdict verdict = GC_OK;

	if (++w->retries > RETRIES_MAX)
		return GC_FATAL;
	w->stats.retries++;
	if (strcmp(w->err.code, "40P01") == 0)
		w->stats.deadlocks++;
	if (w->crew->options->concurrent)
		usleep((useconds_t)(1000 + rng_below(&w->rng, 20000)));
	if (!w->pipeline.pg || gc_pg_is_lost(w->pipeline.pg)) {
		w->stats.reconnects++;
		verdict = worker_connect(w);
		gather_on(w);
	}
	return verdict;
}

static enum gc_verdict yield(struct worker *w)
{
	w->stats.fenced++;
	w->source.record_count = 0;
	w->source.generation++;
	w->step = GATHER;
	return worker_claim_own(w);
}

static enum gc_verdict recover(struct worker *w, enum gc_verdict verdict)
{
	if (verdict == GC_FENCED)
		return yield(w);
	if (verdict != GC_RETRY)
		return verdict;
	verdict = try_again(w);
	if (verdict == GC_OK)
		fill(w);
	return verdict;
}

/* ---- all at once ---- */

/* Other records take the place of those in hand, and as many: nothing tells of it but the generation. Whoever went on counting would pass
 * over the first of them. */
static enum gc_verdict rebalance(struct worker *w)
{
	size_t count = w->source.record_count;
	enum gc_verdict verdict;

	w->stats.rebalanced++;
	w->source.record_count = 0;
	w->source.generation++;
	verdict = worker_claim_own(w);
	while (verdict == GC_RETRY) {
		verdict = try_again(w);
		if (verdict == GC_OK)
			verdict = worker_claim_own(w);
	}
	if (verdict == GC_OK)
		gather_up_to(w, count);
	return verdict;
}

static bool is_refused(struct worker *w, size_t records)
{
	return w->crew->options->faults && records > 1 && rng_once_in(&w->rng, 8);
}

/* As the worker does with what may have been too much at once; never without a connection, which the next slice would need. */
static bool gives_back(const struct worker *w, size_t records, const struct gc_err *err)
{
	return w->pipeline.pg && records > 1 && w->retries > 0 && gc_sqlstate_wants_less(err->code);
}

static enum gc_verdict attempt(void *worker, size_t from, size_t to, const struct gc_err *reject_reason, struct gc_err *err)
{
	struct worker *w = worker;
	enum gc_verdict verdict;

	if (is_refused(w, to - from)) {
		w->stats.refused++;
		return gc_fail(err, GC_REJECT, "22003", "merge", "refused, though no record is to blame");
	}
	verdict = gc_pipeline_try(&w->pipeline, from, to, reject_reason, err);
	while (verdict == GC_RETRY && !gives_back(w, to - from, err)) {
		w->err = *err;
		verdict = try_again(w);
		if (verdict == GC_OK)
			verdict = gc_pipeline_try(&w->pipeline, from, to, reject_reason, err);
	}
	if (verdict != GC_OK)
		return verdict;
	note_commit(w);
	return to < w->source.record_count && rng_once_in(&w->rng, 3) ? rebalance(w) : GC_OK;
}

static bool is_over(void *worker)
{
	const struct worker *w = worker;

	return atomic_load(&w->crew->failed);
}

static enum gc_verdict apply_whole(struct worker *w)
{
	const struct gc_retry_policy policy = { attempt, is_over, w };
	enum gc_verdict verdict;

	do
		verdict = gc_pipeline_run(&w->pipeline, &policy, &w->err);
	while (verdict == GC_OK && gc_pipeline_is_void(&w->pipeline));
	w->step = GATHER;
	return w->verdict != GC_OK ? w->verdict : verdict;
}

static enum gc_verdict inject_fault(struct worker *w)
{
	size_t track;

	if (rng_once_in(&w->rng, 12))
		return worker_forget_caches(w);
	if (rng_once_in(&w->rng, 12) && (track = worker_find_foreign_track(w)) != SIZE_MAX)
		return worker_take_track(w, track);
	if (rng_once_in(&w->rng, 150)) {
		w->stats.cut++;
		return worker_disturb(w, "pg_terminate_backend");
	}
	/* in one thread nobody is in the middle of anything */
	if (w->crew->options->concurrent && rng_once_in(&w->rng, 10)) {
		w->stats.cancelled++;
		return worker_disturb(w, "pg_cancel_backend");
	}
	return GC_OK;
}

/* Nothing to do: take over from others, so that a seed ends when the work does. */
static enum gc_verdict look_for_work(struct worker *w)
{
	size_t track = rng_once_in(&w->rng, 8) ? worker_find_foreign_track(w) : SIZE_MAX;

	if (track != SIZE_MAX)
		return worker_take_track(w, track);
	if (w->crew->options->concurrent)
		usleep(1000);
	return GC_OK;
}

/* Tracks that were given to others are let go, as after a rebalance; whoever does not look is told by the fence. */
static void notice_moves(struct worker *w)
{
	for (size_t t = 0; t < w->crew->plan->count; t++) {
		if (w->holdings[t].held && atomic_load(&w->crew->owners[t]) != w->index)
			worker_hold(w, t, false);
	}
}

static enum gc_verdict begin_batch(struct worker *w)
{
	enum gc_verdict verdict = w->crew->options->faults ? inject_fault(w) : GC_OK;

	if (verdict != GC_OK)
		return verdict;
	if (rng_once_in(&w->rng, 2))
		notice_moves(w);
	gather(w);
	if (w->source.record_count == 0)
		return look_for_work(w);
	if (w->crew->options->concurrent && rng_once_in(&w->rng, 2))
		return apply_whole(w);
	fill(w);
	return GC_OK;
}

static enum gc_verdict go_on(struct worker *w)
{
	enum gc_verdict verdict;

	switch (w->step) {
	case RESOLVE:
		verdict = gc_pipeline_resolve(&w->pipeline, &w->err);
		if (verdict == GC_OK)
			w->step = APPLY;
		return verdict;
	case APPLY:
		verdict = gc_pipeline_apply(&w->pipeline, &w->err);
		if (verdict == GC_OK)
			note_commit(w);
		return verdict;
	default:
		return begin_batch(w);
	}
}

static enum gc_verdict take_step(struct worker *w)
{
	enum gc_verdict verdict = go_on(w);

	while (verdict == GC_RETRY || verdict == GC_FENCED) {
		enum gc_verdict again = recover(w, verdict);

		if (again == verdict && w->retries > RETRIES_MAX)
			break;
		verdict = again;
	}
	return verdict;
}

/* ---- the crew ---- */

static void make_assignments(struct worker *w)
{
	const struct plan *plan = w->crew->plan;

	w->source.assignment_count = plan->count;
	w->source.assignments = gc_calloc(plan->count, sizeof(*w->source.assignments));
	for (size_t t = 0; t < plan->count; t++) {
		const struct track *track = &plan->tracks[t];
		char topic[256];

		snprintf(topic, sizeof(topic), "%.*s", (int)track->topic.len, track->topic.ptr);
		w->source.assignments[t] = (struct gc_assignment){ .position = gc_position_get(w->positions, topic,
											       track->partition),
								   .stream = track->stream,
								   .unit = track->unit,
								   .partition = track->partition };
	}
}

static void init_worker(struct crew *crew, size_t index)
{
	struct worker *w = &crew->workers[index];

	w->crew = crew;
	w->index = index;
	w->rng.state = crew->options->seed * WORKERS_MAX + index;
	w->source.calls = &worker_source_calls;
	w->positions = gc_positions_new();
	make_assignments(w);
	w->source.records = gc_calloc(crew->options->batch_max, sizeof(*w->source.records));
	w->holdings = gc_calloc(crew->plan->count, sizeof(*w->holdings));
	gc_counters_init(&w->counters);
	gc_pipeline_init(&w->pipeline, crew->config, &w->source, &w->counters, crew->options->cache_limit);
}

static void free_worker(struct worker *w)
{
	gc_pipeline_done(&w->pipeline);
	gc_counters_done(&w->counters);
	gc_positions_free(w->positions);
	free(w->source.assignments);
	free(w->source.records);
	free(w->holdings);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (w->verdict == GC_OK && !atomic_load(&w->crew->failed) && !crew_is_finished(w->crew))
		w->verdict = take_step(w);
	if (w->verdict != GC_OK)
		atomic_store(&w->crew->failed, true);
	return NULL;
}

static void work_at_once(struct crew *crew)
{
	pthread_t threads[WORKERS_MAX];

	for (size_t i = 0; i < crew->options->workers; i++)
		pthread_create(&threads[i], NULL, work, &crew->workers[i]);
	for (size_t i = 0; i < crew->options->workers; i++)
		pthread_join(threads[i], NULL);
}

static void work_in_turn(struct crew *crew, struct rng *rng)
{
	while (!atomic_load(&crew->failed) && !crew_is_finished(crew)) {
		struct worker *w = &crew->workers[rng_below(rng, crew->options->workers)];

		w->verdict = take_step(w);
		if (w->verdict != GC_OK)
			atomic_store(&crew->failed, true);
	}
}

static enum gc_verdict start_work(struct crew *crew, struct rng *rng)
{
	enum gc_verdict verdict = GC_OK;

	for (size_t t = 0; t < crew->plan->count; t++) {
		atomic_init(&crew->owners[t], rng_below(rng, crew->options->workers));
		atomic_init(&crew->committed[t], -1);
	}
	for (size_t i = 0; i < crew->options->workers && verdict == GC_OK; i++)
		verdict = crew->workers[i].verdict = worker_connect(&crew->workers[i]);
	return verdict;
}

void stats_add(struct stats *sum, const struct stats *stats)
{
	sum->messages += stats->messages;
	sum->batches += stats->batches;
	sum->retries += stats->retries;
	sum->deadlocks += stats->deadlocks;
	sum->fenced += stats->fenced;
	sum->reconnects += stats->reconnects;
	sum->forgotten += stats->forgotten;
	sum->moved += stats->moved;
	sum->cut += stats->cut;
	sum->cancelled += stats->cancelled;
	sum->refused += stats->refused;
	sum->rebalanced += stats->rebalanced;
}

enum gc_verdict crew_run(const struct gc_config *config, const struct plan *plan, const struct crew_options *options,
			 struct stats *stats, struct gc_err *err)
{
	struct crew crew = { .config = config, .plan = plan, .options = options };
	struct rng rng = { .state = ~options->seed };
	enum gc_verdict verdict = GC_OK;

	crew.owners = gc_calloc(plan->count, sizeof(*crew.owners));
	crew.committed = gc_calloc(plan->count, sizeof(*crew.committed));
	for (size_t i = 0; i < options->workers; i++)
		init_worker(&crew, i);
	if (start_work(&crew, &rng) == GC_OK) {
		if (options->concurrent)
			work_at_once(&crew);
		else
			work_in_turn(&crew, &rng);
	}
	for (size_t i = 0; i < options->workers; i++) {
		if (verdict == GC_OK && crew.workers[i].verdict != GC_OK) {
			verdict = crew.workers[i].verdict;
			*err = crew.workers[i].err;
		}
		stats_add(stats, &crew.workers[i].stats);
		free_worker(&crew.workers[i]);
	}
	free(crew.owners);
	free(crew.committed);
	return verdict;
}
