/* The fixtures: every folder tests/fixtures/<stream>/<case> is decoded as one batch and compared with what it expects.
 *
 * What a case may hold is in tests/fixtures/README.md. Here a batch is described as JSON of the same form, so that comparing
 * is comparing two JSON values. Nothing is bound: columns of dimensions show their natural keys.
 *
 *     test_fixtures                    all cases, and the rules that hold for every one of them
 *     test_fixtures STREAM[/CASE]      these cases alone, and what each gives, ready for expected.json
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include <gracecube/batch.h>

#include "batch_rules.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FIXTURES GRACECUBE_SOURCE_DIR "/tests/fixtures"
#define CASES_MAX 4096
#define MESSAGES_MAX 128
#define HEADERS_MAX 8
#define PARTITIONS_MAX 16
#define VALUE_BYTES (INT64_C(1) << 20)
#define KEY_BYTES 512
#define TIMESTAMP_MS INT64_C(1795410138600)

/* The components that a new cube declares. */
static const char *const declared[] = { "input_sentinel", "action_executor",    "hunter",           "cognition_authority",
					"policy_engine",  "shard_orchestrator", "grace_autonomous", "parliament_engine" };
/* What every stream whose records have a key must show. */
static const char *const wanted_cases[] = { "ordinary",        "shape_flat",      "shape_envelope",      "shape_schema",
					    "shape_flattened", "shape_tombstone", "shape_trigger_event", "delete_filler",
					    "bad_input" };

struct fixture {
	char *stream, *name;
};

/* One message of a case; its bytes lie in blocks of their exact size, so that the sanitizers see a byte read too far. */
struct input {
	struct gc_message message;
	struct gc_header headers[HEADERS_MAX];
	const struct gc_stream *stream;
};

struct scene {
	const struct fixture *fixture;
	json_t *messages, *expected, *settings;
	struct input inputs[MESSAGES_MAX];
	size_t input_count;
	enum gc_time_unit unit;
	int64_t value_bytes, key_bytes;
};

static struct fixture fixtures[CASES_MAX];
static size_t fixture_count;
static const char *chosen;
static int differences;

/* ---- reading a case ---- */

