/* JSON, strictly: one pass over the bytes into a flat array of tokens. No allocation but the arena's.
 *
 * Accepted is exactly RFC 8259 in UTF-8 (one value, white space around it). Refused with the byte's position: anything
 * else, a depth above the limit, a key twice in one object. \u0000 and lone surrogates are accepted (they are legal JSON)
 * and become U+FFFD when the text is taken, with a flag for the caller; a number out of double's range is legal JSON too.
 * jansson is the reference: tests compare every captured message and many broken ones with it.
 * Threads: no shared state. Tokens point into the parsed text: keep it as long as the tokens.
 */
#ifndef GRACECUBE_JSON_H
#define GRACECUBE_JSON_H

#include <gracecube/arena.h>
#include <gracecube/err.h>

enum gc_json_type {
	GC_JSON_NULL,
	GC_JSON_FALSE,
	GC_JSON_TRUE,
	GC_JSON_INT,  /* no fraction, no exponent, fits int64 */
	GC_JSON_REAL, /* any other number */
	GC_JSON_STRING,
	GC_JSON_ARRAY,
	GC_JSON_OBJECT,
};

struct gc_json {
	const char *ptr; /* first byte of the value; of a string the byte after the quote */
	uint32_t len;    /* bytes of the value; of a string without its quotes */
	uint32_t size;   /* tokens of the value with all inside it: value + size is the next sibling */
	uint8_t type;    /* enum gc_json_type */
	uint8_t escaped; /* a string with a backslash in it */
};

#define GC_JSON_MAX_DEPTH 32

/* GC_OK and the root token, or GC_REJECT with code "not_json", "too_deep" or "duplicate_key" and where "byte 17". */
enum gc_verdict gc_json_parse(struct gc_span text, struct gc_arena *arena, const struct gc_json **ret_root,
			      struct gc_err *err) GC_MUST_CHECK;

/* The same, but it takes what Python's json.dumps() and PostgreSQL's type json may hold beside: NaN, Infinity and -Infinity are
 * nulls, and of a name that stands twice the last one counts. gc_json_first() still passes the others, whose key is a null. */
enum gc_verdict gc_json_parse_lenient(struct gc_span text, struct gc_arena *arena, const struct gc_json **ret_root,
				      struct gc_err *err) GC_MUST_CHECK;

/* Member of an object by name (compared after unescaping); NULL if there is none or `object` is not an object or NULL. */
const struct gc_json *gc_json_get(const struct gc_json *object, struct gc_span name);

/* For loops: object members and array elements.
 *     for (const struct gc_json *k = gc_json_first(o); k; k = gc_json_next(o, k + 1)) use(k, k + 1);   object: key k, value k + 1
 *     for (const struct gc_json *v = gc_json_first(a); v; v = gc_json_next(a, v)) use(v);               array */
const struct gc_json *gc_json_first(const struct gc_json *container);
const struct gc_json *gc_json_next(const struct gc_json *container, const struct gc_json *value);

#define GC_JSON_REPLACED 1 /* a NUL or a lone surrogate became U+FFFD */

/* The text of a string token: zero-copy when nothing is escaped, else unescaped into the arena. *flags |= … (may be NULL). */
struct gc_span gc_json_text(const struct gc_json *string, struct gc_arena *arena, unsigned *flags);
/* The same to the byte, with NULs: false, and *ret_text untouched, when a lone surrogate is in it, which stands for no bytes. */
bool gc_json_text_exact(const struct gc_json *string, struct gc_arena *arena, struct gc_span *ret_text);
/* The bytes of any value as they stand. */
struct gc_span gc_json_raw(const struct gc_json *value);
/* INT or REAL as double, correctly rounded; infinite when it is out of range. Other types: NaN. */
double gc_json_real(const struct gc_json *number);
/* Only for INT. */
int64_t gc_json_int(const struct gc_json *number);
/* "string", "object" …, for messages; NULL is "nothing" */
const char *gc_json_type_name(const struct gc_json *value);

#endif
