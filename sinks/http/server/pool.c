/* The pool: threads that answer requests, each with a database connection of its own, from one queue.
 * Threads: the queue is shared under its lock; all else belongs to one thread.
 */
#include "http/server/server.h"

#include <stdio.h>
#include <time.h>

/* More would wait longer than anybody wants to. Of both, the queue and the connections, one token may have a half: whoever asks much, and
 * slow questions, holds up himself. */
#define QUEUE_MAX 256
#define SHARE_OF_TOKEN 2

/* Every answer is small: to start helpers or to compile takes longer than it saves, by tens and hundreds of milliseconds, and with
 * many clients at once there is no idle core. */
static const char session[] =
	"SET default_transaction_isolation = 'repeatable read'; SET default_transaction_read_only = on; SET jit = off;"
	" SET max_parallel_workers_per_gather = 0";

/* Those who had the same answer ask again, one after the other, as soon as each has it. If the first of them were answered at once, all
 * others would wait for that look and for the next one: twice as long. So the question rests until the answer has been sent to all, and
 * then for as long as the last of them may need to read it and to ask: a quarter of what look and sending took. Who reads slowly holds
 * nobody up for longer than the limit. */
#define REST_PART 4
#define REST_MAX_US (20 * 1000)

struct rest {
	uint64_t question, round;
	int sending;                  /* how many have not got all of it */
	int64_t started_us, until_us; /* monotonic: the look; the rest's end */
};

struct gc_pool {
	struct gc_serve *serve;
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	struct gc_request *first, **end;
	size_t queued;
	struct gc_request **answering; /* by thread: the question that it is at, or NULL */
	struct rest *rests;            /* by thread: of the last question that several had asked */
	uint64_t rounds;               /* of questions that several had asked */
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

/* Takes from the queue what asks the same as `first`, behind it. */
static void take_same(struct gc_pool *pool, struct gc_request *first)
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

static bool is_being_answered(const struct gc_pool *pool, const struct gc_request *request)
{
	for (int64_t i = 0; i < pool->thread_count; i++) {
		if (pool->answering[i] && gc_request_is_same(pool->answering[i], request))
			return true;
	}
	return false;
}

/* Has its token all the connections that it may have? */
static bool has_its_share(const struct gc_pool *pool, const struct gc_request *request)
{
	int64_t most = pool->thread_count / SHARE_OF_TOKEN, busy = 0;

	for (int64_t i = 0; i < pool->thread_count; i++)
		busy += pool->answering[i] && pool->answering[i]->asker == request->asker;
	return busy >= (most > 0 ? most : 1);
}

/* Until when; 0 when it does not rest. */
static int64_t rests_until(const struct gc_pool *pool, const struct gc_request *request)
{
	uint64_t question = gc_request_hash(request);
	int64_t now = gc_monotonic_us();

	for (int64_t i = 0; i < pool->thread_count && !pool->stopping; i++) {
		if (pool->rests[i].until_us > now && pool->rests[i].question == question)
			return pool->rests[i].until_us;
	}
	return 0;
}

/* The first whose question nobody is at and that does not rest, of a token that has not its share of the connections; NULL with the time at which the next one has rested, or 0. */
static struct gc_request *take_first(struct gc_pool *pool, int64_t *ret_rested_us)
{
	struct gc_request **place = &pool->first, *request;
	int64_t until_us;

