/* Reading the tokens of parsed JSON: members, texts, numbers. See gracecube/json.h.
 *
 * Threads: no shared state.
 */
#include "base/json_inner.h"

#include <gracecube/hex.h>
#include <math.h>

#define REPLACEMENT 0xFFFDU

/* ---- taking text out of strings ---- */

/* Four digits that the parser has seen. */
static unsigned read_hex(const char *p)
{
	unsigned value = 0;

	for (int i = 0; i < 4; i++)
		value = value << 4 | (unsigned)gc_hex_digit(p[i]);
	return value;
}

static bool is_low_surrogate_next(const char *p, const char *end)
{
	return end - p >= 6 && p[0] == '\\' && p[1] == 'u' && (read_hex(p + 2) & 0xFC00) == 0xDC00;
}

/* In the flags of what follows: a NUL stays a NUL. */
#define KEEPS_NUL (1u << 8)

/* p is behind "\u": the character, a pair of surrogates taken together; where the text goes on. */
static const char *read_unicode(const char *p, const char *end, unsigned *ret_character, unsigned *flags)
{
	unsigned character = read_hex(p);

	p += 4;
	if ((character & 0xFC00) == 0xD800 && is_low_surrogate_next(p, end)) {
		*ret_character = 0x10000 + ((character & 0x3FF) << 10) + (read_hex(p + 2) & 0x3FF);
		return p + 6;
	}
	if ((character == 0 && !(*flags & KEEPS_NUL)) || (character & 0xF800) == 0xD800) {
		character = REPLACEMENT;
		*flags |= GC_JSON_REPLACED;
	}
	*ret_character = character;
	return p;
}

static size_t write_utf8(unsigned character, char *ret_bytes)
{
	if (character < 0x80) {
		ret_bytes[0] = (char)character;
		return 1;
	}
	if (character < 0x800) {
		ret_bytes[0] = (char)(0xC0 | character >> 6);
		ret_bytes[1] = (char)(0x80 | (character & 0x3F));
		return 2;
	}
	if (character < 0x10000) {
		ret_bytes[0] = (char)(0xE0 | character >> 12);
		ret_bytes[1] = (char)(0x80 | (character >> 6 & 0x3F));
		ret_bytes[2] = (char)(0x80 | (character & 0x3F));
		return 3;
	}
	ret_bytes[0] = (char)(0xF0 | character >> 18);
	ret_bytes[1] = (char)(0x80 | (character >> 12 & 0x3F));
	ret_bytes[2] = (char)(0x80 | (character >> 6 & 0x3F));
	ret_bytes[3] = (char)(0x80 | (character & 0x3F));
	return 4;
}

/* p is at a backslash that the parser has accepted: up to 4 bytes; where the text goes on. */
static const char *read_escape(const char *p, const char *end, char *ret_bytes, size_t *ret_len, unsigned *flags)
{
	unsigned character;

	*ret_len = 1;
	switch (p[1]) {
	case 'b':
		ret_bytes[0] = '\b';
		break;
	case 'f':
		ret_bytes[0] = '\f';
		break;
	case 'n':
		ret_bytes[0] = '\n';
		break;
	case 'r':
		ret_bytes[0] = '\r';
		break;
	case 't':
		ret_bytes[0] = '\t';
		break;
	case 'u':
		p = read_unicode(p + 2, end, &character, flags);
		*ret_len = write_utf8(character, ret_bytes);
		return p;
	default: /* the quote, the backslash and the slash stand for themselves */
		ret_bytes[0] = p[1];
	}
	return p + 2;
}

/* Up to the next backslash or the end, copied; a copy is never longer than its source, so whole words may be written
 * as long as eight bytes are left to read. */
static const char *copy_plain(const char *p, const char *end, char **to)
{
	while (end - p >= 8) {
		uint64_t marks = mark_byte(load_word(p), '\\');
		unsigned len = marks ? first_marked(marks) : 8;

		memcpy(*to, p, 8);
		*to += len;
		p += len;
		if (marks)
			return p;
	}
	while (p < end && *p != '\\')
		*(*to)++ = *p++;
	return p;
}

