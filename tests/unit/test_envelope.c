/* The envelope: which change is in a message, and which row it names. The shapes of whole records are in tests/fixtures. */
#include "../../transforms/envelope.h"

#include "arena.h"
#include "suite.h"

static const struct gc_column columns[] = { { "s_id", GC_TEXT, 0, NULL }, { "at", GC_TIME, 0, "created_at" } };
static const struct gc_target target = { .name = "t", .columns = columns, .column_count = COUNT(columns) };
static const struct gc_stream stream = { .name = "s",
					 .key_field = "id",
					 .key_fallback = "other",
					 .other_fields = (const char *const[]){ "x", NULL },
					 .targets = (const struct gc_target *const[]){ &target, NULL } };

static struct gc_message message_of(const char *key, const char *value)
{
	return (struct gc_message){
		.topic = GC_LIT("t"), .offset = 7, .timestamp_us = 5000, .key = gc_span_of(key), .value = gc_span_of(value)
	};
}

static struct gc_change open_value(struct gc_message *message, const char *key, const char *value)
{
	struct gc_change change;
	struct gc_err err;

	*message = message_of(key, value);
	if (gc_envelope_open(message, &arena, &change, &err) != GC_OK)
		fail_msg("%s: %s: %s", value, err.code, err.text);
	return change;
}

