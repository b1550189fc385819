/* gracecube status: where every partition stands, from any shell: positions and ledger out of PostgreSQL, ends of the
 * topics out of Kafka.
 *
 * Guarantee: the positions are read before Kafka's ends, so that a lag is never too small. It changes nothing, and joins
 * no group. Threads: the main thread; the signal handler sets one flag.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <gracecube/sink.h>

#include "cli/output.h"
#include "cli/command.h"
#include "cli/group.h"
#include "kafka/client.h"
#include <gracecube/stop.h>

#define STALLED_AFTER_US GC_MINUTE_US
/* A record that came this moment to a partition at rest looks like a stall: a second look tells. */
#define SECOND_LOOK_US GC_SECOND_US

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

struct place {
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
struct look {
	const struct gc_config *cfg;
	struct gc_arena arena;
	struct place *places;
	size_t count, capacity, row_count; /* the rows come first until all is sorted */
	int64_t now_us;                    /* the database's */
	int64_t lost;                      /* records that retention deleted unread */
	const char *other_groups;          /* names, NULL when there are none */
	struct gc_err kafka;               /* why Kafka did not answer; GC_OK when it did */
};

static void pause_for(int64_t us)
{
	struct timespec pause = { .tv_sec = us / GC_SECOND_US, .tv_nsec = us % GC_SECOND_US * 1000 };

	if (!gc_stop_was_asked())
		nanosleep(&pause, NULL);
}

/* ---- PostgreSQL ---- */

static const char rows_sql[] =
	"SELECT o.topic, o.partition, o.stream, o.first_offset, o.next_offset, o.applied, o.superseded, o.dead, o.ignored, o.expired, o.owner,"
	" (EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = o.owner_pid AND a.datname = current_database()))::int, " GC_SQL_US(
		"o.last_record_at") ", " GC_SQL_US("o.updated_at") " FROM cube.etl_offset o WHERE o.group_id = $1 ORDER BY o.topic COLLATE \"C\", o.partition";

static const char rest_sql[] = "SELECT " GC_SQL_US(
	"clock_timestamp()") ","
			     " (SELECT coalesce(sum(to_offset - from_offset), 0)::bigint FROM cube.etl_gap WHERE group_id = $1),"
			     " (SELECT string_agg(DISTINCT group_id, ', ') FROM cube.etl_offset WHERE group_id <> $1)";

static struct place *add_place(struct look *look)
{
	if (look->count == look->capacity) {
		look->capacity = look->capacity ? 2 * look->capacity : 64;
		look->places = gc_realloc(look->places, look->capacity * sizeof(*look->places));
	}
	look->places[look->count] = (struct place){
		.low = -1, .high = -1, .lag = -1, .state = STATE_UNKNOWN, .data_through_us = GC_NO_TIME, .moved_us = GC_NO_TIME
	};
	return &look->places[look->count++];
}

static const char *keep(struct look *look, const char *text)
{
	return gc_arena_dup(&look->arena, gc_span_of(text)).ptr;
}

static void take_row(void *arg, const char *const *values, int columns)
{
	struct look *look = arg;
	struct place *place = add_place(look);

	(void)columns;
	place->has_row = true;
	place->topic = keep(look, values[0]);
	place->partition = (int32_t)gc_answer_int(values[1], 0);
	place->stream = keep(look, values[2]);
	place->first_offset = gc_answer_int(values[3], 0);
	place->next_offset = gc_answer_int(values[4], 0);
	place->applied = gc_answer_int(values[5], 0);
	place->superseded = gc_answer_int(values[6], 0);
	place->dead = gc_answer_int(values[7], 0);
	place->ignored = gc_answer_int(values[8], 0);
	place->expired = gc_answer_int(values[9], 0);
	place->owner = keep(look, values[10]);
	place->owner_is_connected = gc_answer_int(values[11], 0) == 1;
	place->data_through_us = gc_answer_int(values[12], GC_NO_TIME);
	place->moved_us = gc_answer_int(values[13], GC_NO_TIME);
}

static void take_rest(void *arg, const char *const *values, int columns)
{
	struct look *look = arg;

	(void)columns;
	look->now_us = gc_answer_int(values[0], 0);
	look->lost = gc_answer_int(values[1], 0);
	look->other_groups = keep(look, values[2]);
}

static enum gc_verdict read_rows(struct look *look, struct gc_pg *pg, struct gc_err *err)
{
	const char *values[] = { look->cfg->kafka_group_id };
	enum gc_verdict verdict = gc_pg_query(pg, rows_sql, values, 1, take_row, look, err);

