/* gracecube publish: capture files onto Kafka topics, record by record as they were.
 *
 * Guarantee: every line read is counted once: published, refused (it never left) or failed (it left and was not
 * acknowledged). The exit code is 0 only when all of them were published.
 * Threads: the main thread alone; the signal handler sets one flag.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include <gracecube/arena.h>
#include <gracecube/log.h>
#include <gracecube/time.h>

#include "kafka/capture.h"
#include "cli/command.h"
#include "kafka/producer.h"
#include "cli/progress.h"
#include <gracecube/stop.h>
#include "cli/trickle.h"

/* Refused lines that are named one by one; the rest is only counted. */
#define NAMED_REFUSALS 100
/* After a signal, for what is on its way. */
#define GRACE_US (5 * GC_SECOND_US)
#define PACE_TURN_US (20 * 1000)
#define TRICKLE_A_SECOND 3

struct publish_options {
	const char *topic, *topic_prefix;
	bool keep_partition, create_topics, dry_run, trickle;
	int64_t partitions, rate, ending_us, for_us;
	struct gc_flag_list topic_settings;
	int progress; /* enum gc_progress_mode */
};

struct publish {
	const struct publish_options *options;
	struct gc_producer_options to;
	struct gc_property *topic_settings;
	struct gc_shift shift;
	struct gc_producer *producer; /* NULL in a dry run */
	uint64_t read, good, refused; /* lines */
	int64_t began_us, pace_from_us;
	uint64_t paced;
	struct gc_producer_counts counts;
	struct gc_progress progress;
};

static bool is_stopping(void *arg)
{
	(void)arg;
	return gc_stop_was_asked();
}

/* ---- one line ---- */

static void refuse(struct publish *publish, const struct gc_err *err)
{
	publish->refused++;
	if (publish->refused <= NAMED_REFUSALS)
		gc_warn("line refused", GC_ERR_FIELDS(err));
	if (publish->refused == NAMED_REFUSALS)
		gc_warn("further refused lines are only counted", GC_I("named", NAMED_REFUSALS));
}

/* --rate: the n-th record leaves n/rate seconds after the first. After a stall longer than a second the count begins anew,
 * so that no burst follows it. */
static void pace(struct publish *publish)
{
	int64_t due_us, now_us = gc_monotonic_us();

	if (publish->options->rate == 0 || !publish->producer)
		return;
	due_us = publish->pace_from_us + (int64_t)((double)publish->paced * 1e6 / (double)publish->options->rate);
	if (publish->paced == 0 || now_us - due_us > GC_SECOND_US) {
		publish->pace_from_us = due_us = now_us;
		publish->paced = 0;
	}
	for (; now_us < due_us && !gc_stop_was_asked(); now_us = gc_monotonic_us())
		gc_producer_poll(publish->producer, due_us - now_us < PACE_TURN_US ? 1000 : PACE_TURN_US);
	publish->paced++;
}

static enum gc_verdict publish_record(struct publish *publish, const struct gc_message *message, struct gc_err *err)
{
	if (!publish->producer)
		return gc_producer_check(&publish->to, message, err);
	pace(publish);
	return gc_producer_send(publish->producer, message, err);
}

/* GC_OK also for a refused line; *ret_more is false at the end of the file. */
static enum gc_verdict publish_line(struct publish *publish, struct gc_capture *capture, bool *ret_more, struct gc_err *err)
{
	const struct gc_message *message = NULL;
	enum gc_verdict verdict = gc_capture_next(capture, &message, err);

	*ret_more = verdict != GC_OK || message != NULL;
	if (!*ret_more)
		return GC_OK;
	if (verdict == GC_OK) {
		verdict = publish_record(publish, message, err);
		if (verdict == GC_REJECT)
			gc_fail(err, GC_REJECT, err->code, gc_capture_place(capture), "%s", err->text);
	}
	if (verdict != GC_OK && verdict != GC_REJECT)
		return verdict;
	gc_progress_at(&publish->progress, (int64_t)++publish->read);
	if (verdict == GC_REJECT)
		refuse(publish, err);
	else
		publish->good++;
	return GC_OK;
}

/* ---- records made after them ---- */

static bool is_over(const struct publish *publish)
{
	int64_t for_us = publish->options->for_us;

	return gc_stop_was_asked() || (for_us > 0 && gc_monotonic_us() - publish->began_us >= for_us);
}