static const struct shape {
	const char *value;
	enum gc_op op;
	const char *row; /* as it stands, NULL for none */
	bool is_trigger_event;
} shapes[] = {
	{ NULL, GC_DELETE, NULL, false },
	{ "null", GC_DELETE, NULL, false },
	{ "{}", GC_UPSERT, "{}", false },
	{ " {\"a\": 1} ", GC_UPSERT, "{\"a\": 1}", false },
	{ "{\"op\":\"c\",\"before\":null,\"after\":{\"a\":1}}", GC_UPSERT, "{\"a\":1}", false },
	{ "{\"op\":\"c\",\"after\":{}}", GC_UPSERT, "{}", false },
	{ "{\"op\":\"r\",\"after\":{\"a\":1}}", GC_UPSERT, "{\"a\":1}", false },
	{ "{\"op\":\"u\",\"before\":{\"b\":2},\"after\":{\"a\":1}}", GC_UPSERT, "{\"a\":1}", false },
	{ "{\"op\":\"d\",\"before\":{\"b\":2},\"after\":null}", GC_DELETE, "{\"b\":2}", false },
	{ "{\"op\":\"d\",\"before\":null,\"after\":null}", GC_DELETE, NULL, false },
	{ "{\"op\":\"t\",\"before\":null,\"after\":null}", GC_TRUNCATE, NULL, false },
	{ "{\"op\":\"t\",\"source\":{}}", GC_TRUNCATE, NULL, false },
	{ "{\"op\":\"m\",\"before\":null,\"after\":null}", GC_IGNORE, NULL, false },
	{ "{\"op\":\"m\",\"source\":{}}", GC_IGNORE, NULL, false },
	{ "{\"op\":\"m\",\"source\":{},\"message\":{\"prefix\":\"x\"}}", GC_IGNORE, NULL, false },
	{ "{\"op\":\"c\"}", GC_UPSERT, "{\"op\":\"c\"}", false },
	{ "{\"op\":\"c\",\"source\":\"ui\"}", GC_UPSERT, "{\"op\":\"c\",\"source\":\"ui\"}", false },
	{ "{\"schema\":{},\"payload\":{\"a\":1}}", GC_UPSERT, "{\"a\":1}", false },
	{ "{\"schema\":null,\"payload\":{\"op\":\"c\",\"after\":{\"a\":1}}}", GC_UPSERT, "{\"a\":1}", false },
	{ "{\"payload\":{\"op\":\"d\",\"before\":{\"a\":1}},\"schema\":{\"x\":[1,2]}}", GC_DELETE, "{\"a\":1}", false },
	{ "{\"schema\":{},\"payload\":null}", GC_DELETE, NULL, false },
	{ "{\"schema\":{},\"payload\":{},\"x\":1}", GC_UPSERT, "{\"schema\":{},\"payload\":{},\"x\":1}", false },
	{ "{\"schema\":\"public\",\"payload\":{}}", GC_UPSERT, "{\"schema\":\"public\",\"payload\":{}}", false },
	{ "{\"a\":1,\"__deleted\":\"true\"}", GC_DELETE, "{\"a\":1,\"__deleted\":\"true\"}", false },
	{ "{\"a\":1,\"__deleted\":\"False\",\"__op\":\"u\"}", GC_UPSERT, "{\"a\":1,\"__deleted\":\"False\",\"__op\":\"u\"}",
	  false },
	{ "{\"event_type\":\"x\",\"payload\":{}}", GC_UPSERT, "{\"event_type\":\"x\",\"payload\":{}}", true },
	{ "{\"event_type\":\"x\",\"payload\":{},\"schema\":null}", GC_UPSERT,
	  "{\"event_type\":\"x\",\"payload\":{},\"schema\":null}", true },
	{ "{\"event_type\":\"x\",\"payload\":\"text\"}", GC_UPSERT, "{\"event_type\":\"x\",\"payload\":\"text\"}", false },
	{ "{\"event_type\":\"x\",\"payload\":\"[]\"}", GC_UPSERT, "{\"event_type\":\"x\",\"payload\":\"[]\"}", false },
	{ "{\"event_type\":\"x\",\"payload\":null}", GC_UPSERT, "{\"event_type\":\"x\",\"payload\":null}", false },
	{ "{\"event_type\":null,\"payload\":{}}", GC_UPSERT, "{\"event_type\":null,\"payload\":{}}", false },
	{ "{\"event_type\":\"x\",\"payload\":\"{}\"}", GC_UPSERT, "{\"event_type\":\"x\",\"payload\":\"{}\"}", true },
	{ "{\"event_type\":\"x\",\"payload\":\"{\\\"n\\\": NaN}\"}", GC_UPSERT,
	  "{\"event_type\":\"x\",\"payload\":\"{\\\"n\\\": NaN}\"}", true },
	{ "{\"op\":\"c\",\"after\":{\"event_type\":\"x\",\"payload\":{}}}", GC_UPSERT, "{\"event_type\":\"x\",\"payload\":{}}",
	  true },
	{ "{\"op\":\"r\",\"after\":{\"event_type\":\"x\",\"payload\":\"{}\"}}", GC_UPSERT,
	  "{\"event_type\":\"x\",\"payload\":\"{}\"}", true },
	{ "{\"op\":\"d\",\"before\":{\"event_type\":\"x\",\"payload\":{}}}", GC_DELETE, "{\"event_type\":\"x\",\"payload\":{}}",
	  false },
	{ "{\"event_type\":\"x\",\"payload\":{},\"__op\":\"c\"}", GC_UPSERT, "{\"event_type\":\"x\",\"payload\":{},\"__op\":\"c\"}",
	  true },
	{ "{\"event_type\":\"x\",\"payload\":{},\"__deleted\":\"true\"}", GC_DELETE,
	  "{\"event_type\":\"x\",\"payload\":{},\"__deleted\":\"true\"}", false },
	{ "\xEF\xBB\xBF{\"a\":1}", GC_UPSERT, "{\"a\":1}", false },
	{ "{\"event_type\":\"x\"}", GC_UPSERT, "{\"event_type\":\"x\"}", false },
};

static void shape_is_told(void **state)
{
	const struct shape *wanted = *state;
	struct gc_message message;
	struct gc_change change = open_value(&message, NULL, wanted->value);
	struct gc_span row = gc_json_raw(change.row);

	if (change.op != wanted->op || (change.payload != NULL) != wanted->is_trigger_event ||
	    (row.ptr != NULL) != (wanted->row != NULL) || !gc_span_equal(row, gc_span_of(wanted->row)))
		fail_msg("%s: op %d, row %.*s", wanted->value, (int)change.op, (int)row.len, row.ptr ? row.ptr : "");
	assert_int_equal(change.ignored_because != NULL, change.op == GC_IGNORE);
	assert_ptr_equal(change.message, &message);
}