static json_t *read_json(const struct fixture *fixture, const char *file, bool required)
{
	char path[4096];
	json_error_t error;
	json_t *json;
	FILE *stream;

	snprintf(path, sizeof(path), FIXTURES "/%s/%s/%s", fixture->stream, fixture->name, file);
	stream = fopen(path, "r");
	if (!stream) {
		if (required)
			fail_msg("%s is missing", path);
		return NULL;
	}
	json = json_loadf(stream, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
	fclose(stream);
	if (!json)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	return json;
}

static struct gc_span keep_bytes(const char *bytes, size_t len)
{
	char *copy = gc_malloc(len);

	if (len > 0)
		memcpy(copy, bytes, len);
	return (struct gc_span){ copy, len };
}

static struct gc_span bytes_of_hex(const char *hex)
{
	size_t len = strlen(hex) / 2;
	char *bytes = gc_malloc(len);
	unsigned byte;

	for (size_t i = 0; i < len; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			fail_msg("\"%s\" is not hexadecimal", hex);
		bytes[i] = (char)byte;
	}
	return (struct gc_span){ bytes, len };
}

/* "value" is the text itself, "value_json" is serialised, "value_hex" gives raw bytes; the same of "key". */
static struct gc_span read_bytes(const json_t *message, const char *name)
{
	char json_name[32], hex_name[32];
	const json_t *text = json_object_get(message, name), *json, *hex;
	struct gc_span bytes;

	snprintf(json_name, sizeof(json_name), "%s_json", name);
	snprintf(hex_name, sizeof(hex_name), "%s_hex", name);
	json = json_object_get(message, json_name);
	hex = json_object_get(message, hex_name);
	if (json) {
		char *dump = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

		bytes = keep_bytes(dump, strlen(dump));
		free(dump);
		return bytes;
	}
	if (hex)
		return bytes_of_hex(json_string_value(hex));
	if (!json_is_string(text))
		return GC_SPAN_NULL;
	return keep_bytes(json_string_value(text), json_string_length(text));
}

static int64_t integer_or(const json_t *object, const char *name, int64_t otherwise)
{
	const json_t *value = json_object_get(object, name);

	return value ? json_integer_value(value) : otherwise;
}

static void read_headers(struct input *input, const json_t *message)
{
	const json_t *headers = json_object_get(message, "headers");

	for (size_t i = 0; i < json_array_size(headers) && i < HEADERS_MAX; i++) {
		const json_t *pair = json_array_get(headers, i);

		input->headers[i].name = gc_span_of(json_string_value(json_array_get(pair, 0)));
		input->headers[i].value = gc_span_of(json_string_value(json_array_get(pair, 1)));
		input->message.header_count++;
	}
	input->message.headers = input->headers;
}

static void read_message(struct scene *scene, const json_t *message)
{
	struct input *input = &scene->inputs[scene->input_count];
	const char *stream = json_string_value(json_object_get(message, "stream"));
	int64_t ms = integer_or(message, "timestamp", TIMESTAMP_MS);

	assert_true(scene->input_count < MESSAGES_MAX);
	*input = (struct input){ .stream = gc_stream_find(gc_span_of(stream ? stream : scene->fixture->stream)) };
	if (!input->stream)
		fail_msg("%s/%s: there is no such stream", scene->fixture->stream, scene->fixture->name);
	input->message.topic = GC_LIT("topic");
	input->message.partition = (int32_t)integer_or(message, "partition", 0);
	input->message.offset = integer_or(message, "offset", (int64_t)scene->input_count);
	input->message.timestamp_us = ms < 0 ? -1 : ms * 1000;
	input->message.key = read_bytes(message, "key");
	input->message.value = read_bytes(message, "value");
	read_headers(input, message);
	scene->input_count++;
}

static enum gc_time_unit unit_of(const char *name)
{
	static const char *const names[] = { "auto", "s", "ms", "us", "ns" };

	for (size_t i = 0; name && i < COUNT(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return (enum gc_time_unit)i;
	}
	return GC_UNIT_AUTO;
}

static struct scene *open_scene(const struct fixture *fixture)
{
	struct scene *scene = gc_calloc(1, sizeof(*scene));
	size_t i;
	json_t *message;

	scene->fixture = fixture;
	scene->messages = read_json(fixture, "message.json", true);
	scene->expected = read_json(fixture, "expected.json", chosen == NULL);
	scene->settings = read_json(fixture, "settings.json", false);
	scene->unit = unit_of(json_string_value(json_object_get(scene->settings, "time_unit")));
	scene->value_bytes = integer_or(scene->settings, "value_bytes", VALUE_BYTES);
	scene->key_bytes = integer_or(scene->settings, "key_bytes", KEY_BYTES);
	if (json_is_object(scene->messages))
		read_message(scene, scene->messages);
	json_array_foreach(scene->messages, i, message) read_message(scene, message);
	return scene;
}

static void close_scene(struct scene *scene)
{
	for (size_t i = 0; i < scene->input_count; i++) {
		free((char *)scene->inputs[i].message.key.ptr);
		free((char *)scene->inputs[i].message.value.ptr);
	}
	json_decref(scene->messages);
	json_decref(scene->expected);
	json_decref(scene->settings);
	free(scene);
}

/* ---- decoding it ---- */

struct stage {
	struct gc_dimension_cache cache;
	struct gc_batch *batch;
	int32_t numbers[PARTITIONS_MAX]; /* Kafka's number of the batch's n-th partition */
	uint32_t partition_count;
};

static void set_stage(struct stage *stage, const struct scene *scene)
{
	const json_t *known = json_object_get(scene->settings, "known_missions");

	memset(stage, 0, sizeof(*stage));
	gc_dimension_cache_init(&stage->cache, 1000);
	for (size_t i = 0; i < COUNT(declared); i++)
		gc_dimension_cache_declare_component(&stage->cache, gc_span_of(declared[i]));
	for (size_t i = 0; i < json_array_size(known); i++)
		gc_dimension_cache_put_mission(&stage->cache, gc_span_of(json_string_value(json_array_get(known, i))));
	stage->batch = gc_batch_new(&stage->cache, scene->value_bytes, scene->key_bytes);
}

static void clear_stage(struct stage *stage)
{
	gc_batch_free(stage->batch);
	gc_dimension_cache_done(&stage->cache);
}

static uint32_t partition_of(struct stage *stage, const struct gc_message *message, int64_t from_offset)
{
	uint32_t i = 0;

	while (i < stage->partition_count && stage->numbers[i] != message->partition)
		i++;
	if (i == stage->partition_count) {
		assert_true(i < PARTITIONS_MAX);
		stage->numbers[stage->partition_count++] = message->partition;
		gc_batch_partition(stage->batch, GC_LIT("topic"), message->partition, 100 + message->partition, 1,
				   from_offset >= 0 ? from_offset : message->offset);
	}
	return i;
}

static void add_inputs(struct stage *stage, const struct scene *scene)
{
	int64_t from = integer_or(scene->settings, "from_offset", -1);

	for (size_t i = 0; i < scene->input_count; i++) {
		const struct input *input = &scene->inputs[i];

		gc_batch_add(stage->batch, partition_of(stage, &input->message, from), input->stream, scene->unit, &input->message);
	}
	gc_batch_coalesce(stage->batch);
}

/* ---- describing what came out ---- */

static json_t *describe_text(struct gc_span text)
{
	json_t *json = text.ptr ? json_stringn(text.ptr, text.len) : json_null();

	return json ? json : json_string("(not UTF-8)");
}

static json_t *describe_real(double real)
{
	if (isfinite(real))
		return json_real(real);
	return json_string(isnan(real) ? "NaN" : real > 0 ? "Infinity" : "-Infinity");
}

static json_t *describe_value(enum gc_kind kind, const struct gc_value *value)
{
	char text[GC_TIME_TEXT_BYTES];

	switch (kind) {
	case GC_BOOL:
		return json_boolean(value->integer);
	case GC_INT4:
	case GC_INT8:
		return json_integer(value->integer);
	case GC_FLOAT8:
		return describe_real(value->real);
	case GC_TIME:
		return json_string(gc_time_format(value->integer, text, sizeof(text)));
	case GC_TEXT:
	case GC_COMPONENT:
	case GC_TIER:
	case GC_ACTOR:
	case GC_MISSION:
		break;
	}
	return describe_text(value->text);
}

static json_t *describe_version(struct gc_version version)
{
	return json_pack("{sI sI sI sI}", "lsn", (json_int_t)version.lsn, "source_us", (json_int_t)version.source_us, "kafka_us",
			 (json_int_t)version.kafka_us, "offset", (json_int_t)version.offset);
}

/* Columns that are NULL are left out. */
static json_t *describe_row(const struct gc_row *row)
{
	json_t *json = json_object();

	json_object_set_new(json, "target", json_string(row->target->name));
	json_object_set_new(json, "key", describe_text(row->key));
	if (row->deleted)
		json_object_set_new(json, "deleted", json_true());
	json_object_set_new(json, "version", describe_version(row->version));
	for (int i = 1; i < row->target->column_count; i++) {
		if (row->values[i].state == GC_VALUE_SET)
			json_object_set_new(json, row->target->columns[i].name,
					    describe_value(row->target->columns[i].kind, &row->values[i]));
	}
	return json;
}

static json_t *describe_rows(const struct gc_batch *batch)
{
	const struct gc_target *const *targets;
	size_t count = gc_batch_targets(batch, &targets);
	json_t *json = json_array();

	for (size_t t = 0; t < count; t++) {
		struct gc_row *const *rows;
		size_t row_count = gc_batch_rows(batch, targets[t], &rows);

		for (size_t r = 0; r < row_count; r++)
			json_array_append_new(json, describe_row(rows[r]));
	}
	return json;
}

static json_t *describe_issues(const struct gc_batch *batch)
{
	const struct gc_issue *issues;
	size_t count = gc_batch_issues(batch, &issues);
	json_t *json = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *issue = json_object();

		json_object_set_new(issue, "offset", json_integer(issues[i].offset));
		json_object_set_new(issue, "key", describe_text(issues[i].key));
		json_object_set_new(issue, "field", json_string(issues[i].field));
		json_object_set_new(issue, "rule", json_string(issues[i].rule));
		json_object_set_new(issue, "raw", describe_text(issues[i].raw));
		json_array_append_new(json, issue);
	}
	return json;
}

static json_t *describe_dead(const struct gc_batch *batch)
{
	const struct gc_dead_letter *letters;
	size_t count = gc_batch_dead_letters(batch, &letters);
	json_t *json = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *letter = json_object();

		json_object_set_new(letter, "offset", json_integer(letters[i].message->offset));
		json_object_set_new(letter, "code", json_string(letters[i].code));
		json_object_set_new(letter, "where", json_string(letters[i].where));
		json_object_set_new(letter, "reason", describe_text(letters[i].reason));
		json_array_append_new(json, letter);
	}
	return json;
}

