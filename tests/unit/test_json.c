/* The JSON reader: what is refused, where and why; what values are; sizes. test_json_jansson.c compares it with another reader. */
#include <float.h>
#include <math.h>

#include <gracecube/json.h>

#include "arena.h"
#include "suite.h"

#define REPLACEMENT "\xEF\xBF\xBD"

static const struct gc_json *parse(const char *text)
{
	const struct gc_json *root = NULL;
	struct gc_err err;

	if (gc_json_parse(gc_span_of(text), &arena, &root, &err) != GC_OK)
		fail_msg("%.200s: %s: %s", text, err.where, err.text);
	return root;
}

static void assert_span(struct gc_span span, struct gc_span wanted)
{
	assert_non_null(span.ptr);
	assert_int_equal(span.len, wanted.len);
	assert_memory_equal(span.ptr, wanted.ptr, wanted.len);
}

/* ---- hand cases ---- */

static const struct broken {
	const char *text, *code, *where, *sentence;
} broken_texts[] = {
	{ "", "not_json", "byte 0", "expected a value, but the text ends" },
	{ " \t\r\n", "not_json", "byte 4", "expected a value, but the text ends" },
	{ "\xEF\xBB\xBF{}", "not_json", "byte 0", "expected a value" },
	{ "{} x", "not_json", "byte 3", "expected nothing more after the value" },
	{ "nul", "not_json", "byte 0", "expected a value" },
	{ "nulls", "not_json", "byte 4", "expected nothing more after the value" },
	{ "True", "not_json", "byte 0", "expected a value" },
	{ "NaN", "not_json", "byte 0", "expected a value: NaN and Infinity are not JSON, null is" },
	{ "[-Infinity]", "not_json", "byte 1", "expected a value: NaN and Infinity are not JSON, null is" },
	{ "[Inf]", "not_json", "byte 1", "expected a value" },
	{ "[-Inf]", "not_json", "byte 1", "expected a digit" },
	{ "'a'", "not_json", "byte 0", "expected a value" },
	{ "[1,]", "not_json", "byte 3", "expected a value" },
	{ "[1 2]", "not_json", "byte 3", "expected ',' or ']' after an element" },
	{ "[1", "not_json", "byte 2", "expected ',' or ']' after an element, but the text ends" },
	{ "[", "not_json", "byte 1", "expected a value, but the text ends" },
	{ "[}", "not_json", "byte 1", "expected a value" },
	{ "{", "not_json", "byte 1", "expected a name in quotes, but the text ends" },
	{ "{a:1}", "not_json", "byte 1", "expected a name in quotes" },
	{ "{\"a\" 1}", "not_json", "byte 5", "expected ':' after a name" },
	{ "{\"a\":}", "not_json", "byte 5", "expected a value" },
	{ "{\"a\":1 \"b\":2}", "not_json", "byte 7", "expected ',' or '}' after a member" },
	{ "{\"a\":1,}", "not_json", "byte 7", "expected a name in quotes" },
	{ "{\"a\":1", "not_json", "byte 6", "expected ',' or '}' after a member, but the text ends" },
	{ "  \"abc", "not_json", "byte 2", "a string begins here and never ends" },
	{ "\"\\\"", "not_json", "byte 0", "a string begins here and never ends" },
	{ "\"\\", "not_json", "byte 2", "expected one of \" \\ / b f n r t u after a backslash, but the text ends" },
	{ "\"\\x\"", "not_json", "byte 2", "expected one of \" \\ / b f n r t u after a backslash" },
	{ "\"\\u12G4\"", "not_json", "byte 5", "expected four hexadecimal digits after \\u" },
	{ "\"\\u12", "not_json", "byte 5", "expected four hexadecimal digits after \\u, but the text ends" },
	{ "\"a\nb\"", "not_json", "byte 2", "a control character stands bare in a string" },
	{ "\"0123456789\x1F\"", "not_json", "byte 11", "a control character stands bare in a string" },
	{ "\"\xC3(\"", "not_json", "byte 1", "a string is not well-formed UTF-8" },
	{ "\"é\xED\xA0\x80\"", "not_json", "byte 3", "a string is not well-formed UTF-8" },
	{ "\"\xF0\x9F\x98", "not_json", "byte 1", "a string is not well-formed UTF-8" },
	{ "-", "not_json", "byte 1", "expected a digit, but the text ends" },
	{ "-a", "not_json", "byte 1", "expected a digit" },
	{ "+1", "not_json", "byte 0", "expected a value" },
	{ ".5", "not_json", "byte 0", "expected a value" },
	{ "01", "not_json", "byte 0", "a number begins with a needless 0" },
	{ "-00", "not_json", "byte 1", "a number begins with a needless 0" },
	{ "1.", "not_json", "byte 2", "expected a digit after the decimal point, but the text ends" },
	{ "1.e5", "not_json", "byte 2", "expected a digit after the decimal point" },
	{ "1e", "not_json", "byte 2", "expected a digit in the exponent, but the text ends" },
	{ "[1e+]", "not_json", "byte 4", "expected a digit in the exponent" },
	{ "1e1.5", "not_json", "byte 3", "expected nothing more after the value" },
	{ "{\"a\":1,\"b\":2,\"a\":3}", "duplicate_key", "byte 13", "the name \"a\" stands twice in one object" },
	{ "{\"\":1,\"\":2}", "duplicate_key", "byte 6", "the name \"\" stands twice in one object" },
	{ "{\"a\":1,\"\\u0061\":2}", "duplicate_key", "byte 7", "the name \"\\u0061\" stands twice in one object" },
	{ "{\"\\u0061\":1,\"a\":2}", "duplicate_key", "byte 12", "the name \"a\" stands twice in one object" },
	{ "[{\"x\\/\":{\"x/\":1},\"x/\":1}]", "duplicate_key", "byte 17", "the name \"x/\" stands twice in one object" },
};