static const struct refused {
	const char *value, *code, *where;
} refused_values[] = {
	{ "", "not_json", "byte 0" },
	{ "{", "not_json", "byte 1" },
	{ "{} {}", "not_json", "byte 3" },
	{ "17", "not_object", "value" },
	{ "[]", "not_object", "value" },
	{ "\"text\"", "not_object", "value" },
	{ "{\"schema\":null,\"payload\":[1]}", "not_object", "value" },
	{ "{\"op\":\"x\",\"after\":{}}", "unknown_op", "op" },
	{ "{\"op\":\"cc\",\"after\":{}}", "unknown_op", "op" },
	{ "{\"op\":\"\",\"after\":{}}", "unknown_op", "op" },
	{ "{\"op\":null,\"after\":{}}", "unknown_op", "op" },
	{ "{\"op\":5,\"after\":{}}", "unknown_op", "op" },
	{ "{\"op\":\"C\",\"after\":{}}", "unknown_op", "op" },
	{ "{\"op\":\"c\",\"after\":null}", "missing_field", "after" },
	{ "{\"op\":\"u\",\"before\":{\"a\":1}}", "missing_field", "after" },
	{ "{\"op\":\"r\",\"after\":\"row\"}", "missing_field", "after" },
	{ "{\"specversion\":\"1.0\",\"type\":\"t\",\"source\":\"s\",\"id\":\"1\",\"data\":{}}", "foreign_envelope", "value" },
	{ "{\"database\":\"d\",\"table\":\"t\",\"type\":\"insert\",\"ts\":1,\"data\":{\"id\":1}}", "foreign_envelope", "value" },
	{ "{\"data\":[{}],\"database\":\"d\",\"isDdl\":false,\"table\":\"t\",\"type\":\"INSERT\"}", "foreign_envelope", "value" },
	{ "{\"data\":{\"id\":1},\"metadata\":{\"operation\":\"insert\"}}", "foreign_envelope", "value" },
	{ "{\"schema\":{},\"payload\":{\"data\":{},\"metadata\":{}}}", "foreign_envelope", "value" },
};

static void value_is_refused(void **state)
{
	const struct refused *row = *state;
	struct gc_message message = message_of(NULL, row->value);
	struct gc_change change = { .op = (enum gc_op)99 };
	struct gc_err err;

	assert_int_equal(gc_envelope_open(&message, &arena, &change, &err), GC_REJECT);
	assert_int_equal(err.verdict, GC_REJECT);
	assert_string_equal(err.code, row->code);
	assert_string_equal(err.where, row->where);
	assert_int_equal(change.op, 99); /* untouched */
}

static const struct versioned {
	const char *value;
	int64_t lsn, source_us;
} versions[] = {
	{ NULL, 0, 0 },
	{ "{\"a\":1}", 0, 0 },
	{ "{\"op\":\"c\",\"after\":{},\"source\":{\"lsn\":7,\"ts_us\":8,\"ts_ms\":9}}", 7, 8 },
	{ "{\"op\":\"c\",\"after\":{},\"source\":{\"lsn\":\"7\",\"ts_ms\":9}}", 7, 9000 },
	{ "{\"op\":\"d\",\"before\":{},\"source\":{\"ts_us\":null,\"ts_ms\":\"9\"}}", 0, 9000 },
	{ "{\"op\":\"c\",\"after\":{},\"source\":{\"lsn\":1.5,\"ts_ms\":\"x\"}}", 0, 0 },
	{ "{\"op\":\"c\",\"after\":{},\"source\":{\"lsn\":null,\"ts_ms\":9223372036854775807}}", 0, 0 },
	{ "{\"op\":\"r\",\"after\":{},\"source\":{\"snapshot\":\"incremental\",\"lsn\":null,\"ts_us\":9}}", 1, 9 },
	{ "{\"op\":\"r\",\"after\":{},\"source\":{\"snapshot\":\"incremental\",\"lsn\":7,\"ts_us\":9}}", 7, 9 },
	{ "{\"op\":\"r\",\"after\":{},\"source\":{\"snapshot\":\"first\",\"lsn\":null,\"ts_us\":9}}", 0, 9 },
	{ "{\"op\":\"c\",\"after\":{},\"source\":null}", 0, 0 },
	{ "{\"op\":\"c\",\"after\":{}}", 0, 0 },
	{ "{\"__source_lsn\":7,\"__source_ts_ms\":9}", 7, 9000 },
	{ "{\"__lsn\":7,\"__source_ts_us\":9}", 7, 9 },
	{ "{\"__source_lsn\":6,\"__lsn\":7,\"__source_ts_us\":9,\"__source_ts_ms\":8}", 6, 9 },
	{ "{\"__source_ts_ms\":-9223372036854775808}", 0, 0 },
};

