/* gracecube status: where every partition stands, from any shell: positions and ledger out of PostgreSQL, ends of the
 * topics out of Kafka.
 *
 * Guarantee: the positions are read before Kafka's ends, so that a lag is never too small. It changes nothing, and joins
 * no group. Threads: the main thread; the signal handler sets one flag.
 */
#include <stdlib.h>
#include <unistd.h>

#include <gracecube/sink.h>

#include "cli/output.h"
#include "cli/command.h"
#include "cli/group.h"
#include "cli/status.h"
#include "kafka/client.h"
#include <gracecube/stop.h>

#define STALLED_AFTER_US GC_MINUTE_US
/* A record that has just come to an idle partition looks like a stall: a second snapshot tells them apart. */
#define CONFIRM_AFTER_US GC_SECOND_US

struct status_options {
	bool watch;
	int64_t every_us, timeout_us;
};

/* ---- PostgreSQL ---- */

static const char rows_sql[] =
	"SELECT o.topic, o.partition, o.stream, o.first_offset, o.next_offset, o.applied, o.superseded, o.dead, o.ignored, o.expired, o.contradicting, o.owner,"
	" (EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = o.owner_pid AND a.datname = current_database()))::int, " GC_SQL_US(
		"o.last_record_at") ", " GC_SQL_US("o.updated_at") " FROM cube.etl_offset o WHERE o.group_id = $1 ORDER BY o.topic COLLATE \"C\", o.partition";

/* A program that tells nothing may have gone on with it since. */
static const char halts_sql[] = "SELECT h.topic, h.partition, " GC_SQL_US(
	"h.halted_at") ", h.code, h.reason FROM cube.etl_halt h WHERE h.group_id = $1"
		       " AND NOT EXISTS (SELECT FROM cube.etl_offset o WHERE (o.group_id, o.topic, o.partition) = (h.group_id, h.topic, h.partition)"
		       " AND o.updated_at > h.told_at) ORDER BY h.topic COLLATE \"C\", h.partition";

static const char totals_sql[] = "SELECT " GC_SQL_US(
	"clock_timestamp()") ","
			     " (SELECT coalesce(sum(to_offset - from_offset), 0)::bigint FROM cube.etl_gap WHERE group_id = $1),"
			     " (SELECT string_agg(DISTINCT group_id, ', ') FROM cube.etl_offset WHERE group_id <> $1)";

static struct gc_partition_status *add_partition(struct gc_snapshot *snapshot)
{
	if (snapshot->count == snapshot->capacity) {
		snapshot->capacity = snapshot->capacity ? 2 * snapshot->capacity : 64;
		snapshot->partitions = gc_realloc(snapshot->partitions, snapshot->capacity * sizeof(*snapshot->partitions));
	}
	snapshot->partitions[snapshot->count] = (struct gc_partition_status){ .low = -1,
									      .high = -1,
									      .lag = -1,
									      .state = GC_PARTITION_UNKNOWN,
									      .data_through_us = GC_NO_TIME,
									      .moved_us = GC_NO_TIME };
	return &snapshot->partitions[snapshot->count++];
}

static const char *keep(struct gc_snapshot *snapshot, const char *text)
{
	return gc_arena_dup(&snapshot->arena, gc_span_of(text)).ptr;
}

static void take_row(void *arg, const char *const *values, int columns)
{
	struct gc_snapshot *snapshot = arg;
	struct gc_partition_status *p = add_partition(snapshot);

	(void)columns;
	p->has_row = true;
	p->topic = keep(snapshot, values[0]);
	p->partition = (int32_t)gc_output_int(values[1], 0);
	p->stream = keep(snapshot, values[2]);
	p->first_offset = gc_output_int(values[3], 0);
	p->next_offset = gc_output_int(values[4], 0);
	p->applied = gc_output_int(values[5], 0);
	p->superseded = gc_output_int(values[6], 0);
	p->dead = gc_output_int(values[7], 0);
	p->ignored = gc_output_int(values[8], 0);
	p->expired = gc_output_int(values[9], 0);
	p->contradicting = gc_output_int(values[10], 0);
	p->owner = keep(snapshot, values[11]);
	p->owner_is_connected = gc_output_int(values[12], 0) == 1;
	p->data_through_us = gc_output_int(values[13], GC_NO_TIME);
	p->moved_us = gc_output_int(values[14], GC_NO_TIME);
}