static void broken_text_is_refused_with_its_place(void **state)
{
	const struct broken *row = *state;
	const struct gc_json *root = NULL;
	struct gc_err err = { .verdict = GC_OK };

	if (gc_json_parse(gc_span_of(row->text), &arena, &root, &err) != GC_REJECT)
		fail_msg("\"%s\" was accepted", row->text);
	assert_null(root);
	assert_int_equal(err.verdict, GC_REJECT);
	assert_string_equal(err.code, row->code);
	assert_string_equal(err.where, row->where);
	assert_string_equal(err.text, row->sentence);
}

static void texts_with_a_nul_are_refused(void **state)
{
	const struct gc_json *root = NULL;

	(void)state;
	assert_int_equal(gc_json_parse(GC_SPAN_NULL, &arena, &root, NULL), GC_REJECT);
	assert_int_equal(gc_json_parse(GC_LIT("[1\0]"), &arena, &root, NULL), GC_REJECT);
	assert_int_equal(gc_json_parse(GC_LIT("1\0"), &arena, &root, NULL), GC_REJECT);
	assert_null(root);
}

static void depth_has_a_limit(void **state)
{
	char text[2 * GC_JSON_MAX_DEPTH + 3] = "";
	const struct gc_json *root = NULL;
	struct gc_err err;

	(void)state;
	memset(text, '[', GC_JSON_MAX_DEPTH);
	memset(text + GC_JSON_MAX_DEPTH, ']', GC_JSON_MAX_DEPTH);
	assert_int_equal(parse(text)->size, GC_JSON_MAX_DEPTH);
	memset(text, '[', GC_JSON_MAX_DEPTH + 1);
	memset(text + GC_JSON_MAX_DEPTH + 1, ']', GC_JSON_MAX_DEPTH + 1);
	assert_int_equal(gc_json_parse(gc_span_of(text), &arena, &root, &err), GC_REJECT);
	assert_string_equal(err.code, "too_deep");
	assert_string_equal(err.where, "byte 32");
	assert_string_equal(err.text, "objects and arrays are more than 32 deep");
	/* side by side is not deep */
	parse("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
	      "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],{}]");
}

