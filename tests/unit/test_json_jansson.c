/* The JSON reader, with jansson as the judge.
 *
 * Many thousands of documents, made and broken from a fixed seed, go through both readers: they must agree on accepting each one and on every
 * value in it, reals to the last bit. Each text is parsed from memory of its exact length, so that the sanitizers and valgrind see a byte read
 * too far.
 */
#include <float.h>
#include <math.h>

#include <jansson.h>

#include <gracecube/json.h>

#include "arena.h"
#include "suite.h"

#define REPLACEMENT "\xEF\xBF\xBD"

static uint64_t seed;

static unsigned roll(unsigned below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(seed >> 33) % below;
}

/* jansson keeps NUL (under a flag) where we write U+FFFD. */
static struct gc_span replace_nul(struct gc_span text)
{
	char *copy = gc_arena_alloc(&arena, text.len * 3 + 1);
	size_t used = 0;

	for (size_t i = 0; i < text.len; i++) {
		size_t bytes = text.ptr[i] ? 1 : 3;

		memcpy(copy + used, text.ptr[i] ? text.ptr + i : REPLACEMENT, bytes);
		used += bytes;
	}
	return (struct gc_span){ copy, used };
}

static bool is_same_string(const struct gc_json *value, const json_t *judge)
{
	struct gc_span wanted = { json_string_value(judge), json_string_length(judge) };
	unsigned flags = 0;
	struct gc_span text = gc_json_text(value, &arena, &flags);

	return value->type == GC_JSON_STRING && gc_span_equal(text, replace_nul(wanted)) &&
	       (flags == GC_JSON_REPLACED) == (wanted.len && memchr(wanted.ptr, 0, wanted.len));
}

/* jansson was told to read all integers as reals when one of them was too large for it. */
static bool is_same_real(const struct gc_json *value, const json_t *judge)
{
	double ours = gc_json_real(value), theirs = json_real_value(judge);

	if (value->type == GC_JSON_INT)
		return !(ours < theirs) && !(ours > theirs);
	return value->type == GC_JSON_REAL && memcmp(&ours, &theirs, sizeof(ours)) == 0;
}

static bool is_same(const struct gc_json *value, json_t *judge);

static bool is_same_array(const struct gc_json *value, json_t *judge)
{
	size_t count = 0;

	for (const struct gc_json *v = gc_json_first(value); v; v = gc_json_next(value, v))
		if (!is_same(v, json_array_get(judge, count++)))
			return false;
	return value->type == GC_JSON_ARRAY && count == json_array_size(judge);
}

static bool is_same_object(const struct gc_json *value, json_t *judge)
{
	size_t count = 0;

	for (const struct gc_json *k = gc_json_first(value); k; k = gc_json_next(value, k + 1), count++) {
		struct gc_span name = gc_json_text(k, &arena, NULL);

		if (!is_same(k + 1, json_object_getn(judge, name.ptr, name.len)) || gc_json_get(value, name) != k + 1)
			return false;
	}
	return value->type == GC_JSON_OBJECT && count == json_object_size(judge);
}

static bool is_same(const struct gc_json *value, json_t *judge)
{
	if (!judge)
		return false;
	switch (json_typeof(judge)) {
	case JSON_NULL:
		return value->type == GC_JSON_NULL;
	case JSON_TRUE:
		return value->type == GC_JSON_TRUE;
	case JSON_FALSE:
		return value->type == GC_JSON_FALSE;
	case JSON_INTEGER:
		return value->type == GC_JSON_INT && gc_json_int(value) == json_integer_value(judge);
	case JSON_REAL:
		return is_same_real(value, judge);
	case JSON_STRING:
		return is_same_string(value, judge);
	case JSON_ARRAY:
		return is_same_array(value, judge);
	case JSON_OBJECT:
		return is_same_object(value, judge);
	}
	return false;
}

