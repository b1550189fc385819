/* `gracecube sandbox`: broker, publisher and consumer in one process, for trying. Threads: the main thread publishes, the workers
 * consume.
 */
#include "kafka/embedded_broker.h"
#include "kafka/capture.h"
#include "cli/command.h"
#include "kafka/producer.h"
#include "cli/progress.h"
#include "worker/run.h"
#include <gracecube/stop.h>
#include "cli/trickle.h"

#include <gracecube/arena.h>
#include <stdlib.h>

#define WATCH_US (20 * 1000)
#define POLL_US (20 * 1000)

struct sandbox_options {
	struct gc_flag_list publish, trickle;
	bool until_caught_up;
	int64_t partitions, ending_us, rate, for_us;
	int progress;
};

static const struct gc_flag flags[] = {
	{ "publish", 0, "FILE,…", "capture files to publish first; more may follow as words", GC_FLAG_LIST,
	  .offset = offsetof(struct sandbox_options, publish) },
	{ "ending", 0, "TIME", "move all times in them, so that the newest record is of this one; or now", GC_FLAG_TIME,
	  .offset = offsetof(struct sandbox_options, ending_us) },
	{ "until-caught-up", 'e', NULL, "stop when all that was published has been applied", GC_FLAG_BOOL,
	  .offset = offsetof(struct sandbox_options, until_caught_up) },
	{ "trickle", 0, "FILE,…", "then new records made after these files, a few a second", GC_FLAG_LIST,
	  .offset = offsetof(struct sandbox_options, trickle) },
	{ "rate", 'r', "N", "so many records a second in the trickle", GC_FLAG_INT,
	  .offset = offsetof(struct sandbox_options, rate), .initially = "3", .min = 1, .max = 1000 },
	{ "for", 0, "TIME", "end trickle and sandbox after so long", GC_FLAG_DURATION,
	  .offset = offsetof(struct sandbox_options, for_us) },
	{ "partitions", 0, "N", "partitions of each topic", GC_FLAG_INT, .offset = offsetof(struct sandbox_options, partitions),
	  .initially = "4", .min = 1, .max = 64 },
	GC_FLAG_PROGRESS(struct sandbox_options),
	{ .name = NULL },
};

static enum gc_verdict create_topics(struct gc_broker *broker, const struct gc_config *config, struct gc_err *err)
{
	const char **topics = NULL;
	size_t count = 0;
	enum gc_verdict verdict;

	for (size_t s = 0; s < config->stream_count; s++) {
		topics = gc_realloc(topics, (count + config->streams[s].topic_count + 1) * sizeof(*topics));
		for (size_t t = 0; t < config->streams[s].topic_count; t++)
			topics[count++] = config->streams[s].topics[t];
	}
	verdict = gc_broker_create_topics(broker, topics, count, err);
	free(topics);
	return verdict;
}

static bool is_configured(const struct gc_config *config, struct gc_span topic)
{
	for (size_t s = 0; s < config->stream_count; s++) {
		for (size_t t = 0; t < config->streams[s].topic_count; t++) {
			if (gc_span_equal(topic, gc_span_of(config->streams[s].topics[t])))
				return true;
		}
	}
	return false;
}

static bool should_stop(void *run)
{
	(void)run;
	return gc_stop_was_asked();
}

/* What goes to the broker, and how far the workers are with it. */
struct feed {
	const struct gc_config *config;
	const struct sandbox_options *options;
	struct gc_run *run;
	struct gc_throttle *throttle;
	struct gc_producer_options producing;
	struct gc_producer *producer;
	int64_t unread; /* records of topics that no stream reads */
};

static bool may_send(void *argument, const char *topic, int32_t partition, size_t bytes)
{
	struct feed *feed = argument;

	return gc_run_has_failed(feed->run) || gc_throttle_may_send(feed->throttle, topic, partition, bytes);
}

static int64_t read_so_far(void *run, const char *topic, int32_t partition)
{
	return gc_run_position(run, topic, partition);
}

static enum gc_verdict open_feed(struct feed *feed, struct gc_err *err)
{
	feed->throttle = gc_throttle_new(read_so_far, feed->run);
	feed->producing = (struct gc_producer_options){ .may_send = may_send, .stopping = should_stop, .arg = feed };
	return gc_producer_open(feed->config, &feed->producing, &feed->producer, err);
}

static void close_feed(struct feed *feed)
{
	gc_producer_close(feed->producer);
	gc_throttle_free(feed->throttle);
}

/* One file: records of topics that no stream reads are left out, and counted. */
static enum gc_verdict publish_file(struct feed *feed, const char *path, const struct gc_shift *shift, struct gc_err *err)
{
	struct gc_capture *capture = NULL;
	const struct gc_message *message;
	enum gc_verdict verdict = gc_capture_open(path, &capture, err);