static const struct typed {
	const char *text, *raw, *name;
	enum gc_json_type type;
} typed_values[] = {
	{ " null ", "null", "null", GC_JSON_NULL },
	{ "true", "true", "boolean", GC_JSON_TRUE },
	{ "\tfalse\n", "false", "boolean", GC_JSON_FALSE },
	{ "-12", "-12", "integer", GC_JSON_INT },
	{ "9223372036854775807", "9223372036854775807", "integer", GC_JSON_INT },
	{ "-9223372036854775808", "-9223372036854775808", "integer", GC_JSON_INT },
	{ "9223372036854775808", "9223372036854775808", "number", GC_JSON_REAL },
	{ "1.0", "1.0", "number", GC_JSON_REAL },
	{ "1e2", "1e2", "number", GC_JSON_REAL },
	{ " \"a\\\"b\" ", "\"a\\\"b\"", "string", GC_JSON_STRING },
	{ "[ 1, 2 ]", "[ 1, 2 ]", "array", GC_JSON_ARRAY },
	{ " { \"a\" : 1 } ", "{ \"a\" : 1 }", "object", GC_JSON_OBJECT },
};

static void value_has_its_type_and_bytes(void **state)
{
	const struct typed *row = *state;
	const struct gc_json *root = parse(row->text);

	assert_int_equal(root->type, row->type);
	assert_string_equal(gc_json_type_name(root), row->name);
	assert_span(gc_json_raw(root), gc_span_of(row->raw));
}

static void nothing_has_a_type(void **state)
{
	(void)state;
	assert_string_equal(gc_json_type_name(NULL), "nothing");
	assert_null(gc_json_raw(NULL).ptr);
}

static const struct number {
	const char *text;
	double wanted;
} numbers[] = {
	{ "0", 0 },
	{ "-0.0", -0.0 },
	{ "0.1", 0.1 },
	{ "1E+2", 100 },
	{ "1e-2", 0.01 },
	{ "123456789012345678", 123456789012345678.0 },
	{ "9007199254740993", 9007199254740992.0 },
	{ "9223372036854775807", 0x1p63 },
	{ "18446744073709551616", 0x1p64 },
	{ "0.8734512345678901", 0.8734512345678901 },
	{ "1.7976931348623157e308", DBL_MAX },
	{ "1e-320", 1e-320 },
	{ "2.2250738585072011e-308", 2.2250738585072011e-308 },
	{ "1e-99999", 0 },
	{ "0e99999", 0 },
	{ "179769313486231570000000000000000000000e270", DBL_MAX },
	{ "1e309", (double)INFINITY },
	{ "-1.8e308", -(double)INFINITY },
	{ "-1e99999999999999999999", -(double)INFINITY },
};

static void number_is_read(void **state)
{
	const struct number *row = *state;
	double value = gc_json_real(parse(row->text));

	if (memcmp(&value, &row->wanted, sizeof(value)) != 0)
		fail_msg("%s gave %a", row->text, value);
}

static void integers_are_read(void **state)
{
	(void)state;
	assert_int_equal(gc_json_int(parse("-9223372036854775808")), INT64_MIN);
	assert_int_equal(gc_json_int(parse("9223372036854775807")), INT64_MAX);
	assert_int_equal(gc_json_int(parse("-0")), 0);
	assert_int_equal(gc_json_int(parse("1.5")), 0);
	assert_int_equal(gc_json_int(NULL), 0);
	assert_true(isnan(gc_json_real(parse("\"1\""))));
	assert_true(isnan(gc_json_real(NULL)));
}

/* What json.dumps() of Python and the type json of PostgreSQL let through. */
static const struct lenient {
	const char *text, *name, *raw; /* of the member; NULL: there is none */
} lenient_texts[] = {
	{ "{\"a\":NaN,\"b\":1}", "b", "1" },
	{ "{\"a\":NaN,\"b\":1}", "a", "NaN" },
	{ "{\"a\":-Infinity}", "a", "-Infinity" },
	{ "{\"a\": Infinity }", "a", "Infinity" },
	{ "{\"a\":[NaN,Infinity,-Infinity,1e999],\"b\":2}", "b", "2" },
	{ "{\"a\":1,\"b\":2,\"a\":3}", "a", "3" },
	{ "{\"a\":1,\"a\":2,\"a\":3}", "a", "3" },
	{ "{\"a\":{\"x\":1},\"\\u0061\":[4,5],\"b\":2}", "a", "[4,5]" },
	{ "{\"a\":{\"x\":1},\"\\u0061\":[4,5],\"b\":2}", "b", "2" },
	{ "{\"a\":1,\"a\":null}", "a", "null" },
	{ "{\"\":1,\"\":2}", "", "2" },
	{ "{\"a\":1}", "", NULL },
	{ "[NaN]", "a", NULL },
};