	look->row_count = look->count;
	return verdict ? verdict : gc_pg_query(pg, rest_sql, values, 1, take_rest, look, err);
}

/* ---- Kafka ---- */

static int compare_places(const void *a, const void *b)
{
	const struct place *left = a, *right = b;
	int order = strcmp(left->topic, right->topic);

	return order ? order : (left->partition > right->partition) - (left->partition < right->partition);
}

static int compare_topics(const void *a, const void *b)
{
	return strcmp(((const struct gc_kafka_topic *)a)->name, ((const struct gc_kafka_topic *)b)->name);
}

static size_t count_configured(const struct gc_config *cfg)
{
	size_t count = 0;

	for (size_t i = 0; i < cfg->stream_count; i++)
		count += cfg->streams[i].topic_count;
	return count;
}

/* Those of the configuration and those that have rows, each once; returns how many. */
static size_t name_topics(const struct look *look, struct gc_kafka_topic *topics)
{
	size_t count = 0, distinct = 0;

	for (size_t i = 0; i < look->cfg->stream_count; i++)
		for (size_t t = 0; t < look->cfg->streams[i].topic_count; t++)
			topics[count++].name = look->cfg->streams[i].topics[t];
	for (size_t i = 0; i < look->row_count; i++)
		topics[count++].name = look->places[i].topic;
	if (count)
		qsort(topics, count, sizeof(*topics), compare_topics);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || compare_topics(&topics[i], &topics[i - 1]))
			topics[distinct++] = topics[i];
	return distinct;
}

static const char *stream_of(const struct gc_config *cfg, const char *topic)
{
	for (size_t i = 0; i < cfg->stream_count; i++)
		for (size_t t = 0; t < cfg->streams[i].topic_count; t++)
			if (strcmp(cfg->streams[i].topics[t], topic) == 0)
				return cfg->streams[i].name;
	return NULL;
}

/* The rows stand sorted at the front. */
static struct place *find_row(struct look *look, const char *topic, int32_t partition)
{
	struct place wanted = { .topic = topic, .partition = partition };

	return look->row_count ? bsearch(&wanted, look->places, look->row_count, sizeof(wanted), compare_places) : NULL;
}

static void put_partition(struct look *look, const char *topic, int32_t partition)
{
	struct place *place = find_row(look, topic, partition);

	if (!place) {
		place = add_place(look);
		place->topic = topic;
		place->partition = partition;
		place->stream = stream_of(look->cfg, topic);
	}
	place->in_kafka = true;
}

/* Topic names of the configuration and of the arena outlive the look. */
static enum gc_verdict put_topics(struct look *look, rd_kafka_t *rk, int64_t timeout_us, struct gc_err *err)
{
	struct gc_kafka_topic *topics = gc_calloc(count_configured(look->cfg) + look->row_count + 1, sizeof(*topics));
	size_t count = name_topics(look, topics);
	enum gc_verdict verdict = gc_kafka_topics(rk, topics, count, timeout_us, err);

	for (size_t i = 0; !verdict && i < count; i++)
		for (int32_t p = 0; p < topics[i].partitions; p++)
			put_partition(look, topics[i].name, p);
	free(topics);
	return verdict;
}

static enum gc_verdict put_watermarks(struct look *look, rd_kafka_t *rk, int64_t timeout_us, struct gc_err *err)
{
	struct gc_kafka_watermarks *marks = gc_calloc(look->count + 1, sizeof(*marks));
	size_t count = 0, answered = 0;
	enum gc_verdict verdict;

	for (size_t i = 0; i < look->count; i++)
		if (look->places[i].in_kafka)
			marks[count++] = (struct gc_kafka_watermarks){ .topic = look->places[i].topic,
								       .partition = look->places[i].partition };
	verdict = gc_kafka_watermarks(rk, marks, count, timeout_us, err);
	for (size_t i = 0; !verdict && i < look->count; i++) {
		if (!look->places[i].in_kafka)
			continue;
		look->places[i].low = marks[answered].low;
		look->places[i].high = marks[answered++].high;
	}
	free(marks);
	return verdict;
}

