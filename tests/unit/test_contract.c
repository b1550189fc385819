/* Rules that C and SQL both apply, on the C side: the cases of tests/contract. tests/scenarios/21_one_rule.sh has the SQL side. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gracecube/batch.h>

#include "../../config/options.h"
#include "cli/command.h"
#include "http/server/server.h"

#define FIELDS_MAX 12
#define LINE_MAX_BYTES 400
#define T0 "\"2026-10-24T01:17:20Z\""

static struct gc_dimension_cache cache;
static struct gc_batch *batch;

static int set_up(void **state)
{
	(void)state;
	gc_dimension_cache_init(&cache, 1000);
	batch = gc_batch_new(&cache, 1 << 20, 64);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gc_batch_free(batch);
	gc_dimension_cache_done(&cache);
	return 0;
}

/* ---- cases ---- */

/* Fields hold no comma. As in COPY's CSV nothing is NULL, and "" is an empty text. */
struct cases {
	FILE *file;
	char line[LINE_MAX_BYTES];
	struct gc_span fields[FIELDS_MAX];
	int columns;
	int count; /* cases read so far */
};

static bool read_line(struct cases *cases)
{
	char *rest = cases->line;
	int n = 0;

	if (!fgets(cases->line, sizeof(cases->line), cases->file))
		return false;
	assert_non_null(strchr(cases->line, '\n'));
	cases->line[strcspn(cases->line, "\n")] = '\0';
	for (char *field; (field = strsep(&rest, ",")); n++) {
		assert_true(n < FIELDS_MAX);
		cases->fields[n] = strcmp(field, "\"\"") == 0 ? GC_LIT("") : *field ? gc_span_of(field) : GC_SPAN_NULL;
	}
	if (cases->columns > 0)
		assert_int_equal(n, cases->columns);
	cases->columns = n;
	return true;
}

static void open_cases(struct cases *cases, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/tests/contract/%s", GRACECUBE_SOURCE_DIR, name);
	*cases = (struct cases){ .file = fopen(path, "r") };
	assert_non_null(cases->file);
	assert_true(read_line(cases)); /* the titles */
}

/* False at the end of the file. */
static bool next_case(struct cases *cases)
{
	if (!read_line(cases))
		return false;
	cases->count++;
	return true;
}

static void close_cases(struct cases *cases, int at_least)
{
	assert_true(cases->count >= at_least);
	fclose(cases->file);
}

static void fail_case(const struct cases *cases)
{
	fail_msg("%.*s, case %d", (int)cases->fields[0].len, cases->fields[0].ptr ? cases->fields[0].ptr : "", cases->count);
}

static bool is_true(struct gc_span field)
{
	assert_true(gc_span_equal(field, GC_LIT("true")) || gc_span_equal(field, GC_LIT("false")));
	return field.len == 4;
}

static int64_t number_in(struct gc_span field)
{
	int64_t number = 0;

	assert_true(gc_span_int64(field, &number));
	return number;
}

/* NULL, or equal: a text that is not there is no empty one. */
static bool is_same_text(struct gc_span a, struct gc_span b)
{
	return (a.ptr == NULL) == (b.ptr == NULL) && gc_span_equal(a, b);
}

/* ---- versions ---- */

static struct gc_version version_at(const struct gc_span *fields)
{
	int64_t place_us = number_in(fields[1]), own_us = number_in(fields[2]);

	return (struct gc_version){ .at_us = place_us > 0 ? place_us : own_us,
				    .lsn = number_in(fields[0]),
				    .offset = number_in(fields[3]) };
}

static void versions_are_in_order(void **state)
{
	struct cases cases;

	(void)state;
	open_cases(&cases, "version_order.csv");
	while (next_case(&cases)) {
		struct gc_version older = version_at(cases.fields + 1), newer = version_at(cases.fields + 5);
		bool is_same = gc_span_equal(cases.fields[9], GC_LIT("same"));

		if (is_same != (gc_version_compare(older, newer) == 0) || (!is_same && gc_version_compare(older, newer) > 0) ||
		    (!is_same && gc_version_compare(newer, older) < 0) || gc_version_compare(newer, newer) != 0)
			fail_case(&cases);
	}
	close_cases(&cases, 29);
}