static void lenient_reading_takes_it(void **state)
{
	const struct lenient *row = *state;
	const struct gc_json *root = NULL, *value;

	assert_int_equal(gc_json_parse_lenient(gc_span_of(row->text), &arena, &root, NULL), GC_OK);
	value = gc_json_get(root, gc_span_of(row->name));
	if (!gc_span_equal(gc_json_raw(value), gc_span_of(row->raw)) || (value != NULL) != (row->raw != NULL))
		fail_msg("%s: %s", row->text, row->name);
	if (row->raw && strspn(row->raw, "-NI") > 0)
		assert_int_equal(value->type, GC_JSON_NULL);
}

static const char *const still_broken[] = { "",      "nan",     "Nan",  "NaNs",  "Infinit", "-",      "-Inf",     "+Infinity",
					    "{a:1}", "{'a':1}", "[1,]", "[1 2]", "None",    "\"\n\"", "{\"a\":1", "{\"a\":NaN" };

static void lenient_reading_refuses_it(void **state)
{
	const struct gc_json *root = NULL;
	struct gc_err err;

	assert_int_equal(gc_json_parse_lenient(gc_span_of(*state), &arena, &root, &err), GC_REJECT);
	assert_string_equal(err.code, "not_json");
	assert_null(root);
}

/* Above NAMES_COMPARED names are looked up: the last one of each counts there too. */
static void the_last_of_many_names_counts(void **state)
{
	struct gc_span text = GC_LIT("{");
	const struct gc_json *root = NULL;

	(void)state;
	for (int i = 0; i < 5000; i++)
		text = gc_arena_printf(&arena, "%.*s%s\"k%d\":%d", (int)text.len, text.ptr, i ? "," : "", i % 50, i);
	text = gc_arena_printf(&arena, "%.*s}", (int)text.len, text.ptr);
	assert_int_equal(gc_json_parse_lenient(text, &arena, &root, NULL), GC_OK);
	for (int k = 0; k < 50; k++)
		assert_int_equal(gc_json_int(gc_json_get(root, gc_arena_printf(&arena, "k%d", k))), 4950 + k);
	assert_int_equal(gc_json_parse(text, &arena, &root, NULL), GC_REJECT);
}

static const struct string {
	const char *text, *wanted;
	unsigned flags;
} strings[] = {
	{ "\"\"", "", 0 },
	{ "\"plain é 😀\"", "plain é 😀", 0 },
	{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 0 },
	{ "\"a long text in front of it\\n and one behind it\"", "a long text in front of it\n and one behind it", 0 },
	{ "\"\\u0041\\u00e9\\u20AC\\uD83D\\ude00\"", "Aé€😀", 0 },
	{ "\"\\uDBFF\\uDFFF\\uFFFF\"", "\xF4\x8F\xBF\xBF\xEF\xBF\xBF", 0 },
	{ "\"a\\u0000b\"", "a" REPLACEMENT "b", GC_JSON_REPLACED },
	{ "\"\\uD83D\"", REPLACEMENT, GC_JSON_REPLACED },
	{ "\"\\uDE00\\uD83D\"", REPLACEMENT REPLACEMENT, GC_JSON_REPLACED },
	{ "\"\\uDE00\\uDE00\"", REPLACEMENT REPLACEMENT, GC_JSON_REPLACED },
	{ "\"\\uD83D\\uD83D\\uDE00\"", REPLACEMENT "😀", GC_JSON_REPLACED },
	{ "\"\\uD83D\\n\"", REPLACEMENT "\n", GC_JSON_REPLACED },
	{ "\"\\uD83Dxxxxxx\"", REPLACEMENT "xxxxxx", GC_JSON_REPLACED },
	{ "\"\\uD83D\\u0041\"", REPLACEMENT "A", GC_JSON_REPLACED },
	{ "\"\\uFFFD\"", REPLACEMENT, 0 },
};

static void string_is_unescaped(void **state)
{
	const struct string *row = *state;
	const struct gc_json *root = parse(row->text);
	unsigned flags = 0;

	assert_span(gc_json_text(root, &arena, &flags), gc_span_of(row->wanted));
	assert_int_equal(flags, row->flags);
	assert_span(gc_json_text(root, &arena, NULL), gc_span_of(row->wanted));
}