static enum gc_verdict publish_trickle(struct publish *publish, struct gc_trickle *trickle, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	while (verdict == GC_OK && !is_over(publish)) {
		int64_t wait_us = gc_trickle_wait_us(trickle, gc_now_us());

		if (wait_us > 0) {
			gc_producer_poll(publish->producer, wait_us < PACE_TURN_US ? 1000 : PACE_TURN_US);
			continue;
		}
		verdict = gc_producer_send(publish->producer, gc_trickle_next(trickle), err);
		gc_progress_at(&publish->progress, (int64_t)++publish->read);
	}
	return verdict;
}

static enum gc_verdict make_trickle(struct publish *publish, const struct gc_command_line *line, const struct gc_config *cfg,
				    struct gc_err *err)
{
	int64_t rate = publish->options->rate ? publish->options->rate : TRICKLE_A_SECOND;
	struct gc_trickle *trickle;
	enum gc_verdict verdict;

	if (gc_trickle_open(cfg, line->args, (size_t)line->arg_count, rate, &trickle, err))
		return err->verdict;
	verdict = publish_trickle(publish, trickle, err);
	gc_trickle_close(trickle);
	return verdict;
}

/* ---- all of them ---- */

static enum gc_verdict publish_file(struct publish *publish, const char *path, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;
	struct gc_capture *capture;
	bool more = true;

	if (gc_capture_open(path, &capture, err))
		return err->verdict;
	gc_capture_shift(capture, &publish->shift);
	while (more && !verdict && !gc_stop_was_asked())
		verdict = publish_line(publish, capture, &more, err);
	gc_capture_close(capture);
	return verdict;
}

/* Before anything is sent: a wrong name among many files is found at once. */
static enum gc_verdict check_files(const struct gc_command_line *line, struct gc_err *err)
{
	for (int i = 0; i < line->arg_count; i++) {
		struct gc_capture *capture;

		if (gc_capture_open(line->args[i], &capture, err))
			return err->verdict;
		gc_capture_close(capture);
	}
	return GC_OK;
}

static enum gc_verdict publish_files(struct publish *publish, const struct gc_command_line *line, const struct gc_config *cfg,
				     struct gc_err *err)
{
	int64_t ending_us = publish->options->ending_us;
	enum gc_verdict verdict = check_files(line, err);

	if (!verdict && ending_us != 0)
		verdict = gc_capture_ending(line->args, (size_t)line->arg_count, ending_us, &publish->shift, err);
	if (!verdict && !publish->options->dry_run)
		verdict = gc_producer_open(cfg, &publish->to, &publish->producer, err);
	gc_progress_start(&publish->progress, (enum gc_progress_mode)publish->options->progress, "publish", "records", 0);
	if (!verdict && publish->options->trickle)
		verdict = make_trickle(publish, line, cfg, err);
	for (int i = 0; !verdict && !publish->options->trickle && i < line->arg_count && !gc_stop_was_asked(); i++)
		verdict = publish_file(publish, line->args[i], err);
	if (publish->producer) {
		gc_producer_flush(publish->producer, GRACE_US);
		gc_producer_counts(publish->producer, &publish->counts);
		gc_producer_close(publish->producer);
	}
	gc_progress_end(&publish->progress);
	return verdict;
}

/* ---- the answer ---- */

static double seconds_of(const struct publish *publish)
{
	return (double)(gc_monotonic_us() - publish->began_us) / 1e6;
}

static void print_json(const struct publish *publish)
{
	const struct gc_producer_counts *counts = &publish->counts;
	json_t *facts = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:b}", "dry_run", publish->options->dry_run, "read",
				  (json_int_t)publish->read, "published", (json_int_t)counts->delivered, "refused",
				  (json_int_t)publish->refused, "failed", (json_int_t)counts->failed, "bytes",
				  (json_int_t)counts->bytes, "topics", (json_int_t)counts->topics, "seconds", seconds_of(publish),
				  "stopped", gc_stop_was_asked());

	json_dumpf(facts, stdout, JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(facts);
}

