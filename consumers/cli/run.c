/* `gracecube run`: consume, until told to stop or caught up. Threads: the main thread watches the workers. */
#include "cli/command.h"
#include "service/health.h"
#include "service/retain.h"
#include "service/sd_notify.h"
#include "cli/progress.h"
#include "worker/run.h"
#include <gracecube/stop.h>

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#define WATCH_US (50 * 1000)
#define REPORT_INTERVAL_US (30 * GC_SECOND_US)
#define READY_INTERVAL_US (GC_SECOND_US / 2)

struct run_options {
	bool until_caught_up;
	struct gc_flag_list streams;
	int progress;
};

static const struct gc_flag flags[] = {
	{ "until-caught-up", 'e', NULL, "stop when everything that is on the topics now has been applied", GC_FLAG_BOOL,
	  .offset = offsetof(struct run_options, until_caught_up) },
	{ "streams", 0, "STREAM,…", "read only these streams", GC_FLAG_LIST, .offset = offsetof(struct run_options, streams) },
	{ "progress", 0, "HOW", "how progress is shown with --until-caught-up", GC_FLAG_CHOICE,
	  .offset = offsetof(struct run_options, progress), .initially = "auto", .choices = gc_progress_modes },
	{ .name = NULL },
};

/* NULL-terminated, NULL for all; false when a name is no stream's. */
static bool list_streams(const struct gc_flag_list *names, const char ***ret_only, const char **ret_wrong)
{
	const char **only = names->count ? calloc(names->count + 1, sizeof(*only)) : NULL;

	for (size_t i = 0; only && i < names->count; i++) {
		only[i] = names->items[i];
		if (!gc_stream_find(gc_span_of(only[i]))) {
			*ret_wrong = only[i];
			free(only);
			return false;
		}
	}
	*ret_only = only;
	return true;
}

static void report(struct gc_run *run, struct gc_run_summary *last)
{
	struct gc_run_summary now;

	gc_run_summary(run, &now);
	if (now.records > last->records)
		gc_info("records applied", GC_I("records", now.records - last->records), GC_I("dead", now.dead - last->dead),
			GC_I("batches", now.batches - last->batches),
			GC_R("per_second", (double)(now.records - last->records) / (now.wall_s - last->wall_s)));
	*last = now;
}

/* What systemd is told: READY=1 once, then WATCHDOG=1 as long as the workers make progress. */
struct watchdog {
	const struct gc_config *config;
	struct gc_health *health;
	bool was_ready;
	int64_t asked_us, fed_us;
};

static void tell_ready(struct watchdog *w, int64_t now)
{
	if (w->was_ready || now - w->asked_us < READY_INTERVAL_US)
		return;
	w->asked_us = now;
	w->was_ready = gc_health_is_ready(w->health);
	if (!w->was_ready)
		return;
	gc_notify("READY=1\nSTATUS=keeping the cube live");
	gc_info("ready");
}

/* Ends a process that commits nothing while records wait: a restarted one may do better, and the group reassigns its partitions. Nothing is
 * waited for, because what hangs may hang for ever; nothing is lost, because the position is in PostgreSQL. */
static void give_up(const struct gc_config *config, int64_t stalled_us)
{
	gc_error("giving up: records wait and none has been committed for run.stall_timeout; the lines above say why",
		 GC_I("waited_s", stalled_us / GC_SECOND_US), GC_I("stall_timeout_s", config->run_stall_timeout_us / GC_SECOND_US));
	gc_notify("STOPPING=1\nSTATUS=stalled");
	_exit(GC_EXIT_UNAVAILABLE);
}

/* systemd's watchdog is fed only while waiting records are committed and every worker's loop turns. */
static void feed_watchdog(struct watchdog *w, struct gc_run *run)
{
	int64_t now = gc_monotonic_us(), interval_us = gc_notify_interval_us(), stalled_us = gc_run_stalled_us(run);

	tell_ready(w, now);
	if (stalled_us > w->config->run_stall_timeout_us)
		give_up(w->config, stalled_us);
	if (interval_us == 0 || now - w->fed_us < interval_us / 2)
		return;
	if (stalled_us < interval_us && gc_run_silent_us(run) < w->config->run_stall_timeout_us) {
		w->fed_us = now;
		gc_notify("WATCHDOG=1");
	}
}

/* Until a signal, a failure, or, when asked for, the end of the topics; ret_why is why a partition is halted then. */
static void watch(struct gc_run *run, struct gc_health *health, const struct gc_config *config, const struct run_options *options,
		  struct gc_err *ret_why)
{
	struct watchdog watchdog = { .config = config, .health = health };
	struct gc_progress progress;
	struct gc_run_summary last = { 0 };
	int64_t reported_us = gc_monotonic_us(), done, total;

	gc_progress_start(&progress, options->until_caught_up ? (enum gc_progress_mode)options->progress : GC_PROGRESS_NONE, "run",
			  "records", 0);
	while (!gc_stop_was_asked() && !gc_run_has_failed(run) &&
	       !(gc_run_is_caught_up(run, ret_why) && options->until_caught_up)) {
		gc_sleep_us(WATCH_US);
		feed_watchdog(&watchdog, run);
		gc_run_progress(run, &done, &total);
		progress.total = total;
		gc_progress_at(&progress, done);
		if (gc_monotonic_us() - reported_us >= REPORT_INTERVAL_US) {
			report(run, &last);
			reported_us = gc_monotonic_us();
		}
	}
	gc_progress_end(&progress);
}