static void flags_are_added(void **state)
{
	unsigned flags = 8;

	(void)state;
	gc_json_text(parse("\"\\u0000\""), &arena, &flags);
	assert_int_equal(flags, 8 | GC_JSON_REPLACED);
	assert_null(gc_json_text(parse("1"), &arena, NULL).ptr);
	assert_null(gc_json_text(NULL, &arena, NULL).ptr);
}

static void exact_text_keeps_nuls(void **state)
{
	struct gc_span text = GC_SPAN_NULL;

	(void)state;
	assert_true(gc_json_text_exact(parse("\"a\\u0000\\n\\uD83D\\ude00\""), &arena, &text));
	assert_span(text, ((struct gc_span){ "a\0\n😀", 7 }));
	assert_true(gc_json_text_exact(parse("\"plain\""), &arena, &text));
	assert_span(text, GC_LIT("plain"));
	assert_false(gc_json_text_exact(parse("\"a\\uD83D\""), &arena, &text));
	assert_span(text, GC_LIT("plain"));
}

static void plain_strings_are_not_copied(void **state)
{
	const char *text = "[\"plain\"]";

	(void)state;
	const struct gc_json *root = parse(text);
	size_t before = arena.used_bytes;
	assert_ptr_equal(gc_json_text(root + 1, &arena, NULL).ptr, text + 2);
	assert_int_equal(arena.used_bytes, before);
}

static void members_are_found(void **state)
{
	const struct gc_json *root = parse("{\"a\":{\"b\":[1,{\"a\":2}]}, "
					   "\"\\u0062\":true, \"\":null, \"c\\u0000\":5, \"long\\nname\":6}");

	(void)state;
	assert_int_equal(gc_json_get(gc_json_get(root, GC_LIT("a")), GC_LIT("b"))->size, 5);
	assert_int_equal(gc_json_get(root, GC_LIT("b"))->type, GC_JSON_TRUE);
	assert_int_equal(gc_json_get(root, GC_LIT(""))->type, GC_JSON_NULL);
	assert_int_equal(gc_json_int(gc_json_get(root, GC_LIT("c" REPLACEMENT))), 5);
	assert_int_equal(gc_json_int(gc_json_get(root, GC_LIT("long\nname"))), 6);
	assert_null(gc_json_get(root, GC_LIT("long\nnames")));
	assert_null(gc_json_get(root, GC_LIT("long\n")));
	assert_null(gc_json_get(root, GC_LIT("long\\nname")));
	assert_null(gc_json_get(root, GC_LIT("A")));
	assert_null(gc_json_get(gc_json_get(root, GC_LIT("nothing")), GC_LIT("a")));
	assert_null(gc_json_get(gc_json_get(root, GC_LIT("b")), GC_LIT("a")));
	assert_null(gc_json_get(parse("[\"a\",1]"), GC_LIT("a")));
}

static void loops_see_each_child_once(void **state)
{
	const struct gc_json *object = parse("{\"a\":[[],{},[1,2]],\"b\":{\"c\":{}},\"d\":4}");
	const struct gc_json *array = parse("[[1,[2]],{\"a\":[3]},4]");
	char seen[8] = "";
	size_t count = 0;

	(void)state;
	for (const struct gc_json *k = gc_json_first(object); k; k = gc_json_next(object, k + 1))
		seen[count++] = k->ptr[0];
	assert_string_equal(seen, "abd");
	count = 0;
	for (const struct gc_json *v = gc_json_first(array); v; v = gc_json_next(array, v))
		seen[count++] = v->ptr[0];
	assert_int_equal(count, 3);
	assert_memory_equal(seen, "[{4", 3);
	assert_null(gc_json_first(parse("[]")));
	assert_null(gc_json_first(parse("{ }")));
	assert_null(gc_json_first(parse("\"text\"")));
	assert_null(gc_json_first(NULL));
}

/* ---- size ---- */

/* {"key0":0,"key1":1,…}; the escaped ones as "\u006bey…". The caller frees it. */
static char *write_wide_object(size_t members, bool escaped)
{
	char *text = gc_malloc(members * 40 + 64);
	size_t used = 0;

	text[used++] = '{';
	for (size_t i = 0; i < members; i++)
		used += (size_t)snprintf(text + used, 40, "%s\"%s%zu\":%zu", i ? "," : "", escaped ? "\\u006bey" : "key", i, i);
	text[used++] = '}';
	text[used] = '\0';
	return text;
}