static json_t *describe_links(const struct gc_batch *batch)
{
	const struct gc_link *links;
	size_t count = gc_batch_links(batch, &links);
	json_t *json = json_object();

	for (size_t i = 0; i < count; i++) {
		json_t *keys = json_object_get(json, links[i].target);

		if (!keys) {
			keys = json_array();
			json_object_set_new(json, links[i].target, keys);
		}
		json_array_append_new(keys, describe_text(links[i].key));
	}
	return json;
}

static json_t *describe_ledger(const struct gc_batch *batch)
{
	struct gc_partition_batch *parts;
	size_t count = gc_batch_partitions(batch, &parts);
	json_int_t applied = 0, superseded = 0, dead = 0, ignored = 0;

	for (size_t i = 0; i < count; i++) {
		applied += parts[i].applied;
		superseded += parts[i].superseded;
		dead += parts[i].dead;
		ignored += parts[i].ignored;
	}
	return json_pack("{sI sI sI sI}", "applied", applied, "superseded", superseded, "dead", dead, "ignored", ignored);
}

static json_t *describe_batch(const struct gc_batch *batch)
{
	json_t *json = json_object();

	json_object_set_new(json, "rows", describe_rows(batch));
	json_object_set_new(json, "issues", describe_issues(batch));
	json_object_set_new(json, "dead", describe_dead(batch));
	json_object_set_new(json, "links", describe_links(batch));
	json_object_set_new(json, "ledger", describe_ledger(batch));
	json_object_set_new(json, "opens_missions", json_boolean(gc_batch_introduces_missions(batch)));
	return json;
}