static void print_text(const struct publish *publish)
{
	const struct gc_producer_counts *counts = &publish->counts;
	double seconds = seconds_of(publish);

	if (publish->options->dry_run) {
		printf("read %llu records: %llu can be published, %llu are refused\n", (unsigned long long)publish->read,
		       (unsigned long long)publish->good, (unsigned long long)publish->refused);
		return;
	}
	printf("published %llu of %llu records (%.1f MB) to %llu topics in %.2f s, %.0f/s; refused %llu, failed %llu\n",
	       (unsigned long long)counts->delivered, (unsigned long long)publish->read, (double)counts->bytes / 1e6,
	       (unsigned long long)counts->topics, seconds, seconds > 0 ? (double)counts->delivered / seconds : 0,
	       (unsigned long long)publish->refused, (unsigned long long)counts->failed);
}

static int answer(const struct publish *publish, const struct gc_command_line *line)
{
	if (line->json)
		print_json(publish);
	else
		print_text(publish);
	if (publish->counts.failed > 0)
		gc_error("messages were not delivered", GC_I("failed", publish->counts.failed),
			 GC_ERR_FIELDS(&publish->counts.first_failure));
	if (gc_stop_was_asked())
		gc_warn("stopped by a signal before the end", GC_I("read", publish->read));
	return publish->refused > 0 || publish->counts.failed > 0 || gc_stop_was_asked() ? GC_EXIT_FINDINGS : GC_EXIT_DONE;
}

/* ---- the command ---- */

/* "name=value" each; split in place. */
static bool take_topic_settings(struct publish *publish)
{
	const struct gc_flag_list *list = &publish->options->topic_settings;

	publish->topic_settings = gc_calloc(list->count + 1, sizeof(*publish->topic_settings));
	for (size_t i = 0; i < list->count; i++) {
		char *equals = strchr(list->items[i], '=');

		if (!equals || equals == list->items[i])
			return false;
		*equals = '\0';
		publish->topic_settings[i] = (struct gc_property){ .name = list->items[i], .value = equals + 1 };
	}
	publish->to.topic_settings = publish->topic_settings;
	publish->to.topic_setting_count = list->count;
	return true;
}

static void take_options(struct publish *publish)
{
	const struct publish_options *options = publish->options;

	publish->to = (struct gc_producer_options){
		.topic = options->topic,
		.topic_prefix = options->topic_prefix,
		.keep_partition = options->keep_partition,
		.create_topics = options->create_topics,
		.partitions = (int32_t)options->partitions,
		.stopping = is_stopping,
	};
}

static int publish_all(struct publish *publish, const struct gc_command_line *line, const struct gc_config *cfg)
{
	struct gc_err err;
	enum gc_verdict verdict;
	int code;

	gc_stop_on_signals(0);
	publish->began_us = gc_monotonic_us();
	verdict = publish_files(publish, line, cfg, &err);
	if (verdict && publish->read == 0)
		return gc_command_fail(&err);
	code = answer(publish, line);
	return verdict && !gc_stop_was_asked() ? gc_command_fail(&err) : code;
}

static int run_publish(struct gc_command_line *line)
{
	struct publish publish = { .options = line->options };
	struct gc_config cfg;
	struct gc_err err;
	int code;

	if (publish.options->topic && publish.options->topic_prefix)
		return gc_command_misuse(line, "--topic and --topic-prefix exclude each other");
	if (publish.options->trickle && (publish.options->ending_us || publish.options->dry_run))
		return gc_command_misuse(line, "--trickle makes records of the present moment: leave out --ending and --dry-run");
	if (publish.options->for_us && !publish.options->trickle)
		return gc_command_misuse(line, "--for ends a --trickle; files end by themselves");
	if (gc_command_config(line, &cfg, &err))
		return gc_command_fail(&err);
	take_options(&publish);
	if (take_topic_settings(&publish))
		code = publish_all(&publish, line, &cfg);
	else
		code = gc_command_misuse(line, "--topic-setting takes NAME=VALUE, like retention.ms=-1");
	free(publish.topic_settings);
	gc_config_free(&cfg);
	return code;
}

