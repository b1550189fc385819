/* Log lines: logfmt for people, JSON for machines, one write() each.
 *
 * Guarantees: a line is whole, valid UTF-8 and at most LINE_BYTES long, whatever the values hold: a value longer than
 * VALUE_BYTES ends in "…", fields that no longer fit are left out and the line says cut=true. Control characters are
 * escaped, so that no value can forge a line or speak to a terminal. errno is kept.
 * Threads: level and format are atomics, the context is the thread's own, the line is built on the stack: no lock.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <gracecube/log.h>
#include <gracecube/time.h>

#include "utf8.h"

#define LINE_BYTES 12288
/* Kept free for what must end every line. */
#define TAIL_BYTES 32
#define VALUE_BYTES 2048

struct line {
	enum gc_log_format format;
	bool cut; /* something did not fit: everything after it is left out */
	size_t len;
	char text[LINE_BYTES];
};

static _Atomic int log_level = GC_LOG_INFO;
static _Atomic int log_format = GC_LOG_LOGFMT;
static _Thread_local const char *context_key, *context_value;

void gc_log_setup(enum gc_log_level level, enum gc_log_format format)
{
	atomic_store(&log_level, (int)level);
	atomic_store(&log_format, (int)format);
}

enum gc_log_level gc_log_level(void)
{
	return (enum gc_log_level)atomic_load_explicit(&log_level, memory_order_relaxed);
}

void gc_log_context(const char *key, const char *value)
{
	context_key = value ? key : NULL;
	context_value = value;
}

static void append_bytes(struct line *line, const char *bytes, size_t len)
{
	if (line->cut || len > LINE_BYTES - TAIL_BYTES - line->len) {
		line->cut = true;
		return;
	}
	memcpy(line->text + line->len, bytes, len);
	line->len += len;
}

static void append_word(struct line *line, const char *word)
{
	append_bytes(line, word, strlen(word));
}

__attribute__((format(printf, 2, 3))) static void append_printf(struct line *line, const char *format, ...)
{
	char text[64];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	append_word(line, text);
}

static void append_ascii(struct line *line, unsigned char c)
{
	if (c == '\n')
		append_word(line, "\\n");
	else if (c == '\t')
		append_word(line, "\\t");
	else if (c < 0x20 || c == 0x7F)
		append_printf(line, "\\u%04x", c);
	else if (c == '"' || c == '\\')
		append_bytes(line, (const char[]){ '\\', (char)c }, 2);
	else
		append_bytes(line, (const char *)&c, 1);
}

/* Escaped; both formats escape alike. U+0080 to U+009F are control characters too. */
static void append_escaped(struct line *line, struct gc_span text)
{
	const char *p = text.ptr, *end = text.ptr + text.len;

	while (p < end) {
		size_t length = gc_utf8_length(p, end);

		if (length == 0)
			append_word(line, "\xEF\xBF\xBD");
		else if (length == 1)
			append_ascii(line, (unsigned char)*p);
		else if ((unsigned char)p[0] == 0xC2 && (unsigned char)p[1] < 0xA0)
			append_printf(line, "\\u%04x", (unsigned char)p[1]);
		else
			append_bytes(line, p, length);
		p += length ? length : 1;
	}
}

/* The front of the text in whole characters. */
static struct gc_span cut_value(struct gc_span text)
{
	size_t len = VALUE_BYTES;

	if (text.len <= VALUE_BYTES)
		return text;
	while (len > VALUE_BYTES - 3 && gc_utf8_is_tail((unsigned char)text.ptr[len]))
		len--;
	return (struct gc_span){ text.ptr, len };
}

static bool is_bare_word(struct gc_span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c <= ' ' || c >= 0x7F || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return text.len > 0;
}

static void append_text(struct line *line, struct gc_span text)
{
	struct gc_span shown = cut_value(text);
	bool quoted = line->format == GC_LOG_JSON || shown.len < text.len || !is_bare_word(text);

	if (!text.ptr) {
		append_word(line, "null");
		return;
	}
	if (quoted)
		append_word(line, "\"");
	append_escaped(line, shown);
	if (shown.len < text.len)
		append_word(line, "…");
	if (quoted)
		append_word(line, "\"");
}