/* ---- comparing ---- */

static void say_difference(const char *place, const json_t *wanted, const json_t *got)
{
	char *wanted_text = wanted ? json_dumps(wanted, JSON_ENCODE_ANY) : NULL;
	char *got_text = got ? json_dumps(got, JSON_ENCODE_ANY) : NULL;

	print_error("    %s: wanted %s, got %s\n", place, wanted_text ? wanted_text : "nothing", got_text ? got_text : "nothing");
	free(wanted_text);
	free(got_text);
	differences++;
}

/* {"any": "why"} stands for a value that no one can foretell. */
static bool is_any(const json_t *wanted)
{
	return json_is_object(wanted) && json_object_size(wanted) == 1 && json_object_get(wanted, "any");
}

static bool is_same(const json_t *wanted, const json_t *got)
{
	if (!wanted || json_is_null(wanted))
		return !got || json_is_null(got);
	if (is_any(wanted))
		return got && !json_is_null(got);
	if (json_is_integer(wanted) && json_is_real(got))
		return (double)json_integer_value(wanted) == json_real_value(got);
	return got && json_equal(wanted, got);
}

static bool is_optional(const char *name, const char *const *optional)
{
	for (; *optional; optional++) {
		if (strcmp(name, *optional) == 0)
			return true;
	}
	return false;
}

/* Every member of both; those named optional count only where they are wanted. */
static void compare_objects(const char *place, const json_t *wanted, const json_t *got, const char *const *optional)
{
	const char *name;
	json_t *value;
	char inner[512];

	json_object_foreach((json_t *)wanted, name, value)
	{
		if (is_same(value, json_object_get(got, name)))
			continue;
		snprintf(inner, sizeof(inner), "%s.%s", place, name);
		say_difference(inner, value, json_object_get(got, name));
	}
	json_object_foreach((json_t *)got, name, value)
	{
		if (json_object_get(wanted, name) || is_optional(name, optional))
			continue;
		snprintf(inner, sizeof(inner), "%s.%s", place, name);
		say_difference(inner, NULL, value);
	}
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* Rows are found by target and key; several of one key stand in the order of their versions. */
static json_t *take_row(json_t *rows, const json_t *like)
{
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		if (strcmp(text_of(row, "target"), text_of(like, "target")) == 0 &&
		    strcmp(text_of(row, "key"), text_of(like, "key")) == 0) {
			json_incref(row);
			json_array_remove(rows, i);
			return row;
		}
	}
	return NULL;
}