	*ret_rested_us = 0;
	for (; *place; place = &(*place)->next) {
		if (is_being_answered(pool, *place) || has_its_share(pool, *place))
			continue;
		until_us = rests_until(pool, *place);
		if (until_us == 0)
			break;
		if (*ret_rested_us == 0 || until_us < *ret_rested_us)
			*ret_rested_us = until_us;
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

static void wait_for_request(struct gc_pool *pool, int64_t until_us)
{
	struct timespec until = { .tv_sec = until_us / GC_SECOND_US, .tv_nsec = until_us % GC_SECOND_US * 1000 };

	if (until_us == 0)
		pthread_cond_wait(&pool->wanted, &pool->lock);
	else
		pthread_cond_clockwait(&pool->wanted, &pool->lock, CLOCK_MONOTONIC, &until);
}

/* A request with all that wait with the same question: pages ask together after each commit, and one look at the database, which begins
 * after the last of them came, is the answer to all. Whoever comes while it is under way waits for the next look, so a slow question
 * never has more than one thread. NULL when the pool stops and nobody waits. */
static struct gc_request *take(struct gc_pool *pool, int64_t thread)
{
	struct gc_request *request;
	int64_t rested_us;

	pthread_mutex_lock(&pool->lock);
	while (!(request = take_first(pool, &rested_us)) && !(pool->stopping && !pool->first))
		wait_for_request(pool, rested_us);
	if (request) {
		take_same(pool, request);
		find_end(pool);
		note_waits(pool, request);
	}
	pool->answering[thread] = request;
	pthread_mutex_unlock(&pool->lock);
	return request;
}

static void begin_rest(struct gc_pool *pool, int64_t thread, int64_t started_us)
{
	struct rest *rest = &pool->rests[thread];

	*rest = (struct rest){ .question = gc_request_hash(pool->answering[thread]),
			       .round = ++pool->rounds,
			       .started_us = started_us,
			       .until_us = gc_monotonic_us() + REST_MAX_US };
	for (struct gc_request *request = pool->answering[thread]; request; request = request->next) {
		request->round = rest->round;
		rest->sending++;
	}
}

/* Before its requests are given back, after which they may be gone. */
static void end_question(struct gc_pool *pool, int64_t thread, int64_t started_us)
{
	pthread_mutex_lock(&pool->lock);
	if (pool->answering[thread]->next)
		begin_rest(pool, thread, started_us);
	pool->answering[thread] = NULL;
	pthread_cond_broadcast(&pool->wanted);
	pthread_mutex_unlock(&pool->lock);
}

void gc_pool_sent(struct gc_pool *pool, const struct gc_request *request)
{
	int64_t now = gc_monotonic_us(), until_us;

	if (request->round == 0)
		return;
	pthread_mutex_lock(&pool->lock);
	for (int64_t i = 0; i < pool->thread_count; i++) {
		struct rest *rest = &pool->rests[i];

		if (rest->round != request->round || --rest->sending > 0)
			continue;
		until_us = now + (now - rest->started_us) / REST_PART;
		rest->until_us = until_us < rest->until_us ? until_us : rest->until_us;
		pthread_cond_broadcast(&pool->wanted);
	}
	pthread_mutex_unlock(&pool->lock);
}

struct gc_pool_facts gc_pool_look(struct gc_pool *pool)
{
	struct gc_pool_facts facts = { .busy = 0 };

	pthread_mutex_lock(&pool->lock);
	facts.queued = (int64_t)pool->queued;
	for (int64_t i = 0; i < pool->thread_count; i++)
		facts.busy += pool->answering[i] != NULL;
	pthread_mutex_unlock(&pool->lock);
	return facts;
}

/* Whoever waited so long has most likely gone. */
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

static void refuse_late(const struct gc_pool *pool, struct gc_request *first)
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

	gc_database_init(&db, pool->serve, "gracecube serve", session);
	while ((request = take(pool, thread))) {
		started_us = gc_monotonic_us();
		refuse_late(pool, request);
		gc_answer_requests(request, &db);
		end_question(pool, thread, started_us);
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
	pool->answering = gc_calloc((size_t)pool->thread_count, sizeof(struct gc_request *));
	pool->rests = gc_calloc((size_t)pool->thread_count, sizeof(*pool->rests));
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wanted, NULL);
	for (int64_t i = 0; i < pool->thread_count; i++) {
		if (pthread_create(&pool->threads[i], NULL, run_pool, pool) != 0)
			abort(); /* no threads left on the machine: nothing sensible can follow */
	}
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
	free(pool->answering);
	free(pool->rests);
	free(pool);
}
