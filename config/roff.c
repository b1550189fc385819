/* Manual pages: see gracecube/roff.h.
 *
 * Threads: no shared state.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <gracecube/arena.h>
#include <gracecube/roff.h>
#include <gracecube/span.h>

/* groff makes typographic characters of these where it can, and nobody can paste them into a shell. */
static const char *escape_of(char c)
{
	switch (c) {
	case '\\':
		return "\\e";
	case '-':
		return "\\-";
	case '`':
		return "\\(ga";
	case '\'':
		return "\\(aq";
	case '^':
		return "\\(ha";
	case '~':
		return "\\(ti";
	case '"':
		return "\\(dq";
	default:
		return NULL;
	}
}

static void put_character(FILE *out, char c)
{
	const char *escape = escape_of(c);
	if (escape)
		fputs(escape, out);
	else
		fputc(c, out);
}

/* A dot at the beginning of a line would be a request. */
static void begin_line(FILE *out, struct gc_span line)
{
	if (line.len && *line.ptr == '.')
		fputs("\\&", out);
}

static void put_literal(FILE *out, struct gc_span line)
{
	begin_line(out, line);
	for (size_t i = 0; i < line.len; i++)
		put_character(out, line.ptr[i]);
	fputc('\n', out);
}

/* A pair of backquotes may span lines; *is_bold is what the line before left open. */
static void put_prose(FILE *out, struct gc_span line, bool *is_bold)
{
	begin_line(out, line);
	for (size_t i = 0; i < line.len; i++) {
		if (line.ptr[i] == '`') {
			*is_bold = !*is_bold;
			fputs(*is_bold ? "\\fB" : "\\fR", out);
		} else {
			put_character(out, line.ptr[i]);
		}
	}
	fputc('\n', out);
}

/* The next line of *rest; false at the end. */
static bool next_line(struct gc_span *rest, struct gc_span *ret_line)
{
	if (rest->len == 0)
		return false;
	if (!gc_span_split(*rest, '\n', ret_line, rest)) {
		*ret_line = *rest;
		rest->len = 0;
	}
	return true;
}

static void set_literal(FILE *out, bool *is_literal, bool wanted)
{
	if (*is_literal == wanted)
		return;
	fputs(wanted ? ".RS 4\n.nf\n" : ".fi\n.RE\n", out);
	*is_literal = wanted;
}

void gc_roff_prose(FILE *out, const char *text)
{
	struct gc_span rest = gc_span_of(text), line;
	bool is_literal = false, is_bold = false, is_new = false;
	while (next_line(&rest, &line)) {
		if (line.len == 0) {
			is_new = true;
			continue;
		}
		set_literal(out, &is_literal, gc_span_starts_with(line, GC_LIT("  ")));
		if (is_new && !is_literal)
			fputs(".PP\n", out);
		is_new = false;
		if (is_literal)
			put_literal(out, line);
		else
			put_prose(out, line, &is_bold);
	}
	set_literal(out, &is_literal, false);
}

void gc_roff_example(FILE *out, const char *text)
{
	struct gc_span rest = gc_span_of(text), line;
	fputs(".nf\n", out);
	while (next_line(&rest, &line))
		put_literal(out, line);
	fputs(".fi\n", out);
}

void gc_roff_heading(FILE *out, const char *heading)
{
	fprintf(out, ".SH %s\n", heading);
}

void gc_roff_term(FILE *out, const char *term)
{
	bool is_bold = false;
	fputs(".TP\n", out);
	put_prose(out, gc_span_of(term), &is_bold);
}

void gc_roff_file(FILE *out, const char *path)
{
	fputs(".TP\n.I ", out);
	put_literal(out, gc_span_of(path));
}

static void put_name(FILE *out, const char *name)
{
	for (; *name; name++)
		put_character(out, *name);
}

void gc_roff_reference(FILE *out, const char *comma, const char *name, int section)
{
	if (*comma)
		fputs(",\n", out);
	fputs("\\fB", out);
	put_name(out, name);
	fprintf(out, "\\fR(%d)", section);
}

void gc_roff_line(FILE *out, const char *format, ...)
{
	char line[1000];
	bool is_bold = false;
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	put_prose(out, gc_span_of(line), &is_bold);
}

void gc_roff_title(FILE *out, const char *name, int section, const char *summary, const char *made_by)
{
	fputs(".\\\" Made by `", out);
	fputs(made_by, out);
	fputs("` from the program's tables; do not edit.\n.TH ", out);
	for (const char *at = name; *at; at++)
		put_character(out, (char)toupper((unsigned char)*at));
	fprintf(out, " %d \"%s\" \"gracecube %s\" \"gracecube\"\n.nh\n.ad l\n.SH NAME\n", section, GRACECUBE_DATE,
		GRACECUBE_VERSION);
	put_name(out, name);
	fputs(" \\- ", out);
	put_literal(out, gc_span_of(summary));
}