/* In the order of the help. */
static const struct gc_flag flags[] = {
	{ "topic", 't', "TOPIC", "everything to this topic, whatever the records say", GC_FLAG_TEXT,
	  .offset = offsetof(struct publish_options, topic) },
	{ "topic-prefix", 0, "TEXT", "put this before every topic", GC_FLAG_TEXT,
	  .offset = offsetof(struct publish_options, topic_prefix) },
	{ "keep-partition", 0, NULL, "the records' own partitions, not those of their keys", GC_FLAG_BOOL,
	  .offset = offsetof(struct publish_options, keep_partition) },
	{ "create-topics", 0, NULL, "create missing topics", GC_FLAG_BOOL,
	  .offset = offsetof(struct publish_options, create_topics) },
	{ "partitions", 'p', "N", "partitions of topics created here; the brokers' default without it", GC_FLAG_INT,
	  .offset = offsetof(struct publish_options, partitions), .min = 1, .max = 100000 },
	{ "topic-setting", 0, "NAME=VALUE", "a setting of topics created here, like retention.ms=-1", GC_FLAG_LIST,
	  .offset = offsetof(struct publish_options, topic_settings) },
	{ "ending", 0, "TIME", "move all times, so that the newest record is of this one; or now", GC_FLAG_TIME,
	  .offset = offsetof(struct publish_options, ending_us) },
	{ "rate", 'r', "N", "at most so many records a second", GC_FLAG_INT, .offset = offsetof(struct publish_options, rate),
	  .min = 1, .max = 100000000 },
	{ "trickle", 0, NULL, "not the records themselves: new ones made after them, a few a second, without end", GC_FLAG_BOOL,
	  .offset = offsetof(struct publish_options, trickle) },
	{ "for", 0, "TIME", "end the trickle after so long", GC_FLAG_DURATION, .offset = offsetof(struct publish_options, for_us) },
	{ "dry-run", 'n', NULL, "check all lines, publish nothing", GC_FLAG_BOOL,
	  .offset = offsetof(struct publish_options, dry_run) },
	GC_FLAG_PROGRESS(struct publish_options),
	{ .name = NULL },
};

static const char help[] =
	"Examples:\n"
	"  gracecube publish capture/*.jsonl.gz\n"
	"  gracecube publish --create-topics --partitions 4 --rate 1000 capture/*.jsonl.gz\n"
	"  gracecube publish --ending now capture/*.jsonl.gz       for a demonstration: as if it had just happened\n"
	"  gracecube publish --trickle --for 30m capture/*.jsonl.gz\n"
	"  zcat big.jsonl.gz | head -100 | gracecube publish --topic-prefix test. -\n"
	"\n"
	"Publishes JSON lines, plain or gzip, \"-\" for standard input, in the order of the files. One record a line:\n"
	"  {\"topic\": \"grace.public.x\", \"partition\": 0, \"timestamp\": 1795410143304,\n"
	"   \"headers\": [[\"name\", \"value\"]], \"key\": \"text or null\", \"value\": \"text or null\"}\n"
	"topic and value must be there; \"value\": null is a tombstone. Key, value, headers and timestamp (ms) arrive as they\n"
	"are, byte for byte; without a timestamp the record gets the present one. The key decides the partition, as it does\n"
	"for Java clients (murmur2); -X partitioner=NAME chooses otherwise.\n"
	"\n"
	"With --ending the records' own times (…_at, timestamp, source.ts_ms and the like, in any unit, also in JSON in text) and\n"
	"Kafka's move by one distance, in whole seconds, so everything keeps its distance to everything. Keys, names, and what\n"
	"lies inside a row that carries a hash of itself stay as they are. The files are read twice.\n"
	"\n"
	"With --trickle what changed in the capture happens again, at the present moment and in its order, 3 records a second or\n"
	"--rate: contracts run, missions progress, errors are resolved, approvals decided. All that is made has ids of its own,\n"
	"so it adds to a cube that has read the capture; when all has happened, it begins anew.\n"
	"\n"
	"Nothing is lost silently: a line that is wrong is refused and named with its place, the others go on. Only what the\n"
	"brokers acknowledged (acks=all, idempotent) counts as published. Old records may be past the topic's retention.ms,\n"
	"and brokers refuse those an hour ahead of their clock: see --topic-setting. When a broker crashes meanwhile, records\n"
	"with timestamps over a day old (its producer.id.expiration.ms) may be there twice; the cube counts them once.\n"
	"\n"
	"Exit codes: 0 all published; 1 some refused or failed, a file that ends in the middle, or stopped by a signal;\n"
	"2 wrong words, or a file that cannot be opened; 69 Kafka not reachable; 78 a missing topic, a missing right, wrong\n"
	"configuration.\n";

const struct gc_command gc_command_publish = {
	.name = "publish",
	.summary = "publishes capture files to Kafka",
	.usage = "publish [options] FILE…",
	.help = help,
	.flags = flags,
	.options_bytes = sizeof(struct publish_options),
	.has_json = true,
	.args_min = 1,
	.args_max = -1,
	.run = run_publish,
};