/* ---- times ---- */

static int64_t time_in(struct gc_span field)
{
	int64_t us = -1;

	assert_true(gc_time_parse(field, GC_UNIT_AUTO, &us));
	return us;
}

static void times_have_their_hour_and_month(void **state)
{
	struct cases cases;

	(void)state;
	open_cases(&cases, "times.csv");
	while (next_case(&cases)) {
		int64_t us = time_in(cases.fields[0]);

		if (us / GC_MINUTE_US != number_in(cases.fields[1]) || us / GC_HOUR_US != number_in(cases.fields[2]) ||
		    gc_time_month(us) != number_in(cases.fields[3]))
			fail_case(&cases);
		assert_true(us >= GC_TIME_MIN_US && us < GC_TIME_END_US);
	}
	close_cases(&cases, 20);
}

static void durations_are_measures(void **state)
{
	struct cases cases;

	(void)state;
	open_cases(&cases, "durations.csv");
	while (next_case(&cases)) {
		double seconds, wanted;
		bool is_one = gc_time_seconds(time_in(cases.fields[1]), time_in(cases.fields[2]), &seconds);

		if (is_one != (cases.fields[3].ptr != NULL) ||
		    (is_one && (!gc_span_double(cases.fields[3], &wanted) || seconds != wanted)))
			fail_case(&cases);
	}
	close_cases(&cases, 12);
}

/* ---- what a record says ---- */

/* A member of the record, nothing where the field is NULL. */
static struct gc_span member(const char *name, struct gc_span field)
{
	return field.ptr ? gc_arena_printf(gc_batch_arena(batch), ",\"%s\":\"%.*s\"", name, (int)field.len, field.ptr) : GC_LIT("");
}

/* The row of a target that comes of a record, NULL where none does. */
static const struct gc_row *row_of(struct gc_span stream, const struct gc_target *target, struct gc_span value)
{
	static struct gc_message message;
	struct gc_row *const *rows;
	size_t count;

	message = (struct gc_message){ .topic = GC_LIT("t"), .value = value };
	gc_batch_partition(batch, GC_LIT("t"), 0, 70, 1, 0, NULL);
	gc_batch_add(batch, 0, gc_stream_find(stream), GC_UNIT_AUTO, &message);
	gc_batch_coalesce(batch);
	count = gc_batch_rows(batch, target, &rows);
	assert_true(count <= 1);
	return count ? rows[0] : NULL;
}

/* The row that comes of a record with these members besides its key and created_at. */
static const struct gc_row *decode(const char *stream, struct gc_span members)
{
	const struct gc_row *row = row_of(gc_span_of(stream), gc_stream_find(gc_span_of(stream))->targets[0],
					  gc_arena_printf(gc_batch_arena(batch), "{\"id\":\"1\",\"created_at\":" T0 "%.*s}",
							  (int)members.len, members.ptr));

	assert_non_null(row);
	return row;
}

static const struct gc_value *value_of(const struct gc_row *row, const char *column)
{
	for (int i = 0; i < row->target->column_count; i++) {
		if (strcmp(row->target->columns[i].name, column) == 0)
			return &row->values[i];
	}
	fail_msg("%s has no column %s", row->target->name, column);
	return NULL;
}

static struct gc_span text_of(const struct gc_row *row, const char *column)
{
	const struct gc_value *value = value_of(row, column);

	return value->state == GC_VALUE_SET ? value->text : GC_SPAN_NULL;
}

/* NULL, true or false. */
static bool is_truth(const struct gc_row *row, const char *column, struct gc_span wanted)
{
	const struct gc_value *value = value_of(row, column);

	return value->state == GC_VALUE_SET ? wanted.ptr && value->integer == is_true(wanted) : !wanted.ptr;
}

