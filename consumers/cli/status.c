/* gracecube status: where every partition stands, from any shell: positions and ledger out of PostgreSQL, ends of the
 * topics out of Kafka.
 *
 * Guarantee: the positions are read before Kafka's ends, so that a lag is never too small. It changes nothing, and joins
 * no group. Threads: the main thread; the signal handler sets one flag.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include <gracecube/sink.h>

#include "cli/output.h"
#include "cli/command.h"
#include "cli/group.h"
#include "kafka/client.h"
#include <gracecube/stop.h>

#define STALLED_AFTER_US GC_MINUTE_US
/* A record that has just come to an idle partition looks like a stall: a second snapshot tells them apart. */
#define CONFIRM_AFTER_US GC_SECOND_US

struct status_options {
	bool watch;
	int64_t every_us, timeout_us;
};

enum state {
	STATE_OK,      /* everything up to Kafka's end is in the cube */
	STATE_BEHIND,  /* records wait, and the position moves */
	STATE_STALLED, /* records wait, and the position has not moved for a minute */
	STATE_UNREAD,  /* in Kafka; nobody has claimed it yet */
	STATE_AHEAD,   /* the position is beyond Kafka's end: another topic under the same name */
	STATE_GONE,    /* has a position, is not in Kafka */
	STATE_UNKNOWN, /* Kafka did not answer */
	STATE_COUNT,
};

static const char *const state_names[STATE_COUNT] = { "OK", "BEHIND", "STALLED", "UNREAD", "AHEAD", "GONE", "UNKNOWN" };

struct partition_status {
	const char *stream, *topic;
	int32_t partition;
	bool has_row;
	int64_t first_offset, next_offset, applied, superseded, dead, ignored, expired;
	const char *owner;
	bool owner_is_connected;
	int64_t data_through_us, moved_us;
	bool in_kafka;
	int64_t low, high; /* -1: not known */
	enum state state;
	int64_t lag; /* records, -1: not known */
};

/* All of one moment. */
struct snapshot {
	const struct gc_config *cfg;
	struct gc_arena arena;
	struct partition_status *partitions;
	size_t count, capacity, row_count; /* the rows come first until all is sorted */
	int64_t now_us;                    /* the database's */
	int64_t lost;                      /* records that retention deleted unread */
	const char *other_groups;          /* names, NULL when there are none */
	struct gc_err kafka;               /* why Kafka did not answer; GC_OK when it did */
};

/* ---- PostgreSQL ---- */

static const char rows_sql[] =
	"SELECT o.topic, o.partition, o.stream, o.first_offset, o.next_offset, o.applied, o.superseded, o.dead, o.ignored, o.expired, o.owner,"
	" (EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = o.owner_pid AND a.datname = current_database()))::int, " GC_SQL_US(
		"o.last_record_at") ", " GC_SQL_US("o.updated_at") " FROM cube.etl_offset o WHERE o.group_id = $1 ORDER BY o.topic COLLATE \"C\", o.partition";

static const char totals_sql[] = "SELECT " GC_SQL_US(
	"clock_timestamp()") ","
			     " (SELECT coalesce(sum(to_offset - from_offset), 0)::bigint FROM cube.etl_gap WHERE group_id = $1),"
			     " (SELECT string_agg(DISTINCT group_id, ', ') FROM cube.etl_offset WHERE group_id <> $1)";

static struct partition_status *add_partition(struct snapshot *snapshot)
{
	if (snapshot->count == snapshot->capacity) {
		snapshot->capacity = snapshot->capacity ? 2 * snapshot->capacity : 64;
		snapshot->partitions = gc_realloc(snapshot->partitions, snapshot->capacity * sizeof(*snapshot->partitions));
	}
	snapshot->partitions[snapshot->count] = (struct partition_status){
		.low = -1, .high = -1, .lag = -1, .state = STATE_UNKNOWN, .data_through_us = GC_NO_TIME, .moved_us = GC_NO_TIME
	};
	return &snapshot->partitions[snapshot->count++];
}

static const char *keep(struct snapshot *snapshot, const char *text)
{
	return gc_arena_dup(&snapshot->arena, gc_span_of(text)).ptr;
}

static void take_row(void *arg, const char *const *values, int columns)
{
	struct snapshot *snapshot = arg;
	struct partition_status *p = add_partition(snapshot);

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
	p->owner = keep(snapshot, values[10]);
	p->owner_is_connected = gc_output_int(values[11], 0) == 1;
	p->data_through_us = gc_output_int(values[12], GC_NO_TIME);
	p->moved_us = gc_output_int(values[13], GC_NO_TIME);
}

