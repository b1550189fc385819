/* Text that grows, and values as JSON and CSV. Threads: a text belongs to one thread. */
#include "http/api/text.h"

#include <gracecube/arena.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static void reserve(struct gc_text *text, size_t more)
{
	size_t wanted = text->len + more + 1;

	if (wanted <= text->capacity)
		return;
	text->capacity = wanted < 256 ? 256 : wanted + wanted / 2;
	text->ptr = gc_realloc(text->ptr, text->capacity);
}

void gc_text_add(struct gc_text *text, struct gc_span more)
{
	reserve(text, more.len);
	if (more.len)
		memcpy(text->ptr + text->len, more.ptr, more.len);
	text->len += more.len;
	text->ptr[text->len] = '\0';
}

void gc_text_puts(struct gc_text *text, const char *more)
{
	gc_text_add(text, gc_span_of(more));
}

void gc_text_printf(struct gc_text *text, const char *format, ...)
{
	va_list arguments, again;
	int len;

	va_start(arguments, format);
	va_copy(again, arguments);
	len = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (len > 0) {
		reserve(text, (size_t)len);
		vsnprintf(text->ptr + text->len, (size_t)len + 1, format, again);
		text->len += (size_t)len;
	}
	va_end(again);
}

void gc_text_done(struct gc_text *text)
{
	free(text->ptr);
	*text = (struct gc_text){ NULL, 0, 0 };
}

struct gc_shared *gc_shared_new(struct gc_text *text)
{
	struct gc_shared *shared = gc_malloc(sizeof(*shared));

	shared->text = *text;
	atomic_init(&shared->holders, 1);
	*text = (struct gc_text){ NULL, 0, 0 };
	return shared;
}

struct gc_shared *gc_shared_hold(struct gc_shared *shared)
{
	atomic_fetch_add(&shared->holders, 1);
	return shared;
}

void gc_shared_drop(void *shared)
{
	struct gc_shared *s = shared;

	if (!s || atomic_fetch_sub(&s->holders, 1) > 1)
		return;
	gc_text_done(&s->text);
	free(s);
}

/* The two-letter escapes of RFC 8259; other control characters are \u00XX. */
static char short_escape(char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *at = c ? strchr(from, c) : NULL;

	return at ? to[at - from] : '\0';
}

static void put_escaped(struct gc_text *text, char c)
{
	char letter = short_escape(c);

	if (letter)
		gc_text_add(text, (struct gc_span){ (char[]){ '\\', letter }, 2 });
	else
		gc_text_printf(text, "\\u%04x", (unsigned char)c);
}

static bool needs_escape(char c)
{
	return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

void gc_json_put_text(struct gc_text *text, struct gc_span value)
{
	size_t from = 0;

	gc_text_puts(text, "\"");
	for (size_t i = 0; i < value.len; i++) {
		if (!needs_escape(value.ptr[i]))
			continue;
		gc_text_add(text, (struct gc_span){ value.ptr + from, i - from });
		put_escaped(text, value.ptr[i]);
		from = i + 1;
	}
	gc_text_add(text, (struct gc_span){ value.ptr + from, value.len - from });
	gc_text_puts(text, "\"");
}

void gc_time_put(struct gc_text *text, const char *value)
{
	const char *blank = strchr(value, ' '), *zone = strstr(value, "+00");

	if (!blank || !zone || zone[3]) { /* infinity, or a time before Christ */
		gc_text_puts(text, value);
		return;
	}
	gc_text_add(text, (struct gc_span){ value, (size_t)(blank - value) });
	gc_text_puts(text, "T");
	gc_text_add(text, (struct gc_span){ blank + 1, (size_t)(zone - blank - 1) });
	gc_text_puts(text, "Z");
}

/* The others are NaN, Infinity and -Infinity. */
static bool is_finite(const char *value)
{
	return isdigit((unsigned char)value[*value == '-']);
}

void gc_json_put_cell(struct gc_text *text, enum gc_cell kind, const char *value)
{
	if (!value || (kind == GC_CELL_NUMBER && !is_finite(value))) {
		gc_text_puts(text, "null");
	} else if (kind == GC_CELL_INTEGER || kind == GC_CELL_NUMBER || kind == GC_CELL_JSON) {
		gc_text_puts(text, value);
	} else if (kind == GC_CELL_BOOLEAN) {
		gc_text_puts(text, *value == 't' ? "true" : "false");
	} else if (kind == GC_CELL_TIME) {
		gc_text_puts(text, "\"");
		gc_time_put(text, value);
		gc_text_puts(text, "\"");
	} else {
		gc_json_put_text(text, gc_span_of(value));
	}
}

void gc_json_put_member(struct gc_text *object, const char *name, const char *value)
{
	gc_text_printf(object, "%s\"%s\":", object->len ? "," : "{", name);
	gc_json_put_cell(object, GC_CELL_TEXT, value);
}

/* What a cell must not begin with, or Excel, LibreOffice and Google Sheets run it. An apostrophe makes them show the rest as text. */
static const char formula_signs[] = "=+-@\t\r";

static bool is_formula(const char *value)
{
	return *value && strchr(formula_signs, *value);
}

static void put_csv_text(struct gc_text *text, const char *value, const char *before)
{
	bool is_quoted = !*value || strpbrk(value, "\",\r\n");

	gc_text_puts(text, is_quoted ? "\"" : "");
	gc_text_puts(text, before);
	for (const char *quote; (quote = strchr(value, '"')); value = quote + 1) {
		gc_text_add(text, (struct gc_span){ value, (size_t)(quote - value) + 1 });
		gc_text_puts(text, "\"");
	}
	gc_text_puts(text, value);
	gc_text_puts(text, is_quoted ? "\"" : "");
}

void gc_csv_put_cell(struct gc_text *text, enum gc_cell kind, const char *value)
{
	if (!value)
		return;
	if (kind == GC_CELL_BOOLEAN)
		gc_text_puts(text, *value == 't' ? "true" : "false");
	else if (kind == GC_CELL_TIME)
		gc_time_put(text, value);
	else
		put_csv_text(text, value, kind == GC_CELL_TEXT && is_formula(value) ? "'" : "");
}