static void notes_name_persons(void **state)
{
	struct cases cases;

	(void)state;
	open_cases(&cases, "persons.csv");
	while (next_case(&cases)) {
		if (gc_error_names_person(cases.fields[0]) != is_true(cases.fields[1]))
			fail_case(&cases);
	}
	close_cases(&cases, 18);
}

static void reasons_name_contracts(void **state)
{
	struct cases cases;

	(void)state;
	open_cases(&cases, "contracts_in_reasons.csv");
	while (next_case(&cases)) {
		struct gc_span found = gc_approval_names_contract(cases.fields[0]);

		if (!gc_span_equal(found, cases.fields[1]))
			fail_case(&cases);
	}
	close_cases(&cases, 17);
}

static void errors_are_judged(void **state)
{
	struct cases cases;

	(void)state;
	open_cases(&cases, "errors.csv");
	while (next_case(&cases)) {
		struct gc_span severity, note;
		const struct gc_row *row;

		gc_batch_reset(batch);
		severity = member("severity", cases.fields[1]);
		note = member("resolution_note", cases.fields[3]);
		row = decode("security_events", gc_arena_printf(gc_batch_arena(batch), "%s%s%s", severity.ptr, note.ptr,
								is_true(cases.fields[2]) ? ",\"resolved_at\":" T0 : ""));
		if (!is_same_text(text_of(row, "severity"), cases.fields[4]) ||
		    !is_truth(row, "was_auto_resolved", cases.fields[5]))
			fail_case(&cases);
	}
	close_cases(&cases, 11);
}

static void approvals_are_decided(void **state)
{
	struct cases cases;

	(void)state;
	open_cases(&cases, "approvals.csv");
	while (next_case(&cases)) {
		gc_batch_reset(batch);
		if (!is_truth(decode("approval_requests", member("status", cases.fields[0])), "was_approved", cases.fields[1]))
			fail_case(&cases);
	}
	close_cases(&cases, 8);
}

static void actors_have_a_prefix(void **state)
{
	struct cases cases;

	(void)state;
	open_cases(&cases, "actors.csv");
	while (next_case(&cases)) {
		gc_batch_reset(batch);
		if (!is_same_text(text_of(decode("healing_actions", member("actor", cases.fields[0])), "actor_key"),
				  cases.fields[1]))
			fail_case(&cases);
	}
	close_cases(&cases, 26);
}

/* ---- ids and aspects ---- */

/* A record of each stream that tells of errors: what is before and behind what names it. */
static const struct {
	const char *stream, *target, *before, *behind;
} tellers[] = {
	{ "security_events", "error_events", "{\"id\":\"", "\",\"created_at\":" T0 "}" },
	{ "immutable_log", "error_events",
	  "{\"id\":\"1\",\"sequence\":", ",\"action\":\"error\",\"timestamp\":" T0 ",\"created_at\":" T0 "}" },
	{ "trigger_events", "mesh_events",
	  "{\"event_type\":\"error.detected\",\"source\":\"s\",\"actor\":\"a\",\"resource\":\"r\",\"timestamp\":" T0
	  ",\"payload\":{\"error_id\":\"",
	  "\"}}" },
};

static const struct gc_target *target_named(struct gc_span name);

static void errors_are_named_by_their_stream(void **state)
{
	struct cases cases;

	(void)state;
	open_cases(&cases, "error_ids.csv");
	while (next_case(&cases)) {
		size_t i = 0;
		struct gc_span names = cases.fields[1];
		const struct gc_row *row;

		while (i < sizeof(tellers) / sizeof(tellers[0]) && !gc_span_equal(gc_span_of(tellers[i].stream), cases.fields[0]))
			i++;
		assert_true(i < sizeof(tellers) / sizeof(tellers[0]));
		gc_batch_reset(batch);
		row = row_of(cases.fields[0], target_named(gc_span_of(tellers[i].target)),
			     gc_arena_printf(gc_batch_arena(batch), "%s%.*s%s", tellers[i].before, (int)names.len, names.ptr,
					     tellers[i].behind));
		if (!row || !gc_span_equal(row->key, cases.fields[2]))
			fail_case(&cases);
	}
	close_cases(&cases, 11);
}