/* Where we differ from jansson by intent: it knows no lone surrogates, no NUL in a name, no number beyond a double. */
static bool is_known_difference(const json_error_t *error)
{
	return json_error_code(error) == json_error_null_byte_in_key || json_error_code(error) == json_error_numeric_overflow ||
	       (json_error_code(error) == json_error_invalid_syntax && strstr(error->text, "invalid Unicode"));
}

/* jansson loses a bare NUL that follows a number or a word. */
static bool is_refused_for_nul(struct gc_span text, const struct gc_err *err)
{
	size_t at = strtoul(err->where + strlen("byte "), NULL, 10);

	return at < text.len && text.ptr[at] == '\0';
}

static json_t *ask_jansson(struct gc_span text, json_error_t *error)
{
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
	json_t *judge = json_loadb(text.ptr, text.len, flags, error);

	if (!judge && json_error_code(error) == json_error_numeric_overflow)
		judge = json_loadb(text.ptr, text.len, flags | JSON_DECODE_INT_AS_REAL, error);
	return judge;
}

/* False when they disagree. *accepted counts texts that both took. */
static bool compare_readers(struct gc_span text, int *accepted)
{
	const struct gc_json *root = NULL;
	struct gc_err err = { .verdict = GC_OK };
	json_error_t error;
	bool ours = gc_json_parse(text, &arena, &root, &err) == GC_OK;
	json_t *judge = ask_jansson(text, &error);
	bool agreed;

	if (ours && judge)
		agreed = is_same(root, judge);
	else if (judge)
		agreed = strcmp(err.code, "too_deep") == 0 || is_refused_for_nul(text, &err);
	else
		agreed = !ours || is_known_difference(&error);
	*accepted += ours && judge;
	json_decref(judge);
	return agreed;
}

static void check_text(const char *bytes, size_t len, int *accepted)
{
	char *exact = gc_malloc(len);

	memcpy(exact, bytes, len);
	if (!compare_readers((struct gc_span){ exact, len }, accepted))
		fail_msg("the readers disagree on %.*s", (int)len, bytes);
	free(exact);
	gc_arena_reset(&arena, 1 << 20);
}

static const char *const samples[] = {
	"{\"before\":null,\"after\":{\"id\":17,\"confidence_score\":0.8734512345678901,\"actor\":\"user:Ren\xC3\xA9"
	"e\",\"payload\":\"{\\\"a\\\": [1, \\\"\\\\u00e9\\\\n\\\"]}\",\"created_at\":1792804640570393,\"tier\":null,"
	"\"note\":\"\xE2\x80\xA8 \xF0\x9F\x98\x80 \\ud83d\\ude00\",\"ok\":true},"
	"\"source\":{\"version\":\"3.6.0.Final\","
	"\"connector\":\"postgresql\",\"ts_ms\":1792804640571,\"snapshot\":\"false\","
	"\"sequence\":\"[\\\"1\\\",\\\"2\\\"]\","
	"\"lsn\":25165824,\"xmin\":null},\"transaction\":null,\"op\":\"c\",\"ts_ms\":1792804640999}",
	"[0,-0,1,-1,0.0,-0.0,1e0,1E+5,1e-5,123456789012345678,1234567890123456789,12345678901234567890,1e308,1e309,"
	"9223372036854775807,9223372036854775808,-9223372036854775808,-9223372036854775809,4.9e-324,2.4e-324,0.1,"
	"0.2,0.3]",
	"[\"\",\"a\",\"\\\"\",\"\\\\\",\"\\/\",\"\\b\\f\\n\\r\\t\",\"\\u0000\",\"\\u001f\",\"\\u007F\",\"\\u0080\","
	"\"\\u07ff\","
	"\"\\u0800\",\"\\uFFFF\",\"\\ud800\\udc00\",\"\\udbff\\udfff\","
	"\"\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\"]",
	("{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":[[[[[[[[]]]]]]]]}}}},\"\":{},\"aa\":[],\"ab\":[{}],\"b\":[[],[]],"
	 "\"\\u0062b\":false}"),
	" {\r\n\t\"x\" : [ true , false , null ] , \"y\" : \"plain text that is longer than a word\" } \n",
};