static void ask_kafka(struct look *look, struct gc_kafka_client *client, int64_t timeout_us)
{
	enum gc_verdict verdict = put_topics(look, client->rk, timeout_us, &look->kafka);

	if (!verdict)
		verdict = put_watermarks(look, client->rk, timeout_us, &look->kafka);
	if (verdict)
		gc_kafka_explain(client, &look->kafka);
}

/* ---- one look ---- */

static enum state state_of(const struct look *look, const struct place *place)
{
	if (look->kafka.verdict)
		return STATE_UNKNOWN;
	if (!place->in_kafka)
		return STATE_GONE;
	if (!place->has_row)
		return STATE_UNREAD;
	if (place->high < 0)
		return STATE_UNKNOWN;
	if (place->next_offset >= place->high)
		return place->next_offset > place->high ? STATE_AHEAD : STATE_OK;
	return look->now_us - place->moved_us > STALLED_AFTER_US ? STATE_STALLED : STATE_BEHIND;
}

static void judge(struct look *look)
{
	for (size_t i = 0; i < look->count; i++) {
		struct place *place = &look->places[i];
		int64_t from = place->has_row ? place->next_offset : place->low;

		place->state = state_of(look, place);
		if (place->high >= 0 && place->state != STATE_AHEAD)
			place->lag = place->high - from;
	}
	if (look->count)
		qsort(look->places, look->count, sizeof(*look->places), compare_places);
}

/* Seconds that the cube is behind, in µs: 0 at the end of the partition, GC_NO_TIME when it cannot be told. */
static int64_t behind_us(const struct look *look, const struct place *place)
{
	if (place->lag <= 0 || place->data_through_us == GC_NO_TIME)
		return place->lag == 0 ? 0 : GC_NO_TIME;
	return place->data_through_us < look->now_us ? look->now_us - place->data_through_us : 0;
}

static bool has_state(const struct look *look, enum state state)
{
	for (size_t i = 0; i < look->count; i++)
		if (look->places[i].state == state)
			return true;
	return false;
}

static void free_look(struct look *look)
{
	gc_arena_done(&look->arena);
	free(look->places);
}

/* Who is asked; the clients stay from look to look. */
struct sources {
	struct gc_config *cfg;
	const struct status_options *options;
	struct gc_pg *pg;
	struct gc_kafka_client *kafka;
};

static enum gc_verdict look_at_all(struct sources *sources, struct look *ret_look, struct gc_err *err)
{
	struct look look = { .cfg = sources->cfg, .kafka = { .verdict = GC_OK } };
	enum gc_verdict verdict = GC_OK;

	gc_arena_init(&look.arena);
	if (!sources->pg)
		verdict = gc_pg_open(sources->cfg, "gracecube status", &sources->pg, err);
	if (!verdict)
		verdict = gc_group_settle(sources->cfg, sources->pg, err);
	if (!verdict)
		verdict = read_rows(&look, sources->pg, err);
	if (verdict) {
		gc_pg_close(sources->pg);
		sources->pg = NULL;
		free_look(&look);
		return verdict;
	}
	ask_kafka(&look, sources->kafka, sources->options->timeout_us);
	judge(&look);
	*ret_look = look;
	return GC_OK;
}

static enum gc_verdict look_twice(struct sources *sources, struct look *ret_look, struct gc_err *err)
{
	enum gc_verdict verdict = look_at_all(sources, ret_look, err);

	if (verdict || !has_state(ret_look, STATE_STALLED))
		return verdict;
	pause_for(SECOND_LOOK_US);
	free_look(ret_look);
	return look_at_all(sources, ret_look, err);
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

static struct totals sum_up(const struct look *look)
{
	struct totals totals = { .moved_us = GC_NO_TIME, .data_through_us = GC_NO_TIME, .lag_is_known = !look->kafka.verdict };