/* Nobody tells any more of a topic that is not configured. */
static void take_halt(void *arg, const char *const *values, int columns)
{
	struct gc_snapshot *snapshot = arg;

	(void)columns;
	if (!gc_config_stream_of(snapshot->cfg, gc_span_of(values[0])))
		return;
	snapshot->halts = gc_realloc(snapshot->halts, (snapshot->halt_count + 1) * sizeof(*snapshot->halts));
	snapshot->halts[snapshot->halt_count++] = (struct gc_halt_status){ .topic = keep(snapshot, values[0]),
									   .partition = (int32_t)gc_output_int(values[1], 0),
									   .since_us = gc_output_int(values[2], 0),
									   .code = keep(snapshot, values[3]),
									   .reason = keep(snapshot, values[4]) };
}

static void take_totals(void *arg, const char *const *values, int columns)
{
	struct gc_snapshot *snapshot = arg;

	(void)columns;
	snapshot->now_us = gc_output_int(values[0], 0);
	snapshot->lost = gc_output_int(values[1], 0);
	snapshot->other_groups = keep(snapshot, values[2]);
}

static enum gc_verdict read_rows(struct gc_snapshot *snapshot, struct gc_pg *pg, struct gc_err *err)
{
	const char *values[] = { snapshot->cfg->kafka_group_id };
	enum gc_verdict verdict = gc_pg_query(pg, rows_sql, values, 1, take_row, snapshot, err);

	snapshot->row_count = snapshot->count;
	if (!verdict)
		verdict = gc_pg_query(pg, halts_sql, values, 1, take_halt, snapshot, err);
	return verdict ? verdict : gc_pg_query(pg, totals_sql, values, 1, take_totals, snapshot, err);
}

/* ---- Kafka ---- */

static int compare_partitions(const void *a, const void *b)
{
	const struct gc_partition_status *left = a, *right = b;
	int order = strcmp(left->topic, right->topic);

	return order ? order : (left->partition > right->partition) - (left->partition < right->partition);
}

static int compare_topics(const void *a, const void *b)
{
	return strcmp(((const struct gc_kafka_topic *)a)->name, ((const struct gc_kafka_topic *)b)->name);
}

/* Those of the configuration and those that have rows, each once; free() it. */
static struct gc_kafka_topic *list_topics(const struct gc_snapshot *snapshot, size_t *ret_count)
{
	size_t count, distinct = 0;
	struct gc_kafka_topic *topics = gc_kafka_configured(snapshot->cfg, snapshot->row_count, &count);

	for (size_t i = 0; i < snapshot->row_count; i++)
		topics[count++].name = snapshot->partitions[i].topic;
	if (count)
		qsort(topics, count, sizeof(*topics), compare_topics);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || compare_topics(&topics[i], &topics[i - 1]))
			topics[distinct++] = topics[i];
	*ret_count = distinct;
	return topics;
}

/* The rows stand sorted at the front. */
static struct gc_partition_status *find_row(struct gc_snapshot *snapshot, const char *topic, int32_t partition)
{
	struct gc_partition_status wanted = { .topic = topic, .partition = partition };

	return snapshot->row_count ? bsearch(&wanted, snapshot->partitions, snapshot->row_count, sizeof(wanted), compare_partitions)
				   : NULL;
}

static void put_partition(struct gc_snapshot *snapshot, const char *topic, int32_t partition)
{
	const struct gc_stream_config *stream = gc_config_stream_of(snapshot->cfg, gc_span_of(topic));
	struct gc_partition_status *p = find_row(snapshot, topic, partition);

	if (!p) {
		p = add_partition(snapshot);
		p->topic = topic;
		p->partition = partition;
		p->stream = stream ? stream->name : NULL;
	}
	p->in_kafka = true;
}