	if (verdict == GC_OK)
		gc_capture_shift(capture, shift);
	while (verdict == GC_OK && !gc_stop_was_asked()) {
		verdict = gc_capture_next(capture, &message, err);
		if (verdict != GC_OK || !message)
			break;
		if (is_configured(feed->config, message->topic))
			verdict = gc_producer_send(feed->producer, message, err);
		else
			feed->unread++;
	}
	gc_capture_close(capture);
	return verdict;
}

/* Those of --publish and those that follow as words; free() the list. */
static char **list_files(const struct gc_command_line *line, size_t *ret_count)
{
	const struct sandbox_options *options = line->options;
	char **paths = gc_malloc((options->publish.count + (size_t)line->arg_count + 1) * sizeof(*paths));
	size_t count = 0;

	for (size_t i = 0; i < options->publish.count; i++)
		paths[count++] = options->publish.items[i];
	for (int i = 0; i < line->arg_count; i++)
		paths[count++] = line->args[i];
	*ret_count = count;
	return paths;
}

static enum gc_verdict publish_files(struct feed *feed, const struct gc_command_line *line, struct gc_err *err)
{
	struct gc_shift shift = { 0 };
	size_t count;
	char **paths = list_files(line, &count);
	enum gc_verdict verdict = GC_OK;

	if (feed->options->ending_us != 0)
		verdict = gc_capture_ending(paths, count, feed->options->ending_us, &shift, err);
	for (size_t i = 0; verdict == GC_OK && i < count; i++)
		verdict = publish_file(feed, paths[i], &shift, err);
	free(paths);
	if (feed->unread > 0)
		gc_info("records of topics that no stream reads were left out", GC_I("records", feed->unread));
	return verdict;
}

/* All that was sent has arrived, or the first that did not is told. */
static enum gc_verdict flush(struct feed *feed, int64_t *ret_published, struct gc_err *err)
{
	struct gc_producer_counts counts;

	gc_producer_flush(feed->producer, GC_SECOND_US);
	gc_producer_counts(feed->producer, &counts);
	*ret_published = (int64_t)counts.delivered;
	if (counts.failed == 0)
		return GC_OK;
	*err = counts.first_failure;
	return err->verdict;
}

/* Until all that was published has been applied; without end where that is not asked for. */
static void watch(struct feed *feed, bool until_caught_up, int64_t published)
{
	struct gc_progress progress;
	int64_t done, total;

	gc_progress_start(&progress, (enum gc_progress_mode)feed->options->progress, "sandbox", "records", published);
	while (!gc_stop_was_asked() && !gc_run_has_failed(feed->run)) {
		gc_run_progress(feed->run, &done, &total);
		gc_progress_at(&progress, done);
		if (until_caught_up && done >= published)
			break;
		gc_sleep_us(WATCH_US);
	}
	gc_progress_end(&progress);
}

static enum gc_verdict send_trickle(struct feed *feed, struct gc_trickle *trickle, struct gc_err *err)
{
	int64_t began_us = gc_monotonic_us(), for_us = feed->options->for_us;
	enum gc_verdict verdict = GC_OK;

	while (verdict == GC_OK && !gc_stop_was_asked() && !gc_run_has_failed(feed->run) &&
	       (for_us == 0 || gc_monotonic_us() - began_us < for_us)) {
		if (gc_trickle_wait_us(trickle, gc_now_us()) > 0)
			gc_producer_poll(feed->producer, POLL_US);
		else
			verdict = gc_producer_send(feed->producer, gc_trickle_next(trickle), err);
	}
	return verdict;
}

static enum gc_verdict trickle(struct feed *feed, int64_t *ret_published, struct gc_err *err)
{
	const struct gc_flag_list *files = &feed->options->trickle;
	struct gc_trickle *trickle;
	enum gc_verdict verdict;

	if (gc_trickle_open(feed->config, files->items, files->count, feed->options->rate, &trickle, err))
		return err->verdict;
	verdict = send_trickle(feed, trickle, err);
	gc_trickle_close(trickle);
	return verdict ? verdict : flush(feed, ret_published, err);
}

/* The embedded broker forgets everything when it stops, so each sandbox is a group of its own: its offsets mean nothing to the next
 * one. What it publishes again is recognised by its versions and changes nothing. */
static void make_config(struct gc_config *config, const struct gc_broker *broker)
{
	size_t bytes = strlen(config->kafka_group_id) + 40;
	char *group = gc_malloc(bytes);

	snprintf(group, bytes, "%s-sandbox-%lld", config->kafka_group_id, (long long)(gc_now_us() / GC_SECOND_US));
	free(config->kafka_group_id);
	free(config->kafka_brokers);
	config->kafka_group_id = group;
	config->kafka_brokers = gc_strdup(gc_broker_bootstrap(broker));
}