static void readers_agree_on_whole_texts(void **state)
{
	int accepted = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++)
		check_text(samples[i], strlen(samples[i]), &accepted);
	assert_int_equal(accepted, COUNT(samples) - 1); /* 1e309 */
}

static void readers_agree_on_cut_texts(void **state)
{
	int accepted = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++)
		for (size_t len = 0; len < strlen(samples[i]); len++)
			check_text(samples[i], len, &accepted);
}

/* Each single byte, alone and in every kind of place. */
static void readers_agree_on_every_byte(void **state)
{
	static const char *const places[] = {
		"@",         "\"@\"",     "\"0123456@\"",  "\"\\@\"",           "\"\\u00@0\"",   "[1@]",
		"[@1]",      "1@5",       "{@}",           "{\"a\"@1}",         "{\"a\":@}",     "1e@5",
		"-@",        "\"\xC3@\"", "\"\xE2\x82@\"", "\"\xF0@\x80\x80\"", "\"@\x80\x80\"", "\"@\x80\x80\x80\"",
		"\"@\x80\"",
	};
	int accepted = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(places); i++)
		for (unsigned byte = 0; byte < 256; byte++) {
			char text[32];
			size_t len = strlen(places[i]);

			memcpy(text, places[i], len);
			*(char *)memchr(text, '@', len) = (char)byte;
			check_text(text, len, &accepted);
		}
}

struct draft {
	size_t len;
	char text[4096];
};

static void put_at(struct draft *draft, size_t at, const char *bytes, size_t len)
{
	if (draft->len + len > sizeof(draft->text))
		return;
	memmove(draft->text + at + len, draft->text + at, draft->len - at);
	memcpy(draft->text + at, bytes, len);
	draft->len += len;
}

static void put_word(struct draft *draft, const char *word)
{
	put_at(draft, draft->len, word, strlen(word));
}

/* What breaks JSON, or nearly does. */
static const char *choose_piece(void)
{
	static const char *const pieces[] = {
		"\"",
		"\\",
		"{",
		"}",
		"[",
		"]",
		",",
		":",
		"0",
		"-",
		".",
		"e",
		"E+",
		"1e400",
		"\\u",
		"\\u0000",
		"\\ud800",
		"\\udc00",
		"\\u0061",
		"\\n",
		"\x80",
		"\xC3",
		"\xE2\x82\xAC",
		"\xED\xA0\x80",
		"\xF0\x9F\x98\x80",
		"\xF4\x90\x80\x80",
		"\xFF",
		"\x1F",
		"\x7F",
		"\n",
		" ",
		"null",
		"true",
		"\"a\":1,",
		",\"a\":2",
		"\"\"",
		"[]",
		"{}",
		"99999999999999999999",
		"-9223372036854775808",
		"0.30000000000000004",
		"1E-400",
		"00",
		"/",
		"//",
		"'",
	};

	return pieces[roll(COUNT(pieces))];
}

static void break_draft(struct draft *draft)
{
	size_t at = draft->len ? roll((unsigned)draft->len) : 0;
	size_t bytes = roll(12) + 1;
	char slice[16];

	if (bytes > draft->len - at)
		bytes = draft->len - at;
	switch (roll(4)) {
	case 0:
		put_at(draft, at, choose_piece(), 1);
		break;
	case 1:
		memmove(draft->text + at, draft->text + at + bytes, draft->len - at - bytes);
		draft->len -= bytes;
		break;
	case 2:
		memcpy(slice, draft->text + at, bytes);
		put_at(draft, draft->len ? roll((unsigned)draft->len) : 0, slice, bytes);
		break;
	default: {
		const char *piece = choose_piece();

		put_at(draft, at, piece, strlen(piece));
	}
	}
}