/* Topic names belong to the configuration or to the snapshot's arena. */
static enum gc_verdict put_topics(struct gc_snapshot *snapshot, rd_kafka_t *rk, int64_t timeout_us, struct gc_err *err)
{
	size_t count;
	struct gc_kafka_topic *topics = list_topics(snapshot, &count);
	enum gc_verdict verdict = gc_kafka_topics(rk, topics, count, timeout_us, err);

	for (size_t i = 0; !verdict && i < count; i++)
		for (int32_t p = 0; p < topics[i].partitions; p++)
			put_partition(snapshot, topics[i].name, p);
	free(topics);
	return verdict;
}

static enum gc_verdict put_watermarks(struct gc_snapshot *snapshot, rd_kafka_t *rk, int64_t timeout_us, struct gc_err *err)
{
	struct gc_kafka_watermarks *marks = gc_calloc(snapshot->count + 1, sizeof(*marks));
	size_t count = 0, answered = 0;
	enum gc_verdict verdict;

	for (size_t i = 0; i < snapshot->count; i++)
		if (snapshot->partitions[i].in_kafka)
			marks[count++] = (struct gc_kafka_watermarks){ .topic = snapshot->partitions[i].topic,
								       .partition = snapshot->partitions[i].partition };
	verdict = gc_kafka_watermarks(rk, marks, count, timeout_us, err);
	for (size_t i = 0; !verdict && i < snapshot->count; i++) {
		if (!snapshot->partitions[i].in_kafka)
			continue;
		snapshot->partitions[i].low = marks[answered].low;
		snapshot->partitions[i].high = marks[answered++].high;
	}
	free(marks);
	return verdict;
}

static void ask_kafka(struct gc_snapshot *snapshot, struct gc_kafka_client *client, int64_t timeout_us)
{
	enum gc_verdict verdict = put_topics(snapshot, client->rk, timeout_us, &snapshot->kafka);

	if (!verdict)
		verdict = put_watermarks(snapshot, client->rk, timeout_us, &snapshot->kafka);
	if (verdict)
		gc_kafka_explain(client, &snapshot->kafka);
}

/* ---- one snapshot ---- */

static enum gc_partition_state state_of(const struct gc_snapshot *snapshot, const struct gc_partition_status *p)
{
	if (snapshot->kafka.verdict)
		return GC_PARTITION_UNKNOWN;
	if (!p->in_kafka)
		return GC_PARTITION_GONE;
	if (p->has_row && p->high >= 0 && p->next_offset > p->high)
		return GC_PARTITION_AHEAD;
	if (p->halt)
		return GC_PARTITION_HALTED;
	if (!p->has_row)
		return GC_PARTITION_UNREAD;
	if (p->high < 0)
		return GC_PARTITION_UNKNOWN;
	if (p->next_offset == p->high)
		return GC_PARTITION_OK;
	return snapshot->now_us - p->moved_us > STALLED_AFTER_US ? GC_PARTITION_STALLED : GC_PARTITION_BEHIND;
}

static const struct gc_halt_status *find_halt(const struct gc_snapshot *snapshot, const struct gc_partition_status *p)
{
	for (size_t i = 0; i < snapshot->halt_count; i++)
		if (snapshot->halts[i].partition == p->partition && strcmp(snapshot->halts[i].topic, p->topic) == 0)
			return &snapshot->halts[i];
	return NULL;
}

static void evaluate(struct gc_snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->count; i++) {
		struct gc_partition_status *p = &snapshot->partitions[i];
		int64_t from = p->has_row ? p->next_offset : p->low;

		p->halt = find_halt(snapshot, p);
		p->state = state_of(snapshot, p);
		if (p->high >= 0 && p->state != GC_PARTITION_AHEAD)
			p->lag = p->high - from;
	}
	if (snapshot->count)
		qsort(snapshot->partitions, snapshot->count, sizeof(*snapshot->partitions), compare_partitions);
}