static void version_is_read(void **state)
{
	const struct versioned *row = *state;
	struct gc_message message;
	struct gc_change change = open_value(&message, NULL, row->value);

	if (change.version.lsn != row->lsn || change.version.source_us != row->source_us)
		fail_msg("%s: lsn %lld, time %lld", row->value, (long long)change.version.lsn, (long long)change.version.source_us);
	assert_int_equal(change.version.kafka_us, 5000);
	assert_int_equal(change.version.offset, 7);
}

/* Kafka's -1 is "none", which is older than all that is known, and still a version. */
static void messages_without_a_time_have_a_version(void **state)
{
	struct gc_message message = message_of(NULL, "{}");
	struct gc_change change;

	(void)state;
	message.timestamp_us = -1;
	assert_int_equal(gc_envelope_open(&message, &arena, &change, NULL), GC_OK);
	assert_int_equal(change.version.kafka_us, 1);
}

static void schemas_of_rows_are_found(void **state)
{
	struct gc_message message;
	struct gc_change change = open_value(
		&message, NULL,
		"{\"schema\":{\"fields\":[{\"field\":\"before\",\"n\":1},{\"field\":\"after\",\"n\":2},{\"n\":3}]},\"payload\":{\"op\":\"c\",\"after\":{}}}");

	(void)state;
	assert_int_equal(gc_json_int(gc_json_get(change.schema, GC_LIT("n"))), 2);
	change = open_value(&message, NULL, "{\"schema\":{\"n\":4},\"payload\":{\"a\":1}}");
	assert_int_equal(gc_json_int(gc_json_get(change.schema, GC_LIT("n"))), 4);
	change = open_value(&message, NULL, "{\"op\":\"c\",\"after\":{}}");
	assert_null(change.schema);
}