static void announce(const struct feed *feed)
{
	char until[GC_TIME_TEXT_BYTES] = "";

	if (feed->options->for_us > 0)
		gc_time_format(gc_now_us() + feed->options->for_us, until, sizeof(until));
	fprintf(stderr,
		"The sandbox is up%s%.19s: kafka.brokers=%s kafka.group_id=%s\nPublish to it with\n"
		"  gracecube publish -s kafka.brokers=%s FILE…\nCtrl-C ends it.\n",
		*until ? " until " : "", until, feed->config->kafka_brokers, feed->config->kafka_group_id,
		feed->config->kafka_brokers);
}

static enum gc_verdict play_feed(struct feed *feed, const struct gc_command_line *line, struct gc_err *err)
{
	const struct sandbox_options *options = feed->options;
	bool trickles = options->trickle.count > 0;
	int64_t published = 0;
	enum gc_verdict verdict = publish_files(feed, line, err);

	if (verdict == GC_OK)
		verdict = flush(feed, &published, err);
	if (verdict == GC_OK && (options->until_caught_up || trickles))
		watch(feed, true, published);
	if (verdict != GC_OK || options->until_caught_up)
		return verdict;
	announce(feed);
	if (trickles)
		verdict = trickle(feed, &published, err);
	if (verdict == GC_OK)
		watch(feed, trickles, published);
	return verdict;
}

static enum gc_verdict play(const struct gc_config *config, const struct gc_command_line *line, struct gc_run_summary *ret_summary,
			    struct gc_err *err)
{
	struct feed feed = { .config = config, .options = line->options };
	struct gc_err stopped = { .verdict = GC_OK };
	enum gc_verdict verdict = gc_run_start(config, NULL, &feed.run, err), ended;

	if (verdict != GC_OK)
		return verdict;
	verdict = open_feed(&feed, err);
	if (verdict == GC_OK)
		verdict = play_feed(&feed, line, err);
	close_feed(&feed);
	ended = gc_run_stop(feed.run, ret_summary, &stopped);
	if (ended != GC_OK) {
		*err = stopped;
		return ended;
	}
	return gc_stop_was_asked() ? GC_OK : verdict;
}

static int sandbox(struct gc_command_line *line)
{
	const struct sandbox_options *options = line->options;
	struct gc_config config;
	struct gc_err err = { .verdict = GC_OK };
	struct gc_broker *broker = NULL;
	struct gc_run_summary summary = { 0 };
	enum gc_verdict verdict;

	if (options->until_caught_up && options->trickle.count > 0)
		return gc_command_misuse(line, "--until-caught-up and --trickle exclude each other");
	if (options->for_us > 0 && options->trickle.count == 0)
		return gc_command_misuse(line, "--for ends a --trickle");
	if (gc_command_config(line, &config, &err) != GC_OK)
		return gc_command_fail(&err);
	gc_stop_on_signals(0);
	verdict = gc_broker_start((int)options->partitions, &broker, &err);
	if (verdict == GC_OK)
		verdict = create_topics(broker, &config, &err);
	if (verdict == GC_OK) {
		make_config(&config, broker);
		verdict = play(&config, line, &summary, &err);
	}
	gc_broker_stop(broker);
	gc_config_free(&config);
	if (verdict != GC_OK)
		return gc_command_fail(&err);
	printf("%lld records: %lld applied, %lld superseded, %lld ignored, %lld dead letters, in %.1f s\n",
	       (long long)summary.records, (long long)summary.applied, (long long)summary.superseded, (long long)summary.ignored,
	       (long long)summary.dead, summary.wall_s);
	return GC_EXIT_DONE;
}

const struct gc_command gc_command_sandbox = {
	.name = "sandbox",
	.summary = "tries it: embedded broker, publisher and consumer in one process",
	.usage = "sandbox [options] [FILE…]",
	.help = "Examples:\n"
		"  gracecube sandbox --until-caught-up --publish tests/data/capture/grace.public.action_contracts.jsonl.gz\n"
		"  gracecube sandbox                      stays, and prints the address to publish to\n"
		"  gracecube sandbox --publish a.jsonl --ending now --trickle a.jsonl --for 30m      what happened then happens now\n"
		"\n"
		"Starts an embedded Kafka broker, publishes capture files to it, and consumes them into the PostgreSQL that the\n"
		"configuration names (run `gracecube migrate` first). The broker keeps at most 5 MiB a partition and forgets\n"
		"everything when it stops, so publishing waits for the consumer. For trying only: production reads a real Kafka.\n"
		"--ending and --trickle are those of `gracecube publish`.\n"
		"\n"
		"Exit codes: 0 done; 69 PostgreSQL not reachable; 78 configuration or schema are wrong.\n",
	.flags = flags,
	.options_bytes = sizeof(struct sandbox_options),
	.args_max = -1,
	.run = sandbox,
};
