/* The pool: threads that answer requests, each with a database connection of its own, from one queue.
 * Threads: the queue is shared under its lock; all else belongs to one thread.
 */
#include "http/server/server.h"

#include <stdio.h>

/* More would wait longer than a client does. One token may have half of the queue and half of the connections, so that many or slow
 * requests of one client delay that client alone. */
#define QUEUE_MAX 256
#define SHARE_OF_TOKEN 2

/* Every result is small: parallel workers and JIT cost tens to hundreds of milliseconds more than they save, and with many clients at once
 * there is no idle core. */
const char gc_reading_session[] =
	"SET default_transaction_isolation = 'repeatable read'; SET default_transaction_read_only = on; SET jit = off;"
	" SET max_parallel_workers_per_gather = 0";

/* Request collapsing needs a cool-down. Clients that shared a result ask again one after the other, as soon as each has it. If the first of
 * them were served at once, all others would wait for that query and for the next one: twice as long. So the same query is not run again
 * until the result has been sent to all, and then for as long as the last client may need to read it and to ask: a quarter of what query
 * and sending took. A slow reader delays nobody for longer than the limit. */
#define COOLDOWN_PART 4
#define COOLDOWN_MAX_US (20 * 1000)

struct cooldown {
	uint64_t query_key, cohort;
	int sending;                  /* how many have not got all of it */
	int64_t started_us, until_us; /* monotonic: begin of the query; end of the cool-down */
};

struct gc_pool {
	struct gc_serve *serve;
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	struct gc_request *first, **end;
	size_t queued;
	struct gc_request **in_flight; /* by thread: the requests whose query it runs, or NULL */
	struct cooldown *cooldowns;    /* by thread: of its last query that several requests shared */
	uint64_t cohorts;              /* of queries that several requests shared */
	bool stopping;
	pthread_t *threads;
	int64_t thread_count, started;
};

static size_t queued_of(const struct gc_pool *pool, uint64_t asker)
{
	size_t count = 0;

	for (const struct gc_request *request = pool->first; request; request = request->next)
		count += request->asker == asker;
	return count;
}

static enum gc_put find_room(const struct gc_pool *pool, const struct gc_request *request)
{
	if (pool->queued >= QUEUE_MAX || pool->stopping)
		return GC_PUT_FULL;
	return queued_of(pool, request->asker) >= QUEUE_MAX / SHARE_OF_TOKEN ? GC_PUT_TOO_MANY : GC_PUT_DONE;
}

enum gc_put gc_pool_put(struct gc_pool *pool, struct gc_request *request)
{
	enum gc_put put;

	pthread_mutex_lock(&pool->lock);
	put = find_room(pool, request);
	if (put == GC_PUT_DONE) {
		request->next = NULL;
		*pool->end = request;
		pool->end = &request->next;
		pool->queued++;
		pthread_cond_signal(&pool->wanted);
	}
	pthread_mutex_unlock(&pool->lock);
	return put;
}

/* Moves the requests for the same query from the queue behind `first`. */
static void collect_identical(struct gc_pool *pool, struct gc_request *first)
{
	struct gc_request *last = first, *request;

	for (struct gc_request **place = &pool->first; (request = *place);) {
		if (!gc_request_is_same(first, request)) {
			place = &request->next;
			continue;
		}
		*place = request->next;
		last->next = request;
		last = request;
		pool->queued--;
	}
	last->next = NULL;
}

static void find_end(struct gc_pool *pool)
{
	pool->end = &pool->first;
	while (*pool->end)
		pool->end = &(*pool->end)->next;
}

static bool is_in_flight(const struct gc_pool *pool, const struct gc_request *request)
{
	for (int64_t i = 0; i < pool->thread_count; i++) {
		if (pool->in_flight[i] && gc_request_is_same(pool->in_flight[i], request))
			return true;
	}
	return false;
}

