/* Retention of a run: see retain.h. Threads: the connection is the thread's. */
#include "service/retain.h"
#include "worker/run.h"

#include <gracecube/arena.h>
#include <gracecube/retention.h>
#include <gracecube/sink.h>
#include <gracecube/thread.h>
#include <stdlib.h>

#define QUIET_CHECK_US GC_SECOND_US
/* A table that is in use now is tried again at the next interval. */
#define PATIENCE_US (10 * GC_SECOND_US)

struct gc_retainer {
	const struct gc_config *config;
	struct gc_run *run;
	struct gc_thread thread;
};

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
		if (!gc_thread_wait(&r->thread, QUIET_CHECK_US))
			return false;
	}
	return !gc_thread_is_stopping(&r->thread);
}

static bool is_stopped(void *arg)
{
	return gc_thread_is_stopping(&((struct gc_retainer *)arg)->thread);
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

	while (gc_thread_wait(&r->thread, r->config->retention_interval_us) && await_quiet(r))
		retain(r);
	return NULL;
}

struct gc_retainer *gc_retain_start(const struct gc_config *config, struct gc_run *run)
{
	struct gc_retainer *r;

	if (!gc_retention_is_set(config))
		return NULL;
	r = gc_calloc(1, sizeof(*r));
	r->config = config;
	r->run = run;
	gc_thread_start(&r->thread, keep_retaining, r);
	return r;
}

void gc_retain_stop(struct gc_retainer *r)
{
	if (!r)
		return;
	gc_thread_stop(&r->thread);
	free(r);
}