static struct gc_span unescape(const struct gc_json *string, struct gc_arena *arena, unsigned *flags)
{
	char *text = gc_arena_alloc(arena, string->len), *to = text;
	const char *p = string->ptr, *end = p + string->len;

	for (;;) {
		size_t len;

		p = copy_plain(p, end, &to);
		if (p == end)
			break;
		p = read_escape(p, end, to, &len, flags);
		to += len;
	}
	return (struct gc_span){ text, (size_t)(to - text) };
}

struct gc_span gc_json_text(const struct gc_json *string, struct gc_arena *arena, unsigned *flags)
{
	unsigned ignored = 0;

	if (!string || string->type != GC_JSON_STRING)
		return GC_SPAN_NULL;
	if (!string->escaped)
		return (struct gc_span){ string->ptr, string->len };
	return unescape(string, arena, flags ? flags : &ignored);
}

bool gc_json_text_exact(const struct gc_json *string, struct gc_arena *arena, struct gc_span *ret_text)
{
	unsigned flags = KEEPS_NUL;
	struct gc_span text = gc_json_text(string, arena, &flags);

	if (flags & GC_JSON_REPLACED)
		return false;
	*ret_text = text;
	return true;
}

bool gc_json_equals_unescaped(const struct gc_json *key, struct gc_span name)
{
	const char *p = key->ptr, *end = p + key->len;
	size_t at = 0;

	while (p < end) {
		char bytes[4] = { *p };
		size_t len = 1;
		unsigned flags = 0;

		if (*p == '\\')
			p = read_escape(p, end, bytes, &len, &flags);
		else
			p++;
		if (name.len - at < len || memcmp(name.ptr + at, bytes, len) != 0)
			return false;
		at += len;
	}
	return at == name.len;
}

/* ---- reading tokens ---- */

const struct gc_json *gc_json_first(const struct gc_json *container)
{
	if (!container || container->size == 1 || (container->type != GC_JSON_OBJECT && container->type != GC_JSON_ARRAY))
		return NULL;
	return container + 1;
}

const struct gc_json *gc_json_next(const struct gc_json *container, const struct gc_json *value)
{
	const struct gc_json *next = value + value->size;

	return next < container + container->size ? next : NULL;
}

const struct gc_json *gc_json_get(const struct gc_json *object, struct gc_span name)
{
	if (!object || object->type != GC_JSON_OBJECT)
		return NULL;
	for (const struct gc_json *key = gc_json_first(object); key; key = gc_json_next(object, key + 1))
		if (is_named(key, name) && is_valid_key(key))
			return key + 1;
	return NULL;
}

struct gc_span gc_json_raw(const struct gc_json *value)
{
	if (!value)
		return GC_SPAN_NULL;
	if (value->type == GC_JSON_STRING)
		return (struct gc_span){ value->ptr - 1, (size_t)value->len + 2 };
	return (struct gc_span){ value->ptr, value->len };
}

int64_t gc_json_int(const struct gc_json *number)
{
	int64_t value = 0;

	if (number && number->type == GC_JSON_INT)
		gc_span_int64((struct gc_span){ number->ptr, number->len }, &value);
	return value;
}

double gc_json_real(const struct gc_json *number)
{
	double value = (double)NAN;

	if (number && number->type == GC_JSON_INT)
		return (double)gc_json_int(number);
	/* the parser has seen a number, so what cannot be read is out of range */
	if (number && number->type == GC_JSON_REAL && !gc_span_double((struct gc_span){ number->ptr, number->len }, &value))
		value = number->ptr[0] == '-' ? (double)-INFINITY : (double)INFINITY;
	return value;
}

const char *gc_json_type_name(const struct gc_json *value)
{
	static const char *const names[] = { "null", "boolean", "boolean", "integer", "number", "string", "array", "object" };

	return value ? names[value->type] : "nothing";
}
