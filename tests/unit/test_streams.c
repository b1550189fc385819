/* What holds of every stream, whatever its rows are: an object that is no row of it changes nothing, a delete takes the row that
 * was deleted and no other, frames are passed over. The cases of single streams are in tests/fixtures.
 */
#include <gracecube/batch.h>

#include "batch_rules.h"
#include "suite.h"

#define FRAME GC_LIT("\0\0\0\0\7")

static struct gc_arena texts;
static struct gc_dimension_cache cache;
static struct gc_batch *batch;

static int set_up(void **state)
{
	(void)state;
	gc_arena_init(&texts);
	gc_dimension_cache_init(&cache, 1000);
	batch = gc_batch_new(&cache, 1 << 20, 64);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gc_batch_free(batch);
	gc_dimension_cache_done(&cache);
	gc_arena_done(&texts);
	return 0;
}

/* The code of the one record's dead letter, "" when it has none. */
static const char *code_of(const struct gc_stream *stream, struct gc_span key, struct gc_span value)
{
	struct gc_message *message = gc_arena_zalloc(&texts, sizeof(*message));
	const struct gc_dead_letter *letters;
	const char *broken;

	*message = (struct gc_message){ .topic = GC_LIT("topic"), .timestamp_us = 1795410138600000, .key = key, .value = value };
	gc_batch_reset(batch);
	gc_batch_partition(batch, GC_LIT("topic"), 0, 1, 1, 0, NULL);
	gc_batch_add(batch, 0, stream, GC_UNIT_AUTO, message);
	gc_batch_coalesce(batch);
	broken = broken_rule(batch);
	if (broken)
		fail_msg("%s: %.*s: %s", stream->name, (int)value.len, value.ptr ? value.ptr : "", broken);
	return gc_batch_dead_letters(batch, &letters) ? letters[0].code : "";
}

/* The key of the first target's only row, which is a mark of deletion; NULL when there is none. */
static struct gc_span deleted_key(const struct gc_stream *stream)
{
	struct gc_row *const *rows;

	if (gc_batch_rows(batch, stream->targets[0], &rows) != 1 || !rows[0]->deleted)
		return GC_SPAN_NULL;
	return rows[0]->key;
}

static bool is_key(const struct gc_stream *stream, struct gc_span key, const char *wanted)
{
	struct gc_span prefix = gc_span_of(stream->key_prefix);

	return gc_span_starts_with(key, prefix) &&
	       gc_span_equal((struct gc_span){ key.ptr + prefix.len, key.len - prefix.len }, gc_span_of(wanted));
}

static const struct {
	const char *value, *code; /* NULL: any */
} foreign_objects[] = {
	{ "{}", NULL },
	{ "{\"hello\":\"world\"}", NULL },
	{ "{\"op\":\"c\",\"before\":null,\"after\":{}}", NULL },
	{ "{\"schema\":null,\"payload\":{}}", NULL },
	{ "{\"__op\":\"c\",\"__deleted\":\"false\"}", NULL },
	{ "{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\",\"source\":\"s\",\"time\":\"2026-11-23T10:00:00Z\",\"data\":{\"id\":1}}",
	  "foreign_envelope" },
	{ "{\"database\":\"d\",\"table\":\"t\",\"type\":\"insert\",\"ts\":1795428000,\"data\":{\"id\":1}}", "foreign_envelope" },
	{ "{\"data\":[{\"id\":\"1\"}],\"database\":\"d\",\"isDdl\":false,\"table\":\"t\",\"type\":\"INSERT\"}",
	  "foreign_envelope" },
	{ "{\"data\":{\"id\":1},\"metadata\":{\"operation\":\"insert\"}}", "foreign_envelope" },
	{ "{\"detail-type\":\"t\",\"source\":\"s\",\"detail\":{}}", "foreign_envelope" },
	{ "{\"table\":\"T\",\"op_type\":\"I\",\"op_ts\":\"2026-11-23\",\"after\":{\"id\":1}}", "foreign_envelope" },
	{ "\"{\\\"id\\\":1}\"", "not_object" },
	{ "[{\"id\":1}]", "not_object" },
};