static bool has_state(const struct gc_snapshot *snapshot, enum gc_partition_state state)
{
	for (size_t i = 0; i < snapshot->count; i++)
		if (snapshot->partitions[i].state == state)
			return true;
	return false;
}

static void free_snapshot(struct gc_snapshot *snapshot)
{
	gc_arena_done(&snapshot->arena);
	free(snapshot->halts);
	free(snapshot->partitions);
}

/* The connections, which are kept from one snapshot to the next. */
struct sources {
	struct gc_config *cfg;
	const struct status_options *options;
	struct gc_pg *pg;
	struct gc_kafka_client *kafka;
};

static enum gc_verdict take_snapshot(struct sources *sources, struct gc_snapshot *ret_snapshot, struct gc_err *err)
{
	struct gc_snapshot snapshot = { .cfg = sources->cfg, .kafka = { .verdict = GC_OK } };
	enum gc_verdict verdict = GC_OK;

	gc_arena_init(&snapshot.arena);
	if (!sources->pg)
		verdict = gc_pg_open_reader(sources->cfg, "gracecube status", &sources->pg, err);
	if (!verdict)
		verdict = gc_group_settle(sources->cfg, sources->pg, err);
	if (!verdict)
		verdict = read_rows(&snapshot, sources->pg, err);
	if (verdict) {
		gc_pg_close(sources->pg);
		sources->pg = NULL;
		free_snapshot(&snapshot);
		return verdict;
	}
	ask_kafka(&snapshot, sources->kafka, sources->options->timeout_us);
	evaluate(&snapshot);
	*ret_snapshot = snapshot;
	return GC_OK;
}

static enum gc_verdict confirm_stalled(struct sources *sources, struct gc_snapshot *ret_snapshot, struct gc_err *err)
{
	enum gc_verdict verdict = take_snapshot(sources, ret_snapshot, err);

	if (verdict || !has_state(ret_snapshot, GC_PARTITION_STALLED))
		return verdict;
	gc_sleep_us(CONFIRM_AFTER_US);
	free_snapshot(ret_snapshot);
	return take_snapshot(sources, ret_snapshot, err);
}

/* ---- the command ---- */

static int show_once(struct sources *sources, bool as_json)
{
	struct gc_snapshot snapshot;
	struct gc_err err;

	if (confirm_stalled(sources, &snapshot, &err))
		return gc_command_fail(&err);
	if (as_json)
		gc_snapshot_print_json(&snapshot, false);
	else
		gc_snapshot_print(&snapshot);
	free_snapshot(&snapshot);
	return GC_EXIT_DONE;
}

static void show_again(const struct gc_snapshot *snapshot, bool as_json, bool on_terminal)
{
	char time[GC_OUTPUT_BYTES];

	if (as_json) {
		gc_snapshot_print_json(snapshot, true);
	} else {
		if (on_terminal)
			fputs("\033[H\033[J", stdout); /* home, and erase what is below */
		printf("group %s at %s UTC\n\n", snapshot->cfg->kafka_group_id,
		       gc_output_time(snapshot->now_us, time, sizeof(time)));
		gc_snapshot_print(snapshot);
		if (!on_terminal)
			putchar('\n');
	}
	fflush(stdout);
}

/* A database that has answered once is waited for when it goes away. */
static int show_until_stopped(struct sources *sources, bool as_json)
{
	const char *term = getenv("TERM");
	bool on_terminal = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0, has_seen = false;
	struct gc_snapshot snapshot;
	struct gc_err err;

	gc_stop_on_signals(0);
	while (!gc_stop_was_asked() && !ferror(stdout)) {
		enum gc_verdict verdict;

		gc_kafka_login_renew(&sources->kafka->login, sources->kafka->rk, sources->cfg);
		verdict = take_snapshot(sources, &snapshot, &err);
		if (verdict && (verdict != GC_RETRY || !has_seen))
			return gc_command_fail(&err);
		if (verdict) {
			gc_command_fail(&err);
		} else {
			show_again(&snapshot, as_json, on_terminal);
			free_snapshot(&snapshot);
			has_seen = true;
		}
		if (!gc_stop_was_asked())
			gc_sleep_us(sources->options->every_us);
	}
	return GC_EXIT_DONE;
}

