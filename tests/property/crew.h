/* Inside of the crew: a worker, what it holds, and how it gets and loses that (holdings.c). The crew itself is crew.c. */
#ifndef GRACECUBE_TESTS_CREW_H
#define GRACECUBE_TESTS_CREW_H

#include "property.h"
#include "worker/pipeline.h"

#include <stdatomic.h>

#define WORKERS_MAX 8
#define RETRIES_MAX 200 /* of one batch; more is no bad luck */

enum step { GATHER, RESOLVE, APPLY };

struct crew;

struct worker {
	struct gc_source source; /* first: its calls find the worker around it; a part of it is a track, held or not */
	struct crew *crew;
	size_t index;
	struct rng rng;
	struct gc_positions *positions;
	struct gc_worker_counters counters;
	struct gc_pipeline pipeline;
	enum step step;
	struct holding { /* of each track, as this worker knows it */
		bool held;
		size_t next_index; /* of the next message to be gathered */
	} *holdings;
	int retries;
	struct stats stats;
	enum gc_verdict verdict;
	struct gc_err err;
};

struct crew {
	const struct gc_config *config;
	const struct plan *plan;
	const struct crew_options *options;
	_Atomic size_t *owners;     /* of each track: who should hold it */
	_Atomic int64_t *committed; /* of each track: the position, as far as anybody knows */
	_Atomic bool failed;
	struct worker workers[WORKERS_MAX];
};

/* holdings.c */
size_t track_index_of(const struct track *track, int64_t offset);
extern const struct gc_source_calls worker_source_calls;
bool crew_is_finished(const struct crew *crew);
void worker_note_position(struct worker *w, size_t track);
void worker_hold(struct worker *w, size_t track, bool held);
enum gc_verdict worker_claim_own(struct worker *w);
enum gc_verdict worker_take_track(struct worker *w, size_t track);
size_t worker_find_foreign_track(struct worker *w);
enum gc_verdict worker_connect(struct worker *w);
enum gc_verdict worker_forget_caches(struct worker *w);
enum gc_verdict worker_disturb(struct worker *w, const char *how);

#endif