static const struct keyed {
	const char *key, *value, *wanted; /* NULL: no key */
} keys[] = {
	/* of a row: its own field, else its second name, else Kafka's key */
	{ NULL, "{\"id\":\"a\"}", "a" },
	{ "{\"id\":\"k\"}", "{\"id\":\"a\"}", "a" },
	{ NULL, "{\"id\":17}", "17" },
	{ NULL, "{\"id\":-1.50}", "-1.50" },
	{ NULL, "{\"id\":\"\\u00e9\\n\"}", "é\n" },
	{ NULL, "{\"other\":\"o\"}", "o" },
	{ NULL, "{\"id\":null,\"other\":5}", "5" },
	{ NULL, "{\"id\":{},\"other\":\"o\"}", "o" },
	{ "{\"id\":\"k\"}", "{\"x\":1}", "k" },
	{ "{\"id\":\"k\"}", "{\"id\":\"\"}", "k" },
	{ "{\"id\":\"k\"}", "{\"id\":true}", "k" },
	{ "k", "{}", "k" },
	{ "\"k\"", "{}", "k" },
	{ "17", "{}", "17" },
	{ "007", "{}", "007" },
	{ "{\"whatever\":9}", "{}", "9" },
	{ "{\"a\":1,\"id\":2}", "{}", "2" },
	{ "{\"schema\":{},\"payload\":{\"id\":3}}", "{}", "3" },
	{ "{\"schema\":null,\"payload\":\"k\"}", "{}", "k" },
	{ NULL, "{}", NULL },
	{ "", "{}", NULL },
	{ "null", "{}", NULL },
	{ "{}", "{}", NULL },
	{ "{\"a\":1,\"b\":2}", "{}", NULL },
	{ "{\"id\":null}", "{}", NULL },
	{ "{\"id\":\"\"}", "{\"id\":\"\"}", NULL },
	{ "{\"id\":{\"a\":1}}", "{}", NULL },
	{ "[\"k\"]", "{}", NULL },
	{ "true", "{}", NULL },
	/* a key's only member by another name is believed where it is no column */
	{ "{\"created_at\":9}", "{}", NULL },
	{ "{\"x\":9}", "{}", NULL },
	{ "{\"y\":9}", "{\"y\":9}", NULL },
	{ "{\"other\":9}", "{}", "9" },
	{ "{\"other\":9}", "{\"id\":\"\",\"other\":9}", NULL },
	/* a struct printed as text, a text in a text */
	{ "Struct{id=k}", "{}", "k" },
	{ "Struct{id=k=,l}", "{}", "k=,l" },
	{ "Struct{whatever=k}", "{}", "k" },
	{ "\"{\\\"id\\\":\\\"k\\\"}\"", "{}", "k" },
	/* of a delete: its own key unless that is filler, then Kafka's */
	{ "{\"id\":\"k\"}", "{\"op\":\"d\",\"before\":{\"id\":\"\"}}", "k" },
	{ "{\"id\":\"k\"}", "{\"op\":\"d\",\"before\":{\"id\":\"a\"}}", "a" },
	{ "{\"id\":5}", "{\"op\":\"d\",\"before\":{\"id\":0}}", "5" },
	{ "{\"id\":0}", "{\"op\":\"d\",\"before\":{\"id\":0}}", "0" },
	{ NULL, "{\"op\":\"d\",\"before\":{\"id\":0}}", "0" },
	{ "5", "{\"op\":\"d\",\"before\":{\"id\":0.0}}", "5" },
	{ "{\"x\":2}", "{\"op\":\"d\",\"before\":{\"id\":1,\"x\":0}}", "1" },
	{ "{\"x\":2}", "{\"op\":\"d\",\"before\":{\"id\":0,\"x\":0}}", NULL },
	{ "{\"x\":2}", "{\"op\":\"d\",\"before\":{\"x\":0}}", NULL },
	{ "{\"x\":2}", "{\"id\":1,\"x\":0,\"__deleted\":\"true\"}", "1" },
	{ "{\"x\":2}", "{\"op\":\"d\",\"before\":null}", NULL },
	{ "{\"x\":2}", NULL, NULL },
	{ "{\"other\":2}", NULL, "2" },
	{ "Struct{id=k}", "{\"op\":\"d\",\"before\":{\"id\":\"a\"}}", "a" },
	{ "Struct{id=k}", NULL, "k" },
	{ "{\"created_at\":2}", NULL, NULL },
	{ "{\"whatever\":2}", NULL, "2" },
	{ "Struct{whatever=k}", NULL, "k" },
	{ "Struct{x=k}", NULL, NULL },
	{ "\"{\\\"id\\\":5}\"", NULL, "5" },
	{ NULL, "{\"op\":\"d\",\"before\":{\"id\":\"a\"}}", "a" },
	{ NULL, "{\"op\":\"d\",\"before\":{\"other\":\"o\"}}", "o" },
	{ "{\"id\":5}", "{\"op\":\"d\",\"before\":null}", "5" },
	{ "{\"id\":5}", NULL, "5" },
	{ "5", NULL, "5" },
	{ NULL, NULL, NULL },
	{ NULL, "{\"op\":\"d\",\"before\":null}", NULL },
};