static void compare_rows(const json_t *wanted, const json_t *got)
{
	static const char *const optional[] = { "version", NULL };
	json_t *left = json_copy((json_t *)got), *row;
	char place[512];
	size_t i;

	json_array_foreach(wanted, i, row)
	{
		json_t *found = take_row(left, row);

		snprintf(place, sizeof(place), "%s %s", text_of(row, "target"), text_of(row, "key"));
		if (found)
			compare_objects(place, row, found, optional);
		else
			say_difference(place, row, NULL);
		json_decref(found);
	}
	json_array_foreach(left, i, row) say_difference("rows", NULL, row);
	json_decref(left);
}

static bool is_like(const json_t *wanted, const json_t *got)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)wanted, name, value)
	{
		bool contains = strcmp(name, "reason") == 0 && strstr(text_of(got, "reason"), text_of(wanted, "reason"));

		if (!contains && !is_same(value, json_object_get(got, name)))
			return false;
	}
	return true;
}

/* Issues and dead letters in any order: each that is wanted finds one of its own, and none is left. */
static void compare_sets(const char *place, const json_t *wanted, const json_t *got)
{
	json_t *left = json_copy((json_t *)got), *item, *other;
	size_t i, j;

	json_array_foreach(wanted, i, item)
	{
		bool found = false;

		json_array_foreach(left, j, other)
		{
			if (is_like(item, other)) {
				json_array_remove(left, j);
				found = true;
				break;
			}
		}
		if (!found)
			say_difference(place, item, NULL);
	}
	json_array_foreach(left, i, item) say_difference(place, NULL, item);
	json_decref(left);
}

static json_t *list_of(const json_t *expected, const char *name)
{
	json_t *list = json_object_get(expected, name);

	if (json_is_object(list))
		return json_pack("[O]", list);
	return list ? json_incref(list) : json_array();
}

/* "outcome" is the fate of every message, "ledger" counts them where they differ. */
static json_t *ledger_of(const json_t *expected, size_t messages)
{
	json_t *ledger = json_pack("{si si si si}", "applied", 0, "superseded", 0, "dead", 0, "ignored", 0);
	const char *outcome = json_string_value(json_object_get(expected, "outcome"));

	json_object_update(ledger, json_object_get(expected, "ledger"));
	if (outcome)
		json_object_set_new(ledger, outcome, json_integer((json_int_t)messages));
	return ledger;
}

static void compare_names(const json_t *expected)
{
	static const char *const known[] = {
		"rows", "issues", "dead", "outcome", "ledger", "links", "opens_missions", "why", NULL
	};
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)expected, name, value)
	{
		if (!is_optional(name, known))
			say_difference("expected.json", NULL, json_object_get(expected, name));
	}
}

static void compare_all(const struct scene *scene, const json_t *got)
{
	static const char *const none[] = { NULL };
	json_t *rows = list_of(scene->expected, "rows"), *issues = list_of(scene->expected, "issues");
	json_t *dead = list_of(scene->expected, "dead"), *ledger = ledger_of(scene->expected, scene->input_count);
	json_t *links = json_object_get(scene->expected, "links"), *no_links = json_object();
	json_t *opens = json_object_get(scene->expected, "opens_missions");

	compare_names(scene->expected);
	compare_rows(rows, json_object_get(got, "rows"));
	compare_sets("issues", issues, json_object_get(got, "issues"));
	compare_sets("dead", dead, json_object_get(got, "dead"));
	compare_objects("links", links ? links : no_links, json_object_get(got, "links"), none);
	compare_objects("ledger", ledger, json_object_get(got, "ledger"), none);
	if (opens && !is_same(opens, json_object_get(got, "opens_missions")))
		say_difference("opens_missions", opens, json_object_get(got, "opens_missions"));
	json_decref(rows);
	json_decref(issues);
	json_decref(dead);
	json_decref(ledger);
	json_decref(no_links);
}

static void check_batch(const struct gc_batch *batch)
{
	const char *broken = broken_rule(batch);

	if (!broken)
		return;
	print_error("    %s\n", broken);
	differences++;
}

/* ---- the tests ---- */