/* Does its token use all the connections that it may? */
static bool has_its_share(const struct gc_pool *pool, const struct gc_request *request)
{
	int64_t most = pool->thread_count / SHARE_OF_TOKEN, busy = 0;

	for (int64_t i = 0; i < pool->thread_count; i++)
		busy += pool->in_flight[i] && pool->in_flight[i]->asker == request->asker;
	return busy >= (most > 0 ? most : 1);
}

/* Until when its query cools down; 0: it does not. */
static int64_t cooldown_until(const struct gc_pool *pool, const struct gc_request *request)
{
	uint64_t query_key = gc_request_hash(request);
	int64_t now = gc_monotonic_us();

	for (int64_t i = 0; i < pool->thread_count && !pool->stopping; i++) {
		if (pool->cooldowns[i].until_us > now && pool->cooldowns[i].query_key == query_key)
			return pool->cooldowns[i].until_us;
	}
	return 0;
}

/* The first request whose query is neither in flight nor cooling down, of a token below its share of the connections; NULL with the end of
 * the next cool-down, or 0. */
static struct gc_request *take_first(struct gc_pool *pool, int64_t *ret_ready_us)
{
	struct gc_request **place = &pool->first, *request;
	int64_t until_us;

	*ret_ready_us = 0;
	for (; *place; place = &(*place)->next) {
		if (is_in_flight(pool, *place) || has_its_share(pool, *place))
			continue;
		until_us = cooldown_until(pool, *place);
		if (until_us == 0)
			break;
		if (*ret_ready_us == 0 || until_us < *ret_ready_us)
			*ret_ready_us = until_us;
	}
	request = *place;
	if (request) {
		*place = request->next;
		pool->queued--;
	}
	return request;
}

static void note_waits(struct gc_pool *pool, const struct gc_request *first)
{
	int64_t now = gc_monotonic_us();

	for (const struct gc_request *request = first; request; request = request->next)
		gc_count_wait(pool->serve, now - request->started_us);
}

/* A request with all waiting ones for the same query (request collapsing): pages ask together after each commit, and one query, which
 * begins after the last of them came, serves all. A request that comes while its query is in flight waits for the next run, so a slow query
 * never takes more than one thread. NULL when the pool stops and nothing waits. */
static struct gc_request *take(struct gc_pool *pool, int64_t thread)
{
	struct gc_request *request;
	int64_t ready_us;

	pthread_mutex_lock(&pool->lock);
	while (!(request = take_first(pool, &ready_us)) && !(pool->stopping && !pool->first))
		gc_cond_wait_until(&pool->wanted, &pool->lock, ready_us);
	if (request) {
		collect_identical(pool, request);
		find_end(pool);
		note_waits(pool, request);
	}
	pool->in_flight[thread] = request;
	pthread_mutex_unlock(&pool->lock);
	return request;
}

static void begin_cooldown(struct gc_pool *pool, int64_t thread, int64_t started_us)
{
	struct cooldown *cooldown = &pool->cooldowns[thread];

	*cooldown = (struct cooldown){ .query_key = gc_request_hash(pool->in_flight[thread]),
				       .cohort = ++pool->cohorts,
				       .started_us = started_us,
				       .until_us = gc_monotonic_us() + COOLDOWN_MAX_US };
	for (struct gc_request *request = pool->in_flight[thread]; request; request = request->next) {
		request->cohort = cooldown->cohort;
		cooldown->sending++;
	}
}

/* Before its requests are given back, after which they may be gone. */
static void end_query(struct gc_pool *pool, int64_t thread, int64_t started_us)
{
	pthread_mutex_lock(&pool->lock);
	if (pool->in_flight[thread]->next)
		begin_cooldown(pool, thread, started_us);
	pool->in_flight[thread] = NULL;
	pthread_cond_broadcast(&pool->wanted);
	pthread_mutex_unlock(&pool->lock);
}

