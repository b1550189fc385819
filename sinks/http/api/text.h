/* Text that grows, and values as JSON and CSV. Threads: a text belongs to one thread. */
#ifndef GRACECUBE_HTTP_TEXT_H
#define GRACECUBE_HTTP_TEXT_H

#include <gracecube/span.h>

struct gc_text {
	char *ptr; /* ends with a NUL that is not counted; NULL while it is empty */
	size_t len, capacity;
};

void gc_text_add(struct gc_text *text, struct gc_span more);
void gc_text_puts(struct gc_text *text, const char *more);
void gc_text_printf(struct gc_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void gc_text_done(struct gc_text *text);

/* The same as gzip has it; false when it can not. */
bool gc_text_gzip(const struct gc_text *from, struct gc_text *ret_to);

/* A text that several hold, and nobody changes any more. Threads: any may hold and let go. */
struct gc_shared {
	struct gc_text text;
	_Atomic int holders;
};
/* Takes the text, which is empty afterwards; there is one holder. */
struct gc_shared *gc_shared_new(struct gc_text *text);
struct gc_shared *gc_shared_hold(struct gc_shared *shared);
/* The last one frees it. A `struct gc_shared`, or NULL. */
void gc_shared_drop(void *shared);

/* What a column of an answer is. */
enum gc_cell {
	GC_CELL_TEXT,
	GC_CELL_INTEGER,
	GC_CELL_NUMBER, /* NaN and infinity become null: JSON has none */
	GC_CELL_BOOLEAN,
	GC_CELL_DATE,
	GC_CELL_TIME, /* RFC 3339, UTC */
	GC_CELL_JSON, /* as it stands */
};

/* A string with its quotes. */
void gc_json_put_text(struct gc_text *text, struct gc_span value);
/* `value` as PostgreSQL prints it, with DateStyle ISO and time zone UTC; NULL is null. */
void gc_json_put_cell(struct gc_text *text, enum gc_cell kind, const char *value);
/* A member that is a text, behind those that are there: the first one opens the object. NULL is null. */
void gc_json_put_member(struct gc_text *object, const char *name, const char *value);
/* RFC 4180. NULL is empty, an empty text is "". A text that a spreadsheet would take for a formula gets an apostrophe before it. */
void gc_csv_put_cell(struct gc_text *text, enum gc_cell kind, const char *value);
/* "2026-11-05 10:17:30.5+00" as "2026-11-05T10:17:30.5Z". */
void gc_time_put(struct gc_text *text, const char *value);

#endif