static void readers_agree_on_broken_texts(void **state)
{
	int accepted = 0;

	(void)state;
	seed = 17;
	for (int i = 0; i < 60000; i++) {
		struct draft draft = { .len = 0 };

		put_word(&draft, samples[roll(COUNT(samples))]);
		for (unsigned breaks = roll(4) + 1; breaks; breaks--)
			break_draft(&draft);
		check_text(draft.text, draft.len, &accepted);
	}
	/* else the test would say nothing about values */
	assert_true(accepted > 3000);
}

static void write_space(struct draft *draft)
{
	static const char *const spaces[] = { "", "", "", " ", "\n", "\t\r " };

	put_word(draft, spaces[roll(COUNT(spaces))]);
}

static void write_string(struct draft *draft)
{
	static const char *const pieces[] = {
		"a",       "b", "key", "eight by", "\\\"", "\\\\", "\\/", "\\n", "\\u0061", "\\u00E9", "\\u20ac", "\\ud83d\\ude00",
		"\\u0000", "é", "€",   "😀",       "\x7F",
	};

	put_word(draft, "\"");
	for (unsigned count = roll(5); count; count--)
		put_word(draft, pieces[roll(COUNT(pieces))]);
	put_word(draft, "\"");
}

static void write_digits(struct draft *draft, unsigned most)
{
	char digit[2] = { (char)('1' + roll(9)), '\0' };

	put_word(draft, digit);
	for (unsigned count = roll(most); count; count--) {
		digit[0] = (char)('0' + roll(10));
		put_word(draft, digit);
	}
}

static void write_number(struct draft *draft)
{
	put_word(draft, roll(2) ? "-" : "");
	if (roll(3))
		write_digits(draft, 20);
	else
		put_word(draft, "0");
	if (roll(2)) {
		put_word(draft, ".");
		write_digits(draft, 25);
	}
	if (roll(3) == 0) {
		put_word(draft, roll(2) ? "e-" : "E");
		write_digits(draft, 3);
	}
}

static void write_value(struct draft *draft, unsigned depth)
{
	static const char *const words[] = { "null", "true", "false", "[]", "{}", "[ ]" };
	unsigned kind = roll(depth ? 6 : 3);

	if (kind == 0) {
		put_word(draft, words[roll(COUNT(words))]);
	} else if (kind == 1) {
		write_string(draft);
	} else if (kind == 2) {
		write_number(draft);
	} else {
		bool object = kind < 5;

		put_word(draft, object ? "{" : "[");
		for (unsigned count = roll(depth > 3 ? 45 : 6) + 1; count; count--) {
			write_space(draft);
			if (object) {
				write_string(draft);
				write_space(draft);
				put_word(draft, ":");
			}
			write_value(draft, depth - 1);
			write_space(draft);
			put_word(draft, count > 1 ? "," : "");
		}
		put_word(draft, object ? "}" : "]");
	}
}

static void readers_agree_on_made_texts(void **state)
{
	int accepted = 0;

	(void)state;
	seed = 4711;
	for (int i = 0; i < 20000; i++) {
		struct draft draft = { .len = 0 };

		write_value(&draft, (unsigned)i % 5);
		check_text(draft.text, draft.len, &accepted);
	}
	assert_true(accepted > 5000);
}

int main(void)
{
	struct suite suite = { 0 };

	SUITE_ADD(&suite, readers_agree_on_whole_texts);
	SUITE_ADD(&suite, readers_agree_on_cut_texts);
	SUITE_ADD(&suite, readers_agree_on_every_byte);
	SUITE_ADD(&suite, readers_agree_on_broken_texts);
	SUITE_ADD(&suite, readers_agree_on_made_texts);
	return suite_run(&suite, set_up, tear_down);
}
