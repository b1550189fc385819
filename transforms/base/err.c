/* Errors and verdicts, filled in place.
 *
 * Guarantees: every text of a struct gc_err is well-formed UTF-8 and whole characters, whatever went in, because it
 * ends in dead letters, where PostgreSQL would refuse anything else. The error's own texts may be arguments of its next
 * one.
 * Threads: no shared state.
 */
#include <stdio.h>
#include <string.h>

#include <gracecube/err.h>

#include "utf8.h"

/* Longer than any text that is kept, so that a character cut by vsnprintf is never among those copied. */
#define FORMAT_BYTES 1024

static void copy_clean(char *ret_text, size_t size, const char *source)
{
	const char *end = source + strlen(source);
	size_t used = 0;

	while (source < end) {
		size_t length = gc_utf8_length(source, end);
		const char *piece = length ? source : "?";
		size_t bytes = length ? length : 1;

		if (used + bytes >= size)
			break;
		memcpy(ret_text + used, piece, bytes);
		used += bytes;
		source += bytes;
	}
	ret_text[used] = '\0';
}

enum gc_verdict gc_fail(struct gc_err *err, enum gc_verdict verdict, const char *code, const char *where, const char *format, ...)
{
	struct gc_err fresh = { .verdict = verdict };
	char text[FORMAT_BYTES];
	va_list args;

	if (!err)
		return verdict;
	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		text[0] = '\0';
	va_end(args);
	copy_clean(fresh.code, sizeof(fresh.code), code ? code : "");
	copy_clean(fresh.where, sizeof(fresh.where), where ? where : "");
	copy_clean(fresh.text, sizeof(fresh.text), text);
	*err = fresh;
	return verdict;
}

const char *gc_verdict_name(enum gc_verdict verdict)
{
	switch (verdict) {
	case GC_OK:
		return "ok";
	case GC_RETRY:
		return "retry";
	case GC_REJECT:
		return "reject";
	case GC_FENCED:
		return "fenced";
	case GC_FATAL:
		return "fatal";
	}
	return "unknown";
}