/* As few digits as bring the same double back. JSON has no word for NaN and infinity. */
static void append_real(struct line *line, double real)
{
	char text[40];
	double back;

	snprintf(text, sizeof(text), "%.15g", real);
	if (isfinite(real) && (!gc_span_double(gc_span_of(text), &back) || back < real || back > real))
		snprintf(text, sizeof(text), "%.17g", real);
	if (isfinite(real) || line->format == GC_LOG_LOGFMT)
		append_word(line, text);
	else
		append_printf(line, "\"%s\"", text);
}

static void append_value(struct line *line, const struct gc_log_field *field)
{
	switch (field->kind) {
	case GC_LOG_TEXT:
		append_text(line, gc_span_of(field->text));
		break;
	case GC_LOG_INT:
		append_printf(line, "%lld", (long long)field->number);
		break;
	case GC_LOG_REAL:
		append_real(line, field->real);
		break;
	case GC_LOG_SPAN:
		append_text(line, field->span);
		break;
	}
}

/* All of the field or nothing. */
static void append_field(struct line *line, const struct gc_log_field *field)
{
	size_t before = line->len;

	if (line->format == GC_LOG_JSON) {
		append_word(line, line->len ? ",\"" : "{\"");
		append_word(line, field->key);
		append_word(line, "\":");
	} else {
		append_word(line, line->len ? " " : "");
		append_word(line, field->key);
		append_word(line, "=");
	}
	append_value(line, field);
	if (line->cut)
		line->len = before;
}

static void append_time(struct line *line)
{
	char text[GC_TIME_TEXT_BYTES];
	struct gc_log_field field = GC_SPAN("ts", GC_SPAN_NULL);

	gc_time_format(gc_now_us(), text, sizeof(text));
	/* to the millisecond */
	text[23] = 'Z';
	field.span = (struct gc_span){ text, 24 };
	append_field(line, &field);
}

/* In the room that append_bytes left for it. */
static void end_line(struct line *line)
{
	const char *end = line->format == GC_LOG_JSON ? "}\n" : "\n";

	if (line->cut)
		end = line->format == GC_LOG_JSON ? ",\"cut\":true}\n" : " cut=true\n";
	memcpy(line->text + line->len, end, strlen(end));
	line->len += strlen(end);
}

/* One write, so that lines of several threads do not mix. A log that nobody takes must not stop the work. */
static void write_line(const struct line *line)
{
	ssize_t written;

	do
		written = write(STDERR_FILENO, line->text, line->len);
	while (written < 0 && errno == EINTR);
}

void gc_log_write(enum gc_log_level level, const char *sentence, const struct gc_log_field *fields, size_t count)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	int errno_before = errno;
	struct line line;

	line.format = (enum gc_log_format)atomic_load_explicit(&log_format, memory_order_relaxed);
	line.cut = false;
	line.len = 0;
	append_time(&line);
	append_field(&line, &GC_S("level", names[level]));
	append_field(&line, &GC_S("msg", sentence));
	if (context_key)
		append_field(&line, &GC_S(context_key, context_value));
	for (size_t i = 0; i < count; i++)
		append_field(&line, &fields[i]);
	end_line(&line);
	write_line(&line);
	errno = errno_before;
}

bool gc_complain(struct gc_complaint *complaint, int64_t now_us, int64_t *ret_repeated)
{
	const int64_t longest_us = 300 * GC_SECOND_US;

	if (complaint->interval_us && now_us < complaint->next_us) {
		complaint->held_back++;
		return false;
	}
	complaint->interval_us = complaint->interval_us ? complaint->interval_us * 2 : GC_SECOND_US;
	if (complaint->interval_us > longest_us)
		complaint->interval_us = longest_us;
	complaint->next_us = now_us + complaint->interval_us;
	*ret_repeated = complaint->held_back;
	complaint->held_back = 0;
	return true;
}

bool gc_complaint_over(struct gc_complaint *complaint)
{
	bool had_been = complaint->interval_us != 0;

	*complaint = (struct gc_complaint){ 0 };
	return had_been;
}
