/* How `gracecube status` shows a snapshot: see cli/status.h. Threads: the main thread. */
#include "cli/status.h"
#include "cli/output.h"

#include <inttypes.h>

static const char *const state_names[GC_PARTITION_COUNT] = { "OK",     "BEHIND", "HALTED", "STALLED",
							     "UNREAD", "AHEAD",  "GONE",   "UNKNOWN" };

/* Seconds that the cube is behind, in µs: 0 at the end of the partition, GC_NO_TIME when it cannot be told. */
static int64_t behind_us(const struct gc_snapshot *snapshot, const struct gc_partition_status *p)
{
	if (p->lag <= 0 || p->data_through_us == GC_NO_TIME)
		return p->lag == 0 ? 0 : GC_NO_TIME;
	return p->data_through_us < snapshot->now_us ? snapshot->now_us - p->data_through_us : 0;
}

struct totals {
	int64_t states[GC_PARTITION_COUNT];
	int64_t lag, applied, superseded, contradicting, dead, ignored, expired, moved_us, data_through_us;
	bool lag_is_known;
};

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static struct totals sum_up(const struct gc_snapshot *snapshot)
{
	struct totals totals = { .moved_us = GC_NO_TIME, .data_through_us = GC_NO_TIME, .lag_is_known = !snapshot->kafka.verdict };

	for (size_t i = 0; i < snapshot->count; i++) {
		const struct gc_partition_status *p = &snapshot->partitions[i];

		totals.states[p->state]++;
		totals.lag += p->lag > 0 ? p->lag : 0;
		totals.applied += p->applied;
		totals.superseded += p->superseded;
		totals.contradicting += p->contradicting;
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
	char text[GC_OUTPUT_BYTES];

	gc_table_add(table, is_known ? gc_output_age(us, text, sizeof(text)) : NULL);
}

static void add_owner(struct gc_table *table, const struct gc_partition_status *p)
{
	char text[300];

	snprintf(text, sizeof(text), "%s (left)", p->owner ? p->owner : "");
	gc_table_add(table, !p->owner || p->owner_is_connected ? p->owner : text);
}

static void add_row(struct gc_table *table, const struct gc_snapshot *snapshot, const struct gc_partition_status *p)
{
	int64_t behind = behind_us(snapshot, p);
	char time[GC_OUTPUT_BYTES];

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

static void print_partitions(const struct gc_snapshot *snapshot)
{
	struct gc_table table;

	gc_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < snapshot->count; i++)
		add_row(&table, snapshot, &snapshot->partitions[i]);
	gc_table_print(&table, stdout);
	gc_table_done(&table);
}

static void print_states(const struct gc_snapshot *snapshot, const struct totals *totals)
{
	const char *separator = ":";

	printf("total: %zu partitions", snapshot->count);
	for (int state = 0; state < GC_PARTITION_COUNT; state++) {
		if (totals->states[state] == 0)
			continue;
		printf("%s %" PRId64 " %s", separator, totals->states[state], state_names[state]);
		separator = ",";
	}
}

static void print_count(const char *before, int64_t number, const char *after)
{
	char text[GC_OUTPUT_BYTES];

	printf("%s%s%s", before, gc_output_count(number, text, sizeof(text)), after);
}

static void print_totals(const struct gc_snapshot *snapshot)
{
	struct totals totals = sum_up(snapshot);
	char age[GC_OUTPUT_BYTES], time[GC_OUTPUT_BYTES];

	print_states(snapshot, &totals);
	if (totals.lag_is_known)
		print_count("; lag ", totals.lag, " records");
	else
		printf("; lag unknown");
	print_count("; applied ", totals.applied, "");
	print_count(", superseded ", totals.superseded, "");
	if (totals.contradicting)
		print_count(" (", totals.contradicting, " of them contradicting)");
	print_count(", dead ", totals.dead, "");
	print_count(", ignored ", totals.ignored, "");
	if (totals.expired)
		print_count(" (", totals.expired, " of them expired)");
	if (totals.moved_us != GC_NO_TIME)
		printf("; last move %s ago, data through %s", gc_output_age(snapshot->now_us - totals.moved_us, age, sizeof(age)),
		       gc_output_time(totals.data_through_us, time, sizeof(time)));
	putchar('\n');
}

static void print_halts(const struct gc_snapshot *snapshot)
{
	char time[GC_OUTPUT_BYTES];

	for (size_t i = 0; i < snapshot->halt_count; i++)
		printf("halted since %s: %s\n", gc_output_time(snapshot->halts[i].since_us, time, sizeof(time)),
		       snapshot->halts[i].reason);
}

static void print_notes(const struct gc_snapshot *snapshot)
{
	const char *group = snapshot->cfg->kafka_group_id;

	print_halts(snapshot);
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

void gc_snapshot_print(const struct gc_snapshot *snapshot)
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

static json_t *halt_json(const struct gc_halt_status *halt)
{
	json_t *json = json_object();

	json_object_set_new(json, "since", gc_output_time_json(halt->since_us));
	json_object_set_new(json, "code", gc_output_text_json(halt->code));
	json_object_set_new(json, "reason", gc_output_text_json(halt->reason));
	return json;
}

/* Of which no partition can be read, so that none may be known; by name. */
static json_t *halted_topics_json(const struct gc_snapshot *snapshot)
{
	json_t *json = json_object();

	for (size_t i = 0; i < snapshot->halt_count; i++)
		if (snapshot->halts[i].partition < 0)
			json_object_set_new(json, snapshot->halts[i].topic, halt_json(&snapshot->halts[i]));
	return json;
}

static json_t *partition_json(const struct gc_snapshot *snapshot, const struct gc_partition_status *p)
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
	json_object_set_new(json, "contradicting", known_json(p->contradicting, has_row));
	json_object_set_new(json, "dead", known_json(p->dead, has_row));
	json_object_set_new(json, "ignored", known_json(p->ignored, has_row));
	json_object_set_new(json, "expired", known_json(p->expired, has_row));
	json_object_set_new(json, "moved_at", gc_output_time_json(p->moved_us));
	json_object_set_new(json, "data_through", gc_output_time_json(p->data_through_us));
	json_object_set_new(json, "halt", p->halt ? halt_json(p->halt) : json_null());
	json_object_set_new(json, "owner", gc_output_text_json(p->owner));
	json_object_set_new(json, "owner_is_connected", json_boolean(p->owner_is_connected));
	return json;
}

static json_t *totals_json(const struct gc_snapshot *snapshot)
{
	struct totals totals = sum_up(snapshot);
	json_t *json = json_object(), *states = json_object();

	for (int state = 0; state < GC_PARTITION_COUNT; state++)
		json_object_set_new(states, state_names[state], json_integer((json_int_t)totals.states[state]));
	json_object_set_new(json, "partitions", json_integer((json_int_t)snapshot->count));
	json_object_set_new(json, "states", states);
	json_object_set_new(json, "lag_records", known_json(totals.lag, totals.lag_is_known));
	json_object_set_new(json, "applied", json_integer((json_int_t)totals.applied));
	json_object_set_new(json, "superseded", json_integer((json_int_t)totals.superseded));
	json_object_set_new(json, "contradicting", json_integer((json_int_t)totals.contradicting));
	json_object_set_new(json, "dead", json_integer((json_int_t)totals.dead));
	json_object_set_new(json, "ignored", json_integer((json_int_t)totals.ignored));
	json_object_set_new(json, "expired", json_integer((json_int_t)totals.expired));
	json_object_set_new(json, "lost_to_retention", json_integer((json_int_t)snapshot->lost));
	json_object_set_new(json, "moved_at", gc_output_time_json(totals.moved_us));
	json_object_set_new(json, "data_through", gc_output_time_json(totals.data_through_us));
	return json;
}

void gc_snapshot_print_json(const struct gc_snapshot *snapshot, bool on_one_line)
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
	json_object_set_new(json, "halted_topics", halted_topics_json(snapshot));
	json_object_set_new(json, "totals", totals_json(snapshot));
	gc_output_print_json(json, on_one_line);
}