static void key_is_found(void **state)
{
	const struct keyed *row = *state;
	struct gc_message message;
	struct gc_change change = open_value(&message, row->key, row->value);
	struct gc_span key = GC_SPAN_NULL;
	struct gc_err err;
	enum gc_verdict verdict = gc_envelope_key(&change, &stream, 100, &arena, &key, &err);

	if (verdict != (row->wanted ? GC_OK : GC_REJECT) || !gc_span_equal(key, gc_span_of(row->wanted)))
		fail_msg("key %s, value %s: %.*s", row->key, row->value, (int)key.len, key.ptr ? key.ptr : "");
	if (verdict != GC_OK)
		assert_string_equal(err.code, "no_key");
}

static const struct bad_key {
	struct gc_span key, value;
	const char *code;
} bad_keys[] = {
	{ GC_LIT(""), GC_LIT("{\"id\":\"a\\u0000\"}"), "bad_key" },
	{ GC_LIT(""), GC_LIT("{\"id\":\"\\udc00\"}"), "bad_key" },
	{ GC_LIT("a\0b"), GC_LIT("{}"), "bad_key" },
	{ GC_LIT("\xFF"), GC_LIT("{}"), "bad_key" },
	{ GC_LIT("{\"id\":\"\\ud800\"}"), { NULL, 0 }, "bad_key" },
	{ GC_LIT(""), GC_LIT("{\"id\":\"12345678901\"}"), "too_long" },
	{ GC_LIT("12345678901"), GC_LIT("{}"), "too_long" },
	{ GC_LIT("Struct{id=a,b=c}"), { NULL, 0 }, "bad_key" },
	{ GC_LIT("Struct{id=a\"}"), { NULL, 0 }, "bad_key" },
	{ GC_LIT("Struct{}"), { NULL, 0 }, "bad_key" },
	{ GC_LIT("Struct{"), { NULL, 0 }, "bad_key" },
	{ GC_LIT("Struct{id=k"), { NULL, 0 }, "bad_key" },
	{ GC_LIT("{id=a}"), { NULL, 0 }, "bad_key" },
	{ GC_LIT("{\"id\":"), GC_LIT("{}"), "bad_key" },
	{ GC_LIT("\"{id}\""), { NULL, 0 }, "bad_key" },
	{ GC_LIT("\0\0\0\0\7\2a"), { NULL, 0 }, "bad_key" },
};

static void bad_key_is_refused(void **state)
{
	const struct bad_key *row = *state;
	struct gc_message message = { .key = row->key, .value = row->value };
	struct gc_change change;
	struct gc_span key = GC_SPAN_NULL;
	struct gc_err err;

	assert_int_equal(gc_envelope_open(&message, &arena, &change, &err), GC_OK);
	assert_int_equal(gc_envelope_key(&change, &stream, 10, &arena, &key, &err), GC_REJECT);
	assert_string_equal(err.code, row->code);
	assert_string_equal(err.where, "id");
	assert_null(key.ptr);
}

/* The frame of a schema registry around key and value is passed over; what is no JSON is named. */
static const struct framed {
	struct gc_span key, value;
	const char *wanted;
} frames[] = {
	{ GC_LIT("\0\0\0\0\7{\"id\":\"k\"}"), GC_LIT("\0\0\0\0\7{}"), "k" },
	{ GC_LIT("\0\0\0\0\7{\"id\":\"k\"}"), { NULL, 0 }, "k" },
	{ GC_LIT("\0\0\0\0\7\"k\""), { NULL, 0 }, "k" },
	{ GC_LIT("\0\0\0\0\7"
		 "7"),
	  { NULL, 0 },
	  "7" },
	{ GC_LIT("\0\0\0\0\0\0\0\0\7{\"id\":\"k\"}"), GC_LIT("\0\0\0\0\0\0\0\0\7{}"), "k" },
	{ GC_LIT("\3\0aaaaaaaaaaaaaaaa{\"id\":\"k\"}"), GC_LIT("\3\0aaaaaaaaaaaaaaaa{}"), "k" },
	{ GC_LIT("\xEF\xBB\xBF{\"id\":\"k\"}"), GC_LIT("\xEF\xBB\xBF{}"), "k" },
	{ GC_LIT("\0\0\0\0\7\xEF\xBB\xBF{\"id\":\"k\"}"), { NULL, 0 }, NULL }, /* no one writes that */
	{ GC_LIT(""), GC_LIT("\0\0\0\0\7{\"id\":\"a\"}"), "a" },
	{ GC_LIT(""), GC_LIT("\0\0\0\0\7{\"schema\":null,\"payload\":{\"op\":\"c\",\"after\":{\"id\":\"a\"}}}"), "a" },
};

