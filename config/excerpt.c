/* The line of the file that an error is about, with a caret under the place:
 *
 *        12 |   workres: 3
 *           |   ^
 *
 * Threads: no shared state.
 */
#include <stdlib.h>

#include <gracecube/arena.h>

#include "options.h"

/* What is shown of a long line, in characters, and how many of them stand before the place. */
#define SHOWN_MAX 100
#define SHOWN_BEFORE 60

/* All from the line on. */
static struct gc_span skip_lines(struct gc_span text, size_t count)
{
	struct gc_span line;
	while (count > 0 && gc_span_split(text, '\n', &line, &text))
		count--;
	return text;
}

/* One line without its end and without secrets; malloc'ed. */
static char *take_line(struct gc_span file, size_t line)
{
	struct gc_span rest = skip_lines(file, line);
	const char *end = memchr(rest.ptr, '\n', rest.len);
	size_t len = end ? (size_t)(end - rest.ptr) : rest.len;
	char *plain = gc_calloc(1, len + 1);
	memcpy(plain, rest.ptr, len);
	plain[strcspn(plain, "\r")] = '\0';
	char *masked = gc_secret_mask(plain);
	free(plain);
	return masked;
}

static size_t character_bytes(const char *at)
{
	size_t bytes = 1;
	while (((unsigned char)at[bytes] & 0xC0) == 0x80)
		bytes++;
	return bytes;
}

/* The first character that is shown. */
static const char *skip_characters(const char *line, size_t count)
{
	for (; count > 0 && *line; count--)
		line += character_bytes(line);
	return line;
}

/* A blank a character, but tabs stay tabs, so that the caret stands right whatever their width. */
static void print_caret(FILE *out, const char *line, size_t characters)
{
	for (; characters > 0 && *line; characters--) {
		fputc(*line == '\t' ? '\t' : ' ', out);
		line += character_bytes(line);
	}
	fputc('^', out);
}

static void print_excerpt(FILE *out, const char *line, size_t number, size_t column)
{
	size_t skipped = column > SHOWN_MAX - 20 ? column - SHOWN_BEFORE : 0;
	const char *from = skip_characters(line, skipped), *to = skip_characters(from, SHOWN_MAX);
	fprintf(out, "\n%6zu | %.*s\n       | ", number, (int)(to - from), from);
	print_caret(out, from, column - skipped);
}

void gc_excerpt_add(struct gc_err *err, struct gc_span file, size_t line, size_t column)
{
	char *excerpt, *text = take_line(file, line);
	size_t bytes;
	FILE *out = gc_text_open(&excerpt, &bytes);
	print_excerpt(out, text, line + 1, column);
	fclose(out);
	gc_fail(err, err->verdict, err->code, err->where, "%s%s", err->text, excerpt);
	free(excerpt);
	free(text);
}