static void show(const json_t *got)
{
	char *text = json_dumps(got, JSON_INDENT(2));

	print_message("%s\n", text);
	free(text);
}

static bool run_case(const struct fixture *fixture)
{
	struct scene *scene = open_scene(fixture);
	struct stage stage;
	json_t *got;

	differences = 0;
	set_stage(&stage, scene);
	add_inputs(&stage, scene);
	got = describe_batch(stage.batch);
	if (scene->expected)
		compare_all(scene, got);
	check_batch(stage.batch);
	if (differences > 0)
		print_error("  ^ %s/%s\n", fixture->stream, fixture->name);
	if (chosen)
		show(got);
	json_decref(got);
	clear_stage(&stage);
	close_scene(scene);
	return differences == 0;
}

static void cases_give_what_they_expect(void **state)
{
	int failed = 0;

	(void)state;
	assert_true(fixture_count > 0);
	for (size_t i = 0; i < fixture_count; i++)
		failed += !run_case(&fixtures[i]);
	if (failed > 0)
		fail_msg("%d of %zu cases differ", failed, fixture_count);
	print_message("           %zu cases\n", fixture_count);
}

static void put_before(struct gc_span *text, struct gc_span prefix, const char *starts)
{
	char *bytes;

	if (text->len == 0 || !text->ptr[0] || !strchr(starts, text->ptr[0]))
		return;
	bytes = gc_malloc(prefix.len + text->len);
	memcpy(bytes, prefix.ptr, prefix.len);
	memcpy(bytes + prefix.len, text->ptr, text->len);
	free((char *)text->ptr);
	*text = (struct gc_span){ bytes, prefix.len + text->len };
}

/* What may stand before JSON changes nothing but a hash of the bytes. */
static void forget_digests(json_t *batch)
{
	size_t i;
	json_t *row;

	json_array_foreach(json_object_get(batch, "rows"), i, row) json_object_del(row, "digest");
}

static json_t *describe_with(struct scene *scene, struct gc_span prefix)
{
	struct stage stage;
	json_t *got;

	for (size_t i = 0; i < scene->input_count; i++) {
		put_before(&scene->inputs[i].message.value, prefix, "{");
		put_before(&scene->inputs[i].message.key, prefix, "{\"");
	}
	set_stage(&stage, scene);
	add_inputs(&stage, scene);
	got = describe_batch(stage.batch);
	clear_stage(&stage);
	forget_digests(got);
	return got;
}

static void frames_change_nothing(void **state)
{
	static const struct gc_span prefixes[] = { { "\0\0\0\1\2", 5 }, { "\xEF\xBB\xBF", 3 } };
	static const char *const parts[] = { "rows", "issues", "links", "ledger" };

	(void)state;
	for (size_t i = 0; i < fixture_count; i++) {
		for (size_t p = 0; p < COUNT(prefixes); p++) {
			struct scene *scene = open_scene(&fixtures[i]);
			json_t *plain = describe_with(scene, (struct gc_span){ "", 0 });
			json_t *framed = describe_with(scene, prefixes[p]);

			for (size_t n = 0; !json_object_get(scene->settings, "value_bytes") && n < COUNT(parts); n++) {
				if (!json_equal(json_object_get(plain, parts[n]), json_object_get(framed, parts[n])))
					fail_msg("%s/%s, framed: other %s", fixtures[i].stream, fixtures[i].name, parts[n]);
			}
			json_decref(plain);
			json_decref(framed);
			close_scene(scene);
		}
	}
}

static bool has_case(const char *stream, const char *name)
{
	for (size_t i = 0; i < fixture_count; i++) {
		if (strcmp(fixtures[i].stream, stream) == 0 && strcmp(fixtures[i].name, name) == 0)
			return true;
	}
	return false;
}

static void every_stream_has_its_cases(void **state)
{
	int missing = 0;

	(void)state;
	for (const struct gc_stream *const *s = gc_streams; *s; s++) {
		size_t wanted = (*s)->key_field ? COUNT(wanted_cases) : 1;

		for (size_t i = 0; i < wanted; i++) {
			if (has_case((*s)->name, wanted_cases[i]))
				continue;
			print_error("    there is no tests/fixtures/%s/%s\n", (*s)->name, wanted_cases[i]);
			missing++;
		}
	}
	assert_int_equal(missing, 0);
}