/* Of an event that tells of nothing no row comes. */
static void events_of_the_mesh_are_aspects(void **state)
{
	struct cases cases;

	(void)state;
	open_cases(&cases, "mesh_events.csv");
	while (next_case(&cases)) {
		struct gc_span type = cases.fields[0], matter = cases.fields[1];
		bool is_decided = gc_span_equal(cases.fields[2], GC_LIT("decided"));
		const struct gc_row *row;

		gc_batch_reset(batch);
		row = row_of(GC_LIT("trigger_events"), target_named(GC_LIT("mesh_events")),
			     gc_arena_printf(gc_batch_arena(batch),
					     "{\"event_type\":\"%.*s\",\"source\":\"s\",\"actor\":\"a\",\"resource\":\"r\","
					     "\"payload\":{\"error_id\":\"1\",\"approval_id\":\"1\"},\"timestamp\":" T0 "}",
					     (int)type.len, type.ptr));
		if ((row != NULL) != (matter.ptr != NULL))
			fail_case(&cases);
		if (row &&
		    (!gc_span_equal(row->key, gc_arena_printf(gc_batch_arena(batch), "%.*s:1", (int)matter.len, matter.ptr)) ||
		     !is_same_text(text_of(row, "aspect"), cases.fields[2]) ||
		     (is_decided &&
		      !is_truth(row, "needs_human",
				gc_span_equal(cases.fields[4], GC_LIT("approved")) ? GC_LIT("true") : GC_LIT("false")))))
			fail_case(&cases);
	}
	close_cases(&cases, 14);
}

/* ---- descriptors ---- */

/* Calls `each` for every target, once. */
static void for_every_target(void (*each)(const struct gc_target *target))
{
	const struct gc_target *seen[64];
	size_t count = 0;

	for (const struct gc_stream *const *s = gc_streams; *s; s++) {
		for (const struct gc_target *const *t = (*s)->targets; *t; t++) {
			size_t i = 0;

			while (i < count && seen[i] != *t)
				i++;
			if (i < count)
				continue;
			assert_true(count < 64);
			seen[count++] = *t;
			each(*t);
		}
	}
}

static const struct gc_target *target_named(struct gc_span name)
{
	for (const struct gc_stream *const *s = gc_streams; *s; s++) {
		for (const struct gc_target *const *t = (*s)->targets; *t; t++) {
			if (gc_span_equal(gc_span_of((*t)->name), name))
				return *t;
		}
	}
	return NULL;
}

static void steps_go_forward(void **state)
{
	const struct gc_target *executions = target_named(GC_LIT("verification_executions"));
	struct cases cases;

	(void)state;
	open_cases(&cases, "contract_steps.csv");
	while (next_case(&cases)) {
		if (executions->is_backward(cases.fields[0], cases.fields[1]) != is_true(cases.fields[2]))
			fail_case(&cases);
	}
	close_cases(&cases, 50);
}

static int kept_columns;

static void count_kept(const struct gc_target *target)
{
	for (int i = 0; i < target->column_count; i++)
		kept_columns += (target->columns[i].flags & GC_KEEPS) != 0;
}

/* No column but these, and each of these, may be left out by a record. */
static void what_may_be_left_out_is_known(void **state)
{
	struct cases cases;

	(void)state;
	open_cases(&cases, "kept.csv");
	while (next_case(&cases)) {
		const struct gc_target *target = target_named(cases.fields[0]);
		int i = 0;

		assert_non_null(target);
		while (i < target->column_count && !gc_span_equal(gc_span_of(target->columns[i].name), cases.fields[1]))
			i++;
		if (i == target->column_count || !(target->columns[i].flags & GC_KEEPS))
			fail_case(&cases);
	}
	kept_columns = 0;
	for_every_target(count_kept);
	assert_int_equal(kept_columns, cases.count);
	close_cases(&cases, 15);
}