static void take_totals(void *arg, const char *const *values, int columns)
{
	struct snapshot *snapshot = arg;

	(void)columns;
	snapshot->now_us = gc_output_int(values[0], 0);
	snapshot->lost = gc_output_int(values[1], 0);
	snapshot->other_groups = keep(snapshot, values[2]);
}

static enum gc_verdict read_rows(struct snapshot *snapshot, struct gc_pg *pg, struct gc_err *err)
{
	const char *values[] = { snapshot->cfg->kafka_group_id };
	enum gc_verdict verdict = gc_pg_query(pg, rows_sql, values, 1, take_row, snapshot, err);

	snapshot->row_count = snapshot->count;
	return verdict ? verdict : gc_pg_query(pg, totals_sql, values, 1, take_totals, snapshot, err);
}

/* ---- Kafka ---- */

static int compare_partitions(const void *a, const void *b)
{
	const struct partition_status *left = a, *right = b;
	int order = strcmp(left->topic, right->topic);

	return order ? order : (left->partition > right->partition) - (left->partition < right->partition);
}

static int compare_topics(const void *a, const void *b)
{
	return strcmp(((const struct gc_kafka_topic *)a)->name, ((const struct gc_kafka_topic *)b)->name);
}

/* Those of the configuration and those that have rows, each once; free() it. */
static struct gc_kafka_topic *list_topics(const struct snapshot *snapshot, size_t *ret_count)
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
static struct partition_status *find_row(struct snapshot *snapshot, const char *topic, int32_t partition)
{
	struct partition_status wanted = { .topic = topic, .partition = partition };

	return snapshot->row_count ? bsearch(&wanted, snapshot->partitions, snapshot->row_count, sizeof(wanted), compare_partitions)
				   : NULL;
}

static void put_partition(struct snapshot *snapshot, const char *topic, int32_t partition)
{
	const struct gc_stream_config *stream = gc_config_stream_of(snapshot->cfg, gc_span_of(topic));
	struct partition_status *p = find_row(snapshot, topic, partition);

	if (!p) {
		p = add_partition(snapshot);
		p->topic = topic;
		p->partition = partition;
		p->stream = stream ? stream->name : NULL;
	}
	p->in_kafka = true;
}

/* Topic names belong to the configuration or to the snapshot's arena. */
static enum gc_verdict put_topics(struct snapshot *snapshot, rd_kafka_t *rk, int64_t timeout_us, struct gc_err *err)
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

static enum gc_verdict put_watermarks(struct snapshot *snapshot, rd_kafka_t *rk, int64_t timeout_us, struct gc_err *err)
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

static void ask_kafka(struct snapshot *snapshot, struct gc_kafka_client *client, int64_t timeout_us)
{
	enum gc_verdict verdict = put_topics(snapshot, client->rk, timeout_us, &snapshot->kafka);

	if (!verdict)
		verdict = put_watermarks(snapshot, client->rk, timeout_us, &snapshot->kafka);
	if (verdict)
		gc_kafka_explain(client, &snapshot->kafka);
}

/* ---- one look ---- */

static enum state state_of(const struct snapshot *snapshot, const struct partition_status *p)
{
	if (snapshot->kafka.verdict)
		return STATE_UNKNOWN;
	if (!p->in_kafka)
		return STATE_GONE;
	if (!p->has_row)
		return STATE_UNREAD;
	if (p->high < 0)
		return STATE_UNKNOWN;
	if (p->next_offset >= p->high)
		return p->next_offset > p->high ? STATE_AHEAD : STATE_OK;
	return snapshot->now_us - p->moved_us > STALLED_AFTER_US ? STATE_STALLED : STATE_BEHIND;
}

static void evaluate(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->count; i++) {
		struct partition_status *p = &snapshot->partitions[i];
		int64_t from = p->has_row ? p->next_offset : p->low;

		p->state = state_of(snapshot, p);
		if (p->high >= 0 && p->state != STATE_AHEAD)
			p->lag = p->high - from;
	}
	if (snapshot->count)
		qsort(snapshot->partitions, snapshot->count, sizeof(*snapshot->partitions), compare_partitions);
}

/* Seconds that the cube is behind, in µs: 0 at the end of the partition, GC_NO_TIME when it cannot be told. */
static int64_t behind_us(const struct snapshot *snapshot, const struct partition_status *p)
{
	if (p->lag <= 0 || p->data_through_us == GC_NO_TIME)
		return p->lag == 0 ? 0 : GC_NO_TIME;
	return p->data_through_us < snapshot->now_us ? snapshot->now_us - p->data_through_us : 0;
}