/* Adds one message to a batch of its own and looks at what holds always. */
static void check_mutant(struct stage *stage, const struct scene *scene, const struct input *input, struct gc_span value)
{
	struct gc_message message = input->message;

	message.value = value;
	gc_batch_reset(stage->batch);
	gc_batch_partition(stage->batch, GC_LIT("topic"), 0, 1, 1, message.offset);
	gc_batch_add(stage->batch, 0, input->stream, scene->unit, &message);
	gc_batch_coalesce(stage->batch);
	check_batch(stage->batch);
}

static void check_cuts(struct stage *stage, const struct scene *scene, const struct input *input)
{
	size_t len = input->message.value.len, step = len / 24 + 1;

	for (size_t cut = 0; cut < len; cut += step) {
		struct gc_span value = keep_bytes(input->message.value.ptr, cut);

		check_mutant(stage, scene, input, value);
		free((char *)value.ptr);
	}
}

static void check_changes(struct stage *stage, const struct scene *scene, const struct input *input)
{
	static const char changes[] = { '"', '0', '\\', ',', '\xC3', '{' };
	struct gc_span value = keep_bytes(input->message.value.ptr, input->message.value.len);
	char *bytes = (char *)value.ptr;

	for (size_t at = 0, n = 0; at < value.len; at += value.len / 48 + 1, n++) {
		char kept = bytes[at];

		bytes[at] = changes[n % COUNT(changes)];
		check_mutant(stage, scene, input, value);
		bytes[at] = kept;
	}
	free(bytes);
}

static void broken_messages_do_no_harm(void **state)
{
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < fixture_count; i++) {
		struct scene *scene = open_scene(&fixtures[i]);
		struct stage stage;

		differences = 0;
		set_stage(&stage, scene);
		for (size_t m = 0; m < scene->input_count; m++) {
			check_cuts(&stage, scene, &scene->inputs[m]);
			check_changes(&stage, scene, &scene->inputs[m]);
		}
		if (differences > 0)
			print_error("  ^ %s/%s, broken\n", fixtures[i].stream, fixtures[i].name);
		failed += differences > 0;
		clear_stage(&stage);
		close_scene(scene);
	}
	assert_int_equal(failed, 0);
}

/* ---- finding the cases ---- */

static int by_name(const void *a, const void *b)
{
	const struct fixture *left = a, *right = b;
	int by_stream = strcmp(left->stream, right->stream);

	return by_stream ? by_stream : strcmp(left->name, right->name);
}

static bool is_chosen(const char *stream, const char *name)
{
	size_t len = strlen(stream);

	return !chosen ||
	       (strncmp(chosen, stream, len) == 0 && (!chosen[len] || (chosen[len] == '/' && strcmp(chosen + len + 1, name) == 0)));
}

static void find_cases_of(const char *stream)
{
	char path[4096];
	struct dirent *entry;
	DIR *folder;

	snprintf(path, sizeof(path), FIXTURES "/%s", stream);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.' || !is_chosen(stream, entry->d_name) || fixture_count == CASES_MAX)
			continue;
		fixtures[fixture_count++] = (struct fixture){ gc_strdup(stream), gc_strdup(entry->d_name) };
	}
	if (folder)
		closedir(folder);
}

static int find_cases(void **state)
{
	DIR *folder = opendir(FIXTURES);
	struct dirent *entry;

	(void)state;
	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] != '.') /* of a file no folder opens */
			find_cases_of(entry->d_name);
	}
	if (folder)
		closedir(folder);
	qsort(fixtures, fixture_count, sizeof(fixtures[0]), by_name);
	return 0;
}

static int forget_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < fixture_count; i++) {
		free(fixtures[i].stream);
		free(fixtures[i].name);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(cases_give_what_they_expect),
		cmocka_unit_test(every_stream_has_its_cases),
		cmocka_unit_test(broken_messages_do_no_harm),
		cmocka_unit_test(frames_change_nothing),
	};
	const struct CMUnitTest some[] = {
		cmocka_unit_test(cases_give_what_they_expect),
	};

	chosen = argc > 1 ? argv[1] : NULL;
	return chosen ? cmocka_run_group_tests(some, find_cases, forget_cases)
		      : cmocka_run_group_tests(all, find_cases, forget_cases);
}