static void frame_is_passed_over(void **state)
{
	const struct framed *row = *state;
	struct gc_message message = { .key = row->key, .value = row->value };
	struct gc_change change;
	struct gc_span key = GC_SPAN_NULL;
	struct gc_err err;

	assert_int_equal(gc_envelope_open(&message, &arena, &change, &err), GC_OK);
	if (gc_envelope_key(&change, &stream, 10, &arena, &key, &err) != (row->wanted ? GC_OK : GC_REJECT) ||
	    !gc_span_equal(key, gc_span_of(row->wanted)))
		fail_msg("%.*s", (int)key.len, key.ptr ? key.ptr : "");
}

/* What is refused says what it is. */
static const struct reason {
	struct gc_span value;
	const char *code, *part;
} reasons[] = {
	{ GC_LIT("\0\0\0\0\7\2ab"), "not_json", "Avro or Protobuf" },
	{ GC_LIT("\0\0\0\0\7{\"id\":"), "not_json", "behind the 5 bytes of a schema registry" },
	{ GC_LIT("\0\0\0\0\7{1"), "not_json", "behind the 5 bytes of a schema registry" },
	{ GC_LIT("\3\5aaaaaaaaaaaaaaaa\x78\x9c"), "not_json", "Avro or Protobuf" },
	{ GC_LIT("\xFF\xFE{\0\"\0"), "not_json", "UTF-16" },
	{ GC_LIT("\0{\0\"\0i\0d"), "not_json", "UTF-16" },
	{ GC_LIT("{\0\"\0i\0d\0"), "not_json", "UTF-16" },
	{ GC_LIT("\x1F\x8B\x08\0"), "not_json", "gzip" },
	{ GC_LIT("\x28\xB5\x2F\xFD\0"), "not_json", "zstd" },
	{ GC_LIT("eyJpZCI6MX0="), "not_json", "base64" },
	{ GC_LIT("Struct{id=1,status=pending}"), "not_json", "StringConverter" },
	{ GC_LIT("\xEF\xBB\xBF{"), "not_json", "ends" },
	{ GC_LIT("{\"id\":NaN}"), "not_json", "NaN" },
	{ GC_LIT("\"{\\\"id\\\":1}\""), "not_object", "serialised twice" },
	{ GC_LIT("\"[1]\""), "not_object", "a JSON string" },
	{ GC_LIT("{\"schema\":{},\"payload\":\"{\\\"id\\\":1}\"}"), "not_object", "serialised twice" },
	{ GC_LIT("[{\"id\":1}]"), "not_object", "a JSON array" },
	{ GC_LIT("{\"op\":\"c\",\"after\":\"{}\"}"), "missing_field", "\"after\" is a JSON string" },
	{ GC_LIT("{\"op\":\"c\",\"after\":[]}"), "missing_field", "\"after\" is a JSON array" },
	{ GC_LIT("{\"op\":\"c\",\"after\":null}"), "missing_field", "carries no row" },
	{ GC_LIT("{\"specversion\":\"1.0\",\"type\":\"t\",\"source\":\"s\"}"), "foreign_envelope", "CloudEvents" },
	{ GC_LIT("{\"database\":\"d\",\"table\":\"t\",\"type\":\"insert\"}"), "foreign_envelope", "Maxwell" },
	{ GC_LIT("{\"database\":\"d\",\"table\":\"t\",\"type\":\"INSERT\",\"isDdl\":false}"), "foreign_envelope", "Canal" },
	{ GC_LIT("{\"data\":{},\"metadata\":{}}"), "foreign_envelope", "DMS" },
	{ GC_LIT("{\"after\":{\"id\":1},\"updated\":\"1795428000\"}"), "foreign_envelope", "lost its \"op\"" },
};

