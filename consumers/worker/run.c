/* A run: see run.h. */
#include "worker/run.h"
#include "kafka/client.h"
#include <gracecube/stop.h>

#include <gracecube/arena.h>
#include <gracecube/thread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Of run.shutdown_timeout, for leaving the group after the last batch. */
#define LEAVE_US (5 * GC_SECOND_US)

struct gc_run {
	const struct gc_config *config;
	struct gc_worker *workers;
	pthread_t *threads;
	_Atomic int *ended; /* one a worker */
	char **topics;      /* NULL-terminated */
	size_t topic_count;
	struct gc_place *places; /* when they are read apart: dealt out, each worker's side by side */
	int64_t started_us, started_cpu_us;
	struct gc_positions *positions;
};

/* ---- positions ---- */

int64_t gc_run_position(const struct gc_run *run, const char *topic, int32_t partition)
{
	struct gc_position *position = gc_position_find(run->positions, topic, partition);

	return position ? atomic_load(&position->next_offset) : 0;
}

static void add_left(void *arg, const struct gc_position *position)
{
	int64_t behind = atomic_load(&position->target) - atomic_load(&position->next_offset);

	*(int64_t *)arg += behind > 0 ? behind : 0;
}

void gc_run_progress(const struct gc_run *run, int64_t *ret_done, int64_t *ret_total)
{
	int64_t done = 0, left = 0;

	for (int i = 0; i < run->config->run_workers; i++)
		done += atomic_load(&run->workers[i].counters.records);
	gc_positions_each(run->positions, add_left, &left);
	*ret_done = done;
	*ret_total = done + left;
}

/* ---- starting ---- */

static bool is_wanted(const char *const *only, const char *stream)
{
	for (; only && *only; only++) {
		if (strcmp(*only, stream) == 0)
			return true;
	}
	return only == NULL;
}

/* Topics of the wanted streams, all that are configured: those that do not exist yet are found when they appear. */
static void list_topics(struct gc_run *run, const char *const *only)
{
	size_t count = 0;

	for (size_t s = 0; s < run->config->stream_count; s++)
		count += run->config->streams[s].topic_count;
	run->topics = gc_calloc(count + 1, sizeof(*run->topics));
	for (size_t s = 0; s < run->config->stream_count; s++) {
		const struct gc_stream_config *stream = &run->config->streams[s];

		for (size_t t = 0; t < stream->topic_count && is_wanted(only, stream->name); t++)
			run->topics[run->topic_count++] = gc_strdup(stream->topics[t]);
	}
}

static enum gc_verdict count_existing(struct gc_run *run, struct gc_kafka_client *client, size_t *ret_found, struct gc_err *err)
{
	struct gc_kafka_topic *topics = gc_calloc(run->topic_count + 1, sizeof(*topics));
	size_t found = 0;
	enum gc_verdict verdict;

	for (size_t i = 0; i < run->topic_count; i++)
		topics[i].name = run->topics[i];
	verdict = gc_kafka_topics(client->rk, topics, run->topic_count, GC_KAFKA_TIMEOUT_US, err);
	if (verdict != GC_OK)
		verdict = gc_kafka_explain(client, err);
	for (size_t i = 0; verdict == GC_OK && i < run->topic_count; i++)
		found += topics[i].partitions > 0;
	free(topics);
	if (verdict == GC_OK)
		*ret_found = found;
	return verdict;
}

/* Waits for brokers, which may come up later; does not wait for topics that nobody has made: that needs people. */
static enum gc_verdict check_topics(struct gc_run *run, struct gc_err *err)
{
	struct gc_kafka_client *client = NULL;
	struct gc_complaint complaint = { 0 };
	size_t found = 0;
	int64_t repeated;
	enum gc_verdict verdict = gc_kafka_open(run->config, &client, err);

	while (verdict == GC_OK) {
		verdict = count_existing(run, client, &found, err);
		if (verdict != GC_RETRY || gc_stop_was_asked())
			break;
		if (gc_complain(&complaint, gc_monotonic_us(), &repeated))
			gc_warn("waiting for Kafka", GC_ERR_FIELDS(err));
		gc_kafka_login_renew(&client->login, client->rk, run->config);
		gc_sleep_us(GC_SECOND_US / 2);
		verdict = GC_OK;
	}
	gc_kafka_close(client);
	if (verdict == GC_OK && found == 0)
		return gc_fail(
			err, GC_FATAL, "no_topics", run->config->kafka_brokers,
			"none of the %zu configured topics exists, the first being %s; create them, or name yours under streams in the "
			"configuration",
			run->topic_count, run->topic_count ? run->topics[0] : "none");
	if (verdict == GC_OK)
		gc_info("topics found", GC_I("found", found), GC_I("configured", run->topic_count));
	return verdict;
}

struct start {
	struct gc_worker *worker;
	_Atomic int *ended;
};