static void wide_objects_take_linear_time(void **state)
{
	(void)state;
	for (int escaped = 0; escaped < 2; escaped++) {
		char *text = write_wide_object(100000, escaped);
		const struct gc_json *root = parse(text);

		assert_int_equal(root->size, 200001);
		assert_int_equal(gc_json_int(gc_json_get(root, GC_LIT("key99999"))), 99999);
		free(text);
		gc_arena_reset(&arena, 0);
	}
}

/* The name of any elder, put behind an object of every width around the switch from comparing to looking up. */
static void duplicates_are_found_at_every_width(void **state)
{
	(void)state;
	for (size_t members = 1; members < 300; members += members < 40 ? 1 : 17)
		for (size_t again = 0; again < members; again += members < 40 ? 1 : 23) {
			char *text = write_wide_object(members, again % 2);
			size_t used = strlen(text) - 1;
			const struct gc_json *root = NULL;
			struct gc_err err;

			parse(text);
			snprintf(text + used, 64, ",\"%s%zu\":1}", again % 3 ? "key" : "k\\u0065y", again);
			assert_int_equal(gc_json_parse(gc_span_of(text), &arena, &root, &err), GC_REJECT);
			assert_string_equal(err.code, "duplicate_key");
			free(text);
			gc_arena_reset(&arena, 1 << 20);
		}
}

static void long_arrays_outgrow_the_stack(void **state)
{
	(void)state;
	for (size_t elements = 1000; elements < 300000; elements = elements * 3 + 1) {
		char *text = gc_malloc(elements * 2 + 2);

		for (size_t i = 0; i < elements; i++)
			memcpy(text + 2 * i, i ? ",0" : "[0", 2);
		memcpy(text + 2 * elements, "]", 2);
		assert_int_equal(parse(text)->size, elements + 1);
		free(text);
	}
}

int main(void)
{
	struct suite suite = { 0 };

	for (size_t i = 0; i < COUNT(broken_texts); i++)
		suite_add(&suite, broken_text_is_refused_with_its_place, &broken_texts[i], "%s at %s: %s", broken_texts[i].code,
			  broken_texts[i].where, broken_texts[i].text);
	for (size_t i = 0; i < COUNT(typed_values); i++)
		suite_add(&suite, value_has_its_type_and_bytes, &typed_values[i], "type %s: %s", typed_values[i].name,
			  typed_values[i].text);
	for (size_t i = 0; i < COUNT(numbers); i++)
		suite_add(&suite, number_is_read, &numbers[i], "number: %s", numbers[i].text);
	for (size_t i = 0; i < COUNT(lenient_texts); i++)
		suite_add(&suite, lenient_reading_takes_it, &lenient_texts[i], "leniently, %s of %s", lenient_texts[i].name,
			  lenient_texts[i].text);
	for (size_t i = 0; i < COUNT(still_broken); i++)
		suite_add(&suite, lenient_reading_refuses_it, still_broken[i], "leniently refused: %s", still_broken[i]);
	for (size_t i = 0; i < COUNT(strings); i++)
		suite_add(&suite, string_is_unescaped, &strings[i], "unescaped: %s", strings[i].text);
	SUITE_ADD(&suite, texts_with_a_nul_are_refused);
	SUITE_ADD(&suite, depth_has_a_limit);
	SUITE_ADD(&suite, nothing_has_a_type);
	SUITE_ADD(&suite, integers_are_read);
	SUITE_ADD(&suite, the_last_of_many_names_counts);
	SUITE_ADD(&suite, flags_are_added);
	SUITE_ADD(&suite, exact_text_keeps_nuls);
	SUITE_ADD(&suite, plain_strings_are_not_copied);
	SUITE_ADD(&suite, members_are_found);
	SUITE_ADD(&suite, loops_see_each_child_once);
	SUITE_ADD(&suite, wide_objects_take_linear_time);
	SUITE_ADD(&suite, duplicates_are_found_at_every_width);
	SUITE_ADD(&suite, long_arrays_outgrow_the_stack);
	return suite_run(&suite, set_up, tear_down);
}