static void reason_is_true(void **state)
{
	const struct reason *row = *state;
	struct gc_message message = { .value = row->value };
	struct gc_change change;
	struct gc_err err;

	assert_int_equal(gc_envelope_open(&message, &arena, &change, &err), GC_REJECT);
	assert_string_equal(err.code, row->code);
	if (!strstr(err.text, row->part))
		fail_msg("\"%s\" says nothing of \"%s\"", err.text, row->part);
}

static const struct key_reason {
	const char *key, *value, *part;
} key_reasons[] = {
	{ "{\"x\":2}", NULL, "the Kafka key names x, not id" },
	{ "{\"a\":1,\"b\":2}", NULL, "the Kafka key names a, not id" },
	{ "k", "{\"id\":{}}", NULL },
	{ NULL, "{\"id\":{}}", "id is a JSON object" },
	{ NULL, "{\"id\":true}", "id is a JSON boolean" },
	{ NULL, "{\"id\":null}", "neither" },
	{ "Struct{id=a,b=c}", NULL, "JsonConverter" },
	{ "{id=a}", NULL, "no JSON" },
};

static void reason_of_key_is_true(void **state)
{
	const struct key_reason *row = *state;
	struct gc_message message;
	struct gc_change change = open_value(&message, row->key, row->value);
	struct gc_span key = GC_SPAN_NULL;
	struct gc_err err = { .text = "" };

	assert_int_equal(gc_envelope_key(&change, &stream, 100, &arena, &key, &err), row->part ? GC_REJECT : GC_OK);
	if (row->part && !strstr(err.text, row->part))
		fail_msg("\"%s\" says nothing of \"%s\"", err.text, row->part);
}

static const char *shown(const char *text)
{
	return text ? text : "nothing";
}

int main(void)
{
	struct suite suite = { 0 };

	for (size_t i = 0; i < COUNT(shapes); i++)
		suite_add(&suite, shape_is_told, &shapes[i], "shape: %s", shown(shapes[i].value));
	for (size_t i = 0; i < COUNT(refused_values); i++)
		suite_add(&suite, value_is_refused, &refused_values[i], "%s: %s", refused_values[i].code, refused_values[i].value);
	for (size_t i = 0; i < COUNT(versions); i++)
		suite_add(&suite, version_is_read, &versions[i], "version: %s", shown(versions[i].value));
	SUITE_ADD(&suite, messages_without_a_time_have_a_version);
	SUITE_ADD(&suite, schemas_of_rows_are_found);
	for (size_t i = 0; i < COUNT(keys); i++)
		suite_add(&suite, key_is_found, &keys[i], "key: %s of Kafka's %s and %s", shown(keys[i].wanted), shown(keys[i].key),
			  shown(keys[i].value));
	for (size_t i = 0; i < COUNT(bad_keys); i++)
		suite_add(&suite, bad_key_is_refused, &bad_keys[i], "%s: Kafka's %s, %s", bad_keys[i].code, bad_keys[i].key.ptr,
			  shown(bad_keys[i].value.ptr));
	for (size_t i = 0; i < COUNT(frames); i++)
		suite_add(&suite, frame_is_passed_over, &frames[i], "frame: row %zu, %s", i + 1, shown(frames[i].wanted));
	for (size_t i = 0; i < COUNT(reasons); i++)
		suite_add(&suite, reason_is_true, &reasons[i], "%s says: %s (row %zu)", reasons[i].code, reasons[i].part, i + 1);
	for (size_t i = 0; i < COUNT(key_reasons); i++)
		suite_add(&suite, reason_of_key_is_true, &key_reasons[i], "key %s, %s says: %s", shown(key_reasons[i].key),
			  shown(key_reasons[i].value), shown(key_reasons[i].part));
	return suite_run(&suite, set_up, tear_down);
}