static bool has_state(const struct snapshot *snapshot, enum state state)
{
	for (size_t i = 0; i < snapshot->count; i++)
		if (snapshot->partitions[i].state == state)
			return true;
	return false;
}

static void free_snapshot(struct snapshot *snapshot)
{
	gc_arena_done(&snapshot->arena);
	free(snapshot->partitions);
}

/* The connections, which are kept from one snapshot to the next. */
struct sources {
	struct gc_config *cfg;
	const struct status_options *options;
	struct gc_pg *pg;
	struct gc_kafka_client *kafka;
};

static enum gc_verdict take_snapshot(struct sources *sources, struct snapshot *ret_snapshot, struct gc_err *err)
{
	struct snapshot snapshot = { .cfg = sources->cfg, .kafka = { .verdict = GC_OK } };
	enum gc_verdict verdict = GC_OK;

	gc_arena_init(&snapshot.arena);
	if (!sources->pg)
		verdict = gc_pg_open(sources->cfg, "gracecube status", &sources->pg, err);
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

static enum gc_verdict confirm_stalled(struct sources *sources, struct snapshot *ret_snapshot, struct gc_err *err)
{
	enum gc_verdict verdict = take_snapshot(sources, ret_snapshot, err);

	if (verdict || !has_state(ret_snapshot, STATE_STALLED))
		return verdict;
	gc_sleep_us(CONFIRM_AFTER_US);
	free_snapshot(ret_snapshot);
	return take_snapshot(sources, ret_snapshot, err);
}

/* ---- the answer ---- */

struct totals {
	int64_t states[STATE_COUNT];
	int64_t lag, applied, superseded, dead, ignored, expired, moved_us, data_through_us;
	bool lag_is_known;
};

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static struct totals sum_up(const struct snapshot *snapshot)
{
	struct totals totals = { .moved_us = GC_NO_TIME, .data_through_us = GC_NO_TIME, .lag_is_known = !snapshot->kafka.verdict };

	for (size_t i = 0; i < snapshot->count; i++) {
		const struct partition_status *p = &snapshot->partitions[i];

		totals.states[p->state]++;
		totals.lag += p->lag > 0 ? p->lag : 0;
		totals.applied += p->applied;
		totals.superseded += p->superseded;
		totals.dead += p->dead;
		totals.ignored += p->ignored;
		totals.expired += p->expired;
		totals.moved_us = later(totals.moved_us, p->moved_us);
		totals.data_through_us = later(totals.data_through_us, p->data_through_us);
	}
	return totals;
}

static const struct gc_table_column columns[] = {
	{ "state", false, 0 },        { "topic", false, 60 }, { "partition", true, 0 }, { "next", true, 0 },
	{ "end", true, 0 },           { "lag", true, 0 },     { "behind", true, 0 },    { "applied", true, 0 },
	{ "superseded", true, 0 },    { "dead", true, 0 },    { "ignored", true, 0 },   { "moved", true, 0 },
	{ "data through", false, 0 }, { "owner", false, 0 },
};

static void add_known(struct gc_table *table, int64_t number, bool is_known)
{
	if (is_known)
		gc_table_add_int(table, number);
	else
		gc_table_add(table, NULL);
}

static void add_age(struct gc_table *table, int64_t us, bool is_known)
{
	char text[GC_ANSWER_BYTES];

	gc_table_add(table, is_known ? gc_output_age(us, text, sizeof(text)) : NULL);
}

static void add_owner(struct gc_table *table, const struct partition_status *p)
{
	char text[300];

	snprintf(text, sizeof(text), "%s (left)", p->owner ? p->owner : "");
	gc_table_add(table, !p->owner || p->owner_is_connected ? p->owner : text);
}

static void add_row(struct gc_table *table, const struct snapshot *snapshot, const struct partition_status *p)
{
	int64_t behind = behind_us(snapshot, p);
	char time[GC_ANSWER_BYTES];

	gc_table_add(table, state_names[p->state]);
	gc_table_add(table, p->topic);
	gc_table_add_int(table, p->partition);
	add_known(table, p->next_offset, p->has_row);
	add_known(table, p->high, p->high >= 0);
	add_known(table, p->lag, p->lag >= 0);
	add_age(table, behind, behind != GC_NO_TIME);
	add_known(table, p->applied, p->has_row);
	add_known(table, p->superseded, p->has_row);
	add_known(table, p->dead, p->has_row);
	add_known(table, p->ignored, p->has_row);
	add_age(table, snapshot->now_us - p->moved_us, p->has_row);
	gc_table_add(table, gc_output_time(p->data_through_us, time, sizeof(time)));
	add_owner(table, p);
}

static void print_partitions(const struct snapshot *snapshot)
{
	struct gc_table table;

	gc_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < snapshot->count; i++)
		add_row(&table, snapshot, &snapshot->partitions[i]);
	gc_table_print(&table, stdout);
	gc_table_done(&table);
}