static int run_status(struct gc_command_line *line)
{
	struct gc_config cfg;
	struct sources sources = { .cfg = &cfg, .options = line->options };
	struct gc_err err;
	int code;

	if (gc_command_config(line, &cfg, &err))
		return gc_command_fail(&err);
	if (gc_kafka_open(&cfg, &sources.kafka, &err))
		code = gc_command_fail(&err);
	else if (sources.options->watch)
		code = show_until_stopped(&sources, line->json);
	else
		code = show_once(&sources, line->json);
	gc_kafka_close(sources.kafka);
	gc_pg_close(sources.pg);
	gc_config_free(&cfg);
	return code;
}

static const struct gc_flag flags[] = {
	{ "watch", 'w', NULL, "show it again and again until Ctrl-C", GC_FLAG_BOOL,
	  .offset = offsetof(struct status_options, watch) },
	{ "every", 0, "TIME", "how long between two looks of --watch", GC_FLAG_DURATION,
	  .offset = offsetof(struct status_options, every_us), .initially = "2s", .min = GC_SECOND_US / 10, .max = GC_HOUR_US },
	GC_FLAG_KAFKA_TIMEOUT(struct status_options),
	{ .name = NULL },
};

const struct gc_command gc_command_status = {
	.name = "status",
	.summary = "shows positions, lag, ledger and freshness of every partition",
	.usage = "status [options]",
	.help = "Examples:\n"
		"  gracecube status\n"
		"  gracecube status --watch --every 5s\n"
		"  gracecube status --json | jq .totals.lag_records\n"
		"\n"
		"One line for each partition of the configured topics, and of all that the group of kafka.group_id has read; while the\n"
		"default group has read nothing, and no flag or variable names it, of the group that moved last. It works from any\n"
		"machine that reaches the database; without Kafka all but the ends and the lag is there.\n"
		"\n"
		"  next          the next offset to be read: all before it is in the cube or accounted for\n"
		"  end           Kafka's high watermark: the offset after the last record\n"
		"  lag, behind   records from next to end; how old the newest record in the cube is, where there is a lag\n"
		"  applied, superseded, dead, ignored\n"
		"                what became of the records: changed the cube; were older than what it holds, or duplicates; are dead\n"
		"                letters (`gracecube dead list`); mean nothing here, or are expired: of months that are dropped\n"
		"                (`gracecube retention`). Superseded and contradicting: by their own time they are the newer ones\n"
		"  moved         how long ago the position moved\n"
		"  data through  Kafka's timestamp of the newest record in the cube, UTC\n"
		"  owner         host:process:worker that reads it; (left) when it is no longer connected\n"
		"\n"
		"States: OK, all is in the cube · BEHIND, records wait and the position moves · HALTED, it cannot be read or applied, the\n"
		"others go on, and it is tried again: since when and why stands below · STALLED, records wait and the position has not\n"
		"moved for a minute · UNREAD, in Kafka, but nobody has read it yet · AHEAD, the position is beyond the end: the\n"
		"topic was made anew · GONE, no longer in Kafka · UNKNOWN, Kafka does not answer.\n"
		"\n"
		"--watch with --json prints one line a look.\n"
		"\n"
		"Exit codes: 0 shown, whatever the states; 2 wrong words; 69 PostgreSQL not reachable; 78 wrong configuration, a\n"
		"refused login, a missing right, or no cube in the database.\n",
	.flags = flags,
	.options_bytes = sizeof(struct status_options),
	.has_json = true,
	.run = run_status,
};