void gc_pool_sent(struct gc_pool *pool, const struct gc_request *request)
{
	int64_t now = gc_monotonic_us(), until_us;

	if (request->cohort == 0)
		return;
	pthread_mutex_lock(&pool->lock);
	for (int64_t i = 0; i < pool->thread_count; i++) {
		struct cooldown *cooldown = &pool->cooldowns[i];

		if (cooldown->cohort != request->cohort || --cooldown->sending > 0)
			continue;
		until_us = now + (now - cooldown->started_us) / COOLDOWN_PART;
		cooldown->until_us = until_us < cooldown->until_us ? until_us : cooldown->until_us;
		pthread_cond_broadcast(&pool->wanted);
	}
	pthread_mutex_unlock(&pool->lock);
}

struct gc_pool_facts gc_pool_facts(struct gc_pool *pool)
{
	struct gc_pool_facts facts = { .busy = 0 };

	pthread_mutex_lock(&pool->lock);
	facts.queued = (int64_t)pool->queued;
	for (int64_t i = 0; i < pool->thread_count; i++)
		facts.busy += pool->in_flight[i] != NULL;
	pthread_mutex_unlock(&pool->lock);
	return facts;
}

/* A client that waited so long has most likely gone. */
static bool waited_too_long(const struct gc_request *request)
{
	return gc_monotonic_us() - request->started_us > request->serve->config.postgres_statement_timeout_us + GC_SECOND_US;
}

/* After the connection is resumed the request belongs to the HTTP thread again. */
static void give_back(struct gc_request *request)
{
	struct gc_serve *serve = request->serve;

	atomic_store(&request->state, GC_REQUEST_ANSWERED);
	MHD_resume_connection(request->connection);
	atomic_fetch_sub(&serve->suspended, 1);
}

static void give_back_all(struct gc_request *first)
{
	for (struct gc_request *request = first, *next; request; request = next) {
		next = request->next;
		give_back(request);
	}
}

static void refuse_expired(const struct gc_pool *pool, struct gc_request *first)
{
	for (struct gc_request *request = first; request; request = request->next) {
		if (atomic_load(&pool->serve->stopping) || waited_too_long(request))
			gc_request_fail(request, 503, "The server has too much to do, or is about to stop.");
	}
}

static void *run_pool(void *argument)
{
	struct gc_pool *pool = argument;
	struct gc_database db;
	struct gc_request *request;
	int64_t thread, started_us;

	pthread_mutex_lock(&pool->lock);
	thread = pool->started++;
	pthread_mutex_unlock(&pool->lock);

	gc_database_init(&db, pool->serve, "gracecube serve", gc_reading_session);
	while ((request = take(pool, thread))) {
		started_us = gc_monotonic_us();
		refuse_expired(pool, request);
		gc_answer_requests(request, &db);
		end_query(pool, thread, started_us);
		give_back_all(request);
	}
	gc_database_close(&db);
	return NULL;
}

struct gc_pool *gc_pool_start(struct gc_serve *serve)
{
	struct gc_pool *pool = gc_calloc(1, sizeof(*pool));

	pool->serve = serve;
	pool->end = &pool->first;
	pool->thread_count = serve->config.serve_connections;
	pool->threads = gc_calloc((size_t)pool->thread_count, sizeof(*pool->threads));
	pool->in_flight = gc_calloc((size_t)pool->thread_count, sizeof(struct gc_request *));
	pool->cooldowns = gc_calloc((size_t)pool->thread_count, sizeof(*pool->cooldowns));
	pthread_mutex_init(&pool->lock, NULL);
	gc_cond_init(&pool->wanted);
	for (int64_t i = 0; i < pool->thread_count; i++)
		gc_thread_create(&pool->threads[i], run_pool, pool);
	return pool;
}

void gc_pool_stop(struct gc_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->wanted);
	pthread_mutex_unlock(&pool->lock);
	for (int64_t i = 0; i < pool->thread_count; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->wanted);
	pthread_mutex_destroy(&pool->lock);
	free(pool->threads);
	free(pool->in_flight);
	free(pool->cooldowns);
	free(pool);
}