static void print_summary(const struct gc_run_summary *s, bool json)
{
	json_t *o;

	if (!json) {
		printf("%lld records: %lld applied, %lld superseded, %lld ignored, %lld dead letters, in %.1f s (%.0f/s)\n",
		       (long long)s->records, (long long)s->applied, (long long)s->superseded, (long long)s->ignored,
		       (long long)s->dead, s->wall_s, s->wall_s > 0 ? (double)s->records / s->wall_s : 0);
		return;
	}
	o = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "records",
		      (json_int_t)s->records, "batches", (json_int_t)s->batches, "applied", (json_int_t)s->applied, "superseded",
		      (json_int_t)s->superseded, "ignored", (json_int_t)s->ignored, "dead", (json_int_t)s->dead, "retries",
		      (json_int_t)s->retries, "fenced", (json_int_t)s->fenced, "rejected", (json_int_t)s->rejected, "reconnects",
		      (json_int_t)s->reconnects, "rebalances", (json_int_t)s->rebalances, "wall_seconds", s->wall_s, "cpu_seconds",
		      s->cpu_s, "poll_seconds", s->poll_s, "decode_seconds", s->decode_s, "keys_seconds", s->keys_s,
		      "apply_seconds", s->apply_s, "encode_cpu_seconds", s->send_cpu_s, "memory_bytes",
		      (json_int_t)s->memory_bytes);
	json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
}

static void say_stopping(void)
{
	gc_notify("STOPPING=1\nSTATUS=draining");
	gc_stop_begins();
	if (gc_stop_was_asked())
		gc_info("draining; a second signal leaves at once");
}

/* A second process on a machine finds the default address taken, and runs without probes. An address that was configured must be free: else
 * another process would answer the probes of this one. */
static enum gc_verdict start_health(struct gc_config *config, struct gc_health **ret_health, struct gc_err *err)
{
	enum gc_verdict verdict = gc_health_start(config, ret_health, err);

	if (verdict == GC_OK || strcmp(err->code, "http.listen") != 0 || strcmp(config->http_listen, GC_HTTP_LISTEN_DEFAULT) != 0)
		return verdict;
	gc_warn("no probes and metrics of this process", GC_ERR_FIELDS(err));
	verdict = gc_config_set(config, "http.listen", "", err);
	return verdict == GC_OK ? gc_health_start(config, ret_health, err) : verdict;
}

static int run(struct gc_command_line *line)
{
	const struct run_options *options = line->options;
	struct gc_config config;
	struct gc_err err = { .verdict = GC_OK }, why = { .verdict = GC_OK };
	struct gc_health *health = NULL;
	struct gc_run *workers = NULL;
	struct gc_retainer *retainer = NULL;
	struct gc_run_summary summary = { 0 };
	const char **only = NULL, *wrong = NULL;
	enum gc_verdict verdict;

	if (!list_streams(&options->streams, &only, &wrong))
		return gc_command_misuse(line, "there is no stream %s; `gracecube config sample` lists them", wrong);
	if (gc_command_config(line, &config, &err) != GC_OK) {
		free(only);
		return gc_command_fail(&err);
	}
	gc_stop_on_signals(config.run_shutdown_timeout_us);
	gc_info("starting", GC_S("version", GRACECUBE_VERSION), GC_S("librdkafka", rd_kafka_version_str()),
		GC_S("group", config.kafka_group_id), GC_S("brokers", config.kafka_brokers), GC_I("workers", config.run_workers));
	verdict = start_health(&config, &health, &err);
	if (verdict == GC_OK)
		verdict = gc_run_start(&config, only, &workers, &err);
	if (verdict == GC_OK) {
		gc_health_watch(health, workers);
		retainer = options->until_caught_up ? NULL : gc_retain_start(&config, workers);
		watch(workers, health, &config, options, &why);
		say_stopping();
		gc_retain_stop(retainer);
		gc_health_watch(health, NULL);
		verdict = gc_run_stop(workers, &summary, &err);
		if (verdict == GC_OK || summary.records > 0)
			print_summary(&summary, line->json);
		if (verdict == GC_OK && options->until_caught_up && why.verdict != GC_OK)
			verdict = (err = why).verdict;
	} else if (gc_stop_was_asked()) {
		verdict = GC_OK;
	}
	gc_health_stop(health);
	gc_config_free(&config);
	free(only);
	return verdict == GC_OK ? GC_EXIT_DONE : gc_command_fail(&err);
}

const struct gc_command gc_command_run = {
	.name = "run",
	.summary = "consumes: keeps the cube live",
	.usage = "run [options]",
	.help = "Examples:\n"
		"  gracecube run                          until SIGTERM\n"
		"  gracecube run --until-caught-up        what is on the topics now, then stop\n"
		"  gracecube run -s run.workers=4 --streams action_contracts,approval_requests\n"
		"\n"
		"Reads the topics of all streams as one member of the consumer group a worker, and applies each batch of records in\n"
		"one transaction together with its position: each record changes the cube exactly once, or is in the dead letters.\n"
		"Run as many processes as you like; Kafka divides the partitions among them.\n"
		"While Kafka or PostgreSQL is away it waits and tries again. SIGTERM or Ctrl-C applies what has been read and leaves;\n"
		"a second one leaves at once, and what is not done after run.shutdown_timeout is left. None of it loses anything.\n"
		"\n"
		"http.listen answers /livez, /readyz?verbose and /metrics. Under systemd (Type=notify) it says when it is ready, and\n"
		"feeds the watchdog while what waits moves. Records that wait for run.stall_timeout without a commit end the process.\n"
		"\n"
		"Exit codes: 0 drained or caught up; 69 Kafka or PostgreSQL not reachable, or stalled; 70 a bug of ours;\n"
		"78 configuration, rights or schema are wrong.\n",
	.flags = flags,
	.options_bytes = sizeof(struct run_options),
	.has_json = true,
	.run = run,
};