static void print_states(const struct snapshot *snapshot, const struct totals *totals)
{
	const char *separator = ":";

	printf("total: %zu partitions", snapshot->count);
	for (int state = 0; state < STATE_COUNT; state++) {
		if (totals->states[state] == 0)
			continue;
		printf("%s %" PRId64 " %s", separator, totals->states[state], state_names[state]);
		separator = ",";
	}
}

static void print_count(const char *before, int64_t number, const char *after)
{
	char text[GC_ANSWER_BYTES];

	printf("%s%s%s", before, gc_output_count(number, text, sizeof(text)), after);
}

static void print_totals(const struct snapshot *snapshot)
{
	struct totals totals = sum_up(snapshot);
	char age[GC_ANSWER_BYTES], time[GC_ANSWER_BYTES];

	print_states(snapshot, &totals);
	if (totals.lag_is_known)
		print_count("; lag ", totals.lag, " records");
	else
		printf("; lag unknown");
	print_count("; applied ", totals.applied, "");
	print_count(", superseded ", totals.superseded, "");
	print_count(", dead ", totals.dead, "");
	print_count(", ignored ", totals.ignored, "");
	if (totals.expired)
		print_count(" (", totals.expired, " of them expired)");
	if (totals.moved_us != GC_NO_TIME)
		printf("; last move %s ago, data through %s", gc_output_age(snapshot->now_us - totals.moved_us, age, sizeof(age)),
		       gc_output_time(totals.data_through_us, time, sizeof(time)));
	putchar('\n');
}

static void print_notes(const struct snapshot *snapshot)
{
	const char *group = snapshot->cfg->kafka_group_id;

	if (snapshot->lost)
		print_count("", snapshot->lost, " records were deleted by retention before they were read, see cube.etl_gap\n");
	if (snapshot->kafka.verdict)
		printf("Kafka does not answer, so ends and lag are unknown: %s\n", snapshot->kafka.text);
	if (snapshot->row_count == 0 && snapshot->other_groups)
		printf("group %s has read nothing yet; the cube has positions of: %s (kafka.group_id)\n", group,
		       snapshot->other_groups);
	else if (snapshot->row_count == 0)
		printf("group %s has read nothing yet; `gracecube run` begins\n", group);
	if (snapshot->count == 0 && !snapshot->kafka.verdict)
		puts("Kafka has none of the configured topics; `gracecube check` lists them");
}

static void print_page(const struct snapshot *snapshot)
{
	print_partitions(snapshot);
	if (snapshot->count)
		putchar('\n');
	print_notes(snapshot);
	if (snapshot->count)
		print_totals(snapshot);
}

static json_t *known_json(int64_t number, bool is_known)
{
	return is_known ? json_integer((json_int_t)number) : json_null();
}

static json_t *partition_json(const struct snapshot *snapshot, const struct partition_status *p)
{
	int64_t behind = behind_us(snapshot, p);
	bool has_row = p->has_row;
	json_t *json = json_object();

	json_object_set_new(json, "state", gc_output_text_json(state_names[p->state]));
	json_object_set_new(json, "stream", gc_output_text_json(p->stream));
	json_object_set_new(json, "topic", gc_output_text_json(p->topic));
	json_object_set_new(json, "partition", json_integer(p->partition));
	json_object_set_new(json, "first_offset", known_json(p->first_offset, has_row));
	json_object_set_new(json, "next_offset", known_json(p->next_offset, has_row));
	json_object_set_new(json, "high_watermark", known_json(p->high, p->high >= 0));
	json_object_set_new(json, "lag_records", known_json(p->lag, p->lag >= 0));
	json_object_set_new(json, "seconds_behind", behind == GC_NO_TIME ? json_null() : json_real((double)behind / GC_SECOND_US));
	json_object_set_new(json, "applied", known_json(p->applied, has_row));
	json_object_set_new(json, "superseded", known_json(p->superseded, has_row));
	json_object_set_new(json, "dead", known_json(p->dead, has_row));
	json_object_set_new(json, "ignored", known_json(p->ignored, has_row));
	json_object_set_new(json, "expired", known_json(p->expired, has_row));
	json_object_set_new(json, "moved_at", gc_output_time_json(p->moved_us));
	json_object_set_new(json, "data_through", gc_output_time_json(p->data_through_us));
	json_object_set_new(json, "owner", gc_output_text_json(p->owner));
	json_object_set_new(json, "owner_is_connected", json_boolean(p->owner_is_connected));
	return json;
}