static void *run_worker(void *argument)
{
	struct start start = *(struct start *)argument;

	free(argument);
	gc_worker_main(start.worker);
	atomic_store(start.ended, 1);
	return NULL;
}

/* Every so many-th partition is one worker's; no worker goes without. */
static struct gc_reading deal_places(struct gc_run *run, const struct gc_place *places, size_t count, size_t worker, size_t *at)
{
	struct gc_reading reading = { .places = run->places + *at };

	for (size_t i = worker; i < count; i += gc_run_workers(run))
		run->places[*at + reading.place_count++] = (struct gc_place){
			gc_position_get(run->positions, places[i].topic, places[i].partition)->topic, places[i].partition
		};
	*at += reading.place_count;
	return reading;
}

static void start_worker(struct gc_run *run, int i, const struct gc_reading *reading)
{
	struct gc_worker *worker = &run->workers[i];
	struct start *start = gc_malloc(sizeof(*start));

	*worker = (struct gc_worker){ .config = run->config, .positions = run->positions, .index = i + 1, .reading = *reading };
	gc_counters_init(&worker->counters);
	*start = (struct start){ worker, &run->ended[i] };
	gc_thread_create(&run->threads[i], run_worker, start);
}

static int64_t process_cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * GC_SECOND_US + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void free_run(struct gc_run *run)
{
	for (size_t i = 0; run->workers && i < gc_run_workers(run); i++)
		gc_counters_done(&run->workers[i].counters);
	for (size_t i = 0; i < run->topic_count; i++)
		free(run->topics[i]);
	gc_positions_free(run->positions);
	free(run->topics);
	free(run->places);
	free(run->workers);
	free(run->threads);
	free((void *)run->ended);
	free(run);
}

static struct gc_run *make_run(const struct gc_config *config)
{
	struct gc_run *run = gc_calloc(1, sizeof(*run));

	run->config = config;
	run->positions = gc_positions_new();
	return run;
}

static void make_workers(struct gc_run *run)
{
	run->workers = gc_calloc((size_t)run->config->run_workers, sizeof(*run->workers));
	run->threads = gc_calloc((size_t)run->config->run_workers, sizeof(*run->threads));
	run->ended = gc_calloc((size_t)run->config->run_workers, sizeof(*run->ended));
	run->started_us = gc_monotonic_us();
	run->started_cpu_us = process_cpu_us();
}

enum gc_verdict gc_run_start(const struct gc_config *config, const char *const *only, struct gc_run **ret_run, struct gc_err *err)
{
	struct gc_run *run = make_run(config);
	struct gc_reading reading;
	enum gc_verdict verdict;

	list_topics(run, only);
	verdict = check_topics(run, err);
	if (verdict != GC_OK) {
		free_run(run);
		return verdict;
	}
	make_workers(run);
	reading = (struct gc_reading){ .topics = (const char *const *)run->topics, .topic_count = run->topic_count };
	for (int i = 0; i < config->run_workers; i++)
		start_worker(run, i, &reading);
	*ret_run = run;
	return GC_OK;
}

struct gc_run *gc_run_start_apart(const struct gc_config *config, const struct gc_place *places, const int64_t *limits,
				  size_t count)
{
	struct gc_run *run = make_run(config);
	size_t dealt = 0;

	make_workers(run);
	run->places = gc_calloc(count, sizeof(*run->places));
	for (size_t i = 0; i < count; i++)
		atomic_store(&gc_position_get(run->positions, places[i].topic, places[i].partition)->limit, limits[i]);
	for (int i = 0; i < config->run_workers; i++) {
		struct gc_reading reading = deal_places(run, places, count, (size_t)i, &dealt);

		start_worker(run, i, &reading);
	}
	return run;
}

/* ---- watching and ending ---- */

static bool all_at_end(const struct gc_run *run)
{
	for (int i = 0; i < run->config->run_workers; i++) {
		if (!atomic_load(&run->workers[i].counters.at_end))
			return false;
	}
	return true;
}

bool gc_run_has_failed(struct gc_run *run)
{
	for (int i = 0; i < run->config->run_workers; i++) {
		if (atomic_load(&run->ended[i]))
			return true;
	}
	return false;
}

size_t gc_run_workers(const struct gc_run *run)
{
	return (size_t)run->config->run_workers;
}

const struct gc_worker_counters *gc_run_counters(const struct gc_run *run, size_t index)
{
	return &run->workers[index].counters;
}

struct gc_positions *gc_run_positions(const struct gc_run *run)
{
	return run->positions;
}

static void find_halted(void *arg, const struct gc_position *position)
{
	struct gc_err *why = arg;

	if (why->verdict == GC_OK && gc_position_halted_us(position) != 0 && position->partition != GC_WHOLE_TOPIC)
		*why = position->halt;
}

bool gc_run_is_halted(const struct gc_run *run, struct gc_err *ret_why)
{
	*ret_why = (struct gc_err){ .verdict = GC_OK };
	gc_positions_each(run->positions, find_halted, ret_why);
	return ret_why->verdict != GC_OK;
}

