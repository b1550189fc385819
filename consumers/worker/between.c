/* Between batches: see between.h. Threads: a worker is one thread. */
#include "worker/between.h"

#include <gracecube/arena.h>
#include <gracecube/log.h>
#include <stdlib.h>

#define INTERVAL_US GC_SECOND_US
/* Keys of a slice: half a second of work. Halved while that is too much for the server. */
#define SLICE_KEYS 5000
#define SLICE_KEYS_MIN 50

static bool is_connected(const struct gc_worker *w)
{
	return w->pipeline.pg && !gc_pg_is_lost(w->pipeline.pg);
}

/* ---- links ---- */

/* Tried again in a second: until then nobody knows whether links wait. */
static void note_failed_slice(struct gc_worker *w, const struct gc_err *err)
{
	int64_t repeated;

	if (gc_sqlstate_wants_less(err->code) && w->slice_keys > SLICE_KEYS_MIN)
		w->slice_keys /= 2;
	w->pipeline.links_may_wait = true;
	if (gc_complain(&w->slices, gc_monotonic_us(), &repeated))
		gc_warn("links that wait could not be made; it is tried again", GC_ERR_FIELDS(err), GC_I("keys", w->slice_keys),
			GC_I("repeated", repeated));
}

static void link_slice(struct gc_worker *w)
{
	int64_t linked = 0;
	struct gc_err err;

	if (w->slice_keys == 0)
		w->slice_keys = SLICE_KEYS;
	w->pipeline.links_wait = w->pipeline.links_may_wait = false;
	if (gc_pg_link_slice(w->pipeline.pg, w->slice_keys, &linked, &err) != GC_OK) {
		note_failed_slice(w, &err);
		return;
	}
	w->pipeline.links_wait = linked > 0;
	if (linked == 0)
		w->slice_keys = SLICE_KEYS;
	if (gc_complaint_over(&w->slices))
		gc_info("links that wait are made again");
}

/* ---- halts ---- */

struct halts {
	const struct gc_worker *worker;
	bool all;
	struct gc_arena arena;
	struct gc_halt *list;
	size_t count;
};

/* A topic of which no partition is known is every worker's: the first tells of it. */
static bool is_ours(const struct gc_worker *w, const struct gc_position *position)
{
	return position->partition == GC_WHOLE_TOPIC ? w->index == 1 : atomic_load(&position->holder) == w->index;
}

static void note_halt(void *arg, const struct gc_position *position)
{
	struct halts *halts = arg;
	int64_t since_us = gc_position_halted_us(position);
	const char *code = since_us ? position->halt.code : "", *why = since_us ? position->halt.text : "";

	if (!is_ours(halts->worker, position) || (!halts->all && since_us == atomic_load(&position->told_us)))
		return;
	halts->list = gc_realloc(halts->list, (halts->count + 1) * sizeof(*halts->list));
	halts->list[halts->count++] = (struct gc_halt){ gc_span_of(position->topic), position->partition, since_us,
							gc_arena_dup(&halts->arena, gc_span_of(code)),
							gc_arena_dup(&halts->arena, gc_span_of(why)) };
}

static void note_told(struct gc_worker *w, const struct gc_halt *halt)
{
	atomic_store(&gc_position_get(w->positions, halt->topic.ptr, halt->partition)->told_us, halt->since_us);
}

/* What a cube knows that is connected to anew is not known: it may be another one, by a rebuild or a failover. */
void gc_tell_halts(struct gc_worker *w)
{
	int64_t connection = gc_counter_get(&w->counters.reconnects);
	struct halts halts = { .worker = w, .all = w->told_on != connection };
	struct gc_err err = { .verdict = GC_OK };

	if (!is_connected(w))
		return;
	gc_arena_init(&halts.arena);
	gc_positions_each(w->positions, note_halt, &halts);
	if (halts.count > 0 && gc_pg_tell_halts(w->pipeline.pg, w->config->kafka_group_id, w->consumer->owner, halts.list,
						halts.count, &err) != GC_OK) {
		gc_debug("what stands still was not told", GC_ERR_FIELDS(&err));
	} else {
		for (size_t i = 0; i < halts.count; i++)
			note_told(w, &halts.list[i]);
		w->told_on = connection;
	}
	free(halts.list);
	gc_arena_done(&halts.arena);
}

/* ---- both ---- */

void gc_between_batches(struct gc_worker *w)
{
	int64_t now = gc_monotonic_us();
	bool is_due = now - w->between_us >= INTERVAL_US;
	bool has_failed = w->slices.interval_us > 0;
	bool is_at_end = w->pipeline.links_may_wait && !has_failed && gc_consumer_is_at_end(w->consumer);

	if (!is_connected(w)) /* nobody waits for what cannot be done; on the next connection it is looked for again */
		w->pipeline.links_wait = w->pipeline.links_may_wait = false;
	else if (is_due || w->pipeline.links_wait || is_at_end)
		link_slice(w);
	if (!is_due)
		return;
	w->between_us = now;
	gc_tell_halts(w);
}
