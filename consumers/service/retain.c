/* Retention of a run: see retain.h. Threads: `stopping` is atomic and the condition behind the lock; the connection is the thread's. */
#include "service/retain.h"
#include "worker/run.h"

#include <gracecube/arena.h>
#include <gracecube/retention.h>
#include <gracecube/sink.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define LOOK_US GC_SECOND_US
/* A table that is in use now is tried again at the next interval. */
#define PATIENCE_US (10 * GC_SECOND_US)

struct gc_retainer {
	const struct gc_config *config;
	struct gc_run *run;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	_Atomic bool stopping;
};

/* False when it is time to end. */
static bool rest(struct gc_retainer *r, int64_t us)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	us += until.tv_nsec / 1000;
	until.tv_sec += us / GC_SECOND_US;
	until.tv_nsec = us % GC_SECOND_US * 1000;
	pthread_mutex_lock(&r->lock);
	while (!r->stopping && pthread_cond_timedwait(&r->changed, &r->lock, &until) == 0)
		;
	pthread_mutex_unlock(&r->lock);
	return !r->stopping;
}

static bool is_quiet(const struct gc_retainer *r)
{
	int64_t done, total;

	gc_run_progress(r->run, &done, &total);
	return done == total;
}

/* Never quiet is no reason to keep everything. */
static bool await_quiet(struct gc_retainer *r)
{
	int64_t until_us = gc_monotonic_us() + r->config->retention_interval_us;

	while (!is_quiet(r) && gc_monotonic_us() < until_us) {
		if (!rest(r, LOOK_US))
			return false;
	}
	return !r->stopping;
}

static bool is_stopped(void *arg)
{
	return ((struct gc_retainer *)arg)->stopping;
}

static void tell(void *arg, const struct gc_expiry *expiry)
{
	(void)arg;
	if (expiry->rows > 0 || strcmp(expiry->kind, "facts") == 0)
		gc_info("old data is gone", GC_S("kind", expiry->kind), GC_S("table", expiry->table), GC_I("rows", expiry->rows),
			GC_I("bytes", expiry->bytes), GC_S("complete", expiry->is_done ? "yes" : "no"));
}

static void retain(struct gc_retainer *r)
{
	struct gc_retention retention = { .patience_us = PATIENCE_US, .each = tell, .is_stopped = is_stopped, .arg = r };
	struct gc_err err;

	if (gc_pg_retain(r->config, &retention, &err) != GC_OK && retention.left == 0)
		gc_warn("old data is kept until the next time", GC_ERR_FIELDS(&err));
}

static void *keep_retaining(void *argument)
{
	struct gc_retainer *r = argument;

	while (rest(r, r->config->retention_interval_us) && await_quiet(r))
		retain(r);
	return NULL;
}

struct gc_retainer *gc_retain_start(const struct gc_config *config, struct gc_run *run)
{
	struct gc_retainer *r;
	pthread_condattr_t monotonic;

	if (!gc_retention_is_set(config))
		return NULL;
	r = gc_calloc(1, sizeof(*r));
	r->config = config;
	r->run = run;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&r->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&r->thread, NULL, keep_retaining, r) != 0)
		abort(); /* no threads left on the machine: nothing sensible can follow */
	return r;
}

void gc_retain_stop(struct gc_retainer *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