static void takes_no_foreign_object(void **state)
{
	const struct gc_stream *stream = *state;

	for (size_t i = 0; i < COUNT(foreign_objects); i++) {
		const char *wanted = foreign_objects[i].code;
		const char *code = code_of(stream, GC_LIT("tier_1"), gc_span_of(foreign_objects[i].value));

		if (!code[0] || (wanted && strcmp(code, wanted) != 0))
			fail_msg("%s: %s: \"%s\"", stream->name, foreign_objects[i].value, code);
	}
}

/* A key made of another field of the row: message.key.columns, ValueToKey. */
static void check_foreign_key(const struct gc_stream *stream, const char *field)
{
	struct gc_span key = gc_arena_printf(&texts, "{\"%s\":2}", field);
	struct gc_span before = gc_arena_printf(&texts, "{\"op\":\"d\",\"before\":{\"%s\":1,\"%s\":0},\"source\":{\"lsn\":5}}",
						stream->key_field, field);
	struct gc_span flattened = gc_arena_printf(&texts, "{\"%s\":1,\"%s\":0,\"__deleted\":\"true\"}", stream->key_field, field);

	assert_string_equal(code_of(stream, key, before), "");
	assert_true(is_key(stream, deleted_key(stream), "1"));
	assert_string_equal(code_of(stream, key, flattened), "");
	assert_true(is_key(stream, deleted_key(stream), "1"));
	if (stream->key_fallback && strcmp(stream->key_fallback, field) == 0)
		return; /* a stream whose rows may go by it */
	if (strcmp(code_of(stream, key, GC_SPAN_NULL), "no_key") != 0)
		fail_msg("%s: a tombstone keyed by %s: %s", stream->name, field, code_of(stream, key, GC_SPAN_NULL));
	key = gc_arena_printf(&texts, "Struct{%s=2}", field);
	assert_string_equal(code_of(stream, key, before), "");
	assert_true(is_key(stream, deleted_key(stream), "1"));
	assert_string_equal(code_of(stream, key, GC_SPAN_NULL), "no_key");
}

static void deletes_the_row_that_was_deleted(void **state)
{
	const struct gc_stream *stream = *state;
	const struct gc_target *target = stream->targets[0];

	for (const char *const *other = stream->other_fields; *other; other++)
		check_foreign_key(stream, *other);
	for (int i = 0; i < target->column_count; i++) {
		const char *field = target->columns[i].field;

		if (field && strcmp(field, stream->key_field) != 0)
			check_foreign_key(stream, field);
	}
}

static void reads_keys_in_every_notation(void **state)
{
	static const char *const notations[] = { "{\"%s\":\"k\"}",
						 "{\"schema\":{},\"payload\":{\"%s\":\"k\"}}",
						 "Struct{%s=k}",
						 "{\"a_name_of_their_own\":\"k\"}",
						 "k",
						 "\"k\"",
						 "\"{\\\"%s\\\":\\\"k\\\"}\"" };
	const struct gc_stream *stream = *state;

	for (size_t i = 0; i < COUNT(notations); i++) {
		const char *at = strstr(notations[i], "%s");
		size_t len = at ? (size_t)(at - notations[i]) : strlen(notations[i]);
		struct gc_span key = gc_arena_printf(&texts, "%.*s%s%s", (int)len, notations[i], at ? stream->key_field : "",
						     at ? at + 2 : "");
		struct gc_span framed = gc_arena_printf(&texts, "12345%.*s", (int)key.len, key.ptr);

		assert_string_equal(code_of(stream, key, GC_SPAN_NULL), "");
		assert_true(is_key(stream, deleted_key(stream), "k"));
		memcpy((char *)framed.ptr, FRAME.ptr, FRAME.len);
		if (key.ptr[0] != '{' && key.ptr[0] != '"')
			continue;
		assert_string_equal(code_of(stream, framed, GC_SPAN_NULL), "");
		assert_true(is_key(stream, deleted_key(stream), "k"));
	}
}

int main(void)
{
	struct suite suite = { 0 };

	for (const struct gc_stream *const *s = gc_streams; *s; s++) {
		suite_add(&suite, takes_no_foreign_object, *s, "%s takes no foreign object", (*s)->name);
		if (!(*s)->key_field)
			continue;
		suite_add(&suite, deletes_the_row_that_was_deleted, *s, "%s deletes the row that was deleted", (*s)->name);
		suite_add(&suite, reads_keys_in_every_notation, *s, "%s reads keys in every notation", (*s)->name);
	}
	return suite_run(&suite, set_up, tear_down);
}