static int targets;

static void count_target(const struct gc_target *target)
{
	(void)target;
	targets++;
}

static const char *kind_of(const struct gc_target *target)
{
	if (!target->keep_versions)
		return "fact";
	return strcmp(target->columns[0].name, "source_id") == 0 ? "history" : "aspects";
}

static void targets_are_what_the_cube_has(void **state)
{
	struct cases cases;

	(void)state;
	open_cases(&cases, "targets.csv");
	while (next_case(&cases)) {
		const struct gc_target *target = target_named(cases.fields[0]);

		if (!target || !gc_span_equal(gc_span_of(kind_of(target)), cases.fields[1]) ||
		    target->names_missions != is_true(cases.fields[2]) || target->introduces_missions != is_true(cases.fields[3]) ||
		    (strcmp(kind_of(target), "fact") == 0) != (target->created_at >= 0))
			fail_case(&cases);
	}
	targets = 0;
	for_every_target(count_target);
	assert_int_equal(targets, cases.count);
	close_cases(&cases, 19);
}

/* ---- settings ---- */

static void settings_have_these_defaults(void **state)
{
	struct cases cases;

	(void)state;
	open_cases(&cases, "settings.csv");
	while (next_case(&cases)) {
		const struct gc_option *option = gc_options;

		while (option->name && !gc_span_equal(gc_span_of(option->name), cases.fields[0]))
			option++;
		if (!option->name || !gc_span_equal(gc_span_of(option->initially), cases.fields[1]))
			fail_case(&cases);
	}
	close_cases(&cases, 3);
}

/* ---- tiers ---- */

extern const struct gc_command gc_command_token; /* in the list of commands.c, and in no header */

static bool is_limit(struct gc_span tier)
{
	const struct gc_flag *flag = gc_command_token.flags;

	while (flag->name && strcmp(flag->name, "highest-tier") != 0)
		flag++;
	assert_non_null(flag->name);
	for (const char *const *choice = flag->choices; *choice; choice++) {
		if (gc_span_equal(gc_span_of(*choice), tier))
			return true;
	}
	return false;
}

static void limits_hide_higher_tiers(void **state)
{
	struct cases cases;

	(void)state;
	open_cases(&cases, "tiers.csv");
	while (next_case(&cases)) {
		char limit[16], tier[16];

		snprintf(limit, sizeof(limit), "%.*s", (int)cases.fields[0].len, cases.fields[0].ptr);
		snprintf(tier, sizeof(tier), "%.*s", (int)cases.fields[1].len, cases.fields[1].ptr);
		if (!is_limit(cases.fields[0]) || gc_tier_is_above(tier, limit) == is_true(cases.fields[2]))
			fail_case(&cases);
	}
	assert_true(is_limit(GC_LIT("all"))); /* of which there is nothing to be said */
	assert_false(is_limit(GC_LIT("tier_4")));
	close_cases(&cases, 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_in_order),
		cmocka_unit_test(times_have_their_hour_and_month),
		cmocka_unit_test(durations_are_measures),
		cmocka_unit_test(notes_name_persons),
		cmocka_unit_test(reasons_name_contracts),
		cmocka_unit_test_setup_teardown(errors_are_judged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(approvals_are_decided, set_up, tear_down),
		cmocka_unit_test_setup_teardown(actors_have_a_prefix, set_up, tear_down),
		cmocka_unit_test_setup_teardown(errors_are_named_by_their_stream, set_up, tear_down),
		cmocka_unit_test_setup_teardown(events_of_the_mesh_are_aspects, set_up, tear_down),
		cmocka_unit_test(steps_go_forward),
		cmocka_unit_test(what_may_be_left_out_is_known),
		cmocka_unit_test(targets_are_what_the_cube_has),
		cmocka_unit_test(settings_have_these_defaults),
		cmocka_unit_test(limits_hide_higher_tiers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
