/* What a worker of the crew holds: its tracks, by claims in the cube, and its connection, which is cut now and then. See crew.h.
 *
 * Threads: a worker is used by one at a time; what they share is atomic.
 */
#include "crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool crew_is_finished(const struct crew *crew)
{
	for (size_t t = 0; t < crew->plan->count; t++) {
		if (atomic_load(&crew->committed[t]) < crew->plan->tracks[t].end_offset)
			return false;
	}
	return true;
}

void worker_note_position(struct worker *w, size_t track)
{
	int64_t offset = w->source.assignments[track].next_offset, known = atomic_load(&w->crew->committed[track]);

	while (known < offset && !atomic_compare_exchange_weak(&w->crew->committed[track], &known, offset))
		;
}

/* What is fetched of a track that is somebody else's is not applied. */
void worker_hold(struct worker *w, size_t track, bool held)
{
	w->holdings[track].held = held;
	w->source.assignments[track].is_refused = !held;
}

/* ---- the source ---- */

/* Nothing in a plan is a reason for it: whatever the database refused is a fault of ours. */
static void halt_assignment(struct gc_source *source, struct gc_assignment *assignment, const struct gc_err *why)
{
	struct worker *w = (struct worker *)source;

	(void)assignment;
	w->err = *why;
	w->verdict = GC_FATAL;
}

static void assignment_recovered(struct gc_source *source, struct gc_assignment *assignment)
{
	(void)source;
	(void)assignment;
}

const struct gc_source_calls worker_source_calls = { NULL, halt_assignment, assignment_recovered };

/* ---- claims ---- */

size_t track_index_of(const struct track *track, int64_t offset)
{
	size_t low = 0, high = track->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (track->messages[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Claims the tracks that are this worker's to hold; forgets the others. */
static enum gc_verdict claim(struct worker *w, const bool *wanted)
{
	const struct plan *plan = w->crew->plan;
	struct gc_claim *claims = gc_calloc(plan->count, sizeof(*claims));
	size_t *tracks = gc_calloc(plan->count, sizeof(*tracks)), count = 0;
	char owner[64];
	enum gc_verdict verdict = GC_OK;

	for (size_t t = 0; t < plan->count; t++) {
		const struct track *track = &plan->tracks[t];

		if (!wanted[t])
			continue;
		tracks[count] = t;
		claims[count++] = (struct gc_claim){ .stream = track->stream->name,
						     .topic = track->topic,
						     .partition = track->partition,
						     .low_offset = track->low_offset };
	}
	snprintf(owner, sizeof(owner), "property:%zu", w->index);
	if (count > 0)
		verdict = gc_pg_claim(w->pipeline.pg, "property", owner, claims, count, &w->err);
	for (size_t i = 0; i < count && verdict == GC_OK; i++) {
		struct gc_assignment *assignment = &w->source.assignments[tracks[i]];

		assignment->offset_id = claims[i].offset_id;
		assignment->owner_epoch = claims[i].owner_epoch;
		assignment->next_offset = claims[i].next_offset;
		assignment->order = claims[i].order;
		worker_hold(w, tracks[i], true);
		w->holdings[tracks[i]].next_index = track_index_of(&plan->tracks[tracks[i]], claims[i].next_offset);
		worker_note_position(w, tracks[i]);
	}
	free(claims);
	free(tracks);
	return verdict;
}

/* After a fence or a new connection: everything that is this worker's is claimed again. */
enum gc_verdict worker_claim_own(struct worker *w)
{
	size_t count = w->crew->plan->count;
	bool *wanted = gc_calloc(count, sizeof(*wanted));
	enum gc_verdict verdict;

	for (size_t t = 0; t < count; t++) {
		wanted[t] = atomic_load(&w->crew->owners[t]) == w->index;
		worker_hold(w, t, false);
	}
	verdict = claim(w, wanted);
	free(wanted);
	return verdict;
}

enum gc_verdict worker_take_track(struct worker *w, size_t track)
{
	bool *wanted = gc_calloc(w->crew->plan->count, sizeof(*wanted));
	enum gc_verdict verdict;

	atomic_store(&w->crew->owners[track], w->index);
	wanted[track] = true;
	verdict = claim(w, wanted);
	free(wanted);
	w->stats.moved++;
	return verdict;
}

/* A track of somebody else that has not been read to its end, SIZE_MAX when there is none. */
size_t worker_find_foreign_track(struct worker *w)
{
	const struct plan *plan = w->crew->plan;
	size_t from = rng_below(&w->rng, plan->count);

	for (size_t i = 0; i < plan->count; i++) {
		size_t t = (from + i) % plan->count;

		if (atomic_load(&w->crew->owners[t]) != w->index &&
		    atomic_load(&w->crew->committed[t]) < plan->tracks[t].end_offset)
			return t;
	}
	return SIZE_MAX;
}

/* ---- the connection ---- */

enum gc_verdict worker_connect(struct worker *w)
{
	char role[64];
	enum gc_verdict verdict;

	gc_pg_close(w->pipeline.pg);
	w->pipeline.pg = NULL;
	gc_dimension_cache_clear(&w->pipeline.cache);
	snprintf(role, sizeof(role), "gracecube property %zu", w->index);
	verdict = gc_pg_open_writer(w->crew->config, role, &w->pipeline.cache, &w->pipeline.pg, &w->err);
	return verdict == GC_OK ? worker_claim_own(w) : verdict;
}

static void declare(void *cache, const char *const *values, int columns)
{
	(void)columns;
	gc_dimension_cache_declare_component(cache, gc_span_of(values[0]));
}

/* As a new connection leaves the caches, without the cost of one. */
enum gc_verdict worker_forget_caches(struct worker *w)
{
	enum gc_verdict verdict;

	w->stats.forgotten++;
	gc_dimension_cache_clear(&w->pipeline.cache);
	verdict = gc_pg_query(w->pipeline.pg,
			      "SELECT component_name FROM cube.dim_component WHERE NOT is_inferred AND component_key > 0", NULL, 0,
			      declare, &w->pipeline.cache, &w->err);
	if (verdict != GC_OK) { /* cancelled: gc_pg_open_writer() leaves no half-opened connection either */
		gc_pg_close(w->pipeline.pg);
		w->pipeline.pg = NULL;
	}
	return verdict;
}

/* `how` is pg_terminate_backend, or pg_cancel_backend, after which the worker goes on with the same connection and caches. */
enum gc_verdict worker_disturb(struct worker *w, const char *how)
{
	char sql[300];

	snprintf(sql, sizeof(sql),
		 "SELECT %s(pid) FROM (SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
		 " AND application_name LIKE 'gracecube property %%' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1) p",
		 how);
	return gc_pg_query(w->pipeline.pg, sql, NULL, 0, NULL, NULL, &w->err);
}