	for (size_t i = 0; i < look->count; i++) {
		const struct place *place = &look->places[i];

		totals.states[place->state]++;
		totals.lag += place->lag > 0 ? place->lag : 0;
		totals.applied += place->applied;
		totals.superseded += place->superseded;
		totals.dead += place->dead;
		totals.ignored += place->ignored;
		totals.expired += place->expired;
		totals.moved_us = later(totals.moved_us, place->moved_us);
		totals.data_through_us = later(totals.data_through_us, place->data_through_us);
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

	gc_table_add(table, is_known ? gc_answer_age(us, text, sizeof(text)) : NULL);
}

static void add_owner(struct gc_table *table, const struct place *place)
{
	char text[300];

	snprintf(text, sizeof(text), "%s (left)", place->owner ? place->owner : "");
	gc_table_add(table, !place->owner || place->owner_is_connected ? place->owner : text);
}

static void add_row(struct gc_table *table, const struct look *look, const struct place *place)
{
	int64_t behind = behind_us(look, place);
	char time[GC_ANSWER_BYTES];

	gc_table_add(table, state_names[place->state]);
	gc_table_add(table, place->topic);
	gc_table_add_int(table, place->partition);
	add_known(table, place->next_offset, place->has_row);
	add_known(table, place->high, place->high >= 0);
	add_known(table, place->lag, place->lag >= 0);
	add_age(table, behind, behind != GC_NO_TIME);
	add_known(table, place->applied, place->has_row);
	add_known(table, place->superseded, place->has_row);
	add_known(table, place->dead, place->has_row);
	add_known(table, place->ignored, place->has_row);
	add_age(table, look->now_us - place->moved_us, place->has_row);
	gc_table_add(table, gc_answer_time(place->data_through_us, time, sizeof(time)));
	add_owner(table, place);
}

static void print_partitions(const struct look *look)
{
	struct gc_table table;

	gc_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < look->count; i++)
		add_row(&table, look, &look->places[i]);
	gc_table_print(&table, stdout);
	gc_table_done(&table);
}

static void print_states(const struct look *look, const struct totals *totals)
{
	const char *separator = ":";

	printf("total: %zu partitions", look->count);
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

	printf("%s%s%s", before, gc_answer_count(number, text, sizeof(text)), after);
}

static void print_totals(const struct look *look)
{
	struct totals totals = sum_up(look);
	char age[GC_ANSWER_BYTES], time[GC_ANSWER_BYTES];

	print_states(look, &totals);
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
		printf("; last move %s ago, data through %s", gc_answer_age(look->now_us - totals.moved_us, age, sizeof(age)),
		       gc_answer_time(totals.data_through_us, time, sizeof(time)));
	putchar('\n');
}

static void print_notes(const struct look *look)
{
	const char *group = look->cfg->kafka_group_id;

	if (look->lost)
		print_count("", look->lost, " records were deleted by retention before they were read, see cube.etl_gap\n");
	if (look->kafka.verdict)
		printf("Kafka does not answer, so ends and lag are unknown: %s\n", look->kafka.text);
	if (look->row_count == 0 && look->other_groups)
		printf("group %s has read nothing yet; the cube has positions of: %s (kafka.group_id)\n", group,
		       look->other_groups);
	else if (look->row_count == 0)
		printf("group %s has read nothing yet; `gracecube run` begins\n", group);
	if (look->count == 0 && !look->kafka.verdict)
		puts("Kafka has none of the configured topics; `gracecube check` lists them");
}

static void print_page(const struct look *look)
{
	print_partitions(look);
	if (look->count)
		putchar('\n');
	print_notes(look);
	if (look->count)
		print_totals(look);
}

static json_t *known_json(int64_t number, bool is_known)
{
	return is_known ? json_integer((json_int_t)number) : json_null();
}

static json_t *place_json(const struct look *look, const struct place *place)
{
	int64_t behind = behind_us(look, place);
	bool has_row = place->has_row;
	json_t *json = json_object();

	json_object_set_new(json, "state", gc_answer_text_json(state_names[place->state]));
	json_object_set_new(json, "stream", gc_answer_text_json(place->stream));
	json_object_set_new(json, "topic", gc_answer_text_json(place->topic));
	json_object_set_new(json, "partition", json_integer(place->partition));
	json_object_set_new(json, "first_offset", known_json(place->first_offset, has_row));
	json_object_set_new(json, "next_offset", known_json(place->next_offset, has_row));
	json_object_set_new(json, "high_watermark", known_json(place->high, place->high >= 0));
	json_object_set_new(json, "lag_records", known_json(place->lag, place->lag >= 0));
	json_object_set_new(json, "seconds_behind", behind == GC_NO_TIME ? json_null() : json_real((double)behind / GC_SECOND_US));
	json_object_set_new(json, "applied", known_json(place->applied, has_row));
	json_object_set_new(json, "superseded", known_json(place->superseded, has_row));
	json_object_set_new(json, "dead", known_json(place->dead, has_row));
	json_object_set_new(json, "ignored", known_json(place->ignored, has_row));
	json_object_set_new(json, "expired", known_json(place->expired, has_row));
	json_object_set_new(json, "moved_at", gc_answer_time_json(place->moved_us));
	json_object_set_new(json, "data_through", gc_answer_time_json(place->data_through_us));
	json_object_set_new(json, "owner", gc_answer_text_json(place->owner));
	json_object_set_new(json, "owner_is_connected", json_boolean(place->owner_is_connected));
	return json;
}

static json_t *totals_json(const struct look *look)
{
	struct totals totals = sum_up(look);
	json_t *json = json_object(), *states = json_object();

	for (int state = 0; state < STATE_COUNT; state++)
		json_object_set_new(states, state_names[state], json_integer((json_int_t)totals.states[state]));
	json_object_set_new(json, "partitions", json_integer((json_int_t)look->count));
	json_object_set_new(json, "states", states);
	json_object_set_new(json, "lag_records", known_json(totals.lag, totals.lag_is_known));
	json_object_set_new(json, "applied", json_integer((json_int_t)totals.applied));
	json_object_set_new(json, "superseded", json_integer((json_int_t)totals.superseded));
	json_object_set_new(json, "dead", json_integer((json_int_t)totals.dead));
	json_object_set_new(json, "ignored", json_integer((json_int_t)totals.ignored));
	json_object_set_new(json, "expired", json_integer((json_int_t)totals.expired));
	json_object_set_new(json, "lost_to_retention", json_integer((json_int_t)look->lost));
	json_object_set_new(json, "moved_at", gc_answer_time_json(totals.moved_us));
	json_object_set_new(json, "data_through", gc_answer_time_json(totals.data_through_us));
	return json;
}

static void print_json(const struct look *look, bool on_one_line)
{
	json_t *json = json_object(), *partitions = json_array();
	bool answered = look->kafka.verdict == GC_OK;

	for (size_t i = 0; i < look->count; i++)
		json_array_append_new(partitions, place_json(look, &look->places[i]));
	json_object_set_new(json, "group", gc_answer_text_json(look->cfg->kafka_group_id));
	json_object_set_new(json, "at", gc_answer_time_json(look->now_us));
	json_object_set_new(json, "kafka_answered", json_boolean(answered));
	json_object_set_new(json, "kafka_error", answered ? json_null() : gc_answer_text_json(look->kafka.text));
	json_object_set_new(json, "partitions", partitions);
	json_object_set_new(json, "totals", totals_json(look));
	gc_answer_print_json(json, on_one_line);
}

/* ---- the command ---- */

static int show_once(struct sources *sources, bool as_json)
{
	struct look look;
	struct gc_err err;

	if (look_twice(sources, &look, &err))
		return gc_command_fail(&err);
	if (as_json)
		print_json(&look, false);
	else
		print_page(&look);
	free_look(&look);
	return GC_EXIT_DONE;
}

static void show_again(const struct look *look, bool as_json, bool on_terminal)
{
	char time[GC_ANSWER_BYTES];

	if (as_json) {
		print_json(look, true);
	} else {
		if (on_terminal)
			fputs("\033[H\033[J", stdout); /* home, and erase what is below */
		printf("group %s at %s UTC\n\n", look->cfg->kafka_group_id, gc_answer_time(look->now_us, time, sizeof(time)));
		print_page(look);
		if (!on_terminal)
			putchar('\n');
	}
	fflush(stdout);
}

/* Once it has seen the database, it waits for it when it goes away. */
static int show_until_stopped(struct sources *sources, bool as_json)
{
	const char *term = getenv("TERM");
	bool on_terminal = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0, has_seen = false;
	struct look look;
	struct gc_err err;

	gc_stop_on_signals(0);
	while (!gc_stop_was_asked() && !ferror(stdout)) {
		enum gc_verdict verdict = look_at_all(sources, &look, &err);

		if (verdict && (verdict != GC_RETRY || !has_seen))
			return gc_command_fail(&err);
		if (verdict) {
			gc_command_fail(&err);
		} else {
			show_again(&look, as_json, on_terminal);
			free_look(&look);
			has_seen = true;
		}
		pause_for(sources->options->every_us);
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