static json_t *totals_json(const struct snapshot *snapshot)
{
	struct totals totals = sum_up(snapshot);
	json_t *json = json_object(), *states = json_object();

	for (int state = 0; state < STATE_COUNT; state++)
		json_object_set_new(states, state_names[state], json_integer((json_int_t)totals.states[state]));
	json_object_set_new(json, "partitions", json_integer((json_int_t)snapshot->count));
	json_object_set_new(json, "states", states);
	json_object_set_new(json, "lag_records", known_json(totals.lag, totals.lag_is_known));
	json_object_set_new(json, "applied", json_integer((json_int_t)totals.applied));
	json_object_set_new(json, "superseded", json_integer((json_int_t)totals.superseded));
	json_object_set_new(json, "dead", json_integer((json_int_t)totals.dead));
	json_object_set_new(json, "ignored", json_integer((json_int_t)totals.ignored));
	json_object_set_new(json, "expired", json_integer((json_int_t)totals.expired));
	json_object_set_new(json, "lost_to_retention", json_integer((json_int_t)snapshot->lost));
	json_object_set_new(json, "moved_at", gc_output_time_json(totals.moved_us));
	json_object_set_new(json, "data_through", gc_output_time_json(totals.data_through_us));
	return json;
}

static void print_json(const struct snapshot *snapshot, bool on_one_line)
{
	json_t *json = json_object(), *partitions = json_array();
	bool answered = snapshot->kafka.verdict == GC_OK;

	for (size_t i = 0; i < snapshot->count; i++)
		json_array_append_new(partitions, partition_json(snapshot, &snapshot->partitions[i]));
	json_object_set_new(json, "group", gc_output_text_json(snapshot->cfg->kafka_group_id));
	json_object_set_new(json, "at", gc_output_time_json(snapshot->now_us));
	json_object_set_new(json, "kafka_answered", json_boolean(answered));
	json_object_set_new(json, "kafka_error", answered ? json_null() : gc_output_text_json(snapshot->kafka.text));
	json_object_set_new(json, "partitions", partitions);
	json_object_set_new(json, "totals", totals_json(snapshot));
	gc_output_print_json(json, on_one_line);
}

/* ---- the command ---- */

static int show_once(struct sources *sources, bool as_json)
{
	struct snapshot snapshot;
	struct gc_err err;

	if (confirm_stalled(sources, &snapshot, &err))
		return gc_command_fail(&err);
	if (as_json)
		print_json(&snapshot, false);
	else
		print_page(&snapshot);
	free_snapshot(&snapshot);
	return GC_EXIT_DONE;
}

static void show_again(const struct snapshot *snapshot, bool as_json, bool on_terminal)
{
	char time[GC_ANSWER_BYTES];

	if (as_json) {
		print_json(snapshot, true);
	} else {
		if (on_terminal)
			fputs("\033[H\033[J", stdout); /* home, and erase what is below */
		printf("group %s at %s UTC\n\n", snapshot->cfg->kafka_group_id,
		       gc_output_time(snapshot->now_us, time, sizeof(time)));
		print_page(snapshot);
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
	struct snapshot snapshot;
	struct gc_err err;

	gc_stop_on_signals(0);
	while (!gc_stop_was_asked() && !ferror(stdout)) {
		enum gc_verdict verdict = take_snapshot(sources, &snapshot, &err);

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
	{ "timeout", 0, "TIME", "how long Kafka may take to answer", GC_FLAG_DURATION,
	  .offset = offsetof(struct status_options, timeout_us), .initially = "10s", .min = GC_SECOND_US / 10, .max = GC_HOUR_US },
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
		"                (`gracecube retention`)\n"
		"  moved         how long ago the position moved\n"
		"  data through  Kafka's timestamp of the newest record in the cube, UTC\n"
		"  owner         host:process:worker that reads it; (left) when it is no longer connected\n"
		"\n"
		"States: OK, all is in the cube · BEHIND, records wait and the position moves · STALLED, records wait and the position\n"
		"has not moved for a minute · UNREAD, in Kafka, but nobody has read it yet · AHEAD, the position is beyond the end: the\n"
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