/* Between two members of a group that takes single partitions. The next owner learns of it with a heartbeat, 15 s after the last one at
 * most (group.consumer.max.heartbeat.interval.ms); who has it by then is another process, and it is not ours to wait for. */
#define ON_ITS_WAY_US (20 * GC_SECOND_US)

static void find_on_its_way(void *arg, const struct gc_position *position)
{
	int64_t since_us = atomic_load(&((struct gc_position *)position)->given_up_us);

	*(bool *)arg |= since_us != 0 && gc_monotonic_us() - since_us < ON_ITS_WAY_US;
}

static bool is_on_its_way(const struct gc_run *run)
{
	bool found = false;

	gc_positions_each(run->positions, find_on_its_way, &found);
	return found;
}

/* A rebalance makes a worker forget that it is at its end first, then what is halted: what is asked in between two ends is true of both. */
bool gc_run_is_caught_up(const struct gc_run *run, struct gc_err *ret_why)
{
	bool was_at_end = all_at_end(run);

	gc_run_is_halted(run, ret_why);
	return was_at_end && !is_on_its_way(run) && all_at_end(run);
}

int64_t gc_run_silent_us(const struct gc_run *run)
{
	int64_t now = gc_monotonic_us(), longest = 0;

	for (size_t i = 0; i < gc_run_workers(run); i++) {
		int64_t silent = now - gc_counter_get(&gc_run_counters(run, i)->ticked_us);

		longest = silent > longest ? silent : longest;
	}
	return longest;
}

int64_t gc_run_stalled_us(const struct gc_run *run)
{
	int64_t now = gc_monotonic_us(), longest = 0;

	for (size_t i = 0; i < gc_run_workers(run); i++) {
		const struct gc_worker_counters *c = gc_run_counters(run, i);
		int64_t since = gc_counter_get(&c->lag) > 0 ? now - gc_counter_get(&c->moved_us) : 0;

		longest = since > longest ? since : longest;
	}
	return longest;
}

bool gc_run_is_joined(const struct gc_run *run)
{
	for (size_t i = 0; i < gc_run_workers(run); i++) {
		if (!gc_counter_get(&gc_run_counters(run, i)->joined))
			return false;
	}
	return true;
}

static double seconds(int64_t us)
{
	return (double)us / 1e6;
}

void gc_run_summary(struct gc_run *run, struct gc_run_summary *ret_summary)
{
	struct gc_run_summary s = { .wall_s = seconds(gc_monotonic_us() - run->started_us),
				    .cpu_s = seconds(process_cpu_us() - run->started_cpu_us) };
	struct rusage usage;

	for (int i = 0; i < run->config->run_workers; i++) {
		struct gc_worker_counters *c = &run->workers[i].counters;

		s.records += atomic_load(&c->records);
		s.batches += atomic_load(&c->batches);
		s.applied += atomic_load(&c->applied);
		s.superseded += atomic_load(&c->superseded);
		s.dead += atomic_load(&c->dead);
		s.ignored += atomic_load(&c->ignored);
		s.retries += atomic_load(&c->retries);
		s.fenced += atomic_load(&c->fenced);
		s.rejected += atomic_load(&c->rejected);
		s.reconnects += atomic_load(&c->reconnects);
		s.rebalances += atomic_load(&c->rebalances);
		s.cache_hits += atomic_load(&c->cache_hits);
		s.cache_misses += atomic_load(&c->cache_misses);
		s.poll_s += seconds(atomic_load(&c->poll_us));
		s.decode_s += seconds(atomic_load(&c->decode_us));
		s.keys_s += seconds(atomic_load(&c->keys_us));
		s.apply_s += seconds(atomic_load(&c->apply_us));
		s.send_cpu_s += seconds(atomic_load(&c->encode_us));
	}
	getrusage(RUSAGE_SELF, &usage);
	s.memory_bytes = (int64_t)usage.ru_maxrss * 1024;
	*ret_summary = s;
}

enum gc_verdict gc_run_stop(struct gc_run *run, struct gc_run_summary *ret_summary, struct gc_err *err)
{
	int64_t drain_us = run->config->run_shutdown_timeout_us, leave_us = drain_us / 4 < LEAVE_US ? drain_us / 4 : LEAVE_US;
	enum gc_verdict verdict = GC_OK;

	for (int i = 0; i < run->config->run_workers; i++) {
		atomic_store(&run->workers[i].drain_until_us, gc_monotonic_us() + drain_us - leave_us);
		atomic_store(&run->workers[i].state, GC_DRAINING);
	}
	for (int i = 0; i < run->config->run_workers; i++) {
		pthread_join(run->threads[i], NULL);
		if (verdict == GC_OK && run->workers[i].failure.verdict != GC_OK) {
			*err = run->workers[i].failure;
			verdict = err->verdict;
		}
	}
	if (ret_summary)
		gc_run_summary(run, ret_summary);
	free_run(run);
	return verdict;
}
